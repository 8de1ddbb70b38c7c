"""Which client gets which server, for how long, in which order, and in what state."""

import re
import socket
import statistics
import threading
import time

import pytest

from fakeserver import (
    FakeServer,
    command_complete,
    data_row,
    error,
    greeting,
    notice,
    plain_answer,
    ready,
    row_description,
)
from gateway import pool, seeing
from polling import wait_until
from server import kill
from threads import in_threads
from wire import (
    Closed,
    LoginRefused,
    bind,
    byte_by_byte,
    close_statement,
    closing_error,
    copy_data,
    copy_done,
    describe_statement,
    execute,
    flush,
    function_call,
    parse,
    query,
    sync,
    whole,
)

PID = "select pg_backend_pid()"


def small(make_gateway, mode="transaction", size=1, general=None, **pool_options):
    return make_gateway(general=general, pool_options={"mode": mode, "pool_size": size, **pool_options})


def waiting(gateway):
    return int(gateway.pool_row()["cl_waiting"])


# --- modes ------------------------------------------------------------------------------------------------------------


def test_transaction_mode_shares_a_server(make_gateway):
    gateway = small(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        pids = [one.value(PID), two.value(PID), one.value(PID), two.value(PID)]
        assert len(set(pids)) == 1
        one.rows("begin work")
        assert one.value(PID) == pids[0]
        two.send(query(PID))
        wait_until(lambda: waiting(gateway) == 1, "the second client waits")
        assert one.value(PID) == pids[0]
        one.rows("commit")
        assert two.ready()[1].values == [pids[0].encode()]
    gateway.wait_idle()


def test_session_mode_keeps_the_server_until_the_client_leaves(make_gateway):
    gateway = small(make_gateway, "session")
    with gateway.wire() as one:
        pid = one.value(PID)
        one.rows("set work_mem = '7MB'")
        with gateway.wire() as two:
            two.send(query("select 1"))
            wait_until(lambda: waiting(gateway) == 1, "the second client waits")
            assert one.value("show work_mem") == "7MB"
            assert one.value(PID) == pid
            one.leave()
            two.ready()
            assert two.value("show work_mem") == "4MB"
    gateway.wait_idle()


def test_statement_mode_has_no_transactions(make_gateway, postgres):
    gateway = small(make_gateway, "statement")
    with gateway.wire() as one, gateway.wire() as two:
        assert one.value("select 1") == two.value("select 1") == "1"
        one.send_together(parse("select 1"), bind(), execute(), sync(), query("select 2"))
        one.ready(2)
    for begin in ("begin", "start transaction", "select 1; begin; select 2"):
        with gateway.wire() as client:
            client.send(query(begin))
            try:
                errors = [m for m in client.ready() if m.kind == "E"]
            except Closed:
                errors = [m for m in client.transcript if m.kind == "E"]
            assert errors and "transaction" in errors[0].fields["M"].lower(), begin
        with gateway.wire() as client:
            client.send(query("select 1"))
            assert client.ready()[-1].body == b"I"
            idle_in_transaction = (
                "select count(*) from pg_stat_activity where state like 'idle in%%' and usename = 'app'"
            )
            wait_until(lambda: postgres.value(idle_in_transaction) == 0, "no transaction is left open")
    gateway.wait_idle()


def test_clients_come_and_go_without_a_query(gateway):
    """A login alone leaves no server busy."""
    for _ in range(30):
        with gateway.wire():
            pass
    gateway.wait_idle()


def test_pool_mode_of_one_user(make_gateway, postgres):
    chosen = pool(postgres, "transaction", pool_size=1)
    for entry in chosen["users"]:
        if entry["username"] == "app_md5":
            entry["pool_mode"] = "session"
    gateway = make_gateway({"app": chosen})
    with gateway.wire("app_md5") as client:
        client.rows("create temp table stays (a int)")
        assert client.value("select count(*) from stays") == "0"
        assert gateway.pool_row(user="app_md5")["pool_mode"] == "session"
        assert gateway.pool_row(user="app")["pool_mode"] == "transaction"


# --- bounds and order -------------------------------------------------------------------------------------------------


def check_bounds(gateway):
    for row in gateway.console("SHOW POOLS"):
        if row["database"] in gateway.settings["pools"]:
            servers = sum(int(row[name]) for name in ("sv_active", "sv_idle", "sv_login"))
            assert servers <= int(row["pool_size"]), row


@pytest.mark.parametrize("mode", ("transaction", "session", "statement"))
def test_never_more_servers_than_pool_size(make_gateway, postgres, mode):
    gateway = small(make_gateway, mode, size=3, general={"query_wait_timeout": "60s"})
    over = threading.Event()
    highest = []

    def watch():
        with postgres.admin() as admin:
            while not over.wait(0.005):
                (count,) = admin.execute(
                    "select count(*) from pg_stat_activity where usename = 'app' and backend_type = 'client backend'"
                ).fetchone()
                highest.append(count)
                check_bounds(gateway)

    def work(number):
        for round_ in range(4):
            with gateway.wire(timeout=60) as client:
                for _ in range(5):
                    assert client.value(f"select {number} + {round_}") == str(number + round_)
                if mode == "transaction":
                    client.rows("begin work")
                    client.rows("select pg_sleep(0.001)")
                    if number % 3:
                        client.rows("commit")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        in_threads(30, work)
    finally:
        over.set()
        watcher.join()
    # Servers that are being closed may still be listed by PostgreSQL while their successors start.
    assert 0 < max(highest) <= 2 * 3 and statistics.median(highest) <= 3, max(highest)
    gateway.wait_idle()


@pytest.mark.parametrize("workers, count, bound", [(1, 30, 0), (2, 90, 32)])
def test_first_in_first_out(make_gateway, postgres, workers, count, bound):
    """With one worker exactly; with more, at most 32 younger waiters of the same worker go before an older one."""
    gateway = small(make_gateway, general={"worker_threads": workers, "query_wait_timeout": "60s"})
    with postgres.admin() as admin:
        admin.execute("drop sequence if exists queue_order")
        admin.execute("create sequence queue_order")
        admin.execute("grant all on sequence queue_order to public")
    holder = gateway.wire()
    holder.rows("begin work")
    clients = []
    for number in range(count):
        clients.append(gateway.wire())
        clients[-1].send(query("select nextval('queue_order')"))
        wait_until(lambda: waiting(gateway) == number + 1, "one more waits")
    holder.rows("commit")
    order = [int(client.ready()[1].values[0]) - 1 for client in clients]
    assert sorted(order) == list(range(count))
    late = {place: turn for place, turn in enumerate(order) if turn - place > bound}
    assert not late, f"served later than their place in the queue allows: {late}"
    for client in clients + [holder]:
        client.close()
    gateway.wait_idle()


def test_query_wait_timeout(make_gateway):
    gateway = small(make_gateway)
    with gateway.wire() as holder:
        holder.rows("begin work")
        gateway.reload(general={"query_wait_timeout": "400ms"})
        for message in (query("select 1"), parse("select 1") + bind() + execute() + sync()):
            with gateway.wire() as client:
                began = time.monotonic()
                client.send(message)
                answer = client.until("E")[-1]
                waited = time.monotonic() - began
                assert 0.3 < waited < 5, waited
                assert answer.sqlstate == "53300", str(answer)
                assert "timeout" in answer.fields["M"]
            wait_until(lambda: waiting(gateway) == 0, "nobody waits any more")
        gateway.reload(general={"query_wait_timeout": "5s"})
        assert holder.value("select 1") == "1"
        holder.rows("commit")
        with gateway.wire() as client:
            assert client.value("select 1") == "1"
    gateway.wait_idle()


def test_a_server_that_is_down_does_not_fill_the_log(make_gateway):
    """The same words once in a second; how many failures had no line is told by the next one, and when it is back."""
    down = threading.Event()
    down.set()

    def script(peer):
        peer.startup()
        if down.is_set():
            return peer.send(error("57P03", "the database system is starting up", "FATAL"))
        peer.send(greeting())
        peer.serve()

    def lines(gateway):
        return [x for x in gateway.log().splitlines() if "ERROR" in x and "cannot log in at the server" in x]

    def failures(gateway):
        return len(lines(gateway)) + sum(int(number) for number in re.findall(r"unlogged=(\d+)", gateway.log()))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, hba="host all all all trust\n")
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(LoginRefused) as refusal:
                gateway.wire("app")
            assert refusal.value.sqlstate == "57P03"
        passed = time.monotonic() - began
        assert server.connections == 50, "every client has an attempt of its own"
        down.clear()
        with gateway.wire("app") as client:
            client.rows("select 1")
        wait_until(lambda: failures(gateway) == 50, lambda: gateway.tail())
        assert 1 <= len(lines(gateway)) <= passed + 2, lines(gateway)
        assert all("starting up" in line for line in lines(gateway))
        gateway.wait_idle()


