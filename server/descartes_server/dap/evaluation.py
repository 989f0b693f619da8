"""Evaluating what the client types, hovers over and watches, and telling how each evaluation went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from descartes_core.errors import DebuggerStale, DescartesError, InvalidParams, NotFound
from descartes_server.dap import arguments, console, texts
from descartes_server.dap.channel import Reply
from descartes_server.dap.objects import Node, is_structured
from descartes_server.dap.requests import request
from descartes_server.dap.stops import Frame, Stop
from descartes_server.operations.texts import uri_of

if TYPE_CHECKING:
    from descartes_server.dap.adapter import Adapter

FAILED = ":DESCARTES-FAILED"
Evaluation = Mapping[str, Any]
"""As in interface.md."""


class Failed(DescartesError):
    """An evaluation that did not come to its end; the message says why."""

    code = "evaluation_failed"


@request("evaluate", arguments.Evaluate)
async def evaluate(adapter: Adapter, asked: arguments.Evaluate) -> Reply | dict[str, Any]:
    """Evaluate Lisp text, in a frame where one is given; in the console also commands and awaited input."""
    frame = _chosen(adapter, asked)
    if asked.context in ("hover", "watch", "variables", "clipboard"):
        if asked.context == "hover" and not texts.is_name(asked.expression):
            raise InvalidParams(f"expected the name of a variable, got {asked.expression[:60]!r}")
        return await shown(adapter, await quietly(adapter, texts.form(asked.expression), frame))
    if adapter.questions.waiting:
        return {"result": adapter.questions.answer(asked.expression), "variablesReference": 0}
    if console.is_command(asked.expression):
        return await console.perform(adapter, asked.expression, frame)
    # What does not end would stop the reader, one level deeper.
    texts.forms(asked.expression)
    return await _aloud(adapter, asked.expression, frame)


@request("setExpression", arguments.SetExpression)
async def set_expression(adapter: Adapter, asked: arguments.SetExpression) -> dict[str, Any]:
    """Give a place, any that `setf` knows, another value."""
    frame = None if asked.frame_id is None else adapter.stops.frame(asked.frame_id)
    place, value = texts.form(asked.expression), texts.form(asked.value)
    done = await quietly(adapter, f"(cl:setf {place} {value})", frame)
    adapter.invalidated("variables")
    answer = await shown(adapter, done)
    return {"value": answer.pop("result"), **answer}


async def quietly(adapter: Adapter, form: str, frame: Frame | None) -> Evaluation:
    """Return the evaluation of FORM, which never leaves a stop behind. Errors: `Failed` when it errs."""
    guarded = (
        f"(cl:handler-case {form}\n"
        f" (cl:serious-condition (cl:condition) (cl:values {FAILED} (cl:princ-to-string cl:condition))))"
    )
    with adapter.stops.held():
        done = await _ask(adapter, guarded, frame)
        if done["state"] == "stopped":
            await _abandon(adapter, done)
    values = done["values"]
    if done["state"] != "done":
        raise Failed(_why(done))
    if values[:1] == [FAILED]:
        raise Failed(_unquoted(values[1]))
    return done


def _chosen(adapter: Adapter, asked: arguments.Evaluate) -> Frame | None:
    """Return the frame to evaluate in. Errors: `DebuggerStale` when its stop was left.

    What is typed in the console is evaluated at top level then: some clients send the frame that was chosen
    last until they show another one. A command is not, for it might be about another stop.
    """
    if asked.frame_id is None:
        return None
    typed = asked.context == "repl" and not console.is_command(asked.expression)
    if typed and adapter.stops.was_left(asked.frame_id):
        return None
    return adapter.stops.frame(asked.frame_id)


async def launch(adapter: Adapter, asked: arguments.Launch) -> None:
    """Do what a launch ASKED for, and tell in the console how it went."""
    adapter.evaluating += 1
    try:
        if asked.load is not None and not await _loaded(adapter, asked.load):
            return
        params = {"code": asked.expression, **({} if asked.package is None else {"package": asked.package})}
        done = await adapter.session.call("lisp.eval", params)
        if done["state"] == "stopped":
            adapter.awaited.add(done["id"])
        else:
            tell(adapter, done)
    except DescartesError as error:
        adapter.channel.output(error.message, "stderr")
    finally:
        adapter.evaluating -= 1


async def _loaded(adapter: Adapter, file: str) -> bool:
    """Load FILE, seen from the workspace; returns whether that went well, and tells why if not.

    A load that stops is waited for: it goes on once its stop is left.
    """
    path = adapter.session.workspace.root / file
    done: Evaluation = await adapter.session.call("lisp.loadFile", {"uri": uri_of(path)})
    if done["state"] in ("stopped", "running"):
        done = await adapter.until_ended(done["evaluation"])
    if done["state"] != "done":
        adapter.channel.output(f"{file} was not loaded; {_why(done)}", "stderr")
    return bool(done["state"] == "done")


def tell(adapter: Adapter, done: Evaluation) -> None:
    """Show in the console how the evaluation DONE ended."""
    if done["state"] == "done":
        adapter.channel.output(
            "".join(f"⇒ {value}\n" for value in done["values"]) or "⇒ no values", "console"
        )
    else:
        adapter.channel.output(_why(done), "stderr")


async def shown(adapter: Adapter, done: Evaluation) -> dict[str, Any]:
    """Return the body of a response with the values of the evaluation DONE, the first to be looked into."""
    values = done["values"]
    body = {"result": "\n".join(values) or "; no values", "variablesReference": 0}
    if not values or not is_structured(values[0]):
        return body
    node = Node(adapter, {"evaluation": done["id"], "value": 0}, None)
    return {**body, "variablesReference": adapter.references.add(node, None), **await node.sizes()}


def reason(stop: Stop) -> str:
    """Return the protocol's word for why the thread of STOP is stopped."""
    kind = stop.debugger["condition"]["type"].rpartition(":")[2].lower()
    if stop.debugger.get("stepping"):
        return "step"
    if stop.debugger.get("breakpoint") or kind.endswith("breakpoint"):
        return "breakpoint"
    if kind in ("interrupt", "interactive-interrupt"):
        return "pause"
    return "step" if kind.startswith("step") else "exception"


