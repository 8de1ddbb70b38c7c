"""Files of TLS towards servers are read anew at every reload: changed ones replace servers, broken ones change nothing.
"""

import os
import shutil
import threading

import pytest

from cancelling import cancel, sleeping
from certificates import authority, bundle
from fakeserver import FakeServer
from polling import wait_until
from threads import in_threads
from tls_servers import ROLES, TRUST, about, outcome, servers_of, tls_pool
from wire import LoginRefused, closing_error, query, startup


@pytest.fixture
def files(tmp_path):
    """A folder with an authority's certificate, and a certificate and key for the gateway."""
    shutil.copyfile(authority("databases").certificate, tmp_path / "ca.pem")
    authority("gateways").client("certified").copy_to(tmp_path, "own")
    shutil.copyfile(authority("databases").revocation_list(), tmp_path / "crl.pem")
    return tmp_path


def settings(secured, files, user="certified", size=2, **options):
    return tls_pool(
        secured,
        "verify-full",
        user,
        size=size,
        tls_ca_cert=files / "ca.pem",
        tls_certificate=files / "own.pem",
        tls_private_key=files / "own.key",
        tls_crl_file=files / "crl.pem",
        **options,
    )


def identities(gateway, database=None):
    return {row["server_id"] for row in servers_of(gateway, database)}


def fill(gateway, database=None, count=2):
    """Opens as many servers as the pool may have."""
    clients = [gateway.wire("app", database) for _ in range(count)]
    for client in clients:
        client.rows("begin work")
    for client in clients:
        client.rows("commit")
        client.close()
    assert len(identities(gateway, database)) == count


@pytest.mark.parametrize("by_signal", (True, False))
def test_unchanged_files_keep_the_servers(make_gateway, secured, files, by_signal):
    gateway = make_gateway({"app": settings(secured, files)}, hba=TRUST)
    fill(gateway)
    before = identities(gateway)
    for path in files.iterdir():
        os.utime(path)
    gateway.reload(by_signal=by_signal)
    gateway.wait_for_log(lambda log: "settings reloaded" in log, "reloaded")
    with gateway.wire("app") as client:
        assert client.value("select 1") == "1"
    assert identities(gateway) == before


@pytest.mark.parametrize("changed", ("ca.pem", "crl.pem", "own.pem"))
def test_changed_files_replace_the_servers(make_gateway, secured, files, changed):
    """Idle servers go at once, busy ones when they come back; another pool, with other files, keeps its own."""
    other = tls_pool(secured, "verify-full", tls_ca_cert=authority("databases").certificate)
    gateway = make_gateway({"app": settings(secured, files), "other": other}, hba=TRUST)
    fill(gateway)
    fill(gateway, "other")
    before, others = identities(gateway), identities(gateway, "other")
    with gateway.wire("app") as busy, gateway.wire("app") as client:
        busy.rows("begin work")
        dn, pid = about(busy)["client_dn"], busy.value("select pg_backend_pid()")
        match changed:
            case "ca.pem":
                shutil.copyfile(bundle(authority("databases"), authority("gateways")), files / changed)
            case "crl.pem":
                revoked = authority("databases").client("somebody")
                shutil.copyfile(authority("databases").revocation_list([revoked]), files / changed)
            case "own.pem":
                fresh = authority("gateways").client("certified", subject="/O=renewed/CN=certified")
                fresh.copy_to(files, "own")
        gateway.reload()
        assert busy.value("select pg_backend_pid()") == pid, "a transaction keeps its server"
        assert client.value("select 1") == "1"
        new = identities(gateway) - before
        assert new
        busy.rows("commit")
        assert busy.value("select pg_backend_pid()") != pid
        found = about(busy)["client_dn"]
        assert (found != dn) == (changed == "own.pem"), found
    wait_until(lambda: not identities(gateway) & before, lambda: f"the old servers are gone: {servers_of(gateway)}")
    assert identities(gateway, "other") == others
    gateway.wait_idle()


