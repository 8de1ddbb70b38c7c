"""A client's request waits until a server has its startup parameters: whatever happens meanwhile."""

import contextlib
import signal
import threading
import time

import pytest

from fakeserver import FakeServer, command_complete, error, greeting, plain_answer, ready
from wire import cancel_request, flush, message, query

TRUST = "host all all 127.0.0.1/32 trust\n"


class Applying:
    """A server that, once `hold` was called, answers the query that sets a parameter when it is told to."""

    def __init__(self):
        self.asked, self.told, self.cancelled = threading.Event(), threading.Event(), threading.Event()
        self.told.set()
        self.heard = []

    def hold(self):
        self.asked.clear()
        self.told.clear()

    def __call__(self, peer):
        if "cancel" in peer.startup():
            self.cancelled.set()
            return
        peer.send(greeting())
        while True:
            sql = peer.next_query()
            self.heard.append(sql)
            if "set_config" in sql and not self.told.is_set():
                self.asked.set()
                assert self.told.wait(10)
            peer.send(plain_answer(sql))


@contextlib.contextmanager
def waiting(make_gateway, request, mode="transaction", **general):
    """A client whose request, a text or messages, waits for its `search_path`."""
    script = Applying()
    with FakeServer(script) as server:
        general = {"shutdown_timeout": "5s", **general}
        gateway = make_gateway({"app": server.pool(mode, pool_size=1)}, general, hba=TRUST)
        with gateway.wire("app", parameters={"search_path": "a"}) as client:
            with gateway.wire("app") as other:
                client.rows("select 1")
                other.rows("select 1")
            script.hold()
            client.send(query(request) if isinstance(request, str) else request)
            assert script.asked.wait(10), "the parameters are not applied"
            try:
                yield gateway, script, client
            finally:
                script.told.set()


def cancel_while_it_waits(gateway, script, client):
    """Who cancels is kept until what the client's request waits for has come."""
    with gateway.wire(login=False) as canceller:
        canceller.send(cancel_request(client.pid, client.secret))
        assert canceller.nothing_comes(0.1)
        script.told.set()
        assert canceller.until_closed() == []


def test_a_cancel_of_what_the_gateway_answers_hits_nothing_later(make_gateway):
    """It came while the client's parameters were applied."""
    with waiting(make_gateway, "deallocate all") as (gateway, script, client):
        cancel_while_it_waits(gateway, script, client)
        assert [m.kind for m in client.ready()] == ["C", "Z"]
        client.rows("select 'later'")
        assert not script.cancelled.is_set()


@pytest.mark.parametrize("how", ("leaves", "is reset"))
def test_a_client_that_has_gone_by_then_sends_nothing(make_gateway, how):
    """And takes the cancel request for its statement with it; the next client finds its own parameters."""
    with waiting(make_gateway, "select 'mine'") as (gateway, script, client):
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            assert canceller.nothing_comes(0.1)
            client.leave() if how == "leaves" else client.reset()
            assert canceller.until_closed() == []
        script.told.set()
        gateway.wait_idle()
        with gateway.wire("app") as next_one:
            next_one.rows("select 'next'")
        gateway.wait_idle()
        assert "select 'mine'" not in script.heard and not script.cancelled.is_set()
        assert script.heard[-2:] == ['RESET "search_path";', "select 'next'"]


@pytest.mark.parametrize("event", ("KILL USER", "a reload", "a stop"))
def test_what_an_operator_does_meanwhile(make_gateway, event):
    with waiting(make_gateway, "select 'mine'") as (gateway, script, client):
        if event == "KILL USER":
            gateway.console("KILL USER app")
            assert client.until_closed()[-1].sqlstate == "57P01"
        elif event == "a reload":
            # The pool is replaced; the request goes on.
            pools = gateway.settings["pools"]
            pools["app"]["application_name"] = "renamed"
            gateway.reload(pools=pools)
        else:
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        script.told.set()
        if event == "a stop":
            answer = client.until_closed()
            assert answer[-1].sqlstate == "57P01"
            client.close()
            assert gateway.wait() == 0
            return
        if event == "a reload":
            assert "D" in [m.kind for m in client.ready()]
        assert script.heard.count("select 'mine'") == (1 if event == "a reload" else 0)
        client.close()
        gateway.wait_idle()


