"""Handshakes of TLS clients that do not come to their end at once."""

import ssl

from tlswire import client_context, plain_socket
from wire import SSL_REQUEST


class Handshake:
    """The client's half of a handshake, by hand: what it would send, as bytes."""

    def __init__(self, **options):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client_context(**options)
        self.ssl = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def flight(self, received=b""):
        """What is sent next, `received` taken in."""
        self.incoming.write(received)
        try:
            self.ssl.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def opened(self, received):
        """The plain text of what has come."""
        assert received, "closed"
        self.incoming.write(received)
        plain = b""
        try:
            while more := self.ssl.read(65536):
                plain += more
        except ssl.SSLWantReadError:
            pass
        return plain


def under_way(gateway):
    [row] = [row for row in gateway.console("SHOW TLS") if row["side"] == "clients"]
    return int(row["under_way"])


def handshakes_begun(gateway, count):
    """Sockets of clients that were answered `S`."""
    clients = []
    for _ in range(count):
        client = plain_socket(gateway)
        client.sendall(SSL_REQUEST)
        clients.append(client)
    for client in clients:
        assert client.recv(1) == b"S"
    return clients
