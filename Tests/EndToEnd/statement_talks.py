"""Conversations about prepared statements, one rule or one driver's habit each; answered alike by PostgreSQL and
through the gateway (test_statements).

A talk is a function of one `Talk`; its name is its documentation.
"""

import struct

from statements_run import comparable
from wire import (
    bind,
    close_portal,
    close_statement,
    copy_data,
    copy_done,
    describe_portal,
    describe_statement,
    execute,
    flush,
    parse,
    query,
    sync,
)

LONG = "n" * 63
ROWS = "select id, word from numbers where id <= 5 order by id"
INT4, INT8, TEXT = 23, 20, 25


class Talk:
    """One client. `between` is called whenever it holds no server, and may send it to another one."""

    def __init__(self, client, between=lambda: None):
        self.client = client
        self.between = between
        self.heard = []

    def say(self, *messages, ready=None):
        """Sends the messages at once and reads as many ReadyForQuery as there are Sync and Query among them."""
        self.client.send_together(*messages)
        ready = sum(m[:1] in b"SQ" for m in messages) if ready is None else ready
        answer = self.client.ready(ready)
        self.heard.append([comparable(m.kind, m.body) for m in answer])
        if answer[-1].body == b"I":
            self.between()
        return answer

    def flush(self, *messages, answers):
        """Sends the messages and a Flush, and reads `answers` messages."""
        self.client.send_together(*messages, flush())
        self.heard.append([comparable(m.kind, m.body) for m in (self.client.receive() for _ in range(answers))])

    def run(self, name, *values):
        self.say(bind(values, "", name), describe_portal(), execute(), sync())


TALKS = []


def talk(function):
    TALKS.append(function)
    return function


# --- names ------------------------------------------------------------------------------------------------------------


@talk
def a_name_serves_until_it_is_closed(t):
    t.say(parse("select $1::int + 1", "plus"), describe_statement("plus"), sync())
    t.run("plus", "1")
    t.run("plus", "2")
    t.say(close_statement("plus"), sync())
    t.run("plus", "3")


@talk
def parse_completes_come_in_their_places(t):
    """Some of these the server has, some it has not."""
    t.say(parse("select 'old 1'", "o1"), parse("select 'old 2'", "o2"), sync())
    t.say(
        parse("select 'old 1'", "a"), bind((), "", "a"), execute(), parse("select 'fresh 1'", "b"),
        describe_statement("b"), parse("select 'old 2'", "c"), parse("select 'fresh 2'", "d"), bind((), "", "d"),
        describe_portal(), execute(), close_statement("a"), parse("select 'old 1'", "a"), close_portal(),
        bind((), "", "c"), execute(), parse("select 'old 2'"), sync(),
    )  # fmt: skip
    t.say(parse("select 'old 1'"), sync(), parse("select 'old 2'"), parse("select 'old 1'"), sync())
    t.say(parse("select 'old 1'"), bind(), parse("select 'old 2'"), execute(), sync())


@talk
def statements_survive_an_unrelated_error(t):
    t.say(parse("select 'kept'", "kept"), sync())
    for bad in (query("selekt"), query("select 1/0"), parse("selekt", "x") + sync(), bind((), "", "nobody") + sync()):
        t.say(bad, ready=1)
        t.run("kept")


@talk
def a_parse_before_the_error_counts_and_one_behind_it_does_not(t):
    t.say(parse("select 'first'", "first"), bind((), "", "nobody"), parse("select 'second'", "second"), sync())
    t.run("first")
    t.run("second")
    t.say(parse("select 'second, again'", "second"), bind((), "", "second"), execute(), sync())
    t.say(parse("select 1/0", "zero"), bind((), "", "zero"), execute(), close_statement("first"), sync())
    t.run("first")


@talk
def a_failed_parse_leaves_no_name(t):
    t.say(parse("select * from no_such_table", "n"), sync())
    t.run("n")
    t.say(parse("select 'now good'", "n"), sync())
    t.run("n")


@talk
def a_name_that_exists(t):
    """42P05, but a syntax error or a missing table goes first; in an aborted transaction the statements that end it
    too."""
    t.say(parse("select 1", "n"), sync())
    for sql in ("select 1", "select 2", "selekt", "select * from no_such_table", "select 1; select 2", ""):
        t.say(parse(sql, "n"), bind((), "", "n"), execute(), sync())
        t.run("n")
    t.say(query("begin"))
    t.say(parse("select 1", "n"), sync())
    for sql in ("select 1", "commit", "selekt"):
        t.say(parse(sql, "n"), sync())
    t.say(query("commit"))
    t.run("n")


