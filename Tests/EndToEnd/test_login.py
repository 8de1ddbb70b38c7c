"""Who comes in: rules, methods, secrets, and that a refusal tells nothing."""

import base64
import hashlib
import hmac
import re

import psycopg
import pytest
from psycopg import sql

from gateway import ADMIN, ADMIN_PASSWORD, Gateway, pool
from polling import wait_until
from server import PASSWORDS, free_port
from wire import (
    Closed,
    LoginRefused,
    Scram,
    bind,
    execute,
    message,
    parse,
    password_message,
    query,
    startup,
    sync,
)

LOCAL = "127.0.0.1/32"


def attempt(gateway, user, password=None, database=None, **options):
    """ "in", or the SQLSTATE of the refusal."""
    try:
        with gateway.wire(user, database, password, **options) as client:
            assert client.value("select 1") == "1"
            return "in"
    except LoginRefused as refusal:
        assert refusal.fields["S"] == refusal.fields["V"] == "FATAL", refusal.fields
        return refusal.sqlstate


def with_rules(make_gateway, *lines, **options):
    """A gateway with these rules; the console stays open by a last rule that only the administrator needs."""
    return make_gateway(hba="\n".join(lines) + f"\nhost pggateway {ADMIN} {LOCAL} md5\n", **options)


def verifier(password, salt=b"another salt 123", rounds=4096):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${rounds}:{b64(salt)}${b64(stored)}:{b64(server)}"


def b64(data):
    return base64.b64encode(data).decode()


# --- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule, user, method",
    [
        ("md5", "app_md5", "md5"),
        ("md5", "app", "scram"),
        ("scram-sha-256", "app", "scram"),
        ("password", "app_md5", "password"),
        ("password", "app", "password"),
        ("trust", "app_trust", "ok"),
        ("trust", "app_md5", "ok"),
    ],
)
def test_methods(make_gateway, rule, user, method):
    """Right passwords come in and reach the server by passthrough; wrong ones do not, not on a warm pool either."""
    gateway = with_rules(make_gateway, f"host all all {LOCAL} {rule}")
    with gateway.wire(user, "app") as client:
        asked = {0: "ok", 3: "password", 5: "md5", 10: "scram"}[int.from_bytes(client.transcript[0].body[:4], "big")]
        assert asked == method
        assert client.value("select current_user") == user
    if method == "ok":
        return
    for wrong in ("wrong", " ", PASSWORDS[user] + "x", PASSWORDS[user][:-1], PASSWORDS["app_trust"], "x" * 5000):
        assert attempt(gateway, user, wrong) == "28P01", wrong
    assert attempt(gateway, user) == "in"


@pytest.mark.parametrize("rule", ("md5", "scram-sha-256", "password"))
def test_the_first_login_of_all_may_be_wrong(make_gateway, rule):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} {rule}")
    assert attempt(gateway, "app", "wrong") == "28P01"
    assert attempt(gateway, "app") == "in"
    assert attempt(gateway, "app", "wrong") == "28P01"


def test_scram_rule_refuses_an_md5_secret(make_gateway):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} scram-sha-256")
    assert attempt(gateway, "app_md5") == "28P01"
    assert attempt(gateway, "app") == "in"


def test_reject_and_no_rule(make_gateway):
    gateway = with_rules(make_gateway, f"host all app {LOCAL} reject", f"host all app_md5 {LOCAL} md5")
    assert attempt(gateway, "app") == "28000"
    assert attempt(gateway, "app_md5") == "in"
    assert attempt(gateway, "app_trust") == "28000"
    assert attempt(gateway, "nobody_at_all", "x") == "28000"


