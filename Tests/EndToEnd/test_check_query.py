"""`pooler_check_query`: answered by a server once, then by the gateway, with the same bytes."""

import pytest

from gateway import pool
from polling import send_until_stuck, wait_until
from wire import bind, byte_by_byte, execute, parse, query, sync

ONE_WORKER = {"worker_threads": 1}


def gateway_with(make_gateway, text=None, mode="transaction", size=1, **general):
    if text is not None:
        general["pooler_check_query"] = text
    return make_gateway(general={**ONE_WORKER, **general}, pool_options={"mode": mode, "pool_size": size})


def asked(postgres, text, start):
    """How often PostgreSQL has been asked this since its log had the size `start`."""
    return sum(line.endswith(f"statement: {text}") for line in postgres.log_since(start).splitlines())


def answer(client, *messages, count=1):
    client.send_together(*messages)
    return client.ready(count)


def direct_answer(postgres, *messages, count=1):
    with postgres.wire("app_trust", "app") as client:
        return answer(client, *messages, count=count)


@pytest.mark.parametrize("mode", ("transaction", "statement", "session"))
@pytest.mark.parametrize(
    "text",
    (";", "", "select 1", "select 'ÄÖ' as \"ü\", null, 17 from generate_series(1, 3)", "select 1; select 2;"),
)
def test_the_answer_is_postgresql_s(make_gateway, postgres, mode, text):
    expected = direct_answer(postgres, query(text))
    gateway = gateway_with(make_gateway, text, mode, size=2)
    for _ in range(4):
        with gateway.wire() as client:
            assert answer(client, query(text)) == expected
            assert answer(client, query(text), query("select 5"), query(text), count=3)[-2].kind in "CI"
    with gateway.wire(split=byte_by_byte) as client:
        assert answer(client, query(text)) == expected


def nobody_waits_long(gateway):
    """From now on: a busy machine takes longer than this to open a server."""
    gateway.reload(general={"query_wait_timeout": "200ms"})


def test_no_server_is_taken(make_gateway, postgres):
    gateway = gateway_with(make_gateway, "select 'healthy'")
    start = postgres.log_size()
    with gateway.wire() as holder, gateway.wire() as client:
        first = answer(client, query("select 'healthy'"))
        holder.rows("begin work")
        for _ in range(5):
            assert answer(client, query("select 'healthy'")) == first
        with gateway.wire() as other:
            assert answer(other, query("select 'healthy'")) == first
        holder.rows("commit")
    assert asked(postgres, "select 'healthy'", start) == 1


def test_the_default_is_a_lone_semicolon(make_gateway):
    gateway = gateway_with(make_gateway)
    with gateway.wire() as holder, gateway.wire() as client:
        first = answer(client, query(";"))
        assert [m.kind for m in first] == ["I", "Z"]
        holder.rows("begin work")
        nobody_waits_long(gateway)
        assert answer(client, query(";")) == first
        client.send(query(";;"))
        assert client.until("E")[-1].sqlstate == "53300"


@pytest.mark.parametrize(
    "other",
    [
        query("select 1 "),
        query("SELECT 1"),
        query("select 1;"),
        query("select 2"),
        parse("select 1") + bind() + execute() + sync(),
    ],
)
def test_nothing_else_is_taken_for_it(make_gateway, other):
    gateway = gateway_with(make_gateway, "select 1")
    with gateway.wire() as holder, gateway.wire() as client:
        answer(client, query("select 1"))
        holder.rows("begin work")
        nobody_waits_long(gateway)
        client.send(other)
        assert client.until("E")[-1].sqlstate == "53300"


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_in_a_transaction_a_server_answers(make_gateway, postgres, mode):
    gateway = gateway_with(make_gateway, "select 'inside'", mode)
    texts = ("begin", "select 'inside'", "select 1 / 0", "select 'inside'", "rollback")
    messages = [query(text) for text in texts]
    expected = direct_answer(postgres, *messages, count=5)
    with gateway.wire() as client:
        answer(client, query("select 'inside'"))
        start = postgres.log_size()
        assert answer(client, *messages, count=5) == expected
        assert asked(postgres, "select 'inside'", start) == 2


def test_errors_are_not_kept(make_gateway, postgres):
    gateway = gateway_with(make_gateway, "select count(*) from not_yet")
    start = postgres.log_size()
    with gateway.wire() as client:
        for _ in range(3):
            assert client.error("select count(*) from not_yet")["C"] == "42P01"
        with postgres.admin() as admin:
            admin.execute("create table not_yet ()")
            admin.execute("grant all on not_yet to public")
        try:
            for _ in range(3):
                assert client.value("select count(*) from not_yet") == "0"
        finally:
            with postgres.admin() as admin:
                admin.execute("drop table not_yet")
        assert client.value("select count(*) from not_yet") == "0"
    assert asked(postgres, "select count(*) from not_yet", start) == 4


@pytest.mark.parametrize(
    "text",
    [
        "do $$ begin raise notice 'heard'; end $$",
        "begin; select 1",
        "copy (select 1) to stdout",
        "select repeat('x', 100000)",
        "select 1; select 1 / 0",
    ],
)
def test_what_cannot_be_kept_is_asked_again(make_gateway, postgres, text):
    """Notices, open transactions, COPY, long answers: each time the whole answer of a server."""
    expected = direct_answer(postgres, query(text))
    gateway = gateway_with(make_gateway, text)
    start = postgres.log_size()
    for _ in range(3):
        with gateway.wire() as client:
            assert answer(client, query(text)) == expected
    gateway.wait_idle()
    assert asked(postgres, text, start) == 3


