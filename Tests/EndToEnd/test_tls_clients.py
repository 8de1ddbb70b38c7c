"""TLS with clients: libpq in all its modes, direct TLS, versions and ciphers, session tickets."""

import ssl

import pytest

from certificates import authority
from tlswire import (
    by_libpq,
    by_psql,
    client_context,
    libpq,
    ours,
    people,
    start,
    tls_settings,
    tls_wire,
)
from wire import Closed

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: By tls_mode: what clients of each sslmode get.
WAYS = {
    "disable": ("clear", "clear", "clear", "refused", "refused", "refused"),
    "allow": ("clear", "clear", "tls", "tls", "tls", "tls"),
    "prefer": ("clear", "clear", "tls", "tls", "tls", "tls"),
    "require": ("refused", "tls", "tls", "tls", "tls", "tls"),
    "verify-ca": ("refused", "tls", "tls", "tls", "tls", "tls"),
    "verify-full": ("refused", "tls", "tls", "tls", "tls", "tls"),
}


@pytest.mark.parametrize("mode", WAYS)
def test_sslmodes(make_gateway, mode):
    """psql 15 and libpq 18 in every sslmode against every tls_mode, with all that each asks for."""
    ca = people().certificate if mode.startswith("verify") else None
    gateway = start(make_gateway, tls_mode=mode, tls_ca_cert=ca)
    shown = {"certificate": people().client("app_trust"), "trusted": ours()}
    for client in (by_psql, by_libpq):
        found = tuple(client(gateway, sslmode=sslmode, **shown).way for sslmode in SSL_MODES)
        assert found == WAYS[mode], client.__name__
    if mode.startswith("verify"):
        for client in (by_psql, by_libpq):
            for sslmode in SSL_MODES:
                assert client(gateway, sslmode=sslmode, trusted=ours()).way == "refused", sslmode
    if mode != "disable":
        direct = by_libpq(gateway, sslmode="verify-full", sslnegotiation="direct", **shown)
        assert direct.way == "tls", direct


def test_the_refusal_of_clear_text_says_what_to_do(make_gateway):
    gateway = start(make_gateway, tls_mode="require")
    for client in (by_psql, by_libpq):
        assert "the server requires TLS: connect with sslmode=require or stronger" in client(
            gateway, sslmode="disable"
        ).said


@pytest.mark.parametrize(
    "certificate, trusted, host, said",
    [
        (lambda: ours().server(), ours, "localhost", None),
        (lambda: ours().intermediate("middle").server(), ours, "localhost", None),
        (lambda: ours().server(), people, "localhost", "certificate verify failed"),
        (lambda: ours().server(), ours, "db.example.org", "does not match host name"),
        (lambda: ours().server(starts=-20, ends=-2), ours, "localhost", "certificate verify failed"),
        (lambda: ours().server(["*.example.org"]), ours, "db.example.org", None),
        (lambda: authority("strong", "rsa-sha384").server(kind="rsa"), lambda: authority("strong", "rsa-sha384"),
         "localhost", None),
        (lambda: authority("edwards", "ed25519").server(kind="ed25519"), lambda: authority("edwards", "ed25519"),
         "localhost", None),
    ],
    ids=["right", "intermediate", "wrong authority", "wrong host", "expired", "wildcard", "rsa-sha384", "ed25519"],
)  # fmt: skip
def test_verify_full(make_gateway, certificate, trusted, host, said):
    gateway = start(make_gateway, certificate())
    for client in (by_psql, by_libpq):
        outcome = client(gateway, sslmode="verify-full", trusted=trusted(), host=host)
        assert outcome.way == ("refused" if said else "tls"), outcome
        assert not said or said in outcome.said, outcome


def test_an_expired_certificate_is_warned_of(make_gateway):
    gateway = start(make_gateway, ours().server(starts=-20, ends=-2))
    assert "general.tls_certificate: the certificate has expired" in gateway.log()
    soon = ours().server(ends=3.5)
    gateway.reload(general=tls_settings(soon))
    assert "general.tls_certificate: the certificate expires in 3 days" in gateway.log()


# --- direct TLS and protocol 3.2 --------------------------------------------------------------------------------------


def test_protocol_3_2_over_direct_tls(make_gateway):
    gateway = start(make_gateway)
    options = {"sslmode": "require", "min_protocol_version": "3.2", "max_protocol_version": "3.2"}
    for negotiation in ("direct", "postgres"):
        for user in ("app_trust", "app"):
            with libpq(gateway, user=user, sslnegotiation=negotiation, **options) as connection:
                assert connection.pgconn.ssl_in_use
                assert connection.execute("select 1").fetchone() == (1,)
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert (row["handshakes"], row["direct"], row["failures"], row["under_way"]) == ("4", "2", "0", "0")
    assert int(row["p50_us"]) > 0


def failures(gateway):
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    return row["failure_reasons"]


