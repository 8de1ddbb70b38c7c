"""Starts, watches and stops one gateway process."""

import base64
import copy
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml

from polling import wait_for_end, wait_until
from server import DATABASE, PASSWORDS, free_port
from wire import Wire

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("PGGATEWAY_BIN") or ROOT / ".build/release/pggateway")

#: The whole suite can be run with either driver; unset, the gateway chooses.
IO_METHOD = os.environ.get("PGGATEWAY_IO_METHOD")
#: Set, every worker has its own thread at all times.
OWN_THREADS = bool(os.environ.get("PGGATEWAY_OWN_THREADS"))

ADMIN = "overseer"
ADMIN_PASSWORD = "Marble-ferry-20"

#: Rules as most users have them; `md5` admits SCRAM secrets by SCRAM.
HBA = """
local all all md5
host all app_trust 127.0.0.1/32 trust
host all all 127.0.0.1/32 md5
"""


def merged(base, changes):
    """`changes` over `base`, table by table; a value of None removes the key."""
    result = copy.deepcopy(base)
    for key, value in (changes or {}).items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def users(postgres, **options):
    """The users of the test server as `pools.<db>.users`, with the secrets that PostgreSQL has stored."""
    result = []
    for user in PASSWORDS:
        if user in ("app_plain", "app_mapped"):
            continue
        entry = {"username": user, "password": postgres.secrets[user], "pool_size": 4}
        result.append({**entry, **options})
    return result


def pool(postgres, mode="transaction", database=DATABASE, users_=None, **options):
    """One table `pools.<name>` that leads to the test server."""
    names = {"pool_size", "min_pool_size", "server_username", "server_password", "pool_mode_of_user"}
    return {
        "server_host": postgres.host,
        "server_port": postgres.port,
        "server_database": database,
        "pool_mode": mode,
        "users": users_ if users_ is not None else users(postgres, **{k: options[k] for k in options if k in names}),
        **{k: v for k, v in options.items() if k not in names},
    }


def seeing(path, text, folder):
    """A binary that finds this text in a file of the system; it needs a mount namespace."""
    own = folder / Path(path).name
    own.write_text(text)
    wrapper = folder / "gateway"
    wrapper.write_text(
        f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind {own} {path} && exec \"$0\" \"$@\"' {BINARY} \"$@\"\n"
    )
    wrapper.chmod(0o755)
    return wrapper


