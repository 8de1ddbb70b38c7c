"""Protocol scripts: what a client sends and for what it waits.

They are run against PostgreSQL and through the gateway and must be answered by the same messages (test_compare), and
they are cut off at every message border (test_disconnect).

A script is a function of one logged-in `Wire`. Its name is its documentation. Scripts that need the same server for
longer than one transaction, or named statements, are for session mode only.
"""

import random
import struct
from dataclasses import dataclass
from typing import Callable

from wire import (
    bind,
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
    sync,
)

INT4, TEXT, BYTEA = 23, 25, 17


@dataclass
class Script:
    name: str
    run: Callable
    modes: tuple
    large: bool
    ends: bool

    def __str__(self):
        return self.name


SCRIPTS = []


def script(modes=("session", "transaction"), large=False, ends=False):
    """Registers a script. `large` ones are not sent byte by byte and are cut at fewer places; `ends` marks those at
    whose end the connection is closed."""

    def register(function):
        SCRIPTS.append(Script(function.__name__, function, modes, large, ends))
        return function

    return register


session_only = script(modes=("session",))


def simple(c, *statements):
    """One simple query after the other, each answered before the next."""
    for sql in statements:
        c.send(query(sql))
        c.ready()


# --- simple query -----------------------------------------------------------------------------------------------------


@script()
def select_one(c):
    simple(c, "select 1")


@script()
def many_types_and_null(c):
    simple(
        c,
        "select 1::int2, 2::int8, 3.5::numeric, 1e10::float8, true, 'text', null, '\\xdeadbeef'::bytea, "
        "'2020-01-02 03:04:05+00'::timestamptz at time zone 'utc', '{1,2,null}'::int[], '{\"a\": 1}'::jsonb, "
        "interval '1 day', 'ÄÖ€😀'",
    )


@script()
def rows_and_tags(c):
    simple(
        c,
        "begin; create temp table t (a int) on commit drop; insert into t select generate_series(1, 10)",
        "update t set a = a + 1 where a > 5",
        "delete from t where a = 1",
        "select * from t order by a",
        "select a from t where false",
        "select",
        "rollback",
    )


@script()
def several_statements_in_one_query(c):
    simple(c, "select 1; select 2, 3; show server_encoding; select id from numbers where id < 4 order by id")


@script()
def an_error_ends_a_multi_statement(c):
    simple(c, "select 1; select 1 / 0; select 2", "select 3")


@script()
def empty_queries(c):
    simple(c, "", ";", ";;;", "  ", "-- only a comment", "/* another */ ;")


@script()
def errors_of_many_kinds(c):
    simple(
        c,
        "selekt 1",
        "select * from no_such_table",
        "select 1 / 0",
        "select 'x'::int",
        "select fail(7)",
        "select no_such_function(1)",
        "insert into numbers values (1, 'again')",
        "select 1",
    )


@script()
def transaction_states(c):
    simple(c, "begin", "select 1", "commit", "begin", "select 1 / 0", "select 2", "commit", "begin", "rollback")


@script()
def begin_variants(c):
    simple(
        c,
        "begin;",
        "end;",
        "BEGIN;",
        "select 1 / 0;",
        "ROLLBACK;",
        "start transaction read only",
        "commit and chain",
        "commit",
    )


@script()
def begin_and_commit_pipelined(c):
    c.send_together(query("begin;"), query("select 1"), query("commit;"))
    c.ready(3)


@script()
def transaction_warnings(c):
    simple(c, "commit", "rollback", "begin", "begin", "commit")


@script()
def savepoints(c):
    simple(
        c,
        "begin",
        "savepoint a",
        "select 1 / 0",
        "select 1",
        "rollback to savepoint a",
        "select 2",
        "release savepoint a",
        "commit",
    )


@script()
def implicit_transaction_becomes_explicit(c):
    simple(c, "select 1; begin; select 2", "select 3", "commit; select 4")


@script()
def notices(c):
    simple(
        c,
        "select talk(3)",
        "do $$ begin raise warning 'beware'; raise info 'told'; end $$",
        "drop table if exists absent",
    )


@script(large=True)
def many_notices(c):
    simple(c, "select talk(2000)")


