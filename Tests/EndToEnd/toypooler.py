"""A small, slow pooler with prepared statements in transaction mode, to test the tests.

It shows that what `statements_model` asks for can be done behind shared servers, and, with one of `FAULTS` built in, that
the comparison notices. It is simple because it goes in lock-step: one message to the server, its answer, the next.

- A statement has a name of ours on the servers (`toy_1`), shared by all clients with the same text, types and startup
  parameters. A server that lacks it gets it when it is bound or described.
- An error that belongs to a client's name is made by the server itself: an unknown name is passed on and the server does not
  know it either; for a name that exists, and for DEALLOCATE, the server is lent a statement of that name.
"""

import hashlib
import itertools
import socket
import threading

import wire

#: What can be broken, one at a time; each is a fault that poolers have had.
FAULTS = {
    "late_parse_complete": "the ParseComplete of a statement that the server has comes at the end of the batch",
    "error_forgets": "an SQL error costs the client its statements",
    "skipped_parse_counts": "a name whose Parse was skipped after an error is known",
    "eviction_before_bind": "a server's full cache throws the statement out that is about to be bound",
    "close_keeps_name": "Close leaves the name, so that Close and Parse in one batch fail",
    "unnamed_survives_query": "a simple Query leaves the unnamed statement",
    "failed_parse_keeps_unnamed": "a failed Parse leaves the old unnamed statement",
    "parse_in_aborted": "Parse of a statement that the server has succeeds in an aborted transaction",
    "no_duplicates": "Parse of a name that exists replaces it",
    "unknown_is_ignored": "Bind to an unknown name is answered outside of the server's transaction",
    "whole_names": "names that differ behind the 63rd byte are different",
    "types_ignored": "statements with the same text and other types are shared",
    "parameters_ignored": "statements with the same text and other startup parameters are shared",
    "our_name_shown": "our name of the statement stands in an error",
    "deallocate_passed_on": "DEALLOCATE goes to the server, which does not know the name",
    "failed_deallocate_counts": "every name after the word DEALLOCATE is forgotten, whether it ran or not",
    "discard_keeps": "DISCARD ALL leaves the client's statements",
    "flush_waits": "a Flush is answered together with the next Sync",
    "sync_merges": "two Syncs without anything between them are answered once",
}

ENDS = {"P": "1E", "B": "2E", "C": "3E", "D": "TnE", "E": "CsIEG"}


class Gone(Exception):
    """The client has left."""


class Server:
    def __init__(self, address, parameters):
        self.wire = wire.Wire(*address, timeout=10).login("app_trust", "app", parameters=dict(parameters))
        self.parameters = parameters
        self.statements = {}  # our name -> None, in the order of use
        self.status = "I"

    def ask(self, data, ends):
        """Sends one message and returns its answer; after an error of the extended protocol the server is synchronised."""
        self.wire._write(data if "Z" in ends else data + wire.flush())
        return self.answer(ends)

    def answer(self, ends):
        found = self.wire.until(ends)
        if found[-1].kind == "Z":
            self.status = found[-1].body.decode()
        elif found[-1].kind == "E":
            self.ask(wire.sync(), "Z")
        return found


class ToyPooler:
    """`with ToyPooler(...) as toy`: listens on `toy.address` until the end of the block."""

    def __init__(self, address, pool_size=1, cache_size=100, fault=None):
        assert fault is None or fault in FAULTS, fault
        self.address_of_postgres = address
        self.cache_size = cache_size
        self.fault = fault
        self.names = {}
        self.numbers = itertools.count(1)
        self.lock = threading.Condition()
        self.idle = []
        self.free = pool_size
        self.problems = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.threads = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)
        for server in self.idle:
            server.wire.leave()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, peer):
        try:
            Client(self, peer).run()
        except (Gone, ConnectionError):
            pass
        except Exception as problem:  # noqa: BLE001 - told to the test
            self.problems.append(problem)
        finally:
            peer.close()

    def take(self, parameters):
        with self.lock:
            while not self.idle and not self.free:
                self.lock.wait()
            same = [s for s in self.idle if s.parameters == parameters or self.fault == "parameters_ignored"]
            server = (same or self.idle or [None])[-1]
            if server:
                self.idle.remove(server)
            else:
                self.free -= 1
        if server and not same:
            server.wire.leave()
        return server if same else Server(self.address_of_postgres, parameters)

    def give_back(self, server):
        with self.lock:
            if server.status == "I":
                self.idle.append(server)
            else:
                server.wire.close()
                self.free += 1
            self.lock.notify()

    def our_name(self, key):
        with self.lock:
            if key not in self.names:
                self.names[key] = f"toy_{next(self.numbers)}"
            return self.names[key]


