"""Logins by token: method `jwt`, users with a key file, token life, tokens for servers, Talos."""

import struct
import subprocess
import time

import jwt
import pytest

import tokens
from fakeserver import FakeServer, minting_server
from gateway import ADMIN, pool
from polling import wait_until
from wire import LoginRefused, message, query, startup

CONSOLE = f"host pggateway {ADMIN} 127.0.0.1/32 md5\n"


def refusal(gateway, user, password, database="app"):
    with pytest.raises(LoginRefused) as caught:
        gateway.wire(user, database, password)
    return caught.value.sqlstate, caught.value.fields["M"]


def refused(gateway, user, password, database="app"):
    return refusal(gateway, user, password, database)[0] == "28P01"


def whoami(gateway, user, password, database="app"):
    with gateway.wire(user, database, password) as client:
        return client.value("select current_user")


@pytest.fixture(scope="module")
def key():
    return tokens.private_key()


@pytest.fixture
def make(make_gateway, postgres, tmp_path):
    """A gateway whose users `app` and `other` work at the server as `app_trust`."""
    tmp_path.chmod(0o755)

    def make(rules, maps=None, users=None, general=None, **options):
        users = users or [
            {"username": name, "password": "", "server_username": "app_trust", "server_password": "x", "pool_size": 2}
            for name in ("app", "other")
        ]
        pools = {"app": pool(postgres, users_=users)}
        general = {**(general or {}), **({"pg_ident": {"content": maps}} if maps else {})}
        return make_gateway(pools, general=general, hba=CONSOLE + rules.replace("FOLDER", str(tmp_path)), **options)

    return make


# --- the method -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "algorithm,kind",
    [("RS256", "rsa"), ("RS384", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("ES384", "p384")]
    + [("EdDSA", "ed25519")],
)
@pytest.mark.parametrize("form", ["pem", "set"])
def test_every_algorithm(make, tmp_path, algorithm, kind, form):
    own = tokens.private_key(kind)
    (tmp_path / "keys").write_text(tokens.public_pem(own) if form == "pem" else tokens.key_set(a=own))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/keys\n")
    good = tokens.token(own, algorithm, kid="a")
    assert whoami(gateway, "app", good) == "app_trust"
    assert refused(gateway, "app", tokens.token(tokens.private_key(kind), algorithm, kid="a"))
    assert refused(gateway, "other", good), "another user's token on the warm pool"
    assert whoami(gateway, "app", good) == "app_trust"
    assert good not in gateway.log()


