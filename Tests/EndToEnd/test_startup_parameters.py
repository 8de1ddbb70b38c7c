"""The operator's `startup_parameters` and `application_name`: what servers start with, and what clients find."""

import socket
import struct

import pytest

from fakeserver import FakeServer, error, plain_answer, ready
from gateway import pool
from polling import wait_until
from wire import LoginRefused, bind, execute, parse, query, sync

MODES = ("transaction", "session", "statement")


def show(client, name):
    return client.value(f"show {name}")


def users(postgres, **options):
    return [{"username": "app_trust", "password": postgres.secrets["app_trust"], "pool_size": 1, **options}]


@pytest.fixture
def levels(make_gateway, postgres):
    """A pool in each mode, with parameters on all three levels."""
    own = {"work_mem": "3MB", "statement_timeout": "30s"}
    pools = {
        mode: pool(
            postgres,
            mode,
            users_=users(postgres, startup_parameters=own),
            startup_parameters={"Work_Mem": "2MB", "maintenance_work_mem": "20MB", "my.setting": "it's"},
        )
        for mode in MODES
    }
    general = {"startup_parameters": {"work_mem": "1MB", "maintenance_work_mem": "10MB", "TimeZone": "Asia/Tokyo"}}
    return make_gateway(pools, general)


EFFECTIVE = {
    "work_mem": "3MB",
    "statement_timeout": "30s",
    "maintenance_work_mem": "20MB",
    "my.setting": "it's",
    "TimeZone": "Asia/Tokyo",
}


@pytest.mark.parametrize("mode", MODES)
def test_the_nearest_level_wins(levels, mode):
    with levels.wire("app_trust", mode) as client:
        assert client.parameters["TimeZone"] == "Asia/Tokyo"
        assert {name: show(client, name) for name in EFFECTIVE} == EFFECTIVE


@pytest.mark.parametrize("mode", MODES)
def test_they_win_over_the_client(levels, postgres, mode):
    """Whatever way it asks; what the operator leaves alone is the client's."""
    options = ("options", "-c WORK_MEM=9MB --my.setting=x")
    asked = [("timezone", "Europe/Berlin"), options, ("IntervalStyle", "iso_8601")]
    with levels.wire("app_trust", mode, parameters=asked) as client:
        assert client.parameters["TimeZone"] == "Asia/Tokyo"
        assert client.parameters["IntervalStyle"] == "iso_8601"
        assert {name: show(client, name) for name in EFFECTIVE} == EFFECTIVE
        assert show(client, "IntervalStyle") == "iso_8601"
    with levels.wire("app_trust", mode) as client:
        assert client.parameters["IntervalStyle"] == "postgres"
        assert show(client, "IntervalStyle") == "postgres"


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("reset", ("reset all", "reset work_mem", "set work_mem to default", "discard all"))
def test_resets_return_to_them(levels, mode, reset):
    with levels.wire("app_trust", mode) as client:
        if mode == "session":
            client.rows("set work_mem = '7MB'")
            assert show(client, "work_mem") == "7MB"
        client.rows(reset)
        assert show(client, "work_mem") == "3MB"
        client.rows("begin work")
        client.rows("set work_mem = '8MB'")
        assert show(client, "work_mem") == "8MB"
        client.rows("rollback")
        assert show(client, "work_mem") == "3MB"


def test_the_clean_up_returns_to_them(levels):
    with levels.wire("app_trust", "transaction") as client:
        pid = client.value("select pg_backend_pid()")
        client.rows("set work_mem = '7MB'; set timezone = 'UTC'")
        assert (show(client, "work_mem"), show(client, "timezone")) == ("3MB", "Asia/Tokyo")
        assert client.value("select pg_backend_pid()") == pid


