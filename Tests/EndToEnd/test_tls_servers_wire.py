"""The sealed stream between gateway and PostgreSQL, cut into any pieces and damaged at any place."""

import os
import random
import socket
import threading
import time

import pytest

from cancelling import cancel
from certificates import authority
from fake_tls import tls_script
from fakeserver import FakeServer, error, one_row, plain_answer
from polling import wait_until
from tls_servers import QUICK, TRUST, about, handshakes, servers_of, tls_of, tls_pool
from wire import LoginRefused, bind, execute, parse, query, random_splits, sync, whole

METHODS = pytest.mark.parametrize("method", ("epoll", "io_uring"))


def relay(upstream, to_gateway=whole, alter=lambda at, data: data, is_over=lambda: False):
    """A script that carries bytes between the gateway and `upstream`. What goes to the gateway is cut by `to_gateway`
    and altered: `alter(position of the first byte, bytes)`. Once `is_over`, the first silence ends the connection."""

    def script(peer):
        server = socket.create_connection((upstream.host, upstream.port), 10)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def forth():
            try:
                while data := peer.socket.recv(1 << 16):
                    server.sendall(data)
            except OSError:
                pass
            try:
                server.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

        threading.Thread(target=forth, daemon=True).start()
        at = 0
        try:
            while data := server.recv(1 << 16):
                for piece in to_gateway(alter(at, data)):
                    peer.socket.sendall(piece)
                at += len(data)
                server.settimeout(0.2 if is_over() else None)
        except OSError:
            pass
        peer.socket.shutdown(socket.SHUT_RDWR)

    return script


def verified(server, **options):
    return tls_pool(server, "verify-full", tls_ca_cert=authority("databases").certificate, **options)


@METHODS
def test_any_pieces(make_gateway, secured, method):
    """Records come in pieces of any size, from the handshake on."""
    cuts = random_splits(5)

    def small(data):
        return cuts(data) if len(data) > 6000 else [data[i : i + 3] for i in range(0, len(data), 3)]

    with FakeServer(relay(secured, small)) as server:
        gateway = make_gateway({"app": verified(server, size=1)}, QUICK | {"io_method": method}, hba=TRUST)
        with gateway.wire("app") as one, gateway.wire("app") as two:
            for size in (1, 100, 20_000, 300_000):
                for client in (one, two):
                    assert client.value(f"select repeat('z', {size})") == "z" * size
                    client.send(parse("select $1::text"), bind(["v" * size]), execute(), sync())
                    assert client.ready()[2].values == [b"v" * size]
        assert server.connections == 1


@METHODS
def test_half_a_record_behind_an_answer(make_gateway, method):
    """The first half of a record comes with the answer before, the second half reaches the client that has the server
    then, on any worker."""
    held = threading.Event()

    def sealed(peer, data):
        """What `peer` would send; nothing goes out."""
        duplicate = os.dup(peer.socket.fileno())
        reader, writer = socket.socketpair()
        os.dup2(writer.fileno(), peer.socket.fileno())
        peer.send(data)
        record = reader.recv(1 << 16)
        os.dup2(duplicate, peer.socket.fileno())
        os.close(duplicate)
        return record

    def script(peer):
        peer.login()
        while True:
            peer.next_query()
            if held.is_set():
                peer.send(one_row(b"x" * 200))
                continue
            records = [sealed(peer, one_row(letter * 200)) for letter in (b"x", b"y")]
            os.write(peer.socket.fileno(), records[0] + records[1][:150])
            held.set()
            peer.next_query()
            os.write(peer.socket.fileno(), records[1][150:])

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"io_method": method}, hba=TRUST)
        clients = [gateway.wire("app", "app") for _ in range(4)]
        assert clients[0].value("select 1") == "x" * 200
        wait_until(lambda: gateway.pool_row()["sv_idle"] == "1", "the server is idle")
        assert clients[1].value("select 2") == "y" * 200
        for client in clients * 5:
            assert client.value("select 3") == "x" * 200
        assert server.connections == 1
        assert not server.problems, server.problems


