"""What a lease is about: one name for one file, and what overlaps what."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import InvalidParams
from descartes_core.leases.paths import LeasePath, Paths, overlap


@pytest.fixture
def paths(workspace: Path) -> Paths:
    (workspace / "src").mkdir()
    (workspace / "src" / "a.lisp").write_text("")
    (workspace / "link.lisp").symlink_to("src/a.lisp")
    (workspace / "linked").symlink_to(workspace / "src")
    (workspace / "strange[1]*.lisp").write_text("")
    (workspace / "c.lisp#x").write_text("")
    return Paths(workspace)


@pytest.mark.ledger("D-56")
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("b", "b"),
        ("./a/../b", "b"),
        ("a//b/", "a/b"),
        ("src/a.lisp", "src/a.lisp"),
        ("link.lisp", "src/a.lisp"),
        ("linked/a.lisp", "src/a.lisp"),
        ("linked/new.lisp", "src/new.lisp"),
        ("ein Verzeichnis/é😀 λ.lisp", "ein Verzeichnis/é😀 λ.lisp"),
        ("not/there/yet.lisp", "not/there/yet.lisp"),
        ("/etc/../etc/hosts", "/etc/hosts"),
        (".", "."),
        ("src/../", "."),
        ("strange[1]*.lisp", "strange[1]*.lisp"),
        ("./x/../src/*.lisp", "src/*.lisp"),
        ("*.lisp", "*.lisp"),
        ("linked/**/[a-c]?.lisp", "src/**/[a-c]?.lisp"),
        ("/etc/*.conf", "/etc/*.conf"),
        ("linked/a.lisp#FACTORIAL", "src/a.lisp#FACTORIAL"),
        ("c.lisp#x", "c.lisp#x"),
        ("#notes", "#notes"),
    ],
)
def test_one_name_for_one_thing(paths: Paths, given: str, name: str) -> None:
    assert paths.of(given).text == name


@pytest.mark.ledger("D-56")
def test_a_uri_names_a_file_and_never_a_glob(paths: Paths, workspace: Path) -> None:
    root = workspace.resolve()
    for file in ("src/a.lisp", "new é.lisp", "strange[1]*.lisp", "no[t]*.lisp"):
        path = paths.of((workspace / file).as_uri())
        assert (path.text, path.glob) == (file, False)
        assert paths.uri(path) == (root / file).as_uri()
    assert paths.of("file:///etc/hosts").text == "/etc/hosts"
    assert paths.of((workspace / "linked/a.lisp").as_uri() + "#FOO").text == "src/a.lisp#FOO"
    with pytest.raises(InvalidParams, match="on this machine"):
        paths.of("file://server/share/a.lisp")


def test_a_workspace_that_is_itself_a_link_is_the_same_workspace(paths: Paths, workspace: Path) -> None:
    other = workspace.parent / "alias"
    other.symlink_to(workspace)
    assert Paths(other).of(other / "src/a.lisp") == paths.of("src/a.lisp")


@pytest.mark.ledger("D-56")
def test_where_case_is_ignored_the_spelling_on_disk_counts(workspace: Path) -> None:
    (workspace / "Src" / "Ä").mkdir(parents=True)
    paths = Paths(workspace, ignores_case=True)
    assert paths.of("SRC/ä/New.lisp").text == "Src/Ä/New.lisp"
    assert paths.of("sRc").text == "Src"


@pytest.mark.parametrize(
    "bad", ["", "a\0b", os.fsdecode(b"caf\xe9.lisp"), "src/*/../x", "file:///a%00b", "/", "/**", "..", "../*"]
)
def test_what_is_no_path_is_said(paths: Paths, bad: str) -> None:
    with pytest.raises(InvalidParams):
        paths.of(bad)


OVERLAPS = [
    ("a", "a", True),
    ("a", "b", False),
    ("src/a.lisp", "link.lisp", True),
    ("src", "src/a.lisp", True),
    ("src", "srcs/a.lisp", False),
    (".", "anything/at/all", True),
    ("src", "src/deep/*.lisp", True),
    ("missing", "missing/a", False),
    ("src/*.lisp", "src/a.lisp", True),
    ("src/*.lisp", "src/.lisp", True),
    ("src/*.lisp", "src/deep/a.lisp", False),
    ("src/*", "src/deep/a.lisp", False),
    ("src/**", "src/deep/a.lisp", True),
    ("**/*.lisp", "a.lisp", True),
    ("**/*.lisp", "src/deep/a.lisp", True),
    ("**/*.lisp", "Makefile", False),
    ("*.lisp", "**/*.asd", False),
    ("src/*.lisp", "*/a.*", True),
    ("src/**/x", "**/y/x", True),
    ("a*b", "ab*", True),
    ("a*b", "*c", False),
    ("?", "é", True),
    ("?", "ab", False),
    ("[a-c].lisp", "b.lisp", True),
    ("[a-c].lisp", "d.lisp", False),
    ("[!a-c].lisp", "d.lisp", True),
    ("[!a-c].lisp", "b.lisp", False),
    ("[]x].lisp", "].lisp", True),
    ("[z-a].lisp", "q.lisp", True),
    ("strange[1]*.lisp", "strange1.lisp", False),
    ("strange[1]*.lisp", "strange?1]*.lisp", True),
    ("src/a.lisp#FOO", "src/a.lisp", True),
    ("src/a.lisp#FOO", "src/a.lisp#FOO", True),
    ("src/a.lisp#FOO", "src/a.lisp#BAR", False),
    ("src/a.lisp#FOO", "src/*.lisp", True),
    ("src/a.lisp#FOO", "src", True),
    ("/etc/*", "/etc/hosts", True),
]


@pytest.mark.parametrize(("one", "other", "expected"), OVERLAPS)
def test_overlap(paths: Paths, one: str, other: str, expected: bool) -> None:
    assert overlap(paths.of(one), paths.of(other)) is expected
    assert overlap(paths.of(other), paths.of(one)) is expected


NAMES = st.text("ab*?", min_size=1, max_size=6)


@given(pattern=NAMES, name=st.text("ab", min_size=1, max_size=6))
def test_a_pattern_covers_the_names_that_fit_it(pattern: str, name: str) -> None:
    if pattern == "**":
        return
    one, file = LeasePath(pattern, pattern, glob=True), LeasePath(name, name)
    assert overlap(one, file) is fnmatchcase(name, pattern)


@given(one=NAMES, other=NAMES, name=st.text("ab", min_size=1, max_size=5))
def test_two_patterns_with_a_name_in_common_overlap(one: str, other: str, name: str) -> None:
    if fnmatchcase(name, one) and fnmatchcase(name, other):
        assert overlap(LeasePath(one, one, glob=True), LeasePath(other, other, glob=True))


def test_a_pattern_made_to_be_slow_is_not() -> None:
    slow, name = "*a" * 120, "a" * 250 + "b"
    assert not overlap(LeasePath(slow, slow, glob=True), LeasePath(name, name))
