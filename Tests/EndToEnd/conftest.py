"""Fixtures: one PostgreSQL for the session, gateways per test or per module.

E2E_TARGET=direct runs the comparison and driver tests against PostgreSQL itself (which checks the tests), and leaves
out the tests that need a gateway. PGGATEWAY_BIN names another binary than .build/release/pggateway.
"""

import fcntl
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from driver_programs import DRIVERS  # noqa: E402
from gateway import BINARY, Gateway, pool  # noqa: E402
from server import DATABASE, PASSWORDS, Postgres, executable  # noqa: E402
from wire import Wire  # noqa: E402

DIRECT = os.environ.get("E2E_TARGET") == "direct"

#: Fixtures that start the gateway's binary.
GATEWAY_FIXTURES = {"gateway", "shared", "make_gateway"}


def pytest_collection_modifyitems(items):
    for item in items:
        if DIRECT and GATEWAY_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="needs the gateway; E2E_TARGET=direct"))


@pytest.fixture
def loggers_place():
    """/dev/log, where nobody listens. There is one for all test processes: whoever takes it, or counts on its absence,
    waits here for the others."""
    with open(Path(tempfile.gettempdir()) / "pggateway-e2e-loggers-place", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not os.path.exists("/dev/log"), "a logger runs here; a test would take its messages"
        yield


@pytest.fixture(scope="session")
def postgres():
    cluster = Postgres()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def other_postgres():
    """A second cluster, for tests that stop or pause their server."""
    cluster = Postgres()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def secured():
    """A cluster that speaks TLS; see `tls_servers`."""
    from tls_servers import TLSPostgres

    cluster = TLSPostgres()
    yield cluster
    cluster.remove()


def require_binary():
    if not os.access(BINARY, os.X_OK):
        pytest.fail(
            f"{BINARY} does not exist: build the gateway, or set PGGATEWAY_BIN or E2E_TARGET=direct", pytrace=False
        )


@pytest.fixture
def make_gateway(postgres):
    """Starts gateways; each is stopped and judged at the end of the test.

    Without `pools` there is one pool `app` in transaction mode; `pool_options` go to it.
    """
    require_binary()
    started = []

    def make(pools=None, general=None, pool_options=None, **options):
        chosen = pools if pools is not None else {"app": pool(postgres, **(pool_options or {}))}
        gateway = Gateway(chosen, general, **options)
        started.append(gateway)
        return gateway

    yield make
    problems = []
    for gateway in started:
        try:
            gateway.stop() if not getattr(gateway, "judged", False) else gateway.discard()
        except AssertionError as problem:
            problems.append(problem)
    if problems:
        raise problems[0]


@pytest.fixture
def gateway(make_gateway):
    """A gateway with one pool `app` of four servers in transaction mode, for this test alone."""
    return make_gateway()


@pytest.fixture(scope="module")
def shared(postgres):
    """One gateway for a whole file, with a pool in each mode: `session`, `transaction`, `statement`, and `single_*`
    with one server only."""
    require_binary()
    pools = {mode: pool(postgres, mode, pool_size=8) for mode in ("transaction", "session", "statement")}
    pools |= {f"single_{mode}": pool(postgres, mode, pool_size=1) for mode in ("transaction", "session", "statement")}
    gateway = Gateway(pools)
    yield gateway
    gateway.stop()


@dataclass
class Target:
    """Where comparison and driver tests connect to: the gateway, or PostgreSQL itself."""

    host: str
    port: int
    gateway: Gateway | None

    def database(self, mode):
        return mode if self.gateway else DATABASE

    def wire(self, mode, user="app_trust", **options):
        client = Wire(self.host, self.port, **options)
        return client.login(user, self.database(mode), PASSWORDS[user])


@pytest.fixture(scope="module")
def target(postgres, request):
    if DIRECT:
        return Target(postgres.host, postgres.port, None)
    gateway = request.getfixturevalue("shared")
    return Target(gateway.host, gateway.port, gateway)


@pytest.fixture(scope="session")
def jdbc_classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jdbc")
    subprocess.run(["javac", "-cp", "/usr/share/java/postgresql.jar", "-d", folder, DRIVERS / "Jdbc.java"], check=True)
    return folder


@pytest.fixture(scope="session")
def lib_pq_program(tmp_path_factory):
    program = tmp_path_factory.mktemp("go") / "lib_pq"
    settings = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", program, DRIVERS / "lib_pq.go"], check=True, env=settings, cwd=program.parent)
    return program


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
