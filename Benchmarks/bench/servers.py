"""The processes under test: one throw-away PostgreSQL, and poolers in front of it.

Everything lives in one temporary folder and listens on 127.0.0.1. PostgreSQL and PgBouncer refuse to run as
root, so they run as user postgres when the benchmark runs as root.
"""

import glob
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time

DATABASE = "bench"
POOL_SIZE = 20
MAX_CLIENTS = 6000
SCRAM_USER = "bench"
TRUST_USER = "bench_trust"
#: Stands in no settings: found by auth_query.
FOUND_USER = "bench_found"
SUPERUSER = "postgres"
PASSWORD = "bench-password"
START_DEADLINE = 20.0


class SetUpError(Exception):
    """A process that the benchmark needs is missing or does not start."""


def unprivileged():
    """Popen arguments that leave root for user postgres; nothing when not root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def postgres_bindir():
    """The folder with initdb and pg_ctl: Debian's newest, else the one on the PATH."""
    candidates = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    candidates.sort(key=lambda path: float(path.split("/")[4]))
    if candidates:
        return os.path.dirname(candidates[-1])
    found = shutil.which("initdb")
    if found:
        return os.path.dirname(found)
    raise SetUpError("no PostgreSQL server programs found (Debian package postgresql-15)")


def free_port():
    """A port nobody listens on, below the range from which the kernel gives ports to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for_port(port, process, log):
    """Returns when the port accepts; raises with the log's end when the process leaves first."""
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    tail = open(log, errors="replace").read()[-2000:] if os.path.exists(log) else ""
    raise SetUpError(f"{process.args[0]} does not answer on port {port}\n{tail}")


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


class PostgresServer:
    """A PostgreSQL with pgbench tables, one SCRAM user and one trusted user."""

    def __init__(self, folder, scale):
        self.bindir = postgres_bindir()
        self.data = os.path.join(folder, "data")
        self.sockets = os.path.join(folder, "sockets")
        self.log = os.path.join(folder, "postgresql.log")
        self.port = free_port()
        self.scale = scale
        self.process = None
        self.secrets = {}

    def program(self, name):
        return os.path.join(self.bindir, name)

    def start(self):
        for path in (self.data, self.sockets):
            os.mkdir(path, 0o755)
            if os.geteuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        command = [self.program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                   "--locale=C", "--no-sync"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **unprivileged())
        rules = (f"local all all trust\nhost all postgres,{TRUST_USER} 127.0.0.1/32 trust\n"
                 "host all all 127.0.0.1/32 scram-sha-256\n")
        hba = write(os.path.join(os.path.dirname(self.data), "server_hba.conf"), rules)
        settings = {
            "hba_file": hba, "port": self.port, "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.sockets, "max_connections": 300, "shared_buffers": "256MB",
            "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
            "jit": "off", "password_encryption": "scram-sha-256",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [self.program("postgres"), "-D", self.data, *options], stdin=subprocess.DEVNULL,
            stdout=open(self.log, "w"), stderr=subprocess.STDOUT, cwd="/", start_new_session=True, **unprivileged())
        wait_for_port(self.port, self.process, self.log)
        self.wait_until_ready()
        self.fill()

    def wait_until_ready(self):
        """It takes connections a little before it is ready for queries."""
        deadline = time.monotonic() + START_DEADLINE
        while True:
            try:
                self.sql("postgres", "SELECT 1")
                return
            except SetUpError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def fill(self):
        self.sql("postgres", f"CREATE DATABASE {DATABASE}")
        for user in (SCRAM_USER, TRUST_USER, FOUND_USER):
            self.sql("postgres", f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        self.secrets[SCRAM_USER] = self.sql(
            "postgres", f"SELECT rolpassword FROM pg_authid WHERE rolname = '{SCRAM_USER}'")
        self.secrets[TRUST_USER] = ""
        command = [self.program("pgbench"), "-i", "-q", "-s", str(self.scale), "-h", "127.0.0.1", "-p", str(self.port),
                   "-U", "postgres", DATABASE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.sql(DATABASE, "VACUUM FREEZE ANALYZE; CHECKPOINT")

    def sql(self, database, text):
        """Runs statements as the superuser and returns psql's bare output."""
        command = [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                   "-U", "postgres", "-d", database]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise SetUpError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def stop(self):
        stop_process(self.process, signal.SIGINT)


def stop_process(process, first=signal.SIGTERM, deadline=10):
    if process is None or process.poll() is not None:
        return
    process.send_signal(first)
    try:
        process.wait(deadline)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Certificate:
    """A certificate for localhost that signs itself, and its key, as many have them: RSA with 2048 bits."""

    def __init__(self, folder):
        self.certificate = os.path.join(folder, "server.crt")
        self.key = os.path.join(folder, "server.key")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                   "-keyout", self.key, "-out", self.certificate]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if os.geteuid() == 0:
            for path in (self.certificate, self.key):
                shutil.chown(path, "postgres", "postgres")


class Pooler:
    """One pooler process: knows how to write its settings and how to start and stop it."""

    program = ""
    label = ""
    #: Named prepared statements work in transaction mode.
    keeps_statements = False

    def __init__(self, name, folder, postgres, workers=1, server_socket=False):
        if not shutil.which(self.program):
            raise SetUpError(f"{self.label} is missing: {self.program}")
        self.name = name
        self.folder = os.path.join(folder, name)
        self.postgres = postgres
        self.server_host = postgres.sockets if server_socket else "127.0.0.1"
        self.workers = workers
        self.port = free_port()
        self.process = None
        os.mkdir(self.folder, 0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.tls = Certificate(self.folder)

    def command(self):
        """Writes the settings and returns the command line."""
        raise NotImplementedError

    def version(self):
        done = subprocess.run([self.program, "--version"], capture_output=True, text=True)
        return (done.stdout.strip() or done.stderr.strip() or "unknown").splitlines()[0]

    def start(self, environment=None):
        log = os.path.join(self.folder, "pooler.log")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=open(log, "w"), stderr=subprocess.STDOUT, cwd="/",
            env={**os.environ, **(environment or {})}, start_new_session=True, **self.identity())
        wait_for_port(self.port, self.process, log)

    def identity(self):
        return {}

    def driver(self):
        """What it speaks to the kernel with, as it said at its start."""
        return "-"

    def stop(self):
        stop_process(self.process)

    @property
    def pid(self):
        return self.process.pid


class PgBouncer(Pooler):
    """Debian's PgBouncer in transaction mode, its connection log off."""

    label = "PgBouncer"
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin") or "pgbouncer"

    def identity(self):
        return unprivileged()

    def command(self):
        hba = write(os.path.join(self.folder, "hba.conf"), client_rules())
        users = "".join(f'"{user}" "{secret}"\n' for user, secret in self.postgres.secrets.items())
        users += f'"{SUPERUSER}" ""\n'
        users_file = write(os.path.join(self.folder, "users.txt"), users)
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "listen_backlog": 4096,
            "pool_mode": "transaction", "default_pool_size": POOL_SIZE, "max_client_conn": MAX_CLIENTS,
            "auth_type": "hba", "auth_hba_file": hba, "auth_file": users_file,
            "auth_user": SUPERUSER,
            "client_tls_sslmode": "allow", "client_tls_cert_file": self.tls.certificate,
            "client_tls_key_file": self.tls.key,
            "log_connections": 0, "log_disconnections": 0, "ignore_startup_parameters": "extra_float_digits",
        }
        text = f"[databases]\n{DATABASE} = host={self.server_host} port={self.postgres.port}\n\n[pgbouncer]\n"
        text += "".join(f"{name} = {value}\n" for name, value in settings.items())
        return [self.program, "-q", write(os.path.join(self.folder, "pgbouncer.ini"), text)]


