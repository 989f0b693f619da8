"""What a tool answers: the result of its operation as JSON, shortened where a model could not take it in."""

from __future__ import annotations

from typing import Any

import msgspec

from descartes_server.mcp.tools import Tool

LARGEST = 60_000
"""Characters of an answer."""
LONGEST_TEXT = 20_000
"""Characters of one text in an answer that is too long."""
PAGING = ("limit", "before", "offset", "since", "start", "end")


def fitting(tool: Tool, result: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return RESULT of TOOL and its JSON; of one that is too long the beginning, and `cut` tells the rest."""
    text = _json(result)
    if len(text) <= LARGEST:
        return result, text
    short = _shortened(result)
    lists = {key for key, each in short.items() if isinstance(each, list)}
    while len(_json(short)) > LARGEST and any(short[key] for key in lists):
        longest = max(lists, key=lambda key: len(_json(short[key])))
        short = {**short, longest: short[longest][: len(short[longest]) // 2]}
    left = [_part(key, short[key], result[key]) for key in lists if len(short[key]) < len(result[key])]
    short = {**short, "cut": _advice(tool, left)}
    return short, _json(short)


def _part(key: str, short: list[Any], whole: list[Any]) -> str:
    return f"{key} has the first {len(short)} of {len(whole)}"


def _advice(tool: Tool, left: list[str]) -> str:
    what = "; ".join(left) or "long texts are shortened"
    words = [each for each in PAGING if each in tool.schema["properties"]]
    how = f"the rest comes with {', '.join(words)}" if words else "ask for something narrower to see the rest"
    return f"This answer was too long: {what}; {how}"


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}… ({len(value) - LONGEST_TEXT} more characters)"
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
