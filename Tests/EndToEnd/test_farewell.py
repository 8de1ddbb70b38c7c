"""Clients that send their last requests, say goodbye and close, all in one go."""

import contextlib
import os
import signal
import socket
import ssl
import uuid

import pytest

from polling import wait_until
from server import HELD
from tlswire import start, tls_wire
from wire import parse, query

TERMINATE = b"X\0\0\0\4"
ROW_BYTES = 10_000
#: With some of these numbers the last requests do not fit into the server's socket (some 200 kB) when the end comes,
#: and are not so many that the gateway stops to read its client (64 KiB).
ROWS = (5, 15, 17, 19, 21, 23, 25, 40)
#: Of 40 rows a server's socket takes some 130 kB, the gateway 64, and the client's socket the rest and the end.
UNREAD = {"unix_socket_buffer_size": "64kB", "tcp_socket_buffer_size": "1MB"}


#: What a query waits for until the test lets it go on.
LOCK = "select pg_advisory_lock(7)"
UNLOCK = "select pg_advisory_unlock(7)"
WAIT = query(f"select {HELD}")


@pytest.fixture
def table(postgres):
    """A table of one text for everybody."""
    name = f"farewell_{uuid.uuid4().hex}"
    with postgres.admin() as admin:
        admin.execute(f"create table {name} (x text); grant all on {name} to public")
        yield name
        admin.execute(f"drop table {name}")


def goodbye(client, how):
    if how == "notice":
        # close_notify goes out; the gateway's own is not waited for.
        with contextlib.suppress(ssl.SSLError):
            client.socket.unwrap()
    else:
        socket.socket.shutdown(client.socket, socket.SHUT_WR)


@pytest.mark.parametrize("how", ("clear", "end", "notice"))
def test_all_requests_before_terminate_are_carried_out(make_gateway, postgres, how):
    """Some of them still wait in the gateway when the end of the client's stream has come, too."""
    gateway = start(make_gateway, general={"worker_threads": 1}, pool_options={"server_host": postgres.socket_dir})
    table = f"farewell_{uuid.uuid4().hex}"
    row = query(f"insert into {table} values ('{'x' * ROW_BYTES}')")
    with gateway.wire() as other:
        other.rows(f"create table {table} (x text)")
        for count in ROWS:
            client = gateway.wire() if how == "clear" else tls_wire(gateway, "app")
            # It has its server: who leaves while it waits for one leaves the queue.
            client.rows("begin work")
            with postgres.hold():
                client.send_together(WAIT, row * count, query("commit"), TERMINATE)
                goodbye(client, how)
                wait_until(postgres.held, "the server takes no more")
                # The only worker has had many rounds of its loop when these are answered.
                for _ in range(3):
                    gateway.console("SHOW POOLS")
            wait_until(
                lambda: other.value(f"select count(*) from {table}") == str(count), f"all {count} rows are there"
            )
            other.rows(f"truncate {table}")
            client.close()
        other.rows(f"drop table {table}")


@pytest.mark.parametrize("how", ("clear", "end"))
def test_requests_that_the_gateway_has_not_read_yet_are_carried_out(make_gateway, postgres, table, how):
    """The server takes no more for a while, so its client, which says goodbye and closes, is not read to the end."""
    gateway = start(
        make_gateway,
        general=UNREAD,
        pool_options={"server_host": postgres.socket_dir, "pool_size": 1},
    )
    count = 40
    with postgres.admin() as admin:
        admin.execute(LOCK)
        client = gateway.wire() if how == "clear" else tls_wire(gateway, "app")
        client.rows("begin work")
        row = query(f"insert into {table} values ('{'x' * ROW_BYTES}')")
        client.send_together(WAIT, row * count, query("commit"), TERMINATE)
        goodbye(client, how)
        wait_until(postgres.held, "the server takes no more")
        with gateway.wire() as other:
            other.send(query(f"select count(*) from {table}"))
            wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the next client waits for the server")
            admin.execute(UNLOCK)
            assert [m.values for m in other.ready() if m.kind == "D"] == [[str(count).encode()]]
        client.close()
    gateway.wait_idle()


