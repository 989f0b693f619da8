"""The keys of a line: history and completion by Python's readline, where Python has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Complete = Callable[[str], tuple[list[str], int]]
"""What may stand at the end of a text, and where in it that begins."""

_begun = ""


def before(text: str) -> None:
    """Take note of the lines of this input that were entered before the present one."""
    global _begun
    _begun = text


def answer(prompt: str) -> str:
    """Return a line that a program reads, which is no input to recall."""
    try:
        import readline
    except ImportError:
        return input(prompt)
    readline.set_auto_history(False)
    try:
        return input(prompt)
    finally:
        readline.set_auto_history(True)


def prepare(history: Sequence[str], complete: Complete) -> None:
    """Let the arrow keys recall HISTORY, oldest first, and Tab complete by COMPLETE."""
    try:
        import readline
    except ImportError:
        return
    readline.clear_history()
    for code in history:
        readline.add_history(code)
    readline.set_completer_delims(" \t\n()\"'`,;")
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in str(readline.__doc__) else "tab: complete")
    found: list[str] = []

    def completer(_: str, state: int) -> str | None:
        if state == 0:
            line, word = readline.get_line_buffer()[: readline.get_endidx()], readline.get_begidx()
            labels, start = complete(_begun + line)
            found[:] = [_fitted(label, line, word, start - len(_begun)) for label in labels]
        return found[state] if state < len(found) else None

    readline.set_completer(completer)


def _fitted(label: str, line: str, word: int, start: int) -> str:
    """Return LABEL, which replaces LINE from START on, as what replaces it from WORD on."""
    return line[word:start] + label if word <= start else label[word - start :]
