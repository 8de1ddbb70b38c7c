"""`BEGIN;` from a client without a server takes none: it is answered here and goes out in front of the next request.

Whatever that request is, the client must see what PostgreSQL would have answered, byte for byte.
"""

import asyncio
import contextlib
import random
import signal
import threading

import asyncpg
import pytest

from comparing import comparable, fail_if_different
from fakeserver import FakeServer, error, greeting, plain_answer, ready
from gateway import pool
from polling import wait_until
from scripts import SCRIPTS
from server import PASSWORDS
from wire import (
    bind,
    byte_by_byte,
    cancel_request,
    close_portal,
    close_statement,
    copy_data,
    copy_done,
    copy_fail,
    describe_portal,
    describe_statement,
    execute,
    flush,
    function_call,
    message,
    parse,
    query,
    random_splits,
    sync,
    terminate,
    whole,
)

TRUST = "host all all 127.0.0.1/32 trust"
PID = "select pg_backend_pid()"


def batch(sql, *values, name="", portal=""):
    return parse(sql, name) + bind(values, portal, name) + describe_portal(portal) + execute(portal) + sync()


# --- the same answers -------------------------------------------------------------------------------------------------

BEGINS = {
    "begin": query("begin;"),
    "as drivers send it": query("BEGIN"),
    "begin transaction": query("begin transaction"),
    "start": query("start transaction;"),
}

#: What follows BEGIN: each entry is sent in one piece and answered before the next. The number counts ReadyForQuery.
PAIRS = {
    "query": [query("select 1")],
    "query, commit": [query("select 1"), query("commit")],
    "query, rollback;": [query("select 1"), query("rollback;")],
    "writing": [query("insert into sink values (1, 'x')"), query("select count(*) from sink"), query("rollback")],
    "commit": [query("commit")],
    "COMMIT;": [query("COMMIT;"), query("select 1")],
    "end": [query("end"), query("commit")],
    "rollback": [query("rollback"), query("rollback")],
    "abort;": [query("ABORT;"), query("select 1")],
    "commit and chain": [query("commit and chain"), query("select 1"), query("commit")],
    "commit work": [query("commit work")],
    "commit prepared": [query("commit prepared 'x'"), query("rollback")],
    "begin again": [query("begin;"), query("begin"), query("commit")],
    "start again": [query("start transaction;"), query("rollback")],
    "begin with options": [query("begin isolation level serializable"), query("show transaction_isolation")],
    "set transaction": [query("set transaction isolation level serializable"), query("show transaction_isolation")],
    "begin, commit, begin": [query("commit;"), query("begin;"), query("select 1"), query("commit;"), query("begin;")],
    "empty query": [query(""), query(";"), query("commit;")],
    "comment": [query("/* nothing */"), query("rollback")],
    "syntax error": [query("selekt 1"), query("select 1"), query("commit"), query("select 1")],
    "failing query": [query("select 1 / 0"), query("begin;"), query("rollback;"), query("begin;"), query("commit")],
    "several statements": [query("select 1; select 2; commit; select 3"), query("commit")],
    "several with an error": [query("select 1; select 1 / 0; commit"), query("commit")],
    "savepoint": [query("savepoint a"), query("select 1 / 0"), query("rollback to a"), query("commit")],
    "set local": [
        query("set local work_mem = '1MB'"),
        query("show work_mem"),
        query("rollback"),
        query("show work_mem"),
    ],
    "set": [query("set work_mem = '1MB'"), query("rollback"), query("show work_mem")],
    "discard all": [query("discard all"), query("rollback")],
    "deallocate all": [query("deallocate all"), query("select 1"), query("commit")],
    "deallocate unknown": [query("deallocate nothing"), query("rollback")],
    "vacuum": [query("vacuum numbers"), query("rollback")],
    "notice": [query("select talk(2)"), query("commit")],
    "cursor": [
        query("declare c cursor for select id from numbers order by id"),
        query("fetch 2 from c"),
        query("commit"),
        query("fetch 1 from c"),
    ],
    "batch": [batch("select 1"), batch("select $1::int", "7"), query("commit")],
    "batch, commit by batch": [batch("select 1"), batch("commit"), query("select 1")],
    "commit by batch": [batch("commit"), query("commit")],
    "begin by batch": [batch("begin"), query("commit")],
    "named batch": [batch("select 2", name="s"), bind(statement="s") + execute() + sync(), query("commit")],
    "parse alone": [parse("select 3", "p") + sync(), query("commit"), bind(statement="p") + execute() + sync()],
    "describe": [parse("select 4", "d") + describe_statement("d") + close_statement("d") + sync()],
    "batch error": [batch("select 1 / 0"), batch("select 1"), query("rollback"), batch("select 1")],
    "parse error": [parse("selekt") + bind() + execute() + sync(), query("rollback")],
    "bind error": [bind(statement="unknown") + execute() + sync(), query("rollback")],
    "portal": [
        parse("select id from numbers order by id") + bind(portal="p") + execute("p", 2) + sync(),
        execute("p", 2) + sync(),
        close_portal("p") + sync(),
        query("commit"),
    ],
    "sync": [sync(), query("commit")],
    "two syncs": [sync() + sync(), query("select 1")],
    "close unknown": [close_statement("unknown") + close_portal("unknown") + sync(), query("commit")],
    "function call": [function_call(1251, [b"\xff\xff\xff\xf9"]), query("rollback")],
    "failing function call": [function_call(1, []), query("rollback")],
    "stray copy messages": [copy_data("x") + copy_done() + copy_fail("no") + query("select 1"), query("commit")],
    "copy out": [query("copy (select id from numbers where id < 9) to stdout"), query("commit")],
    "copy in": [query("copy sink from stdin") + copy_data("1\tx\n") + copy_done(), query("rollback")],
    "failing copy in": [query("copy sink from stdin") + copy_fail("no"), query("rollback")],
    "copy in a batch": [
        parse("copy sink from stdin") + bind() + execute() + copy_data("1\tx\n") + copy_done() + sync(),
    ],
    "prepare by sql in a failed transaction": [query("select 1 / 0"), query("rollback")],
    "large query": [query("select length('" + "x" * 100_000 + "')"), query("commit")],
    "large statement": [batch("select length('" + "x" * 100_000 + "')"), query("commit")],
    "malformed query": [message("Q", b"select 1"), query("rollback")],
    "malformed parse": [message("P", b"x") + sync(), query("rollback")],
}


