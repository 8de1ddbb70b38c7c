"""Method `pam` and `auth_pam_service` with real services and real modules. Needs root: services stand in /etc/pam.d,
and pam_unix checks users of the operating system, who are made for the tests."""

import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from external import CONSOLE_RULE, PEOPLE, check_bad_input, check_found_pools, check_warm_pool, found_pool, make_roles
from external import outcome, people_pool, refusal
from polling import wait_until
from server import PASSWORDS
from wire import password_message, refused_now, startup

@pytest.fixture(scope="module", autouse=True)
def _prerequisites():
    assert os.geteuid() == 0, "PAM services and users are made by root: run the tests as root"


#: Members of the operating system only.
EXPIRED, LOCKED_OUT = "pgg_expired", "pgg_lockedout"
UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"


class Services:
    """PAM services of this test run, and the scripts that pam_exec runs for them."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pggateway-e2e-pam-"))
        os.chmod(self.folder, 0o755)
        self.files = []

    def make(self, name, text):
        """Returns the service's full name."""
        file = Path(f"/etc/pam.d/pgg-{os.getpid()}-{name}")
        file.write_text(text)
        self.files.append(file)
        return file.name

    def script(self, name, body):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(0o755)
        return path

    def remove(self):
        for file in self.files:
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def services():
    made = Services()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def people(postgres):
    """The people as users of the operating system, with two more whose accounts cannot be used."""
    names = [*PEOPLE, "pgg_fixed", EXPIRED, LOCKED_OUT]
    passwords = {name: PEOPLE.get(name, "Cedar-anvil-49") for name in names}
    try:
        for name in names:
            subprocess.run(["userdel", name], capture_output=True)
            subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)
        lines = "".join(f"{name}:{password}\n" for name, password in passwords.items())
        subprocess.run(["chpasswd"], input=lines, text=True, check=True)
        subprocess.run(["chage", "-d", "0", EXPIRED], check=True)
        subprocess.run(["chage", "-E", "1", LOCKED_OUT], check=True)
        make_roles(postgres)
        yield passwords
    finally:
        for name in names:
            subprocess.run(["userdel", name], capture_output=True)


@pytest.fixture
def pam_gateway(make_gateway, postgres, people):
    """A gateway whose users are proven by a service."""

    def make(service, options="", general=None, **pool_options):
        hba = CONSOLE_RULE + "host all app_trust 127.0.0.1/32 trust\n"
        hba += f"host all all 127.0.0.1/32 pam pamservice={service} {options}\n"
        pools = {"app": people_pool(postgres, **pool_options)}
        pools["app"]["users"].append({"username": "app_trust", "password": "", "pool_size": 2})
        gateway = make_gateway(pools, general=general, hba=hba)
        gateway.secrets.update(people.values())
        return gateway

    return make


# --- modules ----------------------------------------------------------------------------------------------------------


def test_pam_unix_and_a_warm_pool(pam_gateway, services, people):
    gateway = pam_gateway(services.make("unix", UNIX))
    check_warm_pool(gateway)
    assert outcome(gateway, "pgg_fixed", people["pgg_fixed"]) == "app"
    assert outcome(gateway, "pgg_nobody_at_all", "x") == "28P01"
    rows = gateway.console("SHOW AUDIT FAILURES")
    assert {row["reason"] for row in rows} == {"password_wrong", "user_unknown"}
    assert {row["method"] for row in rows} == {"pam"}


def test_bad_passwords(pam_gateway, services):
    check_bad_input(pam_gateway(services.make("bad", UNIX)), "PAM")


def test_an_expired_password_and_an_expired_account(pam_gateway, services, people):
    gateway = pam_gateway(services.make("expired", UNIX))
    for name, words in ((EXPIRED, "password"), (LOCKED_OUT, "expired")):
        fields = refusal(gateway, name, people[name])
        assert fields["C"] == "28P01"
        assert fields["M"] == f'PAM authentication failed for user "{name}"'
        gateway.wait_for_log(lambda log: "pam_acct_mgmt" in log and words in log.lower(), "the reason")


def test_permit_admits_whoever_gives_a_password(pam_gateway, services):
    gateway = pam_gateway(services.make("permit", "auth required pam_permit.so\naccount required pam_permit.so\n"))
    # Let in by PAM; the server has the last word about the password that is passed on.
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    assert outcome(gateway, "pgg_fixed", "anything") == "app"
    assert outcome(gateway, "pgg_without_pool", "anything") == "3D000"


