"""One load through several poolers by short turns, each held still while the others run.

What the machine does to everybody changes from one second to the next: its other tenants, its clock, the cores on
which the scheduler keeps three busy processes. Poolers that take such short turns meet the same of it.
"""

import bisect
import os
import random
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

from .measure import Sample, context_switches, cpu_seconds, evenness, percentile, read_latencies
from .servers import DATABASE, SetUpError

#: Long enough for a pooler to find its way of working, short enough for the machine to be the same for the next one.
TURN = 0.2
#: The first part of each turn does not count: clients that were held catch up, caches and sleeping cores warm up.
WARM_UP = 0.005
#: Before the first turn, in seconds: the logins.
SETTLING = 0.5
#: Transactions of a fixed rate that came due while the clients were held are left out, not made up for (milliseconds).
LATE = 10
LONGEST_RUN = 3600


@dataclass
class Turn:
    """What counts of one turn: its beginning and end in seconds since 1970, CPU seconds, context switches."""

    start: float
    end: float
    cpu: float
    switches: int


class HeldLoad:
    """A pgbench through one pooler that stands still (SIGSTOP) but for its turns."""

    def __init__(self, load, pooler):
        self.pooler = pooler
        self.folder = tempfile.TemporaryDirectory()
        script = os.path.join(self.folder.name, "script.sql")
        with open(script, "w") as file:
            file.write(load.script)
        # A held process does not notice when this one is killed; the kernel ends it then.
        command = ["setpriv", "--pdeathsig", "KILL", *load.command(pooler, script, f"{self.folder.name}/log")]
        command += ["-L", str(LATE)] if load.rate else []
        self.process = subprocess.Popen([*command, "-T", str(LONGEST_RUN), DATABASE], env=load.environment(), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(SETTLING)
        self.process.send_signal(signal.SIGSTOP)

    def turn(self):
        self.process.send_signal(signal.SIGCONT)
        time.sleep(WARM_UP)
        switches = context_switches(self.pooler.pid)
        start, cpu = time.time(), cpu_seconds(self.pooler.pid)
        time.sleep(TURN)
        end, cpu = time.time(), cpu_seconds(self.pooler.pid) - cpu
        switches = context_switches(self.pooler.pid) - switches
        self.process.send_signal(signal.SIGSTOP)
        return Turn(start, end, cpu, switches)

    def finish(self):
        """Ends pgbench as its own clock would, and reads its log."""
        self.process.send_signal(signal.SIGCONT)
        # Not in the very moment of waking up: the end of the run would come before the answers that wait.
        time.sleep(WARM_UP)
        self.process.send_signal(signal.SIGALRM)
        output, errors = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise SetUpError(f"pgbench through {self.pooler.name}: {(errors or output).strip()[-500:]}")
        self.latencies = sorted(read_latencies(self.folder.name, 0))

    def sample(self, turns):
        """The sum of some turns. A transaction belongs to the turn that it ended in, as its CPU time does by and large;
        latencies are those of transactions that were never held."""
        ended, latencies = 0, []
        for turn in turns:
            first = bisect.bisect_left(self.latencies, (turn.start * 1e6, 0))
            behind = bisect.bisect_left(self.latencies, (turn.end * 1e6, 0))
            ended += behind - first
            latencies += [one for one in self.latencies[first:behind] if one[0] - one[1] >= turn.start * 1e6]
        if not latencies:
            raise SetUpError(f"pgbench through {self.pooler.name}: no transaction ended in its turns")
        ordered = sorted(latency for _, latency in latencies)
        return Sample(ended, ended / sum(turn.end - turn.start for turn in turns),
                      sum(turn.cpu for turn in turns) / ended * 1e6, percentile(ordered, 0.5),
                      percentile(ordered, 0.99), sum(turn.switches for turn in turns) / ended, evenness(latencies))

    def discard(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def run_rounds(load, baseline, candidates, rounds, seconds):
    """Returns one dictionary per round: pooler name to Sample, the baseline as `first` and as `second`.

    A round gives each of them turns of `seconds` together, in an order that chance makes anew each time: nobody is
    always held for longer than another, or always runs behind the same one. Both loads of the baseline go through
    the same process.
    """
    held = {}
    try:
        for name, pooler in (("first", baseline), ("second", baseline), *((one.name, one) for one in candidates)):
            held[name] = HeldLoad(load, pooler)
        turns = [turns_of_round(held, seconds) for _ in range(rounds)]
        for one in held.values():
            one.finish()
        return [{name: held[name].sample(found) for name, found in one.items()} for one in turns]
    finally:
        for one in held.values():
            one.discard()


def turns_of_round(held, seconds):
    turns = {name: [] for name in held}
    for _ in range(max(1, round(seconds / TURN))):
        for name in random.sample(list(held), len(held)):
            turns[name].append(held[name].turn())
    return turns
