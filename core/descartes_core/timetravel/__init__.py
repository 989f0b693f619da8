"""What was, at any moment of the log, and going back there.

The conversation of a run (the brain): `brain`, `fold`, `forks`. The work tree (the body): `snapshots` keeps
trees in private git refs, `plan` says what a restore would change, `moving` does it so that it can be undone
at any instant, `body` is what runs see of it, `restores` what people ask for.
"""
