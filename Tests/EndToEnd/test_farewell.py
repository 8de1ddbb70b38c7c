"""Clients that send their last requests, say goodbye and close, all in one go."""

import contextlib
import socket
import ssl
import uuid

import pytest

from polling import wait_until
from tlswire import start, tls_wire
from wire import parse, query

TERMINATE = b"X\0\0\0\4"
ROW_BYTES = 10_000
#: With some of these numbers the last requests do not fit into the server's socket (some 200 kB) when the end comes,
#: and are not so many that the gateway stops to read its client (64 KiB).
ROWS = (5, 15, 17, 19, 21, 23, 25, 40)


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
    gateway = start(make_gateway, pool_options={"server_host": postgres.socket_dir})
    table = f"farewell_{uuid.uuid4().hex}"
    row = query(f"insert into {table} values ('{'x' * ROW_BYTES}')")
    with gateway.wire() as other:
        other.rows(f"create table {table} (x text)")
        for count in ROWS:
            client = gateway.wire() if how == "clear" else tls_wire(gateway, "app")
            # It has its server: who leaves while it waits for one leaves the queue.
            client.rows("begin work")
            client.send_together(query("select pg_sleep(0.2)"), row * count, query("commit"), TERMINATE)
            goodbye(client, how)
            wait_until(
                lambda: other.value(f"select count(*) from {table}") == str(count), f"all {count} rows are there"
            )
            other.rows(f"truncate {table}")
            client.close()
        other.rows(f"drop table {table}")


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
    client.send_together(query("select pg_sleep(0.7)"), query("commit"), TERMINATE)
    wait_until(postgres.sleeping, "the query runs")
    goodbye(client, "clear")
    if event == "reload":
        gateway.change(general={"server_idle_check_timeout": "29s"})
        gateway.console("reload")
    else:
        with postgres.admin() as admin:
            admin.execute(f"select pg_terminate_backend({pid})")
    with gateway.wire() as other:
        assert other.value("select 'served'") == "served"
    client.close()
