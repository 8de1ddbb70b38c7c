"""Who is proven from outside and could get into no server: said when settings load."""

import subprocess

import pytest

import tokens
from gateway import ADMIN, pool
from server import PASSWORDS

CONSOLE = f"host pggateway {ADMIN} 127.0.0.1/32 md5\n"
LDAP = "ldap ldapserver=127.0.0.1 ldapport=1 ldapprefix=x"
PAM = "pam pamservice=other"

FIXED = {"server_username": "app", "server_password": PASSWORDS["app"]}


def user(name, **options):
    return {"username": name, "password": "", "pool_size": 2, **options}


@pytest.fixture(scope="module")
def public_key():
    """A public key, as PEM."""
    return tokens.public_pem(tokens.private_key())


@pytest.fixture
def check(make_gateway, postgres, tmp_path, public_key):
    """What `pggateway -t` says to rules and pools: its status and its output."""
    tmp_path.chmod(0o755)
    (tmp_path / "key.pem").write_text(public_key)

    def check(rules, talos=None, **pools):
        settings = {name: pool(postgres, **{"users_": [], **options}) for name, options in pools.items()}
        rules = CONSOLE + rules.replace("JWT", f"jwt keys={tmp_path}/key.pem")
        gateway = make_gateway(settings, hba=rules, start=False)
        if talos is not None:
            gateway.settings["talos"] = {"keys": [f"{tmp_path}/key.pem"], "databases": talos}
            gateway.write()
        return gateway.run_to_end("-t")

    return check


@pytest.mark.parametrize("method", [LDAP, PAM, "JWT", "peer"])
def test_a_user_without_any_pool_is_an_error(check, method):
    kind, address = ("local", "") if method == "peer" else ("host", "127.0.0.1/32")
    status, output = check(
        f"{kind} shop,stock anna,ben {address} {method}\n", shop={"users_": [user("anna", **FIXED)]}, stock={}
    )
    assert status == 78, output
    word = method.split()[0].lower()
    text = f'general.pg_hba:2: user "ben" is proven by method "{word}" and has no pool in shop, stock: it needs'
    assert text in output
    assert "anna" not in output and "password" not in output.replace("server_password", ""), output


@pytest.mark.parametrize("users", ["all", "/^a"])
def test_a_rule_that_leads_nobody_anywhere_is_an_error(check, users):
    shop = {"users_": [user("ben", **FIXED)] if users != "all" else []}
    status, output = check(f"host shop {users} 127.0.0.1/32 {LDAP}\n", shop=shop)
    assert status == 78, output
    assert 'general.pg_hba:2: nobody whom method "ldap" proves has a pool in shop' in output


@pytest.mark.parametrize(
    "rules,shop",
    [
        (f"host shop anna 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna", **FIXED)]}),
        (f"host shop anna 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna")]}),
        (f"host shop anna 127.0.0.1/32 {LDAP}\n", {"auth_query": {"user": "postgres"}}),
        (f"host shop anna 127.0.0.1/32 {LDAP}\n", {"server_users": [{"auth_providers": ["ldap"]}]}),
        (f"host shop anna 127.0.0.1/32 {LDAP}\n", {"server_users": [FIXED]}),
        (f"host shop all 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna")]}),
        (f"host shop +staff 127.0.0.1/32 {LDAP}\n", {"auth_query": {"user": "postgres"}}),
        # The first rule decides.
        ("host shop ben 127.0.0.1/32 reject\nhost shop all 127.0.0.1/32 JWT\n",
         {"users_": [user("anna", **FIXED), user("ben")]}),
        (f"host shop ben all reject\nhost shop ben 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna", **FIXED)]}),
        # The administrator of the console needs no pool.
        (f"host all {ADMIN} 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna", **FIXED)]}),
        ("host shop anna 127.0.0.1/32 JWT passthrough=1\n", {"users_": [user("anna")]}),
        ("host shop anna 127.0.0.1/32 JWT\n", {"users_": [user("anna", password="md5" + "0" * 32)]}),
        ("host shop all 127.0.0.1/32 JWT\n",
         {"auth_query": {"user": "postgres", "server_user": "app", "server_password": PASSWORDS["app"]}}),
        ("host shop all 127.0.0.1/32 scram-sha-256\n", {"users_": [user("anna", auth_pam_service="other")]}),
    ],
)
def test_what_leads_somewhere_is_silent(check, rules, shop):
    status, output = check(rules, shop=shop)
    assert status == 0 and "trusts the gateway" not in output and "pg_hba" not in output, output


