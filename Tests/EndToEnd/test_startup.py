"""The first packets of a connection: encryption requests, negotiation, hostile lengths, limits and the deadline."""

import struct
import threading
import time
from contextlib import ExitStack

import pytest

from gateway import pool
from polling import wait_until
from wire import (
    GSSENC_REQUEST,
    SSL_REQUEST,
    Closed,
    LoginRefused,
    byte_by_byte,
    cancel_request,
    query,
    startup,
    text,
)

V3_0, V3_2 = (3, 0), (3, 2)
LOGIN = {"user": "app_trust", "database": "transaction"}


def fresh(shared, **options):
    return shared.wire(login=False, **options)


def login(client, **options):
    return client.login("app_trust", "transaction", **options)


def refused(client, codes=None):
    """The peer ends the connection: by one ErrorResponse FATAL, or without a word; never by a login."""
    answer = client.until_closed()
    assert [m.kind for m in answer] in ([], ["E"]), [str(m) for m in answer]
    if answer:
        assert answer[0].fields["S"] == answer[0].fields["V"] == "FATAL", str(answer[0])
        assert codes is None or answer[0].sqlstate in codes, str(answer[0])
    return answer


# --- SSLRequest and GSSENCRequest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "requests",
    [(SSL_REQUEST,), (GSSENC_REQUEST,), (SSL_REQUEST, GSSENC_REQUEST), (GSSENC_REQUEST, SSL_REQUEST)],
    ids=["ssl", "gss", "ssl gss", "gss ssl"],
)
def test_encryption_requests_are_answered_n_once(shared, requests):
    for split in (None, byte_by_byte):
        with fresh(shared, **({"split": split} if split else {})) as client:
            for request in requests:
                client.send(request)
                assert client.byte() == b"N"
            assert login(client).value("select 1") == "1"


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSSENC_REQUEST], ids=["ssl", "gss"])
@pytest.mark.parametrize("between", [b"", "other"], ids=["at once", "with the other between"])
def test_a_second_request_of_the_same_kind_is_refused(shared, request_, between):
    other = GSSENC_REQUEST if request_ == SSL_REQUEST else SSL_REQUEST
    with fresh(shared) as client:
        for one in (request_, other) if between else (request_,):
            client.send(one)
            assert client.byte() == b"N"
        client.send(request_)
        refused(client)


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSSENC_REQUEST], ids=["ssl", "gss"])
@pytest.mark.parametrize(
    "stuffed",
    [
        startup(LOGIN),
        b"\0",
        SSL_REQUEST,
        GSSENC_REQUEST,
        startup(LOGIN) + query("select 'stuffed'"),
        b"\x16\x03\x01" + b"x" * 600,
    ],
    ids=["startup", "one byte", "ssl", "gss", "startup and query", "client hello"],
)
def test_bytes_stuffed_behind_a_request_are_refused(shared, request_, stuffed):
    with fresh(shared) as client:
        client.send(request_ + stuffed)
        try:
            first = client.byte()
        except Closed:
            return
        if first != b"N":
            client.buffer[0:0] = first
        refused(client)


def test_direct_tls_is_refused(shared):
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\7" * 506
    with fresh(shared) as client:
        client.send(hello)
        refused(client)


# --- versions and options ---------------------------------------------------------------------------------------------


def negotiations(client):
    """(version code, names) of every NegotiateProtocolVersion; all come before the first authentication request."""
    kinds = [m.kind for m in client.transcript]
    found = []
    for at, one in enumerate(client.transcript):
        if one.kind == "v":
            assert at < kinds.index("R")
            version, count = struct.unpack_from(">ii", one.body)
            names = one.body[8:].split(b"\0")
            assert names.pop() == b"" and len(names) == count
            found.append((version, [name.decode() for name in names]))
    return found


def code(version):
    return version[0] << 16 | version[1]


