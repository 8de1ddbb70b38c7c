"""Which functions the gateway's work calls, the most often called first: the order that the linker puts them in.

What a transaction or a login runs through is then a few pages of code side by side instead of two hundred scattered
over the binary. `python3 -m bench.function_order LINK_MAP FILE`, see `make order`; needs valgrind.

The names are those of a build, and go stale slowly: the linker ignores a name that it does not find, and a function
that is not listed stands behind those that are.
"""

import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace

from .cases import all_cases, tell
from .measure import run_load
from .servers import Gateway, PostgresServer

#: Calls per transaction from which on a function belongs to a load.
SELDOM = 0.02

#: Sections above this size, in bytes, are whole libraries: a name in one would pull in all of it.
LIBRARY = 32768

METHODS = ("epoll", "io_uring")
CLIENTS = 3
TRANSACTIONS = 10


class TracedGateway(Gateway):
    """The gateway under callgrind, which counts calls; dumps of single loads on demand."""

    def command(self):
        """The settings are the gateway's own; valgrind wants a binary without the debugger's notes."""
        binary, *arguments = super().command()
        self.traced = os.path.join(self.folder, "pggateway")
        subprocess.run(["strip", "--strip-debug", "-o", self.traced, binary], check=True)
        return ["valgrind", "--tool=callgrind", "--demangle=no", "--compress-strings=no",
                f"--callgrind-out-file={self.folder}/calls", self.traced, *arguments]

    def control(self, what):
        subprocess.run(["callgrind_control", what, str(self.pid)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def calls(self, load, transactions):
        """Calls per transaction of each of the binary's functions while `load` runs."""
        run_load(load, self, transactions=transactions)
        for old in glob.glob(f"{self.folder}/calls*"):
            os.remove(old)
        self.control("--zero")
        run_load(load, self, transactions=transactions)
        self.control("--dump")
        counts = collections.Counter()
        for path in glob.glob(f"{self.folder}/calls*"):
            counts.update(read_calls(path, os.path.basename(self.traced)))
        done = load.clients * transactions
        return {name: count / done for name, count in counts.items()}


def read_calls(path, program):
    """The `calls=` lines of a callgrind file whose callee stands in `program`."""
    counts = collections.Counter()
    here = there = callee = ""
    with open(path, errors="replace") as file:
        for line in file:
            key, _, value = line.rstrip().partition("=")
            if key == "ob":
                here = value
            elif key == "cob":
                there = value
            elif key == "cfn":
                callee = value.split("'")[0]
            elif key == "calls":
                if os.path.basename(there or here) == program and not callee.startswith("0x"):
                    counts[callee] += int(value.split()[0])
                there = ""
    return counts


def names_in_libraries(link_map):
    """The symbols of large sections in a map of lld: lines are address, address, size, alignment, section or name."""
    found, size = set(), 0
    with open(link_map, errors="replace") as file:
        for line in file:
            fields = line.split(None, 4)
            if len(fields) < 5:
                continue
            if re.search(r":\(\.[^)]*\)\s*$", fields[4]):
                size = int(fields[2], 16)
            elif size > LIBRARY:
                found.add(fields[4].strip())
    return found


def loads():
    """Every load of the benchmark, small: what is called counts here, not how long it takes."""
    for case in all_cases():
        yield case.name, replace(case.load, clients=min(CLIENTS, case.load.clients), rate=0)


def measure(folder):
    """In how many loads each function is called, once per transaction counting as one."""
    postgres = PostgresServer(folder, 1)
    scores = collections.Counter()
    try:
        postgres.start()
        for method in METHODS:
            gateway = TracedGateway(f"traced-{method}", folder, postgres)
            gateway.io_method = method
            gateway.start()
            try:
                for name, load in loads():
                    found = gateway.calls(load, TRANSACTIONS)
                    scores.update({name: min(1, calls) for name, calls in found.items() if calls >= SELDOM})
                    tell(f"{method}: {name}")
            finally:
                gateway.stop()
    finally:
        postgres.stop()
    return scores


def main():
    link_map, target = sys.argv[1:]
    folder = tempfile.mkdtemp(prefix="pggateway-order-")
    os.chmod(folder, 0o755)
    try:
        scores = measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    left_out = names_in_libraries(link_map)
    ordered = sorted((name for name in scores if name not in left_out), key=lambda name: (-scores[name], name))
    with open(target, "w") as file:
        file.writelines(f"{name}\n" for name in ordered)
    tell(f"{len(ordered)} functions in {target}")


if __name__ == "__main__":
    main()
