"""Clients that die at every message border of every script: afterwards all figures are back at zero and the next client
sees a clean server."""

import random

import pytest

from conftest import Target
from polling import wait_until
from scripts import SCRIPTS
from server import PASSWORDS
from wire import (
    SSL_REQUEST,
    Closed,
    Cut,
    LoginRefused,
    Scram,
    bind,
    copy_data,
    copy_fail,
    execute,
    flush,
    function_call,
    message,
    parse,
    query,
    startup,
    sync,
    terminate,
)

CASES = [pytest.param(script, mode, id=f"{script.name}-{mode}") for script in SCRIPTS for mode in script.modes]

#: Scripts with more borders than this are cut at a choice of them.
EVERY_BORDER_UP_TO = 30


def login_trusted(target: Target, mode):
    client = target.wire(mode)
    client.events = 0
    return client


def borders(client, script):
    """How many message borders the script has."""
    with client:
        script.run(client)
    return client.events


def chosen(count, name):
    if count <= EVERY_BORDER_UP_TO:
        return range(1, count + 1)
    generator = random.Random(name)
    return sorted({1, 2, 3, count - 1, count, *generator.sample(range(1, count), 12)})


def is_clean(client):
    """What the next client sees: no transaction, no leftovers of the one before, a server in step."""
    client.send(query("select 'in', 'step'"), parse("select 'extended'"), bind(), execute(), sync())
    answer = client.ready(2)
    assert [m.kind for m in answer] == ["T", "D", "C", "Z", "1", "2", "D", "C", "Z"], [str(m) for m in answer]
    assert answer[1].values == [b"in", b"step"] and answer[3].body == answer[-1].body == b"I"
    assert client.rows("select current_setting('work_mem'), current_user, count(*) from pg_cursors") == [
        ["4MB", "app_trust", "0"]
    ]


def all_quiet(postgres):
    """PostgreSQL has no transaction open and no query running for us."""
    return postgres.value("select count(*) from pg_stat_activity where usename = 'app_trust' and state <> 'idle'") == 0


def end_what_runs(postgres):
    """Ends the queries whose client has gone: PostgreSQL notices that when it has something to say."""
    with postgres.admin() as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app_trust' and state <> 'idle'"
        )
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")


@pytest.mark.parametrize("script, mode", CASES)
def test_reset_at_every_message_border(shared, target, postgres, script, mode):
    pool = f"single_{mode}" if not script.large else mode
    count = borders(login_trusted(target, pool), script)
    for at in chosen(count, script.name):
        client = login_trusted(target, pool)
        client.cut_at = at
        try:
            script.run(client)
        except Cut:
            pass
        client.reset()
    # One server and first in, first out: this client is served by the server that the last one left.
    with target.wire(pool) as client:
        is_clean(client)
    shared.wait_idle()
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")


@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_reset_inside_messages(shared, target, postgres, mode):
    """Cut at every byte of a batch, without waiting for any answer."""
    batch = (
        query("begin")
        + parse("select $1::text")
        + bind(("value",))
        + execute()
        + sync()
        + query("copy sink from stdin")
    )
    batch += message("d", b"1\tone\n") + message("c") + query("commit") + parse("select 1") + flush()
    for at in range(1, len(batch), 2):
        client = login_trusted(target, f"single_{mode}")
        client._write(batch[:at])
        client.reset()
    with target.wire(f"single_{mode}") as client:
        is_clean(client)
    shared.wait_idle()
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")


def login_script(client):
    """Every step of a login with SSLRequest and SCRAM."""
    client.send(SSL_REQUEST)
    client.byte()
    client._event()
    client.send(startup({"user": "app", "database": "transaction"}, (3, 2)))
    client.receive()
    scram = Scram(PASSWORDS["app"])
    client.send(scram.first())
    client.send(scram.final(client.receive().body[4:]))
    client.ready()


def test_reset_at_every_step_of_a_login(shared):
    client = shared.wire(login=False)
    count = borders(client, type("Login", (), {"run": staticmethod(login_script)}))
    assert count > 10
    for at in range(1, count + 1):
        for end in ("reset", "close"):
            client = shared.wire(login=False)
            client.cut_at = at
            try:
                login_script(client)
            except Cut:
                pass
            getattr(client, end)()
    shared.wait_idle()
    with shared.wire("app", "transaction") as client:
        assert client.value("select 1") == "1"


