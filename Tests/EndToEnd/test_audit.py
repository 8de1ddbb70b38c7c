"""The audit stream: one record for each login, logout and console command, and a target that can never stop a
worker."""

import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from gateway import ADMIN, ADMIN_PASSWORD, BINARY, pool
from polling import wait_until
from server import PASSWORDS, free_port
from wire import Closed, LoginRefused, message, password_message, query, startup

ALL = {"time", "event"}
WHO = ALL | set(
    "connection address port tls tls_version tls_cipher tls_client_subject".split()
    + "database user identity pool server_user".split()
)
LOGIN = WHO | set(
    "rule_file rule_line method provider secret_source cached verdict reason reason_text duration_us".split()
)
LOGOUT = WHO | set("reason reason_text duration_us transactions queries".split())
COMMAND = WHO | {"command", "outcome"}
FIELDS = {"login": LOGIN, "logout": LOGOUT, "command": COMMAND, "dropped": ALL | {"dropped"}}


class Trail:
    """The audit log of a gateway, in a file of its folder."""

    def __init__(self, make_gateway, tmp_path, **options):
        self.path = tmp_path / "audit.json"
        general = {"audit_log": str(self.path), **options.pop("general", {})}
        self.gateway = make_gateway(general=general, **options)

    def text(self):
        return self.path.read_text() if self.path.exists() else ""

    def records(self, event=None, path=None):
        def whole():
            text = path.read_text() if path else self.text()
            # A line that is being written may be seen in part.
            return (text,) if not text or text.endswith("\n") else None

        (text,) = wait_until(whole, "the last line is whole")
        records = [json.loads(line) for line in text.splitlines()]
        for record in records:
            assert set(record) == FIELDS[record["event"]], record
        return [r for r in records if event in (None, r["event"])]

    def wait(self, count, event=None, path=None):
        """All records, once there are so many."""
        return wait_until(
            lambda: (found := self.records(event, path)) and len(found) >= count and found,
            lambda: f"{count} records of {event}; there are:\n{self.text()}",
        )

    def refusal(self, *arguments, **options):
        """The record of a login that is refused."""

        def refused():
            return [record for record in self.records("login") if record["verdict"] == "refused"]

        before = len(refused())
        with pytest.raises((LoginRefused, Closed)):
            self.gateway.wire(*arguments, **options)
        return wait_until(lambda: refused()[before:], lambda: f"a record of the refusal; there are:\n{self.text()}")[0]


def rows_of(gateway, sql):
    return gateway.console(sql)


