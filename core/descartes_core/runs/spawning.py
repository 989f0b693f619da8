"""What makes a run: the request checked, its record, and the transaction in which it comes to be."""

from __future__ import annotations

import importlib.util
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from descartes_core.agents.journal import Journal
from descartes_core.agents.past import Fork
from descartes_core.errors import InvalidParams
from descartes_core.leases import Leases, arbiter
from descartes_core.leases.words import lease_held
from descartes_core.memory.memory import Memory, advice_data, advice_text
from descartes_core.memory.wisdom import Relevant
from descartes_core.model import Lease, Principal
from descartes_core.policy.rules import ToolLevel, level_of_child
from descartes_core.ports import new_id
from descartes_core.runs import tokens
from descartes_core.runs.giving import vouches
from descartes_core.runs.projection import RunRecord
from descartes_core.runs.request import SpawnRequest
from descartes_core.runs.statuses import Statuses
from descartes_core.store import Reader, Store, Transaction

BACKENDS = ("model", "process", "acp")
MOST_TAGS, LONGEST_TAG = 20, 100


@dataclass(frozen=True)
class Leasing:
    """The LEASES of a workspace, of which a run is given some for SECONDS."""

    leases: Leases
    seconds: float


def record_for(
    request: SpawnRequest,
    token: str,
    *,
    by: Principal,
    parent: ToolLevel | None,
    environment: Mapping[str, str],
    fork: Fork | None = None,
    spawner: RunRecord | None = None,
    session: str | None = None,
) -> RunRecord:
    """Return the record of a new run for REQUEST of BY, whose own tool level is PARENT when it is a run.

    SPAWNER is its record when it is one here.
    It goes on with the conversation of FORK when there is one, else it belongs to SESSION, or to a new one.
    Errors: `InvalidParams` says what is missing or wrong; `PolicyDenied`.
    """
    backend = _backend(request)
    if not request.task.strip():
        raise InvalidParams("A run needs a task; say in a few words what it is to do")
    if backend == "acp":
        _check_protocol()
    if backend != "model":
        _check_command(backend, request.command, environment)
    elif not request.model:
        raise InvalidParams("A run of the backend model needs a model, such as scripted:PATH")
    id_ = new_id("run")
    agent = request.agent or f"agent-{id_[4:12]}"
    return RunRecord(
        id=id_,
        agent=agent,
        backend=backend,
        task=request.task,
        session=(session or new_id("ses")) if fork is None else fork.session,
        runner="local",
        token_hash=tokens.hash_of(token),
        tool_level=level_of_child(request.tool_level, parent),
        model=request.model,
        command=request.command,
        files=request.files,
        secrets=list(dict.fromkeys(request.secrets)),
        tags=_tags(request.tags),
        vouched=vouches(by, spawner, agent),
        asks_first=backend != "model" and by.kind != "human",
        fork=fork,
    )


def continued(request: SpawnRequest, origin: RunRecord) -> SpawnRequest:
    """Return REQUEST with what it leaves open as it was in ORIGIN, the run that it is to go on from.

    Errors: `InvalidParams` when it asks for something that has no conversation.
    """
    if request.command or request.backend not in (None, "model"):
        raise InvalidParams("A fork goes on with a conversation; give it a task or a model, no command")
    return msgspec.structs.replace(
        request,
        task=request.task if request.task.strip() else origin.task,
        agent=request.agent or origin.agent,
        backend="model",
        model=request.model or origin.model,
        tool_level=request.tool_level or origin.tool_level,
    )


async def session_of(request: SpawnRequest, spawner: RunRecord | None, reader: Reader) -> str | None:
    """Return the session of a new run: the one that REQUEST names, else that of SPAWNER, the run it is of.

    Errors: `NotFound`; `InvalidParams` for a session beside a fork, which has one.
    """
    if request.session is None:
        return None if spawner is None else spawner.session
    if request.fork is not None:
        raise InvalidParams("Expected a session or a fork, got both; a fork is a session of its own")
    return await reader.resolve("ses", request.session)


