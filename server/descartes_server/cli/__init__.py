"""The command line: every operation as a command, and the few commands that are none."""
