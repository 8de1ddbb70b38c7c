"""What ends with the transaction by itself costs no clean-up; what does not is cleaned."""

import pytest

from wire import bind, execute, parse, query, sync

FIND = "select coalesce(to_regclass('pg_temp.t')::text, '')"
PATH = '"$user", public'
CLEANING = ("RESET ALL", "DISCARD", "DEALLOCATE", "pg_advisory_unlock_all", "UNLISTEN")


@pytest.fixture
def talk(make_gateway, postgres):
    """Runs texts as one client of a pool with one server; returns how many clean-ups its server was sent."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    clients = []

    def run(*texts, extended=False):
        client = gateway.wire()
        clients.append(client)
        pid = client.value("select pg_backend_pid()")
        start = postgres.log_size()
        for text in texts:
            if extended:
                client.send_together(parse(text), bind(), execute(), sync())
            else:
                client.send(query(text))
            assert "E" not in [m.kind for m in client.ready()], text
        # The answer to this comes behind every clean-up.
        assert client.value("select pg_backend_pid()") == pid
        own = [line for line in postgres.log_since(start).splitlines() if line.startswith(f"{pid} ")]
        return sum(any(word in line for word in CLEANING) for line in own)

    yield run
    for client in clients:
        client.close()


LOCAL = [
    ["select set_config('work_mem', '1MB', true)"],
    ["begin", "select set_config('work_mem', '1MB', true)", "select 1", "commit"],
    ["select set_config('my.claim', 'x', true), set_config('work_mem', '1MB', true)"],
    ["begin", "set local work_mem = '1MB'", "select 1", "commit"],
    ["begin; set transaction isolation level serializable; set local work_mem = '1MB'; commit"],
    ["create temp table t (a int) on commit drop"],
    ["begin", "create temp table t (a int) on commit drop", "insert into t values (1)", "commit"],
    ["begin; create temp table t on commit drop as select 1 as a; select * from t; commit"],
]
LASTING = [
    (["select set_config('work_mem', '1MB', false)"], "show work_mem", "4MB"),
    (["select set_config('work_mem', '1MB', 1 = 2)"], "show work_mem", "4MB"),
    (["select set_config('my.claim', 'x', true), set_config('work_mem', '1MB', false)"], "show work_mem", "4MB"),
    (["begin", "set local work_mem = '1MB'", "set work_mem = '2MB'", "commit"], "show work_mem", "4MB"),
    # A rule of the view calls set_config.
    (["update pg_settings set setting = '1024' where name = 'work_mem'"], "show work_mem", "4MB"),
    (["UPDATE pg_catalog.\"pg_settings\" SET setting = '1024' WHERE name = 'work_mem'"], "show work_mem", "4MB"),
    (["set work_mem = '2MB' -- " + "long " * 20_000], "show work_mem", "4MB"),
    (["select set_config('work_mem', '1MB', false) -- " + "long " * 40_000], "show work_mem", "4MB"),
    (["select pg_advisory_lock(3) -- " + "long " * 40_000], "select count(*) from pg_locks where objid = 3", "0"),
    (["create temp table t (a int) -- " + "long " * 40_000], FIND, ""),
    # What is created along such a path is temporary.
    (["begin", "set local search_path = 'pg_temp'", "create table t (a int)", "commit"], FIND, ""),
    (["begin", "select set_config('search_path', 'pg_temp', true)", "create table t (a int)", "commit"], FIND, ""),
    (["begin", "set local search_path = E'pg\\x5ftemp'", "create table t (a int)", "commit"], FIND, ""),
    (["begin", "set local search_path = U&'pg!005ftemp' uescape '!'", "create table t (a int)", "commit"], FIND, ""),
    (["begin", "set local search_path = 'pg_'\n'temp'", "create table t (a int)", "commit"], FIND, ""),
    (["do $$ begin create temp table t (a int); end $$"], FIND, ""),
    (["do $$ begin listen told; end $$"], "select count(*) from pg_listening_channels()", "0"),
    (["do $$ begin execute 'lis' || 'ten told'; end $$"], "select count(*) from pg_listening_channels()", "0"),
    (["do $$ begin set work_mem = '1MB'; end $$"], "show work_mem", "4MB"),
    (["do $$ begin execute format('set %I = 1024', 'work_mem'); end $$"], "show work_mem", "4MB"),
    (["set global.tenant = '7'"], "select coalesce(current_setting('global.tenant', true), '')", ""),
    (["set local.tenant to '7'"], "select coalesce(current_setting('local.tenant', true), '')", ""),
    (["select 1 as insert into temp t"], FIND, ""),
    (["do $$ begin perform pg_advisory_lock(3); end $$"], "select count(*) from pg_locks where objid = 3", "0"),
    (["create temp table t (a int)"], FIND, ""),
    (["update pg_catalog.pg_settings set setting = 'x' where name = 'search_path'"], "show search_path", PATH),
    (["select U&\"set\\005fconfig\"('work_mem', '1MB', false)"], "show work_mem", "4MB"),
    (["select U&\"pg\\005fadvisory\\005flock\"(3)"], "select count(*) from pg_locks where objid = 3", "0"),
    (['create table U&"pg\\005ftemp".t (a int)'], FIND, ""),
    (["create temp table t (a int) on commit delete rows"], FIND, ""),
]


# Several statements in one text are for simple queries alone.
@pytest.mark.parametrize(
    "texts, extended", [(texts, way) for texts in LOCAL for way in (False, True) if not (way and ";" in "".join(texts))]
)
def test_nothing_is_cleaned(talk, texts, extended):
    for _ in range(2):
        assert talk(*texts, extended=extended) == 0


@pytest.mark.parametrize("extended", (False, True))
@pytest.mark.parametrize(
    "texts, look, clean", LASTING, ids=lambda value: value[0][:60] if isinstance(value, list) else ""
)
def test_what_lasts_is_cleaned(make_gateway, talk, texts, look, clean, extended):
    assert talk(*texts, extended=extended) == 1
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client, gateway.wire() as other:
        for text in texts:
            client.send(query(text))
            client.ready()
        assert other.value(look) == clean


def test_what_a_path_of_the_startup_packet_makes_temporary_is_cleaned(make_gateway):
    gateway = make_gateway(pool_options={"pool_size": 1})
    parameters = {"search_path": "pg_temp"}
    with gateway.wire(parameters=parameters) as client, gateway.wire(parameters=parameters) as other:
        client.rows("create table t as select 'mine' as a")
        assert other.value(FIND) == ""


@pytest.mark.parametrize("syncs", (True, False), ids=("synchronised", "not synchronised"))
def test_what_a_path_of_the_operator_makes_temporary_is_cleaned(make_gateway, syncs):
    options = {"pool_size": 1, "startup_parameters": {"search_path": "pg_temp, public"}}
    gateway = make_gateway(pool_options=options, general={"sync_server_parameters": syncs})
    with gateway.wire() as client, gateway.wire() as other:
        client.rows("create table t as select 'mine' as a")
        assert other.value(FIND) == ""


def test_a_table_in_the_numbered_temporary_schema_is_cleaned(make_gateway):
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client, gateway.wire() as other:
        client.rows("create temp table t on commit drop as select 1 as a")
        schema = client.value("select pg_my_temp_schema()::regnamespace")
        client.rows(f"create table {schema}.numbered as select 'mine' as a")
        assert other.value("select coalesce(to_regclass('numbered')::text, '')") == ""


LOCKS = "select count(*) from pg_locks where objid = 1234"


@pytest.mark.parametrize(
    "text, look, clean",
    (
        (b"select E'\x83\x5c'; select set_config('work_mem', '1MB', false); select '1'", "show work_mem", "4MB"),
        (b"select E'\x83\x5c', pg_advisory_lock(1234), '1'", LOCKS, "0"),
        (b"select 1 as \x83\x7c$a$, set_config('work_mem', '1MB', false) as \x83\x7c$a$", "show work_mem", "4MB"),
        (b"select 1 as \x83\x7c$a$, pg_advisory_lock(1234) as \x83\x7c$a$", LOCKS, "0"),
    ),
    ids=("setting, backslash", "lock, backslash", "setting, symbol", "lock, symbol"),
)
@pytest.mark.parametrize("how", ("query", "prepared", "prepared before", "prepared by another"))
def test_a_letter_that_ends_in_a_symbol_hides_nothing(make_gateway, text, look, clean, how):
    """In SJIS the second byte of a letter may be a backslash, which escapes no quote, or another symbol (83 7C), behind
    which what looks like a dollar quote is a part of a name."""
    if how != "query":
        # What is prepared is one statement.
        text = text.replace(b"; select", b",")
    gateway = make_gateway(pool_options={"pool_size": 1})
    encoding = {"client_encoding": "SJIS"}
    executed = bind(statement="s") + execute() + sync()
    with gateway.wire(parameters=encoding) as client, gateway.wire() as other:
        if how == "query":
            client.send(query(text))
        elif how == "prepared":
            client.send_together(parse(text, "s"), executed)
        else:
            if how == "prepared by another":
                with gateway.wire(parameters=encoding) as first:
                    first.send_together(parse(text, "s"), sync())
                    assert [m.kind for m in first.ready()] == ["1", "Z"]
            client.send_together(parse(text, "s"), sync())
            assert [m.kind for m in client.ready()] == ["1", "Z"]
            client.send(executed)
        assert "E" not in [m.kind for m in client.ready()]
        assert other.value(look) == clean
    gateway.wait_idle()


BLOCKS = {
    "by name": "do $$ begin execute 'deallocate {0}'; execute 'prepare {0} as select ''another''::text'; end $$",
    "all": "do $$ begin execute 'deallocate all'; execute 'prepare {0} as select ''another''::text'; end $$",
    "gone": "do $$ begin execute 'deallocate all'; end $$",
    "long": "do $$ begin execute 'deallocate all'; end $$ -- " + "long " * 40_000,
    "long and failing": "do $$ begin execute 'deallocate all'; raise 'told'; end $$ -- " + "long " * 40_000,
    "put together": "do $$ begin execute 'deal' || 'locate all'; end $$",
    "behind a deallocate": "deallocate all; " + "do $$ begin execute 'prepare {0} as select ''another''::text'; end $$",
}


# Several statements in one text are for simple queries alone, and only those may be too long to be looked into.
@pytest.mark.parametrize(
    "block, extended", [(name, way) for name in BLOCKS for way in (False, True) if not way or name in list(BLOCKS)[:3]]
)
def test_a_block_changes_nobody_s_statements(make_gateway, block, extended):
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client, gateway.wire() as other:
        other.send_together(parse("select 'its own'::text", "s"), bind((), "", "s"), execute(), sync())
        assert [m.values for m in other.ready() if m.kind == "D"] == [[b"its own"]]
        name = client.value("select name from pg_prepared_statements where statement like '%its own%' and name <> ''")
        assert name.startswith("pggateway_")
        text = BLOCKS[block].format(name)
        if extended:
            client.send_together(parse(text), bind(), execute(), sync())
        else:
            client.send(query(text))
        assert ("E" in [m.kind for m in client.ready()]) == ("failing" in block)
        other.send_together(bind((), "", "s"), execute(), sync())
        assert [m.values for m in other.ready() if m.kind == "D"] == [[b"its own"]]


def test_a_long_query_without_a_block_costs_a_server_nothing_of_what_it_has_prepared(make_gateway):
    gateway = make_gateway(pool_options={"pool_size": 1})
    prepared = "select count(*) from pg_prepared_statements where statement like '%its own%' and name like 'pggateway%'"
    with gateway.wire() as client, gateway.wire() as other:
        other.send_together(parse("select 'its own'::text", "s"), bind((), "", "s"), execute(), sync())
        other.ready()
        for end in ("", "; select 1"):
            client.send(query("select '" + "long " * 40_000 + "' is null" + end))
            assert "E" not in [m.kind for m in client.ready()]
            assert client.value(prepared) == "1"


def test_a_name_beyond_ascii_of_a_parameter_goes_with_its_client(make_gateway):
    """It is reset while the session still has the encoding of that client."""
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire(parameters={"client_encoding": "LATIN1", "options": "-c app.é=mine"}) as client:
        client.rows("select 1")
        with gateway.wire() as other:
            assert other.value("select coalesce(current_setting('app.é', true), '')") == ""


def test_a_cursor_that_a_block_leaves_is_closed(make_gateway):
    gateway = make_gateway(pool_options={"pool_size": 1})
    with gateway.wire() as client, gateway.wire() as other:
        client.rows("do $$ begin execute 'declare c cursor with hold for select 1'; end $$")
        assert other.value("select count(*) from pg_cursors where name = 'c'") == "0"