def test_who_waits_in_vain_hears_why_no_server_was_opened(make_gateway):
    """While another one lives and is busy. One that is opened after all takes the words back."""
    refuses = threading.Event()

    def script(peer):
        peer.startup()
        if refuses.is_set():
            return peer.send(error("28P01", "the password has changed", "FATAL"))
        peer.send(greeting())
        peer.serve(lambda sql: command_complete("BEGIN") + ready("T") if "begin" in sql else None)

    with FakeServer(script) as server:
        gateway = make_gateway(
            {"app": server.pool(pool_size=2)}, {"query_wait_timeout": "300ms"}, hba="host all all all trust\n"
        )
        with gateway.wire("app") as holder:
            holder.rows("begin; select 1")
            refuses.set()
            with gateway.wire("app") as client:
                client.send(query("select 1"))
                told = client.until("E")[-1]
            assert told.sqlstate == "53300", str(told)
            assert "the password has changed" in told.fields["D"], str(told)
            refuses.clear()
            gateway.reload(general={"query_wait_timeout": "20s"})
            with gateway.wire("app") as second:
                second.rows("begin; select 2")
                gateway.reload(general={"query_wait_timeout": "300ms"})
                with gateway.wire("app") as client:
                    client.send(query("select 1"))
                    told = client.until("E")[-1]
                assert told.sqlstate == "53300" and "D" not in told.fields, str(told)
        gateway.wait_idle()


def test_a_wait_in_vain_counts_as_waiting_time(make_gateway):
    gateway = small(make_gateway, general={"query_wait_timeout": "400ms"})

    def waited():
        rows = gateway.console("SHOW STATS")
        return next(int(r["total_wait_time"]) for r in rows if r["database"] == "app" and r["user"] == "app")

    with gateway.wire() as holder, gateway.wire() as client:
        holder.rows("begin work")
        before = waited()
        client.send(query("select 1"))
        assert client.until("E")[-1].sqlstate == "53300"
        assert waited() - before >= 400_000


def test_the_oldest_loan_is_shown(make_gateway):
    gateway = small(make_gateway)

    def age():
        return int(gateway.pool_row()["oldest_active_age_ms"])

    with gateway.wire() as holder:
        holder.rows("begin work")
        wait_until(lambda: age() >= 300, "the loan grows old")
        holder.rows("commit")
        wait_until(lambda: age() == 0, "nothing is lent any more")


def test_a_replaced_pool_keeps_its_totals_and_shows_its_servers(make_gateway):
    gateway = small(make_gateway)

    def queries():
        rows = gateway.console("SHOW STATS")
        return next(int(r["total_query_count"]) for r in rows if r["database"] == "app" and r["user"] == "app")

    with gateway.wire() as holder:
        for _ in range(5):
            holder.value("select 1")
        before = queries()
        assert before >= 5
        holder.rows("begin work")
        gateway.reload(pools={"app": {"application_name": "renewed"}})
        assert queries() >= before
        assert [row["state"] for row in gateway.console("SHOW SERVERS")] == ["active"]
        assert gateway.pool_row()["sv_active"] == "1"
        lists = {row["list"]: row["items"] for row in gateway.console("SHOW LISTS")}
        assert lists["used_servers"] == "1"
        databases = gateway.console("SHOW DATABASES")
        assert next(row["current_connections"] for row in databases if row["name"] == "app") == "1"
        holder.rows("commit")
        wait_until(lambda: gateway.pool_row()["sv_active"] == "0", "the old server goes")
        assert holder.value("select 1") == "1"
        assert queries() > before
    gateway.wait_idle()


