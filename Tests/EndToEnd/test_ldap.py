"""Method `ldap` with a real slapd: simple bind, search+bind, TLS, and a directory that is down."""

import socket
import time
from pathlib import Path

import pytest

from directory import BASE, ROOT_PASSWORD, SEARCHER, SEARCHER_PASSWORD, Directory, is_available
from external import CONSOLE_RULE, PEOPLE, asked, check_bad_input, check_found_pools, check_warm_pool, empty_password
from external import found_pool, make_roles, outcome, people_pool, refusal
from gateway import pool, seeing
from names import NameServer
from polling import wait_until
from server import PASSWORDS
from wire import password_message

@pytest.fixture(scope="module", autouse=True)
def _prerequisites():
    assert is_available(), "needs slapd and openssl: scripts/install test"

PREFIX, SUFFIX = "uid=", f",ou=people,{BASE}"


@pytest.fixture(scope="module")
def directory(postgres):
    make_roles(postgres)
    made = Directory()
    yield made
    made.remove()


@pytest.fixture
def ldap_gateway(make_gateway, postgres, directory):
    """A gateway with one rule `ldap`; `{port}` and `{tls}` in its options are the directory's."""

    def make(options, general=None, environment=None, hba="", **more):
        options = options.format(port=directory.port, tls=directory.tls_port)
        rules = CONSOLE_RULE + "host all app_trust 127.0.0.1/32 trust\n" + hba
        pools = {"app": people_pool(postgres)}
        pools["app"]["users"].append({"username": "app_trust", "password": "", "pool_size": 2})
        gateway = make_gateway(
            pools, general=general, hba=rules + f"host all all 127.0.0.1/32 ldap {options}\n", environment=environment,
            **more,
        )
        gateway.secrets.update([*PEOPLE.values(), ROOT_PASSWORD, SEARCHER_PASSWORD, "Twin-secret-90"])
        return gateway

    return make


SIMPLE = f'ldapserver=127.0.0.1 ldapport={{port}} ldapprefix="{PREFIX}" ldapsuffix="{SUFFIX}"'
SEARCH = (
    f'ldapserver=127.0.0.1 ldapport={{port}} ldapbasedn="{BASE}" ldapbinddn="{SEARCHER}" '
    f"ldapbindpasswd={SEARCHER_PASSWORD}"
)
CREDENTIALS = f'ldapbinddn="{SEARCHER}" ldapbindpasswd={SEARCHER_PASSWORD}'


@pytest.mark.parametrize(
    "options",
    [
        SIMPLE,
        SEARCH,
        SEARCH + " ldapsearchattribute=cn",
        SEARCH + ' ldapsearchfilter="(&(objectClass=inetOrgPerson)(|(uid=$username)(mail=$username)))"',
        f'ldapurl="ldap://127.0.0.1:{{port}}/ou=people,{BASE}?uid?one" {CREDENTIALS}',
        f'ldapurl="ldap://127.0.0.1:{{port}}/{BASE}??sub?(uid=$username)" {CREDENTIALS}',
        # The first of two servers is down.
        SIMPLE.replace("ldapserver=127.0.0.1", 'ldapserver="127.0.0.2 127.0.0.1"'),
    ],
)
def test_ways_to_bind(ldap_gateway, options):
    gateway = ldap_gateway(options)
    check_warm_pool(gateway)
    assert outcome(gateway, "pgg_nobody", "x") == "28P01"
    reasons = {row["reason"] for row in gateway.console("SHOW AUDIT FAILURES")}
    assert reasons <= {"password_wrong", "user_unknown"}


@pytest.mark.parametrize("options", [SIMPLE, SEARCH])
def test_bad_passwords(ldap_gateway, options):
    check_bad_input(ldap_gateway(options), "LDAP")


def test_users_who_stand_in_no_settings(make_gateway, postgres, directory):
    """Pools of their own, and the shared pool of a `server_user`."""
    hba = CONSOLE_RULE + f"host all all 127.0.0.1/32 ldap {SEARCH.format(port=directory.port)}\n"
    gateway = make_gateway({"own": found_pool(postgres), "shared": found_pool(postgres, dedicated=True)}, hba=hba)
    gateway.secrets.update([*PEOPLE.values(), SEARCHER_PASSWORD])
    check_found_pools(gateway)


