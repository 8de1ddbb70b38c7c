"""SHOW AUTH_PROVIDERS: how logins end, by provider."""

import pytest

from gateway import pool
from polling import wait_until
from server import PASSWORDS
from wire import LoginRefused, startup


def providers(gateway):
    return {row["name"]: row for row in gateway.console("SHOW AUTH_PROVIDERS")}


def refused(gateway, user, password):
    with pytest.raises(LoginRefused):
        gateway.wire(user, "app", password).close()


def test_every_provider_has_a_row(gateway):
    rows = providers(gateway)
    assert rows["password"]["methods"] == "trust, scram-sha-256, md5, password"
    assert rows["reject"]["methods"] == "reject" and rows["peer"]["methods"] == "peer"
    for name in ("reject", "peer"):
        row = rows[name]
        assert [row[column] for column in ("logins", "failures", "failure_reasons")] == ["0", "0", ""]
        assert [row[column] for column in ("busy", "queued", "p50_us", "p99_us")] == ["0", "0", None, None]


def test_verdicts_are_counted_once(gateway):
    """The console's own login counts as well; a refusal behind the proof is not the provider's."""
    before = providers(gateway)["password"]
    gateway.wire("app", "app", PASSWORDS["app"]).close()
    refused(gateway, "app", "wrong")
    refused(gateway, "app_md5", "wrong")
    refused(gateway, "nobody", "wrong")
    after = providers(gateway)["password"]
    assert int(after["logins"]) - int(before["logins"]) == 2, "one login, and the one that asks"
    assert (before["failures"], after["failures"]) == ("0", "3")
    assert after["failure_reasons"] == "user_unknown=1, password_wrong=2"
    assert 0 < int(after["p50_us"]) <= int(after["p99_us"]) < 60_000_000


def test_a_client_that_leaves_is_counted(gateway):
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        assert client.receive().kind == "R"
    row = wait_until(
        lambda: (row := providers(gateway)["password"])["failures"] == "1" and row, "the failed login is counted"
    )
    assert row["failure_reasons"] == "client_left=1"


def test_what_no_provider_has_seen_is_not_counted(make_gateway):
    gateway = make_gateway(hba="host pggateway all 127.0.0.1/32 md5\nhost app app_trust 127.0.0.1/32 reject\n")
    refused(gateway, "app", PASSWORDS["app"])
    refused(gateway, "app_trust", "")
    rows = providers(gateway)
    assert rows["password"]["failures"] == "0", "no rule, no provider"
    assert rows["reject"]["failure_reasons"] == "rule_rejects=1"


def test_what_fails_behind_the_proof_is_not_the_providers(make_gateway, postgres):
    gateway = make_gateway({"app": pool(postgres, database="no_such_database")})
    refused(gateway, "app", PASSWORDS["app"])
    row = providers(gateway)["password"]
    assert (row["logins"], row["failures"]) == ("2", "0"), "that login, and the one that asks"


def test_counts_survive_a_reload(gateway):
    refused(gateway, "app", "wrong")
    gateway.reload(general={"query_wait_timeout": "6s"})
    assert providers(gateway)["password"]["failures"] == "1"