def test_a_shorter_period_of_housekeeping_holds_at_once(make_gateway):
    gateway = small(make_gateway, general={"retain_connections_time": "1h", "idle_timeout": "200ms"})
    with gateway.wire() as client:
        client.value("select 1")
        assert len(gateway.console("SHOW SERVERS")) == 1
        gateway.reload(general={"retain_connections_time": "100ms"})
        wait_until(lambda: not gateway.console("SHOW SERVERS"), "the idle server is closed")


@pytest.mark.parametrize("how", ("leave", "close", "reset"))
def test_a_client_that_leaves_leaves_the_queue(make_gateway, how):
    gateway = small(make_gateway, general={"query_wait_timeout": "60s"})
    with gateway.wire() as holder:
        holder.rows("begin work")
        gone = [gateway.wire() for _ in range(5)]
        last = gateway.wire()
        for client in (*gone, last):
            client.send(query("select 'served'"))
        wait_until(lambda: waiting(gateway) == 6, "six wait")
        for client in gone:
            getattr(client, how)()
        wait_until(lambda: waiting(gateway) == 1, "the five have left the queue")
        holder.rows("commit")
        assert last.ready()[1].values == [b"served"]
        last.close()
    gateway.wait_idle()


# --- ageing -----------------------------------------------------------------------------------------------------------


def test_idle_servers_are_closed(make_gateway, postgres):
    gateway = small(
        make_gateway,
        size=4,
        general={"idle_timeout": "500ms", "retain_connections_time": "100ms", "retain_connections_max": 0},
    )
    with gateway.wire("app_md5") as client:
        client.value("select 1")
        assert len(postgres.backends("app_md5")) == 1
        wait_until(lambda: not postgres.backends("app_md5"), "the idle server is closed")
        assert client.value("select 1") == "1"
    gateway.wait_idle()


def test_busy_servers_are_not_idle(make_gateway):
    gateway = small(
        make_gateway, general={"idle_timeout": "200ms", "retain_connections_time": "50ms", "server_lifetime": "200ms"}
    )
    with gateway.wire() as client:
        client.rows("begin work")
        pid = client.value(PID)
        client.rows("select pg_sleep(0.6)")
        assert client.value(PID) == pid
        client.rows("commit")
    gateway.wait_idle()


def test_old_servers_are_replaced(make_gateway, postgres):
    gateway = small(
        make_gateway,
        general={"server_lifetime": "500ms", "retain_connections_time": "100ms", "retain_connections_max": 0},
    )
    with gateway.wire("app_md5") as client:
        first = client.value(PID)
        wait_until(lambda: int(first) not in postgres.backends("app_md5"), "the old server is closed")
        assert client.value(PID) != first
    gateway.wait_idle()


@pytest.mark.parametrize("is_awaited", (False, True), ids=("alone", "awaited"))
def test_a_server_that_grows_old_while_busy_is_replaced_when_it_comes_back(make_gateway, postgres, is_awaited):
    """Housekeeping never looks: the check-in itself decides. Under pressure a server may serve for two lifetimes, and
    this one is older than that."""
    gateway = small(make_gateway, general={"server_lifetime": "300ms", "retain_connections_time": "600s"})
    with gateway.wire("app_md5") as client, gateway.wire("app_md5") as other:
        client.rows("begin work")
        old = client.value(PID)
        if is_awaited:
            other.send(query(PID))
            wait_until(lambda: gateway.pool_row(user="app_md5")["cl_waiting"] == "1", "the other one waits")
        # Two lifetimes, each by chance up to a fifth longer.
        client.rows("select pg_sleep(0.8)")
        assert client.value(PID) == old, "nobody loses a server in a transaction"
        client.rows("commit")
        if is_awaited:
            [row] = [m.values for m in other.ready() if m.kind == "D"]
            assert row[0].decode() != old
        wait_until(lambda: int(old) not in postgres.backends("app_md5"), "the old server is closed")
        assert client.value(PID) != old
    gateway.wait_idle()


def test_nothing_ages_when_switched_off(make_gateway, postgres):
    gateway = small(
        make_gateway,
        general={
            "server_lifetime": 0,
            "idle_timeout": 0,
            "retain_connections_time": "20ms",
            "retain_connections_max": 0,
        },
    )
    with gateway.wire() as client:
        pid = client.value(PID)
        assert client.nothing_comes(0.4)
        assert client.value(PID) == pid


@pytest.mark.parametrize("user", ("app_md5", "app"))
def test_min_pool_size_is_kept(make_gateway, postgres, user):
    """An md5 pool is warm before its first client; a SCRAM pool from the first login on (before it there is no key)."""
    users = [{"username": user, "password": postgres.secrets[user], "pool_size": 5, "min_pool_size": 3}]
    gateway = make_gateway({"app": pool(postgres, users_=users)}, general={"retain_connections_time": "100ms"})
    if user == "app":
        with gateway.wire(user) as client:
            client.value("select 1")
    wait_until(lambda: len(postgres.backends(user)) == 3, lambda: f"three servers: {postgres.backends(user)}")
    with postgres.admin() as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (user,))
    wait_until(lambda: len(postgres.backends(user)) == 3, "three servers again")
    wait_until(lambda: gateway.pool_row(user=user)["sv_idle"] == "3", "three idle servers")