@pytest.mark.parametrize("password", ("5µm²", "½ №7…", "ﬁn\u00a0", "ＦＵ1", "plain é"))
def test_passwords_that_unicode_writes_otherwise(make_gateway, postgres, password):
    """PostgreSQL hashes the form that normalisation gives, libpq proves it: so does the gateway, as server and client."""
    with postgres.admin() as admin:
        admin.execute(sql.SQL("create role odd_letters login password {}").format(sql.Literal(password)))
        try:
            stored = admin.execute("select rolpassword from pg_authid where rolname = 'odd_letters'").fetchone()[0]
            users = [
                {"username": "odd_letters", "password": stored},
                {"username": "app_trust", "password": postgres.secrets["app_trust"],
                 "server_username": "odd_letters", "server_password": password},
            ]  # fmt: skip
            gateway = with_rules(
                make_gateway,
                f"host app app_trust {LOCAL} trust",
                f"host app all {LOCAL} password",
                pools={"app": pool(postgres, users_=users)},
                general={"admin_password": password},
            )
            assert attempt(gateway, "odd_letters", password) == "in"
            assert attempt(gateway, "odd_letters", password + "x") == "28P01"
            assert attempt(gateway, "app_trust") == "in"
            console = {"host": gateway.host, "port": gateway.port, "user": ADMIN, "dbname": "pggateway"}
            psycopg.connect(**console, password=password, sslmode="disable", autocommit=True).close()
        finally:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'odd_letters'")
            admin.execute("drop role odd_letters")


@pytest.mark.parametrize("rule", ("md5", "scram-sha-256", "password"))
def test_an_empty_secret_needs_trust(make_gateway, postgres, rule):
    users = [{"username": "app_trust", "password": "", "pool_size": 2}]
    gateway = with_rules(make_gateway, f"host all all {LOCAL} {rule}", pools={"app": pool(postgres, users_=users)})
    for password in ("anything", " "):
        assert attempt(gateway, "app_trust", password) == "28P01"
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app_trust", "database": "app"}))
        if client.receive().body[3:4] in b"\3\5":
            client.send(password_message(""))
            assert client.receive().sqlstate == "28P01"


def test_an_empty_secret_under_trust(make_gateway, postgres):
    users = [{"username": "app_trust", "password": "", "pool_size": 2}]
    gateway = with_rules(make_gateway, f"host all all {LOCAL} trust", pools={"app": pool(postgres, users_=users)})
    assert attempt(gateway, "app_trust") == "in"


def test_the_stored_secret_is_no_password(make_gateway, postgres):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} password")
    for user in ("app", "app_md5"):
        assert attempt(gateway, user, postgres.secrets[user]) == "28P01"
    gateway = with_rules(make_gateway, f"host all all {LOCAL} md5")
    for user in ("app", "app_md5"):
        assert attempt(gateway, user, postgres.secrets[user]) == "28P01"
        assert attempt(gateway, user, postgres.secrets[user].removeprefix("md5")) == "28P01"


def test_nothing_behind_a_wrong_password_reaches_the_server(make_gateway, postgres):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} password")
    assert attempt(gateway, "app") == "in"
    before = postgres.log_size()
    smuggled = query("select 'smuggled'") + parse("select 'smuggled'") + bind() + execute() + sync()
    for first in (b"", password_message("wrong")):
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "app", "database": "app"}) + first + smuggled)
            answer = client.until_closed()
            assert [m.kind for m in answer if m.kind not in "R"] in (["E"], []), [str(m) for m in answer]
    with gateway.wire("app", "app") as client:
        client.value("select 'landmark'")
    log = postgres.log_since(before)
    assert "landmark" in log and "smuggled" not in log


def test_a_query_right_behind_the_right_password_is_served(make_gateway):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} password")
    with gateway.wire(login=False) as client:
        client.send(
            startup({"user": "app", "database": "app"}) + password_message(PASSWORDS["app"]) + query("select 'early'")
        )
        client.ready(1)
        assert client.ready()[1].values == [b"early"]


# --- hostile dialogues ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scram_only(postgres):
    from conftest import require_binary

    require_binary()
    gateway = Gateway({"app": pool(postgres)}, hba=f"host all all {LOCAL} scram-sha-256\n")
    yield gateway
    gateway.stop()


