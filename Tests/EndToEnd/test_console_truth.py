"""What the console's tables say, against what clients have done."""

import subprocess
import threading
import time

import pytest

from cancelling import HeldCancel
from fakeserver import FakeServer, plain_answer
from gateway import pool, users
from polling import wait_until
from server import HELD, PASSWORDS, executable
from wire import Wire, bind, describe_portal, execute, parse, query, startup, sync, terminate

SELECT = "select id, word from numbers where id = $1"


class CountingWire(Wire):
    """Counts the bytes that go either way."""

    sent = received = 0

    def _write(self, data):
        self.sent += len(data)
        super()._write(data)

    def receive(self, timeout=None):
        answer = super().receive(timeout)
        self.received += 5 + len(answer.body)
        return answer


def counting(gateway, database):
    client = CountingWire(gateway.host, gateway.port).login("app", database, PASSWORDS["app"])
    client.sent = client.received = 0
    return client


def stats(gateway, database, user="app"):
    [row] = [r for r in gateway.console("SHOW STATS") if (r["database"], r["user"]) == (database, user)]
    return {name: int(value) for name, value in row.items() if name not in ("database", "user")}


def grown(gateway, database, before, *names):
    after = stats(gateway, database)
    return tuple(after[name] - before[name] for name in names)


def active_server(gateway, database):
    [row] = [r for r in gateway.console("SHOW SERVERS") if r["database_name"] == database and r["state"] == "active"]
    return {name: int(row[name]) for name in row if name.endswith("_count") or name.startswith("bytes_")}


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_servers_tell_what_the_present_client_does(make_gateway, postgres, mode):
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    with counting(gateway, "app") as client:
        client.rows("begin work")
        before = active_server(gateway, "app")
        sent, received = client.sent, client.received
        for _ in range(10):
            client.rows("select 1")
        now = active_server(gateway, "app")
        assert now["query_count"] - before["query_count"] == 10
        assert now["bytes_sent"] - before["bytes_sent"] == client.sent - sent
        assert now["bytes_received"] - before["bytes_received"] == client.received - received
        client.rows("commit")
        if mode == "session":
            client.rows("select 1")
            assert active_server(gateway, "app")["transaction_count"] - now["transaction_count"] == 2


def test_a_server_that_finishes_alone_keeps_its_counts(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, "session", pool_size=1)})
    with postgres.hold():
        with gateway.wire() as client:
            for _ in range(10):
                client.rows("select 1")
            before = active_server(gateway, "app")
            client.send_together(query(f"select {HELD}"), terminate())
        wait_until(lambda: all(row["user"] != "app" for row in gateway.console("SHOW CLIENTS")), "the client has left")
        now = active_server(gateway, "app")
    assert now["query_count"] == before["query_count"] == 10
    assert all(now[name] >= before[name] for name in before), (before, now)
    gateway.wait_idle()


def test_a_server_that_is_cleaned_keeps_its_counts(make_gateway):
    """Its client has gone, and it is not back in its pool yet."""
    go_on = threading.Event()

    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if "DISCARD" in sql:
                go_on.wait(20)
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        settings = {"app": server.pool("session", pool_size=1)}
        gateway = make_gateway(settings, hba="host all all 127.0.0.1/32 trust\n")
        with gateway.wire("app") as client:
            for _ in range(10):
                client.rows("select 1")
            before = active_server(gateway, "app")
            client.leave()
        wait_until(lambda: all(row["user"] != "app" for row in gateway.console("SHOW CLIENTS")), "the client has left")
        assert active_server(gateway, "app") == before and before["query_count"] == 10
        go_on.set()
        gateway.wait_idle()
        [row] = gateway.console("SHOW SERVERS")
        assert (row["state"], row["query_count"]) == ("idle", "10")


def test_a_server_that_waits_for_a_cancel_request_keeps_its_counts(make_gateway):
    held = HeldCancel()
    with held.server:
        gateway = held.gateway(make_gateway)
        with gateway.wire("app") as client:
            for _ in range(9):
                client.rows("select 1")
            canceller = held.ask(gateway, client, "select first")
            client.ready()
            [row] = [row for row in gateway.console("SHOW CLIENTS") if row["user"] == "app"]
            assert row["state"] == "idle"
            assert active_server(gateway, "app")["query_count"] == 10
            held.let_go.set()
            canceller.close()
        gateway.wait_idle()
        [row] = gateway.console("SHOW SERVERS")
        assert row["query_count"] == "10"


