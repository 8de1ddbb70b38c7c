"""Waiting for something to become true, with a deadline: the only way tests wait."""

import os
import select
import time


def wait_until(condition, what, deadline=10.0, interval=0.01):
    """Calls `condition` until it returns something true, and returns that.

    Fails with `what` (a text, or a function that makes one) after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what() if callable(what) else what}")
        time.sleep(interval)


def wait_for_end(process, seconds):
    """The status of a `subprocess.Popen` that ends within this time, else None. `Popen.wait` with a timeout looks again
    and again, with pauses of up to 50 ms; the kernel tells at once."""
    if process.poll() is None:
        end = os.pidfd_open(process.pid)
        try:
            poller = select.poll()
            poller.register(end, select.POLLIN)
            poller.poll(seconds * 1000)
        finally:
            os.close(end)
    return process.poll()


def send_until_stuck(client, data):
    """Sends until the other side takes no more for a while; returns what is left."""
    rest = memoryview(data)
    blocked = 0

    def is_stuck():
        nonlocal rest, blocked
        try:
            rest = rest[client.socket.send(rest) :]
            blocked = 0
        except BlockingIOError:
            blocked += 1
        return blocked >= 30 or not rest

    wait_until(is_stuck, "the other side reads no more")
    return rest
