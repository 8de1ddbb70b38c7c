"""Certificates of clients and rules: hostssl, clientcert, method cert, maps; revocation; what the audit stream says."""

from dataclasses import replace

import pytest

import tokens
from certificates import authority, bundle, joined
from gateway import pool
from server import PASSWORDS
from tlswire import CONSOLE, LOCAL, by_libpq, by_psql, client_context, people, start, tls_wire
from wire import LoginRefused

MISSING = "connection requires a valid client certificate"


@pytest.fixture
def make_gateway(make_gateway, postgres):
    entries = [
        {"username": name, "password": postgres.secrets[name], "server_username": name, "pool_size": 4}
        | {"server_password": PASSWORDS[name]}
        for name in ("app", "app_trust", "app_md5")
    ]
    return lambda **options: make_gateway({"app": pool(postgres, users_=entries)}, **options)


def gateway_with(make_gateway, rules, ident=None, **options):
    """A gateway that asks clients for certificates of `people`, with these rules behind those of the console.

    It opens servers with passwords of its own, as certificates prove nothing to a server."""
    options = {"tls_ca_cert": people().certificate} | options
    general = options.pop("general", {})
    if ident:
        general["pg_ident"] = {"content": ident}
    return start(make_gateway, hba=CONSOLE + rules, general=general, **options)


def way(gateway, certificate=None, user="app_trust", **options):
    return by_libpq(gateway, user=user, certificate=certificate, **{"sslmode": "require"} | options).way


def said(gateway, certificate=None, user="app_trust", **options):
    outcome = by_libpq(gateway, user=user, certificate=certificate, **{"sslmode": "require"} | options)
    assert outcome.way == "refused", outcome
    return outcome.said


def last_failure(gateway):
    return gateway.console("SHOW AUDIT FAILURES")[0]


# --- the handshake ----------------------------------------------------------------------------------------------------


def bad_certificates():
    stranger = authority("strangers")
    return {
        "wrong authority": (stranger.client("app_trust"), "certificate_unknown_authority"),
        "expired": (people().client("app_trust", starts=-20, ends=-2), "certificate_expired"),
        "not yet valid": (people().client("app_trust", starts=2, ends=20), "certificate_"),
        "signed by a leaf's namesake": (authority("people ").client("app_trust"), "certificate_unknown_authority"),
    }


@pytest.mark.parametrize("mode", ("allow", "verify-ca"))
@pytest.mark.parametrize("kind", ("wrong authority", "expired", "not yet valid", "signed by a leaf's namesake"))
def test_bad_certificates_end_the_handshake(make_gateway, mode, kind):
    """Whatever the rules say: here they ask for nothing. One client per version of TLS."""
    gateway = gateway_with(make_gateway, f"host all all {LOCAL} trust\n", tls_mode=mode)
    certificate, reason = bad_certificates()[kind]
    assert way(gateway, certificate) == "refused"
    older = {"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"}
    assert by_psql(gateway, certificate=certificate, **older).way == "refused"
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert row["failures"] == "2" and row["failure_reasons"].startswith(reason), row
    failure = last_failure(gateway)
    assert failure["reason"] == "tls_handshake_failed"
    assert "TLS handshake failed" in gateway.log()
    assert way(gateway) == ("tls" if mode == "allow" else "refused")


def test_authorities_of_a_bundle_and_intermediates(make_gateway):
    """All certificates of tls_ca_cert count, not the first alone; intermediates may come from either side."""
    first, second, third = authority("bundle 1"), authority("bundle 2"), authority("bundle 3")
    middle, lower = second.intermediate("middle"), second.intermediate("middle").intermediate("lower")
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} cert\n", tls_ca_cert=bundle(first, second))
    for one in (first, second, middle, lower):
        assert way(gateway, one.client("app_trust")) == "tls", one.name
    assert way(gateway, third.client("app_trust")) == "refused"
    gateway.reload(general={"tls_ca_cert": str(bundle(second, middle))})
    leaf_only = middle.client("app_trust")
    leaf_only = replace(leaf_only, certificate=leaf_only.leaf)
    assert way(gateway, leaf_only) == "tls", "the gateway has the intermediate authority itself"
    assert way(gateway, first.client("app_trust")) == "refused", "its authority went with the reload"


