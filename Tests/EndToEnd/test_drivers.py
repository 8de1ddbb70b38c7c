"""Real drivers: each program under drivers/ connects, asks with parameters, runs transactions, makes errors, copies.

In session mode with everything its driver has, in transaction mode without named statements.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import ROOT
from server import DATABASE, PASSWORDS, executable

DRIVERS = Path(__file__).parent / "drivers"
MODES = ("session", "transaction")


def environment(target, database, mode, user):
    return {
        **os.environ,
        "PGHOST": target.host,
        "PGPORT": str(target.port),
        "PGUSER": user,
        "PGPASSWORD": PASSWORDS[user],
        "PGDATABASE": target.database(database),
        "PGSSLMODE": "disable",
        "PGCONNECT_TIMEOUT": "10",
        "PGCLIENTENCODING": "UTF8",
        "LC_ALL": "C.UTF-8",
        "E2E_MODE": mode,
    }


def run(command, target, mode, user="app", database=None, **more):
    settings = environment(target, database or mode, mode, user) | more.pop("environment", {})
    done = subprocess.run(
        [str(word) for word in command],
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        **more,
    )
    assert done.returncode == 0, (
        f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


def ok(output, checks):
    word, count = output.split()[-2:]
    assert word == "ok" and int(count) >= checks, output


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("user", ("app", "app_md5"))
@pytest.mark.parametrize(
    "program, checks",
    [("psycopg3.py", 25), ("psycopg2_.py", 8), ("asyncpg_.py", 10), ("pg8000_.py", 6)],
    ids=lambda v: str(v),
)
def test_python(target, program, checks, user, mode):
    ok(run([sys.executable, DRIVERS / program], target, mode, user), checks)


@pytest.mark.parametrize("mode", MODES)
def test_node_pg(target, mode):
    modules = [
        path for path in ("/usr/share/nodejs", ROOT / ".venv/node/usr/share/nodejs") if Path(path, "pg").is_dir()
    ]
    assert modules, "node-pg is not installed; run install.sh"
    ok(run(["node", DRIVERS / "node_pg.js"], target, mode, environment={"NODE_PATH": str(modules[0])}), 7)


@pytest.fixture(scope="session")
def jdbc_classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jdbc")
    subprocess.run(["javac", "-cp", "/usr/share/java/postgresql.jar", "-d", folder, DRIVERS / "Jdbc.java"], check=True)
    return folder


@pytest.mark.parametrize("mode", MODES)
def test_pgjdbc(target, jdbc_classes, mode):
    ok(
        run(["java", "-Xshare:auto", "-cp", f"{jdbc_classes}:/usr/share/java/postgresql.jar", "Jdbc"], target, mode),
        500,
    )


@pytest.mark.parametrize("mode", MODES)
def test_dbd_pg(target, mode):
    ok(run(["perl", DRIVERS / "dbd_pg.pl"], target, mode), 15)


@pytest.mark.parametrize("mode", MODES)
def test_php_pdo(target, mode):
    ok(run(["php", DRIVERS / "pdo.php"], target, mode), 12)


@pytest.fixture(scope="session")
def lib_pq_program(tmp_path_factory):
    program = tmp_path_factory.mktemp("go") / "lib_pq"
    settings = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, DRIVERS / "lib_pq.go"], check=True, env=settings, cwd=program.parent)
    return program


@pytest.mark.parametrize("mode", MODES)
def test_lib_pq(target, lib_pq_program, mode):
    ok(run([lib_pq_program], target, mode), 8)


@pytest.mark.parametrize("mode", MODES)
def test_psql(target, mode):
    output = run([executable("psql"), "-X", "-q", "-f", DRIVERS / "check.sql"], target, mode)
    found = run(
        ["sh", "-c", f"{executable('psql')} -X -f {DRIVERS / 'check.sql'} 2>&1 | sed 's/^psql:[^ ]* //'"], target, mode
    )
    assert "Grüße" in output
    assert clean(found) == clean((DRIVERS / "check.expected").read_text())


def clean(output):
    noise = ("Tuples only", "Output format")
    return [line for line in output.splitlines() if line.strip() and not line.startswith(noise)]


@pytest.fixture(scope="module")
def pgbench_tables(postgres):
    subprocess.run(
        [
            executable("pgbench"),
            "-i",
            "-I",
            "dtgp",
            "-q",
            "-h",
            postgres.host,
            "-p",
            str(postgres.port),
            "-U",
            "postgres",
            DATABASE,
        ],
        check=True,
        capture_output=True,
    )
    with postgres.admin() as admin:
        admin.execute("grant all on all tables in schema public to public")


@pytest.mark.parametrize(
    "mode, protocol",
    [(mode, protocol) for mode in (*MODES, "statement") for protocol in ("simple", "extended")]
    + [("session", "prepared")],
)
def test_pgbench(target, pgbench_tables, mode, protocol):
    transactions = 25
    script = "select-only" if mode == "statement" else "tpcb-like"
    clients = 8 if mode == "session" else 24
    words = ["-n", "-b", script, "-M", protocol, "-c", clients, "-j", 2, "-t", transactions]
    output = run([executable("pgbench"), *words], target, mode)
    assert f"number of transactions actually processed: {clients * transactions}/{clients * transactions}" in output
    assert "number of failed transactions: 0 (0.000%)" in output


@pytest.mark.parametrize("mode", (*MODES, "statement"))
def test_pgbench_reconnects(target, pgbench_tables, mode):
    output = run([executable("pgbench"), "-n", "-C", "-S", "-c", 4, "-t", 10, "-M", "extended"], target, mode)
    assert "number of transactions actually processed: 40/40" in output