def test_aged_servers_of_a_full_pool_are_replaced_in_their_round(make_gateway, postgres):
    """The next one is four seconds away."""
    entry = {"username": "app_md5", "password": postgres.secrets["app_md5"], "pool_size": 2, "min_pool_size": 2}
    make_gateway(
        {"app": pool(postgres, users_=[entry])}, {"server_lifetime": "1s", "retain_connections_time": "4s"}
    )

    def backends():
        return set(postgres.backends("app_md5"))

    wait_until(lambda: len(backends()) == 2, "two servers")
    old = backends()
    wait_until(lambda: not old & backends(), "they have grown old")
    wait_until(lambda: len(backends()) == 2, "two others", 2)


@pytest.mark.parametrize("by_reload", (False, True))
def test_the_minimum_does_not_wait_for_housekeeping(make_gateway, postgres, by_reload):
    """More servers are asked for than may be opened at the same time, and the next round is half a minute away."""
    entry = {"username": "app_md5", "password": postgres.secrets["app_md5"], "pool_size": 8, "min_pool_size": 7}
    warm = {"app": pool(postgres, users_=[entry])}
    gateway = make_gateway(
        {"app": pool(postgres, users_=[{**entry, "min_pool_size": 0}])} if by_reload else warm,
        general={"max_concurrent_creates": 2},
    )
    if by_reload:
        gateway.reload(pools=warm)
    wait_until(lambda: gateway.pool_row(user="app_md5")["sv_idle"] == "7", "seven idle servers")
    gateway.reload(pools={"new": pool(postgres, users_=[entry])})
    wait_until(lambda: gateway.pool_row("new", user="app_md5")["sv_idle"] == "7", "seven in a pool that is new")


@pytest.mark.parametrize("since", ("the start", "a reload"))
def test_the_first_login_brings_the_minimum(make_gateway, postgres, since):
    """What opens servers is won from its proof; the next round of housekeeping is half a minute away."""
    entry = {"username": "app", "password": postgres.secrets["app"], "pool_size": 5}
    wanted = {"app": pool(postgres, users_=[{**entry, "min_pool_size": 4}])}
    begun = wanted if since == "the start" else {"app": pool(postgres, users_=[entry])}
    gateway = make_gateway(begun, general={"max_concurrent_creates": 2})
    if since == "a reload":
        gateway.reload(pools=wanted)
    with gateway.wire("app"):
        wait_until(lambda: gateway.pool_row(user="app")["sv_idle"] == "4", "four idle servers")


def test_min_pool_size_is_kept_over_an_outage(make_gateway, other_postgres):
    """The servers of the minimum die with PostgreSQL; when it is back they are there again, without any client."""
    users = [{"username": "app_md5", "password": other_postgres.secrets["app_md5"], "pool_size": 3, "min_pool_size": 2}]
    gateway = make_gateway(
        {"app": pool(other_postgres, users_=users)},
        general={"retain_connections_time": "50ms", "connect_timeout": "1s", "query_wait_timeout": "1s"},
    )

    def row():
        row = gateway.pool_row(user="app_md5")
        return {name: int(row[name]) for name in ("sv_idle", "sv_active", "sv_login", "cl_waiting")}

    def are_warm():
        return len(other_postgres.backends("app_md5")) == 2 and row()["sv_idle"] == 2

    wait_until(are_warm, lambda: f"two servers: {row()}")
    other_postgres.stop()
    try:
        wait_until(lambda: row()["sv_idle"] == 0, lambda: f"they are gone: {row()}")
        with gateway.wire("app_md5") as client:
            client.send(query("select 1"))
            assert client.until("EZ")[-1].kind == "E"
    finally:
        other_postgres.start()
    wait_until(are_warm, lambda: f"two servers again: {row()}", 20)
    with gateway.wire("app_md5") as client:
        assert client.value("select 1") == "1"
    gateway.wait_idle()


# --- servers that die -------------------------------------------------------------------------------------------------


def test_a_server_killed_while_idle_is_noticed(make_gateway, postgres):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        for _ in range(5):
            pid = client.value(PID)
            kill(postgres, pid)
            assert client.value(PID) != pid
    gateway.wait_idle()


def test_all_idle_servers_killed(make_gateway, postgres):
    gateway = small(make_gateway, size=4)
    clients = [gateway.wire() for _ in range(4)]
    for client in clients:
        client.rows("begin work")
    for client in clients:
        client.rows("commit")
    for pid in postgres.backends():
        kill(postgres, pid)
    for client in clients:
        assert client.value("select 1") == "1"
        client.close()
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("where", ("query", "transaction", "extended", "copy out", "copy in"))
def test_a_server_killed_under_its_client(make_gateway, postgres, mode, where):
    """The client gets PostgreSQL's own last word: FATAL 57P01."""
    gateway = small(make_gateway, mode, general={"query_wait_timeout": "10s"})
    with gateway.wire() as client:
        client.rows("begin work")
        pid = client.value(PID)
        if where == "query":
            client.send(query("select pg_sleep(20)"))
        elif where == "extended":
            client.send_together(parse("select pg_sleep(20)"), bind(), flush())
            client.until("2")
            client.send_together(execute(), flush())
        elif where == "copy out":
            client.send(query("copy (select i, pg_sleep(0.001) from generate_series(1, 100000) i) to stdout"))
            client.until("d")
        elif where == "copy in":
            client.send(query("copy sink from stdin"))
            client.until("G")
            client.send(copy_data("1\tx\n"))
        if where != "transaction":
            wait_until(
                lambda: postgres.value("select state = 'active' from pg_stat_activity where pid = %s", int(pid)),
                "the server works",
            )
        kill(postgres, pid)
        errors = [m for m in client.until_closed() if m.kind == "E"]
        assert errors and errors[-1].sqlstate == "57P01", [str(m) for m in errors]
        assert "administrator command" in errors[-1].fields["M"]
    with gateway.wire() as client:
        assert client.value(PID) != pid
    gateway.wait_idle()


