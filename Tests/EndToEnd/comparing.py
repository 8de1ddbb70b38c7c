"""Answers of PostgreSQL and of the gateway beside each other."""

import struct

import pytest

from wire import Message

FIRST_USER_OID = 16384


def comparable(answer):
    """A message without what differs from session to session: the process id of a notification, the oid of a table
    made by the script."""
    if answer.kind == "A":
        return Message("A", b"pid?" + answer.body[4:])
    if answer.kind == "T":
        body, at = bytearray(answer.body), 2
        for _ in answer.columns:
            at = body.index(b"\0", at) + 1
            if struct.unpack_from(">I", body, at)[0] >= FIRST_USER_OID:
                body[at : at + 4] = b"oid?"
            at += 18
        return Message("T", bytes(body))
    return answer


def difference(expected, found):
    """The first difference in words, or None."""
    if expected == found:
        return None
    for number, (a, b) in enumerate(zip(expected, found)):
        if a != b:
            return f"message {number}: PostgreSQL {a}, gateway {b}"
    common = min(len(expected), len(found))
    more = [str(m) for m in max(expected, found, key=len)[common:][:3]] if len(expected) != len(found) else []
    counts = f"{len(expected)} messages from PostgreSQL, {len(found)} through the gateway"
    return f"{counts}; the first {common} are equal, then {more}"


def fail_if_different(expected, found, what):
    problem = difference(expected, found)
    if problem:
        pytest.fail(f"{what}: {problem}", pytrace=False)