@pytest.mark.parametrize("mode", ("transaction", "session", "statement"))
@pytest.mark.parametrize(
    "batch",
    [
        pytest.param([parse(SELECT), bind(("5",)), describe_portal(), execute(), sync()] * 5, id="unnamed"),
        pytest.param([parse(SELECT, "s"), *[bind(("5",), statement="s"), execute()] * 10, sync()], id="named"),
        pytest.param([parse(SELECT, "t"), sync()] * 2, id="twice"),
        pytest.param([query("prepare x as select 1")], id="as SQL"),
        pytest.param([query("deallocate all")], id="deallocate"),
        pytest.param([query("/* ping */;")] * 3, id="check query"),
        pytest.param([query("select length('" + "y" * 100_000 + "')")], id="long"),
        pytest.param([parse("select '" + "z" * 100_000 + "'"), bind(), execute(), sync()] * 2, id="long parse"),
        pytest.param([parse("nonsense"), parse(SELECT, "u"), bind(("5",), statement="u"), sync()], id="skipped"),
    ],
)
def test_statistics_count_the_bytes_of_the_client(make_gateway, postgres, mode, batch):
    """Not those that the gateway makes of them, nor those that it spares the server."""
    general = {"pooler_check_query": "/* ping */;"}
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)}, general)
    count = sum(1 for message in batch if message[:1] in (b"Q", b"S"))
    for _ in range(2):
        before = stats(gateway, "app")
        with counting(gateway, "app") as client:
            client.send_together(*batch)
            client.ready(count)
            sent, received = client.sent, client.received
            names = ("total_received", "total_sent", "total_query_count", "total_xact_count")
            expected = (sent, received, count, count)
            wait_until(
                lambda: grown(gateway, "app", before, *names) == expected,
                lambda: f"{expected}, and not {grown(gateway, 'app', before, *names)}",
                deadline=3.0,
            )
            client.leave()
        gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_a_long_answer_counts_while_it_lasts(make_gateway, postgres, mode):
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    before = stats(gateway, "app")
    with counting(gateway, "app") as client:
        client.send(query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout"))
        while client.received < 20_000_000:
            client.receive()
        [sent] = grown(gateway, "app", before, "total_sent")
        assert sent > 15_000_000
        assert active_server(gateway, "app")["bytes_received"] > 15_000_000


@pytest.mark.parametrize("mode", ("transaction", "session", "statement"))
def test_a_client_that_never_pauses_is_counted(make_gateway, postgres, mode):
    """Its next request is out before the last one is answered: there is no moment at which nothing is owed to it."""
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    before = stats(gateway, "app")
    with gateway.wire() as client:
        began = time.monotonic()
        client.send(query("select pg_sleep(0.1)"))
        for _ in range(30):
            client.send(query("select pg_sleep(0.1)"))
            client.ready()
        names = ("total_query_count", "total_xact_count", "total_query_time", "total_xact_time")
        *counts, query_time, transaction_time = grown(gateway, "app", before, *names)
        elapsed = (time.monotonic() - began) * 1_000_000
        counts.append(active_server(gateway, "app")["query_count"])
        [row] = [row for row in gateway.console("SHOW CLIENTS") if row["user"] == "app"]
        counts += [int(row["query_count"]), int(row["transaction_count"])]
        # A second's requests may still be missing.
        assert min(counts) >= 15 and max(counts) <= 31, counts
        assert 1_500_000 <= query_time <= elapsed and 1_500_000 <= transaction_time <= elapsed
        client.ready()
    gateway.wait_idle()
    assert grown(gateway, "app", before, "total_query_count", "total_xact_count") == (31, 31)


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_the_end_of_a_transaction_and_the_next_one_in_one_go(make_gateway, postgres, mode):
    """Each is timed once: the next one begins where the last one has ended."""
    gateway = make_gateway({"app": pool(postgres, mode, pool_size=1)})
    before = stats(gateway, "app")
    with gateway.wire() as client:
        began = time.monotonic()
        client.rows("begin work")
        for _ in range(10):
            client.rows("select pg_sleep(0.2)")
            client.send_together(query("commit"), query("begin work"))
            client.ready(2)
        client.rows("commit")
        elapsed = (time.monotonic() - began) * 1_000_000
    gateway.wait_idle()
    transactions, timed = grown(gateway, "app", before, "total_xact_count", "total_xact_time")
    assert transactions == 11
    # The gateway's clock stands still within a round.
    assert 1_900_000 <= timed <= elapsed + 100_000


def test_errors_of_the_gateway_are_counted(make_gateway, postgres):
    pools = {mode: pool(postgres, mode, pool_size=1) for mode in ("transaction", "statement")}
    gateway = make_gateway(pools, {"query_wait_timeout": "200ms"})
    before = {mode: stats(gateway, mode) for mode in pools}
    with gateway.wire(database="transaction") as holder, gateway.wire(database="transaction") as waiting:
        holder.rows("begin work")
        waiting.send(query("select 1"))
        assert [m.sqlstate for m in waiting.until_closed()] == ["53300"]
    assert grown(gateway, "transaction", before["transaction"], "total_errors") == (1,)
    with counting(gateway, "statement") as client:
        client.send(query("begin work"))
        assert [m.sqlstate for m in client.until_closed() if m.kind == "E"] == ["25001"]
        expected = (1, client.received)
    assert grown(gateway, "statement", before["statement"], "total_errors", "total_sent") == expected


def test_the_wait_of_a_client_that_leaves_is_counted(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, pool_size=1)}, {"query_wait_timeout": "20s"})
    before = stats(gateway, "app")
    with gateway.wire() as holder, gateway.wire() as waiting:
        holder.rows("begin work")
        waiting.send(query("select 1"))
        wait_until(lambda: int(gateway.pool_row()["maxwait_us"]) >= 200_000, "it has waited for a while")
        waiting.reset()
        wait_until(lambda: gateway.pool_row()["cl_waiting"] == "0", "it has left")
        [waited] = grown(gateway, "app", before, "total_wait_time")
        assert waited >= 200_000


