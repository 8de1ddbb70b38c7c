"""What is measured: CPU time and memory of a process, latencies of a pgbench run, counted allocations."""

import glob
import math
import mmap
import os
import re
import statistics
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass

from .servers import DATABASE, PASSWORD, TRUST_USER, SetUpError

PER_PROCESS_CPU_CLOCK = 2
WINDOW = 50_000


def cpu_seconds(pid):
    """User plus system time of all threads, the ended ones included, in seconds at nanosecond resolution.

    Every process has a CPU clock in Linux; its id is made of the process id (see clock_getcpuclockid(3)).
    """
    return time.clock_gettime((~pid << 3) | PER_PROCESS_CPU_CLOCK)


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M).group(1)) * 1024


def context_switches(pid):
    """Voluntary and involuntary switches of all threads that live now."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        try:
            with open(path) as status:
                total += sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", status.read()))
        except FileNotFoundError:
            continue
    return total


def machine_load(seconds=1.0):
    """The share of the machine's CPU time in use by anybody, 0 to 1, over the given time."""
    def sample():
        with open("/proc/stat") as stat:
            fields = [int(field) for field in stat.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    total_before, idle_before = sample()
    time.sleep(seconds)
    total, idle = sample()
    return 1 - (idle - idle_before) / max(1, total - total_before)


def percentile(ordered, share):
    """Nearest-rank percentile of an ascending list; 0 for an empty one."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Sample:
    """One pgbench run through one pooler. Times in microseconds, throughput per second."""

    transactions: int
    throughput: float
    cpu: float
    p50: float
    p99: float
    switches: float
    #: p99 / p50 among what ended within the same `WINDOW`: the machine's own ups and downs left out.
    evenness: float


@dataclass
class Load:
    """A pgbench command: the script or the built-in select, how many clients, and how.

    The trusted user is the rule: pgbench starts its clock before it connects, and a SCRAM proof costs the
    client milliseconds that would be taken from the run.

    A pooler that has no prepared statements in transaction mode (Debian's PgBouncer) plays `prepared` as
    `extended`: what its users have to do.
    """

    clients: int = 1
    protocol: str = "simple"
    script: str = ""
    rate: int = 0
    reconnect: bool = False
    user: str = TRUST_USER
    tls: bool = False

    def environment(self):
        return {**os.environ, "PGPASSWORD": PASSWORD, "PGSSLMODE": "require" if self.tls else "disable"}

    def command(self, pooler, script_file, log_prefix):
        protocol = "extended" if self.protocol == "prepared" and not pooler.keeps_statements else self.protocol
        command = [pooler.postgres.program("pgbench"), "-n", "-h", "127.0.0.1", "-p", str(pooler.port),
                   "-U", self.user, "-M", protocol,
                   "-c", str(self.clients), "-j", "1", "-l", f"--log-prefix={log_prefix}"]
        command += ["-f", script_file] if self.script else ["-S"]
        command += ["-R", str(self.rate)] if self.rate else []
        command += ["-C"] if self.reconnect else []
        return command


def run_load(load, pooler, seconds=None, transactions=None, skip_seconds=0.0):
    """Runs pgbench against a pooler for a time or for a number of transactions per client.

    `skip_seconds` leaves the first part of the run out of the latencies, not out of the CPU time.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "script.sql")
        with open(script, "w") as file:
            file.write(load.script)
        command = load.command(pooler, script, os.path.join(folder, "log"))
        command += ["-T", str(seconds)] if seconds else ["-t", str(transactions)]
        cpu_before, switches_before = cpu_seconds(pooler.pid), context_switches(pooler.pid)
        done = subprocess.run(
            [*command, DATABASE], capture_output=True, text=True, env=load.environment())
        cpu = cpu_seconds(pooler.pid) - cpu_before
        switches = context_switches(pooler.pid) - switches_before
        latencies = read_latencies(folder, skip_seconds)
    processed = re.search(r"actually processed: (\d+)", done.stdout)
    throughput = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode != 0 or not processed or int(processed.group(1)) == 0 or not throughput:
        raise SetUpError(f"pgbench through {pooler.name}: {(done.stderr or done.stdout).strip()[-500:]}")
    count = int(processed.group(1))
    ordered = sorted(latency for _, latency in latencies)
    return Sample(count, float(throughput.group(1)), cpu / count * 1e6, percentile(ordered, 0.5),
                  percentile(ordered, 0.99), switches / count, evenness(latencies))


def read_latencies(folder, skip_seconds):
    """The ends and latencies of a pgbench log, in microseconds.

    A line is: client, transaction, latency, script, epoch seconds, microseconds [, schedule lag]. Transactions that
    were skipped because they came too late are no transactions.
    """
    rows = []
    for path in glob.glob(os.path.join(folder, "log.*")):
        with open(path) as log:
            for line in log:
                fields = line.split()
                if fields[2] == "skipped":
                    continue
                rows.append((int(fields[4]) * 1_000_000 + int(fields[5]), float(fields[2])))
    if not rows:
        return []
    first = min(end - latency for end, latency in rows) + skip_seconds * 1e6
    return [(end, latency) for end, latency in rows if end - latency >= first]


def evenness(latencies):
    """The median over all windows of p99 / p50 within one; 0 without a window of at least 100 transactions."""
    windows = {}
    for end, latency in latencies:
        windows.setdefault(end // WINDOW, []).append(latency)
    found = []
    for window in windows.values():
        ordered = sorted(window)
        if len(ordered) >= 100:
            found.append(percentile(ordered, 0.99) / percentile(ordered, 0.5))
    return statistics.median(found) if found else 0.0


class AllocationCounter:
    """A preloaded library that counts heap requests of one process in a file that is read from outside."""

    def __init__(self, folder):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "malloc_count.c")
        self.library = os.path.join(folder, "malloc_count.so")
        self.path = os.path.join(folder, "malloc_count.bin")
        command = ["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", self.library, source]
        subprocess.run(command, check=True)
        with open(self.path, "wb") as file:
            file.write(bytes(mmap.PAGESIZE))
        os.chmod(self.path, 0o666)
        with open(self.path, "rb") as file:
            self.view = mmap.mmap(file.fileno(), mmap.PAGESIZE, access=mmap.ACCESS_READ)

    def environment(self):
        return {"LD_PRELOAD": self.library, "MALLOC_COUNT_FILE": self.path}

    def count(self):
        return struct.unpack_from("Q", self.view, 0)[0]
