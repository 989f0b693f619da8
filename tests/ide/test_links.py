"""What a text may lead to."""

from __future__ import annotations

import pytest

from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.links import links
from descartes_server.ide.syntax import parse


def found(text: str, path: str | None = "/w/src/a.lisp", index: WorkspaceIndex | None = None) -> list[str]:
    return [
        f"{text[each.start : each.end]} -> {each.url or ' '.join(each.paths)}{'/' if each.folder else ''}"
        for each in links(parse(text), path, index or WorkspaceIndex())
    ]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (";; é😀 see https://a.org/b?c=d&e=%20#f, and\r\n", "https://a.org/b?c=d&e=%20#f"),
        ("#| (http://a.org/x_(y)). |#", "http://a.org/x_(y)"),
        ("#|http://a.org|#", "http://a.org"),
        ('(f "<ftp://a.org/>")', "ftp://a.org/"),
        ('(f "\\"http://a.org\\"")', "http://a.org"),
        ('(f "http://a.org/', "http://a.org/"),
        (";; [text](HTTP://A.org/~b/)!", "HTTP://A.org/~b/"),
    ],
)
def test_pages(text: str, url: str) -> None:
    assert found(text, None) == [f"{url} -> {url}"]
    assert found(text) == [f"{url} -> {url}"]


@pytest.mark.parametrize(
    "text", ["http://a.org", "; http:// x", "; xhttp://", '"a" ; mailto:b@c.d', "", "(("]
)
def test_what_is_no_page(text: str) -> None:
    assert found(text, None) == []


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ('(load "x.lisp")', "x.lisp -> /w/src/x.lisp"),
        ('(LOAD "x")', "x -> /w/src/x /w/src/x.lisp"),
        ('(cl:load #p"../é😀")', "../é😀 -> /w/é😀 /w/é😀.lisp"),
        ('(load "/b/c.lisp")', "/b/c.lisp -> /b/c.lisp"),
        ('(f #P"x")', "x -> /w/src/x"),
        ('(f "data/x")', "data/x -> /w/src/data/x"),
        ('(f "a \\\\"b\\\\".txt")'.replace("\\\\", "\\"), 'a \\"b\\".txt -> /w/src/a "b".txt'),
        ('(f (g "x.txt"', "x.txt -> /w/src/x.txt"),
    ],
)
def test_names_of_files(text: str, link: str) -> None:
    assert found(text) == [link]
    assert found(text, None) == []


@pytest.mark.parametrize(
    "text", ['(f "x")', '(f "/etc/x.y")', '(f "")', ';; "x.txt"', '(f "a.\nb")', '(f "x.y']
)
def test_what_is_no_name_of_a_file(text: str) -> None:
    assert found(text) == []


SYSTEMS = """\
(asdf:defsystem #:zoo
  :depends-on (:garden (:version "Alexandria" "1.0") (:feature :x #:far) #+sbcl "zoo/base")
  :weakly-depends-on ("garden")
  :description "notes.txt"
  :pathname "src"
  :components ((:file "package")
               (:module cages :components ((:FILE "a.b") (:static-file "keys.txt")))
               (:module "flat" :pathname "" :components ((:file "x" :pathname "other.lisp")
"""


def test_parts_and_dependencies_of_systems() -> None:
    index = WorkspaceIndex()
    index.update("/w/old/garden-old.asd", '(defsystem "garden")')
    index.update("/w/garden/garden.asd", "(asdf:defsystem :garden) (defsystem :garden/test)")
    index.update("/w/lib/ALEXANDRIA.asd", '(defsystem "alexandria")')
    index.update("/w/zoo.asd", '(defsystem "zoo/base")')
    index.update("/w/far.lisp", "(defun far ())")
    garden = "/w/garden/garden.asd /w/old/garden-old.asd"
    assert found(SYSTEMS, "/w/zoo.asd", index) == [
        f":garden -> {garden}",
        "Alexandria -> /w/lib/ALEXANDRIA.asd",
        "1.0 -> /w/1.0",
        "zoo/base -> /w/zoo.asd",
        f"garden -> {garden}",
        "notes.txt -> /w/notes.txt",
        "package -> /w/src/package.lisp",
        "cages -> /w/src/cages/",
        "a.b -> /w/src/cages/a.b.lisp",
        "keys.txt -> /w/src/cages/keys.txt",
        "flat -> /w/src/",
        "x -> /w/src/other.lisp",
        "other.lisp -> /w/other.lisp",
    ]
    assert "package -> /w/src/package.lisp" not in found(SYSTEMS, "/w/zoo.lisp", index)
