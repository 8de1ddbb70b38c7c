"""What happens inside a TLS session with a server after its handshake: words while it is idle, ends in every place,
much data and slow readers."""

import os
import socket
import threading

import pytest

from fake_tls import new_tickets, tls_script, update_keys
from fakeserver import FakeServer, command_complete, data_row, error, message, one_row, plain_answer, ready
from fakeserver import notice, row_description
from memory import MEGABYTE, Memory
from polling import send_until_stuck, wait_until
from tls_servers import QUICK, TRUST, tls_of
from wire import closing_error, copy_data, copy_done, query

METHODS = pytest.mark.parametrize("method", ("epoll", "io_uring"))


# --- idle -------------------------------------------------------------------------------------------------------------


def word_of_no_consequence(peer):
    peer.send(notice())


def fatal(peer):
    peer.send(error("57P01", "terminating connection due to administrator command", "FATAL"))
    peer.die()


def close_notify(peer):
    """An orderly end of TLS, whose socket stays open."""
    peer.socket.settimeout(0.2)
    try:
        peer.socket.unwrap()
    except OSError:
        pass
    threading.Event().wait(3)


def bare_end(peer):
    peer.die()


def reset(peer):
    peer.die(rudely=True)


def forged_record(peer):
    os.write(peer.socket.fileno(), b"\x17\x03\x03\x00\x40" + b"\5" * 64)


def plain_words(peer):
    """Words in clear text in the middle of the session."""
    os.write(peer.socket.fileno(), one_row(b"stolen"))


def encrypted_surplus(peer):
    """An answer that nobody asked for."""
    peer.send(one_row(b"stolen"))


IDLE = {
    "key update": (update_keys, True),
    "notice": (word_of_no_consequence, True),
    "fatal error": (fatal, False),
    "close_notify": (close_notify, False),
    "bare end": (bare_end, False),
    "reset": (reset, False),
    "forged record": (forged_record, False),
    "plain words": (plain_words, False),
    "surplus": (encrypted_surplus, False),
}


@METHODS
@pytest.mark.parametrize("name", IDLE)
def test_words_from_an_idle_server(make_gateway, name, method):
    """What TLS itself has to say is no harm; after anything else the server is not handed to a client any more."""
    say, trusted = IDLE[name]
    speak, spoken = threading.Event(), threading.Event()

    def script(peer):
        peer.login()
        peer.until("Q")
        peer.send(one_row(b"first"))
        if peer.server.connections == 1:
            assert speak.wait(10)
            say(peer)
            spoken.set()
        peer.serve(lambda sql: one_row(b"second"))

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"io_method": method}, hba=TRUST)
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "first"
            wait_until(lambda: gateway.pool_row()["sv_idle"] == "1", "the server is idle")
            speak.set()
            if trusted:
                assert spoken.wait(10)
            else:
                wait_until(lambda: gateway.pool_row()["sv_idle"] == "0", "the server is thrown away", 5)
            for _ in range(3):
                expected = "second" if trusted else ("first" if server.connections == 1 else "second")
                assert client.value("select 2") == expected
        gateway.wait_idle()
        assert server.connections == (1 if trusted else 2)
        assert not server.problems, server.problems


@METHODS
def test_an_end_that_comes_with_the_answer(make_gateway, method):
    """In one segment with the bytes that free the server: it is not handed to a client any more."""
    gone = threading.Event()

    def script(peer):
        peer.login()
        if peer.server.connections > 1:
            return peer.serve(lambda sql: one_row(b"second"))
        peer.until("Q")
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        peer.send(one_row(b"first"))
        peer.socket.setblocking(False)
        try:
            peer.socket.unwrap()
        except OSError:
            pass
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        peer.socket.settimeout(20)
        try:
            # The socket stays open until the gateway has drawn its conclusion.
            while peer.socket.recv(100):
                pass
        except OSError:
            pass
        gone.set()

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"io_method": method}, hba=TRUST)
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "first"
            assert gone.wait(10), "the server is thrown away"
            assert client.value("select 2") == "second"
        gateway.wait_idle()
        assert server.connections == 2
        assert not server.problems, server.problems


