"""How lists of notes, boards and wisdom look."""

from __future__ import annotations

from descartes_server.cli.views import Column, Row, View, ago, escape, short_id


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

VIEWS = {
    "thought.list": View(THOUGHTS, lambda result: result["thoughts"], "There are no notes."),
    "thought.search": View(THOUGHTS, lambda result: result["thoughts"], "No note has these words."),
    "thought.create": View(ONE_THOUGHT, lambda result: [result]),
    "thought.edit": View(ONE_THOUGHT, lambda result: [result]),
    "thought.archive": View(ONE_THOUGHT, lambda result: [result]),
}
