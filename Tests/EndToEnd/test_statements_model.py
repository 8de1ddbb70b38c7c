"""Random conversations about prepared statements, answered by PostgreSQL and through the gateway: equal message by
message.

Several clients, pools of one, two and five servers, caches of one, two and many statements; see `statements_model`
for what is sent and `statements_run` for how answers are awaited and compared. E2E_MODEL_MESSAGES (default 50000)
says how many messages, E2E_MODEL_SEED (default 1) which. A difference is shrunk and printed as a Python literal:
paste it into FOUND of `statements_found`, under a name that says what was wrong.

What a wrong pooler is caught at; `test_each_fault_is_found` builds each of these into a small pooler and must notice:

- ParseComplete in its place, also when the server has the statement already
- statements survive an unrelated error
- a name whose Parse was skipped after an error does not exist
- eviction does not reach a statement whose Bind is on its way
- Close and Parse of one name in one batch
- a simple Query ends the unnamed statement, a failed unnamed Parse too
- an aborted transaction refuses Parse and Bind (25P02), also of statements that the server has; a duplicate name of a
  statement that ends transactions is 42P05 even there
- Parse of a name that exists (42P05; a syntax error goes first), Bind and Describe of an unknown one (26000); both
  abort the transaction
- names are cut after 63 bytes
- statements are shared only with equal types and startup parameters
- no name of ours in an error
- DEALLOCATE in every spelling, in multi-statement queries (only what ran counts), by the extended protocol; DISCARD
  ALL
- Flush is answered without Sync; every Sync is answered
"""

import functools
import multiprocessing
import os

import pytest

from conftest import DIRECT
from gateway import Gateway, pool
from polling import wait_until
from server import DATABASE, Postgres
from statements_found import FOUND
from statements_model import SETUP, VARIANTS
from statements_run import Difference, Place, generated, printed, record, replay, shrink
from toypooler import FAULTS, ToyPooler
from wire import Wire

MESSAGES = int(os.environ.get("E2E_MODEL_MESSAGES") or 50_000)
SEED = os.environ.get("E2E_MODEL_SEED") or "1"

#: Messages per program: small ones are quick to shrink; servers keep their statements from one program to the next.
PROGRAM = 400
PROCESSES = 2
MANY = 1000
SIZES = (1, 2, 5)
CACHES = [(server, common) for server in (1, 2, MANY) for common in (1, 2, MANY)]


@pytest.fixture(scope="module")
def quiet_postgres():
    """A cluster that does not log every statement."""
    cluster = Postgres("log_statement = none\nlog_min_messages = fatal\n")
    with cluster.admin() as admin:
        admin.execute(SETUP)
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def quiet_gateway(quiet_postgres):
    if DIRECT:
        yield None
        return
    pools = {}
    for size in SIZES:
        for server, common in CACHES:
            options = {"server_prepared_statements_cache_size": server, "prepared_statements_cache_size": common}
            # One for each process: a program counts on having all servers of its pool to itself.
            for share in range(PROCESSES):
                pools[name_of(size, server, common, share)] = pool(quiet_postgres, pool_size=size, **options)
    general = {
        "query_wait_timeout": "20s",
        "log_client_connections": False,
        "log_client_disconnections": False,
        "max_connections": 1000,
    }
    gateway = Gateway(pools, general)
    yield gateway
    gateway.stop()


def name_of(size, server, common, share=0):
    return f"size{size}_server{server}_pool{common}_{share}"


def connector(host, port, database):
    def connect(variant, timeout):
        return Wire(host, port, timeout=timeout).login("app_trust", database, parameters=VARIANTS[variant])

    return connect


def direct_place(postgres):
    return Place(connector(postgres.host, postgres.port, DATABASE), timeout=10)


def place_under_test(postgres, gateway, size, server, common, share=0):
    if gateway is None:
        return Place(connector(postgres.host, postgres.port, DATABASE), size)
    database = name_of(size, server, common, share)
    return Place(connector(gateway.host, gateway.port, database), size)


def work(postgres, gateway, share):
    """Every PROCESSES-th program. Returns (messages, None or (program's number, recording, difference))."""
    direct, total, number = direct_place(postgres), 0, share
    while total < MESSAGES / PROCESSES:
        size, caches = options_of(number)
        recording = generated(direct, f"{SEED}/{number}", PROGRAM, clients=6, pool_size=size)
        total += recording.messages
        try:
            replay(place_under_test(postgres, gateway, size, *caches, share), recording)
        except Difference as problem:
            return total, (number, recording, str(problem))
        number += PROCESSES
    return total, None