@script()
def set_within_one_transaction(c):
    simple(
        c,
        "begin",
        "set local work_mem = '5MB'",
        "show work_mem",
        "commit",
        "begin; set application_name = 'inside'; rollback",
    )


@script()
def parameter_status_while_a_query_runs(c):
    simple(c, "set datestyle = 'german'; reset datestyle; set timezone = 'Asia/Tokyo'; reset timezone")


@script()
def sql_cursor(c):
    simple(
        c,
        "begin",
        "declare cur cursor for select id, word from numbers order by id",
        "fetch 3 from cur",
        "fetch backward 1 from cur",
        "move 10 in cur",
        "fetch all in cur",
        "close cur",
        "fetch 1 from cur",
        "rollback",
    )


@session_only
def sql_prepare_in_one_transaction(c):
    simple(c, "begin; prepare p(int) as select $1 + 1; execute p(41); deallocate p; commit")


@script()
def deallocate_of_unknown_names(c):
    simple(c, "deallocate nothing", "select 1", "deallocate all", "DEALLOCATE nothing;", "close all", "discard plans")


@script()
def pipelined_simple_queries(c):
    c.send_together(*(query(f"select {i}, 'value {i}'") for i in range(20)))
    c.ready(20)


@script()
def pipelined_simple_queries_with_errors(c):
    c.send_together(
        query("select 1"), query("select 1/0"), query("begin"), query("oops"), query("select 2"), query("rollback")
    )
    c.ready(6)


@script()
def query_of_unusual_length(c):
    for size in (1, 100, 4090, 8187, 16384, 65536):
        simple(c, f"select length('{'x' * size}')")


@script(large=True)
def query_of_a_megabyte(c):
    simple(c, f"select md5('{'y' * 1_000_000}')")


@script(large=True)
def row_of_three_megabytes(c):
    simple(c, "select repeat('abc', 1000000), 1, repeat('z', 70000)")


@script(large=True)
def twenty_thousand_rows(c):
    simple(c, "select i, md5(i::text) from generate_series(1, 20000) i")


@script()
def rows_around_buffer_sizes(c):
    simple(
        c,
        "select repeat('b', s) from unnest(array[4080, 4096, 8180, 8192, 16370, 16384, 32768, 65530, 65536, 65540]) s",
    )


@script(large=True)
def an_error_after_many_rows(c):
    simple(c, "select i, 1000 / (5000 - i) from generate_series(1, 10000) i", "select 1")


# --- extended query ---------------------------------------------------------------------------------------------------


@script()
def extended_unnamed(c):
    c.send(
        parse("select $1::int + $2::int", types=(INT4, INT4)), bind(("40", "2")), describe_portal(), execute(), sync()
    )
    c.ready()


@script()
def extended_at_once(c):
    c.send_together(parse("select $1::text, $2::text"), bind(("a", None)), describe_portal(), execute(), sync())
    c.ready()


@script()
def extended_binary(c):
    c.send_together(
        parse("select $1::int4, $2::bytea, $3::text"),
        bind((struct.pack(">i", 7), bytes(range(256)), "t"), formats=(1, 1, 0), results=(1, 1, 0)),
        describe_portal(),
        execute(),
        sync(),
    )
    c.ready()


@script()
def extended_describe_statement(c):
    c.send_together(parse("select id, word from numbers where id = $1"), describe_statement(), sync())
    c.ready()
    c.send_together(
        parse("insert into sink values ($1, $2)"), describe_statement(), bind(("1", "x")), describe_portal(), sync()
    )
    c.ready()


@script()
def extended_empty_and_utility(c):
    for sql in ("", ";", "begin", "set local work_mem = '6MB'", "show work_mem", "commit", "commit"):
        c.send_together(parse(sql), bind(), describe_portal(), execute(), sync())
        c.ready()


