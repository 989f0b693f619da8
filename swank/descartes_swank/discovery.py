"""Find a Lisp and a Swank on this machine, and say what to install when there is none.

Nothing is started here but `sbcl --version`, and nothing is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_swank.errors import LispNotFound

_LOADER = "swank-loader.lisp"
_RUNTIME_OPTIONS = {
    "--core": 1,
    "--dynamic-space-size": 1,
    "--control-stack-size": 1,
    "--tls-limit": 1,
    "--noinform": 0,
    "--merge-core-pages": 0,
    "--no-merge-core-pages": 0,
    "--disable-ldb": 0,
    "--lose-on-corruption": 0,
}
_USUAL_BIN = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin", "/opt/local/bin", "/snap/bin")
_USUAL_HOME_BIN = (".local/bin", "bin", ".nix-profile/bin", ".guix-profile/bin")


@dataclass(frozen=True)
class ImageSettings:
    """How an image is to be started."""

    command: tuple[str, ...] | None = None
    """The Lisp and its options; the only one tried when it is given."""
    swank: Path | None = None
    """A folder with Swank's loader, or the loader; the only one tried when it is given."""
    load_init: bool = True
    idle_minutes: float = 240
    environment: Mapping[str, str] | None = None
    """All variables of the image; without them it has those of this process."""
    workspace: Path | None = None
    """The folder the image works in and ends with."""

    def variables(self) -> Mapping[str, str]:
        """Return the environment the image gets."""
        return os.environ if self.environment is None else self.environment


@dataclass(frozen=True)
class LispProgram:
    """A Lisp that can be started."""

    command: tuple[str, ...]
    version: str
    """As the program prints it: `SBCL 2.2.9.debian`."""

    @property
    def plain(self) -> bool:
        """Whether only options of the runtime follow the program, so that a saved core can be given to it."""
        return _after_runtime_options(self.command[1:]) == ()

    @property
    def core(self) -> str | None:
        """The core that its options name, on which a saved one has to be built."""
        options = self.command
        return options[options.index("--core") + 1] if "--core" in options[:-1] else None

    def with_core(self, core: Path) -> tuple[str, ...]:
        """Return the command that starts CORE instead of the program's own."""
        options = list(self.command[1:])
        while "--core" in options:
            at = options.index("--core")
            del options[at : at + 2]
        return (self.command[0], "--core", str(core), "--noinform", *options)


@dataclass(frozen=True)
class SwankSource:
    """A Swank that can be loaded."""

    loader: Path
    version: str | None


@dataclass(frozen=True)
class Looked:
    """One place that was looked at, and what was there."""

    place: str
    found: str | None


def find_lisp(settings: ImageSettings) -> LispProgram:
    """Return the Lisp that SETTINGS name, else the first SBCL found; blocks for some milliseconds.

    Errors: `LispNotFound`, whose message says what to install or correct.
    """
    if settings.command is not None:
        return _configured_lisp(settings)
    for _, program in _lisp_places(settings):
        version = program and _version((program,))
        if program and version:
            return LispProgram((program,), version)
    raise LispNotFound(
        "No SBCL was found on the PATH or in the usual places; install it (Debian and Ubuntu: "
        "`sudo apt install sbcl cl-swank`; Fedora: `sudo dnf install sbcl`; Arch: `sudo pacman -S sbcl`; "
        "macOS: `brew install sbcl`) or set `lisp.command`"
    )


def find_swank(settings: ImageSettings) -> SwankSource:
    """Return the Swank that SETTINGS name, else the first one found.

    Errors: `LispNotFound`, whose message says what to install or correct.
    """
    for _, loader in _swank_places(settings):
        if loader is not None:
            return SwankSource(loader, _swank_version(loader.parent))
    if settings.swank is not None:
        raise LispNotFound(
            f"`lisp.swank` names {str(settings.swank)!r}, where there is no {_LOADER}; "
            "name the folder of a SLIME checkout, or remove the setting"
        )
    raise LispNotFound(
        "No Swank was found; install it (Debian and Ubuntu: `sudo apt install cl-swank`; with "
        'Quicklisp: `(ql:quickload "swank")`; elsewhere: '
        "`git clone https://github.com/slime/slime ~/common-lisp/slime`) "
        "or set `lisp.swank` to the folder of a SLIME checkout"
    )


