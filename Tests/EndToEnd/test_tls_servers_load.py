"""Many clients and few servers, much data, all of it inside TLS on both sides: no byte goes astray, servers move
between workers, memory stays flat."""

import hashlib
import os
import random
import select
import subprocess

import pytest

from certificates import authority
from handshakes import Handshake, handshakes_begun
from memory import MEGABYTE, Memory, send_all, swallow
from polling import wait_until
from server import executable
from threads import in_threads
from tls_servers import TRUST, handshakes, servers_of, tls_pool
from wire import copy_data, copy_done, query

METHODS = pytest.mark.parametrize("method", ("epoll", "io_uring"))

#: Every answer is checked by the script itself: a wrong one divides by zero, and pgbench gives up.
SCRIPT = r"""
\set x random(1, 1000000)
\set n random(1, 30000)
select :x * 3 as triple, pg_backend_pid() as pid \gset
\if :triple <> :x * 3
select 1 / 0;
\endif
begin;
select length(repeat('y', :n)) as size, pg_backend_pid() as first \gset
select :x + 1 as next, pg_backend_pid() as second \gset
commit;
\if :size <> :n or :next <> :x + 1 or :first <> :second
select 1 / 0;
\endif
select word as word, substr(repeat('abcdefghij', 3000), :n, 1) as letter from numbers where id = 1 + :x % 1000 \gset
"""


def both_sides(secured, **options):
    """General settings and a pool: TLS towards clients and servers."""
    own = authority("ours").server()
    general = {"tls_certificate": str(own.certificate), "tls_private_key": str(own.key), "worker_threads": 2}
    ca = authority("databases").certificate
    return tls_pool(secured, "verify-full", tls_ca_cert=ca, **options), general


