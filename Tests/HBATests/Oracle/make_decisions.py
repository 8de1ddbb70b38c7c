#!/usr/bin/env python3
"""Asks PostgreSQL who is let in by rule files, and writes the answers to decisions.jsonl.

The first line holds the questions and the facts about them; each other line holds a rule file, the files it includes,
and one letter per question: the method of the rule that decided (t trust, p password, m md5, s scram-sha-256,
r reject), or n for none. A file uses each method once, so the letter names the rule.

Run as root: PostgreSQL gets a hosts file of its own (unshare), so that addresses of 127.0.0.0/8 have names.
"""

import json
import random
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import cluster
from cluster import Cluster, PORT, as_postgres, wait_for

HOSTS = """127.0.0.1 localhost
::1 localhost
127.0.0.5 web5.example.test
127.0.0.6 Web6.Sub.Example.Test
"""
HOST_NAMES = {"127.0.0.1": "localhost", "::1": "localhost", "127.0.0.5": "web5.example.test",
              "127.0.0.6": "Web6.Sub.Example.Test", "127.1.2.3": None}
INTERFACES = ["127.0.0.1/8", "::1/128"]

ROLES = """
set password_encryption = md5;
create role team nologin; create role staff nologin; create role ops nologin; create role bots nologin;
create role alice login password 'x'; create role bob login password 'x';
create role carol login noinherit password 'x';
create role dave login superuser password 'x'; create role rep login replication password 'x';
create role "my user" login password 'x'; create role "All" login password 'x'; create role "+staff" login password 'x';
create role "my team" nologin; create role app_one login password 'x'; create role "caf\u00e9" login password 'x';
grant team to staff; grant staff to alice; grant ops to bob with admin option;
grant staff to carol; grant bots to carol;
grant "my team" to "my user"; grant alice to app_one; grant ops to rep;
"""
USERS = ["alice", "bob", "carol", "dave", "rep", "my user", "All", "+staff", "app_one", "caf\u00e9", "nobody"]
ORIGINS = [
    "unix", "127.0.0.1", "127.0.0.5", "127.0.0.6", "127.1.2.3", "::1", "127.0.0.1 tls", "127.0.0.5 tls", "::1 tls",
]
DATABASES = ["app", "alice", "staff", "team", "bots", "all", "sameuser", "replication", "my db", "ops", "caf\u00e9"]

#: What the address column may hold, in generated files.
ADDRESSES = ["all", "127.0.0.1/32", "127.0.0.0/8", "127.0.0.0 255.255.255.0", "::1/128", "::/0", "samehost", "samenet",
             "localhost", "web5.example.test", ".example.test", "0.0.0.0/0", "127.0.0.4/30", ".Sub.example.TEST"]
DATABASE_WORDS = ["all", "app", "sameuser", "samerole", "samegroup", "replication", "\"all\"", "\"my db\"", "alice",
                  "staff", "@dbs", "\"samerole\""]
USER_WORDS = ["all", "alice", "bob", "+staff", "+team", "+ops", "\"+staff\"", "+\"my team\"", "\"my user\"", "@users",
              "carol", "+alice", "All", "rep", "+bots", "+nosuchrole"]
FILES = {
    "dbs": "app, team # two\n\"my db\"\n", "users": "alice bob\n+bots @more/nested\n",
    "more/nested": "\"my user\",All\n@deep\n",
    "more/deep": "caf\u00e9\n", "none": "# nothing\n",
}

