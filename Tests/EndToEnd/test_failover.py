"""PostgreSQL moves: to another version, another role, another address."""

import contextlib
import socket

import pytest

from fakeserver import FakeServer, error, one_row, plain_answer, ready
from gateway import pool, seeing
from names import NameServer
from polling import wait_until
from wire import Closed, LoginRefused, query

TRUST = "host all all all trust\n"


def reporting(**parameters):
    """A server that reports these, and dies when it is told to."""

    def script(peer):
        peer.login(parameters=parameters)
        while (sql := peer.next_query()) != "die":
            peer.send(plain_answer(sql))

    return script


def told(gateway, **startup):
    """What a new client is told."""
    with gateway.wire("app", "app", parameters=startup) as client:
        return client.parameters


def make_die(gateway):
    with gateway.wire("app", "app") as client, contextlib.suppress(Closed):
        client.send(query("die"))
        client.until_closed()


def test_clients_are_told_what_the_server_of_today_reports(make_gateway):
    """PostgreSQL starts again as another version in another time zone."""
    before = {"server_version": "15.1", "TimeZone": "Etc/UTC", "DateStyle": "ISO, MDY"}
    after = {"server_version": "16.2", "TimeZone": "Europe/Berlin", "DateStyle": "ISO, DMY"}
    with FakeServer([reporting(**before), reporting(**after)]) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        assert told(gateway).items() >= before.items()
        assert told(gateway, DateStyle="German").items() >= {"server_version": "15.1"}.items()
        make_die(gateway)
        with gateway.wire("app", "app") as client:
            client.value("select 1")
        assert told(gateway).items() >= after.items()
        assert told(gateway, DateStyle="German").items() >= {"server_version": "16.2"}.items()


def test_that_a_server_is_a_standby_is_not_told_from_memory(make_gateway):
    """It is promoted under its connections, and nobody asks it anything: a client that wants a primary has to ask, too,
    as drivers do when they are not told."""
    with FakeServer(reporting(in_hot_standby="on")) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        for _ in range(2):
            assert "in_hot_standby" not in told(gateway)
    with FakeServer(reporting(in_hot_standby="off")) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        for _ in range(2):
            assert told(gateway)["in_hot_standby"] == "off"


ZONE = {"TimeZone": "US/Pacific"}


def test_no_request_runs_where_the_server_of_today_refuses_its_time_zone(make_gateway):
    """Another node has taken over, which reports the same. PostgreSQL would carry out a request that stands behind the
    refused parameter, while its client is told that it has failed."""
    heard = []

    def refuses(peer):
        peer.login()
        while True:
            heard.append(peer.next_query())
            refusal = error("22023", "invalid value for parameter") + ready()
            peer.send(refusal if "set_config" in heard[-1] else plain_answer(heard[-1]))

    with FakeServer([reporting(), refuses]) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba=TRUST)
        with gateway.wire("app", "app", parameters=ZONE) as client:
            assert client.value("select 1") == "1"
            make_die(gateway)
            client.send(query("insert into t values (1)"))
            last = client.until_closed()[-1]
            assert (last.fields["S"], last.sqlstate) == ("FATAL", "22023"), str(last)
        with pytest.raises(LoginRefused) as refusal:
            gateway.wire("app", "app", parameters=ZONE)
        assert refusal.value.sqlstate == "22023"
        with gateway.wire("app", "app") as plain:
            assert plain.value("select 1") == "1"
        gateway.wait_idle()
    assert not [sql for sql in heard if "insert" in sql], heard


def test_what_a_connection_has_taken_before_delays_nothing(make_gateway):
    """The parameter and the request come in one write; only the first time on a connection the request waits."""
    together = []

    def script(peer):
        peer.login()
        taken = False
        while (sql := peer.next_query()) != "die":
            if "set_config" in sql and taken:
                # Nothing is answered before the request is here.
                together.append(peer.next_query())
                peer.send(plain_answer(sql) + plain_answer(together[-1]))
                continue
            taken = taken or "set_config" in sql
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba=TRUST)
        with gateway.wire("app", "app", parameters=ZONE) as client, gateway.wire("app", "app") as other:
            for number in range(2):
                other.value("select 'other'")
                client.value(f"select 'first {number}'")
            make_die(gateway)
            for number in range(2):
                client.value(f"select 'second {number}'")
                other.value("select 'other'")
        gateway.wait_idle()
    assert together == ["select 'first 0'", "select 'first 1'", "select 'second 1'"]


NAME = "database.example.org"


