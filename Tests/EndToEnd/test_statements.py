"""Prepared statements in transaction mode: named conversations compared with PostgreSQL, and what the servers see of
them."""

import socket
import struct
import threading
from contextlib import ExitStack

import pytest

from cancelling import cancel, sleeping
from conftest import DIRECT
from fakeserver import FakeServer, error, ready, row_description
from gateway import Gateway, pool
from polling import send_until_stuck, wait_until
from server import DATABASE
from statement_talks import TALKS, Talk
from statements_model import SETUP, VARIANTS
from statements_run import comparable
from threads import in_threads
from wire import (
    Wire,
    bind,
    close_statement,
    describe_portal,
    describe_statement,
    execute,
    flush,
    message,
    parse,
    query,
    sync,
    terminate,
)

PREPARED = "select count(*) from pg_prepared_statements"

#: pool -> options. In `hopping` every turn meets the server that it did not have in the turn before.
POOLS = {
    "one": {"pool_size": 1},
    "hopping": {"pool_size": 2},
    "tiny": {"pool_size": 1, "server_prepared_statements_cache_size": 1, "prepared_statements_cache_size": 1},
    "tiny_hopping": {"pool_size": 2, "server_prepared_statements_cache_size": 2, "prepared_statements_cache_size": 1},
}

_expected = {}


@pytest.fixture(scope="module")
def places(postgres):
    """`connect(pool, **login)`, to the gateway or to PostgreSQL itself."""
    if DIRECT:
        yield lambda name, **login: Wire(postgres.host, postgres.port).login("app_trust", DATABASE, **login)
        return
    gateway = Gateway({name: pool(postgres, **options) for name, options in POOLS.items()})
    yield lambda name, **login: Wire(gateway.host, gateway.port).login("app_trust", name, **login)
    gateway.stop()


class Hopping:
    """Sends a client of a pool of two from server to server: a helper takes the one that the client had last, then
    the other helper gives back the one that it held meanwhile."""

    def __init__(self, connect, name, stack):
        self.helpers = [stack.enter_context(connect(name)) for _ in range(2)]
        self.turn = 0
        self.held = False

    def __call__(self):
        self.helpers[self.turn].rows("begin work")
        if self.held:
            self.helpers[1 - self.turn].rows("commit")
        self.held = True
        self.turn = 1 - self.turn


def heard(function, client, between=lambda: None):
    talk = Talk(client, between)
    function(talk)
    return talk.heard


def same(expected, found):
    for number, (one, two) in enumerate(zip(expected, found)):
        assert one == two, f"turn {number}: PostgreSQL {one}, gateway {two}"
    assert len(expected) == len(found)


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("function", TALKS, ids=lambda f: f.__name__)
def test_same_answers(postgres, places, function, name):
    """Twice in a row by different clients: the second finds servers that have the statements."""
    if function.__name__ not in _expected:
        with postgres.wire("app_trust", DATABASE) as client:
            _expected[function.__name__] = heard(function, client)
    for _ in range(2):
        with ExitStack() as stack:
            between = Hopping(places, name, stack) if "hopping" in name else lambda: None
            found = heard(function, stack.enter_context(places(name)), between)
        same(_expected[function.__name__], found)


def test_startup_parameters_make_statements_different(postgres, places):
    """The same text means another table under another search_path."""
    with postgres.admin() as admin:
        admin.execute(SETUP)

    def run(client):
        client.send_together(
            parse("select * from place", "n"), describe_statement("n"), bind((), "", "n"), execute(), sync()
        )
        return [comparable(m.kind, m.body) for m in client.ready()]

    def again(client):
        client.send_together(
            bind((), "", "n"), execute(), parse("show transaction_isolation"), bind(), execute(), sync()
        )
        return [comparable(m.kind, m.body) for m in client.ready()]

    for name in POOLS:
        for action in (run, again):
            if action is run:
                stack = ExitStack()
                pairs = []
                for variant in VARIANTS:
                    direct = Wire(postgres.host, postgres.port).login("app_trust", DATABASE, parameters=variant)
                    pairs.append((stack.enter_context(direct), stack.enter_context(places(name, parameters=variant))))
            for _ in range(1 if action is run else 3):
                for direct, client in pairs:
                    assert action(client) == action(direct), name
        stack.close()


LITERALS = [
    ("TimeZone", ("UTC", "America/New_York"), "select '2024-01-01 00:00'::timestamptz at time zone 'UTC'"),
    ("DateStyle", ("ISO, MDY", "ISO, DMY"), "select '01/02/2024'::date - '2024-01-01'::date"),
    ("IntervalStyle", ("postgres", "sql_standard"), "select extract(epoch from '-1 2:00:00'::interval)"),
    ("client_encoding", ("UTF8", "LATIN1"), "select octet_length('\u00e9')"),
    ("standard_conforming_strings", ("on", "off"), "select length('a\\\\b')"),
]


