"""TLS towards PostgreSQL: every mode beside what libpq does with it, and what certificates are good for."""

import pytest

from certificates import authority, bundle, joined
from polling import wait_until
from server import kill
from tls_servers import PID, TRUST, about, handshakes, outcome, psql, servers_of, tls_pool
from wire import bind, closing_error, execute, parse, query, sync

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@pytest.fixture
def make(make_gateway):
    """Starts a gateway with these pools that admits everybody."""

    def start(general=None, **pools):
        return make_gateway(pools, general, hba=TRUST)

    return start


def databases():
    return authority("databases").certificate


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ("app", "tls_only", "clear_only"))
def test_modes_are_those_of_libpq(make, secured, user):
    pools = {}
    for mode in MODES:
        extra = {"tls_ca_cert": databases()} if mode.startswith("verify") else {}
        pools[mode] = tls_pool(secured, mode, user, **extra)
    gateway = make(**pools)
    for mode in MODES:
        extra = {"sslrootcert": databases()} if mode.startswith("verify") else {}
        expected, found = psql(secured, user, mode, **extra), outcome(gateway, mode)
        assert found[0] == expected[0], (mode, found, expected)
        if expected[0] == "in":
            assert found[1] == expected[1], mode
        else:
            assert found[1].startswith("08") or found[1].startswith("28"), (mode, found)
            assert "pg_hba.conf rejects" in expected[1], (mode, expected)
            assert "pg_hba.conf rejects" in gateway.log()


def test_modes_are_those_of_libpq_where_the_server_has_no_tls(make, postgres):
    pools = {}
    for mode in MODES:
        extra = {"tls_ca_cert": databases()} if mode.startswith("verify") else {}
        pools[mode] = tls_pool(postgres, mode, **extra)
    gateway = make(**pools)
    for mode in MODES:
        extra = {"sslrootcert": databases()} if mode.startswith("verify") else {}
        expected, found = psql(postgres, "app", mode, **extra), outcome(gateway, mode)
        assert found[0] == expected[0], (mode, found, expected)
        assert found[0] == "refused" or found[1] is False
        if found[0] == "refused":
            assert f"server does not support TLS, but server_tls_mode {mode} requires it" in gateway.log()


def test_the_other_way_is_tried_and_logged(make, secured):
    """`allow` and `prefer` try once more on a new socket; when that fails too, both reasons are logged."""
    gateway = make(
        allow=tls_pool(secured, "allow", "certified"),
        prefer=tls_pool(secured, "prefer", "certified"),
        require=tls_pool(secured, "require", "certified"),
    )
    for database, first, second in (("allow", "no encryption", "certificate"), ("prefer", "certificate", "encryption")):
        size = secured.log_size()
        assert outcome(gateway, database)[0] == "refused"
        (line,) = [x for x in gateway.log().splitlines() if "ERROR" in x and f"@{database} " in x]
        assert "first_attempt" in line, line
        reason, attempt = line.split("reason=")[1], line.split("first_attempt=")[1].split("pool=")[0]
        assert first in attempt, line
        assert second in reason, line
        assert secured.log_since(size).count("connection received") == 2
    size = secured.log_size()
    assert outcome(gateway, "require")[0] == "refused"
    assert secured.log_since(size).count("connection received") == 1


def test_unix_sockets_never_use_tls(make, secured):
    gateway = make(
        require=tls_pool(secured, "require", unix=True),
        full=tls_pool(secured, "verify-full", unix=True, tls_ca_cert=databases()),
    )
    assert outcome(gateway, "require") == ("in", False)
    assert outcome(gateway, "full") == ("in", False)
    assert handshakes(gateway)["handshakes"] == "0"


def test_keys_of_a_pool_go_before_general_ones(make, secured):
    general = {"server_tls_mode": "verify-full", "server_tls_ca_cert": str(databases())}
    stranger = authority("strangers").certificate
    gateway = make(
        general=general,
        inherited=tls_pool(secured),
        clear=tls_pool(secured, "disable"),
        other=tls_pool(secured, tls_ca_cert=stranger),
        old=tls_pool(secured, tls_max_version="TLSv1.2"),
    )
    assert outcome(gateway, "inherited") == ("in", True)
    assert outcome(gateway, "clear") == ("in", False)
    assert outcome(gateway, "other")[0] == "refused"
    assert outcome(gateway, "old") == ("in", True)
    assert [servers_of(gateway, name)[0]["tls_version"] for name in ("inherited", "clear", "old")] == [
        "TLSv1.3", None, "TLSv1.2",
    ]  # fmt: skip