@talk
def an_unknown_name(t):
    """26000; it aborts the transaction, and the session goes on."""
    t.say(bind((), "", "x"), execute(), sync())
    t.say(describe_statement("x"), sync())
    t.say(bind(), sync())
    t.say(describe_statement(), sync())
    t.say(close_statement("x"), close_statement(), close_portal("x"), sync())
    t.say(query("begin"))
    t.say(bind((), "", "x"), sync(), query("select 1"), query("rollback"))
    t.say(query("select 'goes on'"))


@talk
def an_error_of_ours_undoes_what_came_before(t):
    """What the batch did before the unknown name is rolled back with it."""
    t.say(query("begin; create table undone (a int); commit"))
    t.say(parse("insert into undone values (1)"), bind(), execute(), bind((), "", "nobody"), execute(), sync())
    t.say(query("select count(*) from undone"))
    t.say(query("drop table undone"))


@talk
def long_names_are_cut(t):
    t.say(parse("select 'long'", LONG + "x"), sync())
    t.run(LONG)
    t.run(LONG + "y")
    t.say(parse("select 'again'", LONG + "z"), sync())
    t.say(query(f"deallocate {LONG}"))
    t.run(LONG + "x")


@talk
def names_of_odd_bytes(t):
    for name in (b"\x01\x7f", "q\"uo'te\\", "ü€😀", "ü" * 31, " ", "pggateway_1", "Case", "case", "%s\\0{}"):
        t.say(parse("select $1::text", name), describe_statement(name), sync())
        t.run(name, "x")
        t.run(name)
        t.say(parse("select 2", name), sync())


@talk
def names_that_are_not_utf8(t):
    t.say(parse("select 1", b"\xff\xfe"), sync())
    t.say(bind((), "", b"\xff\xfe"), sync())
    t.say(describe_statement(b"\xc3"), sync())
    t.say(query("select 'well'"))


@talk
def errors_show_the_clients_name(t):
    t.say(parse("select $1::int", "mine"), sync())
    t.say(bind((), "", "mine"), sync())
    t.say(bind(("1", "2"), "", "mine"), sync())
    t.say(bind(("1",), "", "mine", formats=(0, 0)), sync())
    t.say(parse("select $1::int"), bind(), sync())


@talk
def types_make_statements_different(t):
    for number, types in enumerate(((), (INT4,), (INT8,), (TEXT,), (INT4,), ())):
        t.say(parse("select $1 as x", f"t{number}", types), describe_statement(f"t{number}"), sync())
    for number in range(6):
        t.run(f"t{number}", "7")


@talk
def close_and_parse_in_one_batch(t):
    t.say(parse("select 'one'", "n"), sync())
    t.say(
        close_statement("n"), parse("select 'two'", "n"), bind((), "", "n"), execute(),
        close_statement("n"), parse("select 'one'", "n"), bind((), "", "n"), execute(), close_statement("n"), sync(),
    )  # fmt: skip
    t.run("n")


@talk
def a_portal_outlives_its_statement(t):
    t.say(
        parse(ROWS, "n"), bind((), "p", "n"), close_statement("n"), parse("select 'other'", "n"), execute("p"), sync()
    )
    t.run("n")


@talk
def a_statement_of_a_transaction_that_is_rolled_back(t):
    t.say(query("begin"), parse("select 'stays'", "n"), sync(), query("rollback"))
    t.run("n")


# --- the unnamed statement --------------------------------------------------------------------------------------------


@talk
def the_unnamed_statement_survives_sync_and_errors(t):
    t.say(parse("select $1::text"), sync())
    t.run("", "a")
    t.say(sync(), sync())
    t.say(parse("selekt", "named"), sync())
    t.say(bind((), "", "nobody"), sync())
    t.run("", "b")
    t.say(parse("select 'another'"), sync())
    t.run("")


@talk
def a_simple_query_ends_the_unnamed_statement(t):
    for sql in ("select 1", "", "selekt", "-- nothing", "begin; commit"):
        t.say(parse("select 'unnamed'"), sync())
        t.run("")
        t.say(query(sql))
        t.run("")