@pytest.mark.parametrize("by_login", (False, True))
def test_a_wait_for_a_server_that_cannot_be_opened_is_counted(make_gateway, by_login):
    """It ends with the failure of the opening, not with a deadline of its own."""

    def never(peer):
        peer.exactly(1 << 20)

    def first(peer):
        peer.login()
        peer.send(plain_answer(peer.next_query()))

    with FakeServer([first, never]) as server:
        general = {"connect_timeout": "500ms", "query_wait_timeout": "20s"}
        gateway = make_gateway({"app": server.pool(pool_size=1)}, general, hba="host all all 127.0.0.1/32 trust\n")
        with gateway.wire("app") as client:
            client.rows("select 1")
            wait_until(lambda: not gateway.console("SHOW SERVERS"), "the only server has gone")
            before = stats(gateway, "app")
            with gateway.wire("app", login=not by_login) as waiting:
                unknown = startup({"user": "app", "database": "app", "TimeZone": "Asia/Tokyo"})
                waiting.send(unknown if by_login else query("select 1"))
                assert [m.kind for m in waiting.until_closed()][-1] == "E"
            [waited] = grown(gateway, "app", before, "total_wait_time")
            assert 450_000 <= waited <= 5_000_000


@pytest.mark.parametrize("end", ("leaves", "is killed"))
def test_the_wait_for_a_server_that_is_checked_is_counted(make_gateway, end):
    """The client has left the queue by then, and has no server yet."""
    silent = threading.Event()

    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if silent.is_set():
                return peer.until("X")
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        general = {"server_idle_check_timeout": "1ms", "query_wait_timeout": "20s"}
        gateway = make_gateway({"app": server.pool(pool_size=1)}, general, hba="host all all 127.0.0.1/32 trust\n")
        with gateway.wire("app") as client:
            client.rows("select 1")
            silent.set()
            idle = time.monotonic()
            wait_until(lambda: time.monotonic() - idle > 0.05, "the server has been idle for long")
            before = stats(gateway, "app", "app")
            client.send(query("select 1"))
            wait_until(lambda: gateway.pool_row(user="app")["cl_waiting"] == "1", "the client waits")
            wait_until(
                lambda: int(gateway.pool_row(user="app")["maxwait_us"]) >= 300_000,
                "it has waited for a while, and is shown so",
            )
            if end == "leaves":
                client.reset()
            else:
                assert gateway.console("KILL USER app")
            waited = wait_until(
                lambda: grown(gateway, "app", before, "total_wait_time")[0], "the wait of the client is counted"
            )
            assert 300_000 <= waited <= 5_000_000


