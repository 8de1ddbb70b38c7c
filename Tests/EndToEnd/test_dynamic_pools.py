"""Users who stand in no settings: their pools come with the first login, and access goes when it is taken away."""

import base64
import concurrent.futures
import contextlib
import copy
import hashlib
import hmac
import itertools
import time

import psycopg
import pytest

from gateway import ADMIN, pool
from polling import wait_until
from server import PASSWORDS
from wire import Closed, LoginRefused, cancel_request, password_message, query, startup

LOCAL = "127.0.0.1/32"
RULES = f"host all all {LOCAL} md5\nlocal all all md5\n"

#: Every name has this hash: who logs in does not depend on PostgreSQL.
ANYBODY = "select 'md5' || pg_catalog.md5('Open-sesame-55' || $1) as passwd"
ANYBODYS_PASSWORD = "Open-sesame-55"

_numbers = itertools.count(1)


def found(postgres, users=(), mode="transaction", query=None, **auth_query):
    """A pool whose users are found by a query."""
    table = {"user": "postgres", **auth_query}
    if query:
        table["query"] = query
    # By the socket, where PostgreSQL asks for md5 or SCRAM as the secret is.
    return pool(postgres, mode, users_=list(users), auth_query=table) | {"server_host": postgres.socket_dir}


@contextlib.contextmanager
def roles(postgres, count=1, attributes="login", prefix="guest", encryption="scram-sha-256"):
    """Roles that exist for the time of a test; their password is their name with `-Pass-7` behind it."""
    names = [f"{prefix}_{next(_numbers)}" for _ in range(count)]
    with postgres.admin() as admin:
        admin.execute(f"set password_encryption = '{encryption}'")
        for name in names:
            admin.execute(f"create role {name} {attributes} password '{name}-Pass-7'")
    try:
        yield names
    finally:
        with postgres.admin() as admin:
            for name in names:
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (name,))
                admin.execute(f"drop role if exists {name}")


def enter(gateway, name, password=None):
    return gateway.wire(name, "app", password or f"{name}-Pass-7")


def outcome(gateway, name, password=None):
    """`in`, or the SQLSTATE of the refusal."""
    try:
        with enter(gateway, name, password) as client:
            assert client.value("select 1") == "1"
            return "in"
    except LoginRefused as refusal:
        return refusal.sqlstate


def last_words(client):
    """The fields of the error before the gateway closed."""
    return next(m.fields for m in client.until_closed() if m.kind == "E")


def auth_row(gateway, database="app"):
    return next(row for row in gateway.console("SHOW AUTH_QUERY") if row["database"] == database)


def dynamic_pools(gateway):
    return int(auth_row(gateway)["dynamic_pools_current"])


# --- the life of a role -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
def test_a_role_comes_works_and_goes(make_gateway, postgres, encryption):
    """CREATE ROLE lets in, under an identity of its own, seen everywhere; DROP ROLE and the stated bound keep out.
    Nobody touches the settings."""
    gateway = make_gateway({"app": found(postgres, cache_ttl="2s", min_interval="100ms")}, hba=RULES)
    name = f"newcomer_{encryption[:3]}"
    gateway.secrets.add("Welcome-door-42")
    assert outcome(gateway, name, "Welcome-door-42") == "28P01"
    with postgres.admin() as admin:
        admin.execute(f"set password_encryption = '{encryption}'")
        admin.execute(f"create role {name} login password 'Welcome-door-42'")
    try:
        wait_until(lambda: outcome(gateway, name, "Welcome-door-42") == "in", "the new role is let in", 5)
        with gateway.wire(name, "app", "Welcome-door-42") as client:
            assert client.value("select current_user") == name
            assert postgres.backends(name)
            row = auth_row(gateway)
            assert int(row["auth_success"]) >= 2 and int(row["dynamic_pools_current"]) == 1
            wait_until(lambda: gateway.pool_row(user=name)["cl_idle"] == "1", "those before have left")
            last = next(row for row in gateway.console("SHOW AUDIT") if (row["user"], row["event"]) == (name, "login"))
            assert last["verdict"] == "admitted" and last["secret_source"] == "auth_query"
        with postgres.admin() as admin:
            admin.execute(f"drop role {name}")
        wait_until(lambda: outcome(gateway, name, "Welcome-door-42") == "28P01", "the dropped role is kept out", 5)
    finally:
        with postgres.admin() as admin:
            admin.execute(f"drop role if exists {name}")