@pytest.mark.parametrize(
    "asked, options, answered, key",
    [
        (V3_0, [], None, 4),
        (V3_2, [], None, 32),
        ((3, 9999), [], (V3_2, []), 32),
        ((3, 3), [], (V3_2, []), 32),
        ((3, 65535), [], (V3_2, []), 32),
        (V3_0, ["_pq_.one"], (V3_0, ["_pq_.one"]), 4),
        (V3_2, ["_pq_.one"], (V3_2, ["_pq_.one"]), 32),
        (
            (3, 9999),
            ["_pq_.zebra", "_pq_.apple", "_pq_.test_protocol_negotiation"],
            (V3_2, ["_pq_.zebra", "_pq_.apple", "_pq_.test_protocol_negotiation"]),
            32,
        ),
        (V3_2, [f"_pq_.option_{i}" for i in range(300)], (V3_2, [f"_pq_.option_{i}" for i in range(300)]), 32),
    ],
    ids=[
        "3.0",
        "3.2",
        "3.9999",
        "3.3",
        "3.65535",
        "3.0 option",
        "3.2 option",
        "3.9999 options",
        "3.2 with 300 options",
    ],
)
@pytest.mark.parametrize("user", ("app_trust", "app"))
def test_negotiation(shared, asked, options, answered, key, user):
    pairs = [("application_name", "negotiator")] + [(name, "value") for name in options]
    for split in (None, byte_by_byte):
        with shared.wire(
            user, "transaction", version=asked, parameters=pairs, **({"split": split} if split else {})
        ) as client:
            expected = [] if answered is None else [(code(answered[0]), answered[1])]
            assert negotiations(client) == expected
            assert len(client.secret) == key
            assert client.value("select 1") == "1"


def test_keys_are_never_the_same(shared):
    secrets = set()
    for version in (V3_0, V3_2):
        for _ in range(20):
            with shared.wire("app_trust", "transaction", version=version) as client:
                secrets.add((client.pid, client.secret))
                assert client.secret.strip(b"\0")
    assert len(secrets) == 40


@pytest.mark.parametrize(
    "version", [(0, 0), (1, 0), (2, 0), (2, 9), (4, 0), (255, 255), (1234, 0), (1234, 5677), (1234, 5681)]
)
def test_unknown_versions_are_refused(shared, version):
    with fresh(shared) as client:
        client.send(startup(LOGIN, version))
        refused(client, {"0A000", "08P01"})


# --- StartupMessage ---------------------------------------------------------------------------------------------------


def test_parameters_reach_the_session(shared):
    """Names and values in any order, empty values, UTF-8; the database defaults to the user's name."""
    pairs = [("application_name", ""), ("client_encoding", "UTF8"), ("database", "transaction"), ("user", "app_trust")]
    with fresh(shared) as client:
        client.login("app_trust", first=startup(pairs))
        assert client.value("select 1") == "1"
    with fresh(shared) as client:
        client.login(
            "app_trust",
            first=startup([("user", "app_trust"), ("application_name", "prüfung"), ("database", "session")]),
        )
        assert client.value("select 1") == "1"


def test_database_defaults_to_the_user_name(make_gateway, postgres):
    from gateway import pool

    gateway = make_gateway({"app_trust": pool(postgres)})
    with gateway.wire(login=False) as client:
        client.login("app_trust")
        assert client.value("select current_database()") == "app"


BODIES = {
    "missing terminator": text("user") + text("app_trust"),
    "missing NUL of a value": text("user") + b"app_trust",
    "name without a value": text("user") + text("app_trust") + text("database") + b"\0",
    "odd count": text("user") + text("app_trust") + text("odd") + b"\0",
    "bytes behind the terminator": text("user") + text("app_trust") + b"\0rest",
    "nothing": b"",
    "terminator only": b"\0",
    "no user": text("database") + text("transaction") + b"\0",
    "empty user": text("user") + b"\0" + text("database") + text("transaction") + b"\0",
    "only NULs": b"\0" * 500,
    "invalid UTF-8 user": text("user") + b"\xff\xfe\xfd\0" + text("database") + text("transaction") + b"\0",
    "long user": text("user") + text("u" * 8000) + b"\0",
    "long database": text("user") + text("app_trust") + text("database") + text("d" * 8000) + b"\0",
    "quotes and controls": text("user") + text("a'\"\\;\n\r\x1b[31m%s%n{}") + b"\0",
}


@pytest.mark.parametrize("name", BODIES)
def test_broken_startup_bodies(shared, name):
    with fresh(shared) as client:
        client.send(startup({}, length=len(BODIES[name]) + 8)[:8] + BODIES[name])
        client.socket.shutdown(1)
        answer = client.until_closed()
        assert all(m.kind in "RE" for m in answer), [str(m) for m in answer]
        assert not any(m.kind == "R" and m.body == b"\0\0\0\0" for m in answer), "a broken packet logged in"
    shared.check_alive()


