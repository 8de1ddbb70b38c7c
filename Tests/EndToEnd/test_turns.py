"""Where a client's turn with a server ends, when the end comes in an unlucky place: in the middle of a statement that
is being collected, before the beginning of a message, while a login waits."""

import os
import pathlib
import signal
import threading
import time

import pytest

from cancelling import HeldCancel
from fakeserver import Closed, FakeServer, command_complete, error, notice, one_row, plain_answer, ready
from longmessages import Drain, HBA, METHODS, Stage
from polling import wait_until
from wire import LoginRefused, bind, execute, message, parse, query, startup, sync

#: Longer than what is passed on without being collected; chunks of it begin as messages do.
TEXT = b"d, na" * 20_000
LONG = parse(TEXT)
CUTS = [len(LONG) - 5 * n - 1 for n in (15_000, 14_000, 12_000, 10_000)]
BATCH = bind() + execute() + sync()
DONE = (message("1"), message("2"), command_complete(), ready())


@METHODS
@pytest.mark.parametrize("cut", CUTS)
def test_a_statement_being_collected_keeps_its_server(make_gateway, io_method, cut):
    """The answer to the request before it comes meanwhile."""
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        client._write(query("select before") + LONG[:cut])
        peer = stage.peer()
        stage.asked(peer, "select before")
        peer.send(one_row())
        client.ready()
        drain = Drain(peer)
        client._write(LONG[cut:] + BATCH)
        wait_until(lambda: drain.data.endswith(sync()), "the statement came, and what is behind it")
        assert bytes(drain.data).count(b"d, na") == 20_000
        peer.send(*DONE)
        assert [m.kind for m in client.ready()] == ["1", "2", "C", "Z"]
    stage.gateway.wait_idle()


@METHODS
def test_a_collected_statement_is_dropped_after_an_error(make_gateway, io_method):
    """It, and nothing of what follows."""
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        client._write(parse("select bad", name="bad") + LONG[: CUTS[0]])
        peer = stage.peer()
        peer.until("P")
        peer.send(error("42601", "syntax error"))
        client.until("E")
        drain = Drain(peer)
        client._write(LONG[CUTS[0] :] + BATCH)
        wait_until(lambda: drain.data.endswith(sync()), "the Sync came")
        assert b"d, na" not in drain.data
        peer.send(ready())
        client.ready()
        client.send(query("select next"))
        wait_until(lambda: drain.data.endswith(query("select next")), "the client goes on")
        peer.send(one_row())
        client.ready()


@METHODS
def test_a_collected_statement_that_is_known_is_answered(make_gateway, io_method):
    """Flush asks for the answer, which is the gateway's own."""
    first, second = parse(TEXT, name="first"), parse(TEXT, name="second")
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        client._write(first + sync())
        drain = Drain(stage.peer())
        wait_until(lambda: drain.data.endswith(sync()), "the statement came")
        drain.peer.send(message("1"), ready())
        client.ready()
        client._write(second[: CUTS[0]])
        client._write(second[CUTS[0] :] + message("H"))
        assert client.receive().kind == "1"


@METHODS
@pytest.mark.parametrize("how", ("answer", "cleanup"))
def test_the_beginning_of_a_message_behind_the_end_of_a_turn(make_gateway, io_method, how):
    """It belongs to this connection: nobody else gets the server before the rest has come."""
    with Stage(make_gateway, io_method=io_method, worker_threads=2) as stage:
        with stage.client() as first, stage.client() as second:
            peer = stage.ask(first, "set work_mem = 1" if how == "cleanup" else "select first")
            if how == "cleanup":
                peer.send(command_complete("SET"), ready())
                first.ready()
                peer.send(plain_answer(peer.next_query()) + notice()[:3])
            else:
                peer.send(one_row() + notice()[:3])
                first.ready()
            second.send(query("select second"))
            wait_until(lambda: stage.gateway.pool_row(user="app_trust")["cl_waiting"] == "1", "the second client waits")
            peer.send(notice()[3:])
            stage.asked(peer, "select second")
            peer.send(one_row(b"second"))
            # Where the first client still had the server, the notice is its own.
            assert [m for m in second.ready() if m.kind == "D"][0].values == [b"second"]
    stage.gateway.wait_idle()