@pytest.mark.parametrize("rudely", (False, True), ids=("close", "reset"))
@pytest.mark.parametrize("after", ("nothing", "some rows", "half a message", "a notice"))
def test_a_server_that_just_vanishes(make_gateway, rudely, after):
    """No last word from the server: 08006 from the gateway, never a bare close."""

    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if "vanish" not in sql:
                peer.send(plain_answer(sql))
                continue
            rows = row_description("a") + data_row(b"value" * 20)
            peer.send({"nothing": b"", "some rows": rows, "half a message": rows[:-50], "a notice": notice()}[after])
            peer.die(rudely)
            return

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, hba="host all all all trust\n")
        for before in ("select 1", "begin"):
            with gateway.wire("app") as client:
                client.rows(before)
                client.send(query("select vanish"))
                last = closing_error(client)
                # Behind half a row that has been passed on, an error would only be taken for the rest of the row.
                assert last == "08006" or (after == "half a message" and last is None), last
        with gateway.wire("app") as client:
            assert client.value("select 1") == "1"
        gateway.wait_idle()


def test_the_servers_last_error_is_forwarded(make_gateway):
    def script(peer):
        peer.login()
        while True:
            sql = peer.next_query()
            if "doom" in sql:
                peer.send(error("57P02", "terminating because of a crash", "FATAL"))
                return
            peer.send(plain_answer(sql))

    with FakeServer(script) as server:
        gateway = make_gateway({"app": server.pool()}, hba="host all all all trust\n")
        with gateway.wire("app") as client:
            client.send(query("doom"))
            errors = [m for m in client.until_closed() if m.kind == "E"]
            assert [m.sqlstate for m in errors][:1] == ["57P02"]
            assert errors[0].fields["M"] == "terminating because of a crash"


def test_a_server_that_stops_and_comes_back(make_gateway, other_postgres):
    gateway = make_gateway({"app": pool(other_postgres)}, general={"connect_timeout": "2s", "query_wait_timeout": "3s"})
    with gateway.wire() as client:
        assert client.value("select 1") == "1"
        other_postgres.stop()
        try:
            client.send(query("select 1"))
            errors = [m for m in client.until("EZ") if m.kind == "E"]
            assert errors, "an answer from a server that is down"
        except Closed:
            pytest.fail("a bare close")
        finally:
            other_postgres.start()

    def served():
        try:
            with gateway.wire() as client:
                return client.value("select 1") == "1"
        except (LoginRefused, Closed, AssertionError):
            return False

    wait_until(served, "clients are served again", 15)
    gateway.wait_idle()


def test_connect_timeout(make_gateway):
    """A server that accepts and says nothing."""
    stop = threading.Event()
    with FakeServer(lambda peer: stop.wait(20)) as server:
        gateway = make_gateway(
            {"app": server.pool()},
            general={"connect_timeout": "500ms", "query_wait_timeout": "2s"},
            hba="host all all all trust\n",
        )
        began = time.monotonic()
        try:
            with gateway.wire("app") as client:
                fields = client.error("select 1")
        except LoginRefused as refusal:
            fields = refusal.fields
        except Closed:
            pytest.fail("a bare close")
        assert 0.3 < time.monotonic() - began < 8
        assert fields["C"] != "00000"
        stop.set()
        gateway.wait_idle()


def test_connect_timeout_covers_the_look_up_of_the_name(make_gateway, postgres, tmp_path):
    """The name server does not answer, and the system's resolver is patient.

    Needs a mount namespace, for a /etc/resolv.conf of its own.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.78", 53))
        gateway = make_gateway(
            {"app": {**pool(postgres), "server_host": "database.example.org"}},
            general={"connect_timeout": "500ms", "query_wait_timeout": "60s"},
            hba="host all all all trust\n",
            binary=seeing("/etc/resolv.conf", "nameserver 127.0.0.78\noptions timeout:30 attempts:5\n", tmp_path),
        )
        with pytest.raises(LoginRefused) as refusal:
            gateway.wire("app", timeout=25)
        assert "connect_timeout: the server's name was not resolved" in refusal.value.fields["M"]


# --- the state of a server at check-in --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ("leave", "close", "reset"))
@pytest.mark.parametrize("state", ("open", "failed"))
def test_rollback_at_check_in(make_gateway, postgres, how, state):
    gateway = small(make_gateway)
    with gateway.wire() as client:
        client.rows("begin work")
        pid = client.value(PID)
        client.rows("create table leaked (a int)")
        if state == "failed":
            client.error("select 1 / 0")
        getattr(client, how)()
    with gateway.wire() as client:
        assert client.value("select to_regclass('leaked') is null") == "t"
        client.send(query(PID))
        answer = client.ready()
        assert answer[-1].body == b"I"
        assert answer[1].values == [pid.encode()], "the server was thrown away although ROLLBACK is enough"
    gateway.wait_idle()


STATE = [
    ("set work_mem = '9MB'", "show work_mem", "4MB"),
    ("set session characteristics as transaction read only", "show transaction_read_only", "off"),
    ("set timezone = 'Asia/Tokyo'", "select current_setting('timezone')", None),
    ("set role app_mapped", "select current_user", "app"),
    ("set search_path = nowhere", "show search_path", '"$user", public'),
    ("set application_name = 'somebody else'", "select current_setting('application_name') = 'somebody else'", "f"),
    ("begin; declare held cursor with hold for select 1; commit", "select count(*) from pg_cursors", "0"),
    ("select 1; set work_mem = '9MB'; select 2", "show work_mem", "4MB"),
    ("begin; set work_mem = '9MB'; commit", "show work_mem", "4MB"),
    ("begin; set local work_mem = '9MB'; commit", "show work_mem", "4MB"),
]


@pytest.mark.parametrize("loss", ("reset all", "reset search_path", "discard all"))
def test_startup_parameters_survive_a_reset_by_another_client(make_gateway, loss):
    """What one client resets on a server is applied again before the next client gets it."""
    gateway = small(make_gateway, size=1)
    with (
        gateway.wire(parameters={"search_path": "one, two"}) as one,
        gateway.wire(parameters={"search_path": "one, two"}) as two,
    ):
        assert two.value("show search_path") == "one, two"
        one.rows(loss)
        assert two.value("show search_path") == "one, two"
    gateway.wait_idle()


RESETS = (
    ["reset all"],
    ["discard all"],
    ["reset timezone", "reset search_path", "reset my.claim"],
    ["set timezone = 'UTC'", "set search_path = nowhere", "set my.claim = 'other'", "reset all"],
    ["begin", "reset all", "select 1", "commit"],
    ["begin", "rollback", "reset all; select 1"],
)


@pytest.mark.parametrize("extended", (False, True))
@pytest.mark.parametrize("texts", RESETS, ids=lambda texts: texts[-1])
def test_a_session_resets_to_its_startup_parameters(make_gateway, texts, extended):
    """As PostgreSQL does it; drivers' pools send RESET ALL or DISCARD ALL between their users."""
    gateway = small(make_gateway, "session")
    wanted = {"TimeZone": "Asia/Tokyo", "search_path": "one, two", "my.claim": "mine"}
    with gateway.wire(parameters=wanted) as client:
        for _ in range(2):
            for text in texts:
                if extended and ";" not in text:
                    client.send_together(parse(text), bind(), execute(), sync())
                else:
                    client.send(query(text))
                assert "E" not in [m.kind for m in client.ready()], text
            for name, value in wanted.items():
                assert client.value(f"select current_setting('{name}')") == value
        told = [m.body for m in client.transcript if m.kind == "S" and m.body.startswith(b"TimeZone\0")]
        assert told[-1] == b"TimeZone\0Asia/Tokyo\0"
    gateway.wait_idle()
    with gateway.wire() as client:
        assert client.value("show timezone") != "Asia/Tokyo"


