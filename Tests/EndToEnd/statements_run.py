"""Plays the programs of `statements_model`: against PostgreSQL first, then against what is tested, and compares.

A client waits only for answers that the protocol promises. After Sync, Query or FunctionCall that is everything up to
ReadyForQuery; after Flush it is one end for each message: ParseComplete, BindComplete, CloseComplete, RowDescription
or NoData, CommandComplete or PortalSuspended or EmptyQueryResponse; after an ErrorResponse nothing until Sync. A missing
message is found by a deadline, an extra one by the comparison.
"""

import random
import struct
import time
from collections import deque
from dataclasses import dataclass, field, replace

import wire
from statements_model import Generator, Known, encoded, messages, stored

ENDS = {"P": "1E", "B": "2E", "C": "3E", "D": "TnE", "E": "CsIE"}
BOUNDARIES = "SQF"
COPYING = "dcf"


class Difference(Exception):
    """The answers differ; the text says where."""


class Invalid(Exception):
    """A program that cannot be played fairly: a shrunk one that would block, or that is risky."""


def comparable(kind, body):
    """ErrorResponse and NoticeResponse by severity, SQLSTATE and text; everything else as it is."""
    if kind not in "EN":
        return kind, body
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    return kind, b" ".join(fields.get(name, b"?") for name in (b"V", b"C", b"M"))


class Session:
    """One client: what it has sent, what is still to be answered, and what PostgreSQL must know of it by now."""

    def __init__(self, client):
        self.wire = client
        self.outstanding = deque()
        self.skipping = False
        self.unsynced = False
        self.status = "I"
        self.statements = {}  # stored name -> SQL, as the answers tell
        self.known = Known()

    @property
    def holds(self):
        """Whether a pool may have to keep a server for this client."""
        return self.unsynced or self.status != "I"

    def send(self, items, cut=None):
        for item in items:
            self.known.feed(item)
            for letter, _ in messages(item):
                self.outstanding.append((letter, item))
                if letter not in COPYING:
                    self.unsynced = letter not in BOUNDARIES
        data = encoded(items)
        for piece in [data] if cut is None else pieces(data, cut):
            self.wire._write(piece)

    def collect(self):
        """Reads everything that is due. Answers as comparable (kind, body)."""
        found = []
        due = max((n for n, (letter, _) in enumerate(self.outstanding) if letter in "H" + BOUNDARIES), default=-1) + 1
        for _ in range(due):
            letter, item = self.outstanding.popleft()
            if letter in "H" + COPYING or (self.skipping and letter != "S"):
                continue
            if letter in BOUNDARIES:
                self.status = chr(self._until("Z", found)[0])
                self.skipping = False
                if letter == "Q":
                    self.statements.pop(b"", None)
                continue
            if letter == "P" and item[0] == "parse" and not item[1]:
                self.statements.pop(b"", None)
            self._until(ENDS[letter], found)
            self._note(letter, item, found[-1])
        self.unsynced = self.unsynced or self.skipping  # a Query among what is skipped was no boundary
        if not self.unsynced:
            self.outstanding.clear()  # at most data of a COPY that is over
        if not self.outstanding:
            self.known.quiet(self.statements, self.status)
        return found

    def _until(self, ends, found):
        while True:
            kind, body = self._receive()
            found.append(comparable(kind, body))
            if kind in ends:
                return body

    def _receive(self):
        client = self.wire
        while True:
            buffer = client.buffer
            if len(buffer) >= 5:
                (length,) = struct.unpack_from(">i", buffer, 1)
                if length < 4:
                    raise OSError(f"a message of length {length}")
                if len(buffer) > length:
                    kind, body = chr(buffer[0]), bytes(buffer[5 : length + 1])
                    del buffer[: length + 1]
                    return kind, body
            client._wait(len(buffer) + 1)

    def _note(self, letter, item, answer):
        if answer[0] == "E":
            self.skipping = True
        elif item[0] == "parse":
            self.statements[stored(item[1])] = item[2]
        elif item[0] == "close" and item[1] == "S":
            self.statements.pop(stored(item[2]), None)

    def leave(self, how, items, size):
        data = encoded(items)[:size]
        self.wire._write(data)
        {"terminate": self.wire.leave, "close": self.wire.close, "reset": self.wire.reset}[how]()


