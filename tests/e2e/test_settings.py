"""Settings files in an editor: marks while typing, completion, hovers, quick fixes, changes while running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.lsp_client import LspClient, lsp

PUBLISHED = "textDocument/publishDiagnostics"


TRUSTED = {"initializationOptions": {"trusted": True}}


async def marks(client: LspClient, uri: str, fits: Any, after: int = 0) -> list[dict[str, Any]]:
    found = await client.notification(
        PUBLISHED, lambda it: it["uri"] == uri and fits(it["diagnostics"]), after=after
    )
    diagnostics: list[dict[str, Any]] = found["diagnostics"]
    return diagnostics


def labels(answer: dict[str, Any]) -> list[str]:
    return [each["label"] for each in answer["items"]]


async def test_what_is_wrong_is_marked_while_it_is_typed(workspace: Path) -> None:
    file = workspace / "descartes.toml"
    file.write_text("")
    async with lsp(workspace, **TRUSTED) as client:
        uri = client.open(file)
        text = '# (λ "😀\n[leases]\nttlSeconds = 0\nttlSecond = 1\n'
        text += '[policy]\nrules = [{when = "tool.nam", then = "ask"}]\n'
        client.change(uri, 2, {"text": text})
        found = await marks(client, uri, lambda it: len(it) == 3)
        shown = [(each["range"]["start"]["line"], each["range"]["end"]["character"]) for each in found]
        assert sorted(shown) == [(2, 10), (3, 9), (5, 14)]
        messages = " ".join(each["message"] for each in found)
        assert "did you mean 'leases.ttlSeconds'" in messages and "tool has no 'nam'" in messages
        seen = len(client.messages)
        client.change(uri, 3, {"text": "[leases\n"})
        (found_one,) = await marks(client, uri, lambda it: len(it) == 1, after=seen)
        assert "expected TOML" in found_one["message"] and found_one["severity"] == 1
        seen = len(client.messages)
        client.change(uri, 4, {"text": "[leases]\nttlSeconds = 5\n"})
        await marks(client, uri, lambda it: it == [], after=seen)


async def test_names_and_values_are_completed_and_explained(workspace: Path) -> None:
    file = workspace / "descartes.toml"
    text = "lea\n[leases]\ntt\n[diagnostics]\ndrift = \n[[policy.rules]]\nwh\n[pe\n"
    text += "[performance]\n\ncacheTtlSecs = 4\n"
    file.write_text(text)
    async with lsp(workspace) as client:
        uri = client.open(file)
        top = await client.at("completion", uri, 0, 3)
        assert {"[hub]", "leases.ttlSeconds", "version"} <= set(labels(top))
        keys = await client.at("completion", uri, 2, 2)
        assert labels(keys) == ["ttlSeconds"]
        (item,) = keys["items"]
        assert item["textEdit"]["newText"] == "ttlSeconds = 300"
        assert item["textEdit"]["range"]["start"] == {"line": 2, "character": 0}
        resolved = await client.request("completionItem/resolve", item)
        assert "lasts unless it is renewed" in resolved["documentation"]["value"]
        assert labels(await client.at("completion", uri, 4, 8)) == ["true", "false"]
        assert labels(await client.at("completion", uri, 6, 2)) == ["when", "then", "reason"]
        assert "performance" in labels(await client.at("completion", uri, 7, 3))
        given = labels(await client.at("completion", uri, 9, 0))
        assert "maxConcurrentAgents" in given and "cacheTtlSecs" not in given
        hover = await client.at("hover", uri, 10, 3)
        assert hover["contents"]["value"].startswith("**`performance.cacheTtlSecs`** number, 300")
        assert hover["range"]["end"] == {"line": 10, "character": 12}
        assert (await client.at("hover", uri, 5, 10))["contents"]["value"].startswith("**`policy.rules`**")
        assert await client.at("hover", uri, 10, 15) is None
        # It is no Lisp whatever its signs.
        assert (await client.of("documentSymbol", uri)) in (None, [])


LITERALS = {
    "capabilities": {
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}
    }
}


async def test_old_names_and_versions_have_quick_fixes(workspace: Path) -> None:
    file = workspace / "descartes.toml"
    file.write_text("[leases]\nttl_seconds = 5\n")
    async with lsp(workspace, **LITERALS, **TRUSTED) as client:
        uri = client.open(file)
        (mark,) = await marks(client, uri, lambda it: len(it) == 1)
        assert (mark["code"], mark["severity"]) == ("setting.renamed", 3)
        asked = {"range": mark["range"], "context": {"diagnostics": [mark]}}
        (fix,) = [each for each in await client.of("codeAction", uri, **asked) if "edit" in each]
        assert (fix["title"], fix["kind"]) == ("Call it ttlSeconds", "quickfix")
        assert fix["edit"]["changes"][uri] == [{"range": mark["range"], "newText": "ttlSeconds"}]
        client.change(uri, 2, {"text": '# mine\n[provider.x]\nkey = "k"\n'})
        (mark,) = await marks(client, uri, lambda it: it and it[0]["code"] == "setting.version")
        asked = {"range": mark["range"], "context": {"diagnostics": [mark]}}
        (fix,) = [each for each in await client.of("codeAction", uri, **asked) if "edit" in each]
        assert fix["title"] == "Bring this file to version 2.0.0"
        (edit,) = fix["edit"]["changes"][uri]
        assert edit["newText"].startswith('version = "2.0.0"\n# mine\n[providers.x]\napiKey = "k"\n')


async def test_a_setting_counts_from_the_editor_and_from_the_file_while_running(workspace: Path) -> None:
    async with lsp(workspace, **TRUSTED) as client:
        shown = await client.execute("config.show", {"key": "leases.ttlSeconds"})
        assert shown["settings"][0]["value"] == 300
        done = await client.execute("config.set", {"key": "leases.ttlSeconds", "value": 60})
        assert (done["value"], done["note"]) == (60, None)
        settings = {"descartes": {"leases": {"ttlSeconds": 90}}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        shown = await client.execute("config.show", {"key": "leases.ttlSeconds"})
        assert (shown["settings"][0]["value"], shown["settings"][0]["origin"]) == (90, "editor")
        done = await client.execute("config.set", {"key": "leases.ttlSeconds", "value": 70})
        assert (done["value"], done["origin"]) == (90, "editor")
        assert "editor decides" in done["note"]
        wrong = await client.refused("config.set", {"key": "leases.ttlSeconds", "value": "soon"})
        assert wrong.code == "invalid_params"
        missing = await client.refused("config.set", {"key": "nope", "value": 1})
        assert missing.code == "not_found"
        assert (workspace / "descartes.toml").read_text() == "[leases]\nttlSeconds = 70\n"
        # What an operation wrote is read again by every server.
        client.notify("workspace/didChangeConfiguration", {"settings": {"descartes": {}}})
        shown = await client.execute("config.show", {"key": "leases.ttlSeconds"})
        assert shown["settings"][0]["value"] == 70
