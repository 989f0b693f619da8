"""Which variables of this process' environment hold secrets: what is logged from here must not show them.

Whoever gives a command secrets names them in `DESCARTES_SECRETS`, as `VARIABLE=NAME` in words; every log that
is opened in that process, or in a child of it, masks their values as `‹secret:NAME›`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from descartes_core.store.redaction import Redactor

VARIABLE = "DESCARTES_SECRETS"
SHORTEST = 4
"""Bytes; what is shorter is no secret of a vault and would mask half of every text."""


def joined(
    environment: Mapping[str, str], given: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, str]:
    """Return ENVIRONMENT with the secrets GIVEN, values by variable; NAMES has theirs by variable too.

    Example: joined({}, {"API_KEY": "x"}, {"API_KEY": "api-key"}) ->
    {"API_KEY": "x", "DESCARTES_SECRETS": "API_KEY=api-key"}
    """
    if not given:
        return dict(environment)
    told = {**_told(environment), **names}
    words = " ".join(f"{variable}={name}" for variable, name in told.items())
    return {**environment, **given, VARIABLE: words}


def given_here(environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and value of each secret in ENVIRONMENT, that of this process without one."""
    environment = os.environ if environment is None else environment
    for variable, name in _told(environment).items():
        value = environment.get(variable, "")
        if len(value.encode("utf-8", "surrogateescape")) >= SHORTEST:
            yield name, value


def protecting(redactor: Redactor) -> Redactor:
    """Return REDACTOR, which masks the secrets of this process' environment from now on."""
    for name, value in given_here():
        redactor.protect(name, value)
    return redactor


def _told(environment: Mapping[str, str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in environment.get(VARIABLE, "").split())
    return {variable: name or variable for variable, _, name in pairs if variable}