@pytest.mark.parametrize("event", ("graceful stop", "KILL USER"))
def test_a_client_that_left_requests_unread_meets(make_gateway, postgres, table, event):
    """A stop waits until they are carried out; with the user's sessions they end."""
    gateway = make_gateway(
        general=UNREAD | {"shutdown_timeout": "30s"},
        pool_options={"server_host": postgres.socket_dir, "pool_size": 1},
    )
    count = 40
    row = query(f"insert into {table} values ('{'x' * ROW_BYTES}')")
    with postgres.admin() as admin:
        admin.execute(LOCK)
        client = gateway.wire()
        client.rows("begin work")
        pid = int(client.value("select pg_backend_pid()"))
        client.send_together(WAIT, row * count, query("commit"), TERMINATE)
        goodbye(client, "clear")
        wait_until(postgres.held, "the server takes no more")
        if event == "graceful stop":
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
            admin.execute(UNLOCK)
            gateway.wait()
            assert "cut off" not in gateway.log(), gateway.tail()
        else:
            gateway.console("KILL USER app")
            admin.execute(UNLOCK)
            gateway.wait_idle()
            count = 0
        client.close()
        wait_until(lambda: pid not in postgres.backends("app"), "PostgreSQL has let go of the server")
        assert admin.execute(f"select count(*) from {table}").fetchone() == (count,)


