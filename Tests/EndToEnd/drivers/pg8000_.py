"""pg8000: DB-API with implicit transactions, unnamed statements in two steps, COPY."""

import io
import os
import ssl

import pg8000.dbapi
from common import LONG, MODE, SETTINGS, WORDS, done, same

encryption = None
if os.environ["PGSSLMODE"] != "disable":
    encryption = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
connection = pg8000.dbapi.connect(**SETTINGS, ssl_context=encryption)
cursor = connection.cursor()
cursor.execute("select cast(%s as int) + 1, cast(%s as text), cast(%s as text)", (41, WORDS, None))
same(list(cursor.fetchone()), [42, WORDS, None])
cursor.execute("select cast(%s as text)", (LONG,))
same(list(cursor.fetchone()), [LONG])
connection.commit()

cursor.execute("create temp table t (a int primary key, b text) on commit drop")
cursor.executemany("insert into t values (%s, %s)", [(i, f"row {i}") for i in range(50)])
cursor.execute("copy t from stdin", stream=io.StringIO("".join(f"{i}\trow {i}\n" for i in range(50, 100))))
cursor.execute("select count(*) from t")
same(list(cursor.fetchone()), [100])
out = io.StringIO()
cursor.execute("copy (select a from t order by a) to stdout", stream=out)
same(len(out.getvalue().splitlines()), 100)
try:
    cursor.execute("insert into t values (%s, %s)", (1, "again"))
    raise AssertionError("no error")
except pg8000.dbapi.DatabaseError as problem:
    same(problem.args[0]["C"], "23505")
connection.rollback()

connection.autocommit = True
cursor.execute("select 1")
same(list(cursor.fetchone()), [1])
if MODE == "session":
    cursor.execute("select cast(%s as int)", (5,))
    same(list(cursor.fetchone()), [5])
connection.close()
done()
