"""The policy in force: roles, files, reloads, SHOW HBA."""

import pytest

from gateway import ADMIN, pool
from polling import wait_until
from server import PASSWORDS
from wire import LoginRefused, startup

LOCAL = "127.0.0.1/32"
CONSOLE = f"host pggateway {ADMIN} {LOCAL} md5\n"


def outcome(gateway, user, database="app", password=None):
    try:
        with gateway.wire(user, database, password or PASSWORDS.get(user)) as client:
            assert client.value("select 1") == "1"
            return "in"
    except LoginRefused as refusal:
        return refusal.sqlstate


def rules(gateway):
    return gateway.console("SHOW HBA")


# --- roles ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def groups(postgres):
    """app_trust is in `inner`, which is in `outer` (without inheritance)."""
    with postgres.admin() as admin:
        admin.execute("create role grp_outer nologin")
        admin.execute("create role grp_inner nologin noinherit in role grp_outer")
        admin.execute("grant grp_inner to app_trust")
    yield
    with postgres.admin() as admin:
        admin.execute("drop role grp_inner, grp_outer")


def role_pool(postgres, **auth_query):
    return pool(postgres, auth_query={"user": "postgres", **auth_query})


def test_membership_decides(make_gateway, postgres, groups):
    """+role counts nested members; a reject for a role keeps its members out and nobody else."""
    gateway = make_gateway(
        {"app": role_pool(postgres)},
        hba=CONSOLE + f"host all +grp_outer {LOCAL} trust\nhost all app {LOCAL} scram-sha-256\n",
    )
    assert outcome(gateway, "app_trust") == "in"
    assert outcome(gateway, "app") == "in"
    assert outcome(gateway, "app_md5") == "28000"
    rules = CONSOLE + f"host all +grp_inner {LOCAL} reject\nhost all all {LOCAL} md5\n"
    gateway.reload(general={"pg_hba": {"content": rules}})
    assert outcome(gateway, "app_trust") == "28000"
    assert outcome(gateway, "app") == "in"


def test_samerole(make_gateway, postgres, groups):
    gateway = make_gateway(
        {"grp_outer": role_pool(postgres) | {"server_database": "app"}, "app": role_pool(postgres)},
        hba=CONSOLE + f"host samerole all {LOCAL} trust\n",
    )
    assert outcome(gateway, "app_trust", "grp_outer") == "in"
    assert outcome(gateway, "app", "grp_outer") == "28000"
    # A role of the same name counts as a member of itself.
    assert outcome(gateway, "app", "app") == "08006" or outcome(gateway, "app", "app") == "in"


def test_membership_is_forgotten(make_gateway, postgres, groups):
    """What changes in PostgreSQL counts within role_cache_ttl, or at once by INVALIDATE AUTH."""
    gateway = make_gateway(
        {"app": role_pool(postgres, role_cache_ttl="1h")}, hba=CONSOLE + f"host all +grp_inner {LOCAL} trust\n"
    )
    assert outcome(gateway, "app_trust") == "in"
    with postgres.admin() as admin:
        admin.execute("revoke grp_inner from app_trust")
        try:
            assert outcome(gateway, "app_trust") == "in"
            gateway.console("INVALIDATE AUTH app")
            assert outcome(gateway, "app_trust") == "28000"
        finally:
            admin.execute("grant grp_inner to app_trust")


def test_no_answer_about_roles_refuses(make_gateway, postgres, groups):
    """A rule that cannot be decided is no rule that does not match: a `reject` must not be skipped."""
    gateway = make_gateway(
        {"app": pool(postgres)}, hba=CONSOLE + f"host all +grp_inner {LOCAL} reject\nhost all all {LOCAL} md5\n"
    )
    assert outcome(gateway, "app") == "58000"
    [row] = [row for row in gateway.console("SHOW AUDIT FAILURES") if row["user"] == "app"]
    assert row["reason"] == "policy_undecidable"


def test_rules_before_a_role_need_no_answer(make_gateway, postgres):
    gateway = make_gateway(
        {"app": pool(postgres)}, hba=CONSOLE + f"host all app {LOCAL} md5\nhost all +nobodys {LOCAL} reject\n"
    )
    assert outcome(gateway, "app") == "in"


# --- addresses --------------------------------------------------------------------------------------------------------


def test_host_names(make_gateway):
    """`localhost` stands in /etc/hosts both ways."""
    gateway = make_gateway(hba=CONSOLE + "host all app_trust localhost trust\nhost all all .invalid trust\n")
    assert outcome(gateway, "app_trust") == "in"
    assert outcome(gateway, "app") == "28000"


def test_own_addresses(make_gateway):
    gateway = make_gateway(hba=CONSOLE + "host all app_trust samehost trust\nhost all app samenet md5\n")
    assert outcome(gateway, "app_trust") == "in"
    assert outcome(gateway, "app") == "in"


# --- files ------------------------------------------------------------------------------------------------------------