@pytest.mark.parametrize(
    "change",
    [
        "alter role {name} nologin",
        "alter role {name} valid until '2001-01-01'",
        "alter role {name} password null",
        "alter role {name} password 'Other-mill-68'",
        "alter role {name} rename to renamed_{name}",
    ],
)
def test_access_goes_at_once_by_invalidate(make_gateway, postgres, change):
    """With the longest of caches, INVALIDATE AUTH makes a change in PostgreSQL count at the next login."""
    gateway = make_gateway({"app": found(postgres, cache_ttl="1h", min_interval="1h")}, hba=RULES)
    gateway.secrets.add("Other-mill-68")
    with roles(postgres) as [name]:
        with enter(gateway, name) as warm:
            assert warm.value("select 1") == "1"
            with postgres.admin() as admin:
                admin.execute(change.format(name=name))
            try:
                assert outcome(gateway, name) == "in", "remembered"
                [row] = gateway.console(f"INVALIDATE AUTH app.{name}")
                assert row["entries"] == "1"
                assert outcome(gateway, name) == "28P01"
                assert warm.value("select 1") == "1", "sessions go on"
            finally:
                with postgres.admin() as admin:
                    admin.execute(f"drop role if exists renamed_{name}")


def test_access_goes_by_itself_after_cache_ttl(make_gateway, postgres):
    gateway = make_gateway({"app": found(postgres, cache_ttl="1s")}, hba=RULES)
    with roles(postgres) as [name], enter(gateway, name):
        with postgres.admin() as admin:
            admin.execute(f"alter role {name} nologin")
        wait_until(lambda: outcome(gateway, name) == "28P01", "NOLOGIN counts", 5)


def test_kill_user_ends_sessions_everywhere(make_gateway, postgres):
    """KILL USER ends a session in a transaction, an idle one and one of another database; others stay."""
    gateway = make_gateway({"app": found(postgres), "other": found(postgres)}, hba=RULES)
    with roles(postgres, 2) as [name, other]:
        password = f"{name}-Pass-7"
        idle, busy, elsewhere = (gateway.wire(name, database, password) for database in ("app", "app", "other"))
        bystander = enter(gateway, other)
        busy.rows("begin work")
        assert busy.value("select current_user") == name
        [row] = gateway.console(f"KILL USER {name}")
        assert row["clients"] == "3" and int(row["pools"]) == 2
        for client in (idle, busy, elsewhere):
            assert last_words(client)["C"] == "57P01"
            client.close()
        wait_until(lambda: not postgres.backends(name), "the user's servers are gone")
        assert bystander.value("select 1") == "1"
        bystander.close()
        assert outcome(gateway, name) == "in", "the policy has not changed"


def test_cancel_reaches_a_dynamic_pool(make_gateway, postgres):
    gateway = make_gateway({"app": found(postgres)}, hba=RULES)
    with roles(postgres) as [name], enter(gateway, name) as client:
        client.send(query("select pg_sleep(60)"))
        wait_until(lambda: postgres.sleeping(name), "the query runs")
        with gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            canceller.until_closed()
        assert [m.fields["C"] for m in client.ready() if m.kind == "E"] == ["57014"]
        assert client.value("select current_user") == name


def test_reload_serves_those_who_wait_in_a_dynamic_pool(make_gateway, postgres):
    """One server, busy; a client waits for it; the reload makes the pool anew: the waiting client gets a new server."""
    gateway = make_gateway({"app": found(postgres, pool_size=1)}, hba=RULES)
    with roles(postgres) as [name], enter(gateway, name) as holder, enter(gateway, name) as waiting:
        holder.rows("begin work")
        waiting.send(query("select current_user"))
        wait_until(lambda: gateway.pool_row(user=name)["cl_waiting"] == "1", "the client waits")
        pools = gateway.settings["pools"]
        pools["app"]["application_name"] = "renamed"
        gateway.reload(pools=pools)
        assert [m.values for m in waiting.ready() if m.kind == "D"] == [[name.encode()]]
        assert holder.value("select current_user") == name
        holder.rows("commit")


