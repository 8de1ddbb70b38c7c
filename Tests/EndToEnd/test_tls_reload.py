"""TLS settings and files change while clients run."""

import shutil
import ssl
import threading

import pytest

from certificates import authority, openssl
from handshakes import Handshake
from polling import wait_until
from server import PASSWORDS
from tlswire import BoundScram, by_libpq, by_psql, client_context, ours, people, plain_socket, start, tls_wire
from wire import SSL_REQUEST, Closed, startup


class Files:
    """Certificate files that change under the gateway."""

    def __init__(self, folder, certificate):
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.put(certificate)

    def put(self, certificate):
        shutil.copyfile(certificate.certificate, self.certificate)
        shutil.copyfile(certificate.key, self.key)


def serial(client):
    """Which certificate a raw client was shown."""
    return client.socket.getpeercert(True)


def certificate_seen(gateway):
    with tls_wire(gateway) as client:
        assert client.value("select 1") == "1"
        return serial(client)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path, ours().server(cn="first"))


@pytest.mark.parametrize("by_signal", (False, True))
def test_reload_while_100_clients_run(make_gateway, files, by_signal):
    """Sessions go on with what they began with; new ones get the new certificate; nobody sees an error."""
    gateway = start(make_gateway, files)
    clients = [tls_wire(gateway) for _ in range(100)]
    over, counts = threading.Event(), [0] * len(clients)

    def work(part):
        while not over.is_set():
            for at in range(part, len(clients), 4):
                assert clients[at].value(f"select {at}") == str(at)
                counts[at] += 1

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    old = serial(clients[0])
    try:
        files.put(ours().server(cn="second"))
        gateway.reload(by_signal=by_signal)
        wait_until(lambda: certificate_seen(gateway) != old, "new clients get the new certificate")
        seen = list(counts)
        wait_until(lambda: all(now > before for now, before in zip(counts, seen)), "every old client goes on")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    for client in clients:
        assert client.value("select 1") == "1" and serial(client) == old
        client.close()
    gateway.wait_idle()