def test_show_hba_counts(make_gateway):
    gateway = make_gateway(hba=CONSOLE + f"host all app_trust {LOCAL} trust\nhost all all {LOCAL} md5\n")
    before = {row["line"]: row for row in rules(gateway)}
    assert [row["file"] for row in before.values()] == ["general.pg_hba"] * 3
    assert before["2"]["hits"] == "0" and before["2"]["last_hit"] is None
    outcome(gateway, "app_trust")
    outcome(gateway, "app", password="wrong")
    after = {row["line"]: row for row in rules(gateway)}
    assert (after["2"]["hits"], after["3"]["hits"]) == ("1", "1")
    assert after["2"]["rule"] == f"host all app_trust {LOCAL} trust" and after["2"]["last_hit"]
    gateway.reload(general={"query_wait_timeout": "6s"})
    assert rules(gateway)[1]["hits"] == "1", "counts go on over a reload that leaves the rule as it is"


def test_counts_go_on_wherever_a_rule_stands(make_gateway):
    """A remark in front moves every rule; of two of the same text each keeps its own count."""
    trusted = f"host all app_trust {LOCAL} trust\n"
    policy = CONSOLE + trusted + f"host all all {LOCAL} md5\n" + trusted
    gateway = make_gateway(hba=policy)
    for user in ("app_trust", "app_trust", "app"):
        assert outcome(gateway, user) == "in"

    def counts():
        return [(row["line"], row["hits"]) for row in rules(gateway)[1:]]

    assert counts() == [("2", "2"), ("3", "1"), ("4", "0")]
    gateway.reload(general={"pg_hba": {"content": "# a remark\n\n" + policy}})
    assert counts() == [("4", "2"), ("5", "1"), ("6", "0")]
    # The first rule of the text is gone: the one that is left decides on, and counts on.
    gateway.reload(general={"pg_hba": {"content": CONSOLE + trusted}})
    assert counts() == [("2", "2")]
    gateway.reload(general={"pg_hba": {"content": CONSOLE + trusted + trusted + f"host all app {LOCAL} md5\n"}})
    assert counts() == [("2", "2"), ("3", "0"), ("4", "0")]


def test_the_file_on_disk_is_told_apart(make_gateway, tmp_path):
    """A broken file on disk: the old policy stays, SHOW HBA says so with the place of the mistake."""
    part = tmp_path / "part.conf"
    main = tmp_path / "pg_hba.conf"
    main.write_text(CONSOLE + "include part.conf\n")
    part.write_text(f"host all app_trust {LOCAL} trust\n")
    gateway = make_gateway(general={"pg_hba": {"path": str(main), "content": None}}, hba=None)
    assert outcome(gateway, "app_trust") == "in"
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}
    assert rules(gateway)[-1]["file"] == str(part)
    part.write_text(f"host all app_trust {LOCAL} md5\n")
    assert {row["on_disk"] for row in rules(gateway)} == {"changed"}
    part.write_text(f"host all app_trust {LOCAL} trsut\n")
    [state] = {row["on_disk"] for row in rules(gateway)}
    assert state.startswith("refused: ") and f"{part}:1:" in state
    with gateway.console_wire() as console:
        assert f"{part}:1:" in console.error("RELOAD")["M"]
    assert outcome(gateway, "app_trust") == "in", "the old policy stays"
    part.write_text(f"host all app_trust {LOCAL} reject\n")
    gateway.reload()
    assert outcome(gateway, "app_trust") == "28000"
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}


def test_the_maps_on_disk_are_told_apart(make_gateway, tmp_path):
    """A line that is taken out of pg_ident.conf keeps somebody out as soon as the settings are reloaded."""
    maps = tmp_path / "pg_ident.conf"
    maps.write_text("people somebody app_trust\npeople anybody app\n")
    gateway = make_gateway(general={"pg_ident": {"path": str(maps)}})
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}
    maps.write_text("people anybody app\n")
    assert {row["on_disk"] for row in rules(gateway)} == {"changed"}
    gateway.reload()
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}
    maps.write_text("people anybody app_trust\n")
    assert {row["on_disk"] for row in rules(gateway)} == {"changed"}
    maps.write_text("# a remark\npeople   anybody   app\n")
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}


def test_an_audit_log_that_cannot_be_opened_refuses_the_reload(make_gateway, tmp_path):
    gateway = make_gateway()
    gateway.change(general={"audit_log": str(tmp_path)})
    with gateway.console_wire() as console:
        error = console.error("RELOAD")
        assert error["C"] == "22023"
        [state] = {row["on_disk"] for row in console.dicts("SHOW HBA")}
    assert state.startswith("refused: ") and str(tmp_path) in state, state
    gateway.change(general={"audit_log": str(tmp_path / "audit.json")})
    assert {row["on_disk"] for row in rules(gateway)} == {"same"}
    assert not (tmp_path / "audit.json").exists(), "a look makes no file"


