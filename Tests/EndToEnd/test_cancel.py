"""A cancel request reaches the right server, and harms nobody else."""

import contextlib
import os
import random
import select
import signal
import struct
import subprocess
import threading
import time

import pytest

from cancelling import SLEEP, HeldCancel, cancel, sleeping
from fakeserver import Closed, FakeServer, greeting, one_row, plain_answer
from polling import wait_until
from server import HELD
from threads import in_threads
from wire import LoginRefused, bind, cancel_request, execute, flush, function_call, parse, query, sync, terminate

#: Runs until the test lets it go on.
UNDISTURBED = query(f"select {HELD}, 'undisturbed'")


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("version", ((3, 0), (3, 2)))
def test_only_the_right_query_is_cancelled(shared, postgres, mode, version):
    clients = [shared.wire("app", mode, version=version) for _ in range(3)]
    for client in clients:
        client.send(SLEEP)
    sleeping(postgres, 3)
    for left, client in ((2, clients[1]), (1, clients[0]), (0, clients[2])):
        cancel(shared, client.pid, client.secret)
        assert client.ready()[-2].sqlstate == "57014"
        sleeping(postgres, left)
        assert client.value("select 'well'") == "well"
        client.close()
    shared.wait_idle()


@pytest.fixture
def busy_machine():
    """Every core has something else to do: what is left to another thread takes its time."""
    burners = [subprocess.Popen(["sha256sum", "/dev/zero"], stdout=subprocess.DEVNULL) for _ in range(os.cpu_count())]
    yield
    for burner in burners:
        burner.kill()
        burner.wait()


@pytest.mark.parametrize("inside", (False, True))
def test_what_is_said_behind_a_cancel_is_left_alone(make_gateway, busy_machine, inside):
    """As with PostgreSQL: who has seen the end of a cancel request goes on without fear of it. The canceller may be
    another worker's."""
    gateway = make_gateway(general={"worker_threads": 4})
    for _ in range(15):
        with gateway.wire() as client:
            if inside:
                client.rows("begin")
            cancel(gateway, client.pid, client.secret)
            for number in range(3):
                assert client.rows(f"select pg_sleep(0.02), {number}")[0][1] == str(number)


def test_every_canceller_is_let_go(make_gateway, postgres):
    gateway = make_gateway()
    with gateway.wire() as client:
        client.send(SLEEP)
        sleeping(postgres)
        cancellers = [gateway.wire(login=False) for _ in range(5)]
        for canceller in cancellers:
            canceller.send(cancel_request(client.pid, client.secret))
        for canceller in cancellers:
            assert canceller.until_closed() == []
            canceller.close()
        assert client.ready()[-2].sqlstate == "57014"
        assert client.value("select 1") == "1"
    gateway.wait_idle()


def test_cancel_over_the_unix_socket(make_gateway, postgres, tmp_path):
    gateway = make_gateway(general={"unix_socket_dir": str(tmp_path)})
    with gateway.wire(unix=True) as client:
        client.send(SLEEP)
        sleeping(postgres)
        with gateway.wire(login=False, unix=True) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            canceller.until_closed()
        assert client.ready()[-2].sqlstate == "57014"


