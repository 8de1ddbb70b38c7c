"""The same bytes sent to PostgreSQL and through the gateway must be answered by the same messages.

However the bytes are cut: whole, at random places, byte by byte.
"""

import random
import struct

import pytest

from comparing import comparable, fail_if_different
from polling import wait_until
from scripts import SCRIPTS
from wire import byte_by_byte, copy_done, query, random_splits, whole

CASES = [pytest.param(script, mode, id=f"{script.name}-{mode}") for script in SCRIPTS for mode in script.modes]

_expected = {}


def play(client, script):
    del client.transcript[:]
    with client:
        script.run(client)
    return [comparable(m) for m in client.transcript]


def expected_answer(postgres, script):
    if script.name not in _expected:
        _expected[script.name] = play(postgres.wire("app_trust", "app"), script)
    return _expected[script.name]


@pytest.mark.parametrize("script, mode", CASES)
def test_same_answer(postgres, target, script, mode):
    expected = expected_answer(postgres, script)
    splits = {"whole": whole, "random 1": random_splits(1), "random 2": random_splits(2)}
    if not script.large:
        splits["byte by byte"] = byte_by_byte
    for name, split in splits.items():
        found = play(target.wire(mode, split=split), script)
        fail_if_different(expected, found, f"sent {name}")


def test_parameters_of_the_greeting(postgres, target):
    """The client learns the same parameters as from PostgreSQL."""
    with postgres.wire("app_trust", "app") as direct:
        expected = dict(direct.parameters)
    for mode in ("session", "transaction"):
        with target.wire(mode) as client:
            found = dict(client.parameters)
        assert found.keys() >= expected.keys()
        for name in expected.keys() - {"application_name"}:
            assert found[name] == expected[name], name


def test_many_scripts_in_one_session(postgres, target):
    """One client plays the scripts in a random order: nothing of one script reaches the next."""
    scripts = [s for s in SCRIPTS if not s.large and not s.ends and "transaction" in s.modes]
    for mode in ("session", "transaction"):
        generator = random.Random(3)
        with target.wire(mode, split=random_splits(3)) as client:
            for script in generator.sample(scripts, len(scripts)):
                expected = expected_answer(postgres, script)
                del client.transcript[:]
                script.run(client)
                found = [comparable(m) for m in client.transcript]
                fail_if_different(expected, found, script.name)


def test_a_notification_reaches_an_idle_session(postgres, target):
    with target.wire("session") as listener:
        listener.rows("listen news")
        with postgres.admin() as admin:
            admin.execute("select pg_notify('news', 'from outside')")
        answer = listener.receive()
        assert answer.kind == "A" and answer.body[4:] == b"news\0from outside\0"
        assert listener.value("select 1") == "1"


def test_a_parameter_changed_from_outside(postgres, target):
    """PostgreSQL reports it with the next answer."""
    with target.wire("session") as client:
        client.rows("select 1")
        try:
            with postgres.admin() as admin:
                admin.execute("alter system set intervalstyle = 'iso_8601'")
                admin.execute("select pg_reload_conf()")

            def reported():
                client.send(query("select 1"))
                return [m for m in client.ready() if m.kind == "S"]

            assert wait_until(reported, "the ParameterStatus")[0].body == b"IntervalStyle\0iso_8601\0"
            assert client.value("select interval '1 day'") == "P1D"
        finally:
            with postgres.admin() as admin:
                admin.execute("alter system reset intervalstyle")
                admin.execute("select pg_reload_conf()")


@pytest.mark.parametrize("mode", ("session", "transaction"))
@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"y\0\0\0\4", id="unknown message type"),
        pytest.param(b"Q\0\0\0\0", id="length 0"),
        pytest.param(b"Q\0\0\0\3", id="length 3"),
        pytest.param(b"Q\xff\xff\xff\xff", id="length -1"),
        pytest.param(b"Q\x80\0\0\0", id="length -2^31"),
        pytest.param(b"Q\x7f\xff\xff\xff", id="length 2^31-1"),
        pytest.param(b"X\x7f\xff\xff\xff", id="Terminate of 2^31-1"),
        pytest.param(b"S\x3f\xff\xff\xff", id="Sync of a GiB"),
        pytest.param(b"\0\0\0\0\4", id="type NUL"),
        pytest.param(b"\xff\0\0\0\4", id="type 255"),
    ],
)
def test_broken_framing_ends_the_session(target, mode, hostile):
    """Both idle and in a transaction: FATAL 08P01 (or 54000 for a size) or, as PostgreSQL does for lengths, a close."""
    for before in ((), (query("begin"),)):
        with target.wire(mode, timeout=5) as client:
            client.send(*before)
            client.ready(len(before))
            client.send(hostile)
            answer = client.until_closed()
            for one in answer:
                assert one.kind == "E", one
                assert one.fields["S"] == "FATAL", one
                assert one.sqlstate in ("08P01", "54000"), one


@pytest.mark.parametrize("mode", ("session", "transaction"))
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"select 1", id="no NUL"),
        pytest.param(b"select 1\0rest\0", id="bytes behind the NUL"),
        pytest.param(b"select '\xff\xfe'\0", id="bad UTF-8"),
    ],
)
def test_broken_bodies_are_answered_as_by_postgresql(postgres, target, mode, body):
    frame = b"Q" + struct.pack(">i", len(body) + 4) + body

    def run(client):
        del client.transcript[:]
        with client:
            client.send(
                frame,
                query("select 2"),
                b"P\0\0\0\5\0",
                b"S\0\0\0\4",
                b"B\0\0\0\5\0",
                b"S\0\0\0\4",
                copy_done(),
                query("select 3"),
            )
            client.ready(5)
        return list(client.transcript)

    expected = run(postgres.wire("app_trust", "app"))
    found = run(target.wire(mode))
    fail_if_different(expected, found, "broken bodies")
