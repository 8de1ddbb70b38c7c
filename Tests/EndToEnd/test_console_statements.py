"""What the console tells of prepared statements: figures per server and pool, the statements, their texts."""

from contextlib import ExitStack

import pytest

from gateway import pool
from polling import wait_until
from wire import bind, close_statement, execute, parse, query, sync


def run(client, sql, name):
    client.send_together(parse(sql, name), bind(statement=name), execute(), close_statement(name), sync())
    assert [m.kind for m in client.ready()] == ["1", "2", "D", "C", "3", "Z"]


def server_figures(gateway):
    rows = [row for row in gateway.console("SHOW SERVERS") if row["user"] == "app"]
    assert len(rows) == 1, rows
    return tuple(int(rows[0][f"prepare_cache_{name}"]) for name in ("hit", "miss", "size"))


def pool_figures(gateway):
    row = next(row for row in gateway.console("SHOW STATS") if row["user"] == "app")
    return tuple(int(row[f"total_prepare_cache_{name}"]) for name in ("hit", "miss", "eviction"))


@pytest.fixture
def one_server(make_gateway):
    """One server that keeps two statements."""
    return make_gateway(pool_options={"pool_size": 1, "server_prepared_statements_cache_size": 2})


def test_hits_misses_and_evictions_are_counted(one_server):
    with one_server.wire() as client, one_server.wire() as other:
        run(client, "select 1", "a")
        hits, misses, size = server_figures(one_server)
        assert (misses, size) == (1, 1)
        run(other, "select 1", "b")
        more, misses, size = server_figures(one_server)
        assert (misses, size) == (1, 1) and more > hits
        for number in range(2, 7):
            run(client, f"select {number}", "c")
        more, misses, size = server_figures(one_server)
        assert (misses, size) == (6, 2)
        assert pool_figures(one_server) == (more, 6, 4)
        # Session state and plain queries have no part in it.
        client.rows("select 1")
        client.rows("set work_mem = '1MB'")
        assert server_figures(one_server) == (more, 6, 2)


def test_a_new_server_begins_with_nothing(one_server, postgres):
    with one_server.wire() as client:
        run(client, "select 1", "a")
        pid = client.value("select pg_backend_pid()")
        before = pool_figures(one_server)
        with postgres.admin() as admin:
            admin.execute("select pg_terminate_backend(%s, 5000)", (int(pid),))
        client.value("select 1")
        assert server_figures(one_server) == (0, 0, 0)
        assert pool_figures(one_server) == before


def test_session_mode_counts_nothing(make_gateway):
    gateway = make_gateway(pool_options={"mode": "session", "pool_size": 1})
    with gateway.wire() as client:
        run(client, "select 1", "a")
        assert server_figures(gateway) == (0, 0, 0)


def statements(gateway):
    return {row["query"]: row for row in gateway.console("SHOW PREPARED_STATEMENTS")}


def test_prepared_statements_are_shown(make_gateway):
    gateway = make_gateway()
    with gateway.wire() as client, gateway.wire() as other:
        run(client, "select 11", "mine")
        run(other, "select 11", "yours")
        client.send_together(parse("select 22"), bind(), execute(), sync())
        client.ready()
        run(client, "select 33", "mine")
        client.send_together(parse("select 33"), bind(), execute(), sync())
        client.ready()
        shown = statements(gateway)
        assert set(shown) == {"select 11", "select 22", "select 33"}
        assert [shown[f"select {n}"]["kind"] for n in (11, 22, 33)] == ["named", "anonymous", "mixed"]
        assert [shown[f"select {n}"]["count_used"] for n in (11, 22, 33)] == ["2", "1", "2"]
        assert {row["pool"] for row in shown.values()} == {"app@app"}
        assert len({row["hash"] for row in shown.values()}) == 3
        client.rows("begin work")
        client.send_together(parse("select name from pg_prepared_statements"), bind(), execute(), sync())
        names = {m.values[0].decode() for m in client.ready() if m.kind == "D"}
        client.rows("commit")
        assert shown["select 11"]["name"] in names


def test_a_long_statement_is_shown_cut_off(make_gateway):
    gateway = make_gateway()
    with gateway.wire() as client:
        run(client, "select '" + "ü" * 5000 + "'", "long")
        (row,) = gateway.console("SHOW PREPARED_STATEMENTS")
        assert row["query"] == "select '" + "ü" * 1992


def interner(gateway):
    rows = {row["kind"]: row for row in gateway.console("SHOW INTERNER")}
    assert {row["bytes_max"] for row in rows.values()} == {str(1 << 20)}
    return tuple((int(rows[k]["entries"]), int(rows[k]["bytes"])) for k in ("named", "anonymous"))


