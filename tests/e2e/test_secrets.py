"""Secrets at the editor's door: what a person types is in no message, and values stay out of every one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, lsp

NOTIFIED = {"experimental": {"descartes": {"notifications": True}}}
PASSWORD = "correct horse battery"
VALUE = "hunter2-of-an-editor"


@pytest.fixture(autouse=True)
def no_password_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESCARTES_VAULT_PASSWORD", raising=False)


def types(client: LspClient, *texts: str | None) -> list[str]:
    """Let the person behind CLIENT type TEXTS, one for each question; returns the list of the questions."""
    asked: list[str] = []
    waiting = list(texts)

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params["prompt"])
        text = waiting.pop(0)
        if text is None:
            return {"given": False}
        pipe = Path(params["pipe"])
        assert pipe.is_fifo() and pipe.stat().st_mode & 0o777 == 0o600
        pipe.write_text(text)
        return {"given": True}

    client.replies["descartes/secret/input"] = answer
    return asked


def seen(client: LspClient) -> str:
    return json.dumps(client.messages, ensure_ascii=False)


async def test_a_secret_set_and_used_from_an_editor(
    workspace: Path, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lsp(workspace, capabilities=NOTIFIED, initializationOptions={"trusted": True}) as client:
        asked = types(client, VALUE, "too short", VALUE, PASSWORD)
        short = await client.refused("secret.set", {"name": "API_KEY"})
        assert short.code == "invalid_params" and "16 to 256" in str(short)
        made = await client.execute("secret.set", {"name": "API_KEY", "type": "api_key"})
        assert (made["name"], made["version"]) == ("API_KEY", 1)
        assert asked[0] == "Value of API_KEY" and asked[1].startswith("There is no vault yet")
        types(client, "another-value-of-it")
        assert (await client.execute("secret.rotate", {"name": "API_KEY"}))["version"] == 2
        listed = await client.execute("secret.list", {})
        assert [each["name"] for each in listed["secrets"]] == ["API_KEY"]
        words = {"task": "print", "command": ["sh", "-c", 'echo "it is $API_KEY"'], "secrets": ["API_KEY"]}
        run = await client.execute("run.spawn", words)
        printed = await client.notification("descartes/run/output", lambda p: p["run"] == run["id"])
        assert printed["text"] == "it is ‹secret:API_KEY›\n"
        await client.execute("secret.lock", {})
        types(client, "a wrong but long password")
        wrong = await client.refused("secret.unlock", {})
        assert wrong.code == "policy_denied" and "does not open the vault" in str(wrong)
        asked = types(client, PASSWORD)
        granted = {"name": "API_KEY", "principal": "agent:deploy"}
        assert (await client.execute("secret.grant", granted))["grant"]["level"] == "read"
        assert asked == ["Password of the vault"]
        types(client, None)
        given_up = await client.refused("secret.rotate", {"name": "API_KEY"})
        assert "nothing was typed" in str(given_up)
        audit = (await client.execute("secret.audit", {"failed": True}))["entries"]
        assert {each["action"] for each in audit} >= {"init", "unlock"}
        for text in (VALUE, PASSWORD, "another-value", "a wrong but long"):
            assert text not in seen(client)
        await client.execute("hub.stop", {"force": True})
    assert not list((isolated_environment / "run").rglob("secret-*"))
    # A hub that is started by whoever has the password masks what nobody has asked for.
    (workspace / "kept.txt").write_text(f"{VALUE}\nanother-value-of-it\n")
    monkeypatch.setenv("DESCARTES_VAULT_PASSWORD", PASSWORD)
    calls_itself = {"name": f"An editor of {VALUE}, ann@example.org"}
    options: dict[str, Any] = {"clientInfo": calls_itself, "initializationOptions": {"trusted": True}}
    async with lsp(workspace, capabilities=NOTIFIED, **options) as client:
        run = await client.execute("run.spawn", {"task": "print", "command": ["cat", "kept.txt"]})
        printed = await client.notification("descartes/run/output", lambda p: p["run"] == run["id"])
        assert printed["text"] == "‹secret:API_KEY›\n‹secret:API_KEY›\n"
        assert (await client.execute("secret.status", {}))["state"] == "locked"
        lease = await client.execute("lease.acquire", {"path": "kept.txt"})
        assert lease["holder"]["via"] == "An editor of ‹secret:API_KEY›, ‹email›"
        again = await client.execute("lease.acquire", {"path": "kept.txt"})
        assert again["token"] == lease["token"], "it is the same person's"
    kept = b"".join(path.read_bytes() for path in (workspace / ".descartes").rglob("*") if path.is_file())
    assert VALUE.encode() not in kept and b"ann@example.org" not in kept


async def test_what_an_editor_cannot_do_is_said(workspace: Path) -> None:
    async with lsp(workspace, capabilities=NOTIFIED) as client:
        types(client)
        for name, arguments in (
            ("secret.set", {"name": "A", "value": VALUE}),
            ("secret.unlock", {"password": PASSWORD}),
            ("secret.changePassword", {"newPassword": PASSWORD}),
        ):
            refused = await client.refused(name, arguments)
            assert refused.code == "invalid_params" and "in a terminal" in str(refused)
            assert VALUE not in str(refused) and PASSWORD not in str(refused)
        for name in ("secret.get", "secret.export", "secret.import"):
            refused = await client.refused(name, {"name": "A"})
            assert refused.code == "unsupported" and f"`descartes secret {name[7:]}" in str(refused)
        for name, arguments in (
            ("secret.grant", {"name": "A"}),
            ("secret.grant", {"name": "A", "principal": "agent:x", "level": "all"}),
            ("secret.remove", {}),
            ("secret.audit", {"limit": "many"}),
        ):
            assert (await client.refused(name, arguments)).code == "invalid_params"
        assert (await client.refused("secret.remove", {"name": "A"})).code == "not_found"


async def test_a_plain_client_is_sent_to_the_terminal(workspace: Path) -> None:
    async with lsp(workspace) as client:
        refused = await client.refused("secret.set", {"name": "A"})
        assert refused.code == "unsupported" and "`descartes secret set` in a terminal" in str(refused)
        assert await client.execute("secret.list", {}) == {"secrets": []}
        assert (await client.execute("secret.status", {}))["state"] == "missing"