def readies(data):
    """ReadyForQuery messages that this stretch of messages brings."""
    count, at = 0, 0
    while at < len(data):
        kind, length = data[at : at + 1], int.from_bytes(data[at + 1 : at + 5], "big")
        count += kind in (b"Q", b"F", b"S")
        at += length + 1
    return count


def talk(client, steps, together=False):
    del client.transcript[:]
    with client:
        if together:
            client.send_together(*steps)
            client.ready(sum(map(readies, steps)))
        else:
            for step in steps:
                client.send(step)
                client.ready(readies(step))
    return [comparable(m) for m in client.transcript]


@pytest.mark.parametrize("begin", BEGINS)
@pytest.mark.parametrize("name", PAIRS)
def test_every_pairing_is_answered_as_by_postgresql(postgres, target, name, begin):
    steps = [BEGINS[begin], *PAIRS[name]]
    expected = talk(postgres.wire("app_trust", "app"), steps)
    splits = [whole, random_splits(1)] + ([byte_by_byte] if sum(map(len, steps)) < 5000 else [])
    for split in splits:
        found = talk(target.wire("transaction", split=split), steps)
        fail_if_different(expected, found, f"{name}, answered one by one, {split}")
    # In one write; behind an error in COPY nobody can tell what the server reads when.
    if "copy" not in name:
        expected = talk(postgres.wire("app_trust", "app"), steps, together=True)
        for split in splits:
            found = talk(target.wire("transaction", split=split), steps, together=True)
            fail_if_different(expected, found, f"{name}, in one write, {split}")


