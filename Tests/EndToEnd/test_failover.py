"""PostgreSQL moves: to another version, another role, another address."""

import contextlib

from fakeserver import FakeServer, plain_answer
from wire import Closed, query

TRUST = "host all all all trust\n"


def reporting(**parameters):
    """A server that reports these, and dies when it is told to."""

    def script(peer):
        peer.login(parameters=parameters)
        while (sql := peer.next_query()) != "die":
            peer.send(plain_answer(sql))

    return script


def told(gateway, **startup):
    """What a new client is told."""
    with gateway.wire("app", "app", parameters=startup) as client:
        return client.parameters


def make_die(gateway):
    with gateway.wire("app", "app") as client, contextlib.suppress(Closed):
        client.send(query("die"))
        client.until_closed()


def test_clients_are_told_what_the_server_of_today_reports(make_gateway):
    """PostgreSQL starts again as another version in another time zone."""
    before = {"server_version": "15.1", "TimeZone": "Etc/UTC", "DateStyle": "ISO, MDY"}
    after = {"server_version": "16.2", "TimeZone": "Europe/Berlin", "DateStyle": "ISO, DMY"}
    with FakeServer([reporting(**before), reporting(**after)]) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        assert told(gateway).items() >= before.items()
        assert told(gateway, DateStyle="German").items() >= {"server_version": "15.1"}.items()
        make_die(gateway)
        with gateway.wire("app", "app") as client:
            client.value("select 1")
        assert told(gateway).items() >= after.items()
        assert told(gateway, DateStyle="German").items() >= {"server_version": "16.2"}.items()


def test_that_a_server_is_a_standby_is_not_told_from_memory(make_gateway):
    """It is promoted under its connections, and nobody asks it anything: a client that wants a primary has to ask, too,
    as drivers do when they are not told."""
    with FakeServer(reporting(in_hot_standby="on")) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        for _ in range(2):
            assert "in_hot_standby" not in told(gateway)
    with FakeServer(reporting(in_hot_standby="off")) as server:
        gateway = make_gateway({"app": server.pool()}, hba=TRUST)
        for _ in range(2):
            assert told(gateway)["in_hot_standby"] == "off"
