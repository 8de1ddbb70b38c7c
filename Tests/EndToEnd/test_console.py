"""The console: its commands and columns, through the simple and the extended protocol and through real drivers."""

import asyncio
import subprocess

import asyncpg
import pg8000.dbapi
import psycopg
import pytest

from gateway import ADMIN, ADMIN_PASSWORD, BINARY
from server import executable
from wire import (
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
)

DATABASES = ("pggateway", "pgbouncer", "pgdoorman")

#: The columns that monitoring reads, in their order. More may stand behind or between; none of these may be missing.
COLUMNS = {
    "VERSION": ["version"],
    "POOLS": "database user pool_mode cl_idle cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_login "
    "pool_size maxwait maxwait_us avg_xact_time paused".split(),
    "CLIENTS": "client_id database user application_name addr tls state wait transaction_count query_count error_count "
    "age_seconds".split(),
    "SERVERS": "server_id server_process_id database_name user application_name tls state wait transaction_count "
    "query_count bytes_sent bytes_received age_seconds".split(),
    "STATS": "database user total_xact_count total_query_count total_received total_sent total_xact_time "
    "total_query_time total_wait_time total_errors avg_xact_count avg_query_count avg_recv avg_sent avg_errors "
    "avg_xact_time avg_query_time avg_wait_time".split(),
    "DATABASES": "name host port database force_user pool_size min_pool_size reserve_pool pool_mode max_connections "
    "current_connections".split(),
    "USERS": ["name", "pool_mode"],
    "LISTS": ["list", "items"],
    "CONFIG": ["key", "value", "default", "changeable"],
}
SHOWS = ("HELP", *COLUMNS)


def connection_settings(gateway, database="pggateway"):
    return {"host": gateway.host, "port": gateway.port, "user": ADMIN, "password": ADMIN_PASSWORD, "database": database}


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("name", SHOWS)
def test_show(shared, database, name):
    with shared.wire("app", "transaction") as client, shared.wire(ADMIN, database, ADMIN_PASSWORD) as console:
        client.value("select 1")
        console.send(query(f"SHOW {name}"))
        answer = console.ready()
        kinds = [m.kind for m in answer]
        assert kinds[0] == "T" and kinds[-2:] == ["C", "Z"] and set(kinds[1:-2]) <= {"D"}, kinds
        assert answer[-2].tag == "SHOW"
        assert answer[-1].body == b"I"
        names = answer[0].columns
        wanted = COLUMNS.get(name, [])
        assert [n for n in names if n in wanted] == wanted
        assert len(kinds) > 3, "no rows"
        for row in answer[1:-2]:
            assert len(row.values) == len(names)


@pytest.mark.parametrize(
    "spelling", ("show pools", "Show Pools", "  SHOW   POOLS ; ", "SHOW POOLS;", "\nshow\tpools\n;;")
)
def test_spelling(shared, spelling):
    with shared.console_wire() as console:
        expected = [row["user"] for row in console.dicts("SHOW POOLS")]
        assert [row["user"] for row in console.dicts(spelling)] == expected


def test_rows_speak_of_what_is_there(shared):
    with shared.wire("app", "transaction", parameters={"application_name": "whoever"}) as client:
        client.rows("begin work")
        pid = client.value("select pg_backend_pid()")
        clients = [row for row in shared.console("SHOW CLIENTS") if row["application_name"] == "whoever"]
        assert len(clients) == 1
        assert (clients[0]["database"], clients[0]["user"], clients[0]["state"]) == ("transaction", "app", "active")
        assert clients[0]["addr"].startswith("127.0.0.1")
        servers = [row for row in shared.console("SHOW SERVERS") if row["server_process_id"] == pid]
        assert len(servers) == 1 and servers[0]["state"] == "active" and servers[0]["database_name"] == "transaction"
        client.rows("commit")
    names = {row["name"] for row in shared.console("SHOW DATABASES")}
    assert set(shared.settings["pools"]) <= {name.split(".")[0] for name in names} | names
    lists = {row["list"]: int(row["items"]) for row in shared.console("SHOW LISTS")}
    assert {
        "databases",
        "users",
        "pools",
        "free_clients",
        "used_clients",
        "login_clients",
        "free_servers",
        "used_servers",
    } <= lists.keys()
    assert all(count >= 0 for count in lists.values())


def test_statistics_count(make_gateway):
    gateway = make_gateway()
    with gateway.wire() as client:
        client.value("select 1")
        client.rows("begin work")
        client.rows("select 2")
        client.rows("commit")
        client.error("select 1 / 0")
        row = next(r for r in gateway.console("SHOW STATS") if (r["database"], r["user"]) == ("app", "app"))
        assert int(row["total_query_count"]) == 5
        assert int(row["total_xact_count"]) == 3
        assert int(row["total_errors"]) == 1
        assert int(row["total_received"]) > 0 and int(row["total_sent"]) > 0