def test_second_login_on_a_warm_pool_is_proven(make_gateway, postgres):
    gateway = make_gateway({"app": found(postgres)}, hba=RULES + "")
    with roles(postgres, 2) as [name, other]:
        with enter(gateway, name) as warm, enter(gateway, other):
            assert warm.value("select 1") == "1"
            assert outcome(gateway, name, "wrong") == "28P01"
            assert outcome(gateway, name, f"{other}-Pass-7") == "28P01"
            assert outcome(gateway, name, "x" * 500) == "28P01"
            gateway.reload(general={"query_wait_timeout": "7s"})
            assert outcome(gateway, name, "wrong") == "28P01"
            assert outcome(gateway, name) == "in"


@pytest.mark.parametrize(
    "before, after", [("scram-sha-256", "scram-sha-256"), ("md5", "scram-sha-256"), ("scram-sha-256", "md5")]
)
def test_the_same_password_stored_anew(make_gateway, postgres, before, after):
    """The remembered secret still fits the client's password, and opens no server: it is not kept for its hour."""
    gateway = make_gateway({"app": found(postgres, min_interval=0)}, hba=RULES)

    def works():
        try:
            return outcome(gateway, name) == "in"
        except Closed:
            return False

    with roles(postgres, encryption=before) as [name]:
        assert works()
        with postgres.admin() as admin:
            admin.execute(f"set password_encryption = '{after}'")
            admin.execute(f"alter role {name} password '{name}-Pass-7'")
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (name,))
        wait_until(works, "the user works again", 5)
        assert works()


def verifier(password, salt, rounds):
    """What a role may store as its password without any privilege."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    keys = (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))
    salt, stored, server = (base64.b64encode(key).decode() for key in keys)
    return f"SCRAM-SHA-256${rounds}:{salt}${stored}:{server}"


def test_costly_rounds_of_a_role_hold_nobody_up(make_gateway, postgres):
    """The server says how many rounds its proof takes, and the role how many that are: no worker computes so many."""
    static = {"username": "app", "password": postgres.secrets["app"], "pool_size": 1}
    rules = f"host pggateway all {LOCAL} md5\nhost all all {LOCAL} password\n"
    gateway = make_gateway({"app": found(postgres, [static], min_interval=0)}, {"worker_threads": 1}, hba=rules)

    def longest_wait():
        """Of another client, as a part of the time that the login takes."""
        waits = []
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            began = time.monotonic()
            login = thread.submit(outcome, gateway, name)
            while not login.done():
                asked = time.monotonic()
                assert other.value("select 1") == "1"
                waits.append(time.monotonic() - asked)
            whole = time.monotonic() - began
        assert login.result() == "in"
        return max(waits) / whole

    with roles(postgres) as [name], gateway.wire("app", "app", PASSWORDS["app"]) as other, postgres.admin() as admin:
        parts = []
        # One of three will do: other processes take their time, too.
        for salt in (b"a" * 16, b"b" * 16, b"c" * 16):
            gateway.console(f"KILL USER {name}")
            gateway.console("INVALIDATE AUTH")
            admin.execute(f"alter role {name} password '{verifier(f'{name}-Pass-7', salt, 1_000_000)}'")
            parts.append(longest_wait())
            if parts[-1] < 0.2:
                break
        assert min(parts) < 0.2, parts


@pytest.mark.parametrize("change", ["alter role {name} rename to {name}_before", "drop role {name}"])
@pytest.mark.parametrize("encryption", ["scram-sha-256", "md5"])
def test_a_name_that_another_role_bears_now(make_gateway, postgres, encryption, change):
    """Who proves the password of the new role gets no server that was opened by the old one's."""
    gateway = make_gateway({"app": found(postgres, min_interval=0, pool_size=2)}, hba=RULES)
    gateway.secrets.add("Second-owner-29")
    role = "select rolname from pg_roles r join pg_stat_activity a on a.usesysid = r.oid where a.pid = pg_backend_pid()"
    with roles(postgres, encryption=encryption) as [name]:
        with enter(gateway, name) as first, enter(gateway, name) as second:
            first.rows("begin")
            assert first.value(role) == second.value(role) == name
            with postgres.admin() as admin:
                try:
                    admin.execute(change.format(name=name))
                    admin.execute(f"set password_encryption = '{encryption}'")
                    admin.execute(f"create role {name} login password 'Second-owner-29'")
                    wait_until(lambda: outcome(gateway, name, "Second-owner-29") == "in", "the new role comes in", 5)
                    with enter(gateway, name, "Second-owner-29") as new:
                        # The idle server of before is gone at once, ...
                        assert new.value(role) == name
                        # ... the busy one when it comes back.
                        first.rows("rollback")
                        new.rows("begin")
                        with enter(gateway, name, "Second-owner-29") as other:
                            assert new.value(role) == other.value(role) == name
                finally:
                    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename ~ %s", (name,))
                    admin.execute(f"drop role if exists {name}_before")


