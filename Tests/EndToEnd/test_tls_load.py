"""Much at once under TLS: big results and COPY with slow readers, floods of handshakes, and how sessions end."""

import select
import signal
import socket
import ssl
import struct
import time

import pytest

from certificates import authority
from gateway import pool
from handshakes import Handshake, handshakes_begun, under_way
from memory import MEGABYTE, Memory, send_all, swallow
from polling import wait_until
from tlswire import METHODS, by_libpq, client_context, ended_by_close_notify, start, tls_wire
from wire import copy_done, message, query

VERSIONS = {"1.2": (ssl.TLSVersion.TLSv1_2,) * 2, "1.3": (ssl.TLSVersion.TLSv1_3,) * 2}


@pytest.fixture(params=METHODS)
def gateway(request, make_gateway):
    return start(make_gateway, general={"io_method": request.param})


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_32_megabytes_in_one_row_and_in_many(gateway, version):
    with tls_wire(gateway, context=client_context(versions=VERSIONS[version])) as client, Memory(gateway) as memory:
        client.send(query("select repeat('0123456789abcdef', 2097152)"))
        assert [size for kind, size in swallow(client) if kind == "D"] == [32 * MEGABYTE + 11]
        client.send(query("select repeat('x', 1000) from generate_series(1, 32768)"))
        assert sum(1 for kind, _ in swallow(client) if kind == "D") == 32768
        client.send(query("select 1 from generate_series(1, 100000)"))
        assert sum(1 for kind, _ in swallow(client) if kind == "D") == 100000
        assert client.value("select 1") == "1"
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
    gateway.wait_idle()


