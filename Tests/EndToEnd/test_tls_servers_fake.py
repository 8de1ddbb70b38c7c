"""Servers that break off, stuff, or spoil TLS: nothing in clear text passes for TLS, every client gets a reason, and
the next one is served."""

import socket
import threading
import time

import pytest

from certificates import authority
from fake_tls import asked, hello, tls_script
from fakeserver import FakeServer, error, greeting
from polling import wait_until
from tls_servers import QUICK, TRUST, handshakes, psql, servers_of, tls_of
from wire import SSL_REQUEST, LoginRefused, query


def serve(peer):
    peer.login()
    peer.serve()


def ask(gateway):
    """The value of a query, or the error of the client."""
    try:
        with gateway.wire("app", "app") as client:
            client.send(query("select 1"))
            for answer in client.until("ZE"):
                if answer.kind == "D":
                    return answer.values[0].decode()
                if answer.kind == "E":
                    return answer.fields
    except LoginRefused as refusal:
        return refusal.fields


# --- the request ------------------------------------------------------------------------------------------------------


def says(answer, leaves=True):
    def script(peer):
        asked(peer)
        peer.send(answer)
        if not leaves:
            peer.exactly(1)

    return script


def half_a_flight(peer):
    """The beginning of a ServerHello and the end."""
    hello(peer)
    peer.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")


def garbage_in_the_handshake(peer):
    hello(peer)
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100)
    while peer.socket.recv(100):
        pass


def reset_in_the_handshake(peer):
    hello(peer)
    peer.die(rudely=True)


def garbage_and_reset(peer):
    """What is left to say to this server cannot be sent any more."""
    hello(peer)
    peer.send(b"x" * 100)
    peer.die(rudely=True)