@pytest.mark.parametrize("alpn", (False, "http/1.1"))
def test_direct_tls_needs_alpn(make_gateway, alpn):
    gateway = start(make_gateway)
    with pytest.raises((ssl.SSLError, Closed, OSError)):
        tls_wire(gateway, direct=True, context=client_context(alpn=alpn))
    assert failures(gateway) == "no_application_protocol=1"
    [row] = gateway.console("SHOW AUDIT FAILURES")
    assert row["reason"] == "tls_handshake_failed"
    # After SSLRequest it is not asked for, but a foreign one is refused there, too.
    if not alpn:
        tls_wire(gateway, context=client_context(alpn=False)).close()


def test_direct_tls_where_none_is_offered(make_gateway):
    gateway = start(make_gateway, tls_mode="disable")
    assert by_libpq(gateway, sslmode="require", sslnegotiation="direct").way == "refused"
    assert by_libpq(gateway, sslmode="disable").way == "clear"


# --- versions and ciphers ---------------------------------------------------------------------------------------------

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def test_one_version_only(make_gateway):
    gateway = start(make_gateway, tls_max_version="TLSv1.2")
    assert by_psql(gateway, sslmode="require").version == "TLSv1.2"
    assert by_psql(gateway, sslmode="require", ssl_min_protocol_version="TLSv1.3").way == "refused"
    gateway.reload(general={"tls_max_version": None, "tls_min_version": "TLSv1.3"})
    assert by_psql(gateway, sslmode="require").version == "TLSv1.3"
    assert by_psql(gateway, sslmode="require", ssl_max_protocol_version="TLSv1.2").way == "refused"
    assert "unsupported_version=" in failures(gateway)


def test_ciphers_and_curves(make_gateway):
    gateway = start(
        make_gateway,
        tls_ciphers="ECDHE-ECDSA-AES128-GCM-SHA256",
        tls_ciphersuites="TLS_CHACHA20_POLY1305_SHA256",
        tls_curves="secp384r1",
    )
    assert by_psql(gateway, sslmode="require").cipher == "TLS_CHACHA20_POLY1305_SHA256"
    old = by_psql(gateway, sslmode="require", ssl_max_protocol_version="TLSv1.2")
    assert old.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256"
    for context in (
        client_context(versions=(V12, V12), ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"),
        curve(client_context(versions=(V13, V13)), "prime256v1"),
    ):
        with pytest.raises(ssl.SSLError):
            tls_wire(gateway, context=context)
    assert failures(gateway) == "no_shared_cipher=2"
    tls_wire(gateway, context=curve(client_context(), "secp384r1")).close()


def curve(context, name):
    context.set_ecdh_curve(name)
    return context


@pytest.mark.parametrize(
    "key, value", [("tls_ciphers", "NONSENSE"), ("tls_ciphersuites", "TLS_NONSENSE"), ("tls_curves", "nonsense")]
)
def test_nonsense_lists_are_refused(make_gateway, key, value):
    gateway = start(make_gateway)
    with gateway.console_wire() as console:
        gateway.change(general={key: value})
        assert f"general.{key}: " in console.error("RELOAD")["M"]
    assert by_libpq(gateway, sslmode="require").way == "tls"


# --- SHOW CLIENTS and session tickets ---------------------------------------------------------------------------------


def test_what_the_console_shows(make_gateway):
    gateway = start(make_gateway, tls_ca_cert=people().certificate)
    ann = people().client("ann", subject="/O=Example/OU=people/CN=ann")
    with (
        tls_wire(gateway, context=client_context(ann), server_name="db.example.org"),
        gateway.wire("app_md5", "app"),
        tls_wire(gateway, "app", context=client_context(versions=(V12, V12)), server_name=None),
    ):
        rows = {row["user"]: row for row in gateway.console("SHOW CLIENTS") if row["database"] == "app"}
    names = ("tls", "tls_version", "tls_cipher", "tls_subject", "tls_server_name")
    found = {user: tuple(row[name] for name in names) for user, row in rows.items()}
    assert found["app_trust"] == (
        "true", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "CN=ann,OU=people,O=Example", "db.example.org"
    )  # fmt: skip
    assert found["app_md5"] == ("false", None, None, None, None)
    assert found["app"] == ("true", "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", None, None)


@pytest.mark.parametrize("tickets", (True, False))
@pytest.mark.parametrize("version", (V12, V13))
def test_session_tickets(make_gateway, tickets, version):
    gateway = start(make_gateway, tls_session_tickets=tickets)
    context = client_context(versions=(version, version))
    with tls_wire(gateway, context=context) as client:
        assert client.value("select 1") == "1"
        session = client.socket.session
        assert bool(session and session.has_ticket) == tickets
    with tls_wire(gateway, context=context, session=session) as client:
        assert client.value("select 1") == "1"
        assert client.socket.session_reused == tickets
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert row["resumed"] == str(int(tickets))