def test_a_reload_puts_them_in_force(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, users_=users(postgres))})
    berlin = [("TimeZone", "Europe/Berlin")]
    with gateway.wire("app_trust") as plain, gateway.wire("app_trust", parameters=berlin) as asking:
        assert (show(plain, "work_mem"), show(asking, "timezone")) == ("4MB", "Europe/Berlin")
        gateway.reload(general={"startup_parameters": {"work_mem": "6MB", "timezone": "Asia/Tokyo"}})
        assert (show(plain, "work_mem"), show(plain, "timezone")) == ("6MB", "Asia/Tokyo")
        assert show(asking, "timezone") == "Asia/Tokyo"
        gateway.reload(general={"startup_parameters": {"timezone": None}})
        # What the operator has let go is the client's again.
        assert (show(plain, "work_mem"), show(asking, "timezone")) == ("6MB", "Europe/Berlin")
        pid = plain.value("select pg_backend_pid()")
        gateway.reload()
        assert plain.value("select pg_backend_pid()") == pid


def test_a_reload_lets_transactions_finish(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, users_=users(postgres))})
    with gateway.wire("app_trust") as client:
        client.rows("begin work")
        assert show(client, "work_mem") == "4MB"
        gateway.reload(general={"startup_parameters": {"work_mem": "6MB"}})
        assert show(client, "work_mem") == "4MB"
        client.rows("commit")
        assert show(client, "work_mem") == "6MB"


@pytest.mark.parametrize(
    "name, value, state", [("no_such_parameter", "x", "42704"), ("work_mem", "much", "22023"), ("port", "1", "55P02")]
)
def test_what_postgresql_refuses_is_told_in_its_words(make_gateway, postgres, name, value, state):
    gateway = make_gateway({"app": pool(postgres, users_=users(postgres), startup_parameters={name: value})})
    with pytest.raises(LoginRefused) as refused:
        gateway.wire("app_trust")
    assert refused.value.sqlstate == state
    assert name in refused.value.fields["M"]


def test_bad_names_end_with_78(make_gateway):
    for name in ("role", "Options", "_pq_.x", "a b"):
        gateway = make_gateway(start=False)
        gateway.judged = True
        gateway.change(pools={"app": {"startup_parameters": {name: "x"}}})
        status, output = gateway.run_to_end("-t")
        assert status == 78 and f"startup_parameters.{name}" in output, output


def test_the_packet_to_the_server(make_gateway):
    seen = []

    def script(peer):
        seen.append(peer.login())
        peer.serve()

    with FakeServer(script) as server:
        chosen = server.pool()
        chosen["startup_parameters"] = {"Application_Name": "operator", "extra_float_digits": "3"}
        gateway = make_gateway({"app": chosen}, hba="host all all 127.0.0.1/32 trust")
        with gateway.wire("app", "app", parameters=[("application_name", "mine"), ("work_mem", "1MB")]) as client:
            client.value("select 1")
    del seen[0]["protocol"]
    assert seen[0] == {"user": "app", "database": "fake", "application_name": "operator", "extra_float_digits": "3"}


def test_the_console_shows_them(levels):
    rows = levels.console("SHOW STARTUP_PARAMETERS")
    assert len(rows) == 5 * len(MODES)
    assert [tuple(row.values()) for row in rows if row["database"] == "transaction"] == [
        ("app_trust", "transaction", "maintenance_work_mem", "20MB", "pool", "applied"),
        ("app_trust", "transaction", "my.setting", "it's", "pool", "applied"),
        ("app_trust", "transaction", "statement_timeout", "30s", "user", "applied"),
        ("app_trust", "transaction", "TimeZone", "Asia/Tokyo", "general", "applied"),
        ("app_trust", "transaction", "work_mem", "3MB", "user", "applied"),
    ]


