#!/usr/bin/env python3
"""Asks PostgreSQL whom identity maps let in, and writes the answers to maps.jsonl.

Each line: the text of a map file, and for every system user a string with a letter per database user: y or n. The
system users are users of this machine, whose names the server learns from the socket (method peer); run as root.
"""

import json
import os
import pwd
import socket
import struct
import subprocess
from pathlib import Path

import cluster
from cluster import Cluster, PORT, as_postgres, wait_for

SYSTEM = ["root", "daemon", "www-data", "nobody", "bin"]
DATABASE = ["root", "data", "www-data", "daemon", "all", "app_data", "oot", "bin", "\\1", "+staff", "x"]
MAPS = [
    "m root x", "m root root\nm root x", "m root \"all\"", "m root data\n\nm root \"x\" # c",
    "m \"root\" \"x\"\nother daemon x", "m Root x",
    "m all x", r"m /^(.*)$ \1", r"m /^www-(.*)$ \1", r"m /^www-(.*)$ app_\1", r"m /^www-(.*)$ x", r"m /oo x",
    r"m /^oo x",
    r"m /o(.*) o\1", r"m /o(.*)$ \1\1", r"m /(a|d)(.*) \1", r"m /^(d)?.*o(.*)n$ \1aemon", r"m root \1",
    "m /^(r)oot$ \\1oot\nm daemon daemon\nm nobody x", r'm "/^(.*)$" "\1"', r"m /^(.*)t$ \1", r"m /r(o*)t$ \1t",
    "m /^(x)?root$ root\\1\nm root root", "m /^(x)?root$ x\nm root root", r"m /^([a-z]+)-([a-z]+)$ \1-data", "# none",
    r"m /^(www-data|daemon)$ \1", r"m /^[[:alpha:]]+$ x", r'm "/^\w{3,4}$" x', r"m /(?i)ROOT x", r"m /^(.+?)(.*)$ \1",
    "n root x",
    "m daemon x # c\nm \\\n bin \\\n bin", r"m /^.*$ \1x" .replace("^.*$", "^(.*)$"), r"m /^(.*)$ x\1x",
]


def ask(server, system, database):
    """Whether the system user may log in as the database user."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        os.seteuid(pwd.getpwnam(system).pw_uid)
        try:
            connection.connect(f"{server.folder}/.s.PGSQL.{PORT}")
        finally:
            os.seteuid(0)
        body = struct.pack("!i", 196608) + b"user\0" + database.encode() + b"\0database\0template1\0\0"
        connection.sendall(struct.pack("!i", len(body) + 4) + body)
        answer = connection.recv(4096)
        if answer[:1] == b"R":
            return "y"
        assert b"Peer authentication failed" in answer, answer
        return "n"


def main():
    with Cluster() as server:
        server.folder.chmod(0o755)
        server.write("pg_hba.conf", "local all all peer map=m\n")
        with open(Path(__file__).with_name("maps.jsonl"), "w") as file:
            file.write(json.dumps({"system": SYSTEM, "database": DATABASE}) + "\n")
            for number, text in enumerate(MAPS):
                # A line of our own shows when the server has read the file.
                server.write("pg_ident.conf", f"m root marker{number}\n" + text + "\n")
                as_postgres(cluster.BIN / "pg_ctl", "-D", server.data, "reload", stdout=subprocess.DEVNULL)
                wait_for(lambda: ask(server, "root", f"marker{number}") == "y")
                answers = ["".join(ask(server, system, user) for user in DATABASE) for system in SYSTEM]
                file.write(json.dumps({"text": text, "answers": answers}) + "\n")
    print(len(MAPS) * len(SYSTEM) * len(DATABASE), "decisions")


if __name__ == "__main__":
    main()
