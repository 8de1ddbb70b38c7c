"""asyncpg: with its statement cache in a pool that keeps statements, else without; its two-step queries then stay
inside transactions when the mode is transaction."""

import asyncio
import io
import os

import asyncpg
from common import CROWDED, LONG, MODE, PREPARED, SETTINGS, WORDS, done, same


async def queries(connection):
    same(await connection.fetchval("select $1::int + 1", 41), 42)
    same(tuple(await connection.fetchrow("select $1::text, $2::text", WORDS, None)), (WORDS, None))
    same(await connection.fetchval("select $1::text", LONG), LONG)
    same(await connection.fetchval("select $1::bytea", bytes(range(256))), bytes(range(256)))
    same(await connection.fetchval("select array_agg(id) from numbers where id < $1", 4), [1, 2, 3])


async def one_more(number):
    """Another client at the same time: the same names of statements for other texts."""
    cache = {} if "E2E_PREPARED" in os.environ else {"statement_cache_size": 0}
    connection = await asyncpg.connect(**SETTINGS, **cache, ssl=os.environ["PGSSLMODE"])
    for value in range(20):
        same(await connection.fetchval(f"select $1::int + {number}", value), value + number)
        same(await connection.fetchval("select $1::int", value), value)
    await connection.close()


async def main():
    cache = {} if "E2E_PREPARED" in os.environ else {"statement_cache_size": 0}
    connection = await asyncpg.connect(**SETTINGS, **cache, ssl=os.environ["PGSSLMODE"])
    async with connection.transaction():
        await queries(connection)
        await connection.execute("create temp table t (a int primary key, b text) on commit drop")
        await connection.executemany("insert into t values ($1, $2)", [(i, f"row {i}") for i in range(200)])
        rows = "".join(f"{i}\trow {i}\n" for i in range(200, 1000)).encode()
        same(await connection.copy_to_table("t", source=io.BytesIO(rows)), "COPY 800")
        written = bytearray()

        async def write(data):
            written.extend(data)

        await connection.copy_from_query("select a from t order by a", output=write)
        same(len(written.splitlines()), 1000)
        try:
            async with connection.transaction():
                await connection.execute("insert into t values ($1, 'again')", 1)
            raise AssertionError("no error")
        except asyncpg.UniqueViolationError as problem:
            same(problem.sqlstate, "23505")
        if PREPARED:  # these two prepare named statements
            records = [(i, f"row {i}") for i in range(1000, 1100)]
            same(await connection.copy_records_to_table("t", records=records), "COPY 100")
            numbers = [row["a"] async for row in connection.cursor("select a from t order by a", prefetch=7)]
            same(numbers, list(range(1100)))
    try:
        async with connection.transaction():
            await connection.fetchval("select 1 / $1::int", 0)
        raise AssertionError("no error")
    except asyncpg.DivisionByZeroError:
        pass
    same(await connection.execute("select 1; select 2"), "SELECT 1")
    if PREPARED:
        for _ in range(3):
            await queries(connection)
        statement = await connection.prepare("select $1::int * 2")
        same(await statement.fetchval(21), 42)
        try:
            await connection.fetchval("select 1 / $1::int", 0)
            raise AssertionError("no error")
        except asyncpg.DivisionByZeroError:
            pass
        same(await statement.fetchval(4), 8)
        await asyncio.gather(*(one_more(number) for number in range(3)))
    if MODE == "session":
        heard = asyncio.Queue()
        await connection.add_listener("channel", lambda *arguments: heard.put_nowait(arguments[3]))
        await connection.execute("notify channel, 'hello'")
        same(await asyncio.wait_for(heard.get(), 5), "hello")
        await connection.reset()
    if not CROWDED:
        try:
            await connection.execute("select pg_sleep(30)", timeout=0.2)  # asyncpg sends a CancelRequest
            raise AssertionError("no error")
        except asyncio.TimeoutError:
            pass
    same(await connection.execute("select 3"), "SELECT 1")
    await connection.close()


asyncio.run(main())
done()
