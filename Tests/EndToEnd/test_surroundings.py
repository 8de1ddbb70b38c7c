"""What stands around the process: settings files that are none or that never end, streams that nobody reads, and what
others put in its place."""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from gateway import BINARY
from polling import wait_until
from wire import Closed, LoginRefused, query

# --- settings files ---------------------------------------------------------------------------------------------------


def with_fifo(gateway, place):
    """Makes the settings lead to a FIFO that nobody writes to."""
    os.mkfifo(gateway.folder / "fifo.yaml")
    if place == "main":
        gateway.file = gateway.folder / "fifo.yaml"
    elif place == "include":
        gateway.change(include={"files": ["fifo.yaml"]})
    else:
        gateway.change(general={"admin_password": "file:fifo.yaml"})


@pytest.mark.parametrize("place", ("main", "include", "secret"))
def test_settings_do_not_wait_for_a_pipe(make_gateway, place):
    gateway = make_gateway(start=False)
    gateway.judged = True
    with_fifo(gateway, place)
    for arguments in (("-t",), ()):
        status, output = gateway.run_to_end(*arguments)
        assert status == 78 and "fifo.yaml" in output and "is no regular file" in output, (status, output)


#: Where settings name files.
FILES = ("include", "secret", "rules", "names", "certificate")


def with_file(gateway, place, path):
    """Makes the settings lead to this file."""
    general = {
        "secret": {"admin_password": f"file:{path}"},
        "rules": {"pg_hba": {"content": None, "path": str(path)}},
        "names": {"pg_ident": {"path": str(path)}},
        "certificate": {"tls_certificate": str(path), "tls_private_key": str(path)},
    }
    if place == "include":
        gateway.change(include={"files": [str(path)]})
    else:
        gateway.change(general=general[place])


@pytest.mark.parametrize("place", FILES)
@pytest.mark.parametrize("is_written_to", (False, True))
def test_a_reload_does_not_wait_for_a_pipe(make_gateway, place, is_written_to):
    """Nor for somebody who has opened it, and writes nothing."""
    gateway = make_gateway()
    path = gateway.folder / "fifo"
    os.mkfifo(path)
    with_file(gateway, place, path)
    with open(path, "r+b", buffering=0) if is_written_to else contextlib.nullcontext():
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log(lambda log: "is no regular file" in log and str(path) in log, "the refusal")
        with gateway.wire() as client:
            assert client.value("select 1") == "1"
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(5) == 0


@contextlib.contextmanager
def hanging(path):
    """Whoever opens this file waits, as with a file system whose server does not answer, until the end of the block.
    Gives a function that returns when somebody does so (fanotify(7), FAN_OPEN_PERM)."""
    library = ctypes.CDLL(None, use_errno=True)
    content_class, close_on_exec, add, open_permission = 4, 1, 1, 0x10000
    watch = library.fanotify_init(content_class | close_on_exec, os.O_RDONLY)
    if watch < 0:
        pytest.skip(f"fanotify: {os.strerror(ctypes.get_errno())}")
    try:
        place = (ctypes.c_int(-1), ctypes.c_char_p(bytes(path)))
        marked = library.fanotify_mark(watch, add, ctypes.c_uint64(open_permission), *place)
        assert marked == 0, os.strerror(ctypes.get_errno())

        def wait_for_opening():
            poller = select.poll()
            poller.register(watch, select.POLLIN)
            assert poller.poll(10_000), "nobody opens the file"

        yield wait_for_opening
    finally:
        os.close(watch)


@pytest.mark.parametrize("place", FILES)
def test_a_reload_whose_file_hangs_keeps_neither_clients_nor_a_stop(make_gateway, place):
    gateway = make_gateway()
    path = gateway.folder / "hangs.yaml"
    path.write_text("")
    with_file(gateway, place, path)
    with hanging(path) as wait_for_opening, gateway.wire() as client:
        gateway.signal(signal.SIGHUP)
        wait_for_opening()
        assert client.value("select 1") == "1"
        gateway.signal(signal.SIGTERM)
        assert [m.sqlstate for m in client.until_closed()] == ["57P01"]
        client.close()
        assert gateway.wait(5) == 0
    assert "reload" not in gateway.log()


