"""The tables: ratios with their targets, further figures, and the facts of the machine."""

import math
import os
import platform
import re
import statistics

from .cases import ALLOCATION_TARGET, MEMORY_TARGET, TAIL_TARGET, evenness, ratios, tail_ratio

COMMAND = "make bench"


def mark(value, target, error=0.0):
    """`pass` or `FAIL` against an upper bound, or `even`: above it by so little that chance may have done it.

    - `error`: the standard error of the value; two of them are little.
    """
    if math.isnan(value):
        return "FAIL"
    if value <= target:
        return "pass"
    return "even" if value - target < 2 * error else "FAIL"


def judged(value, target, digits=2, error=0.0):
    if target is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} (<= {target:g}: {mark(value, target, error)})"


def table(header, rows):
    """A Markdown table with padded columns, readable in a terminal too."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"
    return "\n".join([line(header), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def listed(title, lines):
    return f"{title}\n\n" + "\n".join(f"* {line}" for line in lines)


class Report:
    """Collects the results of a run and writes them down."""

    def __init__(self, candidates, facts):
        self.candidates = candidates
        self.facts = facts
        self.results = {}
        self.idle = {}
        self.heap = {}
        self.failures = []
        self.even = []
        self.broken = []

    def labels(self):
        return [f"{pooler.label}, {pooler.workers} worker{'s' * (pooler.workers > 1)}" for pooler in self.candidates]

    def cpu_table(self):
        rows = []
        for case, results in self.results.items():
            if case.tail:
                continue
            noise = ratios(results, "second")
            microseconds = sorted(measured["first"].cpu for measured in results)[len(results) // 2]
            cells = [case.name, str(len(results)), f"{microseconds:.1f} us",
                     f"{noise.cpu:.2f} [{noise.lower_cpu:.2f} - {noise.upper_cpu:.2f}]"]
            for pooler in self.candidates:
                found = ratios(results, pooler.name)
                target = case.targets.get(pooler.workers)
                quartiles = f"[{found.lower_cpu:.2f} - {found.upper_cpu:.2f}]"
                cells.append(f"{judged(found.cpu, target, 3, found.cpu_error)} {quartiles}")
                self.note(f"{case.name}, worker_threads {pooler.workers}: CPU ratio {found.cpu:.3f}",
                          found.cpu, target, found.cpu_error)
            rows.append(cells)
        return table(["case", "rounds", "PgBouncer", "PgBouncer again", *self.labels()], rows)

    def speed_table(self):
        rows = []
        for case, results in self.results.items():
            base = sorted(measured["first"].throughput for measured in results)[len(results) // 2]
            cells = [case.name, f"{base:.0f}/s"]
            for name in ("second", *(pooler.name for pooler in self.candidates)):
                found = ratios(results, name)
                cells.append(f"{found.throughput:.2f} / {found.p50:.2f} / {found.p99:.2f} / {found.switches:.2f}")
            rows.append(cells)
        return table(["case", "PgBouncer", "PgBouncer again", *self.labels()], rows)

    def other_table(self):
        rows = []
        for case, results in self.results.items():
            if case.tail:
                found = [tail_ratio(results, name) for name in ("first", *(one.name for one in self.candidates))]
                cells, errors = zip(*found)
                rows.append(self.judged_row("p99 / p50, 500 clients on 20 servers", cells, TAIL_TARGET, errors=errors))
                cells = [evenness(results, name) for name in ("first", *(one.name for one in self.candidates))]
                rows.append(["the same within windows of 50 ms", *(f"{value:.2f}" for value in cells)])
                alone = f"{statistics.median(case.unsteadiness):.2f}"
                rows.append(["the same of plain computing, machine alone", alone, *("" for _ in cells[1:])])
        if self.idle:
            for position, moment in enumerate(("after login", "after one query each")):
                cells = [found[position] for found in self.idle.values()]
                rows.append(self.judged_row(f"bytes per idle client, {moment}", cells, MEMORY_TARGET, 0))
        if self.heap:
            for load in next(iter(self.heap.values())):
                cells = [found[load] for found in self.heap.values()]
                rows.append(self.judged_row(f"heap requests per transaction, {load}", cells, ALLOCATION_TARGET, 3))
        return table(["figure", "PgBouncer", *self.labels()], rows) if rows else ""

    def judged_row(self, name, cells, target, digits=2, errors=None):
        """The first cell is PgBouncer's and is not judged."""
        errors = errors or [0.0] * len(cells)
        for value, error in zip(cells[1:], errors[1:]):
            self.note(f"{name}: {value:.{digits}f}", value, target, error)
        return [name, f"{cells[0]:.{digits}f}",
                *(judged(value, target, digits, error) for value, error in zip(cells[1:], errors[1:]))]

    def note(self, text, value, target, error):
        """For the verdict at the end."""
        if target is None:
            return
        match mark(value, target, error):
            case "FAIL": self.failures.append(text)
            case "even": self.even.append(text)

    def text(self):
        self.failures, self.even = list(self.broken), []
        parts = []
        if any(not case.tail for case in self.results):
            parts.append("### CPU per transaction\n\nUser and system time of all threads. Ratios to PgBouncer: "
                         "median of the rounds, [the middle half of the rounds].\n\n" + self.cpu_table())
        if self.results:
            parts.append("### Throughput / p50 / p99 / context switches per transaction\n\n"
                         "Ratios to PgBouncer: median of the rounds. Latencies are those of transactions that fit into\n"
                         "a turn.\n\n" + self.speed_table())
        if other := self.other_table():
            parts.append("### Tail, memory, allocations\n\n" + other)
        parts.append("### Machine\n\n" + "\n".join(f"* {name}: {value}" for name, value in self.facts.items()))
        verdicts = []
        if self.failures:
            verdicts.append(listed(f"{len(self.failures)} targets missed:", self.failures))
        if self.even:
            verdicts.append(listed(f"{len(self.even)} even with their targets, within two standard errors:", self.even))
        return "\n\n".join([*parts, "### Verdict", *(verdicts or ["All targets met."])]) + "\n"

    def write(self, path):
        intro = ("# Benchmark results\n\n"
                 f"Written by `{COMMAND}`: the gateway and Debian's PgBouncer side by side in one run, before\n"
                 "one PostgreSQL, transaction mode, 20 servers per pool, clients and servers over 127.0.0.1.\n"
                 "A round gives each pooler a second in turns of 200 ms, with the others' turns between (the clients of\n"
                 "those stand still); the tail's runs are whole. PgBouncer takes part twice, and the column *PgBouncer\n"
                 "again* is its second share divided by its first: the noise. `(<= target: pass)` marks what is to be\n"
                 "reached. A case whose median lies within two standard errors of a target gets more\n"
                 "rounds, up to four times as many; `even` is what lies above its target by less than that even then.\n"
                 "This PgBouncer has no prepared statements in transaction mode: in the rows named *prepared* its\n"
                 "figure is that of the same load with `-M extended`.\n\n")
        with open(path, "w") as file:
            file.write(intro + self.text())


def machine_facts(postgres, poolers, load_before, options):
    model = re.search(r"model name\s*: (.+)", open("/proc/cpuinfo").read())
    memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)) // (1 << 20)
    facts = {
        "cores": f"{os.cpu_count()} ({model.group(1) if model else platform.machine()}), {memory + 1} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "PostgreSQL": postgres.sql("postgres", "show server_version"),
    }
    for pooler in poolers:
        facts[pooler.label] = pooler.version()
    facts["rounds"] = f"at least {options.rounds} of {options.seconds:g} s per pooler and case; the column says how many"
    facts["machine in use by others before the run"] = f"{load_before:.0%}"
    return facts
