"""Guessing is slowed, and nobody else is.

A busy machine makes everything later, so the least time is exact and the most leaves seconds; how the delay grows is
told exactly by the machine tests.
"""

import signal
import time

import pytest

from gateway import pool
from polling import wait_until
from server import PASSWORDS
from threads import in_threads
from wire import LoginRefused, password_message, startup

#: Seconds that a busy machine may add; less than what each bound below tells apart.
LATE = 4

WRONG = "Not-the-password-00"
RULES = """
local all all md5
host app ghost,app_plain 127.0.0.0/8 password
host app app_trust 127.0.0.0/8 trust
host all all 127.0.0.0/8 md5
"""


@pytest.fixture
def slow(make_gateway):
    """Gateways that answer a first failed proof after 200 ms."""

    def make(delay="200ms", **general):
        return make_gateway(general={"auth_failure_delay": delay, **general}, hba=RULES)

    return make


def refused_after(gateway, user="app", **options):
    """Seconds from the start of a login to its refusal."""
    began = time.monotonic()
    with pytest.raises(LoginRefused) as refusal:
        gateway.wire(user, "app", WRONG, **options)
    assert refusal.value.sqlstate == "28P01"
    return time.monotonic() - began


def admitted_after(gateway, user="app", **options):
    began = time.monotonic()
    gateway.wire(user, "app", **options).close()
    return time.monotonic() - began


def hang_up_early(gateway, user):
    """A wrong password, and no patience for the answer."""
    client = gateway.wire(login=False)
    client.send(startup({"user": user, "database": "app"}))
    client.receive()
    client.send(password_message(WRONG))
    client.close()


def test_later_and_later(slow):
    gateway = slow()
    delays = [refused_after(gateway) for _ in range(4)]
    for delay, expected in zip(delays, (0.2, 0.4, 0.8, 1.6)):
        assert expected <= delay < expected + LATE, delays


def test_the_delay_has_a_bound(slow):
    gateway = slow("20ms")
    delays = [refused_after(gateway) for _ in range(10)]
    assert all(delay >= 0.32 for delay in delays[4:]), delays
    assert delays[-1] < 5, "without a bound it is 10.24 s"


def test_unknown_users_are_slowed_alike(slow):
    """With the same method, from a fresh gateway each: a name that exists tells nothing."""
    users = ("ghost", "app_plain", "nobody", "app", "app_md5")
    gateways = [slow() for _ in users]

    def fail(number):
        delays = [refused_after(gateways[number], users[number]) for _ in range(2)]
        for delay, expected in zip(delays, (0.2, 0.4)):
            assert expected <= delay < expected + LATE, (users[number], delays)

    in_threads(len(users), fail)


def test_nobody_else_waits(slow):
    """Neither the same user from another address, nor another user from the same one, nor who needs no password."""
    gateway = slow("10s")
    admitted_after(gateway, source="127.0.0.2")
    hang_up_early_scram(gateway, "app")
    assert admitted_after(gateway, source="127.0.0.2") < LATE
    assert admitted_after(gateway, "app_md5") < LATE
    assert admitted_after(gateway, "app_trust") < LATE
    gateway.console("SHOW VERSION")


def hang_up_early_scram(gateway, user):
    """As `hang_up_early`, where the user's secret is a SCRAM verifier. Returns when the failure has been counted."""
    before = gateway.log().count("password_wrong")
    client = held_scram(gateway, user)
    gateway.wait_for_log(lambda log: log.count("password_wrong") > before, "the failure is counted")
    client.close()


def test_hanging_up_early_gains_nothing(slow):
    """The next challenge for the same user at the same address waits; a right password then comes in at once."""
    gateway = slow("1s")
    admitted_after(gateway)
    hang_up_early_scram(gateway, "app")
    began = time.monotonic()
    client = gateway.wire(login=False)
    client.send(startup({"user": "app", "database": "app"}))
    assert client.receive().kind == "R"
    assert 0.4 < time.monotonic() - began < 1 + LATE
    client.close()
    gateway.wire().close()


@pytest.mark.parametrize("end", ("hangs up", "is late"))
def test_leaving_during_the_look_up_gains_nothing(make_gateway, postgres, end):
    """A wrong md5 proof is checked once more by the secret as it is then. Who does not wait for that has failed, too."""
    dedicated = {"server_user": "app_mapped", "server_password": PASSWORDS["app_mapped"], "pool_size": 2}
    query = {"user": "postgres", "query": "select passwd from public.kept_keys where name = $1", "min_interval": "1ms",
             "query_timeout": "30s"}
    with postgres.admin() as admin:
        admin.execute("create table public.kept_keys as select 'app_md5'::text as name, %s::text as passwd",
                      (postgres.secrets["app_md5"],))
        try:
            gateway = make_gateway(
                {"app": pool(postgres, users_=[], auth_query={**query, **dedicated})},
                general={"auth_failure_delay": "3s", "client_login_timeout": "60s" if end == "hangs up" else "5s"},
                hba=RULES,
            )
            admitted_after(gateway, "app_md5")
            with admin.transaction():
                admin.execute("lock table public.kept_keys")
                client = held(gateway, "app_md5")
                wait_until(lambda: looks_up(postgres), "the secret is looked up afresh")
                if end == "is late":
                    assert [m.sqlstate for m in client.until_closed()] == ["57014"]
                client.close()
                wait_until(lambda: in_login(gateway) == 0, "the client is gone")
            if end == "hangs up":
                gateway.wait_for_log(lambda log: "code=password_wrong" in log, "the failure is told")
            wait_until(lambda: challenged_after(gateway, "app_md5") > 0.4, "the next challenge is held back")
        finally:
            admin.execute("drop table public.kept_keys")