# --- what a record says -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user, method", (("app", "md5"), ("app_md5", "md5"), ("app_trust", "trust")))
def test_login_and_logout(make_gateway, tmp_path, user, method):
    trail = Trail(make_gateway, tmp_path)
    before = time.monotonic()
    client = trail.gateway.wire(user)
    port, number = client.socket.getsockname()[1], client.pid
    client.rows("begin work")
    client.rows("select 1")
    client.rows("commit")
    client.rows("select 2")
    client.leave()
    login, logout = trail.wait(2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", login["time"])
    who = {
        "connection": f"#c{number}",
        "address": "127.0.0.1",
        "port": port,
        "tls": False,
        "tls_version": None,
        "tls_cipher": None,
        "tls_client_subject": None,
        "database": "app",
        "user": user,
        "identity": user,
        "pool": f"{user}@app",
        "server_user": user,
    }
    assert {k: login[k] for k in who} == who
    assert {k: logout[k] for k in who} == who
    line = 3 if method == "trust" else 4
    assert (login["rule_file"], login["rule_line"], login["method"]) == ("general.pg_hba", line, method)
    assert (login["provider"], login["secret_source"], login["cached"]) == ("password", "settings", None)
    assert (login["verdict"], login["reason"], login["reason_text"]) == ("admitted", None, None)
    assert 0 < login["duration_us"] < (time.monotonic() - before) * 1e6
    assert (logout["reason"], logout["reason_text"]) == ("client_left", "client left")
    assert (logout["transactions"], logout["queries"]) == (2, 4)
    assert login["duration_us"] < logout["duration_us"] < (time.monotonic() - before) * 1e6


def test_unix_socket(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path, general={"unix_socket_dir": str(tmp_path)})
    trail.gateway.wire(unix=True).close()
    login, logout = trail.wait(2)
    assert (login["address"], login["port"], login["rule_line"]) == ("[local]", None, 2)
    assert (logout["address"], logout["port"]) == ("[local]", None)


RULES = """
host app app_plain 127.0.0.1/32 trust
host app app_mapped 127.0.0.1/32 reject
host app nobody 127.0.0.1/32 password
host app app_md5 127.0.0.1/32 scram-sha-256
host app all 127.0.0.1/32 md5
host pggateway all 127.0.0.1/32 md5
host postgres app 127.0.0.1/32 trust
"""


@pytest.mark.parametrize(
    "user, database, reason, line, method",
    [
        ("app", "elsewhere", "no_rule_matches", None, None),
        ("app_mapped", "app", "rule_rejects", 3, "reject"),
        ("nobody", "app", "user_unknown", 4, "password"),
        ("ghost", "app", "user_unknown", 6, "md5"),
        ("app_plain", "app", "user_unknown", 2, "trust"),
        ("app_md5", "app", "secret_unusable", 5, "scram-sha-256"),
        ("app_empty", "app", "secret_empty", 6, "md5"),
        ("app", "app", "password_wrong", 6, "md5"),
    ],
)
def test_reasons(make_gateway, postgres, tmp_path, user, database, reason, line, method):
    users = [{"username": "app_empty", "password": ""}]
    users += [{"username": u, "password": postgres.secrets[u]} for u in ("app", "app_md5")]
    trail = Trail(make_gateway, tmp_path, pools={"app": pool(postgres, users_=users)}, hba=RULES)
    record = trail.refusal(user, database, "Not-the-password-00")
    assert (record["verdict"], record["reason"]) == ("refused", reason)
    assert (record["rule_line"], record["method"]) == (line, method)
    assert record["rule_file"] == (line and "general.pg_hba")
    assert record["reason_text"] and (record["user"], record["database"]) == (user, database)
    assert (record["identity"], record["pool"], record["provider"]) == (None, None, None)
    trail.gateway.wait_for_log(lambda log: f"code={reason}" in log, "the log has the same code")
    assert "Not-the-password" not in trail.text()


def test_early_refusals(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path, general={"client_login_timeout": "1500ms"})
    gateway = trail.gateway
    with gateway.wire(login=False) as client:
        client.send(startup({"database": "app"}))
        client.until_closed()
    with gateway.wire(login=False) as client:
        client.send(struct.pack(">i", 70000) + b"GET / HTTP/1.1\r\n")
        client.until_closed()
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app", "options": "--nonsense"}))
        client.until_closed()
    with gateway.wire(login=False) as client:
        client.send(startup([("user", b"caf\xe9\xff"), ("database", "app")]))
        client.until_closed()
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        client.send(query("select 1"))
        client.until_closed()
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
    records = trail.wait(6, "login")
    assert [r["reason"] for r in records] == ["startup_invalid"] * 4 + ["protocol_violation", "client_left"]
    assert all(r["verdict"] == "refused" and r["connection"] for r in records)
    assert [r["user"] for r in records] == [None, None, "app", None, "app", "app"]
    # A client that never says anything, one that never answers, and one that only looks whether anybody is there.
    silent, mute, curious = gateway.wire(login=False), gateway.wire(login=False), gateway.wire(login=False)
    curious.close()
    mute.send(startup({"user": "app", "database": "app"}))
    late = trail.wait(8, "login")[6:]
    assert [r["reason"] for r in late] == ["deadline_passed"] * 2
    assert {r["user"] for r in late} == {None, "app"}
    for client in (silent, mute):
        client.close()
    assert not trail.records("logout")
    check_log(trail)


def check_log(trail):
    """Each refused login has one line in the log, with the code of its record."""
    refused = sorted(r["reason"] for r in trail.records("login") if r["verdict"] == "refused")

    def codes():
        lines = [line for line in trail.gateway.log().splitlines() if re.search("login failed|refused or ended", line)]
        return sorted(re.search(r" code=(\w+)|$", line)[1] or "none" for line in lines)

    wait_until(lambda: codes() == refused, lambda: f"{refused}, and not {codes()}")


@pytest.mark.parametrize("method", ("md5", "password"), ids=("exchange", "task"))
def test_a_login_that_an_administrator_ends(make_gateway, tmp_path, method):
    """Its record does not say that the client gave up."""
    rules = f"host app all 127.0.0.1/32 {method}\nhost pggateway all 127.0.0.1/32 md5\n"
    trail = Trail(make_gateway, tmp_path, hba=rules)
    with trail.gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}))
        client.receive()
        [row] = trail.gateway.console("KILL USER app")
        assert row["clients"] == "1"
        client.until_closed()
    [record] = wait_until(
        lambda: [r for r in trail.records("login") if r["user"] == "app"],
        lambda: f"a record; there are:\n{trail.text()}",
    )
    assert (record["verdict"], record["reason"]) == ("refused", "ended_by_administrator")
    assert record["reason_text"] == "KILL USER"
    trail.gateway.wait_for_log(lambda log: "code=ended_by_administrator" in log, "the log has the same code")
    check_log(trail)
    assert 'command="KILL USER app"' in trail.gateway.log()
    assert not [r for r in trail.records("logout") if r["user"] == "app"]


