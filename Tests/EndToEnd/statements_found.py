"""Small programs in the form of `statements_model`: one for each of the faults of `toypooler`, and below them those
that have once shown a difference."""

from statements_model import INT4, INT8, LONG

ONE, X, PLACE = "select 1", "select $1 as x", "select * from place"
SYNC, FLUSH = ("sync",), ("flush",)


def parse(name, sql=ONE, types=()):
    return ("parse", name, sql, types)


def run(name, *values):
    return [("bind", "", name, values, (), ()), ("execute", "", 0)]


def send(client, *items):
    return ("send", client, list(items), None)


#: Name of the fault, or what was wrong -> (pool_size, steps).
FOUND = {
    "late_parse_complete": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        send(0, parse("b"), *run("b"), SYNC),
    ]),
    "error_forgets": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        send(0, ("query", "select 1/0")),
        send(0, *run("a"), SYNC),
    ]),
    "skipped_parse_counts": (1, [
        ("join", 0, 0),
        send(0, parse("b", "selekt"), parse("a"), SYNC),
        send(0, *run("a"), SYNC),
        send(0, parse("a"), SYNC),
    ]),
    "eviction_before_bind": (1, [
        ("join", 0, 0),
        send(0, parse("a"), parse("b", X), *run("a"), *run("b", b"7"), SYNC),
        send(0, parse("c", PLACE), *run("b", b"8"), *run("c"), *run("a"), SYNC),
    ]),
    "close_keeps_name": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        send(0, ("close", "S", "a"), parse("a", X), *run("a", b"7"), SYNC),
    ]),
    "unnamed_survives_query": (1, [
        ("join", 0, 0),
        send(0, parse(""), SYNC),
        send(0, ("query", ONE)),
        send(0, *run(""), SYNC),
    ]),
    "failed_parse_keeps_unnamed": (1, [
        ("join", 0, 0),
        send(0, parse(""), SYNC),
        send(0, parse("", "selekt"), SYNC),
        send(0, *run(""), SYNC),
    ]),
    "parse_in_aborted": (1, [
        ("join", 0, 0), ("join", 1, 0),
        send(0, parse("a"), SYNC),
        send(1, ("query", "begin")),
        send(1, ("query", "select 1/0")),
        send(1, parse("b"), SYNC),
        send(1, ("query", "rollback")),
        send(1, *run("b"), SYNC),
    ]),
    "no_duplicates": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        send(0, parse("a", X), SYNC),
        send(0, *run("a"), SYNC),
    ]),
    "unknown_is_ignored": (1, [
        ("join", 0, 0),
        send(0, ("query", "begin")),
        send(0, *run("a"), SYNC),
        send(0, ("query", ONE)),
        send(0, ("query", "rollback")),
    ]),
    "whole_names": (1, [
        ("join", 0, 0),
        send(0, parse(LONG[:63] + "X"), SYNC),
        send(0, *run(LONG[:63] + "Y"), SYNC),
        send(0, parse(LONG[:63], X), SYNC),
    ]),
    "types_ignored": (1, [
        ("join", 0, 0), ("join", 1, 0),
        send(0, parse("a", X, (INT4,)), ("describe", "S", "a"), *run("a", b"7"), SYNC),
        send(1, parse("a", X, (INT8,)), ("describe", "S", "a"), *run("a", b"7"), SYNC),
    ]),
    "parameters_ignored": (1, [
        ("join", 0, 1), ("join", 1, 2),
        send(0, parse("a", PLACE), ("describe", "S", "a"), *run("a"), SYNC),
        send(1, parse("a", PLACE), ("describe", "S", "a"), *run("a"), SYNC),
        send(0, *run("a"), SYNC),
    ]),
    "our_name_shown": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        # More values than parameters: the error names the statement.
        send(0, *run("a", b"more"), SYNC),
    ]),
    "deallocate_passed_on": (1, [
        ("join", 0, 0),
        send(0, parse("a"), parse("b", X), SYNC),
        send(0, ("query", "deallocate a")),
        send(0, *run("a"), SYNC),
        send(0, *run("b", b"7"), SYNC),
    ]),
    "failed_deallocate_counts": (1, [
        ("join", 0, 0),
        send(0, parse("a"), SYNC),
        send(0, ("query", "select 1/0; deallocate a")),
        send(0, *run("a"), SYNC),
    ]),
    "discard_keeps": (1, [
        ("join", 0, 0), ("join", 1, 0),
        send(0, parse("a"), SYNC),
        send(1, parse("a"), SYNC),
        send(0, ("query", "discard all")),
        send(0, *run("a"), SYNC),
        send(1, *run("a"), SYNC),
    ]),
    "flush_waits": (1, [
        ("join", 0, 0),
        send(0, parse("a"), FLUSH),
        send(0, *run("a"), FLUSH),
        send(0, SYNC),
    ]),
    "sync_merges": (1, [
        ("join", 0, 0),
        send(0, SYNC, SYNC),
        send(0, parse("a"), SYNC, SYNC, *run("a"), SYNC),
    ]),
}  # fmt: skip