def test_versions_and_ciphers(make, secured):
    cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"
    gateway = make(
        newest=tls_pool(secured, "require"),
        old=tls_pool(secured, "require", tls_max_version="TLSv1.2", tls_ciphers=cipher),
        new=tls_pool(secured, "require", tls_min_version="TLSv1.3"),
    )
    for name, version in (("newest", "TLSv1.3"), ("old", "TLSv1.2"), ("new", "TLSv1.3")):
        with gateway.wire("app", name) as client:
            found = about(client)
            (row,) = servers_of(gateway, name)
            assert (row["tls"], row["tls_version"], row["tls_cipher"]) == ("true", version, found["cipher"])
            assert found["version"] == version
            assert row["tls_subject"] is None, "nobody has verified it"
    assert servers_of(gateway, "old")[0]["tls_cipher"] == cipher
    row = handshakes(gateway)
    assert (row["handshakes"], row["failures"], row["under_way"], row["direct"]) == ("3", "0", "0", "0")
    assert 0 < int(row["p50_us"]) <= int(row["p90_us"]) <= int(row["p99_us"])
    assert handshakes(gateway, "clients")["handshakes"] == "0"
    with secured.admin() as admin:
        admin.execute("alter system set ssl_max_protocol_version = 'TLSv1.2'")
        admin.execute("select pg_reload_conf()")
    try:
        size = len(gateway.log())
        gateway.console("KILL USER app")
        assert outcome(gateway, "newest") == ("in", True)
        assert servers_of(gateway, "newest")[0]["tls_version"] == "TLSv1.2"
        assert outcome(gateway, "new")[0] == "refused"
        assert "TLS handshake with the server failed" in gateway.log()[size:]
    finally:
        with secured.admin() as admin:
            admin.execute("alter system reset ssl_max_protocol_version")
            admin.execute("select pg_reload_conf()")


# --- the server's certificate -----------------------------------------------------------------------------------------


def judged(make, secured, reason, accepted_by_ca=False, crl=None, ca=None):
    """`verify-full` refuses what the server shows, as psql does, and says why; `require` without a CA does not look."""
    ca = ca or databases()
    options = {"tls_ca_cert": ca, **({"tls_crl_file": crl} if crl else {})}
    words = {"sslrootcert": ca, **({"sslcrl": crl} if crl else {})}
    gateway = make(
        blind=tls_pool(secured, "require"),
        chain=tls_pool(secured, "verify-ca", **options),
        full=tls_pool(secured, "verify-full", **options),
        implied=tls_pool(secured, "require", **options),
    )
    assert outcome(gateway, "blind") == ("in", True)
    for name, mode, good in (
        ("chain", "verify-ca", accepted_by_ca),
        ("full", "verify-full", False),
        ("implied", "require", accepted_by_ca),
    ):
        found, expected = outcome(gateway, name), psql(secured, "app", mode, **words)
        assert found[0] == expected[0] == ("in" if good else "refused"), (name, found, expected)
    failures = 1 if accepted_by_ca else 3
    assert handshakes(gateway)["failure_reasons"] == {reason: failures}, gateway.tail()
    lines = [x for x in gateway.log().splitlines() if "ERROR" in x and "cannot log in at the server" in x]
    assert len(lines) == failures and all(f"({reason})" in x for x in lines), lines
    return gateway


def test_an_unknown_authority_is_refused(make, secured):
    judged(make, secured, "certificate_unknown_authority", ca=authority("strangers").certificate)


@pytest.fixture
def present(secured):
    yield secured.present
    secured.present(secured.good)


def test_another_host_is_refused_by_verify_full_only(make, secured, present):
    present(authority("databases").server(names=("db.example.org",), ips=()))
    judged(make, secured, "host_mismatch", accepted_by_ca=True)


