"""What the Python programs share: the settings from the environment, and a check that says what went wrong."""

import os

MODE = os.environ["E2E_MODE"]
SETTINGS = {
    "host": os.environ["PGHOST"],
    "port": int(os.environ["PGPORT"]),
    "user": os.environ["PGUSER"],
    "password": os.environ["PGPASSWORD"],
    "database": os.environ["PGDATABASE"],
}
LONG = "long " * 50_000
WORDS = "Grüße, мир, 😀"
checks = 0


def same(found, expected):
    global checks
    checks += 1
    assert found == expected, f"check {checks}: found {str(found)[:200]!r}, expected {str(expected)[:200]!r}"


def done():
    print(f"ok {checks}")
