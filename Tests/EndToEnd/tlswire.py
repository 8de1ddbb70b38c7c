"""Clients on TLS: the raw client of wire.py under Python's ssl module, psql, and libpq by psycopg."""

import base64
import hashlib
import os
import socket
import ssl
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from certificates import authority
from gateway import ADMIN
from server import PASSWORDS, executable
from wire import SSL_REQUEST, Scram, Wire, message, text

LOCAL = "127.0.0.1/32"
#: The console in clear text, whatever the rules of a test are about.
CONSOLE = f"local all all md5\nhost pggateway {ADMIN} {LOCAL} md5\n"
#: The ways in which the gateway waits.
METHODS = ("epoll", "io_uring")


def ours():
    """The authority of the gateway's own certificate in most tests."""
    return authority("ours")


def people():
    """The authority of client certificates in most tests."""
    return authority("people")


def tls_settings(certificate=None, **more):
    """Settings of `general` for TLS with this certificate (one of `ours` for localhost); a None leaves one out."""
    certificate = certificate or ours().server()
    settings = {"tls_certificate": str(certificate.certificate), "tls_private_key": str(certificate.key)}
    settings |= {name: str(value) if isinstance(value, Path) else value for name, value in more.items()}
    return {name: value for name, value in settings.items() if value is not None}


def start(make_gateway, certificate=None, general=None, console_by_unix=True, **options):
    """A gateway that offers TLS; `tls_*` options go to its settings. Its console is reached by the unix socket, so that
    tests may demand what they like of others."""
    tls = {name: options.pop(name) for name in list(options) if name.startswith("tls_")}
    gateway = make_gateway(general=tls_settings(certificate, **tls) | (general or {}), start=False, **options)
    if console_by_unix:
        gateway.settings["general"]["unix_socket_dir"] = str(gateway.folder)
        console_wire = gateway.console_wire
        gateway.console_wire = lambda **more: console_wire(**({"unix": True} | more))
        gateway.write()
    gateway.start()
    return gateway


# --- the raw client ---------------------------------------------------------------------------------------------------


def client_context(certificate=None, alpn=True, trusted=None, versions=None, ciphers=None):
    """What a raw client says in its handshake. It checks nothing but what `trusted` (an Authority) asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = trusted is not None
    context.verify_mode = ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE
    if trusted:
        context.load_verify_locations(trusted.certificate)
    if certificate:
        context.load_cert_chain(certificate.certificate, certificate.key)
    if alpn:
        context.set_alpn_protocols(["postgresql"] if alpn is True else [alpn])
    if versions:
        context.minimum_version, context.maximum_version = versions
    if ciphers:
        context.set_ciphers(ciphers)
    return context


class TLSWire(Wire):
    """A raw client on TLS: after SSLRequest, or from the first byte (`direct`)."""

    #: The other side has said by TLS itself (close_notify) that nothing more comes.
    ended_cleanly = False

    def __init__(self, host, port, context=None, direct=False, server_name="localhost", session=None, **options):
        super().__init__(host, port, **options)
        try:
            if not direct:
                self.send(SSL_REQUEST)
                answer = self.byte()
                assert answer == b"S", answer
                assert not self.buffer, bytes(self.buffer)
            self.socket.settimeout(self.timeout)
            self.socket = (context or client_context()).wrap_socket(
                self.socket, server_hostname=server_name, session=session, suppress_ragged_eofs=False
            )
            self.socket.setblocking(False)
        except BaseException:
            self.close()
            raise

    @property
    def certificate_hash(self):
        """tls-server-end-point of a certificate signed with SHA-256."""
        return hashlib.sha256(self.socket.getpeercert(True)).digest()

    def _write(self, data):
        if not isinstance(self.socket, ssl.SSLSocket):
            return super()._write(data)
        self.socket.settimeout(self.timeout)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # What the peer said before it left is still to be read.
        finally:
            self.socket.setblocking(False)

    def _readable(self, seconds):
        pending = getattr(self.socket, "pending", None)  # Not before the handshake.
        return True if pending and pending() else super()._readable(seconds)

    def _fill(self):
        if not isinstance(self.socket, ssl.SSLSocket):
            return super()._fill()
        try:
            data = self.socket.recv(1 << 18)
            self.ended_cleanly = not data
        except ssl.SSLWantReadError:
            return
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if data:
            self.buffer += data
        else:
            self.ended = True

    def bound_login(self, user, database, password, scram):
        """A login by SCRAM in which `scram` (a BoundScram) decides what is sent. Returns self."""
        self.bound = scram
        return self.login(user, database, password)

    def _authenticate(self, request, user, password):
        (code,) = struct.unpack_from(">i", request.body)
        if code == 10 and hasattr(self, "bound"):
            self.mechanisms = request.body[4:].rstrip(b"\0").split(b"\0")
            self.scram = self.bound
            self.send(self.scram.first())
            return
        super()._authenticate(request, user, password)


class BoundScram(Scram):
    """SCRAM with channel binding, or with lies about it."""

    def __init__(self, password, binding=b"", flag="p=tls-server-end-point", mechanism="SCRAM-SHA-256-PLUS"):
        super().__init__(password)
        self.header = f"{flag},,".encode()
        self.binding = binding
        self.mechanism = mechanism

    def first(self):
        data = self.header + self.first_bare.encode()
        return message("p", text(self.mechanism) + struct.pack(">i", len(data)) + data)

    @property
    def channel(self):
        return base64.b64encode(self.header + self.binding).decode()


def tls_wire(gateway, user="app_trust", database="app", login=True, password=None, **options):
    """A raw client of the gateway on TLS; logged in unless `login=False`."""
    client = TLSWire(gateway.host, gateway.port, **options)
    if login:
        try:
            client.login(user, database, password or PASSWORDS.get(user))
        except BaseException:
            client.close()
            raise
    return client


def closes(connection):
    """The peer closes this socket, at once or after some bytes; returns these."""
    connection.settimeout(15)
    data = b""
    try:
        while more := connection.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def plain_socket(gateway):
    connection = socket.create_connection((gateway.host, gateway.port), timeout=15)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


# --- libpq ------------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """How one libpq client fared: `way` is "tls", "clear" or "refused"; `said` is the error or what psql printed.

    Version and cipher are psql's only."""

    way: str
    said: str = ""
    version: str | None = None
    cipher: str | None = None