@pytest.mark.parametrize("name", PAIRS)
def test_every_pairing_with_one_server_for_all(postgres, target, name):
    """The next client finds nothing of it."""
    steps = [query("begin;"), *PAIRS[name]]
    expected = talk(postgres.wire("app_trust", "app"), steps)
    for _ in range(3):
        found = talk(target.wire("single_transaction"), steps)
        fail_if_different(expected, found, name)


@pytest.mark.parametrize("mode", ("session", "statement"))
def test_other_modes_take_a_server(make_gateway, mode):
    gateway = make_gateway(pool_options={"mode": mode, "pool_size": 1})
    with gateway.wire() as client:
        client.send(query("begin;"))
        if mode == "session":
            client.ready()
            assert gateway.pool_row()["sv_active"] == "1"
        else:
            answer = client.until_closed()
            assert answer[-1].kind == "E" and answer[-1].sqlstate == "25001"


#: PREPARE by SQL is refused in transaction mode.
CASES = [s for s in SCRIPTS if "transaction" in s.modes and not s.large and not s.name.startswith("sql_prepare")]


@pytest.mark.parametrize("script", CASES, ids=str)
def test_whole_scripts_inside(postgres, target, script):
    def run(client):
        del client.transcript[:]
        with client:
            client.send(query("begin;"))
            client.ready()
            script.run(client)
        return [comparable(m) for m in client.transcript]

    expected = run(postgres.wire("app_trust", "app"))
    for split in (whole, random_splits(2)):
        fail_if_different(expected, run(target.wire("transaction", split=split)), script.name)


def test_flush_alone_brings_nothing(target):
    with target.wire("transaction") as client:
        client.send_together(query("begin;"), flush())
        client.ready()
        assert client.nothing_comes(0.1)
        client.send_together(parse("select 1"), flush())
        assert [m.kind for m in client.until("1")] == ["1"]
        client.send(sync())
        assert client.ready()[-1].body == b"T"
        client.rows("commit")


def test_random_talks(postgres, target):
    """A few thousand requests with many transactions, on servers that are shared with another such client."""
    generator = random.Random(5)
    frame = ("begin;", "BEGIN;", "start transaction;", "commit;", "commit", "rollback;", "abort")
    units = [query(text) for text in frame * 4] + [
        query("select 1"),
        query("select 1 / 0"),
        query(""),
        query("begin"),
        query("savepoint a"),
        query("rollback to a"),
        query("set local work_mem = '1MB'"),
        query("show work_mem"),
        batch("select 5"),
        batch("select $1::int / 0", "1"),
        batch("commit"),
        sync(),
        function_call(1, []),
        copy_done() + query("select 2"),
    ]
    for round_ in range(60):
        steps = [generator.choice(units) for _ in range(40)]
        together = round_ % 2 == 0
        expected = talk(postgres.wire("app_trust", "app"), steps, together)
        with target.wire("single_transaction") as other:
            other.send(query("begin;"))
            found = talk(target.wire("single_transaction", split=random_splits(round_)), steps, together)
            other.ready()
        fail_if_different(expected, found, f"round {round_}")


# --- no server --------------------------------------------------------------------------------------------------------


def small(make_gateway, size=1, general=None, **pool_options):
    return make_gateway(general=general, pool_options={"pool_size": size, **pool_options})


def statements(postgres, start):
    """What PostgreSQL was asked by simple queries since its log had the size `start`."""
    lines = postgres.log_since(start).splitlines()
    return [line.split("statement: ", 1)[1] for line in lines if " app@app " in line and "statement: " in line]


def begun(client, text="begin;"):
    client.send(query(text))
    answer = client.ready()
    assert [m.kind for m in answer] == ["C", "Z"] and answer[-1].body == b"T"