def looks_up(postgres):
    waiting = "wait_event_type = 'Lock' and query ~ 'kept_keys'"
    return postgres.value(f"select count(*) from pg_stat_activity where {waiting}") == 1


def challenged_after(gateway, user):
    """Seconds from the start of a login to the challenge."""
    began = time.monotonic()
    with gateway.wire(login=False) as client:
        client.send(startup({"user": user, "database": "app"}))
        assert client.receive().kind == "R"
        return time.monotonic() - began


def test_a_success_makes_forgotten(slow):
    gateway = slow("290ms")
    for _ in range(4):
        refused_after(gateway)
    admitted_after(gateway)
    assert refused_after(gateway) < 0.29 + LATE, "the fifth in a row takes 4.64 s"
    # The failures of another user at this address are not forgotten by that.
    refused_after(gateway, "app_md5")
    admitted_after(gateway)
    assert refused_after(gateway, "app_md5") >= 0.58


def test_switched_off(slow):
    gateway = slow(0)
    assert sum(refused_after(gateway) for _ in range(6)) < LATE, "from 200 ms on it is 12.6 s"
    gateway.reload(general={"auth_failure_delay": "2500ms"})
    assert refused_after(gateway) >= 2.5
    gateway.reload(general={"auth_failure_delay": 0})
    assert refused_after(gateway) < LATE, "what was remembered, for 5 s, holds nobody back any more"


def test_whoever_leaves_is_let_go(slow):
    gateway = slow("5s")
    for user in ("ghost", "nobody"):
        hang_up_early(gateway, user)
    wait_until(lambda: in_login(gateway) == 0, "nobody is held who is gone", 3)


def in_login(gateway):
    return next(int(r["items"]) for r in gateway.console("SHOW LISTS") if r["list"] == "login_clients")


def held(gateway, user):
    """A client that has failed and waits for its answer."""
    client = gateway.wire(login=False)
    client.send(startup({"user": user, "database": "app"}))
    client.receive()
    client.send(password_message(WRONG))
    return client


def test_a_stop_does_not_wait(slow):
    gateway = slow("8s", shutdown_timeout="30s")
    client = held(gateway, "ghost")
    gateway.wait_for_log(lambda log: "user_unknown" in log, "the proof has failed")
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert [m.sqlstate for m in client.until_closed()] == ["57P03"]
    assert gateway.wait() == 0
    assert time.monotonic() - began < LATE


def test_the_login_deadline_holds(slow):
    gateway = slow("30s", client_login_timeout="1s")
    client = held(gateway, "ghost")
    began = time.monotonic()
    assert [m.sqlstate for m in client.until_closed()] == ["28P01"]
    assert time.monotonic() - began < 1 + LATE
    # Held back before its challenge, the next one never gets that far.
    with pytest.raises(LoginRefused) as refusal:
        gateway.wire("ghost", "app", WRONG)
    assert refusal.value.sqlstate == "57014"


def test_the_number_of_held_clients_is_bounded(slow):
    """A quarter of max_connections; whoever fails then is answered at once."""
    gateway = slow("10s", max_connections=12)
    clients = [held(gateway, "ghost"), held(gateway, "app_plain"), held_scram(gateway)]
    gateway.wait_for_log(lambda log: log.count("code=user_unknown") == 2 and "code=password_wrong" in log, "all failed")
    assert refused_after(gateway, "app_md5") < LATE
    for client in clients:
        assert client.nothing_comes()
        client.close()
    wait_until(lambda: in_login(gateway) == 0, "they are gone")
    gateway.reload(general={"auth_failure_delay": "2s"})
    assert refused_after(gateway, "app_md5", source="127.0.0.2") >= 2, "a place is free again"


def held_scram(gateway, user="app"):
    """The same for a user with a SCRAM verifier."""
    client = gateway.wire(login=False)
    client.send(startup({"user": user, "database": "app"}))
    for _ in range(2):
        client._authenticate(client.receive(), user, WRONG)
    return client


def test_waiting_costs_no_processor_time(slow):
    gateway = slow("8s", max_connections=400)
    clients = [held(gateway, "ghost")]
    for index in range(50):
        client = gateway.wire(login=False, source=f"127.0.1.{index + 1}")
        client.send(startup({"user": "ghost", "database": "app"}))
        client.receive()
        client.send(password_message(WRONG))
        clients.append(client)
    gateway.wait_for_log(lambda log: log.count("user_unknown") == 51, "all have failed")
    before = gateway.processor_time()
    assert clients[0].nothing_comes(1.0)
    assert gateway.processor_time() - before < 0.1
    for client in clients:
        client.close()


def test_users_of_the_unix_socket_do_not_slow_each_other(slow, tmp_path):
    gateway = slow("1s", unix_socket_dir=str(tmp_path))
    assert refused_after(gateway, "app", unix=True) >= 1
    assert refused_after(gateway, "app", unix=True) >= 2
    assert 1 <= refused_after(gateway, "app_md5", unix=True) < 3.9, "the third failure of one user takes 4 s"
    assert admitted_after(gateway, "app_md5", unix=True) < 3.9
