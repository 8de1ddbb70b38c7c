"""What a client has SET: what follows it to its next server, what ends with its transaction, and what it is told."""

import pytest

from wire import bind, execute, parse, query, sync

FOLLOWED = {
    "application_name": "mine",
    "client_encoding": "LATIN1",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Tokyo",
    "standard_conforming_strings": "off",
}


def gateway_of(make_gateway, size=2, mode="transaction", general=None, **pool_options):
    return make_gateway(general=general, pool_options={"mode": mode, "pool_size": size, **pool_options})


def show(client, name):
    return client.value(f"show {name}")


def run(client, sql):
    """The answer to a simple query that must not fail."""
    client.send(query(sql))
    answer = client.ready()
    assert not [str(m) for m in answer if m.kind == "E"]
    return answer


def reports(answer):
    """What ParameterStatus messages say, in their order."""
    return [tuple(part.decode() for part in m.body.split(b"\0")[:2]) for m in answer if m.kind == "S"]


def move(gateway, client):
    """Sees to it that the client's next transaction runs on another server than its last."""
    before = client.value("select pg_backend_pid()")
    other = gateway.wire()
    other.rows("begin work")
    if other.value("select pg_backend_pid()") != before:
        # It got the second one: its place is changed with the first.
        third = gateway.wire()
        third.rows("begin work")
        other.rows("commit")
        other.close()
        other = third
    assert client.value("select pg_backend_pid()") != before
    return other


@pytest.mark.parametrize("mode", ("transaction", "statement"))
@pytest.mark.parametrize("how", ("set", "set_config"))
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_reported_setting_follows_its_client(make_gateway, name, how, mode):
    gateway = gateway_of(make_gateway, mode=mode, size=1)
    value = FOLLOWED[name]
    with gateway.wire() as client, gateway.wire() as other:
        before = show(other, name)
        assert before != value
        text = f"set {name} to {value}" if name == "DateStyle" else f"set {name} to '{value}'"
        answer = run(client, text if how == "set" else f"select set_config('{name}', '{value}', false)")
        assert reports(answer) == [(name, value)]
        for _ in range(2):
            assert show(other, name) == before
            assert show(client, name) == value
        assert [r for r in reports(client.transcript) if r[0] == name][-1] == (name, value)
    gateway.wait_idle()


def test_it_follows_to_another_server(make_gateway):
    gateway = gateway_of(make_gateway)
    with gateway.wire() as client:
        run(client, "set timezone to 'Asia/Tokyo'")
        with move(gateway, client) as other:
            assert show(client, "TimeZone") == "Asia/Tokyo"
            assert show(other, "TimeZone") != "Asia/Tokyo"
    gateway.wait_idle()


def test_it_stands_in_the_place_of_a_startup_parameter(make_gateway):
    """However the startup packet spells the name."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire(parameters={"TIMEZONE": "Asia/Tokyo"}) as client, gateway.wire() as other:
        before = show(other, "timezone")
        run(client, "set time zone 'Europe/Berlin'")
        for _ in range(2):
            assert show(other, "timezone") == before
            assert show(client, "timezone") == "Europe/Berlin"
        run(client, "reset timezone")
        assert show(other, "timezone") == before
        assert show(client, "timezone") == "Asia/Tokyo"
    gateway.wait_idle()


@pytest.mark.parametrize("reset", ("reset all", "discard all", "set timezone to default", "reset timezone"))
def test_a_reset_ends_it(make_gateway, reset):
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client, gateway.wire() as other:
        before = show(other, "timezone")
        run(client, "set timezone to 'Asia/Tokyo'")
        assert show(client, "timezone") == "Asia/Tokyo"
        run(client, reset)
        for _ in range(2):
            assert show(client, "timezone") == before
            assert show(other, "timezone") == before
    gateway.wait_idle()


@pytest.mark.parametrize(
    "texts",
    (
        ("begin", "set local timezone to 'Asia/Tokyo'", "commit"),
        ("begin", "set timezone to 'Asia/Tokyo'", "rollback"),
        ("begin", "select set_config('TimeZone', 'Asia/Tokyo', true)", "commit"),
    ),
    ids=("local", "rolled back", "local function"),
)
def test_what_postgres_takes_back_does_not_follow(make_gateway, texts):
    """PostgreSQL says so, and nothing is added to that."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client:
        before = show(client, "timezone")
        told = [report for text in texts for report in reports(run(client, text))]
        assert show(client, "timezone") == before
        del client.transcript[:]
        run(client, "select 1")
        assert told == [("TimeZone", "Asia/Tokyo"), ("TimeZone", before)]
        assert reports(client.transcript) == []
    gateway.wait_idle()


