"""Long requests that gather in the kernel before the gateway is woken (SO_RCVLOWAT): nothing of them is kept back for
longer than the message takes, whoever stops or dies in the middle."""

import threading

import pytest

from fakeserver import command_complete, data_row, error, ready, row_description
from longmessages import Drain, METHODS, MODES, STEP, Stage, VALUE, stops
from polling import send_until_stuck, wait_until
from wire import bind, copy_data, copy_done, execute, message, parse, query, sync


#: What the client sends, where the long message ends in it, and what the server says to it.
LONG = {
    "Query": (query(VALUE), b"", (command_complete(), ready())),
    "Parse": (parse(VALUE), bind() + execute() + sync(), (message("1"), message("2"), command_complete(), ready())),
    "Bind": (
        bind([VALUE], statement="s"),
        execute() + sync(),
        (message("1"), message("2"), command_complete(), ready()),
    ),
    "CopyData": (copy_data(VALUE), copy_done(), (command_complete("COPY 1"), ready())),
}


def begin_long(stage, client, kind):
    """What has to come before the long message; returns the server's side."""
    if kind == "CopyData":
        peer = stage.ask(client, "copy t from stdin")
        peer.send(message("G", b"\0\0\0"))
        client.until("G")
        return peer
    peer = stage.ask(client, "begin work")
    peer.send(command_complete("BEGIN"), ready("T"))
    client.ready()
    if kind == "Bind":
        client.send(parse("select $1", name="s"))
    return peer


@METHODS
@MODES
@pytest.mark.parametrize("kind", LONG)
def test_a_long_request_with_pauses_comes_whole(make_gateway, mode, io_method, kind):
    long, rest, answer = LONG[kind]
    # A statement that is shared is passed on as a whole.
    is_collected = kind == "Parse" and mode == "transaction"
    with Stage(make_gateway, mode, io_method=io_method) as stage, stage.client() as client:
        peer = begin_long(stage, client, kind)
        drain = Drain(peer)
        sent = 0
        for stop in stops(len(long)):
            client._write(long[sent:stop])
            sent = stop
            if not is_collected:
                drain.wait(sent if sent == len(long) else sent - STEP)
        client.send(rest)
        wait_until(lambda: drain.data.endswith(rest or long[-1000:]), "all of it came")
        assert bytes(drain.data).count(VALUE) == 1
        peer.send(*answer)
        assert client.ready()[-1].body == b"I"


@METHODS
@MODES
@pytest.mark.parametrize("rudely", (False, True), ids=("end", "reset"))
@pytest.mark.parametrize("kind", LONG)
def test_a_client_that_dies_in_the_middle_of_a_request(make_gateway, mode, io_method, rudely, kind):
    long, _, _ = LONG[kind]
    with Stage(make_gateway, mode, io_method=io_method) as stage:
        client = stage.client()
        drain = Drain(begin_long(stage, client, kind))
        client._write(long[: STEP + 100])
        client.reset() if rudely else client.close()
        if kind == "Parse" and mode == "transaction":
            # Nothing of it was passed on: the server is clean after a ROLLBACK.
            wait_until(lambda: drain.data.endswith(query("ROLLBACK")), "the transaction is rolled back")
            drain.peer.send(command_complete("ROLLBACK"), ready())
            stage.gateway.wait_idle()
            return
        drain.wait_end()
        stage.serves_others()


@METHODS
@MODES
def test_last_words_in_the_middle_of_a_request_are_not_overtaken(make_gateway, mode, io_method):
    """The server dies; what the client has sent of its request and nobody has read must not turn the close into a
    reset."""
    with Stage(make_gateway, mode, io_method=io_method) as stage, stage.client() as client:
        long = LONG["Query"][0]
        client._write(long[: STEP // 4])
        peer = stage.peer()
        peer.exactly(STEP // 4)
        client._write(long[STEP // 4 : STEP])
        peer.die(rudely=True)
        answer = client.receive()
        assert answer.kind == "E" and answer.sqlstate == "08006"
        client.socket.settimeout(10)
        # ConnectionResetError where the close was a reset.
        assert client.socket.recv(1) == b""
        client.close()
        stage.serves_others()


@METHODS
@pytest.mark.parametrize("behind", ("skipped", "collected"))
def test_what_comes_behind_a_long_request_does_not_wait(make_gateway, io_method, behind):
    """The end of a long message and the beginning of the next are read in one, and the rest of that is shorter than
    the mark was: it is not passed on, but dropped after an error or collected."""
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        drain = Drain(begin_long(stage, client, "Bind"))
        if behind == "skipped":
            client.send(bind(statement="s", values=["a", "b"]))
        long = bind([VALUE[:101_000]], statement="s")
        client._write(long[:-100_000])
        drain.wait(len(long) - 100_000)
        if behind == "skipped":
            drain.peer.send(message("1"), error("08P01", "bind message supplies 2 parameters"))
            assert [m.kind for m in client.until("E")] == ["1", "E"]
            next_ = bind([VALUE[:40_000]], statement="s") + sync()
        else:
            next_ = parse(VALUE[:60_000], name="long") + sync()
        client._write(long[-100_000:] + next_[:20_000])
        wait_until(lambda: drain.data.endswith(long[-1000:]), "the long message came whole")
        client._write(next_[20_000:])
        wait_until(lambda: drain.data.endswith(sync()), "the Sync behind it came")
        assert drain.data.endswith(next_[-1000:] if behind == "collected" else long[-1000:] + sync())
        answers = [message(letter) for letter in ("121" if behind == "collected" else "")]
        drain.peer.send(*answers, ready("T"))
        assert [m.kind for m in client.ready()] == [*("121" if behind == "collected" else ""), "Z"]


@MODES
def test_a_client_held_up_by_its_server_goes_on(make_gateway, mode):
    """Back-pressure in the middle of a message and a mark at the same time."""
    with Stage(make_gateway, mode) as stage, stage.client() as client:
        long = query(VALUE * 16)
        client._write(long[:100_000])
        peer = stage.peer()
        rest = send_until_stuck(client, long[100_000:])
        drain = Drain(peer)
        client._write(rest)
        drain.wait(len(long))
        assert bytes(drain.data) == long
        peer.send(command_complete(), ready())
        client.ready()


@pytest.mark.parametrize("size", ("16kB", "64kB"))
def test_buffers_smaller_than_the_mark(make_gateway, size):
    with Stage(make_gateway, tcp_socket_buffer_size=size) as stage, stage.client() as client:
        peer = stage.ask(client)
        row = data_row(VALUE)
        thread = threading.Thread(target=peer.send, args=(row_description("long"), row, command_complete(), ready()))
        thread.start()
        assert client.ready()[1].values == [VALUE]
        thread.join(10)
        drain = Drain(peer)
        client.send(LONG["Query"][0])
        drain.wait(len(LONG["Query"][0]))
        peer.send(*LONG["Query"][2])
        client.ready()
