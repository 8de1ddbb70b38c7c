"""A throw-away PostgreSQL: own directory, own port, unix socket, users for every method."""

import contextlib
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg

from polling import wait_for_end, wait_until
from wire import Wire

#: User -> password. What PostgreSQL asks each of them is in HBA below. None of these may ever stand in a log.
PASSWORDS = {
    "app": "Quartz-lantern-91",
    "app_md5": "Brass-orchard-37",
    "app_plain": "Velvet-harbour-58",
    "app_trust": "Unasked-meadow-12",
    "app_mapped": "Cobalt-thimble-64",
    "übung_имя": "Größe-пароль-77",
}
DATABASE = "app"

HBA = """
local all postgres                trust
host  all postgres   127.0.0.1/32 trust
local all all                     md5
host  all app_trust  127.0.0.1/32 trust
host  all app_plain  127.0.0.1/32 password
host  all app_md5,dyn_md5 127.0.0.1/32 md5
host  all all        127.0.0.1/32 scram-sha-256
"""

CONFIGURATION = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 300
shared_buffers = 32MB
max_wal_size = 4GB
log_line_prefix = '%p %u@%d '
log_statement = all
log_parameter_max_length = 1024
lc_messages = 'C'
"""

#: What a query waits for while a test holds it; see `Postgres.hold`.
HELD = "pg_advisory_xact_lock(7)"

#: For `setpriv`: the process ends when the test run is killed.
DIES_WITH_US = ["--pdeathsig=INT"]

SCHEMA = """
create unlogged table sink (a integer, b text);
create table numbers (id integer primary key, word text);
insert into numbers select i, 'word ' || i from generate_series(1, 1000) i;
create function fail(integer) returns integer language plpgsql as
  $$ begin raise exception 'failed with %', $1 using detail = 'a detail', hint = 'a hint'; end $$;
create function talk(integer) returns void language plpgsql as
  $$ begin for i in 1 .. $1 loop raise notice 'notice number %', i; end loop; end $$;
grant all on all tables in schema public to public;
grant create, usage on schema public to public;
"""


def ports():
    """Ports below those that the system itself gives to connections, which could take one before its listener does.

    Of several test processes (pytest-xdist) each has its own.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    candidates = range(min(10_000, end // 2) + mine, end, processes)
    start = random.randrange(len(candidates))
    for step in itertools.count(start):
        yield candidates[step % len(candidates)]


PORTS = ports()


def free_port():
    """A port that nobody listens on at this moment."""
    for port in itertools.islice(PORTS, 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
    raise AssertionError("a thousand ports, and none is free")


def executable(name):
    for folder in ("/usr/lib/postgresql/15/bin", *os.environ["PATH"].split(":")):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise AssertionError(f"{name} is not installed; run install.sh")


class Postgres:
    """Owns one cluster: its directory and its process. Root starts it as the OS user postgres."""

    host = "127.0.0.1"

    def __init__(self, configuration=""):
        self.folder = Path(tempfile.mkdtemp(prefix="pggateway-e2e-server-"))
        self.data = self.folder / "data"
        self.port = free_port()
        self.socket_dir = str(self.folder)
        self.log_path = self.folder / "log"
        self.as_postgres = []
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.as_postgres = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        os.chmod(self.folder, 0o755)
        self._run(
            executable("initdb"),
            "-D",
            self.data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "--locale=C.UTF-8",
            "-E",
            "UTF8",
        )
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(CONFIGURATION + configuration)
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n"
            )
        (self.data / "pg_hba.conf").write_text(HBA)
        self.process = None
        self.start()
        self._fill()

    def _run(self, *command):
        subprocess.run(
            [*self.as_postgres, *map(str, command)],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def start(self):
        command = [*(self.as_postgres or ["setpriv"]), *DIES_WITH_US, executable("postgres"), "-D", str(self.data)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, lambda: "PostgreSQL starts: " + self.log()[-2000:], deadline=30)

    def _answers(self):
        assert self.process.poll() is None, self.log()[-2000:]
        try:
            with self.wire() as probe:
                return probe.value("select 1") == "1"
        except Exception:
            return False

    def _fill(self):
        with self.admin("postgres") as admin:
            admin.execute(f"create database {DATABASE}")
            for user, password in PASSWORDS.items():
                admin.execute(f"set password_encryption = '{'md5' if user == 'app_md5' else 'scram-sha-256'}'")
                admin.execute(f"create role \"{user}\" login password '{password}'")
            self.secrets = dict(
                admin.execute("select rolname, rolpassword from pg_authid where rolpassword is not null").fetchall()
            )
        with self.admin() as admin:
            admin.execute(SCHEMA)

    def admin(self, database=DATABASE):
        """A superuser's connection in autocommit mode, not through the gateway."""
        return psycopg.connect(host=self.host, port=self.port, user="postgres", dbname=database, autocommit=True)

    def wire(self, user="postgres", database="postgres", **options):
        return Wire(self.host, self.port, **options).login(user, database, PASSWORDS.get(user))

    def value(self, sql, *arguments):
        with self.admin() as admin:
            return admin.execute(sql, arguments).fetchone()[0]

    def sleeping(self, user="app"):
        """How many servers of `user` are inside pg_sleep: their query can be cancelled or killed now."""
        return self.value("select count(*) from pg_stat_activity where usename = %s and wait_event = 'PgSleep'", user)

    @contextlib.contextmanager
    def hold(self):
        """Queries with HELD in them wait until the function that this gives is called, or the block ends."""
        with self.admin() as admin:
            admin.execute("select pg_advisory_lock(7)")
            yield lambda: admin.execute("select pg_advisory_unlock(7)")

    def held(self, user="app"):
        """How many servers of `user` wait there."""
        waits = "select count(*) from pg_stat_activity where usename = %s and wait_event = 'advisory'"
        return self.value(waits, user)

    def backends(self, user="app"):
        """The process ids of the server processes that `user` has now."""
        with self.admin() as admin:
            return sorted(
                row[0]
                for row in admin.execute(
                    "select pid from pg_stat_activity where usename = %s and backend_type = 'client backend'", (user,)
                )
            )

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_size(self):
        """Where the log ends now, for `log_since`."""
        return self.log_path.stat().st_size

    def log_since(self, size):
        """What was logged since. The whole log of a long run is not read again and again."""
        with open(self.log_path, "rb") as file:
            file.seek(size)
            return file.read().decode(errors="replace")

    def pause(self):
        """Stops all server processes (SIGSTOP) so that they accept but do not answer."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [self.process.pid, *map(int, children)]

    def stop(self, how=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            if wait_for_end(self.process, 20) is None:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(20)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def kill(postgres, pid):
    with postgres.admin() as admin:
        assert admin.execute("select pg_terminate_backend(%s, 5000)", (int(pid),)).fetchone() == (True,)
