"""The agent core: the log, leases, runs, agents and policy. Knows no editor and no Lisp."""