def test_broken_files_keep_the_old_ones(make_gateway, files, tmp_path):
    """The error of RELOAD names the file and the key of the settings; clients notice nothing."""
    ca = tmp_path / "ca.pem"
    shutil.copyfile(people().certificate, ca)
    crl = tmp_path / "crl.pem"
    shutil.copyfile(people().revocation_list(), crl)
    gateway = start(make_gateway, files, tls_ca_cert=ca, tls_crl_file=crl)
    old = certificate_seen(gateway)
    other = ours().server(cn="other")
    places = {
        "tls_certificate": files.certificate, "tls_private_key": files.key, "tls_ca_cert": ca, "tls_crl_file": crl,
    }  # fmt: skip
    for key, path in places.items():
        good = path.read_bytes()
        for broken in (b"", b"nonsense\n", good[: len(good) // 2], None):
            path.unlink() if broken is None else path.write_bytes(broken)
            with gateway.console_wire() as console:
                message = console.error("RELOAD")["M"]
            assert f"general.{key}" in message and str(path) in message, (key, broken, message)
            assert certificate_seen(gateway) == old
            path.write_bytes(good)
    # A key that does not belong to the certificate.
    shutil.copyfile(other.key, files.key)
    with gateway.console_wire() as console:
        message = console.error("RELOAD")["M"]
    assert "general.tls_private_key" in message or "general.tls_certificate" in message, message
    assert certificate_seen(gateway) == old
    # By SIGHUP the log has it.
    gateway.reload(by_signal=True)
    gateway.wait_for_log(lambda log: str(files.key) in log, "the broken key is said")
    files.put(other)
    gateway.reload()
    assert certificate_seen(gateway) != old


def test_a_gateway_does_not_start_with_broken_files(make_gateway, files):
    files.key.write_text("nonsense")
    gateway = make_gateway(
        start=False, general={"tls_certificate": str(files.certificate), "tls_private_key": str(files.key)}
    )
    gateway.judged = True
    status, output = gateway.run_to_end()
    assert status == 78 and "general.tls_private_key" in output and str(files.key) in output, (status, output)


def test_an_encrypted_key_is_refused_without_a_prompt(make_gateway, files):
    encrypted = files.key.with_suffix(".encrypted")
    openssl("pkey", "-in", files.key, "-aes256", "-passout", "pass:Hidden-word-1", "-out", encrypted)
    gateway = make_gateway(
        start=False, general={"tls_certificate": str(files.certificate), "tls_private_key": str(encrypted)}
    )
    gateway.judged = True
    status, output = gateway.run_to_end()
    assert status == 78 and "encrypted" in output and "Hidden-word-1" not in output, (status, output)


def test_tls_mode_changes_by_reload(make_gateway, files):
    """For new clients: who is in stays in, by whatever way it came."""
    gateway = start(make_gateway, files, tls_mode="allow")
    ways = {"disable": ("clear", "refused"), "allow": ("clear", "tls"), "require": ("refused", "tls")}
    with gateway.wire("app_trust", "app") as plain, tls_wire(gateway) as sealed:
        for mode in ("require", "disable", "allow", "disable", "require"):
            gateway.reload(general={"tls_mode": mode})
            for client in (by_psql, by_libpq):
                found = tuple(client(gateway, sslmode=sslmode).way for sslmode in ("disable", "require"))
                assert found == ways[mode], mode
            assert plain.value("select 1") == sealed.value("select 1") == "1"


def test_handshakes_under_way_survive_a_reload(make_gateway, files):
    """A client that has `S` and finds the certificate changed, or TLS taken away, in the middle."""
    gateway = start(make_gateway, files)
    for change in ({}, {"tls_mode": "disable"}):
        with plain_socket(gateway) as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            handshake = Handshake()
            hello = handshake.flight()
            client.sendall(hello[:100])
            files.put(ours().server(cn=f"changed {change}"))
            gateway.reload(general=change)
            client.sendall(hello[100:])
            flight = b""
            while not flight:
                flight = handshake.flight(client.recv(65536))
            handshake.ssl.write(startup({"user": "app_trust", "database": "app"}))
            client.sendall(flight + handshake.outgoing.read())
            answer = b""
            while b"Z\0\0\0\x05I" not in answer:
                answer += handshake.opened(client.recv(65536))


def test_a_login_is_bound_to_the_certificate_it_was_shown(make_gateway, files):
    """Not to the one that came with a reload between handshake and login."""
    gateway = start(make_gateway, files)
    with tls_wire(gateway, login=False) as early:
        files.put(ours().server(cn="later"))
        gateway.reload()
        for client in (early, tls_wire(gateway, login=False)):
            with client:
                scram = BoundScram(PASSWORDS["app"], client.certificate_hash)
                client.bound_login("app", "app", PASSWORDS["app"], scram)
                assert client.value("select current_user") == "app"


def test_authorities_change_by_reload(make_gateway, files, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copyfile(people().certificate, ca)
    gateway = start(make_gateway, files, tls_mode="verify-ca", tls_ca_cert=ca)
    ann, bob = people().client("ann"), authority("others").client("bob")
    with tls_wire(gateway, context=client_context(ann)) as old:
        assert by_libpq(gateway, sslmode="require", certificate=bob).way == "refused"
        shutil.copyfile(authority("others").certificate, ca)
        gateway.reload()
        assert by_libpq(gateway, sslmode="require", certificate=bob).way == "tls"
        assert by_libpq(gateway, sslmode="require", certificate=ann).way == "refused"
        assert old.value("select 1") == "1"


def test_tickets_do_not_survive_new_authorities(make_gateway, files, tmp_path):
    """A session resumed by a ticket shows no certificate anew: tickets of the time before are worth nothing."""
    ca = tmp_path / "ca.pem"
    shutil.copyfile(people().certificate, ca)
    gateway = start(make_gateway, files, tls_mode="verify-ca", tls_ca_cert=ca, tls_session_tickets=True)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        shutil.copyfile(people().certificate, ca)
        gateway.reload()
        context = client_context(people().client("ann"), versions=(version, version))
        with tls_wire(gateway, context=context) as client:
            assert client.value("select 1") == "1"
            session = client.socket.session
        with tls_wire(gateway, context=context, session=session) as client:
            assert client.socket.session_reused and client.value("select 1") == "1"
            [row] = [row for row in gateway.console("SHOW CLIENTS") if row["database"] == "app"]
            assert row["tls_subject"] == "CN=ann", "resumed sessions have their certificate"
        shutil.copyfile(authority("others").certificate, ca)
        gateway.reload()
        with pytest.raises((OSError, Closed)):
            tls_wire(gateway, context=context, session=session).close()
