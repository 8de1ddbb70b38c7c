"""The scene of the tests about long messages that gather in the kernel (SO_RCVLOWAT): a gateway with one server, which
the test itself plays."""

import queue
import random
import threading

import pytest

from fakeserver import FakeServer, one_row, plain_answer
from polling import wait_until
from wire import query

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
