"""A server's unix socket whose queue of connections is full, as it is for a moment when many open at once: the server is
well, and is waited for. With TCP the kernel waits by itself."""

import contextlib
import socket

from fakeserver import Peer, error, ready
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


def started(make_gateway, folder):
    folder.chmod(0o755)
    users = [{"username": "app", "password": "", "pool_size": 1}]
    pool = {"server_host": str(folder), "server_port": PORT, "server_database": "fake", "pool_mode": "transaction"}
    return make_gateway({"app": {**pool, "users": users}}, hba=HBA)


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

        client.send(query("select 1"))
        assert server.next_query() == "select 1"
        door.fill()
        canceller = opened.enter_context(gateway.wire(login=False))
        canceller.send(cancel_request(client.pid, client.secret))
        wait_until(lambda: gateway.console("SHOW CONNECTIONS")[0]["cancel"] == "1", "the cancel request has come")
        sent = door.let_in()
        assert "cancel" in sent.startup()
        sent.die()
        canceller.until_closed()
        server.send(error("57014", "cancelled"), ready())
        assert client.ready()[-2].sqlstate == "57014"
