"""When Python looks for cyclic garbage; the one place where that is decided.

A full collection takes 15 ms and more in a process with our modules in it, in the middle of somebody's
request. Modules, tables and an index of a workspace are never garbage: they are left out once they are made.
Of what requests make hardly anything is in cycles, so it is looked through seldom.
"""

from __future__ import annotations

import gc

SELDOM = 10_000
"""Objects made and not given up yet before the young ones are looked through; a millisecond's work."""


def pause() -> None:
    """Collect nothing until `leave_out`: what a start makes is no garbage."""
    gc.disable()


def leave_out() -> None:
    """Leave out of every collection what there is now, and collect what is made from now on.

    For the end of a start, and whenever much was made that stays.
    """
    gc.freeze()
    gc.set_threshold(SELDOM, 10, 10)
    gc.enable()