async def advice_for(record: RunRecord, task: str, memory: Memory | None) -> Sequence[Relevant]:
    """Return the wisdom of MEMORY that the run of RECORD is told behind its TASK."""
    # A command reads no messages, and a fork was told when its conversation began.
    if memory is None or record.backend == "process" or record.fork is not None:
        return ()
    return await memory.advice(task)


def journal_of(store: Store, record: RunRecord) -> Journal:
    """Return how the run of RECORD writes into the log of STORE."""
    return Journal(store, run=record.id, session=record.session, agent=record.agent)


def birth(
    tx: Transaction,
    record: RunRecord,
    journal: Journal,
    statuses: Statuses,
    leasing: Leasing,
    by: Principal,
    said: str,
    advice: Sequence[Relevant] = (),
    *,
    begins: bool = True,
) -> None:
    """Write inside TX what begins a run: that it was spawned, its leases, what it is told, its first status.

    SAID is its task; empty for one that goes on with a conversation in which everything was said. ADVICE is
    told behind it. Unless it BEGINS it stays idle, and waits for its turn.
    Errors: `LeaseHeld`, and then nothing of it ever was.
    """
    data = msgspec.to_builtins(record)
    spawned = journal.event("system", "run.spawned", data, by=by)
    journal.root = tx.append(msgspec.structs.replace(spawned, tags=record.tags, git_commit=journal.commit)).id
    for file in record.files:
        _lease(tx, leasing, file, record, journal)
    if said:
        task = {"role": "user", "content": said, "messageId": uuid.uuid4().hex}
        tx.append(journal.event("communication", "message", task, by=by))
    if advice:
        cause = tx.append(journal.event("system", "wisdom.consulted", advice_data(advice), by=by)).id
        told = {"role": "user", "content": advice_text(advice), "messageId": uuid.uuid4().hex}
        tx.append(journal.event("communication", "message", told, by=by, parent=cause))
    if begins:
        statuses.take(tx, "start", by=by)
    else:
        statuses.enter_phase(tx, "queued", by=by)


def _lease(tx: Transaction, leasing: Leasing, file: str, record: RunRecord, journal: Journal) -> None:
    paths = leasing.leases.paths
    about = paths.of(file)
    request = arbiter.Request(
        path=about,
        uri=paths.uri(about),
        holder=journal.principal,
        mode="exclusive",
        ttl_ms=round(leasing.seconds * 1000),
        reason=record.purpose,
        run=record.id,
        session=record.session,
        parent=journal.root,
    )
    outcome = arbiter.grant(tx, request)
    if isinstance(outcome, Lease):
        raise lease_held(outcome, tx.now_ms)


def _backend(request: SpawnRequest) -> str:
    backend = request.backend or ("process" if request.command else "model" if request.model else None)
    if backend is None:
        raise InvalidParams("A run needs a command or a model, such as scripted:PATH; it got neither")
    if backend not in BACKENDS:
        raise InvalidParams(
            f"The backend of a run is {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, not {backend!r}"
        )
    return backend


def _tags(given: Sequence[str]) -> list[str]:
    tags = list(dict.fromkeys(each.strip() for each in given))
    if len(tags) > MOST_TAGS or any(not 0 < len(each) <= LONGEST_TAG for each in tags):
        raise InvalidParams(
            f"Expected up to {MOST_TAGS} tags of 1 to {LONGEST_TAG} characters, got {given!r:.200}"
        )
    return tags


def _check_protocol() -> None:
    if importlib.util.find_spec("acp") is None:
        raise InvalidParams(
            "A run of the backend acp needs the package agent-client-protocol;"
            " install it with: pip install 'descartes-lsp[acp]'"
        )


def _check_command(backend: str, command: Sequence[str] | None, environment: Mapping[str, str]) -> None:
    if not command or not command[0]:
        raise InvalidParams(f"A run of the backend {backend} needs a command, a list of words")
    if "/" not in command[0] and shutil.which(command[0], path=environment.get("PATH")) is None:
        raise InvalidParams(f"There is no program {command[0]!r} on the PATH of who spawned it")
