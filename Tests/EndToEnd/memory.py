"""Much data without keeping it, and what memory the gateway needs for it."""

import struct
import threading

from wire import Wire

MEGABYTE = 1 << 20


class Memory:
    """Watches the resident memory of the gateway while a block runs."""

    def __init__(self, gateway):
        self.gateway = gateway

    def __enter__(self):
        self.before = self.highest = self.gateway.memory()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.over.wait(0.01):
            self.highest = max(self.highest, self.gateway.memory())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def grown(self):
        return self.highest - self.before


def swallow(client: Wire, kinds="Z"):
    """Reads messages without keeping their bodies; returns (letters, bytes of each)."""
    connection, buffer = client.socket, bytearray(client.buffer)
    connection.settimeout(60)
    del client.buffer[:]
    seen, block = [], bytearray(MEGABYTE)

    def more():
        count = connection.recv_into(block)
        assert count, "closed in the middle"
        return count

    while True:
        while len(buffer) < 5:
            buffer += memoryview(block)[: more()]
        kind, length = chr(buffer[0]), struct.unpack_from(">i", buffer, 1)[0] + 1
        seen.append((kind, length))
        left = length - len(buffer)
        if left <= 0:
            del buffer[:length]
        else:
            while left > 0:
                count = more()
                left -= count
            buffer = bytearray(memoryview(block)[count + left : count])
        if kind in kinds:
            connection.setblocking(False)
            client.buffer += buffer
            return seen


def send_all(client, *pieces):
    client.socket.settimeout(60)
    for piece in pieces:
        client.socket.sendall(piece)
    client.socket.setblocking(False)