def test_it_outlives_a_reload_that_replaces_the_pool(make_gateway):
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client:
        run(client, "set timezone to 'Asia/Tokyo'")
        gateway.reload(pools={"app": {"application_name": "renewed"}})
        assert show(client, "timezone") == "Asia/Tokyo"
        assert show(client, "application_name") == "renewed"
    gateway.wait_idle()


def test_a_setting_follows_in_a_pool_that_a_reload_has_made(make_gateway):
    """Nobody has logged in there with these startup parameters yet."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire(parameters={"TimeZone": "Asia/Tokyo"}) as client, gateway.wire() as other:
        assert show(client, "timezone") == "Asia/Tokyo"
        before = show(other, "timezone")
        gateway.reload(pools={"app": {"application_name": "renewed"}})
        run(client, "set timezone to 'Europe/Berlin'")
        assert show(other, "timezone") == before
        assert show(client, "timezone") == "Europe/Berlin"
    gateway.wait_idle()


@pytest.mark.parametrize("who", ("own", "another's"))
def test_a_discard_all_takes_nothing_of_the_next_turn(make_gateway, who):
    """The clients ask for no parameters: nothing of the gateway's own runs between the two."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client, gateway.wire() as other:
        run(other if who == "another's" else client, "discard all")
        assert reports(run(client, "set timezone to 'Asia/Tokyo'")) == [("TimeZone", "Asia/Tokyo")]
        assert show(client, "TimeZone") == "Asia/Tokyo"
        assert show(other, "TimeZone") != "Asia/Tokyo"
    gateway.wait_idle()


@pytest.mark.parametrize("end", ("rollback", "rollback to a; commit"))
def test_a_reset_that_is_rolled_back_ends_nothing(make_gateway, end):
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client:
        run(client, "set timezone to 'Asia/Tokyo'")
        for text in ("begin; savepoint a; reset timezone", "select 1", end):
            run(client, text)
        assert show(client, "TimeZone") == "Asia/Tokyo"
    gateway.wait_idle()


def test_discard_all_ends_what_is_the_server_s_own_value_too(make_gateway):
    """The server has nothing to report then; PostgreSQL would go back to the startup packet and say so."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire(parameters={"TimeZone": "Asia/Tokyo"}) as client, gateway.wire() as other:
        default = show(other, "timezone")
        run(client, f"set timezone to '{default}'")
        assert show(client, "timezone") == default
        run(client, "discard all")
        assert show(client, "timezone") == "Asia/Tokyo"
        assert [r for r in reports(client.transcript) if r[0] == "TimeZone"][-1] == ("TimeZone", "Asia/Tokyo")
    gateway.wait_idle()


@pytest.mark.parametrize(
    "general",
    ({"sync_server_parameters": False}, {"startup_parameters": {"TimeZone": "Europe/Berlin"}}),
    ids=("not wanted", "the operator's"),
)
def test_what_does_not_follow_is_told(make_gateway, general):
    gateway = gateway_of(make_gateway, size=1, general=general)
    with gateway.wire() as client:
        before = show(client, "timezone")
        run(client, "set timezone to 'Asia/Tokyo'")
        assert show(client, "timezone") == before
        assert [r for r in reports(client.transcript) if r[0] == "TimeZone"][-1] == ("TimeZone", before)
    gateway.wait_idle()


CONSTANT = "select extract(epoch from '2024-01-01 00:00'::timestamptz)::bigint"


def instant(client, name, prepares):
    """What the statement `name` gives that has a constant to be read in the client's time zone."""
    client.send_together(*([parse(CONSTANT, name)] if prepares else []), bind(statement=name), execute(), sync())
    answer = client.ready()
    assert not [str(m) for m in answer if m.kind == "E"]
    return next(m.values[0] for m in answer if m.kind == "D")


@pytest.mark.parametrize("order", ("before", "behind"))
def test_statements_are_not_shared_with_those_who_have_another_time_zone(make_gateway, order):
    """Neither those prepared before the SET nor those behind it, on one server and on two."""
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire(parameters={"TimeZone": "UTC"}) as plain, gateway.wire(parameters={"TimeZone": "UTC"}) as tokyo:
        if order == "before":
            assert instant(tokyo, "s", True) == b"1704067200"
        run(tokyo, "set timezone to 'Asia/Tokyo'")
        assert instant(tokyo, "s", order == "behind") == b"1704034800"
        assert instant(plain, "s", True) == b"1704067200"
        assert instant(tokyo, "s", False) == b"1704034800"
        assert instant(plain, "s", False) == b"1704067200"
        assert instant(plain, "t", True) == b"1704067200"
        assert instant(tokyo, "t", True) == b"1704034800"
    gateway.wait_idle()


# --- what ends with the transaction -----------------------------------------------------------------------------------