class Gateway:
    """Owns one configuration folder and one process.

    `stop` (and so the end of every test) checks that the process ended by itself with status 0 and wrote no secret.
    """

    host = "127.0.0.1"
    user = "app"

    def __init__(self, pools, general=None, hba=HBA, arguments=(), start=True, environment=None, descriptors=None,
                 binary=BINARY):
        self.folder = Path(tempfile.mkdtemp(prefix="pggateway-e2e-"))
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.file = self.folder / "pggateway.yaml"
        self.log_path = self.folder / "log"
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.descriptors = descriptors
        self.binary = binary
        self.process = None
        self.secrets = {ADMIN_PASSWORD, *PASSWORDS.values()}
        self.settings = merged(
            {
                "general": {
                    "host": self.host,
                    "port": self.port,
                    "worker_threads": 2,
                    **({"io_method": IO_METHOD} if IO_METHOD else {}),
                    **({"share_threads": False} if OWN_THREADS else {}),
                    "admin_username": ADMIN,
                    "admin_password": ADMIN_PASSWORD,
                    "pg_hba": {"content": hba},
                    "shutdown_timeout": "5s",
                    # Tests fail logins on purpose, many at a time.
                    "auth_failure_delay": 0,
                },
                "pools": pools,
            },
            {"general": general or {}},
        )
        self.port = self.settings["general"]["port"]
        self.write()
        if start:
            self.start()

    def write(self):
        for pool in self.settings["pools"].values():
            entries = pool.get("users", ())
            for user in entries.values() if isinstance(entries, dict) else entries:
                self.secrets.update(filter(None, (user.get("password"), user.get("server_password"))))
        self.file.write_text(yaml.safe_dump(self.settings, allow_unicode=True, sort_keys=False))

    def change(self, **changes):
        """Changes settings and writes the file; nothing is reloaded yet."""
        self.settings = merged(self.settings, changes)
        self.write()

    # --- process

    def start(self, ready=True):
        command = [str(self.binary), *self.arguments, str(self.file)]
        if self.descriptors:
            pair = self.descriptors if isinstance(self.descriptors, tuple) else (self.descriptors, self.descriptors)
            command = ["prlimit", "--nofile={}:{}".format(*pair), *command]
        command = ["setpriv", "--pdeathsig=KILL", *command]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.environment},
            )
        if ready:
            said = "the gateway accepts connections; its log:\n"
            wait_until(self._accepts, lambda: said + self.tail(), interval=0.002)

    def _accepts(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.tail()}"
        try:
            self.wire(login=False).close()
            if "unix_socket_dir" in self.settings["general"]:
                self.wire(login=False, unix=True).close()
            return True
        except OSError:
            return False

    def run_to_end(self, *arguments, timeout=15):
        """Runs the binary on the settings as they are and returns (status, all output)."""
        done = subprocess.run(
            [str(self.binary), *arguments, str(self.file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env={**os.environ, **self.environment},
        )
        return done.returncode, done.stdout + done.stderr

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=15):
        status = wait_for_end(self.process, timeout)
        assert status is not None, f"the gateway does not end; its log:\n{self.tail()}"
        return status

    def check_alive(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.tail()}"

    def stop(self):
        """SIGTERM, and everything that must be true at the end of a gateway."""
        try:
            if self.process and self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.wait(20)
                except AssertionError:
                    self.process.kill()
                    self.process.wait()
                    raise
            if self.process:
                assert self.process.returncode == 0, f"the gateway ended with {self.process.returncode}:\n{self.tail()}"
                self.check_secrets()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self):
        """The end of a gateway whose status the test has judged itself."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- log

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self):
        return self.log()[-4000:]

    def wait_for_log(self, condition, what, deadline=10.0):
        return wait_until(lambda: condition(self.log()), lambda: f"{what}; the log:\n{self.tail()}", deadline)

    def check_secrets(self, where=None):
        """No password, hash or verifier, plain or in base64, stands in the log (or in `where`)."""
        content = self.log() if where is None else where
        for secret in self.secrets:
            for form in secret_forms(secret):
                assert form not in content, f"a secret was written: {form[:4]}... in\n" + context(content, form)

    # --- clients

    def wire(self, user=None, database=None, password=None, login=True, unix=False, **options):
        """A raw client; logged in unless `login=False`."""
        names = ("version", "parameters", "first")
        about_login = {name: options.pop(name) for name in names if name in options}
        host = self.settings["general"]["unix_socket_dir"] if unix else self.host
        client = Wire(host, self.port, **options)
        if login:
            user = user or self.user
            database = database or next(iter(self.settings["pools"]))
            try:
                client.login(user, database, password or PASSWORDS.get(user), **about_login)
            except BaseException:
                client.close()
                raise
        return client

    def console_wire(self, **options):
        return self.wire(ADMIN, "pggateway", ADMIN_PASSWORD, **options)

    def console(self, sql):
        """One console command; its rows as dicts by column name. Fails on an error."""
        with self.console_wire() as console:
            return console.dicts(sql)

    def reload(self, by_signal=False, **changes):
        """Changes settings and reloads them. By the console the reload is over when this returns."""
        if changes:
            self.change(**changes)
        if by_signal:
            self.process.send_signal(signal.SIGHUP)
        else:
            self.console("RELOAD")

    # --- figures

    def pool_row(self, database=None, user=None):
        database = database or next(iter(self.settings["pools"]))
        rows = self.console("SHOW POOLS")
        return next((r for r in rows if r["database"] == database and r["user"] == (user or self.user)), None)

    def _pool_rows(self):
        return [row for row in self.console("SHOW POOLS") if row["database"] in self.settings["pools"]]

    def gauges(self):
        """Every figure of SHOW POOLS that must be zero when nobody is there, summed over all pools."""
        return summed(self._pool_rows())

    def wait_idle(self, deadline=10.0):
        """Waits until no client and no busy server is left."""
        self.check_alive()
        rows = []

        def is_idle():
            rows[:] = self._pool_rows()
            return not any(summed(rows).values())

        wait_until(
            is_idle,
            lambda: (
                f"all gauges are zero: {self.gauges()}; clients: {self.console('SHOW CLIENTS')}; "
                f"servers: {self.console('SHOW SERVERS')}; log:\n{self.tail()}"
            ),
            deadline,
        )
        for row in rows:
            assert 0 <= int(row["sv_idle"]) <= int(row["pool_size"]), row

    def memory(self):
        """Resident bytes of the process now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def descriptor_limit(self):
        """The soft limit of open descriptors that the process has now."""
        for line in Path(f"/proc/{self.process.pid}/limits").read_text().splitlines():
            if line.startswith("Max open files"):
                return int(line.split()[3])
        raise AssertionError("no limit of open files")

    def processor_time(self):
        """Seconds of processor time (user and system) used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summed(rows):
    """The gauges of these rows of SHOW POOLS."""
    names = ("cl_idle", "cl_active", "cl_waiting", "sv_active", "sv_login")
    return {name: sum(int(row[name]) for row in rows) for name in names}


def secret_forms(secret):
    """The secret as it is, its base64, and for verifiers each key by itself."""
    forms = [secret, base64.b64encode(secret.encode()).decode()]
    if secret.startswith("SCRAM-SHA-256$"):
        forms += secret.rsplit("$", 1)[1].split(":")
    if secret.startswith("md5"):
        forms.append(secret[3:])
    return [form for form in forms if len(form) >= 8]


def context(content, form):
    at = content.index(form)
    return content[max(0, at - 200) : at].rsplit("\n", 1)[-1] + "[secret]"