def test_an_expired_certificate_is_refused(make, secured, present):
    present(authority("databases").server(starts=-20, ends=-2))
    judged(make, secured, "certificate_expired")


def test_a_revoked_certificate_is_refused(make, secured, present):
    lists = authority("databases").revocation_list([secured.good])
    judged(make, secured, "certificate_revoked", crl=lists)
    present(authority("databases").server(cn="not revoked"))
    gateway = make(full=tls_pool(secured, "verify-full", tls_ca_cert=databases(), tls_crl_file=lists))
    assert outcome(gateway) == ("in", True)


def test_bundles_and_chains(make, secured, present):
    """The authority may stand anywhere in the file; an intermediate one comes with the server's certificate, and its
    revocation list beside that of the root."""
    root = authority("databases")
    middle = root.intermediate("databases of the north")
    many = bundle(authority("strangers"), root, authority("gateways"))
    lists = joined([root.revocation_list(), middle.revocation_list()])
    present(middle.server())
    gateway = make(
        full=tls_pool(secured, "verify-full", tls_ca_cert=many),
        listed=tls_pool(secured, "verify-full", tls_ca_cert=many, tls_crl_file=lists),
    )
    assert outcome(gateway, "full") == outcome(gateway, "listed") == ("in", True)
    assert servers_of(gateway, "full")[0]["tls_subject"] == "CN=localhost"


# --- the gateway's own certificate ------------------------------------------------------------------------------------


def test_certificates_shown_to_servers(make, secured):
    shown = authority("gateways").client("certified")
    other = authority("strangers").client("certified")

    def pools(certificate):
        pair = {"tls_certificate": certificate.certificate, "tls_private_key": certificate.key} if certificate else {}
        return {user: tls_pool(secured, "require", user, **pair) for user in ("certified", "with_certificate")}

    gateway = make(**pools(shown))
    for user in ("certified", "with_certificate"):
        with gateway.wire("app", user) as client:
            assert about(client)["client_dn"] == "/CN=certified"
    without = make(**pools(None))
    for user in ("certified", "with_certificate"):
        assert outcome(without, user)[0] == "refused"
        assert psql(secured, user, "require")[0] == "refused"
    assert "connection requires a valid client certificate" in without.log()
    stranger = make(**pools(other))
    for user in ("certified", "with_certificate"):
        assert outcome(stranger, user)[0] == "refused"


# --- what a session is for --------------------------------------------------------------------------------------------


def test_sessions_over_tls_are_cleaned_and_keep_statements(make, secured):
    gateway = make(app=tls_pool(secured, "verify-full", size=1, tls_ca_cert=databases()))
    with gateway.wire("app") as one, gateway.wire("app") as two:
        one.rows("set work_mem = '7MB'")
        assert two.value("show work_mem") == "4MB"
        for client in (one, two, one):
            client.send(parse("select $1::text || 'x'", "named"), bind(["a"], statement="named"), execute(), sync())
            answer = client.ready()
            assert [m.values for m in answer if m.kind == "D"] == [[b"ax"]], [str(m) for m in answer]
            client.send(bind(["b"], statement="named"), execute(), sync())
            assert [m.values for m in client.ready() if m.kind == "D"] == [[b"bx"]]
            client.rows("deallocate all")
    (row,) = servers_of(gateway)
    assert row["tls"] == "true" and int(row["prepare_cache_size"]) >= 0
    gateway.wait_idle()


def test_sessions_that_postgresql_ends(make, secured):
    """Its last words come through TLS: an idle server is replaced, a busy one's client is told."""
    gateway = make(app=tls_pool(secured, "verify-full", size=1, tls_ca_cert=databases()))
    with gateway.wire("app") as client:
        for _ in range(3):
            pid = client.value(PID)
            kill(secured, pid)
            assert client.value(PID) != pid
        client.send(query("select pg_sleep(20)"))
        wait_until(lambda: secured.sleeping() == 1, "a server sleeps")
        kill(secured, secured.backends()[0])
        assert closing_error(client) == "57P01"
    assert outcome(gateway) == ("in", True)