def test_a_file_that_vanished_refuses_the_reload(make_gateway, tmp_path):
    main = tmp_path / "pg_hba.conf"
    main.write_text(CONSOLE + f"host all all {LOCAL} md5\n")
    gateway = make_gateway(general={"pg_hba": {"path": str(main), "content": None}}, hba=None)
    main.unlink()
    with gateway.console_wire() as console:
        assert str(main) in console.error("RELOAD")["M"]
        assert console.dicts("SHOW HBA")[0]["on_disk"].startswith("refused: ")
    assert outcome(gateway, "app") == "in"


def test_reload_while_logins_wait_for_roles(make_gateway, postgres, other_postgres):
    """The source of roles hangs, the policy changes meanwhile: logins under way end, new ones follow the new rules."""
    slow = pool(other_postgres, auth_query={"user": "postgres", "query_timeout": "3s"})
    gateway = make_gateway({"app": slow}, hba=CONSOLE + f"host all +grp_inner {LOCAL} trust\n")
    other_postgres.pause()
    try:
        waiting = gateway.wire("app", "app", login=False)
        waiting.send(startup([("user", "app"), ("database", "app")]))
        gateway.reload(general={"pg_hba": {"content": CONSOLE + f"host all all {LOCAL} reject\n"}})
        assert outcome(gateway, "app_trust") == "28000"
        [error] = [m for m in waiting.until_closed() if m.kind == "E"]
        assert error.fields["C"] in ("28000", "58000")
    finally:
        other_postgres.resume()
    gateway.check_alive()


@pytest.fixture
def hanging_roles(make_gateway, other_postgres):
    """Starts a gateway whose source of roles hangs, with a rule that needs it."""

    def start(login_timeout="20s"):
        slow = pool(other_postgres, auth_query={"user": "postgres", "query_timeout": "15s"})
        rules = CONSOLE + f"host all +grp_inner {LOCAL} trust\n"
        gateway = make_gateway({"app": slow}, general={"client_login_timeout": login_timeout}, hba=rules)
        other_postgres.pause()
        return gateway

    yield start
    other_postgres.resume()


def test_a_login_that_waits_meets_the_addresses_of_newer_rules(make_gateway, other_postgres):
    """The rules it began under asked for none."""
    slow = pool(other_postgres, auth_query={"user": "postgres", "query_timeout": "15s"})
    gateway = make_gateway({"app": slow}, hba=CONSOLE + f"host all +grp_inner {LOCAL} trust\n")
    other_postgres.pause()
    try:
        waiting = begin_login(gateway)
        newer = f"host all all samehost reject\nhost all all {LOCAL} trust\n"
        gateway.reload(general={"pg_hba": {"content": CONSOLE + newer}})
    finally:
        other_postgres.resume()
    [error] = [m for m in waiting.until_closed() if m.kind == "E"]
    assert error.fields["C"] == "28000"


def begin_login(gateway):
    client = gateway.wire("app", "app", login=False)
    client.send(startup([("user", "app"), ("database", "app")]))
    return client


def failures(gateway):
    return [row["reason"] for row in gateway.console("SHOW AUDIT FAILURES") if row["user"] == "app"]


def test_the_login_deadline_holds_while_roles_are_looked_up(hanging_roles):
    gateway = hanging_roles(login_timeout="1s")
    with begin_login(gateway) as client:
        [error] = [m for m in client.until_closed() if m.kind == "E"]
        assert error.fields["C"] == "57014"
    assert failures(gateway) == ["deadline_passed"]


def test_a_client_that_leaves_while_roles_are_looked_up(hanging_roles):
    """It is let go at once, and the answer that comes later finds nobody."""
    gateway = hanging_roles()
    client = begin_login(gateway)
    wait_until(lambda: [r for r in gateway.console("SHOW CLIENTS") if r["user"] == "app"], "the login is there")
    client.close()
    wait_until(lambda: failures(gateway) == ["client_left"], lambda: f"{failures(gateway)}")
    gateway.check_alive()


def test_kill_user_while_roles_are_looked_up(hanging_roles):
    gateway = hanging_roles()
    with begin_login(gateway) as client:
        wait_until(lambda: gateway.console("KILL USER app")[0]["clients"] == "1", "the login is there")
        [error] = [m for m in client.until_closed() if m.kind == "E"]
        assert error.fields["C"] == "57P01"


def test_legacy_list_and_rules_exclude_each_other(make_gateway):
    gateway = make_gateway(start=False, general={"hba": ["127.0.0.1/32"]})
    gateway.judged = True
    status, output = gateway.run_to_end()
    assert status == 78 and "cannot be specified at the same time" in output


def test_names_that_look_like_the_keyword_are_said(make_gateway):
    """`ALL` and `"all"` are names, as in PostgreSQL; to pg_doorman they are the keyword."""
    rules = 'local ALL all reject\nlocal all "all" reject\nhost all all 127.0.0.1/32 md5\n'
    gateway = make_gateway(start=False, hba=rules)
    gateway.judged = True
    status, output = gateway.run_to_end("-t")
    assert status == 0, output
    assert 'general.pg_hba:1: "ALL" is the name of a database here' in output
    assert 'general.pg_hba:2: "all" is the name of a user here' in output
    assert "general.pg_hba:3" not in output