@script()
def extended_error_at_each_step(c):
    c.send_together(parse("select broken from"), bind(), execute(), sync())
    c.ready()
    c.send_together(parse("select $1::int"), bind(("not a number",)), describe_portal(), execute(), sync())
    c.ready()
    c.send_together(parse("select 1 / $1::int"), bind(("0",)), describe_portal(), execute(), sync())
    c.ready()
    c.send_together(parse("select $1::int"), bind(()), execute(), sync())
    c.ready()
    c.send_together(bind(statement="never_prepared"), sync())
    c.ready()
    c.send_together(execute("no_such_portal"), sync())
    c.ready()
    c.send_together(describe_portal("no_such_portal"), sync())
    c.ready()
    c.send_together(parse("select 1; select 2"), sync())
    c.ready()
    c.send_together(parse("select 'well again'"), bind(), execute(), sync())
    c.ready()


@script()
def extended_rest_is_skipped_after_an_error(c):
    c.send_together(
        parse("select 1 / 0"), bind(), execute(),
        parse("select 1"), bind(), execute(),
        close_portal(), describe_statement("x"), execute("y"),
        sync(),
    )  # fmt: skip
    c.ready()


@script()
def sync_alone(c):
    c.send(sync())
    c.ready()
    c.send_together(sync(), sync(), sync())
    c.ready(3)


@script()
def pipeline_with_several_syncs(c):
    c.send_together(
        parse("select 1"), bind(), execute(), sync(),
        parse("select 2"), bind(), execute(), parse("select 3"), bind(), execute(), sync(),
        sync(),
        parse("select 4"), bind(), execute(), sync(),
    )  # fmt: skip
    c.ready(4)


@script()
def pipeline_with_errors_and_syncs(c):
    c.send_together(
        parse("select 1 / 0"), bind(), execute(), parse("select 'skipped'"), bind(), execute(), sync(),
        parse("select 'next'"), bind(), execute(), sync(),
        parse("bad sql"), sync(),
        sync(),
        query("select 'simple between'"),
        parse("select 'last'"), bind(), execute(), sync(),
    )  # fmt: skip
    c.ready(6)


@script()
def pipeline_over_transactions(c):
    def one(sql):
        return parse(sql) + bind() + execute() + sync()

    c.send_together(
        *map(
            one, ("begin", "select 1", "select 1/0", "select 2", "rollback", "begin", "select 3", "commit", "select 4")
        )
    )
    c.ready(9)


@script()
def pipeline_simple_and_extended_mixed(c):
    c.send_together(query("begin"), parse("select 1"), bind(), execute(), sync(), query("select 2"), query("commit"))
    c.ready(4)


@script(large=True)
def pipeline_of_a_thousand(c):
    c.send_together(
        *(
            parse(f"select {i}") + bind() + describe_portal() + execute() + (sync() if i % 10 == 9 else b"")
            for i in range(1000)
        )
    )
    c.ready(100)


@script(large=True)
def pipeline_that_fills_both_directions(c):
    value = "v" * 100_000
    c.send_together(*(parse("select $1::text, $1::text") + bind((value,)) + execute() + sync() for _ in range(60)))
    c.ready(60)


@script()
def query_without_waiting_for_the_sync_before(c):
    c.send_together(parse("select 1"), bind(), execute())
    c.send_together(sync(), query("select 2"))
    c.ready(2)


@script()
def flush_after_each_step(c):
    c.send(parse("select id, word from numbers where id < $1::int order by id"), flush())
    c.until("1")
    c.send(describe_statement(), flush())
    c.until("T")
    c.send(bind(("4",)), flush())
    c.until("2")
    c.send(describe_portal(), flush())
    c.until("T")
    c.send(execute(), flush())
    c.until("C")
    c.send(close_portal(), flush())
    c.until("3")
    c.send(sync())
    c.ready()


@script()
def flush_of_no_data(c):
    c.send(parse("insert into sink values (1, 'f')"), describe_statement(), flush())
    c.until("n")
    c.send(bind(), describe_portal(), execute(), flush())
    c.until("C")
    c.send(sync())
    c.ready()


@script()
def flush_after_an_error_says_nothing_more(c):
    c.send(parse("select 1 / 0"), bind(), execute(), flush())
    c.until("E")
    c.send(parse("select 1"), flush(), bind(), flush(), execute(), flush(), sync())
    c.ready()


@script()
def flush_alone_and_twice(c):
    c.send_together(flush(), flush(), parse("select 1"), flush(), flush(), bind(), execute(), flush())
    c.until("C")
    c.send_together(flush(), sync())
    c.ready()