@pytest.mark.parametrize("name, values, sql", LITERALS, ids=[entry[0] for entry in LITERALS])
def test_literals_are_read_by_the_clients_own_settings(postgres, places, name, values, sql):
    """PostgreSQL makes constants of them when it prepares: clients that read them otherwise share no statement."""

    def answer(client, statement):
        client.send_together(parse(sql, statement), bind((), "", statement), execute(), sync())
        return [comparable(m.kind, m.body) for m in client.ready() if m.kind not in "NS"]

    for pool_name in ("one", "hopping"):
        with ExitStack() as stack:
            pairs = []
            for value in values:
                login = {"parameters": {name: value}}
                direct = Wire(postgres.host, postgres.port).login("app_trust", DATABASE, **login)
                pairs.append((stack.enter_context(direct), stack.enter_context(places(pool_name, **login))))
            told = []
            for number in range(3):
                # Unnamed statements are shared from their second use on.
                statement = ("", "", "named")[number]
                for direct, client in pairs:
                    told.append(answer(direct, statement))
                    assert answer(client, statement) == told[-1], f"{pool_name}, {number}"
            assert told[0] != told[1], "the two settings make no difference"


@pytest.mark.skipif(DIRECT, reason="a limit of the gateway")
@pytest.mark.parametrize("sql", ['deallocate u&"\\0061"', "deallocate U&\"!0061\" uescape '!'"])
def test_escaped_names_are_refused(places, sql):
    """A name written in Unicode escapes is not read; nothing is dropped, and nobody is told that it was."""
    with places("one") as client:
        client.send_together(parse("select 'kept'", "a"), sync())
        client.ready()
        for how in (query(sql), parse(sql) + bind() + execute() + sync()):
            client.send_together(how)
            assert [m.sqlstate for m in client.ready() if m.kind == "E"] == ["0A000"]
            assert run(client, "a") == "kept"


# --- what the servers see ---------------------------------------------------------------------------------------------


def one_server(make_gateway, size=1, **options):
    return make_gateway(pool_options={"pool_size": size, **options})


def prepared(client):
    """What the server has: SQL text -> (name, time of its Parse)."""
    return {
        row[1]: (row[0], row[2])
        for row in client.rows("select name, statement, prepare_time from pg_prepared_statements")
    }


def kinds(client, *messages, ready=1):
    client.send_together(*messages)
    return "".join(m.kind for m in client.ready(ready))


def run(client, name="", *values):
    """Bind, Execute: the first value, or the SQLSTATE."""
    client.send_together(bind(values, "", name), execute(), sync())
    for answer in client.ready():
        if answer.kind == "E":
            return answer.sqlstate
        if answer.kind == "D":
            return answer.values[0].decode()
    return None