def test_an_empty_password_is_no_anonymous_login(ldap_gateway):
    """A directory takes a bind without a password for one without a name, and admits it."""
    gateway = ldap_gateway(SIMPLE)
    assert empty_password(gateway, "pgg_ann") == "28P01"
    gateway.wait_for_log(lambda log: "LDAP: empty password" in log, "the reason")


@pytest.mark.parametrize("name", ["*", "pgg_a*", "pgg_ann)(uid=*", "a\\2a", "ou=x/y", "(", "pgg_ann,ou=people"])
def test_names_with_a_meaning_in_filters(ldap_gateway, name):
    gateway = ldap_gateway(SEARCH)
    fields = refusal(gateway, name, PEOPLE["pgg_ann"])
    assert (fields["C"], fields["M"]) == ("28P01", f'LDAP authentication failed for user "{name}"')


@pytest.mark.parametrize("name", [f"pgg_ann{SUFFIX}", "pgg_ann+cn=pgg_ann", "pgg_ann,ou=others", "#1"])
def test_names_with_a_meaning_in_distinguished_names(ldap_gateway, name):
    assert outcome(ldap_gateway(SIMPLE), name, PEOPLE["pgg_ann"]) == "28P01"


@pytest.mark.parametrize(
    "options,entered",
    [
        (SEARCH, False),
        (SEARCH + " ldapsearchattribute=cn", False),
        (SEARCH + ' ldapsearchfilter="(uid=$username)" ldap_name_attribute=uid', False),
        (SEARCH + " ldap_name_attribute=none", True),
        (SEARCH + ' ldapsearchfilter="(uid=$username)"', True),
    ],
)
def test_a_directory_that_ignores_case_makes_nobody_somebody_else(make_gateway, postgres, directory, options, entered):
    """`PGG_ANN` binds as `pgg_ann`, and would work as whoever is not `pgg_ann`."""
    entries = [
        {"users": ["pgg_ann"], "server_username": "app_plain", "server_password": PASSWORDS["app_plain"]},
        {"server_username": "app", "server_password": PASSWORDS["app"]},
    ]
    rule = f"host all all 127.0.0.1/32 ldap {options.format(port=directory.port)}\n"
    gateway = make_gateway({"app": pool(postgres, users_=[], server_users=entries)}, hba=CONSOLE_RULE + rule)
    gateway.secrets.update([*PEOPLE.values(), SEARCHER_PASSWORD])
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "app_plain"
    assert outcome(gateway, "PGG_ANN", PEOPLE["pgg_ann"]) == ("app" if entered else "28P01")
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "app_plain"
    if not entered:
        gateway.wait_for_log(lambda log: "is the name byte for byte" in log, "the reason")


def test_servers_that_dns_does_not_know(ldap_gateway):
    """Its own fault, whoever asks; the log names the records."""
    options = SEARCH.replace("ldapserver=127.0.0.1 ldapport={port} ", "").replace(BASE, "dc=nowhere,dc=invalid", 1)
    gateway = ldap_gateway(options, general={"auth_lane_timeout": "20s"})
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "58000"
    gateway.wait_for_log(
        lambda log: "could not find DNS SRV records of _ldap._tcp.nowhere.invalid" in log, "the reason"
    )


def test_servers_by_dns(ldap_gateway, directory, tmp_path):
    """The SRV records of the domain in `ldapbasedn`; the first server that they name is down.

    Needs a mount namespace, for a /etc/resolv.conf of its own.
    """
    answers = [(10, "127.0.0.2", directory.port), (20, "127.0.0.1", directory.port)]
    with NameServer({b"_ldap._tcp.example.org": answers}) as names:
        text = f"nameserver {names.address}\noptions timeout:1 attempts:2\n"
        binary = seeing("/etc/resolv.conf", text, tmp_path)
        gateway = ldap_gateway(SEARCH.replace("ldapserver=127.0.0.1 ldapport={port} ", ""), binary=binary)
        check_warm_pool(gateway)
        assert names.asked == {b"_ldap._tcp.example.org"}


def test_a_name_that_is_not_unique(ldap_gateway):
    gateway = ldap_gateway(SEARCH)
    assert outcome(gateway, "pgg_twin", "Twin-secret-90") == "28P01"
    gateway.wait_for_log(lambda log: "is not unique" in log, "the reason")