ASKED = {"search_path": "one, two", "TimeZone": "Asia/Tokyo"}
#: Npgsql puts the one or the other in front of the first command of its pool's next user, in the same write.
NPGSQL_RESETS = (
    "SET SESSION AUTHORIZATION DEFAULT;RESET ALL;CLOSE ALL;UNLISTEN *;SELECT pg_advisory_unlock_all();"
    "DISCARD SEQUENCES;DISCARD TEMP",
    "DISCARD ALL",
)


def values(answer):
    """The first columns of all rows, in an answer without an error."""
    assert not [str(m) for m in answer if m.kind == "E"]
    return [m.values[0] for m in answer if m.kind == "D"]


@pytest.mark.parametrize("refused", (False, True))
def test_a_query_behind_a_flushed_batch_is_a_request_like_any_other(make_gateway, refused):
    """asyncpg prepares with Parse, Describe and Flush; the next thing that it sends may be a simple query."""
    gateway = small(make_gateway, "session")
    with gateway.wire(parameters=ASKED) as client:
        pid = client.value(PID)
        for number in range(2):
            name = f"mine{number}"
            client.send_together(parse("select 1", name), describe_statement(name), flush())
            assert [m.kind for m in client.until("T")] == ["1", "t", "T"]
            if refused:
                assert client.error("select no_such_column")["C"] == "42703"
                client.send_together(parse("select 1"), describe_statement(), flush())
                client.until("T")
            client.rows("reset all")
            assert client.value("show search_path") == "one, two"
    gateway.wait_idle()
    with gateway.wire() as client:
        assert client.value(PID) == pid


def test_a_query_behind_a_batch_that_has_failed_is_skipped(make_gateway):
    """Nobody knows that before the Sync; from there on the client waits for nothing that does not come."""
    gateway = small(make_gateway, "session")
    with gateway.wire() as client:
        client.send_together(parse("select no_such_column"), flush())
        client.until("E")
        client.send(query("select 1"))
        assert client.nothing_comes()
        client.send(sync())
        assert [m.kind for m in client.ready()] == ["Z"]
        assert [client.value("select 2") for _ in range(2)] == ["2"] * 2
    with gateway.wire() as client:
        assert client.value("select 3") == "3"


@pytest.mark.parametrize("split", (whole, byte_by_byte))
@pytest.mark.parametrize("reset", (*NPGSQL_RESETS, "select 1; reset search_path"), ids=("npgsql", "discard", "last"))
@pytest.mark.parametrize(
    "mode, begins",
    [("session", False), ("session", True), ("transaction", False), ("transaction", True), ("statement", False)],
)
def test_what_comes_in_one_go_with_a_reset_finds_the_startup_parameters(make_gateway, mode, reset, begins, split):
    gateway = small(make_gateway, mode)
    with gateway.wire(parameters=ASKED, split=split) as client:
        for _ in range(2):
            begin = [query("begin")] if begins else []
            client.send_together(query(reset), *begin, parse("show search_path"), bind(), execute(), sync())
            assert values(client.ready(2 + len(begin)))[-1] == b"one, two"
            if begins:
                client.rows("commit")
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "statement"))
def test_what_comes_in_one_go_with_a_prepared_reset_finds_the_startup_parameters(make_gateway, mode):
    gateway = small(make_gateway, mode)
    with gateway.wire(parameters=ASKED) as client:
        reset = [parse("reset all"), bind(), execute(), sync()]
        client.send_together(*reset, parse("show search_path"), bind(), execute(), sync())
        assert values(client.ready(2)) == [b"one, two"]
    gateway.wait_idle()


