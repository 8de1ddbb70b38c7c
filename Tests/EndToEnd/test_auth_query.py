"""Users found by a query: whom it admits, how often it asks, and what nobody can make it do."""

import hashlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakeserver import (
    FakeServer,
    ScramServer,
    command_complete,
    data_row,
    error,
    greeting,
    parameter_status,
    ready,
    row_description,
)
from gateway import ROOT, pool
from polling import wait_until
from server import PASSWORDS
from wire import Closed, LoginRefused, message, startup

LOCAL = "127.0.0.1/32"
RULE = "host all all 127.0.0.1/32 {}\nhost pggateway overseer 127.0.0.1/32 md5\n"
POOLER = "pooler"
POOLER_PASSWORD = "Walnut-compass-88"
#: Name -> password of the roles that no settings know.
ROLES = {"dyn_scram": "Copper-window-15", "dyn_md5": "Amber-ladder-62"}


def login(gateway, user, password, database="app", **options):
    """ "in" when the proof was accepted, or the SQLSTATE of the refusal. The one place that knows how a login ends."""
    try:
        with gateway.wire(user, database, password, **options):
            return "in"
    except LoginRefused as refusal:
        return refusal.sqlstate


@pytest.fixture(scope="module")
def roles(postgres):
    """The roles of this file on the test server; returns the verifiers."""
    with postgres.admin() as admin:
        admin.execute(f"create role {POOLER} superuser login password '{POOLER_PASSWORD}'")
        for name, password in ROLES.items():
            admin.execute(f"set password_encryption = '{'md5' if name == 'dyn_md5' else 'scram-sha-256'}'")
            admin.execute(f"create role {name} login password '{password}'")
        yield dict(admin.execute("select rolname, rolpassword from pg_authid where rolname like 'dyn%'").fetchall())
        for name in (*ROLES, POOLER):
            admin.execute(f"drop owned by {name}")
            admin.execute(f"drop role {name}")


@pytest.fixture
def make(make_gateway, postgres, roles):
    """Starts a gateway whose pool `app` has no users but those of the query."""

    def start(rule="md5", server=None, general=None, users=(), **options):
        target = server or postgres
        auth_query = {"user": POOLER, "password": POOLER_PASSWORD, **options}
        settings = {**pool(postgres, users_=list(users)), "server_port": target.port, "auth_query": auth_query}
        gateway = make_gateway({"app": settings}, general, hba=RULE.format(rule))
        gateway.secrets.update({POOLER_PASSWORD, *ROLES.values(), *roles.values()})
        return gateway

    return start


def figures(gateway, database="app"):
    (row,) = [r for r in gateway.console("SHOW AUTH_QUERY") if r["database"] == database]
    return {name: int(value) for name, value in row.items() if name != "database"}


def executed(postgres, since):
    """The names that the query was run for, as the server logged its parameter."""
    lines = postgres.log_since(since).splitlines()
    names = []
    for index, line in enumerate(lines):
        if f" {POOLER}@" in line and "execute <unnamed>" in line:
            detail = next(text for text in lines[index + 1 :] if "DETAIL:  parameters:" in text)
            names.append(detail.split("$1 = ", 1)[1])
    return names


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ("md5", "scram-sha-256", "password"))
def test_methods(make, rule):
    """Right passwords prove their users, cold and warm; everything else looks the same."""
    gateway = make(rule)
    for user, password in ROLES.items():
        if rule == "scram-sha-256" and user == "dyn_md5":
            continue
        for _ in range(2):
            assert login(gateway, user, password) == "in"
        for wrong in ("wrong", password + "x", ROLES["dyn_md5" if user == "dyn_scram" else "dyn_scram"]):
            assert login(gateway, user, wrong) == "28P01"
        assert login(gateway, user, password) == "in"
    assert login(gateway, "nobody_at_all", "x") == "28P01"
    row = figures(gateway)
    assert row["auth_success"] > 0 and row["auth_failure"] > 0 and row["executor_errors"] == 0, row


def test_trust_admits_who_exists(make):
    gateway = make("trust")
    assert login(gateway, "dyn_md5", None) == "in"
    assert login(gateway, "nobody_at_all", None) == "28P01"


def test_users_of_the_settings_are_not_asked_for(make, postgres, roles):
    """A listed user is checked against its own secret alone, and never against the server's."""
    other = ScramServer("Listed-secret-44").verifier()
    gateway = make(users=[{"username": "dyn_scram", "password": other, "pool_size": 1}])
    gateway.secrets.add("Listed-secret-44")
    since = postgres.log_size()
    assert login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "28P01"
    assert login(gateway, "dyn_scram", "wrong") == "28P01"
    assert executed(postgres, since) == []
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    assert executed(postgres, since) == ["'dyn_md5'"]
    row = figures(gateway)
    assert (row["auth_success"], row["auth_failure"]) == (1, 0), row