async def _aloud(adapter: Adapter, code: str, frame: Frame | None) -> Reply:
    """Evaluate CODE; an error in it is a stop like any other."""
    adapter.evaluating += 1
    try:
        done = await _ask(adapter, code, frame)
        if done["state"] == "stopped":
            adapter.awaited.add(done["id"])
    finally:
        adapter.evaluating -= 1
    succeeded = done["state"] == "done"
    return Reply(
        await shown(adapter, done) if succeeded else None,
        # Code in a frame may have set its variables.
        None if frame is None else lambda: adapter.invalidated("variables"),
        None if succeeded else Failed(_why(done)),
    )


async def _ask(adapter: Adapter, code: str, frame: Frame | None) -> Evaluation:
    if frame is None:
        return await adapter.session.call("lisp.eval", {"code": code})
    return await adapter.session.call("debugger.evalInFrame", {**frame.key, "code": code})


async def _abandon(adapter: Adapter, done: Evaluation) -> None:
    try:
        await adapter.session.call("debugger.abort", done["debugger"])
    except (DebuggerStale, NotFound):
        return


def _why(done: Evaluation) -> str:
    """Return in one sentence what became of DONE, an evaluation that has no values."""
    condition, stop = done.get("condition"), done.get("debugger")
    what = f"{condition['type']}: {condition['message']}" if condition else ""
    if done["state"] == "stopped" and stop:
        where = f"thread {stop['thread']}, level {stop['level']}"
        return f"{what}\n(stopped in {where}; `,restarts` shows the ways out)"
    if done["state"] == "lost":
        return "the image was lost before the evaluation ended"
    return f"the evaluation was aborted{f' ({what})' if what else ''}"


def _unquoted(text: str) -> str:
    """Return what the printed string TEXT says."""
    inner = text[1:-1] if text[:1] == text[-1:] == '"' else text
    return inner.replace('\\"', '"').replace("\\\\", "\\")
