"""A raw client of the PostgreSQL protocol, so that tests read like protocol scripts.

Functions build frontend messages; `Wire` sends them and reads backend messages. Nothing here is clever on purpose: what
a test sends is what goes over the wire, hostile lengths included.
"""

import base64
import hashlib
import hmac
import os
import random
import select
import socket
import struct
import time
from typing import NamedTuple

SSL_REQUEST = struct.pack(">ii", 8, 80877103)
GSSENC_REQUEST = struct.pack(">ii", 8, 80877104)


class Closed(Exception):
    """The peer closed the connection (or reset it) while a message was expected."""


# --- frontend messages ------------------------------------------------------------------------------------------------


def message(kind, body=b"", length=None):
    """One typed message; `length` overrides the length field for hostile ones."""
    return kind.encode() + struct.pack(">i", len(body) + 4 if length is None else length) + body


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def startup(parameters, version=(3, 0), length=None):
    """A StartupMessage; `parameters` is a mapping or a list of pairs."""
    pairs = parameters.items() if isinstance(parameters, dict) else parameters
    body = struct.pack(">HH", *version) + b"".join(text(n) + text(v) for n, v in pairs) + b"\0"
    return struct.pack(">i", len(body) + 4 if length is None else length) + body


def cancel_request(pid, secret):
    body = struct.pack(">ii", 80877102, pid) + secret
    return struct.pack(">i", len(body) + 4) + body


def query(sql):
    return message("Q", text(sql))


def parse(sql, name="", types=()):
    return message("P", text(name) + text(sql) + struct.pack(f">h{len(types)}I", len(types), *types))


def bind(values=(), portal="", statement="", formats=(), results=()):
    """Values are bytes, str or None."""
    body = text(portal) + text(statement) + struct.pack(f">h{len(formats)}h", len(formats), *formats)
    body += struct.pack(">h", len(values))
    for value in values:
        if value is None:
            body += struct.pack(">i", -1)
        else:
            raw = value if isinstance(value, bytes) else value.encode()
            body += struct.pack(">i", len(raw)) + raw
    return message("B", body + struct.pack(f">h{len(results)}h", len(results), *results))


def describe_statement(name=""):
    return message("D", b"S" + text(name))


def describe_portal(name=""):
    return message("D", b"P" + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack(">i", rows))


def close_statement(name=""):
    return message("C", b"S" + text(name))


def close_portal(name=""):
    return message("C", b"P" + text(name))


def sync():
    return message("S")


def flush():
    return message("H")


def terminate():
    return message("X")


def copy_data(data):
    return message("d", data if isinstance(data, bytes) else data.encode())


def copy_done():
    return message("c")


def copy_fail(reason):
    return message("f", text(reason))


def function_call(oid, arguments, argument_formats=(1,), result_format=1):
    body = struct.pack(f">Ih{len(argument_formats)}h", oid, len(argument_formats), *argument_formats)
    body += struct.pack(">h", len(arguments))
    for argument in arguments:
        body += struct.pack(">i", -1) if argument is None else struct.pack(">i", len(argument)) + argument
    return message("F", body + struct.pack(">h", result_format))


def password_message(secret):
    return message("p", text(secret))


# --- how bytes are cut on their way -----------------------------------------------------------------------------------


def whole(data):
    return [data]


def byte_by_byte(data):
    return [data[i : i + 1] for i in range(len(data))]


def random_splits(seed):
    """Cuts at random places: mostly small pieces, sometimes large ones, always the same for one seed."""
    generator = random.Random(seed)

    def split(data):
        pieces = []
        at = 0
        while at < len(data):
            size = generator.choice((1, 2, 3, 4, 5, 7, 16, 64, 300, 5000, 70000))
            pieces.append(data[at : at + size])
            at += size
        return pieces

    return split


# --- backend messages -------------------------------------------------------------------------------------------------


class Message(NamedTuple):
    """One backend message as it came."""

    kind: str
    body: bytes

    @property
    def fields(self):
        """ErrorResponse and NoticeResponse: a dict from field letter to text."""
        assert self.kind in "EN", self
        result = {}
        for part in self.body.rstrip(b"\0").split(b"\0"):
            if part:
                result[chr(part[0])] = part[1:].decode("utf-8", "replace")
        return result

    @property
    def values(self):
        """DataRow: a list of bytes or None."""
        assert self.kind == "D", self
        (count,) = struct.unpack_from(">h", self.body)
        at, result = 2, []
        for _ in range(count):
            (size,) = struct.unpack_from(">i", self.body, at)
            at += 4
            result.append(None if size < 0 else self.body[at : at + size])
            at += max(size, 0)
        return result

    @property
    def columns(self):
        """RowDescription: the column names."""
        assert self.kind == "T", self
        (count,) = struct.unpack_from(">h", self.body)
        at, result = 2, []
        for _ in range(count):
            end = self.body.index(b"\0", at)
            result.append(self.body[at:end].decode())
            at = end + 19
        return result

    @property
    def tag(self):
        assert self.kind == "C", self
        return self.body[:-1].decode()

    @property
    def sqlstate(self):
        return self.fields.get("C")

    def __str__(self):
        if self.kind in "EN":
            return f"{self.kind} {self.fields}"
        shown = self.body if len(self.body) <= 120 else self.body[:60] + b"..." + self.body[-20:]
        return f"{self.kind}({len(self.body)}) {shown!r}"


