"""A hub from its first line to its last: the lock, the services, the socket, and the end.

The one place where the hub's parts are put together; `descartes daemon` and `--embedded` both come here.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from descartes_core.errors import DescartesError, HubLost, StoreUnavailable
from descartes_core.vault.masking import Masks
from descartes_server import garbage
from descartes_server.hub import record
from descartes_server.hub.server import SocketServer
from descartes_server.hub.service import HUB, Hub
from descartes_server.operations import lisp_settings, principals, settings, trust
from descartes_server.operations.context import Caller, Context, Services
from descartes_server.operations.workspace import Workspace, home, vault

if TYPE_CHECKING:
    from descartes_core.memory.memory import Consulting
    from descartes_core.runs.work import ToolServer

log = logging.getLogger(__name__)

LOOK_S = 1.0
KEYRING_S = 10.0
"""How long a hub that begins waits for the system's keyring, which may be asking a person."""
LOG_BYTES = 4 * 1024 * 1024


class MaskedRecords(logging.Filter):
    """Takes the values of secrets out of everything that goes to a log file of this program."""

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self._masks = masks

    def filter(self, record: logging.LogRecord) -> bool:
        if self._masks.patterns:
            record.msg, record.args = self._masks.text(record.getMessage()), ()
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = record.exc_text and self._masks.text(record.exc_text)
        return True


class Held(Exception):
    """Another process, OWNER, is the hub of the workspace."""

    def __init__(self, owner: record.Owner) -> None:
        super().__init__(owner.in_use().message)
        self.owner = owner


@asynccontextmanager
async def running_hub(
    workspace: Workspace, *, embedded: bool = False, password: str | None = None
) -> AsyncIterator[Hub]:
    """Be the hub of WORKSPACE inside the block; it listens nowhere yet. PASSWORD is that of the vault.

    Errors: `Held`; `WorkspaceInUse` and `InvalidParams` for a state folder that is not followed.
    """
    workspace.prepare()
    taken = record.Lock.take(workspace, embedded=embedded)
    if isinstance(taken, record.Owner):
        raise Held(taken)
    async with AsyncExitStack() as stack:
        stack.callback(taken.release)
        services = await _open_services(workspace, stack)
        hub = Hub(services, await services.reader.last_seq())
        stack.push_async_callback(hub.close)
        await hub.begin()
        # Before anything is printed again: what goes on printing does so without the values of secrets.
        await _know_secrets(services, password, stack)
        await _open_image_and_runs(services, hub, stack)
        yield hub
        hub.end("its process ends")


async def serve(workspace: Workspace, ready: Any, password: str | None = None) -> None:
    """Be the hub of WORKSPACE on its socket until it is time to end; READY(answer) is called once, early.

    PASSWORD opens the vault, for a moment, so that what it holds is masked from the beginning.
    The answer is `{ready: true}`, or `{held: owner}` or `{error}` when this process is no hub.
    """
    try:
        async with running_hub(workspace, password=password) as hub:
            server = SocketServer(hub, workspace)
            await server.listen()
            try:
                _end_on_signals(hub)
                garbage.leave_out()
                ready({"ready": True})
                await _until_the_end(hub, server)
            finally:
                server.close()
    except Held as held:
        ready({"held": msgspec.to_builtins(held.owner)})
    except DescartesError as error:
        ready({"error": error.as_json()})


async def _open_services(workspace: Workspace, stack: AsyncExitStack) -> Services:
    """Open the log and what stands on it alone; everything is closed with STACK."""
    from descartes_core.leases import Leases
    from descartes_core.policy.interventions import Interventions
    from descartes_core.store import Store
    from descartes_core.vault.secrets import Secrets
    from descartes_core.vault.vault import Vault

    store = await Store.open(workspace.database)
    stack.push_async_callback(store.close)
    loaded = settings.load(workspace.root, trusted=trust.is_trusted(workspace.root))
    services = Services(workspace, loaded.settings, store.reader, store.clock)
    services.store = store
    services.leases = Leases(store, workspace.root)
    stack.push_async_callback(services.leases.close)
    services.interventions = Interventions(store)
    services.secrets = Secrets(store, Vault(vault()), lambda: _lock_seconds(services))
    stack.callback(services.secrets.close)
    masking = MaskedRecords(services.secrets.masks)
    for handler in logging.getLogger().handlers:
        handler.addFilter(masking)
        stack.callback(handler.removeFilter, masking)
    return services