def sasl_initial(data, mechanism="SCRAM-SHA-256", length=None):
    raw = data if isinstance(data, bytes) else data.encode()
    return message(
        "p", mechanism.encode() + b"\0" + (len(raw) if length is None else length).to_bytes(4, "big", signed=True) + raw
    )


INITIAL = {
    "password instead": password_message("text"),
    "query instead": query("select 1"),
    "terminate": message("X"),
    "empty p": message("p"),
    "length 0": message("p", b"", 0),
    "length 3": message("p", b"", 3),
    "length -1": message("p", b"", -1),
    "length 2^31-1": message("p", b"x" * 100, 2**31 - 1),
    "100 MB announced": message("p", b"x" * 100, 100_000_000),
    "unknown mechanism": sasl_initial("n,,n=,r=abcdefgh", "SCRAM-SHA-1"),
    "plus without TLS": sasl_initial("p=tls-server-end-point,,n=,r=abcdefgh", "SCRAM-SHA-256-PLUS"),
    "p flag": sasl_initial("p=tls-server-end-point,,n=,r=abcdefgh"),
    "no nonce": sasl_initial("n,,n="),
    "empty nonce": sasl_initial("n,,n=,r="),
    "one letter nonce": sasl_initial("n,,n=,r=a,"),
    "control characters": sasl_initial(b"n,,n=,r=\1\2\3\4"),
    "invalid UTF-8": sasl_initial(b"n,,n=\xff\xfe,r=abcdefgh"),
    "m extension": sasl_initial("n,,m=must,n=,r=abcdefgh"),
    "authzid": sasl_initial("n,a=app_md5,n=,r=abcdefgh"),
    "nothing": sasl_initial(""),
    "data length -1": sasl_initial("", length=-1),
    "data length too long": sasl_initial("n,,n=,r=abcdefgh", length=5000),
    "data length negative": sasl_initial("n,,n=,r=abcdefgh", length=-7),
    "gigantic nonce": sasl_initial("n,,n=,r=" + "N" * 60_000),
    "no gs2 header": sasl_initial("n=,r=abcdefgh"),
}


@pytest.mark.parametrize("name", INITIAL)
def test_hostile_sasl_initial(scram_only, name):
    before = scram_only.memory()
    with scram_only.wire(login=False, timeout=8) as client:
        client.send(startup({"user": "app", "database": "app"}))
        assert client.receive().kind == "R"
        client.send(INITIAL[name])
        client.socket.shutdown(1)
        answer = client.until_closed()
        assert all(m.kind == "E" or m.body[:4] == b"\0\0\0\x0b" for m in answer), [str(m) for m in answer]
    assert attempt(scram_only, "app") == "in"
    assert scram_only.memory() - before < 32 << 20


FINAL = {
    "empty": lambda good: b"",
    "no proof": lambda good: good.rsplit(b",p=", 1)[0],
    "empty proof": lambda good: good.rsplit(b",p=", 1)[0] + b",p=",
    "short proof": lambda good: good.rsplit(b",p=", 1)[0] + b",p=" + base64.b64encode(b"short"),
    "long proof": lambda good: good.rsplit(b",p=", 1)[0] + b",p=" + base64.b64encode(b"x" * 3000),
    "bad base64": lambda good: good.rsplit(b",p=", 1)[0] + b",p=!!!!",
    "wrong proof": lambda good: good.rsplit(b",p=", 1)[0] + b",p=" + base64.b64encode(b"x" * 32),
    "wrong nonce": lambda good: good.replace(b"r=", b"r=x", 1),
    "cut nonce": lambda good: b"c=biws,r=a,p=" + good.rsplit(b",p=", 1)[1],
    "wrong channel binding": lambda good: good.replace(b"c=biws", b"c=eSws", 1),
    "no channel binding": lambda good: good.replace(b"c=biws,", b"", 1),
    "two proofs": lambda good: good + b",p=" + good.rsplit(b",p=", 1)[1],
    "a byte behind": lambda good: good + b"x",
    "NUL behind": lambda good: good + b"\0",
    "replayed twice": lambda good: good + good,
    "invalid UTF-8": lambda good: b"\xff\xfe" + good,
}