@pytest.mark.parametrize("reset", NPGSQL_RESETS, ids=("npgsql", "discard"))
def test_a_statement_prepared_in_one_go_with_a_reset_has_its_client_s_time_zone(make_gateway, reset):
    """So has everybody with the same one who prepares the text."""
    gateway = small(make_gateway)
    text = "select '2024-01-01 00:00'::timestamptz::text"
    prepared = parse(text, "s") + bind(statement="s") + execute() + sync()
    with gateway.wire(parameters=ASKED) as first, gateway.wire(parameters=ASKED) as second:
        first.send_together(query(reset), prepared)
        assert values(first.ready(2))[-1] == b"2024-01-01 00:00:00+09"
        second.send_together(prepared)
        assert values(second.ready()) == [b"2024-01-01 00:00:00+09"]
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_a_reset_that_fails_or_stands_in_a_transaction_keeps_nothing_back(make_gateway, mode):
    gateway = small(make_gateway, mode)
    with gateway.wire(parameters=ASKED) as client:
        client.send_together(query("reset no_such_parameter"), query("show search_path"))
        assert [m.sqlstate for m in client.ready() if m.kind == "E"] == ["42704"]
        assert values(client.ready()) == [b"one, two"]
        client.send_together(query("begin work"), query("reset work_mem"), query("show work_mem"), query("commit"))
        assert values(client.ready(4)) == [b"4MB"]
        assert client.value("show search_path") == "one, two"
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_a_reset_and_a_copy_in_one_query_get_their_data(make_gateway, mode):
    gateway = small(make_gateway, mode)
    with gateway.wire(parameters=ASKED) as client:
        client.rows("begin work")
        client.rows("create temporary table copied (a int) on commit drop")
        copy = [query("reset work_mem; copy copied from stdin"), copy_data(b"1\n2\n"), copy_done()]
        client.send_together(*copy, query("select count(*) from copied"))
        assert values(client.ready(2)) == [b"2"]
        client.rows("commit")
        assert client.value("show search_path") == "one, two"
    gateway.wait_idle()


def test_what_a_session_has_set_survives_the_reset_of_something_else(make_gateway):
    gateway = small(make_gateway, "session")
    with gateway.wire(parameters={"TimeZone": "Asia/Tokyo", "my.claim": "mine", "search_path": "one"}) as client:
        for text in ("set timezone = 'UTC'", "set my.claim = 'other'", "reset work_mem", "reset search_path"):
            client.rows(text)
        assert client.value("show timezone") == "UTC"
        assert client.value("show my.claim") == "other"
        assert client.value("show search_path") == "one"


def test_the_unnamed_statement_survives_a_reset(make_gateway):
    """What the gateway does about the reset takes nothing away."""
    gateway = small(make_gateway, "session")
    with gateway.wire(parameters={"TimeZone": "Asia/Tokyo"}) as client:
        client.send_together(parse("reset timezone"), bind(), execute(), sync())
        client.ready()
        client.send_together(bind(), execute(), sync())
        assert [m.kind for m in client.ready() if m.kind != "S"] == ["2", "C", "Z"]
        assert client.value("show timezone") == "Asia/Tokyo"


@pytest.fixture(scope="module")
def role_member(postgres):
    with postgres.admin() as admin:
        admin.execute("grant app_mapped to app")


@pytest.mark.parametrize("name, value", (("search_path", "one, two"), ("role", "app_mapped")))
def test_startup_parameters_survive_a_login_that_is_refused(make_gateway, role_member, name, value):
    """It takes the server's parameters away before its own are refused."""
    gateway = small(make_gateway, size=1)
    with gateway.wire(parameters={name: value}) as client:
        assert client.value(f"show {name}") == value
        for _ in range(2):
            with pytest.raises(LoginRefused):
                gateway.wire(parameters={"work_mem": "much"})
            assert client.value(f"show {name}") == value
    gateway.wait_idle()


def test_parameters_do_not_stay_where_they_are_not_applied(make_gateway):
    """To learn what PostgreSQL reports for them, a server has them for a moment."""
    gateway = small(make_gateway, size=1, general={"sync_server_parameters": False})
    with gateway.wire() as plain:
        expected = plain.value("show search_path")
        with gateway.wire(parameters={"search_path": "nowhere", "TimeZone": "Asia/Tokyo"}) as client:
            assert client.parameters["TimeZone"] == "Asia/Tokyo"
            assert plain.value("show search_path") == expected
            assert plain.value("show timezone") != "Asia/Tokyo"
            assert client.value("show search_path") == expected
    gateway.wait_idle()


def test_a_rollback_takes_no_parameters_away(make_gateway):
    """With cleanup_server_connections off nothing else is done at the end of a turn."""
    gateway = small(make_gateway, size=1, cleanup_server_connections=False)
    with gateway.wire() as plain:
        expected = plain.value("show timezone")
        other = gateway.wire(parameters={"TimeZone": "Asia/Tokyo"})
        other.rows("begin work")
        other.rows("set work_mem = '9MB'")
        other.close()
        assert plain.value("show timezone") == expected != "Asia/Tokyo"
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("change, look, expected", STATE, ids=[s[0] for s in STATE])
def test_settings_do_not_leak(make_gateway, role_member, mode, change, look, expected):
    gateway = small(make_gateway, mode)
    if expected is None:
        with gateway.wire() as client:
            expected = client.value(look)
    with gateway.wire() as client:
        client.rows(change)
        if mode == "transaction":
            with gateway.wire() as other:
                assert other.value(look) == expected
    with gateway.wire() as client:
        assert client.value(look) == expected
    gateway.wait_idle()