# --- application_name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", (None, "shop"))
def test_clients_without_a_name_have_that_of_the_pool(make_gateway, postgres, mode, name):
    options = {"application_name": name} if name else {}
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1, **options)})
    expected = name or "pggateway"
    for asked, found in ((None, expected), ("mine", "mine"), (None, expected), ("", ""), (None, expected)):
        parameters = {} if asked is None else {"application_name": asked}
        with gateway.wire("app_md5", parameters=parameters) as client:
            assert client.parameters["application_name"] == found
            assert show(client, "application_name") == found
            (row,) = [row for row in gateway.console("SHOW CLIENTS") if row["user"] == "app_md5"]
            assert row["application_name"] == found
        wait_until(lambda: not int(gateway.pool_row(user="app_md5")["cl_idle"]), "the client is gone")


def test_a_name_of_the_operator_is_everybody_s(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, startup_parameters={"application_name": "all"})})
    for parameters in ({}, {"application_name": "mine"}):
        with gateway.wire(parameters=parameters) as client:
            assert client.parameters["application_name"] == show(client, "application_name") == "all"
    (row,) = [row for row in gateway.console("SHOW SERVERS") if row["user"] == "app"]
    assert row["application_name"] == "all"


def test_the_name_is_reported_as_by_postgresql(make_gateway, postgres):
    """Unprintable bytes become question marks, and 63 bytes are kept."""
    for name in ("prüfung", "x" * 80):
        gateway = make_gateway({"app": pool(postgres, application_name=name)})
        with postgres.wire("app", "app") as direct:
            direct.rows(f"set application_name = '{name}'")
            expected = show(direct, "application_name")
        with gateway.wire() as client:
            assert client.parameters["application_name"] == show(client, "application_name") == expected


def test_a_reload_changes_the_name_of_nameless_clients(make_gateway):
    gateway = make_gateway()
    with gateway.wire() as nameless, gateway.wire(parameters={"application_name": "mine"}) as named:
        gateway.reload(pools={"app": {"application_name": "later"}})
        assert (show(nameless, "application_name"), show(named, "application_name")) == ("later", "mine")


CONSTANT = "select extract(epoch from '2024-01-01 00:00'::timestamptz)::bigint"
IN_UTC, IN_TOKYO = b"1704067200", b"1704034800"


def answer_of(client, name, prepares):
    """What the statement `name` gives that has a constant to be read in the client's time zone."""
    client.send_together(*([parse(CONSTANT, name)] if prepares else []), bind(statement=name), execute(), sync())
    answer = client.ready()
    assert not [str(m) for m in answer if m.kind == "E"]
    return next(m.values[0] for m in answer if m.kind == "D")


@pytest.mark.parametrize("name", ("named", ""), ids=("named", "unnamed"))
def test_statements_follow_the_time_zone_that_the_operator_lets_go_of(make_gateway, postgres, name):
    """From then on two clients have zones of their own, and share no statement, old or new."""
    gateway = make_gateway(
        {"app": pool(postgres, users_=users(postgres))}, {"startup_parameters": {"TimeZone": "UTC"}}
    )
    with (
        gateway.wire("app_trust", parameters={"TimeZone": "Asia/Tokyo"}) as tokyo,
        gateway.wire("app_trust") as plain,
    ):
        for client in (tokyo, plain):
            assert answer_of(client, name, prepares=True) == IN_UTC
        gateway.settings["general"].pop("startup_parameters")
        gateway.reload(general={})
        assert (show(tokyo, "TimeZone"), show(plain, "TimeZone")) == ("Asia/Tokyo", "Etc/UTC")
        for _ in range(2):
            # Simple queries have taken the unnamed statement away.
            assert answer_of(tokyo, name, prepares=not name) == IN_TOKYO
            assert answer_of(plain, name, prepares=not name) == IN_UTC
        for client, expected in ((tokyo, IN_TOKYO), (plain, IN_UTC)):
            assert answer_of(client, "another", prepares=True) == expected
    gateway.wait_idle()


def test_greetings_stay_whole_however_many_are_asked_for(make_gateway, postgres):
    """More sets of startup parameters than are remembered; each client is told everything."""
    gateway = make_gateway()
    with gateway.wire() as client:
        everything = set(client.parameters)
    for number in range(140):
        with gateway.wire(parameters={"my.number": str(number)}) as client:
            assert set(client.parameters) == everything, f"the {number}th client"