def test_config_shows_no_secret(shared):
    rows = shared.console("SHOW CONFIG")
    keys = " ".join(row["key"] for row in rows)
    assert all(key in keys for key in ("host", "port", "worker_threads", "query_wait_timeout")), keys
    defaults = {row["key"]: row["default"] for row in rows}
    assert defaults["general.port"] == "5432" and defaults["general.admin_username"] is None
    for name in SHOWS:
        shared.check_secrets(str(shared.console(f"SHOW {name}")))


@pytest.mark.parametrize(
    "sql, states",
    [
        ("SHOW NONSENSE", ("42601", "42704", "22023", "0A000")),
        ("NONSENSE", ("42601", "0A000")),
        ("SHOW", ("42601",)),
        ("SHOW POOLS POOLS POOLS", ("42601", "42704", "22023", "0A000")),
        ("drop table numbers", ("42601", "0A000")),
        ("x" * 4_000, ("42601", "54000", "0A000")),
        ("select * from pg_class", ("42601", "0A000")),
        ("invalidate auth a.b.c", ("42601",)),
        ("invalidate auth no_such_database", ("3D000",)),
        ("invalidate auth no_such_database.app", ("3D000",)),
        ("'", ("42601", "0A000")),
        ("\u00e4\u00f6 \U0001f600", ("42601", "0A000")),
    ],
    ids=lambda v: v[:20] if isinstance(v, str) else "",
)
def test_errors_leave_the_session_open(shared, sql, states):
    with shared.console_wire() as console:
        fields = console.error(sql)
        assert fields["S"] == fields["V"] == "ERROR"
        assert fields["C"] in states, fields
        assert console.dicts("SHOW VERSION")


@pytest.mark.parametrize(
    "sqlstate, messages",
    [
        ("25001", query("begin; discard all")),
        ("55000", parse("set jit to off") + bind() + execute() + execute() + sync()),
        ("22023", parse("show version") + bind(results=(2,)) + sync()),
        ("22021", message("Q", b"show \xff\0")),
    ],
)
def test_the_page_has_the_errors_of_drivers(shared, sqlstate, messages):
    with shared.console_wire() as console:
        console.send(messages)
        assert console.until("E")[-1].sqlstate == sqlstate
    page = subprocess.run([str(BINARY), "reference", "console"], capture_output=True, text=True, check=True).stdout
    errors = page.split("## Errors")[1]
    # 22023 has two reasons.
    assert f"| {sqlstate} | " in errors and (sqlstate != "22023" or "format code" in errors)


def test_a_gigantic_command_is_refused(shared):
    with shared.console_wire() as console:
        console.send(query("x" * 1_000_000))
        assert console.until("E")[-1].sqlstate in ("08P01", "42601", "54000")
    assert shared.console("SHOW VERSION")


@pytest.mark.parametrize("sql", ("", ";", "   ", ";;;", "-- nothing", "/* nothing */"))
def test_empty_commands(shared, sql):
    with shared.console_wire() as console:
        console.send(query(sql))
        kinds = [m.kind for m in console.ready()]
        assert kinds in (["I", "Z"], ["E", "Z"]), kinds
        assert console.dicts("SHOW VERSION")


def test_extended_protocol(shared):
    with shared.console_wire() as console:
        console.send_together(parse("SHOW POOLS"), bind(), describe_portal(), execute(), sync())
        kinds = [m.kind for m in console.ready()]
        assert kinds[:3] == ["1", "2", "T"] and kinds[-2:] == ["C", "Z"] and "D" in kinds
        console.send_together(parse("SHOW VERSION", "named"), describe_statement("named"), sync())
        assert [m.kind for m in console.ready()] == ["1", "t", "T", "Z"]
        for _ in range(2):
            console.send_together(bind(statement="named", portal="p"), execute("p"), sync())
            assert [m.kind for m in console.ready()] == ["2", "D", "C", "Z"]
        console.send_together(close_statement("named"), bind(statement="named"), sync())
        assert [m.kind for m in console.ready()] == ["3", "E", "Z"]
        console.send_together(
            parse("SHOW NONSENSE"), bind(), execute(), sync(), parse("SHOW VERSION"), bind(), execute(), sync()
        )
        answer = "".join(m.kind for m in console.ready(2))
        assert answer in ("EZ12DCZ", "1EZ12DCZ", "12EZ12DCZ"), answer
        console.send(parse("SHOW VERSION"), flush())
        console.until("1")
        console.send(bind(), execute(), flush())
        console.until("C")
        console.send(sync())
        console.ready()
        console.send_together(parse("RELOAD"), bind(), describe_portal(), execute(), sync())
        assert [m.kind for m in console.ready()] == ["1", "2", "n", "C", "Z"]


