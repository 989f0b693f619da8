"""What a person does about a system that is not there, in one sentence."""

from __future__ import annotations

import asyncio
import functools
import shutil
import subprocess

from descartes_swank import SystemReport

APT_SECONDS = 5.0


async def how_to_get(report: SystemReport, asked: str) -> str:
    """Return which system REPORT misses for the system ASKED, and how it can be had."""
    missing = report.missing or asked
    if missing == asked:
        what = f"expected a system, there is none named {missing!r}"
    else:
        what = f"expected the system {missing!r}, which {report.required_by or asked!r} needs; there is none"
    ways = await _ways(report, missing)
    place = "put it into the workspace or into ~/common-lisp"
    return f"{what}; {', or '.join([*ways, place])}"


async def _ways(report: SystemReport, missing: str) -> list[str]:
    ways = []
    if report.offered:
        ways.append("let Quicklisp fetch it with `install: true` (`--install`)")
    if report.ocicl or shutil.which("ocicl"):
        ways.append(f"get it with `ocicl install {missing}`")
    if (package := await _distribution_package(missing)) is not None:
        ways.append(f"get it with `apt install {package}`")
    return ways


async def _distribution_package(system: str) -> str | None:
    """Return the package that has SYSTEM by the rule of Debian's names, None when apt knows none."""
    primary = system.partition("/")[0].removesuffix("-tests").removesuffix("-test")
    package = f"cl-{primary.removeprefix('cl-')}"
    return package if package in await asyncio.to_thread(_lisp_packages) else None


@functools.cache
def _lisp_packages() -> frozenset[str]:
    """Return the Lisp libraries that apt knows; none where there is no apt. Blocks, once."""
    try:
        done = subprocess.run(
            ["apt-cache", "pkgnames", "cl-"], capture_output=True, text=True, timeout=APT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return frozenset()
    return frozenset(done.stdout.split())
