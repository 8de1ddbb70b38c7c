"""Signals that come before the process has begun with its own work."""

import fcntl
import os
import shutil
import signal
import subprocess
import threading

import pytest

from polling import wait_until

#: What the dynamic loader says (ld.so(8), LD_DEBUG) when it runs the first code of a library, and just before `main`.
MOMENTS = {"libraries": b"calling init: ", "main": b"transferring control: "}


def start_and_signal(gateway, moment, number):
    """Starts the process and sends it the signal as soon as the loader has come to `moment`."""
    reading, writing = os.pipe()
    # The loader waits for whoever listens, so that the process is not far ahead of what was read.
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    words = open(reading, "rb", buffering=0)
    with open(gateway.log_path, "ab", buffering=0) as log:
        gateway.process = subprocess.Popen(
            [str(gateway.binary), str(gateway.file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=writing,
            cwd=gateway.folder,
            env={**os.environ, **gateway.environment, "LD_DEBUG": "files"},
        )
    os.close(writing)
    for line in iter(words.readline, b""):
        if MOMENTS[moment] in line:
            break
    else:
        raise AssertionError("the loader says nothing of that")
    gateway.signal(number)
    # From now on nothing is to be dropped for want of room.
    fcntl.fcntl(words, fcntl.F_SETPIPE_SZ, 1 << 20)

    def keep_listening():
        with words, open(gateway.log_path, "ab", buffering=0) as log:
            shutil.copyfileobj(words, log)

    threading.Thread(target=keep_listening, daemon=True).start()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_hangup_before_main_reloads_the_settings_when_the_gateway_is_ready(make_gateway, moment):
    gateway = make_gateway(start=False)
    start_and_signal(gateway, moment, signal.SIGHUP)
    wait_until(gateway._accepts, lambda: "it accepts connections; its log:\n" + gateway.tail())
    gateway.wait_for_log(lambda log: "settings reloaded" in log, "the hangup takes effect")
    with gateway.wire() as client:
        assert client.value("select 1") == "1"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_an_end_that_is_asked_for_before_main_is_an_orderly_one(make_gateway, number, moment):
    gateway = make_gateway(start=False)
    start_and_signal(gateway, moment, number)
    assert gateway.wait() == 0
    gateway.wait_for_log(lambda log: "stopped" in log, "an orderly end")


@pytest.mark.parametrize("number", (signal.SIGUSR1, signal.SIGUSR2))
def test_signals_of_other_poolers_do_not_end_the_process(make_gateway, number):
    gateway = make_gateway(start=False)
    start_and_signal(gateway, "main", number)
    wait_until(gateway._accepts, lambda: "it accepts connections; its log:\n" + gateway.tail())
    gateway.signal(number)
    gateway.wait_for_log(lambda log: "have no meaning here" in log, "a word about it")
    with gateway.wire() as client:
        assert client.value("select 1") == "1"


def test_commands_that_are_not_the_gateway_end_by_signals_as_ever(make_gateway):
    """A filter that reads questions from its standard input for ever."""
    gateway = make_gateway(start=False)
    rules = gateway.folder / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 md5\n")
    with subprocess.Popen(
        [str(gateway.binary), "hba", "explain", "--file", str(rules), "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            process.stdin.write(b'{"database": "d", "user": "u", "address": "127.0.0.1"}\n')
            process.stdin.flush()
            assert b"md5" in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == -signal.SIGTERM
        finally:
            process.kill()
