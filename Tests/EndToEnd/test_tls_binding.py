"""SCRAM-SHA-256-PLUS with clients, downgrades and go-betweens; pools by the host name that clients ask for (SNI)."""

import select
import socket
import ssl
import threading

import pytest

from certificates import authority
from gateway import pool
from server import PASSWORDS
from tlswire import (
    CONSOLE,
    LOCAL,
    BoundScram,
    by_libpq,
    by_psql,
    client_context,
    ours,
    plain_socket,
    start,
    tls_wire,
)
from wire import SSL_REQUEST, LoginRefused, startup

SCRAM = CONSOLE + f"host all all {LOCAL} scram-sha-256\n"


@pytest.fixture(params=["listed", "auth_query"])
def scram_gateway(request, make_gateway, postgres):
    """Its users' keys come from the settings, or from pg_authid; the server is opened with what their login proves."""
    if request.param == "listed":
        pools = {"app": pool(postgres)}
    else:
        pools = {"app": pool(postgres, users_=[], auth_query={"user": "postgres", "pool_size": 4})}
    return start(make_gateway, pools=pools, hba=SCRAM)


def test_channel_binding_of_libpq(scram_gateway):
    for client in (by_psql, by_libpq):
        for binding, sslmode, expected in (
            ("require", "require", "tls"),
            ("prefer", "require", "tls"),
            ("disable", "require", "tls"),
            ("require", "disable", "refused"),
            ("prefer", "disable", "clear"),
        ):
            outcome = client(scram_gateway, user="app", sslmode=sslmode, channel_binding=binding)
            assert outcome.way == expected, (binding, sslmode, outcome)
        wrong = client(scram_gateway, user="app", sslmode="require", channel_binding="require", password="wrong")
        assert "password authentication failed" in wrong.said
    direct = {"sslnegotiation": "direct", "max_protocol_version": "3.2", "channel_binding": "require"}
    assert by_libpq(scram_gateway, user="app", sslmode="require", **direct).way == "tls"


@pytest.mark.parametrize("kind", ("rsa", "rsa-sha384", "ecdsa-sha384"))
def test_the_hash_is_that_of_the_certificate(make_gateway, kind):
    certificate = authority(f"signs with {kind}", kind).server(kind=kind)
    gateway = start(make_gateway, certificate, hba=SCRAM)
    for client in (by_psql, by_libpq):
        outcome = client(gateway, user="app", sslmode="require", channel_binding="require")
        assert outcome.way == "tls", outcome


def test_certificates_without_a_hash_offer_no_binding(make_gateway):
    """Ed25519: RFC 5929 names no hash, so only the unbound mechanism is offered, as by PostgreSQL."""
    gateway = start(make_gateway, authority("edwards", "ed25519").server(kind="ed25519"), hba=SCRAM)
    assert by_libpq(gateway, user="app", sslmode="require", channel_binding="prefer").way == "tls"
    assert by_libpq(gateway, user="app", sslmode="require", channel_binding="require").way == "refused"


@pytest.mark.parametrize("user", ("app", "nobody"))
def test_what_is_offered(make_gateway, user):
    """The same to users that do not exist."""
    gateway = start(make_gateway, hba=SCRAM)
    with tls_wire(gateway, login=False) as client:
        scram = BoundScram("wrong", client.certificate_hash)
        with pytest.raises(LoginRefused) as refusal:
            client.bound_login(user, "app", "wrong", scram)
        assert client.mechanisms == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"]
        assert refusal.value.sqlstate == "28P01"


def bound(gateway, binding=None, **options):
    with tls_wire(gateway, login=False) as client:
        scram = BoundScram(PASSWORDS["app"], client.certificate_hash if binding is None else binding, **options)
        client.bound_login("app", "app", PASSWORDS["app"], scram)
        return client.value("select current_user")


def test_lies_about_channel_binding(scram_gateway):
    plain = {"binding": b"", "mechanism": "SCRAM-SHA-256"}
    assert bound(scram_gateway) == "app"
    assert bound(scram_gateway, flag="n", **plain) == "app", "a client that cannot bind"
    for text, lie in {
        "negotiation error": {"flag": "y", **plain},
        "check failed": {"binding": b"x" * 32},
    }.items():
        with pytest.raises(LoginRefused) as refusal:
            bound(scram_gateway, **lie)
        assert text in refusal.value.fields["M"], refusal.value.fields
    for lie in (
        {"binding": b"short"},
        {"binding": b""},
        {"flag": "p=tls-unique"},
        {"flag": "p="},
        {"flag": "n"},
        {"flag": "y"},
        {"mechanism": "SCRAM-SHA-256"},
        {"mechanism": "SCRAM-SHA-256-PLUSPLUS"},
        {"flag": "n", "binding": b"x", "mechanism": "SCRAM-SHA-256"},
    ):
        with pytest.raises(LoginRefused) as refusal:
            bound(scram_gateway, **lie)
        assert refusal.value.sqlstate in ("08P01", "28000", "28P01"), (lie, refusal.value.fields)