@pytest.mark.parametrize("name", FINAL)
def test_hostile_sasl_final(scram_only, name):
    with scram_only.wire(login=False, timeout=8) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        scram = Scram(PASSWORDS["app"])
        client.send(scram.first())
        good = scram.final(client.receive().body[4:])[5:]
        client.send(message("p", FINAL[name](good)))
        answer = client.until_closed()
        assert [m.kind for m in answer] in (["E"], []), [str(m) for m in answer]
        for one in answer:
            assert one.sqlstate in ("28P01", "08P01"), str(one)
    assert attempt(scram_only, "app") == "in"


@pytest.mark.parametrize("data", ("n,a=app_md5,n=,r=abcdefgh", "n,,m=must,n=,r=abcdefgh"))
def test_parts_of_scram_that_nobody_has(scram_only, data):
    """The SQLSTATE is PostgreSQL's: the message is in order, the feature is missing."""
    with scram_only.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send(sasl_initial(data))
        assert client.receive().sqlstate == "0A000"


def test_every_nonce_is_new(scram_only):
    seen = set()
    for _ in range(10):
        with scram_only.wire(login=False) as client:
            client.send(startup({"user": "app", "database": "app"}))
            client.receive()
            scram = Scram("x", nonce="always-the-same")
            client.send(scram.first())
            seen.add(client.receive().body.split(b",")[0])
    assert len(seen) == 10


def test_md5_salts_are_new(make_gateway):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} md5")
    seen = set()
    for _ in range(10):
        with gateway.wire(login=False) as client:
            client.send(startup({"user": "app_md5", "database": "app"}))
            seen.add(client.receive().body)
    assert len(seen) == 10


# --- a refusal tells nothing ------------------------------------------------------------------------------------------


def shape(gateway, user, database="app"):
    """What a client with a wrong password can see: kinds, lengths, methods, error fields without the name."""
    with gateway.wire(login=False) as client:
        try:
            client.login(user, database, "a wrong password")
        except LoginRefused as refusal:
            fields = {k: v.replace(user, "NAME") for k, v in refusal.fields.items()}
            return [(m.kind, len(m.body), m.body[:4]) if m.kind == "R" else m.kind for m in refusal.transcript], fields
        raise AssertionError("it came in")


@pytest.mark.parametrize("rule", ("md5", "scram-sha-256", "password"))
def test_unknown_users_cannot_be_told_apart(make_gateway, postgres, rule):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} {rule}")
    known = [shape(gateway, "app")] + ([shape(gateway, "app_md5")] if rule == "md5" else [])
    for name in ("ghost", "Robert'); drop table", "g", "x" * 63, "app ", "APP", "призрак"):
        assert shape(gateway, name) in known, name
    with gateway.wire("app", "app") as client:
        assert client.value("select 1") == "1"
    assert shape(gateway, "app") == known[0], "a warm pool changes what can be seen"
    log = gateway.log()
    assert "ghost" in log


def test_mock_salt_is_stable_per_name(scram_only):
    def first(user):
        with scram_only.wire(login=False) as client:
            client.send(startup({"user": user, "database": "app"}))
            client.receive()
            client.send(Scram("x").first())
            return client.receive().body[4:].split(b",")[1:]

    salts = {user: first(user) for user in ("ghost", "phantom", "app")}
    assert all(first(user) == salt for user, salt in salts.items())
    assert salts["ghost"] != salts["phantom"]
    assert salts["ghost"][1] == salts["app"][1] == b"i=4096"
    assert len(salts["ghost"][0]) == len(salts["app"][0])


