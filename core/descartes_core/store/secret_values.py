"""The ways in which one secret value can stand in a text: as it is, escaped, in percent signs, in base64."""

from __future__ import annotations

import base64
import json
import urllib.parse

SHORTEST = 4
"""A shorter value is not looked for: it would be found in every text."""
SHORTEST_ENCODED = 6
SHORTEST_LINE = 16


def forms_of(value: str) -> list[str]:
    """Return the texts that show VALUE, longest first; none for one that is too short to be looked for."""
    if len(value) < SHORTEST:
        return []
    forms = {value, *_escaped(value)}
    if len(value) >= SHORTEST_ENCODED:
        data = value.encode("utf-8", "surrogatepass")
        forms |= {data.hex(), data.hex().upper(), *_base64(data)}
    if "\n" in value:
        # A key of several lines may be shown line by line.
        forms |= {line.strip() for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE}
    return sorted((form for form in forms if len(form) >= SHORTEST), key=lambda form: (-len(form), form))


def _escaped(value: str) -> set[str]:
    found = {urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value)}
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return {*found, quoted, value.replace("'", "'\\''"), value.replace("'", "'\"'\"'")}


def _base64(data: bytes) -> set[str]:
    """Return what DATA looks like inside base64, at each of the three places where it may begin."""
    found: set[str] = set()
    for shift in range(3):
        padded = bytes(shift) + data
        text = base64.b64encode(padded).decode()
        # The digits at both ends depend on what stands beside the value.
        first, last = (0, 2, 3)[shift], len(padded) * 8 // 6
        found |= {text[first:last], text[first:last].replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= SHORTEST_ENCODED}
