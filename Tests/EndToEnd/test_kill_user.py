"""KILL USER meets its user at work: in a transaction, in the middle of COPY, in the queue, in a login, beside a cancel
request."""

import contextlib

import pytest

from cancelling import HeldCancel
from fakeserver import FakeServer
from polling import wait_until
from wire import Closed, bind, copy_data, execute, flush, parse, query, startup, terminate

PID = "select pg_backend_pid()"
HBA = "host all all 127.0.0.1/32 trust\n"


def kill(gateway, user, clients):
    [row] = gateway.console(f"KILL USER {user}")
    assert row == {"clients": str(clients), "pools": "1"}


def last_state(client):
    """The SQLSTATE of the last error before the close; None for a close in the middle of a message."""
    errors = []
    try:
        while True:
            answer = client.receive()
            if answer.kind == "E":
                errors.append(answer.sqlstate)
    except Closed:
        pass
    return errors[-1] if errors else None


def idle_in_transaction(client):
    assert client.rows("select 1") == [["1"]]


def waits_for_sync(client):
    client.send_together(parse("select 1"), bind(), execute(), flush())
    client.until("C")


def query_runs(client):
    client.send(query("select pg_sleep(60)"))


def copy_in(client):
    client.send(query("copy sink from stdin"))
    client.until("G")
    client.send(copy_data("1\tkilled\n" * 1000))


def copy_in_within_a_message(client):
    copy_in(client)
    client._write(copy_data("2\tkilled\n" * 1000)[:77])


def copy_out_unread(client):
    client.send(query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"))
    client.until("H")


def half_a_query(client):
    client._write(query("insert into sink values (3, 'killed')")[:-4])


WORK = (idle_in_transaction, waits_for_sync, query_runs, copy_in, copy_in_within_a_message, copy_out_unread,
        half_a_query)  # fmt: skip


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_a_user_at_work(make_gateway, postgres, work, mode):
    """It is told 57P01, or cut off in the middle of a message of its server; nothing of its transaction is left; a
    user beside it notices nothing."""
    gateway = make_gateway(pool_options={"mode": mode, "pool_size": 1})
    with gateway.wire("app_trust") as bystander:
        bystander.rows("begin work")
        theirs = bystander.value(PID)
        client = gateway.wire(receive_buffer=4096)
        client.rows("begin; insert into sink values (0, 'killed')")
        pid = int(client.value(PID))
        work(client)
        if work is query_runs:
            wait_until(postgres.sleeping, "the query runs")
        if work is copy_out_unread:
            blocked = "select wait_event = 'ClientWrite' from pg_stat_activity where pid = %s"
            wait_until(lambda: postgres.value(blocked, pid), "the server waits for its reader")
        kill(gateway, "app", 1)
        assert last_state(client) == "57P01" or work is copy_out_unread
        client.close()
        # One server is all there may be: the next client does not wait for the end of what runs on the old one.
        with gateway.wire() as following:
            assert int(following.value(PID)) != pid
            assert following.value("select count(*) from sink where b = 'killed'") == "0"
        if work is query_runs:
            # PostgreSQL notices the end of a connection when it has something to say.
            postgres.value("select pg_terminate_backend(%s)", pid)
        wait_until(lambda: pid not in postgres.backends(), "PostgreSQL has let go of it")
        assert postgres.value("select count(*) from sink where b = 'killed'") == 0
        assert bystander.value(PID) == theirs
        bystander.rows("commit")
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_a_server_that_finishes_alone(make_gateway, postgres, mode):
    """Its client has said goodbye and gone: what it asked for ends with the sessions of the user."""
    gateway = make_gateway(pool_options={"server_host": postgres.socket_dir, "mode": mode, "pool_size": 1})
    client = gateway.wire()
    client.rows("begin; insert into sink values (6, 'left')")
    pid = int(client.value(PID))
    with postgres.admin() as holder:
        holder.execute("select pg_advisory_lock(6)")
        client.send_together(query("select pg_advisory_lock(6)"), query("commit"), terminate())
        blocked = "select wait_event = 'advisory' from pg_stat_activity where pid = %s"
        wait_until(lambda: postgres.value(blocked, pid), "its last requests are under way")
        client.close()
        wait_until(lambda: gateway.pool_row()["cl_active"] == "0", "the client has gone")
        kill(gateway, "app", 0)
        with gateway.wire() as following:
            assert int(following.value(PID)) != pid
    wait_until(lambda: pid not in postgres.backends(), "PostgreSQL has let go of it")
    assert postgres.value("select count(*) from sink where b = 'left'") == 0
    gateway.wait_idle()


def test_those_who_wait_for_a_server(make_gateway):
    """The one that holds it goes, and so do those behind it, on whatever worker: nobody gets the server in between."""
    gateway = make_gateway(pool_options={"pool_size": 1}, general={"query_wait_timeout": "60s", "worker_threads": 4})
    clients = [gateway.wire() for _ in range(16)]
    clients[0].rows("begin work")
    for client in clients[1:]:
        client.send(query("select 'served'"))
    wait_until(lambda: gateway.pool_row()["cl_waiting"] == "15", "all others wait")
    kill(gateway, "app", 16)
    for client in clients:
        assert [m.sqlstate for m in client.until_closed() if m.kind == "E"] == ["57P01"]
        assert not [m for m in client.transcript if m.kind == "D" and m.values == [b"served"]]
        client.close()
    with gateway.wire() as client:
        assert client.value("select 1") == "1"
    gateway.wait_idle()


def test_a_login_whose_server_is_being_opened(make_gateway):
    """The server does not answer the login: the client is told at once, and nobody waits for it any more."""
    with FakeServer(lambda peer: peer.exactly(1 << 20)) as server:
        gateway = make_gateway(
            {"app": server.pool()}, {"connect_timeout": "60s", "query_wait_timeout": "60s"}, hba=HBA
        )
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "app", "database": "app"}))
            wait_until(lambda: server.connections == 1, "the server is being opened")
            wait_until(lambda: gateway.console("KILL USER app")[0]["clients"] == "1", "the login is found")
            assert [m.sqlstate for m in client.until_closed() if m.kind == "E"] == ["57P01"]
        assert gateway.pool_row()["cl_waiting"] == "0"