def pieces(data, seed):
    generator = random.Random(seed)
    sizes = generator.choice(((1, 2, 3, 7), (5, 30, 100), (1, 50, 5000)))
    at, result = 0, []
    while at < len(data):
        # Not more than some hundred writes for the long texts.
        size = max(generator.choice(sizes), len(data) // 300)
        result.append(data[at : at + size])
        at += size
    return result


@dataclass
class Place:
    """Somewhere to play: PostgreSQL, a pool of the gateway, a toy. `connect(variant, timeout)` gives a logged-in `Wire`
    whose reads wait so long for an answer that is due."""

    connect: object
    pool_size: int = 1000
    timeout: float = 10
    #: Brings the place into a known state before a program is played again.
    reset: object = staticmethod(lambda: None)


@dataclass
class Recording:
    """A program, and what PostgreSQL answered to each step."""

    steps: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    idle: list = field(default_factory=list)  # per step: the client held nothing before and holds nothing after
    messages: int = 0


class Player:
    """The clients of one run."""

    def __init__(self, place):
        self.place = place
        self.sessions = {}

    def begin(self, step):
        kind, client, *rest = step
        if kind == "join":
            self.sessions[client] = Session(self.place.connect(rest[0], self.place.timeout))
        elif kind == "leave":
            self.sessions.pop(client).leave(*rest)
        else:
            self.sessions[client].send(*rest)

    def end(self, step):
        return self.sessions[step[1]].collect() if step[0] == "send" else []

    def close(self):
        for session in self.sessions.values():
            session.wire.leave()


def record(direct, steps=None, generator=None, count=0, pool_size=1000):
    """Plays `steps`, or about `count` generated messages, against PostgreSQL."""
    player, result = Player(direct), Recording()
    given = iter(steps if steps is not None else ())
    try:
        while True:
            step = next(given, None) if generator is None else generator.step(player.sessions)
            if step is None or (generator and result.messages >= count):
                return result
            if generator is None:
                check(step, player.sessions, pool_size)
            session = player.sessions.get(step[1])
            held = session is not None and session.holds
            player.begin(step)
            result.answers.append(player.end(step))
            session = player.sessions.get(step[1])
            result.steps.append(step)
            result.idle.append(step[0] == "send" and not held and not session.holds)
            if step[0] != "join":
                result.messages += sum(len(messages(item)) for item in step[3 if step[0] == "leave" else 2])
    finally:
        player.close()


def check(step, sessions, pool_size):
    """Refuses a step that could block at a pool of this size, or that no gateway could answer as PostgreSQL does."""
    session = sessions.get(step[1])
    if (session is None) != (step[0] == "join"):
        raise Invalid("not connected, or twice")
    if not (session and session.holds) and sum(s.holds for s in sessions.values()) >= pool_size:
        raise Invalid("every server is held by others")
    if step[0] == "send":
        known = session.known.copy()
        for item in step[2]:
            if known.risky(item):
                raise Invalid("risky")
            known.feed(item)


def replay(place, recording, together=True):
    """Plays a recording elsewhere and raises `Difference`. Idle neighbours of different clients act at the same time."""
    player = Player(place)
    try:
        at = 0
        while at < len(recording.steps):
            group = [at]
            while together and recording.idle[at] and group[-1] + 1 < len(recording.steps):
                following = group[-1] + 1
                busy = {recording.steps[n][1] for n in group}
                if not recording.idle[following] or recording.steps[following][1] in busy:
                    break
                group.append(following)
            play(player, recording, group)
            at = group[-1] + 1
    finally:
        player.close()


def play(player, recording, group):
    number = group[0]
    try:
        for number in group:
            player.begin(recording.steps[number])
        for number in group:
            compare(number, recording, player.end(recording.steps[number]))
    except (wire.Closed, wire.LoginRefused, TimeoutError, OSError) as problem:
        step = recording.steps[number]
        expected = recording.answers[number]
        what = f"step {number} {step!r}: {type(problem).__name__}: {problem}; PostgreSQL: {expected}"
        raise Difference(compact(what)) from None


def compare(number, recording, found):
    expected = recording.answers[number]
    if expected == found:
        return
    at = next((n for n, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
    one = expected[at] if at < len(expected) else "nothing more"
    two = found[at] if at < len(found) else "nothing more"
    what = f"step {number} {recording.steps[number]!r}, answer {at}: PostgreSQL {one}, here {two}"
    raise Difference(compact(what))


# --- shrinking --------------------------------------------------------------------------------------------------------


def shrink(direct, place, steps, seconds=60, together=True):
    """Removes clients, steps and items as long as a difference remains. Returns (steps, difference), or None when
    the program as a whole does not differ any more (it needs what was on the servers before)."""
    end = time.monotonic() + seconds

    def differs(candidate):
        if time.monotonic() > end:
            return None
        try:
            recording = record(direct, candidate, pool_size=place.pool_size)
        except (Invalid, TimeoutError, wire.Closed, KeyError):
            return None
        place.reset()
        try:
            replay(place, recording, together)
        except Difference as problem:
            return str(problem)
        return None

    place = replace(place, timeout=min(place.timeout, 1.5))
    why = differs(steps)
    if why is None:
        return None
    steps = list(steps)
    # What comes after the difference is not needed.
    steps, why = keep(differs, steps, why, steps[: int(why.split()[1]) + 1])
    for client in sorted({step[1] for step in steps}):
        steps, why = keep(differs, steps, why, [s for s in steps if s[1] != client])
    size = max(1, len(steps) // 2)
    while size:
        at = len(steps)
        while at > 0:
            at = max(0, at - size)
            steps, why = keep(differs, steps, why, steps[:at] + steps[at + size :])
        size //= 2
    for number in range(len(steps) - 1, -1, -1):
        if steps[number][0] == "join":
            continue
        steps, why = shrink_step(differs, steps, why, number)
    return steps, why


def shrink_step(differs, steps, why, number):
    place = 2 if steps[number][0] == "send" else 3

    def with_items(items):
        step = list(steps[number])
        step[place] = items
        if step[0] == "leave" and step[2] == "terminate":
            step[4] = len(encoded(items))
        return [*steps[:number], tuple(step), *steps[number + 1 :]]

    if steps[number][0] == "send" and steps[number][3] is not None:
        plain = (*steps[number][:3], None)
        steps, why = keep(differs, steps, why, [*steps[:number], plain, *steps[number + 1 :]])
    for at in range(len(steps[number][place]) - 1, -1, -1):
        items = steps[number][place]
        if at < len(items):
            steps, why = keep(differs, steps, why, with_items(items[:at] + items[at + 1 :]))
    return steps, why


def keep(differs, steps, why, candidate):
    """The candidate if it still differs, else what there was."""
    if candidate == steps:
        return steps, why
    found = differs(candidate)
    return (candidate, found) if found else (steps, why)


def printed(steps):
    """A program as a Python literal."""
    lines = []
    for step in steps:
        shown = []
        for part in step:
            if isinstance(part, list):
                shown.append("[\n" + "".join(f"        {item!r},\n" for item in part) + "    ]")
            else:
                shown.append(repr(part))
        lines.append(f"    ({', '.join(shown)}),\n")
    return compact("[\n" + "".join(lines) + "]")


def compact(text):
    """The long texts of the generator as products; what was a literal stays one."""
    text = text.replace("long " * 4000, "' + 'long ' * 4000 + '").replace("b'" + "y" * 30000, "b'y' * 30000 + b'")
    return text.replace("long" * 15, "' + 'long' * 15 + '")


def generated(direct, seed, count, clients, pool_size):
    """A recording of about `count` random messages."""
    return record(direct, generator=Generator(seed, clients, pool_size), count=count)
