"""What an agent says it has used in all so far, as what each turn used."""

from __future__ import annotations

from typing import Any

from acp import schema

CURRENCY = "USD"


class Counter:
    """The usage of one run. Agents tell sums over their session; the log has what each turn added."""

    def __init__(self) -> None:
        self.cost: schema.Cost | None = None
        """What the session has cost so far, as last told."""
        self._input = 0
        self._output = 0
        self._paid = 0.0

    def new(self, used: schema.Usage | None) -> dict[str, Any] | None:
        """Return what was used since the last time, USED in all, as data of `run.usage`; None for nothing."""
        before = (self._input, self._output, self._paid)
        if used is not None:
            # An agent that tells of each turn alone tells less than before at some time.
            self._input, self._output = used.input_tokens, used.output_tokens
        if self.cost is not None and self.cost.currency == CURRENCY:
            self._paid = self.cost.amount
        counted = {
            "inputTokens": _more(self._input, before[0]),
            "outputTokens": _more(self._output, before[1]),
            "costUsd": _more(self._paid, before[2]) if self._paid else None,
        }
        return counted if any(counted.values()) else None


def _more(now: Any, before: Any) -> Any:
    return now - before if now >= before else now
