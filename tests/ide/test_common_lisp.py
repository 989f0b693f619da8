"""The table of the standard's symbols, known without a Lisp, against the real SBCL."""

from __future__ import annotations

import subprocess

from descartes_server.ide import common_lisp


def test_the_table_is_that_of_the_real_sbcl() -> None:
    form = '(do-external-symbols (s :cl) (format t "~(~a~) ~:[~;f~]~%" s (fboundp s)))'
    printed = subprocess.run(
        ["sbcl", "--noinform", "--no-sysinit", "--no-userinit", "--non-interactive", "--eval", form],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    real = {line.split()[0]: line.endswith(" f") for line in printed.splitlines() if line}
    table = common_lisp.symbols()
    assert len(real) == 978
    assert set(table) == set(real)
    bound = {name for name, is_bound in real.items() if is_bound}
    assert {name for name in table if table[name].arglist is not None} == bound


def test_lookup_knows_the_package_s_names() -> None:
    known = [name for name in ("car", "CL:CAR", "cl::car", "foo:car", ":car") if common_lisp.lookup(name)]
    assert known == ["car", "CL:CAR", "cl::car"]


def test_kinds_lambda_lists_and_documentation() -> None:
    reduce = common_lisp.symbols()["reduce"]
    assert reduce.kinds == ("function",)
    assert reduce.arglist is not None
    assert reduce.arglist.startswith("(function sequence ")
    assert common_lisp.symbols()["let"].kinds == ("special-operator",)
    assert common_lisp.symbols()["*print-base*"].kinds == ("variable",)
    assert common_lisp.symbols()["&key"].kinds == ("lambda-list-keyword",)
    assert common_lisp.symbols()["car"].documentation == "Return the 1st object in a list."


def test_every_symbol_of_the_standard_has_its_page() -> None:
    assert all(common_lisp.page(name) for name in common_lisp.symbols())
    assert common_lisp.page("CAR", "file:///clhs") == "file:///clhs/Body/f_car_c.htm"
    assert common_lisp.page("alexandria:flatten") is None
    assert common_lisp.page("car", "") is None
