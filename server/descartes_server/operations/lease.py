"""The operations `lease.*`: who may write a file, why, and until when."""

from __future__ import annotations

from descartes_core.errors import InvalidParams, PolicyDenied
from descartes_core.leases import LeaseView
from descartes_core.leases.paths import overlap
from descartes_core.leases.words import typed_over
from descartes_core.model import Intervention, Lease, LeaseMode, Principal, Shape
from descartes_server.operations import lease_requests, principals
from descartes_server.operations.context import Context, Services
from descartes_server.operations.registry import Params, operation

Holder = str | Principal
"""A holder as `KIND:NAME`, or whole."""


class PathParams(Params, frozen=True, kw_only=True):
    """What a lease is about: the file URI, or PATH from the workspace, which may be a glob or `FILE#FORM`."""

    uri: str | None = None
    path: str | None = None

    @property
    def about(self) -> str:
        """Return the one of the two that was given."""
        if self.path is None and self.uri is None:
            raise InvalidParams("expected `path` or `uri`, got neither; name the file")
        return self.path or self.uri or ""


class AcquireParams(PathParams, frozen=True, kw_only=True):
    """The lease wanted. TTL_SECONDS: by default the setting `leases.ttlSeconds`; WAIT_MS in the queue.

    MAX_RENEWALS: how often it may be renewed; without it, without end.
    """

    ttl_seconds: float | None = None
    mode: LeaseMode = "exclusive"
    reason: str | None = None
    wait_ms: int = 0
    max_renewals: int | None = None
    holder: Holder | None = None


class HeldParams(PathParams, frozen=True, kw_only=True):
    """The lease of HOLDER, by default the caller's. With TOKEN only if it is still that one."""

    token: int | None = None
    holder: Holder | None = None


class ReleaseParams(HeldParams, frozen=True, kw_only=True):
    """FORCE ends the leases of whoever has them; it is a person's."""

    force: bool = False


class RenewParams(HeldParams, frozen=True, kw_only=True):
    """TTL_SECONDS from now; by default as long as the last time."""

    ttl_seconds: float | None = None


class ListParams(PathParams, frozen=True, kw_only=True):
    """Leases that cover the file, or of HOLDER, where given."""

    holder: Holder | None = None


class RequestParams(PathParams, frozen=True, kw_only=True):
    """MESSAGE is shown to the holder."""

    message: str = ""


class MoveParams(PathParams, frozen=True, kw_only=True):
    """NEW_PATH is where the file or folder is now: a file URI, or a path from the workspace."""

    new_path: str


class StealParams(PathParams, frozen=True, kw_only=True):
    """REASON is recorded and shown to the old holder."""

    reason: str | None = None
    ttl_seconds: float | None = None
    holder: Holder | None = None


class Leases(Shape, frozen=True, kw_only=True):
    """Live leases, by path."""

    leases: list[Lease]


class MaybeLease(Shape, frozen=True, kw_only=True):
    """The strictest live lease on a file, or none."""

    lease: Lease | None


@operation("lease.acquire", kind="effect", for_agents=True, positional=("path",))
async def acquire(context: Context, params: AcquireParams) -> Lease:
    """Take a lease on a file, waiting in the queue when somebody else has it and time is given."""
    if params.max_renewals is not None and params.max_renewals < 0:
        raise InvalidParams(
            f"expected `maxRenewals` of 0 or more, got {params.max_renewals}; leave it out for any number"
        )
    return await context.services.leases.acquire(
        params.about,
        _holder(context, params.holder, "taking a lease"),
        ttl_seconds=_ttl(context, params.ttl_seconds),
        mode=params.mode,
        reason=params.reason,
        wait_ms=params.wait_ms,
        run=context.caller.run,
        client=context.caller.keeps_leases_as,
        max_renewals=params.max_renewals,
    )