def test_unknown_users_have_the_iterations_of_most(make_gateway, postgres):
    listed = [("one", 15000), ("two", 15000), ("three", 4096)]
    users = [{"username": name, "password": verifier("Tin-gazebo-71", rounds=rounds)} for name, rounds in listed]
    gateway = with_rules(
        make_gateway, f"host all all {LOCAL} scram-sha-256", pools={"app": pool(postgres, users_=users)}
    )

    def rounds(user):
        with gateway.wire(login=False) as client:
            client.send(startup({"user": user, "database": "app"}))
            client.receive()
            client.send(Scram("x").first())
            return client.receive().body[4:].split(b",")[2]

    assert rounds("ghost") == rounds("one") == rounds("two") == b"i=15000"
    assert rounds("three") == b"i=4096"


@pytest.mark.parametrize("majority, question", (("md5", 5), ("scram", 10)))
def test_unknown_users_are_asked_as_most_are_under_md5(make_gateway, postgres, majority, question):
    hashed = "md5" + "0" * 32
    listed = [hashed, verifier("Tin-gazebo-71"), hashed if majority == "md5" else verifier("Tin-gazebo-71")]
    users = [{"username": f"user_{number}", "password": secret} for number, secret in enumerate(listed)]
    gateway = with_rules(make_gateway, f"host all all {LOCAL} md5", pools={"app": pool(postgres, users_=users)})
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "ghost", "database": "app"}))
        assert int.from_bytes(client.receive().body[:4], "big") == question


def test_refusals_end_the_connection(scram_only):
    with scram_only.wire(login=False) as client:
        with pytest.raises(LoginRefused):
            client.login("app", "app", "wrong")
        with pytest.raises(Closed):
            client.send(query("select 1"))
            client.receive()


def test_unknown_database(make_gateway):
    gateway = with_rules(make_gateway, f"host all all {LOCAL} md5")
    assert attempt(gateway, "app", database="no_such_database") in ("3D000", "28P01", "28000")
    assert attempt(gateway, "app", "wrong", database="no_such_database") in ("28P01", "28000")


def test_failures_are_logged_without_the_secret(make_gateway):
    gateway = with_rules(make_gateway, "# a comment", f"host all all {LOCAL} md5")
    gateway.secrets.add("Unheard-of-guess-55")
    assert attempt(gateway, "app", "Unheard-of-guess-55") == "28P01"
    gateway.wait_for_log(lambda log: "127.0.0.1" in log, "the failure with the address")
    lines = [line for line in gateway.log().splitlines() if "127.0.0.1" in line and "app" in line]
    assert any(re.search(r"line[ =:]*2\b|:2\b", line) for line in lines), lines
    assert attempt(gateway, "evil\nFATAL forged line", "x") == "28P01"
    assert not any(line.startswith("FATAL forged") for line in gateway.log().splitlines())


def test_no_secret_at_the_highest_log_level(make_gateway):
    """`stop` looks for every secret in the log."""
    for rule in ("md5", "password", "scram-sha-256"):
        gateway = with_rules(make_gateway, f"host all all {LOCAL} {rule}", arguments=("-l", "trace"))
        for user in ("app", "app_md5"):
            expected = "28P01" if (rule, user) == ("scram-sha-256", "app_md5") else "in"
            assert attempt(gateway, user) == expected, (rule, user)
            assert attempt(gateway, user, "wrong") == "28P01", (rule, user)
        gateway.console("SHOW CONFIG")
        gateway.reload()
        assert "server connection opened" in gateway.log(), "that is said at the level debug and beyond only"
        gateway.stop()
        gateway.judged = True


# --- rules ------------------------------------------------------------------------------------------------------------