@pytest.mark.parametrize("count, is_flood", ((8, False), (40, True)))
def test_session_tickets_that_nobody_asked_for(make_gateway, count, is_flood):
    """Some are a server's right, a flood of them ends the connection."""

    def script(peer):
        peer.login()
        peer.until("Q")
        new_tickets(peer, count)
        peer.send(one_row())
        peer.serve()

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK, hba=TRUST)
        with gateway.wire("app", "app") as client:
            client.send(query("select 1"))
            answer = client.until("EZ")
            assert (answer[-1].kind == "E") == is_flood, answer
        gateway.wait_idle()


@pytest.mark.parametrize("rounds", (1, 200))
def test_keys_change_in_the_middle_of_results(make_gateway, rounds):
    """The answers that KeyUpdates ask for go out between the queries of the client."""

    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if sql.startswith("select"):
                update_keys(peer)
                peer.send(row_description("a"), data_row(b"x" * 3000))
                update_keys(peer)
                peer.send(data_row(b"y"), command_complete("SELECT 2"), ready())
            else:
                peer.send(plain_answer(sql))

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK, hba=TRUST)
        with gateway.wire("app", "app") as client:
            for _ in range(rounds):
                assert client.rows("select 1") == [["x" * 3000], ["y"]]
        assert server.connections == 1
        assert not server.problems, server.problems


# --- ends in the middle -----------------------------------------------------------------------------------------------


def half_a_message(peer):
    peer.send(row_description("a"), data_row(b"one"), data_row(b"x" * 5000)[:2000])


def half_a_record(peer):
    os.write(peer.socket.fileno(), b"\x17\x03\x03\x40\x00" + b"\5" * 64)


MIDDLE = {
    "last words": (lambda peer: peer.send(row_description("a"), error("57P02", "a crash", "FATAL")), "57P02"),
    "bare end": (lambda peer: peer.send(row_description("a"), data_row(b"one")), "08006"),
    "half a message": (half_a_message, None),
    "half a record": (half_a_record, "08006"),
    "forged record": (lambda peer: (forged_record(peer), peer.receive()), "08006"),
    "plain words": (lambda peer: (plain_words(peer), peer.receive()), "08006"),
    "close_notify": (close_notify, "08006"),
}


@METHODS
@pytest.mark.parametrize("name", MIDDLE)
def test_servers_that_die_under_their_client(make_gateway, name, method):
    script, sqlstate = MIDDLE[name]

    def run(peer):
        peer.login()
        if peer.server.connections > 1:
            return peer.serve()
        peer.next_query()
        script(peer)

    with FakeServer(tls_script(run)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"io_method": method}, hba=TRUST)
        with gateway.wire("app", "app") as client:
            client.send(query("select 1"))
            found = closing_error(client)
            assert b"stolen" not in b"".join(m.body for m in client.transcript)
            assert found == sqlstate, [str(m) for m in client.transcript[-3:]]
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "1"
        gateway.wait_idle()
        assert server.connections == 2


# --- much data --------------------------------------------------------------------------------------------------------


def test_a_slow_server_holds_its_client_back(make_gateway):
    """COPY into a server that does not read: the client waits, not the gateway's memory; nothing is lost."""
    piece, count = b"p" * 60000, 1200
    read_on = threading.Event()
    found = []

    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if not sql.startswith("copy"):
                peer.send(plain_answer(sql))
                continue
            peer.send(message("G", b"\0\0\0"))
            assert read_on.wait(30)
            while (one := peer.receive()).kind == "d":
                found.append(len(one.body))
                peer.received.clear()
            peer.send(command_complete(f"COPY {len(found)}"), ready())

    with FakeServer(tls_script(script)) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK, hba=TRUST)
        with gateway.wire("app", "app", timeout=40) as client, Memory(gateway) as memory:
            client.send(query("copy sink from stdin"))
            client.until("G")
            rest = send_until_stuck(client, copy_data(piece) * count + copy_done())
            assert len(rest) > 32 * MEGABYTE, "the gateway took it all"
            read_on.set()
            client.send(bytes(rest))
            assert client.ready()[0].tag == f"COPY {count}"
        assert found == [len(piece)] * count
        assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
        assert not server.problems, server.problems