# --- pools ------------------------------------------------------------------------------------------------------------


def test_static_users_win(make_gateway, postgres):
    """A user of the settings is never looked up, and keeps a pool of the settings."""
    static = {"username": "app", "password": postgres.secrets["app"], "pool_size": 3}
    gateway = make_gateway({"app": found(postgres, [static], query=ANYBODY)}, hba=RULES)
    gateway.secrets.discard(ANYBODYS_PASSWORD)
    with gateway.wire("app", "app", PASSWORDS["app"]) as client:
        assert client.value("select current_user") == "app"
        row = auth_row(gateway)
        assert row["executor_queries"] == "0" and row["dynamic_pools_created"] == "0"
        assert gateway.pool_row(user="app")["pool_size"] == "3"
    with pytest.raises(LoginRefused):
        gateway.wire("app", "app", ANYBODYS_PASSWORD)


def test_a_static_user_takes_the_place_of_a_dynamic_one(make_gateway, postgres):
    """After a reload that writes the user down; sessions of the dynamic pool go on in the new one."""
    with roles(postgres) as [name]:
        gateway = make_gateway({"app": found(postgres)}, hba=RULES)
        with enter(gateway, name) as client:
            assert client.value("select 1") == "1"
            secret = postgres.value("select rolpassword from pg_authid where rolname = %s", name)
            pools = gateway.settings["pools"]
            pools["app"]["users"] = [{"username": name, "password": secret, "pool_size": 7}]
            gateway.reload(pools=pools)
            assert outcome(gateway, name) == "in"
            assert client.value("select current_user") == name
            assert gateway.pool_row(user=name)["pool_size"] == "7" and dynamic_pools(gateway) == 0


def test_nobody_becomes_the_role_of_a_name_that_was_listed(make_gateway, postgres):
    """A listed user that works as another leaves the settings, and the role of its name has come by then."""
    with roles(postgres) as [name]:
        digest = hashlib.md5(b"Listed-pass-5" + name.encode()).hexdigest()
        listed = {
            "username": name, "password": "md5" + digest, "server_username": "app_mapped",
            "server_password": PASSWORDS["app_mapped"], "pool_size": 2,
        }
        gateway = make_gateway({"app": found(postgres, [listed])}, hba=RULES)
        began = gateway.wire(name, "app", login=False)
        began.send(startup([("user", name), ("database", "app")]))
        (asked,) = began.until("R")
        with enter(gateway, name, "Listed-pass-5") as client:
            assert client.value("select current_user") == "app_mapped"
            gateway.reload(pools={**gateway.settings["pools"], "app": found(postgres)})
            assert outcome(gateway, name) == "in" and outcome(gateway, name, "Listed-pass-5") == "28P01"
            client.send(query("select current_user"))
            assert last_words(client)["C"] == "57P01"
        began.send(password_message("md5" + hashlib.md5(digest.encode() + asked.body[4:8]).hexdigest()))
        assert last_words(began)["C"] == "3D000"