@pytest.mark.parametrize(
    "alteration, undo",
    [
        ("nologin", "login"),
        ("valid until '2001-01-01'", "valid until 'infinity'"),
        ("password null", f"password '{ROLES['dyn_scram']}'"),
    ],
)
def test_disabled_roles(make, postgres, alteration, undo):
    """Refused cold; refused warm as soon as the memory is over, and after one wrong password."""
    with postgres.admin() as admin:
        gateway = make(cache_ttl="300ms", min_interval="10ms")
        assert login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "in"
        try:
            admin.execute(f"alter role dyn_scram {alteration}")
            wait_until(
                lambda: login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "28P01", "the role is refused", deadline=5
            )
            assert login(make(), "dyn_scram", ROLES["dyn_scram"]) == "28P01"
        finally:
            admin.execute(f"alter role dyn_scram {undo}")
        wait_until(lambda: login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "in", "the role is back", deadline=5)


# --- rotation and memory ----------------------------------------------------------------------------------------------


def alter_password(postgres, user, password, kind):
    with postgres.admin() as admin:
        admin.execute(f"set password_encryption = '{kind}'")
        admin.execute(f"alter role {user} password '{password}'")


@pytest.mark.parametrize("rule, kind, attempts", [("md5", "md5", 1), ("password", "scram-sha-256", 1),
                                                   ("scram-sha-256", "scram-sha-256", 2)])  # fmt: skip
def test_rotation(make, postgres, rule, kind, attempts):
    """A new password is good at once with md5 and cleartext, at the second attempt with SCRAM."""
    user = "dyn_md5"
    gateway = make(rule, min_interval="1ms")
    gateway.secrets.add("Rotated-basket-71")
    try:
        alter_password(postgres, user, ROLES[user], kind)
        assert login(gateway, user, ROLES[user]) == "in"
        alter_password(postgres, user, "Rotated-basket-71", kind)
        results = [login(gateway, user, "Rotated-basket-71") for _ in range(attempts)]
        assert results == ["28P01"] * (attempts - 1) + ["in"]
        assert login(gateway, user, ROLES[user]) == "28P01"
        assert figures(gateway)["cache_refetches"] >= 1
    finally:
        alter_password(postgres, user, ROLES[user], "md5")


def test_a_new_role_gets_in(make, postgres):
    gateway = make(min_interval="1ms")
    assert login(gateway, "dyn_late", "Sudden-orange-33") == "28P01"
    with postgres.admin() as admin:
        admin.execute("create role dyn_late login password 'Sudden-orange-33'")
        try:
            assert login(gateway, "dyn_late", "Sudden-orange-33") == "in"
        finally:
            admin.execute("drop role dyn_late")


@pytest.mark.parametrize("user", ("dyn_md5", "dyn_scram", "nobody_at_all"))
def test_guessing_costs_one_query_per_interval(make, postgres, user):
    gateway = make(min_interval="1h")
    since = postgres.log_size()
    for _ in range(10):
        assert login(gateway, user, "guess") == "28P01"
    assert executed(postgres, since) == [f"'{user}'"]
    assert figures(gateway)["cache_rate_limited"] > 0


def test_many_logins_of_one_user_cost_one_query(make, postgres):
    query = "select rolpassword as passwd from pg_authid, pg_sleep(0.5) where rolname = $1"
    gateway = make(query=query)
    since = postgres.log_size()
    with ThreadPoolExecutor(30) as crowd:
        logins = [crowd.submit(login, gateway, "dyn_md5", ROLES["dyn_md5"]) for _ in range(30)]
        assert {result.result() for result in logins} == {"in"}
    assert executed(postgres, since) == ["'dyn_md5'"]
    row = figures(gateway)
    assert row["cache_entries"] == 1 and row["executor_queries"] == 1, row


def test_show_auth_query(make):
    gateway = make()
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    assert login(gateway, "dyn_md5", "wrong") == "28P01"
    row = figures(gateway)
    counted = ("cache_entries", "cache_hits", "cache_misses", "cache_rate_limited", "auth_success", "auth_failure",
               "executor_queries", "executor_errors")  # fmt: skip
    assert [row[name] for name in counted] == [1, 2, 1, 1, 2, 1, 1, 0], row


# --- queries of the administrator -------------------------------------------------------------------------------------


CUSTOM = """
create schema auth_query_test;
create table auth_query_test.accounts (name text, secret text);
insert into auth_query_test.accounts select rolname, rolpassword from pg_authid where rolname like 'dyn%';
create table auth_query_test.calls (name text, path text, app text, role text, encoding text);
create function auth_query_test.lookup(name text, out usename text, out passwd text)
language plpgsql security definer as $$
begin
  insert into auth_query_test.calls values (name, current_setting('search_path'),
    current_setting('application_name'), session_user, current_setting('client_encoding'));
  select rolname, rolpassword into usename, passwd from pg_catalog.pg_authid where rolname = name;
end $$;
create function auth_query_test.strict(name text, out passwd text) language plpgsql security definer as $$
begin select rolpassword into strict passwd from pg_catalog.pg_authid where rolname = name; end $$;
create role auth_query_reader login password 'Walnut-compass-88';
grant usage on schema auth_query_test to auth_query_reader;
grant select on auth_query_test.accounts to auth_query_reader;
"""


@pytest.fixture(scope="module")
def custom(postgres, roles):
    with postgres.admin() as admin:
        admin.execute(CUSTOM)
        yield
        admin.execute("drop schema auth_query_test cascade")
        admin.execute("drop role auth_query_reader")


