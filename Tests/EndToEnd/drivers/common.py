"""What the Python programs share: the settings from the environment, and a check that says what went wrong."""

import os

MODE = os.environ["E2E_MODE"]
#: Named statements are used: always in session mode, in transaction mode when the pool keeps them.
PREPARED = MODE == "session" or "E2E_PREPARED" in os.environ
#: Other clients queue for the same servers, so that nothing may depend on getting one soon.
CROWDED = "E2E_CROWDED" in os.environ
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
