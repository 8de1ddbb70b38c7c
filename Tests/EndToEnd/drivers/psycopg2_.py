"""psycopg2: simple protocol, implicit transactions, COPY, large objects (FunctionCall)."""

import io

import psycopg2
import psycopg2.errors
from common import LONG, SETTINGS, WORDS, done, same

connection = psycopg2.connect(**SETTINGS)
cursor = connection.cursor()
cursor.execute("select %s + 1, %s, %s", (41, WORDS, None))
same(cursor.fetchone(), (42, WORDS, None))
cursor.execute("select %s", (LONG,))
same(cursor.fetchone(), (LONG,))
connection.commit()

cursor.execute("create temp table t (a int primary key, b text) on commit drop")
cursor.copy_expert("copy t from stdin", io.StringIO("".join(f"{i}\trow {i}\n" for i in range(1000))))
cursor.execute("select count(*) from t")
same(cursor.fetchone(), (1000,))
out = io.StringIO()
cursor.copy_expert("copy (select a from t order by a) to stdout", out)
same(len(out.getvalue().splitlines()), 1000)
try:
    cursor.execute("insert into t values (1, 'again')")
    raise AssertionError("no error")
except psycopg2.errors.UniqueViolation as problem:
    same(problem.pgcode, "23505")
try:
    cursor.execute("select 1")
    raise AssertionError("no error")
except psycopg2.errors.InFailedSqlTransaction:
    connection.rollback()

try:
    cursor.copy_expert("copy sink from stdin", io.StringIO("not a number\tx\n"))
    raise AssertionError("no error")
except psycopg2.errors.InvalidTextRepresentation:
    connection.rollback()

large = connection.lobject(0, "wb")
large.write(b"large object " * 10_000)
large.seek(0)
number = large.oid
large.close()
same(connection.lobject(number, "rb").read(5), b"large")
connection.rollback()

named = connection.cursor("server_side")
named.execute("select id from numbers order by id")
same(named.fetchmany(2), [(1,), (2,)])
connection.commit()
connection.autocommit = True
cursor.execute("select 'automatic'")
same(cursor.fetchone(), ("automatic",))
connection.close()
done()