def test_settings_made_by_the_extended_protocol_do_not_leak(make_gateway):
    gateway = small(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        one.send_together(parse("set work_mem = '9MB'"), bind(), execute(), sync())
        one.ready()
        assert two.value("show work_mem") == "4MB"


HIDDEN = [
    r"select '\'';set work_mem='9MB';--'",
    r"select '\'', set_config('work_mem', '9MB', false) --'",
    r"begin; select '\''; set work_mem='9MB'; commit; --'",
]


@pytest.mark.parametrize("sql", HIDDEN)
def test_settings_hidden_by_a_backslash_do_not_leak(make_gateway, sql):
    """With standard_conforming_strings off, the first constant of the text is a quote alone."""
    gateway = small(make_gateway)
    with gateway.wire(parameters={"standard_conforming_strings": "off"}) as one, gateway.wire() as two:
        one.rows(sql)
        assert two.value("show work_mem") == "4MB"
    gateway.wait_idle()


SET_CONFIG, ADVISORY_LOCK = 2078, 2880


def test_settings_made_by_a_function_call_do_not_leak(make_gateway):
    gateway = small(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        one.send(function_call(SET_CONFIG, (b"work_mem", b"9MB", b"f"), argument_formats=(0,), result_format=0))
        assert "".join(m.kind for m in one.ready()) == "VZ"
        assert two.value("show work_mem") == "4MB"
    gateway.wait_idle()


def test_a_lock_taken_by_a_function_call_does_not_leak(make_gateway):
    gateway = small(make_gateway)
    with gateway.wire() as one, gateway.wire() as two:
        one.send(function_call(ADVISORY_LOCK, (b"4242",), argument_formats=(0,), result_format=0))
        assert "".join(m.kind for m in one.ready()) == "VZ"
        assert two.value("select count(*) from pg_locks where locktype = 'advisory' and objid = 4242") == "0"
    gateway.wait_idle()


SESSION_STATE = [
    ("create temp table mine (a int)", "select count(*) from pg_class where relname = 'mine'"),
    ("prepare mine as select 1", "select count(*) from pg_prepared_statements"),
    ("listen mine", "select count(*) from pg_listening_channels()"),
    ("select pg_advisory_lock(4242)", "select count(*) from pg_locks where locktype = 'advisory' and objid = 4242"),
]


@pytest.mark.parametrize("change, look", SESSION_STATE, ids=[s[0] for s in SESSION_STATE])
def test_a_session_leaves_nothing_behind(make_gateway, change, look):
    gateway = small(make_gateway, "session")
    with gateway.wire() as client:
        client.rows(change)
        assert client.value(look) == "1"
    with gateway.wire() as client:
        assert client.value(look) == "0"


def test_named_statements_of_a_session_leave_nothing_behind(make_gateway):
    gateway = small(make_gateway, "session")
    for _ in range(2):
        with gateway.wire() as client:
            client.send_together(parse("select 1", "mine"), bind(statement="mine"), execute(), sync())
            assert [m.kind for m in client.ready()] == ["1", "2", "D", "C", "Z"]


def test_reset_only_after_a_change(make_gateway, postgres):
    """An untouched session costs no statement at check-in; a touched one exactly one RESET ALL."""
    gateway = small(make_gateway)

    def resets():
        own = [line for line in postgres.log_since(start).splitlines() if line.startswith(f"{pid} ")]
        return sum(len(re.findall("RESET ALL|DISCARD ALL", line)) for line in own)

    with gateway.wire() as client:
        pid = client.value(PID)
        start = postgres.log_size()
        for _ in range(5):
            client.rows("select 1")
            client.rows("begin work")
            client.rows("select 2")
            client.rows("commit")
        client.error("select 1 / 0")
        assert resets() == 0
        client.rows("set work_mem = '9MB'")
        assert client.value("show work_mem") == "4MB"
        assert client.value(PID) == pid
        assert resets() == 1


# --- prepared statements in transaction mode --------------------------------------------------------------------------


def test_named_statements_are_refused_when_switched_off(make_gateway):
    """Clearly, and without harm to the session: it goes on at the next Sync."""
    gateway = small(make_gateway, size=2, general={"prepared_statements": False})
    with gateway.wire() as client:
        for batch in (
            parse("select 1", "name") + sync(),
            parse("select 1", "name") + bind(statement="name") + execute() + sync(),
            parse("select 1", "name") + describe_statement("name") + sync(),
        ):
            client.send(batch)
            answer = client.ready()
            assert [m.kind for m in answer] == ["E", "Z"], [str(m) for m in answer]
            assert answer[0].fields["S"] == "ERROR"
            assert answer[0].sqlstate == "0A000"
            assert "prepared_statements = false" in answer[0].fields["M"]
            assert answer[1].body == b"I"
            assert client.value("select 1") == "1"
        client.send_together(
            parse("select 1", "name"),
            bind(statement="name"),
            execute(),
            sync(),
            parse("select 2"),
            bind(),
            execute(),
            sync(),
        )
        assert [m.kind for m in client.ready(2)] == ["E", "Z", "1", "2", "D", "C", "Z"]
        client.send_together(
            parse("select 1"), bind(), execute(), parse("select 2", "name"), bind(statement="name"), execute(), sync()
        )
        kinds = [m.kind for m in client.ready()]
        assert kinds in (["1", "2", "D", "C", "E", "Z"], ["E", "Z"]), kinds
        client.rows("begin work")
        client.send_together(parse("select 1", "name"), sync())
        answer = client.ready()
        assert [m.kind for m in answer] == ["E", "Z"] and answer[1].body in (b"T", b"E")
        client.rows("rollback")
        client.send_together(close_statement("name"), sync())
        assert client.ready()[-1].body == b"I"
        assert client.value("select count(*) from pg_prepared_statements") == "0"
    gateway.wait_idle()


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_follow_the_clients(make_gateway):
    gateway = small(make_gateway, size=2, general={"query_wait_timeout": "60s"})

    def figures():
        row = gateway.pool_row()
        return tuple(int(row[name]) for name in ("cl_idle", "cl_active", "cl_waiting", "sv_active", "sv_idle"))

    clients = [gateway.wire() for _ in range(4)]
    wait_until(lambda: figures()[:4] == (4, 0, 0, 0), lambda: f"four idle: {figures()}")
    clients[0].rows("begin work")
    clients[1].rows("begin work")
    wait_until(lambda: figures() == (2, 2, 0, 2, 0), lambda: f"two in transactions: {figures()}")
    clients[2].send(query("select 1"))
    wait_until(lambda: figures() == (1, 2, 1, 2, 0), lambda: f"one waits: {figures()}")
    clients[0].rows("commit")
    clients[2].ready()
    wait_until(lambda: figures() == (3, 1, 0, 1, 1), lambda: f"one in a transaction: {figures()}")
    for client in clients:
        client.close()
    wait_until(lambda: figures()[:4] == (0, 0, 0, 0), lambda: f"nobody: {figures()}")
