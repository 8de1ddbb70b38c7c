"""Logins at servers that are bound to their certificate (SCRAM-SHA-256-PLUS), against PostgreSQL and against a man in
the middle; the connections of auth_query and cancel requests, which go by the same settings."""

import socket
import threading

import pytest

from cancelling import cancel
from certificates import authority
from fake_tls import asked, hello, middle, tls_script
from fakeserver import FakeServer, error, one_row
from gateway import pool
from polling import wait_until
from tls_servers import QUICK, ROLES, TRUST, about, handshakes, outcome, servers_of, tls_of, tls_pool
from wire import query, startup

SASL = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"


def refusals(gateway):
    return [x for x in gateway.log().splitlines() if "ERROR" in x]


@pytest.mark.parametrize("binding", ("disable", "prefer", "require"))
def test_bound_logins(make_gateway, secured, binding):
    pools = {"app": tls_pool(secured, "require", channel_binding=binding)}
    gateway = make_gateway(pools, hba=TRUST)
    assert outcome(gateway) == ("in", True)


@pytest.mark.parametrize("kind", ("rsa", "rsa-sha384", "ecdsa-sha384"))
def test_bound_logins_by_kind_of_certificate(make_gateway, secured, kind):
    secured.present(authority(f"databases {kind}", kind).server(kind=kind))
    try:
        gateway = make_gateway({"app": tls_pool(secured, "require", channel_binding="require")}, hba=TRUST)
        assert outcome(gateway) == ("in", True)
    finally:
        secured.present(secured.good)


