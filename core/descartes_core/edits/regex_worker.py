"""Regular expressions searched in a process that can be killed: one could hold the interpreter for ever.

Reads JSON lines from standard input: first `{pattern, replacement, ignoreCase}`, then one text each. Writes
one line for each: first `{error?}`, then `[[start, end, new], …]`. Only the standard library is imported,
because it starts anew for each search.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator


def main() -> None:
    """Answer every line of standard input, to its end."""
    request = json.loads(sys.stdin.readline())
    flags = re.MULTILINE | (re.IGNORECASE if request["ignoreCase"] else 0)
    try:
        pattern = re.compile(request["pattern"], flags)
        expand = expanding(pattern, request["replacement"])
    except (re.error, IndexError, OverflowError, RecursionError) as problem:
        _say({"error": str(problem)})
        return
    _say({})
    for line in sys.stdin:
        _say(list(found(pattern, expand, json.loads(line))))


def expanding(pattern: re.Pattern[str], replacement: str) -> Callable[[re.Match[str]], str]:
    """Return what makes the new text of a match.

    Errors: `re.error`, or `IndexError` for a group that PATTERN has not.
    """
    if "\\" not in replacement:
        return lambda match: replacement
    pattern.sub(replacement, "")  # which looks at the replacement before it looks for a match
    return lambda match: match.expand(replacement)


def found(
    pattern: re.Pattern[str], expand: Callable[[re.Match[str]], str], text: str
) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and new text of each place of PATTERN in TEXT."""
    for match in pattern.finditer(text):
        yield match.start(), match.end(), expand(match)


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