@pytest.mark.parametrize(
    "length", [0, 1, 2, 3, 4, 5, 6, 7, -1, -2, -(2**31), 2**31 - 1, 2**30, 20_000_000, 10_001 * 10]
)
def test_hostile_lengths(shared, length):
    """Refused at once, without waiting for the bytes that were announced and without taking memory for them."""
    before = shared.memory()
    for rest in (b"", startup(LOGIN)[4:]):
        with fresh(shared, timeout=5) as client:
            client.send(struct.pack(">i", length) + rest)
            refused(client)
    clients = []
    for _ in range(50):
        clients.append(fresh(shared))
        clients[-1].send(struct.pack(">i", length) + startup(LOGIN)[4:])
    for client in clients:
        client.close()
    with shared.wire("app_trust", "transaction") as client:
        assert client.value("select 1") == "1"
    assert shared.memory() - before < 16 << 20


def test_a_thousand_parameters(shared):
    """More than PostgreSQL's 10 000 bytes: refused, or taken; never a crash."""
    for count, size in ((1000, 1), (1000, 20)):
        pairs = [("user", "app_trust"), ("database", "transaction")] + [
            (f"_pq_.{'x' * size}{i}", "v") for i in range(count)
        ]
        with fresh(shared) as client:
            try:
                client.login("app_trust", first=startup(pairs))
            except (LoginRefused, Closed):
                continue
            assert len(negotiations(client)) == 1
    shared.check_alive()


def test_startup_byte_by_byte_and_password_behind(shared):
    for user in ("app_trust", "app", "app_md5"):
        with shared.wire(user, "transaction", split=byte_by_byte) as client:
            assert client.value("select 1") == "1"


@pytest.mark.parametrize("secret_size", [0, 1, 3, 4, 5, 31, 32, 33, 256, 257, 5000])
def test_cancel_requests_of_every_size(shared, secret_size):
    with fresh(shared) as client:
        client.send(cancel_request(12345, b"k" * secret_size))
        assert client.until_closed() == []
    shared.check_alive()


@pytest.mark.parametrize("length", [8, 9, 11, 12, 15])
def test_short_cancel_requests(shared, length):
    with fresh(shared) as client:
        client.send((struct.pack(">iii", length, 80877102, 1) + b"k" * 8)[:length])
        refused(client)
    shared.check_alive()


def test_cancel_request_behind_an_ssl_request(shared):
    with fresh(shared) as client:
        client.send(SSL_REQUEST)
        assert client.byte() == b"N"
        client.send(cancel_request(1, b"none"))
        assert client.until_closed() == []


# --- limits and the deadline ------------------------------------------------------------------------------------------


def admitted(gateway, clients):
    """Another client comes in, if there is a place."""
    try:
        clients.append(gateway.wire("app_trust", "app"))
        return True
    except LoginRefused:
        return False


def test_max_connections(make_gateway, postgres):
    gateway = make_gateway(general={"max_connections": 5})
    clients = [gateway.wire("app_trust", "app") for _ in range(5)]
    for ask_first in (False, True):
        with gateway.wire(login=False) as client:
            if ask_first:
                client.send(SSL_REQUEST)
                assert client.byte() == b"N"
            with pytest.raises(LoginRefused) as refusal:
                client.login("app_trust", "app")
            assert refusal.value.sqlstate == "53300"
            assert refusal.value.fields["S"] == "FATAL"
            assert "too many clients" in refusal.value.fields["M"]
    victim = clients[0]
    victim.send(query("select pg_sleep(20)"))
    wait_until(lambda: postgres.sleeping("app_trust"), "the query runs")
    with gateway.wire(login=False) as client:  # a cancel request is no client
        client.send(cancel_request(victim.pid, victim.secret))
        client.until_closed()
    assert victim.ready()[-2].sqlstate == "57014"
    clients.pop().leave()

    wait_until(lambda: admitted(gateway, clients), "the place of a client that left is free")
    for client in clients:
        client.close()
    gateway.wait_idle()