@pytest.mark.parametrize("user, query", [
    (POOLER, "select usename, passwd from pg_shadow where usename = $1"),
    (POOLER, "select rolpassword from pg_authid where rolname = $1"),
    ("auth_query_reader", "select name, secret as password from auth_query_test.accounts where name = $1"),
    ("auth_query_reader", "select usename, passwd from auth_query_test.lookup($1)"),
    ("auth_query_reader", "select passwd from auth_query_test.strict($1)"),
])  # fmt: skip
def test_custom_queries(make, custom, user, query):
    gateway = make(user=user, query=query)
    for name, password in ROLES.items():
        assert login(gateway, name, password) == "in"
        assert login(gateway, name, "wrong") == "28P01"
    assert login(gateway, "nobody_at_all", "x") == "28P01"
    assert figures(gateway)["executor_errors"] == 0


@pytest.mark.parametrize("query, reason", [
    ("select rolpassword as passwd from pg_authid where rolname = $1 or true", "expected 0 or 1"),
    ("select rolname, rolpassword as secret from pg_authid where rolname = $1", "no column passwd"),
    ("select rolpassword as passwd from no_such_table where rolname = $1", "42P01"),
    ("selec $1", "42601"),
    ("select secret as passwd from accounts where name = $1", "name the schema"),
    ("select usename, passwd from lookup($1)", "name the schema"),
])  # fmt: skip
def test_misconfigured_queries(make, custom, query, reason):
    """Nobody gets in, the client learns nothing, the log says why."""
    gateway = make(query=query)
    for _ in range(3):
        assert login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "58000"
    assert reason in gateway.log()
    assert figures(gateway)["executor_errors"] == 3


def test_a_query_without_the_column_tells_nobody_who_exists(make, custom):
    gateway = make(query="select rolname, rolpassword as secret from pg_authid where rolname = $1")
    assert [login(gateway, user, "x") for user in ("dyn_scram", "nobody_at_all")] == ["58000", "58000"]


def test_a_reader_without_rights(make, custom):
    gateway = make(user="auth_query_reader")
    with pytest.raises(LoginRefused) as refusal:
        gateway.wire("dyn_scram", "app", ROLES["dyn_scram"])
    assert refusal.value.fields["M"] == "Authentication service unavailable"
    assert "42501" in gateway.log()


@pytest.mark.parametrize("stored", ("Plain-secret-1234", "md5short", "SCRAM-SHA-256$4096:abc"))
def test_unusable_secrets(make, postgres, custom, stored):
    with postgres.admin() as admin:
        admin.execute("insert into auth_query_test.accounts values ('dyn_odd', %s)", (stored,))
        try:
            gateway = make(query="select secret as passwd from auth_query_test.accounts where name = $1")
            gateway.secrets.add(stored)
            for password in (stored, "x"):
                assert login(gateway, "dyn_odd", password) == "28P01"
            assert "cannot be used" in gateway.log()
        finally:
            admin.execute("delete from auth_query_test.accounts where name = 'dyn_odd'")


# --- what nobody can make it do ---------------------------------------------------------------------------------------


