"""Cancel requests, and queries and servers that wait for them."""

import threading

from fakeserver import FakeServer, error, greeting, one_row, plain_answer, ready
from polling import wait_until
from wire import cancel_request, query

SLEEP = query("select pg_sleep(20)")


def cancel(gateway, pid, secret):
    """One CancelRequest; returns when the gateway has closed the connection, which it does without a word."""
    with gateway.wire(login=False) as canceller:
        canceller.send(cancel_request(pid, secret))
        assert canceller.until_closed() == []


def sleeping(postgres, count=1, user="app"):
    wait_until(lambda: postgres.sleeping(user) == count, f"{count} servers sleep")


class HeldCancel:
    """A fake server whose first cancel connection stays open until `let_go`. Its query "first" runs until that came,
    its query "again" until another one came."""

    def __init__(self):
        self.came, self.let_go, self.second_query = threading.Event(), threading.Event(), threading.Event()
        self.came_again = threading.Event()
        self.server = FakeServer(self.script)

    def script(self, peer):
        parameters = peer.startup()
        if "cancel" in parameters:
            peer.server.cancels.append(parameters["cancel"])
            if self.came.is_set():
                self.came_again.set()
                return
            self.came.set()
            self.let_go.wait(20)
            return
        peer.send(greeting(pid=77, secret=b"real"))
        while True:
            sql = peer.next_query()
            if "first" in sql:
                self.came.wait(20)
                peer.send(one_row(b"finished before the cancel"))
            elif "again" in sql:
                self.second_query.set()
                is_cancelled = self.came_again.wait(10)
                peer.send(error("57014", "cancelled") + ready() if is_cancelled else one_row(b"never cancelled"))
            elif "second" in sql:
                self.second_query.set()
                peer.send(one_row(b"second"))
            elif "endless" in sql:
                self.let_go.wait(20)
            else:
                peer.send(plain_answer(sql))

    def gateway(self, make_gateway, mode="transaction", **general):
        return make_gateway(
            {"app": self.server.pool(mode, pool_size=1)},
            hba="host all all all trust\n",
            general={"query_wait_timeout": "20s", **general},
        )

    def ask(self, gateway, client, text):
        """Sends a query and a cancel request for it, which is under way when this returns; returns the canceller."""
        client.send(query(text))
        wait_until(lambda: gateway.pool_row()["sv_active"] == "1", "the query runs")
        canceller = gateway.wire(login=False)
        canceller.send(cancel_request(client.pid, client.secret))
        assert self.came.wait(10), "the cancel request does not arrive"
        return canceller