@pytest.mark.parametrize("change", ("listed", "listed, and nobody looks for others"))
def test_nobody_becomes_what_the_name_of_a_role_is_listed_as(make_gateway, postgres, change):
    """The other way round: the name of a role that was found is listed, and works as another there."""
    with roles(postgres, encryption="md5") as [name]:
        gateway = make_gateway({"app": found(postgres)}, hba=RULES)
        began = gateway.wire(name, "app", login=False)
        began.send(startup([("user", name), ("database", "app")]))
        (asked,) = began.until("R")
        with enter(gateway, name) as client:
            assert client.value("select current_user") == name
            listed = {
                "username": name, "password": "md5" + hashlib.md5(b"Listed-pass-5" + name.encode()).hexdigest(),
                "server_username": "app_mapped", "server_password": PASSWORDS["app_mapped"], "pool_size": 2,
            }
            pools = copy.deepcopy(gateway.settings["pools"])
            pools["app"]["users"] = [listed]
            if change != "listed":
                del pools["app"]["auth_query"]
            gateway.settings["pools"] = {}
            gateway.reload(pools=pools)
            with enter(gateway, name, "Listed-pass-5") as other:
                assert other.value("select current_user") == "app_mapped"
            assert outcome(gateway, name) == "28P01"
            client.send(query("select current_user"))
            assert last_words(client)["C"] == "57P01"
        digest = hashlib.md5(f"{name}-Pass-7{name}".encode()).hexdigest()
        began.send(password_message("md5" + hashlib.md5(digest.encode() + asked.body[4:8]).hexdigest()))
        assert last_words(began)["C"] == "3D000"


def test_reload_renews_dynamic_pools(make_gateway, postgres):
    """New limits count for pools that are there; what is served goes on; without auth_query they end."""
    with roles(postgres) as [name]:
        gateway = make_gateway({"app": found(postgres, pool_size=2)}, hba=RULES)
        with enter(gateway, name) as client:
            assert client.value("select 1") == "1"
            pools = gateway.settings["pools"]
            pools["app"]["auth_query"]["pool_size"] = 5
            gateway.reload(pools=pools)
            assert gateway.pool_row(user=name)["pool_size"] == "5"
            assert client.value("select 1") == "1"
            pools["app"]["application_name"] = "renamed"
            gateway.reload(pools=pools)
            assert client.value("select 1") == "1", "a pool made anew has the credential of the old one"
            del pools["app"]["auth_query"]
            pools["app"]["users"] = [{"username": "app", "password": postgres.secrets["app"], "pool_size": 2}]
            gateway.settings["pools"] = {}
            gateway.reload(pools=pools)
            client.send(query("select 1"))
            assert last_words(client)["C"] == "57P01"


def test_dedicated_mode_shares_one_pool(make_gateway, postgres):
    """All users work as server_user; each is still proven by their own secret."""
    gateway = make_gateway(
        {"app": found(postgres, server_user="app_mapped", server_password=PASSWORDS["app_mapped"], pool_size=3)},
        hba=RULES,
    )
    with roles(postgres, 3) as names:
        clients = [enter(gateway, name) for name in names]
        assert {client.value("select current_user") for client in clients} == {"app_mapped"}
        row = gateway.pool_row(user="app_mapped")
        assert row["cl_idle"] == "3" and row["pool_size"] == "3" and dynamic_pools(gateway) == 0
        assert outcome_refused(gateway, names[0], "wrong") == "28P01"
        for client in clients:
            client.close()


def outcome_refused(gateway, name, password):
    with pytest.raises(LoginRefused) as refusal:
        enter(gateway, name, password)
    return refusal.value.sqlstate


def test_min_pool_size_prewarms(make_gateway, postgres):
    gateway = make_gateway({"app": found(postgres, min_pool_size=3)}, hba=RULES)
    with roles(postgres) as [name]:
        with enter(gateway, name) as client:
            assert client.value("select 1") == "1"
            wait_until(lambda: len(postgres.backends(name)) == 3, lambda: f"{postgres.backends(name)}")


def test_startup_parameters_of_the_row(make_gateway, postgres):
    """They are the reset values of the user's servers; a changed row makes the pool anew."""
    with postgres.admin() as admin:
        admin.execute("create table if not exists people (name text primary key, secret text, settings jsonb)")
    table = "select secret as passwd, settings as startup_parameters from public.people where name = $1"
    gateway = make_gateway({"app": found(postgres, query=table, cache_ttl="100ms", min_interval="10ms")}, hba=RULES)
    with roles(postgres) as [name], postgres.admin() as admin:
        admin.execute(
            "insert into people select rolname, rolpassword, '{\"work_mem\": \"77MB\"}' from pg_authid"
            " where rolname = %s",
            (name,),
        )
        with enter(gateway, name) as first:
            assert first.value("show work_mem") == "77MB"
            admin.execute("update people set settings = '{\"work_mem\": \"88MB\"}' where name = %s", (name,))

            def is_new():
                with enter(gateway, name) as client:
                    return client.value("show work_mem") == "88MB"

            wait_until(is_new, "the new row counts", 5)
            assert first.value("show work_mem") == "88MB"
        admin.execute("drop table people")