@pytest.mark.parametrize("version", ((3, 0), (3, 2)))
def test_wrong_and_invented_keys_are_ignored(shared, postgres, version):
    with postgres.hold() as release, shared.wire("app", "transaction", version=version) as client:
        client.send(UNDISTURBED)
        wait_until(postgres.held, "the query runs")
        server = postgres.value("select pid from pg_stat_activity where usename = 'app' and wait_event = 'advisory'")
        flipped = bytes([client.secret[0] ^ 1]) + client.secret[1:]
        generator = random.Random(7)
        wrong = [
            (client.pid, flipped),
            (client.pid, client.secret[:-1]),
            (client.pid, client.secret + b"\0"),
            (client.pid, client.secret[:4]) if len(client.secret) > 4 else (client.pid, client.secret * 8),
            (client.pid, b"\0" * len(client.secret)),
            (client.pid + 1, client.secret),
            (-client.pid, client.secret),
            (server, client.secret),
            (server, b"\0\0\0\0"),
            (0, client.secret),
            *((generator.randrange(-(2**31), 2**31), generator.randbytes(len(client.secret))) for _ in range(30)),
            *((generator.randrange(0, 100), client.secret) for _ in range(10) if client.pid > 100),
        ]
        for pid, secret in wrong:
            cancel(shared, pid, secret)
        assert postgres.held() == 1
        release()
        answer = client.ready()
        assert [m.kind for m in answer] == ["T", "D", "C", "Z"], [str(m) for m in answer]


def test_late_and_repeated_cancels_harm_nobody(make_gateway, postgres):
    """One server. Its second user runs a query while the first one's cancels arrive."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as one, gateway.wire() as two:
        for _ in range(5):
            cancel(gateway, one.pid, one.secret)  # before its first query
        one.send(SLEEP)
        sleeping(postgres)
        for _ in range(5):
            cancel(gateway, one.pid, one.secret)
        assert one.ready()[-2].sqlstate == "57014"
        with postgres.hold():
            two.send(UNDISTURBED)
            wait_until(postgres.held, "the query runs")
            for _ in range(20):
                cancel(gateway, one.pid, one.secret)
        assert [m.kind for m in two.ready()] == ["T", "D", "C", "Z"]
        assert one.value("select 1") == "1"
        one.close()
        with postgres.hold():
            two.send(UNDISTURBED)
            wait_until(postgres.held, "the query runs")
            for _ in range(5):
                cancel(gateway, one.pid, one.secret)  # its client has left
        assert [m.kind for m in two.ready()] == ["T", "D", "C", "Z"]
    gateway.wait_idle()


def test_cancel_of_an_idle_transaction_does_nothing(make_gateway):
    """As in PostgreSQL: what is not running cannot be cancelled, and the next query is not hit."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client:
        client.rows("begin work")
        cancel(gateway, client.pid, client.secret)
        assert client.value("select 1") == "1"
        client.rows("commit")


@contextlib.contextmanager
def waiting_client(make_gateway, postgres, mode="transaction", before=()):
    """A gateway with one server, a client that has it for a query until `release`, and one that will have to wait."""
    gateway = make_gateway(
        pool_options={"mode": mode, "pool_size": 1},
        general={"query_wait_timeout": "30s", "cancel_wait_timeout": "30s"},
    )
    with gateway.wire() as holder, gateway.wire() as waiter:
        for sql in before:
            waiter.rows(sql)
        with postgres.hold() as release:
            holder.send(UNDISTURBED)
            wait_until(postgres.held, "the query runs")

            def end_of_holder():
                release()
                assert [m.kind for m in holder.ready()] == ["T", "D", "C", "Z"]
                holder.leave()

            yield gateway, waiter, end_of_holder
    gateway.wait_idle()


def waits(gateway, count=1):
    wait_until(lambda: int(gateway.pool_row()["cl_waiting"]) == count, f"{count} clients wait")


def says_cancelled(answer, status):
    assert [m.kind for m in answer] == ["E", "Z"], [str(m) for m in answer]
    fields = answer[0].fields
    assert (fields["S"], fields["C"], fields["M"]) == ("ERROR", "57014", "canceling statement due to user request")
    assert answer[1].body == status