def test_a_begin_alone_takes_no_server(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as holder:
        holder.rows("begin work")
        holder.value("select 1")
        start = postgres.log_size()
        for end in ("commit", "COMMIT;", "rollback", "abort;", None):
            with gateway.wire() as client:
                begun(client)
                row = gateway.pool_row()
                assert (row["sv_active"], row["sv_idle"], row["cl_idle"], row["cl_waiting"]) == ("1", "0", "1", "0")
                if end:
                    client.rows(end)
                    begun(client, "START TRANSACTION;")
        assert statements(postgres, start) == []
        assert holder.value("select 1") == "1"
        holder.rows("commit")
    gateway.wait_idle()


def test_begin_goes_out_once_in_front_of_the_next_request(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client, gateway.wire() as other:
        client.value("select 0")
        start = postgres.log_size()
        begun(client)
        assert other.value("select 1") == "1"
        assert client.value("select 2") == "2"
        assert client.value("select 3") == "3"
        client.rows("commit")
        begun(client, "Start Transaction;")
        client.rows("select 4")
        client.rows("rollback")
    assert statements(postgres, start) == [
        "select 1",
        "BEGIN",
        "select 2",
        "select 3",
        "commit",
        "START TRANSACTION",
        "select 4",
        "rollback",
    ]


def test_the_transaction_is_one(make_gateway):
    gateway = small(make_gateway, size=3)
    with gateway.wire() as client, gateway.wire() as other:
        begun(client)
        pid = client.value(PID)
        first = client.value("select txid_current()")
        assert other.value(PID) != pid
        client.send(batch("select txid_current(), pg_backend_pid()"))
        (row,) = [m.values for m in client.ready() if m.kind == "D"]
        assert row == [first.encode(), pid.encode()]
        client.rows("rollback")
    gateway.wait_idle()


def test_parameters_come_before_it(make_gateway, postgres):
    """They are set outside of the transaction: a rollback leaves them."""
    gateway = small(make_gateway)
    with gateway.wire(parameters={"TimeZone": "Asia/Tokyo"}) as client, gateway.wire() as other:
        other.value("select 1")
        begun(client)
        assert client.value("show timezone") == "Asia/Tokyo"
        client.rows("rollback")
        assert client.value("show timezone") == "Asia/Tokyo"
        begun(other)
        assert other.value("show timezone") != "Asia/Tokyo"
        other.rows("commit")
    with gateway.wire(parameters={"options": "-c default_transaction_isolation=serializable"}) as client:
        begun(client)
        assert client.value("show transaction_isolation") == "serializable"
        client.rows("commit")


def test_a_begin_counts_as_a_query_and_its_end_as_a_transaction(make_gateway):
    gateway = small(make_gateway)

    def figures():
        row = next(r for r in gateway.console("SHOW STATS") if (r["database"], r["user"]) == ("app", "app"))
        (client,) = gateway.console("SHOW CLIENTS")[:1]
        pair = (int(row["total_query_count"]), int(row["total_xact_count"]))
        assert pair == (int(client["query_count"]), int(client["transaction_count"]))
        return pair

    with gateway.wire() as client:
        begun(client)
        assert figures() == (1, 0)
        client.rows("select 1")
        assert figures() == (2, 0)
        client.rows("commit")
        assert figures() == (3, 1)
        begun(client)
        client.rows("rollback")
        assert figures() == (5, 2)


# --- what may happen in between ---------------------------------------------------------------------------------------


def idle_in_transaction(postgres):
    return postgres.value(
        "select count(*) from pg_stat_activity where state like 'idle in%%' and usename like 'app%%'"
    )


@pytest.mark.parametrize("how", ("leave", "close", "reset"))
@pytest.mark.parametrize("rest", (b"", flush(), query("select 1")[:9], query("select 1"), batch("select 1")[:-5]))
def test_a_client_that_leaves(make_gateway, postgres, how, rest):
    gateway = small(make_gateway)
    for _ in range(3):
        client = gateway.wire()
        begun(client)
        client.send(rest)
        getattr(client, how)()
    gateway.wait_idle()
    wait_until(lambda: idle_in_transaction(postgres) == 0, "no transaction is left open")
    with gateway.wire() as client:
        client.send(query("select 1"))
        assert client.ready()[-1].body == b"I"


def test_terminate_in_the_same_write(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        client.send_together(query("begin;"), terminate())
        assert [m.kind for m in client.until_closed()] == ["C", "Z"]
    with gateway.wire() as client:
        client.send_together(query("begin;"), query("select 1"), terminate())
        assert [m.kind for m in client.until_closed()] == ["C", "Z", "T", "D", "C", "Z"]
    gateway.wait_idle()
    wait_until(lambda: idle_in_transaction(postgres) == 0, "no transaction is left open")


def test_waiting_for_a_server(make_gateway):
    gateway = small(make_gateway, general={"query_wait_timeout": "20s"})
    with gateway.wire() as holder, gateway.wire() as client:
        holder.rows("begin work")
        begun(client)
        client.send(query("select 'served'"))
        wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the client waits")
        holder.rows("commit")
        answer = client.ready()
        assert answer[1].values == [b"served"] and answer[-1].body == b"T"
        client.rows("commit")
    gateway.wait_idle()


def test_query_wait_timeout(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as holder:
        holder.rows("begin work")
        gateway.reload(general={"query_wait_timeout": "300ms"})
        with gateway.wire() as client:
            begun(client)
            client.send(query("select 1"))
            (answer,) = client.until_closed()
            assert answer.sqlstate == "53300" and "timeout" in answer.fields["M"]
        assert holder.value("select 1") == "1"
        holder.rows("commit")
    gateway.wait_idle()


def test_a_cancel_reaches_a_running_request_and_no_begin_alone(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        begun(client)
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            canceller.until_closed()
        assert client.value("select 1") == "1"
        client.send(query("select pg_sleep(20)"))
        wait_until(lambda: postgres.sleeping() == 1, "the query runs")
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            canceller.until_closed()
        answer = client.ready()
        assert [m.kind for m in answer][-2:] == ["E", "Z"]
        assert answer[-2].sqlstate == "57014" and answer[-1].body == b"E"
        client.rows("rollback")
        assert client.value("select 2") == "2"
    gateway.wait_idle()


@pytest.mark.parametrize("front", ("begin", "parameters and begin", "a path, which is answered first, and begin"))
def test_a_cancel_means_the_request_not_what_stands_in_front_of_it(make_gateway, front):
    """With BEGIN cancelled, the request would run by itself, and its session would end."""
    begun, came = threading.Event(), threading.Event()
    asked = []

    def script(peer):
        if "cancel" in peer.startup():
            came.set()
            return
        peer.send(greeting())
        while True:
            sql = peer.next_query()
            asked.append("set" if "set_config" in sql else sql.split()[0].lower())
            if "work" in sql:
                assert came.wait(10), "the cancel request does not arrive"
                peer.send(error("57014", "cancelled") + ready("E"))
            elif asked[-1] in ("begin", "set"):
                begun.set()
                peer.send(error("57014", "cancelled") + ready() if came.wait(0.3) else plain_answer(sql))
            else:
                peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba=TRUST)
        own = {"begin": {}, "parameters and begin": {"DateStyle": "German, DMY"}}.get(front, {"search_path": "a"})
        with gateway.wire("app", parameters=own) as client:
            # The server has this client's parameters, or somebody else's.
            if front == "begin":
                client.rows("select 1")
            else:
                with gateway.wire("app") as other:
                    other.rows("select 1")
            client.rows("begin")
            asked.clear()
            request = query("select 'work' /* " + "in two pieces " * 300 + "*/")
            halves = (request[:2000], request[2000:]) if "path" in front else (request, b"")
            client.send(halves[0])
            assert begun.wait(10), "the server does not get BEGIN"
            client.send(halves[1])
            with gateway.wire(login=False) as canceller:
                canceller.send(cancel_request(client.pid, client.secret))
                canceller.until_closed()
            answer = client.until("ZE") + client.until("Z")
            assert [m.fields["S"] for m in answer if m.kind == "E"] == ["ERROR"]
            assert asked == (["begin", "select"] if front == "begin" else ["set", "begin", "select"])
            client.rows("rollback")
        assert not server.problems, server.problems


@contextlib.contextmanager
def a_cancel_that_waits(make_gateway, server, begun):
    """A client whose request waits for its BEGIN, and somebody who has asked to cancel it."""
    gateway = make_gateway({"app": server.pool(pool_size=1)}, hba=TRUST)
    with gateway.wire("app") as client, gateway.wire(login=False) as canceller:
        client.rows("select 1")
        client.rows("begin")
        client.send(query("select 'work'"))
        assert begun.wait(10), "the server does not get BEGIN"
        canceller.send(cancel_request(client.pid, client.secret))
        assert canceller.nothing_comes(0.2), "the canceller was let go before anything was cancelled for it"
        yield gateway, client, canceller


def test_a_cancel_reaches_the_request_of_a_client_that_says_goodbye_behind_it(make_gateway):
    """The request runs although its client has gone; the cancel waits until BEGIN in front of it is answered."""
    begun, left, came = threading.Event(), threading.Event(), threading.Event()

    def script(peer):
        if "cancel" in peer.startup():
            came.set()
            return
        peer.send(greeting())
        while True:
            sql = peer.next_query()
            if sql.lower().startswith("begin"):
                begun.set()
                assert left.wait(10)
                assert not came.is_set(), "the cancel request overtakes BEGIN"
            elif "work" in sql:
                assert came.wait(10), "the cancel request does not arrive"
                peer.send(error("57014", "cancelled") + ready("E"))
                return
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        with a_cancel_that_waits(make_gateway, server, begun) as (gateway, client, canceller):
            client.leave()
            wait_until(lambda: gateway.gauges()["cl_active"] == 0, "the gateway has seen the goodbye")
            left.set()
            assert canceller.until_closed() == []
        gateway.wait_idle()
        assert came.is_set() and not server.problems, server.problems


@pytest.mark.parametrize("event", ("the client leaves", "the client is reset", "the server dies"))
def test_a_canceller_that_waits_for_the_end_of_begin_is_let_go(make_gateway, event):
    """What it was meant for does not come any more."""
    begun, dies = threading.Event(), threading.Event()

    def script(peer):
        if "cancel" in peer.startup():
            return
        peer.send(greeting())
        while True:
            sql = peer.next_query()
            if sql.lower().startswith("begin"):
                begun.set()
                dies.wait(20)
                return
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        with a_cancel_that_waits(make_gateway, server, begun) as (gateway, client, canceller):
            if event == "the client leaves":
                client.leave()
                dies.set()
            elif event == "the client is reset":
                client.reset()
            else:
                dies.set()
            assert canceller.until_closed() == []
            dies.set()
        gateway.wait_idle()


@pytest.mark.parametrize("end", ("commit", "rollback", "end;", "commit and chain; commit"))
@pytest.mark.parametrize("work", (True, False))
def test_a_stopping_gateway_lets_the_transaction_finish(make_gateway, end, work):
    gateway = small(make_gateway, general={"shutdown_timeout": "10s"})
    with gateway.wire() as client:
        begun(client)
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "the gateway stops")
        if work:
            assert client.value("select 1") == "1"
        client.send(query(end))
        answer = client.until_closed()
        kinds = [m.kind for m in answer]
        assert kinds[-1] == "E" and answer[-1].sqlstate == "57P01" and kinds[-2] == "Z" and answer[-2].body == b"I"
    assert gateway.wait() == 0


def test_a_stopping_gateway_waits_no_longer_than_it_must(make_gateway):
    gateway = small(make_gateway, general={"shutdown_timeout": "500ms"})
    with gateway.wire() as client, gateway.wire() as other:
        begun(client)
        gateway.signal(signal.SIGTERM)
        (answer,) = other.until_closed()
        assert answer.sqlstate == "57P01"
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
    assert gateway.wait() == 0


def test_a_reload_in_between(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        client.value("select 1")
        begun(client)
        gateway.reload(pools={"app": {"startup_parameters": {"work_mem": "7MB"}}})
        assert client.value("show work_mem") == "7MB"
        client.send(query("select 1"))
        assert client.ready()[-1].body == b"T"
        client.rows("commit")
        begun(client)
        gateway.reload(pools={"app": {"pool_mode": "session"}})
        client.send(query("select 1"))
        assert client.ready()[-1].body == b"T"
        client.rows("commit")
        assert client.value("select 2") == "2"
    gateway.wait_idle()


def test_a_reload_that_takes_the_pool_away(make_gateway, postgres):
    for change in (None, {"pool_mode": "statement"}):
        gateway = make_gateway({name: pool(postgres) for name in ("app", "other")})
        with gateway.wire(database="app") as client:
            begun(client)
            gateway.reload(pools={"app": change})
            client.send(query("select 1"))
            answer = client.until_closed()
            assert answer[-1].kind == "E" and answer[-1].sqlstate == ("25001" if change else "57P01")
        wait_until(lambda: idle_in_transaction(postgres) == 0, "no transaction is left open")


def test_the_server_is_killed_in_between(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        pid = client.value(PID)
        begun(client)
        with postgres.admin() as admin:
            admin.execute("select pg_terminate_backend(%s, 5000)", (int(pid),))
        assert client.value(PID) != pid
        client.send(query("select 1"))
        assert client.ready()[-1].body == b"T"
        client.rows("commit")
    gateway.wait_idle()


def test_an_idle_server_is_checked_first(make_gateway, postgres):
    gateway = small(make_gateway, general={"server_idle_check_timeout": "1ms"})
    with gateway.wire() as client:
        client.value("select 1")
        for _ in range(3):
            begun(client)
            assert client.nothing_comes(0.05)
            client.send(query("select 1"))
            assert client.ready()[-1].body == b"T"
            client.rows("commit")


@pytest.mark.parametrize(
    "answer, state",
    [
        pytest.param(error("53200", "no memory") + ready("I"), "53200", id="error"),
        pytest.param(error("57P01", "going down", severity="FATAL"), "57P01", id="fatal"),
        pytest.param(b"", "08006", id="nothing"),
        pytest.param(b"\x01\x02\x03\x04\x05\x06", "08006", id="garbage"),
    ],
)
def test_a_server_that_does_not_begin(make_gateway, answer, state):
    """What the client sent must not run outside of a transaction: the session ends."""
    ran = []

    def script(peer):
        peer.login()
        while True:
            kind, body = peer.receive()
            if kind == "Q" and body.startswith(b"BEGIN"):
                peer.send(answer)
                return
            ran.append((kind, body))
            peer.send(plain_answer())

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        with gateway.wire("app", "app") as client:
            begun(client)
            client.send(query("select 'lost'"))
            last = client.until_closed()[-1]
            assert last.kind == "E" and last.fields["S"] == "FATAL" and last.sqlstate == state, str(last)
        assert not [body for kind, body in ran if b"lost" in body]
        gateway.wait_idle()


def test_asyncpg(make_gateway):
    """It opens transactions by `BEGIN;`."""
    gateway = small(make_gateway, size=2)

    async def work(number):
        connection = await asyncpg.connect(
            host=gateway.host, port=gateway.port, user="app", password=PASSWORDS["app"], database="app", ssl=False
        )
        for turn in range(20):
            async with connection.transaction():
                if turn % 3:
                    first = await connection.fetchval("select txid_current()")
                    assert await connection.fetchval("select $1::int + 1", turn) == turn + 1
                    assert await connection.fetchval("select txid_current()") == first
                    async with connection.transaction():
                        assert await connection.fetchval("select txid_current()") == first
        await connection.close()

    async def main():
        await asyncio.gather(*(work(number) for number in range(8)))

    asyncio.run(main())
    gateway.wait_idle()