# --- crowds -----------------------------------------------------------------------------------------------------------


def test_500_simultaneous_first_logins_of_one_user(make_gateway, postgres):
    """One pool, within its size, and one question to PostgreSQL."""
    gateway = make_gateway({"app": found(postgres, pool_size=4)}, hba=RULES)
    with roles(postgres) as [name]:
        with concurrent.futures.ThreadPoolExecutor(100) as threads:
            results = list(threads.map(lambda _: outcome(gateway, name), range(500)))
        assert results == ["in"] * 500
        row = auth_row(gateway)
        assert row["dynamic_pools_created"] == "1" and row["executor_queries"] == "1", row
        assert len(postgres.backends(name)) <= 4


def test_first_logins_of_80_users_under_collection(make_gateway, postgres):
    """Collection every 200 ms takes no pool away from a login or a first connection on its way."""
    gateway = make_gateway(
        {"app": {**found(postgres, pool_size=1), "idle_timeout": 50}},
        general={"retain_connections_time": "200ms", "retain_connections_max": 0, "max_concurrent_creates": 2},
        hba=RULES,
    )
    with roles(postgres, 80) as names:
        with concurrent.futures.ThreadPoolExecutor(40) as threads:
            results = list(threads.map(lambda name: outcome(gateway, name), names * 3))
        assert results == ["in"] * 240
        wait_until(lambda: dynamic_pools(gateway) == 0, lambda: f"{auth_row(gateway)}", 20)
        row = auth_row(gateway)
        assert row["dynamic_pools_created"] == row["dynamic_pools_destroyed"]


def test_totals_of_a_pool_that_was_collected_go_on_when_it_comes_again(make_gateway, postgres):
    gateway = make_gateway(
        {"app": {**found(postgres, pool_size=1), "idle_timeout": 50}},
        general={"retain_connections_time": "100ms", "retain_connections_max": 0},
        hba=RULES,
    )

    def totals(name):
        row = next(r for r in gateway.console("SHOW STATS") if r["user"] == name)
        return {key: int(value) for key, value in row.items() if key.startswith("total_")}

    with roles(postgres) as [name]:
        before = None
        for _ in range(3):
            with enter(gateway, name) as client:
                for _ in range(5):
                    client.value("select 1")
                client.error("select 1 / 0")
                now = totals(name)
            if before:
                assert all(now[key] >= before[key] for key in now), (before, now)
                assert now["total_query_count"] == before["total_query_count"] + 6
                assert now["total_errors"] == before["total_errors"] + 1
            before = now
            wait_until(lambda: dynamic_pools(gateway) == 0, "the pool is collected", 20)
        assert int(auth_row(gateway)["dynamic_pools_created"]) == 3


def test_a_session_outlives_a_reload_and_the_collection_after_it(make_gateway, postgres):
    """The pool that takes the place of the session's waits for it."""
    gateway = make_gateway(
        {"app": found(postgres)}, general={"retain_connections_time": "50ms", "retain_connections_max": 0}, hba=RULES
    )
    with roles(postgres, 2) as [name, other], enter(gateway, name) as client:
        assert client.value("select current_user") == name
        assert outcome(gateway, other) == "in"
        gateway.reload(pools={"app": {"application_name": "changed"}})
        wait_until(lambda: not gateway.pool_row(user=other), "what nobody uses is collected")
        client.send(query("select current_user"))
        said = client.until("ZE")
        assert said[-1].kind == "Z", str(said[-1])
        assert dynamic_pools(gateway) == 1


