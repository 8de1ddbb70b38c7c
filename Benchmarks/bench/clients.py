"""Many idle clients in one process: plain sockets that log in as the trusted user and then keep still."""

import resource
import socket
import struct

from .servers import DATABASE, TRUST_USER, SetUpError

READY_FOR_QUERY = ord("Z")
ERROR_RESPONSE = ord("E")
PROTOCOL_3_0 = 3 << 16
SPARE_DESCRIPTORS = 500


def raise_descriptor_limit(wanted):
    """Lifts the limit of open files for this process and the poolers it starts, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted += SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return
        except (ValueError, PermissionError):
            raise SetUpError(f"the limit of open files is {hard}, {wanted} are needed") from None
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class IdleClients:
    """A number of logged-in connections to one pooler; closed together."""

    def __init__(self, port):
        self.port = port
        self.sockets = []

    def open(self, count):
        parameters = f"user\0{TRUST_USER}\0database\0{DATABASE}\0\0".encode()
        startup = struct.pack("!ii", 8 + len(parameters), PROTOCOL_3_0) + parameters
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            self.sockets.append(connection)
            connection.sendall(startup)
            read_until_ready(connection)

    def query_each(self):
        """Sends one small query on every connection in turn, so that each has used a server once."""
        text = b"select 1\0"
        message = b"Q" + struct.pack("!i", 4 + len(text)) + text
        for connection in self.sockets:
            connection.sendall(message)
            read_until_ready(connection)

    def close(self):
        for connection in self.sockets:
            connection.close()
        self.sockets = []


def read_until_ready(connection):
    """Reads whole messages up to ReadyForQuery; raises on ErrorResponse or end of stream."""
    pending = b""
    while True:
        chunk = connection.recv(65536)
        if not chunk:
            raise SetUpError("a pooler closed the connection of an idle client")
        pending += chunk
        while len(pending) >= 5:
            length = 1 + struct.unpack_from("!i", pending, 1)[0]
            if len(pending) < length:
                break
            kind, body, pending = pending[0], pending[5:length], pending[length:]
            if kind == ERROR_RESPONSE:
                raise SetUpError(f"a pooler refused an idle client: {body!r}")
            if kind == READY_FOR_QUERY:
                return