def test_reset_while_a_large_answer_is_under_way(shared, target, postgres):
    """The client dies while its server still has much to say."""
    for mode in ("single_session", "single_transaction"):
        for size in (10_000, 1_000_000, 20_000_000):
            client = target.wire(mode, receive_buffer=4096)
            client.send(query(f"select repeat('x', {size})"))
            client.until("T")
            client.reset()
            with target.wire(mode) as following:
                is_clean(following)
    shared.wait_idle()


def test_reset_while_a_query_runs_frees_the_server(shared, target, postgres):
    """Within a bounded time: the query is cancelled, or its server is closed."""
    for mode in ("single_session", "single_transaction"):
        client = target.wire(mode)
        client.send(query("select pg_sleep(60)"))
        wait_until(lambda: not all_quiet(postgres), "the query runs")
        client.reset()
        with target.wire(mode) as following:
            is_clean(following)
        shared.wait_idle()
        end_what_runs(postgres)


BY_QUERY = query("copy sink from stdin")
BY_EXECUTE = parse("copy sink from stdin") + bind() + execute() + flush()


@pytest.mark.parametrize("end", ("reset", "close"))
@pytest.mark.parametrize("mode", ("session", "transaction"))
@pytest.mark.parametrize(
    "copy, inside",
    [
        pytest.param(BY_EXECUTE, query("select 1"), id="execute, query"),
        pytest.param(BY_EXECUTE, function_call(177, ()), id="execute, function call"),
        pytest.param(BY_EXECUTE, copy_data("1\tone\n") + query("select 1"), id="execute, data, query"),
        pytest.param(BY_QUERY, query("discard all"), id="query, discard all"),
        pytest.param(BY_QUERY, query("deallocate x"), id="query, deallocate"),
        pytest.param(BY_QUERY, query("prepare x as select 1"), id="query, prepare"),
    ],
)
def test_a_client_that_breaks_its_copy_and_leaves(shared, target, postgres, copy, inside, mode, end):
    """The server waits for data, the client has sent something else: the server does not stay with it."""
    client = target.wire(f"single_{mode}")
    client.send(copy)
    client.until("G")
    client.send(inside)
    getattr(client, end)()
    with target.wire(f"single_{mode}") as following:
        is_clean(following)
    shared.wait_idle()
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")


@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_reset_while_the_next_message_is_held(shared, target, postgres, mode):
    """Its query waits for the batch before it; whether it is read or not, the server is given up at once."""
    client = target.wire(f"single_{mode}")
    client.send_together(parse("select pg_sleep(60)"), bind(), execute(), flush(), query("select 1"))
    wait_until(lambda: not all_quiet(postgres), "the batch runs")
    client.reset()
    with target.wire(f"single_{mode}") as following:
        is_clean(following)
    shared.wait_idle()
    end_what_runs(postgres)


@pytest.mark.parametrize("copy", (BY_QUERY, BY_EXECUTE, BY_EXECUTE + sync()), ids=("query", "execute", "execute, sync"))
@pytest.mark.parametrize("mode", ("session", "transaction", "statement"))
@pytest.mark.parametrize("at_once", (False, True))
def test_terminate_within_copy(shared, target, postgres, copy, mode, at_once):
    """No data will come any more. PostgreSQL ends the connection, so the gateway does not wait for the client to do
    it, and the server is not lost to others."""
    with target.wire(f"single_{mode}") as client:
        if at_once:
            client.send_together(copy, terminate())
        else:
            client.send(copy)
            client.until("G")
            client.send_together(copy_data("1\tone\n"), terminate())
        client.until_closed()
        with target.wire(f"single_{mode}") as following:
            is_clean(following)
    shared.wait_idle()
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")


#: Forms after which nobody but PostgreSQL knows how many answers are due.
UNCOUNTED = [
    pytest.param(
        (parse("select 1") + bind() + execute() + query("select 2") + query("select 3"),), id="query in batch"
    ),
    pytest.param((parse("select 1") + bind() + execute() + flush(),), id="flushed batch"),
    pytest.param(
        (parse("copy sink from stdin") + bind() + execute() + flush(), copy_fail("no") + query("select 1") + sync()),
        id="query in failed copy",
    ),
]


