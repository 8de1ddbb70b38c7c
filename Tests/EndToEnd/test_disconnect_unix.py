"""Clients of the unix socket that leave in the middle of something.

The kernel tells it in another way than for TCP: there is no reset, but who closes with bytes unread is seen to have
reset all the same, and what the client had sent before can be lost with that."""

import socket

import pytest

from polling import wait_until
from server import HELD, PASSWORDS
from wire import Scram, bind, copy_data, execute, flush, parse, query, startup, sync

MODES = pytest.mark.parametrize("mode", ("transaction", "session"))
ENDS = pytest.mark.parametrize("end", ("close", "leave", "shutdown"))


@pytest.fixture
def gateway_of(make_gateway, tmp_path):
    def start(mode="transaction", **general):
        options = {"mode": mode, "pool_size": 1}
        return make_gateway(general={"unix_socket_dir": str(tmp_path), **general}, pool_options=options)

    return start


def goes(client, end):
    if end == "shutdown":
        client.socket.shutdown(socket.SHUT_RDWR)
    else:
        getattr(client, end)()


def is_clean(gateway):
    """One server for all: the next client has the one that the last one left, or waits until that is given up."""
    with gateway.wire(unix=True) as client:
        client.send(query("select 'in', 'step'"), parse("select 'extended'"), bind(), execute(), flush())
        answer = client.ready() + client.until("C")
        assert [m.kind for m in answer] == ["T", "D", "C", "Z", "1", "2", "D", "C"], [str(m) for m in answer]
        client.send(sync())
        assert client.ready()[-1].body == b"I"
        assert client.value("show work_mem") == "4MB"
        assert client.value("select count(*) from pg_class where relname = 'mine'") == "0"


def between(client):
    client.rows("set work_mem = '9MB'")


def in_a_transaction(client):
    client.rows("begin; create temp table mine (a int)")


def answer_unread(client):
    client.rows("begin; create temp table mine (a int)")
    client.send(query("select repeat('x', 1000000)"))
    wait_until(lambda: client._readable(0), "the answer comes")


def much_unread(client):
    client.send(query("select repeat('x', 1000) from generate_series(1, 100000)"))
    client.until("D")


def query_runs(client):
    client.send(query(f"select {HELD}"))


def half_a_message(client):
    client.rows("begin; create temp table mine (a int)")
    client._write(query("commit")[:-3])


def half_a_long_message(client):
    client._write(parse("select '" + "x" * 300_000 + "'")[:200_000])


def without_sync(client):
    client.send(parse("select 1"), bind(), execute(), flush())
    client.until("C")


def copy_in(client):
    client.send(query("copy sink from stdin"))
    client.until("G")
    client.send(copy_data("1\tunix\n" * 1000))


def copy_out(client):
    client.send(query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"))
    client.until("d")


POINTS = (between, in_a_transaction, answer_unread, much_unread, query_runs, half_a_message, half_a_long_message,
          without_sync, copy_in, copy_out)  # fmt: skip


@MODES
@ENDS
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)
def test_a_client_that_leaves(gateway_of, postgres, point, mode, end):
    gateway = gateway_of(mode)
    with postgres.hold() as release:
        client = gateway.wire(unix=True)
        point(client)
        if point is query_runs:
            wait_until(postgres.held, "the query runs")
        goes(client, end)
        if end == "leave":
            # What was asked for before a goodbye is carried out.
            release()
        is_clean(gateway)
        client.close()
        gateway.wait_idle()
    wait_until(lambda: postgres.held() == 0, "nothing runs any more")
    assert postgres.value("select count(*) from sink where b = 'unix'") == 0


@ENDS
def test_a_client_that_leaves_the_queue(gateway_of, end):
    gateway = gateway_of(query_wait_timeout="60s")
    with gateway.wire(unix=True) as holder:
        holder.rows("begin work")
        waiting = [gateway.wire(unix=True) for _ in range(3)]
        for client in waiting:
            client.send(query("select 1"))
        wait_until(lambda: gateway.pool_row()["cl_waiting"] == "3", "three wait")
        for client in waiting:
            goes(client, end)
        wait_until(lambda: gateway.pool_row()["cl_waiting"] == "0", "nobody waits")
        holder.rows("commit")
        for client in waiting:
            client.close()
    is_clean(gateway)
    gateway.wait_idle()


@ENDS
def test_a_client_that_leaves_at_any_step_of_its_login(gateway_of, end):
    gateway = gateway_of()
    packet = startup({"user": "app", "database": "app"})
    for step in range(5):
        client = gateway.wire(unix=True, login=False)
        if step == 1:
            client.send(packet[:-3])
        if step > 1:
            client.send(packet)
        if step > 2:
            assert client.receive().body[:4] == b"\0\0\0\x0a"
            scram = Scram(PASSWORDS["app"])
            client.send(scram.first())
        if step > 3:
            client.send(scram.final(client.receive().body[4:]))
        goes(client, end)
        client.close()
    gateway.wait_idle()
    is_clean(gateway)


@MODES
@pytest.mark.parametrize("unix", (False, True), ids=("tcp", "unix"))
def test_half_closed_clients(gateway_of, unix, mode):
    """Who shuts down its sending side gets its answer, or at least a close, also by TCP; nothing stays."""
    gateway = gateway_of(mode)
    for _ in range(3):
        client = gateway.wire(unix=unix)
        client.send(query("select 'half closed'"))
        client.socket.shutdown(socket.SHUT_WR)
        kinds = [m.kind for m in client.until_closed()]
        assert kinds in (["T", "D", "C", "Z"], []), kinds
        client.close()
        is_clean(gateway)
    gateway.wait_idle()