@script()
def flush_with_simple_query_behind(c):
    c.send_together(parse("select 1"), bind(), execute(), flush())
    c.until("C")
    c.send(query("select 2"))
    c.ready()


@script()
def portal_suspension_with_flush(c):
    c.send(parse("select id from numbers order by id limit 7"), bind(), describe_portal(), execute(rows=3), flush())
    c.until("s")
    c.send(execute(rows=3), flush())
    c.until("s")
    c.send(execute(rows=3), flush())
    c.until("C")
    c.send(execute(rows=3), sync())
    c.ready()


@script()
def portal_suspension_over_syncs_in_a_transaction(c):
    simple(c, "begin")
    c.send_together(parse("select id, word from numbers order by id"), bind(portal="walk"), execute("walk", 2), sync())
    c.ready()
    for rows in (1, 5, 0):
        c.send_together(execute("walk", rows), sync())
        c.ready()
    c.send_together(close_portal("walk"), execute("walk"), sync())
    c.ready()
    simple(c, "rollback")


@script()
def portals_interleaved(c):
    simple(c, "begin")
    c.send_together(
        parse("select id from numbers order by id"), bind(portal="up"),
        parse("select id from numbers order by id desc"), bind(portal="down"),
        execute("up", 2), execute("down", 2), execute("up", 2), execute("down", 2),
        close_portal("up"), describe_portal("down"), sync(),
    )  # fmt: skip
    c.ready()
    simple(c, "commit")


@script()
def a_portal_ends_with_its_transaction(c):
    c.send_together(parse("select id from numbers order by id"), bind(portal="gone"), execute("gone", 2), sync())
    c.ready()
    c.send_together(execute("gone", 2), sync())
    c.ready()


@script()
def close_of_nothing(c):
    c.send_together(close_portal("nothing"), close_portal(), sync())
    c.ready()


@script(large=True)
def parameter_of_two_megabytes(c):
    value = random.Random(5).randbytes(2_000_000)
    c.send_together(
        parse("select md5($1), length($1), $1", types=(BYTEA,)),
        bind((value,), formats=(1,), results=(0, 0, 1)),
        describe_portal(),
        execute(),
        sync(),
    )
    c.ready()


@script()
def a_thousand_parameters(c):
    names = ", ".join(f"${i}::text" for i in range(1, 1001))
    c.send_together(parse(f"select array[{names}]::text"), bind([str(i) for i in range(1000)]), execute(), sync())
    c.ready()


@session_only
def named_statements(c):
    c.send_together(parse("select $1::int * 2", "twice", (INT4,)), describe_statement("twice"), sync())
    c.ready()
    for value in ("1", "21"):
        c.send_together(bind((value,), statement="twice"), describe_portal(), execute(), sync())
        c.ready()
    c.send_together(parse("select 1", "twice"), sync())
    c.ready()
    c.send_together(close_statement("twice"), sync())
    c.ready()
    c.send_together(bind(("1",), statement="twice"), sync())
    c.ready()


@session_only
def unnamed_statement_over_syncs(c):
    c.send(parse("select $1::text"), describe_statement(), sync())
    c.ready()
    for value in ("first", "second"):
        c.send_together(bind((value,)), execute(), sync())
        c.ready()


@session_only
def session_state(c):
    simple(
        c,
        "create temp table mine (a int)",
        "insert into mine values (1), (2)",
        "set work_mem = '7MB'",
        "show work_mem",
        "select count(*) from mine",
        "prepare q as select count(*) from mine",
        "execute q",
        "select pg_advisory_lock(42)",
        "begin; declare held cursor with hold for select id from numbers order by id; commit",
        "fetch 2 from held",
        "select pg_advisory_unlock(42)",
        "discard all",
        "execute q",
        "show work_mem",
    )


@session_only
def listen_and_notify(c):
    simple(c, "listen one", "notify one", "notify one, 'with text'", "begin; notify one, 'late'; select 1", "commit")
    c.send_together(parse("notify one, 'extended'"), bind(), execute(), sync())
    c.ready()
    simple(c, "unlisten *", "notify one", "select 1")