#: T, P, M, S and R stand for the five methods.
HAND = [
    "local all all T\nhost all all all M",
    "local all +staff T\nlocal all all R\nhost all +team all M\nhost all +ops all S",
    "local samerole all T\nhost samerole all all M\nhost sameuser all all S",
    "local samegroup all T\nhost samegroup,app all all M",
    "local \"samerole\",\"sameuser\" all T\nhost \"all\",replication all all M",
    "local replication all T\nlocal all rep M\nhost replication +ops all S\nhost replication all all R",
    "local all +\"my team\" T\nlocal all \"+staff\" M\nlocal all +dave S\nhost all +dave all P",
    "local all +team,+ops T\nlocal all +bots M\nhost all +bots all S",
    "local @dbs @users T\nhost @dbs all all M\nhost all @users all S",
    "local app,@dbs +staff,@users,bob T\nhost x,@dbs \"@users\",carol all M",
    "local all x,@none,alice T\nhost @none,app all all M",
    "host all all samehost T\nhost all all samenet M\nhost all all all S",
    "host all all localhost T\nhost all all web5.example.test M\nhost all all .example.test S\nhost all all all R",
    "host all all WEB5.EXAMPLE.TEST T\nhost all all .EXAMPLE.test M\nhost all all LOCALHOST S",
    "host all all example.test T\nhost all all .web5.example.test M\nhost all all .test S",
    "host all all .sub.example.test T\nhost all all ample.test M\nhost all all nosuchhost.example.test S",
    "hostssl all all all T\nhostnossl all all all M",
    "hostssl all +staff samenet T\nhostssl all all .example.test M\nhost all all all S",
    "hostnogssenc all all all T", "hostgssenc all all all T\nhost all all ::/0 M",
    "host all all 127.0.0.1/32 T\nhost all all 127.0.0.1/24 M\nhost all all 127.0.0.1/8 S\nhost all all ::1/127 P",
    "host all all 127.0.0.4 255.255.255.252 T\nhost all all 127.0.0.0 255.0.0.0 M\nhost all all :: :: S",
    "local \\\n  all \\\n all T\nhost all all \\\n\t127.0.0.5/32 M # c \\\nhost all all all R\nhost all bob all S",
    "local al\\\nl all T\nhost all,\\\n \"my db\" all all M",
    "# c\n\n\tlocal\tapp,  alice\tall\tT#x\n  host ,app,, staff all all M,",
    "local all,\"all\" \"All\",All T\nlocal \"my db\" \"my user\" M\nhost \"my db\" \"my user\" all S",
    "local caf\u00e9 all T\nlocal all caf\u00e9 M\nhost \"caf\u00e9\" all all S",
    "local all \"all\" T\nlocal all all M\nhost all \"all\" all S\nhost all sameuser all P",
    "local sameuser +staff T\nlocal samerole +staff M\nhost sameuser,samerole +staff all S",
    "host all alice 127.0.0.5/32 R\nhost all +staff .example.test T\nhost all +staff 127.0.0.0/8 M",
    "host app alice localhost T\nhost app +staff localhost M\nhost staff +staff localhost S\nhost all all 0.0.0.0/0 R",
    "local all +nosuchrole,nobody T\nlocal nosuchdb all M\nhost all +nosuchrole all S\nhost all nobody all P",
    "local all +staff R\nlocal all all T\nhost all +staff all R\nhost all all all M".replace("R\nhost", "P\nhost", 1),
    "local all +app_one T\nlocal all +alice M\nhost all +alice,+carol all S",
    "local @\"dbs\" \"@users\" T\nhost all @more/nested all M",
    "", "# nothing at all",
]


def questions():
    """Every origin, with databases and users in turn, and the combinations that roles and names are about."""
    source = random.Random(1)
    picked = []
    for origin in ORIGINS:
        pairs = [("app", "alice"), ("staff", "carol"), ("replication", "rep")]
        pairs += [(source.choice(DATABASES), source.choice(USERS)) for _ in range(7)]
        for database, user in pairs:
            picked.append({"origin": origin, "database": database, "user": user})
    for database, user in [
        ("staff", "alice"), ("team", "alice"), ("alice", "alice"), ("bots", "carol"), ("ops", "bob"), ("team", "dave"),
        ("my db", "my user"), ("alice", "app_one"), ("team", "app_one"), ("app", "All"), ("app", "+staff"),
        ("all", "bob"),
        ("sameuser", "bob"), ("samerole", "bob"), ("caf\u00e9", "caf\u00e9"), ("app", "nobody"), ("ops", "rep"),
    ]:
        picked.append({"origin": source.choice(["unix", "127.0.0.5"]), "database": database, "user": user})
    for origin in ["unix", "127.0.0.1", "127.0.0.5 tls"]:
        for user in ["rep", "bob"]:
            picked.append({"origin": origin, "database": "app", "user": user, "replication": "true"})
        picked.append({"origin": origin, "database": "app", "user": "rep", "replication": "database"})
    unique = {json.dumps(question, sort_keys=True): question for question in picked}
    return list(unique.values())


METHODS = {"T": "trust", "P": "password", "M": "md5", "S": "scram-sha-256", "R": "reject"}