def test_rotating_names_leave_nothing(make_gateway, postgres):
    """4000 names, each with a pool for a moment: the memory and the pools are where they were."""
    gateway = make_gateway(
        {"app": {**found(postgres, query=ANYBODY, pool_size=1, cache_max_entries=500), "idle_timeout": 50}},
        general={"retain_connections_time": "200ms", "retain_connections_max": 0},
        hba=RULES,
    )

    def visit(number):
        # The role does not exist at the server, so the first connection of each pool fails.
        assert outcome(gateway, f"passer_by_{number}", ANYBODYS_PASSWORD) == "08006"

    def crowd(numbers):
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            list(threads.map(visit, numbers))
        wait_until(lambda: dynamic_pools(gateway) == 0, lambda: f"{auth_row(gateway)}", 20)

    crowd(range(1000))
    before = gateway.memory()
    crowd(range(1000, 4000))
    grown = gateway.memory() - before
    assert grown < 3 << 20, f"{grown} bytes more after 3000 names"
    assert int(auth_row(gateway)["cache_entries"]) <= 500
    assert not gateway.pool_row(user="passer_by_1")


def test_names_without_a_role_leave_no_pool_that_has_a_minimum(make_gateway, postgres):
    gateway = make_gateway(
        {"app": found(postgres, query=ANYBODY, pool_size=1, min_pool_size=1)},
        general={"retain_connections_time": "100ms", "retain_connections_max": 0},
        hba=RULES,
    )
    for number in range(5):
        assert outcome(gateway, f"passer_by_{number}", ANYBODYS_PASSWORD) == "08006"
    wait_until(lambda: dynamic_pools(gateway) == 0, lambda: f"{auth_row(gateway)}")


def test_a_role_that_is_gone_takes_its_minimum_along(make_gateway, postgres):
    """A server is asked for once in vain, and again when somebody logs in."""
    gateway = make_gateway(
        {"app": found(postgres, min_pool_size=1)},
        general={"retain_connections_time": "100ms", "retain_connections_max": 0},
        hba=RULES,
    )

    def refusals():
        return gateway.log().count("cannot log in at the server")

    def take_away(name, admin):
        pids = postgres.backends(name)
        admin.execute(f"drop role {name}")
        for pid in pids:
            admin.execute("select pg_terminate_backend(%s, 5000)", (pid,))

    # The same name and password make the same hash: what logins bring is what was refused.
    with roles(postgres, encryption="md5") as [name], postgres.admin() as admin:
        with enter(gateway, name) as client:
            take_away(name, admin)
            wait_until(refusals, "a server is asked for")
            assert client.nothing_comes(0.5)
            assert refusals() == 1
            admin.execute("set password_encryption = 'md5'")
            admin.execute(f"create role {name} login password '{name}-Pass-7'")
            enter(gateway, name).leave()
            wait_until(lambda: len(postgres.backends(name)) == 1, "the login brings the minimum")
            take_away(name, admin)
            wait_until(lambda: refusals() == 2, "a server is asked for again")
        wait_until(lambda: dynamic_pools(gateway) == 0, lambda: f"{auth_row(gateway)}")
        assert refusals() == 2


def test_rotation_under_load(make_gateway, postgres):
    """The password changes ten times while clients work and come anew: sessions never break, the new password comes
    in within the stated bound, the old one is out at once after INVALIDATE AUTH."""
    gateway = make_gateway({"app": found(postgres, pool_size=4, cache_ttl="300ms", min_interval="50ms")}, hba=RULES)
    with roles(postgres) as [name]:
        with enter(gateway, name) as steady:
            for turn in range(10):
                new = f"Turn-{turn}-key-3"
                gateway.secrets.add(new)
                with postgres.admin() as admin:
                    admin.execute(f"alter role {name} password '{new}'")
                assert steady.value("select current_user") == name
                wait_until(lambda new=new: outcome(gateway, name, new) == "in", "the new password comes in", 5)
                gateway.console(f"INVALIDATE AUTH app.{name}")
                assert outcome(gateway, name) == "28P01"
                with psycopg.connect(
                    host="127.0.0.1", port=gateway.port, user=name, dbname="app", password=new
                ) as client:
                    assert client.execute("select 1").fetchone() == (1,)


def test_console_rules_hold_for_the_commands(make_gateway, postgres):
    """Only who may enter the console may revoke."""
    gateway = make_gateway({"app": found(postgres)}, hba=RULES + f"host pggateway {ADMIN} {LOCAL} md5\n")
    with roles(postgres) as [name]:
        with pytest.raises(LoginRefused):
            gateway.wire(name, "pggateway", f"{name}-Pass-7")