@session_only
def encoding_and_parameters(c):
    simple(
        c,
        "set client_encoding = 'latin1'",
        "select 'plain'",
        "select chr(8364)",
        "reset client_encoding",
        "set application_name = 'changed'",
    )


# --- COPY -------------------------------------------------------------------------------------------------------------


@script()
def copy_out(c):
    simple(
        c,
        "copy (select id, word from numbers where id < 20 order by id) to stdout",
        "copy (select 1 where false) to stdout",
    )


@script()
def copy_out_binary_and_csv(c):
    simple(
        c,
        "copy (select id from numbers where id < 5) to stdout binary",
        "copy (select 1, 'a,b') to stdout (format csv, header)",
    )


@script()
def copy_out_in_a_transaction(c):
    simple(c, "begin", "copy numbers to stdout", "select 1", "commit")


@script()
def copy_out_fails_half_way(c):
    simple(c, "copy (select 10 / (5 - i) from generate_series(1, 10) i) to stdout", "select 1")


@script()
def copy_out_extended(c):
    c.send_together(
        parse("copy (select id from numbers where id < 9) to stdout"),
        bind(),
        describe_portal(),
        execute(),
        sync(),
        sync(),
    )
    c.ready(2)


@script(large=True)
def copy_out_large(c):
    simple(
        c,
        "copy (select i, repeat('r', 200) from generate_series(1, 20000) i) to stdout",
        "copy (select repeat('w', 3000000)) to stdout",
    )


@script()
def copy_in(c):
    c.send(query("copy sink from stdin"))
    c.until("G")
    c.send(copy_data("1\tone\n"), copy_data("2\ttwo\n3\tthr"), copy_data("ee\n"), copy_done())
    c.ready()
    simple(c, "select 1")


@script()
def copy_in_everything_at_once(c):
    c.send_together(
        query("copy sink from stdin"),
        copy_data("1\tone\n"),
        copy_data("2\ttwo\n"),
        copy_done(),
        query("select 'after'"),
    )
    c.ready(2)


@script()
def copy_in_within_a_transaction(c):
    simple(c, "begin", "create temp table t (a int) on commit drop")
    c.send_together(query("copy t from stdin"), copy_data("1\n2\n3\n"), copy_done())
    c.ready()
    simple(c, "select * from t", "commit")


@script()
def copy_in_of_nothing(c):
    c.send_together(query("copy sink from stdin"), copy_done())
    c.ready()
    c.send_together(query("copy sink from stdin"), copy_data(""), copy_data(""), copy_done())
    c.ready()


@script()
def copy_in_given_up_by_the_client(c):
    c.send(query("copy sink from stdin"))
    c.until("G")
    c.send(copy_data("1\tone\n"), copy_fail("changed my mind"))
    c.ready()
    simple(c, "select 1", "begin")
    c.send_together(query("copy sink from stdin"), copy_data("1\tone\n"), copy_fail("again"))
    c.ready()
    simple(c, "rollback")


@script()
def copy_in_of_bad_data(c):
    c.send_together(
        query("copy sink from stdin"), copy_data("1\tone\n"), copy_data("not a number\tx\n"),
        copy_data("3\tthree\n"), copy_data("4\tfour\n"), copy_done(),
    )  # fmt: skip
    c.ready()
    simple(c, "select 1")


@script()
def copy_in_of_bad_data_and_then_fail(c):
    c.send_together(
        query("copy sink from stdin"),
        copy_data("bad\n"),
        copy_data("3\tx\n"),
        copy_fail("too late"),
        query("select 'next'"),
    )
    c.ready(2)


@script()
def copy_in_to_an_unknown_table(c):
    c.send_together(
        query("copy no_such_table from stdin"),
        copy_data("1\tone\n"),
        copy_data("2\ttwo\n"),
        copy_done(),
        query("select 'next'"),
    )
    c.ready(2)
    c.send_together(query("copy no_such_table from stdin"), copy_data("1\tone\n"), copy_fail("no"))
    c.ready()
    simple(c, "select 1")