def test_revoked_certificates(make_gateway):
    good, bad = people().client("app_trust"), people().client("app_trust", subject="/O=Lost/CN=app_trust")
    gateway = gateway_with(
        make_gateway, f"hostssl all all {LOCAL} cert\n", tls_crl_file=people().revocation_list([bad])
    )
    assert way(gateway, good) == "tls"
    assert way(gateway, bad) == "refused"
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert row["failure_reasons"] == "certificate_revoked=1"
    gateway.reload(general={"tls_crl_file": str(people().revocation_list([good]))})
    assert way(gateway, good) == "refused"
    assert way(gateway, bad) == "tls"
    # As with PostgreSQL, a list is needed for each authority of the chain, and one that is out of date refuses.
    middle = people().intermediate("people's middle")
    assert way(gateway, middle.client("app_trust")) == "refused"
    lists = joined([people().revocation_list([]), middle.revocation_list([])])
    gateway.reload(general={"tls_crl_file": str(lists)})
    assert way(gateway, middle.client("app_trust")) == "tls"
    lists = joined([people().revocation_list([middle]), middle.revocation_list([])])
    gateway.reload(general={"tls_crl_file": str(lists)})
    assert way(gateway, middle.client("app_trust")) == "refused"
    gateway.reload(general={"tls_crl_file": str(people().revocation_list([], starts=-20, ends=-2))})
    assert way(gateway, good) == "refused"


# --- rules ------------------------------------------------------------------------------------------------------------


def test_hostssl_and_hostnossl(make_gateway):
    rules = f"hostssl all app_trust {LOCAL} trust\nhostnossl all app {LOCAL} md5\n"
    gateway = start(make_gateway, hba=CONSOLE + rules)
    for client in (by_psql, by_libpq):
        pairs = [(user, mode) for user in ("app_trust", "app") for mode in ("disable", "require")]
        found = {(user, mode): client(gateway, user=user, sslmode=mode).way for user, mode in pairs}
        assert found == {
            ("app_trust", "disable"): "refused", ("app_trust", "require"): "tls",
            ("app", "disable"): "clear", ("app", "require"): "refused",
        }  # fmt: skip
        # prefer and allow find the way that the rules leave.
        assert client(gateway, user="app", sslmode="prefer").way == "clear"
        assert client(gateway, user="app_trust", sslmode="allow").way == "tls"


def test_clientcert_verify_ca(make_gateway):
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} scram-sha-256 clientcert=verify-ca\n")
    assert way(gateway, people().client("somebody"), "app") == "tls"
    assert MISSING in said(gateway, None, "app")
    assert last_failure(gateway)["reason"] == "certificate_missing"
    assert "password authentication failed" in said(gateway, people().client("somebody"), "app", password="wrong")


def test_clientcert_verify_full(make_gateway):
    """The owner's name is asked for, and the password all the same."""
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} scram-sha-256 clientcert=verify-full\n")
    assert way(gateway, people().client("app"), "app") == "tls"
    assert "password authentication failed" in said(gateway, people().client("app"), "app", password="wrong")
    assert 'certificate authentication failed for user "app"' in said(gateway, people().client("app_trust"), "app")
    failure = last_failure(gateway)
    assert failure["reason"] == "certificate_mismatch"
    assert MISSING in said(gateway, None, "app")


def test_method_cert(make_gateway):
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} cert\n")
    for client in (by_psql, by_libpq):
        assert client(gateway, user="app", sslmode="require", certificate=people().client("app")).way == "tls"
    for name in ("app_md5", "App", "app ", "ap", "app\u0435"):
        assert "certificate authentication failed" in said(gateway, people().client(name), "app"), name
    assert MISSING in said(gateway, None, "app")
    clear = said(gateway, None, "app", sslmode="disable")
    assert "not permitted by HBA configuration" in clear
    with tls_wire(gateway, "app", context=client_context(people().client("app")), password="unasked") as client:
        assert client.method == "ok" and client.value("select current_user") == "app"


def test_a_certificate_without_a_name_lets_nobody_in(make_gateway):
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} cert\n")
    assert "certificate authentication failed" in said(gateway, people().client("", subject="/O=Example"), "app")


