"""Random conversations about prepared statements: the messages, the texts, and the generator.

A program is a list of steps, all Python literals, so that a failing one can be pasted into a test:

    ("join", client, variant)            connects; `variant` is an index into VARIANTS (startup parameters)
    ("send", client, items, cut)         sends all items in one go, cut into writes by the seed `cut` (None: one
                                         write), then reads every answer that is due
    ("leave", client, how, items, size)  sends the first `size` bytes of the items, then goes: "terminate",
                                         "close" or "reset"

An item is one message, or an unbreakable group of them:

    ("parse", name, sql, types)  ("bind", portal, name, values, formats, results)  ("describe", "S" or "P", name)
    ("execute", portal, rows)  ("close", "S" or "P", name)  ("flush",)  ("sync",)  ("query", sql)  ("call", a, b)
    ("copy", name or None, data, end)    COPY FROM STDIN with its data: by a simple Query (None), or by extended
                                         messages
    ("discard",)                         DISCARD ALL by extended messages, with its Sync

Left out is what transaction pooling cannot keep: SET, temporary tables, advisory locks, SQL PREPARE, WITH HOLD,
LISTEN. Left out too, because a server that lacks the statement cannot answer them: in an aborted transaction the
Describe of a statement without rows, and a Bind with the wrong number of parameters (`risky`). And texts whose Parse
brings a notice: who shares a statement does not parse it again.
"""

import random
import struct
from dataclasses import dataclass

import wire

#: Startup parameters of the clients. The schemas are made by `SETUP`.
VARIANTS = (
    {},
    {"search_path": "place_one, public"},
    {"search_path": "place_two, public"},
    {"default_transaction_isolation": "repeatable read"},
)

SETUP = """
drop schema if exists place_one cascade;
drop schema if exists place_two cascade;
create schema place_one;
create schema place_two;
drop table if exists public.place;
create table public.place as select 'public'::text as v;
create table place_one.place as select 1::integer as v;
create table place_two.place as select 2.5::numeric as v, true as more;
create or replace function tenth(integer) returns integer language plpgsql volatile as 'begin return 10 / $1; end';
grant usage on schema place_one, place_two to public;
grant select on public.place, place_one.place, place_two.place to public;
"""

#: PostgreSQL cuts the names of prepared statements after 63 bytes, so the two long ones are one name.
LONG = "long" * 16
NAMES = (
    "a", "b", "c", "A", "all", LONG[:63], LONG[:63] + "X", LONG[:63] + "Y", "ü" * 40, 'with "quotes" and \\',
    "tab\t\n😀",
)  # fmt: skip
PORTALS = ("", "", "", "p", "q", "P " + "o" * 70)


@dataclass(frozen=True)
class Text:
    """One SQL text and what can be bound to it: `values` and `bad` are lists of parameter lists."""

    sql: str
    types: tuple = ((),)
    values: tuple = ((),)
    bad: tuple = ()
    binary: tuple = ()
    rows: bool = True
    weight: int = 4


INT4, INT8, TEXT = 23, 20, 25
TEXTS = (
    Text("select 1"),
    Text("select 'a word' as word, 2 as two"),
    Text("select $1::int + 1", values=((b"41",), (None,)), bad=((b"x",),), binary=((struct.pack(">i", 41),),)),
    Text("select $1 as x", types=((), (INT4,), (INT8,), (TEXT,)), values=((b"7",),), weight=16),
    Text(
        "select $1::text as a, $2::bytea as b", values=((b"\xc3\xbc", b"\\x00ff"), (None, None)), bad=((b"\xff", b""),)
    ),
    Text("select id, word from numbers where id <= 7 order by id", weight=8),
    Text("select word from numbers where id = $1", types=((), (INT4,), (INT8,)), values=((b"3",), (b"-1",))),
    Text("select i, repeat('x', 300) from generate_series(1, 60) i", weight=1),
    Text(
        "insert into sink values ($1, $2)",
        types=((), (INT4, TEXT)),
        values=((b"1", b"x"),),
        bad=((b"x", b"x"),),
        rows=False,
    ),
    Text("update sink set b = 'never' where false", rows=False),
    # Volatile, so that planning does not compute it: whether it does depends on how often the statement ran before.
    Text("select tenth($1)", values=((b"5",),), bad=((b"0",),)),
    Text("select * from place", weight=8),
    Text("show transaction_isolation", weight=2),
    Text("select fail(3)", weight=1),
    Text("select talk(2)", weight=2),
    Text("set local work_mem = '5MB'", rows=False, weight=1),
    Text("copy (select id from numbers where id < 4 order by id) to stdout", rows=False, weight=2),
    Text("", rows=False, weight=2),
    Text("-- only a comment", rows=False, weight=1),
    Text("begin", rows=False, weight=4),
    Text("commit", rows=False, weight=5),
    Text("rollback", rows=False, weight=3),
    Text("savepoint s", rows=False, weight=1),
    Text("rollback to s", rows=False, weight=1),
    Text("release s", rows=False, weight=1),
    Text("deallocate a", rows=False, weight=2),
    Text('DEALLOCATE PREPARE "A" ;', rows=False, weight=1),
    Text("/* one */ deallocate -- two\n B", rows=False, weight=1),
    Text("Deallocate All", rows=False, weight=1),
    Text(f'deallocate "{LONG[:63]}"', rows=False, weight=1),
    Text(f"select length($1::text) /* {'long ' * 4000}*/", values=((b"y" * 30000,), (b"z",)), weight=1),
    Text("selekt", weight=1),
    Text("select * from no_such_table", weight=1),
    Text("select 1; select 2", weight=1),
)
BY_SQL = {text.sql: text for text in TEXTS}

