"""The demonstration: what it prints can be typed, in the order in which it stands there."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from gateway import BINARY
from polling import wait_until

GREETING = "SELECT text FROM greetings"


class Demonstration:
    """`pggateway demo` as a user starts it, and the lines that it tells the user to try."""

    def __init__(self):
        self.program = subprocess.Popen(
            # A demonstration outlives no test that was cut off.
            ["setpriv", "--pdeathsig=INT", BINARY, "demo"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.folder = Path(tempfile.gettempdir()) / f"pggateway-demo-{self.program.pid}"
        self.said = b""
        while b"is ready" not in self.said:
            part = self.program.stdout.read1()
            assert part, f"the demonstration ended with {self.program.wait()}: {self.said.decode()}"
            self.said += part

    @property
    def lines(self):
        return [line.strip() for line in self.said.decode().splitlines() if "psql " in line]

    def interrupt(self):
        self.program.send_signal(signal.SIGINT)
        rest, _ = self.program.communicate(timeout=30)
        self.said += rest
        return self.program.returncode

    def remove(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        self.program.stdout.close()
        server = self.folder / "postgresql/data/postmaster.pid"
        if server.exists():
            os.kill(int(server.read_text().split()[0]), signal.SIGQUIT)
            wait_until(lambda: not server.exists(), "the server ends")
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def demonstration():
    shown = Demonstration()
    yield shown
    shown.remove()


def typed(line):
    """What a shell prints for a line, which must succeed."""
    done = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_line_of_the_demonstration_works_and_ctrl_c_leaves_nothing(demonstration):
    answers = [(line, typed(line)) for line in demonstration.lines]
    greetings = [answer for line, answer in answers if GREETING in line]
    assert len(greetings) >= 2 and all("(1 row)" in answer for answer in greetings), answers
    made, found, *console = answers[len(greetings) :]
    assert "CREATE ROLE" in made[1]
    newcomer = made[0].split("CREATE ROLE ")[1].split()[0]
    assert newcomer in found[1], "the new role works through the gateway"
    shown = {line.split("SHOW ")[1].split("'")[0].split()[0]: answer for line, answer in console}
    assert list(shown) == ["POOLS", "AUTH_QUERY", "AUDIT"]
    assert newcomer in shown["POOLS"] and "(5 rows)" in shown["AUDIT"]
    assert demonstration.interrupt() == 0
    assert not demonstration.folder.exists()
