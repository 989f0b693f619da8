"""Measure the reader of Lisp forms against `sexpdata`, on big replies of a real Swank; print a table.

Run: python benchmarks/reader.py [--json FILE] [--rounds N]. Needs sbcl and cl-swank. All figures are of one
run, readers in turn, so that the ratios hold where the milliseconds do not.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sexpdata

from descartes_swank import fast_reader, framing, general_reader, messages, parsing, sexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.stock_swank import run_stock_swank

_GOAL = 8.0
_GOAL_SIZE = 500_000

_QUESTIONS = {
    "apropos, external, with documentation": '(swank:apropos-list-for-emacs "t" cl:t)',
    "apropos, everything with an e": '(swank:apropos-list-for-emacs "e")',
    "completions, plain": """
        (cl:mapcar (cl:lambda (p) (cl:first (swank:simple-completions "" p)))
                   '("SB-IMPL" "SB-KERNEL" "SB-C" "SB-VM"))""",
    "completions, fuzzy": """
        (cl:mapcar (cl:lambda (s) (swank:fuzzy-completions s "SB-C" :limit 20000 :time-limit-in-msec 60000))
                   '("s" "c" "t"))""",
    "definitions": """
        (cl:loop for p in '(:cl :sb-ext :sb-sys :sb-kernel)
                 append (cl:loop for s being the external-symbols of p
                                 when (cl:fboundp s)
                                 append (swank:find-definitions-for-emacs (cl:prin1-to-string s))))""",
    "callers of three functions": """
        (cl:mapcar (cl:lambda (name) (swank:xref :calls name)) '("cl:list" "cl:car" "cl:cdr"))""",
    "packages as nested plists": """
        (cl:loop for p in (cl:list-all-packages)
                 collect (cl:list :name (cl:package-name p) :nicknames (cl:package-nicknames p) :symbols
                           (cl:loop for s being the external-symbols of p
                                    for id from 0
                                    collect (cl:list :name (cl:symbol-name s) :id id :bound (cl:boundp s)
                                            :plist (cl:list :kind (cl:if (cl:fboundp s) :function :none)
                                                            :length (cl:length (cl:symbol-name s)))))))""",
    "threads, small": "(swank:list-threads)",
}
_DEEP = '(cl:labels ((deep (n) (cl:if (cl:zerop n) (cl:error "x") (cl:1+ (deep (cl:1- n)))))) (deep 13000))'


class _Client:
    """Asks a Swank and keeps the packets as they came; plain sockets, so that no reader is involved."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._framer = framing.Framer()
        self._request = 0

    def reply(self, form: str, thread: Any = True) -> str:
        """Return the whole `:return` packet that answers FORM."""
        self._ask(form, thread)
        return next(packet for packet in self._packets() if packet.startswith("(:return"))

    def stopped_thread(self, form: str) -> messages.Thread:
        """Return the thread that FORM, which fails, has stopped."""
        self._ask(form, True)
        events = (parsing.parse(sexp.read(packet)[0]) for packet in self._packets())
        return next(event.thread for event in events if isinstance(event, messages.Debug))

    def close(self) -> None:
        self._socket.close()

    def _ask(self, form: str, thread: Any) -> None:
        self._request += 1
        header = f'"COMMON-LISP-USER" {sexp.write(thread)} {self._request}'
        self._socket.sendall(framing.encode(f"(:emacs-rex {form} {header})"))

    def _packets(self) -> Iterator[str]:
        while True:
            for packet in self._framer.feed(self._socket.recv(1 << 20)):
                yield packet.decode()


def real_replies() -> dict[str, str]:
    """Return packets of a freshly started Swank by what they are."""
    with tempfile.TemporaryDirectory() as folder, run_stock_swank(Path(folder)) as swank:
        client = _Client(swank.port)
        client.reply("(swank:swank-require '(:swank-fuzzy))")
        replies = {name: client.reply(form) for name, form in _QUESTIONS.items()}
        thread = client.stopped_thread(_DEEP)
        replies["backtrace, 12,000 frames"] = client.reply("(swank:backtrace 0 12000)", thread)
        client.close()
    return replies


def medians_ms(readers: dict[str, Callable[[str], Any]], text: str, rounds: int) -> dict[str, float]:
    """Return the median time of each of READERS over ROUNDS readings of TEXT, one after the other in turn."""
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            begin = time.perf_counter()
            reader(text)
            times[name].append(1000 * (time.perf_counter() - begin))
    return {name: statistics.median(taken) for name, taken in times.items()}


def measure(replies: dict[str, str], rounds: int) -> list[dict[str, Any]]:
    """Return one row for each of REPLIES, largest first: its size, the medians in ms and their ratio."""
    rows = []
    for name, text in sorted(replies.items(), key=lambda item: -len(item[1])):
        assert sexp.read(text) == general_reader.read(text)
        readers = {"sexpdata": sexpdata.loads, "general": general_reader.read, "ours": sexp.read}
        row: dict[str, Any] = {"reply": name, "size": len(text), **medians_ms(readers, text, rounds)}
        rows.append({**row, "ratio": row["sexpdata"] / row["ours"], "fast": is_fast(text)})
    return rows


def is_fast(text: str) -> bool:
    try:
        fast_reader.read(text)
    except fast_reader.Odd:
        return False
    return True


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", type=Path, help="write the rows to this file too")
    arguments.add_argument("--rounds", type=int, default=9)
    options = arguments.parse_args()
    rows = measure(real_replies(), options.rounds)
    print(f"{'reply':40}{'kB':>7}{'sexpdata':>10}{'general':>9}{'ours':>8}{'ratio':>7}   (medians, ms)")
    for row in rows:
        figures = f"{row['sexpdata']:10.2f}{row['general']:9.2f}{row['ours']:8.2f}{row['ratio']:6.1f}x"
        print(
            f"{row['reply']:40}{row['size'] / 1000:7.0f}{figures}{'' if row['fast'] else '   general path'}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    worst = min((row["ratio"] for row in rows if row["size"] >= _GOAL_SIZE), default=0.0)
    print(f"worst ratio at {_GOAL_SIZE // 1000} kB and more: {worst:.1f}x, goal {_GOAL:.0f}x")
    return 0 if worst >= _GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