def test_who_is_let_in_under_another_name_is_refused(pam_gateway, services):
    """pam_ftp takes each of these users for the first one."""
    text = "auth required pam_ftp.so ignore users=pgg_ann,pgg_fixed\naccount required pam_permit.so\n"
    gateway = pam_gateway(services.make("renamed", text))
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    fields = refusal(gateway, "pgg_fixed", "anything")
    assert (fields["C"], fields["M"]) == ("28P01", 'PAM authentication failed for user "pgg_fixed"')
    gateway.wait_for_log(lambda log: "PAM_USER" in log, "what was wrong")


def test_deny_admits_nobody(pam_gateway, services):
    gateway = pam_gateway(services.make("deny", "auth required pam_deny.so\naccount required pam_permit.so\n"))
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "28P01"
    gateway.wait_for_log(lambda log: "pam_authenticate" in log, "the step that failed")


def test_the_account_phase_counts(pam_gateway, services):
    gateway = pam_gateway(services.make("account", "auth required pam_permit.so\naccount required pam_deny.so\n"))
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "28P01"
    gateway.wait_for_log(lambda log: "pam_acct_mgmt" in log, "the step that failed")


def test_several_prompts_get_the_same_password(pam_gateway, services):
    """Two modules that ask by themselves, each."""
    text = "auth required pam_unix.so\nauth required pam_unix.so\naccount required pam_unix.so\n"
    gateway = pam_gateway(services.make("twice", text))
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    assert outcome(gateway, "pgg_ann", "wrong") == "28P01"


def test_a_module_that_cannot_be_loaded_is_the_service_s_fault(pam_gateway, services):
    gateway = pam_gateway(services.make("broken", "auth required pam_there_is_no_such_module.so\n"))
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "58000"


def test_a_program_that_says_no_is_a_wrong_password(pam_gateway, services):
    """pam_exec has one code for all that is not well; what is no wrong password would not be slowed."""
    no = services.script("no", f'read -r password; [ "$password" = {PEOPLE["pgg_ann"]} ]\n')
    text = f"auth required pam_exec.so quiet expose_authtok {no}\naccount required pam_permit.so\n"
    gateway = pam_gateway(services.make("no", text))
    assert outcome(gateway, "pgg_ann", "wrong") == "28P01"
    (row,) = gateway.console("SHOW AUDIT FAILURES")
    assert row["reason"] == "password_wrong"
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"


@pytest.mark.parametrize(
    "options,rhost",
    [("", "127.0.0.1"), ("pam_use_hostname=0", "127.0.0.1"), ("pam_use_hostname=1", "localhost")],
)
def test_what_a_module_learns(pam_gateway, services, options, rhost):
    """pam_exec gets user, service, address and password; the gateway's descriptors it does not get, and signals as the
    gateway was started with them (held back, they would end nothing that hangs)."""
    signals = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    blocked = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    ignored = (signal.SIGPIPE, signal.SIGXFSZ)
    told = services.folder / f"told{len(services.files)}"
    script = services.script(
        "tell",
        f'read -r password; {{ echo "$PAM_USER $PAM_SERVICE $PAM_RHOST"; echo "$password" | wc -c; '
        f"ls -l /proc/$$/fd | grep -c socket; {signals}; }} > {told}\nexit 0\n",
    )
    text = f"auth required pam_exec.so expose_authtok {script}\naccount required pam_permit.so\n"
    service = services.make(f"tell{len(services.files)}", text)
    gateway = pam_gateway(service, options)
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    user, length, sockets, *held = told.read_text().splitlines()
    for line, numbers in zip(held, (blocked, ignored), strict=True):
        assert not [number for number in numbers if int(line.split()[1], 16) >> number - 1 & 1], line
    assert user == f"pgg_ann {service} {rhost}"
    assert int(length) >= len(PEOPLE["pgg_ann"])
    assert sockets == "0"


def test_no_delay_of_a_module_holds_a_thread(pam_gateway, services):
    """pam_unix asks libpam for two seconds after a wrong password; the gateway delays by itself."""
    gateway = pam_gateway(services.make("delay", UNIX), general={"auth_lane_threads": 1})
    begun = time.monotonic()
    for _ in range(4):
        assert outcome(gateway, "pgg_ann", "wrong") == "28P01"
    assert time.monotonic() - begun < 4


def test_users_who_stand_in_no_settings(make_gateway, postgres, people, services):
    """Pools of their own, and the shared pool of a `server_user`."""
    hba = CONSOLE_RULE + f"host all all 127.0.0.1/32 pam pamservice={services.make('found', UNIX)}\n"
    gateway = make_gateway({"own": found_pool(postgres), "shared": found_pool(postgres, dedicated=True)}, hba=hba)
    gateway.secrets.update(people.values())
    check_found_pools(gateway)