#: What a client sends in one go, and what it gets when that is carried out.
REQUESTS = {
    "a query": (query("select 'done'"), "TDCZ"),
    "a long query": (query("select 'done' /* " + "long " * 100_000 + "*/"), "TDCZ"),
    "a batch": (parse("select 'done'", "s") + bind(statement="s") + execute() + sync(), "12DCZ"),
    "a long batch": (parse("select 'done' /* " + "long " * 100_000 + "*/") + bind() + execute() + sync(), "12DCZ"),
    "a function call": (function_call(177, [struct.pack(">i", 40), struct.pack(">i", 2)]), "VZ"),
}


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("mode", ("transaction", "session", "statement"))
def test_cancel_of_a_waiting_client(make_gateway, postgres, mode, request_):
    """Query timeouts of drivers take effect while there is no server, too: the client is told at once, and its request
    is carried out neither now nor later. What it asks for next is."""
    sent, kinds = REQUESTS[request_]
    with waiting_client(make_gateway, postgres, mode) as (gateway, waiter, end_of_holder):
        waiter.send(sent)
        waits(gateway)
        cancel(gateway, waiter.pid, waiter.secret)
        says_cancelled(waiter.ready(), b"I")
        waits(gateway, 0)
        for _ in range(3):
            cancel(gateway, waiter.pid, waiter.secret)  # nothing is left that could be hit
        waiter.send(sent)
        waits(gateway)
        assert waiter.nothing_comes()
        end_of_holder()
        answer = waiter.ready()
        assert "".join(m.kind for m in answer) == kinds, [str(m) for m in answer]
        assert waiter.value("select 'well'") == "well"


def test_cancel_of_a_waiting_batch_without_its_end(make_gateway, postgres):
    """As with PostgreSQL the error comes at once, and everything up to Sync is read over."""
    with waiting_client(make_gateway, postgres) as (gateway, waiter, end_of_holder):
        waiter.send(parse("select 'done'") + flush())
        waits(gateway)
        cancel(gateway, waiter.pid, waiter.secret)
        assert waiter.receive().sqlstate == "57014"
        waiter.send(bind() + execute() + flush())
        waiter.send(query("select 'read over'"))
        assert waiter.nothing_comes()
        waiter.send(sync())
        assert [(m.kind, m.body) for m in waiter.ready()] == [("Z", b"I")]
        end_of_holder()
        assert waiter.value("select 'well'") == "well"


def test_cancel_of_a_waiting_client_means_its_first_request(make_gateway, postgres):
    with waiting_client(make_gateway, postgres) as (gateway, waiter, end_of_holder):
        waiter.send(query("select 'first'") + query("select 'second'"))
        waits(gateway)
        cancel(gateway, waiter.pid, waiter.secret)
        says_cancelled(waiter.ready(), b"I")
        waits(gateway)
        end_of_holder()
        answer = waiter.ready()
        assert [m.values for m in answer if m.kind == "D"] == [[b"second"]], [str(m) for m in answer]


def test_a_goodbye_behind_a_request_that_is_cancelled_in_the_queue(make_gateway, postgres):
    with waiting_client(make_gateway, postgres) as (gateway, waiter, end_of_holder):
        waiter.send(query("select 'first'") + terminate())
        waits(gateway)
        cancel(gateway, waiter.pid, waiter.secret)
        says_cancelled(waiter.until_closed(), b"I")
        end_of_holder()


def test_cancel_of_a_waiting_client_in_a_transaction(make_gateway, postgres):
    """It has been told that its transaction has begun, so the transaction has to fail: the cancel request goes out
    behind the request. However many ask for that, few are kept waiting."""
    with waiting_client(make_gateway, postgres, before=["begin"]) as (gateway, waiter, end_of_holder):
        waiter.send(query("select pg_sleep(20)"))
        waits(gateway)
        cancellers = [gateway.wire(login=False) for _ in range(20)]
        for canceller in cancellers:
            canceller.send(cancel_request(waiter.pid, waiter.secret))
        poller = select.poll()
        for canceller in cancellers:
            poller.register(canceller.socket, select.POLLIN)
        wait_until(lambda: len(poller.poll(0)) == 4, "those beyond 16 are let go")
        assert waiter.nothing_comes()
        end_of_holder()
        says_cancelled(waiter.ready()[-2:], b"E")
        for canceller in cancellers:
            assert canceller.until_closed() == []
            canceller.close()
        assert waiter.error("select 1")["C"] == "25P02"
        waiter.rows("rollback")
        assert waiter.rows("select pg_sleep(0.02), 'well'")[0][1] == "well"