def generated(source):
    """A file of two to five rules."""
    lines = []
    for letter in source.sample("TPMSR", source.randint(2, 5)):
        kind = source.choice(["local", "host", "host", "host", "hostssl", "hostnossl"])
        databases = ",".join(source.sample(DATABASE_WORDS, source.choice([1, 1, 2, 3])))
        users = ",".join(source.sample(USER_WORDS, source.choice([1, 1, 2, 3])))
        address = "" if kind == "local" else " " + source.choice(ADDRESSES)
        lines.append(f"{kind} {databases} {users}{address} {letter}")
    return "\n".join(lines)


def with_methods(text):
    """Replaces the letters that stand for methods."""
    result = []
    for line in text.split("\n"):
        words = line.split(" ")
        result.append(" ".join(spelled(word) for word in words))
    return "\n".join(result)


def spelled(word):
    for tail in ("", ",", "#x"):
        head = word[: len(word) - len(tail)] if tail else word
        start = head.rfind("\t") + 1
        if word.endswith(tail) and head[start:] in METHODS:
            return head[:start] + METHODS[head[start:]] + tail
    return word


class Client:
    def __init__(self, server):
        self.server = server
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def ask(self, question):
        """The letter of the method the server asks for."""
        with self.connect(question["origin"]) as connection:
            body = struct.pack("!i", 196608)
            fields = {"user": question["user"], "database": question["database"]}
            if "replication" in question:
                fields["replication"] = question["replication"]
            for name, value in fields.items():
                body += name.encode() + b"\0" + value.encode() + b"\0"
            body += b"\0"
            connection.sendall(struct.pack("!i", len(body) + 4) + body)
            kind, payload = self.message(connection)
            if kind == b"R":
                return {0: "t", 3: "p", 5: "m", 10: "s"}[struct.unpack("!i", payload[:4])[0]]
            text = payload.decode()
            if "rejects connection" in text or "rejects replication" in text:
                return "r"
            if "no pg_hba.conf entry" in text:
                return "n"
            raise AssertionError(text)

    def connect(self, origin):
        if origin == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10)
            connection.connect(f"{self.server.folder}/.s.PGSQL.{PORT}")
            return connection
        address, _, tls = origin.partition(" ")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family)
        connection.settimeout(10)
        connection.bind((address, 0))
        connection.connect(("::1" if ":" in address else "127.0.0.1", PORT))
        if not tls:
            return connection
        connection.sendall(struct.pack("!ii", 8, 80877103))
        assert connection.recv(1) == b"S"
        return self.context.wrap_socket(connection)

    @staticmethod
    def message(connection):
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = connection.recv(count - len(data))
                assert piece, "the server closed the connection"
                data += piece
            return data

        head = exactly(5)
        return head[:1], exactly(struct.unpack("!i", head[1:])[0] - 4)


def load(server, client, number, text):
    """Puts a rule file in force; a rule of our own in front shows when the server has read it."""
    marker = f"marker{number}"
    server.write("pg_hba.conf", f"local {marker} postgres reject\n" + text + "\n")
    as_postgres(cluster.BIN / "pg_ctl", "-D", server.data, "reload", stdout=subprocess.DEVNULL)
    wait_for(lambda: client.ask({"origin": "unix", "database": marker, "user": "postgres"}) == "r")


def roles(server):
    """What each user is a member of, directly or not."""
    rows = server.psql("""
        with recursive member(who, role) as (
            select m.member, m.roleid from pg_auth_members m
            union select member.who, m.roleid from member join pg_auth_members m on m.member = member.role)
        select json_build_array(u.rolname, r.rolname) from member
        join pg_roles u on u.oid = who join pg_roles r on r.oid = role where r.rolname !~ '^pg_' order by 1::text;
    """)
    found = {user: [] for user in USERS}
    for user, role in map(json.loads, rows):
        if user in found:
            found[user].append(role)
    return found


def main():
    with Cluster(hosts=HOSTS, tls=True) as server:
        server.psql(ROLES)
        (server.data / "more").mkdir()
        for name, text in FILES.items():
            server.write(name, text)
        client = Client(server)
        asked = questions()
        source = random.Random(7)
        texts = [with_methods(text) for text in HAND + [generated(source) for _ in range(60)]]
        lines = [{"questions": asked, "roles": roles(server), "hostNames": HOST_NAMES, "interfaces": INTERFACES,
                  "files": FILES}]
        for number, text in enumerate(texts):
            load(server, client, number, text)
            lines.append({"text": text, "answers": "".join(client.ask(question) for question in asked)})
    with open(Path(__file__).with_name("decisions.jsonl"), "w") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(len(texts), "files,", len(texts) * len(asked), "decisions")


if __name__ == "__main__":
    main()