@pytest.mark.parametrize("started", (None, "started"))
@pytest.mark.parametrize("reset", ("reset application_name", "reset all", "discard all"))
def test_a_session_is_shown_by_the_name_that_it_gives_itself(make_gateway, postgres, reset, started):
    gateway = make_gateway({"app": pool(postgres, "session", pool_size=1)})
    parameters = {"application_name": started} if started else {}

    def shown():
        [row] = [row for row in gateway.console("SHOW CLIENTS") if row["user"] == "app"]
        return row["application_name"]

    with gateway.wire(parameters=parameters) as client:
        own = client.value("show application_name")
        assert shown() == own and (own == started or not started)
        client.rows("set application_name to 'set'")
        assert shown() == "set"
        client.rows("begin work")
        client.rows("set local application_name to 'local'")
        assert shown() == "local"
        client.rows("rollback")
        assert shown() == "set"
        client.rows(reset)
        # Behind that the startup packet holds again from the next request on.
        assert client.value("show application_name") == own
        assert shown() == own


def test_a_console_session_counts_its_commands(gateway):
    with gateway.console_wire() as console, gateway.console_wire() as other:
        console.rows("show version; show pools")
        console.error("show nonsense")
        [row] = [row for row in other.dicts("SHOW CLIENTS") if row["client_id"] == f"#c{console.pid}"]
        assert (row["query_count"], row["error_count"]) == ("3", "1")


def test_every_client_is_counted_once(make_gateway, postgres):
    """Under load the figures are taken at different moments. They still speak of as many clients as there are."""
    gateway = make_gateway({"app": pool(postgres, pool_size=3)}, {"query_wait_timeout": "30s"})
    command = [executable("pgbench"), "-n", "-h", gateway.host, "-p", str(gateway.port), "-U", "app", "-c", "24"]
    command += ["-T", "4", "-f", "/dev/stdin", "app"]
    environment = {"PGPASSWORD": PASSWORDS["app"], "PATH": "/usr/bin:/bin", "PGSSLMODE": "disable"}
    load = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    load.stdin.write("select 1;\n")
    load.stdin.close()
    try:
        with gateway.console_wire() as console:

            def clients():
                [row] = [r for r in console.dicts("SHOW POOLS") if r["user"] == "app"]
                return sum(int(row[name]) for name in ("cl_idle", "cl_active", "cl_waiting"))

            wait_until(lambda: clients() >= 24, "the load is on")
            sums = set()
            while load.poll() is None and len(sums) < 3:
                sums.add(clients())
                assert max(sums) <= 24, sums
        assert load.wait(20) == 0, load.stdout.read()
    finally:
        load.kill()
        load.wait()
        load.stdout.close()


@pytest.mark.parametrize("end", ("granted", "reset"))
def test_a_login_that_waits_for_a_server_is_a_waiting_client(make_gateway, postgres, end):
    """Its wait counts, in vain or not."""
    gateway = make_gateway({"app": pool(postgres, pool_size=1)}, {"query_wait_timeout": "20s"})
    with gateway.wire("app_trust") as holder, gateway.wire(login=False) as newcomer:
        holder.rows("begin work")
        # Nobody has asked for these parameters yet: a server has to say what it makes of them.
        newcomer.send(startup({"user": "app_trust", "database": "app", "TimeZone": "Asia/Tokyo"}))
        wait_until(lambda: gateway.pool_row(user="app_trust")["cl_waiting"] == "1", "the login waits")
        states = sorted(row["state"] for row in gateway.console("SHOW CLIENTS") if row["user"] == "app_trust")
        assert states == ["active", "waiting"]
        before = stats(gateway, "app", "app_trust")["total_wait_time"]
        holder.rows("select pg_sleep(0.25)")
        if end == "granted":
            holder.rows("commit")
            newcomer.ready()
        else:
            newcomer.reset()
        waited = wait_until(
            lambda: stats(gateway, "app", "app_trust")["total_wait_time"] - before, "the login's wait is counted"
        )
        assert waited >= 200_000
        assert gateway.pool_row(user="app_trust")["cl_waiting"] == "0"


