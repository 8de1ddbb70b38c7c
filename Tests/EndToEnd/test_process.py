"""The process: its arguments, its end, reload, and the limits of the machine."""

import json
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from descriptors import sockets_of
from fakeserver import FakeServer, plain_answer
from gateway import BINARY, ROOT, pool
from polling import wait_until
from wire import Closed, LoginRefused, query

# --- arguments --------------------------------------------------------------------------------------------------------


def test_version(make_gateway):
    for option in ("--version",):
        done = subprocess.run([BINARY, option], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0
        assert re.search(r"\d+\.\d+", done.stdout)


def test_help_and_usage(make_gateway):
    done = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "pggateway" in done.stdout
    done = subprocess.run([BINARY, "--no-such-option"], capture_output=True, text=True, timeout=10)
    assert done.returncode not in (0, 78) and done.stderr


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("-t", "-l", "nope"), "nope"),
        (("-t", "-F", "nope"), "--log-format"),
        (("-l", "nope"), "nope"),
        (("demo", "-p", "70000"), "70000"),
        (("demo", "-p=-1"), "-1"),
        (("demo", "-l", "nope"), "nope"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_values_of_options_that_mean_nothing_are_usage_errors(make_gateway, arguments, word):
    gateway = make_gateway(start=False)
    gateway.judged = True
    file = [] if "demo" in arguments else [str(gateway.file)]
    done = subprocess.run([BINARY, *arguments, *file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 64, (done.returncode, done.stdout, done.stderr)
    assert word in done.stderr and not done.stdout, done.stderr


def test_the_functions_of_the_work_lie_together(make_gateway):
    """scripts/function-order.txt is in force, and most of its names are still those of functions: else `make order`."""
    listing = subprocess.run(["nm", BINARY], capture_output=True, text=True, check=True).stdout
    symbols = (line.split() for line in listing.splitlines())
    addresses = {fields[2]: int(fields[0], 16) for fields in symbols if len(fields) == 3 and fields[1] in "tTwW"}
    names = (ROOT / "scripts/function-order.txt").read_text().splitlines()
    found = [addresses[name] for name in names if name in addresses]
    assert len(found) > 0.8 * len(names), f"{len(found)} of {len(names)}"
    assert sum(abs(address - found[0]) < 1 << 20 for address in found) > 0.9 * len(found)


def test_test_config(make_gateway):
    gateway = make_gateway(start=False)
    status, output = gateway.run_to_end("-t")
    assert status == 0, output
    gateway.check_secrets(output)


BAD_SETTINGS = {
    "unknown key in general": (
        {"general": {"query_wait_timeoutt": "1s"}},
        ["query_wait_timeoutt", "query_wait_timeout"],
    ),
    "unknown key in a pool": ({"pools": {"app": {"pool_mod": "session"}}}, ["pool_mod", "pool_mode"]),
    "unknown top-level key": ({"generall": {}}, ["generall", "general"]),
    "bad duration": ({"general": {"query_wait_timeout": "5 parsecs"}}, ["query_wait_timeout"]),
    "negative duration": ({"general": {"query_wait_timeout": -1}}, ["query_wait_timeout"]),
    "bad mode": ({"pools": {"app": {"pool_mode": "sessions"}}}, ["pool_mode"]),
    "bad port": ({"general": {"port": 70000}}, ["port"]),
    "a word for a number": ({"general": {"worker_threads": "many"}}, ["worker_threads"]),
    "no admin": ({"general": {"admin_password": None}}, ["admin_password"]),
    "list for a table": ({"general": [1, 2]}, ["general"]),
    "bad user secret": (
        {"pools": {"app": {"users": [{"username": "u", "password": "md5short", "pool_size": 1}]}}},
        ["password"],
    ),
    "min above size": (
        {"pools": {"app": {"users": [{"username": "u", "password": "", "pool_size": 1, "min_pool_size": 2}]}}},
        ["min_pool_size"],
    ),
    "user twice": (
        {"pools": {"app": {"users": [{"username": "u", "password": "", "pool_size": 1}] * 2}}},
        ["u"],
    ),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings_end_with_78(make_gateway, name):
    changes, words = BAD_SETTINGS[name]
    gateway = make_gateway(start=False)
    gateway.judged = True
    gateway.change(**changes)
    for arguments in (("-t",), ()):
        status, output = gateway.run_to_end(*arguments)
        assert status == 78, (status, output)
        for word in words:
            assert word in output, output
        gateway.check_secrets(output)


@pytest.mark.parametrize(
    "content",
    [
        "general: [",
        "\t:",
        "pools: {}",
        "",
        "\0\1\2",
        "general: {port: 1}\ngeneral: {port: 2}",
        "a: &x [*x]",
        "[general]\nport = 1\n",
    ],
)
def test_files_that_are_no_settings(make_gateway, content):
    gateway = make_gateway(start=False)
    gateway.judged = True
    gateway.file.write_text(content)
    status, output = gateway.run_to_end("-t")
    assert status == 78, (status, output)
    assert output.strip()


def test_a_missing_file(make_gateway):
    gateway = make_gateway(start=False)
    gateway.judged = True
    gateway.file.unlink()
    for arguments in ((), ("-t",)):
        status, output = gateway.run_to_end(*arguments)
        assert status == 78 and "pggateway.yaml" in output


def test_a_line_is_named(make_gateway):
    gateway = make_gateway(start=False)
    gateway.judged = True
    lines = gateway.file.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "worker_threads" in line)
    lines.insert(at, "  worker_treads: 3")
    gateway.file.write_text("\n".join(lines))
    status, output = gateway.run_to_end("-t")
    assert status == 78
    assert "worker_treads" in output and "worker_threads" in output and str(at + 1) in output, output


def test_an_address_of_the_legacy_list_is_named_by_its_line(make_gateway):
    ranges = ["127.0.0.0/8", "10.0.0.1", "10.1.0.0/16", "10.0.0.0/33"]
    gateway = make_gateway(start=False, general={"pg_hba": None, "hba": ranges})
    gateway.judged = True
    lines = gateway.file.read_text().splitlines()
    status, output = gateway.run_to_end("-t")
    assert status == 78
    for wrong in ("10.0.0.1", "10.0.0.0/33"):
        at = lines.index(f"  - {wrong}") + 1
        assert re.search(rf"{gateway.file}:{at}: general\.hba: .*`{wrong}`", output), output
    assert "10.0.0.1/32" in output and "127.0.0.0/8" not in output


def absent_pair(folder):
    """Settings with a certificate and a key that are not there, and what is to be told of these."""
    named = {"tls_certificate": f"{folder}/1", "tls_private_key": f"{folder}/2"}
    return named, [(f"{key}:", f"general.{key}: {path}: ") for key, path in named.items()]


def check_all_are_told(gateway, expected):
    """`-t` tells each of the problems, in a line with the place of its key: pairs of what the key's line in the file
    holds, and what is told of it."""
    gateway.judged = True
    status, output = gateway.run_to_end("-t")
    assert status == 78, output
    lines = gateway.file.read_text().splitlines()
    told = output.splitlines()
    assert len(told) == len(expected), output
    for key, words in expected:
        [at] = [number for number, line in enumerate(lines, 1) if key in line]
        begin = f"Config parse error: {gateway.file}:{at}: "
        assert any(line.startswith(begin) and words in line for line in told), (key, words, output)


def test_problems_of_certificates_keys_and_rules_are_told_at_once_with_file_and_line(make_gateway, postgres, tmp_path):
    app = pool(postgres, users_=[{"username": "minted", "password": f"jwt-pkey-fpath:{tmp_path}/5", "pool_size": 1}])
    tls = {"server_tls_mode": "verify-ca", "server_tls_ca_cert": f"{tmp_path}/3"}
    named, told = absent_pair(tmp_path)
    gateway = make_gateway(
        {"app": app | tls, "other": pool(postgres)},
        named,
        hba=f"local all all md5\nhost all all all jwt keys={tmp_path}/6\nhost all all all jwt keys={tmp_path}/7\n",
        start=False,
    )
    check_all_are_told(
        gateway,
        [
            *told,
            ("server_tls_ca_cert:", f"pools.app.server_tls_ca_cert: {tmp_path}/3: "),
            ("jwt-pkey-fpath", "pools.app.users.minted.password: "),
            ("pg_hba:", f'general.pg_hba:2: option "keys" of authentication method "jwt": {tmp_path}/6: '),
            ("pg_hba:", f'general.pg_hba:3: option "keys" of authentication method "jwt": {tmp_path}/7: '),
        ],
    )


def test_problems_of_rule_texts_do_not_hide_those_of_files(make_gateway, tmp_path):
    named, told = absent_pair(tmp_path)
    gateway = make_gateway(
        general=named | {"pg_ident": {"path": f"{tmp_path}/8"}},
        hba="host all all all nonsense\nhost all all 10.0.0.1 md5\n",
        start=False,
    )
    check_all_are_told(
        gateway,
        [
            *told,
            ("pg_ident:", f"general.pg_ident: {tmp_path}/8: "),
            ("pg_hba:", "general.pg_hba:1:"),
            ("pg_hba:", "general.pg_hba:2:"),
        ],
    )


def test_a_file_named_in_general_is_told_at_its_line_there(make_gateway, postgres, tmp_path):
    """Once, although every pool has it from there."""
    gateway = make_gateway(
        {"app": pool(postgres), "other": pool(postgres)},
        {"server_tls_mode": "verify-ca", "server_tls_ca_cert": f"{tmp_path}/3"},
        start=False,
    )
    check_all_are_told(gateway, [("server_tls_ca_cert:", f"server_tls_ca_cert: {tmp_path}/3: ")])


def test_known_keys_of_pg_doorman_that_we_do_not_do_are_a_warning(make_gateway):
    gateway = make_gateway(general={"scaling_warm_pool_ratio": 20})
    assert re.search("WARN.*scaling_warm_pool_ratio", gateway.log())
    assert gateway.run_to_end("-t")[0] == 0


def test_toml(make_gateway, postgres):
    gateway = make_gateway(start=False)
    user = gateway.settings["pools"]["app"]["users"][0]
    general = gateway.settings["general"]
    gateway.file = gateway.folder / "pggateway.toml"
    gateway.file.write_text(
        f'[general]\nhost = "127.0.0.1"\nport = {gateway.port}\nadmin_username = "{general["admin_username"]}"\n'
        f'admin_password = "{general["admin_password"]}"\nquery_wait_timeout = "2s"\n'
        f"pg_hba = {{ content = \"host all all 127.0.0.1/32 md5\" }}\n\n[pools.app]\nserver_host = '127.0.0.1'\n"
        f"server_port = {postgres.port}\n\n[[pools.app.users]]\n"
        f"username = '{user['username']}'\npassword = '{user['password']}'\npool_size = 3\n"
    )
    gateway.start()
    with gateway.wire("app", "app") as client:
        assert client.value("select 1") == "1"
    assert gateway.pool_row()["pool_size"] == "3"


def test_users_as_a_numbered_map(make_gateway, postgres):
    chosen = pool(postgres)
    chosen["users"] = {str(i): entry for i, entry in enumerate(chosen["users"])}
    gateway = make_gateway({"app": chosen}, start=False)
    gateway.start()
    with gateway.wire("app", "app") as client:
        assert client.value("select 1") == "1"


def test_structured_log(make_gateway):
    gateway = make_gateway(arguments=("-F", "structured", "-l", "debug"))
    with gateway.wire() as client:
        client.value("select 1")
    lines = gateway.log().splitlines()
    assert lines
    for line in lines:
        record = json.loads(line)
        assert {"level", "message"} <= {key.lower() for key in record}


def test_log_levels(make_gateway):
    quiet = make_gateway(arguments=("-l", "error"))
    with quiet.wire() as client:
        client.value("select 1")
    assert not re.search("INFO|DEBUG|TRACE", quiet.log())
    loud = make_gateway(arguments=("-l", "debug"))
    with loud.wire() as client:
        client.value("select 1")
    assert len(loud.log()) > len(quiet.log())


def test_connections_that_are_not_to_be_logged(make_gateway):
    """Those of the console neither."""
    gateway = make_gateway(general={"log_client_connections": False, "log_client_disconnections": False})
    with gateway.wire() as client:
        client.leave()
    gateway.wait_idle()
    assert not re.search("logged in|disconnected", gateway.log()), gateway.log()


def test_the_port_is_taken(make_gateway):
    first = make_gateway()
    second = make_gateway(start=False, general={"port": first.port})
    second.judged = True
    status, output = second.run_to_end()
    assert status not in (0, None) and str(first.port) in output, output
    with first.wire() as client:
        assert client.value("select 1") == "1"


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_an_idle_gateway_ends_at_once(make_gateway, number):
    gateway = make_gateway()
    began = time.monotonic()
    gateway.signal(number)
    assert gateway.wait() == 0
    assert time.monotonic() - began < 3


def is_refused(gateway):
    """By the system, at once. Who was in the queue of the door when it closed is reset."""
    try:
        gateway.wire(timeout=1).close()
    except (ConnectionRefusedError, ConnectionResetError, Closed, LoginRefused) as refusal:
        return isinstance(refusal, ConnectionRefusedError)
    pytest.fail("a new client came in")


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_graceful_stop(make_gateway, postgres, number):
    """Idle clients get 57P01 between transactions; one in a transaction finishes it first; nobody new comes in."""
    gateway = make_gateway(general={"shutdown_timeout": "30s"})
    idle = gateway.wire()
    idle.value("select 1")
    fresh = gateway.wire()
    busy = gateway.wire()
    busy.rows("begin work")
    running = gateway.wire()
    running.send(query("select pg_sleep(0.7), 'finished'"))
    wait_until(postgres.sleeping, "the query runs")
    gateway.signal(number)
    for client in (idle, fresh):
        errors = client.until_closed()
        assert [m.kind for m in errors] == ["E"], [str(m) for m in errors]
        assert (errors[0].sqlstate, errors[0].fields["S"]) == ("57P01", "FATAL")
    answer = running.until_closed()
    assert [m.kind for m in answer] == ["T", "D", "C", "Z", "E"], [str(m) for m in answer]
    assert answer[-1].sqlstate == "57P01"
    wait_until(lambda: is_refused(gateway), "nobody listens any more: a new client does not wait in vain")
    gateway.check_alive()
    assert busy.value("select 'still at work'") == "still at work"
    busy.send(query("commit"))
    answer = busy.until_closed()
    assert [m.kind for m in answer] == ["C", "Z", "E"], [str(m) for m in answer]
    assert answer[-1].sqlstate == "57P01"
    assert gateway.wait() == 0


def test_graceful_stop_of_a_pipeline(make_gateway):
    """A client is shown out between transactions, not inside a batch it has already sent."""
    gateway = make_gateway(general={"shutdown_timeout": "30s"})
    with gateway.wire() as client:
        client.rows("begin work")
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log(lambda log: "stopping" in log, "a word about the stop")
        client.send_together(query("select 1"), query("commit"))
        kinds = "".join(m.kind for m in client.until_closed())
        assert kinds == "TDCZCZE", kinds
    assert gateway.wait() == 0


def test_graceful_stop_of_a_waiting_client(make_gateway):
    gateway = make_gateway(
        pool_options={"pool_size": 1}, general={"shutdown_timeout": "30s", "query_wait_timeout": "60s"}
    )
    holder, waiter = gateway.wire(), gateway.wire()
    holder.rows("begin work")
    waiter.send(query("select 'served'"))
    wait_until(lambda: int(gateway.pool_row()["cl_waiting"]) == 1, "one waits")
    gateway.signal(signal.SIGTERM)
    holder.send(query("commit"))
    assert [m.kind for m in holder.until_closed()] == ["C", "Z", "E"]
    errors = [m for m in waiter.until_closed() if m.kind == "E"]
    assert len(errors) == 1 and errors[0].sqlstate in ("57P01", "58006", "57P03")
    # The gateway gives clients some seconds to take their last words, and these have.
    holder.close()
    waiter.close()
    assert gateway.wait() == 0


def test_shutdown_timeout_forces(make_gateway, postgres):
    gateway = make_gateway(general={"shutdown_timeout": "700ms"})
    busy, running = gateway.wire(), gateway.wire()
    busy.rows("begin work")
    running.send(query("select pg_sleep(30)"))
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    for client in (busy, running):
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
    assert gateway.wait() == 0
    assert 0.5 < time.monotonic() - began < 6
    wait_until(
        lambda: (
            postgres.value("select count(*) from pg_stat_activity where usename = 'app' and state <> 'active'") == 0
        ),
        "no server is left",
    )
    with postgres.admin() as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")


def test_a_second_signal_is_no_crash(make_gateway):
    gateway = make_gateway(general={"shutdown_timeout": "60s"})
    with gateway.wire() as busy:
        busy.rows("begin work")
        gateway.signal(signal.SIGTERM)
        gateway.signal(signal.SIGTERM)
        busy.send(query("commit"))
        assert [m.kind for m in busy.until_closed()] == ["C", "Z", "E"]
    assert gateway.wait() == 0


@pytest.mark.parametrize("unix", (False, True), ids=("TCP", "unix"))
@pytest.mark.parametrize("left", ("half a request", "a request in the queue"))
def test_a_stop_does_not_wait_for_clients_that_do_not_close(make_gateway, tmp_path, left, unix):
    """Not all that they have sent was read; they have got their last words."""
    tmp_path.chmod(0o755)
    general = {"shutdown_timeout": "30s", "query_wait_timeout": "60s", "unix_socket_dir": str(tmp_path)}
    gateway = make_gateway(pool_options={"pool_size": 1}, general=general)
    with gateway.wire(unix=unix) as client, gateway.wire() as holder:
        if left == "half a request":
            client.rows("select 1")
            client._write(query("select 1")[:-3])
        holder.rows("begin work")
        if left != "half a request":
            client.send(query("select 1"))
            wait_until(lambda: gateway.pool_row()["cl_waiting"] == "1", "it waits")
        began = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
        holder.send(query("commit"))
        assert [m.kind for m in holder.until_closed()] == ["C", "Z", "E"]
        assert gateway.wait() == 0
        assert time.monotonic() - began < 3


def test_a_stop_waits_for_clients_that_have_not_got_their_last_words(make_gateway, tmp_path):
    """Over a unix socket it can be told that they have not read them."""
    tmp_path.chmod(0o755)
    gateway = make_gateway(general={"shutdown_timeout": "30s", "unix_socket_dir": str(tmp_path)})
    with gateway.wire(unix=True) as client:
        client.rows("select 1")
        client._write(query("select 1")[:-3])
        began = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert time.monotonic() - began > 3
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]


def test_console_shutdown(make_gateway):
    gateway = make_gateway()
    with gateway.wire() as client, gateway.console_wire() as console:
        client.value("select 1")
        console.send(query("SHUTDOWN"))
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
    assert gateway.wait() == 0


@pytest.mark.parametrize("end", ("a stop", "idle_timeout"))
def test_servers_are_left_politely(make_gateway, end):
    """PostgreSQL would say in its log that a connection has broken."""
    said = threading.Event()

    def script(peer):
        peer.login()
        while (asked := peer.receive()).kind != "X":
            peer.send(plain_answer(asked.body[:-1].decode()))
        said.set()

    with FakeServer(script) as server:
        ageing = {"idle_timeout": "50ms", "retain_connections_time": "20ms"} if end != "a stop" else {}
        gateway = make_gateway({"app": server.pool()}, ageing, hba="host all all 127.0.0.1/32 trust")
        with gateway.wire("app") as client:
            client.rows("select 1")
        if end == "a stop":
            gateway.signal(signal.SIGTERM)
            assert gateway.wait() == 0
        assert said.wait(5), "no Terminate has come"


# --- reload -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_signal", (False, True), ids=("console", "signal"))
def test_reload_reaches_connected_clients(make_gateway, postgres, by_signal):
    """A pool that changes its database: at the next transaction, not within one. Another pool keeps its servers."""
    gateway = make_gateway({"app": pool(postgres, pool_size=1), "calm": pool(postgres, pool_size=1)})
    with gateway.wire() as idle, gateway.wire("app_md5", "app") as busy, gateway.wire("app", "calm") as calm:
        assert idle.value("select current_database()") == "app"
        busy.rows("begin work")
        assert busy.value("select current_database()") == "app"
        pid = calm.value("select pg_backend_pid()")
        gateway.reload(by_signal=by_signal, pools={"app": {"server_database": "postgres"}})
        wait_until(lambda: idle.value("select current_database()") == "postgres", "the new setting holds")
        assert busy.value("select current_database()") == "app"
        busy.rows("commit")
        assert busy.value("select current_database()") == "postgres"
        assert calm.value("select pg_backend_pid()") == pid, "a pool that did not change lost its server"
    gateway.wait_idle()
    wait_until(
        lambda: (
            postgres.value(
                "select count(*) from pg_stat_activity where datname = 'app' and usename in ('app', 'app_md5')"
            )
            == 1
        ),
        "the servers of the old settings are closed",
    )


def test_reload_of_general_settings_reaches_pools(make_gateway):
    gateway = make_gateway(pool_options={"pool_size": 1}, general={"query_wait_timeout": "60s"})
    with gateway.wire() as holder, gateway.wire() as waiter:
        holder.rows("begin work")
        waiter.send(query("select 1"))
        wait_until(lambda: int(gateway.pool_row()["cl_waiting"]) == 1, "one waits")
        gateway.reload(general={"query_wait_timeout": "300ms"})
        with gateway.wire() as late:
            late.send(query("select 1"))
            assert late.until("E")[-1].sqlstate == "53300"
        holder.rows("commit")
        waiter.ready()


def test_reload_of_pool_size(make_gateway, postgres):
    gateway = make_gateway(pool_options={"pool_size": 1}, general={"query_wait_timeout": "10s"})
    with gateway.wire() as one, gateway.wire() as two:
        one.rows("begin work")
        users = [{**entry, "pool_size": 2} for entry in gateway.settings["pools"]["app"]["users"]]
        gateway.reload(pools={"app": {"users": users}})
        assert two.value("select 1") == "1"
        assert gateway.pool_row()["pool_size"] == "2"
        one.rows("commit")


def test_reload_adds_and_removes(make_gateway, postgres):
    gateway = make_gateway()
    with gateway.wire() as client:
        client.value("select 1")
        gateway.reload(pools={"second": pool(postgres)})
        with gateway.wire("app", "second") as other:
            assert other.value("select 1") == "1"
        gateway.reload(pools={"app": None})
        try:
            client.send(query("select 1"))
            errors = [m for m in client.until("EZ") if m.kind == "E"]
            assert errors, "a removed pool serves"
        except Closed:
            pytest.fail("a bare close")
        with pytest.raises(LoginRefused):
            gateway.wire("app", "app")
        with gateway.wire("app", "second") as other:
            assert other.value("select 1") == "1"


def test_reload_of_a_password(make_gateway, postgres):
    """A user whose secret changes: the new one counts for the next login."""
    gateway = make_gateway()
    users = [dict(entry) for entry in gateway.settings["pools"]["app"]["users"]]
    next(u for u in users if u["username"] == "app")["password"] = postgres.secrets["app_md5"]
    with gateway.wire() as client:
        client.value("select 1")
    gateway.reload(pools={"app": {"users": users}})
    with pytest.raises(LoginRefused):
        gateway.wire()


@pytest.mark.parametrize("by_signal", (False, True), ids=("console", "signal"))
@pytest.mark.parametrize("name", ("unknown key in general", "bad mode", "bad duration"))
def test_a_bad_reload_changes_nothing(make_gateway, postgres, by_signal, name):
    gateway = make_gateway(pool_options={"pool_size": 1})
    good = gateway.settings
    with gateway.wire() as client:
        pid = client.value("select pg_backend_pid()")
        gateway.change(
            pools={"app": {"server_database": "postgres"}},
            **{k: v for k, v in BAD_SETTINGS[name][0].items() if k != "pools"},
        )
        if "pools" in BAD_SETTINGS[name][0]:
            gateway.change(**BAD_SETTINGS[name][0])
        before = len(gateway.log())
        if by_signal:
            gateway.signal(signal.SIGHUP)
        else:
            with gateway.console_wire() as console:
                assert console.error("RELOAD")["S"] == "ERROR"
        gateway.wait_for_log(lambda log: BAD_SETTINGS[name][1][0] in log[before:], "the refusal names the key")
        assert client.value("select current_database()") == "app"
        assert client.value("select pg_backend_pid()") == pid
        gateway.settings = good
        gateway.write()
        gateway.reload()
        assert client.value("select pg_backend_pid()") == pid, "a reload of the same settings cost a server"


@pytest.mark.parametrize("by_signal", (False, True), ids=("console", "signal"))
def test_each_error_of_a_refused_reload_has_a_line_in_the_log(make_gateway, by_signal):
    """The first hundred; how many more there are stands in a line, too."""
    gateway = make_gateway()
    gateway.change(general={f"no_such_key_of_the_settings_{number}": number for number in range(101)})
    if by_signal:
        gateway.reload(by_signal=True)
    else:
        with gateway.console_wire() as console:
            console.error("RELOAD")
    gateway.wait_for_log(lambda log: "and 1 more errors" in log, "the log tells to the end")
    lines = [line for line in gateway.log().splitlines() if "reload failed" in line]
    assert len(lines) == 101
    for number, line in enumerate(lines[:100]):
        assert re.search(rf"pggateway\.yaml:\d+: general\.no_such_key_of_the_settings_{number}: ", line), line


def test_a_setting_that_takes_a_restart_stays_in_force_over_a_reload(make_gateway):
    gateway = make_gateway()

    def shown(key):
        return next(row for row in gateway.console("SHOW CONFIG") if row["key"] == key)["value"]

    gateway.reload(general={"port": gateway.port + 1, "max_connections": 77})
    assert shown("general.port") == str(gateway.port)
    assert shown("general.max_connections") == "77"
    said = "general.port has changed: it takes effect at the next start"
    gateway.wait_for_log(lambda log: log.count(said) == 1, "a line for the port")
    assert "general.max_connections has changed" not in gateway.log()
    gateway.reload(general={"port": gateway.port})
    assert gateway.log().count(said) == 1, "the port is again what it was at the start"


def test_settings_that_change_in_place_cost_no_server(make_gateway):
    """Those that Documentation/settings.md says take effect at the reload."""
    gateway = make_gateway()
    with gateway.wire() as client:
        pid = client.value("select pg_backend_pid()")
        for key, value in {
            "cancel_wait_timeout": "7s",
            "idle_timeout": "500s",
            "server_lifetime": "900s",
            "max_concurrent_creates": 2,
            "server_round_robin": True,
        }.items():
            gateway.reload(general={key: value})
            assert client.value("select pg_backend_pid()") == pid, key


def test_many_reloads_under_load(make_gateway, postgres):
    gateway = make_gateway(pool_options={"pool_size": 2}, general={"query_wait_timeout": "30s"})
    clients = [gateway.wire() for _ in range(6)]
    for round_ in range(30):
        for client in clients:
            client.send(query("select 1"))
        gateway.reload(by_signal=round_ % 2 == 0, pools={"app": {"application_name": f"round_{round_}"}})
        for client in clients:
            assert [m.kind for m in client.ready()] == ["T", "D", "C", "Z"], client.transcript[-4:]
    for client in clients:
        client.close()
    gateway.wait_idle()
    wait_until(lambda: len(postgres.backends()) <= 2, "the servers of old settings are closed")


# --- limits of the machine --------------------------------------------------------------------------------------------


def test_descriptors_run_out(make_gateway):
    """EMFILE at accept: no spinning, no end; service goes on when descriptors are free again."""
    gateway = make_gateway(descriptors=64, general={"max_connections": 1000})
    with gateway.wire() as client:
        assert client.value("select 1") == "1"
        crowd = [gateway.wire(login=False) for _ in range(120)]
        before, began = gateway.processor_time(), time.monotonic()
        assert client.value("select pg_sleep(1), 2") is not None
        used, passed = gateway.processor_time() - before, time.monotonic() - began
        assert used < 0.5 * passed, f"{used:.2f} s of processor time in {passed:.2f} s"
        gateway.check_alive()
        for other in crowd:
            other.close()

    def served():
        try:
            with gateway.wire(timeout=2) as again:
                return again.value("select 1") == "1"
        except (LoginRefused, Closed, OSError, TimeoutError):
            return False

    wait_until(served, "service goes on", 15)
    gateway.wait_idle()


def test_accepting_that_fails_for_good_is_told_and_costs_nothing(make_gateway):
    """As where a security module forbids it; here somebody has shut the listening socket down."""
    gateway = make_gateway(general={"worker_threads": 1})
    with gateway.wire() as client:
        with sockets_of(gateway.process) as sockets:
            doors = [one for one in sockets if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
            doors[0].shutdown(socket.SHUT_RDWR)
        said = "Failed to accept new connection"
        gateway.wait_for_log(lambda log: said in log, "a word about it")
        before, began = gateway.processor_time(), time.monotonic()
        assert client.value("select pg_sleep(1), 2") is not None
        used, passed = gateway.processor_time() - before, time.monotonic() - began
        assert used < 0.2 * passed, f"{used:.2f} s of processor time in {passed:.2f} s"
        assert gateway.log().count(said) == 1


def test_too_few_descriptors_for_the_settings_are_said_at_start(make_gateway):
    gateway = make_gateway(descriptors=256, general={"max_connections": 5000})
    gateway.wait_for_log(lambda log: "RLIMIT_NOFILE" in log, "a word about RLIMIT_NOFILE")


def test_too_few_descriptors_for_the_settings_are_said_at_a_reload(make_gateway):
    gateway = make_gateway(descriptors=1024, general={"max_connections": 10})
    assert "RLIMIT_NOFILE" not in gateway.log()
    gateway.reload(general={"max_connections": 5000})
    gateway.wait_for_log(lambda log: "RLIMIT_NOFILE" in log, "a word about RLIMIT_NOFILE")


def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one(make_gateway):
    """Also when the settings need less: who stands in the door, cancel requests and files need some, too."""
    gateway = make_gateway(descriptors=(256, 4096), general={"max_connections": 10})
    assert gateway.descriptor_limit() == 4096


def test_idle_costs_nothing(make_gateway):
    """A hundred idle clients: no processor time."""
    gateway = make_gateway()
    clients = [gateway.wire() for _ in range(100)]
    for client in clients[:10]:
        client.value("select 1")
    before = gateway.processor_time()
    assert clients[0].nothing_comes(1.0)
    assert gateway.processor_time() - before < 0.1
    for client in clients:
        client.close()
