"""A scripted PostgreSQL server: the test says, message by message, what it answers.

For servers that are broken or hostile.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct
import threading

from wire import GSSENC_REQUEST, SSL_REQUEST, Closed, Message, message, text

# --- backend messages -------------------------------------------------------------------------------------------------


def authentication(code, data=b""):
    return message("R", struct.pack(">i", code) + data)


def authentication_ok():
    return authentication(0)


def parameter_status(name, value):
    return message("S", text(name) + text(value))


def backend_key_data(pid=4711, secret=b"\1\2\3\4"):
    return message("K", struct.pack(">i", pid) + secret)


def ready(status="I"):
    return message("Z", status.encode())


def error(sqlstate="XX000", what="scripted error", severity="ERROR", **more):
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": what, **more}
    return message("E", b"".join(k.encode() + text(v) for k, v in fields.items()) + b"\0")


def notice(what="scripted notice"):
    return message("N", b"SNOTICE\0VNOTICE\0C00000\0M" + text(what) + b"\0")


def row_description(*names):
    body = struct.pack(">h", len(names))
    for name in names:
        body += text(name) + struct.pack(">ihihih", 0, 0, 25, -1, -1, 0)
    return message("T", body)


def data_row(*values):
    return message("D", struct.pack(">h", len(values)) + b"".join(struct.pack(">i", len(v)) + v for v in values))


def command_complete(tag="SELECT 1"):
    return message("C", text(tag))


def one_row(value=b"1"):
    """The whole answer to `select`."""
    return row_description("column") + data_row(value) + command_complete() + ready()


def greeting(pid=4711, secret=b"\1\2\3\4", parameters=()):
    """Everything from AuthenticationOk to ReadyForQuery."""
    known = {"server_version": "15.99", "client_encoding": "UTF8", "server_encoding": "UTF8", "DateStyle": "ISO, MDY"}
    known |= {
        "TimeZone": "Etc/UTC",
        "integer_datetimes": "on",
        "standard_conforming_strings": "on",
        "IntervalStyle": "postgres",
    }
    statuses = b"".join(parameter_status(k, v) for k, v in (known | dict(parameters)).items())
    return authentication_ok() + statuses + backend_key_data(pid, secret) + ready()


# --- the server -------------------------------------------------------------------------------------------------------


class Peer:
    """One accepted connection. Reads have a deadline, so a script never hangs a test."""

    def __init__(self, connection, server):
        self.socket = connection
        self.socket.settimeout(20)
        self.server = server
        self.received = []

    def exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except OSError:
                piece = b""
            if not piece:
                raise Closed("the gateway left")
            data += piece
        return data

    def startup(self):
        """The StartupMessage as a dict; SSLRequest and GSSENCRequest are refused first. A CancelRequest comes back as
        {"cancel": (pid, secret)}."""
        while True:
            (length,) = struct.unpack(">i", self.exactly(4))
            body = self.exactly(length - 4)
            packet = struct.pack(">i", length) + body
            if packet in (SSL_REQUEST, GSSENC_REQUEST):
                self.socket.sendall(b"N")
                continue
            (code,) = struct.unpack_from(">i", body)
            if code == 80877102:
                return {"cancel": (struct.unpack_from(">i", body, 4)[0], body[8:])}
            words = body[4:].split(b"\0")
            return {"protocol": code, **{a.decode(): b.decode() for a, b in zip(words[::2], words[1::2]) if a}}

    def receive(self):
        kind = self.exactly(1).decode("latin1")
        (length,) = struct.unpack(">i", self.exactly(4))
        result = Message(kind, self.exactly(length - 4))
        self.received.append(result)
        return result

    def until(self, kinds):
        """Messages up to and including the first of `kinds`. A Terminate that was not asked for ends the script."""
        result = [self.receive()]
        while result[-1].kind not in kinds:
            if result[-1].kind == "X":
                raise Closed("the gateway left politely")
            result.append(self.receive())
        return result

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))

    def login(self, **options):
        """Accepts anybody; returns the startup parameters. Cancel requests end the connection."""
        parameters = self.startup()
        if "cancel" in parameters:
            self.server.cancels.append(parameters["cancel"])
            raise Closed("it was a cancel request")
        self.send(greeting(**options))
        return parameters

    def next_query(self):
        """The text of the next simple query."""
        return self.until("Q")[-1].body[:-1].decode()

    def serve(self, answer=lambda sql: None):
        """Answers simple queries for ever: `answer(sql)` gives bytes, or None for a plain answer of one row (for
        queries of the gateway itself, such as RESET ALL and the probe, something sensible)."""
        while True:
            sql = self.next_query()
            self.send(answer(sql) or plain_answer(sql))

    def die(self, rudely=False):
        if rudely:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def plain_answer(sql):
    words = sql.strip().rstrip(";").split()
    if not words:
        return message("I") + ready()
    verb = words[0].upper()
    if verb == "SELECT":
        return one_row()
    if verb == "BEGIN":
        return command_complete("BEGIN") + ready("T")
    return (
        command_complete(" ".join(words[:2]).upper() if verb in ("RESET", "DISCARD", "DEALLOCATE") else verb) + ready()
    )


class FakeServer:
    """Listens on a free port, or the one given, and runs `script(peer)` in a thread for every connection.

    `scripts` may also be a list: the n-th connection gets the n-th script, later ones the last. Connections end when
    their script ends. A problem inside a script (that the gateway leaves is none) fails the test at the end of `with`.
    """

    def __init__(self, scripts, host="127.0.0.1", port=0):
        self.host = host
        self.scripts = scripts if isinstance(scripts, (list, tuple)) else [scripts]
        self.listener = socket.create_server((self.host, port), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.cancels = []
        self.problems = []
        self.peers = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            peer = Peer(connection, self)
            self.peers.append(peer)
            threading.Thread(target=self._run, args=(script, peer), daemon=True).start()

    def _run(self, script, peer):
        try:
            script(peer)
        except (Closed, OSError):
            pass
        except Exception as problem:
            self.problems.append(problem)
        finally:
            try:
                peer.socket.close()
            except OSError:
                pass

    def pool(self, mode="transaction", user="app", password="", **options):
        """A pool of the gateway that leads here; its user is admitted by trust."""
        entry = {"username": user, "password": password, "pool_size": 2, **options}
        return {
            "server_host": self.host,
            "server_port": self.port,
            "server_database": "fake",
            "pool_mode": mode,
            "users": [entry],
        }

    def close(self):
        self.listener.close()
        for peer in self.peers:
            try:
                peer.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if self.problems and kind is None:
            problem = self.problems[0]
            raise AssertionError(f"a script of the server: {problem!r}") from problem


# --- SCRAM, the server's side, honest or not --------------------------------------------------------------------------


class ScramServer:
    """Plays SCRAM-SHA-256 with a `Peer`. Each keyword replaces one thing an honest server would say."""

    def __init__(self, password, salt=b"0123456789abcdef", iterations=4096):
        self.salt, self.iterations = salt, iterations
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        self.client_key = hmac.digest(salted, b"Client Key", "sha256")
        self.stored_key = hashlib.sha256(self.client_key).digest()
        self.server_key = hmac.digest(salted, b"Server Key", "sha256")

    def verifier(self):
        def b64(data):
            return base64.b64encode(data).decode()

        return f"SCRAM-SHA-256${self.iterations}:{b64(self.salt)}${b64(self.stored_key)}:{b64(self.server_key)}"

    def play_ahead(self, peer, end):
        """Sends all up to the end of the login with the challenge, for it knows what the client will sign."""
        peer.send(authentication(10, b"SCRAM-SHA-256\0\0"))
        body = peer.until("p")[-1].body
        bare = body[body.index(b"\0") + 5 :].split(b",", 2)[2].decode()
        nonce = bare.split("r=", 1)[1] + base64.b64encode(os.urandom(12)).decode()
        first = f"r={nonce},s={base64.b64encode(self.salt).decode()},i={self.iterations}"
        signed = ",".join((bare, first, f"c=biws,r={nonce}")).encode()
        final = b"v=" + base64.b64encode(hmac.digest(self.server_key, signed, "sha256"))
        peer.send(authentication(11, first.encode()) + authentication(12, final) + end)
        peer.until("p")

    def play(self, peer, mechanisms=b"SCRAM-SHA-256\0\0", first=None, signature=None, final=None):
        """True when the client's proof is right. `first` maps the honest first message to what is sent."""
        peer.send(authentication(10, mechanisms))
        body = peer.until("p")[-1].body
        client_first = body[body.index(b"\0") + 5 :]
        bare = client_first.split(b",", 2)[2].decode()
        nonce = dict(part.split("=", 1) for part in bare.split(","))["r"]
        combined = nonce + base64.b64encode(os.urandom(12)).decode()
        server_first = f"r={combined},s={base64.b64encode(self.salt).decode()},i={self.iterations}"
        if first:
            server_first = first(server_first, nonce)
        data = server_first if isinstance(server_first, bytes) else server_first.encode()
        peer.send(authentication(11, data))
        client_final = peer.until("p")[-1].body.decode()
        without_proof, proof = client_final.rsplit(",p=", 1)
        signed = ",".join((bare, server_first, without_proof)).encode()
        expected = hmac.digest(self.stored_key, signed, "sha256")
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), expected))
        right = hashlib.sha256(key).digest() == self.stored_key
        honest = b"v=" + base64.b64encode(signature or hmac.digest(self.server_key, signed, "sha256"))
        if not right:
            peer.send(error("28P01", "password authentication failed", "FATAL"))
            raise Closed("wrong proof")
        if final != b"":
            peer.send(authentication(12, honest if final is None else final))
        return right


def minting_server(seen):
    """The script of a server that asks for passwords in clear text; (user, password) of each login go to `seen`."""

    def script(peer):
        parameters = peer.startup()
        peer.send(authentication(3))
        seen.append((parameters["user"], peer.receive().body.rstrip(b"\0").decode()))
        peer.send(greeting())
        peer.serve()

    return script
