"""Peers that do not read, stop in the middle, half close, or say much more than they were asked."""

import hmac
import socket
import ssl
import struct
import threading
import time
from contextlib import ExitStack

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fakeserver import FakeServer, error, notice, one_row, parameter_status, plain_answer, ready
from gateway import ADMIN, ADMIN_PASSWORD
from longmessages import METHODS, Stage
from memory import MEGABYTE, Memory
from polling import wait_until
from tlswire import client_context, start, tls_wire
from wire import SSL_REQUEST, bind, copy_data, execute, message, parse, query, startup, sync
from wire import terminate

TRUST = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
SMALL = {"tcp_socket_buffer_size": "16kB", "worker_threads": 1}


def drain(peer, gateway):
    """Reads what comes until the gateway has nothing more at hand for this server. What the kernel holds back because
    its windows were full may come later."""
    taken = b""
    quiet = 0
    peer.socket.setblocking(False)
    while quiet < 5:
        try:
            piece = peer.socket.recv(1 << 16)
            assert piece
            taken += piece
            quiet = 0
        except BlockingIOError:
            # The only worker has had a round of its loop when this is answered.
            gateway.console("SHOW POOLS")
            quiet += 1
    peer.socket.settimeout(10)
    return taken


def query_behind(peer, taken):
    """The first query behind what was taken already, with nothing but whole messages of a COPY before it."""
    while True:
        while len(taken) >= 5 and len(taken) > (length := int.from_bytes(taken[1:5], "big")):
            kind, body, taken = taken[:1], taken[5 : length + 1], taken[length + 1 :]
            if kind == b"Q":
                assert taken == b""
                return body[:-1].decode()
            assert kind == b"d", kind
        piece = peer.socket.recv(1 << 16)
        assert piece, "the gateway left"
        taken += piece


# --- servers ----------------------------------------------------------------------------------------------------------


@METHODS
@pytest.mark.parametrize("kilobytes", (160, 192, 224, 256))
def test_a_server_that_answers_before_it_has_read_everything(make_gateway, io_method, kilobytes):
    """PostgreSQL does so when a COPY fails: data that its socket has no room for goes out though no client has the
    server any more, and the next client's request behind it."""
    with Stage(make_gateway, io_method=io_method, **SMALL) as stage:
        with stage.client() as client:
            client.send(query("copy t from stdin"))
            peer = stage.peer()
            peer.until("Q")
            peer.send(message("G", b"\0\0\0"))
            client.until("G")
            client.send_together(*[copy_data(b"x" * 1019)] * kilobytes)
            for _ in range(3):
                stage.gateway.console("SHOW POOLS")
            peer.send(error("22P02", "bad row"), ready())
            client.ready()
            # What the client has not sent on by now may be dropped: the COPY is over.
            taken = drain(peer, stage.gateway)
            with stage.client() as other:
                other.send(query("select 1"))
                assert query_behind(peer, taken) == "select 1"
                peer.send(one_row())
                other.ready()
    stage.gateway.wait_idle()


#: What three servers say of their messages before they stop.
BEGUN = (notice()[:1], notice()[:9], parameter_status("TimeZone", "UTC")[:-3])


@METHODS
def test_an_idle_server_that_stops_in_the_middle_of_a_message(make_gateway, io_method):
    """It is given up: its place in the pool is not lost."""
    speak = threading.Event()

    def stops_after(begun):
        def script(peer):
            peer.login()
            if peer.server.connections > 1:
                return peer.serve(lambda sql: one_row(b"second"))
            peer.until("Q")
            peer.send(one_row(b"first"))
            speak.wait(10)
            peer.send(begun)
            peer.exactly(1 << 20)

        return script

    with ExitStack() as stack:
        servers = [stack.enter_context(FakeServer(stops_after(begun))) for begun in BEGUN]
        pools = {f"app{number}": server.pool(pool_size=1) for number, server in enumerate(servers)}
        gateway = make_gateway(pools, {"query_wait_timeout": "20s", "io_method": io_method}, hba=TRUST)

        def idle_servers():
            return [gateway.pool_row(name)["sv_idle"] for name in pools]

        clients = [stack.enter_context(gateway.wire("app", name, timeout=30)) for name in pools]
        assert [client.value("select 1") for client in clients] == ["first"] * 3
        wait_until(lambda: idle_servers() == ["1"] * 3, "the servers are idle")
        speak.set()
        wait_until(lambda: idle_servers() == ["0"] * 3, "they are looked at")
        for client in clients:
            client.send(query("select 2"))
        for client in clients:
            assert [m.values for m in client.ready() if m.kind == "D"] == [[b"second"]]
            client.close()
        gateway.wait_idle()


