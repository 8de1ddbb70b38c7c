"""A name server of a few SRV records, for one test."""

import socket
import struct
import threading

SRV = 33


class NameServer:
    """Answers for `records`: a name in small letters to a list of (priority, host, port). No other name exists."""

    address = "127.0.0.77"

    def __init__(self, records):
        self.records = records
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
            self.socket.sendto(self._answer(question), client)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 1
        name = b".".join(_labels(question[12:end])).lower()
        kind = struct.unpack("!H", question[end : end + 2])[0]
        records = self.records.get(name, []) if kind == SRV else []
        if kind == SRV:
            self.asked.add(name)
        missing = 0 if name in self.records else 3
        head = question[:2] + struct.pack("!HHHHH", 0x8580 | missing, 1, len(records), 0, 0)
        body = b""
        for priority, host, port in records:
            target = b"".join(bytes([len(part)]) + part for part in host.encode().split(b".")) + b"\0"
            data = struct.pack("!HHH", priority, 1, port) + target
            body += b"\xc0\x0c" + struct.pack("!HHIH", SRV, 1, 1, len(data)) + data
        return head + question[12 : end + 4] + body


def _labels(data):
    while data and data[0]:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]