def test_too_many_clients(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path, general={"max_connections": 2})
    with trail.gateway.wire(), trail.gateway.wire():
        record = trail.refusal()
    assert (record["reason"], record["user"]) == ("too_many_clients", "app")
    check_log(trail)


def test_server_refuses_and_server_is_away(make_gateway, postgres, tmp_path):
    pools = {
        "refused": pool(postgres, database="no_such_database"),
        "away": pool(postgres, server_port=free_port()),
    }
    trail = Trail(make_gateway, tmp_path, pools=pools, general={"query_wait_timeout": "500ms"})
    record = trail.refusal("app", "refused")
    assert (record["reason"], record["identity"], record["pool"]) == ("server_refused", "app", "app@refused")
    assert "no_such_database" in record["reason_text"] and record["provider"] == "password"
    record = trail.refusal("app", "away")
    assert (record["reason"], record["pool"]) == ("server_unavailable", "app@away")


def test_ends_of_sessions(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path)
    gateway = trail.gateway
    client = gateway.wire()
    client.rows("begin work")
    client.rows("select 1")
    client.reset()
    (broken,) = trail.wait(1, "logout")
    assert broken["reason"] == "client_left" and broken["queries"] == 2
    with gateway.wire() as client:
        client.send(message("Q", length=3))
        client.until_closed()
    ended = trail.wait(2, "logout")[1]
    assert ended["reason"] == "session_ended" and ended["reason_text"]
    with gateway.wire() as client:
        gateway.signal(signal.SIGTERM)
        client.until_closed()
    gateway.wait()
    records = trail.records("logout")
    assert len(records) == 3 and records[2]["reason"] == "shutting_down"
    assert len(trail.records("login")) == 3


def test_console_commands(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path)
    with trail.gateway.console_wire() as console:
        console.rows("show   version; SHOW POOLS")
        console.error("SHOW NONSENSE")
        console.error("ALTER USER app PASSWORD 'Typed-into-the-wrong-window-1'")
        console.rows("SET application_name = 'Typed-into-the-wrong-window-2'")
        trail.gateway.change(general={"port": "nonsense"})
        console.error("RELOAD")
        console.error("SHOW " + "x" * 2000)
    records = trail.wait(7, "command")
    assert [(r["command"], r["outcome"]) for r in records] == [
        ("show version", "ok"),
        ("SHOW POOLS", "ok"),
        ("SHOW NONSENSE", "42704"),
        ("ALTER USER app PASSWORD", "42601"),
        ("SET application_name = '...'", "ok"),
        ("RELOAD", "22023"),
        ("SHOW " + "x" * 1019 + "…", "42704"),
    ]
    assert {(r["user"], r["identity"], r["database"], r["pool"]) for r in records} == {
        (ADMIN, ADMIN, "pggateway", None)
    }
    assert "wrong-window" not in trail.text()
    (login,) = trail.records("login")
    assert (login["user"], login["verdict"], login["pool"]) == (ADMIN, "admitted", None)
    (logout,) = trail.wait(1, "logout")
    assert (logout["connection"], logout["queries"]) == (login["connection"], 7)