ODD_NAMES = [
    "x'; drop role dyn_scram; --", 'x"y', "x\\'y", "$1", "x y", "%s", "\x01", "пользователь", "é" * 31, "x" * 63,
    "' or '1'='1", "pooler'--", "\\", "{}", "null", "public",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(make, postgres, name):
    """The name is a bound parameter, whatever is in it; such users are unknown, not a trouble."""
    gateway = make()
    since = postgres.log_size()
    assert login(gateway, name, "x") == "28P01"
    assert len(executed(postgres, since)) == 1
    lines = postgres.log_since(since).splitlines()
    statements = [line for line in lines if f" {POOLER}@" in line and "execute" in line]
    assert statements and not any(name in line for line in statements if len(name) > 4)
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    assert figures(gateway)["executor_errors"] == 0


@pytest.mark.parametrize("name", ("x" * 64, "dyn_scram" + "x" * 60, "é" * 32, "x" * 8000))
def test_long_names_are_not_asked_for(make, postgres, name):
    """PostgreSQL would cut them, and answer for another user."""
    gateway = make()
    since = postgres.log_size()
    assert login(gateway, name, "x") == "28P01"
    assert executed(postgres, since) == []
    assert figures(gateway)["cache_entries"] == 0


def test_a_cut_name_is_nobody_else(make, postgres):
    """A role of 63 bytes, asked for with one byte more."""
    name = "dyn_" + "z" * 59
    with postgres.admin() as admin:
        admin.execute(f"create role {name} login password 'Cutting-edge-99'")
        try:
            gateway = make(min_interval="1ms")
            assert login(gateway, name, "Cutting-edge-99") == "in"
            assert login(gateway, name + "z", "Cutting-edge-99") == "28P01"
        finally:
            admin.execute(f"drop role {name}")


def test_names_that_look_alike_are_two_users(make, postgres):
    """One letter, composed and decomposed: equal as Unicode has it, and two roles to PostgreSQL."""
    composed, decomposed = "dyn_\u00e9", "dyn_e\u0301"
    with postgres.admin() as admin:
        admin.execute(f"create role \"{composed}\" login password 'Accented-pebble-7'")
        try:
            gateway = make(min_interval="1ms")
            gateway.secrets.add("Accented-pebble-7")
            since = postgres.log_size()
            for _ in range(2):
                assert login(gateway, composed, "Accented-pebble-7") == "in"
                assert login(gateway, decomposed, "Accented-pebble-7") == "28P01"
            assert set(executed(postgres, since)) == {f"'{composed}'", f"'{decomposed}'"}
        finally:
            gateway.stop()
            gateway.judged = True
            admin.execute(f"drop role \"{composed}\"")


def test_names_that_are_no_utf8(make, postgres):
    gateway = make()
    since = postgres.log_size()
    for raw in (b"\xff\xfe", b"dyn_scram\xc0", b"\xe9\x82", b"\xed\xa0\x80"):
        packet = b"\0\3\0\0" + b"user\0" + raw + b"\0database\0app\0\0"
        with gateway.wire(login=False) as client:
            client.send((len(packet) + 4).to_bytes(4, "big") + packet)
            assert client.until_closed()[-1].kind == "E"
    assert executed(postgres, since) == []
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"


def test_a_server_in_another_encoding(make_gateway, postgres, roles):
    """A name that the server's encoding cannot express is unknown; the service stays available."""
    with postgres.admin("postgres") as admin:
        admin.execute("create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
        try:
            auth_query = {"user": POOLER, "password": POOLER_PASSWORD, "database": "latin"}
            pools = {"app": {**pool(postgres, users_=[]), "auth_query": auth_query}}
            gateway = make_gateway(pools, hba=RULE.format("md5"))
            for name in ("имя", "\U0001f600"):
                assert login(gateway, name, "x") == "28P01"
            assert login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "in"
            assert figures(gateway)["executor_errors"] == 0
            gateway.stop()
            gateway.judged = True
        finally:
            admin.execute("drop database latin with (force)")


def test_roles_of_a_name_in_another_encoding(make_gateway, postgres, roles):
    """Nobody can say which roles a name has that the server's encoding cannot express: no rule about them is skipped."""
    listed = {
        "username": "имя", "password": "md5" + hashlib.md5("Listed-pass-6имя".encode()).hexdigest(),
        "server_username": "app_mapped", "server_password": PASSWORDS["app_mapped"], "pool_size": 2,
    }
    with postgres.admin("postgres") as admin:
        admin.execute("create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
        try:
            auth_query = {"user": POOLER, "password": POOLER_PASSWORD, "database": "latin"}
            pools = {"app": {**pool(postgres, users_=[listed]), "auth_query": auth_query}}
            gateway = make_gateway(pools, hba="host app +banned 127.0.0.1/32 reject\n" + RULE.format("md5"))
            assert login(gateway, "имя", "Listed-pass-6") == "58000"
            gateway.stop()
            gateway.judged = True
        finally:
            admin.execute("drop database latin with (force)")


HOSTILE = [
    {"search_path": "public, pg_catalog"},
    {"options": "-c search_path=public,pg_catalog"},
    {"client_encoding": "LATIN1", "application_name": "innocent"},
    {"statement_timeout": "1"},
]


@pytest.mark.parametrize("parameters", HOSTILE)
def test_nothing_of_the_client_reaches_the_query(make, postgres, custom, parameters):
    """Shadowing objects stand in a schema that everybody may write, and the client asks for it in its startup
    packet."""
    shadows = """
    create function public.now() returns timestamptz language sql as 'select null::timestamptz';
    create view public.pg_authid as select 'dyn_scram'::name as rolname, 'md5' || md5('evil' || 'dyn_scram')
      as rolpassword, true as rolcanlogin, null::timestamptz as rolvaliduntil;
    grant select on public.pg_authid to public;
    """
    with postgres.admin() as admin:
        admin.execute(shadows)
        try:
            for query in (None, "select rolpassword as passwd from pg_authid where rolname = $1"):
                gateway = make(**({"query": query} if query else {}))
                assert login(gateway, "dyn_scram", "evil", parameters=parameters) == "28P01"
                assert login(gateway, "dyn_scram", ROLES["dyn_scram"], parameters=parameters) == "in"
            admin.execute("truncate auth_query_test.calls")
            gateway = make(query="select usename, passwd from auth_query_test.lookup($1)")
            assert login(gateway, "dyn_scram", ROLES["dyn_scram"], parameters=parameters) == "in"
            calls = admin.execute("select * from auth_query_test.calls").fetchall()
            assert calls == [("dyn_scram", "pg_catalog", "pggateway auth_query", POOLER, "UTF8")]
        finally:
            admin.execute("drop view public.pg_authid; drop function public.now()")


def test_settings_of_the_role_do_not_change_the_path(make, postgres, custom):
    """Nor do settings that the server keeps for the role: what the startup packet says wins."""
    with postgres.admin() as admin:
        admin.execute(f"alter role {POOLER} set search_path = public, pg_catalog")
        try:
            admin.execute("truncate auth_query_test.calls")
            gateway = make(query="select usename, passwd from auth_query_test.lookup($1)")
            assert login(gateway, "dyn_scram", ROLES["dyn_scram"]) == "in"
            assert admin.execute("select path from auth_query_test.calls").fetchall() == [("pg_catalog",)]
        finally:
            admin.execute(f"alter role {POOLER} reset search_path")


def role_query():
    """The query for the roles of a user, as it stands in the source."""
    source = (ROOT / "Sources/AuthProviders/AuthQuery/AuthQueryService+Roles.swift").read_text()
    return source.split('static let roleQuery = """', 1)[1].split('"""', 1)[0]


def test_the_roles_of_a_user(postgres, roles):
    """Direct and indirect membership whatever INHERIT says, itself included, asked by a role without any rights."""
    with postgres.admin() as admin:
        admin.execute("""
            create role member_top login; create role member_mid noinherit;
            create role member_leaf; create role member_no;
            grant member_mid to member_top; grant member_leaf to member_mid; grant member_no to member_leaf;
            revoke member_no from member_leaf
        """)
        try:
            admin.execute("set search_path = public")
            admin.execute("set role member_no")
            for name, expected in (
                ("member_top", {"member_top", "member_mid", "member_leaf"}),
                ("member_leaf", {"member_leaf"}),
                ("nobody_at_all", set()),
                ("x'; drop role member_no", set()),
            ):
                found = admin.execute(role_query().replace("$1", "%s"), (name,)).fetchall()
                assert {row[0] for row in found} == expected and len(found) == len(expected)
        finally:
            admin.execute("reset role; drop role member_top, member_mid, member_leaf, member_no")


# --- servers that fail ------------------------------------------------------------------------------------------------


def test_a_server_that_is_down(make, other_postgres, postgres):
    """Who is remembered gets in, others are told at once that nobody can say; afterwards all is well by itself."""
    with other_postgres.admin() as admin:
        for statement in (
            f"create role {POOLER} superuser login password '{POOLER_PASSWORD}'",
            "create role dyn_a login password 'First-lemon-21'",
            "create role dyn_b login password 'Second-lemon-22'",
        ):
            admin.execute(statement)
    gateway = make(server=other_postgres)
    gateway.secrets.update({"First-lemon-21", "Second-lemon-22"})
    assert login(gateway, "dyn_a", "First-lemon-21") == "in"
    other_postgres.stop()
    for _ in range(5):
        assert login(gateway, "dyn_a", "First-lemon-21") == "in"
        began = time.monotonic()
        assert login(gateway, "dyn_b", "Second-lemon-22") == "58000"
        assert time.monotonic() - began < 2
        assert login(gateway, "nobody_at_all", "x") == "58000"
    # A wrong password while the server is down does not lock its user out.
    assert login(gateway, "dyn_a", "wrong") == "28P01"
    assert login(gateway, "dyn_a", "First-lemon-21") == "in"
    other_postgres.start()
    wait_until(lambda: login(gateway, "dyn_b", "Second-lemon-22") == "in", "the query works again", deadline=8)
    assert login(gateway, "nobody_at_all", "x") == "28P01"


def test_connections_that_are_killed(make, postgres):
    """A lost connection is opened again when it is needed; no login notices."""
    gateway = make(cache_ttl=0, min_interval=0)
    for _ in range(5):
        assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
        with postgres.admin() as admin:
            admin.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{POOLER}'")
        wait_until(lambda: postgres.backends(POOLER) == [], "the backends are gone")
    assert figures(gateway)["executor_errors"] == 0


def test_a_query_that_is_killed_is_run_again(make, postgres):
    query = "select rolpassword as passwd from pg_authid, pg_sleep(1) where rolname = $1"
    gateway = make(query=query)
    with ThreadPoolExecutor(1) as other:
        result = other.submit(login, gateway, "dyn_md5", ROLES["dyn_md5"])
        wait_until(lambda: postgres.sleeping(POOLER) == 1, "the query runs")
        with postgres.admin() as admin:
            admin.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{POOLER}'")
        assert result.result() == "in"


def test_a_storm(make, postgres):
    """Crowds of known and unknown users, nothing remembered, and connections killed all the time: every login ends,
    with the truth or with "nobody can say", and the service is well afterwards."""
    gateway = make(cache_ttl=0, cache_failure_ttl=0, min_interval=0, workers=3)
    with postgres.admin() as admin, ThreadPoolExecutor(16) as crowd:
        logins = []
        for number in range(400):
            name, password, expected = [
                ("dyn_md5", ROLES["dyn_md5"], "in"), ("dyn_scram", ROLES["dyn_scram"], "in"),
                ("dyn_md5", "wrong", "28P01"), (f"stranger{number}", "x", "28P01"),
            ][number % 4]  # fmt: skip
            logins.append((crowd.submit(login, gateway, name, password), expected))
        killed = 0
        for count in range(0, 400, 16):
            wait_until(lambda: sum(r.done() for r, _ in logins) >= count, "logins end", deadline=30)
            killed += admin.execute(
                f"select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = '{POOLER}'"
            ).fetchone()[0]
        assert killed > 0
        ends = [(result.result(), expected) for result, expected in logins]
        assert all(end in (expected, "58000") for end, expected in ends), set(ends)
        assert any(end == "in" for end, _ in ends)
    wait_until(lambda: login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in", "the service is well", deadline=8)
    gateway.wait_idle()


def answer(*rows, columns=("passwd",)):
    return (
        message("1") + message("2") + row_description(*columns) + b"".join(rows) + command_complete() + ready()
    )


def fake_gateway(make_gateway, fake, **options):
    auth_query = {"user": "reader", "query": "select $1", **options}
    pools = {"app": {**fake.pool(), "users": [], "auth_query": auth_query}}
    return make_gateway(pools, {"connect_timeout": "1s"}, hba=RULE.format("md5"))


def served(peer, reply):
    """Logs the gateway in, then answers every query with `reply(name)`."""
    peer.login()
    while True:
        batch = peer.until("S")
        (bind,) = [m for m in batch if m.kind == "B"]
        name = bind.body[10:-2].decode()
        peer.send(reply(name))


VERIFIER = ScramServer("Faked-teapot-55").verifier()


def test_a_connection_that_dies_within_its_answer(make_gateway):
    """The query is run once more on another connection, and what came of the first answer counts for nothing."""

    def dies(peer):
        peer.login()
        peer.until("S")
        peer.send((message("1") + message("2") + row_description("passwd") + data_row(b"md5" + b"0" * 32))[:-7])
        peer.die()

    with FakeServer([dies, lambda peer: served(peer, lambda name: answer(data_row(VERIFIER.encode())))]) as fake:
        gateway = fake_gateway(make_gateway, fake)
        assert login(gateway, "anybody", "Faked-teapot-55") == "in"
        assert fake.connections >= 2 and not fake.problems
        assert figures(gateway)["executor_errors"] == 0


def test_a_message_in_two_pieces_behind_the_login(make_gateway):
    """What comes in one piece with the end of the login belongs to the session."""

    def script(peer):
        report = parameter_status("TimeZone", "Europe/Berlin")
        peer.startup()
        peer.send(greeting() + report[:7])
        peer.until("S")
        peer.send(report[7:] + answer(data_row(VERIFIER.encode())))
        peer.until("S")

    with FakeServer(script) as fake:
        gateway = fake_gateway(make_gateway, fake, workers=1)
        assert login(gateway, "anybody", "wrong") == "28P01"
        assert fake.connections == 1


def test_connections_that_all_die(make_gateway):
    """No attempt without end: once more, then the login is told, and the next ones at once."""

    def dies(peer):
        peer.login()
        peer.until("S")
        peer.die(rudely=True)

    with FakeServer(dies) as fake:
        gateway = fake_gateway(make_gateway, fake)
        for _ in range(20):
            assert login(gateway, "anybody", "x") == "58000"
        assert fake.connections < 20


def silent(peer):
    peer.login()
    peer.until("S")
    peer.socket.recv(1)


def deaf(peer):
    peer.exactly(100000)


def test_connections_that_fell_silent_while_idle(make_gateway):
    """The way to the server is gone without a word: one lookup finds out, in half its time, for all connections."""
    count, both, readers = itertools.count(), threading.Barrier(2), []

    def script(peer):
        if peer.login()["user"] != "reader":
            peer.serve()
        number = next(count)
        readers.append(number)
        while peer.until("S"):
            if number < 2:
                both.wait(10)
            peer.send(answer(data_row(VERIFIER.encode())))
            if number < 2:
                silent_from_now_on(peer)

    def silent_from_now_on(peer):
        peer.until("S")
        peer.socket.recv(1)
        raise Closed("the gateway left")

    with FakeServer(script) as fake:
        auth_query = {"user": "reader", "query": "select $1", "workers": 2, "query_timeout": "4s"}
        pools = {"app": {**fake.pool(), "users": [], "auth_query": auth_query}}
        gateway = make_gateway(pools, {"server_idle_check_timeout": "1ms"}, hba=RULE.format("md5"))
        with ThreadPoolExecutor(2) as crowd:
            results = [crowd.submit(login, gateway, name, "Faked-teapot-55") for name in ("anna", "bert")]
            assert {result.result() for result in results} == {"in"}
        assert sorted(readers) == [0, 1]
        began = time.monotonic()
        assert login(gateway, "stranger", "Faked-teapot-55") == "in"
        assert time.monotonic() - began < 4
        assert login(gateway, "another", "Faked-teapot-55") == "in"
        assert sorted(readers) == [0, 1, 2]
        assert figures(gateway)["executor_errors"] == 0


def test_a_slow_lookup_on_a_connection_that_was_idle(make_gateway):
    """After half its time it runs on another connection as well; the first one may still answer, and stays."""
    asked_again, readers = threading.Event(), []

    def script(peer):
        if peer.login()["user"] != "reader":
            peer.serve()
        is_first = not readers
        readers.append(peer)
        for number in itertools.count():
            peer.until("S")
            if not is_first:
                asked_again.set()
                peer.until("S")
            if number == 1:
                asked_again.wait(10)
            peer.send(answer(data_row(VERIFIER.encode())))

    with FakeServer(script) as fake:
        auth_query = {"user": "reader", "query": "select $1", "workers": 1, "query_timeout": "4s"}
        pools = {"app": {**fake.pool(), "users": [], "auth_query": auth_query}}
        gateway = make_gateway(pools, {"server_idle_check_timeout": "1ms"}, hba=RULE.format("md5"))
        assert login(gateway, "anna", "Faked-teapot-55") == "in"
        assert not asked_again.is_set()
        assert login(gateway, "stranger", "Faked-teapot-55") == "in"
        assert asked_again.is_set()
        assert login(gateway, "another", "Faked-teapot-55") == "in"
        assert len(readers) == 2
        assert figures(gateway)["executor_errors"] == 0


@pytest.mark.parametrize("end", ("reconnect", "lifetime"))
def test_connections_that_are_not_used_again(make_gateway, end):
    readers = []

    def script(peer):
        if peer.login()["user"] != "reader":
            peer.serve()
        readers.append(peer)
        while peer.until("S"):
            peer.send(answer(data_row(VERIFIER.encode())))

    with FakeServer(script) as fake:
        auth_query = {"user": "reader", "query": "select $1", "workers": 1}
        pools = {"app": {**fake.pool(), "users": [], "auth_query": auth_query}}
        general = {"server_lifetime": "1ms"} if end == "lifetime" else {}
        gateway = make_gateway(pools, general, hba=RULE.format("md5"))
        for number, name in enumerate(("anna", "bert"), start=1):
            assert login(gateway, name, "Faked-teapot-55") == "in"
            assert len(readers) == number
            if end == "reconnect":
                gateway.console("RECONNECT app")


@pytest.mark.parametrize("script", (silent, deaf))
def test_a_server_that_never_answers(make_gateway, script):
    """The login ends with the query's time, and the client may leave before."""
    with FakeServer(script) as fake:
        gateway = fake_gateway(make_gateway, fake, query_timeout="700ms", workers=1)
        began = time.monotonic()
        with ThreadPoolExecutor(5) as crowd:
            results = [crowd.submit(login, gateway, f"user{n}", "x") for n in range(5)]
            assert {result.result() for result in results} == {"58000"}
        assert time.monotonic() - began < 5
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "impatient", "database": "app"}))
        gateway.wait_idle()


def test_the_login_deadline_holds_while_the_query_runs(make_gateway):
    with FakeServer(silent) as fake:
        auth_query = {"user": "reader", "query": "select $1", "query_timeout": "20s"}
        pools = {"app": {**fake.pool(), "users": [], "auth_query": auth_query}}
        gateway = make_gateway(pools, {"client_login_timeout": "1s"}, hba=RULE.format("md5"))
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "patient", "database": "app"}))
            last = client.until_closed()
            assert not last or last[-1].kind == "E"
        gateway.check_alive()
        fake.close()


