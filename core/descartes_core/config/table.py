"""The one table of settings: name, type, limits, default and meaning, a row each.

Reading, the reference page, the JSON Schema, the completion in editors and what VS Code offers are all made
from these rows; nothing else lists settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

CURRENT_VERSION = "2.0.0"
"""The version of the files' format that this program writes."""


class Group(msgspec.Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Base of the groups of settings; a field is a setting, its wire name `group.fieldName`."""


def row(meaning: str, *, program: bool = False, **limits: Any) -> msgspec.Meta:
    """Return what `Annotated` says of a setting: its MEANING, one sentence or two, and its LIMITS (`ge`, …).

    PROGRAM: it names a program, a file that is loaded, a port, or loosens a rule. A workspace that is not
    trusted cannot give it, and VS Code asks for trust before it counts.
    """
    return msgspec.Meta(description=meaning, extra={"program": program}, **limits)


class PathPair(Group, frozen=True):
    """The folder LOCAL, relative to the workspace, is the folder REMOTE where the image runs."""

    local: str
    remote: str


class LispSettings(Group, frozen=True):
    """The live image."""

    command: Annotated[
        list[str] | None,
        row("The Lisp to start, a program and its arguments; without it one is found.", program=True),
    ] = None
    swank: Annotated[str | None, row("The folder of a Swank checkout to use.", program=True)] = None
    attach: Annotated[
        str | None, row("`host:port` of a Swank that is already running; none is started then.", program=True)
    ] = None
    remote: Annotated[
        str | None, row("The host on which the image runs, as one would name it to ssh.", program=True)
    ] = None
    ssh: Annotated[
        list[str], row("The program that leads to `lisp.remote`, with its arguments.", program=True)
    ] = msgspec.field(default_factory=lambda: ["ssh"])
    paths: Annotated[list[PathPair], row("Folders that are called otherwise where the image runs.")] = []
    autostart: Annotated[
        bool, row("Whether the first request that needs the image starts it, in a trusted workspace.")
    ] = True
    init: Annotated[bool, row("Whether the user's own Lisp init file is loaded.")] = True
    idle_minutes: Annotated[
        float, row("Minutes after which an image that nobody uses ends; it counts them itself.", ge=0)
    ] = 240


class LeaseSettings(Group, frozen=True):
    """Who may write what."""

    ttl_seconds: Annotated[
        int, row("Seconds that a lease lasts unless it is renewed.", ge=1, le=31_536_000)
    ] = 300


class DiagnosticSettings(Group, frozen=True):
    """What is marked in texts."""

    compile_on_save: Annotated[
        bool, row("Whether a file is compiled when it is saved, while the image runs, and its notes shown.")
    ] = True
    drift: Annotated[bool, row("Whether definitions are marked whose text the image does not have.")] = True


class HistorySettings(Group, frozen=True):
    """How long the data of events is kept; `descartes gc` goes by it."""

    keep_days: Annotated[
        float, row("Days for which the data of every event is kept, and outputs and views.", ge=0)
    ] = 90
    keep_megabytes: Annotated[
        int,
        row("MiB of data that younger events may have; the oldest of it goes first. 0: any.", ge=0),
    ] = 0


class HubSettings(Group, frozen=True):
    """The background process of a workspace."""

    idle_minutes: Annotated[
        float, row("Minutes without client, run or stopped thread after which the hub ends.", ge=0)
    ] = 30


class SecretSettings(Group, frozen=True):
    """The vault of secrets."""

    lock_minutes: Annotated[
        float, row("Minutes after which the vault locks itself when nobody used it.", gt=0, program=True)
    ] = 15


class RestoreSettings(Group, frozen=True):
    """What is kept so that it can be restored."""

    largest_megabytes: Annotated[
        int, row("Files above this size are not kept, and so not restored.", ge=1, le=1_000_000)
    ] = 100


class HoverSettings(Group, frozen=True):
    """What hovers say."""

    hyperspec: Annotated[
        str, row("Where the pages lie that hovers of the standard's symbols link to; empty for no link.")
    ] = "https://www.lispworks.com/documentation/HyperSpec/"


class InlineResultSettings(Group, frozen=True):
    """Values shown in the text."""

    show: Annotated[
        bool, row("Whether the value of the last evaluation, or its error, is shown at the end of its form.")
    ] = True


class ProviderSettings(Group, frozen=True):
    """One provider of models."""

    enabled: bool = True
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = None


class AgentSettings(Group, frozen=True):
    """One agent of another program, which speaks the Agent Client Protocol."""

    command: list[str] = []


class MemorySettings(Group, frozen=True):
    """What earlier work taught."""

    tells_runs: Annotated[
        bool, row("Whether a model run is told, behind its task, the wisdom that fits it.")
    ] = True
    min_confidence: Annotated[
        float, row("How far wisdom must have proved true for that, from 0 to 1.", ge=0, le=1)
    ] = 0.6


class PerformanceSettings(Group, frozen=True):
    """How much is done at once, kept and waited for."""

    max_concurrent_agents: Annotated[
        int,
        row(
            "How many runs work at the same time; a further one stays `idle` until one ends."
            " Runs that are paused or wait for an answer do not count.",
            ge=1,
        ),
    ] = 5
    connection_pool_size: Annotated[
        int,
        row("How many connections a process keeps to the log, each for one read at a time.", ge=1, le=100),
    ] = 10
    connection_timeout_secs: Annotated[
        float, row("Seconds in which a Lisp that is connected to must answer.", gt=0, le=86_400)
    ] = 30
    enable_response_cache: Annotated[
        bool, row("Whether an answer about the log's events is given again while no event came.")
    ] = True
    cache_ttl_secs: Annotated[
        float, row("Seconds after which such an answer is looked up again in any case.", ge=0)
    ] = 300
    stream_buffer_size: Annotated[
        int,
        row("Bytes of a run's output that one answer of `run.output` holds at most.", ge=16, le=16_777_216),
    ] = 65_536
    stream_chunk_size: Annotated[
        int,
        row("Bytes of a run's output that one notification to an editor holds at most.", ge=16, le=1_048_576),
    ] = 4096


class PolicyRule(Group, frozen=True):
    """What THEN becomes of the tool calls for which the expression WHEN is true."""

    when: str
    then: Literal["allow", "ask", "deny"]
    reason: str | None = None


class PolicySettings(Group, frozen=True):
    """What runs may do."""

    rules: Annotated[
        list[PolicyRule],
        row(
            "Rules for tool calls of runs, the first whose `when` is true decides: allow, ask or deny."
            " A rule never gives a run more than its tool level has.",
            program=True,
        ),
    ] = []


class Settings(Group, frozen=True):
    """All settings, every one with its default."""

    lisp: LispSettings = LispSettings()
    leases: LeaseSettings = LeaseSettings()
    diagnostics: DiagnosticSettings = DiagnosticSettings()
    history: HistorySettings = HistorySettings()
    hub: HubSettings = HubSettings()
    secrets: SecretSettings = SecretSettings()
    restore: RestoreSettings = RestoreSettings()
    hover: HoverSettings = HoverSettings()
    inline_results: InlineResultSettings = InlineResultSettings()
    memory: MemorySettings = MemorySettings()
    policy: PolicySettings = PolicySettings()
    performance: PerformanceSettings = PerformanceSettings()
    providers: Annotated[
        dict[str, ProviderSettings],
        row(
            "Providers of models by name. `model` is what `descartes spawn --model NAME` uses; an `apiKey`"
            " is masked wherever it would be shown or written.",
            program=True,
        ),
    ] = {}
    agents: Annotated[
        dict[str, AgentSettings],
        row(
            "Agents of other programs by name: the `command`, a list of words, that makes each speak the"
            " Agent Client Protocol. `descartes spawn --agent NAME` starts it.",
            program=True,
        ),
    ] = {}


class Setting(msgspec.Struct, frozen=True):
    """One row of the table as everything that is made from it reads it."""

    name: str
    """Dotted wire name, such as `lisp.idleMinutes`."""
    type: Any
    default: Any
    """As JSON has it."""
    meaning: str
    program: bool

    @property
    def snake(self) -> str:
        """Return the name with its last word as the specification writes it: `performance.cache_ttl_secs`."""
        group, dot, key = self.name.partition(".")
        return f"{group}{dot}{snake(key)}"


@cache
def settings() -> Mapping[str, Setting]:
    """Return every row by its dotted wire name, in the order of the table; a map is one row without a dot."""
    found = {}
    for group in msgspec.structs.fields(Settings):
        if _is_group(group.type):
            for each in msgspec.structs.fields(group.type):
                name = f"{group.encode_name}.{each.encode_name}"
                found[name] = _setting(name, each)
        else:
            found[group.encode_name] = _setting(group.encode_name, group)
    return found


@cache
def groups() -> Mapping[str, str]:
    """Return what each group is about, by its name."""
    return {
        each.encode_name: (each.type.__doc__ or "").strip()
        if _is_group(each.type)
        else settings()[each.encode_name].meaning
        for each in msgspec.structs.fields(Settings)
    }


def snake(name: str) -> str:
    """Return the camelCase NAME in snake_case. Example: snake("cacheTtlSecs") -> "cache_ttl_secs" """
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _setting(name: str, field: msgspec.structs.FieldInfo) -> Setting:
    made = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    meta = next(part for part in field.type.__metadata__ if isinstance(part, msgspec.Meta))
    return Setting(
        name=name,
        type=field.type,
        default=msgspec.to_builtins(made),
        meaning=meta.description or "",
        program=bool((meta.extra or {}).get("program")),
    )


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Group)
