"""The shapes of the vault: secrets without their values, grants, and entries of the audit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from descartes_core.errors import InvalidParams
from descartes_core.model import Principal, Shape

SecretType = Literal["api_key", "oauth_token", "database_password", "private_key", "custom"]
AccessLevel = Literal["none", "view_metadata", "read", "update", "delete", "admin"]
GranteeKind = Literal["user", "role", "service", "agent"]
KeySource = Literal["password", "keyring"]

LEVELS: Final[tuple[AccessLevel, ...]] = ("none", "view_metadata", "read", "update", "delete", "admin")
"""From the least to the most: each level may do everything that the one before may."""
GRANTEES: Final[tuple[GranteeKind, ...]] = ("user", "role", "service", "agent")

PASSWORD_CHARACTERS = range(16, 257)
SHORTEST_VALUE, LONGEST_VALUE = 4, 65_536
"""Bytes. What is shorter could not be masked without taking half of every text with it."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class Version(Shape, frozen=True, kw_only=True):
    """One value that a secret has or had; a revoked one cannot be read any more."""

    version: int
    created_at: str
    revoked_at: str | None = None


class Grant(Shape, frozen=True, kw_only=True):
    """What PRINCIPAL, written KIND:NAME, may do with SECRET, until EXPIRES_AT where there is one."""

    secret: str
    principal: str
    level: AccessLevel
    granted_at: str
    granted_by: str
    expires_at: str | None = None


class Secret(Shape, frozen=True, kw_only=True):
    """A secret without its value. VERSION is the newest one."""

    name: str
    type: SecretType
    version: int
    created_at: str
    updated_at: str
    versions: list[Version]
    grants: list[Grant] = []


class SecretValue(Shape, frozen=True, kw_only=True):
    """The value of one version of a secret."""

    name: str
    type: SecretType
    version: int
    value: str

    def __repr__(self) -> str:
        # A value must not get into a log by way of a debugging line.
        return f"SecretValue({self.name!r}, version {self.version})"


class AuditEntry(Shape, frozen=True, kw_only=True):
    """One access to the vault, or an attempt at one."""

    timestamp: str
    principal_id: str
    principal: str
    """KIND:NAME, as a person reads it."""
    action: str
    secret_name: str | None
    success: bool
    source: str
    """The door or editor it came through."""
    source_ip: str | None = None
    """Always None: every door is on this machine."""
    reason: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class Who:
    """Who wants something of the vault: PRINCIPAL with its ROLES; an OWNER may do everything.

    NAMED: what is granted to its name counts, because that name is no choice of its own.
    """

    principal: Principal
    roles: Sequence[str] = ()
    owner: bool = False
    named: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Return what grants call this principal: `agent:refactor`, `role:full`."""
        kind = "user" if self.principal.kind == "human" else self.principal.kind
        # A person's name is whatever git says; the id is the system's.
        name = self.principal.id if kind == "user" else self.principal.name
        own = [f"{kind}:{name}"] if self.named else []
        return frozenset([*own, *(f"role:{role}" for role in self.roles)])


def check_name(name: str) -> str:
    """Return NAME, if a secret can be called so. Errors: `InvalidParams`."""
    if not NAME.fullmatch(name):
        raise InvalidParams(
            f"expected a name of letters, digits, '_', '.' and '-', first a letter, got {name[:80]!r}"
        )
    return name


def variable(name: str) -> str:
    """Return the variable that holds the secret NAME in the environment of a step.

    Example: variable("API_KEY") -> "API_KEY"; variable("deploy.token-2") -> "DEPLOY_TOKEN_2"
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    return re.sub(r"[^A-Za-z0-9_]", "_", name).upper()


def check_value(value: str) -> bytes:
    """Return the bytes of VALUE, if a secret can have it. Errors: `InvalidParams`, which never quotes it."""
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise InvalidParams("expected a value that is text, got half a character") from None
    if b"\0" in data:
        raise InvalidParams("expected a value without NUL bytes, which no environment can carry")
    if not SHORTEST_VALUE <= len(data) <= LONGEST_VALUE:
        raise InvalidParams(f"expected a value of {SHORTEST_VALUE} to {LONGEST_VALUE} bytes, got {len(data)}")
    return data


def check_password(password: str) -> bytes:
    """Return the bytes of PASSWORD, if a vault can have it. Errors: `InvalidParams`."""
    if len(password) not in PASSWORD_CHARACTERS:
        least, most = PASSWORD_CHARACTERS[0], PASSWORD_CHARACTERS[-1]
        raise InvalidParams(f"expected a password of {least} to {most} characters, got {len(password)}")
    return password.encode("utf-8", "surrogatepass")


def check_grantee(principal: str) -> str:
    """Return PRINCIPAL, if it is written KIND:NAME. Errors: `InvalidParams`."""
    kind, _, name = principal.partition(":")
    if kind not in GRANTEES or not name:
        raise InvalidParams(f"expected KIND:NAME with {', '.join(GRANTEES)}, got {principal[:80]!r}")
    return principal