@pytest.mark.parametrize(
    "name",
    (
        'quo"te',
        "back\\slash",
        "line\nbreak\r\n{}",
        "bell\a\x1b[31mred\x7f",
        '","verdict":"admitted","x":"',
        "\u202eright to left\u2028",
        "имя_пользователя 🐘",
        "x" * 8000,
        "ж" * 4000,
    ),
    ids=("quote", "backslash", "lines", "control", "json", "direction", "unicode", "long", "long unicode"),
)
def test_hostile_names(make_gateway, tmp_path, name):
    trail = Trail(make_gateway, tmp_path)
    record = trail.refusal(name, "app", "Not-the-password-00")
    assert len(trail.text().splitlines()) == 1
    assert (record["verdict"], record["reason"]) == ("refused", "user_unknown")
    if len(name.encode()) <= 256:
        assert record["user"] == name
    else:
        user = record["user"]
        assert user.endswith("…") and len(user.encode()) <= 259 and name.startswith(user[:-1])
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", trail.text()) is None
    shown = rows_of(trail.gateway, "SHOW AUDIT FAILURES")
    assert [row["user"] for row in shown] == [record["user"]]


def test_no_secret_in_the_stream(make_gateway, postgres, tmp_path):
    rules = "host all app_plain 127.0.0.1/32 password\nhost all all 127.0.0.1/32 md5\n"
    trail = Trail(make_gateway, tmp_path, hba=rules)
    gateway = trail.gateway
    for user in ("app", "app_md5"):
        gateway.wire(user).leave()
    for user in ("app", "app_plain", "ghost"):
        for password in (PASSWORDS["app_md5"], ADMIN_PASSWORD):
            trail.refusal(user, "app", password)
    with gateway.wire(login=False) as client:
        client.send(startup({"user": "app", "database": "app"}), password_message(PASSWORDS["app"]))
        client.until_closed()
    shown = rows_of(gateway, "SHOW AUDIT")
    assert len(shown) >= 10
    gateway.check_secrets(trail.text())
    gateway.check_secrets(str(shown))


# --- where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_signal", (False, True), ids=("console", "signal"))
def test_rotation(make_gateway, tmp_path, by_signal):
    trail = Trail(make_gateway, tmp_path)
    assert stat.S_IMODE(trail.path.stat().st_mode) == 0o600
    trail.gateway.wire().leave()
    trail.wait(2)
    old = tmp_path / "audit.json.1"
    trail.path.rename(old)
    trail.gateway.wire("app_md5").leave()
    assert [r["user"] for r in trail.wait(4, path=old)] == ["app", "app", "app_md5", "app_md5"]
    assert not trail.path.exists()
    trail.gateway.reload(by_signal=by_signal)
    wait_until(trail.path.exists, "the file is made anew")
    trail.gateway.wire("app_trust").leave()
    wait_until(lambda: "app_trust" in trail.text(), "records go to the new file")
    trail.gateway.stop()
    trail.gateway.judged = True
    both = trail.records("login", old) + trail.records("login")
    assert [r["user"] for r in both if r["user"] != ADMIN] == ["app", "app_md5", "app_trust"]