@talk
def a_failed_parse_ends_the_unnamed_statement(t):
    for sql in ("selekt", "select * from no_such_table"):
        t.say(parse("select 'unnamed'"), sync())
        t.say(parse(sql), sync())
        t.run("")
    t.say(parse("select 'unnamed'"), bind((), "", "nobody"), parse("selekt"), sync())
    t.run("")


# --- transactions -----------------------------------------------------------------------------------------------------


@talk
def an_aborted_transaction_refuses_known_statements(t):
    t.say(parse("select 'known'", "known"), parse("rollback", "back"), parse("commit", "commit"), sync())
    t.say(query("begin"), query("select 1/0"))
    t.say(parse("select 'known'", "again"), sync())
    t.say(parse("select 'known'"), sync())
    t.say(bind((), "", "known"), execute(), sync())
    t.say(describe_statement("known"), sync())
    t.say(bind((), "", "again"), sync())
    t.run("back")
    t.run("known")
    t.say(query("begin"), query("select 1/0"))
    t.say(
        parse("rollback"), bind(), execute(), parse("select 'known'", "again"), bind((), "", "again"), execute(), sync()
    )
    t.say(query("begin"), query("select 1/0"))
    t.run("commit")
    t.run("again")


@talk
def begin_and_commit_as_statements(t):
    for name, sql in (
        ("b", "begin"),
        ("s", "savepoint s"),
        ("r", "rollback to s"),
        ("c", "commit"),
        ("z", "select 1/0"),
    ):
        t.say(parse(sql, name), sync())
    for order in ("bc", "bsrc", "bszrc", "bzc", "c", "bb", "c"):
        t.say(*(bind((), "", name) + execute() + sync() for name in order), ready=len(order))


# --- batches ----------------------------------------------------------------------------------------------------------


@talk
def several_syncs_in_one_write(t):
    def one(number):
        return parse(f"select {number}", f"n{number}") + bind((), "", f"n{number}") + execute() + sync()

    t.say(*map(one, range(5)), ready=5)
    t.say(sync(), sync(), one(7), sync(), sync(), ready=5)
    t.say(one(1), one(8), sync(), one(2), ready=4)


@talk
def flush_only(t):
    t.flush(parse("select $1::int", "f"), answers=1)
    t.flush(describe_statement("f"), answers=2)
    t.flush(bind(("1",), "", "f"), answers=1)
    t.flush(describe_portal(), answers=1)
    t.flush(execute(), answers=2)
    t.flush(close_statement("f"), answers=1)
    t.flush(parse("select 2", "f"), parse("select 3", "g"), answers=2)
    t.flush(bind((), "", "nobody"), answers=1)
    t.say(parse("select 4", "skipped"), sync())
    t.say(bind((), "", "g"), execute(), bind((), "", "skipped"), sync())


@talk
def portals_over_flush(t):
    t.flush(parse(ROWS, "rows"), bind((), "p", "rows"), execute("p", 2), answers=5)
    t.flush(execute("p", 2), answers=3)
    t.flush(close_statement("rows"), parse("select 'else'", "rows"), bind((), "q", "rows"), answers=3)
    t.flush(execute("p", 2), execute("q"), answers=4)
    t.say(sync())
    t.say(execute("p"), sync())


@talk
def portals_over_transactions(t):
    t.say(parse(ROWS, "rows"), sync())
    t.say(query("begin"))
    t.say(bind((), "p", "rows"), execute("p", 2), sync())
    t.say(query("select 'between'"))
    t.say(execute("p", 2), sync())
    t.say(query("deallocate rows"))
    t.say(execute("p"), sync())
    t.say(query("commit"))
    t.say(execute("p"), sync())


@talk
def twenty_statements_in_one_batch(t):
    names = [f"many{n}" for n in range(20)]
    t.say(*(parse(f"select {n!r} || $1", n) for n in names), sync())
    t.say(*(bind(("x",), n, n) for n in names), *(execute(n) for n in names), sync())
    t.say(
        *(parse(f"select {n!r} || $1") + bind(("y",), "", n) + execute() for n in names),
        *map(close_statement, names),
        sync(),
    )
    t.say(*(close_statement(n) + parse("select 1", n) for n in names), sync())


@talk
def a_batch_larger_than_every_buffer(t):
    text = "select length($1::text) -- " + "long " * 60_000
    t.say(parse(text, "long"), parse(text), bind(("v" * 300_000,), "", "long"), describe_portal(), execute(), sync())
    one = parse("select $1::text") + bind(("w" * 500,)) + describe_portal() + execute()
    t.say(*[one] * 1500, bind(("x",), "", "long"), execute(), sync())