def test_bad_tokens_on_a_warm_pool(make, tmp_path, key):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem audience=db issuer=me leeway=0\n")
    claims = {"aud": ["db", "x"], "iss": "me"}
    good = tokens.token(key, **claims)
    assert whoami(gateway, "app", good) == "app_trust"
    now = int(time.time())
    bad = [
        "secret", good[:-8], good[: len(good) // 2], tokens.confused(key), tokens.unsigned(), "\x7f" * 70, "..",
        tokens.token(key, life=-1, **claims), tokens.token(key, **{**claims, "aud": "y"}),
        tokens.token(key, **{**claims, "iss": "y"}), tokens.token(key, nbf=now + 60, **claims),
        tokens.token(key, **{**claims, "iat": now + 60}), tokens.token(key, **{**claims, "exp": None}),
        tokens.token(key, user="other", **claims), tokens.token(key, user=None, **claims),
        good + "A" * 60_000,
    ]
    seen = {refusal(gateway, "app", each) for each in bad}
    assert len(seen) == 1 and next(iter(seen))[0] == "28P01", seen
    assert whoami(gateway, "app", good) == "app_trust"
    reasons = {row["reason"] for row in gateway.console("SHOW AUDIT FAILURES")}
    assert reasons == {"proof_wrong"}
    log = gateway.log()
    for part in ("has expired", "signature is wrong", "another audience", "another issuer", "another user's"):
        assert part in log, part
    assert not any(each in log for each in bad if len(each) > 20)


def test_token_of_64_kib_and_beyond(make, tmp_path, key):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem\n")
    large = tokens.token(key, pad="x" * 48_000)
    assert 64_000 < len(large) < 65_535
    assert whoami(gateway, "app", large) == "app_trust"
    assert refusal(gateway, "app", tokens.token(key, pad="x" * 60_000))[0] == "08P01"
    assert whoami(gateway, "app", tokens.token(key)) == "app_trust"


@pytest.mark.parametrize("password", [b"", b"\xff\xfe\xc0.\x80.\xff", b"." * 60_000])
def test_passwords_that_are_no_text(make, tmp_path, key, password):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem\n")
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        assert client.receive().body == struct.pack(">i", 3)
        client.send(message("p", password + b"\0"))
        assert client.receive().sqlstate == "28P01"


def test_a_map_says_which_user_a_claim_is(make, tmp_path, key):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make(
        "host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem user_claim=email map=people\n",
        "people /^(.*)@example.org$ \\1\npeople ops@example.com all\n",
    )
    assert whoami(gateway, "app", tokens.token(key, user=None, email="app@example.org")) == "app_trust"
    assert refused(gateway, "other", tokens.token(key, user=None, email="app@example.org"))
    assert whoami(gateway, "other", tokens.token(key, user=None, email="ops@example.com")) == "app_trust"
    assert refused(gateway, "app", tokens.token(key, user=None, email="app"))


def test_a_token_does_not_open_the_console(make, tmp_path, key):
    """Found while the method was written: whoever proved any name was let into the console."""
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem\n")
    assert refusal(gateway, "app", tokens.token(key), "pggateway")[0] == "42501"
    assert refusal(gateway, "root", tokens.token(key, user="root"), "pggateway")[0] == "42501"


def test_the_console_by_token(make, tmp_path, key):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make(f"host pgbouncer {ADMIN} 127.0.0.1/32 jwt keys=FOLDER/k.pem on_expiry=disconnect leeway=0\n")
    with gateway.wire(ADMIN, "pgbouncer", tokens.token(key, user=ADMIN, life=3)) as console:
        assert console.dicts("SHOW VERSION")
        assert last_words(console).sqlstate == "57P01"


def test_passthrough_hands_the_token_on(make_gateway, tmp_path, key):
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    seen = []
    with FakeServer(minting_server(seen)) as fake:
        rule = f"host all all 127.0.0.1/32 jwt keys={tmp_path}/k.pem passthrough=1\n"
        gateway = make_gateway({"app": fake.pool()}, hba=CONSOLE + rule)
        good = tokens.token(key)
        assert whoami(gateway, "app", good) == "1"
        assert seen == [("app", good)]
        assert refused(gateway, "app", tokens.token(key, user="other")), "on the warm pool"
        assert good not in gateway.log()


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_change_with_a_reload(make, tmp_path, key):
    new = tokens.private_key()
    file = tmp_path / "set.json"
    file.write_text(tokens.key_set(old=key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/set.json\n")
    assert whoami(gateway, "app", tokens.token(key, kid="old")) == "app_trust"
    assert refused(gateway, "app", tokens.token(new, kid="new"))
    file.write_text(tokens.key_set(old=key, new=new))
    assert refused(gateway, "app", tokens.token(new, kid="new")), "not before the reload"
    gateway.reload()
    assert whoami(gateway, "app", tokens.token(key, kid="old")) == "app_trust"
    assert whoami(gateway, "app", tokens.token(new, kid="new")) == "app_trust"
    assert refused(gateway, "app", tokens.token(new, kid="old"))
    file.write_text(tokens.key_set(new=new))
    gateway.reload(by_signal=True)
    wait_until(lambda: not admits(gateway, tokens.token(key, kid="old")), "the old key is gone")
    assert whoami(gateway, "app", tokens.token(new, kid="new")) == "app_trust"


def admits(gateway, token):
    try:
        return whoami(gateway, "app", token) == "app_trust"
    except LoginRefused:
        return False


def test_several_files_in_one_rule(make, tmp_path, key):
    other = tokens.private_key("p256")
    (tmp_path / "a.pem").write_text(tokens.public_pem(key))
    (tmp_path / "b.json").write_text(tokens.key_set(b=other))
    gateway = make('host all all 127.0.0.1/32 jwt "keys=FOLDER/a.pem,FOLDER/b.json" "audience=x, y"\n')
    assert whoami(gateway, "app", tokens.token(key, aud="x")) == "app_trust"
    assert whoami(gateway, "app", tokens.token(other, "ES256", kid="b", aud="y")) == "app_trust"
    assert refused(gateway, "app", tokens.token(other, "ES256", kid="b", aud="z"))


@pytest.mark.parametrize("option", ["audience=", '"audience=,"', '"audience= , "', "issuer="])
def test_an_option_that_names_nobody_is_refused(make, tmp_path, key, option):
    """Else it would check nothing."""
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem\n")
    rule = f"host all all 127.0.0.1/32 jwt keys={tmp_path}/k.pem {option}\n"
    gateway.change(general={"pg_hba": {"content": CONSOLE + rule}})
    with gateway.console_wire() as console:
        assert "names nobody" in console.error("RELOAD")["M"]


@pytest.mark.parametrize(
    "content", [None, "", "{", '{"keys": []}', "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"]
)
def test_a_broken_key_file_refuses_the_reload(make, tmp_path, key, content):
    file = tmp_path / "k.pem"
    file.write_text(tokens.public_pem(key))
    gateway = make("host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem\n")
    file.unlink()
    if content is not None:
        file.write_text(content)
    with gateway.console_wire() as console:
        assert str(file) in console.error("RELOAD")["M"]
    assert whoami(gateway, "app", tokens.token(key)) == "app_trust"
    status, output = gateway.run_to_end()
    assert status == 78 and str(file) in output


# --- users of the settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["md5", "scram-sha-256", "password"])
def test_user_with_a_key_file(make, tmp_path, key, method):
    """As in pg_doorman: whatever password method the rule names, this user brings a token."""
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    user = {"username": "app", "password": f"jwt-pkey-fpath:{tmp_path}/k.pem", "pool_size": 2}
    user |= {"server_username": "app_trust", "server_password": "x"}
    gateway = make(f"host all all 127.0.0.1/32 {method}\n", users=[user])
    good = tokens.token(key)
    assert whoami(gateway, "app", good) == "app_trust"
    assert refused(gateway, "app", tokens.token(key, user="other"))
    assert refused(gateway, "app", tokens.confused(key))
    assert refused(gateway, "app", f"jwt-pkey-fpath:{tmp_path}/k.pem")
    assert whoami(gateway, "app", good) == "app_trust"
    gateway.change(pools={"app": {"users": [{**user, "password": "jwt-pkey-fpath:/nowhere.pem"}]}})
    with gateway.console_wire() as console:
        text = console.error("RELOAD")["M"]
    assert "/nowhere.pem" in text and "users.app.password" in text


def test_trust_spares_nobody_with_a_key_file_the_token(make, tmp_path, key):
    """As in pg_doorman. Everybody else under the rule is asked for nothing."""
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    user = {"username": "app", "password": f"jwt-pkey-fpath:{tmp_path}/k.pem", "pool_size": 2}
    user |= {"server_username": "app_trust", "server_password": "x"}
    users = [user, {"username": "app_trust", "password": "", "pool_size": 2}]
    gateway = make("host all all 127.0.0.1/32 trust\n", users=users)
    with gateway.wire("app_trust") as other:
        assert other.method == "ok" and other.value("select current_user") == "app_trust"
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        assert client.receive().body == struct.pack(">i", 3)
        client.send(message("p", b"\0"))
        assert client.receive().sqlstate == "28P01", "no password"
    for bad in ("secret", tokens.token(key, user="other"), tokens.confused(key), f"jwt-pkey-fpath:{tmp_path}/k.pem"):
        assert refused(gateway, "app", bad)
    good = tokens.token(key)
    assert whoami(gateway, "app", good) == "app_trust"
    assert refused(gateway, "app", good[:-8]), "the pool is warm"


# --- the life of a token ----------------------------------------------------------------------------------------------


@pytest.fixture
def living(make, tmp_path, key):
    def make_(rule="on_expiry=disconnect leeway=0", **options):
        (tmp_path / "k.pem").write_text(tokens.public_pem(key))
        return make(f"host all all 127.0.0.1/32 jwt keys=FOLDER/k.pem {rule}\n", **options)

    return make_


def last_words(client):
    return next(m for m in client.until_closed() if m.kind == "E")


def test_an_idle_session_ends_with_its_token(living, key):
    gateway = living()
    began = time.time()
    with gateway.wire("app", "app", tokens.token(key, life=3)) as short, gateway.wire(
        "app", "app", tokens.token(key)
    ) as long:
        assert short.value("select 1") == "1"
        error = last_words(short)
        assert (error.sqlstate, error.fields["M"]) == (
            "57P01", "terminating connection because its token has expired")
        assert 1.5 < time.time() - began < 5
        assert long.value("select 1") == "1"
    gateway.wait_idle()


def test_a_transaction_is_let_finish(living, key):
    gateway = living()
    with gateway.wire("app", "app", tokens.token(key, life=2)) as client:
        client.value("select 1")
        client.send(query("begin"))
        client.ready()
        assert client.value("select pg_sleep(3)") == ""
        client.send(query("commit"))
        messages = client.until_closed()
        assert [m.tag for m in messages if m.kind == "C"] == ["COMMIT"]
        assert [m.sqlstate for m in messages if m.kind == "E"] == ["57P01"]
    gateway.wait_idle()


def test_a_transaction_ends_with_the_grace(living, key):
    gateway = living("on_expiry=disconnect leeway=0 expiry_grace=1")
    with gateway.wire("app", "app", tokens.token(key, life=2)) as client:
        client.send(query("begin; select 1"))
        client.ready()
        assert last_words(client).sqlstate == "57P01"
    gateway.wait_idle()


def test_a_session_outlives_its_token_otherwise(make, tmp_path, key):
    """It goes on when one of the same life, to which another rule applies, has been ended."""
    (tmp_path / "k.pem").write_text(tokens.public_pem(key))
    rule = "host all {} 127.0.0.1/32 jwt keys=FOLDER/k.pem leeway=0{}\n"
    gateway = make(rule.format("other", " on_expiry=disconnect") + rule.format("app", ""))
    own, others = (tokens.token(key, user=user, life=2) for user in ("app", "other"))
    with gateway.wire("app", "app", own) as client, gateway.wire("other", "app", others) as ended:
        assert last_words(ended).sqlstate == "57P01"
        wait_until(lambda: refused(gateway, "app", own), "its own token has expired, too")
        assert client.value("select 1") == "1"


# --- tokens for servers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind,algorithm", [("rsa", "RS256"), ("p256", "ES256")])
def test_minted_token_for_each_server_login(make_gateway, tmp_path, kind, algorithm):
    signer = tokens.private_key(kind)
    file = tmp_path / "private.pem"
    file.write_text(tokens.private_pem(signer))
    seen = []
    with FakeServer(minting_server(seen)) as fake:
        options = {"server_username": "backend", "server_password": f"jwt-priv-key-fpath:{file}"}
        rules = CONSOLE + "host all all 127.0.0.1/32 trust\n"
        gateway = make_gateway({"app": fake.pool("session", **options)}, hba=rules)
        with gateway.wire("app", "app") as one, gateway.wire("app", "app") as two:
            for client in (one, two):
                client.send(query("begin"), query("select 1"))
                client.ready(2)
        assert len(seen) == 2 and not fake.problems
        for user, token in seen:
            assert user == "backend"
            claims = jwt.decode(token, tokens.public_pem(signer), algorithms=[algorithm])
            assert claims["preferred_username"] == "backend"
            assert 110 <= claims["exp"] - time.time() <= 121
            assert token not in gateway.log()
        # A new key in the same file makes a new pool.
        signer = tokens.private_key(kind)
        file.write_text(tokens.private_pem(signer))
        gateway.reload()
        with gateway.wire("app", "app") as client:
            assert client.value("select 1") == "1"
        assert len(seen) == 3
        jwt.decode(seen[-1][1], tokens.public_pem(signer), algorithms=[algorithm])


def test_minted_token_for_no_other_method(make_gateway, postgres, tmp_path):
    """The path of a key file is no password: a server that asks for md5 or SCRAM gets no answer."""
    file = tmp_path / "private.pem"
    file.write_text(tokens.private_pem(tokens.private_key()))
    user = {"username": "app", "password": "", "pool_size": 1, "server_username": "app_md5"}
    user["server_password"] = f"jwt-priv-key-fpath:{file}"
    gateway = make_gateway({"app": pool(postgres, users_=[user])}, hba=CONSOLE + "host all all 127.0.0.1/32 trust\n")
    with pytest.raises(LoginRefused):
        gateway.wire("app", "app")
    file.write_text("no key")
    with gateway.console_wire() as console:
        text = console.error("RELOAD")["M"]
    assert str(file) in text and "users.app.server_password" in text


# --- Talos ------------------------------------------------------------------------------------------------------------

ROLES = ("owner", "read_write", "read_only")


@pytest.fixture
def make_talos(make_gateway, postgres, tmp_path, key):
    tmp_path.chmod(0o755)

    def make(method="scram-sha-256", databases=("shop", "stock"), under_general=False):
        (tmp_path / "2026.pem").write_text(tokens.public_pem(key))
        users = [
            {"username": role, "password": "", "server_username": "app_trust", "server_password": "x", "pool_size": 2}
            for role in ROLES
        ]
        table = {"keys": [f"{tmp_path}/2026.pem"], "databases": list(databases)}
        pools = {name: pool(postgres, users_=users) for name in ("shop", "stock", "closed")}
        gateway = make_gateway(
            pools, {"talos": table} if under_general else None,
            hba=CONSOLE + f"host all talos 127.0.0.1/32 {method}\n", start=False,
        )
        if not under_general:
            gateway.settings["talos"] = table
            gateway.write()
        gateway.start()
        return gateway

    return make


def talos(key, access, kid="2026", client="billing", **claims):
    access = {name: {"roles": roles} for name, roles in access.items()}
    return tokens.token(key, kid=kid, user=None, clientId=client, resource_access=access, **claims)


def session(gateway, token, database="shop"):
    """The pool in which a Talos session works, and what PostgreSQL calls the session."""
    with gateway.wire("talos", database, token, parameters={"application_name": "mine"}) as client:
        name = client.value("show application_name")
        busy = [r["user"] for r in gateway.console("SHOW POOLS") if r["database"] == database and r["cl_idle"] == "1"]
        return busy, name


@pytest.mark.parametrize("method,under_general", [("scram-sha-256", False), ("md5", True), ("talos", False)])
def test_talos_roles(make_talos, key, method, under_general):
    gateway = make_talos(method, under_general=under_general)
    assert session(gateway, talos(key, {"pg:shop": ["read_only", "owner"]})) == (["owner"], "billing")
    assert session(gateway, talos(key, {"a:shop": ["read_only"], "b:shop": ["read_write"]})) == (
        ["read_write"], "billing")
    mixed = talos(key, {"pg:shop": ["read_only"], "pg:stock": ["owner"]}, client="report")
    assert session(gateway, mixed) == (["read_only"], "report")
    assert session(gateway, mixed, "stock") == (["owner"], "report")


def test_talos_refusals_on_warm_pools(make_talos, key):
    gateway = make_talos()
    good = talos(key, {"pg:shop": ["owner"], "pg:closed": ["owner"]})
    assert session(gateway, good)[0] == ["owner"]
    assert refused(gateway, "talos", good, "stock"), "no role in the requested database"
    assert refused(gateway, "talos", good, "closed"), "a database that takes no tokens"
    assert refused(gateway, "talos", good, "pggateway")
    assert refusal(gateway, "owner", good, "shop")[0] in ("28000", "28P01"), "tokens are for the user talos"
    for bad in (
        talos(key, {"pg:shop": ["owner"]}, kid="other"), talos(key, {"pg:shop": ["owner"]}, kid=None),
        talos(tokens.private_key(), {"pg:shop": ["owner"]}), talos(key, {"pg:shop": ["owner", "king"]}),
        talos(key, {"pg:shop": ["owner"]}, client=None), talos(key, {"pg:shop": ["owner"]}, life=-60),
        talos(key, {"pg:shop": []}), talos(key, {}), "secret", tokens.confused(key),
    ):
        assert refused(gateway, "talos", bad, "shop")
    assert session(gateway, good)[0] == ["owner"]


def test_options_of_a_rule_talos_count(make_talos, key):
    gateway = make_talos("talos on_expiry=disconnect leeway=0")
    assert refused(gateway, "talos", talos(key, {"pg:shop": ["owner"]}, life=-10), "shop")
    with gateway.wire("talos", "shop", talos(key, {"pg:shop": ["owner"]}, life=3)) as client:
        assert client.value("select 1") == "1"
        assert last_words(client).sqlstate == "57P01"


@pytest.mark.parametrize("databases", [[], ["shop"]])
def test_a_table_talos_without_keys_says_nothing(make_gateway, postgres, databases):
    """Files of pg_doorman have it empty. Only a rule with the method `talos` needs more."""
    rule = CONSOLE + "host all all 127.0.0.1/32 METHOD\n"
    gateway = make_gateway(
        {"app": pool(postgres)}, {"talos": {"keys": [], "databases": databases}}, hba=rule.replace("METHOD", "md5")
    )
    assert whoami(gateway, "app", None) == "app"
    assert refused(gateway, "talos", "x")
    status, output = gateway.run_to_end("-t")
    assert status == 0 and output.count("general.talos.databases: ") == len(databases), output
    assert "there is no pool" not in output and "has a pool" not in output, output
    gateway.change(general={"pg_hba": {"content": rule.replace("METHOD", "talos")}})
    status, output = gateway.run_to_end()
    assert status == 78 and "general.pg_hba:2: " in output and "needs keys in the settings table `talos`" in output


@pytest.mark.parametrize("where", ("in the settings", "in a file"))
def test_key_files_are_named_from_the_folder_of_their_file(make, key, where):
    """Wherever the gateway is started from."""
    user = {"username": "app", "password": "jwt-pkey-fpath:public.pem", "server_username": "app_trust",
            "server_password": "jwt-priv-key-fpath:private.pem", "pool_size": 2}  # fmt: skip
    rule = "host all all 127.0.0.1/32 jwt keys=of_rule.pem\n"
    gateway = make(rule, users=[user], start=False)
    folder = gateway.folder
    if where == "in a file":
        folder = gateway.folder / "rules"
        folder.mkdir()
        (folder / "own.hba").write_text(rule)
        gateway.change(general={"pg_hba": {"content": None, "path": "rules/own.hba"}})
    (folder / "of_rule.pem").write_text(tokens.public_pem(key))
    (gateway.folder / "public.pem").write_text(tokens.public_pem(key))
    (gateway.folder / "private.pem").write_text(tokens.private_pem(key))
    checked = subprocess.run([gateway.binary, "-t", gateway.file], cwd="/", capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0, checked.stderr