def options_of(number):
    """Pool size and caches of a program: all combinations, one after the other, for each of the processes."""
    number //= PROCESSES
    return SIZES[number % len(SIZES)], CACHES[number // len(SIZES) % len(CACHES)]


def run_share(postgres, gateway, share, answers):
    try:
        answers.put(work(postgres, gateway, share))
    except BaseException as problem:  # noqa: BLE001 - told to the main process
        answers.put((0, f"{type(problem).__name__}: {problem}"))


def report(postgres, gateway, found):
    """What to read about a difference: a minimal program, or the whole one when it needs what was played before."""
    if isinstance(found, str):
        return found
    number, recording, problem = found
    size, caches = options_of(number)
    where = f"program {SEED}/{number} on {name_of(size, *caches)}"
    place = place_under_test(postgres, gateway, size, *caches)
    place.reset = lambda: without_servers(postgres, gateway)
    small = shrink(direct_place(postgres), place, recording.steps)
    if small is None:
        rest = recording.steps[: int(problem.split()[1]) + 1]
        return f"{where}: {problem}\nnot seen again when played alone; the program was\n{printed(rest)}"
    steps, why = small
    return f"{where}: {why}\nFOUND[...] = ({size}, {printed(steps)})"


def without_servers(postgres, gateway):
    """Ends the gateway's servers, so that a program meets new ones whatever was played before."""
    if gateway is None:
        return
    with postgres.admin() as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app_trust'")
    wait_until(lambda: all(int(row["sv_idle"]) == 0 for row in gateway.console("SHOW POOLS")), "the servers are gone")


@pytest.mark.timeout(max(240, MESSAGES // 200))
def test_random_conversations(quiet_postgres, quiet_gateway):
    processes = multiprocessing.get_context("fork")
    answers = processes.Queue()
    workers = [
        processes.Process(target=run_share, args=(quiet_postgres, quiet_gateway, share, answers), daemon=True)
        for share in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    try:
        done = [answers.get() for _ in workers]
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    problems = [found for _, found in done if found]
    if problems:
        pytest.fail("\n\n".join(report(quiet_postgres, quiet_gateway, found) for found in problems), pytrace=False)
    assert sum(count for count, _ in done) >= MESSAGES
    if quiet_gateway:
        quiet_gateway.wait_idle()


@pytest.mark.parametrize("name", FOUND)
def test_found_once(quiet_postgres, quiet_gateway, name):
    """The small programs that show one fault each, and differences that were found once."""
    size, steps = FOUND[name]
    recording = record(direct_place(quiet_postgres), steps, pool_size=size)
    for server, common in CACHES:
        replay(place_under_test(quiet_postgres, quiet_gateway, size, server, common), recording)


# --- the tests of the test --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recordings(quiet_postgres):
    """Programs for the toy, made when they are asked for: number -> (recording, pool size, cache size). Nine in a row
    have all sizes."""
    direct = direct_place(quiet_postgres)

    @functools.cache
    def recording(number):
        size = SIZES[number % 3]
        return generated(direct, f"toy/{number}", 300, 4, size), size, (1, 2, 100)[number // 3 % 3]

    return recording


#: Fault -> a recording that finds it soon. Each of the others may do it instead, should the generator have changed.
FINDERS = {
    "late_parse_complete": 3,
    "error_forgets": 2,
    "skipped_parse_counts": 3,
    "eviction_before_bind": 1,
    "close_keeps_name": 2,
    "unnamed_survives_query": 4,
    "failed_parse_keeps_unnamed": 3,
    "parse_in_aborted": 8,
    "no_duplicates": 3,
    "unknown_is_ignored": 4,
    "whole_names": 4,
    "types_ignored": 3,
    "parameters_ignored": 5,
    "our_name_shown": 5,
    "deallocate_passed_on": 3,
    "failed_deallocate_counts": 3,
    "discard_keeps": 6,
    "flush_waits": 0,
    "sync_merges": 0,
}


def toy_difference(postgres, recordings, fault, timeout=1.5):
    for recording, size, cache in recordings:
        with ToyPooler((postgres.host, postgres.port), size, cache, fault) as toy:
            try:
                replay(Place(connector(*toy.address, DATABASE), size, timeout), recording)
            except Difference as problem:
                return str(problem)
            assert toy.problems == [], fault
    return None


def test_a_correct_pooler_passes(quiet_postgres, recordings):
    problem = toy_difference(quiet_postgres, map(recordings, range(9)), None, timeout=15)
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(quiet_postgres, recordings, fault):
    numbers = sorted(range(36), key=lambda number: number != FINDERS.get(fault))
    assert toy_difference(quiet_postgres, map(recordings, numbers), fault), FAULTS[fault]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_a_small_program(quiet_postgres, fault):
    """It passes a correct pooler, and not the one with its fault."""
    size, steps = FOUND[fault]
    recording = record(direct_place(quiet_postgres), steps, pool_size=size)
    cache = 1 if fault == "eviction_before_bind" else 100
    assert toy_difference(quiet_postgres, [(recording, size, cache)], None, timeout=15) is None
    assert toy_difference(quiet_postgres, [(recording, size, cache)], fault), FAULTS[fault]


def test_shrinking_leaves_little(quiet_postgres):
    """A difference in a program of 60 messages becomes a few messages that still show it."""
    direct = direct_place(quiet_postgres)
    recording = generated(direct, "toy/5", 60, 4, 1)
    with ToyPooler((quiet_postgres.host, quiet_postgres.port), 1, 100, "no_duplicates") as toy:
        place = Place(connector(*toy.address, DATABASE), 1, 5)
        steps, why = shrink(direct, place, recording.steps, seconds=30)
        assert sum(len(step[2]) for step in steps if step[0] == "send") <= 4, printed(steps)
        assert "42P05" in why
        assert eval(printed(steps)) == steps
