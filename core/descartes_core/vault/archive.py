"""Exports: every secret's newest value in one text, encrypted under a password of its own."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable

import msgspec

from descartes_core.errors import InvalidParams, PolicyDenied
from descartes_core.model import Shape
from descartes_core.vault import crypto
from descartes_core.vault.crypto import Damaged, KdfParameters
from descartes_core.vault.shapes import SecretValue, check_password

FORMAT = "descartes-secrets-1"


class Archive(Shape, frozen=True, kw_only=True):
    """What an export consists of; SALT and BOX in base64."""

    format: str
    memory_kib: int
    time: int
    parallelism: int
    salt: str
    box: str

    @property
    def kdf(self) -> KdfParameters:
        return KdfParameters(self.memory_kib, self.time, self.parallelism)


def write(values: Iterable[SecretValue], password: str, kdf: KdfParameters = crypto.KDF) -> str:
    """Return VALUES as the text of an export that PASSWORD opens. Errors: `InvalidParams`."""
    salt = os.urandom(crypto.SALT_BYTES)
    key = crypto.from_password(check_password(password), salt, kdf)
    box = crypto.seal(key, msgspec.json.encode(list(values)), _about(kdf))
    key.wipe()
    archive = Archive(
        format=FORMAT, memory_kib=kdf.memory_kib, time=kdf.time, parallelism=kdf.parallelism,
        salt=base64.b64encode(salt).decode(), box=base64.b64encode(box).decode(),
    )  # fmt: skip
    return msgspec.json.encode(archive).decode()


def read(text: str, password: str) -> list[SecretValue]:
    """Return the secrets in the export TEXT. Errors: `InvalidParams`; `PolicyDenied` for a wrong password."""
    try:
        archive = msgspec.json.decode(text, type=Archive)
        salt, box = (base64.b64decode(each, validate=True) for each in (archive.salt, archive.box))
    except (msgspec.DecodeError, binascii.Error):
        raise InvalidParams(
            "expected an export that `descartes secret export` wrote, got something else"
        ) from None
    if archive.format != FORMAT:
        raise InvalidParams(f"expected an export of the format {FORMAT}, got {archive.format[:40]!r}")
    key = crypto.from_password(password.encode("utf-8", "surrogatepass"), salt, archive.kdf)
    try:
        return msgspec.json.decode(crypto.unseal(key, box, _about(archive.kdf)), type=list[SecretValue])
    except Damaged:
        raise PolicyDenied(
            "The password does not open the export: it is wrong, or the export was changed", reason="password"
        ) from None
    finally:
        key.wipe()


def _about(kdf: KdfParameters) -> bytes:
    return f"export\0{FORMAT}\0{tuple(kdf)}".encode()