@operation("lease.release", kind="effect", for_agents=True, positional=("path",))
async def release(context: Context, params: ReleaseParams) -> Lease:
    """Give a lease back."""
    if params.force:
        context.caller.require_person("ending a lease by force")
    holder = _holder(context, params.holder, "releasing a lease")
    return await context.services.leases.release(params.about, holder, token=params.token, force=params.force)


@operation("lease.renew", kind="effect", for_agents=True, positional=("path",))
async def renew(context: Context, params: RenewParams) -> Lease:
    """Make a lease last from now on."""
    holder = _holder(context, params.holder, "renewing a lease")
    return await context.services.leases.renew(
        params.about, holder, ttl_seconds=params.ttl_seconds, token=params.token
    )


@operation("lease.steal", kind="effect", for_agents=True, positional=("path",))
async def steal(context: Context, params: StealParams) -> Lease:
    """Take a lease over; the old holder's writes are refused from then on."""
    is_person = context.caller.is_person
    if not is_person:
        _refuse_typed(context.services, params.about)
    return await context.services.leases.steal(
        params.about,
        _holder(context, params.holder, "taking a lease over"),
        reason=params.reason,
        ttl_seconds=_ttl(context, params.ttl_seconds),
        run=context.caller.run,
        client=context.caller.keeps_leases_as,
        over_unsaved=is_person,
    )


@operation("lease.move", kind="effect", for_agents=True, positional=("path", "newPath"))
async def move(context: Context, params: MoveParams) -> Leases:
    """Let the leases on a file or folder that was renamed follow it."""
    caller = context.caller
    moved = await context.services.leases.rename(
        params.about, params.new_path, by=caller.principal, only_own=caller.run is not None
    )
    return Leases(leases=moved)


@operation("lease.request", kind="effect", for_agents=True, positional=("path", "message"))
async def request(context: Context, params: RequestParams) -> Intervention:
    """Ask the holder of a file to let go of it; the answer is an intervention on that side."""
    return await lease_requests.ask(context.services, params.about, context.caller.principal, params.message)


@operation("lease.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Leases:
    """List the leases that are held now."""
    about = params.path or params.uri
    found = await _view(context).list(about)
    wanted = principals.parse(params.holder) if isinstance(params.holder, str) else params.holder
    return Leases(leases=[each for each in found if wanted is None or principals.fits(each.holder, wanted)])


@operation("lease.show", kind="read", for_agents=True, positional=("path",))
async def show(context: Context, params: PathParams) -> MaybeLease:
    """Show who holds a file."""
    return MaybeLease(lease=await _view(context).show(params.about))


def _view(context: Context) -> LeaseView:
    services = context.services
    return LeaseView(services.reader, services.workspace.root, services.clock)


def _refuse_typed(services: Services, about: str) -> None:
    """Refuse an agent that would take over what an editor has not saved, under whichever lease of its person.

    Errors: `PolicyDenied`.
    """
    paths = services.leases.paths
    wanted = paths.of(about)
    for file, editor in services.editors.unsaved():
        typed = paths.covering(file)
        if overlap(wanted, typed):
            raise typed_over(typed.text, f"a person in {editor}")


def _ttl(context: Context, seconds: float | None) -> float:
    return context.settings().leases.ttl_seconds if seconds is None else seconds


def _holder(context: Context, given: Holder | None, what: str) -> Principal:
    """Return in whose name the caller acts: GIVEN if it may, else its own.

    Errors: `PolicyDenied` for an agent that names a person, or a run's child that names anybody else.
    """
    caller = context.caller
    holder = principals.parse(given) if isinstance(given, str) else given
    if holder is None or principals.fits(caller.principal, holder):
        return caller.principal
    holder = principals.kept(holder, context.services.store.redactor)
    if caller.run is not None or (holder.kind == "human" and not caller.is_person):
        raise PolicyDenied(
            f"{caller.principal.name!r} may do its own {what} only, not that of {holder.name!r}"
        )
    return holder