class Client:
    def __init__(self, pooler, peer):
        self.pooler = pooler
        self.peer = peer
        self.buffer = bytearray()
        self.output = bytearray()
        self.owed = bytearray()
        self.statements = {}  # the client's name, cut -> (our name, Parse body behind the name, the whole name)
        self.reset_by = set()  # portals whose statement removes statements
        self.server = None
        self.skipping = False
        self.aborted = False
        self.last = None

    def broken(self, fault):
        return self.pooler.fault == fault

    # --- client's side

    def _read(self, count):
        while len(self.buffer) < count:
            data = self.peer.recv(1 << 16)
            if not data:
                raise Gone()
            self.buffer += data
        result = bytes(self.buffer[:count])
        del self.buffer[:count]
        return result

    def receive(self):
        head = self._read(5)
        body = self._read(int.from_bytes(head[1:], "big") - 4)
        return chr(head[0]), body

    def answer(self, *messages):
        for kind, body in messages:
            self.output += wire.message(kind, body)

    def send(self):
        self.peer.sendall(self.output)
        self.output.clear()

    def login(self):
        size = int.from_bytes(self._read(4), "big")
        parts = self._read(size - 4)[4:].split(b"\0")
        pairs = {parts[n].decode(): parts[n + 1].decode() for n in range(0, len(parts) - 2, 2)}
        self.parameters = tuple(sorted((n, v) for n, v in pairs.items() if n not in ("user", "database")))
        self.answer(("R", bytes(4)), ("Z", b"I"))
        self.send()

    def run(self):
        self.login()
        try:
            while True:
                kind, body = self.receive()
                if kind == "X":
                    return
                self.server = self.server or self.pooler.take(self.parameters)
                self.message(kind, body)
                self.last = kind
        finally:
            if self.server:
                # Whatever was going on: the next client gets a server that stands where it should.
                try:
                    self.server.ask(wire.sync(), "Z")
                    if self.server.status != "I":
                        self.server.ask(wire.query("rollback"), "Z")
                except Exception:
                    self.server.status = "?"
                self.pooler.give_back(self.server)

    # --- one message

    def message(self, kind, body):
        if kind == "S":
            return self.sync()
        if self.skipping:
            if kind == "P" and self.broken("skipped_parse_counts"):
                name, rest = self.split(body)
                self.statements[name] = (self.pooler.our_name((rest, self.parameters)), rest, name)
            return None
        if kind == "H":
            return None if self.broken("flush_waits") else self.send()
        handle = {"P": self.parse, "B": self.bind, "D": self.describe, "C": self.close, "E": self.execute}.get(kind)
        if handle:
            return self.relay(handle(body))
        if kind in "QF":
            return self.query(kind, body)
        return None  # Copy messages outside of a copy.

    def sync(self):
        if self.broken("sync_merges") and self.last == "S":
            return
        self.skipping = False
        self.relay(self.server.ask(wire.sync(), "Z"))

    def relay(self, found):
        for one in found:
            if one.kind == "E":
                self.skipping = not any(m.kind == "Z" for m in found)
                if self.broken("error_forgets"):
                    self.statements.clear()
            self.answer(one)
        if self.skipping and not self.broken("flush_waits"):
            self.send()  # as PostgreSQL does: an error never waits
        if found and found[-1].kind == "Z":
            if self.owed:
                self.output[-6:-6] = self.owed
                self.owed.clear()
            self.aborted = found[-1].body == b"E"
            self.send()
            if found[-1].body == b"I":
                self.pooler.give_back(self.server)
                self.server = None

    def split(self, body):
        name, rest = body.split(b"\0", 1)
        return (name if self.broken("whole_names") else name[:63]), rest

    def parse(self, body):
        name, rest = self.split(body)
        if not name and not self.broken("failed_parse_keeps_unnamed"):
            self.statements.pop(name, None)
        if name in self.statements and not self.broken("no_duplicates"):
            lent = self.lend([name])
            found = self.server.ask(wire.message("P", body), ENDS["P"])
            self.take_back(lent)
            return found
        types = b"" if self.broken("types_ignored") else rest
        parameters = () if self.broken("parameters_ignored") else self.parameters
        ours = self.pooler.our_name((rest.split(b"\0")[0], types, parameters))
        here = ours in self.server.statements
        if here and (not self.aborted or self.broken("parse_in_aborted")):
            self.statements[name] = (ours, rest, body.split(b"\0", 1)[0])
            if self.broken("late_parse_complete"):
                self.owed += wire.message("1")
                return []
            return [wire.Message("1", b"")]
        found = self.server.ask(wire.message("P", (b"" if here else ours.encode()) + b"\0" + rest), ENDS["P"])
        if found[-1].kind == "1":
            self.statements[name] = (ours, rest, body.split(b"\0", 1)[0])
            if not here:
                self.remember(ours)
        return found

    def remember(self, ours):
        """The server has the statement now; one that was not used for long goes."""
        statements = self.server.statements
        statements.pop(ours, None)
        statements[ours] = None
        if len(statements) > self.pooler.cache_size:
            victim = ours if self.broken("eviction_before_bind") else next(iter(statements))
            del statements[victim]
            self.server.ask(wire.close_statement(victim), ENDS["C"])

    def prepared(self, name):
        """The name on the server; (our name, None), (the client's own, None) or (None, an error)."""
        if name not in self.statements:
            if not name:  # The toy itself has used the server's unnamed statement.
                self.server.ask(wire.close_statement(), ENDS["C"])
            return name, None
        ours, rest, _ = self.statements[name]
        if ours not in self.server.statements:
            found = self.server.ask(wire.message("P", ours.encode() + b"\0" + rest), ENDS["P"])
            if found[-1].kind == "E":
                return None, found
        self.remember(ours)
        return ours.encode(), None

    def renamed(self, found, ours, name):
        if self.broken("our_name_shown"):
            return found
        shown = name or b""
        return [
            wire.Message(m.kind, m.body.replace(b'statement "' + ours + b'"', b'statement "' + shown + b'"'))
            if m.kind == "E" else m for m in found
        ]  # fmt: skip

    def bind(self, body):
        portal, rest = body.split(b"\0", 1)
        asked, values = rest.split(b"\0", 1)
        name, _ = self.split(asked + b"\0")
        ours, problem = self.prepared(name)
        if problem:
            return problem
        if self.broken("unknown_is_ignored") and name not in self.statements:
            self.skipping = True
            text = b'prepared statement "%s" does not exist' % asked if name else b"unnamed prepared statement does not exist"
            return [wire.Message("E", b"SERROR\0VERROR\0C26000\0M" + text + b"\0\0")]
        shown = ours if name in self.statements else asked
        found = self.server.ask(wire.message("B", portal + b"\0" + shown + b"\0" + values), ENDS["B"])
        if found[-1].kind == "2" and name in self.statements:
            self.reset_by.discard(portal)
            sql = self.statements[name][1].lower()
            if b"deallocate" in sql or b"discard" in sql:
                self.reset_by.add(portal)
        return self.renamed(found, shown, asked)

    def describe(self, body):
        if body[:1] == b"P":
            return self.server.ask(wire.message("D", body), ENDS["D"])
        asked = body[1:-1]
        name, _ = self.split(asked + b"\0")
        ours, problem = self.prepared(name)
        if problem:
            return problem
        shown = ours if name in self.statements else asked
        return self.server.ask(wire.message("D", b"S" + shown + b"\0"), ENDS["D"])

    def close(self, body):
        if body[:1] == b"S" and not self.broken("close_keeps_name"):
            self.statements.pop(self.split(body[1:])[0], None)
        return self.server.ask(wire.message("C", body), ENDS["C"])

    def execute(self, body):
        portal = body.split(b"\0", 1)[0]
        lent = self.lend(list(self.statements)) if portal in self.reset_by else None
        found = self.server.ask(wire.message("E", body), ENDS["E"])
        if found[-1].kind == "G":
            self.relay(found)
            found = self.copy_in(ENDS["E"])
        if found[-1].kind == "C":  # In an aborted transaction only what ends it succeeds.
            self.aborted = False
            self.server.status = "T" if self.server.status == "E" else self.server.status
        if lent is not None:
            self.settle(lent, str(body))
        return found

    def query(self, kind, body):
        lent = None
        if kind == "Q":
            if not self.broken("unnamed_survives_query"):
                self.statements.pop(b"", None)
            if b"deallocate" in body.lower() or b"discard" in body.lower():
                lent = self.lend(list(self.statements))
        found = self.server.ask(wire.message(kind, body), "ZG")
        while found[-1].kind == "G":
            self.relay(found)
            found = self.copy_in("ZG")
        if lent is not None:
            self.settle(lent, body.decode(errors="replace"))
        self.relay(found)

    def copy_in(self, ends):
        self.send()
        while True:
            kind, body = self.receive()
            if kind in "HS":
                continue
            self.server.wire._write(wire.message(kind, body))
            if kind in "cf":
                self.server.wire._write(b"" if "Z" in ends else wire.flush())
                return self.server.answer(ends)

    # --- names lent to the server

    def lend(self, names):
        """Gives the server statements under the client's names: ROLLBACK, which even an aborted transaction admits."""
        if self.broken("deallocate_passed_on") and len(names) != 1:
            return []
        lent = []
        for name in names:
            if name:
                whole = self.statements[name][2]
                found = self.server.ask(wire.message("P", whole + b"\0rollback\0\0\0"), ENDS["P"])
                if found[-1].kind == "E":
                    break
                lent.append(name)
        return lent

    def settle(self, lent, sql):
        """What is gone now was removed by the client; the rest is taken back."""
        for name in lent:
            removed = not self.has(name)
            if self.broken("failed_deallocate_counts"):
                removed = removed or "deallocate " + name.decode(errors="replace").lower() in sql.lower()
            if removed and not (self.broken("discard_keeps") and "discard" in sql.lower()):
                self.statements.pop(name, None)
            elif not removed:
                self.take_back([name])
        self.server.statements = {name: None for name in self.server.statements if self.has(name.encode())}

    def has(self, name):
        """In an aborted transaction a Describe tells, by its error; in a healthy one nothing may fail."""
        if self.server.status == "E" or self.skipping:
            whole = self.statements[name][2] if name in self.statements else name
            answer = self.server.ask(wire.describe_statement(whole), ENDS["D"])[-1]
            return answer.kind != "E" or answer.sqlstate != "26000"
        sql = f"select 1 from pg_prepared_statements where md5(name) = '{hashlib.md5(name[:63]).hexdigest()}'"
        batch = wire.parse(sql) + wire.bind((), "toy_portal") + wire.execute("toy_portal") + wire.close_portal("toy_portal")
        found = self.server.ask(batch, "3E")
        return any(m.kind == "D" for m in found)

    def take_back(self, lent):
        for name in lent:
            whole = self.statements[name][2] if name in self.statements else name
            self.server.ask(wire.close_statement(whole), ENDS["C"])