def test_a_reload_whose_file_hangs_goes_on_when_it_is_there(make_gateway):
    """Those that are asked for meanwhile, by a signal or on the console, too."""
    gateway = make_gateway()
    path = gateway.folder / "hangs.yaml"
    path.write_text("general: {max_connections: 77}\n")
    with_file(gateway, "include", path)
    with gateway.console_wire() as console:
        with hanging(path) as wait_for_opening:
            gateway.signal(signal.SIGHUP)
            wait_for_opening()
            gateway.signal(signal.SIGHUP)
            console.send(query("RELOAD"))
            assert console.nothing_comes(0.1)
        answer = console.ready()
        assert [m.kind for m in answer] == ["C", "Z"], str(answer[0])
        [row] = [row for row in console.dicts("SHOW CONFIG") if row["key"] == "general.max_connections"]
        assert row["value"] == "77"


def laughs():
    """Anchors given again inside of what they mark: what the name stands for is larger than it looks."""
    lines = ["x0: &a0 [" + "lol, " * 10 + "&a0 z]"]
    lines += [f"x{i}: &a{i} [" + f"*a{i - 1}, " * 10 + f"&a{i} z]" for i in range(1, 12)]
    return "\n".join([*lines, "y: {? *a11 : 1, ? *a11 : 2}"])