def test_texts_are_shown_with_their_bound(make_gateway):
    gateway = make_gateway(
        general={"query_interner_max_size": "1MB", "prepared_statements_cache_size": 2},
        pool_options={"pool_size": 1},
    )
    with gateway.wire() as client:
        assert interner(gateway) == ((0, 0), (0, 0))
        run(client, "select 1", "a")
        run(client, "select 1 ", "b")
        assert interner(gateway) == ((2, 17), (0, 0))
        client.send_together(parse("select 'anonymous'"), bind(), execute(), sync())
        client.ready()
        # The pool has forgotten the first; nobody holds its text any more.
        assert interner(gateway) == ((1, 9), (1, 18))
        longest, second = gateway.console("SHOW INTERNER 10")
        assert (longest["query"], longest["bytes"], longest["kind"], longest["idle_ms"]) == (
            "select 'anonymous'",
            "18",
            "anonymous",
            "-1",
        )
        assert (second["query"], second["kind"]) == ("select 1 ", "named")
        assert longest["hash"].startswith("0x") and len(longest["hash"]) == 18
        assert gateway.console("SHOW INTERNER 1") == [longest]
        assert gateway.console("SHOW INTERNER 0") == []
        for wrong in ("SHOW INTERNER -1", "SHOW INTERNER 1 2", "SHOW INTERNER x", "SHOW POOLS 1"):
            with gateway.console_wire() as console:
                assert console.error(wrong)["C"] == "42601", wrong
    # The last client is gone, the pool still has its two statements.
    wait_until(lambda: not int(gateway.pool_row()["cl_idle"]), "the client is gone")
    assert interner(gateway) == ((1, 9), (1, 18))


def test_texts_beyond_the_bound_are_refused(make_gateway):
    gateway = make_gateway(general={"query_interner_max_size": "1MB"})
    with gateway.wire() as client:
        client.send_together(parse("select '" + "x" * (1 << 20) + "'", "big"), sync())
        answer = client.ready()
        assert [m.kind for m in answer] == ["E", "Z"] and answer[0].sqlstate == "53200"
        assert interner(gateway) == ((0, 0), (0, 0))
        client.send(query("select 1"))
        assert client.ready()[-1].body == b"I"


def long_texts(client, count, salt=""):
    """Runs so many different texts of 50 KB without a name; the SQLSTATEs of those that failed."""
    failed = []
    for number in range(count):
        client.send_together(parse(f"select {number} -- {salt}" + "x" * 50_000), bind(), execute(), sync())
        failed += [m.sqlstate for m in client.ready() if m.kind == "E"]
    return failed


def test_texts_that_went_unused_make_room(make_gateway, postgres):
    """One pool's texts keep out neither its own next ones nor those of others."""
    gateway = make_gateway(
        pools={name: pool(postgres, pool_size=2) for name in ("one", "two")},
        general={"query_interner_max_size": "1MB"},
    )
    with gateway.wire(database="one") as client, gateway.wire(database="two") as other:
        run(client, "select 'kept'", "kept")
        assert long_texts(client, 60) == []
        assert long_texts(other, 60) == []
        assert long_texts(client, 3) == []
        assert sum(bytes_ for _, bytes_ in interner(gateway)) <= 1 << 20
    gateway.wait_idle()
    with gateway.wire(database="two") as client:
        assert long_texts(client, 3) == []


@pytest.mark.parametrize("is_pinned", (True, False), ids=("a session stays in it", "nobody stays"))
def test_texts_of_a_pool_that_was_replaced_make_room(make_gateway, is_pinned):
    """They are of use to nobody. A session that has done nothing since the reload is still counted there."""
    gateway = make_gateway(general={"query_interner_max_size": "1MB"})
    with ExitStack() as stack:
        if is_pinned:
            stack.enter_context(gateway.wire())
        with gateway.wire() as filler:
            assert long_texts(filler, 30) == []
        staying = "1" if is_pinned else "0"
        wait_until(lambda: gateway.pool_row()["cl_idle"] == staying, "the filler is gone")
        gateway.reload(pools={"app": {"application_name": "changed"}})
        with gateway.wire() as client:
            assert long_texts(client, 30, "new ") == []
            assert sum(bytes_ for _, bytes_ in interner(gateway)) <= 1 << 20


def test_clients_and_idle_servers_hold_no_room_for_long_texts(make_gateway, postgres):
    """Beyond one unnamed statement each client, whose next one takes its place."""
    gateway = make_gateway(general={"query_interner_max_size": "1MB"}, pool_options={"pool_size": 4})
    with ExitStack() as stack:
        clients = [stack.enter_context(gateway.wire()) for _ in range(8)]
        for number, client in enumerate(clients):
            assert long_texts(client, 5, salt=f"{number} ") == []


def test_unnamed_statements_that_clients_remember_keep_nobody_out(make_gateway):
    """They are remembered for speed alone."""
    gateway = make_gateway(general={"query_interner_max_size": "1MB"})
    with ExitStack() as stack:
        for number in range(12):
            client = stack.enter_context(gateway.wire())
            for text in range(32):
                client.send_together(parse(f"select {number}, {text} -- " + "x" * 4000), sync())
                assert [m.kind for m in client.ready()] == ["1", "Z"], f"client {number}, text {text}"


def test_texts_that_clients_hold_stay(make_gateway):
    gateway = make_gateway(general={"query_interner_max_size": "1MB"})
    with gateway.wire() as client:
        states = []
        for number in range(30):
            client.send_together(parse(f"select {number} -- " + "x" * 50_000, f"n{number}"), sync())
            states.append(next((m.sqlstate for m in client.ready() if m.kind == "E"), None))
        kept = states.index("53200")
        assert kept >= 18 and set(states[kept:]) == {"53200"}, states
        for number in range(kept):
            client.send_together(bind((), "", f"n{number}"), execute(), sync())
            assert [m.values[0] for m in client.ready() if m.kind == "D"] == [str(number).encode()]
    with gateway.wire() as client:
        assert long_texts(client, 30) == []