def test_a_frozen_server_whose_client_left_requests_unread_gives_its_place_away(make_gateway, postgres):
    """Within server_finish_timeout, as one that finishes alone does."""
    gateway = make_gateway(
        general=UNREAD | {"server_finish_timeout": "500ms", "query_wait_timeout": "20s"},
        pool_options={"server_host": postgres.socket_dir, "pool_size": 1},
    )
    client = gateway.wire()
    pid = int(client.value("select pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        client.send_together(query(f"select '{'x' * ROW_BYTES}'") * 40, TERMINATE)
        goodbye(client, "clear")
        with gateway.wire() as other:
            assert int(other.value("select pg_backend_pid()")) != pid
        assert "its server does not take what it asked for" in gateway.log(), gateway.tail()
    finally:
        os.kill(pid, signal.SIGCONT)
        client.close()
    gateway.wait_idle()


@pytest.mark.parametrize("how", ("clear", "end", "notice"))
def test_a_server_whose_client_never_says_sync_is_free_again(make_gateway, how):
    """After an error PostgreSQL reads on until Sync; here Terminate comes in its place."""
    gateway = start(make_gateway, pool_options={"pool_size": 1})
    for _ in range(3):
        client = gateway.wire() if how == "clear" else tls_wire(gateway, "app")
        client.send_together(parse("no statement"), parse("select 1"), TERMINATE)
        goodbye(client, how)
        with gateway.wire() as other:
            assert other.value("select 'served'") == "served"
        client.close()


@pytest.mark.parametrize("event", ("reload", "server killed"))
def test_a_server_that_finishes_alone_meets(make_gateway, postgres, event):
    """The next client waits for its place in the pool, and gets it."""
    gateway = start(make_gateway, pool_options={"pool_size": 1})
    with gateway.wire() as probe:
        pid = probe.value("select pg_backend_pid()")
    client = gateway.wire()
    client.rows("begin work")
    with gateway.wire() as other:
        with postgres.hold():
            client.send_together(WAIT, query("commit"), TERMINATE)
            wait_until(postgres.held, "the query runs")
            goodbye(client, "clear")
            other.send(query("select 'served'"))
            wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the next client waits")
            if event == "reload":
                gateway.change(general={"server_idle_check_timeout": "29s"})
                gateway.console("reload")
            else:
                postgres.value("select pg_terminate_backend(%s)", int(pid))
        assert [m.values for m in other.ready() if m.kind == "D"] == [[b"served"]]
    client.close()


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_a_frozen_server_that_finishes_alone_gives_its_place_away(make_gateway, postgres, mode):
    """Within server_finish_timeout, to a client that waits for it."""
    gateway = start(
        make_gateway,
        general={"server_finish_timeout": "500ms", "query_wait_timeout": "20s"},
        pool_options={"pool_size": 1, "mode": mode},
    )
    client = gateway.wire()
    pid = int(client.value("select pg_backend_pid()"))
    os.kill(pid, signal.SIGSTOP)
    try:
        client.send_together(query("select 1"), TERMINATE)
        goodbye(client, "clear")
        with gateway.wire() as other:
            assert int(other.value("select pg_backend_pid()")) != pid
        wait_until(lambda: gateway.pool_row()["sv_active"] == "0", "nobody holds a server")
    finally:
        os.kill(pid, signal.SIGCONT)
        client.close()
    wait_until(lambda: pid not in postgres.backends("app"), "PostgreSQL has seen the end")


def leave_at_work(client, postgres, table):
    """Adds a row, which is committed when somebody gives up the lock, says goodbye, and hears nothing of it."""
    client.rows("begin work")
    client.rows(f"insert into {table} values ('kept')")
    client.send_together(WAIT, query("commit"), TERMINATE)
    wait_until(postgres.held, "its server waits")
    client.close()


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_a_graceful_stop_waits_for_a_server_that_finishes_alone(make_gateway, postgres, table, mode):
    """No client is left then, and the process ends before shutdown_timeout."""
    gateway = make_gateway(
        general={"shutdown_timeout": "30s"}, pool_options={"server_host": postgres.socket_dir, "mode": mode}
    )
    with postgres.admin() as admin:
        admin.execute(LOCK)
        leave_at_work(gateway.wire(), postgres, table)
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        admin.execute(UNLOCK)
        gateway.wait()
        assert admin.execute(f"select x from {table}").fetchall() == [("kept",)]
    assert "cut off" not in gateway.log()


def test_shutdown_timeout_ends_the_wait_for_a_server_that_finishes_alone(make_gateway, postgres, table):
    gateway = make_gateway(general={"shutdown_timeout": "300ms"})
    with postgres.admin() as admin:
        admin.execute(LOCK)
        leave_at_work(gateway.wire(), postgres, table)
        gateway.signal(signal.SIGTERM)
        gateway.wait()
        admin.execute(UNLOCK)
    assert "cut off servers=1" in gateway.log(), gateway.tail()


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize(
    "how, stays",
    [("clear", True), ("clear", False), ("end", True), ("end", False), ("notice", False)],
    ids=("clear, reads on", "clear, closes", "tls, reads on", "tls, closes", "tls, closes with a notice"),
)
def test_terminate_inside_a_transaction_with_answers_due(make_gateway, how, mode, stays):
    """As with PostgreSQL: what was asked before is carried out and answered, nothing of it is committed, and the next
    client meets a server without a transaction."""
    gateway = start(make_gateway, pool_options={"pool_size": 1, "mode": mode})
    name = f"farewell_{uuid.uuid4().hex}"
    with gateway.wire() as other:
        other.rows(f"create table {name} (x int)")
        # What a sequence gives is not taken back by a rollback.
        other.rows(f"create sequence {name}_seen")
    client = gateway.wire() if how == "clear" else tls_wire(gateway, "app")
    client.rows("begin work")
    client.rows(f"insert into {name} values (1)")
    client.send_together(
        query("select pg_sleep(0.1)"),
        query("select repeat('x', 1000) from generate_series(1, 2000)"),
        query(f"insert into {name} select nextval('{name}_seen')"),
        TERMINATE,
    )
    if stays:
        said = client.until_closed()
        assert [m.tag for m in said if m.kind == "C"] == ["SELECT 1", "SELECT 2000", "INSERT 0 1"]
        assert said[-1].kind == "Z" and said[-1].body == b"T"
    else:
        goodbye(client, how)
    with gateway.wire() as other:
        assert other.rows(f"select count(*) from {name}") == [["0"]]
        assert other.value("select now() = statement_timestamp()") == "t", "no transaction is open"
        if mode == "transaction":
            wait_until(
                lambda: other.value(f"select is_called from {name}_seen") == "t", "the last request was carried out"
            )
        other.rows(f"drop table {name}; drop sequence {name}_seen")
    client.close()
    gateway.wait_idle()