def test_prepared_statements_are_no_check(make_gateway, postgres):
    """`DEALLOCATE ALL` concerns the client alone: it is never answered out of a memory."""
    gateway = gateway_with(make_gateway, "deallocate all")
    with gateway.wire() as client:
        for _ in range(2):
            client.send_together(query("deallocate all"), query("select 'next'"))
            assert [m.kind for m in client.ready(2)] == ["C", "Z", "T", "D", "C", "Z"]
            client.send_together(parse("select 1", "mine"), sync(), query("deallocate all"))
            client.send_together(bind(statement="mine"), sync())
            assert [m.kind for m in client.ready(3)] == ["1", "Z", "C", "Z", "E", "Z"]


def test_a_reload_changes_it(make_gateway, postgres):
    gateway = gateway_with(make_gateway, "select 'old'")
    with gateway.wire() as client:
        assert client.value("select 'old'") == client.value("select 'old'") == "old"
        gateway.reload(general={"pooler_check_query": "select 'new'"})
        start = postgres.log_size()
        for _ in range(3):
            assert client.value("select 'new'") == "new"
        assert client.value("select 'old'") == "old"
        assert (asked(postgres, "select 'new'", start), asked(postgres, "select 'old'", start)) == (1, 1)


def test_a_reload_changes_it_for_all_workers(make_gateway, postgres):
    gateway = make_gateway(general={"pooler_check_query": "select 'old'", "worker_threads": 2})
    clients = [gateway.wire() for _ in range(6)]
    gateway.reload(general={"pooler_check_query": "select 'new'"})

    def is_kept(client):
        start = postgres.log_size()
        assert client.value("select 'new'") == "new"
        return asked(postgres, "select 'new'", start) == 0

    for client in clients:
        wait_until(lambda: is_kept(client), "no server is asked any more")
        client.close()


def test_a_client_that_waits_over_a_reload_leaves_no_wrong_answer(make_gateway):
    """The answer to the old check query comes when another text is the check query already."""
    gateway = gateway_with(make_gateway, "select 'old'", query_wait_timeout="20s")
    with gateway.wire() as holder, gateway.wire() as client:
        holder.rows("begin work")
        client.send(query("select 'old'"))
        wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "the client waits")
        gateway.reload(general={"pooler_check_query": "select 'new'"})
        holder.rows("commit")
        assert client.ready()[1].values == [b"old"]
        assert client.value("select 'new'") == "new"


def test_answers_follow_the_parameters_of_the_client(make_gateway):
    """Parameters of the startup packet change what an answer looks like."""
    text = "select current_setting('TimeZone'), timestamptz '2020-01-02 03:04:05+00'"
    gateway = gateway_with(make_gateway, text)
    seen = {}
    for _ in range(3):
        for zone in ("UTC", "Asia/Tokyo", "Europe/Berlin"):
            with gateway.wire(parameters={"TimeZone": zone}) as client:
                (row,) = client.rows(text)
                assert seen.setdefault(zone, row) == row
    assert len(set(map(str, seen.values()))) == 3


def test_pools_do_not_share_answers(make_gateway, postgres):
    gateway = make_gateway(
        {name: pool(postgres, database=name) for name in ("app", "postgres")},
        general={"pooler_check_query": "select current_database()"},
    )
    for _ in range(2):
        for name in ("app", "postgres"):
            with gateway.wire("app_md5", name) as client:
                assert client.value("select current_database()") == name


def test_the_unnamed_statement_ends_as_with_any_query(make_gateway, postgres):
    messages = [parse("select 7"), sync(), query("select 1"), bind(), execute(), sync()]
    expected = direct_answer(postgres, *messages, count=3)
    gateway = gateway_with(make_gateway, "select 1")
    with gateway.wire() as client:
        answer(client, query("select 1"))
        assert answer(client, *messages, count=3) == expected
        for message in messages[:2]:
            client.send(message)
        client.ready()
        client.send(query("select 1"))
        client.ready()
        client.send_together(*messages[3:])
        assert [m.kind for m in client.ready()] == ["E", "Z"]


def test_a_dead_server_is_not_noticed(make_gateway, postgres, other_postgres):
    """The answer speaks of the gateway, not of PostgreSQL."""
    gateway = make_gateway({"app": pool(other_postgres)}, general=ONE_WORKER)
    with gateway.wire() as client:
        first = answer(client, query(";"))
        other_postgres.stop()
        try:
            assert answer(client, query(";")) == first
        finally:
            other_postgres.start()


@pytest.mark.parametrize("io_method", ("auto", "epoll"))
def test_a_client_that_does_not_read_is_not_read(make_gateway, io_method):
    """Answers that cost no server are no way to fill the gateway's memory."""
    text = "select repeat('x', 2000)"
    gateway = gateway_with(make_gateway, text, io_method=io_method)
    count = 1_000_000
    with gateway.wire(timeout=2) as client:
        length = sum(len(m.body) + 5 for m in answer(client, query(text)))
        before = gateway.memory()
        rest = send_until_stuck(client, query(text) * count)
        assert gateway.memory() - before < 30_000_000
        assert rest, "all of it was read"
        # It goes on as the client reads.
        sent = count * len(query(text)) - len(rest)
        whole_ones = sent // len(query(text))
        taken = 0
        while taken < whole_ones * length:
            client._wait(1)
            taken += len(client.buffer)
            client.buffer.clear()
        assert taken == whole_ones * length
    gateway.wait_idle()