def conninfo(gateway, user="app_trust", database="app", certificate=None, trusted=None, host="localhost", **options):
    """Connection parameters of libpq; `trusted` is an Authority, `certificate` the client's."""
    result = {"host": host, "hostaddr": gateway.host, "port": gateway.port, "user": user, "dbname": database}
    result |= {"connect_timeout": 10, "password": PASSWORDS.get(user), "gssencmode": "disable"}
    result |= {"sslcert": "/nonexistent", "sslkey": "/nonexistent", "sslrootcert": "/nonexistent", "sslcrl": ""}
    if certificate:
        result |= {"sslcert": str(certificate.certificate), "sslkey": str(certificate.key)}
    if trusted:
        result["sslrootcert"] = str(trusted.certificate)
    return result | options


def libpq(gateway, **options):
    """A connection of psycopg (libpq 17 or newer), in autocommit mode."""
    return psycopg.connect(**conninfo(gateway, **options), autocommit=True)


def by_libpq(gateway, **options):
    try:
        with libpq(gateway, **options) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
            if not connection.pgconn.ssl_in_use:
                return Outcome("clear")
            return Outcome("tls")
    except psycopg.OperationalError as problem:
        return Outcome("refused", str(problem))


def psql(gateway, *commands, **options):
    """(exit status, output) of psql 15 with these commands."""
    settings = conninfo(gateway, **options)
    settings = {name: value for name, value in settings.items() if value is not None}
    info = " ".join(f"{name}='{value}'" for name, value in settings.items())
    words = [word for command in commands for word in ("-c", command)]
    done = subprocess.run(
        [executable("psql"), "-X", "-A", "-t", "-d", info, *words],
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


def by_psql(gateway, **options):
    status, output = psql(gateway, "select 1", "\\conninfo", **options)
    if status:
        return Outcome("refused", output)
    if "SSL connection (protocol: " not in output:
        return Outcome("clear", output)
    words = output.split("SSL connection (")[1].split(")")[0]
    facts = dict(word.strip().split(": ") for word in words.split(","))
    return Outcome("tls", output, facts["protocol"], facts["cipher"])


def ended_by_close_notify(client):
    """Reads to the end, which TLS itself must say; returns the messages before it."""
    messages = client.until_closed()
    assert client.ended_cleanly, "the stream was cut off"
    return messages