def test_switched_on_and_off_by_reload(make_gateway, tmp_path):
    gateway = make_gateway()
    gateway.wire().leave()
    path = tmp_path / "late.json"
    gateway.reload(general={"audit_log": str(path)})
    gateway.wire("app_md5").leave()
    wait_until(lambda: path.read_text().count("app_md5@app") == 2, "the new setting holds")
    gateway.reload(general={"audit_log": None})
    gateway.wire("app_trust").leave()
    assert len(rows_of(gateway, "SHOW AUDIT")) > 5
    assert "app_trust" not in path.read_text() and '"app"' not in path.read_text().replace('"database":"app"', "")
    gateway.reload(general={"audit_entries": 0})
    assert rows_of(gateway, "SHOW AUDIT") == []


@pytest.mark.parametrize("target", ("/nowhere/at/all/audit.json", "/", "relative.json"))
def test_bad_target(make_gateway, target):
    refused = make_gateway(general={"audit_log": target}, start=False)
    status, output = refused.run_to_end()
    assert status == 78 and "audit_log" in output
    gateway = make_gateway()
    gateway.change(general={"audit_log": target, "max_connections": 7})
    with gateway.console_wire() as console:
        assert "audit_log" in console.error("RELOAD")["M"]
    rows = {row["key"]: row["value"] for row in gateway.console("SHOW CONFIG")}
    assert rows["general.audit_log"] == "" and rows["general.max_connections"] != "7"


def test_standard_error(make_gateway):
    gateway = make_gateway(general={"audit_log": "stderr"})
    gateway.wire().leave()
    lines = wait_until(
        lambda: len(found := [x for x in gateway.log().splitlines() if x.startswith("{")]) >= 2 and found,
        "two lines of JSON",
    )
    assert [json.loads(line)["event"] for line in lines] == ["login", "logout"]


def test_syslog(make_gateway, loggers_place):
    """The system's logger, which is not running where tests run: this test takes its place."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.settimeout(10)
    try:
        receiver.bind("/dev/log")
        gateway = make_gateway(general={"audit_log": "syslog", "syslog_prog_name": "door"})
        with pytest.raises(LoginRefused):
            gateway.wire(password="Not-the-password-00")
        gateway.wire().leave()
        packets = []
        while len(packets) < 3:
            packet = receiver.recv(65536).decode()
            # PAM modules of other tests log here, too.
            if f"[{gateway.process.pid}]" in packet:
                packets.append(packet)
        rows = {row["key"]: row["value"] for row in gateway.console("SHOW CONFIG")}
        assert rows["general.syslog_prog_name"] == "door" and "syslog_prog_name" not in gateway.log()
    finally:
        receiver.close()
        os.unlink("/dev/log")
    pattern = r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d door\[%d\]: (\{.*\})" % gateway.process.pid
    matches = [re.fullmatch(pattern, packet) for packet in packets]
    assert [m[1] for m in matches] == ["36", "37", "37"]
    assert [json.loads(m[2])["event"] for m in matches] == ["login", "login", "logout"]


def audit_dropped(gateway):
    return next(int(r["items"]) for r in gateway.console("SHOW LISTS") if r["list"] == "audit_dropped")


def test_a_target_that_takes_nothing(make_gateway, tmp_path):
    """A FIFO whose reader has fallen asleep: clients come and go as if nothing was, and the loss is told later."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gateway = make_gateway(general={"audit_log": str(path), "audit_log_queue": 20})
    logins = 0
    slowest = 0
    while audit_dropped(gateway) == 0:
        for _ in range(40):
            began = time.monotonic()
            gateway.wire("app_trust").leave()
            slowest = max(slowest, time.monotonic() - began)
        logins += 40
        assert logins < 4000, "nothing was ever dropped"
    assert slowest < 2
    assert int(next(r["items"] for r in gateway.console("SHOW LISTS") if r["list"] == "audit_entries")) > 40
    text = b""

    def drain():
        nonlocal text
        try:
            text += os.read(reader, 1 << 20)
        except BlockingIOError:
            pass
        return b'"dropped":' in text

    wait_until(drain, "a line says how many records are missing")
    gateway.wire("app_md5").leave()
    wait_until(lambda: drain() and text.count(b'"app_md5@app"') == 2, "records come again")
    records = [json.loads(line) for line in text.splitlines()]
    told = sum(r["dropped"] for r in records if r["event"] == "dropped")
    assert told == audit_dropped(gateway) > 0
    assert {r["event"] for r in records} == {"login", "logout", "command", "dropped"}
    os.close(reader)