def test_a_storm_of_reports_while_parameters_are_learnt(make_gateway):
    """They are few with PostgreSQL. Each costs the same, and no more than some are kept."""
    storm = b"".join(parameter_status(f"p{number}", "v") for number in range(60_000))

    def script(peer):
        peer.login()
        peer.serve(lambda sql: storm + plain_answer(sql) if "TimeZone" in sql else None)

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        with gateway.wire("app", parameters={"TimeZone": "Asia/Tokyo"}) as client:
            assert client.value("select 1") == "1"
        gateway.wait_idle()
        assert not server.problems, server.problems


def test_an_endless_answer_that_nobody_hears(make_gateway):
    """Its client has said goodbye and left. PostgreSQL alone ends such a query: it has nobody to write to."""
    gateway = make_gateway(pool_options={"pool_size": 1}, general={"query_wait_timeout": "20s"})
    client = gateway.wire()
    client.rows("begin work")
    client.send_together(query("select generate_series(1, 3000000000)"), terminate())
    wait_until(lambda: gateway.pool_row()["sv_active"] == "1", "the query runs")
    client.receive()
    client.close()
    with gateway.wire(timeout=30) as other:
        assert other.value("select 'served'") == "served"
    gateway.wait_idle()


# --- clients ----------------------------------------------------------------------------------------------------------


def waits_in_the_kernel(client, gateway):
    """How many bytes of this client the gateway has not read."""
    own = client.socket.getsockname()[1]
    with open("/proc/net/tcp") as table:
        for line in table:
            words = line.split()
            if words[1].endswith(f":{gateway.port:04X}") and words[2].endswith(f":{own:04X}"):
                return int(words[4].split(":")[1], 16)
    raise AssertionError("no such connection")


@pytest.mark.parametrize("tls", (False, True))
def test_a_half_closed_client_that_does_not_take_its_answers(make_gateway, tls):
    """The gateway waits for it without using the processor, and lets it go when it breaks off."""
    gateway = start(make_gateway, general=SMALL)
    client = tls_wire(gateway, receive_buffer=4096) if tls else gateway.wire(receive_buffer=4096)
    client.rows("select 1")
    requests = (query("begin") + query("rollback")) * 100
    client.socket.settimeout(10)
    while not waits_in_the_kernel(client, gateway):
        client.socket.sendall(requests)
        for _ in range(2):
            gateway.console("SHOW POOLS")
    socket.socket.shutdown(client.socket, socket.SHUT_WR)
    gateway.console("SHOW POOLS")
    used, began = gateway.processor_time(), time.monotonic()
    with gateway.wire("app_trust") as other:
        other.value("select pg_sleep(1)")
    assert gateway.processor_time() - used < 0.3 * (time.monotonic() - began) + 0.1, "the gateway spins"
    client.reset()
    gateway.wait_idle()


def test_a_short_pipeline_that_brings_many_long_statements_along(make_gateway):
    """A server that lacks them gets them one after the other, not out of one heap of memory."""
    gateway = make_gateway(pool_options={"pool_size": 2}, general={"worker_threads": 1})
    count = 48
    with gateway.wire("app_trust", timeout=60) as client, gateway.wire("app_trust") as other:
        for number in range(count):
            client.send(parse(f"select {number}" + " " * MEGABYTE, f"s{number}"), sync())
            assert client.receive().kind == "1"
            client.ready()
        # The one server that has them is taken: the client gets another one.
        other.rows("begin work")
        with Memory(gateway) as memory:
            client.send_together(*[bind(statement=f"s{n}") + execute() for n in range(count)], sync())
            answers = client.ready()
        assert [int(m.values[0]) for m in answers if m.kind == "D"] == list(range(count))
        assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
    gateway.wait_idle()