@pytest.mark.parametrize("comes_whole", (False, True), ids=("begun", "whole"))
@pytest.mark.parametrize("size", (3, 12), ids=("head", "body"))
def test_a_cancel_that_ends_in_the_middle_of_a_message(make_gateway, size, comes_whole):
    """The server waits for the end of a cancel request and has begun a notice meanwhile: nobody may get it. Where the
    rest has come by then, it is as good as any."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, worker_threads=1)
        with gateway.wire("app") as first, gateway.wire("app") as second:
            canceller = held.ask(gateway, first, "first")
            first.ready()
            second.send(query("second"))
            wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the second client waits")
            peer = held.server.peers[0]
            for piece in (notice()[:size], notice()[size:])[: 1 + comes_whole]:
                peer.send(piece)
                # The worker that answers this has read what was sent before.
                gateway.console("SHOW VERSION")
            assert not held.second_query.is_set(), "the server was handed on while the cancel was under way"
            held.let_go.set()
            assert [m.values for m in second.ready() if m.kind == "D"] == [[b"second"]]
            assert held.server.connections == (2 if comes_whole else 3), "a server, the cancel, a server"
            canceller.close()
        if not comes_whole:
            wait_until(lambda: peer.socket.fileno() < 0, "the server is let go")
        gateway.wait_idle()
    assert held.server.problems == []


# --- the check of an idle server --------------------------------------------------------------------------------------


def is_over(seconds):
    """Whether so much time has passed since now: what a server that is to be idle for long must be given."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


LAST_WORDS = {
    "fatal": error("57P01", "terminating connection due to administrator command", "FATAL"),
    "error": error("XX000", "out of step"),
}


@pytest.mark.parametrize("cut", (None, 2, 9), ids=("in one piece", "cut in its head", "cut in its body"))
@pytest.mark.parametrize("words", LAST_WORDS)
def test_an_error_behind_the_answer_of_an_idle_check(make_gateway, words, cut):
    """The answer alone would do; with what comes behind it the server is given up, and its client gets another one."""
    is_late, half_said, go_on = threading.Event(), threading.Event(), threading.Event()
    asked = []

    def says_goodbye(peer):
        peer.login()
        while not is_late.is_set() or not asked:
            sql = peer.next_query()
            if is_late.is_set():
                asked.append(sql)
            else:
                peer.send(plain_answer(sql))
        said = LAST_WORDS[words]
        peer.send(plain_answer(asked[0]) + said[:cut])
        half_said.set()
        if cut:
            go_on.wait(20)
            peer.send(said[cut:])
        asked.append(peer.next_query())

    def good(peer):
        peer.login()
        peer.serve(lambda sql: one_row(b"from another") if "mine" in sql else None)

    with FakeServer([says_goodbye, good]) as server:
        gateway = make_gateway(
            {"app": server.pool(user="app_trust", pool_size=1)},
            {"server_idle_check_timeout": "1ms", "worker_threads": 1},
            hba=HBA,
        )
        with gateway.wire("app_trust") as client:
            client.rows("select 1")
            is_late.set()
            wait_until(lambda: gateway.pool_row(user="app_trust")["sv_idle"] == "1", "the server is idle")
            wait_until(is_over(0.02), "it has been idle for long")
            client.send(query("select mine"))
            assert half_said.wait(10), "the server is not checked"
            # The worker that answers this has read what was sent before.
            gateway.console("SHOW VERSION")
            go_on.set()
            answer = client.ready()
            assert [m.kind for m in answer] == ["T", "D", "C", "Z"], [str(m) for m in answer]
            assert answer[1].values == [b"from another"]
        assert asked == [";"] and server.connections == 2
        gateway.wait_idle()


# --- logins that need a server ----------------------------------------------------------------------------------------


def test_a_login_asks_the_next_server_when_one_is_dead(make_gateway):
    def dies_when_asked(peer):
        peer.login()
        while "set_config" not in (sql := peer.next_query()):
            peer.send(plain_answer(sql))
        peer.die()

    def good(peer):
        peer.login()
        peer.serve()

    with FakeServer([dies_when_asked, good]) as server:
        gateway = make_gateway({"app": server.pool(user="app_trust", pool_size=2)}, hba=HBA)
        with gateway.wire("app_trust") as client:
            client.rows("select 1")
        with gateway.wire("app_trust", parameters={"search_path": "elsewhere"}) as client:
            client.rows("select 1")
        assert server.connections == 2 and not server.problems
        gateway.wait_idle()


