"""Method `peer`: the operating system says who comes in by the unix socket; maps say who that may be."""

import os
import pwd
import shutil
import subprocess
import tempfile

import pytest

from gateway import ADMIN, pool
from polling import wait_until
from wire import LoginRefused

ME = pwd.getpwuid(0).pw_name


@pytest.fixture
def socket_folder():
    """A folder that every user of the system can reach."""
    folder = tempfile.mkdtemp(prefix="pggateway-e2e-sockets-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def peer_gateway(make_gateway, postgres, socket_folder):
    """A gateway on a unix socket with these rules and maps; user `app_trust` needs no secret at the server."""

    def make(rules, maps=None, **general):
        users = [{"username": user, "password": "", "pool_size": 2} for user in ("app_trust", "root", "app")]
        pools = {"app": pool(postgres, users_=users)}
        pools["app"]["server_host"] = "127.0.0.1"
        settings = {"unix_socket_dir": str(socket_folder), "unix_socket_mode": "0777", **general}
        if maps is not None:
            settings["pg_ident"] = {"content": maps}
        return make_gateway(pools, general=settings, hba=f"host pggateway {ADMIN} 127.0.0.1/32 md5\n" + rules)

    return make


def outcome(gateway, user, **options):
    try:
        with gateway.wire(user, "app", unix=True, **options) as client:
            assert client.method == "ok"
            return client.value("select current_user")
    except LoginRefused as refusal:
        return refusal.sqlstate


def as_user(name, gateway, user):
    """The same as another user of the operating system."""
    entry = pwd.getpwnam(name)
    command = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", shutil.which("psql")]
    done = subprocess.run(
        [*command, "-XAtw", "-h", gateway.settings["general"]["unix_socket_dir"], "-p", str(gateway.port)]
        + ["-U", user, "-d", "app", "-c", "select current_user"],
        capture_output=True, text=True, cwd="/", timeout=20,
    )
    return done.stdout.strip() or done.stderr


def test_without_a_map_the_names_are_the_same(peer_gateway):
    gateway = peer_gateway("local all all peer\n")
    assert outcome(gateway, "app_trust") == "28000"
    reasons = {row["reason"] for row in gateway.console("SHOW AUDIT FAILURES")}
    assert reasons == {"peer_mismatch"}
    gateway.wait_for_log(lambda log: f'system user "{ME}" is not "app_trust"' in log.replace('\\"', '"'), "the reason")


def test_a_map_says_who_may_be_whom(peer_gateway):
    gateway = peer_gateway(
        "local all all peer map=people\n",
        f"people {ME} app_trust\npeople nobody app_trust\npeople /^(.*)body$ no\\1\n",
    )
    assert outcome(gateway, "app_trust") == "app_trust"
    assert outcome(gateway, "app") == "28000"
    assert as_user("nobody", gateway, "app_trust") == "app_trust"
    assert "Peer authentication failed" in as_user("nobody", gateway, "app")
    assert "Peer authentication failed" in as_user("daemon", gateway, "app_trust")


def test_an_unknown_user_is_refused(peer_gateway):
    gateway = peer_gateway("local all all peer map=any\n", f"any {ME} all\n")
    assert outcome(gateway, "app_trust") == "app_trust"
    assert outcome(gateway, "stranger") == "28P01"


def test_a_map_that_does_not_exist_refuses_and_is_told(peer_gateway):
    gateway = peer_gateway("local all all peer map=nowhere\n")
    assert outcome(gateway, "app_trust") == "28000"
    assert 'map \\"nowhere\\"' in gateway.log() or "nowhere" in gateway.log()


def test_the_console_by_peer(peer_gateway):
    gateway = peer_gateway(f"local pggateway {ADMIN} peer map=ops\n", f"ops {ME} {ADMIN}\n")
    with gateway.wire(ADMIN, "pggateway", unix=True) as console:
        assert console.method == "ok"
        assert console.dicts("SHOW VERSION")


def test_maps_are_reloaded(peer_gateway):
    gateway = peer_gateway("local all all peer map=people\n", "people nobody app_trust\n")
    assert outcome(gateway, "app_trust") == "28000"
    gateway.reload(general={"pg_ident": {"content": f"people {ME} app_trust\n"}})
    wait_until(lambda: outcome(gateway, "app_trust") == "app_trust", "the new map counts")


def test_a_bad_map_refuses_the_reload(peer_gateway):
    gateway = peer_gateway("local all all peer map=people\n", f"people {ME} app_trust\n")
    with gateway.console_wire() as console:
        gateway.change(general={"pg_ident": {"content": "people /( app_trust\n"}})
        error = console.error("RELOAD")
        assert "general.pg_ident:1" in error["M"], error
    assert outcome(gateway, "app_trust") == "app_trust"