ODD_ANSWERS = {
    "no row": (answer(), "28P01"),
    "two rows": (answer(data_row(b"md5" + b"0" * 32), data_row(b"md5" + b"1" * 32)), "58000"),
    "a long value": (answer(data_row(b"x" * 60000)), "28P01"),
    "a huge value": (answer(data_row(b"x" * 1000000)), "58000"),
    "many long values": (answer(*[data_row(b"x" * 50000) for _ in range(50)]), "58000"),
    "a row that does not fit": (message("1") + message("2") + message("D", b"\0\5"), "58000"),
    "noise": (b"\xff" * 1000, "58000"),
    "an endless message": (b"D\x7f\xff\xff\xff", "58000"),
    "a copy": (message("1") + message("G", b"\0\0\0") + ready(), "58000"),
    "no columns": (message("1") + message("n") + command_complete("INSERT 0 1") + ready(), "58000"),
    "a transaction": (answer()[:-6] + ready("T"), "58000"),
    "a bad name": (message("1") + error("22021", "bad name") + ready(), "28P01"),
    "an error": (message("1") + error("57014", "timeout") + ready(), "58000"),
    "more than was asked for": (answer() + answer() + answer(), "28P01"),
}


@pytest.mark.parametrize("kind", ODD_ANSWERS)
def test_odd_answers(make_gateway, kind):
    """Each is refused in its way, and the next answer counts."""
    reply, expected = ODD_ANSWERS[kind]
    honest = answer(data_row(VERIFIER.encode()))
    with FakeServer(lambda peer: served(peer, lambda name: reply if name == "odd" else honest)) as fake:
        gateway = fake_gateway(make_gateway, fake, workers=1)
        gateway.secrets.update({"Faked-teapot-55", VERIFIER})
        memory = gateway.memory()
        assert login(gateway, "odd", "x") == expected
        wait_until(lambda: login(gateway, "honest", "Faked-teapot-55") == "in", "the service is back", deadline=5)
        assert gateway.memory() - memory < 8 << 20