def search_report(settings: ImageSettings) -> list[Looked]:
    """Return every place that is looked at, in order, with what was found there."""
    if settings.command is not None:
        version = _version(settings.command, settings)
        lisp = [Looked(f"lisp.command: {' '.join(settings.command)}", version)]
    else:
        lisp = [Looked(place, _with_version(program)) for place, program in _lisp_places(settings)]
    swank = [Looked(place, str(found) if found else None) for place, found in _swank_places(settings)]
    return lisp + swank


def _with_version(program: str | None) -> str | None:
    version = program and _version((program,))
    return f"{program} ({version})" if version else None


def _configured_lisp(settings: ImageSettings) -> LispProgram:
    command = settings.command or ("",)
    program = shutil.which(command[0], path=settings.variables().get("PATH"))
    if program is None:
        raise LispNotFound(
            f"`lisp.command` names {command[0]!r}, which is no program on the PATH; correct it or remove it"
        )
    version = _version(command, settings)
    if version is None:
        raise LispNotFound(
            f"`lisp.command` names {command[0]!r}, which did not answer `--version` as SBCL does; "
            "name an SBCL or remove the setting"
        )
    return LispProgram((program, *command[1:]), version)


def _version(command: Sequence[str], settings: ImageSettings | None = None) -> str | None:
    """Return what the Lisp says of its version; None when it is no SBCL that runs."""
    runtime = command[: len(command) - len(_after_runtime_options(command[1:]))]
    try:
        answer = subprocess.run(
            [*runtime, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=10,
            check=False,
            env=dict(settings.variables()) if settings else None,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = re.search(r"^SBCL \S+", answer.stdout, re.MULTILINE)
    return match[0] if match else None


def _after_runtime_options(options: Sequence[str]) -> tuple[str, ...]:
    at = 0
    while at < len(options) and options[at] in _RUNTIME_OPTIONS:
        at += 1 + _RUNTIME_OPTIONS[options[at]]
    return tuple(options[at:])


def _lisp_places(settings: ImageSettings) -> Iterator[tuple[str, str | None]]:
    home = Path.home()
    yield "sbcl on the PATH", shutil.which("sbcl", path=settings.variables().get("PATH"))
    for folder in (*map(Path, _USUAL_BIN), *(home / each for each in _USUAL_HOME_BIN)):
        yield str(folder / "sbcl"), shutil.which("sbcl", path=str(folder))
    pattern = ".roswell/impls/*/*/sbcl*/*/bin/sbcl"
    roswell = sorted(home.glob(pattern), key=_by_version)
    yield str(home / pattern), str(roswell[-1]) if roswell else None


def _by_version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _swank_places(settings: ImageSettings) -> Iterator[tuple[str, Path | None]]:
    if settings.swank is not None:
        yield f"lisp.swank: {settings.swank}", _loader_in(settings.swank.expanduser())
        return
    variables = settings.variables()
    if slime_home := variables.get("SLIME_HOME"):
        yield f"SLIME_HOME: {slime_home}", _loader_in(Path(slime_home).expanduser())
    for place in _folders(settings):
        yield str(place), _newest(place)
    for root in _asdf_trees(variables):
        yield f"{root} and below", _below(root)
    for place in _package_folders():
        yield str(place), _newest(place)


def _loader_in(path: Path) -> Path | None:
    loader = path if path.name == _LOADER else path / _LOADER
    return loader.resolve() if loader.is_file() else None


def _newest(pattern: Path) -> Path | None:
    """Return the loader in the folder with the highest version that PATTERN, a path with stars, fits."""
    parts = pattern.parts
    star = next((at for at, part in enumerate(parts) if "*" in part), len(parts))
    base = Path(*parts[:star])
    try:
        found = [base] if star == len(parts) else sorted(base.glob(str(Path(*parts[star:]))), key=_by_version)
    except OSError:
        return None
    loaders = (_loader_in(each) for each in reversed(found))
    return next((loader for loader in loaders if loader is not None), None)


def _folders(settings: ImageSettings) -> Iterator[Path]:
    """Yield where the Lisp world's own installers put Swank."""
    home = Path.home()
    quicklisps = [home / "quicklisp", home / ".quicklisp", home / ".roswell/lisp/quicklisp"]
    if configured := settings.variables().get("QUICKLISP_HOME"):
        quicklisps.insert(0, Path(configured))
    for quicklisp in quicklisps:
        yield quicklisp / "local-projects" / "slime*"
        yield quicklisp / "dists" / "*" / "software" / "slime-*"
    if settings.workspace is not None:
        yield from _ocicl_folders(settings.workspace / "systems")
    yield from _ocicl_folders(home / ".local/share/ocicl/systems")


def _ocicl_folders(systems: Path) -> Iterator[Path]:
    yield systems / "slime-*"
    yield systems / "swank*"


def _asdf_trees(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the trees that ASDF searches, as configured and by default; not those of the system."""
    home = Path.home()
    configuration = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "common-lisp"
    texts = [variables.get("CL_SOURCE_REGISTRY", "")]
    drop_ins = configuration / "source-registry.conf.d"
    for file in (configuration / "source-registry.conf", *sorted(drop_ins.glob("*.conf"))):
        texts.append(_text(file))
    for text in texts:
        yield from _registry_folders(text, home)
    yield home / "common-lisp"
    yield Path(variables.get("XDG_DATA_HOME") or home / ".local/share") / "common-lisp" / "source"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _registry_folders(text: str, home: Path) -> Iterator[Path]:
    """Yield the folders in a source registry: `(:tree "/a/")`, `(:tree (:home "b"))` or `/a//:/b/`."""
    if "(" not in text:
        yield from (
            Path(entry.rstrip("/")).expanduser() for entry in text.strip().split(":") if entry.strip("/ ")
        )
        return
    pattern = r'\(\s*:(?:tree|directory)\s+(?:\(\s*(:home)\s+)?"([^"]+)"'
    for relative, name in re.findall(pattern, text, re.IGNORECASE):
        yield home / name if relative else Path(name).expanduser()


def _below(root: Path) -> Path | None:
    """Return a loader in ROOT or at most three folders below it, the one of the highest version."""
    depths: Callable[[int], str] = lambda depth: "/".join(["*"] * depth)  # noqa: E731
    loader = _loader_in(root)
    for depth in (1, 2, 3):
        loader = loader or _newest(root / depths(depth))
    return loader


def _package_folders() -> Iterator[Path]:
    """Yield where the system's packages and Emacs' put Swank."""
    home = Path.home()
    for prefix in ("/usr", "/usr/local", "/opt/homebrew", "/opt/local"):
        yield Path(prefix) / "share/common-lisp/source/slime"
        yield Path(prefix) / "share/common-lisp/source/swank"
        yield Path(prefix) / "share/emacs/site-lisp/slime"
        yield Path(prefix) / "share/emacs/site-lisp/elpa/slime-*"
    for profile in (home / ".guix-profile", Path("/run/current-system/profile")):
        yield profile / "share/common-lisp/source/slime"
    for emacs in (home / ".emacs.d", home / ".config/emacs"):
        yield emacs / "elpa/slime-*"
        yield emacs / "straight/repos/slime"
        yield emacs / ".local/straight/repos/slime"
        yield emacs / "elpaca/repos/slime"
        yield emacs / "elpaca/sources/slime"
    yield home / ".vim/plugged/slimv/slime"


def _swank_version(folder: Path) -> str | None:
    """Return the version of the Swank in FOLDER, from the files that SLIME itself reads it from."""
    if match := re.search(r"\S+", _text(folder / "slime-version").strip('"\n ')):
        return match[0].strip('"')
    match = re.search(r"^;; Version: (\S+)", _text(folder / "slime.el"), re.MULTILINE)
    return match[1] if match else None
