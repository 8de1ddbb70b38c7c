"""`tcp_defer_accept`: a new connection waits in the kernel until its client has said something."""

import time

import pytest

from fakeserver import FakeServer
from polling import wait_until
from tlswire import start, tls_wire
from wire import LoginRefused, byte_by_byte, startup

HBA = "host all all 127.0.0.1/32 trust\nlocal all all trust\n"


class Door:
    """A gateway of one worker, which takes connections in the order in which they come, and its count of them."""

    def __init__(self, make_gateway, seconds, **general):
        settings = {"tcp_defer_accept": seconds, "worker_threads": 1, **general}
        self.gateway = make_gateway(general=settings)
        self.console = self.gateway.console_wire()

    @property
    def taken(self):
        return int(self.console.dicts("SHOW CONNECTIONS")[0]["total"])

    def silent(self, **options):
        return self.gateway.wire(login=False, **options)

    def passes_over(self, before):
        """Somebody who comes later and speaks is taken, and nobody else has been since `before`."""
        with self.silent() as marker:
            marker.send(b"\0")
            wait_until(lambda: self.taken > before, "the one who speaks is taken")
        return self.taken == before + 1


@pytest.mark.parametrize("io_method", ("epoll", "auto"))
def test_a_silent_client_waits_in_the_kernel_until_it_speaks(make_gateway, io_method):
    door = Door(make_gateway, 60, io_method=io_method)
    before = door.taken
    with door.silent() as client:
        assert door.passes_over(before)
        assert client.login("app_trust", "app").value("select 1") == "1"
        assert door.taken == before + 2


def test_zero_hands_over_at_once(make_gateway):
    door = Door(make_gateway, 0)
    before = door.taken
    with door.silent():
        wait_until(lambda: door.taken == before + 1, "the silent client is taken")


@pytest.mark.parametrize("by_signal", (False, True))
def test_a_reload_reaches_the_listening_socket(make_gateway, by_signal):
    door = Door(make_gateway, 0)

    def value():
        return {row["key"]: row["value"] for row in door.console.dicts("SHOW CONFIG")}["general.tcp_defer_accept"]

    def reload(seconds):
        before = value()
        door.gateway.reload(by_signal, general={"tcp_defer_accept": seconds})
        wait_until(lambda: value() != before, "it is in force")

    reload(60)
    before = door.taken
    with door.silent():
        assert door.passes_over(before)
        reload(0)
        before = door.taken
        with door.silent():
            wait_until(lambda: door.taken >= before + 1, "the silent client is taken")


def test_unix_clients_do_not_wait(make_gateway, tmp_path):
    door = Door(make_gateway, 60, unix_socket_dir=str(tmp_path))
    before = door.taken
    with door.silent(unix=True):
        wait_until(lambda: door.taken == before + 1, "the silent client is taken")


def test_who_connects_and_closes_leaves_no_trace(make_gateway):
    door = Door(make_gateway, 60)
    before = door.taken
    for number in range(100):
        client = door.silent()
        if number % 2:
            client.reset()
        else:
            client.close()
    # A reset takes the connection out of the kernel's queue; an end is handed over.
    wait_until(lambda: door.taken >= before + 50, "those who closed are taken")

    def used():
        return {row["list"]: int(row["items"]) for row in door.console.dicts("SHOW LISTS")}

    wait_until(lambda: used()["login_clients"] == 0 and used()["used_clients"] <= 1, lambda: f"all are gone: {used()}")
    assert len(door.console.dicts("SHOW CLIENTS")) <= 1


def test_slow_and_silent_clients_after_the_kernel_has_given_up_waiting(make_gateway):
    """By default the kernel waits a second: then who is silent is the gateway's, and so is its deadline."""
    door = Door(make_gateway, 1, client_login_timeout="2s")
    before = door.taken
    slow, silent = door.silent(), door.silent()
    began = time.monotonic()
    # No event tells when the kernel gives up but that the gateway has them.
    wait_until(lambda: door.taken == before + 2, "the silent clients are taken", deadline=10)
    assert time.monotonic() - began > 0.5
    assert slow.login("app_trust", "app").value("select 1") == "1"
    assert silent.until_closed() == []
    slow.close()
    silent.close()
    door.gateway.wait_idle()


def test_a_startup_packet_byte_by_byte(make_gateway):
    door = Door(make_gateway, 60)
    before = door.taken
    with door.silent(split=byte_by_byte) as client:
        packet = startup({"user": "app_trust", "database": "app"})
        client.socket.send(packet[:1])
        wait_until(lambda: door.taken == before + 1, "its first byte is enough")
        client.login("app_trust", "app", first=packet[1:])
        assert client.value("select 1") == "1"


@pytest.mark.parametrize("direct", (False, True), ids=("SSLRequest", "direct"))
def test_tls_clients_speak_first(make_gateway, direct):
    gateway = start(make_gateway, general={"tcp_defer_accept": 60})
    options = {"direct": True} if direct else {}
    with tls_wire(gateway, **options) as client:
        assert client.value("select 1") == "1"


def test_too_many_clients_are_still_told(make_gateway):
    door = Door(make_gateway, 60, max_connections=2)
    # The console's connection is one of the two.
    with door.gateway.wire("app_trust", "app"):
        with pytest.raises(LoginRefused) as refusal:
            door.gateway.wire("app_trust", "app")
        assert refusal.value.sqlstate == "53300"


def test_it_is_about_clients_only(make_gateway):
    """A server that speaks late, and one whose client is silent after the login, are as ever."""
    with FakeServer(lambda peer: (peer.login(), peer.serve())) as server:
        gateway = make_gateway({"app": server.pool(user="app_trust")}, {"tcp_defer_accept": 60}, hba=HBA)
        with gateway.wire("app_trust") as client:
            assert client.nothing_comes()
            assert client.value("select 1") == "1"
    assert server.problems == []
