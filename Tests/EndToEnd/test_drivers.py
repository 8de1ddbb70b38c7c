"""Real drivers: each program under drivers/ connects, asks with parameters, runs transactions, makes errors, copies.

In session mode with everything its driver has, in transaction mode without named statements.
"""

import sys

import pytest

from driver_programs import DRIVERS, clean, node_path, ok, run
from server import executable

MODES = ("session", "transaction")


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
    ok(run(["node", DRIVERS / "node_pg.js"], target, mode, environment=node_path()), 7)


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
