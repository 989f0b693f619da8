"""Which files a shell command plainly writes, removes or renames: redirects, rm, mv, cp, sed -i and the like.

A best effort on the text of the command: nothing is run, no variable is known, and what a program does inside
itself is not seen. A guard rail, not a wall.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Words = Sequence[str]

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n.*?(?:^\s*\2\s*$|\Z)", re.DOTALL | re.MULTILINE)
_LINE_END = ";;;;"
_ASSIGNMENT = re.compile(r"\w+=")
_BEFORE = frozenset(
    {"sudo", "env", "nohup", "time", "command", "exec", "builtin", "then", "do", "else", "{", "!"}
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_DEPTH = 3


def written(command: str, folder: Path) -> list[Path]:
    """Return the files and folders that COMMAND, given in FOLDER, plainly changes.

    Example: written("sed -i s/a/b/ x.lisp > log", Path("/w")) -> [Path("/w/log"), Path("/w/x.lisp")]
    """
    return sorted({Path(os.path.normpath(each)) for each in _written(command, folder, _DEPTH)})


def _written(command: str, folder: Path, depth: int) -> Iterator[Path]:
    for words in _commands(command):
        plain, targets = _without_redirects(words)
        yield from (folder / each for each in targets if _is_a_name(each))
        plain = _without_prefixes(plain)
        if not plain:
            continue
        name, arguments = Path(plain[0]).name, plain[1:]
        if name == "cd" and arguments:
            folder = _reached(folder, arguments[-1])
        elif name in _SHELLS and "-c" in arguments[:-1] and depth:
            yield from _written(arguments[arguments.index("-c") + 1], folder, depth - 1)
        elif name in _WRITERS:
            for each in _WRITERS[name](arguments, folder):
                yield from _expanded(each, folder)


def _commands(command: str) -> Iterator[list[str]]:
    """Yield the words of each simple command; none of one that is not closed, such as a lone quote."""
    text = _HEREDOC.sub(lambda found: f"{found[3]}\n", command)
    text = text.replace("\\\n", " ").replace("\n", f" {_LINE_END} ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    comment = False
    try:
        for token in lexer:
            comment = (comment or token.startswith("#")) and token != _LINE_END
            if comment:
                continue
            if token.strip("();|&") or token == "":
                words.append(token)
            else:
                yield words
                words = []
    except ValueError:
        pass
    yield words


def _without_redirects(words: Words) -> tuple[list[str], list[str]]:
    """Return WORDS without redirects, and the files that those write."""
    plain: list[str] = []
    targets: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word or word.strip("<>&|"):
            plain.append(word)
            continue
        if plain and plain[-1].isdigit():
            plain.pop()
        target = next(rest, "")
        if ">" in word and target and not (word.endswith("&") and (target.isdigit() or target == "-")):
            targets.append(target)
    return plain, targets


def _without_prefixes(words: Words) -> list[str]:
    rest = list(words)
    while rest and (rest[0] in _BEFORE or _ASSIGNMENT.match(rest[0])):
        rest.pop(0)
    return rest


def _expanded(word: str, folder: Path) -> Iterator[Path]:
    if not _is_a_name(word):
        return
    path = _reached(folder, word)
    found = glob.glob(str(path)) if re.search(r"[*?\[]", word) else []  # noqa: PTH207 (its syntax is the shell's)
    yield from (Path(each) for each in found) if found else iter([path])


def _is_a_name(word: str) -> bool:
    """Return whether some file can be called WORD."""
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False


def _reached(folder: Path, word: str) -> Path:
    """Return what WORD names in FOLDER; FOLDER where it can name nothing."""
    if not _is_a_name(word):
        return folder
    path = Path(word)
    try:
        return folder / path.expanduser()
    except RuntimeError:  # the home of nobody
        return folder / path


def _plain(arguments: Words) -> list[str]:
    """Return ARGUMENTS without options."""
    if "--" in arguments:
        split = list(arguments).index("--")
        return [*_plain(arguments[:split]), *arguments[split + 1 :]]
    return [each for each in arguments if not each.startswith("-")]


def _all(arguments: Words, folder: Path) -> list[str]:
    return _plain(arguments)


def _truncated(arguments: Words, folder: Path) -> list[str]:
    sizes = {
        index + 1 for index, each in enumerate(arguments) if each in ("-s", "-r", "--size", "--reference")
    }
    return _plain([each for index, each in enumerate(arguments) if index not in sizes])


def _destination(arguments: Words, folder: Path) -> list[str]:
    """Return where `cp SOURCE… DESTINATION` writes; into a folder under the names of its sources."""
    *sources, target = _plain(arguments) or [""]
    if not sources:
        return []
    if (folder / target).is_dir():
        return [str(Path(target) / Path(source).name) for source in sources]
    return [target]


def _moved(arguments: Words, folder: Path) -> list[str]:
    return [*_plain(arguments)[:-1], *_destination(arguments, folder)]


def _sed(arguments: Words, folder: Path) -> list[str]:
    if not any(re.match(r"-[a-zA-Z]*i|--in-place", each) for each in arguments):
        return []
    files: list[str] = []
    scripts = 0
    rest = iter(arguments)
    for word in rest:
        if word in ("-e", "-f", "--expression", "--file"):
            next(rest, None)
            scripts += 1
        elif not word.startswith("-"):
            files.append(word)
    return files if scripts else files[1:]


def _perl(arguments: Words, folder: Path) -> list[str]:
    if not any(re.match(r"-[a-zA-Z]*i", each) for each in arguments):
        return []
    return [each for each in _plain(arguments) if (folder / each).is_file()]


def _dd(arguments: Words, folder: Path) -> list[str]:
    return [each.removeprefix("of=") for each in arguments if each.startswith("of=")]


def _git(arguments: Words, folder: Path) -> list[str]:
    command, *rest = _plain(arguments) or [""]
    if command not in ("checkout", "restore", "rm", "mv"):
        return []
    return [each for each in rest if command == "mv" or (folder / each).exists()]


def _first(arguments: Words, folder: Path) -> list[str]:
    return _plain(arguments)[:1]


_WRITERS: dict[str, Callable[[Words, Path], list[str]]] = {
    **dict.fromkeys(("rm", "rmdir", "unlink", "shred", "tee", "touch"), _all),
    **dict.fromkeys(("cp", "install", "ln"), _destination),
    "truncate": _truncated,
    "mv": _moved,
    "sed": _sed,
    "perl": _perl,
    "dd": _dd,
    "git": _git,
    "patch": _first,
}
