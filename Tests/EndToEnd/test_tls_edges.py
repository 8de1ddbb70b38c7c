"""What seldom happens under TLS: limits and ends in the middle of handshakes, key updates, tiny records, memory."""

import signal
import ssl
import subprocess

import pytest

from gateway import ADMIN, ADMIN_PASSWORD
from handshakes import Handshake, handshakes_begun, under_way
from polling import wait_until
from tlswire import (
    METHODS,
    by_libpq,
    client_context,
    closes,
    ended_by_close_notify,
    ours,
    plain_socket,
    start,
    tls_wire,
)
from wire import SSL_REQUEST, LoginRefused, bind, byte_by_byte, execute, parse, query, random_splits, startup, sync

KIB = 1 << 10


@pytest.fixture(params=METHODS)
def gateway(request, make_gateway):
    return start(make_gateway, general={"io_method": request.param})


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", (byte_by_byte, random_splits(6)), ids=("byte by byte", "at random"))
def test_messages_cut_into_many_records(gateway, split):
    with tls_wire(gateway, "app", split=split, login=False) as client:
        client.login("app", "app", "Quartz-lantern-91")
        for number in range(5):
            client.send_together(parse(f"select $1 || '{'x' * 100}'"), bind([str(number)]), execute(), sync())
            assert [m.kind for m in client.ready()] == ["1", "2", "D", "C", "Z"]


def test_many_messages_in_one_record(gateway):
    with tls_wire(gateway) as client:
        client.send_together(*[query(f"select {number}") for number in range(2000)])
        answers = [m.values[0] for m in client.ready(2000) if m.kind == "D"]
        assert answers == [str(number).encode() for number in range(2000)]
        one = parse("select $1::int") + bind(["7"]) + execute()
        client.send_together(*[one] * 3000, sync())
        assert sum(m.kind == "D" for m in client.ready()) == 3000


