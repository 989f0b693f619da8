"""Which columns the lists have that come from looking around in the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from descartes_server.cli.views import Column, Row, View, coloured, escape, place, short_id

WHAT = {"changed": "yellow", "only here": "green", "only there": "cyan"}


def _text(row: Row, key: str) -> str:
    return "" if row.get(key) is None else str(row[key])


def _field(title: str, key: str, *, short: bool = True) -> Column:
    return Column(title, lambda row: _text(row, key), short=short)


def _thread_kind(row: Row) -> str:
    return "service" if row["service"] else ""


def _in_frame(detail: Row) -> Sequence[Row]:
    """The variables, then what is caught; nothing has the name of a variable there."""
    return [*detail["locals"], *({"name": "catch", "value": tag} for tag in detail["catchTags"])]


FRAMES = [
    Column("frame", lambda row: str(row["index"])),
    Column("call", lambda row: row["description"], short=False),
    Column("where", lambda row: place(row.get("location") or {}), short=False),
]

FRAME = [
    Column("name", lambda row: str(row["name"]).lower()),
    _field("value", "value", short=False),
    Column("earlier", lambda row: " ← ".join(row.get("earlier") or []), short=False),
]

THREADS = [
    Column("thread", lambda row: str(row["id"])),
    Column("state", lambda row: row["state"], lambda row: coloured(row["state"])),
    Column(
        "evaluation",
        lambda row: _text(row, "evaluation"),
        lambda row: short_id(row["evaluation"]) if row.get("evaluation") else "",
    ),
    Column("kind", _thread_kind),
    _field("name", "name"),
]
SYMBOLS = [
    _field("name", "name"),
    _field("kind", "kind"),
    _field("arguments", "arglist"),
]
TRACED = [Column("traced", lambda row: row["name"])]


def _outcome(row: Row) -> str:
    if row["exit"] == "normal":
        return ", ".join(row["values"])
    return {"running": "has not returned", "nonlocal": "left without a value"}[row["exit"]]


CALLS = [
    Column("call", lambda row: str(row["id"])),
    Column("ms", lambda row: f"{row['durationMs']:.3f}"),
    Column("thread", lambda row: str(row["thread"])),
    Column("depth", lambda row: str(row["depth"]), in_table=False),
    Column(
        "what",
        lambda row: f"{row['form']} → {_outcome(row)}",
        lambda row: (
            escape(f"{'  ' * row['depth']}{row['form']}") + f" [cyan]→ {escape(_outcome(row))}[/cyan]"
        ),
    ),
]


def _names(result: Row) -> Sequence[Row]:
    return [{"name": name} for name in result["traced"]]


def _flat(calls: Sequence[Row], depth: int = 0) -> Iterator[Row]:
    for call in calls:
        yield {**call, "depth": depth}
        yield from _flat(call["calls"], depth + 1)


REFERENCES = [
    Column("place", lambda row: place(row) or "no file", short=False),
    _field("in", "name"),
    _field("kind", "kind"),
    _field("from", "source"),
]
PROFILE = [
    Column("self", lambda row: str(row["self"])),
    Column("total", lambda row: str(row["total"])),
    _field("function", "name"),
]


def _what(row: Row) -> str:
    if row["here"] is None or row["there"] is None:
        return "only there" if row["here"] is None else "only here"
    return "changed"


def _said(row: Row, key: str) -> str:
    """Return what is said of a definition HERE or THERE without the digest of its text."""
    return _text(row, key).rpartition(" text ")[0] or _text(row, key)


def _said_there(row: Row) -> str:
    said = _said(row, "there")
    if row["here"] is not None and said == _said(row, "here"):
        return "[dim]with another text[/dim]"
    return escape(said)


DIFFERENCES = [
    Column("what", _what, lambda row: f"[{WHAT[_what(row)]}]{_what(row)}[/]"),
    _field("kind", "kind"),
    _field("name", "name", short=False),
    Column("here", lambda row: _text(row, "here"), lambda row: escape(_said(row, "here")), short=False),
    Column("there", lambda row: _text(row, "there"), _said_there, short=False),
]


def _profile(result: Row) -> Sequence[Row]:
    return list(result["flat"])


VIEWS = {
    "lisp.compare": View(
        DIFFERENCES, lambda result: result["definitions"], "Both images have the same definitions."
    ),
    "debugger.frames": View(FRAMES, lambda result: result["frames"], "The stack has no such frames."),
    "debugger.frame": View(FRAME, _in_frame, "The frame has no variables that can be seen."),
    "lisp.profile": View(PROFILE, _profile, "No samples: it did not take long enough."),
    "lisp.profileStop": View(PROFILE, _profile, "No samples: nothing took long enough."),
    "lisp.apropos": View(SYMBOLS, lambda result: result["symbols"], "No symbol has that in its name."),
    "lisp.xref": View(REFERENCES, lambda result: result["locations"], "There are none."),
    "lisp.threads": View(THREADS, lambda result: result["threads"]),
    "lisp.trace": View(TRACED, _names, "Nothing is traced."),
    "lisp.traceTree": View(
        CALLS, lambda result: list(_flat(result["calls"])), "No traced function was called."
    ),
    "lisp.untraceAll": View(TRACED, _names, "Nothing is traced."),
}