SPOILT = {
    "stuffed": (says(b"S" + greeting()), "unencrypted data behind the answer"),
    "stuffed with a handshake": (says(b"S\x16\x03\x03\x00\x10" + b"\2" * 16), "unencrypted data behind the answer"),
    "refused and stuffed": (says(b"N" + greeting()), "unencrypted data behind the answer"),
    "no TLS": (says(b"N", leaves=False), "server does not support TLS, but server_tls_mode require requires it"),
    "an error": (says(error("08P01", "what is TLS?", "FATAL")), "answered the request for TLS with an error"),
    "an empty error": (says(b"E"), "answered the request for TLS with an error"),
    "a wrong byte": (says(b"X", leaves=False), "answered the request for TLS with byte 88"),
    "a greeting": (says(greeting()), "unencrypted data behind the answer"),
    "the end": (says(b""), "server closed the connection unexpectedly"),
    "the end behind S": (says(b"S"), "TLS handshake with the server failed"),
    "the end behind the hello": (hello, "TLS handshake with the server failed"),
    "a reset behind the hello": (reset_in_the_handshake, "TLS handshake with the server failed"),
    "half a flight": (half_a_flight, "TLS handshake with the server failed"),
    "garbage": (garbage_in_the_handshake, "TLS handshake with the server failed"),
    "the end behind the handshake": (tls_script(lambda peer: None), "cannot connect to server"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_handshakes(make_gateway, name):
    script, reason = SPOILT[name]
    bad = [True]
    good = tls_script(serve)
    with FakeServer(lambda peer: (script if bad[0] else good)(peer)) as server:
        server.refusals = []
        gateway = make_gateway({"app": tls_of(server)}, QUICK, hba=TRUST)
        began = time.monotonic()
        fields = ask(gateway)
        assert isinstance(fields, dict) and fields["C"] in ("08001", "08006", "28000", "08004"), fields
        assert time.monotonic() - began < 1.5, "it is known at once"
        assert any("ERROR" in line and reason in line for line in gateway.log().splitlines()), gateway.tail()
        assert int(handshakes(gateway)["under_way"]) == 0
        bad[0] = False
        wait_until(lambda: ask(gateway) == "1", "the next client is served", 5)
        assert servers_of(gateway)[0]["tls"] == "true"
        assert not server.problems, server.problems


@pytest.mark.parametrize("stage", ("request", "hello"))
def test_silence_ends_at_connect_timeout(make_gateway, stage):
    over = threading.Event()

    def script(peer):
        asked(peer)
        if stage == "hello":
            peer.send(b"S")
        over.wait(20)

    with FakeServer(script) as server:
        gateway = make_gateway({"app": tls_of(server)}, QUICK | {"connect_timeout": "400ms"}, hba=TRUST)
        began = time.monotonic()
        fields = ask(gateway)
        assert isinstance(fields, dict) and 0.3 < time.monotonic() - began < 3.5
        assert "connect_timeout" in gateway.log()
        over.set()
        assert int(handshakes(gateway)["under_way"]) == 0
        gateway.wait_idle()


PREFERRED = SPOILT | {"garbage and a reset": (garbage_and_reset, "")}


@pytest.mark.parametrize("method", ("epoll", "io_uring"))
@pytest.mark.parametrize(
    "name",
    (
        "no TLS",
        "an error",
        "garbage",
        "half a flight",
        "the end behind the hello",
        "a reset behind the hello",
        "garbage and a reset",
    ),
)
def test_prefer_goes_on_in_clear_text(make_gateway, name, method):
    """As libpq does: after N on the same socket, after a handshake that fails on another one."""
    script, _ = PREFERRED[name]
    asks_again = []

    def run(peer):
        packet = peer.socket.recv(8, socket.MSG_PEEK)
        if packet != SSL_REQUEST:
            return serve(peer)
        asks_again.append(packet)
        if name == "no TLS":
            return serve(peer)
        script(peer)

    with FakeServer(run) as server:
        gateway = make_gateway({"app": tls_of(server, "prefer")}, QUICK | {"io_method": method}, hba=TRUST)
        for round in range(1, 4):
            assert ask(gateway) == "1", gateway.tail()
            assert servers_of(gateway)[0]["tls"] == "false"
            assert server.connections == (round if name == "no TLS" else round * 2)
            assert len(asks_again) == round
            gateway.console("KILL USER app")
        # After an error, libpq gives up.
        assert psql(server, "app", "prefer")[0] == ("refused" if name == "an error" else "in")


@pytest.mark.parametrize("mode", ("allow", "prefer"))
def test_both_attempts_share_one_connect_timeout(make_gateway, mode):
    """The first attempt takes its time and fails, the second one says nothing."""
    over = threading.Event()

    def slow(peer):
        if mode == "prefer":
            hello(peer)
        else:
            peer.startup()
        over.wait(0.6)
        peer.send(b"x" * 200 if mode == "prefer" else error("28000", "no rule", "FATAL"))

    with FakeServer([slow, lambda peer: over.wait(20)]) as server:
        gateway = make_gateway({"app": tls_of(server, mode)}, QUICK | {"connect_timeout": "1s"}, hba=TRUST)
        began = time.monotonic()
        assert isinstance(ask(gateway), dict)
        assert time.monotonic() - began < 1.5
        assert server.connections == 2
        over.set()


# --- direct TLS -------------------------------------------------------------------------------------------------------


def test_direct_tls(make_gateway):
    names = []
    script = tls_script(serve, is_direct=True, alpn=("postgresql",), on_name=names.append)
    with FakeServer(script) as server:
        ca = authority("databases").certificate
        settings = tls_of(server, "verify-full", server_tls_negotiation="direct", server_tls_ca_cert=ca)
        gateway = make_gateway({"app": settings | {"server_host": "localhost"}}, QUICK, hba=TRUST)
        assert ask(gateway) == "1", gateway.tail()
        assert names == ["localhost"]
        row = handshakes(gateway)
        assert (row["handshakes"], row["direct"], row["under_way"]) == ("1", "1", "0")
        assert server.peers[0].socket.selected_alpn_protocol() == "postgresql"
        assert servers_of(gateway)[0]["tls_subject"] == "CN=localhost"


def test_direct_tls_without_the_protocol_is_refused(make_gateway):
    with FakeServer(tls_script(serve, is_direct=True)) as server:
        gateway = make_gateway({"app": tls_of(server, server_tls_negotiation="direct")}, QUICK, hba=TRUST)
        assert isinstance(ask(gateway), dict)
        assert "the server did not agree on the protocol postgresql (no_application_protocol)" in gateway.log()
        assert handshakes(gateway)["failure_reasons"].keys() == {"no_application_protocol"}
        assert all(not peer.received for peer in server.peers)


def test_direct_tls_to_a_server_without_it(make_gateway, postgres):
    pools = {"app": tls_of(FakeServer(serve), server_tls_negotiation="direct") | {"server_port": postgres.port}}
    gateway = make_gateway(pools, QUICK, hba=TRUST)
    fields = ask(gateway)
    assert isinstance(fields, dict) and fields["C"].startswith("08"), fields
    gateway.wait_idle()


def test_names_are_sent_and_addresses_are_not(make_gateway):
    names = []
    with FakeServer(tls_script(serve, on_name=names.append)) as server:
        gateway = make_gateway(
            {"app": tls_of(server), "named": tls_of(server) | {"server_host": "localhost"}}, QUICK, hba=TRUST
        )
        assert ask(gateway) == "1"
        with gateway.wire("app", "named") as client:
            assert client.value("select 1") == "1"
        assert names == [None, "localhost"]