class Gateway(Pooler):
    """The gateway with a given number of workers, its connection log off as in PgBouncer."""

    label = "gateway"
    keeps_statements = True
    io_method = "auto"
    program = os.environ.get("PGGATEWAY_BIN") or os.path.join(
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), ".build/release/pggateway")

    def command(self):
        rules = "".join(f"      {line}\n" for line in client_rules().splitlines())
        users = "".join(
            f"      - {{ username: {user}, password: '{secret}', pool_size: {POOL_SIZE} }}\n"
            for user, secret in self.postgres.secrets.items())
        text = (f"general:\n  host: 127.0.0.1\n  port: {self.port}\n  worker_threads: {self.workers}\n"
                f"  io_method: {self.io_method}\n"
                f"  max_connections: {MAX_CLIENTS}\n  backlog: 4096\n"
                "  admin_username: admin\n  admin_password: bench-console\n"
                "  log_client_connections: false\n  log_client_disconnections: false\n"
                f"  tls_certificate: {self.tls.certificate}\n  tls_private_key: {self.tls.key}\n"
                f"  pg_hba:\n    content: |\n{rules}"
                f"pools:\n  {DATABASE}:\n    pool_mode: transaction\n    server_host: {self.server_host}\n"
                f"    server_port: {self.postgres.port}\n"
                f"    auth_query: {{ user: {SUPERUSER}, pool_size: {POOL_SIZE} }}\n    users:\n{users}")
        return [self.program, write(os.path.join(self.folder, "pggateway.yaml"), text, 0o600)]

    def driver(self):
        with open(os.path.join(self.folder, "pooler.log")) as log:
            found = re.search(r"io_method=(\w+)", log.read())
        return found.group(1) if found else "unknown"


def client_rules():
    return f"host all {TRUST_USER} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