def test_a_new_authority_is_in_force(make_gateway, secured, files):
    gateway = make_gateway({"app": settings(secured, files)}, hba=TRUST)
    assert outcome(gateway) == ("in", True)
    shutil.copyfile(authority("strangers").certificate, files / "ca.pem")
    gateway.reload()
    assert outcome(gateway)[0] == "refused"
    assert "certificate_unknown_authority" in gateway.log()
    shutil.copyfile(authority("databases").certificate, files / "ca.pem")
    gateway.reload()
    assert outcome(gateway) == ("in", True)


def test_a_revocation_is_in_force(make_gateway, secured, files):
    gateway = make_gateway({"app": settings(secured, files)}, hba=TRUST)
    assert outcome(gateway) == ("in", True)
    shutil.copyfile(authority("databases").revocation_list([secured.good]), files / "crl.pem")
    gateway.reload()
    assert outcome(gateway)[0] == "refused"
    assert "certificate_revoked" in gateway.log()


def broken(path, how):
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_text("")
        case "cut":
            path.write_text(path.read_text()[:200])
        case "another":
            authority("gateways").client("somebody else").copy_to(path.parent, "spare")
            shutil.copyfile(path.parent / "spare.key", path)
        case "swapped":
            shutil.copyfile(path.parent / ("own.pem" if path.name != "own.pem" else "own.key"), path)


@pytest.mark.parametrize(
    "name, key, how",
    [
        ("ca.pem", "server_tls_ca_cert", "missing"),
        ("ca.pem", "server_tls_ca_cert", "empty"),
        ("ca.pem", "server_tls_ca_cert", "cut"),
        ("own.pem", "server_tls_certificate", "missing"),
        ("own.pem", "server_tls_certificate", "swapped"),
        ("own.key", "server_tls_private_key", "empty"),
        ("own.key", "server_tls_private_key", "another"),
        ("own.key", "server_tls_private_key", "swapped"),
        ("crl.pem", "server_tls_crl_file", "cut"),
        ("crl.pem", "server_tls_crl_file", "swapped"),
    ],
)
def test_a_broken_file_refuses_the_reload(make_gateway, secured, files, name, key, how):
    gateway = make_gateway({"app": settings(secured, files, size=1)}, hba=TRUST)
    with gateway.wire("app") as client:
        pid = client.value("select pg_backend_pid()")
        before = identities(gateway)
        broken(files / name, how)
        with gateway.console_wire() as console:
            fields = console.error("RELOAD")
        assert f"pools.app.{key}: {files / name}: " in fields["M"] + fields.get("D", ""), fields
        assert client.value("select pg_backend_pid()") == pid
        assert identities(gateway) == before
        gateway.console("KILL USER app")
        client.send(query("select 1"))
        assert closing_error(client) == "57P01"
    assert outcome(gateway) == ("in", True), "new servers are opened with what was read before"
    status, output = gateway.run_to_end("-t")
    assert status == 78 and f"pools.app.{key}: {files / name}: " in output, output