QUERIES = (
    "select 1", "select 1", "select 2; select 3", "select * from place",
    "select id from numbers where id < 4 order by id", "begin", "begin", "commit", "commit", "rollback", "rollback",
    "begin; select 1", "begin; select 2; commit", "savepoint s", "rollback to s", "", ";", "-- nothing", "selekt",
    "select 1/0", "select 1; select 1/0; select 2", "insert into sink values (1)", "copy (select 1) to stdout",
    "select talk(1)", "set local work_mem = '6MB'", "deallocate a", "DEALLOCATE PREPARE b;", 'deallocate "a"',
    'deallocate "A"', "deallocate A", "/* x */ Deallocate -- y\n c ;", "select 1; deallocate a; select 2",
    "deallocate a; select 1/0", "select 1/0; deallocate a", "deallocate a; deallocate a", "deallocate all",
    "DEALLOCATE PREPARE ALL; select 3", 'deallocate "all"', "deallocate no_such_name", "select 4;; deallocate b;",
    "begin; deallocate a; rollback", 'deallocate "with ""quotes"" and \\"', f"deallocate {LONG}",
    f'deallocate "{LONG[:63]}"', "select 'deallocate a'", "select $$;deallocate a;$$",
    "select $x$ $$ ; deallocate b; $x$; select 5", "select 1 as deallocate",
    "/* deallocate all; /* nested */ deallocate a; */ select 6", "select E'\\';deallocate a;--'", "discard all",
    "DISCARD /**/ ALL;", "select 1; discard all", "discard all", "discard all;",
)  # fmt: skip


# --- bytes ------------------------------------------------------------------------------------------------------------


def messages(item):
    """The item as a list of (letter, bytes); the letters are what `statements_run.Session` waits for."""
    kind, *rest = item
    if kind == "parse":
        name, sql, types = rest
        return [("P", wire.parse(sql, name, types))]
    if kind == "bind":
        portal, name, values, formats, results = rest
        return [("B", wire.bind(values, portal, name, formats, results))]
    if kind == "describe":
        return [("D", (wire.describe_statement if rest[0] == "S" else wire.describe_portal)(rest[1]))]
    if kind == "execute":
        return [("E", wire.execute(*rest))]
    if kind == "close":
        return [("C", (wire.close_statement if rest[0] == "S" else wire.close_portal)(rest[1]))]
    if kind == "flush":
        return [("H", wire.flush())]
    if kind == "sync":
        return [("S", wire.sync())]
    if kind == "query":
        return [("Q", wire.query(rest[0]))]
    if kind == "call":
        arguments = [struct.pack(">i", n) for n in rest]
        return [("F", wire.function_call(177, arguments))]  # int4pl
    if kind == "copy":
        return _copy(*rest)
    if kind == "discard":
        # The statement is closed before it runs: no later Bind finds it.
        return [
            ("P", wire.parse("discard all")), ("B", wire.bind()), ("C", wire.close_statement()),
            ("E", wire.execute()), ("S", wire.sync()),
        ]  # fmt: skip
    raise AssertionError(item)


def _copy(name, data, end):
    """COPY IN with everything that belongs to it, so that nobody is ever left waiting for data."""
    sql = "copy sink from stdin"
    rows = [("d", wire.copy_data(row)) for row in data]
    finish = [("c", wire.copy_done())] if end == "done" else [("f", wire.copy_fail("the client gives up"))]
    if name is None:
        return [("Q", wire.query(sql)), *rows, *finish]
    start = [("P", wire.parse(sql, name)), ("B", wire.bind((), name, name)), ("C", wire.close_statement(name))]
    return [*start, ("E", wire.execute(name)), *rows, *finish]


