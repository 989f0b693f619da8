"""The filters: what may stand behind a `|` in an expression. Pure; each refuses what it is not for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class WrongValue(Exception):
    """A filter was given what it does not take."""


def kind(value: Any) -> str:
    """Return what VALUE is, for a person. Example: kind([]) -> "a list" """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "a map"


def as_text(value: Any) -> str:
    """Return VALUE as it stands in a text: a text as it is, null as nothing, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)


def _text(value: Any, name: str) -> str:
    if isinstance(value, Mapping | list):
        raise WrongValue(f"{name} takes a text, got {kind(value)}")
    return as_text(value)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        raise WrongValue("json takes a value that JSON can write") from None


def _uppercase(value: Any) -> str:
    return _text(value, "uppercase").upper()


def _lowercase(value: Any) -> str:
    return _text(value, "lowercase").lower()


def _trim(value: Any) -> str:
    return _text(value, "trim").strip()


def _truncate(value: Any, length: Any, end: Any = "") -> str:
    """At most LENGTH characters, END the last of them where something was left out."""
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise WrongValue("truncate takes a number of characters, 0 or more")
    text, last = _text(value, "truncate"), _text(end, "truncate")[:length]
    return text if len(text) <= length else text[: length - len(last)] + last


def _default(value: Any, other: Any) -> Any:
    """OTHER in the place of null, the empty text and names that there are not."""
    return other if value is None or value == "" else value


def _length(value: Any) -> int:
    if isinstance(value, str | list | Mapping):
        return len(value)
    raise WrongValue(f"length takes a text, a list or a map, got {kind(value)}")


def _join(value: Any, between: Any = ", ") -> str:
    if not isinstance(value, list):
        raise WrongValue(f"join takes a list, got {kind(value)}")
    return _text(between, "join").join(as_text(each) for each in value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "uppercase": _uppercase,
    "upper": _uppercase,
    "lowercase": _lowercase,
    "lower": _lowercase,
    "trim": _trim,
    "truncate": _truncate,
    "default": _default,
    "json": _json,
    "length": _length,
    "join": _join,
}
"""Every filter by its names."""