RESETS = ("reset client_encoding", "reset all", "discard all", "begin; reset all; commit")


def reads_what_it_is_told(client, sql="select chr(233)", encoding="latin1"):
    """Its rows come in the encoding that it was told last. Returns that."""
    client.send(query(sql))
    client.ready()
    told = None
    for m in client.transcript:
        if m.kind == "S":
            told = dict(reports([m])).get("client_encoding", told)
    assert [m.values for m in client.transcript if m.kind == "D"][-1] == ["é".encode(encoding)]
    return told


@pytest.mark.parametrize(
    "mode, change, extended",
    [
        (mode, change, extended)
        for mode in ("transaction", "statement", "session")
        for change in RESETS
        for extended in (False, True)
        if ";" not in change or not (extended or mode == "statement")
    ],
)
def test_a_client_is_not_told_of_a_reset_that_is_undone(make_gateway, mode, change, extended):
    """With PostgreSQL a reset leads back to what the startup packet asked for, of which there is nothing to report.
    pgjdbc closes its connection over a value that it has not asked for."""
    gateway = gateway_of(make_gateway, size=1, mode=mode)
    asked = {"client_encoding": "LATIN1", "DateStyle": "German, DMY", "application_name": "mine"}
    with gateway.wire(parameters=asked) as client:
        for _ in range(2):
            start = len(client.transcript)
            if extended:
                client.send_together(parse(change), bind(), execute(), sync())
                client.ready()
            else:
                run(client, change)
            assert reports(client.transcript[start:]) == []
            assert reads_what_it_is_told(client) == "LATIN1"
            # In session mode they are set again in front of the next request, and PostgreSQL says so.
            assert set(reports(client.transcript[start:])) <= (set(asked.items()) if mode == "session" else set())
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
def test_a_client_is_told_of_a_reset_in_its_transaction(make_gateway, mode):
    """The driver decodes by what it was told last: behind the transaction that is what its startup packet asked for."""
    gateway = gateway_of(make_gateway, size=1, mode=mode)
    with gateway.wire(parameters={"client_encoding": "LATIN1"}) as client:
        run(client, "begin work")
        assert reports(run(client, "reset client_encoding")) == [("client_encoding", "UTF8")]
        assert reads_what_it_is_told(client, encoding="utf8") == "UTF8"
        run(client, "commit")
        assert reads_what_it_is_told(client) == "LATIN1"
        # Where the transaction is rolled back the reset is, too.
        run(client, "begin work")
        run(client, "reset client_encoding")
        run(client, "rollback")
        assert reads_what_it_is_told(client) == "LATIN1"
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize("change", RESETS)
@pytest.mark.parametrize("asked", ("LATIN1", "UTF8"))
def test_a_client_is_told_of_a_reset_of_its_own_change(make_gateway, mode, change, asked):
    gateway = gateway_of(make_gateway, size=1, mode=mode)
    with gateway.wire(parameters={"client_encoding": asked}) as client:
        run(client, "set client_encoding to LATIN9")
        assert reads_what_it_is_told(client, encoding="latin9") == "LATIN9"
        run(client, change)
        assert reads_what_it_is_told(client, encoding="latin1" if asked == "LATIN1" else "utf8") == asked
    gateway.wait_idle()


@pytest.mark.parametrize("mode", ("transaction", "session"))
@pytest.mark.parametrize(
    "steps",
    [
        ["reset statement_timeout; set client_encoding to LATIN9"],
        ["set client_encoding to LATIN9", "begin work", "reset client_encoding", "rollback"],
        [
            "set timezone to 'Europe/Berlin'",
            "begin work",
            "reset work_mem",
            "set local timezone to 'Asia/Tokyo'",
            "commit",
        ],
    ],
)
def test_a_client_is_told_of_what_it_has_set_beside_a_reset(make_gateway, mode, steps):
    """A report of another value than the server's own is of something that was set: it is not withheld."""
    gateway = gateway_of(make_gateway, size=1, mode=mode)
    with gateway.wire(parameters={"client_encoding": "LATIN1", "TimeZone": "Europe/Paris"}) as client:
        for sql in steps:
            run(client, sql)
        for name in ("client_encoding", "TimeZone"):
            assert client.value(f"show {name}") == dict(reports(client.transcript))[name]
    gateway.wait_idle()


def test_a_client_is_told_of_the_end_of_what_does_not_follow(make_gateway):
    gateway = gateway_of(make_gateway, size=1)
    with gateway.wire() as client:
        found = []
        for sql in ("set default_transaction_read_only to on", "select 1", "select 2"):
            found += reports(run(client, sql))
        assert found == [("default_transaction_read_only", "on"), ("default_transaction_read_only", "off")]
        run(client, "create temporary table writes (a int) on commit drop")
    gateway.wait_idle()