def test_in_clear_text_nothing_is_bound(make_gateway):
    gateway = start(make_gateway, hba=SCRAM)
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        assert client.receive().body[4:] == b"SCRAM-SHA-256\0\0"
        client.send(BoundScram(PASSWORDS["app"], b"x" * 32).first())
        assert client.receive().kind == "E"


class GoBetween:
    """Takes a client's TLS with a certificate of its own and speaks TLS to the gateway: all bytes pass through it."""

    def __init__(self, gateway, certificate):
        self.gateway = gateway
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.certificate, certificate.key)
        self.context.set_alpn_protocols(["postgresql"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        self.seen = b""
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        plain, _ = self.listener.accept()
        plain.recv(8)
        plain.sendall(b"S")
        with self.context.wrap_socket(plain, server_side=True) as client, plain_socket(self.gateway) as raw:
            raw.sendall(SSL_REQUEST)
            raw.recv(1)
            with client_context().wrap_socket(raw, server_hostname="localhost") as server:
                self._pump(client, server)

    def _pump(self, client, server):
        """Until one of them ends. By one thread: a TLS connection is not for one that reads and one that writes."""
        sinks = {client: server, server: client}
        for side in sinks:
            side.setblocking(False)
        # Something may have come in one piece with the end of a handshake.
        ready = list(sinks)
        while True:
            for source in ready:
                try:
                    while data := source.recv(65536):
                        self.seen += data
                        sinks[source].sendall(data)
                    return
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    return
            ready = select.select(list(sinks), [], [])[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(15)
        self.listener.close()
        assert not self.thread.is_alive()


def test_a_go_between_is_found_out(make_gateway):
    """Its certificate is one that the client trusts; the client's proof is bound to it all the same."""
    gateway = start(make_gateway, hba=SCRAM)
    theirs = ours().server(cn="go-between")
    for client in (by_psql, by_libpq):
        with GoBetween(gateway, theirs) as between:
            options = {"hostaddr": between.host, "port": between.port, "user": "app", "sslmode": "verify-full"}
            outcome = client(gateway, trusted=ours(), **options)
            assert outcome.way == "refused" and "channel binding check failed" in outcome.said, outcome
            assert b"SCRAM-SHA-256-PLUS" in between.seen


# --- SNI --------------------------------------------------------------------------------------------------------------


def test_the_server_name_leads_to_a_pool(make_gateway, postgres):
    pools = {
        "app": pool(postgres),
        "east": pool(postgres, tls_server_names=["east.example.org", "*.east.example.org"]),
        "west": pool(postgres, tls_server_names=["west.example.org", "special.east.example.org"]),
    }
    gateway = start(make_gateway, pools=pools)

    def reached(host, database="app", **options):
        with tls_wire(gateway, database=database, server_name=host, **options) as client:
            pids = client.value("select pg_backend_pid()")
        [row] = [row for row in gateway.console("SHOW SERVERS") if row["server_process_id"] == pids]
        return row["database_name"]

    assert reached(None) == "app"
    assert reached("localhost") == "app"
    assert reached("east.example.org") == "east"
    assert reached("EAST.example.ORG", direct=True) == "east"
    assert reached("east.example.org.") == "east", "libpq sends the last dot of a host along"
    assert reached("a.east.example.org") == "east"
    assert reached("a.b.east.example.org") == "app", "* is one label"
    assert reached("special.east.example.org") == "west", "a whole name wins over *"
    assert reached("west.example.org", "west") == "west"
    assert reached("west.example.org", "east") == "east", "a pool's own name leads to it"
    with gateway.wire("app_trust", "app") as client:
        assert client.value("select 1") == "1"


def test_a_resumed_session_is_led_by_the_name_it_asks_for_now(make_gateway, postgres):
    pools = {"app": pool(postgres), "east": pool(postgres, tls_server_names=["east.example.org"])}
    gateway = start(make_gateway, pools=pools, tls_session_tickets=True)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(versions=(version, version))
        for first, second, reached in (("localhost", "east.example.org", "east"), ("east.example.org", None, "app")):
            with tls_wire(gateway, context=context, server_name=first) as client:
                assert client.value("select 1") == "1"
                session = client.socket.session
            with tls_wire(gateway, context=context, server_name=second, session=session) as client:
                assert client.socket.session_reused
                assert client.value("select 1") == "1"
                address = "{}:{}".format(*client.socket.getsockname())
                [row] = [row for row in gateway.console("SHOW CLIENTS") if row["addr"] == address]
                assert (row["tls_server_name"], row["database"]) == (second, reached), row


def test_ambiguous_server_names_are_refused(make_gateway, postgres):
    gateway = start(make_gateway, pools={"app": pool(postgres, tls_server_names=["db.example.org"])})
    gateway.change(pools={"other": pool(postgres, tls_server_names=["DB.example.org"])})
    with gateway.console_wire() as console:
        message = console.error("RELOAD")["M"]
    assert "tls_server_names" in message and "db.example.org" in message.lower(), message
    gateway.change(pools={"other": {"server_database": "postgres"}})
    gateway.console("RELOAD")