@pytest.mark.parametrize(
    "rules,shop,who",
    [
        ("host shop all 127.0.0.1/32 JWT\n", {"users_": [user("anna"), user("ben", **FIXED)]}, "shop: anna: no"),
        ("local shop all peer\n", {"users_": [user("anna")]}, "shop: anna: no"),
        (f"host shop all 127.0.0.1/32 {LDAP}\n", {"users_": [user("anna", server_username="app")]},
         "users[0].server_username: `app` has no"),
        ("host shop all 127.0.0.1/32 md5\n", {"users_": [user("anna", server_username="app")]},
         "users[0].server_username: `app` has no"),
        ("host shop all 127.0.0.1/32 md5\n", {"auth_query": {"user": "postgres", "server_user": "app"}},
         "auth_query.server_user: `app` has no"),
        ("host shop all 127.0.0.1/32 JWT\n", {"users_": [user(f"u{i}") for i in range(9)]},
         "u0, u1, u2, u3, u4 and 4 more"),
        ("host shop all 127.0.0.1/32 JWT\n", {"server_users": [{}]}, "pools.shop.server_users[0]: its users"),
        ("host shop all 127.0.0.1/32 JWT\n", {"auth_query": {"user": "postgres"}},
         "auth_query: users who are not listed"),
        ("host shop all 127.0.0.1/32 scram-sha-256\n",
         {"users_": [user("anna", server_username="app", auth_pam_service="other")]},
         "users[0].server_username: `app` has no"),
        ("host shop all 127.0.0.1/32 md5\n",
         {"users_": [user("anna", server_username="app", password="jwt-pkey-fpath:KEY")]},
         "users[0].server_username: `app` has no"),
        ("host shop all 127.0.0.1/32 md5\n", {"users_": [user("anna", password="jwt-pkey-fpath:KEY")]},
         "pools.shop.users.anna: has no"),
    ],
)
def test_what_only_a_trusting_server_lets_in_is_a_warning(check, tmp_path, rules, shop, who):
    for entry in shop.get("users_", ()):
        entry["password"] = entry["password"].replace("KEY", f"{tmp_path}/key.pem")
    status, output = check(rules, shop=shop)
    assert status == 0, output
    assert who in output and output.count("only a server that trusts the gateway lets") == 1, output


def test_certificates(make_gateway, postgres, tmp_path):
    """Who shows one has to be known to the settings or to auth_query; an entry of server_users is not enough."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )
    general = {"tls_certificate": f"{tmp_path}/ca.pem", "tls_private_key": f"{tmp_path}/key.pem",
               "tls_ca_cert": f"{tmp_path}/ca.pem"}
    rule = CONSOLE + "hostssl shop anna all cert\n"
    gateway = make_gateway({"shop": pool(postgres, users_=[], server_users=[FIXED])}, general, hba=rule, start=False)
    status, output = gateway.run_to_end("-t")
    assert status == 78, output
    assert 'general.pg_hba:2: user "anna" is proven by method "cert" and has no pool in shop: it needs an entry of ' \
        "users, or auth_query" in output
    gateway.change(pools={"shop": {"users": [user("anna")]}})
    status, output = gateway.run_to_end("-t")
    assert status == 0 and "general.pg_hba:2: pools.shop: anna: no server_password" in output, output


def test_a_rule_for_a_database_that_is_not_there(check):
    status, output = check(f"host shpo all 127.0.0.1/32 {LDAP}\n", shop={"users_": [user("anna")]})
    assert status == 0 and "general.pg_hba:2: the rule names no database of the settings" in output, output


def test_roles_of_talos(check):
    rule = "host all talos 127.0.0.1/32 talos\n"
    status, output = check(rule, talos=["shop"], shop={"users_": [user("anna", **FIXED)]})
    assert status == 78 and "none of the roles owner, read_write, read_only has a pool in pools.shop" in output, output
    status, output = check(rule, talos=["shop", "nowhere"], shop={"users_": [user("read_only", **FIXED)]})
    assert status == 0, output
    assert "tokens whose highest role in shop is owner, read_write are refused" in output
    assert 'talos.databases: there is no pool "nowhere"' in output
    entries = [{"roles": ["owner"], **FIXED}, {"roles": ["read_write", "read_only"]}]
    status, output = check(rule, talos=["shop"], shop={"server_users": entries})
    assert status == 0 and "talos" not in output, output
    # No query finds them.
    status, output = check(rule, talos=["shop"], shop={"auth_query": {"user": "postgres"}})
    assert status == 78 and "it needs an entry of users or an entry of server_users" in output, output


def test_a_reload_says_it_once_and_refuses_what_is_wrong(make_gateway, postgres, tmp_path, public_key):
    tmp_path.chmod(0o755)
    (tmp_path / "key.pem").write_text(public_key)
    rule = f"host app all 127.0.0.1/32 jwt keys={tmp_path}/key.pem\n"
    gateway = make_gateway({"app": pool(postgres, users_=[user("app_trust")])}, hba=CONSOLE + rule)
    text = "pools.app: app_trust: no server_password"
    gateway.wait_for_log(lambda log: log.count(text) == 1, "one warning at the start")
    gateway.reload()
    gateway.wait_for_log(lambda log: "settings reloaded" in log and log.count(text) == 2, "one warning more")
    gateway.change(general={"pg_hba": {"content": CONSOLE + rule.replace("app all", "app ben")}})
    with gateway.console_wire() as console:
        assert 'user "ben" is proven by method "jwt" and has no pool in app' in console.error("RELOAD")["M"]