def test_a_second_client_shares_the_statement(make_gateway):
    """Its Parse is answered and not sent: the server has one statement, parsed once."""
    gateway = one_server(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        assert kinds(one, parse("select 'shared'", "mine"), sync()) == "1Z"
        assert run(one, "mine") == "shared"
        first = prepared(one)
        assert list(first) == ["select 'shared'"]
        assert kinds(two, parse("select 'shared'", "hers"), bind((), "", "hers"), execute(), sync()) == "12DCZ"
        assert kinds(two, parse("select 'shared'", "another"), describe_statement("another"), sync()) == "1tTZ"
        assert prepared(two) == first
        assert kinds(two, close_statement("hers"), sync()) == "3Z"
        assert run(one, "mine") == "shared"
        assert run(two, "hers") == "26000"
        assert prepared(one) == first
        row = next(r for r in gateway.console("SHOW SERVERS") if r["database_name"] == "app")
        assert int(row["prepare_cache_miss"]) == 1 and int(row["prepare_cache_hit"]) >= 3, row
    gateway.wait_idle()


@pytest.mark.parametrize("shares", (True, False))
def test_unnamed_statements_share_too(make_gateway, shares):
    """Unless `share_unnamed_statements` says no. They stay their client's either way."""
    gateway = make_gateway(pool_options={"pool_size": 1}, general={} if shares else {"share_unnamed_statements": False})
    with gateway.wire() as one, gateway.wire() as two:
        for client in (one, two, one):
            assert kinds(client, parse("select $1::int"), bind(("1",)), execute(), sync()) == "12DCZ"
        assert run(two, "", "5") == "5"
        assert list(prepared(one)) == (["select $1::int"] if shares else [])


def test_an_error_does_not_cost_the_server_its_statements(make_gateway):
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        assert kinds(client, parse("select 'kept'", "kept"), sync()) == "1Z"
        run(client, "kept")
        before = prepared(client)
        assert len(before) == 1
        client.error("select 1 / 0")
        client.error("selekt")
        assert kinds(client, parse("selekt", "bad"), sync()) == "EZ"
        assert run(client, "nobody") == "26000"
        assert kinds(client, parse("select 1 / 0", "zero"), bind((), "", "zero"), execute(), sync()).endswith("EZ")
        client.rows("begin work")
        client.error("select 1 / 0")
        client.rows("rollback")
        assert prepared(client).get("select 'kept'") == before["select 'kept'"]


def test_the_servers_cache_has_a_bound(make_gateway):
    """Also for a batch that needs more at once; what is too much is closed when the batch is over."""
    gateway = one_server(make_gateway, server_prepared_statements_cache_size=3)
    with gateway.wire() as client:
        names = [f"n{n}" for n in range(10)]
        client.send_together(*(parse(f"select '{n}'", n) for n in names), *(bind((), n, n) for n in names), sync())
        assert "".join(m.kind for m in client.ready()) == "1" * 10 + "2" * 10 + "Z"
        wait_until(lambda: len(prepared(client)) <= 3, "the server has at most three")
        for _ in range(2):
            assert [run(client, n) for n in names] == names
            assert len(prepared(client)) <= 3


def test_a_changed_table_heals(make_gateway, postgres):
    """`cached plan must not change result type` reaches a client at most once, and one that parses afresh never for
    good."""
    gateway = one_server(make_gateway)
    for number, inside in enumerate((False, True)):
        with postgres.admin() as admin:
            admin.execute(f"drop table if exists healing{number}")
            admin.execute(f"create table healing{number} as select 1 as a")
            admin.execute(f"grant select on healing{number} to public")
        sql = f"select * from healing{number}"
        with gateway.wire() as one, gateway.wire() as two:
            assert kinds(one, parse(sql, "mine"), bind((), "", "mine"), execute(), sync()) == "12DCZ"
            with postgres.admin() as admin:
                admin.execute(f"alter table healing{number} add column b int default 2")
            if inside:
                one.rows("begin work")
            found = [run(one, "mine")]
            if inside:
                one.rows("rollback")
            found += [run(one, "mine") for _ in range(3)]
            assert found.count("0A000") <= 1 and found[1:] == ["1"] * 3, found
            with postgres.admin() as admin:
                admin.execute(f"alter table healing{number} add column c int default 3")
            found = []
            for name in ("fresh", "fresher", "freshest"):
                two.send_together(parse(sql, name), describe_statement(name), bind((), "", name), execute(), sync())
                answer = two.ready()
                found.append(next((m.sqlstate for m in answer if m.kind == "E"), None))
            assert found in ([None] * 3, ["0A000", None, None]), found
            assert [m.columns for m in answer if m.kind == "T"] == [["a", "b", "c"]]
            assert run(two, "fresh") == "1"
            # What the other client has met it is told, too.
            assert [run(one, "mine") for _ in range(2)] in (["0A000", "1"], ["1", "1"])
    gateway.wait_idle()


@pytest.mark.parametrize("name", ("", "mine"))
def test_everybody_who_has_a_statement_is_told_that_its_result_has_changed(make_gateway, postgres, name):
    """Drivers read rows by the columns that they were told of: pgjdbc took the wide number for a narrow one, and 42
    for 0."""
    gateway = one_server(make_gateway)
    with postgres.admin() as admin:
        admin.execute("drop table if exists widening")
        admin.execute("create table widening as select 42 as id")
        admin.execute("grant select on widening to public")
    clients = [gateway.wire() for _ in range(3)]
    for client in clients:
        prepares = [parse("select * from widening", name), bind((), "", name), execute(), sync()]
        assert kinds(client, *prepares) == "12DCZ"
    with postgres.admin() as admin:
        admin.execute("alter table widening alter id type bigint")
    for client in clients:
        client.send_together(bind((), "", name, results=(1,)), execute(), sync())
        errors = [m.fields for m in client.ready() if m.kind == "E"]
        # By the routine drivers tell that it helps to prepare the statement anew.
        assert [(e["C"], e["M"], e["R"]) for e in errors] == [
            ("0A000", "cached plan must not change result type", "RevalidateCachedQuery")
        ]
        assert [run(client, name) for _ in range(2)] == ["42"] * 2
        client.close()
    gateway.wait_idle()


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
@pytest.mark.parametrize("name", ("", "mine"))
def test_a_text_that_cannot_be_read_again_is_prepared_anew(make_gateway, postgres, name):
    """A table, a function and a type made anew, with other types: who prepares the texts behind that got errors for as
    long as the server lived."""
    gateway = one_server(make_gateway)
    with postgres.admin() as admin:
        for kind in ("table", "function", "type"):
            admin.execute(f"drop {kind} if exists remade_{kind}")

        def make(kind):
            admin.execute(f"create table remade_table (v {kind}); grant select on remade_table to public")
            admin.execute(f"create function remade_function({kind}) returns int language sql as 'select 1'")
            admin.execute("create type remade_type as enum ('1')")

        make("int")
        texts = (
            "select count(*) + 1 from remade_table where v = $1",
            "select remade_function($1)",
            "select $1::remade_type",
        )

        def answers(text):
            with gateway.wire() as client:
                client.send_together(parse(text, name), describe_statement(name), sync())
                told = next((m.sqlstate for m in client.ready() if m.kind == "E"), None)
                return told or run(client, name, "1")

        for text in texts:  # unnamed ones are shared from their second use on
            assert [answers(text) for _ in range(3)] == ["1"] * 3
        admin.execute("drop table remade_table; drop function remade_function(int); drop type remade_type")
        make("text")
        for text in texts:
            found = [answers(text) for _ in range(3)]
            assert found[0] in ("1", "42883", "XX000") and found[1:] == ["1"] * 2, (text, found)
    gateway.wait_idle()


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
def test_a_value_that_does_not_fit_leaves_its_statement_shared(make_gateway):
    """The errors have SQLSTATEs of a text that cannot be read, but come of the values."""
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        for text, value, state in (
            ("select $1::regclass::text", "nope", "42P01"),
            ("select $1::regtype::text", "nope", "42704"),
            ("select to_tsquery('simple', $1)::text", "foo bar", "42601"),
        ):
            for turn in range(3):
                client.send_together(parse(text, f"mine{turn}"), bind([value], statement=f"mine{turn}"), execute(), sync())
                told = [message for message in client.ready() if message.kind == "E"]
                assert [message.sqlstate for message in told] == [state], text
                client.send_together(close_statement(f"mine{turn}"), sync())
                client.ready()
            rows = client.value(f"select count(*) from pg_prepared_statements where statement = $${text}$$")
            assert rows == "1", text


def types_of(client, sql, name=""):
    """Parameter types and columns, as Describe tells them."""
    client.send_together(parse(sql, name), describe_statement(name), sync())
    answer = {m.kind: m for m in client.ready()}
    assert "E" not in answer, answer
    return struct.unpack(">%dI" % ((len(answer["t"].body) - 2) // 4), answer["t"].body[2:]), answer.get("T")


def test_a_close_that_was_skipped_is_made_up_for(make_gateway, postgres):
    """The server was to close a statement that PostgreSQL will not run any more, and skipped that."""
    gateway = one_server(make_gateway)
    with postgres.admin() as admin:
        admin.execute("drop table if exists skipping; create table skipping as select 1 as a")
        admin.execute("grant select on skipping to public")
    with gateway.wire() as client:
        for number in range(3):
            name = f"n{number}"
            whole = kinds(client, parse("select * from skipping", name), bind((), "", name), execute(), sync())
            assert whole == "12DCZ"
            with postgres.admin() as admin:
                admin.execute(f"alter table skipping add column b{number} int")
            assert run(client, name) == "0A000"
            assert kinds(client, execute("nobody"), bind((), "", name), execute(), sync()) == "EZ"
            assert kinds(client, parse("select 1", "other"), close_statement("other"), sync()) == "13Z"
        row = next(r for r in gateway.console("SHOW SERVERS") if r["database_name"] == "app")
        assert len(prepared(client)) == int(row["prepare_cache_size"])


def test_a_skipped_close_hits_no_other_client(make_gateway, postgres):
    """Who still has the statement can prepare it anew on that server."""
    gateway = one_server(make_gateway, prepared_statements_cache_size=1, server_prepared_statements_cache_size=10)
    with postgres.admin() as admin:
        admin.execute("drop table if exists skipped; create table skipped as select 1 as a")
        admin.execute("grant select on skipped to public")
    with gateway.wire() as one, gateway.wire() as two:
        for client in (one, two):
            assert kinds(client, parse("select * from skipped", "s"), bind((), "", "s"), execute(), sync()) == "12DCZ"
        # The pool forgets it.
        assert kinds(two, parse("select 5", "five"), sync()) == "1Z"
        with postgres.admin() as admin:
            admin.execute("alter table skipped add column b int")
        assert kinds(one, bind((), "", "s"), execute(), sync(), close_statement("s"), sync(), ready=2) == "EZ3Z"
        assert kinds(two, execute("nobody"), bind((), "", "s"), execute(), sync()) == "EZ"
        assert [run(two, "s") for _ in range(3)] == ["1"] * 3


def test_a_parse_behind_alter_table_finds_the_new_types(make_gateway):
    """As with PostgreSQL who has prepared the statement keeps it as it is. Others would lose the time of day."""
    gateway = one_server(make_gateway)
    date, timestamptz = (1082,), (1184,)
    sql = "insert into altered_later values ($1)"
    with gateway.wire() as owner, gateway.wire() as other:
        owner.rows("drop table if exists altered_later")
        owner.rows("create table altered_later (at date)")
        for _ in range(3):
            assert types_of(owner, sql)[0] == types_of(other, sql)[0] == date
        assert types_of(other, sql, "kept")[0] == date
        owner.rows("begin")
        owner.rows("alter table altered_later alter at type timestamptz")
        assert types_of(owner, sql)[0] == types_of(owner, sql, "within")[0] == timestamptz
        owner.rows("commit")
        for _ in range(3):
            assert types_of(owner, sql)[0] == types_of(other, sql)[0] == timestamptz
        assert types_of(other, sql, "fresh")[0] == timestamptz
        with gateway.wire() as third:
            assert types_of(third, sql, "kept")[0] == timestamptz
            third.send_together(bind(("2024-01-01 15:30+00",), "", "kept"), execute(), sync())
            third.ready()
        other.send_together(describe_statement("kept"), sync())
        assert next(m.body[2:] for m in other.ready() if m.kind == "t") == struct.pack(">I", *date)
        assert owner.value("select at at time zone 'utc' from altered_later") == "2024-01-01 15:30:00"
        owner.rows("drop table altered_later")


@pytest.mark.parametrize("end", ("commit", "rollback"))
def test_a_parse_within_the_transaction_of_an_alter_table_finds_the_new_columns(make_gateway, end):
    """The statement of before would fail there, and the transaction with it."""
    gateway = one_server(make_gateway)
    sql = "select * from widened"
    with gateway.wire() as owner, gateway.wire() as other:
        owner.rows("drop table if exists widened; create table widened as select 1 as a")
        for _ in range(3):
            assert types_of(owner, sql)[1].columns == types_of(other, sql)[1].columns == ["a"]
        owner.rows("begin")
        for count, column in enumerate("bc"):
            owner.rows(f"alter table widened add column {column} int")
            for name in ("", f"named{count}"):
                assert types_of(owner, sql, name)[1].columns == ["a", "b", "c"][: count + 2]
                assert kinds(owner, bind((), "", name), execute(), sync()) == "2DCZ"
        owner.rows(end)
        columns = ["a", "b", "c"] if end == "commit" else ["a"]
        for client in (owner, other, owner):
            assert types_of(client, sql)[1].columns == columns
            assert kinds(client, parse(sql), bind(), execute(), sync()) == "12DCZ"
        owner.rows("drop table widened")


VIEW_CHANGES = {
    "replace": ["create or replace view viewed as select 1 as a, 2 as b"],
    "make anew": ["drop view viewed", "create view viewed as select 1 as a, 2 as b"],
    "drop": ["drop view front.viewed"],
    "rename a view": ["alter view front.viewed rename to gone"],
    "rename a schema": ["alter schema front rename to gone"],
    "materialized": ["alter materialized view stored rename column a to b"],
}


@pytest.mark.parametrize("changes", VIEW_CHANGES.values(), ids=VIEW_CHANGES)
def test_a_parse_behind_a_change_of_views_finds_the_new_columns(make_gateway, postgres, changes):
    """As node-pg sends it: all in one go and without a name, so that no error of the gateway's making is deserved."""
    gateway = one_server(make_gateway)
    with postgres.admin() as admin:
        admin.execute("drop schema if exists front, back, gone cascade")
        admin.execute("create schema front authorization app; create schema back authorization app")
        admin.execute("grant create on database app to app")
    asked = {"search_path": "front, back"}
    with gateway.wire(parameters=asked) as owner, gateway.wire(parameters=asked) as other:
        owner.rows("create view back.viewed as select 1 as a, 2 as b")
        owner.rows("create view front.viewed as select 1 as a")
        owner.rows("create materialized view front.stored as select 1 as a")
        sql = "select * from stored" if "materialized" in changes[0] else "select * from viewed"
        whole = (parse(sql), bind(), describe_portal(), execute(), sync())
        for client in (owner, other) * 3:
            assert kinds(client, *whole) == "12TDCZ"
        for change in changes:
            owner.rows(change)
        for client in (other, owner) * 2:
            client.send_together(*whole)
            answer = client.ready()
            assert "".join(m.kind for m in answer) == "12TDCZ", [str(m) for m in answer]
            assert answer[2].columns == (["b"] if "stored" in sql else ["a", "b"])
    with postgres.admin() as admin:
        admin.execute("drop schema if exists front, back, gone cascade")
        admin.execute("revoke create on database app from app")


@pytest.mark.parametrize("name", ("", "named"))
def test_fetch_is_not_shared(make_gateway, name):
    """Its columns are those of the client's own cursor."""
    gateway = one_server(make_gateway)
    cursors = {"select 1 as one": ["one"], "select 'a' as a, 2 as b": ["a", "b"], "select 3 as c": ["c"]}
    for sql, columns in cursors.items():
        with gateway.wire() as client:
            for _ in range(2):
                client.rows("begin")
                client.rows(f"declare same cursor for {sql}")
                assert types_of(client, "fetch all from same", name)[1].columns == columns
                assert kinds(client, bind((), "", name), execute(), close_statement(name), sync()) == "2DC3Z"
                client.rows("rollback")


def test_a_long_deallocate_hits_no_other_client(make_gateway):
    """It comes in pieces and is not read: the server is cleaned behind it."""
    gateway = one_server(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        assert kinds(two, parse("select 'mine'", "m"), bind((), "", "m"), execute(), sync()) == "12DCZ"
        name = one.value("select name from pg_prepared_statements")
        one.rows(f"deallocate {name} -- " + "long " * 40_000)
        assert [run(two, "m") for _ in range(2)] == ["mine"] * 2


def test_a_deallocate_of_a_name_that_the_server_cannot_read(make_gateway):
    """What is lent to the server for the time of the query fails in front of it."""
    gateway = one_server(make_gateway)
    with gateway.wire(parameters={"client_encoding": "LATIN1"}) as client:
        assert kinds(client, parse("select 1", b"\xe9"), sync()) == "1Z"
        client.rows("set client_encoding to 'UTF8'")
        client.rows("begin work")
        client.send(query(b'deallocate "\xe9"'))
        answer = client.ready()
        assert {m.sqlstate for m in answer if m.kind == "E"} == {"22021"} and answer[-1].body == b"E"
        client.rows("rollback")
        assert client.value("select 1") == "1"
    gateway.wait_idle()


@pytest.mark.parametrize("name", ("", "named"))
def test_a_statement_beyond_the_limit_is_refused(make_gateway, name):
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        client.send_together(parse("select '" + "x" * (16 << 20) + "'", name), bind((), "", name), execute(), sync())
        answer = client.ready()
        assert [m.kind for m in answer] == ["E", "Z"] and answer[0].sqlstate == "54000"
        assert kinds(client, parse("select 1", name), bind((), "", name), execute(), sync()) == "12DCZ"
    gateway.wait_idle()


def test_a_client_has_no_more_names_than_the_limit(make_gateway):
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        for first in range(0, 65_536, 4096):
            names = [parse("select 1", f"s{first + number}") for number in range(4096)]
            assert kinds(client, *names, sync()) == "1" * 4096 + "Z"
        client.send_together(parse("select 1", "one more"), sync())
        answer = client.ready()
        assert [m.kind for m in answer] == ["E", "Z"] and answer[0].sqlstate == "54000"
        assert kinds(client, close_statement("s0"), parse("select 1", "one more"), sync()) == "31Z"
        assert run(client, "one more") == "1"
    gateway.wait_idle()


SQL_LEVEL = (
    "prepare mine as select 1", "PREPARE mine (int) AS select $1", "execute mine", "/* x */ execute mine(1)",
    "select 1; prepare mine as select 2", "explain execute mine", "create temp table t as execute mine",
)  # fmt: skip


@pytest.mark.parametrize(
    "sql, extended", [(sql, way) for sql in SQL_LEVEL for way in (False, True) if not (way and ";" in sql)]
)
def test_sql_level_statements_are_refused(make_gateway, sql, extended):
    """With 0A000, in a way that PostgreSQL's own errors have too; never run on another server."""
    gateway = one_server(make_gateway, size=2)
    message = parse(sql) + bind() + execute() + sync() if extended else query(sql)
    with gateway.wire() as client:
        client.send(message)
        answer = client.ready()
        errors = [m for m in answer if m.kind == "E"]
        assert [m.sqlstate for m in errors] == ["0A000"], [str(m) for m in answer]
        assert "prepare" in errors[0].fields["M"].lower() or "execute" in errors[0].fields["M"].lower()
        assert answer[-1].body == b"I"
        assert client.value(PREPARED) == "0"
        client.rows("begin work")
        client.send(message)
        assert client.ready()[-1].body == b"E"
        assert client.error("select 1")["C"] == "25P02"
        client.rows("rollback")
        assert client.value("select 'prepare mine as select 1'") == "prepare mine as select 1"
    gateway.wait_idle()


def test_discard_all_costs_no_other_client_its_statements(make_gateway):
    gateway = one_server(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        for client in (one, two):
            assert kinds(client, parse("select 'mine'", "mine"), sync()) == "1Z"
        for sql in ("discard all", "deallocate all", "deallocate mine"):
            one.rows(sql)
            assert run(one, "mine") == "26000"
            assert run(two, "mine") == "mine"
            assert kinds(one, parse("select 'mine'", "mine"), sync()) == "1Z"
            assert run(one, "mine") == "mine"


def test_a_new_server_gets_the_statements(make_gateway, postgres):
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        assert kinds(client, parse("select 'mine'", "mine"), parse("select 'unnamed'"), sync()) == "11Z"
        for _ in range(3):
            pid = postgres.backends("app")[0]
            assert run(client, "mine") == "mine"
            postgres.value("select pg_terminate_backend(%s)", pid)
            wait_until(lambda: pid not in postgres.backends("app"), "the server is gone")
            wait_until(lambda: int(gateway.pool_row()["sv_idle"]) == 0, "the gateway has noticed")
            assert run(client, "") == "unnamed"
    gateway.wait_idle()


def test_a_failed_parse_is_not_remembered(make_gateway, postgres):
    gateway = one_server(make_gateway)
    with postgres.admin() as admin:
        admin.execute("drop table if exists comes_later")
        with gateway.wire() as one, gateway.wire() as two:
            for client in (one, two):
                assert kinds(client, parse("select * from comes_later", "n"), sync()) == "EZ"
            admin.execute("create table comes_later as select 'here' as a; grant select on comes_later to public")
            for client in (one, two):
                assert kinds(client, parse("select * from comes_later", "n"), sync()) == "1Z"
                assert run(client, "n") == "here"


LAST_WORDS = {
    "parse": parse("select 'theirs'", "n"),
    "parse and flush": parse("select 'theirs'", "n") + flush(),
    "a part of parse": parse("select 'theirs'", "n")[:9],
    "bind": parse("select 'theirs'", "n") + bind((), "", "n"),
    "execute": parse("select 'theirs'", "n") + bind((), "", "n") + execute(),
    "sync, not read": parse("select 'theirs'", "n") + bind((), "", "n") + execute() + sync(),
    "an error": parse("selekt", "n") + parse("select 'theirs'", "m"),
    "a transaction": query("begin") + parse("select 'theirs'", "n") + sync(),
    "a long answer": parse("select repeat('x', 1000) from generate_series(1, 20000)", "n")
    + bind((), "", "n")
    + execute()
    + sync(),
}


@pytest.mark.parametrize("how", ("leave", "close", "reset"))
@pytest.mark.parametrize("words", LAST_WORDS)
def test_a_client_that_leaves(make_gateway, words, how):
    """The next one finds neither its names nor its answers, and a Parse that never reached the server is not counted
    on."""
    gateway = one_server(make_gateway)
    with gateway.wire() as stays:
        assert kinds(stays, parse("select 'stays'", "n"), sync()) == "1Z"
        for _ in range(3):
            gone = gateway.wire()
            gone.send(LAST_WORDS[words])
            getattr(gone, how)()
            assert run(stays, "n") == "stays"
            with gateway.wire() as comes:
                assert run(comes, "n") == "26000"
                assert kinds(comes, parse("select 'theirs'", "n"), sync()) == "1Z"
                assert run(comes, "n") == "theirs"
    gateway.wait_idle()


def test_twenty_clients_on_two_servers(make_gateway):
    """Everyone uses the same names for other texts."""
    gateway = one_server(make_gateway, size=2, server_prepared_statements_cache_size=7)

    def work(number):
        with gateway.wire(timeout=60) as client:
            for name in ("a", "b", ""):
                assert kinds(client, parse(f"select '{name}{number}' || $1", name), sync()) == "1Z"
            for round_ in range(40):
                name = ("a", "b", "")[round_ % 3]
                if round_ % 10 == 9:
                    assert run(client, "nobody") == "26000"
                assert run(client, name, "!") == f"{name}{number}!"

    in_threads(20, work)
    gateway.wait_idle()


def test_terminate_behind_an_unsynced_batch(make_gateway):
    """PostgreSQL leaves at once; so does the gateway, and its server is free for the next."""
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        client.send_together(parse("select 1", "a"), bind((), "", "a"), terminate())
        assert client.until_closed() == []
        gateway.wait_idle()
    with gateway.wire() as client:
        assert client.value("select 1") == "1"


def test_an_answer_of_the_gateway_waits_for_the_end_of_a_message(make_gateway):
    """Close is answered by the gateway while a RowDescription has come by half: it follows behind it."""
    half = threading.Event()
    whole = row_description("one", "two")

    def script(peer):
        peer.login()
        peer.until("H")
        peer.send(message("1", b""), message("t", struct.pack(">h", 0)), whole[:20])
        half.wait(20)
        peer.send(whole[20:])
        peer.serve()

    with FakeServer(script) as server:
        rules = "host all app all trust\nhost all all all md5\n"
        gateway = make_gateway({"app": server.pool()}, general={"worker_threads": 1}, hba=rules)
        with gateway.wire("app", "app") as client:
            client.send_together(parse("select 1, 2"), describe_statement(), flush())
            assert "".join(m.kind for m in client.until("t")) == "1t"
            client.send_together(close_statement("n"), query("select 3"))
            # The worker that answers this has read what was sent before.
            gateway.console("SHOW CLIENTS")
            half.set()
            assert "".join(m.kind for m in client.ready()) == "T3TDCZ"


def test_the_end_of_a_session_is_told_in_place_of_a_refusal(make_gateway):
    """The server ends while it is to fail a Parse whose name is taken: that is why the client loses its session."""

    def script(peer):
        peer.login()
        peer.until("S")
        peer.send(message("1"), ready())
        peer.until("S")
        peer.send(message("1"), error("57P01", "terminating", "FATAL"))

    with FakeServer(script) as server:
        rules = "host all app all trust\nhost all all all md5\n"
        gateway = make_gateway({"app": server.pool()}, hba=rules)
        with gateway.wire("app", "app") as client:
            assert kinds(client, parse("select 1", "n"), sync()) == "1Z"
            client.send_together(parse("select 2", "n"), sync())
            (last,) = client.until_closed()
            assert last.sqlstate == "57P01", last


@pytest.mark.parametrize("tail", (b"", flush()), ids=("closes", "closes with flush"))
def test_a_client_that_does_not_take_its_answers_is_not_read(make_gateway, tail):
    """Close is answered by the gateway: without reading, a client could have its memory filled with answers."""
    gateway = one_server(make_gateway)
    unit = close_statement("n") + tail
    count = 60_000_000 // len(unit)
    with gateway.wire(timeout=5) as client:
        client.value("select 1")
        before = gateway.memory()
        # Small, so that answers soon wait in the gateway.
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        rest = send_until_stuck(client, unit * count)
        assert rest, "all of it was read"
        assert gateway.memory() - before < 12_000_000
    gateway.wait_idle()


# --- in pairs with other events ---------------------------------------------------------------------------------------


def test_cancel_in_the_middle_of_a_batch(make_gateway, postgres):
    """What ran before counts, what was skipped does not, and the server keeps its statements."""
    gateway = one_server(make_gateway)
    with gateway.wire() as client:
        client.send_together(
            parse("select 'before'", "before"), parse("select pg_sleep(60)", "long"), bind((), "", "long"), execute(),
            parse("select 'behind'", "behind"), bind((), "", "behind"), execute(), sync(),
        )  # fmt: skip
        sleeping(postgres)
        cancel(gateway, client.pid, client.secret)
        answer = client.ready()
        assert [m.sqlstate for m in answer if m.kind == "E"] == ["57014"] and answer[-1].body == b"I"
        assert run(client, "behind") == "26000"
        first = prepared(client)
        assert run(client, "before") == "before"
        assert kinds(client, parse("select 'behind'", "behind"), bind((), "", "behind"), execute(), sync()) == "12DCZ"
        now = prepared(client)
        assert all(now[text] == first[text] for text in ("select 'before'", "select pg_sleep(60)"))
    gateway.wait_idle()


def test_statements_outlive_a_reload_that_replaces_the_pool(make_gateway, postgres):
    """The client's names stand for the same texts on the new pool's servers; in the middle of a transaction, too."""
    gateway = one_server(make_gateway)
    with gateway.wire() as client, gateway.wire() as busy:
        for one in (client, busy):
            assert kinds(one, parse("select current_database()", "mine"), sync()) == "1Z"
        assert run(client, "mine") == DATABASE
        busy.rows("begin work")
        gateway.reload(pools={"app": {"server_database": "postgres"}})
        assert run(busy, "mine") == DATABASE
        busy.rows("commit")
        for one in (client, busy):
            assert run(one, "mine") == "postgres"
            assert kinds(one, parse("select 1", "mine"), sync()) == "EZ"
    gateway.wait_idle()


def test_a_client_that_waits_too_long_with_a_batch(make_gateway):
    """query_wait_timeout ends the wait of a batch as that of a query, and others find their statements."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as holder, gateway.wire() as client:
        assert kinds(holder, parse("select 'kept'", "kept"), sync()) == "1Z"
        holder.rows("begin work")
        gateway.reload(general={"query_wait_timeout": "300ms"})
        client.send_together(parse("select 'kept'", "mine"), bind((), "", "mine"), execute(), sync())
        assert [m.sqlstate for m in client.until_closed()] == ["53300"]
        assert run(holder, "kept") == "kept"
        holder.rows("commit")
        assert run(holder, "kept") == "kept"
    gateway.wait_idle()


def run_prepared(client, name, *values):
    """The answer to an execution of one of the client's statements: its rows, or the SQLSTATE of the error."""
    client.send_together(bind(values, statement=name), execute(), sync())
    answer = client.ready()
    errors = [m.sqlstate for m in answer if m.kind == "E"]
    return errors[0] if errors else [m.values for m in answer if m.kind == "D"]


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
@pytest.mark.parametrize("first", ("a statement", "the unnamed statement", "begin", "a query"))
def test_statements_follow_a_client_from_transaction_into_session_mode(make_gateway, postgres, first):
    """By a reload: what it has prepared still works, but for what PostgreSQL would not prepare again; from then on
    they are the session's own."""
    gateway = make_gateway()
    with gateway.wire() as client, gateway.wire() as other:
        other.rows("create table vanishing (x int)")
        client.send_together(
            parse("select $1::text", "by text"),
            parse("select $1, 2", "typed", types=(23,)),
            parse("select * from vanishing", "vanishes"),
            sync(),
        )
        assert [m.kind for m in client.ready()] == ["1", "1", "1", "Z"]
        other.rows("drop table vanishing")
        client.send_together(parse("select 'unnamed'"), sync())
        client.ready()
        if first == "begin":
            client.rows("begin")
        gateway.reload(pools={"app": {"pool_mode": "session"}})
        if first == "the unnamed statement":
            assert run_prepared(client, "") == [[b"unnamed"]]
        elif first == "a query":
            assert client.value("select 'simple'") == "simple"
        assert run_prepared(client, "by text", "kept") == [[b"kept"]]
        assert run_prepared(client, "typed", "7") == [[b"7", b"2"]]
        if first == "begin":
            client.rows("commit")
        assert run_prepared(client, "vanishes") == "26000"
        names = client.rows("select name from pg_prepared_statements order by name")
        assert names == [["by text"], ["typed"]]
        client.rows("listen something")
        assert client.rows("select pg_listening_channels()") == [["something"]], "it has a session of its own"
    with gateway.wire() as following:
        assert following.value(PREPARED) == "0"
    gateway.wait_idle()


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
def test_statements_that_follow_a_client_into_session_mode_can_be_cancelled(make_gateway, postgres):
    """They wait for a lock, and the client's request behind them."""
    gateway = one_server(make_gateway)
    with gateway.wire() as client, postgres.admin() as holder:
        assert kinds(client, parse("select * from numbers", "waits"), sync()) == "1Z"
        gateway.reload(pools={"app": {"pool_mode": "session"}})
        with holder.transaction():
            holder.execute("lock table numbers")
            client.send(query("select 'served'"))
            locked = "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'relation'"
            wait_until(lambda: postgres.value(locked), "the statement waits for the lock")
            cancel(gateway, client.pid, client.secret)
            assert [m.values for m in client.ready() if m.kind == "D"] == [[b"served"]]
        assert run(client, "waits") == "26000"
    gateway.wait_idle()


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
def test_statements_too_large_to_follow_a_client_into_session_mode(make_gateway):
    """It is told so, and the next session begins with nothing."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client:
        for number in range(6):
            client.send(parse(f"select {number} /* {'x' * 800_000} */", f"s{number}"), sync())
            client.ready()
        gateway.reload(pools={"app": {"pool_mode": "session"}})
        client.send(query("select 1"))
        [error] = [m for m in client.until_closed() if m.kind == "E"]
        assert error.sqlstate == "57P01" and "prepared statements" in error.fields["M"]
    with gateway.wire() as following:
        assert following.value(PREPARED) == "0"
    gateway.wait_idle()


@pytest.mark.skipif(DIRECT, reason="needs the gateway")
def test_a_session_keeps_its_statements_when_its_pool_goes_to_transaction_mode(make_gateway):
    gateway = make_gateway(pool_options={"mode": "session"})
    with gateway.wire() as client:
        client.send_together(parse("select $1::text", "mine"), sync())
        client.ready()
        gateway.reload(pools={"app": {"pool_mode": "transaction"}})
        for _ in range(3):
            assert run_prepared(client, "mine", "kept") == [[b"kept"]]
    with gateway.wire() as following:
        assert following.value(PREPARED) == "0"