def test_a_client_leaves_the_queue_in_which_it_is_cancelled(make_gateway, postgres):
    with waiting_client(make_gateway, postgres, before=["begin"]) as (gateway, waiter, end_of_holder):
        waiter.send(query("select 'never'"))
        waits(gateway)
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(waiter.pid, waiter.secret))
            assert canceller.nothing_comes(0.2), "the canceller was let go before anything was cancelled for it"
            waiter.close()
            assert canceller.until_closed() == []
        end_of_holder()
        with gateway.wire() as other:
            assert other.value("select 'well'") == "well"


def test_a_cancel_during_a_check_that_fails(make_gateway):
    """The client goes back to the queue, and there it is told."""
    silent, end = threading.Event(), threading.Event()

    def script(peer):
        if peer.server.connections > 1:
            end.wait(20)  # no other server can be opened
            return
        peer.login()
        while True:
            sql = peer.next_query()
            if silent.is_set():
                end.wait(20)
                return
            peer.send(plain_answer(sql) if sql == ";" else one_row(b"first"))

    with FakeServer(script) as server:
        general = {"server_idle_check_timeout": "1ms", "query_wait_timeout": "4s", "connect_timeout": "20s"}
        gateway = make_gateway({"app": server.pool(pool_size=1)}, general, hba="host all all all trust\n")
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "first"
            wait_until(lambda: gateway.pool_row("app")["sv_idle"] == "1", "the server is idle")
            silent.set()
            time.sleep(0.05)  # for longer than `server_idle_check_timeout`
            client.send(query("select 2"))
            wait_until(lambda: gateway.pool_row("app")["cl_waiting"] == "1", "the server is checked")
            cancel(gateway, client.pid, client.secret)
            says_cancelled(client.ready(), b"I")
        end.set()
        gateway.wait_idle()


def test_console_cancel_keys_are_harmless(gateway):
    with gateway.console_wire() as console:
        cancel(gateway, console.pid, console.secret)
        assert console.dicts("SHOW VERSION")


@pytest.mark.parametrize("pool_size", (1, 4))
def test_cancels_race_with_check_ins(make_gateway, pool_size):
    """A hundred clients on few servers. Half of them cancel themselves at random moments, around the end of their
    query; the other half must never be hit."""
    gateway = make_gateway(pool_options={"pool_size": pool_size}, general={"query_wait_timeout": "60s"})
    hits = {"cancelled": 0, "finished": 0}
    lock = threading.Lock()
    over = threading.Event()
    victims = 50
    left = [victims]

    def work(number):
        generator = random.Random(number)
        bystander = number >= victims
        with gateway.wire("app", timeout=70, version=(3, 2) if number % 2 else (3, 0)) as client:
            if bystander:
                while not over.is_set():
                    client.send(query("select pg_sleep(0.001), 'bystander'"))
                    answer = client.ready()
                    assert [m.kind for m in answer] == ["T", "D", "C", "Z"], (
                        f"a bystander was hit: {[str(m) for m in answer]}"
                    )
                return
            try:
                for _ in range(5):
                    client.send(query(f"select pg_sleep({generator.choice((0, 0.001, 0.003))})"))
                    if generator.random() < 0.5:
                        client.ready()  # the cancel comes late
                        cancel(gateway, client.pid, client.secret)
                        continue
                    for _ in range(generator.choice((1, 2))):
                        cancel(gateway, client.pid, client.secret)
                    answer = client.ready()
                    state = "cancelled" if answer[-2].kind == "E" else "finished"
                    assert state == "finished" or answer[-2].sqlstate == "57014", str(answer[-2])
                    with lock:
                        hits[state] += 1
            finally:
                with lock:
                    left[0] -= 1
                    if not left[0]:
                        over.set()

    in_threads(100, work)
    assert sum(hits.values()) > 50
    gateway.wait_idle()
    with gateway.wire() as client:
        assert client.value("select 'clean'") == "clean"


