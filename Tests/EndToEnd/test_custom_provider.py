"""Examples/CustomProvider: a gateway with a provider of its own.

scripts/test builds it; alone: swift build --package-path Examples/CustomProvider --scratch-path .build
"""

import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from gateway import BINARY, ROOT, Gateway, pool
from server import PASSWORDS
from wire import LoginRefused

EXAMPLE = ROOT / "Examples/CustomProvider"
OTP_GATEWAY = Path(os.environ.get("OTP_GATEWAY_BIN") or ROOT / ".build/debug/otp-gateway")
CONSOLE = "host pggateway all 127.0.0.1/32 md5\n"


@pytest.fixture
def codes(tmp_path):
    file = tmp_path / "codes.txt"
    file.write_text("alice:402917\nalice:118264\nalice:700001\nbob:550713\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def otp(postgres, codes):
    users = [
        {"username": name, "password": "", "pool_size": 2, "server_username": "app_plain",
         "server_password": PASSWORDS["app_plain"]}
        for name in ("alice", "bob")
    ]
    hba = CONSOLE + f"host all all 127.0.0.1/32 otp codes={codes}\n"
    gateway = Gateway({"app": pool(postgres, users_=users)}, hba=hba, binary=OTP_GATEWAY)
    yield gateway
    gateway.stop()


def enter(gateway, user, code):
    try:
        with gateway.wire(user, "app", code) as client:
            return client.value("select current_user")
    except LoginRefused as refusal:
        return refusal.sqlstate


def run(binary, *arguments, cwd=None):
    done = subprocess.run(
        [str(binary), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=cwd,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_code_works_once(otp, codes):
    """Success, then wrong, then somebody else's code on the pool that is warm by now."""
    assert enter(otp, "alice", "402917") == "app_plain"
    assert enter(otp, "alice", "402917") == "28P01", "used"
    assert enter(otp, "alice", "000000") == "28P01"
    assert enter(otp, "bob", "118264") == "28P01", "alice's"
    assert enter(otp, "nobody", "118264") == "28P01"
    assert enter(otp, "bob", "550713") == "app_plain"
    assert codes.read_text() == "alice:118264\nalice:700001\n"
    assert stat.S_IMODE(codes.stat().st_mode) == 0o600
    row = {row["name"]: row for row in otp.console("SHOW AUTH_PROVIDERS")}["otp"]
    assert (row["methods"], row["logins"], row["failures"]) == ("otp", "2", "4")
    assert row["failure_reasons"] == "proof_wrong=4"
    assert int(row["p50_us"]) > 0 and (row["busy"], row["queued"]) == ("0", "0")
    for code in ("402917", "118264", "000000"):
        assert code not in otp.log()


def test_one_code_lets_one_of_many_in(otp):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(enter(otp, "alice", "402917"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["28P01"] * 11 + ["app_plain"]


def test_used_codes_stay_used_over_a_reload(otp):
    assert enter(otp, "alice", "402917") == "app_plain"
    otp.reload()
    assert enter(otp, "alice", "402917") == "28P01"
    assert enter(otp, "alice", "118264") == "app_plain"


def test_a_bad_line_is_a_load_error(otp, codes):
    """Old settings stay; the error names file and line, not the code."""
    codes.write_text("alice:402917\nalice 118264\n")
    status, output = otp.run_to_end("-t")
    assert status == 78 and f"{codes}:2: not user:code" in output and "118264" not in output
    with otp.console_wire() as console, pytest.raises(Exception, match="not user:code"):
        console.dicts("RELOAD")
    assert enter(otp, "alice", "402917") == "58000", "the file is no list of codes any more"
    codes.write_text("alice:402917\n")
    assert enter(otp, "alice", "402917") == "app_plain"


def test_every_subcommand_knows_the_method(tmp_path, codes):
    rules = tmp_path / "rules.conf"
    rules.write_text(f"host all all 127.0.0.1/32 otp codes={codes}\n")
    assert run(OTP_GATEWAY, "hba", "check", rules)[:2] == (0, f"{rules}: 1 rule\n")
    question = ("hba", "explain", "--file", rules, "--user", "alice", "--database", "app", "--address", "127.0.0.1")
    assert "decides: method otp" in run(OTP_GATEWAY, *question)[1]
    status, _, complaint = run(BINARY, "hba", "check", rules)
    assert status == 1 and "unknown method" in complaint
    for page in ("settings", "sample", "console", "audit"):
        assert run(OTP_GATEWAY, "reference", page) == run(BINARY, "reference", page)
    assert run(OTP_GATEWAY, "--help")[1].count("otp-gateway") >= 2
    assert run(OTP_GATEWAY, "--version") == run(BINARY, "--version")


def test_the_readme(postgres, tmp_path):
    """Its settings, its codes and its logins."""
    readme = (EXAMPLE / "README.md").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    settings = (EXAMPLE / "gateway.yaml").read_text()
    (tmp_path / ".build/debug").mkdir(parents=True)
    shutil.copy(OTP_GATEWAY, tmp_path / ".build/debug/otp-gateway")
    (tmp_path / "gateway.yaml").write_text(settings)
    for command in commands:
        if command.startswith(("printf", "chmod", ".build/debug/otp-gateway -t")):
            subprocess.run(command, shell=True, check=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
    gateway = Gateway({}, start=False, binary=OTP_GATEWAY)
    changed = settings.replace("port: 6432", f"port: {gateway.port}").replace("5432", str(postgres.port))
    changed = changed.replace("_username: app", "_username: app_plain").replace("app-secret", PASSWORDS["app_plain"])
    gateway.file.write_text(changed)
    shutil.copy(tmp_path / "codes.txt", gateway.folder)
    gateway.start()
    try:
        results = [
            subprocess.run(
                command.replace("-p 6432", f"-p {gateway.port}"), shell=True, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=30,
            )
            for command in commands
            # The others make what this PostgreSQL has.
            if "psql" in command and "-p 6432" in command
        ]
    finally:
        gateway.stop()
    assert [result.returncode for result in results] == [0, 2, 0]
    assert "app_plain" in results[0].stdout
    assert 'password authentication failed for user "alice"' in results[1].stderr
    assert "proof_wrong=1" in results[2].stdout