async def _know_secrets(services: Services, password: str | None, stack: AsyncExitStack) -> None:
    """Have what is in the vault masked, if PASSWORD or the system's keyring opens it; it stays locked."""

    async def know() -> None:
        try:
            await services.secrets.know(password)
        except DescartesError as error:
            log.warning("secrets are masked from their first use on: %s", error.message)

    knowing = asyncio.create_task(know())
    stack.callback(knowing.cancel)
    # A password is computed with. A keyring may ask a person, who may be away.
    await asyncio.wait([knowing], timeout=KEYRING_S if password is None else None)


def _lock_seconds(services: Services) -> float:
    """Return how long the vault stays open unused, as the settings are now."""
    return services.hub.settings().secrets.lock_minutes * 60


def _largest_bytes(hub: Hub) -> int:
    """Return up to which size a file is kept, as the settings are now."""
    return hub.settings().restore.largest_megabytes * 1024 * 1024


async def _open_image_and_runs(services: Services, hub: Hub, stack: AsyncExitStack) -> None:
    """Take the image of an earlier hub back, then the runs that it left; both are let go of with STACK."""
    from descartes_core.agents import outside
    from descartes_core.edits.edits import Edits
    from descartes_core.memory.memory import Memory
    from descartes_core.memory.thoughts import Thoughts
    from descartes_core.runs import Runs
    from descartes_core.runs.queries import RunView
    from descartes_core.timetravel.body import Body
    from descartes_core.timetravel.restores import Restores
    from descartes_server.ide.leased_forms import LispForms
    from descartes_server.ide.symbol_places import symbol_places
    from descartes_server.operations.image import Image
    from descartes_server.operations.image_work import Places
    from descartes_server.operations.lisp_for_runs import LispForRuns
    from descartes_server.operations.restart_questions import RestartQuestions

    workspace = services.workspace
    hub.settings()  # from here on the keys that they hold are masked
    places = Places(workspace.root, workspace.runtime, lisp_settings.cache(), workspace.state)
    image = services.image = Image(
        services.store, hub.publish, hub.ask_client, places, lambda: hub.settings().lisp
    )
    image.masks = services.secrets.masks
    image.connecting_seconds = lambda: hub.settings().performance.connection_timeout_secs
    stack.push_async_callback(image.detach)
    body = services.body = Body(
        services.store,
        workspace.root,
        workspace.state,
        largest_bytes=lambda: _largest_bytes(hub),
    )
    services.restores = Restores(
        services.store,
        body,
        services.leases,
        unsaved_in=hub.editors.unsaved_in,
    )
    services.edits = Edits(
        services.store,
        body,
        services.restores,
        symbols=symbol_places,
        unsaved=hub.editors.unsaved,
    )
    questions = RestartQuestions(image, services.interventions)
    services.runs = Runs(
        services.store,
        services.leases,
        services.interventions,
        LispForRuns(image, RunView(services.reader, services.clock)),
        workspace.root,
        state=workspace.state,
        runtime=workspace.runtime,
        on_output=hub.run_output,
        unsaved_in=hub.editors.unsaved_in,
        secrets=services.secrets,
        forms=LispForms(),
        memory=Memory(services.store, Thoughts(home(), services.clock), lambda: _consulting(hub)),
        settings=hub.settings,
        body=body,
        tool_server=_tool_server(workspace.root),
    )
    stack.push_async_callback(services.runs.close)
    # What ended while there was no hub is in the log before anything that happens now.
    await services.leases.expire_due()
    await _put_right(services)
    await image.take_up()
    await questions.forget_recalled()
    await outside.close_left(services.interventions, HUB)
    await services.runs.recover()


def _tool_server(root: Path) -> ToolServer | None:
    """Return what offers our operations to agents of other programs; None where its library is missing."""
    from descartes_core.runs.work import ToolServer

    if importlib.util.find_spec("mcp") is None:
        return None
    program = [sys.executable, "-P", "-m", "descartes_server", "mcp"]
    return ToolServer("descartes", [*program, "--workspace", str(root)])