def test_a_server_is_not_handed_on_while_a_cancel_is_in_flight(make_gateway):
    """Until the server closes the cancel connection, the next client's query must not arrive."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway)
        with gateway.wire("app") as one, gateway.wire("app") as two:
            canceller = held.ask(gateway, one, "first")
            one.ready()
            two.send(query("second"))
            assert not held.second_query.wait(0.4), "the server was handed on before the cancel was through"
            held.let_go.set()
            two.ready()
            assert held.server.cancels == [(77, b"real")]
            canceller.close()
        gateway.wait_idle()


def test_a_canceller_waits_while_its_client_keeps_the_server(make_gateway):
    """In session mode the next statement runs where the cancel may still hit."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, "session")
        with gateway.wire("app") as client:
            canceller = held.ask(gateway, client, "first")
            client.ready()
            assert canceller.nothing_comes(0.4), "the canceller was let go before the cancel was through"
            held.let_go.set()
            assert canceller.until_closed() == []
        gateway.wait_idle()


def test_the_next_query_is_cancelled_while_the_cancel_before_is_in_flight(make_gateway):
    """The server has answered the first cancel, and not closed its connection: the second is another one. It goes out
    when the first has ended, and its canceller waits until it has ended, too."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, "session")
        with gateway.wire("app") as client:
            first = held.ask(gateway, client, "first")
            client.ready()
            client.send(query("again"))
            assert held.second_query.wait(10)
            second = gateway.wire(login=False)
            second.send(cancel_request(client.pid, client.secret))
            assert second.nothing_comes(0.4), "the second canceller was let go before anything was cancelled for it"
            assert held.server.cancels == [(77, b"real")], "two cancels under way could overtake each other"
            held.let_go.set()
            assert first.until_closed() == []
            assert client.ready()[-2].sqlstate == "57014"
            assert second.until_closed() == []
            assert held.server.cancels == [(77, b"real")] * 2
        gateway.wait_idle()


def test_a_repeated_cancel_of_one_query_is_one(make_gateway):
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, "session")
        with gateway.wire("app") as client:
            first = held.ask(gateway, client, "endless")
            others = [gateway.wire(login=False) for _ in range(3)]
            for other in others:
                other.send(cancel_request(client.pid, client.secret))
            assert all(other.nothing_comes(0.2) for other in others)
            held.let_go.set()
            for canceller in (first, *others):
                assert canceller.until_closed() == []
            assert held.server.cancels == [(77, b"real")]
        gateway.wait_idle()


def test_a_cancel_that_waited_too_long_hits_no_later_query(make_gateway):
    """What it was meant for has been answered before the cancel in front of it has ended."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, "session")
        with gateway.wire("app") as client:
            first = held.ask(gateway, client, "first")
            client.ready()
            client.send(query("again"))
            assert held.second_query.wait(10)
            second = gateway.wire(login=False)
            second.send(cancel_request(client.pid, client.secret))
            assert second.nothing_comes(0.4)
            held.came_again.set()
            client.ready()
            client.send(query("endless"))
            held.let_go.set()
            assert first.until_closed() == []
            assert second.until_closed() == []
            assert held.server.cancels == [(77, b"real")]
        gateway.wait_idle()


