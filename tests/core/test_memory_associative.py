"""Associative memory: what is alike is found, offline, and alike on every machine."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.memory.associative import AssociativeMemory
from descartes_core.memory.embedding import HashingEmbedder, Vector, packed, similarity, unpacked
from descartes_core.memory.notebook import Author
from descartes_core.store import Store
from support.log import FIXER

BY = Author(FIXER, "run_f1", "ses_1")
KNOWN = {
    "zero": "DIVISION-BY-ZERO signalled in the function AREA",
    "unbound": "the variable *RADIUS* is unbound",
    "package": "package ALEXANDRIA does not exist; load the system first",
    "parser": "makeParser fails on ratios such as 1/2",
}


@pytest.fixture
async def store(workspace: Path) -> AsyncIterator[Store]:
    opened = await Store.open(workspace / "log.db")
    yield opened
    await opened.close()


@pytest.fixture
async def memory(store: Store) -> AssociativeMemory[dict[str, Any]]:
    made = AssociativeMemory[dict[str, Any]](store, "errors", BY)
    for key, text in KNOWN.items():
        await made.add(text, {"about": key}, key=key)
    return made


@pytest.mark.ledger("S-02")
async def test_what_is_alike_is_found_the_most_alike_first(memory: AssociativeMemory[Any]) -> None:
    for asked, key in (
        ("division by zero", "zero"),
        ("divisoin by zero", "zero"),
        ("unbound variables", "unbound"),
        ("alexandria package missing", "package"),
        ("parsing a ratio", "parser"),
    ):
        found = await memory.query_similar(asked)
        assert (found[0].key, found[0].value) == (key, {"about": key}), asked
        assert [each.similarity for each in found] == sorted((e.similarity for e in found), reverse=True)
    (same,) = await memory.query_similar(KNOWN["zero"], min_similarity=0.99)
    assert same.similarity == pytest.approx(1.0)
    every = await memory.query_similar("the function variable package fails", top_k=10)
    assert len(every) == 4
    least = every[1].similarity
    assert (
        await memory.query_similar("the function variable package fails", min_similarity=least) == every[:2]
    )
    assert await memory.query_similar("the function variable package fails", top_k=1) == every[:1]
    assert await memory.query_similar("qqq") == await memory.query_similar("") == []


@pytest.mark.ledger("S-02")
async def test_it_is_a_fold_of_the_log_and_apart_from_others(
    memory: AssociativeMemory[Any], store: Store
) -> None:
    other = AssociativeMemory[dict[str, Any]](store, "others", BY)
    assert await other.query_similar("division by zero") == []
    await memory.add("the radius is zero", {"about": "new"}, key="zero")
    await memory.remove("package")
    found = await memory.query_similar("division by zero radius")
    assert found[0].value == {"about": "new"}
    left = [each.key for each in await memory.query_similar("alexandria package")]
    assert "package" not in left
    await store.rebuild()
    assert await memory.query_similar("division by zero radius") == found
    with pytest.raises(NotFound):
        await memory.remove("package")


async def test_an_embedder_of_ones_own_compares_every_text(store: Store) -> None:
    class Length:
        def embed(self, text: str) -> Vector:
            return {0: math.cos(len(text) / 100), 1: math.sin(len(text) / 100)}

    memory = AssociativeMemory[dict[str, Any]](store, "lengths", BY, embedder=Length())
    for size in (10, 20, 40):
        await memory.add("x" * size, {"size": size})
    assert [each.value["size"] for each in await memory.query_similar("y" * 22)] == [20, 10, 40]


async def test_what_makes_no_sense_is_said(memory: AssociativeMemory[Any]) -> None:
    for text in ("", "the of", "()"):
        with pytest.raises(InvalidParams):
            await memory.add(text, {})
    for wrong in ({"top_k": 0}, {"min_similarity": 2}):
        with pytest.raises(InvalidParams):
            await memory.query_similar("x", **wrong)  # type: ignore[arg-type]


@pytest.mark.ledger("S-02")
def test_a_vector_is_the_same_in_every_process() -> None:
    text = "Parse the λ-list of makeParser 😀"
    code = (
        "import sys, hashlib; from descartes_core.memory.embedding import *; "
        "print(hashlib.sha256(packed(HashingEmbedder().embed(sys.argv[1]))).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, text], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True
    )
    here = hashlib.sha256(packed(HashingEmbedder().embed(text))).hexdigest()
    assert there.stdout.decode().strip() == here


TEXTS = st.text(max_size=60)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS)
def test_similarity_is_a_cosine(one: str, other: str) -> None:
    embed = HashingEmbedder().embed
    a, b = embed(one), embed(other)
    assert -1 <= similarity(a, b) <= 1
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert similarity(a, a) == (pytest.approx(1.0) if a else 0)
    assert unpacked(packed(a)).keys() == a.keys()