def test_a_cancel_that_is_under_way(make_gateway):
    """The canceller is let go with its client, and the next client gets a server that no late cancel can hit."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, cancel_wait_timeout="60s")
        with gateway.wire("app") as client:
            canceller = held.ask(gateway, client, "endless")
            kill(gateway, "app", 1)
            assert [m.sqlstate for m in client.until_closed() if m.kind == "E"] == ["57P01"]
            assert canceller.until_closed() == []
            canceller.close()
        assert not held.let_go.is_set()
        with gateway.wire("app") as following:
            assert following.value("second") == "second"
        assert held.server.connections == 3, "a server, the cancel, a server"
        held.let_go.set()
        gateway.wait_idle()


def test_kills_under_load(make_gateway, postgres):
    """Again and again, while the user's clients come, work and go: every one of them is served or told, and all figures
    come back to zero."""
    gateway = make_gateway(pool_options={"pool_size": 2}, general={"query_wait_timeout": "20s"})
    for round_ in range(15):
        with contextlib.ExitStack() as crowd:
            clients = [crowd.enter_context(gateway.wire()) for _ in range(6)]
            for number, client in enumerate(clients):
                client.send_together(query("begin"), query("insert into sink values (4, 'crowd')"))
                if (number + round_) % 2:
                    client.send(query("commit"))
            kill(gateway, "app", 6)
            for client in clients:
                said = client.until_closed()
                assert [m.sqlstate for m in said if m.kind == "E"] == ["57P01"], [str(m) for m in said]
    with gateway.wire() as client:
        assert client.value("select 1") == "1"
        client.rows("delete from sink where b = 'crowd'")
    gateway.wait_idle()
    wait_until(lambda: len(postgres.backends()) <= 2, "no server is left behind")


def test_letters_beyond_ascii_keep_their_case(gateway):
    """As in PostgreSQL: another user's sessions must not end because the names differ by case only."""
    with gateway.wire("übung_имя") as client:
        client.value("select 1")
        [row] = gateway.console("KILL USER Übung_имя")
        assert row == {"clients": "0", "pools": "0"}
        assert client.value("select 1") == "1"
        kill(gateway, "übung_имя", 1)
