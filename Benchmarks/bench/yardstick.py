"""How steady the machine itself is: the same piece of computing over and over, on all cores at once.

A queue of 500 clients before 20 servers turns every slow moment of the machine into latency: whoever waits then waits
for longer, whatever the pooler does. So the tail has to be read beside what the machine does to plain computing.
"""

import os
import statistics
import threading
import time
import zlib

#: Larger than the caches of one core, as the work of poolers and servers together is. Not zeros, which the system would
#: map to one page.
BUFFER = os.urandom(4 << 20)


def compute(end, times):
    """Notes when each piece of computing was done, until `end`."""
    while (now := time.perf_counter()) < end:
        times.append(now)
        # Releases the interpreter's lock, so that each thread has a core.
        zlib.crc32(BUFFER)


def unsteadiness(seconds, stretch):
    """p99 / p50 of the time for a fixed amount of computing, which typically takes `stretch` seconds.

    1.0 would be a machine that always computes at the same speed.
    """
    runs = [[] for _ in range(os.cpu_count() or 1)]
    end = time.perf_counter() + seconds
    threads = [threading.Thread(target=compute, args=(end, times)) for times in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pieces = [later - earlier for times in runs for earlier, later in zip(times, times[1:])]
    if not pieces:
        return float("nan")
    count = max(1, round(stretch / statistics.median(pieces)))
    took = sorted(times[start + count] - times[start] for times in runs for start in range(len(times) - count))
    if not took:
        return float("nan")
    return took[int(0.99 * (len(took) - 1))] / statistics.median(took)
