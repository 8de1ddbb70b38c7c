"""The way into TLS: stuffed bytes, broken and slow handshakes."""

import socket
import ssl

import pytest

from gateway import Gateway, pool
from handshakes import Handshake, under_way
from polling import wait_until
from tlswire import (
    by_libpq,
    closes,
    plain_socket,
    start,
    tls_wire,
)
from wire import GSSENC_REQUEST, SSL_REQUEST, cancel_request, query, startup

LOGIN = startup({"user": "app_trust", "database": "app"})


@pytest.fixture(scope="module")
def hello():
    """The first flight of a real client."""
    return Handshake().flight()


@pytest.fixture(scope="module")
def tls(postgres):
    """One gateway for what does it no harm."""
    gateway = start(lambda **options: Gateway({"app": pool(postgres)}, **options))
    yield gateway
    gateway.stop()


def failure_reasons(gateway):
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    return row["failure_reasons"] or ""


def closed_count(gateway):
    counts = dict(one.split("=") for one in failure_reasons(gateway).split(", ") if one)
    return int(counts.get("closed", 0))


# --- stuffed bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSSENC_REQUEST], ids=["ssl", "gss"])
@pytest.mark.parametrize("stuffed", ["one byte", "startup", "hello", "ssl"])
def test_bytes_stuffed_behind_a_request(tls, hello, request_, stuffed):
    """In the same segment: refused before `S`, as bytes in clear text might pass for encrypted ones otherwise."""
    more = {"one byte": b"\0", "startup": LOGIN, "hello": hello, "ssl": SSL_REQUEST}[stuffed]
    with plain_socket(tls) as client:
        client.sendall(request_ + more)
        answer = closes(client)
        assert answer[:1] == b"E" and b"received unencrypted data after" in answer, answer


@pytest.mark.parametrize("stuffed", ["startup", "ssl", "gss", "garbage", "cancel"])
def test_clear_text_instead_of_the_handshake(tls, stuffed):
    """Between `S` and the handshake nothing in clear text is listened to."""
    more = {
        "startup": LOGIN + query("select 'stuffed'"),
        "ssl": SSL_REQUEST,
        "gss": GSSENC_REQUEST,
        "garbage": bytes(range(256)) * 8,
        "cancel": cancel_request(1, b"1234"),
    }[stuffed]
    with plain_socket(tls) as client:
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        client.sendall(more)
        answer = closes(client)
        assert answer[:1] in (b"", b"\x15"), "nothing but an alert"
        assert b"stuffed" not in answer


def test_clear_text_in_the_middle_of_the_handshake(tls, hello):
    for more in (LOGIN, SSL_REQUEST, b"\x17\x03\x03\x00\x20" + b"x" * 32):
        with plain_socket(tls) as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            client.sendall(hello + more)
            answer = closes(client)
            assert answer[:1] == b"\x16" and b"AuthenticationOk" not in answer


def test_what_comes_with_the_last_flight_is_read(tls):
    """A client that knows what it wants sends its StartupMessage along with its Finished, in one segment."""
    for options in ({}, {"versions": (ssl.TLSVersion.TLSv1_3,) * 2}):
        handshake = Handshake(**options)
        with plain_socket(tls) as client:
            client.sendall(handshake.flight())
            flight = b""
            while not flight:
                flight = handshake.flight(client.recv(65536))
            handshake.ssl.write(LOGIN + query("select 41 + 1"))
            client.sendall(flight + handshake.outgoing.read())
            answer = b""
            while b"SELECT 1" not in answer:
                answer += handshake.opened(client.recv(65536))
            assert b"\x0242" in answer.replace(b"\0", b"")


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSSENC_REQUEST], ids=["ssl", "gss"])
def test_requests_inside_tls_are_refused(tls, request_):
    for direct in (False, True):
        with tls_wire(tls, login=False, direct=direct) as client:
            client.send(request_)
            [error] = client.until_closed()
            assert "request on an encrypted connection" in error.fields["M"]
            assert error.fields["C"] == "08P01"


def test_tls_inside_tls_is_no_startup(tls, hello):
    with tls_wire(tls, login=False) as client:
        client.send(hello)
        assert [m.kind for m in client.until_closed()] in ([], ["E"])


def test_direct_tls_behind_a_request_is_refused(tls, hello):
    """After a GSSENCRequest that was answered N there is SSLRequest or clear text, as PostgreSQL has it."""
    with plain_socket(tls) as client:
        client.sendall(GSSENC_REQUEST)
        assert client.recv(1) == b"N"
        client.sendall(hello)
        assert closes(client)[:1] in (b"", b"E")
    with plain_socket(tls) as client:
        client.sendall(GSSENC_REQUEST)
        assert client.recv(1) == b"N"
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"


def test_an_encrypted_stream_that_breaks_ends_the_session(tls):
    """A record that nobody sealed, in the middle of a session: no crash, no answer to it, the server is free."""
    with tls_wire(tls) as client:
        client.value("select 1")
        raw = client.socket.detach()
    with socket.socket(fileno=raw) as broken:
        broken.setblocking(True)
        broken.sendall(b"\x17\x03\x03\x00\x40" + b"y" * 64)
        closes(broken)
    tls.wait_idle()


