"""The workspace's definitions."""

from __future__ import annotations

import pickle
from pathlib import Path

from descartes_server.ide.index import WorkspaceIndex, package_name, scan
from descartes_server.operations.source_files import SIZE_LIMIT, read_source


def found(index: WorkspaceIndex, name: str, package: str | None = None) -> list[str]:
    return [f"{entry.path} {entry.package} {entry.kind}" for entry in index.lookup(name, package)]


def test_an_update_replaces_what_a_file_defined() -> None:
    index = WorkspaceIndex()
    index.update("a.lisp", "(in-package :p)\n(defun f () 1)\n(defvar *v* 2)")
    assert found(index, "F") == ["a.lisp P function"]
    index.update("a.lisp", "(defmacro f () 1)")
    assert found(index, "f") == ["a.lisp COMMON-LISP-USER macro"]
    assert found(index, "*v*") == []
    index.remove("a.lisp")
    assert found(index, "f") == []
    assert index.paths() == ()


def test_the_asked_package_comes_first() -> None:
    index = WorkspaceIndex()
    index.update("a.lisp", "(in-package :a)\n(defun f () 1)")
    index.update("b.lisp", '(in-package "B")\n(defun f () 1)')
    assert found(index, "f", "#:b") == ["b.lisp B function", "a.lisp A function"]
    assert found(index, "a::f") == ["a.lisp A function", "b.lisp B function"]


def test_designators_mean_their_package() -> None:
    names = [package_name(text) for text in ("#:foo", ":foo", '"Foo"', "foo", "|Foo|", ":|Foo|")]
    assert names == ["FOO", "FOO", "Foo", "FOO", "Foo", "Foo"]


def test_a_scan_reads_lisp_files_only_and_survives_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a b é.lisp").write_text("(defun ä () 1)", "utf-8")
    (tmp_path / "sys.asd").write_text('(asdf:defsystem "sys")')
    (tmp_path / "latin.cl").write_bytes(b'(defun g () "\xe9")')
    (tmp_path / "notes.txt").write_text("(defun no () 1)")
    (tmp_path / "folder.lisp").mkdir()
    (tmp_path / "binary.lsp").write_bytes(bytes(range(256)) * 20)
    paths = [str(path) for path in sorted(tmp_path.iterdir())] + [str(tmp_path / "missing.lisp")]
    index = WorkspaceIndex()
    names = {Path(file.path).name for file in index.scan(paths, read_source)}
    assert names == {"a b é.lisp", "sys.asd", "latin.cl", "binary.lsp"}
    assert [len(index.lookup(name)) for name in ("ä", "sys", "g", "no")] == [1, 1, 1, 0]


def test_a_scan_is_bounded(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.lisp").write_text(f"(defun f{number} () 1)")
    (tmp_path / "0.lisp").write_text("(defun big () 1)" + " " * SIZE_LIMIT)
    files = list(scan([str(path) for path in sorted(tmp_path.iterdir())], read_source, limit=3))
    assert [Path(file.path).name for file in files] == ["1.lisp", "2.lisp"]


def test_what_a_scan_finds_can_travel_between_processes(tmp_path: Path) -> None:
    (tmp_path / "a.lisp").write_text("\n(defclass c () ((s :initarg :s)))")
    (file,) = scan([str(tmp_path / "a.lisp")], read_source)
    again = pickle.loads(pickle.dumps(file))
    assert again == file
    entry = again.entries[0]
    assert (entry.name, entry.initargs, entry.name_line, entry.name_column) == ("c", (":s",), 1, 10)
    assert again.entries[1].container == "c"
