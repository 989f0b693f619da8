"""The cryptography of the vault: AES-256-GCM, Argon2id and HKDF, put together and nothing more.

Layout of a sealed box: one byte 1, a nonce of 12 bytes, the ciphertext, a tag of 16 bytes.
Keys lie in a `Key`, which is overwritten when it is let go of. That is an effort, no guarantee: Python and
the libraries below copy bytes where nobody can reach them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import NamedTuple

from descartes_core.errors import StoreUnavailable

FORMAT = 1
NONCE_BYTES, TAG_BYTES, KEY_BYTES, SALT_BYTES = 12, 16, 32, 32
HIGHEST_MEMORY_KIB, HIGHEST_TIME, HIGHEST_PARALLELISM = 1 << 20, 16, 16
"""More than this a file does not get us to spend."""


class Damaged(StoreUnavailable):
    """What was read is not what this program wrote, or was written with another key."""

    code = StoreUnavailable.code


class KdfParameters(NamedTuple):
    """The cost of deriving a key from a password: MEMORY_KIB, TIME in passes, PARALLELISM in lanes."""

    memory_kib: int
    time: int
    parallelism: int


KDF = KdfParameters(memory_kib=65_536, time=2, parallelism=1)
"""What new passwords cost; vaults with less are brought up to it when they are unlocked."""


class Key:
    """32 secret bytes that can be overwritten."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    @classmethod
    def random(cls) -> Key:
        return cls(os.urandom(KEY_BYTES))

    def wipe(self) -> None:
        """Overwrite the bytes; see the module for what that is worth."""
        for place in range(len(self.data)):
            self.data[place] = 0

    def __repr__(self) -> str:
        return "Key(…)"


def seal(key: Key, plain: bytes, about: bytes) -> bytes:
    """Return the box with PLAIN in it, which opens with KEY and the same ABOUT only."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return bytes([FORMAT]) + nonce + AESGCM(bytes(key.data)).encrypt(nonce, plain, about)


def unseal(key: Key, box: bytes, about: bytes) -> bytes:
    """Return what is in BOX. Errors: `Damaged` when any bit of it, of KEY or of ABOUT is another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(box) < 1 + NONCE_BYTES + TAG_BYTES or box[0] != FORMAT:
        raise Damaged("a box of the vault has a form that this program does not know")
    nonce, rest = box[1 : 1 + NONCE_BYTES], box[1 + NONCE_BYTES :]
    try:
        return AESGCM(bytes(key.data)).decrypt(nonce, rest, about)
    except InvalidTag:
        raise Damaged("a box of the vault does not open") from None


def derive(key: Key, salt: bytes, purpose: str) -> Key:
    """Return the key for PURPOSE that follows from KEY and SALT (HKDF with SHA-256)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=f"descartes vault {purpose}".encode())
    return Key(kdf.derive(bytes(key.data)))


def from_password(password: bytes, salt: bytes, cost: KdfParameters) -> Key:
    """Return the key that PASSWORD gives with SALT at COST (Argon2id); takes a tenth of a second.

    Errors: `Damaged` for a cost that no vault has.
    """
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    limits = KdfParameters(HIGHEST_MEMORY_KIB, HIGHEST_TIME, HIGHEST_PARALLELISM)
    if not all(0 < given <= limit for given, limit in zip(cost, limits, strict=True)):
        raise Damaged(f"The cost {tuple(cost)} of a password is one that no vault has")
    try:
        found = hash_secret_raw(
            password, salt, cost.time, cost.memory_kib, cost.parallelism, KEY_BYTES, Type.ID
        )
    except HashingError as error:
        raise Damaged(f"The cost {tuple(cost)} of a password cannot be: {error}") from None
    return Key(found)


def mac(key: Key, data: bytes) -> bytes:
    """Return the authentication code of DATA under KEY (HMAC with SHA-256)."""
    return hmac.digest(bytes(key.data), data, hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Return whether ONE is OTHER, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(one, other)