def test_what_the_query_connection_says(make_gateway):
    """The startup packet is the gateway's own, and so are the five messages of a query."""
    seen = []

    def script(peer):
        seen.append(peer.startup())
        peer.send(greeting())
        while True:
            batch = peer.until("S")
            seen.append([m.kind for m in batch])
            peer.send(answer())

    with FakeServer(script) as fake:
        gateway = fake_gateway(make_gateway, fake)
        login(gateway, "anybody", "x", parameters={"search_path": "evil", "application_name": "evil"})
        assert seen[0] == {
            "protocol": 196608,
            "user": "reader",
            "database": "fake",
            "application_name": "pggateway auth_query",
            "client_encoding": "UTF8",
            "search_path": "pg_catalog",
            "statement_timeout": "5000",
        }
        assert seen[1] == list("PBDES")


# --- reload and end ---------------------------------------------------------------------------------------------------


def test_reload(make, postgres):
    """Memory, counts and connections outlive a reload that does not concern them; another query begins anew."""
    gateway = make()
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    before, row = postgres.backends(POOLER), figures(gateway)
    assert len(before) == 1
    gateway.reload(general={"idle_timeout": "77s"})
    assert figures(gateway) == row and postgres.backends(POOLER) == before
    gateway.reload(pools={"app": {"auth_query": {"cache_ttl": "7m"}}})
    assert figures(gateway)["cache_entries"] == 0
    wait_until(lambda: postgres.backends(POOLER) == [], "the connections of the old settings are closed")
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "in"
    gateway.reload(pools={"app": {"auth_query": None}})
    assert login(gateway, "dyn_md5", ROLES["dyn_md5"]) == "28P01"
    assert gateway.console("SHOW AUTH_QUERY") == []
    wait_until(lambda: postgres.backends(POOLER) == [], "no connection is left")


