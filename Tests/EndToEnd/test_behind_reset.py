"""What a session-mode client sends in one go with a reset waits for the answer to that, and for its parameters:
whatever happens meanwhile."""

import contextlib
import signal
import threading

import pytest

from cancelling import cancel
from fakeserver import FakeServer, command_complete, error, greeting, plain_answer, ready
from gateway import pool
from polling import wait_until
from wire import bind, cancel_request, execute, message, parse, query, sync

TRUST = "host all all 127.0.0.1/32 trust\n"
RESETS = ("DISCARD ALL", "RESET ALL; CLOSE ALL; UNLISTEN *")
#: What the request waits for.
STAGES = ("the reset", "the parameters")
#: The answer to the query that applies parameters again.
RESTORED = (message("1"), message("2"), command_complete("SELECT 0"), message("3"), ready())


class Resetting:
    """A server that answers the reset, and the query that applies parameters again, when it is told to: `stage` says
    which of them it waits with. With `obeys` a cancel request ends the reset. A query that is long ends by one only.
    Cancel connections stay open until `let_go`."""

    def __init__(self, stage, obeys=True):
        self.stage, self.obeys = stage, obeys
        self.asked, self.told = threading.Event(), threading.Event()
        self.came, self.let_go, self.restored = threading.Event(), threading.Event(), threading.Event()
        self.let_go.set()
        self.told.set()
        self.heard = []

    def hold(self):
        """From now on, and for the first time only: the gateway resets sessions, too."""
        self.told.clear()

    def __call__(self, peer):
        if "cancel" in peer.startup():
            self.heard.append("cancel")
            self.came.set()
            assert self.let_go.wait(10)
            return
        peer.send(greeting())
        while True:
            asked = peer.receive()
            if asked.kind == "Q":
                self.answer(peer, asked.body[:-1].decode())
            elif asked.kind == "S":
                self.heard.append("parameters")
                self.restored.set()
                self.wait("the parameters")
                peer.send(*RESTORED)
            elif asked.kind == "X":
                return

    def wait(self, stage):
        if self.stage == stage and not self.told.is_set():
            self.asked.set()
            assert self.told.wait(10)

    def answer(self, peer, sql):
        self.heard.append(sql)
        if sql in RESETS:
            is_meant = not self.told.is_set()
            self.wait("the reset")
            if is_meant and self.came.is_set() and self.obeys:
                return peer.send(error("57014", "cancelled"), ready())
            return peer.send(command_complete(sql.split(";")[0]), ready())
        if "long" in sql:
            assert self.came.wait(10), "the cancel request does not arrive"
            return peer.send(error("57014", "cancelled"), ready())
        peer.send(plain_answer(sql))


@contextlib.contextmanager
def waiting(make_gateway, script, reset=RESETS[0], request=query("select 'work'"), **general):
    """A client whose request waits behind its reset."""
    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool("session", pool_size=1)}, general, hba=TRUST)
        with gateway.wire("app", parameters={"search_path": "a"}) as client:
            client.rows("select 1")
            script.hold()
            client.send_together(query(reset), request)
            assert script.asked.wait(10), f"{script.stage} does not begin"
            try:
                yield gateway, client
            finally:
                script.told.set()
                script.let_go.set()


def sqlstates(answer):
    return [m.sqlstate for m in answer if m.kind == "E"]


@pytest.mark.parametrize("reset", RESETS)
def test_a_cancel_while_the_reset_runs_is_for_the_reset(make_gateway, reset):
    """What waits behind it is not hit, and has its parameters, which the reset has not taken."""
    script = Resetting("the reset")
    with waiting(make_gateway, script, reset) as (gateway, client):
        cancel(gateway, client.pid, client.secret)
        assert script.came.is_set()
        script.told.set()
        assert sqlstates(client.ready()) == ["57014"]
        assert [m.kind for m in client.ready()] == ["T", "D", "C", "Z"]
        assert client.value("select 'later'") == "1"
        client.close()
        gateway.wait_idle()
        assert script.heard.count("cancel") == 1


def test_a_cancel_that_comes_too_late_for_the_reset_does_not_hit_the_parameters(make_gateway):
    """PostgreSQL has answered the reset, and may still signal: the client's own request may be hit by that, but what
    the gateway sends in front of it would not be repeated."""
    script = Resetting("the reset", obeys=False)
    script.let_go.clear()
    with waiting(make_gateway, script) as (gateway, client), gateway.wire(login=False) as canceller:
        canceller.send(cancel_request(client.pid, client.secret))
        assert script.came.wait(10), "the cancel request does not arrive"
        script.told.set()
        assert sqlstates(client.ready()) == []
        assert not script.restored.wait(0.3), "the parameters are applied while the cancel request is under way"
        assert "select 'work'" not in script.heard
        script.let_go.set()
        assert canceller.until_closed() == []
        assert [m.kind for m in client.ready()] == ["T", "D", "C", "Z"]
        assert script.heard[-2:] == ["parameters", "select 'work'"]
        client.close()
        gateway.wait_idle()


