"""Host names of the settings that lead nowhere: the reason is the resolver's, in the log and to the client."""

import socket

import pytest

from gateway import pool
from wire import LoginRefused, query

#: RFC 6761: never resolved.
#: An empty label: refused without a question to a name server.
NAME = "no..such.invalid"
TRUST = "host all all all trust\n"


@pytest.fixture
def words():
    """What the system says to a name that it cannot resolve; what exactly depends on its name servers."""
    with pytest.raises(socket.gaierror) as raised:
        socket.getaddrinfo(NAME.encode(), 5432)
    return raised.value.strerror


def test_an_address_to_listen_on_that_cannot_be_resolved(make_gateway, words):
    gateway = make_gateway(start=False, general={"host": NAME})
    gateway.judged = True
    status, output = gateway.run_to_end()
    assert status == 78
    assert f'"{NAME}"' in output and words in output and "Invalid argument" not in output, output


def test_a_server_that_cannot_be_resolved(make_gateway, postgres, words):
    gateway = make_gateway({"app": {**pool(postgres), "server_host": NAME}}, hba=TRUST)
    try:
        with gateway.wire() as client:
            client.send(query("select 1"))
            [fields] = [m.fields for m in client.until_closed() if m.kind == "E"]
    except LoginRefused as refused:
        fields = refused.fields
    assert fields["C"] == "08006" and f'"{NAME}": {words}' in fields["M"], fields
    assert f"{NAME}\\\": {words}" in gateway.log() or f'{NAME}": {words}' in gateway.log(), gateway.tail()


def test_a_server_of_auth_query_that_cannot_be_resolved(make_gateway, postgres, words):
    lookup = {"query": "select $1, null::text", "user": "app_trust", "password": "x", "workers": 1}
    gateway = make_gateway(
        {"app": {**pool(postgres, users_=[]), "server_host": NAME, "auth_query": lookup}},
        hba="host all all all scram-sha-256\n",
    )
    with pytest.raises(LoginRefused):
        gateway.wire("app", "app", "whatever")
    gateway.wait_for_log(lambda log: words in log, "the resolver's reason")