@talk
def copy_and_simple_queries_in_between(t):
    rows = [copy_data(f"{n}\trow\n") for n in range(5)]
    t.say(parse("select 'kept'", "kept"), parse("copy sink from stdin", "in"), sync())
    t.say(bind((), "", "in"), execute(), *rows, copy_done(), bind((), "", "kept"), execute(), sync())
    t.say(query("copy sink from stdin"), *rows, copy_done(), query("select 1"), bind((), "", "kept"), execute(), sync())
    t.say(query("copy (select 1) to stdout"), parse("copy (select 2) to stdout"), bind(), execute(), sync())
    t.say(bind((), "", "in"), execute(), copy_data("x\ty\n"), copy_done(), bind((), "", "kept"), execute(), sync())
    t.run("kept")


@talk
def a_query_in_an_unfinished_batch(t):
    t.say(parse("select 1", "a"), bind((), "", "a"), query("select 2"), execute(), sync())
    t.say(parse("selekt", "b"), query("skipped"), parse("select 1", "c"), sync(), ready=1)
    t.run("c")


# --- DEALLOCATE and DISCARD -------------------------------------------------------------------------------------------

DEALLOCATES = (
    "deallocate a", "DEALLOCATE A", "deallocate prepare a;", ' deallocate "a" ; ', 'deallocate "A"', "deallocate all",
    "DEALLOCATE PREPARE ALL", 'deallocate "all"', "/* b */ deallocate -- c\n a", "deallocate/**/a", "deallocate\ta",
    "deallocate a; deallocate a", "select 1; deallocate a; select 2", "deallocate a; select 1/0",
    "select 1/0; deallocate a", "deallocate a; selekt", "deallocate nobody", "deallocate prepare", "deallocate",
    "begin; deallocate a; rollback", "begin; deallocate a",
    'deallocate "with ""quotes"""', "select 'deallocate a'",
    "select $$; deallocate a; $$", "select E'\\'; deallocate a; --'", "select 1 as \"; deallocate a\"",
    "/* ; deallocate a; /* */ deallocate all */ select 1", "-- deallocate a", "select 1 as deallocate", "discard all",
    "DISCARD ALL;", "/* */discard/**/all", "select 1; discard all", "discard plans", "discard all; select 1",
)  # fmt: skip


def deallocate_talk(sql):
    def run(t):
        names = ("a", "A", "all", 'with "quotes"', "other")
        for how in (query(sql), parse(sql, "itself") + bind((), "", "itself") + execute() + sync()):
            t.say(*map(close_statement, (*names, "itself")), *(parse(f"select '{n}'", n) for n in names), sync())
            t.say(how, ready=1)
            for name in names:
                t.run(name)
            t.say(query("rollback"))
            for name in names:
                t.run(name)
            t.say(parse("select 'a, again'", "a"), sync())
            t.run("a")

    run.__name__ = sql
    return run


TALKS += [deallocate_talk(sql) for sql in DEALLOCATES]


@talk
def a_deallocate_that_was_skipped_runs_later(t):
    """The portal has outlived the error in front of its Execute."""
    t.say(query("begin"))
    t.say(parse("select 1", "a"), parse("deallocate a", "d"), bind((), "p", "d"), sync())
    t.say(query("savepoint s"))
    t.say(bind((), "", "nobody"), execute("p"), sync())
    t.say(query("rollback to s"))
    t.say(execute("p"), sync())
    t.say(execute("p"), sync())
    t.say(query("rollback"))
    t.run("a")


@talk
def a_deallocate_in_an_aborted_transaction_leaves_nothing(t):
    t.say(query("begin"))
    t.say(parse("select 1", "a"), parse("deallocate a", "d"), bind((), "p", "d"), sync())
    t.say(query("savepoint s"))
    t.say(query("select 1/0"))
    t.say(execute("p"), sync())
    t.say(close_statement("a"), sync())
    t.say(query("rollback to s"))
    t.run("a")
    t.say(query("rollback"))
    t.run("a")


# --- drivers ----------------------------------------------------------------------------------------------------------


