"""What is run: the cases with their targets, and the loop that runs them in short interleaved rounds."""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field

from .clients import IdleClients
from .measure import AllocationCounter, Load, resident_bytes, run_load
from .servers import FOUND_USER, SCRAM_USER, SetUpError
from .turns import run_rounds
from .yardstick import unsteadiness

IDLE_CLIENTS = 5000
ONE_MEBIBYTE = "select repeat('x', 1048576);\n"
SELECT_ONE = "select 1;\n"
MEMORY_TARGET = 2048.0
TAIL_TARGET = 1.5
TAIL_STRETCH = 3
#: A case whose verdict is open after its rounds gets up to this many times as many.
PATIENCE = 4
ALLOCATION_TARGET = 0.05


@dataclass(eq=False)
class Case:
    """One load and the CPU ratio to reach, by number of workers.

    `tail` marks the case whose latencies are judged: its runs are longer and fewer, because pgbench starts its
    clock before its clients connect, and the first second is left out. `unsteadiness` is what the machine alone did
    to plain computing between them, one figure per round.
    """

    name: str
    load: Load
    targets: dict = field(default_factory=dict)
    tail: bool = False
    unsteadiness: list = field(default_factory=list)


def all_cases():
    cases = []
    for protocol in ("simple", "extended"):
        for clients, one_worker in ((1, 1.0), (16, 0.9), (64, 0.8)):
            cases.append(Case(f"pgbench -S, {protocol}, {clients} client{'s' * (clients > 1)}",
                              Load(clients=clients, protocol=protocol), {1: one_worker, 2: 1.0}))
    for clients in (16, 64):
        cases.append(Case(f"pgbench -S, prepared, {clients} clients",
                          Load(clients=clients, protocol="prepared"), {1: 0.95}))
    cases += [
        Case("select 1, simple, 16 clients", Load(clients=16, script=SELECT_ONE), {1: 0.9, 2: 1.0}),
        Case("fixed 2 000 tps, simple, 16 clients", Load(clients=16, rate=2000), {1: 1.0, 2: 1.0}),
        Case("1 MiB result, simple, 4 clients", Load(clients=4, script=ONE_MEBIBYTE), {1: 0.6, 2: 0.6}),
        Case("reconnect -C, SCRAM, 8 clients", Load(clients=8, reconnect=True, user=SCRAM_USER), {1: 1.0, 2: 1.0}),
        Case("reconnect -C, SCRAM by auth_query, 8 clients", Load(clients=8, reconnect=True, user=FOUND_USER),
             {1: 1.0, 2: 1.0}),
        Case("reconnect -C, trust, 8 clients", Load(clients=8, reconnect=True), {1: 1.0, 2: 1.0}),
        Case("TLS, pgbench -S, simple, 16 clients", Load(clients=16, tls=True), {1: 0.9, 2: 1.0}),
        Case("TLS, pgbench -S, simple, 64 clients", Load(clients=64, tls=True), {1: 0.9, 2: 1.0}),
        Case(
            "TLS, pgbench -S, extended, 16 clients", Load(clients=16, protocol="extended", tls=True), {1: 0.9, 2: 1.0}
        ),
        Case("TLS, 1 MiB result, simple, 4 clients", Load(clients=4, script=ONE_MEBIBYTE, tls=True), {1: 0.9, 2: 1.0}),
        Case("TLS, reconnect -C, trust, 8 clients", Load(clients=8, reconnect=True, tls=True), {1: 1.0, 2: 1.0}),
        Case("TLS, reconnect -C, SCRAM, 8 clients", Load(clients=8, reconnect=True, tls=True, user=SCRAM_USER),
             {1: 1.0, 2: 1.0}),
        Case("pgbench -S, simple, 500 clients", Load(clients=500), tail=True),
    ]
    return cases


