"""Command line: `python3 -m bench`; see `--help`."""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import asdict

from .cases import all_cases, allocations, fresh_folder, idle_memory, run_case, tell
from .clients import raise_descriptor_limit
from .measure import machine_load
from .report import Report, machine_facts
from .servers import MAX_CLIENTS, Gateway, PgBouncer, PostgresServer, SetUpError

RESULTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "RESULTS.md")
BUSY_MACHINE = 0.15


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description="The gateway and PgBouncer side by side.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument("--rounds", type=int, help="rounds per case (default 15, quick 3)")
    parser.add_argument("--seconds", type=float, default=1, help="length of one run in whole seconds (default 1)")
    parser.add_argument("--only", default="", metavar="PATTERN",
                        help="only the cases whose name matches; also: memory, heap")
    parser.add_argument("--workers", default="1,2", help="worker counts of the gateway, comma separated")
    parser.add_argument("--io-methods", default="auto", metavar="LIST",
                        help="drivers of the gateway: auto, io_uring, epoll; several are compared, comma separated")
    parser.add_argument("--candidate", choices=["gateway", "pgbouncer"], default="gateway",
                        help="what is compared with PgBouncer; pgbouncer checks the benchmark itself")
    parser.add_argument("--server-socket", action="store_true", help="poolers reach PostgreSQL by its unix socket")
    parser.add_argument("--scale", type=int, default=10, help="pgbench scale factor")
    parser.add_argument("--write", action="store_true", help="write the tables to RESULTS.md")
    parser.add_argument("--json", metavar="FILE", help="write every single measurement")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.seconds = max(1, round(options.seconds))
    return options


def pooler_makers(options, postgres):
    """Functions that make a pooler in a folder: the baseline first, then one per worker count."""
    def baseline(folder):
        return PgBouncer("pgbouncer", folder, postgres, server_socket=options.server_socket)

    methods = options.io_methods.split(",")

    def candidate(workers, method):
        def make(folder):
            kind = Gateway if options.candidate == "gateway" else PgBouncer
            made = kind(f"candidate-{workers}-{method}", folder, postgres, workers, options.server_socket)
            if kind is PgBouncer:
                made.label = "PgBouncer as candidate"
            else:
                made.io_method = method
                made.label += f" ({method})" * (len(methods) > 1)
            return made
        return make

    counts = [int(workers) for workers in options.workers.split(",")]
    return [baseline, *(candidate(workers, method) for workers in counts for method in methods)]


def run(options, folder):
    load_before = machine_load()
    if load_before > BUSY_MACHINE:
        tell(f"warning: the machine is busy ({load_before:.0%} of all cores): the figures will be noisy")
    postgres = PostgresServer(folder, options.scale)
    poolers = []
    try:
        postgres.start()
        makers = pooler_makers(options, postgres)
        poolers = [make(folder) for make in makers]
        report = Report(poolers[1:], machine_facts(postgres, poolers[:2], load_before, options))
        for pooler in poolers:
            pooler.start()
        report.facts["io_method"] = ", ".join(sorted({pooler.driver() for pooler in poolers[1:]}))
        for case in all_cases():
            if re.search(options.only, case.name):
                try:
                    report.results[case] = run_case(
                        case, poolers[0], poolers[1:], options.rounds, options.seconds, tell)
                except SetUpError as error:
                    tell(f"{case.name}: {error}")
                    report.broken.append(f"{case.name}: could not be measured")
        for pooler in poolers:
            pooler.stop()
        measure_fresh_processes(options, makers, folder, report)
        return report
    finally:
        for pooler in poolers:
            pooler.stop()
        postgres.stop()


def measure_fresh_processes(options, makers, folder, report):
    """Memory and allocations are counted in processes that have done nothing else before."""
    for position, make in enumerate(makers):
        if re.search(options.only, "memory"):
            tell(f"memory per idle client, process {position + 1} of {len(makers)}")
            report.idle[position] = idle_memory(make, fresh_folder(folder))
        if re.search(options.only, "heap"):
            tell(f"heap requests per transaction, process {position + 1} of {len(makers)}")
            report.heap[position] = allocations(make, fresh_folder(folder), 300 if options.quick else 1000)


def write_json(report, path):
    cases = {case.name: [{name: asdict(sample) for name, sample in measured.items()} for measured in results]
             for case, results in report.results.items()}
    with open(path, "w") as file:
        json.dump({"facts": report.facts, "cases": cases, "idle": report.idle, "heap": report.heap}, file, indent=1)


def main():
    options = arguments()
    raise_descriptor_limit(MAX_CLIENTS)
    folder = tempfile.mkdtemp(prefix="pggateway-bench-")
    os.chmod(folder, 0o755)
    try:
        report = run(options, folder)
    except SetUpError as error:
        sys.exit(f"bench: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = report.text()
    print(text)
    if options.json:
        write_json(report, options.json)
    if options.write:
        report.write(RESULTS)
    if options.check and report.failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
