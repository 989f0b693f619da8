"""How a child of a run proves that it is one: a token in its environment, of which the log has the hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

RUN_VARIABLE = "DESCARTES_RUN"
TOKEN_VARIABLE = "DESCARTES_RUN_TOKEN"
PASSWORD_VARIABLE = "DESCARTES_VAULT_PASSWORD"


def new_token() -> str:
    """Return a fresh token."""
    return secrets.token_hex(16)


def hash_of(token: str) -> str:
    """Return what is kept of TOKEN; it has 128 random bits, so that a plain hash tells nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def fits(token: str, token_hash: str) -> bool:
    """Return whether TOKEN is the one whose hash is TOKEN_HASH."""
    return hmac.compare_digest(hash_of(token), token_hash)


def keep(folder: Path, token: str) -> None:
    """Leave TOKEN in FOLDER for the hub that comes after this one; only this user can read it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(token)


def kept(folder: Path) -> str | None:
    """Return the token that `keep` left in FOLDER, None when it is gone."""
    try:
        return (folder / "token").read_text()
    except FileNotFoundError:
        return None


def environment(base: Mapping[str, str], run: str, token: str) -> dict[str, str]:
    """Return BASE as the environment of the children of RUN; the password of the vault is not for them."""
    kept = {name: value for name, value in base.items() if name != PASSWORD_VARIABLE}
    return {**kept, RUN_VARIABLE: run, TOKEN_VARIABLE: token}
