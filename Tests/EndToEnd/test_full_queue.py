"""A server's unix socket whose queue of connections is full, as it is for a moment when many open at once: the server is
well, and is waited for. With TCP the kernel waits by itself."""

import contextlib
import signal
import socket
import time

import pytest

from fakeserver import Peer, error, one_row, ready
from gateway import ADMIN
from polling import wait_until
from wire import cancel_request, query, startup

HBA = f"host pggateway {ADMIN} all md5\nhost all all all trust\n"
PORT = 5432


class Door:
    """A listening unix socket that holds one connection of the test's own, and has no room for another one."""

    def __init__(self, folder, opened):
        self.path = f"{folder}/.s.PGSQL.{PORT}"
        self.opened = opened
        self.listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        self.listener.bind(self.path)
        self.listener.listen(0)
        self.listener.settimeout(20)
        self.fill()

    def fill(self):
        self.opened.enter_context(socket.socket(socket.AF_UNIX)).connect(self.path)

    def accept(self):
        connection, _ = self.listener.accept()
        return Peer(self.opened.enter_context(connection), None)

    def let_in(self):
        """The gateway's connection, which stands behind the test's own."""
        self.accept()
        return self.accept()


def started(make_gateway, folder, **general):
    folder.chmod(0o755)
    users = [{"username": "app", "password": "", "pool_size": 1}]
    pool = {"server_host": str(folder), "server_port": PORT, "server_database": "fake", "pool_mode": "transaction"}
    return make_gateway({"app": {**pool, "users": users}}, general, hba=HBA)


def cancel_at_a_full_door(gateway, door, client, server, opened):
    """The client's query runs, and the request to cancel it has come. Returns whoever sent that."""
    client.send(query("select 1"))
    assert server.next_query() == "select 1"
    door.fill()
    canceller = opened.enter_context(gateway.wire(login=False))
    canceller.send(cancel_request(client.pid, client.secret))
    wait_until(lambda: gateway.console("SHOW CONNECTIONS")[0]["cancel"] == "1", "the cancel request has come")
    return canceller


def test_login_and_cancel_request(make_gateway, tmp_path):
    with contextlib.ExitStack() as opened:
        door = Door(tmp_path, opened)
        gateway = started(make_gateway, tmp_path)
        client = opened.enter_context(gateway.wire(login=False))
        client.send(startup({"user": "app", "database": "app"}))
        wait_until(lambda: gateway.pool_row(user="app")["sv_login"] == "1", "the server is being opened")
        server = door.let_in()
        server.login()
        client.login("app", first=b"")

        canceller = cancel_at_a_full_door(gateway, door, client, server, opened)
        sent = door.let_in()
        assert "cancel" in sent.startup()
        sent.die()
        canceller.until_closed()
        server.send(error("57014", "cancelled"), ready())
        assert client.ready()[-2].sqlstate == "57014"


@pytest.mark.parametrize("waits", ("a login", "a request"))
@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_stop_does_not_wait_for_room(make_gateway, tmp_path, number, waits):
    """Who waits for the server is told at once, and nothing comes to that one any more."""
    with contextlib.ExitStack() as opened:
        door = Door(tmp_path, opened)
        gateway = started(make_gateway, tmp_path, shutdown_timeout="60s")
        client = opened.enter_context(gateway.wire(login=False))
        client.send(startup({"user": "app", "database": "app"}))
        wait_until(lambda: gateway.pool_row(user="app")["sv_login"] == "1", "the server is being opened")
        if waits == "a request":
            server = door.let_in()
            server.login()
            client.login("app", first=b"")
            server.die()
            wait_until(lambda: gateway.pool_row(user="app")["sv_idle"] == "0", "the server is gone")
            door.fill()
            client.send(query("select 1"))
            wait_until(lambda: gateway.pool_row(user="app")["sv_login"] == "1", "another one is being opened")
        began = time.monotonic()
        gateway.signal(number)
        [refusal] = client.until_closed()
        assert refusal.sqlstate == ("57P03" if waits == "a login" else "57P01")
        client.close()
        assert gateway.wait() == 0
        assert time.monotonic() - began < 4 and "cut off" not in gateway.log()
        door.accept()
        door.listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.listener.accept()


def test_a_stop_does_not_wait_for_room_for_a_cancel_request(make_gateway, tmp_path):
    with contextlib.ExitStack() as opened:
        door = Door(tmp_path, opened)
        gateway = started(make_gateway, tmp_path, cancel_wait_timeout="60s", shutdown_timeout="60s")
        client = opened.enter_context(gateway.wire(login=False))
        client.send(startup({"user": "app", "database": "app"}))
        server = door.let_in()
        server.login()
        client.login("app", first=b"")
        canceller = cancel_at_a_full_door(gateway, door, client, server, opened)
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        server.send(one_row())
        answer = client.until_closed()
        assert [m.kind for m in answer] == ["T", "D", "C", "Z", "E"] and answer[-1].sqlstate == "57P01"
        client.close()
        assert canceller.until_closed() == []
        canceller.close()
        assert gateway.wait() == 0
        assert "cut off" not in gateway.log()
