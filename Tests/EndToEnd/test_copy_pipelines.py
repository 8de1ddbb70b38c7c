"""COPY FROM STDIN with requests pipelined behind it: what of them PostgreSQL answers depends on how the COPY ends.

PostgreSQL ignores a Sync that it reads within COPY and answers one that it reads after a failure; behind the COPY of an
Execute it skips everything until it has answered one; anything else within COPY ends the session.
"""

import pytest

from fakeserver import FakeServer, command_complete, error, ready
from wire import (
    bind,
    close_statement,
    copy_data,
    copy_done,
    copy_fail,
    describe_portal,
    execute,
    flush,
    function_call,
    message,
    parse,
    query,
    sync,
)

ROW = copy_data("1\tone\n")
BAD = copy_data("not a number\n")
PREPARE = parse("select 'behind'", "s")
SELECT = close_statement("s") + PREPARE + bind((), "", "s") + describe_portal() + execute() + sync()
TWO = "copy sink from stdin; copy trapped from stdin"


def by_execute(table):
    return parse(f"copy {table} from stdin") + bind() + execute()


TRAPPED, SINK, LATE = by_execute("trapped"), by_execute("sink"), by_execute("late")

#: What a client sends in one go, behind a prepared statement "s". Each is answered to its end, or ends the session.
TALKS = {
    "fails at once, fail": TRAPPED + sync() + copy_fail("no") + sync() + SELECT,
    "fails at once, done": TRAPPED + sync() + ROW + copy_done() + sync() + SELECT + SELECT,
    "fails at once, done, query": TRAPPED + sync() + ROW + copy_done() + query("") + sync() + SELECT,
    "fails at once, two syncs": TRAPPED + sync() + sync() + copy_done() + sync() + SELECT,
    "fails at once, nothing": TRAPPED + sync() + SELECT,
    "fails at once, no sync": TRAPPED + ROW + copy_done() + query("select 'skipped'") + SELECT,
    "fails at once, a query": TRAPPED + sync() + query("select 'carried out'") + SELECT,
    "fails at once, a call": TRAPPED + sync() + function_call(177, ()) + SELECT,
    "fails at once, a batch": TRAPPED + sync() + execute("nobody") + SELECT,
    "fails at once, again": (TRAPPED + sync() + copy_done() + sync() + SELECT) * 3,
    "query fails at once": query("copy trapped from stdin") + sync() + ROW + copy_done() + SELECT,
    "query fails at once, a query": query("copy trapped from stdin") + query("select 'carried out'") + SELECT,
    "query fails at once, a batch": query("copy trapped from stdin") + SELECT + SELECT,
    "second copy of a query": query(TWO) + ROW + copy_done() + sync() + SELECT,
    "fails in its data": SINK + sync() + BAD + copy_done() + sync() + SELECT,
    "fails in its data, no sync": SINK + sync() + BAD + copy_done() + query("select 'skipped'") + SELECT,
    "fails at its end": LATE + sync() + ROW + copy_done() + sync() + SELECT,
    "given up": SINK + sync() + ROW + copy_fail("no") + query("select 'skipped'") + SELECT,
    "succeeds": SINK + sync() + ROW + copy_done() + SELECT + SINK + sync() + ROW + copy_done() + sync() + SELECT,
    "in a transaction": query("begin") + TRAPPED + sync() + copy_done() + sync() + SELECT + query("rollback") + SELECT,
    "interrupted by a batch": SINK + sync() + ROW + SELECT,
    "interrupted by a query": query("copy sink from stdin; copy sink from stdin") + ROW + copy_done() + SELECT,
    "behind a deallocation": query("deallocate s; copy sink from stdin") + ROW + copy_done() + SELECT,
    "flushed": TRAPPED + flush() + query("select 'skipped'") + SELECT,
}

SETUP = """
create unlogged table trapped (a integer, b text);
create unlogged table late (a integer, b text);
create function spring() returns trigger language plpgsql as 'begin raise ''no''; end';
create trigger spring before insert on trapped for each statement execute function spring();
create constraint trigger spring after insert on late deferrable initially immediate
    for each row execute function spring();
grant all on trapped, late to public;
"""


@pytest.fixture
def traps(postgres):
    with postgres.admin() as admin:
        admin.execute(SETUP)
    yield
    with postgres.admin() as admin:
        admin.execute("drop table trapped, late; drop function spring()")


def answers(client, talk):
    """Everything up to the answer to a last query, or to the end of the session."""
    with client:
        client.send(PREPARE, sync())
        client.ready()
        del client.transcript[:]
        client.send_together(talk, query("select 'over'"))
        while True:
            last = client.until("DE")[-1]
            if last.kind == "D" and last.values == [b"over"]:
                return [str(m) for m in client.transcript + client.ready()]
            if last.kind == "E" and last.fields["V"] == "FATAL":
                return [str(m) for m in client.transcript]


#: There are no transactions in statement mode.
CASES = [
    (mode, name) for mode in ("session", "transaction", "statement") for name in TALKS
    if mode != "statement" or "transaction" not in name
]  # fmt: skip


@pytest.mark.parametrize("mode, name", CASES)
def test_requests_behind_a_copy_are_answered_as_without_a_gateway(shared, target, postgres, traps, name, mode):
    expected = answers(postgres.wire("app_trust", "app"), TALKS[name])
    # How far the COPY is when the requests come is a matter of luck.
    for _ in range(12):
        assert answers(target.wire(mode), TALKS[name]) == expected
    shared.wait_idle()


class Slow:
    """A server whose COPY fails at once, and whose answers behind that come when the gateway has sent what it will
    send without them."""

    def __init__(self, reads_sync):
        self.reads_sync = reads_sync

    def __call__(self, peer):
        peer.login()
        peer.until("S")
        peer.send(message("1"), message("2"), message("G", b"\0\0\0"))
        if self.reads_sync:
            peer.until("d")
        peer.send(error("P0001", "trapped"))
        # The Sync behind CopyDone, and whatever follows that.
        peer.until("S")
        held = peer.until("CPB")
        peer.send(ready() if self.reads_sync else ready() + ready())
        while True:
            for one in held:
                answer = {"C": message("3"), "P": message("1"), "B": message("2"), "E": command_complete("DO")}
                peer.send(answer.get(one.kind, b""), ready() if one.kind in "SQ" else b"")
            held = [peer.receive()]


@pytest.mark.parametrize("reads_sync", (False, True))
@pytest.mark.parametrize("mode", ("transaction", "statement"))
def test_no_answer_overtakes_a_sync_in_doubt(make_gateway, mode, reads_sync):
    """Close is answered by the gateway: in its place, behind every ReadyForQuery that PostgreSQL still sends."""
    with FakeServer(Slow(reads_sync)) as server:
        gateway = make_gateway({"app": server.pool(mode=mode, pool_size=1)}, hba="host all all all trust\n")
        with gateway.wire("app") as client:
            client.send_together(parse("copy t from stdin"), bind(), execute(), sync())
            client.until("G")
            client.send(ROW)
            client.until("E")
            client.send_together(copy_done(), sync(), close_statement("s"), parse("do"), bind(), execute(), sync())
            behind = client.ready(2 if reads_sync else 3)
        assert [m.kind for m in behind] == (["Z"] if reads_sync else ["Z", "Z"]) + ["3", "1", "2", "C", "Z"]
        assert not server.problems
