"""What a person does about a system that is not there, in one sentence."""

from __future__ import annotations

import asyncio
import shutil

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
    if shutil.which("apt-cache") is None or system.startswith("-"):
        return None
    primary = system.partition("/")[0].removesuffix("-tests").removesuffix("-test")
    for name in dict.fromkeys([f"cl-{primary.removeprefix('cl-')}", primary]):
        if await _apt_knows(name):
            return name
    return None


async def _apt_knows(package: str) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *("apt-cache", "--quiet", "show", "--no-all-versions", package),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), APT_SECONDS) == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