RULES = [
    # (rules, {(user, database): outcome})
    (["host all app 127.0.0.1/32 reject", "host all all 127.0.0.1/32 md5"], {"app": "28000", "app_md5": "in"}),
    (["host all all 127.0.0.1/32 md5", "host all app 127.0.0.1/32 reject"], {"app": "in", "app_md5": "in"}),
    (["host all app 127.0.0.1/32 trust", "host all all 127.0.0.1/32 reject"], {"app_md5": "28000"}),
    (["host all app,app_md5 127.0.0.1/32 md5"], {"app": "in", "app_md5": "in", "app_trust": "28000"}),
    (['host all "app" 127.0.0.1/32 md5'], {"app": "in", "app_md5": "28000"}),
    (['host all "all" 127.0.0.1/32 md5'], {"app": "28000"}),
    (["host app app 127.0.0.1/32 md5"], {"app": "in"}),
    (["host other app 127.0.0.1/32 md5"], {"app": "28000"}),
    (["host other,app,third app 127.0.0.1/32 md5"], {"app": "in"}),
    (['host "app","x y" app 127.0.0.1/32 md5'], {"app": "in"}),
    (["host all all 127.0.0.0/8 md5"], {"app": "in"}),
    (["host all all 127.0.0.1 255.255.255.255 md5"], {"app": "in"}),
    (["host all all 127.1.0.0 255.255.0.0 md5"], {"app": "28000"}),
    (["host all all 10.0.0.0/8 md5"], {"app": "28000"}),
    (["host all all 127.0.0.2/31 md5"], {"app": "28000"}),
    (["host all all 0.0.0.0/0 md5"], {"app": "in"}),
    (["host all all ::/0 md5"], {"app": "28000"}),
    (["host all all ::1/128 md5", "host all all all md5"], {"app": "in"}),
    (["hostssl all all 127.0.0.1/32 md5"], {"app": "28000"}),
    (["hostnossl all all 127.0.0.1/32 md5"], {"app": "in"}),
    (["hostssl all all 127.0.0.1/32 reject", "hostnossl all all 127.0.0.1/32 md5"], {"app": "in"}),
    (["local all all md5"], {"app": "28000"}),
    (["   host\tall   all\t127.0.0.1/32    md5   # comment"], {"app": "in"}),
    (["", "# only", "host all all 127.0.0.1/32 md5"], {"app": "in"}),
]


@pytest.mark.parametrize("lines, outcomes", RULES, ids=lambda v: " ; ".join(v) if isinstance(v, list) else "")
def test_first_match_decides(make_gateway, lines, outcomes):
    gateway = with_rules(make_gateway, *lines)
    for user, outcome in outcomes.items():
        assert attempt(gateway, user) == outcome, user


def test_unix_socket(make_gateway, tmp_path):
    """`local` rules are for the unix socket, `host` rules for TCP."""
    folder = tmp_path / "run"
    folder.mkdir()
    general = {"unix_socket_dir": str(folder), "unix_socket_mode": "0666"}
    gateway = with_rules(make_gateway, "local all app scram-sha-256", "local all app_trust trust", general=general)
    assert attempt(gateway, "app", unix=True) == "in"
    assert attempt(gateway, "app", "wrong", unix=True) == "28P01"
    assert attempt(gateway, "app_trust", unix=True) == "in"
    assert attempt(gateway, "app_md5", unix=True) == "28000"
    assert attempt(gateway, "app") == "28000"
    gateway.stop()
    gateway.judged = True
    assert list(folder.iterdir()) == [], "the socket file stays behind"


GOOD = ["host all app 127.0.0.1/32 md5", "host all all 127.0.0.1/32 reject", "local all all md5"]
TYPOS = [
    "hots all app 127.0.0.1/32 md5",
    "host all app 127.0.0.1/32 md55",
    "host all app 127.0.0.1/32",
    "host all app",
    "host",
    "host all app 127.0.0.1/33 md5",
    "host all app 127.0.0.1/-1 md5",
    "host all app 127.0.0.1/x md5",
    "host all app 127.0.0.256/32 md5",
    "host all app 127.0.0.1 255.255.255.300 md5",
    "host all app 127.0.0.1 md5",
    'host all "app 127.0.0.1/32 md5',
    "host all app 127.0.0.1/32 md5 nonsense_option",
    "host all app 127.0.0.1/32 md5 map=",
    "host all app, 127.0.0.1/32 md5 x=y=z",
    "local all app 127.0.0.1/32 md5",
]