def test_a_server_that_does_not_answer_is_given_up_in_time(make_gateway):
    """`query_wait_timeout` bounds that too, but a server always has a second."""
    with waiting(make_gateway, "select 'mine'", query_wait_timeout="500ms") as (gateway, script, client):
        begun = time.monotonic()
        assert client.until_closed()[-1].sqlstate == "53300"
        assert time.monotonic() - begun < 3
        script.told.set()
        with gateway.wire("app", parameters={"search_path": "b"}) as next_one:
            next_one.rows("select 'next'")
        gateway.wait_idle()
        assert "select 'mine'" not in script.heard


@pytest.mark.parametrize("begins", (False, True), ids=("alone", "in a transaction"))
@pytest.mark.parametrize("statements", (True, False), ids=("shared", "not shared"))
def test_a_cancel_while_a_lone_flush_waits_hits_nothing_later(make_gateway, statements, begins):
    """Flush asks for nothing. Who cancels that is let go, as by a session that is idle."""
    request = (query("begin") if begins else b"") + flush()
    with waiting(make_gateway, request, prepared_statements=statements) as (gateway, script, client):
        if begins:
            client.ready()
        cancel_while_it_waits(gateway, script, client)
        client.rows("select 'later'")
        assert not script.cancelled.is_set()
        client.close()
        gateway.wait_idle()


def serving_session(script):
    """A server that applies the parameters of a session again when it is told to, and whose work a cancel ends."""

    def serve(peer):
        if "cancel" in peer.startup():
            script.cancelled.set()
            return
        peer.send(greeting())
        while True:
            asked = peer.receive()
            sql = asked.body[:-1].decode() if asked.kind == "Q" else ""
            if "work" in sql:
                assert script.cancelled.wait(10), "the cancel request does not arrive"
                peer.send(error("57014", "cancelled") + ready())
            elif asked.kind == "Q":
                peer.send(plain_answer(sql) if "reset" not in sql else command_complete("RESET") + ready())
            elif asked.kind == "S":
                script.asked.set()
                assert script.told.wait(10)
                assert not script.cancelled.is_set(), "the cancel request hits what precedes the request"
                peer.send(message("1"), message("2"), command_complete("SELECT 0"), message("3"), ready())
            elif asked.kind == "X":
                return

    return serve


@contextlib.contextmanager
def behind_a_reset(make_gateway, request):
    """In session mode the parameters are applied again behind a reset, and the request waits for that."""
    script = Applying()
    with FakeServer(serving_session(script)) as server:
        gateway = make_gateway({"app": server.pool("session", pool_size=1)}, hba=TRUST)
        with gateway.wire("app", parameters={"search_path": "a"}) as client:
            client.rows("select 1")
            client.rows("reset all")
            script.hold()
            client.send(request)
            assert script.asked.wait(10), "the parameters are not applied again"
            yield gateway, script, client
        gateway.wait_idle()


def test_a_cancel_of_a_request_that_waits_behind_a_reset(make_gateway):
    with behind_a_reset(make_gateway, query("select 'work'")) as (gateway, script, client):
        cancel_while_it_waits(gateway, script, client)
        assert [m.sqlstate for m in client.ready() if m.kind == "E"] == ["57014"]


def test_a_cancel_while_a_lone_flush_waits_behind_a_reset_hits_nothing_later(make_gateway):
    with behind_a_reset(make_gateway, flush()) as (gateway, script, client):
        cancel_while_it_waits(gateway, script, client)
        client.rows("select 'later'")
        assert not script.cancelled.is_set()


def test_a_flush_in_front_of_a_request_takes_its_cancel_away_from_nobody(make_gateway):
    """Both come in one go."""
    with behind_a_reset(make_gateway, flush() + query("select 'work'")) as (gateway, script, client):
        cancel_while_it_waits(gateway, script, client)
        assert [m.sqlstate for m in client.ready() if m.kind == "E"] == ["57014"]