def test_a_cancel_meant_for_the_request_waits_while_one_for_the_reset_is_under_way(make_gateway):
    script = Resetting("the reset", obeys=False)
    script.let_go.clear()
    with waiting(make_gateway, script, request=query("select 'long'")) as (gateway, client):
        with gateway.wire(login=False) as first, gateway.wire(login=False) as second:
            first.send(cancel_request(client.pid, client.secret))
            assert script.came.wait(10), "the cancel request does not arrive"
            script.told.set()
            assert sqlstates(client.ready()) == []
            second.send(cancel_request(client.pid, client.secret))
            wait_until(
                lambda: gateway.console("SHOW CONNECTIONS")[0]["cancel"] == "2", "both cancel requests have come"
            )
            assert second.nothing_comes(0.1)
            script.came.clear()
            script.let_go.set()
            assert first.until_closed() == []
            assert second.until_closed() == []
            assert sqlstates(client.ready()) == ["57014"]
        client.close()
        gateway.wait_idle()
        assert script.heard.count("cancel") == 2


@pytest.mark.parametrize("leaves", (False, True), ids=("stays", "leaves"))
def test_a_cancel_while_the_parameters_are_applied_is_for_the_request(make_gateway, leaves):
    script = Resetting("the parameters")
    with waiting(make_gateway, script, request=query("select 'long'")) as (gateway, client):
        assert sqlstates(client.ready()) == []
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            assert canceller.nothing_comes(0.1)
            if leaves:
                client.reset()
                assert canceller.until_closed() == []
            else:
                script.told.set()
                assert canceller.until_closed() == []
                assert sqlstates(client.ready()) == ["57014"]
                client.close()
        script.told.set()
        gateway.wait_idle()
        assert script.heard.count("cancel") == (0 if leaves else 1)
        assert ("select 'long'" in script.heard) != leaves


@pytest.mark.parametrize("stage", STAGES)
def test_kill_user(make_gateway, stage):
    script = Resetting(stage)
    with waiting(make_gateway, script) as (gateway, client):
        [row] = gateway.console("KILL USER app")
        assert row["clients"] == "1"
        assert sqlstates(client.until_closed()) == ["57P01"]
        script.told.set()
        client.close()
        with gateway.wire("app") as following:
            following.rows("select 'following'")
        gateway.wait_idle()
        assert "select 'work'" not in script.heard


@pytest.mark.parametrize("replaces", (True, False), ids=("another pool", "the same pool"))
@pytest.mark.parametrize("stage", STAGES)
def test_a_reload(make_gateway, stage, replaces):
    """A session goes on where it is."""
    script = Resetting(stage)
    with waiting(make_gateway, script) as (gateway, client):
        if replaces:
            pools = gateway.settings["pools"]
            pools["app"]["application_name"] = "renamed"
            gateway.reload(pools=pools)
        else:
            gateway.reload(general={"max_connections": 77})
        script.told.set()
        answer = client.ready(2)
        assert [m.kind for m in answer] == ["C", "Z", "T", "D", "C", "Z"]
        assert script.heard[-3:] == [RESETS[0], "parameters", "select 'work'"]
        assert client.value("select 'later'") == "1"
        client.close()
        gateway.wait_idle()


@pytest.mark.parametrize("stage", STAGES)
def test_a_graceful_stop(make_gateway, stage):
    """It comes between two requests: the first is answered, the second never begun, and the client is told."""
    script = Resetting(stage)
    with waiting(make_gateway, script, shutdown_timeout="30s") as (gateway, client):
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        script.told.set()
        answer = client.until_closed()
        assert [m.kind for m in answer] == ["C", "Z", "E"] and sqlstates(answer) == ["57P01"]
        client.close()
        assert gateway.wait() == 0
        assert "cut off" not in gateway.log() and "select 'work'" not in script.heard


def test_a_graceful_stop_within_a_transaction(make_gateway, postgres):
    """The client stays until its end, whatever it has sent in one go with the reset."""
    gateway = make_gateway({"app": pool(postgres, "session", pool_size=1)}, {"shutdown_timeout": "30s"})
    with gateway.wire(parameters={"search_path": "a"}) as client:
        client.rows("begin")
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        batch = parse("show search_path") + bind() + execute() + sync()
        client.send_together(query("reset search_path"), batch, query("commit"))
        answer = client.until_closed()
        assert [m.kind for m in answer] == [*"CZ", *"12DCZ", *"CZE"]
        assert answer[-1].sqlstate == "57P01"
    assert gateway.wait() == 0
