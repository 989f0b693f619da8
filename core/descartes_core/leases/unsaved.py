"""The intent leases of people who type: on exactly the files that an editor has changed and not saved."""

from __future__ import annotations

from collections.abc import Sequence

from descartes_core.leases import arbiter
from descartes_core.leases.arbiter import Request, kept_by, let_go
from descartes_core.leases.paths import LeasePath, Paths
from descartes_core.model import Lease, Principal
from descartes_core.store import Transaction


def request(paths: Paths, about: LeasePath, holder: Principal, client: str, ttl_ms: int) -> Request:
    """Return the request for the intent of HOLDER, who types in ABOUT and has not saved it."""
    return Request(
        path=about,
        uri=paths.uri(about),
        holder=holder,
        mode="intent",
        ttl_ms=ttl_ms,
        reason="unsaved changes",
        client=client,
        unsaved=True,
    )


def hold(tx: Transaction, client: str, asked: Sequence[Request]) -> list[Lease]:
    """Grant what is ASKED for CLIENT, end its intents on other files, and return what is in the way.

    May be called any number of times: what is held already is no event.
    """
    wanted = {each.path.file for each in asked}
    for each in kept_by(tx, None, client):
        if each.terms.unsaved and each.path.file not in wanted:
            let_go(tx, each, client)
    outcomes = [arbiter.grant(tx, each) for each in asked if not _is_kept(tx, each)]
    return [each for each in outcomes if isinstance(each, Lease)]


def _is_kept(tx: Transaction, asked: Request) -> bool:
    """Return whether the holder has there already what is ASKED for, or more."""
    own = arbiter.own_lease(tx, asked.path, asked.holder)
    if own is None or arbiter.is_over(own, tx.now_ms) or own.lease.mode == "shared":
        return False
    return not own.terms.unsaved or asked.client in own.terms.clients
