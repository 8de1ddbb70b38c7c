"""Long answers that gather in the kernel before the gateway is woken (SO_RCVLOWAT): nothing of them is kept back for
longer than the message takes, whoever stops or dies in the middle."""

import pytest

from fakeserver import command_complete, data_row, error, ready, row_description
from longmessages import FLOOR, LENGTH, METHODS, MODES, STEP, Stage, VALUE, stops
from polling import wait_until
from wire import Closed, cancel_request


@METHODS
@MODES
def test_a_row_with_pauses_comes_whole(make_gateway, mode, io_method):
    with Stage(make_gateway, mode, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head)
        sent = 0
        for stop in stops(len(row)):
            peer.send(row[sent:stop])
            sent = stop
            # Less than a step may be on its way, and nothing at all at the end.
            owed = len(head) + (sent if sent == len(row) else sent - STEP)
            client._wait(owed)
        assert [m.kind for m in client.until("D")] == ["T", "D"]
        assert client.transcript[-1].values == [VALUE]
        peer.send(command_complete(), ready())
        assert [m.kind for m in client.ready()] == ["C", "Z"]
        stage.works(client, peer)
        client.close()
        stage.cleans(peer)
        with stage.client() as other:
            stage.works(other, peer)
        assert stage.server.connections == 1


@METHODS
@pytest.mark.parametrize("rudely", (False, True), ids=("end", "reset"))
@pytest.mark.parametrize("count", (FLOOR, STEP - 100, STEP + FLOOR, LENGTH - FLOOR))
def test_a_server_that_dies_in_the_middle_of_a_row(make_gateway, io_method, rudely, count):
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head, row[:count])
        client._wait(len(head) + count - STEP)
        peer.die(rudely)
        # Half a message is not followed by another.
        with pytest.raises(Closed):
            client.until("Z")
        if not rudely:
            assert len(client.buffer) == count
        assert bytes(client.buffer) == row[: len(client.buffer)]
        stage.serves_others()


@METHODS
def test_a_cancel_request_in_the_middle_of_a_row(make_gateway, io_method):
    with Stage(make_gateway, io_method=io_method) as stage, stage.client() as client:
        peer = stage.ask(client)
        head, row = row_description("long"), data_row(VALUE)
        peer.send(head, row[: STEP + 100])
        with stage.gateway.wire(login=False) as canceller:
            canceller.send(cancel_request(client.pid, client.secret))
            assert canceller.until_closed() == []
        wait_until(lambda: stage.server.cancels, "the cancel request came")
        peer.send(row[STEP + 100 :], error("57014", "canceling statement"), ready())
        answer = client.ready()
        assert [m.kind for m in answer] == ["T", "D", "E", "Z"]
        assert answer[1].values == [VALUE] and answer[2].sqlstate == "57014"
        stage.works(client, peer)


@METHODS
def test_a_server_taken_back_behind_a_long_row_is_heard(make_gateway, io_method):
    """Statement mode: the end of the row and the transaction that may not be come in one; the answer to ROLLBACK is
    short."""
    with Stage(make_gateway, "statement", io_method=io_method) as stage:
        client = stage.client()
        peer = stage.ask(client, "begin; select long")
        head, row = row_description("long"), data_row(VALUE[:101_000])
        peer.send(command_complete("BEGIN"), head, row[:-100_000])
        client._wait(1000)
        peer.send(row[-100_000:] + command_complete() + ready("T"))
        assert client.until_closed()[-1].sqlstate == "25001"
        client.close()
        assert peer.next_query() == "ROLLBACK"
        peer.send(command_complete("ROLLBACK"), ready())
        with stage.client() as other:
            stage.works(other, peer)
        assert stage.server.connections == 1, "the server's answer was not heard"
