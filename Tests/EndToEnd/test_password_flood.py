"""Many logins by clear-text password at once, each of which costs a long computation: who works goes on, and honest
logins get their turn."""

import contextlib

import pytest

from fakeserver import ScramServer
from gateway import ADMIN, pool
from polling import wait_until
from server import PASSWORDS
from wire import LoginRefused, password_message, refused_now, startup

RULES = f"""
local all all md5
host pggateway {ADMIN} 127.0.0.1/32 md5
host all app_trust 127.0.0.1/32 trust
host all all 127.0.0.1/32 password
"""
WRONG = "Not-the-password-00"
#: A check of this user's password costs some hundred times that of others.
ITERATIONS = 400_000
FLOOD = 60


@pytest.fixture
def flooded(make_gateway, postgres):
    """A gateway and FLOOD clients that wait for the verdict on a wrong password."""
    with contextlib.ExitStack() as crowd:

        def start(iterations=ITERATIONS, **general):
            secret = ScramServer("Patient-anvil-31", iterations=iterations).verifier()
            users = [
                {"username": "slow", "password": secret, "pool_size": 1},
                *({"username": name, "password": postgres.secrets[name], "pool_size": 2} for name in PASSWORDS
                  if name in ("app", "app_trust")),
            ]  # fmt: skip
            # One thread, as where there are two cores.
            general = {"auth_lane_threads": 1, **general}
            gateway = make_gateway({"app": pool(postgres, users_=users)}, general, hba=RULES)
            gateway.secrets.add("Patient-anvil-31")
            flood = [crowd.enter_context(gateway.wire(login=False)) for _ in range(FLOOD)]
            for client in flood:
                client.send(startup({"user": "slow", "database": "app"}))
            for client in flood:
                assert client.receive().body == b"\0\0\0\3"
                client.send(password_message(WRONG))
            wait_until(lambda: queued(gateway) > FLOOD // 2, lambda: f"they wait: {queued(gateway)}")
            return gateway, flood

        yield start


def queued(gateway):
    return next(int(row["queued"]) for row in gateway.console("SHOW AUTH_PROVIDERS") if row["name"] == "password")


def test_sessions_go_on(flooded):
    """They, and logins that prove nothing by a password, are not behind the flood."""
    gateway, flood = flooded()
    for _ in range(10):
        with gateway.wire("app_trust") as client:
            for _ in range(20):
                assert client.value("select 1") == "1"
    assert len(refused_now(flood)) < FLOOD, "the flood was over before anything was tried"
    assert queued(gateway) > 0


def test_an_honest_login_gets_its_turn(flooded):
    """Behind the flood, within auth_lane_timeout."""
    gateway, flood = flooded(ITERATIONS // 2, auth_lane_timeout="60s")
    with gateway.wire("app", timeout=60) as client:
        assert client.value("select current_user") == "app"
    refused = refused_now(flood)
    assert len(refused) > FLOOD // 2, "it went before those who had come earlier"
    assert {message.sqlstate for message in refused} == {"28P01"}


def test_whoever_waits_too_long_is_told(flooded):
    """Nobody is kept waiting for ever, and an honest login is let in as soon as those who came earlier have been
    told."""
    gateway, flood = flooded(auth_lane_timeout="1s")
    told = [client.receive().sqlstate for client in flood]
    assert set(told) <= {"28P01", "58000"} and told[-1] == "58000", told
    assert "password has no answer within" in gateway.log()

    def is_let_in():
        try:
            with gateway.wire("app") as client:
                return client.value("select 1") == "1"
        except LoginRefused as refusal:
            assert refusal.sqlstate == "58000", refusal.fields

    wait_until(is_let_in, "the honest login is let in")


def test_a_flood_that_hangs_up_leaves_no_queue(flooded):
    gateway, flood = flooded()
    for client in flood:
        client.reset()
    wait_until(lambda: queued(gateway) == 0, lambda: f"nobody waits any more: {queued(gateway)}", deadline=5)
    with gateway.wire("app") as client:
        assert client.value("select 1") == "1"
    gateway.wait_idle()
