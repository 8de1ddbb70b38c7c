"""How clients spread over the workers, seen from outside: what each worker's epoll instance has registered."""

import os
import pathlib
import re
import signal

import pytest

from polling import wait_until

WORKERS = 3
#: How many clients more than the least loaded worker another may have.
TOLERANCE = 4


class Registrations:
    """The sockets that each epoll instance of a process watches, by their inodes."""

    def __init__(self, pid):
        self.watched = {}
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if self.is_epoll(entry):
                info = pathlib.Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                self.watched[entry.name] = [int(inode, 16) for inode in re.findall(r"ino:([0-9a-f]+)", info)]

    @staticmethod
    def is_epoll(entry):
        try:
            return os.readlink(entry) == "anon_inode:[eventpoll]"
        except FileNotFoundError:  # a client's, gone since
            return False

    def count(self, inodes):
        """How many of `inodes` each instance watches, least first; instances of no worker are left out."""
        counts = sorted(len(inodes.intersection(watched)) for watched in self.watched.values())
        return counts[-WORKERS:]


def sockets(pid, state, port):
    """Inodes of the process's TCP sockets in `state` (proc(5): 01 established, 0A listening) at its port."""
    lines = pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    return {int(row[9]) for row in rows if row[3] == state and int(row[1].split(":")[1], 16) == port}


class Workers:
    def __init__(self, gateway):
        self.gateway = gateway
        self.pid = gateway.process.pid

    def clients(self):
        """Clients of each worker, least first."""
        return Registrations(self.pid).count(sockets(self.pid, "01", self.gateway.port))

    def listening(self):
        """How many listening sockets each worker is told of that is told of any, least first."""
        inodes = sockets(self.pid, "0A", self.gateway.port)
        counts = (sum(inode in inodes for inode in watched) for watched in Registrations(self.pid).watched.values())
        return sorted(filter(None, counts))

    def on_duty(self):
        """The epoll instance that is told of new connections."""
        inodes = sockets(self.pid, "0A", self.gateway.port)
        return [name for name, watched in Registrations(self.pid).watched.items() if inodes.intersection(watched)]


@pytest.fixture(params=("epoll", "auto"))
def workers(request, make_gateway):
    gateway = make_gateway(general={"worker_threads": WORKERS, "io_method": request.param})
    return Workers(gateway)


def even(counts):
    return counts[-1] - counts[0] <= TOLERANCE


def test_clients_spread_over_the_workers(workers):
    gateway = workers.gateway
    clients = [gateway.wire() for _ in range(45)]
    assert sum(workers.clients()) == 45 and even(workers.clients()), workers.clients()
    # Those who leave make room where they were, and that is where the next ones go.
    rest = []
    for position, client in enumerate(clients):
        if position % 5 == 0:
            rest.append(client)
        else:
            client.close()
    wait_until(lambda: sum(workers.clients()) == 9, "those who left are gone")
    rest += [gateway.wire() for _ in range(36)]
    assert sum(workers.clients()) == 45 and even(workers.clients()), workers.clients()
    for client in rest:
        client.close()


def test_one_worker_is_told_of_new_connections(workers):
    gateway = workers.gateway
    assert workers.listening() == [1]
    clients = [gateway.wire() for _ in range(20)]
    assert workers.listening() == [1]
    for client in clients:
        client.close()
    wait_until(lambda: sum(workers.clients()) == 0, "the clients are gone")
    assert workers.listening() == [1]


def test_many_at_once_are_spread_too(workers):
    """They are in the backlog together, before any of them has been counted."""
    gateway = workers.gateway
    os.kill(workers.pid, signal.SIGSTOP)
    clients = [gateway.wire(login=False) for _ in range(48)]
    for client in clients:
        client.send(b"\0")
    os.kill(workers.pid, signal.SIGCONT)
    wait_until(lambda: sum(workers.clients()) == 48, lambda: f"all are taken: {workers.clients()}")
    assert even(workers.clients()), workers.clients()
    for client in clients:
        client.close()


def visit(workers, times):
    """Clients that come for a moment, one after the other. Where the door was after each of them."""
    seen = []
    for _ in range(times):
        before = sum(workers.clients())
        with workers.gateway.wire():
            pass
        wait_until(lambda: sum(workers.clients()) == before, "the visitor is gone")
        seen.append(workers.on_duty())
    return seen


def one_worker_takes_all(workers):
    def is_so():
        for _ in range(40):
            workers.gateway.wire().close()
        return len(set(map(tuple, visit(workers, 8)))) == 1

    wait_until(is_so, "one worker takes all", 30)


def test_clients_that_never_stay_do_not_move_the_door(workers):
    """Each move costs both workers system calls. Those who do stay spread all the same."""
    one_worker_takes_all(workers)
    clients = [workers.gateway.wire() for _ in range(24)]
    assert even(workers.clients()), workers.clients()
    for client in clients:
        client.close()


def test_clients_that_stay_spread_among_visitors(workers):
    """They are for life where they came first, so the worker that has the visitors does not get them all."""
    one_worker_takes_all(workers)
    clients = []
    for _ in range(9):
        clients.append(workers.gateway.wire())
        visit(workers, 20)
    assert even(workers.clients()), workers.clients()
    for client in clients:
        client.close()