def encoded(items):
    return b"".join(data for item in items for _, data in messages(item))


def stored(name):
    """The name as PostgreSQL keeps it: its first 63 bytes."""
    return name.encode()[:63]


def has_boundary(item):
    """Whether a boundary (Sync, Query, FunctionCall) lies inside: after it the transaction may be aborted."""
    return any(letter in "SQF" for letter, _ in messages(item))


# --- what a server without the statement cannot answer
# -----------------------------------------------------------------


class Known:
    """What is known of one client's statements without waiting for answers: exact at a quiet point, then widening."""

    def __init__(self):
        self.names = {}  # stored name -> set of SQL texts that it may stand for
        self.portals = set()  # bound since the last boundary, if all went well
        self.may_be_aborted = False

    def copy(self):
        result = Known()
        result.names = {name: set(texts) for name, texts in self.names.items()}
        result.portals = set(self.portals)
        result.may_be_aborted = self.may_be_aborted
        return result

    def quiet(self, names, status):
        self.names = {name: {sql} for name, sql in names.items()}
        self.may_be_aborted = status == "E"

    def feed(self, item):
        if item[0] == "parse":
            self.names.setdefault(stored(item[1]), set()).add(item[2])
        if item[0] == "bind":
            self.portals.add(item[1])
        if has_boundary(item):
            self.may_be_aborted = True
            self.portals.clear()

    def risky(self, item):
        """True when a correct gateway may have to answer otherwise than PostgreSQL does."""
        if not self.may_be_aborted:
            return False
        if item[0] == "describe" and item[1] == "S":
            return not all(BY_SQL[sql].rows for sql in self.names.get(stored(item[2]), ()))
        if item[0] == "bind":
            texts = [BY_SQL[sql] for sql in self.names.get(stored(item[2]), ())]
            formats = len(item[4])
            return any(len(item[3]) != len(t.values[0]) for t in texts) or (formats > 1 and formats != len(item[3]))
        return False


# --- the generator ----------------------------------------------------------------------------------------------------


