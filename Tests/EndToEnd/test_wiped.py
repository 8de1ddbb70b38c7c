"""A password in clear text or a token that is needed no more is nowhere in the gateway's memory after its login.

Nor is what is as good as a password and is made of one: keys of SCRAM, md5 hashes.
"""

import base64
import hashlib
import hmac
import re

import pytest

import tokens
from gateway import ADMIN, pool
from polling import wait_until
from server import PASSWORDS
from tlswire import start as start_secured
from tlswire import tls_wire
from wire import byte_by_byte, message, password_message, query, startup

RULES = f"""
local all all password
host pggateway {ADMIN} 127.0.0.1/32 md5
host all app_trust 127.0.0.1/32 trust
host all all 127.0.0.1/32 password
"""
PASSWORD = PASSWORDS["app"]
MAPPED = {"server_username": "app_trust", "server_password": "x", "pool_size": 2}


def found(gateway, secret):
    """Where `secret` stands in writable memory of the process: what precedes it, for the message of an assertion."""
    places = []
    with open(f"/proc/{gateway.process.pid}/maps") as maps, open(f"/proc/{gateway.process.pid}/mem", "rb") as memory:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if not rights.startswith("rw"):
                continue
            memory.seek(int(begin, 16))
            try:
                content = memory.read(int(end, 16) - int(begin, 16))
            except OSError:
                # What the process has reserved and not touched.
                continue
            at = content.find(secret)
            while at >= 0:
                places.append((line.split()[-1], bytes(content[max(0, at - 16) : at + len(secret) + 8])))
                at = content.find(secret, at + 1)
    return places


def is_gone(gateway, secret):
    """Other threads may be on their way to wipe what they had."""
    secret = secret if isinstance(secret, bytes) else secret.encode()
    wait_until(lambda: not found(gateway, secret), lambda: f"found: {found(gateway, secret)}")


@pytest.fixture
def checked(make_gateway, postgres, tmp_path):
    """A gateway that has the user's secret as SCRAM verifier only, and needs no password for its servers."""
    users = [{"username": name, "password": postgres.secrets[name], **MAPPED} for name in ("app", "app_trust")]
    tmp_path.chmod(0o755)
    return make_gateway({"app": pool(postgres, users_=users)}, {"unix_socket_dir": str(tmp_path)}, hba=RULES)


def test_what_is_searched_for_can_be_found(checked):
    """The search itself: a query that waits for its end stands in memory."""
    with checked.wire("app_trust", "app") as client:
        client.send(message("Q", b"select 'Needle-in-a-haystack'")[:-4])
        wait_until(lambda: found(checked, b"Needle-in-a-hay"), "it is found")


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_password(checked, unix):
    with checked.wire("app", "app", PASSWORD, unix=unix) as client:
        assert client.value("select 1") == "1"
        is_gone(checked, PASSWORD)
    is_gone(checked, PASSWORD)


def test_wrong_password(checked):
    with checked.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send(password_message("Not-this-one-4711"))
        assert client.receive().sqlstate == "28P01"
    is_gone(checked, "Not-this-one-4711")


def test_password_that_comes_in_pieces(checked):
    """What has come of it is held back meanwhile."""
    with checked.wire(login=False, split=byte_by_byte) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send(password_message(PASSWORD))
        client.ready()
        is_gone(checked, PASSWORD[3:])


def test_password_with_a_query_behind_it(checked):
    with checked.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send_together(password_message(PASSWORD), query("select 1"))
        client.ready(2)
        is_gone(checked, PASSWORD)


def test_password_of_a_client_that_leaves(checked):
    with checked.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send(password_message(PASSWORD)[:-3])
    # Nothing else is asked of the gateway, which would write over it.
    is_gone(checked, PASSWORD[:-3])


def test_password_under_tls(make_gateway, postgres):
    users = [{"username": "app", "password": postgres.secrets["app"], **MAPPED}]
    gateway = start_secured(make_gateway, pools={"app": pool(postgres, users_=users)},
                            hba="local all all trust\nhostssl all all all password\n")
    with tls_wire(gateway, "app", "app", password=PASSWORD) as client:
        assert client.value("select 1") == "1"
        is_gone(gateway, PASSWORD)


def test_a_password_that_opens_servers_stands_once(make_gateway, postgres):
    """Passed through to servers, it is kept by the pool for those to come, and there alone."""
    users = [{"username": "app", "password": postgres.secrets["app"], "pool_size": 2}]
    gateway = make_gateway({"app": pool(postgres, users_=users)}, hba=RULES)
    with gateway.wire("app", "app", PASSWORD) as client:
        assert client.value("select 1") == "1"
        wait_until(lambda: len(found(gateway, PASSWORD.encode())) == 1, lambda: found(gateway, PASSWORD.encode()))


def opening_servers_as(make_gateway, postgres, user):
    """A gateway that lets one client in unasked and opens its servers as `user`, with the password in clear text."""
    client = {"username": "app_trust", "password": postgres.secrets["app_trust"], "pool_size": 2,
              "server_username": user, "server_password": PASSWORDS[user]}
    return make_gateway({"app": pool(postgres, users_=[client])}, hba=RULES)


def test_keys_that_open_servers_stand_once(make_gateway, postgres):
    """The pool keeps them, so that the next server does not cost thousands of rounds."""
    rounds, salt = re.match(r"SCRAM-SHA-256\$(\d+):([^$]+)\$", postgres.secrets["app"]).groups()
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(salt), int(rounds))
    keys = [hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key")]
    gateway = opening_servers_as(make_gateway, postgres, "app")
    with gateway.wire("app_trust", "app") as one, gateway.wire("app_trust", "app") as other:
        for client in (one, other):
            client.send(query("begin"))
            client.ready()
        is_gone(gateway, salted)
        for key in keys:
            wait_until(lambda: len(found(gateway, key)) == 1, lambda: f"found: {found(gateway, key)}")


def test_md5_hash_of_a_password(make_gateway, postgres):
    digits = postgres.secrets["app_md5"].removeprefix("md5")
    gateway = opening_servers_as(make_gateway, postgres, "app_md5")
    with gateway.wire("app_trust", "app") as client:
        assert client.value("select 1") == "1"
        is_gone(gateway, digits)
        is_gone(gateway, bytes.fromhex(digits))


def test_token(make_gateway, postgres, tmp_path):
    """By an algorithm that OpenSSL checks: libjwt, which checks others, frees a copy of the token as it is."""
    tmp_path.chmod(0o755)
    key = tokens.private_key("ed25519")
    (tmp_path / "keys").write_text(tokens.public_pem(key))
    users = [{"username": "app", "password": "", **MAPPED}]
    rules = f"host pggateway {ADMIN} 127.0.0.1/32 md5\nhost all all 127.0.0.1/32 jwt keys={tmp_path}/keys\n"
    gateway = make_gateway({"app": pool(postgres, users_=users)}, hba=rules)
    token = tokens.token(key, "EdDSA")
    with gateway.wire("app", "app", token) as client:
        assert client.value("select 1") == "1"
        is_gone(gateway, token[-60:])