@pytest.mark.parametrize("end", ("leave", "reset"))
def test_a_canceller_is_let_go_when_its_client_has_gone(make_gateway, end):
    """Nobody is left whose next statement a late cancel could hit; the cancel connection is still open."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, cancel_wait_timeout="60s")
        client = gateway.wire("app")
        canceller = held.ask(gateway, client, "endless")
        getattr(client, end)()
        assert canceller.until_closed() == []
        assert not held.let_go.is_set()
        held.let_go.set()
        gateway.wait_idle()


def test_a_cancel_under_way_takes_no_place(make_gateway):
    """`max_connections` counts clients."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, max_connections=3, cancel_wait_timeout="60s")
        with gateway.wire("app") as client:
            canceller = held.ask(gateway, client, "first")
            client.ready()
            others = []

            def two_more():
                # The place of the console may not be free at once.
                try:
                    others.append(gateway.wire("app"))
                except LoginRefused:
                    pass
                return len(others) == 2

            wait_until(two_more, "two more clients are admitted")
            held.let_go.set()
            for connection in (canceller, *others):
                connection.close()
        gateway.wait_idle()


def test_a_stop_does_not_wait_for_a_cancel_under_way(make_gateway):
    """Nobody needs its server any more; the answer to its client came, and so does the end of the session."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway, shutdown_timeout="60s", cancel_wait_timeout="60s")
        with gateway.wire("app") as client:
            canceller = held.ask(gateway, client, "first")
            assert client.ready()[-1].body == b"I"
            began = time.monotonic()
            gateway.signal(signal.SIGTERM)
            assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
            assert gateway.wait() == 0
            assert time.monotonic() - began < 10
            canceller.close()
        held.let_go.set()


def test_a_reload_while_a_cancel_is_under_way(make_gateway):
    """The pool is built anew: the old server is not used again, the next query is answered by a new one."""
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway)
        with gateway.wire("app") as client:
            canceller = held.ask(gateway, client, "first")
            assert client.ready()[-1].body == b"I"
            gateway.reload(pools={"app": {"application_name": "renewed", "pool_mode": "session"}})
            assert client.value("second") == "second"
            held.let_go.set()
            canceller.close()
        gateway.wait_idle()
        assert held.server.connections == 3, "a server, the cancel, a server"


def test_a_cancel_that_cannot_be_delivered(make_gateway):
    """The server refuses the cancel connection; the query goes on and nothing is stuck."""

    def script(peer):
        parameters = peer.startup()
        if "cancel" in parameters:
            peer.die(rudely=True)
            raise Closed("refused")
        peer.send(greeting())
        while True:
            sql = peer.next_query()
            if "slow" in sql:
                wait_until(lambda: peer.server.connections > 1, "the cancel connection")
            peer.send(plain_answer(sql if "slow" not in sql else "select"))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba="host all all all trust\n")
        with gateway.wire("app") as client:
            client.send(query("slow"))
            cancel(gateway, client.pid, client.secret)
            assert client.ready()[-1].body == b"I"
            assert client.value("select 1") == "1"
        gateway.wait_idle()


@pytest.mark.parametrize("size", (4, 8, 32, 100, 256))
def test_long_keys_of_the_server_are_used(make_gateway, size):
    """A server asked for protocol 3.2 may give a key of 4 to 256 bytes; the cancel carries it unchanged. Asked for 3.0
    it gives 4 bytes, and another size is an error."""
    secret = os.urandom(size)
    asked = []

    def script(peer):
        parameters = peer.startup()
        if "cancel" in parameters:
            peer.server.cancels.append(parameters["cancel"])
            return
        asked.append(parameters["protocol"])
        peer.send(greeting(pid=5, secret=secret))
        while True:
            sql = peer.next_query()
            if "slow" in sql:
                wait_until(lambda: peer.server.cancels, "the cancel")
            peer.send(plain_answer("select"))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba="host all all all trust\n")
        try:
            with gateway.wire("app") as client:
                client.send(query("slow"))
                cancel(gateway, client.pid, client.secret)
                client.ready()
                assert server.cancels == [(5, secret)]
        except LoginRefused as refusal:
            assert asked[0] == 196608 and size != 4, refusal.fields
            assert refusal.sqlstate.startswith("08")
