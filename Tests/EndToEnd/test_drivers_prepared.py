"""The driver programs again, in transaction mode with everything that they know of prepared statements switched on.

One client alone, then many at once on two servers, with a large and with a small cache of statements.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import DIRECT, Target, require_binary
from driver_programs import PROGRAMS, node_path, ok, run
from gateway import Gateway, pool
from server import executable

CLIENTS = 20
#: Where each client is a process of its own, most of whose time its interpreter takes to start.
INTERPRETERS = 8
SERVERS = 2
POOLS = {
    "large": {"pool_size": SERVERS},
    "small": {"pool_size": SERVERS, "server_prepared_statements_cache_size": 2, "prepared_statements_cache_size": 2},
}


@pytest.fixture(scope="module")
def keeping(postgres):
    """Where statements are kept: pools of two servers, or PostgreSQL itself."""
    if DIRECT:
        yield Target(postgres.host, postgres.port, None)
        return
    require_binary()
    gateway = Gateway(
        {name: pool(postgres, **options) for name, options in POOLS.items()}, {"query_wait_timeout": "60s"}
    )
    yield Target(gateway.host, gateway.port, gateway)
    gateway.stop()


def play(keeping, name, where, crowded):
    command, environment, checks = PROGRAMS[name]
    environment = {**(node_path() if environment is None else environment), "E2E_PREPARED": "1"}
    if crowded:
        environment["E2E_CROWDED"] = "1"
    ok(run(command, keeping, "transaction", database=where, environment=environment), checks)


def crowd(count, work):
    """Runs `work` for so many clients at once; raises the first problem."""
    with ThreadPoolExecutor(count) as clients:
        for one in [clients.submit(work) for _ in range(count)]:
            one.result()


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_alone(keeping, name, where):
    play(keeping, name, where, crowded=False)


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("name", [n for n in PROGRAMS if n not in ("psycopg2", "psycopg3 as it comes")])
def test_many_at_once(keeping, name, where):
    crowd(INTERPRETERS, lambda: play(keeping, name, where, crowded=True))


def jdbc(classes):
    return ["java", "-Xshare:auto", "-cp", f"{classes}:/usr/share/java/postgresql.jar", "Jdbc"]


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("clients", (1, CLIENTS))
def test_pgjdbc(keeping, jdbc_classes, where, clients):
    environment = {"E2E_PREPARED": "1"} | ({"E2E_CROWDED": str(clients)} if clients > 1 else {})
    output = run(jdbc(jdbc_classes), keeping, "transaction", database=where, environment=environment)
    ok(output, 500 * clients)


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("clients", (1, CLIENTS))
def test_lib_pq(keeping, lib_pq_program, where, clients):
    environment = {"E2E_PREPARED": "1"} | ({"E2E_CROWDED": "1"} if clients > 1 else {})

    def work():
        ok(run([lib_pq_program], keeping, "transaction", database=where, environment=dict(environment)), 18)

    crowd(clients, work)


@pytest.mark.parametrize("where", POOLS)
@pytest.mark.parametrize("script", ("tpcb-like", "select-only"))
def test_pgbench(keeping, pgbench_tables, where, script):
    # pgbench waits for each PREPARE without attending to its other clients: those that hold servers within
    # transactions would never finish, so there are no more of them than servers.
    clients = CLIENTS if script == "select-only" else SERVERS
    transactions = 100
    words = ["-n", "-b", script, "-M", "prepared", "-c", clients, "-j", 2, "-t", transactions]
    output = run([executable("pgbench"), *words], keeping, "transaction", database=where)
    assert f"number of transactions actually processed: {clients * transactions}/{clients * transactions}" in output
    assert "number of failed transactions: 0 (0.000%)" in output
