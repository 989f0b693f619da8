"""Secrets for the steps of one run: given by name, as environment of what names them, and to nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from descartes_core.errors import InvalidParams
from descartes_core.store.secret_variables import joined
from descartes_core.vault.audit import Visitor
from descartes_core.vault.secrets import Secrets
from descartes_core.vault.shapes import variable


class StepSecrets:
    """What one run may have of the vault: the secrets GIVEN to it, and those that it was granted."""

    def __init__(self, secrets: Secrets | None, visitor: Visitor, given: Sequence[str]) -> None:
        self._secrets = secrets
        self._visitor = visitor
        self._given = frozenset(given)

    async def lacking(self, names: Sequence[str]) -> list[str]:
        """Return which of the secrets NAMES the run may have only if a person says so.

        Errors: `NotFound` for one that there is not; `PolicyDenied` while the vault is locked.
        """
        if not names:
            return []
        found = await self._vault().lacking(self._visitor, names)
        return [name for name in found if name not in self._given]

    async def environment(
        self, base: Mapping[str, str], names: Sequence[str], *, allowed: bool, call: str | None
    ) -> dict[str, str]:
        """Return BASE, an environment, with the secrets NAMES for the step CALL; ALLOWED: a person said so.

        Their variables are named there too, so that the log hides them wherever the step writes into it.
        Errors: `PolicyDenied`, `NotFound`.
        """
        found: dict[str, str] = {}
        for name in names:
            may = allowed or name in self._given
            values = await self._vault().use(self._visitor, [name], allowed=may, callId=call)
            found[variable(name)] = values[name]
        return joined(base, found, {variable(name): name for name in names})

    def masked(self) -> list[tuple[str, str]]:
        """Return every value that is known here, by name: what no command may print into a file."""
        return [] if self._secrets is None else self._secrets.masks.values

    def text(self, text: str) -> str:
        """Return TEXT without any value of a secret."""
        return text if self._secrets is None else self._secrets.masks.text(text)

    def _vault(self) -> Secrets:
        if self._secrets is None:
            raise InvalidParams("There is no vault of secrets here; leave `secrets` out")
        return self._secrets