@METHODS
def test_half_a_record_while_idle(make_gateway, method):
    """Nobody gets the server before the rest has come: what says that it ends is nobody's answer."""
    idle, rest = threading.Event(), threading.Event()

    def script(peer):
        peer.login()
        while True:
            peer.next_query()
            peer.send(one_row(b"x" * 200 if peer.server.connections == 1 else b"second"))
            if peer.server.connections > 1:
                continue
            idle.wait(10)
            duplicate = os.dup(peer.socket.fileno())
            reader, writer = socket.socketpair()
            os.dup2(writer.fileno(), peer.socket.fileno())
            peer.send(error("57P01", "bye", "FATAL"))
            record = reader.recv(1 << 16)
            os.dup2(duplicate, peer.socket.fileno())
            os.write(duplicate, record[:40])
            rest.wait(60)
            os.write(duplicate, record[40:])
            os.close(duplicate)
            return

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"io_method": method}, hba=TRUST)
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "x" * 200
            wait_until(lambda: gateway.pool_row()["sv_idle"] == "1", "the server is idle")
            idle.set()
            wait_until(lambda: gateway.pool_row()["sv_idle"] == "0", "it is looked at")
            client.send(query("select 2"))
            wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the client waits")
            rest.set()
            assert [m.values for m in client.ready() if m.kind == "D"] == [[b"second"]]
        gateway.wait_idle()


@METHODS
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits(make_gateway, secured, method, seed):
    """One bit of what the server sends is flipped: the client gets an error, never a wrong answer, and never waits."""
    generator = random.Random(seed)
    spots = iter([generator.randrange(0, 9000) for _ in range(40)])
    hit = []

    def script(peer):
        spot = next(spots)
        count = len(hit)

        def alter(at, data):
            if at <= spot < at + len(data):
                hit.append(spot)
                changed = bytearray(data)
                changed[spot - at] ^= 1 << generator.randrange(8)
                return bytes(changed)
            return data

        # A longer record is one whose end is awaited: what has been hit does not go on for ever.
        relay(secured, alter=alter, is_over=lambda: len(hit) > count)(peer)

    with FakeServer(script) as server:
        general = QUICK | {"io_method": method, "connect_timeout": "300ms"}
        gateway = make_gateway({"app": verified(server, size=1)}, general, hba=TRUST)
        for _ in range(39):
            before = len(hit)
            began = time.monotonic()
            try:
                with gateway.wire("app") as client:
                    for _ in range(3):
                        client.send(query("select repeat('q', 2000)"))
                        found = [m.values for m in client.until("ZE") if m.kind == "D"]
                        assert found in ([[b"q" * 2000]], []), found
                        if not found:
                            break
                    assert found or len(hit) > before, gateway.tail()
            except LoginRefused:
                assert len(hit) > before, gateway.tail()
            assert time.monotonic() - began < 4
            gateway.console("KILL USER app")
        assert int(handshakes(gateway)["under_way"]) == 0
        gateway.check_alive()


@METHODS
def test_the_idle_check(make_gateway, method):
    """A server that has been idle for long is probed; one that dies of it is replaced before anybody sees it."""
    asked = []

    def script(peer):
        peer.login()
        while True:
            asked.append(peer.next_query())
            if asked[-1] == "select 'client'":
                peer.send(one_row(str(peer.server.connections).encode()))
            elif asked.count("select 'client'") == 3 and peer.server.connections == 1:
                return
            else:
                peer.send(plain_answer(asked[-1]))

    with FakeServer(tls_script(script)) as server:
        general = QUICK | {"io_method": method, "server_idle_check_timeout": "1ms"}
        gateway = make_gateway({"app": tls_of(server)}, general, hba=TRUST)
        with gateway.wire("app", "app") as client:
            found = []
            for _ in range(4):
                found.append(client.value("select 'client'"))
                since = time.monotonic()
                wait_until(lambda: time.monotonic() > since + 0.02, "the server has been idle for long")
        assert found == ["1", "1", "1", "2"], asked
        assert server.connections == 2
        assert not server.problems, server.problems


def test_an_orderly_end(make_gateway, secured):
    """Servers that are not needed any more, and cancel requests, end without a complaint of PostgreSQL's."""
    since = secured.log_size()
    gateway = make_gateway(
        {"app": verified(secured, size=2, idle_timeout="100ms")}, {"retain_connections_time": "50ms"}, hba=TRUST
    )
    with gateway.wire("app") as client:
        client.send(query("select pg_sleep(20)"))
        wait_until(lambda: secured.sleeping() == 1, "a server sleeps")
        cancel(gateway, client.pid, client.secret)
        assert client.ready()[-2].sqlstate == "57014"
        assert about(client)["version"] == "TLSv1.3"
    wait_until(lambda: not servers_of(gateway), "the idle server is closed")
    wait_until(lambda: not secured.backends(), "PostgreSQL has ended it")
    log = secured.log_since(since)
    for complaint in ("EOF", "SSL error", "could not", "without sending", "FATAL"):
        assert complaint not in log, log[-2000:]