def leave_idle(gateway, seconds):
    """Three clients, whose servers have been idle for so long."""
    clients = [gateway.wire("app_trust") for _ in range(3)]
    for client in clients:
        client.rows("begin work")
    for client in clients:
        client.rows("commit")
    wait_until(lambda: gateway.pool_row(user="app_trust")["sv_idle"] == "3", "all servers are idle")
    wait_until(is_over(seconds), "they have been idle for long")
    return clients


def test_the_wait_for_servers_that_do_not_answer_is_bounded(make_gateway):
    """query_wait_timeout is for the whole way, checks of idle servers included."""
    silent = threading.Event()

    def script(peer):
        if silent.is_set():
            return peer.exactly(1 << 20)
        peer.login()
        while True:
            sql = peer.next_query()
            if silent.is_set():
                return peer.until("X")
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway(
            {"app": server.pool(user="app_trust", pool_size=3)},
            {"server_idle_check_timeout": "1ms", "query_wait_timeout": "1s"},
            hba=HBA,
        )
        clients = leave_idle(gateway, seconds=0.02)
        silent.set()
        began = time.monotonic()
        clients[0].send(query("select 1"))
        assert clients[0].receive().kind == "E"
        # One check alone may take 5 s.
        assert time.monotonic() - began < 4.5
        for client in clients:
            client.close()


@pytest.mark.parametrize("by_login", (False, True))
def test_idle_servers_that_vanish_without_a_word_cost_no_request(make_gateway, by_login):
    """As behind a firewall that has forgotten them, or when their host is gone: they neither answer nor end. The first
    client waits for one of them, and gets a new one in time; nobody waits for the others."""
    silent = threading.Event()

    def script(peer):
        peer.login()
        vanishes = peer.server.peers.index(peer) < 3
        while True:
            sql = peer.next_query()
            if vanishes and silent.is_set():
                return peer.until("X")
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway(
            {"app": server.pool(user="app_trust", pool_size=4)},
            {"server_idle_check_timeout": "100ms", "query_wait_timeout": "3s"},
            hba=HBA,
        )
        clients = leave_idle(gateway, seconds=0.2)
        silent.set()
        if by_login:
            with gateway.wire("app_trust", parameters={"search_path": "elsewhere"}) as client:
                client.rows("select 1")
        else:
            clients[0].rows("select 1")
        wait_until(lambda: gateway.pool_row(user="app_trust")["sv_idle"] == "1", "one server, and that is new")
        assert server.connections == 4
        for client in clients:
            client.rows("select 1")
            client.close()
        assert not server.problems
        gateway.wait_idle()


def test_a_login_that_times_out_leaves_the_queue(make_gateway):
    gateway = make_gateway(
        general={"client_login_timeout": "1s", "query_wait_timeout": "60s"}, pool_options={"pool_size": 1}
    )
    with gateway.wire() as holder:
        holder.rows("begin work")
        with pytest.raises((LoginRefused, Closed)):
            gateway.wire(parameters={"search_path": "nobody_had_this"})
        assert int(gateway.pool_row()["cl_waiting"]) == 0
        holder.rows("commit")
    gateway.wait_idle()


def has_stopped(pid):
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    states = [file.read_text().rsplit(")", 1)[1].split()[0] for file in files]
    return set(states) == {"T"}


@METHODS
def test_a_login_whose_client_leaves_as_its_server_comes(make_gateway, io_method):
    """Both are told in one round of the worker. Nobody is left whose parameters the server could learn; a login that
    went on would wait for the rest of the process's life."""
    with Stage(make_gateway, io_method=io_method, worker_threads=1) as stage, stage.client() as holder:
        gateway = stage.gateway
        peer = stage.ask(holder, "select first")
        late = gateway.wire(login=False)
        late.send(startup({"user": "app_trust", "database": "app", "search_path": "nobody_had_this"}))
        wait_until(lambda: gateway.pool_row(user="app_trust")["cl_waiting"] == "1", "the login waits")
        os.kill(gateway.process.pid, signal.SIGSTOP)
        wait_until(lambda: has_stopped(gateway.process.pid), "all threads stand still")
        peer.send(one_row())
        late.reset()
        os.kill(gateway.process.pid, signal.SIGCONT)
        holder.ready()
        wait_until(lambda: gateway.pool_row(user="app_trust")["sv_idle"] == "1", "the server is back")
        holder.send(query("select next"))
        assert peer.next_query() == "select next", "nothing was asked for a client that has gone"
        peer.send(one_row())
        holder.ready()
    gateway.wait_idle()
