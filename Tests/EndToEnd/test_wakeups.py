"""Long messages that gather in the kernel before the gateway is woken (SO_RCVLOWAT): nothing of them is kept back for
longer than the message takes, whoever stops or dies in the middle."""

import queue
import random
import threading

import pytest

from fakeserver import FakeServer, command_complete, data_row, error, one_row, plain_answer, ready, row_description
from polling import send_until_stuck, wait_until
from wire import Closed, bind, cancel_request, copy_data, copy_done, execute, message, parse, query, sync

#: What may gather at most, and the length from which on it is worth it.
STEP, FLOOR = 128 * 1024, 64 * 1024
LENGTH = (1 << 20) + 13
VALUE = random.Random(7).randbytes(LENGTH).replace(b"\0", b"\1")
HBA = "host all all 127.0.0.1/32 trust\n"
MODES = pytest.mark.parametrize("mode", ("transaction", "session"))
METHODS = pytest.mark.parametrize("io_method", ("epoll", "auto"))


def stops(length):
    """Where the sender falls silent: around the marks counted from the start and from the end, and in odd places."""
    marks = {0, FLOOR, STEP, STEP + FLOOR, 2 * STEP, length - STEP, length - FLOOR, length}
    near = {mark + by for mark in marks for by in (-5, -1, 0, 1, 5)}
    odd = {random.Random(3).randrange(length) for _ in range(10)}
    return sorted(stop for stop in near | odd if 0 < stop <= length)


class Stage:
    """A gateway with one server, whose connections the test itself plays."""

    def __init__(self, make_gateway, mode="transaction", **general):
        self.mode = mode
        self.arrivals = queue.Queue()
        self.over = threading.Event()
        self.server = FakeServer(self._script)
        pools = {"app": self.server.pool(mode, user="app_trust", pool_size=1)}
        self.gateway = make_gateway(pools, general, hba=HBA)

    def _script(self, peer):
        peer.login()
        self.arrivals.put(peer)
        self.over.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.close()

    def client(self):
        return self.gateway.wire("app_trust")

    def peer(self):
        return self.arrivals.get(timeout=10)

    def asked(self, peer, what):
        """Answers the gateway's own queries until the client's comes."""
        while (sql := peer.next_query()) != what:
            peer.send(plain_answer(sql))

    def ask(self, client, what="select long"):
        """The client's query has come to its server."""
        client.send(query(what))
        peer = self.peer()
        self.asked(peer, what)
        return peer

    def works(self, client, peer):
        """Small messages go through at once, both ways."""
        for _ in range(3):
            client.send(query("select small"))
            self.asked(peer, "select small")
            peer.send(one_row(b"small"))
            assert client.ready()[1].values == [b"small"]

    def serves_others(self):
        """With the server it has, or with another where that one is gone."""
        with self.client() as other:
            other.send(query("select other"))
            peer = self.peer()
            self.asked(peer, "select other")
            peer.send(one_row(b"other"))
            assert other.ready()[1].values == [b"other"]
        self.cleans(peer)
        self.gateway.wait_idle()

    def cleans(self, peer):
        """The client has left: the session is cleaned."""
        if self.mode == "session":
            assert peer.next_query() == "DISCARD ALL"
            peer.send(plain_answer("DISCARD ALL"))


class Drain:
    """Reads everything that comes to the scripted server."""

    def __init__(self, peer):
        self.peer, self.data, self.ended = peer, bytearray(), False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            while piece := self.peer.socket.recv(1 << 18):
                self.data += piece
        except OSError:
            pass
        self.ended = True

    def wait(self, count):
        wait_until(lambda: len(self.data) >= count, lambda: f"{count} bytes came: {len(self.data)}", interval=0.001)

    def wait_end(self):
        wait_until(lambda: self.ended, "the gateway lets go of its server")


# --- from the server --------------------------------------------------------------------------------------------------


@METHODS
@MODES
def test_a_row_with_pauses_comes_whole(make_gateway, mode, io_method):
    with Stage(make_gateway, mode, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head)
        sent = 0
        for stop in stops(len(row)):
            peer.send(row[sent:stop])
            sent = stop
            # Less than a step may be on its way, and nothing at all at the end.
            owed = len(head) + (sent if sent == len(row) else sent - STEP)
            client._wait(owed)
        assert [m.kind for m in client.until("D")] == ["T", "D"]
        assert client.transcript[-1].values == [VALUE]
        peer.send(command_complete(), ready())
        assert [m.kind for m in client.ready()] == ["C", "Z"]
        stage.works(client, peer)
        client.close()
        stage.cleans(peer)
        with stage.client() as other:
            stage.works(other, peer)
        assert stage.server.connections == 1


@METHODS
@pytest.mark.parametrize("rudely", (False, True), ids=("end", "reset"))
@pytest.mark.parametrize("count", (FLOOR, STEP - 100, STEP + FLOOR, LENGTH - FLOOR))
def test_a_server_that_dies_in_the_middle_of_a_row(make_gateway, io_method, rudely, count):
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head, row[:count])
        client._wait(len(head) + count - STEP)
        peer.die(rudely)
        # Half a message is not followed by another.
        with pytest.raises(Closed):
            client.until("Z")
        if not rudely:
            assert len(client.buffer) == count
        assert bytes(client.buffer) == row[: len(client.buffer)]
        stage.serves_others()


@METHODS
def test_a_cancel_request_in_the_middle_of_a_row(make_gateway, io_method):
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head, row[: STEP + 100])
        with stage.gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            assert canceller.until_closed() == []
        wait_until(lambda: stage.server.cancels, "the cancel request came")
        peer.send(row[STEP + 100 :], error("57014", "canceling statement"), ready())
        answer = client.ready()
        assert [m.kind for m in answer] == ["T", "D", "E", "Z"]
        assert answer[1].values == [VALUE] and answer[2].sqlstate == "57014"
        stage.works(client, peer)


@METHODS
def test_a_server_taken_back_behind_a_long_row_is_heard(make_gateway, io_method):
    """Statement mode: the end of the row and the transaction that may not be come in one; the answer to ROLLBACK is
    short."""
    with Stage(make_gateway, "statement", io_method=io_method) as stage:
        client = stage.client()
        peer = stage.ask(client, "begin; select long")
        head, row = row_description("long"), data_row(VALUE[:101_000])
        peer.send(command_complete("BEGIN"), head, row[:-100_000])
        client._wait(1000)
        peer.send(row[-100_000:] + command_complete() + ready("T"))
        assert client.until_closed()[-1].sqlstate == "25001"
        client.close()
        assert peer.next_query() == "ROLLBACK"
        peer.send(command_complete("ROLLBACK"), ready())
        with stage.client() as other:
            stage.works(other, peer)
        assert stage.server.connections == 1, "the server's answer was not heard"


# --- from the client --------------------------------------------------------------------------------------------------

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
