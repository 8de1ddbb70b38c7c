"""The tools themselves: the wire client against PostgreSQL, the fake server against a real driver."""

import os
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from fakeserver import FakeServer, ScramServer, error, greeting, one_row
from polling import wait_until
from server import PASSWORDS
from wire import LoginRefused, Wire, cancel_request, query


@pytest.mark.parametrize("user", PASSWORDS)
def test_wire_logs_in_with_every_method(postgres, user):
    with postgres.wire(user, "app") as client:
        assert client.value("select current_user") == user
    expected = {"app_md5": "md5", "app_plain": "password", "app_trust": "ok"}.get(user, "scram")
    with Wire(postgres.socket_dir, postgres.port).login(user, "app", PASSWORDS[user]) as client:
        assert client.value("select current_user") == user
    with Wire(postgres.host, postgres.port) as client:
        try:
            client.login(user, "app", "wrong")
        except LoginRefused as refusal:
            assert refusal.sqlstate == "28P01"
            assert client.method == expected
        else:
            assert expected == "ok"


def test_wire_cancels(postgres):
    with postgres.wire("app", "app") as client, Wire(postgres.host, postgres.port) as canceller:
        client.send(query("select pg_sleep(20)"))
        wait_until(postgres.sleeping, "the query runs")
        canceller.send(cancel_request(client.pid, client.secret))
        canceller.until_closed()
        assert client.ready()[-2].sqlstate == "57014"


def test_fake_server_answers_a_driver():
    scram = ScramServer("right")

    def script(peer):
        peer.startup()
        scram.play(peer)
        peer.send(greeting())
        peer.until("Q")
        peer.send(one_row(b"42"))
        peer.until("Q")
        peer.send(error("57P01", "bye", "FATAL"))

    with FakeServer(script) as server:

        def connect(password):
            return psycopg.connect(
                host=server.host,
                port=server.port,
                user="u",
                password=password,
                sslmode="disable",
                gssencmode="disable",
                autocommit=True,
            )

        with psycopg.ClientCursor(connect("right")) as cursor:
            assert cursor.execute("select 42").fetchone() == ("42",)
            with pytest.raises(psycopg.errors.AdminShutdown):
                cursor.execute("select 43")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect("wrong")
        assert server.problems == []


def test_fake_server_wrong_signature_is_noticed_by_libpq():
    def script(peer):
        peer.startup()
        ScramServer("right").play(peer, signature=b"x" * 32)
        peer.send(greeting())

    with FakeServer(script) as server:
        with pytest.raises(psycopg.OperationalError, match="signature"):
            psycopg.connect(
                host=server.host, port=server.port, user="u", password="right", sslmode="disable", gssencmode="disable"
            )


def test_a_problem_of_a_script_fails_its_test():
    def script(peer):
        assert peer.exactly(1) == b"a", "not what was to come"

    def play(said):
        with FakeServer(script) as server, Wire(server.host, server.port) as client:
            client.send(said)
            assert client.until_closed() == []
            # The problem is noted before the connection is closed.

    play(b"a")
    with pytest.raises(AssertionError, match="not what was to come"):
        play(b"b")


@pytest.mark.parametrize("said, is_nothing", ((b"", True), (b"S", False), (b"S\0\0\0\x10abc", False), (None, False)))
def test_nothing_comes_means_not_a_byte(said, is_nothing):
    """Not a part of a message, either, nor a close."""
    over = threading.Event()

    def script(peer):
        if said is not None:
            peer.send(said)
            over.wait(20)

    with FakeServer(script) as server, Wire(server.host, server.port) as client:
        if not is_nothing:
            wait_until(lambda: client._readable(0), "it comes")
        assert client.nothing_comes(0.05) == is_nothing
        over.set()


INSTALL = Path(__file__).resolve().parents[2] / "scripts/install"


@pytest.mark.parametrize("status", (0, 100))
def test_services_may_start_again_after_an_installation(tmp_path, status):
    """For a user with sudo, also when apt fails."""
    policy = tmp_path / "policy-rc.d"
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts/install"
    script.write_text(INSTALL.read_text().replace("/usr/sbin/policy-rc.d", str(policy)))
    words = {
        "id": "echo 1000",
        "dpkg-query": "exit 1",
        "sudo": f'echo "$1" >> {tmp_path}/sudo; exec "$@"',
        "apt-get": f"test -x {policy} && exit {status}",
        "swift": "exit 0",
    }
    (tmp_path / "bin").mkdir()
    for name, text in words.items():
        stub = tmp_path / "bin" / name
        stub.write_text(f"#!/bin/sh\n{text}\n")
        stub.chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    done = subprocess.run(["bash", str(script), "build"], env={**os.environ, "PATH": path}, capture_output=True)
    assert done.returncode == status, done.stderr
    wanted = ["tee", "chmod", "apt-get", *(["env"] if status == 0 else []), "rm"]
    assert (tmp_path / "sudo").read_text().split() == wanted
    assert not policy.exists()