# --- users of the settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["md5", "scram-sha-256", "password"])
def test_auth_pam_service(make_gateway, postgres, people, services, method):
    """One user of the pool is proven by PAM, the others by their passwords, under the same rule."""
    service = services.make(f"key-{method}", UNIX)
    users = [
        {"username": "pgg_ann", "password": "", "auth_pam_service": service, "pool_size": 2},
        {"username": "app", "password": postgres.secrets["app"], "pool_size": 2},
    ]
    pools = {"app": people_pool(postgres)}
    pools["app"]["users"] = users
    hba = CONSOLE_RULE + f"host all all 127.0.0.1/32 {method}\n"
    gateway = make_gateway(pools, hba=hba)
    gateway.secrets.update(people.values())
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    fields = refusal(gateway, "pgg_ann", "wrong")
    assert (fields["C"], fields["M"]) == ("28P01", 'password authentication failed for user "pgg_ann"')
    assert outcome(gateway, "app", PASSWORDS["app"]) == "app"
    assert outcome(gateway, "app", "wrong") == "28P01"


@pytest.mark.parametrize("method", ["md5", "scram-sha-256", "password"])
@pytest.mark.parametrize("text", ["pgg-filler", "md5-filler"])
def test_a_placeholder_in_place_of_the_password(make_gateway, postgres, people, services, method, text):
    """pg_doorman wants something to stand there and ignores it."""
    service = services.make(f"placeholder-{method}", UNIX)
    pools = {"app": people_pool(postgres)}
    pools["app"]["users"] = [{"username": "pgg_ann", "password": text, "auth_pam_service": service, "pool_size": 2}]
    gateway = make_gateway(pools, hba=CONSOLE_RULE + f"host all all 127.0.0.1/32 {method}\n")
    gateway.secrets.update(people.values())
    assert outcome(gateway, "pgg_ann", text) == "28P01"
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"
    assert outcome(gateway, "pgg_ann", text) == "28P01", "the pool is warm"
    status, output = gateway.run_to_end("-t")
    assert status == 0 and "password: is ignored: PAM proves the user" in output, output
    assert text not in output


def test_trust_and_reject_stay_what_they_are(make_gateway, postgres, people, services):
    service = services.make("key-trust", "auth required pam_deny.so\naccount required pam_deny.so\n")
    users = [{"username": "app_trust", "password": "", "auth_pam_service": service, "pool_size": 2}]
    pools = {"app": people_pool(postgres)}
    pools["app"]["users"] = users
    pools["other"] = pools["app"]
    hba = CONSOLE_RULE + "host app all 127.0.0.1/32 trust\nhost other all 127.0.0.1/32 reject\n"
    gateway = make_gateway(pools, hba=hba)
    assert outcome(gateway, "app_trust", None) == "app_trust"
    assert outcome(gateway, "app_trust", None, database="other") == "28000"


def test_a_service_that_does_not_exist_is_told_at_load(pam_gateway, services):
    gateway = pam_gateway(services.make("good", UNIX))
    with gateway.console_wire() as console:
        hba = CONSOLE_RULE + "host all all 127.0.0.1/32 pam pamservice=pgg-missing\n"
        gateway.change(general={"pg_hba": {"content": hba}})
        text = console.error("RELOAD")["M"]
        assert "general.pg_hba:2" in text and "/etc/pam.d/pgg-missing" in text, text
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "pgg_ann"


def test_the_console_is_the_administrator_s(make_gateway, postgres, people, services):
    """Whoever PAM has proven: nobody but `admin_username` gets to the console."""
    service = services.make("console", UNIX)
    hba = f"host all all 127.0.0.1/32 pam pamservice={service}\n"
    gateway = make_gateway({"app": people_pool(postgres)}, general={"admin_username": "pgg_bob"}, hba=hba)
    gateway.secrets.update(people.values())
    assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"], database="pggateway") == "42501"
    with gateway.wire("pgg_bob", "pggateway", PEOPLE["pgg_bob"]) as console:
        assert console.dicts("SHOW VERSION")


# --- the lane ---------------------------------------------------------------------------------------------------------


def start_login(gateway, user="pgg_ann"):
    """A client that has sent its password and waits."""
    client = gateway.wire(login=False)
    client.send(startup({"user": user, "database": "app"}))
    assert client.receive().body == b"\0\0\0\3"
    client.send(password_message(PEOPLE[user]))
    return client