def test_map_and_dn(make_gateway):
    rules = (
        f"hostssl all app {LOCAL} cert map=by_name\n"
        f"hostssl all app_trust {LOCAL} cert map=by_dn clientname=DN\n"
        f"hostssl all app_md5 {LOCAL} md5 clientcert=verify-full\n"
    )
    ident = (
        'by_name /^(.*)@example\\.com$ \\1\n'
        'by_dn "CN=ann,OU=people,O=Example" app_trust\n'
    )
    gateway = gateway_with(make_gateway, rules, ident)
    assert way(gateway, people().client("app@example.com"), "app") == "tls"
    assert way(gateway, people().client("app"), "app") == "refused", "with a map, equality alone is not enough"
    assert way(gateway, people().client("app@example.org"), "app") == "refused"
    assert way(gateway, people().client("ann", subject="/O=Example/OU=people/CN=ann"), "app_trust") == "tls"
    assert way(gateway, people().client("ann", subject="/O=Other/OU=people/CN=ann"), "app_trust") == "refused"
    assert way(gateway, people().client("app_md5"), "app_md5") == "tls"
    assert way(gateway, people().client("app"), "app_md5") == "refused"


def test_rules_about_certificates_need_authorities(make_gateway):
    """PostgreSQL's way: the load is refused, by the rule's line."""
    for rule in ("cert", "md5 clientcert=verify-ca", "md5 clientcert=verify-full"):
        gateway = start(make_gateway, hba=CONSOLE + f"hostssl all all {LOCAL} md5\n")
        rules = CONSOLE + f"hostssl all all {LOCAL} {rule}\n"
        gateway.change(general={"pg_hba": {"content": rules}})
        with gateway.console_wire() as console:
            message = console.error("RELOAD")["M"]
        assert "tls_ca_cert" in message and "3" in message, message
        assert by_libpq(gateway, user="app", sslmode="require").way == "tls"
        gateway.stop()


def test_passwords_of_wrong_owners_are_not_tried(make_gateway):
    """clientcert=verify-full is checked before the method: with a foreign certificate no passwords can be tried."""
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} password clientcert=verify-full\n")
    with pytest.raises(LoginRefused) as refusal:
        tls_wire(gateway, "app", context=client_context(people().client("app_md5")))
    assert [m.kind for m in refusal.value.transcript] == ["E"], "no password was asked for"
    assert refusal.value.sqlstate == "28000"


def test_tokens_with_certificates(make_gateway, tmp_path):
    """Method jwt with clientcert=verify-full: token and certificate, both of this user; `map=` is asked about both."""
    tmp_path.chmod(0o755)
    key = tokens.private_key()
    (tmp_path / "keys").write_text(tokens.public_pem(key))
    method = f"jwt keys={tmp_path}/keys clientcert=verify-full"
    rules = f"hostssl all app {LOCAL} {method}\nhostssl all app_trust {LOCAL} {method} map=staff\n"
    gateway = gateway_with(make_gateway, rules, "staff /^(.*)@example\\.com$ app_trust\n")
    ann, app = people().client("ann@example.com"), people().client("app")
    own, anns = tokens.token(key), tokens.token(key, user="ann@example.com")
    assert way(gateway, app, "app", password=own) == "tls"
    assert way(gateway, app, "app", password=anns) == "refused"
    assert way(gateway, ann, "app", password=own) == "refused"
    assert MISSING in said(gateway, None, "app", password=own)
    assert way(gateway, ann, "app_trust", password=anns) == "tls"
    assert way(gateway, app, "app_trust", password=anns) == "refused"
    assert way(gateway, ann, "app_trust", password=own) == "refused"


# --- the audit stream -------------------------------------------------------------------------------------------------


def test_audit_fields(make_gateway):
    gateway = gateway_with(make_gateway, f"hostssl all all {LOCAL} cert\nhost all all {LOCAL} md5\n")
    ann = people().client("app_trust", subject="/O=Example/CN=app_trust")
    tls_wire(gateway, context=client_context(ann)).close()
    row = next(row for row in gateway.console("SHOW AUDIT") if row["user"] == "app_trust" and row["event"] == "login")
    assert (row["tls"], row["tls_version"], row["tls_cipher"]) == ("t", "TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert row["tls_client_subject"] == "CN=app_trust,O=Example"
    gateway.wire("app", "app").close()
    row = next(row for row in gateway.console("SHOW AUDIT") if row["user"] == "app" and row["event"] == "login")
    assert (row["tls"], row["tls_version"], row["tls_client_subject"]) == ("f", None, None)