def test_a_stop_does_not_wait_for_a_target_that_takes_nothing(make_gateway, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    gateway = make_gateway(general={"audit_log": str(path), "audit_log_queue": 5})
    while audit_dropped(gateway) == 0:
        for _ in range(40):
            gateway.wire("app_trust").leave()
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    assert time.monotonic() - began < 10
    os.close(reader)


def test_a_full_disk(make_gateway, tmp_path):
    gateway = make_gateway(general={"audit_log": "/dev/full"})
    gateway.wire().leave()
    wait_until(lambda: audit_dropped(gateway) >= 2, "what cannot be written is counted")
    gateway.wait_for_log(lambda log: "the audit log cannot be written" in log, "the log says so")
    path = tmp_path / "audit.json"
    gateway.reload(general={"audit_log": str(path)})
    lost = wait_until(
        lambda: [r for r in map(json.loads, path.read_text().splitlines()) if r["event"] == "dropped"],
        "a line says how many records are missing",
    )
    assert sum(r["dropped"] for r in lost) == audit_dropped(gateway)


def test_a_stop_writes_everything_out(make_gateway, tmp_path):
    trail = Trail(make_gateway, tmp_path)
    clients = [trail.gateway.wire("app_trust") for _ in range(100)]
    trail.gateway.signal(signal.SIGTERM)
    for client in clients:
        client.until_closed()
        client.close()
    assert trail.gateway.wait() == 0
    assert len(trail.records("login")) == len(trail.records("logout")) == 100


# --- SHOW AUDIT -------------------------------------------------------------------------------------------------------


def test_show_audit(make_gateway):
    gateway = make_gateway()
    gateway.wire().leave()
    with pytest.raises(LoginRefused):
        gateway.wire("app_md5", password="Not-the-password-00")
    wait_until(
        lambda: any(r["event"] == "logout" and r["user"] == "app" for r in rows_of(gateway, "SHOW AUDIT")),
        "the logout is there",
    )
    rows = rows_of(gateway, "SHOW AUDIT")
    assert set(rows[0]) == set().union(LOGIN, LOGOUT, COMMAND)
    assert [r["time"] for r in rows] == sorted((r["time"] for r in rows), reverse=True)
    login = next(r for r in rows if r["event"] == "login" and r["user"] == "app")
    assert (login["verdict"], login["tls"], login["cached"]) == ("admitted", "f", None)
    assert (login["rule_line"], login["pool"], login["outcome"]) == ("4", "app@app", None)
    last = rows_of(gateway, "SHOW AUDIT 2")
    assert len(last) == 2 and last[0]["event"] == "login" and last[0]["user"] == ADMIN
    gateway.console_wire().error("SHOW NONSENSE")
    failures = rows_of(gateway, "show audit failures")
    assert [(r["event"], r["reason"], r["outcome"]) for r in failures] == [
        ("command", None, "42704"),
        ("login", "password_wrong", None),
    ]
    assert [r["event"] for r in rows_of(gateway, "SHOW AUDIT FAILURES 1")] == ["command"]
    assert rows_of(gateway, "SHOW AUDIT 0") == []


def test_the_ring_is_bounded(make_gateway):
    gateway = make_gateway(general={"audit_entries": 5})
    for _ in range(5):
        gateway.wire().leave()
    assert len(rows_of(gateway, "SHOW AUDIT")) == 5
    lists = {row["list"]: int(row["items"]) for row in gateway.console("SHOW LISTS")}
    assert lists["audit_entries"] == 5 and lists["audit_dropped"] == 0


def test_reference_page():
    done = subprocess.run([str(BINARY), "reference", "audit"], capture_output=True, text=True, check=True)
    for name in set().union(*FIELDS.values()):
        assert f"| `{name}` |" in done.stdout