def test_the_alert_of_a_refused_handshake_is_not_overtaken(tls):
    """What the client sends on, unaware, is answered by no reset, which could take the alert from it."""
    with plain_socket(tls) as client:
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        client.sendall(Handshake(alpn="http/1.1").flight())
        assert closes(client)[:1] == b"\x15"
        wait_until(lambda: under_way(tls) == 0, "the handshake is over")
        # Into a closed socket, the second of these would be an error.
        for _ in range(3):
            client.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    tls.wait_idle()


# --- slow handshakes --------------------------------------------------------------------------------------------------


def test_a_handshake_byte_by_byte(tls):
    handshake = Handshake()
    with plain_socket(tls) as client:
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        data = handshake.flight()
        while data:
            for at in range(len(data)):
                client.send(data[at : at + 1])
            data = b""
            while not data and handshake.ssl.version() is None:
                data = handshake.flight(client.recv(65536))
        handshake.ssl.write(LOGIN)
        sealed = handshake.outgoing.read()
        for at in range(len(sealed)):
            client.send(sealed[at : at + 1])
        answer = b""
        while b"Z\0\0\0\x05I" not in answer:
            answer += handshake.opened(client.recv(65536))


def test_handshakes_that_stop_half_way(make_gateway, hello):
    """client_login_timeout ends each of them, wherever it stopped; nobody else waits."""
    gateway = start(make_gateway, general={"client_login_timeout": "1s"})
    stopped = []
    for at in (0, 1, 5, len(hello) // 2, len(hello)):
        client = plain_socket(gateway)
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        client.sendall(hello[:at])
        stopped.append(client)
    direct = plain_socket(gateway)
    direct.sendall(hello[:7])
    stopped.append(direct)
    assert by_libpq(gateway, sslmode="require").way == "tls"
    for client in stopped:
        closes(client)
        client.close()
    wait_until(lambda: under_way(gateway) == 0, lambda: f"{under_way(gateway)} are under way")
    assert failure_reasons(gateway) == "deadline_passed=6"


HALVES = {
    "nothing": b"",
    "half a startup": startup({"user": "app", "database": "app"})[:-5],
    "no password": startup({"user": "app", "database": "app"}),
    "half a password": startup({"user": "app", "database": "app"}) + b"p\0\0\0\x50SCRAM",
}


def test_logins_that_stop_behind_the_handshake(make_gateway):
    """client_login_timeout is for handshake and login together; whoever is late is told so on TLS."""
    gateway = start(make_gateway, general={"client_login_timeout": "1s"})
    clients = {name: tls_wire(gateway, login=False) for name in HALVES}
    for name, client in clients.items():
        client.send(HALVES[name])
    assert by_libpq(gateway, sslmode="require").way == "tls"
    for name, client in clients.items():
        said = client.until_closed()
        assert client.ended_cleanly, f"{name}: the stream was cut off"
        assert [m.kind for m in said] in ([], ["R"], ["E"], ["R", "E"]), (name, [str(m) for m in said])
        client.close()
    gateway.wait_idle()
    assert gateway.console("SHOW CONNECTIONS")[0]["errors"] == str(len(HALVES))


def test_departed_handshakes_are_counted_closed(tls, hello):
    before = closed_count(tls)
    client = plain_socket(tls)
    client.sendall(SSL_REQUEST)
    assert client.recv(1) == b"S"
    client.sendall(hello[:50])
    wait_until(lambda: under_way(tls) == 1, "the handshake has begun")
    client.close()
    wait_until(lambda: under_way(tls) == 0, "the handshake is over")
    assert closed_count(tls) == before + 1


def test_a_hello_of_endless_length(tls):
    """64 KiB of handshake at most are taken from a client."""
    with plain_socket(tls) as client:
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        record = b"\x16\x03\x01\x40\x00"
        try:
            client.sendall(record + b"\x01\xff\xff\xff" + b"z" * (16384 - 4))
            for _ in range(64):
                client.sendall(record + b"z" * 16384)
        except OSError:
            pass
        closes(client)
    assert by_libpq(tls, sslmode="require").way == "tls"


def test_connections_are_counted_by_what_became_of_them(make_gateway):
    gateway = start(make_gateway)
    with gateway.console_wire() as console:

        def counts():
            return {name: int(value) for name, value in console.dicts("SHOW CONNECTIONS")[0].items()}

        before = counts()
        with gateway.wire("app_trust", "app") as client, tls_wire(gateway):
            with gateway.wire(login=False) as canceller:
                canceller.send(cancel_request(client.pid, client.secret))
                assert canceller.until_closed() == []
        with gateway.wire(login=False) as nobody:
            nobody.send(startup({"database": "app"}))
            assert [m.kind for m in nobody.until_closed()] == ["E"]
        stranger = plain_socket(gateway)
        stranger.sendall(SSL_REQUEST)
        assert stranger.recv(1) == b"S"
        stranger.sendall(b"this is no TLS handshake")
        closes(stranger)
        stranger.close()

        def grown():
            after = counts()
            return {name: after[name] - before[name] for name in after}

        wanted = {"total": 5, "errors": 2, "tls": 1, "plain": 2, "cancel": 1}
        wait_until(lambda: grown() == wanted, lambda: f"{wanted}; found {grown()}")
