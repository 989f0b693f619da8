"""The key of a vault in the system's keyring (Keychain, Secret Service, …), where there is one.

Each generation of a vault has an entry of its own, so that a crash between keyring and file leaves both.
"""

from __future__ import annotations

import base64
import binascii
import contextlib

from descartes_core.errors import PolicyDenied, StoreUnavailable
from descartes_core.vault.crypto import KEY_BYTES

SERVICE = "descartes-vault"


def read(vault: str, generation: int) -> bytes:
    """Return the key of the vault with the id VAULT.

    Errors: `PolicyDenied` when the keyring has none; `StoreUnavailable` when there is no keyring.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        found = keyring.get_password(SERVICE, f"{vault}/{generation}")
        key = base64.b64decode(found or "", validate=True)
    except (KeyringError, RuntimeError) as error:
        raise _unavailable(error) from None
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise PolicyDenied("The system's keyring has no key of this vault; unlock the keyring", reason="key")
    return key


def write(vault: str, generation: int, key: bytes) -> None:
    """Keep KEY as that of the vault with the id VAULT. Errors: `StoreUnavailable`."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, f"{vault}/{generation}", base64.b64encode(key).decode())
    except (KeyringError, RuntimeError) as error:
        raise _unavailable(error) from None


def forget(vault: str, generation: int) -> None:
    """Take the key of VAULT out of the keyring, if it has one."""
    import keyring
    from keyring.errors import KeyringError

    with contextlib.suppress(KeyringError, RuntimeError):
        keyring.delete_password(SERVICE, f"{vault}/{generation}")


def _unavailable(error: Exception) -> StoreUnavailable:
    problem = str(error).strip().partition("\n")[0].rstrip(".")
    return StoreUnavailable(
        f"The system has no keyring that could be used ({problem}); use a password instead"
    )