class Terminal:
    """`openssl s_client`, whose commands do what Python's ssl cannot: key updates and renegotiation."""

    def __init__(self, gateway, *options):
        command = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"{gateway.host}:{gateway.port}"]
        self.process = subprocess.Popen(
            [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.seen = b""

    def says(self, what, text):
        """Sends bytes, or a command; returns when `text` has come, or everything has."""
        self.process.stdin.write(what)
        self.process.stdin.flush()
        while text not in self.seen:
            data = self.process.stdout.read1(65536)
            if not data:
                return False
            self.seen += data
        self.seen = self.seen.split(text, 1)[1]
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


LOGIN = startup({"user": "app_trust", "database": "app"})
READY = b"Z\0\0\0\x05I"


def test_key_updates(gateway):
    """In the middle of a session, with an answer asked for (K) and without (k)."""
    with Terminal(gateway, "-tls1_3") as client:
        assert client.says(LOGIN, READY)
        for number, command in enumerate(b"KkKKkk"):
            assert client.says(bytes([command]) + b"\n", b"KEYUPDATE\n")
            # Not by a Query: its letter would end s_client.
            asked = parse("select 'ans' || $1::text") + bind([f"wer {number}"]) + execute() + sync()
            assert client.says(asked, f"answer {number}".encode())
            assert client.says(b"", READY)


def test_renegotiation_is_refused(gateway):
    """TLS 1.2's way to make a server work without end: answered with an alert, upon which OpenSSL gives up."""
    with Terminal(gateway, "-tls1_2") as client:
        assert client.says(LOGIN, READY)
        client.says(b"R\n", b"RENEGOTIATING\n")
        assert client.says(b"", b"no renegotiation")
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert row["handshakes"] == "1"
    gateway.wait_idle()


# --- limits and ends --------------------------------------------------------------------------------------------------


def test_too_many_clients_are_told_so_on_tls(make_gateway):
    gateway = start(make_gateway, general={"max_connections": 2})
    with tls_wire(gateway), tls_wire(gateway):
        for direct in (False, True):
            with tls_wire(gateway, login=False, direct=direct) as third:
                with pytest.raises(LoginRefused) as refusal:
                    third.login("app_trust", "app")
                assert refusal.value.sqlstate == "53300"
                assert ended_by_close_notify(third) == []
    gateway.wait_idle()


def test_delayed_refusals_come_on_tls(make_gateway):
    gateway = start(make_gateway, general={"auth_failure_delay": "200ms"})
    with pytest.raises(LoginRefused) as refusal:
        tls_wire(gateway, "app", password="wrong")
    assert refusal.value.sqlstate == "28P01"


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_stop_in_the_middle_of_handshakes(make_gateway, number):
    """Neither those that have begun nor those that wait for their turn hold it up, and none is told so in clear text,
    which would be a broken record to a client that awaits TLS."""
    gateway = start(make_gateway, tls_rate_limit_per_second=1, general={"shutdown_timeout": "30s"})
    hello = Handshake().flight()
    clients = handshakes_begun(gateway, 40)
    for at, client in enumerate(clients):
        client.sendall(hello[: len(hello) if at % 2 else 99])
    wait_until(lambda: under_way(gateway) == 40, "all are under way")
    gateway.signal(number)
    gateway.wait(10)
    for client in clients:
        received = closes(client)
        assert received[:1] in (b"", b"\x15", b"\x16") and b"shutting down" not in received, received
        client.close()


def test_refused_handshakes_give_their_places_back(make_gateway):
    """A refused client is read until it closes; then another may come."""
    gateway = start(make_gateway, general={"max_connections": 2})
    for _ in range(5):
        hello = Handshake(alpn="http/1.1").flight()
        with plain_socket(gateway) as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            client.sendall(hello)
            assert closes(client)[:1] == b"\x15"
    wait_until(lambda: by_libpq(gateway, sslmode="require").way == "tls", "there is room again")
    gateway.wait_idle()


def test_unix_sockets_have_no_tls(make_gateway):
    """Nor need it where others must have it."""
    gateway = start(make_gateway, tls_mode="require")
    with gateway.wire(login=False, unix=True) as client:
        client.send(SSL_REQUEST)
        assert client.byte() == b"N"
        client.login("app", "app", "Quartz-lantern-91")
        assert client.value("select 1") == "1"


def test_the_console_on_tls(make_gateway):
    gateway = start(make_gateway, tls_mode="require")
    with tls_wire(gateway, ADMIN, "pggateway", password=ADMIN_PASSWORD) as console:
        [own] = [row for row in console.dicts("SHOW CLIENTS") if row["tls"] == "true"]
        assert own["user"] == ADMIN and own["tls_version"] == "TLSv1.3"
        console.rows("RELOAD")


def test_kill_reaches_clients_on_tls(gateway):
    with tls_wire(gateway) as client:
        client.value("select 1")
        gateway.console("KILL USER app_trust")
        assert [m.sqlstate for m in ended_by_close_notify(client)] == ["57P01"]


def test_tickets_outlive_reloads_that_change_nothing(make_gateway):
    gateway = start(make_gateway, tls_session_tickets=True)
    with tls_wire(gateway) as client:
        client.value("select 1")
        session = client.socket.session
        context = client.socket.context
    gateway.reload(general={"query_wait_timeout": "7s"})
    with tls_wire(gateway, context=context, session=session) as client:
        assert client.socket.session_reused


# --- memory -----------------------------------------------------------------------------------------------------------


def test_memory_of_idle_clients(make_gateway):
    """OpenSSL's state of a session, and no buffers of whole records."""
    gateway = start(make_gateway, general={"max_connections": 2000})
    some = [tls_wire(gateway) for _ in range(100)]
    before = gateway.memory()
    more = [tls_wire(gateway) for _ in range(300)]
    for client in more:
        assert client.value("select repeat('x', 20000)") == "x" * 20000
    each = (gateway.memory() - before) / len(more)
    assert each < 48 * KIB, f"{each / KIB:.0f} KiB"
    for client in some + more:
        client.close()
    gateway.wait_idle()


@pytest.mark.parametrize("how", ("complete", "refused", "left"))
def test_handshakes_leave_no_memory_behind(make_gateway, how):
    newest = "TLSv1.2" if how == "refused" else None
    gateway = start(make_gateway, general={"max_connections": 2000}, tls_max_version=newest)
    hello = Handshake(versions=(ssl.TLSVersion.TLSv1_3,) * 2).flight()
    context = client_context()

    def some(count):
        for _ in range(count):
            if how == "complete":
                tls_wire(gateway, login=False, context=context).close()
                continue
            with plain_socket(gateway) as client:
                client.sendall(SSL_REQUEST)
                client.recv(1)
                client.sendall(hello)
                client.recv(1)
        wait_until(lambda: under_way(gateway) == 0, "all are over")

    some(300)
    before = gateway.memory()
    some(600)
    grown = (gateway.memory() - before) / 600
    assert grown < 2 * KIB, f"{grown:.0f} bytes for each"
    assert by_libpq(gateway, sslmode="verify-full", trusted=ours()).way == "tls"


def test_departed_clients_that_waited_leave_no_memory_behind(make_gateway):
    """Behind others that wait for their turn (tls_rate_limit_per_second), whoever leaves is forgotten."""
    gateway = start(make_gateway, general={"max_connections": 2000}, tls_rate_limit_per_second=1)
    hello = Handshake().flight()
    living = handshakes_begun(gateway, 60)
    for client in living:
        client.sendall(hello)

    def come_and_go(rounds):
        for _ in range(rounds):
            gone = handshakes_begun(gateway, 100)
            for client in gone:
                client.sendall(hello)
                client.close()
            wait_until(lambda: under_way(gateway) <= 60, "they are gone")

    come_and_go(3)
    before = gateway.memory()
    come_and_go(30)
    grown = (gateway.memory() - before) / 3000
    assert grown < KIB, f"{grown:.0f} bytes for each"
    for client in living:
        client.close()
