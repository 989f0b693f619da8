"""The key of a vault in the system's keyring (Keychain, Secret Service, …), where there is one.

Each generation of a vault has an entry of its own, so that a crash between keyring and file leaves both.
"""

from __future__ import annotations

import base64
import binascii
import logging

from descartes_core.errors import DescartesError, PolicyDenied, StoreUnavailable
from descartes_core.vault.crypto import KEY_BYTES

log = logging.getLogger(__name__)

SERVICE = "descartes-vault"


def read(vault: str, generation: int) -> bytes:
    """Return the key of the vault with the id VAULT.

    Errors: `PolicyDenied` when the keyring has none or is locked; `StoreUnavailable` without a keyring.
    """
    try:
        key = _get(vault, generation)
    except Exception as error:
        # A keyring is somebody else's program, and may raise anything.
        raise _locked(error) or StoreUnavailable(
            f"The system's keyring, which has the key of the vault, cannot be used ({_told(error)});"
            " log in to a session that has it"
        ) from None
    if key is None:
        raise PolicyDenied("The system's keyring has no key of this vault; unlock the keyring", reason="key")
    return key


def write(vault: str, generation: int, key: bytes) -> None:
    """Keep KEY as that of the vault with the id VAULT, and make sure that it is found again.

    Errors: `PolicyDenied` when the keyring is locked; `StoreUnavailable` when there is none that keeps it.
    """
    import keyring

    try:
        keyring.set_password(SERVICE, f"{vault}/{generation}", base64.b64encode(key).decode())
        kept = _get(vault, generation) == key
    except Exception as error:
        raise _locked(error) or _unusable(_told(error)) from None
    if not kept:
        # One that was turned off takes everything and gives nothing back: the vault would never open again.
        raise _unusable("it keeps nothing")


def forget(vault: str, generation: int) -> None:
    """Take the key of VAULT out of the keyring, if it has one."""
    import keyring
    import keyring.errors

    try:
        keyring.delete_password(SERVICE, f"{vault}/{generation}")
    except keyring.errors.PasswordDeleteError:
        return  # it has none
    except Exception as error:
        # A backend may raise anything. The vault has another key by now: what was asked for is done.
        log.warning("a key that is used no more stays in the keyring: %s", type(error).__name__)


def _get(vault: str, generation: int) -> bytes | None:
    """Return the key that the keyring has; None for none, or for something that is no key."""
    import keyring

    try:
        key = base64.b64decode(keyring.get_password(SERVICE, f"{vault}/{generation}") or "", validate=True)
    except binascii.Error:
        return None
    return key if len(key) == KEY_BYTES else None


def _locked(error: Exception) -> DescartesError | None:
    from keyring.errors import KeyringLocked

    if not isinstance(error, KeyringLocked):
        return None
    return PolicyDenied(
        f"The system's keyring is locked ({_told(error)}); unlock it and try again", reason="key"
    )


def _unusable(why: str) -> StoreUnavailable:
    return StoreUnavailable(f"The system has no keyring that could be used ({why}); use a password instead")


def _told(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