@pytest.mark.parametrize("line", TYPOS)
@pytest.mark.parametrize("number", (1, 3))
def test_a_bad_rule_file_is_refused_whole(make_gateway, postgres, tmp_path, line, number):
    """At start: status 78 with file and line."""
    file = tmp_path / "gate_rules.conf"
    lines = GOOD[: number - 1] + [line] + GOOD[number - 1 :]
    file.write_text("\n".join(lines) + "\n")
    gateway = make_gateway(general={"pg_hba": {"content": None, "path": str(file)}}, start=False)
    gateway.judged = True
    for arguments in ((), ("-t",)):
        status, output = gateway.run_to_end(*arguments)
        assert status == 78, output
        assert "gate_rules.conf" in output and str(number) in output.replace(str(file), ""), output
        gateway.check_secrets(output)


@pytest.mark.parametrize("by_signal", (False, True), ids=("console", "signal"))
def test_a_bad_rule_file_at_reload_keeps_the_old_rules(make_gateway, tmp_path, by_signal):
    file = tmp_path / "gate_rules.conf"
    console = f"host pggateway {ADMIN} 127.0.0.1/32 md5"
    file.write_text("\n".join([console, *GOOD]) + "\n")
    gateway = make_gateway(general={"pg_hba": {"content": None, "path": str(file)}})
    assert (attempt(gateway, "app"), attempt(gateway, "app_md5")) == ("in", "28000")
    for line in ("host all all 127.0.0.1/32 trsut", "host all al"):
        file.write_text("\n".join([console, "host all all 127.0.0.1/32 trust", line]) + "\n")
        before = len(gateway.log())
        if by_signal:
            gateway.reload(by_signal=True)
        else:
            with gateway.console_wire() as wire:
                fields = wire.error("RELOAD")
                assert fields["S"] == "ERROR"
                assert wire.dicts("SHOW VERSION")
        gateway.wait_for_log(lambda log: "gate_rules.conf" in log[before:], "the refusal with the file's name")
        assert (attempt(gateway, "app"), attempt(gateway, "app_md5")) == ("in", "28000")
    file.write_text("\n".join([console, "host all all 127.0.0.1/32 md5"]) + "\n")
    gateway.reload(by_signal=by_signal)
    wait_until(lambda: attempt(gateway, "app_md5") == "in", "the new rules rule")


# --- names ------------------------------------------------------------------------------------------------------------


def test_utf8_names(make_gateway, postgres):
    gateway = make_gateway(
        {"Данные-ß": pool(postgres)},
        hba='host "Данные-ß" "übung_имя",app 127.0.0.1/32 md5\nhost pggateway all 127.0.0.1/32 md5',
    )
    for name in ("übung_имя", "app"):
        with gateway.wire(name, "Данные-ß") as client:
            assert client.value("select current_user") == name
    rows = gateway.console("SHOW POOLS")
    assert ("Данные-ß", "übung_имя") in [(row["database"], row["user"]) for row in rows]
    assert attempt(gateway, "übung_имя", "wrong", "Данные-ß") == "28P01"


# --- towards PostgreSQL -----------------------------------------------------------------------------------------------


def one_user(postgres, mode="transaction", host=None, **entry):
    result = pool(postgres, mode, users_=[{"pool_size": 2, **entry}])
    return {"app": {**result, "server_host": host or postgres.host}}