def run_case(case, baseline, candidates, rounds, seconds, progress):
    """Returns one dictionary per round: pooler name to Sample, the baseline twice.

    A case whose verdict is still open after its rounds gets more of them: see `is_open`.
    """
    results = []
    # Looked at after whole batches only: each look more is a chance to stop by chance.
    batch = max(5, rounds // TAIL_STRETCH) if case.tail else rounds
    measure = run_tail_rounds if case.tail else run_turns
    while len(results) < batch * PATIENCE and (not results or is_open(case, candidates, results)):
        results += measure(case, baseline, candidates, batch, seconds)
        progress(f"{case.name}: {len(results)} rounds")
    return results


def run_turns(case, baseline, candidates, rounds, seconds):
    return run_rounds(case.load, baseline, candidates, rounds, seconds)


def run_tail_rounds(case, baseline, candidates, rounds, seconds):
    """Whole runs one after the other: what is judged are latencies, and none may be held meanwhile.

    The order within a round is baseline, candidates, baseline, so that a machine that gets slower or faster
    meanwhile does so for both sides; the candidates change places from round to round.
    """
    results = []
    seconds, skip = seconds + TAIL_STRETCH, 1.0
    for pooler in (baseline, *candidates):
        run_load(case.load, pooler, seconds=seconds)
    for number in range(rounds):
        middle = candidates if number % 2 == 0 else candidates[::-1]
        measured = {"first": run_load(case.load, baseline, seconds, skip_seconds=skip)}
        for pooler in middle:
            measured[pooler.name] = run_load(case.load, pooler, seconds, skip_seconds=skip)
        measured["second"] = run_load(case.load, baseline, seconds, skip_seconds=skip)
        case.unsteadiness.append(unsteadiness(seconds - skip, measured["first"].p50 / 1e6))
        results.append(measured)
    return results


def is_open(case, candidates, results):
    """Whether a median lies so near its target, by what the rounds differ, that chance decides on which side."""
    for pooler in candidates:
        if case.tail:
            value, error = tail_ratio(results, pooler.name)
            target = TAIL_TARGET
        else:
            found = ratios(results, pooler.name)
            value, error, target = found.cpu, found.cpu_error, case.targets.get(pooler.workers)
        if target is not None and abs(value - target) < 2 * error:
            return True
    return False


def median_error(values):
    """The standard error of a median, by the quartiles of the values.

    1.25 standard deviations over the root of their number, a standard deviation being three quarters of what lies
    between the quartiles.
    """
    if len(values) < 2:
        return float("nan")
    lower, _, upper = statistics.quantiles(values, method="inclusive")
    return 1.25 * 0.75 * (upper - lower) / len(values) ** 0.5


@dataclass
class Ratios:
    """The medians over the rounds of one pooler's figures, each divided by the baseline of its own round.

    `lower_cpu` and `upper_cpu` are the quartiles: half of the rounds lie between them. `cpu_error` is the standard
    error of `cpu`.
    """

    cpu: float
    throughput: float
    p50: float
    p99: float
    switches: float
    lower_cpu: float
    upper_cpu: float
    cpu_error: float


def ratios(results, name):
    """Compares one pooler with the mean of both baseline runs of each round; `second` is held against `first`."""
    def column(attribute):
        values = []
        for measured in results:
            base = getattr(measured["first"], attribute)
            if name != "second":
                base = (base + getattr(measured["second"], attribute)) / 2
            values.append(getattr(measured[name], attribute) / base if base else float("nan"))
        return values

    cpu = column("cpu")
    medians = [statistics.median(column(attribute)) for attribute in ("throughput", "p50", "p99", "switches")]
    lower, middle, upper = statistics.quantiles(cpu, method="inclusive") if len(cpu) > 1 else cpu * 3
    return Ratios(middle, *medians, lower, upper, median_error(cpu))


def tail_ratio(results, name):
    """The median of p99 / p50 over the rounds, and its standard error."""
    values = [measured[name].p99 / measured[name].p50 for measured in results]
    return statistics.median(values), median_error(values)


def evenness(results, name):
    """The median over the rounds of p99 / p50 within windows of 50 ms."""
    return statistics.median(measured[name].evenness for measured in results)


def idle_memory(make_pooler, folder, count=IDLE_CLIENTS):
    """Bytes of resident memory per idle client of a fresh process: after the login, and after one query each."""
    pooler = make_pooler(folder)
    pooler.start()
    clients = IdleClients(pooler.port)
    try:
        clients.open(1)
        clients.query_each()
        time.sleep(0.5)
        before = resident_bytes(pooler.pid)
        clients.open(count)
        time.sleep(0.5)
        after_login = resident_bytes(pooler.pid)
        clients.query_each()
        time.sleep(0.5)
        after_query = resident_bytes(pooler.pid)
        return (after_login - before) / count, (after_query - before) / count
    finally:
        clients.close()
        pooler.stop()


ALLOCATION_LOADS = {
    "simple": Load(clients=16),
    "extended": Load(clients=16, protocol="extended"),
    "prepared": Load(clients=16, protocol="prepared"),
    "1 MiB result": Load(clients=4, script=ONE_MEBIBYTE),
}


def allocations(make_pooler, folder, transactions):
    """Heap requests per transaction on the relay path, by load.

    A run of N and a run of 2N transactions per client differ only in relayed transactions: logins and
    set-up cost the same in both, so the difference of the counts over the difference of the transactions
    is what one transaction asks for.
    """
    counter = AllocationCounter(folder)
    pooler = make_pooler(folder)
    pooler.start(counter.environment())
    found = {}
    try:
        for name, load in ALLOCATION_LOADS.items():
            each = max(50, transactions // 5) if load.script else transactions
            run_load(load, pooler, transactions=each)
            counts = [counter.count()]
            for repetitions in (each, 2 * each):
                run_load(load, pooler, transactions=repetitions)
                counts.append(counter.count())
            extra = (counts[2] - counts[1]) - (counts[1] - counts[0])
            # Housekeeping between the runs may tip a count of zero to either side.
            found[name] = max(0.0, extra / (each * load.clients))
    finally:
        pooler.stop()
    if counter.count() == 0:
        raise SetUpError("the allocation counter counted nothing: is the program linked statically?")
    return found


def fresh_folder(parent):
    folder = tempfile.mkdtemp(dir=parent)
    os.chmod(folder, 0o755)
    return folder


def tell(text):
    print(text, file=sys.stderr, flush=True)
