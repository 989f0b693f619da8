"""What may stand in a session: JSON, and names of keys, artifacts, agents and sessions."""

from __future__ import annotations

import math
from typing import Any

from descartes_core.trace.errors import ArtifactInvalidName, ValidationFailed

DEEPEST = 200
LARGEST_NUMBER = 10**300
LONGEST_NAME = 500


def copy_json(value: Any, what: str = "the value") -> Any:
    """Return a copy of VALUE that shares nothing with it; tuples become lists, as they do in JSON.

    Errors: `ValidationFailed` naming the place in WHAT that is no JSON.
    """
    return _copy(value, what, 0)


def _copy(value: Any, where: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise ValidationFailed(f"Expected at most {DEEPEST} levels at {where[:100]}…, got more; flatten it")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) <= LARGEST_NUMBER:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, list | tuple):
        return [_copy(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    if isinstance(value, dict):
        return {_key(key, where): _copy(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    raise ValidationFailed(
        f"Expected JSON at {where}, got {type(value).__name__} {value!r:.60}; convert it to text or numbers"
    )


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return key
    raise ValidationFailed(f"Expected text as the keys of {where}, got {key!r:.60}; convert the key to text")


def check_name(name: Any, what: str) -> str:
    """Return NAME, a text that may name WHAT. Errors: `ValidationFailed` when it is empty or no text."""
    if isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME:
        return name
    raise ValidationFailed(
        f"Expected a text of 1 to {LONGEST_NAME} characters as {what}, got {name!r:.60}; give it a name"
    )


def check_artifact_name(name: Any) -> str:
    """Return NAME, which an artifact may have: a relative path that leads nowhere else.

    Errors: `ArtifactInvalidName`.
    """
    if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable():
        parts = name.replace("\\", "/").split("/")
        if all(part.strip() and part not in (".", "..") for part in parts):
            return name
    raise ArtifactInvalidName(
        f"Expected the name of an artifact such as report/output.txt, got {name!r:.60};"
        " use a relative path that leads nowhere else"
    )