def test_the_searcher_s_rights_end_with_the_search(ldap_gateway):
    """Its password is nobody else's."""
    gateway = ldap_gateway(SEARCH)
    assert outcome(gateway, "pgg_ann", SEARCHER_PASSWORD) == "28P01"


@pytest.mark.parametrize(
    "options",
    [
        SEARCH.replace(SEARCHER_PASSWORD, "another-word"),
        SEARCH.replace(f'"{BASE}"', '"dc=elsewhere,dc=org"'),
        # Nobody may search without a name here.
        'ldapserver=127.0.0.1 ldapport={port} ldapbasedn="dc=elsewhere,dc=org"',
    ],
)
def test_a_rule_that_the_directory_refuses_is_the_service_s_fault(ldap_gateway, options):
    gateway = ldap_gateway(options)
    gateway.secrets.discard("another-word")
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "58000"


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        SIMPLE + " ldaptls=1",
        SEARCH + " ldaptls=1",
        SIMPLE.replace("{port}", "{tls}") + " ldapscheme=ldaps",
        f'ldapurl="ldaps://127.0.0.1:{{tls}}/{BASE}?uid?sub" {CREDENTIALS}',
    ],
)
def test_tls(ldap_gateway, directory, options):
    trusting = ldap_gateway(options, environment={"LDAPTLS_CACERT": str(directory.folder / "ca.pem")})
    check_warm_pool(trusting)


def test_a_certificate_that_nobody_trusts(ldap_gateway):
    gateway = ldap_gateway(SIMPLE + " ldaptls=1")
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "58000"
    gateway.wait_for_log(lambda log: "could not start LDAP TLS session" in log, "the reason")


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_directory_that_is_down(ldap_gateway, directory):
    gateway = ldap_gateway(SIMPLE)
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    directory.stop()
    try:
        fields = refusal(gateway, "pgg_ann", PEOPLE["pgg_ann"])
        assert (fields["C"], fields["M"]) == ("58000", "Authentication service unavailable")
        gateway.wait_for_log(lambda log: "Can't contact LDAP server" in log, "the reason")
        with gateway.wire("app_trust") as client:
            assert client.value("select current_user") == "app_trust"
    finally:
        directory.start()
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"


def test_a_directory_that_does_not_answer(ldap_gateway, directory):
    """Refused in time; nobody else waits, and the gateway stops although a thread hangs."""
    gateway = ldap_gateway(SIMPLE, general={"auth_lane_timeout": "500ms"})
    directory.pause()
    try:
        with asked(gateway, "pgg_ann") as client:
            client.send(password_message(PEOPLE["pgg_ann"]))
            with gateway.wire("app_trust") as other:
                assert other.value("select current_user") == "app_trust"
            assert client.until("E")[-1].sqlstate == "58000"
        gateway.wait_for_log(lambda log: "LDAP has no answer within" in log, "the reason")
        gateway.stop()
    finally:
        directory.resume()