@talk
def like_asyncpg(t):
    """Parse, Describe and Flush; then Bind, Execute, Sync. Statements are closed when the cache is full."""
    for number in range(6):
        name = f"__asyncpg_stmt_{number:x}__"
        t.flush(parse("select $1::int8 + 1", name), describe_statement(name), answers=3)
        t.say(bind((struct.pack(">q", number),), "", name, (1,), (1,)), execute(), sync())
        t.say(bind((struct.pack(">q", 7),), "", name, (1,), (1,)), execute(), sync())
        if number >= 2:
            t.say(close_statement(f"__asyncpg_stmt_{number - 2:x}__"), sync())
    t.flush(parse("selekt", "__asyncpg_stmt_x__"), describe_statement("__asyncpg_stmt_x__"), answers=1)
    t.say(sync())


@talk
def like_pgx(t):
    """Prepare is Parse, Describe, Sync; a batch prepares all, then runs all; closing is a batch too."""
    names = [f"stmtcache_{n}" for n in range(4)]
    t.say(*(parse(f"select $1::int4 + {n[-1]}", n) + describe_statement(n) for n in names), sync())
    for _ in range(2):
        t.say(
            *(bind((struct.pack(">i", 5),), "", n, (1,), (1,)) + describe_portal() + execute() for n in names), sync()
        )
    t.say(parse("select 1 / $1::int4", "zero"), describe_statement("zero"), sync())
    t.say(bind(("0",), "", "zero"), execute(), bind(("1",), "", names[0]), execute(), sync())
    t.say(*map(close_statement, names), sync())
    t.run(names[0], "1")


@talk
def like_npgsql(t):
    """Automatic preparation closes an old statement, prepares and runs a new one in the same batch."""
    t.say(
        parse("select $1", "_auto1", (INT4,)),
        bind(("1",), "", "_auto1"),
        describe_statement("_auto1"),
        execute(),
        sync(),
    )
    t.say(
        close_statement("_auto0"), parse("select $1", "_auto0", (TEXT,)), describe_statement("_auto0"),
        bind(("x",), "", "_auto0"), execute(), bind(("2",), "", "_auto1"), execute(),
        parse("select 3"), bind(), describe_portal(), execute(), sync(),
    )  # fmt: skip
    t.say(
        close_statement("_auto1"), parse("insert into sink values ($1)", "_auto1", (INT4,)),
        describe_statement("_auto1"), bind(("7",), "", "_auto1"), execute(), bind(("bad",), "", "_auto1"), execute(),
        bind(("8",), "", "_auto1"), sync(),
    )  # fmt: skip
    t.say(bind(("9",), "", "_auto1"), describe_portal(), execute(), sync())
    t.say(query("DEALLOCATE ALL"))
    t.run("_auto1", "1")


@talk
def like_pgjdbc(t):
    """BEGIN in front of the first statement of a transaction, in the same batch; cursors by Execute with a limit."""
    begin = parse("BEGIN", "S_1") + bind((), "", "S_1") + execute("", 1)
    again = bind((), "", "S_1") + execute("", 1)
    t.say(begin, parse(ROWS, "S_2"), bind((), "C_1", "S_2"), describe_portal("C_1"), execute("C_1", 2), sync())
    t.say(execute("C_1", 2), sync())
    t.say(execute("C_1", 2), sync())
    t.say(parse("COMMIT", "S_3"), bind((), "", "S_3"), execute("", 1), sync())
    t.say(again, close_portal("C_1"), bind((), "C_2", "S_2"), describe_portal("C_2"), execute("C_2", 2), sync())
    t.say(parse("selekt", "S_4"), bind((), "", "S_4"), execute(), sync())
    t.say(parse("ROLLBACK", "S_5"), bind((), "", "S_5"), execute(), sync())
    t.say(close_statement("S_2"), bind((), "", "S_1"), execute("", 1), bind((), "", "S_3"), execute(), sync())


@talk
def like_psycopg3_in_a_pipeline(t):
    t.say(
        parse("select $1", "_pg3_0", (INT4,)), bind(("1",), "", "_pg3_0"), describe_portal(), execute(),
        parse("select $1", "_pg3_1", (INT4,)), bind(("2",), "", "_pg3_1"), describe_portal(), execute(), sync(),
        bind(("3",), "", "_pg3_0"), describe_portal(), execute(), bind(("x",), "", "_pg3_1"), execute(), sync(),
    )  # fmt: skip
    t.say(query('DEALLOCATE "_pg3_0"'), bind(("4",), "", "_pg3_1"), execute(), sync())
    t.say(query("DEALLOCATE ALL"))
    t.run("_pg3_1", "5")