def test_what_is_relayed_is_what_was_sent(gateway):
    """Every length of answer from nothing to beyond two records, both ways."""
    with tls_wire(gateway) as client:
        for size in (0, 1, 100, 4000, 16000, *range(16330, 16400), 32768, 65536, 131072, 500_000):
            text = "".join(chr(97 + (size + i) % 26) for i in range(101)) * (size // 101 + 1)
            assert client.value(f"select '{text[:size]}'") == text[:size], size


def test_copy_of_32_megabytes_in_and_out(gateway):
    row = b"1\t" + b"c" * 1021 + b"\n"
    chunk = message("d", row * 64)
    with tls_wire(gateway) as client, Memory(gateway) as memory:
        client.rows("begin; create temp table t (a int, b text) on commit drop")
        client.send(query("copy t from stdin"))
        client.until("G")
        send_all(client, *[chunk] * 512, copy_done())
        assert client.ready()[0].tag == "COPY 32768"
        client.send(query("copy t to stdout"))
        assert sum(1 for kind, _ in swallow(client) if kind == "d") == 32768
        client.rows("rollback")
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"


def test_a_reader_that_stops(gateway, postgres):
    """What the client does not read stays with the server; nobody else waits, and it gets all of it in the end."""
    with tls_wire(gateway, receive_buffer=65536) as client, Memory(gateway) as memory:
        client.send(query("select repeat('x', 1000) from generate_series(1, 32768)"))
        blocked = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite' and usename = 'app_trust'"
        wait_until(lambda: postgres.value(blocked) == 1, "the server waits for the client")
        with tls_wire(gateway) as other:
            assert other.value("select 2") == "2"
        assert sum(1 for kind, _ in swallow(client) if kind == "D") == 32768
        assert client.value("select 1") == "1"
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"


def test_a_server_that_stops_reading(make_gateway, other_postgres):
    """What the server does not take stays with the client."""
    for method in METHODS:
        gateway = start(make_gateway, pools={"app": pool(other_postgres)}, general={"io_method": method})
        with tls_wire(gateway, timeout=60) as client, Memory(gateway) as memory:
            client.rows("begin; create temp table t (b text)")
            client.send(query("copy t from stdin"))
            client.until("G")
            chunk = message("d", (b"c" * 1023 + b"\n") * 64)
            other_postgres.pause()
            try:
                sent = send_chunks_until_stuck(client, chunk)
            finally:
                other_postgres.resume()
            assert sent < 16 * 16, f"{sent} pieces of 64 KiB were taken while nobody read them"
            send_all(client, client.unsent, copy_done())
            assert client.ready()[0].tag == f"COPY {64 * (sent + 1)}"
            client.rows("rollback")
        assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"


def send_chunks_until_stuck(client, chunk):
    """Sends whole chunks until the other side takes no more; the last one is sent by the caller. Returns how many."""
    client.socket.setblocking(False)
    sent, refused, rest = 0, 0, memoryview(chunk)

    def is_stuck():
        nonlocal sent, refused, rest
        try:
            rest = rest[client.socket.send(rest) :]
            refused = 0
            if not rest:
                sent, rest = sent + 1, memoryview(chunk)
        except ssl.SSLWantWriteError:
            refused += 1
        return refused >= 30

    wait_until(is_stuck, "the other side reads no more", deadline=30, interval=0.005)
    client.unsent = bytes(rest)
    return sent


# --- floods -----------------------------------------------------------------------------------------------------------

FLOOD = 300


def test_300_handshakes_at_once_hold_nobody_up(make_gateway):
    """One worker, costly signatures: between two of them the relays have their turn.

    Counted in handshakes and not in seconds, so that a slow machine changes nothing: a client that waited for all of
    them would get no answer before the last.
    """
    costly = authority("slow", "rsa").server(kind="rsa")
    gateway = start(make_gateway, costly, general={"worker_threads": 1, "max_connections": 1000})
    hello = Handshake().flight()
    with tls_wire(gateway) as runner:
        runner.value("select 1")
        flood = handshakes_begun(gateway, FLOOD)
        poller = select.poll()
        for client in flood:
            poller.register(client, select.POLLIN)
        for client in flood:
            client.sendall(hello)
        answered, steps = 0, []
        while answered < FLOOD:
            assert runner.value("select 1") == "1"
            now = len(poller.poll(0))
            steps.append(now - answered)
            answered = now
        for client in flood:
            client.close()
    assert max(steps[1:], default=0) < FLOOD / 3, steps
    assert len(steps) > FLOOD / 30, steps
    gateway.wait_idle()


def test_200_slow_handshakes_hold_nobody_up(make_gateway):
    gateway = start(make_gateway, general={"max_connections": 1000})
    hello = Handshake().flight()
    slow = handshakes_begun(gateway, 200)
    for at in range(20):
        for client in slow:
            client.send(hello[at : at + 1])
        assert by_libpq(gateway, sslmode="require").way == "tls"
    assert under_way(gateway) == 200
    for client in slow:
        client.close()
    wait_until(lambda: under_way(gateway) == 0, "the handshakes are over")


def test_the_rate_limit_lets_wait(make_gateway):
    """tls_rate_limit_per_second: nobody is refused; the handshakes are spaced."""
    gateway = start(make_gateway, tls_rate_limit_per_second=20)
    hello = Handshake().flight()
    clients = handshakes_begun(gateway, 8)
    began = time.monotonic()
    for client in clients:
        client.sendall(hello)
    for client in clients:
        assert client.recv(1) == b"\x16"
        client.close()
    assert time.monotonic() - began > 0.30, "eight handshakes at twenty in a second"


def test_departed_clients_use_up_no_turns(make_gateway):
    gateway = start(make_gateway, tls_rate_limit_per_second=1)
    hello = Handshake().flight()
    clients = handshakes_begun(gateway, 60)
    for client in clients:
        client.sendall(hello)
    for client in clients:
        client.close()
    wait_until(lambda: under_way(gateway) == 0, "they are gone")
    began = time.monotonic()
    assert by_libpq(gateway, sslmode="require").way == "tls"
    assert time.monotonic() - began < 8, "less than sixty turns"


def test_a_rate_limit_that_is_lifted_lets_all_go_on(make_gateway):
    gateway = start(make_gateway, tls_rate_limit_per_second=1)
    hello = Handshake().flight()
    clients = handshakes_begun(gateway, 40)
    for client in clients:
        client.sendall(hello)
    gateway.reload(general={"tls_rate_limit_per_second": 0})
    for client in clients:
        assert client.recv(1) == b"\x16", "within the fifteen seconds of a read, where forty turns would be forty"
        client.close()


# --- ends -------------------------------------------------------------------------------------------------------------


def test_the_last_words_of_the_gateway(gateway):
    with tls_wire(gateway) as idle, tls_wire(gateway) as busy:
        idle.value("select 1")
        busy.rows("begin")
        gateway.signal(signal.SIGTERM)
        [error] = [m for m in ended_by_close_notify(idle) if m.kind == "E"]
        assert error.fields["S"] == "FATAL" and error.sqlstate == "57P01"
        busy.rows("commit")
        assert [m.sqlstate for m in ended_by_close_notify(busy)] == ["57P01"]
    gateway.wait()


def test_the_last_words_of_the_server(gateway, postgres):
    with tls_wire(gateway) as client:
        client.rows("begin")
        pid = client.value("select pg_backend_pid()")
        client.send(query("select pg_sleep(20)"))
        wait_until(lambda: postgres.sleeping("app_trust") == 1, "it sleeps")
        postgres.value("select pg_terminate_backend(%s)", int(pid))
        messages = client.until("E")
        assert messages[-1].sqlstate == "57P01" and messages[-1].fields["S"] == "FATAL"
    gateway.wait_idle()


def test_refusals_come_in_words(gateway):
    with tls_wire(gateway, login=False) as client:
        with pytest.raises(Exception, match="28P01|3D000|28000"):
            client.login("app", "app", "wrong")
        assert ended_by_close_notify(client) == []


@pytest.mark.parametrize("way", ("close_notify", "fin", "reset", "terminate"))
def test_clients_that_leave(gateway, postgres, way):
    """In a transaction, in whatever manner: the server is rolled back and free again."""
    client = tls_wire(gateway)
    client.rows("begin; create temp table gone (a int)")
    client.send(query("select repeat('x', 1000) from generate_series(1, 20000)"))
    client.until("D")
    if way == "close_notify":
        client.socket.setblocking(True)
        client.socket.settimeout(5)
        try:
            client.socket.unwrap()
        except (ssl.SSLError, OSError):
            pass
        client.close()
    elif way == "fin":
        client.close()
    elif way == "reset":
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    else:
        client.leave()
    gateway.wait_idle()
    with tls_wire(gateway) as other:
        assert other.value("select to_regclass('gone') is null") == "t"