@pytest.mark.parametrize("talk", UNCOUNTED)
@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_terminate_behind_uncounted_requests(postgres, target, talk, mode):
    """Everything in front of Terminate is answered."""

    def run(client):
        del client.transcript[:]
        with client:
            for part in talk[:-1]:
                client.send(part)
                client.until("G")
            client.send_together(talk[-1], terminate())
            return [str(m) for m in client.until_closed()]

    expected = run(postgres.wire("app_trust", "app"))
    assert expected
    assert run(target.wire(mode)) == expected


def test_a_client_whose_answers_cannot_be_counted_leaves(shared, target, postgres):
    """What it has sent last waits for an answer that never comes, because PostgreSQL waits for Sync. Its end is seen
    all the same."""
    with target.wire("single_transaction") as client:
        client.send_together(
            query("copy sink from stdin binary"), copy_data("no header" * 1000), sync(), copy_fail("x"),
            parse("copy sink from stdin"), bind(), execute(), sync(), sync(),
        )  # fmt: skip
        client.until("G")
        client.until("G")
        client.send(copy_data("bad\tdata\n"))
        client.until("E")
        client.send_together(message("c"), query("select 1"))
    shared.wait_idle()
    with target.wire("single_transaction") as following:
        is_clean(following)


@pytest.mark.parametrize(
    "end", (copy_data("bad\n") + message("c") + sync(), copy_fail("no") + sync()), ids=("data", "fail")
)
@pytest.mark.parametrize("mode", ("transaction", "statement"))
def test_a_client_whose_copy_has_failed_keeps_no_server(shared, target, end, mode):
    """Bind, Execute, Sync, and a Sync behind the data, as drivers do it: whether the first Sync will be answered does
    not show before the next request. The server is free without that."""
    with target.wire(f"single_{mode}") as client:
        for _ in range(3):
            client.send_together(parse("copy sink from stdin"), bind(), execute(), sync())
            client.until("G")
            client.send(end)
            assert [m.kind for m in client.ready()] == ["E", "Z"]
            with target.wire(f"single_{mode}") as other:
                is_clean(other)
        assert client.value("select 'in step'") == "in step"
    shared.wait_idle()


@pytest.mark.parametrize("mode", ("session", "transaction", "statement"))
def test_both_syncs_of_a_copy_that_fails_at_once_are_answered(shared, postgres, target, mode):
    """It fails before it reads anything, so the Sync behind Execute is not taken for a part of it."""
    with postgres.admin() as admin:
        admin.execute("create unlogged table trap (a integer)")
        admin.execute("create function spring() returns trigger language plpgsql as 'begin raise ''no''; end'")
        admin.execute("create trigger spring before insert on trap for each statement execute function spring()")
        admin.execute("grant insert on trap to public")
    try:
        with target.wire(f"single_{mode}") as client:
            client.send_together(parse("copy trap from stdin"), bind(), execute(), sync())
            assert [m.kind for m in client.ready()] == ["1", "2", "G", "E", "Z"]
            client.send_together(copy_data("1\n"), message("c"), sync())
            assert [m.kind for m in client.ready()] == ["Z"]
            assert client.value("select 'in step'") == "in step"
        shared.wait_idle()
    finally:
        with postgres.admin() as admin:
            admin.execute("drop table trap; drop function spring()")


def test_many_clients_die_at_once(shared, postgres):
    generator = random.Random(11)
    for _ in range(3):
        clients = []
        for _ in range(60):
            try:
                client = shared.wire("app_trust", generator.choice(("transaction", "session")), timeout=20)
            except (LoginRefused, Closed):
                continue
            client.send(
                query(
                    generator.choice(
                        ("select 1", "begin", "select pg_sleep(0.1)", "copy numbers to stdout", "copy sink from stdin")
                    )
                )
            )
            clients.append(client)
        for client in clients:
            client.reset()
        shared.wait_idle(20)
    for mode in ("transaction", "session"):
        with shared.wire("app_trust", mode) as client:
            is_clean(client)
    wait_until(lambda: all_quiet(postgres), "PostgreSQL is quiet")
