"""A PostgreSQL in a temporary folder, for the scripts that ask it (standard library only)."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

BIN = Path(os.environ.get("PGBIN", "/usr/lib/postgresql/15/bin"))
PORT = int(os.environ.get("PGPORT", "21000"))


def as_postgres(*command, **options):
    """Runs a program as user postgres when we are root, which PostgreSQL refuses to be."""
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return subprocess.run([*prefix, *map(str, command)], check=True, cwd="/", **options)


class Cluster:
    """`hosts`: the text of /etc/hosts the server sees, in a mount namespace of its own."""

    def __init__(self, hosts=None, tls=False):
        self.folder = Path(tempfile.mkdtemp(prefix="hba-oracle-"))
        self.data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        as_postgres(
            BIN / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
            stdout=subprocess.DEVNULL,
        )
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(
                f"port = {PORT}\nlisten_addresses = '127.0.0.1, ::1'\nfsync = off\nautovacuum = off\n"
                f"unix_socket_directories = '{self.folder}'\nlog_connections = on\nlog_min_messages = debug3\n"
                "logging_collector = off\nmax_wal_senders = 4\nmax_connections = 40\n"
            )
        if tls:
            self.make_certificate()
        self.log = self.folder / "log"
        start = [BIN / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "start"]
        if hosts is None:
            as_postgres(*start, stdout=subprocess.DEVNULL)
            return
        (self.folder / "hosts").write_text(hosts)
        script = 'mount --bind "$0" /etc/hosts && exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"'
        subprocess.run(
            ["unshare", "-m", "sh", "-c", script, self.folder / "hosts", *start],
            check=True, cwd="/", stdout=subprocess.DEVNULL,
        )

    def make_certificate(self):
        key, certificate = self.data / "server.key", self.data / "server.crt"
        as_postgres(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-keyout", key, "-out", certificate, stderr=subprocess.DEVNULL,
        )
        key.chmod(0o600)
        with open(self.data / "postgresql.conf", "a") as file:
            file.write("ssl = on\npassword_encryption = md5\n")

    def psql(self, sql, database="postgres"):
        """The lines a script prints."""
        done = as_postgres(
            BIN / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
            "-h", self.folder, "-p", PORT, "-U", "postgres", "-d", database,
            input=sql, text=True, stdout=subprocess.PIPE,
        )
        return done.stdout.splitlines()

    def write(self, name, text):
        """A file in the data folder, where pg_hba.conf looks for relative names."""
        path = self.data / name
        path.write_text(text)
        if os.getuid() == 0:
            shutil.chown(path, "postgres", "postgres")

    def stop(self):
        as_postgres(BIN / "pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def wait_for(condition, seconds=10):
    """Polls, because PostgreSQL tells nobody when it has read its files again."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL does not answer as expected")
        time.sleep(0.01)
