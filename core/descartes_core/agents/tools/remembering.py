"""The tools for what outlives a run: notes, the whiteboard of its session, wisdom.

None of them changes the workspace: notes lie in the person's own folder, the rest in the log.
"""

from __future__ import annotations

import asyncio

from descartes_core.agents.tools.tool import ToolContext, tool
from descartes_core.errors import Unsupported
from descartes_core.memory.memory import RunMemory
from descartes_core.memory.shapes import EntryType, Marker, Thought, ThoughtKind, WhiteboardEntry
from descartes_core.memory.thoughts import NewThought

MOST = 50


@tool("Write a note that later work can find: TITLE is one line, BODY Markdown, TAGS a few words.")
async def note_create(
    context: ToolContext, title: str, body: str, tags: list[str] | None = None, kind: ThoughtKind = "research"
) -> str:
    mine = _memory(context)
    new = NewThought(title=title, body=body, kind=kind, tags=tags or ())
    made = await mine.memory.notebook.create(new, mine.author)
    return f"wrote the note {made.title!r} (id {made.id})"


@tool("Return the notes that have every word of TEXT, the most fitting first.")
async def note_search(context: ToolContext, text: str, limit: int = 10) -> str:
    thoughts = _memory(context).memory.notebook.thoughts
    found = await asyncio.to_thread(lambda: thoughts.search(text, limit=min(limit, MOST)))
    return "\n".join(_line(each) for each in found) or "no note has these words"


@tool("Return the text of the note THOUGHT, which is an id, the name of its file, or its title.")
async def note_show(context: ToolContext, thought: str) -> str:
    found = await asyncio.to_thread(_memory(context).memory.notebook.thoughts.show, thought)
    return f"# {found.title}\n{', '.join(found.tags)}\n\n{found.content}"


@tool(
    "Put CONTENT on the whiteboard that all runs of this session share. TYPE is task_description,"
    " code_snippet, design_decision, error_report or solution."
)
async def board_post(context: ToolContext, type: EntryType, content: str) -> str:
    mine = _memory(context)
    entry = await mine.memory.board.post(mine.session, type, content, mine.author)
    return f"posted as {entry.id[4:12]}"


@tool("Return the whiteboard of this session, oldest first, or its entries of one TYPE.")
async def board_read(context: ToolContext, type: EntryType | None = None) -> str:
    mine = _memory(context)
    found = await mine.memory.board.list(mine.session, type, MOST)
    return "\n\n".join(_entry(each) for each in reversed(found)) or "nothing is on the whiteboard"


@tool(
    "Write TEXT beside the entry ENTRY of the whiteboard. MARKER is important, question, verification,"
    " correction or insight."
)
async def board_annotate(context: ToolContext, entry: str, text: str, marker: Marker = "insight") -> str:
    mine = _memory(context)
    about = await mine.memory.board.annotate(entry, text, marker, mine.author)
    return f"written beside {about.id[4:12]}"


@tool("Keep INSIGHT, one thing learned here that will help later work, in a sentence or two.")
async def wisdom_add(context: ToolContext, insight: str, tags: list[str] | None = None) -> str:
    mine = _memory(context)
    added = await mine.memory.wisdom.add(insight, mine.author, tags=tags or ())
    return f"kept as {added.id[4:12]}, confidence {added.confidence:.2f}"


@tool("Return what earlier work here taught about what TEXT is about.")
async def wisdom_search(context: ToolContext, text: str) -> str:
    found = await _memory(context).memory.wisdom.relevant(text, limit=10)
    lines = [f"{each.wisdom.id[4:12]} ({each.wisdom.confidence:.2f}) {each.wisdom.insight}" for each in found]
    return "\n".join(lines) or "nothing is known about that"


@tool("Say whether the wisdom WISDOM, an id, HELPED; that moves how far it is trusted.")
async def wisdom_outcome(context: ToolContext, wisdom: str, helped: bool, note: str | None = None) -> str:
    mine = _memory(context)
    now = await mine.memory.wisdom.outcome(wisdom, 1.0 if helped else 0.0, mine.author, note=note)
    return f"its confidence is {now.confidence:.2f} now, after {now.outcomes} outcomes"


def _memory(context: ToolContext) -> RunMemory:
    if context.memory is None:
        raise Unsupported("Nothing is remembered here: this run was begun without a memory")
    return context.memory


def _line(thought: Thought) -> str:
    tags = f" [{', '.join(thought.tags)}]" if thought.tags else ""
    return f"{thought.id} {thought.title}{tags}: {thought.excerpt or ''}"


def _entry(entry: WhiteboardEntry) -> str:
    lines = [f"{entry.id[4:12]} {entry.type} by {entry.by.name}:", entry.content]
    lines += [f"  ({each.marker}, {each.by.name}) {each.text}" for each in entry.annotations]
    return "\n".join(lines)