def latencies(client, count):
    """Seconds of so many queries, one after the other."""
    result = []
    for _ in range(count):
        begun = time.perf_counter()
        client.rows("select 1")
        result.append(time.perf_counter() - begun)
    return result


def test_two_hundred_slow_logins_slow_nobody_else(pam_gateway, services):
    """A module that sleeps five seconds, and 200 logins at once: 8 run, 128 wait, 64 are refused at once; a client that
    works does not notice."""
    sleep = services.script("sleep", "exec sleep 5\n")
    service = services.make("sleep", f"auth required pam_exec.so {sleep}\naccount required pam_permit.so\n")
    gateway = pam_gateway(service)
    with gateway.wire("app_trust") as worker:
        latencies(worker, 200)
        alone = latencies(worker, 500)
        begun = time.monotonic()
        clients = [start_login(gateway) for _ in range(200)]
        refused = []
        wait_until(
            lambda: len(refused.extend(refused_now(clients)) or refused) >= 64,
            lambda: f"64 are refused: {len(refused)}",
        )
        among = latencies(worker, 500)
        elapsed = time.monotonic() - begun
        assert elapsed < 5, f"measured while the module slept ({elapsed:.1f} s)"
        assert {message.sqlstate for message in refused} == {"58000"}
        assert len(refused) == 64
        assert "the PAM lane is full: 128 logins wait (auth_lane_queue) for 8 threads" in gateway.log()
        medians = statistics.median(alone), statistics.median(among)
        print(f"median latency of a query: {medians[0] * 1e6:.0f} us alone, {medians[1] * 1e6:.0f} us among 200 logins")
        assert medians[1] < 2 * medians[0] + 0.0005, medians
        for client in clients:
            client.close()


def test_a_module_that_hangs(pam_gateway, services):
    """It keeps its threads; logins are refused in time, everything else goes on, and the gateway stops in time."""
    fifo = services.folder / "never"
    os.mkfifo(fifo)
    pids = services.folder / "pids"
    hang = services.script("hang", f"echo $$ >> {pids}\nread -r nothing < {fifo}\n")
    service = services.make("hang", f"auth required pam_exec.so {hang}\naccount required pam_permit.so\n")
    general = {"auth_lane_threads": 2, "auth_lane_queue": 1, "auth_lane_timeout": "1s"}
    gateway = pam_gateway(service, general=general)
    try:
        hanging = [start_login(gateway) for _ in range(2)]
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, "both threads hang")
        for client in hanging:
            assert client.until("E")[-1].sqlstate == "58000"
        assert "PAM has no answer within" in gateway.log()
        # The threads are gone for good; whoever comes waits for one in vain.
        assert outcome(gateway, "pgg_ann", PEOPLE["pgg_ann"]) == "58000"
        waiting = start_login(gateway)
        wait_until(lambda: outcome(gateway, "pgg_ann", "x") == "58000", "the queue is full or in vain")
        with gateway.wire("app_trust") as client:
            assert client.value("select current_user") == "app_trust"
        # More threads by a reload: the lane lives on.
        gateway.reload(general={"auth_lane_threads": 3})
        waiting.close()
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert time.monotonic() - begun < 5
    finally:
        for pid in pids.read_text().split() if pids.exists() else ():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_a_client_that_leaves_gives_up_its_place(pam_gateway, services):
    """Clients that wait and leave do not keep others out of the queue, and nothing runs for them."""
    runs = services.folder / "runs"
    sleep = services.script("sleep1", f"echo run >>{runs}\nexec sleep 1\n")
    service = services.make("leave", f"auth required pam_exec.so {sleep}\naccount required pam_permit.so\n")
    gateway = pam_gateway(service, general={"auth_lane_threads": 1, "auth_lane_queue": 3})
    clients = [start_login(gateway) for _ in range(4)]

    def lane():
        row = next(row for row in gateway.console("SHOW AUTH_PROVIDERS") if row["name"] == "pam")
        return row["busy"], row["queued"]

    # A login that found a place would keep this test until its turn.
    wait_until(lambda: lane() == ("1", "3"), lambda: f"the lane is full: {lane()}")
    assert outcome(gateway, "pgg_fixed", "x") == "58000"
    for client in clients:
        client.close()
    # Admitted as soon as the one that runs has ended: the three others do not run.
    wait_until(lambda: outcome(gateway, "pgg_fixed", "x") == "app", "the places are free")
    assert len(runs.read_text().splitlines()) == 2
