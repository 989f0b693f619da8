"""The language server, the operations and the command line: where the agent core and Lisp meet."""

__version__ = "0.1.0"