def test_a_general_broken_file_names_its_key(make_gateway, secured, files):
    general = {"server_tls_mode": "verify-ca", "server_tls_ca_cert": str(files / "ca.pem")}
    gateway = make_gateway({"app": tls_pool(secured)}, general, hba=TRUST)
    (files / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
    gateway.reload(by_signal=True)
    gateway.wait_for_log(lambda log: f"server_tls_ca_cert: {files / 'ca.pem'}: " in log, "the reload is refused")
    assert outcome(gateway) == ("in", True)


def test_changed_files_of_auth_query(make_gateway, secured, files):
    """The connections of auth_query go by the new files, too."""
    changing = settings(secured, files) | {
        "users": [],
        "auth_query": {"user": "reader", "password": ROLES["reader"], "cache_ttl": "1ms"},
    }
    gateway = make_gateway({"app": changing}, hba="host all all 127.0.0.1/32 scram-sha-256\n")
    gateway.secrets.add(ROLES["reader"])
    sessions = "select client_dn from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'reader'"

    def login():
        try:
            with gateway.wire("app") as client:
                return client.value("select 1") == "1"
        except LoginRefused:
            return False

    assert login()
    assert secured.value(sessions) == "/CN=certified"
    authority("gateways").client("certified", subject="/O=renewed/CN=certified").copy_to(files, "own")
    gateway.reload()
    gateway.console("INVALIDATE AUTH app")
    assert login()
    # The session of before is given up, and may take a moment to go.
    wait_until(lambda: secured.value(sessions) == "/O=renewed/CN=certified", "the new certificate is shown")
    shutil.copyfile(authority("strangers").certificate, files / "ca.pem")
    gateway.reload()
    gateway.console("INVALIDATE AUTH app")
    assert not login()


def test_a_running_query_survives_and_can_be_cancelled(make_gateway, secured, files):
    """The session, and the cancel request for it, go by the files it began with."""
    gateway = make_gateway({"app": settings(secured, files, size=1)}, hba=TRUST)
    with gateway.wire("app") as client:
        client.send(query("select pg_sleep(20)"))
        sleeping(secured, user="certified")
        authority("gateways").client("certified", subject="/O=renewed/CN=certified").copy_to(files, "own")
        gateway.reload()
        cancel(gateway, client.pid, client.secret)
        assert client.ready()[-2].sqlstate == "57014"
        assert about(client)["client_dn"] == "/O=renewed/CN=certified"
    gateway.wait_idle()


@pytest.mark.parametrize("method", ("epoll", "io_uring"))
def test_reloads_under_load(make_gateway, secured, files, method):
    """Nobody notices that certificates change all the time."""
    gateway = make_gateway({"app": settings(secured, files, size=3)}, {"io_method": method}, hba=TRUST)
    over = threading.Event()
    names = set()

    def work(number):
        if number == 0:
            try:
                for round in range(8):
                    subject = f"/O=number {round}/CN=certified"
                    authority("gateways").client("certified", subject=subject).copy_to(files, "own")
                    gateway.reload(by_signal=round % 2 == 1)
                    wait_until(lambda: subject in names, lambda: f"{subject} is in use: {names}")
            finally:
                over.set()
            return
        with gateway.wire("app", timeout=30) as client:
            while not over.is_set():
                names.add(about(client)["client_dn"])
                client.rows("begin")
                assert client.value(f"select {number} * 7") == str(number * 7)
                client.rows("commit")

    in_threads(13, work)
    gateway.wait_idle()
    assert len(servers_of(gateway)) <= 3


def test_a_certificate_that_has_expired_is_a_warning(make_gateway, secured, files):
    authority("gateways").client("certified", starts=-20, ends=-2).copy_to(files, "own")
    gateway = make_gateway({"app": settings(secured, files)}, hba=TRUST)
    assert "pools.app.server_tls_certificate" in gateway.log() and "WARN" in gateway.log()
    assert outcome(gateway)[0] == "refused"


@pytest.mark.parametrize("phase", ("login", "session"))
def test_a_wait_for_a_server_survives_a_reload(make_gateway, secured, phase):
    """Who waits for the first server of a pool that a reload replaces gets a server of the new one."""
    over = threading.Event()
    with FakeServer(lambda peer: over.wait(20)) as silent:
        gateway = make_gateway(
            {"app": tls_pool(secured if phase == "session" else silent, "require", size=1)},
            {"connect_timeout": "10s"},
            hba=TRUST,
        )
        client = gateway.wire("app") if phase == "session" else gateway.wire(login=False)
        if phase == "session":
            gateway.reload(pools={"app": {"server_port": silent.port}})
            client.send(query("select 1"))
        else:
            client.send(startup({"user": "app", "database": "app"}))
        wait_until(lambda: silent.connections == 1, "a server is opened")
        gateway.reload(pools={"app": {"server_port": secured.port}})
        if phase == "login":
            client.until("ZE")
            client.send(query("select 1"))
        answer = client.until("ZE")
        assert [m.values for m in answer if m.kind == "D"] == [[b"1"]], [str(m) for m in client.transcript]
        client.close()
        over.set()
        gateway.wait_idle()
