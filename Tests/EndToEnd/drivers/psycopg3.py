"""psycopg 3: extended protocol by default, pipelines, COPY, server-side cursors.

E2E_PREPARE_THRESHOLD names every statement at its first (0) or second (1) use, and keeps only a few.
"""

import os

import psycopg
from common import LONG, MODE, PREPARED, SETTINGS, WORDS, done, same

settings = {**SETTINGS, "dbname": SETTINGS["database"]}
del settings["database"]
with psycopg.connect(**settings, autocommit=True) as connection:
    if not PREPARED:
        connection.prepare_threshold = None
    elif "E2E_PREPARE_THRESHOLD" in os.environ:
        connection.prepare_threshold = int(os.environ["E2E_PREPARE_THRESHOLD"])
        connection.prepared_max = 4
    same(connection.execute("select %s::int + 1", (41,)).fetchone(), (42,))
    same(connection.execute("select %s::text, %s::text", (WORDS, None)).fetchone(), (WORDS, None))
    same(connection.execute("select %s::text", (LONG,)).fetchone(), (LONG,))
    same(connection.execute("select %b::bytea", (bytes(range(256)),), binary=True).fetchone(), (bytes(range(256)),))
    for number in range(12):  # crosses the default threshold of named statements
        same(connection.execute("select %s::int", (number,)).fetchone(), (number,))
    try:
        connection.execute("select 1 / %s::int", (0,))
        raise AssertionError("no error")
    except psycopg.errors.DivisionByZero as problem:
        same(problem.sqlstate, "22012")
    same(connection.execute("select 'still here'").fetchone(), ("still here",))

    with connection.transaction():
        connection.execute("create temp table t (a int primary key, b text) on commit drop")
        with connection.cursor() as cursor:
            cursor.executemany("insert into t values (%s, %s)", [(i, f"row {i}") for i in range(200)])
            with cursor.copy("copy t from stdin") as copy:
                for i in range(200, 1000):
                    copy.write_row((i, f"row {i}"))
            same(cursor.execute("select count(*) from t").fetchone(), (1000,))
            with cursor.copy("copy (select * from t order by a) to stdout") as copy:
                same(sum(1 for _ in copy.rows()), 1000)
        try:
            with connection.transaction():  # a savepoint
                connection.execute("insert into t values (1, 'again')")
            raise AssertionError("no error")
        except psycopg.errors.UniqueViolation:
            pass
        with connection.cursor("server_side") as cursor:
            cursor.execute("select a from t order by a")
            same(cursor.fetchmany(3), [(0,), (1,), (2,)])
        same(connection.execute("select count(*) from t").fetchone(), (1000,))
    try:
        with connection.cursor().copy("copy sink from stdin") as copy:
            copy.write("1\tx\n")
            raise KeyError("the program fails half-way")
    except KeyError:
        pass
    same(connection.execute("select 1").fetchone(), (1,))

    with connection.pipeline(), connection.cursor() as one, connection.cursor() as two:
        one.execute("select %s::int", (1,))
        two.execute("select %s::int", (2,))
        same(one.fetchone(), (1,))
        same(two.fetchone(), (2,))
    try:
        with connection.pipeline():
            connection.execute("select 1 / 0")
            connection.execute("select 1")
        raise AssertionError("no error")
    except psycopg.errors.DivisionByZero:
        pass
    same(connection.execute("select 2").fetchone(), (2,))

    if MODE == "session":
        connection.execute("listen channel")
        connection.execute("notify channel, 'hello'")
        same([n.payload for n in connection.notifies(timeout=5, stop_after=1)], ["hello"])
done()