ENDLESS = {
    "aliases of anchors given again": ("yaml", laughs()),
    "a key of many parts": ("toml", "a" + ".a" * 20_000 + " = 1\n"),
    "many unknown keys": ("yaml", "general:\n" + "".join(f"  query_wait_timeou{i}: 1\n" for i in range(20_000))),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_small_files_that_take_for_ever_are_refused(make_gateway, name):
    gateway = make_gateway(start=False)
    gateway.judged = True
    kind, text = ENDLESS[name]
    gateway.file = gateway.folder / f"pggateway.{kind}"
    gateway.file.write_text(text)
    status, output = gateway.run_to_end("-t", timeout=20)
    assert status == 78 and output.startswith("Config parse error: "), (status, output[:2000])
    assert len(output) < 100_000


def test_an_anchor_may_be_given_again(make_gateway):
    gateway = make_gateway(start=False)
    gateway.judged = True
    text = gateway.file.read_text() + "include:\n  files: [&a one.yaml, *a, &a two.yaml, *a]\n"
    gateway.file.write_text(text)
    for name in ("one", "two"):
        (gateway.folder / f"{name}.yaml").write_text("general: {max_connections: 5}\n")
    assert gateway.run_to_end("-t")[0] == 0


def test_spellings_of_pg_doorman(make_gateway):
    """All of these are accepted there."""
    gateway = make_gateway(general={"prepared_statements": False, "prepared_statements_cache_size": 0}, start=False)
    text = gateway.file.read_text()
    assert "prepared_statements: false" in text
    lines = "prepared_statements: FALSE\n  tcp_no_delay: True"
    gateway.file.write_text(text.replace("prepared_statements: false", lines))
    gateway.start()
    with gateway.wire() as client:
        assert client.value("select 1") == "1"
    gateway.change(general={"prepared_statements": True})
    status, output = gateway.run_to_end("-t")
    assert status == 78 and "prepared_statements_cache_size" in output, output


@pytest.mark.parametrize("target", ("", "nowhere/audit", "pggateway.yaml/audit", "socket", "syslog"))
def test_an_audit_log_that_cannot_be_opened_is_told_by_the_check_as_by_the_start(make_gateway, target, loggers_place):
    """No logger of the system, too."""
    gateway = make_gateway(start=False)
    gateway.judged = True
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nobody:
        nobody.bind(str(gateway.folder / "socket"))
    gateway.change(general={"audit_log": target if target == "syslog" else f"{gateway.folder}/{target}"})
    checked = gateway.run_to_end("-t")
    assert checked == gateway.run_to_end()
    assert checked[0] == 78 and "general.audit_log: cannot open" in checked[1]


def test_the_check_makes_no_audit_log(make_gateway):
    gateway = make_gateway(start=False)
    gateway.judged = True
    gateway.change(general={"audit_log": str(gateway.folder / "audit")})
    assert gateway.run_to_end("-t")[0] == 0
    assert not (gateway.folder / "audit").exists()


def test_the_check_leaves_an_audit_log_as_it_is(make_gateway):
    gateway = make_gateway(start=False)
    gateway.judged = True
    path = gateway.folder / "audit"
    path.write_text("{}\n")
    before = path.stat()
    gateway.change(general={"audit_log": str(path)})
    assert gateway.run_to_end("-t")[0] == 0
    after = path.stat()
    assert path.read_text() == "{}\n" and (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_check_does_not_end_who_reads_a_fifo(make_gateway):
    """It would take the check's open and close for the end of what it reads."""
    gateway = make_gateway(start=False)
    fifo = gateway.folder / "fifo"
    os.mkfifo(fifo)
    gateway.change(general={"audit_log": str(fifo)})
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    try:
        assert gateway.run_to_end("-t")[0] == 0
        gateway.start()
        gateway.wire().leave()
        assert b'"event":"login"' in reader.stdout.readline()
        gateway.stop()
        assert reader.wait(10) == 0
    finally:
        reader.kill()
        reader.communicate()


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ("2>&-", "2>/dev/full", ">&- 2>&-", "<&- >&- 2>&-"))
@pytest.mark.parametrize("settings", ("good", "bad"))
def test_the_exit_code_does_not_depend_on_who_reads(make_gateway, stream, settings):
    gateway = make_gateway(start=False, general={"scaling_warm_pool_ratio": 20})  # a warning
    gateway.judged = True
    if settings == "bad":
        gateway.change(general={"port": "none"})
    for arguments in ("-t", "") if settings == "bad" else ("-t",):
        command = f"exec {BINARY} {arguments} {gateway.file} {stream}"
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=15)
        assert done.returncode == (78 if settings == "bad" else 0), arguments


def test_the_log_does_not_get_into_a_file_that_has_the_number_of_standard_error(make_gateway):
    gateway = make_gateway(start=False)
    audit = gateway.folder / "audit"
    gateway.change(general={"audit_log": str(audit)})
    command = f"exec {BINARY} {gateway.file} 2>&-"
    gateway.process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", "bash", "-c", command], stdin=subprocess.DEVNULL)

    def is_up():
        try:
            return gateway.console("SHOW VERSION")
        except OSError:
            return False

    wait_until(is_up, "the gateway accepts connections")
    wait_until(lambda: audit.exists() and len(audit.read_text().splitlines()) >= 2, "the login is written")
    for line in audit.read_text().splitlines():
        json.loads(line)


def test_files_that_may_not_grow_stop_nobody(make_gateway):
    """RLIMIT_FSIZE (`ulimit -f`): as with a full disk, the log and the audit log miss lines, and tell how many."""
    gateway = make_gateway(start=False)
    audit = gateway.folder / "audit"
    gateway.change(general={"audit_log": str(audit)})
    gateway.start()
    _, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (1, hard))
    for _ in range(3):
        with gateway.wire() as client:
            assert client.value("select 1") == "1"
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    gateway.wire().leave()
    wait_until(lambda: '"dropped"' in audit.read_text(), "the audit log tells what it misses")
    gateway.wait_for_log(lambda log: "log lines are missing here" in log, "the log tells what it misses")


