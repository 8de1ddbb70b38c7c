"""A name server of a few SRV and A records, for one test."""

import socket
import struct
import threading

A, SRV = 1, 33


class NameServer:
    """Answers for `records`, a name in small letters to a list of (priority, host, port), and for `hosts`, such a name
    to a list of IPv4 addresses. No other name exists. While it `is_silent` it does not answer."""

    address = "127.0.0.77"

    def __init__(self, records=(), hosts=()):
        self.records = dict(records)
        self.hosts = dict(hosts)
        self.is_silent = False
        self.asked = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        # Wakes the thread, which closing would not.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, 53))
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            question, client = self.socket.recvfrom(4096)
            if not question:
                return
            if not self.is_silent:
                self.socket.sendto(self._answer(question), client)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 1
        name = b".".join(_labels(question[12:end])).lower()
        kind = struct.unpack("!H", question[end : end + 2])[0]
        if kind == SRV:
            self.asked.add(name)
        data = {SRV: self._services, A: self._addresses}.get(kind, lambda _: [])(name)
        missing = 0 if name in self.records or name in self.hosts else 3
        head = question[:2] + struct.pack("!HHHHH", 0x8580 | missing, 1, len(data), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(each)) + each for each in data)
        return head + question[12 : end + 4] + body

    def _services(self, name):
        found = []
        for priority, host, port in self.records.get(name, []):
            target = b"".join(bytes([len(part)]) + part for part in host.encode().split(b".")) + b"\0"
            found.append(struct.pack("!HHH", priority, 1, port) + target)
        return found

    def _addresses(self, name):
        return [socket.inet_aton(address) for address in self.hosts.get(name, [])]


def _labels(data):
    while data and data[0]:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]