def test_a_lower_max_connections(make_gateway):
    """Who is in stays in, also in a transaction; nobody new comes before there are fewer than the new number."""
    gateway = make_gateway(general={"max_connections": 5})
    clients = [gateway.wire("app_trust", "app") for _ in range(4)]
    clients[0].rows("begin work")
    gateway.change(general={"max_connections": 2})
    with gateway.console_wire() as console:
        console.rows("RELOAD")
        [row] = [row for row in console.dicts("SHOW CONFIG") if row["key"] == "general.max_connections"]
        assert row["value"] == "2"

        def is_refused():
            with pytest.raises(LoginRefused) as refusal:
                gateway.wire("app_trust", "app")
            assert refusal.value.sqlstate == "53300"

        for client in clients:
            assert client.value("select 1") == "1"
        while len(clients) > 1:
            is_refused()
            clients.pop().leave()
            wait_until(lambda: len(console.dicts("SHOW CLIENTS")) == len(clients) + 1, "it has left")
        is_refused()
    clients[0].rows("commit")

    wait_until(lambda: admitted(gateway, clients), "the place of the console is free")
    with pytest.raises(LoginRefused):
        gateway.wire("app_trust", "app")
    for client in clients:
        assert client.value("select 1") == "1"
        client.close()
    gateway.wait_idle()


def half_open(gateway):
    """A connection that the gateway has, and that has not said who it is."""
    client = gateway.wire(login=False)
    client.send(SSL_REQUEST)
    assert client.byte() == b"N"
    return client


def test_connections_that_have_not_logged_in_take_no_place(make_gateway):
    gateway = make_gateway(general={"max_connections": 1})
    silent = [half_open(gateway) for _ in range(3)]
    with gateway.wire("app_trust", "app") as client:
        assert client.value("select 1") == "1"
    for connection in silent:
        connection.close()


def test_connections_for_which_there_is_no_room_are_told_once(make_gateway):
    """Beyond `max_connections` and 256 more nothing is made for a connection; the log has one line for many."""
    gateway = make_gateway(general={"max_connections": 1, "worker_threads": 1})
    with ExitStack() as stack:
        for _ in range(257):
            stack.enter_context(half_open(gateway))
        for _ in range(5):
            with gateway.wire(login=False) as late:
                late.send(SSL_REQUEST)
                assert late.until_closed() == []
        gateway.wait_for_log(lambda log: "no room for a connection" in log, "the line about them")
        [line] = [line for line in gateway.log().splitlines() if "no room for a connection" in line]
        assert "login failed" in line and "too_many_clients" in line and "connections=1" in line


def test_the_last_place_goes_to_one_of_two_that_come_at_once(make_gateway):
    """Neither keeps the other out."""
    gateway = make_gateway(general={"max_connections": 2})
    with gateway.wire("app_trust", "app"), half_open(gateway) as one, half_open(gateway) as two:
        one.login("app_trust", "app")
        with pytest.raises(LoginRefused) as refusal:
            two.login("app_trust", "app")
        assert refusal.value.sqlstate == "53300"
        assert one.value("select 1") == "1"


def test_a_connection_that_says_nothing_in_time_counts_as_an_error(make_gateway):
    gateway = make_gateway(general={"client_login_timeout": "1s"})
    with half_open(gateway) as silent:
        assert silent.until_closed() == []
    assert gateway.console("SHOW CONNECTIONS")[0]["errors"] == "1"


HALVES = {
    "nothing": b"",
    "half a length": b"\0\0",
    "half a startup": startup(LOGIN)[:-5],
    "an ssl request": SSL_REQUEST,
    "half an ssl request": SSL_REQUEST[:6],
    "no password": startup({"user": "app", "database": "app"}),
    "half a password": startup({"user": "app", "database": "app"}) + b"p\0\0\0\x50SCRAM",
}


def test_login_deadline(make_gateway):
    """A client that does not finish its login is shown out at `client_login_timeout`; others log in meanwhile."""
    gateway = make_gateway(general={"client_login_timeout": "1s"})
    began = time.monotonic()
    clients = {name: gateway.wire(login=False, timeout=10) for name in HALVES}
    for name, client in clients.items():
        client.send(HALVES[name])
    with gateway.wire("app", "app") as client:
        assert client.value("select 1") == "1"
    for name, client in clients.items():
        try:
            if SSL_REQUEST.startswith(HALVES[name]) and len(HALVES[name]) == 8:
                assert client.byte() == b"N"
            for answer in client.until_closed():
                assert answer.kind in "RE", (name, str(answer))
        except TimeoutError:
            pytest.fail(f"{name}: still connected {time.monotonic() - began:.1f} s after the start")
        assert time.monotonic() - began > 0.8, name
    gateway.wait_idle()


