"""Runs whose agent is another program that speaks the Agent Client Protocol, version 1.

Importing a module of this package but `standing` and `channel` imports the protocol's library, which takes
long: `runs.acp_run` has it done in a thread, when the first such run begins.
"""