@script()
def copy_in_with_flush_and_sync_inside(c):
    c.send_together(
        query("copy sink from stdin"),
        copy_data("1\tone\n"),
        flush(),
        sync(),
        copy_data("2\ttwo\n"),
        flush(),
        copy_done(),
    )
    c.ready()
    simple(c, "select 1")


@script(ends=True)
def copy_in_interrupted_by_a_query(c):
    """PostgreSQL takes this for a loss of synchronisation: an error, then a fatal one."""
    c.send(query("copy sink from stdin"))
    c.until("G")
    c.send(copy_data("1\tone\n"), query("select 'inside'"))
    c.until_closed()


@script(ends=True)
def copy_in_extended_interrupted_by_a_query(c):
    c.send(parse("copy sink from stdin"), bind(), execute(), flush())
    c.until("G")
    c.send(query("select 'inside'"))
    c.until_closed()


@script(ends=True)
def copy_in_interrupted_by_discard_all(c):
    c.send(query("copy sink from stdin"))
    c.until("G")
    c.send(query("discard all"))
    c.until_closed()


@script(ends=True)
def copy_in_interrupted_by_deallocate(c):
    c.send(query("copy sink from stdin"))
    c.until("G")
    c.send(query("deallocate nothing"))
    c.until_closed()


@script(ends=True)
def copy_in_interrupted_by_a_function_call(c):
    c.send(parse("copy sink from stdin"), bind(), execute(), flush())
    c.until("G")
    c.send(function_call(INT4_PLUS, integers(40, 2)))
    c.until_closed()


@script(ends=True)
def copy_in_interrupted_by_a_batch(c):
    c.send(parse("copy sink from stdin"), bind(), execute(), flush())
    c.until("G")
    c.send_together(copy_data("1\tone\n"), sync(), parse("select 1"), bind(), execute(), sync())
    c.until_closed()


@script()
def copy_in_of_deallocate_and_copy_with_flush_inside(c):
    """A text that concerns prepared statements keeps back what depends on them, but nothing of the COPY."""
    c.send(query("deallocate all; copy sink from stdin"))
    c.until("G")
    c.send(copy_data("1\tone\n"), flush(), copy_data("2\ttwo\n"), copy_done())
    c.ready()


@script()
def copy_in_that_is_skipped(c):
    """The COPY is skipped with the rest of its batch: what follows belongs to no COPY."""
    c.send_together(
        bind(statement="never_prepared"), parse("copy sink from stdin"), bind(), execute(), flush(),
        query("select 'skipped'"), sync(), query("select 'next'"),
    )  # fmt: skip
    c.ready(2)


@script()
def copy_in_twice_in_one_query(c):
    c.send_together(
        query("copy sink from stdin; select 1; copy sink from stdin; select 2"),
        copy_data("1\tone\n"), copy_done(), copy_data("2\ttwo\n"), copy_done(),
    )  # fmt: skip
    c.ready()


@script()
def copy_in_extended(c):
    c.send(parse("copy sink from stdin"), bind(), describe_portal(), execute(), flush())
    c.until("G")
    c.send(copy_data("1\tone\n"), copy_done(), sync())
    c.ready()


@script()
def copy_in_with_a_sync_behind_execute(c):
    """The Sync behind Execute is swallowed by COPY; the one behind CopyDone is answered."""
    c.send_together(parse("copy sink from stdin"), bind(), execute(), sync())
    c.until("G")
    c.send_together(copy_data("1\tone\n"), copy_done(), sync())
    c.ready()
    simple(c, "select 1")


@script()
def copy_in_with_syncs_all_pipelined(c):
    one = (parse("copy sink from stdin"), bind(), execute(), sync(), copy_data("1\tone\n"), copy_done(), sync())
    c.send_together(*one, *one, parse("select 'behind'"), bind(), execute(), sync(), *one)
    c.ready(4)
    simple(c, "select 1")


@script()
def copy_in_pipelined_that_fails_at_parse(c):
    """Nothing is in COPY mode here, so both Syncs are answered."""
    c.send_together(
        parse("copy no_such_table from stdin"), bind(), execute(), sync(), copy_data("1\tone\n"), copy_done(), sync()
    )
    c.ready(2)
    simple(c, "select 1")