# --- from one client to the next --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ("transaction", "statement"))
@pytest.mark.parametrize("how", ("startup", "set"))
def test_half_a_date_style_takes_nothing_of_the_client_before(make_gateway, postgres, mode, how):
    """pgjdbc says `ISO` and leaves the order of day and month to the server."""
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    other = {"DateStyle": "SQL, DMY"} if how == "startup" else {}
    with gateway.wire(parameters={"DateStyle": "ISO"}) as client, gateway.wire(parameters=other) as before:
        if how == "set":
            before.rows("set datestyle to 'SQL, DMY'")
        for _ in range(2):
            assert show(before, "DateStyle") == "SQL, DMY"
            assert client.parameters["DateStyle"] == show(client, "DateStyle") == "ISO, MDY"
            assert show(before, "DateStyle") == "SQL, DMY"
            assert client.value("select '01/02/2024'::date") == "2024-01-02"
    gateway.wait_idle()


def test_with_cleaning_off_a_set_is_its_client_s(make_gateway, postgres):
    """Both have begun with the same time zone."""
    gateway = make_gateway({"app": pool(postgres, pool_size=1, cleanup_server_connections=False)})
    begun = {"TimeZone": "UTC"}
    with gateway.wire(parameters=begun) as client, gateway.wire(parameters=begun) as other:
        client.rows("set timezone to 'Asia/Tokyo'")
        for _ in range(2):
            assert show(other, "TimeZone") == "UTC"
            assert show(client, "TimeZone") == "Asia/Tokyo"
    gateway.wait_idle()


@pytest.mark.parametrize("mode, kept", (("transaction", "0"), ("statement", "0"), ("session", "5min")))
def test_no_client_says_how_long_a_pool_s_servers_may_be_idle(make_gateway, postgres, mode, kept):
    """The end of such a session would meet the request of the next client."""
    gateway = make_gateway({"app": pool(postgres, mode, users_=users(postgres))})
    with gateway.wire("app_trust", parameters={"options": "-c Idle_Session_Timeout=300000 -c work_mem=3MB"}) as client:
        own = client.rows("select current_setting('idle_session_timeout'), current_setting('work_mem')")
        assert own == [[kept, "3MB"]]


@pytest.mark.parametrize("mode", MODES)
def test_the_operator_says_how_long_a_pool_s_servers_may_be_idle(make_gateway, postgres, mode):
    own = {"startup_parameters": {"idle_session_timeout": "10min"}}
    gateway = make_gateway({"app": pool(postgres, mode, users_=users(postgres), **own)})
    for asked in ({}, {"idle_session_timeout": "5min"}):
        with gateway.wire("app_trust", parameters=asked) as client:
            assert show(client, "idle_session_timeout") == "10min"


def test_a_program_may_call_itself_by_a_name_that_is_not_utf_8(make_gateway):
    """A program of a LATIN1 environment, which PostgreSQL lets in."""
    gateway = make_gateway()
    with gateway.wire(parameters={"application_name": b"caf\xe9"}) as client:
        assert client.parameters["application_name"] == show(client, "application_name") == "caf?"
    gateway.wait_idle()


