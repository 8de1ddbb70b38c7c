"""`pggateway hba check` and `pggateway hba explain`."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import require_binary
from gateway import BINARY

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def hba(tmp_path):
    """Runs the command in a folder with the given files."""
    require_binary()

    def run(*arguments, files=None, stdin=""):
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        command = [BINARY, "hba", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=30)

    return run


def explain(hba, text, *arguments):
    done = hba("explain", "--file", "f", "--json", *arguments, files={"f": text})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_counts_the_rules_of_good_files(hba):
    files = {
        "one": "local all all md5\n",
        "two": "include one\nlocal b @names md5\n",
        "names": "x y\n",
        "none": "# x\n",
    }
    done = hba("check", "one", "two", "none", files=files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "one: 1 rule\ntwo: 2 rules\nnone: 0 rules\n"


def test_check_tells_all_errors_of_all_files(hba):
    files = {
        "good": "local all all md5\n",
        "bad": "hots all all all md5\nlocal all all trsut\n",
        "including": "local all all md5\ninclude bad\ninclude absent\nlocal all /( md5\n",
    }
    done = hba("check", "bad", "good", "including", "absent", files=files)
    assert done.returncode == 1
    assert done.stdout == "good: 1 rule\n"
    places = [line.split(": ")[0] for line in done.stderr.splitlines()]
    assert places == ["bad:1:1", "bad:2:15", "bad:1:1", "bad:2:15", "including:3:9", "including:4:11", "absent"]
    assert "did you mean trust?" in done.stderr


def test_check_refuses_an_expression_cut_off_in_its_options(hba):
    """PostgreSQL refuses it; read as an empty expression it would let everybody in."""
    done = hba("check", "cut", files={"cut": "local all /(?i trust\n"})
    assert (done.returncode, done.stderr.split(": ")[0]) == (1, "cut:1:11")


def test_check_refuses_options_the_gateway_refuses(hba):
    files = {
        "bad": "local all all md5\nlocal all all reject x=y\nhost all all all ldap\n",
        "good": "hostssl all all all cert map=m clientname=DN\nhostssl all all all md5 clientcert=verify-ca\n",
    }
    done = hba("check", "bad", "good", files=files)
    assert (done.returncode, done.stdout) == (1, "good: 2 rules\n")
    first, second = done.stderr.splitlines()
    assert first == 'bad:2: authentication method "reject" has no option "x"'
    assert second.startswith("bad:3: ")


def test_check_refuses_methods_the_gateway_does_not_have(hba):
    done = hba("check", "f", files={"f": "host all all all bsd\n"})
    assert done.returncode == 1
    assert "PostgreSQL's method \"bsd\" is not available here" in done.stderr


def test_check_reads_identity_maps(hba):
    files = {"i": "m /^(.*)@example\\.com$ \\1\nm root postgres\n", "bad": "m root\nm /^x \\1\n"}
    done = hba("check", "--ident", "i", files=files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "i: 2 lines\n", "")
    done = hba("check", "--ident", "bad", files=files)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2


def test_check_reads_no_devices_and_no_folders(hba):
    done = hba("check", "/dev/zero", "/", files={})
    assert done.returncode == 1
    assert done.stderr.count("it is no regular file") == 2


def test_check_refuses_what_is_too_long(hba):
    done = hba("check", "f", files={"f": "#" * (1 << 20) + "\n"})
    assert done.returncode == 1 and "longer than 1048576 bytes" in done.stderr


def test_include_dir_takes_conf_files_in_order(hba):
    files = {
        "f": "include_dir d\n",
        "d/b.conf": "local b all md5\n",
        "d/a.conf": "local a all md5\n",
        "d/x": "?",
        "d/.c.conf": "?",
        "d/sub.conf/inner": "?",
    }
    done = hba("explain", "--file", "f", "--database", "x", "--user", "u", "--unix", "--json", files=files)
    answer = json.loads(done.stdout)
    assert [rule["file"] for rule in answer["rules"]] == ["d/a.conf", "d/b.conf"]


def test_ready_made_policies_are_good(hba):
    files = sorted(POLICIES.glob("*.hba"))
    assert len(files) >= 8
    done = hba("check", *files)
    assert done.returncode == 0, done.stderr


# --- explain ----------------------------------------------------------------------------------------------------------

RULES = """\
local   all  all                   md5
host    all  +dba   10.0.0.0/8     trust
hostssl all  alice  all            scram-sha-256 map_to=x ldapbindpasswd=hunter2
host    all  bob    .example.com   md5
host    all  all    192.0.2.0/24   reject
"""


def test_explain_says_which_rule_decides_and_why_not_the_others(hba):
    answer = explain(hba, RULES, "--database", "d", "--user", "alice", "--address", "192.0.2.1", "--tls")
    assert answer["verdict"] == "method" and answer["method"] == "scram-sha-256"
    assert (answer["file"], answer["line"]) == ("f", 3)
    assert answer["options"] == {"map_to": "x", "ldapbindpasswd": "***"}
    assert [(rule["line"], rule["reason"]) for rule in answer["rules"]] == [
        (1, "connection type does not match: the client comes by TCP, the rule is for local"),
        (2, "address does not match: 192.0.2.1 is outside 10.0.0.0/8"),
    ]


def test_explain_reject_and_no_match(hba):
    answer = explain(hba, RULES, "--database", "d", "--user", "eve", "--address", "192.0.2.1")
    assert (answer["verdict"], answer["method"], answer["line"]) == ("reject", "reject", 5)
    answer = explain(hba, RULES, "--database", "d", "--user", "eve", "--address", "2001:db8::1")
    assert (answer["verdict"], answer["method"], answer["line"], len(answer["rules"])) == ("no-match", None, None, 5)


def test_explain_asks_for_what_it_needs(hba):
    where = ["--database", "d", "--user", "bob", "--address"]
    answer = explain(hba, RULES, *where, "10.0.0.1")
    assert (answer["verdict"], answer["needs"], answer["line"]) == ("undecided", "roles", 2)
    answer = explain(hba, RULES, *where, "10.0.0.1", "--role", "x", "--role", "dba")
    assert (answer["verdict"], answer["method"]) == ("method", "trust")
    answer = explain(hba, RULES, *where, "10.0.0.1", "--no-roles")
    assert (answer["verdict"], answer["needs"], answer["line"]) == ("undecided", "host_name", 4)
    answer = explain(hba, RULES, *where, "10.0.0.1", "--no-roles", "--host-name", "db.EXAMPLE.com")
    assert (answer["verdict"], answer["line"]) == ("method", 4)
    answer = explain(hba, RULES, *where, "10.0.0.1", "--no-roles", "--no-host-name")
    assert answer["verdict"] == "no-match"


def test_explain_knows_replication(hba):
    text = "local all all md5\nlocal replication rep trust\n"
    assert explain(hba, text, "--user", "rep", "--unix", "--replication")["line"] == 2
    assert explain(hba, text, "--database", "replication", "--user", "rep", "--unix")["line"] == 1


def test_explain_knows_the_addresses_of_this_machine(hba):
    text = "host all all samehost trust\nhost all all samenet md5\n"
    where = ["--database", "d", "--user", "u", "--address"]
    assert explain(hba, text, *where, "127.0.0.1")["line"] == 1
    assert explain(hba, text, *where, "127.77.0.1")["line"] == 2
    assert explain(hba, text, *where, "240.0.0.7")["verdict"] == "no-match"


def test_explain_in_words(hba):
    files = {"f": "host all all all md5\nlocal all all md5\n"}
    done = hba("explain", "--file", "f", "--database", "d", "--user", "u", "--unix", files=files)
    assert done.returncode == 0
    assert done.stdout == (
        "f:1: host all all all md5\n"
        "    connection type does not match: the client comes by a unix socket, the rule is for host\n"
        "f:2: local all all md5\n"
        "    decides: method md5\n"
    )
    done = hba("explain", "--file", "f", "--database", "d", "--user", "u", "--unix", files={"f": ""})
    assert (done.returncode, done.stdout) == (0, "no rule matches: refused\n")


def test_explain_accepts_methods_of_postgresql_with_a_warning(hba):
    files = {"f": "local all all bsd\n"}
    done = hba("explain", "--file", "f", "--database", "d", "--user", "u", "--unix", "--json", files=files)
    assert done.returncode == 0
    assert json.loads(done.stdout)["method"] == "bsd"
    assert done.stderr == "warning: f:1: this gateway has no method bsd\n"


def test_explain_refuses_a_bad_file(hba):
    done = hba("explain", "--file", "f", "--database", "d", "--user", "u", "--unix", files={"f": "nonsense\n"})
    assert (done.returncode, done.stdout) == (1, "") and "f:1:1" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "u", "--unix"],
        ["--database", "d", "--unix"],
        ["--database", "d", "--user", "u"],
        ["--database", "d", "--user", "u", "--unix", "--address", "10.0.0.1"],
        ["--database", "d", "--user", "u", "--unix", "--tls"],
        ["--database", "d", "--user", "u", "--address", "10.0.0"],
        ["--database", "d", "--user", "u", "--unix", "--role", "a", "--no-roles"],
    ],
)
def test_explain_refuses_half_a_question(hba, arguments):
    done = hba("explain", "--file", "f", *arguments, files={"f": "local all all md5\n"})
    assert done.returncode == 64 and done.stdout == ""


# --- batch ------------------------------------------------------------------------------------------------------------


def test_batch_answers_every_line_in_order(hba):
    questions = [
        {"database": "d", "user": "u", "unix": True},
        {"database": "d", "user": "alice", "address": "192.0.2.1", "tls": True},
        {"database": "d", "user": "bob", "address": "10.0.0.1"},
        {"database": "d", "user": "bob", "address": "10.0.0.1", "roles": []},
        {"database": "d", "user": "bob", "address": "10.0.0.1", "roles": [], "host_name": None},
        {"database": "d", "user": "bob", "address": "10.0.0.1", "roles": [], "host_name": "a.example.com"},
        {"database": "d", "user": "bob", "address": "10.0.0.1", "roles": ["dba"]},
        {"user": "rep", "address": "192.0.2.1", "replication": True},
    ]
    stdin = "".join(json.dumps(question) + "\n" for question in questions)
    done = hba("explain", "--file", "f", "--batch", files={"f": RULES}, stdin=stdin)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = [(answer["verdict"], answer["line"]) for answer in answers]
    assert verdicts == [
        ("method", 1),
        ("method", 3),
        ("undecided", 2),
        ("undecided", 4),
        ("no-match", None),
        ("method", 4),
        ("method", 2),
        ("no-match", None),
    ]


def test_batch_answers_the_good_lines_beside_bad_ones(hba):
    good = {"database": "d", "user": "u", "unix": True}
    lines = [
        json.dumps(good),
        "nonsense",
        json.dumps(good | {"usr": "x"}),
        json.dumps({"database": "d", "user": "u"}),
        json.dumps({"database": "d", "unix": True}),
        json.dumps(good | {"tls": 1}),
        json.dumps(good | {"address": "10.0.0.1"}),
        "[]",
        json.dumps(good),
    ]
    done = hba("explain", "--file", "f", "--batch", files={"f": RULES}, stdin="\n".join(lines))
    assert done.returncode == 1
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [False] + [True] * 7 + [False]
    assert "usr" in answers[2]["error"]


def test_batch_answers_thousands_of_lines(hba):
    question = json.dumps({"database": "d", "user": "u", "unix": True}) + "\n"
    done = hba("explain", "--file", "f", "--batch", files={"f": RULES}, stdin=question * 5000)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5000
