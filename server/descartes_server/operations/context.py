"""What an operation's handler is given: the services of its workspace and who called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from descartes_core.errors import HubLost, PolicyDenied
from descartes_core.model import Principal
from descartes_core.ports import Clock, SystemClock
from descartes_server.operations import settings
from descartes_server.operations.settings import Settings
from descartes_server.operations.workspace import Workspace

if TYPE_CHECKING:
    from descartes_core.edits.edits import Edits
    from descartes_core.leases import Leases
    from descartes_core.policy.interventions import Interventions
    from descartes_core.runs import Runs
    from descartes_core.store import Reader, Store
    from descartes_core.timetravel.body import Body
    from descartes_core.timetravel.restores import Restores
    from descartes_core.vault.secrets import Secrets
    from descartes_server.operations.editors import Editors
    from descartes_server.operations.hub import HubStatus
    from descartes_server.operations.image import Image

T = TypeVar("T")


class InHub(Generic[T]):
    """An attribute that exists in the hub's services only; at another door reading it is `HubLost`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> InHub[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | InHub[T]:
        if instance is None:
            return self
        try:
            return instance.__dict__[self.name]  # type: ignore[no-any-return]
        except KeyError:
            raise HubLost(f"expected to run in the hub, which alone has {self.name!r}") from None

    def __set__(self, instance: object, value: T) -> None:
        instance.__dict__[self.name] = value


class Hub(Protocol):
    """What operations may ask of the hub that they run in."""

    def status(self) -> HubStatus: ...
    def stop(self, *, force: bool) -> None: ...
    def settings(self) -> Settings: ...
    def run(self, work: Coroutine[Any, Any, None]) -> None: ...
    def subscribe(self, client_id: str, since: int | None, types: list[str]) -> int: ...


class Services:
    """Everything that handlers work with. A door's own services have the log's reader alone."""

    store: InHub[Store] = InHub()
    leases: InHub[Leases] = InHub()
    runs: InHub[Runs] = InHub()
    restores: InHub[Restores] = InHub()
    edits: InHub[Edits] = InHub()
    body: InHub[Body] = InHub()
    interventions: InHub[Interventions] = InHub()
    image: InHub[Image] = InHub()
    editors: InHub[Editors] = InHub()
    secrets: InHub[Secrets] = InHub()
    hub: InHub[Hub] = InHub()
    publish: InHub[Callable[[str, Mapping[str, Any]], None]] = InHub()
    """`publish(method, params)` sends a notification to every attached client; never blocks."""
    ask_client: InHub[Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]] = InHub()
    """`await ask_client(client_id, method, params)` is what that client answers.

    Errors: `NotFound` when it is not there or has no answer; `HubLost` when it goes meanwhile.
    """

    def __init__(
        self, workspace: Workspace, settings: Settings, reader: Reader, clock: Clock | None = None
    ) -> None:
        self.workspace = workspace
        self.settings = settings
        self.reader = reader
        self.clock = clock or SystemClock()


@dataclass(frozen=True)
class Caller:
    """Who calls, through which client. PRINCIPAL is what leases and events name."""

    principal: Principal
    client_id: str
    """Stable for the life of the client, over reconnections: what "one client's evaluations" means."""
    client_name: str = ""
    trusted: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    editor_settings: Mapping[str, Any] = field(default_factory=dict)
    """What the caller's editor sets, nested as in `descartes.toml`; see `Context.settings`."""
    run: str | None = None
    """The run whose child the caller is; it then acts as that run's agent whatever it says of itself."""

    keeps_leases_as: str | None = None
    """The client with which leases taken here by a person live; None: they end by time alone."""

    brief: bool = False
    """Whether the client lives for one command: what it opens then belongs to its person's terminals."""

    @property
    def owner(self) -> str:
        """Return whose inspections and REPLs are meant: those of the client, of the run, or of the person."""
        if self.run is not None:
            return f"run:{self.run}"
        return f"{self.principal.kind}:{self.principal.id}" if self.brief else self.client_id

    @property
    def is_person(self) -> bool:
        return self.principal.kind == "human" and self.run is None

    def require_person(self, what: str) -> None:
        """Refuse an agent that wants to do WHAT, with `PolicyDenied`."""
        if not self.is_person:
            raise PolicyDenied(f"{what} is for a person to do, and {self.principal.name!r} is not one")


@dataclass(frozen=True)
class Context:
    """One call: the services it works on and who called."""

    services: Services
    caller: Caller

    def settings(self) -> Settings:
        """Return the settings as they are now for this caller: the files', then its editor's."""
        root = self.services.workspace.root
        loaded = settings.load(root, trusted=self.caller.trusted, editor=self.caller.editor_settings)
        return loaded.settings