@pytest.mark.parametrize("addresses", (("127.0.0.77", "127.0.0.1"), ("127.0.0.1", "127.0.0.77"), ("::1", "127.0.0.1")))
def test_an_address_that_refuses_is_not_the_last_one(make_gateway, postgres, tmp_path, addresses):
    """PostgreSQL listens at one address of its name: so it often is with `localhost`, and where a node is down."""
    gateway = make_gateway(
        {"app": {**pool(postgres), "server_host": NAME}},
        hba=TRUST,
        binary=seeing("/etc/hosts", "".join(f"{address} {NAME}\n" for address in addresses), tmp_path),
        general={"server_lifetime": "1ms"},
    )
    for _ in range(4):
        with gateway.wire("app_trust") as client:
            assert client.value("select 1") == "1"
    gateway.wait_idle()


def test_an_address_that_does_not_answer_is_not_the_last_one(make_gateway, postgres, tmp_path):
    """Nobody takes connections there, nor refuses them: the other address gets its share of `connect_timeout`."""
    gateway = make_gateway(
        {"app": {**pool(postgres), "server_host": NAME}},
        hba=TRUST,
        binary=seeing("/etc/hosts", f"127.0.0.77 {NAME}\n127.0.0.1 {NAME}\n", tmp_path),
        general={"server_lifetime": "1ms", "connect_timeout": "1s"},
    )
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.77", postgres.port), backlog=0))
        # Its queue is full.
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(hole.getsockname())
        for _ in range(4):
            with gateway.wire("app_trust") as client:
                assert client.value("select 1") == "1"
        gateway.wait_idle()


def test_an_outage_of_the_name_server_keeps_nobody_out(make_gateway, postgres, tmp_path):
    """The address that the name had last is used, once the answer is not new enough any more.

    Needs a mount namespace, for a /etc/resolv.conf of its own.
    """
    with NameServer(hosts={NAME.encode(): ["127.0.0.1"]}) as names:
        gateway = make_gateway(
            {"app": {**pool(postgres), "server_host": NAME}},
            hba=TRUST,
            binary=seeing("/etc/resolv.conf", f"nameserver {names.address}\noptions timeout:30\n", tmp_path),
            general={"server_lifetime": "1ms", "connect_timeout": "1s"},
        )

        def works():
            with gateway.wire("app_trust") as client:
                assert client.value("select 1") == "1"

        works()
        names.is_silent = True

        def is_noticed():
            works()
            return "its last known addresses are used" in gateway.log()

        wait_until(is_noticed, "the outage is noticed", deadline=40, interval=0.2)
        works()
        gateway.wait_idle()


def saying(word):
    def script(peer):
        peer.login()
        peer.serve(lambda sql: one_row(word) if sql == "select whereabouts" else None)

    return script


def test_servers_follow_a_name_that_leads_elsewhere(make_gateway, tmp_path):
    """The pool has the one server that it needs, and opens none: the name is followed all the same.

    Needs a mount namespace, for a /etc/resolv.conf of its own.
    """
    with (
        NameServer(hosts={NAME.encode(): ["127.0.0.1"]}) as names,
        FakeServer(saying(b"old")) as old,
        FakeServer(saying(b"new"), host="127.0.0.79", port=old.port) as new,
    ):
        gateway = make_gateway(
            {"app": {**old.pool(), "server_host": NAME}},
            hba=TRUST,
            binary=seeing("/etc/resolv.conf", f"nameserver {names.address}\n", tmp_path),
        )
        with gateway.wire("app", "app") as client:
            assert client.value("select whereabouts") == "old"
            names.hosts[NAME.encode()] = ["127.0.0.79"]
            wait_until(
                lambda: client.value("select whereabouts") == "new", "the name is followed", deadline=40, interval=0.2
            )
            # What is at the new address already is not replaced.
            assert new.connections == 1
        assert "a server's name leads elsewhere" in gateway.log()


# --- RECONNECT --------------------------------------------------------------------------------------------------------

PID = "select pg_backend_pid()"


def test_reconnect(make_gateway, postgres):
    """Idle servers go at once, busy ones when they are free; those of other databases stay."""
    gateway = make_gateway({"app": pool(postgres), "other": pool(postgres)}, hba=TRUST)
    with (
        gateway.wire("app_trust") as busy,
        gateway.wire("app_trust") as idle,
        gateway.wire("app_trust", "other") as other,
    ):
        busy.rows("begin")
        before = [client.value(PID) for client in (busy, idle, other)]
        gateway.console("RECONNECT app")
        assert busy.value(PID) == before[0]
        assert idle.value(PID) not in before
        assert other.value(PID) == before[2]
        busy.rows("commit")
        assert busy.value(PID) not in before
        gateway.console("RECONNECT")
        assert other.value(PID) not in before
    assert 'command="RECONNECT app"' in gateway.log()
    gateway.wait_idle()


def test_reconnect_of_an_unknown_database(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres)}, hba=TRUST)
    with gateway.console_wire() as console:
        assert console.error("RECONNECT nowhere")["C"] == "3D000"
        console.rows("RECONNECT app")