def answers(gateway):
    try:
        return gateway.console("SHOW VERSION")
    except OSError:
        return False


def test_a_terminal_whose_reader_stops_stops_nobody(make_gateway):
    """A frozen session, or the log driver of a container with a terminal."""
    gateway = make_gateway(start=False)
    reading, writing = os.openpty()
    command = ["setpriv", "--pdeathsig=KILL", BINARY, gateway.file]
    gateway.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
    with open(reading, "rb", buffering=0) as log:
        wait_until(lambda: answers(gateway), "the gateway accepts connections")
        assert os.get_blocking(writing), "the terminal may be a shell's, too"
        os.close(writing)
        for _ in range(150):
            gateway.console("SHOW VERSION")
        said = b""
        # What the terminal has held back comes piece by piece.
        while b"log lines are missing here" not in said:
            gateway.console("SHOW VERSION")
            said += log.read(1 << 16)
            assert len(said) < 1 << 20, said[-4000:]
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0


def test_a_reader_of_the_log_that_stops_stops_nobody(make_gateway):
    """Its pipe is full. What it did not take is counted once it reads again."""
    gateway = make_gateway(start=False)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = ["setpriv", "--pdeathsig=KILL", BINARY, gateway.file]
    gateway.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
    os.close(writing)
    with open(reading, "rb", buffering=0) as log:
        wait_until(lambda: answers(gateway), "the gateway accepts connections")
        for _ in range(100):
            gateway.console("SHOW VERSION")
        said = log.read(1 << 20)
        gateway.console("SHOW VERSION")
        said += log.read(1 << 20)
        lines = said.decode().splitlines()
        assert any("log lines are missing here" in line for line in lines), said.decode()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0


def test_a_demonstration_whose_words_nobody_reads_leaves_nothing_behind():
    with open("/dev/full", "wb") as full:
        demo = subprocess.Popen(
            ["setpriv", "--pdeathsig=INT", BINARY, "demo"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    folder = Path(tempfile.gettempdir()) / f"pggateway-demo-{demo.pid}"
    try:
        said = b""
        while b"is ready" not in said:
            part = demo.stderr.read1()
            assert part, f"the demonstration ended with {demo.wait()}: {said.decode()}"
            said += part
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
        assert not folder.exists()
    finally:
        demo.stderr.close()
        if demo.poll() is None:
            demo.kill()
            demo.wait()
        server = folder / "postgresql/data/postmaster.pid"
        if server.exists():
            os.kill(int(server.read_text().split()[0]), signal.SIGQUIT)
            wait_until(lambda: not server.exists(), "the server ends")
        shutil.rmtree(folder, ignore_errors=True)


# --- descriptors ------------------------------------------------------------------------------------------------------


def test_a_reload_without_descriptors_is_refused(make_gateway):
    """The first of the process, too: what it is made with needs descriptors of its own."""
    gateway = make_gateway(descriptors=64, general={"max_connections": 1000, "tcp_defer_accept": 0})
    with gateway.console_wire() as console:
        crowd = [gateway.wire(login=False) for _ in range(80)]
        gateway.wait_for_log(lambda log: "Too many open files" in log, "no descriptor is left")
        assert console.error("RELOAD")["S"] == "ERROR"
        gateway.check_alive()
        for client in crowd:
            client.close()

    def reloads():
        try:
            gateway.console("RELOAD")
            return True
        except (AssertionError, OSError, Closed, LoginRefused):
            return False

    wait_until(reloads, "a reload works again", 20)


# --- sockets ----------------------------------------------------------------------------------------------------------


def test_the_socket_of_another_stays(make_gateway):
    """Somebody else listens under the same path by the time the gateway ends."""
    gateway = make_gateway(start=False)
    path = gateway.folder / f".s.PGSQL.{gateway.port}"
    gateway.change(general={"unix_socket_dir": str(gateway.folder)})
    gateway.start()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert path.exists()