@METHODS
@pytest.mark.parametrize("protocol", ("simple", "prepared"))
def test_many_clients_share_two_servers(make_gateway, secured, tmp_path, method, protocol):
    settings, general = both_sides(secured, size=2)
    gateway = make_gateway({"app": settings}, general | {"io_method": method}, hba=TRUST)
    script = tmp_path / "script"
    # A thread for each client: pgbench prepares while all others of its thread wait, servers in hand.
    script.write_text(SCRIPT)
    done = subprocess.run(
        [
            executable("pgbench"), "-n", "-f", script, "-c", "16", "-j", "16", "-t", "40", "-M", protocol,
            "-h", gateway.host, "-p", str(gateway.port), "-U", "app", "app",
        ],
        env={**os.environ, "PGSSLMODE": "verify-ca", "PGSSLROOTCERT": str(authority("ours").certificate)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + gateway.tail()
    assert "number of transactions actually processed: 640/640" in done.stdout, done.stdout
    assert int(handshakes(gateway)["handshakes"]) == 2, "servers are opened once"
    assert int(handshakes(gateway, "clients")["handshakes"]) >= 16
    rows = servers_of(gateway)
    assert len(rows) == 2 and {row["tls"] for row in rows} == {"true"}
    gateway.wait_idle()


@METHODS
@pytest.mark.parametrize("encrypted", (True, False))
def test_big_results(make_gateway, secured, method, encrypted):
    """32 MiB from a server inside TLS to a client inside TLS, and to one in clear text."""
    settings, general = both_sides(secured)
    gateway = make_gateway({"app": settings}, general | {"io_method": method}, hba=TRUST)
    count, size = 320, 100 * 1024
    with Memory(gateway) as memory:
        mode = "require" if encrypted else "disable"
        done = subprocess.run(
            [
                executable("psql"), "-XAtq", "-c", f"select repeat(chr(65 + i % 26), {size}) from "
                f"generate_series(1, {count}) i", f"host={gateway.host} port={gateway.port} user=app sslmode={mode}",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=80,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = hashlib.sha256()
    for i in range(1, count + 1):
        expected.update(bytes([65 + i % 26]) * size + b"\n")
    assert hashlib.sha256(done.stdout).digest() == expected.digest()
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
    gateway.wait_idle()


@METHODS
def test_a_client_that_does_not_read_stops_its_server_only(make_gateway, secured, method):
    """What comes in by TLS and cannot go out waits at PostgreSQL, not in the gateway."""
    settings, general = both_sides(secured, size=3)
    gateway = make_gateway({"app": settings}, general | {"io_method": method}, hba=TRUST)
    waits = "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'ClientWrite'"
    with Memory(gateway) as memory:
        slow = [gateway.wire("app", receive_buffer=4096) for _ in range(2)]
        for client in slow:
            client.send(query("select repeat('s', 100000) from generate_series(1, 300)"))
        wait_until(lambda: secured.value(waits) == 2, "the servers wait for their clients", 20)
        with gateway.wire("app") as client:
            for _ in range(200):
                assert client.value("select 1") == "1"
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
    for client in slow:
        assert sum(1 for kind, _ in swallow(client) if kind == "D") == 300
        assert client.value("select 1") == "1"
        client.close()
    gateway.wait_idle()


@METHODS
def test_copy_in_and_out(make_gateway, secured, method):
    settings, general = both_sides(secured, size=1)
    gateway = make_gateway({"app": settings}, general | {"io_method": method}, hba=TRUST)
    generator = random.Random(11)
    lines = [f"{i}\t{generator.randbytes(generator.randrange(1, 4000)).hex()}\n".encode() for i in range(5000)]
    with gateway.wire("app", timeout=30) as client, Memory(gateway) as memory:
        client.rows("begin")
        client.send(query("copy sink from stdin"))
        client.until("G")
        send_all(client, *[copy_data(line) for line in lines], copy_done())
        assert client.ready()[0].tag == f"COPY {len(lines)}"
        client.send(query("copy (select * from sink order by a) to stdout"))
        found = [m.body for m in client.ready() if m.kind == "d"]
        client.rows("rollback")
    assert found == lines
    assert memory.grown < 16 * MEGABYTE, f"{memory.grown >> 20} MiB"
    gateway.wait_idle()


@METHODS
def test_sizes_around_a_record(make_gateway, secured, method):
    """Messages that end just before, at and behind the border of a TLS record, both ways, many at once."""
    settings, general = both_sides(secured, size=2)
    gateway = make_gateway({"app": settings}, general | {"io_method": method}, hba=TRUST)

    def work(number):
        generator = random.Random(number)
        with gateway.wire("app", timeout=40) as client:
            for border in (1 << 14, 1 << 15, 1 << 16, 1 << 17):
                for size in range(border - 45, border + 3, 3):
                    letter = chr(65 + generator.randrange(26))
                    client.send(query(f"select repeat('{letter}', {size}), length('{letter * size}')"))
                    answer = client.ready()
                    assert answer[1].values == [letter.encode() * size, str(size).encode()], size

    in_threads(4, work)
    gateway.wait_idle()


FLOOD = 300


def test_a_server_is_opened_while_300_clients_shake_hands(make_gateway, secured):
    """One worker, costly signatures, as when an application comes back: the handshake with the server has its turn, or
    `connect_timeout` would pass in the gateway's own queue.

    Counted in handshakes and not in seconds, so that a slow machine changes nothing.
    """
    settings, general = both_sides(secured, size=2)
    costly = authority("slow", "rsa").server(kind="rsa")
    general |= {"tls_certificate": str(costly.certificate), "tls_private_key": str(costly.key)}
    general |= {"worker_threads": 1, "max_connections": 1000}
    gateway = make_gateway({"app": settings}, general, hba=TRUST)
    hello = Handshake().flight()
    with gateway.wire("app") as holder, gateway.wire("app") as asker:
        holder.rows("begin; select 1")
        assert len(servers_of(gateway)) == 1
        flood = handshakes_begun(gateway, FLOOD)
        poller = select.poll()
        for client in flood:
            poller.register(client, select.POLLIN)
        for client in flood:
            client.sendall(hello)
        assert asker.value("select 1") == "1"
        answered = len(poller.poll(0))
        assert len(servers_of(gateway)) == 2
        holder.rows("rollback")
        for client in flood:
            client.close()
    assert answered < FLOOD * 3 / 4, f"{answered} of {FLOOD} went first"
    gateway.wait_idle()
