"""The programs under drivers/: what each is run by, and with which environment."""

import os
import subprocess
import sys
from pathlib import Path

from gateway import ROOT
from server import PASSWORDS

DRIVERS = Path(__file__).parent / "drivers"


def environment(target, database, mode, user):
    return {
        **os.environ,
        "PGHOST": target.host,
        "PGPORT": str(target.port),
        "PGUSER": user,
        "PGPASSWORD": PASSWORDS[user],
        "PGDATABASE": target.database(database),
        "PGSSLMODE": "disable",
        "PGCONNECT_TIMEOUT": "10",
        "PGCLIENTENCODING": "UTF8",
        "LC_ALL": "C.UTF-8",
        "E2E_MODE": mode,
    }


def run(command, target, mode, user="app", database=None, **more):
    settings = environment(target, database or mode, mode, user) | more.pop("environment", {})
    done = subprocess.run(
        [str(word) for word in command],
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        **more,
    )
    assert done.returncode == 0, (
        f"{command[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


def ok(output, checks):
    word, count = output.split()[-2:]
    assert word == "ok" and int(count) >= checks, output


def clean(output):
    noise = ("Tuples only", "Output format")
    return [line for line in output.splitlines() if line.strip() and not line.startswith(noise)]


def node_path():
    folders = [
        path for path in ("/usr/share/nodejs", ROOT / ".venv/node/usr/share/nodejs") if (ROOT / path / "pg").is_dir()
    ]
    assert folders, "node-pg is not installed; run install.sh"
    return {"NODE_PATH": str(folders[0])}


def python(program, **environment):
    return [sys.executable, DRIVERS / program], environment


#: name -> (command, environment, checks of one client)
PROGRAMS = {
    "asyncpg": (*python("asyncpg_.py"), 130),
    "psycopg3 at once": (*python("psycopg3.py", E2E_PREPARE_THRESHOLD="0"), 25),
    "psycopg3 at the second use": (*python("psycopg3.py", E2E_PREPARE_THRESHOLD="1"), 25),
    "psycopg3 as it comes": (*python("psycopg3.py"), 25),
    "psycopg2": (*python("psycopg2_.py"), 8),
    "pg8000": (*python("pg8000_.py"), 5),
    "node-pg": (["node", DRIVERS / "node_pg.js"], None, 13),
    "DBD::Pg": (["perl", DRIVERS / "dbd_pg.pl"], {}, 20),
    "PDO": (["php", DRIVERS / "pdo.php"], {}, 17),
}