class LoginRefused(Exception):
    """Login ended in an ErrorResponse."""

    def __init__(self, error, transcript):
        super().__init__(str(error))
        self.fields = error.fields
        self.sqlstate = error.sqlstate
        self.transcript = transcript


class Scram:
    """The client's side of one SCRAM-SHA-256 exchange, without channel binding."""

    #: "n,," in base64: see tlswire.py for others.
    channel = "biws"

    def __init__(self, password, nonce=None):
        self.password = password.encode()
        self.nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self.first_bare = f"n=,r={self.nonce}"

    def first(self):
        data = ("n,," + self.first_bare).encode()
        return message("p", text("SCRAM-SHA-256") + struct.pack(">i", len(data)) + data)

    def final(self, server_first):
        server_first = server_first.decode()
        attributes = dict(part.split("=", 1) for part in server_first.split(","))
        assert attributes["r"].startswith(self.nonce) and attributes["r"] != self.nonce, server_first
        salt, rounds = base64.b64decode(attributes["s"]), int(attributes["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={self.channel},r={attributes['r']}"
        signed = ",".join((self.first_bare, server_first, without_proof)).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.expected = b"v=" + base64.b64encode(hmac.digest(server_key, signed, "sha256"))
        return message("p", f"{without_proof},p={base64.b64encode(proof).decode()}".encode())


def md5_response(user, password, salt):
    inner = hashlib.md5(password.encode() + user.encode()).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt).hexdigest()


class Wire:
    """One connection. Every read has a deadline; reading goes on while a write would block, as libpq does it."""

    def __init__(self, host, port, timeout=15.0, split=whole, receive_buffer=None, source=None):
        self.timeout = timeout
        self.split = split
        self.buffer = bytearray()
        self.transcript = []
        self.parameters = {}
        self.pid = None
        self.secret = None
        self.ended = False
        self.events = 0
        self.cut_at = None
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            address = f"{host}/.s.PGSQL.{port}"
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            address = (host, port)
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- sending

    def send(self, *messages):
        for one in messages:
            for piece in self.split(one):
                self._write(piece)
            self._event()

    def send_together(self, *messages):
        """All messages as one stretch of bytes (cut by the splitter, but not at message borders)."""
        for piece in self.split(b"".join(messages)):
            self._write(piece)
        self._event()

    def _write(self, data):
        view = memoryview(data)
        end = time.monotonic() + self.timeout
        while view:
            try:
                view = view[self.socket.send(view) :]
                continue
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                return  # What the peer said before it left is still to be read.
            poller = select.poll()
            poller.register(self.socket, select.POLLIN | select.POLLOUT)
            for _, event in poller.poll(max(0, end - time.monotonic()) * 1000) or self._late("write"):
                if event & select.POLLIN:
                    self._fill()
                    if self.ended:
                        return

    def _event(self):
        """Counts message borders; raises `Cut` at the one asked for."""
        self.events += 1
        if self.cut_at is not None and self.events >= self.cut_at:
            raise Cut()

    # --- receiving

    def _late(self, what):
        raise TimeoutError(f"no {what} within {self.timeout} s; so far: {[str(m) for m in self.transcript[-5:]]}")

    def _readable(self, seconds):
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        return poller.poll(seconds * 1000)

    def _fill(self):
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if data:
            self.buffer += data
        else:
            self.ended = True

    def _wait(self, count, timeout=None):
        limit = self.timeout if timeout is None else timeout
        end = time.monotonic() + limit
        while len(self.buffer) < count:
            if self.ended:
                raise Closed(
                    f"closed; last messages: {[str(m) for m in self.transcript[-5:]]}, rest {bytes(self.buffer[:40])}"
                )
            left = end - time.monotonic()
            if left <= 0 or not self._readable(left):
                if timeout is None:
                    self._late("message")
                raise TimeoutError("nothing came")
            self._fill()

    def byte(self):
        """The single byte that answers SSLRequest and GSSENCRequest."""
        self._wait(1)
        result = bytes(self.buffer[:1])
        del self.buffer[:1]
        return result

    def receive(self, timeout=None):
        """The next message, or `Closed`."""
        self._wait(5, timeout)
        kind, length = chr(self.buffer[0]), struct.unpack_from(">i", self.buffer, 1)[0]
        assert length >= 4, f"length {length} of message {kind!r}"
        self._wait(length + 1)
        result = Message(kind, bytes(self.buffer[5 : length + 1]))
        del self.buffer[: length + 1]
        self.transcript.append(result)
        self._event()
        return result

    def until(self, kinds):
        """Messages up to and including the first whose letter is in `kinds`."""
        result = []
        while True:
            result.append(self.receive())
            if result[-1].kind in kinds:
                return result

    def ready(self, count=1):
        """Messages up to and including the `count`-th ReadyForQuery."""
        result = []
        for _ in range(count):
            result += self.until("Z")
        return result

    def until_closed(self):
        """All messages until the peer closes."""
        result = []
        try:
            while True:
                result.append(self.receive())
        except Closed:
            assert not self.buffer, f"an incomplete message before the close: {bytes(self.buffer[:80])}"
            return result

    def nothing_comes(self, seconds=0.05):
        """True when not a byte arrives for a moment, and none lies here unread: used where the protocol forbids an
        answer. A close is something, too."""
        end = time.monotonic() + seconds
        while not self.buffer and not self.ended:
            left = end - time.monotonic()
            if left <= 0 or not self._readable(left):
                return True
            self._fill()
        return False

    # --- conversations

    def login(self, user, database=None, password=None, version=(3, 0), parameters=(), first=None):
        """A whole login; returns self. Raises `LoginRefused` with the ErrorResponse, `Closed` on a bare close."""
        start = len(self.transcript)
        pairs = [("user", user)] + ([("database", database)] if database else [])
        pairs += parameters.items() if isinstance(parameters, dict) else parameters
        self.send(first if first is not None else startup(pairs, version))
        while True:
            answer = self.receive()
            if answer.kind == "R":
                self._authenticate(answer, user, password)
            elif answer.kind == "S":
                name, value, _ = answer.body.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif answer.kind == "K":
                self.pid, self.secret = struct.unpack(">i", answer.body[:4])[0], answer.body[4:]
            elif answer.kind == "E":
                raise LoginRefused(answer, self.transcript[start:])
            elif answer.kind == "Z":
                assert answer.body == b"I", answer
                return self
            else:
                assert answer.kind in "Nv", answer

    def _authenticate(self, request, user, password):
        (code,) = struct.unpack_from(">i", request.body)
        self.method = {0: "ok", 3: "password", 5: "md5", 10: "scram", 11: "scram", 12: "scram"}[code]
        if code == 0:
            return
        assert password is not None, f"a password was asked for by {self.method}"
        if code == 3:
            self.send(password_message(password))
        elif code == 5:
            self.send(password_message(md5_response(user, password, request.body[4:8])))
        elif code == 10:
            assert b"SCRAM-SHA-256\0" in request.body[4:], request
            self.scram = Scram(password)
            self.send(self.scram.first())
        elif code == 11:
            self.send(self.scram.final(request.body[4:]))
        elif code == 12:
            assert request.body[4:] == self.scram.expected, "the server's signature is wrong"

    def rows(self, sql):
        """Simple query; its rows as lists of text. Fails on an error."""
        self.send(query(sql))
        answer = self.ready()
        errors = [m for m in answer if m.kind == "E"]
        assert not errors, f"{sql}: {errors[0]}"
        return [[None if v is None else v.decode() for v in m.values] for m in answer if m.kind == "D"]

    def value(self, sql):
        return self.rows(sql)[0][0]

    def error(self, sql):
        """Simple query that must fail: the fields of its ErrorResponse."""
        self.send(query(sql))
        errors = [m for m in self.ready() if m.kind == "E"]
        assert errors, f"{sql}: no error"
        return errors[0].fields

    def dicts(self, sql):
        """Simple query; its rows as dicts by column name."""
        self.send(query(sql))
        names, result = [], []
        for answer in self.ready():
            assert answer.kind != "E", f"{sql}: {answer}"
            if answer.kind == "T":
                names = answer.columns
            if answer.kind == "D":
                result.append(dict(zip(names, (None if v is None else v.decode() for v in answer.values))))
        return result

    def close(self):
        self.socket.close()

    def leave(self):
        """A polite end: Terminate, then close."""
        try:
            self.socket.send(terminate())
        except OSError:
            pass
        self.close()

    def reset(self):
        """The rude end: RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Cut(Exception):
    """The script has come to the message border at which the test wants the client to die."""


def closing_error(client):
    """The SQLSTATE of the last ErrorResponse before the close (a message cut in the middle may stand before it)."""
    try:
        while True:
            client.receive()
    except (Closed, AssertionError):
        pass
    errors = [m for m in client.transcript if m.kind == "E"]
    return errors[-1].sqlstate if errors else None


def refused_now(clients):
    """Those of the clients that have been refused by now."""
    result = []
    for client in clients:
        try:
            result.append(client.receive(timeout=0.001))
        except (TimeoutError, Closed):
            pass
    return result
