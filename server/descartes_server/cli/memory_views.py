"""How lists of notes, boards and wisdom look."""

from __future__ import annotations

from descartes_server.cli.views import Column, Row, View, ago, escape, short_id, who


def _tags(row: Row) -> str:
    return ",".join(row["tags"])


def _title(row: Row) -> str:
    away = " [dim](archived)[/dim]" if row["archived"] else ""
    wrong = f" [yellow]({escape(row['problem'])})[/yellow]" if row.get("problem") else ""
    return f"{escape(row['title'])}{away}{wrong}"


_ID = Column("id", lambda row: row["id"], lambda row: f"[bold]{short_id(row['id'])}[/bold]", width=8)
_CHANGED = Column("changed", lambda row: row["updatedAt"], lambda row: f"[dim]{ago(row['updatedAt'])}[/dim]")
_FOUND = Column("text", lambda row: row.get("excerpt") or "", lambda row: escape(row.get("excerpt") or ""))

THOUGHTS = [
    _ID,
    _CHANGED,
    Column("kind", lambda row: row["kind"]),
    Column("title", lambda row: row["title"], _title, most=48),
    Column("tags", _tags, lambda row: f"[cyan]{escape(_tags(row))}[/cyan]", most=24),
    Column("by", lambda row: row.get("agentId") or "", most=16),
    Column("path", lambda row: row["path"], in_table=False),
    _FOUND,
]

ONE_THOUGHT = [*THOUGHTS[:4], Column("path", lambda row: row["path"], short=False)]


def _with_annotations(row: Row) -> str:
    beside = [f"({each['marker']}, {each['by']['name']}) {each['text']}" for each in row["annotations"]]
    return "\n".join([row["content"], *beside])


def _trusted(row: Row) -> str:
    colour = "green" if row["confidence"] >= 0.6 else "yellow" if row["confidence"] >= 0.4 else "red"
    return f"[{colour}]{row['confidence']:.2f}[/{colour}]"


BOARD = [
    _ID,
    Column("time", lambda row: row["at"], lambda row: f"[dim]{ago(row['at'])}[/dim]"),
    Column("type", lambda row: row["type"], lambda row: f"[cyan]{row['type']}[/cyan]"),
    Column("who", lambda row: who(row["by"]), lambda row: escape(row["by"]["name"]), most=16),
    Column("beside", lambda row: str(len(row["annotations"]) or "")),
    Column("content", lambda row: row["content"], short=False),
]

ENTRY = [*BOARD[:4], Column("content", _with_annotations, short=False)]

WISDOM = [
    _ID,
    Column("trusted", lambda row: f"{row['confidence']:.2f}", _trusted),
    Column("outcomes", lambda row: str(row["outcomes"])),
    Column("who", lambda row: who(row["by"]), lambda row: escape(row["by"]["name"]), most=16),
    Column("tags", _tags, lambda row: f"[cyan]{escape(_tags(row))}[/cyan]", most=24),
    Column("insight", lambda row: row["insight"], short=False),
]

VIEWS = {
    "whiteboard.list": View(BOARD, lambda result: result["entries"], "Nothing is on the whiteboard."),
    "whiteboard.post": View(BOARD, lambda result: [result]),
    "whiteboard.annotate": View(ENTRY, lambda result: [result]),
    "whiteboard.show": View(ENTRY, lambda result: [result]),
    "wisdom.list": View(WISDOM, lambda result: result["wisdom"], "Nothing was learned yet."),
    "wisdom.add": View(WISDOM, lambda result: [result]),
    "wisdom.outcome": View(WISDOM, lambda result: [result]),
    "wisdom.show": View(WISDOM, lambda result: [result]),
    "thought.list": View(THOUGHTS, lambda result: result["thoughts"], "There are no notes."),
    "thought.search": View(THOUGHTS, lambda result: result["thoughts"], "No note has these words."),
    "thought.create": View(ONE_THOUGHT, lambda result: [result]),
    "thought.edit": View(ONE_THOUGHT, lambda result: [result]),
    "thought.archive": View(ONE_THOUGHT, lambda result: [result]),
}
