"""Cancel requests in clear text and on TLS, for sessions of both kinds."""

import threading

import pytest

from cancelling import SLEEP, sleeping
from tlswire import libpq, start, tls_wire
from wire import cancel_request


@pytest.mark.parametrize("session_on_tls", (True, False))
@pytest.mark.parametrize("way", ("clear", "tls", "direct"))
def test_cancel(make_gateway, postgres, session_on_tls, way):
    gateway = start(make_gateway)
    make = tls_wire if session_on_tls else (lambda gateway, user: gateway.wire(user, "app"))
    with make(gateway, "app") as client:
        client.send(SLEEP)
        sleeping(postgres)
        options = {} if way == "clear" else {"direct": way == "direct"}
        other = gateway.wire(login=False) if way == "clear" else tls_wire(gateway, login=False, **options)
        with other:
            other.send(cancel_request(client.pid, client.secret))
            assert other.until_closed() == []
        assert client.ready()[-2].sqlstate == "57014"
        assert client.value("select 'well'") == "well"


def test_cancel_in_clear_text_where_tls_is_required(make_gateway, postgres):
    """As PostgreSQL: old libpq cancels in clear text whatever sslmode is."""
    gateway = start(make_gateway, tls_mode="require")
    with tls_wire(gateway, "app") as client:
        client.send(SLEEP)
        sleeping(postgres)
        with gateway.wire(login=False) as other:
            other.send(cancel_request(client.pid, client.secret))
            assert other.until_closed() == []
        assert client.ready()[-2].sqlstate == "57014"


@pytest.mark.parametrize("negotiation", ("postgres", "direct"))
def test_libpq_cancels_on_tls(make_gateway, postgres, negotiation):
    """PQcancelStart of libpq 17 and newer uses the session's own way."""
    gateway = start(make_gateway, tls_mode="require")
    with libpq(gateway, user="app", sslmode="require", sslnegotiation=negotiation) as connection:
        problems = []

        def run():
            try:
                connection.execute("select pg_sleep(20)")
            except Exception as problem:
                problems.append(problem)

        thread = threading.Thread(target=run)
        thread.start()
        sleeping(postgres)
        connection.cancel_safe()
        thread.join()
        assert problems[0].sqlstate == "57014"
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    assert row["handshakes"] == "2"
