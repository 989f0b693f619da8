"""`textDocument/documentLink` through a real server: what exists, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp
from support.until import answer_that


def places(answer: list[Any]) -> list[tuple[int, int, int, str]]:
    return [
        (start["line"], start["character"], end["character"], each["target"])
        for each in answer
        for start, end in [(each["range"]["start"], each["range"]["end"])]
    ]


async def test_links_lead_to_pages_and_to_files_that_exist(workspace: Path) -> None:
    (workspace / "src" / "é 😀").mkdir(parents=True)
    for name in ("x.lisp", "src/é 😀/y.txt"):
        (workspace / name).write_text("")
    text = (
        ";; é😀 https://a.org/b.\r\n"
        '(load "../x") (load "missing.lisp")\r\n'
        '(f "é😀" #P"é 😀/y.txt" "é 😀/" "../x.lisp\0"\r\n'
    )
    async with lsp(workspace) as client:
        assert not client.capabilities["documentLinkProvider"]["resolveProvider"]
        uri = client.open(workspace / "src" / "a.lisp", text)
        answer = await client.of("documentLink", uri)
        assert places(answer) == [
            (0, 7, 22, "https://a.org/b"),
            (1, 7, 11, (workspace / "x.lisp").as_uri()),
            (2, 12, 22, (workspace / "src/é 😀/y.txt").as_uri()),
        ]
        assert [each["tooltip"] for each in answer] == ["Opens this page.", *2 * ["Opens this file."]]


async def test_parts_and_dependencies_of_systems(workspace: Path) -> None:
    (workspace / "lib").mkdir()
    (workspace / "cages").mkdir()
    for name in ("package.lisp", "cages/keys.txt"):
        (workspace / name).write_text("")
    (workspace / "lib" / "garden.asd").write_text('(defsystem "garden")')
    file = workspace / "zoo.asd"
    file.write_text(
        '(defsystem "zoo" :depends-on ("garden" "nowhere") :components\n'
        '  ((:file "package") (:file "gone")\n'
        '   (:module "cages" :components ((:static-file "keys.txt")))))\n'
    )
    async with lsp(workspace) as client:
        uri = client.open(file)
        garden = (0, 31, 37, (workspace / "lib" / "garden.asd").as_uri())

        async def asked() -> Any:
            return places(await client.of("documentLink", uri))

        assert await answer_that(lambda answer: garden in answer, asked, "the system is known") == [
            garden,
            (1, 11, 18, (workspace / "package.lisp").as_uri()),
            (2, 13, 18, (workspace / "cages").as_uri()),
            (2, 48, 56, (workspace / "cages" / "keys.txt").as_uri()),
        ]


async def _links(client: LspClient, uri: str) -> Any:
    return await client.of("documentLink", uri)


async def test_texts_that_are_no_lisp_files(workspace: Path) -> None:
    (workspace / "x.lisp").write_text("")
    async with lsp(workspace) as client:
        settings = client.open(workspace / "descartes.toml", '# https://a.org\nx = "x.lisp"\n')
        assert await _links(client, settings) == []
        item = {"uri": "untitled:1", "languageId": "commonlisp", "version": 1}
        text = '(load "x.lisp") ; https://a.org'
        client.notify("textDocument/didOpen", {"textDocument": {**item, "text": text}})
        assert places(await _links(client, "untitled:1")) == [(0, 18, 31, "https://a.org")]
        with pytest.raises(LspError, match="there is none"):
            await _links(client, (workspace / "missing.lisp").as_uri())
