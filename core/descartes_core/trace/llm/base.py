"""What a planner needs from a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class LLMError(Exception):
    """A model gave no answer; the message says why and what to do."""


class LLMProvider(Protocol):
    """A model."""

    def generate(
        self, prompt: str, *, system: str | None = None, schema: Mapping[str, Any] | None = None
    ) -> str:
        """Return the text with which the model answers PROMPT, told SYSTEM before.

        SCHEMA is the JSON Schema of what is wanted, for models that can be held to one. Errors: `LLMError`.
        """
        ...
