"""Workers that have little to do share a thread, seen from outside: whose thread wakes up."""

import re
from pathlib import Path

import pytest

from polling import wait_until

WORKERS = 2


def wakings(pid):
    """How often each worker's thread has been put on a processor."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("worker "):
            counts = re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text())
            found[name] = sum(map(int, counts))
    return found


class Scene:
    """Clients on both workers, who ask something now and then."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.clients = [gateway.wire() for _ in range(2 * WORKERS)]
        self.asked = 0

    def awake(self, rounds=25):
        """Whose threads have woken while each client asked a few times."""
        before = wakings(self.gateway.process.pid)
        for _ in range(rounds):
            for client in self.clients:
                self.asked += 1
                assert client.value(f"select {self.asked}") == str(self.asked)
        after = wakings(self.gateway.process.pid)
        assert len(after) == WORKERS
        return [name for name, count in after.items() if count > before[name]]

    def share(self):
        wait_until(lambda: len(self.awake()) == 1, "one thread does the work of both")


@pytest.mark.parametrize("io_method", ("epoll", "auto"))
def test_quiet_workers_share_a_thread(make_gateway, io_method):
    gateway = make_gateway(general={"worker_threads": WORKERS, "io_method": io_method, "share_threads": True})
    scene = Scene(gateway)
    scene.share()
    # New clients and the console are at home there as well, and a reload changes nothing.
    gateway.console("RELOAD")
    scene.clients += [gateway.wire() for _ in range(4)]
    assert len(gateway.console("SHOW CLIENTS")) == len(scene.clients) + 1
    scene.share()
    for client in scene.clients:
        client.close()


def test_each_worker_keeps_its_thread_if_told_so(make_gateway):
    gateway = make_gateway(general={"worker_threads": WORKERS, "share_threads": False})
    scene = Scene(gateway)
    for _ in range(20):
        assert len(scene.awake()) == WORKERS
    for client in scene.clients:
        client.close()


def test_all_end_while_a_thread_rests(make_gateway):
    gateway = make_gateway(general={"worker_threads": WORKERS, "share_threads": True})
    scene = Scene(gateway)
    scene.share()
    gateway.process.terminate()
    for client in scene.clients:
        assert [message.sqlstate for message in client.until_closed()] == ["57P01"]
    assert gateway.process.wait(10) == 0