def test_a_reload_does_not_hurt_a_login_under_way(make, postgres):
    query = "select rolpassword as passwd from pg_authid, pg_sleep(1) where rolname = $1"
    gateway = make(query=query)
    with ThreadPoolExecutor(1) as other:
        result = other.submit(login, gateway, "dyn_md5", ROLES["dyn_md5"])
        wait_until(lambda: postgres.sleeping(POOLER) == 1, "the query runs")
        gateway.reload(pools={"app": {"auth_query": {"cache_ttl": "7m"}}})
        assert result.result() == "in"
    wait_until(lambda: postgres.backends(POOLER) == [], "its connection is closed afterwards")


class AsksAgain:
    """Two connections: the first dies under its question, the second has it and waits to be told to answer."""

    def __init__(self):
        self.is_asked, self.go_on = threading.Event(), threading.Event()

    def dies(self, peer):
        peer.login()
        peer.until("S")
        peer.die(rudely=True)

    def hesitates(self, peer):
        peer.login()
        peer.until("S")
        self.is_asked.set()
        self.go_on.wait(20)
        peer.send(answer(data_row(VERIFIER.encode())))
        peer.until("X")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"general": {"idle_timeout": "77s"}}, id="of something else"),
        pytest.param({"pools": {"app": {"auth_query": {"cache_ttl": "7m"}}}}, id="of the query"),
        pytest.param({"pools": {"app": {"application_name": "renewed"}}}, id="of the pool"),
    ],
)
def test_a_reload_while_a_login_asks_again(make_gateway, change):
    """Its first connection has died, the second has the question: neither is lost, and the login is one."""
    again = AsksAgain()

    def good(peer):
        served(peer, lambda name: answer(data_row(VERIFIER.encode())))

    with FakeServer([again.dies, again.hesitates, good]) as fake:
        gateway = fake_gateway(make_gateway, fake, workers=1)
        gateway.secrets.update({"Faked-teapot-55", VERIFIER})
        with ThreadPoolExecutor(1) as other:
            result = other.submit(login, gateway, "anybody", "Faked-teapot-55")
            assert again.is_asked.wait(10), "the query is not run again"
            gateway.reload(**change)
            again.go_on.set()
            assert result.result() == "in"
        assert login(gateway, "anybody", "Faked-teapot-55") == "in"
        assert not fake.problems
        gateway.wait_idle()