class Generator:
    """Makes one step after the other. The caller plays each step against PostgreSQL and tells how the clients
    stand."""

    def __init__(self, seed, clients, pool_size):
        self.random = random.Random(seed)
        self.clients = clients
        self.pool_size = pool_size
        #: Each program has its own mood, so that rare combinations become common in some programs.
        self.favourites = self.random.sample(TEXTS, 6)
        self.names = self.random.sample(NAMES, self.random.choice((2, 4, 6)))
        self.errors = self.random.choice((0.01, 0.04, 0.15))
        self.queries = self.random.choice((0, 3, 10))
        self.unsynced = self.random.choice((0, 0.1, 0.4))
        self.begins = self.random.choice((0, 0.1, 0.4))
        self.leaving = self.random.choice((0, 0.02, 0.06))
        self.short = self.random.choice((3, 8, 20))

    def step(self, sessions):
        """`sessions` maps client numbers to their `Session` (None: not connected)."""
        holders = [n for n in range(self.clients) if sessions.get(n) and sessions[n].holds]
        crowded = len(holders) >= self.pool_size
        client = self.random.choice(holders if crowded else range(self.clients))
        session = sessions.get(client)
        if session is None:
            return ("join", client, self.random.choice((0, 0, 1, 2, 3)))
        items = self.items(session.known.copy(), session)
        if self.random.random() < self.leaving:
            how = self.random.choice(("terminate", "close", "reset"))
            size = len(encoded(items))
            size = self.random.choice((0, size, self.random.randrange(size + 1)))
            if how == "terminate":  # Terminate inside a message would be something else.
                items = items[: self.random.randrange(len(items) + 1)]
                size = len(encoded(items))
            return ("leave", client, how, items, size)
        cut = self.random.randrange(1 << 20) if self.random.random() < 0.3 else None
        return ("send", client, items, cut)

    def items(self, known, session):
        result = []

        def add(*items):
            for item in items:
                if known.risky(item):
                    return
                result.append(item)
                known.feed(item)

        if session.status == "I" and not session.holds and self.random.random() < self.begins:
            add(("query", "begin"))
        for _ in range(self.random.randint(1, self.short)):
            add(*self.one(known))
        if self.random.random() >= self.unsynced:
            add(("sync",))
        elif self.random.random() < 0.6:
            add(("flush",))
        if session.status != "I" and self.random.random() < 0.3:
            add(("sync",), ("query", self.random.choice(("commit", "rollback"))))
        return result or [("sync",)]

    def one(self, known):
        """One message, or a few that belong together."""
        kinds = (
            "run",
            "parse",
            "bind",
            "describe",
            "execute",
            "close",
            "flush",
            "sync",
            "query",
            "call",
            "copy",
            "discard",
        )
        weights = (24, 14, 14, 8, 12, 6, 3, 6, self.queries, 0.5, 1, 0.6)
        kind = self.random.choices(kinds, weights)[0]
        if kind in ("execute", "describe") and not known.portals and self.random.random() >= self.errors:
            kind = "run"
        if kind == "run":
            return self.run(known)
        if kind == "parse":
            return [self.parse(self.name(known, new=True))]
        if kind == "bind":
            return [self.bind(known, self.name(known))]
        if kind == "describe":
            return [
                ("describe", "S", self.name(known))
                if self.random.random() < 0.6
                else ("describe", "P", self.bound(known))
            ]
        if kind == "execute":
            return [("execute", self.bound(known), self.random.choice((0, 0, 1, 2, 3)))]
        if kind == "close":
            if self.random.random() < 0.7:
                name = self.name(known)
                again = [self.parse(name)] if self.random.random() < 0.4 else []
                return [("close", "S", name), *again]
            return [("close", "P", self.bound(known))]
        if kind == "query":
            return [("query", self.random.choice(QUERIES))]
        if kind == "call":
            return [("call", self.random.randrange(100), self.random.choice((1, 2**31 - 1)))]
        if kind == "copy":
            bad = self.random.random() < 0.3
            data = [b"1\tone\n", b"x\tbad\n" if bad else b"2\ttwo\n", b"3\t\\N\n"][: self.random.randrange(4)]
            name = self.random.choice((None, "", "copying"))
            return [("copy", name, tuple(data), self.random.choice(("done", "done", "fail")))]
        return [(kind,)]

    def run(self, known):
        """A whole driver-like batch."""
        name = self.name(known, new=True)
        sequence = []
        sql = None
        if not self.names_of(known, name) or self.random.random() < 0.1:
            one = self.parse(name)
            sql = one[2]
            sequence.append(one)
        if self.random.random() < 0.2:
            sequence.append(("describe", "S", name))
        portal = self.portal() if self.random.random() < 0.3 else ""
        sequence.append(self.bind(known, name, portal, sql))
        if self.random.random() < 0.5:
            sequence.append(("describe", "P", portal))
        sequence.append(("execute", portal, self.random.choice((0, 0, 0, 2))))
        return sequence

    def names_of(self, known, name):
        return known.names.get(stored(name), ())

    def name(self, known, new=False):
        """Mostly a name that exists, or for a Parse mostly the unnamed one or one that does not."""
        if self.random.random() < 0.25 and (new or self.names_of(known, "") or self.random.random() < self.errors):
            return ""
        have = [n for n in self.names if self.names_of(known, n)]
        lack = [n for n in self.names if not self.names_of(known, n)]
        chosen = lack if new and self.random.random() >= self.errors else have
        if self.random.random() < self.errors:
            chosen = NAMES
        return self.random.choice(chosen or have or [""])

    def bound(self, known):
        """A portal for Execute: mostly one that exists."""
        if known.portals and self.random.random() >= self.errors:
            return self.random.choice(sorted(known.portals))
        return self.portal()

    def portal(self):
        return self.random.choice(PORTALS)

    def text(self):
        if self.random.random() < 0.5:
            return self.random.choice(self.favourites)
        return self.random.choices(TEXTS, [t.weight for t in TEXTS])[0]

    def parse(self, name):
        text = self.text()
        if (
            text.sql in ("selekt", "select * from no_such_table", "select 1; select 2")
            and self.random.random() > 3 * self.errors
        ):
            text = TEXTS[0]
        return ("parse", name, text.sql, self.random.choice(text.types))

    def bind(self, known, name, portal=None, sql=None):
        sqls = sorted(self.names_of(known, name))
        text = BY_SQL[sql or (self.random.choice(sqls) if sqls else "select 1")]
        values, formats = self.random.choice(text.values), ()
        if self.random.random() < self.errors and text.bad:
            values = self.random.choice(text.bad)
        elif self.random.random() < 0.2 and text.binary:
            values, formats = self.random.choice(text.binary), (1,)
        elif self.random.random() < self.errors / 2:
            values = (*values, b"more")
        elif self.random.random() < self.errors / 4:
            formats = (0, 0, 0)
        results = self.random.choice(((), (), (), (1,), (0,))) if text.rows else ()
        return ("bind", self.portal() if portal is None else portal, name, values, formats, results)
