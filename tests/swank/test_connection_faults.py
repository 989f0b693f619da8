"""One connection to servers that are newer than the distribution's, broken, or dying."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from descartes_swank import messages
from descartes_swank.connection import Connection
from descartes_swank.errors import LispLost, ReaderError
from descartes_swank.messages import Event
from descartes_swank.sexp import Cons, Symbol
from support.fake_swank import WORKER, FakeSwank, Peer, fake_swank, newer_swank
from support.swank_events import Events


@pytest.fixture
def events() -> Events:
    return Events()


async def to_fake(fake: FakeSwank, events: Events, **options: Any) -> Connection:
    return await Connection.open("127.0.0.1", fake.port, on_event=events, **options)


async def test_a_newer_swank_gets_its_acknowledgements(events: Events) -> None:
    async with fake_swank(newer_swank) as fake:
        connection = await to_fake(fake, events)
        async with asyncio.timeout(60):
            assert await connection.rex('(swank-repl:listener-eval "(progn (princ 1) 42)")') is None
        assert events.seen == [
            messages.WriteString("1", None, WORKER),
            messages.WriteString("2", None, WORKER),
            messages.NewReplOutput(),
            messages.WriteString("42\n", Symbol(":repl-result"), WORKER),
        ]
        await connection.close()


async def test_a_newer_swank_answers_in_its_own_shapes(events: Events) -> None:
    async with fake_swank(newer_swank) as fake:
        connection = await to_fake(fake, events)
        completions = await connection.rex('(swank:simple-completions "m-v-b" "CL")')
        assert completions[0] == ["multiple-value-bind", "-f---m---", "COMMON-LISP:MULTIPLE-VALUE-BIND"]
        request, _ = connection.rex_with_id('(swank:interactive-eval "42")')
        assert (await events.next(messages.Debug)).conts == (request,)
        await connection.close()


@pytest.mark.ledger("D-70")
async def test_a_ping_is_answered_and_not_told(events: Events) -> None:
    async def play(peer: Peer) -> None:
        peer.send(f"(:ping {WORKER} 7)")
        assert await peer.receive() == [":emacs-pong", WORKER, 7]
        peer.send('(:background-message "pong came")')
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        assert (await events.next(messages.BackgroundMessage)).text == "pong came"
        assert events.seen == []
        await connection.close()


async def test_the_editor_evaluates_nothing_for_the_lisp(events: Events) -> None:
    async def play(peer: Peer) -> None:
        peer.send(f'(:eval {WORKER} 8 "(delete-file 1)")')
        refusal = await peer.receive()
        assert refusal[:3] == [":emacs-return", WORKER, 8]
        assert refusal[3][0] == ":error"
        peer.send(f'(:ed-rpc {WORKER} 9 "cl:quit")')
        assert await peer.receive() == [":ed-rpc-forbidden", WORKER, 9, "cl:quit"]
        peer.send('(:background-message "done")')
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        await events.next(messages.BackgroundMessage)
        assert [type(event) for event in events.seen] == [messages.EvaluateInEditor, messages.EditorCall]
        await connection.close()


@pytest.mark.ledger("D-70")
async def test_a_secret_goes_before_everything(events: Events) -> None:
    async def play(peer: Peer) -> None:
        assert await peer.receive_text() == "s3cret"
        _, request = await peer.receive_request()
        peer.answer(request, "in")
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events, secret="s3cret")
        assert await connection.rex("1") == "in"
        await connection.close()


async def test_a_reader_error_without_id_finds_its_request(events: Events) -> None:
    async def play(peer: Peer) -> None:
        first = await peer.receive_text()
        second, request = await peer.receive_request()
        quoted = first.replace("\\", "\\\\").replace('"', '\\"')
        peer.send(f'(:reader-error "{quoted}" "end of file")')
        peer.answer(request, second)
        _, request = await peer.receive_request()
        peer.send(f'(:reader-error "(:return (:ok \\\\xdc80) {request})" "Error during string-to-utf8")')
        peer.send('(:reader-error "(:emacs-return-string 1 2" "end of file")')
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        _, failing = connection.rex_with_id('(cl:list " 9)" x)')
        assert await connection.rex("(cl:list 2)") == ["cl:list", 2]
        with pytest.raises(ReaderError, match="end of file"):
            await failing
        with pytest.raises(ReaderError, match="string-to-utf8"):
            await connection.rex("3")
        assert (await events.next(messages.ReadFailed)).message == "end of file"
        await connection.close()


async def test_an_answer_in_single_bytes_and_one_in_odd_syntax_are_read(events: Events) -> None:
    async def play(peer: Peer) -> None:
        _, request = await peer.receive_request()
        await peer.send_slowly(f'(:return (:ok ("é😀" #<FOO "a)b" {{1}}> (1 . 2))) {request})\n')
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        assert await connection.rex("1") == ["é😀", '#<FOO "a)b" {1}>', Cons((1,), 2)]
        await connection.close()


async def test_an_answer_that_cannot_be_read_fails_its_request_only(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(peer: Peer) -> None:
        _, request = await peer.receive_request()
        peer.send(f"(:return (:ok #<NEVER CLOSED) {request})")
        _, request = await peer.receive_request()
        peer.send("%%% not Lisp \x00 (((")
        peer.send_bytes(b"000003\xff\xfe\xfd")
        peer.answer(request, 2)
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        with caplog.at_level(logging.CRITICAL, logger="descartes_swank.connection"):
            with pytest.raises(ReaderError, match="cannot be read"):
                await connection.rex("1")
            assert await connection.rex("2") == 2
        assert all(isinstance(event, messages.Unknown) for event in events.seen)
        await connection.close()


async def test_a_server_that_is_no_swank_is_named_as_such(events: Events) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive_text()
        peer.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        with pytest.raises(LispLost, match="check that the port belongs to a Swank server"):
            await connection.rex("1")
        await connection.closed


async def test_a_connection_that_closes_inside_a_packet_fails_what_is_pending(events: Events) -> None:
    async def play(peer: Peer) -> None:
        _, first = await peer.receive_request()
        peer.answer(first, 1)
        await peer.receive()
        peer.send_bytes(b"0000FF(:return (:ok")

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        assert await connection.rex("1") == 1
        with pytest.raises(LispLost, match="closed the connection"):
            await connection.rex("2")
        await connection.closed


async def test_answers_of_an_earlier_connection_are_told_and_late_ones_dropped(events: Events) -> None:
    async def play(peer: Peer) -> None:
        _, request = await peer.receive_request()
        peer.answer(99, "from before")
        peer.answer(request, 1)
        peer.answer(request, "again")
        peer.answer(request + 50, "never asked")
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events, first_id=100)
        assert await connection.rex("1") == 1
        assert await events.next(messages.Return, lambda event: event.id == 150)
        assert events.seen == [messages.Return(99, True, "from before")]
        await connection.close()


async def test_a_listener_that_fails_does_not_stop_the_others_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(peer: Peer) -> None:
        _, request = await peer.receive_request()
        peer.send(f'(:write-string "x" nil {WORKER})')
        assert await peer.receive() == [":write-done", WORKER]
        peer.answer(request, 1)
        await peer.receive()

    def fail(_: Event) -> None:
        raise RuntimeError("a bug in the listener")

    async with fake_swank(play) as fake:
        connection = await Connection.open("127.0.0.1", fake.port, on_event=fail)
        assert await connection.rex("1") == 1
        assert "a bug in the listener" in caplog.text
        await connection.close()


async def test_closing_fails_what_is_pending(events: Events) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.receive()

    async with fake_swank(play) as fake:
        connection = await to_fake(fake, events)
        _, answer = connection.rex_with_id("1")
        await connection.close()
        with pytest.raises(LispLost, match="closed here"):
            await answer
        await connection.close()


async def test_nothing_listens_there(events: Events) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody else can listen there meanwhile
        port = taken.getsockname()[1]
        with pytest.raises(LispLost, match=f"No Lisp answers at 127.0.0.1 port {port}"):
            await Connection.open("127.0.0.1", port, on_event=events)