# --- parameters that a server refuses later ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ("simple", "extended"))
@pytest.mark.parametrize("mode", MODES)
def test_no_request_runs_without_the_role_that_was_taken_away(make_gateway, postgres, mode, protocol):
    """Nor by the `search_path` of the client before; and the next login is refused, as by PostgreSQL."""
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    with postgres.admin() as admin:
        admin.execute("drop role if exists limited; create role limited; grant limited to app")
        admin.execute("create schema other; create table public.t (i int); create table other.t (i int)")
        admin.execute("grant usage on schema other to public; grant insert on public.t, other.t to public")
    try:
        limited = {"options": "-c role=limited"}
        with gateway.wire(parameters=limited) as client:
            assert client.value("select current_user") == "limited"
            if mode == "session":
                client.leave()
                client = gateway.wire(parameters=limited)
            with gateway.wire(parameters={"search_path": "other"}) as other:
                assert other.value("select 1") == "1"
            with postgres.admin() as admin:
                admin.execute("revoke limited from app")
            statement = "insert into t values (1)"
            client.send(query(statement) if protocol == "simple" else parse("", statement) + bind() + execute() + sync())
            last = client.until_closed()[-1]
            assert (last.fields["S"], last.sqlstate) == ("FATAL", "42501"), str(last)
            client.close()
        with pytest.raises(LoginRefused) as refusal:
            gateway.wire(parameters=limited)
        assert refusal.value.sqlstate == "42501"
        assert postgres.value("select (select count(*) from t) + (select count(*) from other.t)") == 0
        gateway.wait_idle()
    finally:
        with postgres.admin() as admin:
            admin.execute("drop schema other cascade; drop table public.t; drop role limited")


def test_no_client_s_timeout_ends_what_precedes_the_next_one_s_request(make_gateway):
    """Which does not run then; it goes to another server."""
    ran = []

    def script(peer):
        peer.login()
        applied = ""
        while True:
            sql = peer.next_query()
            ran.append((peer, sql))
            if "statement_timeout" in sql:
                applied = "timeout" if "set_config" in sql else ""
                if not applied and len(server.peers) < 3:
                    peer.send(error("57014", "canceling statement due to statement timeout") + ready())
                    continue
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba="host all all 127.0.0.1/32 trust")
        with gateway.wire("app") as client, gateway.wire("app", parameters={"statement_timeout": "1"}) as other:
            other.rows("select 'other'")
            client.rows("select 'mine'")
        first = [sql for peer, sql in ran if peer is ran[0][0]]
        assert "select 'other'" in first and "select 'mine'" not in first
        assert [sql for _, sql in ran].count("select 'mine'") == 1
        gateway.wait_idle()


def unread(connection):
    """Bytes that came to the other end of a TCP connection and were not read there."""
    def key(end):
        host, port = end
        return f"{struct.unpack('=I', socket.inet_aton(host))[0]:08X}:{port:04X}"

    ends = [key(connection.getpeername()), key(connection.getsockname())]
    with open("/proc/net/tcp") as table:
        (line,) = [line.split() for line in table if line.split()[1:3] == ends]
    return int(line[4].split(":")[1], 16)


@pytest.mark.parametrize("when", ("at the login", "later"))
def test_a_refusal_that_is_too_long_to_be_read_at_once_is_one(make_gateway, when):
    """It comes in two pieces; what the client before had applied must not stay."""
    settings = []

    def script(peer):
        peer.login()
        refuses = 0
        while True:
            sql = peer.next_query()
            settings.append(sql)
            if "set_config(E'my.name'" in sql:
                refuses += 1
                if when == "at the login" or refuses > 1:
                    refusal = error("22023", "x" * 9000)
                    peer.send(refusal[:8192])
                    wait_until(lambda: unread(peer.socket) == 0, "the gateway has read the first piece")
                    peer.send(refusal[8192:] + ready())
                    continue
            peer.send(plain_answer(sql))

    asked = {"parameters": {"my.name": "x"}}
    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool(pool_size=1)}, hba="host all all 127.0.0.1/32 trust")
        if when == "at the login":
            with pytest.raises(LoginRefused):
                gateway.wire("app", **asked)
        else:
            with gateway.wire("app", **asked) as client, gateway.wire("app", parameters={"search_path": "a"}) as other:
                other.rows("select 1")
                client.send(query("select 'lost'"))
                assert client.until_closed()[-1].fields["S"] == "FATAL"
            assert "select 'lost'" not in settings
        with gateway.wire("app") as plain:
            plain.rows("select 'plain'")
        gateway.wait_idle()