def test_a_finished_login_has_no_deadline(make_gateway):
    gateway = make_gateway(general={"client_login_timeout": "1s"})
    with gateway.wire("app", "app") as client:
        client.value("select 1")
        assert client.nothing_comes(1.5)
        assert client.value("select 1") == "1"


def test_a_drip_of_bytes_does_not_move_the_deadline(make_gateway):
    gateway = make_gateway(general={"client_login_timeout": "1s"})
    stop = threading.Event()
    with gateway.wire(login=False, timeout=10) as client:
        packet = startup({"user": "app", "padding": "x" * 2000})

        def drip():
            for at in range(len(packet)):
                if stop.wait(0.02):
                    return
                try:
                    client.socket.send(packet[at : at + 1])
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        try:
            client.until_closed()
            assert time.monotonic() - began < 6
        finally:
            stop.set()
            thread.join()


def test_many_half_open_connections(shared):
    """Two hundred connections that say nothing keep nobody out and go away without a trace."""
    silent = [fresh(shared) for _ in range(200)]
    try:
        with shared.wire("app", "transaction") as client:
            assert client.value("select 1") == "1"
    finally:
        for client in silent:
            client.reset()
    shared.wait_idle()


# --- who the session is -----------------------------------------------------------------------------------------------


@pytest.fixture
def chief(make_gateway, postgres):
    """`login(database="app", **parameters)` of a superuser whose pools have one server each: `app`, and `kept` in
    session mode."""
    with postgres.admin() as admin:
        admin.execute("create role chief superuser login password 'Copper-anchor-70'")
        admin.execute("create role clerk nologin")
        (secret,) = admin.execute("select rolpassword from pg_authid where rolname = 'chief'").fetchone()
        entry = {"username": "chief", "password": secret, "pool_size": 1}
        pools = {"app": pool(postgres, users_=[entry]), "kept": pool(postgres, "session", users_=[entry])}
        gateway = make_gateway(pools)
        gateway.secrets.add("Copper-anchor-70")
        clients = []

        def login(database="app", **parameters):
            clients.append(gateway.wire("chief", database, "Copper-anchor-70", parameters=parameters))
            return clients[-1]

        yield login
        for client in clients:
            client.close()
        gateway.wait_idle()
        gateway.stop()
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'chief'")
        admin.execute("drop role clerk; drop role chief")


WHO = "select session_user || ' ' || current_user || ' ' || current_setting('log_statement')"


def test_a_role_is_its_client_s_own(chief):
    """Whoever asks for a role has it in each transaction, and what the user may set beside it, whoever came before."""
    clients = {
        "chief chief all": chief(),
        "chief clerk all": chief(role="clerk"),
        "chief clerk none": chief(role="clerk", log_statement="none"),
        "chief clerk ddl": chief(options="-c role=clerk -c log_statement=ddl"),
        "chief chief mod": chief(log_statement="mod"),
    }
    for before in clients.values():
        for who, client in clients.items():
            before.value("select 1")
            assert client.value(WHO) == who


def test_session_authorization_is_no_startup_parameter(chief):
    """As with PostgreSQL: it changes nothing, for nobody."""
    other = chief(session_authorization="clerk", role="clerk")
    clerk = chief(role="clerk")
    assert chief(session_authorization="clerk").value(WHO) == "chief chief all"
    assert other.value(WHO) == "chief clerk all"
    assert clerk.value(WHO) == "chief clerk all"


@pytest.mark.parametrize(
    "sql", ["reset role", "discard all", "reset session authorization", "set role none; reset role"]
)
def test_resets_lead_back_to_the_role_of_the_startup_packet(chief, sql):
    """As with PostgreSQL; not to the user who has logged in."""
    client = chief("kept", role="clerk")
    assert client.value(WHO) == "chief clerk all"
    for statement in sql.split("; "):
        client.send(query(statement))
        client.ready()
    assert client.value(WHO) == "chief clerk all"