def test_a_reload_that_takes_the_query_away_while_a_login_asks_again(make_gateway):
    """The login ends, whatever it is told; from then on the user is unknown."""
    again = AsksAgain()

    with FakeServer([again.dies, again.hesitates, lambda peer: peer.serve()]) as fake:
        gateway = fake_gateway(make_gateway, fake, workers=1)
        gateway.secrets.update({"Faked-teapot-55", VERIFIER})
        with ThreadPoolExecutor(1) as other:
            result = other.submit(login, gateway, "anybody", "Faked-teapot-55")
            assert again.is_asked.wait(10), "the query is not run again"
            gateway.reload(pools={"app": {"auth_query": None, "users": fake.pool()["users"]}})
            again.go_on.set()
            assert result.result() != "in"
        assert login(gateway, "anybody", "Faked-teapot-55") == "28P01"
        gateway.wait_idle()


def test_a_stop_ends_connections_while_a_login_waits(make, postgres):
    """Connections say goodbye, also with a login that waits."""
    gateway = make(query="select rolpassword as passwd from pg_authid, pg_sleep(20) where rolname = $1",
                   query_timeout="30s")  # fmt: skip
    client = gateway.wire(login=False)
    client.send(startup({"user": "dyn_md5", "database": "app"}))
    wait_until(lambda: postgres.sleeping(POOLER) == 1, "the query runs")
    gateway.stop()
    gateway.judged = True
    assert client.until_closed()[-1].sqlstate == "57P03"
    client.close()
    with postgres.admin() as admin:
        admin.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{POOLER}'")


def test_settings_are_checked(make):
    gateway = make()
    for changes, text in (
        ({"user": ""}, "is empty"),
        ({"query": "select 1"}, "has no parameter `$1`"),
        ({"workers": 0}, "workers"),
        ({"server_password": "Dedicated-secret-1"}, "server_password needs server_user"),
    ):
        gateway.change(pools={"app": {"auth_query": changes}})
        status, output = gateway.run_to_end("-t")
        assert status == 78 and text in output and "Dedicated" not in output, output
        gateway.settings["pools"]["app"]["auth_query"] = {"user": POOLER, "password": POOLER_PASSWORD}
    rows = {row["key"]: row["value"] for row in gateway.console("SHOW CONFIG")}
    assert rows["pools.app.auth_query.password"] == "********"
    assert rows["pools.app.auth_query.cache_ttl"] == "1h"