@script()
def copy_in_pipelined_that_fails_in_its_data(c):
    c.send_together(
        parse("copy sink from stdin"), bind(), execute(), sync(),
        copy_data("bad\tdata\n"), copy_data("2\ttwo\n"), copy_done(), sync(),
        query("select 'next'"),
    )  # fmt: skip
    c.ready(2)


@script()
def copy_in_extended_given_up(c):
    c.send_together(
        parse("copy sink from stdin"), bind(), execute(), copy_data("1\tone\n"), copy_fail("enough"), sync()
    )
    c.ready()
    c.send_together(parse("select 1"), bind(), execute(), sync())
    c.ready()


@script()
def copy_messages_outside_of_copy(c):
    """PostgreSQL ignores them."""
    c.send_together(copy_data("stray"), copy_done(), copy_fail("stray"), query("select 1"))
    c.ready()
    c.send_together(
        query("begin"), copy_data("stray"), copy_done(), query("select 2"), copy_fail("stray"), query("commit")
    )
    c.ready(3)


@script(large=True)
def copy_in_large(c):
    rows = "".join(f"{i}\t{'c' * 100}\n" for i in range(10_000))
    pieces = [copy_data(rows[at : at + 30_001]) for at in range(0, len(rows), 30_001)]
    c.send_together(
        query("begin; create temp table t (a int, b text) on commit drop; copy t from stdin"), *pieces, copy_done()
    )
    c.ready()
    simple(c, "select count(*), sum(a) from t; commit")


@script(large=True)
def copy_in_one_message_of_three_megabytes(c):
    c.send_together(
        query("begin; create temp table t (a text) on commit drop; copy t from stdin"),
        copy_data("m" * 3_000_000 + "\n"),
        copy_done(),
    )
    c.ready()
    simple(c, "select length(a) from t; rollback")


# --- function call ----------------------------------------------------------------------------------------------------

INT4_PLUS, INT4_DIVIDE = 177, 154


def integers(*values):
    return [struct.pack(">i", value) for value in values]


@script()
def function_calls(c):
    c.send(function_call(INT4_PLUS, integers(40, 2)))
    c.ready()
    c.send(function_call(INT4_PLUS, (b"1", b"2"), argument_formats=(0,), result_format=0))
    c.ready()
    c.send(function_call(INT4_PLUS, [None, struct.pack(">i", 1)]))
    c.ready()


@script()
def function_call_errors(c):
    c.send(function_call(INT4_DIVIDE, integers(1, 0)))
    c.ready()
    c.send(function_call(4_000_000_000, ()))
    c.ready()
    simple(c, "begin")
    c.send(function_call(INT4_DIVIDE, integers(1, 0)))
    c.ready()
    c.send(function_call(INT4_PLUS, integers(1, 1)))
    c.ready()
    simple(c, "rollback")


@script()
def function_calls_pipelined(c):
    c.send_together(
        function_call(INT4_PLUS, integers(1, 2)), query("select 1"), function_call(INT4_DIVIDE, integers(1, 0)),
        parse("select 2"), bind(), execute(), sync(), function_call(INT4_PLUS, integers(3, 4)),
    )  # fmt: skip
    c.ready(5)


# --- a message inside a value stays data ------------------------------------------------------------------------------


@script()
def messages_inside_values(c):
    hidden = query("drop table numbers") + sync() + message("Z", b"I") + message("E", b"SERROR\0C99999\0Mfaked\0\0")
    c.send_together(
        parse("select $1", types=(BYTEA,)), bind((hidden * 50,), formats=(1,), results=(1,)), execute(), sync()
    )
    c.ready()
    simple(c, "select count(*) from numbers", "select decode(repeat('5a0000000549', 2000), 'hex')")


# --- the end ----------------------------------------------------------------------------------------------------------


@script(ends=True)
def work_and_terminate(c):
    simple(c, "select 1")
    c.send(message("X"))
    c.until_closed()


@script(ends=True)
def terminate_behind_a_query(c):
    c.send_together(query("select 1"), message("X"))
    c.until_closed()


@script(ends=True)
def terminate_in_a_transaction(c):
    c.send_together(query("begin"), query("select 1"), message("X"))
    c.until_closed()
