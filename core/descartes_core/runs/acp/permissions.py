"""What an agent asks leave for: decided by rules, by leases, else by a person in the queue of questions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acp import schema

from descartes_core.agents.conversation import Conversation
from descartes_core.agents.hands import Hands
from descartes_core.agents.questions import title_of
from descartes_core.errors import Cancelled, DescartesError, PolicyDenied
from descartes_core.leases.shell_writes import written
from descartes_core.model import Choice, Lease
from descartes_core.policy.projection import Answer
from descartes_core.policy.rules import Allow, Ask, Asker, Deny, ToolCall
from descartes_core.runs.acp.calls import AgentCall, real_path
from descartes_core.runs.acp.narrator import Narrator
from descartes_core.runs.acp.standing import Standing
from descartes_core.runs.equipment import about, policy_of
from descartes_core.runs.work import Job

IDS = {"allow_once": "accept", "allow_always": "always", "reject_once": "reject", "reject_always": "never"}
"""The choices of a question by the kinds of the protocol; `accept` and `reject` as for our own tools."""
NAMING = frozenset({"edit", "delete", "move"})
"""Calls that change the files which they are about."""
LONGEST_PLACE = 2000
REFUSALS = ("reject_once", "reject_always")


@dataclass(frozen=True)
class Option:
    """One way to answer, ID in the queue of questions and OPTION with the agent; None ends the call there."""

    id: str
    title: str
    kind: str
    option: str | None


class Permissions:
    """The questions of the agent of one run."""

    def __init__(
        self, job: Job, conversation: Conversation, hands: Hands, standing: Standing, narrator: Narrator
    ) -> None:
        self._job = job
        self._conversation = conversation
        self._hands = hands
        self._standing = standing
        self._narrator = narrator
        self._policy = policy_of(job)
        self.reasons: list[str] = []
        """Why calls were refused, as the agent is told behind its turn: its protocol has no place for it."""

    async def ask(self, call: AgentCall, given: Sequence[schema.PermissionOption]) -> str | None:
        """Return which of the options GIVEN answers what CALL asks leave for; None for no leave at all."""
        options = options_of(given)
        try:
            chosen = await self._decide(call, options)
        except Cancelled:
            raise
        except DescartesError as refused:
            await self._refuse(call, refused)
            return _first(options, *REFUSALS)
        call.allowed = True
        await self._narrator.keep_files(call)
        return chosen.option

    async def _decide(self, call: AgentCall, options: Mapping[str, Option]) -> Option:
        asked = call.call()
        asker = Asker(self._job.record.tool_level, self._conversation.rejections, about(self._job))
        decision = self._policy.decide(asked, asker, asks=True)
        if isinstance(decision, Deny):
            raise PolicyDenied(decision.reason)
        typed = await self._met(call)
        if isinstance(decision, Allow) and typed is not None:
            decision = Ask(f"{typed.path} has unsaved changes of {typed.holder.name}")
        allowed = _allowing(options)
        if isinstance(decision, Allow) and allowed is not None:
            return allowed
        reason = decision.reason if isinstance(decision, Ask) else "it offers no way to allow it only once"
        return await self._put(call, asked, options, reason)

    async def _met(self, call: AgentCall) -> Lease | None:
        """Take the files that CALL names and would change, or look who has those its command changes.

        Returns the lease of a person whose unsaved text is in the way. Errors: `LeaseHeld`, `LeaseLost`.
        """
        workspace = self._job.around.workspace
        if call.command is not None:
            files = await asyncio.to_thread(written, call.command, workspace)
            return await self._hands.meet(files) if files else None
        named = await asyncio.to_thread(_named, workspace, call) if call.name in NAMING else ()
        return await self._hands.lease_all({path: lambda: None for path in named}, call.started or "")

    async def _put(
        self, call: AgentCall, asked: ToolCall, options: Mapping[str, Option], note: str
    ) -> Option:
        question = await self._job.around.interventions.open(
            "approval",
            title=_title(asked),
            detail=f"{call.shown()}\n\n{note}",
            choices=[_choice(each) for each in options.values()],
            by=self._job.journal.principal,
            run=self._job.record.id,
            data={
                "callId": asked.id,
                "callKey": asked.key(),
                "tool": asked.name,
                "toolArgs": _place(call, asked),
                "policyNote": note,
            },
            parent=call.started,
        )
        async with self._standing.waiting(question.id):
            answer = await self._job.around.interventions.wait(question.id)
        option = options[answer.choice]
        if option.kind in REFUSALS:
            raise PolicyDenied(_why(answer))
        return option

    async def _refuse(self, call: AgentCall, refused: DescartesError) -> None:
        self.reasons.append(f"{call.title or call.name}: {refused.message}")
        await self._narrator.refused(call, refused)


def options_of(given: Sequence[schema.PermissionOption]) -> dict[str, Option]:
    """Return the choices that a person has for the options GIVEN; one to refuse is always among them."""
    found: dict[str, Option] = {}
    for each in given:
        id_ = base = IDS[each.kind]
        number = 1
        while id_ in found:
            number += 1
            id_ = f"{base}{number}"
        found[id_] = Option(id_, each.name, each.kind, each.option_id)
    if not any(each.kind in REFUSALS for each in found.values()):
        found["reject"] = Option("reject", "Reject", "reject_once", None)
    return found


def _allowing(options: Mapping[str, Option]) -> Option | None:
    return next((each for each in options.values() if each.kind == "allow_once"), None)


def _first(options: Mapping[str, Option], *kinds: str) -> str | None:
    found = [each for kind in kinds for each in options.values() if each.kind == kind]
    return found[0].option if found else None


def _choice(option: Option) -> Choice:
    arguments = ["reason"] if option.kind in REFUSALS else []
    return Choice(id=option.id, title=option.title, arguments=arguments)


def _place(call: AgentCall, asked: ToolCall) -> dict[str, str]:
    """Return what CALL is about, so that editors show the question there: `path`, `old`, a text in it."""
    found: dict[str, str] = {
        key: asked.arguments[key] for key in ("path", "command") if key in asked.arguments
    }
    for change in call.diffs[:1]:
        if change.old_text and len(change.old_text) <= LONGEST_PLACE:
            found["old"] = change.old_text
    return found


def _title(call: ToolCall) -> str:
    title = str(call.arguments.get("title") or "").strip().partition("\n")[0]
    return title[:80] if title else title_of(call)


def _why(answer: Answer) -> str:
    why = f": {answer.reason}" if answer.reason else ""
    return f"{answer.by.name} rejected this call{why}"


def _named(workspace: Path, call: AgentCall) -> list[Path]:
    """Return the files in WORKSPACE that CALL is about, by their real paths."""
    found = [real_path(workspace, path) for path in call.paths]
    return [path for path in found if path and path.is_relative_to(workspace) and not path.is_dir()]
