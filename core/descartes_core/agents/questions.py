"""What a run asks a person about its tool calls, and what the answers mean.

A question that was asked before the hub died is the same question afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from descartes_core.agents.control import Control
from descartes_core.agents.conversation import Conversation, Step
from descartes_core.agents.journal import Journal
from descartes_core.agents.tools import TOOLS
from descartes_core.errors import Cancelled, InvalidParams, PolicyDenied
from descartes_core.model import Choice, Intervention, InterventionKind
from descartes_core.policy.interventions import Interventions
from descartes_core.policy.projection import Answer
from descartes_core.policy.rules import Asker, Deny, Policy, ToolCall, ToolLevel, paths_of

APPROVAL = (
    Choice(id="accept", title="Accept"),
    Choice(id="edit", title="Accept with other arguments", arguments=["arguments"]),
    Choice(id="reject", title="Reject", arguments=["reason"]),
    Choice(id="respond", title="Answer instead of doing it", arguments=["text"]),
)
INTERRUPTED = (
    Choice(id="retry", title="Do it again"),
    Choice(id="skip", title="Go on without it"),
    Choice(id="stop", title="Stop the run"),
)
SHOWN_CHARACTERS = 2000


@dataclass(frozen=True)
class Reply:
    """What a person said instead of having the call executed."""

    text: str


class Questions:
    """The questions of one run."""

    def __init__(
        self,
        interventions: Interventions,
        *,
        level: ToolLevel,
        conversation: Conversation,
        journal: Journal,
        control: Control,
    ) -> None:
        self._interventions = interventions
        self._level = level
        self._conversation = conversation
        self._journal = journal
        self._control = control

    async def approve(self, step: Step, note: str, shown: str | None = None) -> ToolCall | Reply:
        """Return the call of STEP as a person accepted or edited it, or their reply; NOTE says why we ask.

        SHOWN is what the person is shown in place of its arguments.

        Errors: `PolicyDenied` when it was rejected, with the reason.
        """
        call = step.call
        about = {
            "toolName": call.name, "toolArgs": call.arguments, "callKey": call.key(), "policyNote": note,
            "toolLevel": self._level,
        }  # fmt: skip
        detail = detail_of(call, note) if shown is None else f"{shown}\n{note}"
        answer = await self._ask("approval", step, title_of(call), detail, APPROVAL, about)
        match answer.choice:
            case "accept":
                return call
            case "edit":
                return ToolCall(id=call.id, name=call.name, arguments=edited_arguments(answer))
            case "respond":
                return Reply("\n".join(answer.arguments))
            case _:
                why = f": {answer.reason}" if answer.reason else ""
                raise PolicyDenied(f"{answer.by.name} rejected this call{why}")

    async def repeat(self, step: Step) -> bool:
        """Return whether STEP, which was interrupted, is to be done again (else it is skipped).

        Errors: `Cancelled` when the run is to stop.
        """
        detail = (
            "The hub ended while this was being executed, and nobody knows whether it took effect.\n\n"
            + detail_of(step.call, "it may be half done")
        )
        title = f"Interrupted: {title_of(step.call)}"
        about = {"toolName": step.call.name, "toolArgs": step.call.arguments}
        answer = await self._ask("question", step, title, detail, INTERRUPTED, about)
        if answer.choice == "stop":
            raise Cancelled(f"Stopped by {answer.by.name} at an interrupted step")
        return answer.choice == "retry"

    async def _ask(
        self,
        kind: InterventionKind,
        step: Step,
        title: str,
        detail: str,
        choices: tuple[Choice, ...],
        about: dict[str, Any],
    ) -> Answer:
        started = step.started if kind == "question" else None
        asked = self._conversation.questions.get((step.call.id, started))
        if asked is None:
            question = await self._interventions.open(
                kind,
                title=title,
                detail=detail,
                choices=choices,
                by=self._journal.principal,
                run=self._journal.run,
                data={"callId": step.call.id, "started": started, **about},
                parent=started or step.asked_by,
            )
            asked = question.id
        async with self._control.waiting(asked):
            return await self._interventions.wait(asked)


def check_approval(question: Intervention, answer: Answer) -> None:
    """Raise when ANSWER to QUESTION, an approval of a tool call, edits it into something it cannot be.

    Errors: `InvalidParams`, `PolicyDenied`; the question then stays open.
    """
    if "toolName" not in question.data:
        return
    name = question.data["toolName"]
    if answer.choice == "respond" and not answer.arguments:
        raise InvalidParams("The choice respond takes the text as its argument, and got none")
    if answer.choice == "edit":
        call = ToolCall(id=question.data["callId"], name=name, arguments=edited_arguments(answer))
        TOOLS[name].parse(call.arguments)
        decision = Policy().decide(call, Asker(question.data["toolLevel"]))
        if isinstance(decision, Deny):
            raise PolicyDenied(decision.reason)


def edited_arguments(answer: Answer) -> dict[str, Any]:
    """Return the arguments that ANSWER, of the choice `edit`, puts in place of the asked ones."""
    try:
        (text,) = answer.arguments
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, msgspec.DecodeError) as problem:
        raise InvalidParams(
            f"The choice edit takes one argument, the new arguments as a JSON object: {problem}"
        ) from None


def title_of(call: ToolCall) -> str:
    """Return CALL in a few words, such as `write src/a.lisp`."""
    main = next((str(call.arguments[key]) for key in _MAIN if key in call.arguments), "")
    if (count := len(paths := paths_of(call.arguments))) and not main:
        main = paths[0] if count == 1 else f"{paths[0]} and {count - 1} more"
    first_line = main.strip().partition("\n")[0]
    return f"{call.name} {first_line[:80]}".strip()


_MAIN = ("path", "command", "code", "expression", "name", "index")


def detail_of(call: ToolCall, note: str) -> str:
    """Return CALL in full, text of several lines as it is, and below it NOTE."""
    lines = [f"{name}: {_shown(value)}" for name, value in call.arguments.items()]
    return "\n".join([*lines, "", note])


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    cut = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text)} characters)"
    return f"\n{cut}" if "\n" in cut else cut