def test_a_console_client_that_says_goodbye_and_does_not_read(make_gateway):
    """It has the time of last words to take its answers."""
    gateway = start(make_gateway, general=SMALL, console_by_unix=False)
    with gateway.console_wire() as console:
        console.send(query("SHOW CONFIG"))
        size = sum(len(m.body) + 5 for m in console.ready())
    client = gateway.wire(ADMIN, "pggateway", ADMIN_PASSWORD, receive_buffer=4096)
    # More than the sockets take, less than what stops the gateway to read.
    client.send_together(query("SHOW CONFIG") * max(60_000 // size, 1), terminate())
    wait_until(lambda: len(gateway.console("SHOW CLIENTS")) == 1, "it is let go", 20)
    client.close()


@pytest.mark.parametrize("behind", (0, 3), ids=("nothing", "checks"))
@pytest.mark.parametrize("tls", (False, True))
def test_a_client_without_a_server_that_says_goodbye_takes_its_answers_afterwards(make_gateway, tls, behind):
    """Its server has gone back, and the gateway has what the sockets did not take."""
    gateway = start(make_gateway, general=SMALL)
    client = tls_wire(gateway, receive_buffer=4096) if tls else gateway.wire("app_trust", receive_buffer=4096)
    # From now on the gateway knows the answer to the check query.
    client.rows(";")
    # More than the sockets take, less than what stops the gateway to read its server.
    client.send(query("select repeat('x', 90000)"))
    assert client.receive().kind == "T"
    wait_until(lambda: gateway.pool_row(user="app_trust")["sv_active"] == "0", "the server has gone back")
    client.send_together(query(";") * behind, terminate())
    answers = client.until_closed()
    assert [m.kind for m in answers] == list("DCZ" + "IZ" * behind)
    assert [len(m.values[0]) for m in answers if m.kind == "D"] == [90000]
    gateway.wait_idle()


# --- TLS --------------------------------------------------------------------------------------------------------------


def derived(secret, label, seed, count):
    """The pseudo-random function of TLS 1.2 (RFC 5246, section 5)."""
    seed, output = label + seed, b""
    block = seed
    while len(output) < count:
        block = hmac.digest(secret, block, "sha256")
        output += hmac.digest(secret, block + seed, "sha256")
    return output[:count]


class Renegotiator:
    """A client on TLS 1.2 that writes its records itself, once its handshake is done."""

    def __init__(self, gateway, folder):
        log = folder / "keys"
        version = ssl.TLSVersion.TLSv1_2
        context = client_context(versions=(version, version), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
        context.keylog_filename = str(log)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(10)
        self.socket.connect((gateway.host, gateway.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(SSL_REQUEST)
        assert self.socket.recv(1) == b"S"
        said = b""
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(outgoing.read())
                answer = self.socket.recv(65536)
                said += answer
                incoming.write(answer)
        self.socket.sendall(outgoing.read())
        words = log.read_text().split()
        at = words.index("CLIENT_RANDOM")
        own, master = bytes.fromhex(words[at + 1]), bytes.fromhex(words[at + 2])
        # The server's random number stands in its hello, which begins the first record.
        keys = derived(master, b"key expansion", said[11:43] + own, 40)
        self.cipher, self.salt, self.sequence = AESGCM(keys[:16]), keys[32:36], 1

    def record(self, kind, data):
        number = struct.pack(">Q", self.sequence)
        self.sequence += 1
        head = bytes([kind, 3, 3])
        sealed = number + self.cipher.encrypt(self.salt + number, data, number + head + struct.pack(">H", len(data)))
        return head + struct.pack(">H", len(sealed)) + sealed


@pytest.mark.parametrize("logged_in", (False, True))
def test_a_client_that_asks_for_renegotiation_and_does_not_read(make_gateway, tmp_path, logged_in):
    """Each request is answered by an alert: the gateway does not keep them for a client that takes none."""
    gateway = start(make_gateway, general=SMALL)
    client = Renegotiator(gateway, tmp_path)
    if logged_in:
        client.socket.sendall(client.record(23, startup({"user": "app_trust", "database": "app"})))
        wait_until(lambda: gateway.pool_row(user="app_trust"), "it is logged in")
    hello = b"\1\0\0\0"
    with gateway.console_wire() as console, pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(400):
            # No more at once than are read at once.
            client.socket.sendall(b"".join(client.record(22, hello) for _ in range(20)))
            console.rows("SHOW VERSION")
    client.socket.close()
    gateway.wait_idle()