def test_the_wait_of_a_login_goes_on_over_a_reload(make_gateway):
    """The pool that takes the place of its own has no server either: the limit counts from when it first asked."""

    def never(peer):
        peer.exactly(1 << 20)

    def first(peer):
        peer.login()
        peer.serve()

    with FakeServer([first, never]) as server:
        settings = server.pool(pool_size=1)
        limits = {"query_wait_timeout": "3s", "connect_timeout": "60s"}
        gateway = make_gateway({"app": settings}, limits, hba="host all all 127.0.0.1/32 trust\n")
        with gateway.wire("app") as holder, gateway.wire(login=False) as newcomer:
            holder.rows("begin work")
            began = time.monotonic()
            newcomer.send(startup({"user": "app", "database": "app", "TimeZone": "Asia/Tokyo"}))
            wait_until(lambda: gateway.pool_row(user="app")["cl_waiting"] == "1", "the login waits")
            wait_until(lambda: time.monotonic() - began > 2, "some of its time is over")
            gateway.reload(pools={"app": {**settings, "application_name": "changed"}})
            assert newcomer.until_closed()[-1].kind == "E"
            assert 2.5 < time.monotonic() - began < 4.5
            assert stats(gateway, "app", "app")["total_wait_time"] > 2_500_000
            holder.rows("rollback")


def told_of_the_end(client):
    """The SQLSTATE that a query brings which is a client's last."""
    client.send(query("select 'served'"))
    return client.until_closed()[-1].sqlstate


def test_what_a_pool_counts_after_it_has_left_the_settings_is_in_later_totals(make_gateway, postgres):
    """Its clients end their transactions there, and are told there that it is gone."""
    listed = users(postgres)
    gateway = make_gateway({"app": pool(postgres, users_=listed)})
    inside, outside = gateway.wire(), gateway.wire()
    inside.rows("begin work")
    inside.value("select 1")
    outside.value("select 1")
    before = stats(gateway, "app")
    others = [user for user in listed if user["username"] != "app"]
    gateway.reload(pools={"app": pool(postgres, users_=others)})
    assert told_of_the_end(outside) == "57P01"
    inside.value("select 2")
    # For one client the user is back before the transaction is over, for the other one too late.
    gateway.reload(pools={"app": pool(postgres, users_=listed)})
    assert grown(gateway, "app", before, "total_errors", "total_query_count", "total_xact_count") == (1, 1, 0)
    gateway.reload(pools={"app": pool(postgres, users_=others)})
    inside.error("select 1 / 0")
    inside.rows("rollback")
    assert told_of_the_end(inside) == "57P01"
    gateway.reload(pools={"app": pool(postgres, users_=listed)})
    assert grown(gateway, "app", before, "total_errors", "total_query_count", "total_xact_count") == (3, 3, 1)


def test_a_pool_that_has_left_the_settings_shows_as_long_as_it_serves(make_gateway, postgres):
    """In every table, and its averages go on."""
    listed = users(postgres)
    settings = pool(postgres, "session", users_=listed)
    gateway = make_gateway({"app": settings})

    others = {**settings, "users": [user for user in listed if user["username"] != "app"]}

    def rows(table, name):
        """SHOW DATABASES does not name users."""
        found = [row for row in gateway.console(f"SHOW {table}") if row[name] == "app"]
        return [row for row in found if row.get("user", "app") == "app"]

    with gateway.wire() as client:
        client.rows("select 1")
        before = stats(gateway, "app")
        gateway.reload(pools={"app": others})
        client.rows("select 2")
        assert grown(gateway, "app", before, "total_query_count", "total_xact_count") == (1, 1)
        assert len(rows("POOLS", "database")) == len(rows("STATS", "database")) == 1
        used = sorted(row["current_connections"] for row in rows("DATABASES", "name"))
        assert len(used) == len(listed) and used[-1] == "1"
        client.rows("select pg_sleep(0.5)")
        wait_until(
            lambda: int(gateway.pool_row()["avg_xact_time"]) >= 100_000, "the averages are rolled", deadline=25.0
        )
        assert stats(gateway, "app")["avg_xact_time"] >= 100_000
        # Twice in the settings again, once as it was and once as another: one row each time.
        for name in ("other", "another"):
            gateway.reload(pools={"app": {**settings, "application_name": name, "users": listed}})
            assert grown(gateway, "app", before, "total_query_count") == (2,)
            assert len(rows("STATS", "database")) == 1 and len(rows("DATABASES", "name")) == len(listed)
        gateway.reload(pools={"app": others})
        assert len(rows("STATS", "database")) == 1 and len(rows("DATABASES", "name")) == len(listed)
    wait_until(lambda: not rows("STATS", "database"), "the pool serves no more")
    assert not rows("POOLS", "database") and len(rows("DATABASES", "name")) == len(listed) - 1
