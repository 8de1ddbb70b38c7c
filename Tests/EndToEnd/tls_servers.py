"""PostgreSQL with TLS, pools that lead there, and what libpq makes of the same settings."""

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from certificates import authority, base
from gateway import pool
from polling import wait_until
from server import DATABASE, PASSWORDS, Postgres, executable
from wire import SSL_REQUEST, LoginRefused

#: Role -> password, in addition to `server.PASSWORDS`.
ROLES = {
    "tls_only": "Heron-lattice-40",
    "clear_only": "Maple-turbine-83",
    "certified": "Sable-compass-27",
    "with_certificate": "Ivory-granite-66",
    "reader": "Onyx-pavilion-72",
}

HBA = """
local     all all                            trust
host      all postgres         127.0.0.1/32 trust
hostssl   all tls_only,reader  127.0.0.1/32 scram-sha-256
hostnossl all clear_only       127.0.0.1/32 scram-sha-256
hostssl   all certified        127.0.0.1/32 cert
hostssl   all with_certificate 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
host      all tls_only,reader,clear_only,certified,with_certificate 127.0.0.1/32 reject
host      all app_trust        127.0.0.1/32 trust
host      all app_md5          127.0.0.1/32 md5
host      all app_plain        127.0.0.1/32 password
host      all all              127.0.0.1/32 scram-sha-256
"""

#: The gateway admits everybody: these tests are about its servers.
TRUST = "host all all 127.0.0.1/32 trust\nlocal all all trust\n"

#: What a session knows about its own encryption.
ABOUT = "select ssl, version, cipher, client_dn from pg_stat_ssl where pid = pg_backend_pid()"
PID = "select pg_backend_pid()"

#: A server that hangs is given up soon.
QUICK = {"connect_timeout": "2s", "query_wait_timeout": "3s"}


class TLSPostgres(Postgres):
    """A cluster that speaks TLS with a certificate of the authority `databases`, and clear text."""

    def __init__(self, configuration=""):
        self.files = Path(tempfile.mkdtemp(prefix="server-", dir=base()))
        os.chmod(self.files, 0o755)
        self.good = authority("databases").server()
        self._install(self.good)
        shutil.copyfile(authority("gateways").certificate, self.files / "clients.pem")
        os.chmod(self.files / "clients.pem", 0o644)
        super().__init__(
            f"ssl = on\nssl_cert_file = '{self.files}/server.pem'\nssl_key_file = '{self.files}/server.key'\n"
            f"ssl_ca_file = '{self.files}/clients.pem'\nlog_connections = on\n" + configuration
        )
        (self.data / "pg_hba.conf").write_text(HBA)
        with self.admin() as admin:
            for user, password in ROLES.items():
                admin.execute(f"create role {user} login password '{password}'")
            admin.execute("alter role reader superuser")
            admin.execute("select pg_reload_conf()")
        wait_until(lambda: self.refuses("tls_only", "disable"), "the rules are in force")

    def _install(self, certificate):
        owner = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        certificate.copy_to(self.files, "server", owner)

    def refuses(self, user, mode):
        return psql(self, user, mode)[0] == "refused"

    def present(self, certificate):
        """Shows this certificate from now on."""
        self._install(certificate)
        self.value("select pg_reload_conf()")
        expected = ssl.PEM_cert_to_DER_cert(certificate.leaf.read_text())
        wait_until(lambda: self.shown() == expected, "the certificate is in force")

    def shown(self):
        """The certificate that a new connection gets to see, DER."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.host, self.port), 5) as plain:
            plain.sendall(SSL_REQUEST)
            assert plain.recv(1) == b"S"
            with context.wrap_socket(plain) as secured:
                return secured.getpeercert(binary_form=True)


def password_of(user):
    return ROLES.get(user) or PASSWORDS[user]


def psql(server, user, mode, **options):
    """What psql's session is: ("in", is it encrypted) or ("refused", psql's words). `options` are libpq's."""
    words = {"host": server.host, "port": server.port, "user": user, "dbname": DATABASE, "sslmode": mode, **options}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    done = subprocess.run(
        [executable("psql"), "-XAtq", "-c", ABOUT, " ".join(f"{k}={v}" for k, v in words.items())],
        env={**environment, "PGPASSWORD": password_of(user), "PGGSSENCMODE": "disable", "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return ("in", done.stdout.startswith("t|")) if done.returncode == 0 else ("refused", done.stderr)


def tls_pool(server, mode=None, user="app", size=2, unix=False, **options):
    """A pool whose client is `app` and whose servers are `user`'s. `options` are `server_...` keys without their
    `server_` (`tls_ca_cert=...`), or any other key of a pool."""
    about_servers = {f"server_{k}" if k.startswith(("tls_", "channel_")) else k: v for k, v in options.items()}
    entry = {"username": "app", "password": "", "server_username": user, "server_password": password_of(user)}
    result = pool(server, users_=[{**entry, "pool_size": size}])
    if unix:
        result["server_host"] = server.socket_dir
    if mode:
        result["server_tls_mode"] = mode
    return result | {k: str(v) if isinstance(v, Path) else v for k, v in about_servers.items()}


def tls_of(server, mode="require", **options):
    """A pool that leads to a `FakeServer`. `options` are keys of a pool."""
    result = server.pool(pool_size=1)
    result["server_tls_mode"] = mode
    return result | {k: str(v) for k, v in options.items()}


def outcome(gateway, database=None):
    """("in", is the server's session encrypted) or ("refused", the SQLSTATE and words the client gets)."""
    try:
        with gateway.wire("app", database) as client:
            client.send(b"Q" + (len(ABOUT) + 5).to_bytes(4, "big") + ABOUT.encode() + b"\0")
            answers = client.until("ZE")
            for answer in answers:
                if answer.kind == "D":
                    return ("in", answer.values[0] == b"t")
            return ("refused", f"{answers[-1].sqlstate} {answers[-1].fields['M']}")
    except LoginRefused as refusal:
        return ("refused", f"{refusal.sqlstate} {refusal.fields['M']}")


def about(client):
    """`ABOUT` as a dict, through a client."""
    return client.dicts(ABOUT)[0]


def servers_of(gateway, database=None):
    database = database or next(iter(gateway.settings["pools"]))
    return [row for row in gateway.console("SHOW SERVERS") if row["database_name"] == database]


def handshakes(gateway, side="servers"):
    """The row of SHOW TLS, `failure_reasons` as a dict."""
    (row,) = [r for r in gateway.console("SHOW TLS") if r["side"] == side]
    pairs = [one.strip().split("=") for one in (row["failure_reasons"] or "").split(",") if one.strip()]
    return {**row, "failure_reasons": {reason: int(count) for reason, count in pairs}}