def test_a_directory_that_says_nothing_about_tls(ldap_gateway):
    """The login that waits for it keeps no core busy."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway = ldap_gateway(SIMPLE.replace("{port}", str(silent.getsockname()[1])) + " ldapscheme=ldaps")

        def ticks():
            """What the process has computed so far, in hundredths of a second."""
            fields = Path(f"/proc/{gateway.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        with asked(gateway, "pgg_ann") as client:
            client.send(password_message(PEOPLE["pgg_ann"]))
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1000)
                before, end = ticks(), time.monotonic() + 0.5
                wait_until(lambda: time.monotonic() > end, "half a second")
                assert ticks() - before < 5, "it asks again and again"
            assert client.until("E")[-1].sqlstate == "58000"
        wait_until(
            lambda: [r["busy"] for r in gateway.console("SHOW AUTH_PROVIDERS") if r["name"] == "ldap"] == ["0"],
            "the thread is free",
        )


def test_rules_are_reloaded(ldap_gateway, directory):
    """A bad rule changes nothing, and its password stands in no message."""
    gateway = ldap_gateway(SIMPLE)
    bad = f"{CONSOLE_RULE}host all all 127.0.0.1/32 ldap ldapserver=x ldapprefix=y ldapbindpasswd={SEARCHER_PASSWORD}\n"
    with gateway.console_wire() as console:
        gateway.change(general={"pg_hba": {"content": bad}})
        text = console.error("RELOAD")["M"]
        assert "general.pg_hba:2" in text and "cannot stand beside ldapprefix" in text, text
        assert SEARCHER_PASSWORD not in text
        shown = str(console.dicts("SHOW HBA"))
        assert SEARCHER_PASSWORD not in shown
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    good = CONSOLE_RULE + f"host all all 127.0.0.1/32 ldap {SEARCH.format(port=directory.port)}\n"
    gateway.reload(general={"pg_hba": {"content": good}})
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    assert SEARCHER_PASSWORD not in str(gateway.console("SHOW HBA"))


def test_passwords_of_the_directory_do_not_count_as_failures_of_auth_query(make_gateway, postgres, directory):
    """The query has no part in such a login: SHOW AUTH_QUERY says nothing of it."""
    hba = CONSOLE_RULE + f"host all all 127.0.0.1/32 ldap {SEARCH.format(port=directory.port)}\n"
    gateway = make_gateway({"own": found_pool(postgres)}, hba=hba)
    gateway.secrets.update([*PEOPLE.values(), SEARCHER_PASSWORD])
    assert outcome(gateway, "pgg_ann", "wrong", "own") == "28P01"
    assert outcome(gateway, "pgg_nobody", "wrong", "own") == "28P01"
    (row,) = gateway.console("SHOW AUTH_QUERY")
    assert (row["auth_failure"], row["executor_queries"]) == ("0", "0")


def test_a_password_of_the_directory_replaces_nothing_that_opens_the_server(
    make_gateway, postgres, directory, tmp_path
):
    """Where PostgreSQL has another: a pool that a SCRAM login has opened stays open to all who work in it."""
    bob, own = "pgg_bob", "Server-side-41"
    with postgres.admin() as admin:
        admin.execute("set password_encryption = 'scram-sha-256'")
        admin.execute(f"alter role {bob} password '{own}'")
    try:
        secret = postgres.value("select rolpassword from pg_authid where rolname = %s", bob)
        pools = {"app": pool(postgres, users_=[{"username": bob, "password": secret, "pool_size": 1}])}
        rules = CONSOLE_RULE + "local all all scram-sha-256\nhost all all 127.0.0.1/32 ldap "
        own_folder = {"unix_socket_dir": str(tmp_path)}
        gateway = make_gateway(pools, own_folder, hba=rules + SEARCH.format(port=directory.port) + "\n")
        with gateway.wire(bob, "app", own, unix=True) as client:
            assert client.value("select current_user") == bob
            assert outcome(gateway, bob, PEOPLE[bob]) == bob
            with postgres.admin() as admin:
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (bob,))
            wait_until(lambda: not postgres.backends(bob), "its servers are gone")
            wait_until(lambda: gateway.pool_row(user=bob)["sv_idle"] == "0", "the gateway knows")
            assert client.value("select current_user") == bob
    finally:
        with postgres.admin() as admin:
            admin.execute(f"alter role {bob} password '{PEOPLE[bob]}'")


def test_a_login_that_has_not_looked_at_the_row_changes_no_pool(make_gateway, postgres, directory, tmp_path):
    """SCRAM by auth_query and LDAP lead to one pool, with the startup parameters of the user's row."""
    ann = "pgg_ann"
    query = (
        "select rolpassword as passwd, '{\"work_mem\": \"77MB\"}'::jsonb as startup_parameters"
        " from pg_authid where rolname = $1"
    )
    pools = {"app": pool(postgres, users_=[], auth_query={"user": "postgres", "query": query, "pool_size": 1})}
    rules = CONSOLE_RULE + "local all all scram-sha-256\nhost all all 127.0.0.1/32 ldap "
    gateway = make_gateway(
        pools, {"unix_socket_dir": str(tmp_path)}, hba=rules + SEARCH.format(port=directory.port) + "\n"
    )
    with gateway.wire(ann, "app", PEOPLE[ann], unix=True) as by_scram:
        before = by_scram.rows("select current_setting('work_mem'), pg_backend_pid()")
        assert before[0][0] == "77MB"
        with gateway.wire(ann, "app", PEOPLE[ann]) as by_password:
            assert by_password.rows("select current_setting('work_mem'), pg_backend_pid()") == before
        assert by_scram.rows("select current_setting('work_mem'), pg_backend_pid()") == before