def test_keys_of_a_clients_proof_are_bound_too(make_gateway, secured):
    """The gateway knows no password: what it knows from the client's login makes a proof of its own."""
    settings = pool(secured) | {"server_tls_mode": "require", "server_channel_binding": "require"}
    gateway = make_gateway({"app": settings}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
    with gateway.wire("app") as client:
        assert about(client)["ssl"] == "t"


@pytest.mark.parametrize("kind", ("ecdsa", "rsa-sha384"))
def test_a_gateway_before_a_gateway(make_gateway, postgres, kind):
    """Direct TLS, a verified name and a bound login, all of it between two gateways."""
    issuer = authority(f"ours {kind}", kind)
    own = issuer.server(kind=kind)
    inner = make_gateway(
        general={"tls_mode": "require", "tls_certificate": str(own.certificate), "tls_private_key": str(own.key)},
        hba="hostssl all app 127.0.0.1/32 scram-sha-256\nhost all overseer 127.0.0.1/32 md5\n",
    )
    for negotiation in ("direct", "postgres"):
        settings = tls_pool(
            postgres, "verify-full", tls_ca_cert=issuer.certificate, channel_binding="require",
            tls_negotiation=negotiation, server_host="localhost", server_port=inner.port,
        )  # fmt: skip
        outer = make_gateway({"app": settings}, hba=TRUST)
        with outer.wire("app") as client:
            assert client.value("select 1") == "1", outer.tail()
            client.send(query("select pg_sleep(20)"))
            wait_until(lambda: postgres.sleeping() == 1, "a server sleeps")
            cancel(outer, client.pid, client.secret)
            assert client.ready()[-2].sqlstate == "57014"
        assert servers_of(outer)[0]["tls_subject"] == "CN=localhost"


@pytest.mark.parametrize(
    "user, reason",
    [
        ("app_md5", "the server asks for an md5 proof, which binds to nothing"),
        ("app_plain", "the server asks for the password in clear text, which binds to nothing"),
        ("app_trust", "the server lets us in without a proof, which binds to nothing"),
    ],
)
def test_required_binding_where_the_method_has_none(make_gateway, secured, user, reason):
    pools = {
        "require": tls_pool(secured, "require", user, channel_binding="require"),
        "prefer": tls_pool(secured, "require", user, channel_binding="prefer"),
    }
    gateway = make_gateway(pools, hba=TRUST)
    assert outcome(gateway, "prefer") == ("in", True)
    assert outcome(gateway, "require")[0] == "refused"
    (line,) = refusals(gateway)
    assert f"server_channel_binding is require, but {reason}" in line


def test_required_binding_without_tls(make_gateway, postgres):
    gateway = make_gateway({"app": tls_pool(postgres, "prefer", channel_binding="require")}, hba=TRUST)
    assert outcome(gateway)[0] == "refused"
    assert "server_channel_binding is require, but there is no certificate to bind to: no TLS" in refusals(gateway)[0]


@pytest.mark.parametrize("binding", ("disable", "prefer", "require"))
@pytest.mark.parametrize("alteration", ("none", "without PLUS", "PLUS alone"))
def test_a_man_in_the_middle(make_gateway, secured, binding, alteration):
    """Without a CA, only the binding tells his certificate from the server's, also when he hides what the server
    offers."""
    alter = {"none": SASL, "without PLUS": b"SCRAM-SHA-256\0\0", "PLUS alone": b"SCRAM-SHA-256-PLUS\0\0"}[alteration]
    hacker = authority("strangers").server()
    with FakeServer(middle(secured, hacker, lambda found: alter if found == SASL else found)) as server:
        settings = tls_pool(server, "require", channel_binding=binding)
        gateway = make_gateway({"app": settings}, QUICK, hba=TRUST)
        found = outcome(gateway)
        if binding == "disable" and alteration != "PLUS alone":
            assert found == ("in", True), gateway.tail()
            return
        assert found[0] == "refused"
        line = refusals(gateway)[0]
        if binding == "disable":
            assert "unsupported authentication method" in line
        elif alteration != "without PLUS":
            assert "SCRAM channel binding check failed" in line
        elif binding == "prefer":
            assert "SCRAM channel binding negotiation error" in line
        else:
            assert "server_channel_binding is require, but the server offers only SCRAM-SHA-256" in line


# --- auth_query -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, works", (("disable", False), ("allow", True), ("prefer", True), ("verify-full", True)))
def test_auth_query_asks_over_tls(make_gateway, secured, mode, works):
    """Its user may come by TLS only; so `allow` takes two attempts."""
    settings = pool(secured, users_=[]) | {
        "auth_query": {"user": "reader", "password": ROLES["reader"]},
        "server_tls_mode": mode,
        "server_tls_ca_cert": str(authority("databases").certificate),
        "server_channel_binding": "prefer",
    }
    gateway = make_gateway({"app": settings}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
    gateway.secrets.add(ROLES["reader"])
    found = outcome(gateway)
    if not works:
        assert found[0] == "refused"
        assert "pg_hba.conf rejects" in gateway.log()
        return
    assert found == ("in", mode not in ("disable", "allow"))
    sessions = "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'reader'"
    assert secured.value(sessions) is True


def test_auth_query_refuses_another_certificate(make_gateway, secured):
    settings = pool(secured, users_=[]) | {
        "auth_query": {"user": "reader", "password": ROLES["reader"]},
        "server_tls_mode": "verify-full",
        "server_tls_ca_cert": str(authority("strangers").certificate),
    }
    gateway = make_gateway({"app": settings}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
    assert outcome(gateway)[0] == "refused"
    assert "auth_query connection lost" in gateway.log() and "certificate_unknown_authority" in gateway.log()


def test_both_attempts_of_auth_query_are_logged(make_gateway, secured):
    settings = pool(secured, users_=[]) | {
        "auth_query": {"user": "certified", "password": ROLES["certified"]},
        "server_tls_mode": "prefer",
    }
    gateway = make_gateway({"app": settings}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
    gateway.secrets.add(ROLES["certified"])
    assert outcome(gateway)[0] == "refused"
    (line,) = [x for x in gateway.log().splitlines() if "auth_query connection lost" in x][:1]
    assert "valid client certificate" in line.split("first_attempt=")[1], line
    assert "no encryption" in line.split("reason=")[1], line


def test_auth_query_leaves_a_handshake_without_a_word(make_gateway, secured):
    """The gateway stops while its server says nothing: nothing follows the handshake in clear text."""
    over = threading.Event()

    def silent(peer):
        hello(peer)
        assert over.wait(20)
        peer.server.rest = peer.socket.recv(100)

    with FakeServer(silent) as server:
        auth_query = {"user": "reader", "password": ROLES["reader"]}
        settings = tls_pool(server, "require") | {"users": [], "auth_query": auth_query}
        gateway = make_gateway({"app": settings}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "app", "database": "app"}))
            wait_until(lambda: handshakes(gateway)["under_way"] == "1", "a handshake is under way")
            gateway.stop()
            over.set()
            wait_until(lambda: hasattr(server, "rest") or server.problems, "the server has read all")
        assert server.rest == b""


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_one_of_three_queries_is_cancelled(make_gateway, secured):
    gateway = make_gateway({"app": tls_pool(secured, "require", size=3)}, hba=TRUST)
    clients = [gateway.wire("app") for _ in range(3)]
    for client in clients:
        client.send(query("select pg_sleep(20)"))
    wait_until(lambda: secured.sleeping() == 3, "three servers sleep")
    for left, client in ((2, clients[1]), (1, clients[0]), (0, clients[2])):
        cancel(gateway, client.pid, client.secret)
        assert client.ready()[-2].sqlstate == "57014"
        wait_until(lambda: secured.sleeping() == left, f"{left} servers sleep")
        assert about(client)["ssl"] == "t"
        client.close()
    assert {row["tls"] for row in servers_of(gateway)} == {"true"}
    gateway.wait_idle()


@pytest.mark.parametrize(
    "mode, encrypted", (("allow", True), ("allow", False), ("prefer", True), ("prefer", False), ("require", True))
)
def test_cancel_requests_go_as_their_session_goes(make_gateway, mode, encrypted):
    """Inside TLS where the session is, in clear text where it is not, whatever the mode tries first."""
    cancelled = threading.Event()

    def script(peer):
        peer.login()
        while True:
            peer.next_query()
            assert cancelled.wait(10)
            peer.send(one_row())

    def note(peer):
        request = peer.startup()
        peer.server.cancels.append(request.get("cancel"))
        cancelled.set()

    def clear(next):
        def run(peer):
            length = peer.socket.recv(4, socket.MSG_PEEK)
            if length == b"\0\0\0\x08":
                asked(peer)
                peer.send(b"N")
            next(peer)

        return run

    def refuse(peer):
        peer.startup()
        peer.send(error("28000", "no rule for clear text", "FATAL"))

    scripts = [tls_script(script), tls_script(note)] if encrypted else [clear(script), clear(note)]
    if mode == "allow" and encrypted:
        scripts.insert(0, refuse)
    with FakeServer(scripts) as server:
        gateway = make_gateway({"app": tls_of(server, mode)}, QUICK, hba=TRUST)
        with gateway.wire("app", "app") as client:
            client.send(query("select 1"))
            wait_until(lambda: server.peers and server.peers[-1].received, "the query is there")
            cancel(gateway, client.pid, client.secret)
            assert [m.kind for m in client.ready()] == ["T", "D", "C", "Z"]
        assert server.cancels == [(4711, b"\1\2\3\4")]
        assert server.connections == len(scripts)
        assert not server.problems, server.problems


def test_cancel_requests_of_tls_sessions_never_go_in_clear_text(make_gateway):
    """Somebody in the way says that the server has no TLS: the key stays secret, the query goes on."""
    leaked, answered = [], threading.Event()

    def script(peer):
        peer.login()
        peer.next_query()
        assert answered.wait(10)
        peer.send(one_row())
        peer.serve()

    def liar(peer):
        asked(peer)
        peer.send(b"N")
        while piece := peer.socket.recv(100):
            leaked.append(piece)
        answered.set()

    with FakeServer([tls_script(script), liar]) as server:
        gateway = make_gateway({"app": tls_of(server, "prefer")}, QUICK, hba=TRUST)
        with gateway.wire("app", "app") as client:
            client.send(query("select 1"))
            wait_until(lambda: server.peers and server.peers[0].received, "the query is there")
            cancel(gateway, client.pid, client.secret)
            assert client.ready()[1].values == [b"1"]
            assert client.value("select 2") == "1"
        assert leaked == []
        assert "cancel request cannot be sent" in gateway.log()