async def _put_right(services: Services) -> None:
    """Finish or roll back a restore that was interrupted; what cannot be now is for `doctor --fix`."""
    from descartes_server.operations.restore_parts import parts

    context = Context(services, Caller(principal=HUB, client_id="hub"))
    try:
        told = await services.restores.recover(parts(context))
    except DescartesError as error:
        told = error.message
    if told is not None:
        log.warning("%s", told)


def _consulting(hub: Hub) -> Consulting:
    """Return whether runs are told what earlier work taught, as the settings say now."""
    from descartes_core.memory.memory import Consulting

    memory = hub.settings().memory
    return Consulting(memory.tells_runs, memory.min_confidence)


def _end_on_signals(hub: Hub) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, hub.end, f"it was sent {signal.Signals(number).name}")


async def _until_the_end(hub: Hub, server: SocketServer) -> None:
    """Return once the hub should end: it was told to, nobody needed it for long, or its workspace is gone."""
    root = hub.services.workspace.root
    identity = root.stat()
    loop = asyncio.get_running_loop()
    needed_at = loop.time()
    while not hub.ended.done():
        idle_limit_s = hub.settings().hub.idle_minutes * 60
        await asyncio.wait([hub.ended], timeout=min(LOOK_S, max(idle_limit_s / 4, 0.05)))
        if not _is_same(root, identity):
            hub.end("its workspace is gone")
        elif not hub.ended.done():
            await server.keep()
            hub.services.runs.look()  # the settings may let more of them work now
        if not hub.is_idle():
            needed_at = loop.time()
        elif loop.time() - needed_at >= idle_limit_s:
            hub.end("nobody needed it")


def _is_same(folder: Path, identity: os.stat_result) -> bool:
    try:
        return os.path.samestat(folder.stat(), identity)
    except OSError:
        return False


def take_password(descriptor: int | None) -> str | None:
    """Return the password of the vault that this process was given by DESCRIPTOR or in its environment.

    It is taken out of the environment: nothing that the hub starts may have it.
    """
    password = os.environ.pop(principals.PASSWORD_VARIABLE, None)
    if descriptor is not None:
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as pipe:  # noqa: PTH123
            password = pipe.read()
    return password or None


def daemon(workspace: Workspace, *, detached: bool, password: str | None) -> int:
    """Run the hub of WORKSPACE in this process and return its exit code; DETACHED: in one of its own.

    PASSWORD is that of the vault. A detached one says on standard output, in one line of JSON, what became
    of it, and nothing after that.
    """
    os.umask(0o077)
    garbage.pause()
    sys.setswitchinterval(0.0005)  # the loop must not wait 5 ms for a thread that parses
    if detached and os.fork():
        # The child has no parent that could take it along or would have to wait for it.
        os._exit(0)
    answer: dict[str, Any] = {}

    def ready(found: dict[str, Any]) -> None:
        answer.update(found)
        if detached:
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
            sys.stdout.flush()
            _let_go_of_terminal()

    try:
        workspace.prepare()
        _log_to(workspace.log / "hub.log", also_shown=not detached)
        asyncio.run(serve(workspace, ready, password))
    except DescartesError as error:
        ready({"error": error.as_json()})
    except OSError as error:
        log.exception("the hub failed")
        where = error.filename or str(workspace.state)
        problem = f"expected a hub to work in {where!r}: {error.strerror or error}; make room or a way there"
        _say_once(answer, ready, StoreUnavailable(problem))
    except Exception:
        log.exception("the hub failed")
        _say_once(answer, ready, HubLost(f"the hub failed; see {str(workspace.log / 'hub.log')!r}"))
    return _report(answer, detached=detached)


def _say_once(answer: dict[str, Any], ready: Callable[[dict[str, Any]], None], error: DescartesError) -> None:
    """Say ERROR by READY, unless who started this process has got its ANSWER."""
    if not answer:
        ready({"error": error.as_json()})
    answer["error"] = error.as_json()


def _report(answer: dict[str, Any], *, detached: bool) -> int:
    if "ready" in answer and "error" not in answer:
        return 0
    if not detached:
        held = msgspec.convert(answer["held"], record.Owner).in_use().message if "held" in answer else None
        sys.stderr.write(f"{held or answer['error']['message']}\n")
    return 1


def _let_go_of_terminal() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _log_to(file: Path, *, also_shown: bool) -> None:
    handlers: list[logging.Handler] = [RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=2)]
    if also_shown:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        handlers=handlers,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
    )
