"""What the settings say of TCP is what the gateway's sockets have: those of clients, of servers, of cancel requests."""

import contextlib
import socket
import threading

import pytest

from descriptors import sockets_of
from fakeserver import FakeServer, error, greeting, ready
from wire import cancel_request, query

TRUST = "host all all 127.0.0.1/32 trust\n"

TCP_OPTIONS = {
    "tcp_keepalives_idle": socket.TCP_KEEPIDLE,
    "tcp_keepalives_count": socket.TCP_KEEPCNT,
    "tcp_keepalives_interval": socket.TCP_KEEPINTVL,
    "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
    "tcp_no_delay": socket.TCP_NODELAY,
}
#: As the settings give them.
DEFAULTS = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_count": 5,
    "tcp_keepalives_interval": 5,
    "tcp_user_timeout": 60,
    "tcp_no_delay": True,
}
OTHERS = {
    "tcp_keepalives_idle": 77,
    "tcp_keepalives_count": 9,
    "tcp_keepalives_interval": 13,
    "tcp_user_timeout": 123,
    "tcp_no_delay": False,
}
SYSTEM = {"tcp_keepalives_idle": 0, "tcp_keepalives_count": 0, "tcp_keepalives_interval": 0, "tcp_user_timeout": 0}


def options(gateway, peer=None, local=None):
    """Of the connection from this peer, or with this address of its own."""
    with sockets_of(gateway.process) as sockets:
        for one in sockets:
            try:
                peer_name = one.getpeername()
            except OSError:
                continue
            if peer_name == peer or one.getsockname() == local:
                keeps_alive = one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                return {
                    "keeps alive": bool(keeps_alive),
                    **{name: one.getsockopt(socket.IPPROTO_TCP, option) for name, option in TCP_OPTIONS.items()},
                }
    raise AssertionError("no such connection")


def both(gateway, client):
    """Options of a client's connection, and of the one to its server."""
    port = client.value("select client_port from pg_stat_activity where pid = pg_backend_pid()")
    yield options(gateway, peer=client.socket.getsockname())
    yield options(gateway, local=("127.0.0.1", int(port)))


def expected(settings):
    """As the kernel says it, with its own value for what is 0."""
    chosen = DEFAULTS | settings
    with socket.socket() as fresh:
        system = {name: fresh.getsockopt(socket.IPPROTO_TCP, option) for name, option in TCP_OPTIONS.items()}
    chosen["tcp_user_timeout"] *= 1000
    chosen["tcp_no_delay"] = int(chosen["tcp_no_delay"])
    for name in ("tcp_keepalives_idle", "tcp_keepalives_count", "tcp_keepalives_interval"):
        chosen[name] = chosen[name] or system[name]
    return {"keeps alive": True, **chosen}


@pytest.mark.parametrize("settings", ({}, OTHERS, SYSTEM), ids=("defaults", "others", "the system's"))
def test_clients_and_servers(make_gateway, settings):
    gateway = make_gateway(general=settings)
    with gateway.wire() as client:
        for found in both(gateway, client):
            assert found == expected(settings)


def test_a_reload_is_for_new_connections(make_gateway):
    gateway = make_gateway()
    with contextlib.ExitStack() as clients:
        old = clients.enter_context(gateway.wire())
        old.rows("begin work")
        for settings in (OTHERS, SYSTEM | {"tcp_no_delay": True}):
            gateway.reload(general=settings)
            # The servers that are there are in use.
            new = clients.enter_context(gateway.wire())
            new.rows("begin work")
            for found in both(gateway, new):
                assert found == expected(settings)
            for found in both(gateway, old):
                assert found == expected({})


def test_cancel_requests(make_gateway):
    running, came, let_go = threading.Event(), threading.Event(), threading.Event()
    cancels = []

    def script(peer):
        parameters = peer.startup()
        if "cancel" in parameters:
            cancels.append(peer.socket.getpeername())
            came.set()
            assert let_go.wait(10)
            return
        peer.send(greeting())
        peer.next_query()
        running.set()
        assert came.wait(10)
        peer.send(error("57014", "cancelled"), ready())
        peer.until("X")

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, OTHERS, hba=TRUST)
        with gateway.wire("app") as client, gateway.wire(login=False) as canceller:
            client.send(query("select 1"))
            assert running.wait(10)
            canceller.send(cancel_request(client.pid, client.secret))
            assert came.wait(10)
            assert options(gateway, local=cancels[0]) == expected(OTHERS)
            let_go.set()
            assert client.ready()[-2].sqlstate == "57014"
            canceller.until_closed()