@pytest.mark.parametrize("host", ("tcp", "unix"))
@pytest.mark.parametrize("user", ("app", "app_md5"))
def test_passthrough_needs_no_plain_password(make_gateway, postgres, user, host):
    pools = one_user(
        postgres, username=user, password=postgres.secrets[user], host=postgres.socket_dir if host == "unix" else None
    )
    gateway = make_gateway(pools, hba=f"host all all {LOCAL} md5")
    assert attempt(gateway, user, "wrong") == "28P01"
    with gateway.wire(user, "app") as client:
        assert client.value("select current_user") == user
        assert (client.value("select inet_server_port() is null") == "t") == (host == "unix")


@pytest.mark.parametrize("server_user", ("app_mapped", "app_plain", "app_md5", "app_trust"))
def test_mapped_users(make_gateway, postgres, server_user):
    """server_username and server_password, for each method the server may ask with."""
    entry = {
        "username": "app",
        "password": postgres.secrets["app"],
        "server_username": server_user,
        "server_password": PASSWORDS[server_user],
    }
    gateway = make_gateway(one_user(postgres, **entry))
    with gateway.wire("app", "app") as client:
        assert client.value("select current_user") == server_user
    assert attempt(gateway, "app", PASSWORDS[server_user]) == "28P01"


def test_secrets_from_the_environment_and_from_a_file(make_gateway, postgres, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORDS["app_mapped"] + "\n")
    secret.chmod(0o600)
    entry = {
        "username": "app",
        "password": "${E2E_APP_SECRET}",
        "server_username": "app_mapped",
        "server_password": f"file:{secret}",
    }
    gateway = make_gateway(one_user(postgres, **entry), environment={"E2E_APP_SECRET": postgres.secrets["app"]})
    with gateway.wire("app", "app") as client:
        assert client.value("select current_user") == "app_mapped"


def test_the_servers_verifier_differs(make_gateway, postgres):
    """The proof is right for our verifier, which is not the one that PostgreSQL has: the log says exactly that."""
    stale = verifier(PASSWORDS["app"])
    gateway = make_gateway(one_user(postgres, username="app", password=stale))
    try:
        with gateway.wire("app", "app") as client:
            fields = client.error("select 1")
    except LoginRefused as refusal:
        fields = refusal.fields
    assert fields["C"] != "00000"
    gateway.wait_for_log(lambda log: "differs" in log, "the log says that the two secrets differ")


def test_the_server_refuses_the_login(make_gateway, postgres):
    entry = {
        "username": "app",
        "password": postgres.secrets["app"],
        "server_username": "app_mapped",
        "server_password": "not it",
    }
    gateway = make_gateway(one_user(postgres, **entry))
    try:
        with gateway.wire("app", "app") as client:
            fields = client.error("select 1")
    except LoginRefused as refusal:
        fields = refusal.fields
    assert "not it" not in str(fields)
    gateway.wait_for_log(lambda log: "app_mapped" in log, "the server's refusal is logged")


def test_a_server_that_is_not_there(make_gateway, postgres):
    pools = one_user(postgres, username="app", password=postgres.secrets["app"])
    pools["app"]["server_port"] = free_port()
    gateway = make_gateway(pools, general={"connect_timeout": "1s", "query_wait_timeout": "2s"})
    try:
        with gateway.wire("app", "app") as client:
            fields = client.error("select 1")
    except LoginRefused as refusal:
        fields = refusal.fields
    assert fields["C"][:2] in ("08", "53", "57", "3D", "58"), fields
    gateway.wait_idle()


def test_console_login(make_gateway):
    gateway = make_gateway()
    for database in ("pggateway", "pgbouncer", "pgdoorman"):
        with gateway.wire(ADMIN, database, ADMIN_PASSWORD) as client:
            assert client.dicts("SHOW VERSION")
        for user, password in (
            (ADMIN, "wrong"),
            ("app", PASSWORDS["app"]),
            ("app_trust", "x"),
            ("ghost", ADMIN_PASSWORD),
        ):
            try:
                with gateway.wire(user, database, password):
                    pytest.fail(f"{user} came into the console")
            except LoginRefused as refusal:
                assert refusal.sqlstate in ("28P01", "28000", "42501"), refusal.fields