def test_extended_protocol_in_binary_or_with_parameters_fails_politely(shared):
    with shared.console_wire() as console:
        for batch in (
            parse("SHOW $1", types=(25,)) + bind(("POOLS",)) + execute() + sync(),
            parse("SHOW POOLS") + bind(("extra",)) + execute() + sync(),
            bind(statement="unknown") + sync(),
            execute("unknown") + sync(),
        ):
            console.send(batch)
            answer = console.ready()
            assert "E" in [m.kind for m in answer], [str(m) for m in answer]
        assert console.dicts("SHOW VERSION")


@pytest.mark.parametrize("database", DATABASES)
def test_psql(shared, database):
    settings = {"PGPASSWORD": ADMIN_PASSWORD, "PATH": "/usr/bin:/bin", "PGSSLMODE": "disable"}
    words = ["-X", "-A", "-t", "-h", shared.host, "-p", str(shared.port), "-U", ADMIN, "-d", database]
    commands = ["SHOW VERSION", "SHOW POOLS;", "show help", "SHOW NONSENSE", "SHOW LISTS"]
    for command in commands:
        done = subprocess.run(
            [executable("psql"), *words, "-c", command], env=settings, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode == 0) == (command != "SHOW NONSENSE"), done.stderr
        assert "server closed" not in done.stderr
    done = subprocess.run(
        [executable("psql"), *words],
        input=";\n".join(commands) + ";\n",
        env=settings,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "transaction|app|" in done.stdout and "ERROR" in done.stderr and "used_clients" in done.stdout


@pytest.mark.parametrize("database", DATABASES)
def test_psycopg(shared, database):
    settings = connection_settings(shared, database)
    settings["dbname"] = settings.pop("database")
    with psycopg.connect(**settings, autocommit=True) as console:
        for prepare in (None, True, False):
            rows = console.execute("SHOW POOLS", prepare=prepare).fetchall()
            assert any(row[:2] == ("transaction", "app") for row in rows)
        with pytest.raises(psycopg.Error) as problem:
            console.execute("SHOW NONSENSE")
        assert problem.value.sqlstate and problem.value.diag.severity == "ERROR"
        assert console.execute("SHOW VERSION").fetchone()
        assert psycopg.ClientCursor(console).execute("SHOW DATABASES").fetchall()


def test_savepoints_of_psycopg(shared):
    settings = connection_settings(shared)
    settings["dbname"] = settings.pop("database")
    with psycopg.connect(**settings, autocommit=True) as console, console.transaction():
        with console.transaction():
            assert console.execute("SHOW VERSION").fetchone()
        with pytest.raises(psycopg.Error), console.transaction():
            console.execute("SHOW NONSENSE")
        assert console.execute("SHOW VERSION").fetchone(), "the error was in the inner one"


def test_savepoints_of_psql(shared):
    """As it sets them before each statement of a transaction when it is told to survive errors."""
    settings = {"PGPASSWORD": ADMIN_PASSWORD, "PATH": "/usr/bin:/bin", "PGSSLMODE": "disable"}
    words = ["-X", "-A", "-t", "-h", shared.host, "-p", str(shared.port), "-U", ADMIN, "-d", "pggateway"]
    done = subprocess.run(
        [executable("psql"), *words, "-v", "ON_ERROR_ROLLBACK=on"],
        input="begin;\nshow version;\nshow nonsense;\nshow lists;\ncommit;\n",
        env=settings,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stderr.count("ERROR") == 1 and "NONSENSE" in done.stderr.upper(), done.stderr
    assert "used_clients" in done.stdout and done.stdout.rstrip().endswith("COMMIT"), done.stdout


@pytest.mark.parametrize("cache", (0, 100))
def test_asyncpg(shared, cache):
    async def main():
        console = await asyncpg.connect(**connection_settings(shared), statement_cache_size=cache, ssl=False)
        for _ in range(2):
            rows = await console.fetch("SHOW POOLS")
            assert any((row["database"], row["user"]) == ("transaction", "app") for row in rows)
            assert all(isinstance(row["pool_size"], int) or str(row["pool_size"]).isdigit() for row in rows)
        with pytest.raises(asyncpg.PostgresError):
            await console.fetch("SHOW NONSENSE")
        assert await console.fetch("SHOW STATS") is not None
        assert await console.fetch("SHOW CLIENTS")
        await console.close()

    asyncio.run(main())


def test_pg8000(shared):
    console = pg8000.dbapi.connect(**connection_settings(shared))
    console.autocommit = True
    cursor = console.cursor()
    cursor.execute("SHOW POOLS")
    assert any(list(row[:2]) == ["transaction", "app"] for row in cursor.fetchall())
    with pytest.raises(pg8000.dbapi.DatabaseError):
        cursor.execute("SHOW NONSENSE")
    cursor.execute("SHOW VERSION")
    assert cursor.fetchone()
    console.close()


def test_a_slow_reader_gets_all_answers(gateway):
    """The console stops reading while its answers are not taken, and goes on when they are."""
    commands = 1500
    with gateway.console_wire(receive_buffer=4096) as console:
        console.send_together(*[query("show config") for _ in range(commands)])
        for _ in range(commands):
            assert console.ready()[-1].body == b"I"
