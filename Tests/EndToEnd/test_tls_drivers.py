"""The driver programs again on TLS, with certificates checked as far as each driver can, and prepared statements kept.

Pipelines, COPY, notifications, cancel requests and large objects are in the programs themselves.
"""

import pytest

from conftest import Target, require_binary
from driver_programs import DRIVERS, PROGRAMS, clean, node_path, ok, run
from gateway import Gateway, pool
from server import executable
from tlswire import ours, tls_settings

FULL = {"PGSSLMODE": "verify-full", "PGGSSENCMODE": "disable"}
DIRECT = {"PGSSLNEGOTIATION": "direct", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "3.2"}


#: Each driver with one way of the gateway to wait, two of them with the other, too.
ONE = pytest.mark.parametrize("sealed", ("io_uring",), indirect=True, scope="module")
BOTH = pytest.mark.parametrize("sealed", ("io_uring", "epoll"), indirect=True, scope="module")


@pytest.fixture(scope="module")
def sealed(postgres, request):
    """A gateway that lets nobody in without TLS but the console; the parameter is its `io_method`."""
    require_binary()
    pools = {mode: pool(postgres, mode) for mode in ("transaction", "session")}
    settings = tls_settings(ours().server(), tls_mode="require")
    gateway = Gateway(pools, settings | {"io_method": request.param})
    yield Target(gateway.host, gateway.port, gateway)
    gateway.stop()


def play(sealed, command, checks, mode="transaction", **environment):
    environment = FULL | {"PGSSLROOTCERT": str(ours().certificate)} | environment
    output = run(command, sealed, mode, environment=environment)
    if checks:
        ok(output, checks)
    return output


@pytest.mark.parametrize(
    "sealed, name",
    [*(("io_uring", name) for name in PROGRAMS), ("epoll", "asyncpg")],
    indirect=["sealed"],
    scope="module",
)
def test_driver(sealed, name):
    command, environment, checks = PROGRAMS[name]
    environment = node_path() if environment is None else environment
    play(sealed, command, checks, **environment, E2E_PREPARED="1")


@ONE
def test_pgjdbc(sealed, jdbc_classes):
    words = ["java", "-Xshare:auto", "-cp", f"{jdbc_classes}:/usr/share/java/postgresql.jar", "Jdbc"]
    play(sealed, words, 500, E2E_PREPARED="1")


@ONE
def test_lib_pq(sealed, lib_pq_program):
    play(sealed, [lib_pq_program], 8, E2E_PREPARED="1")


@ONE
@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_psycopg_over_direct_tls_and_protocol_3_2(sealed, mode):
    """With notifications in session mode."""
    command, _, checks = PROGRAMS["psycopg3 as it comes"]
    play(sealed, command, checks, mode, **DIRECT)


@BOTH
@pytest.mark.parametrize("mode", ("session", "transaction"))
def test_psql(sealed, mode):
    script = f"{executable('psql')} -X -f {DRIVERS / 'check.sql'} 2>&1 | sed 's/^psql:[^ ]* //'"
    found = clean(play(sealed, ["sh", "-c", script], 0, mode))
    assert found == clean((DRIVERS / "check.expected").read_text())
