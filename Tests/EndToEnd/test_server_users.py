"""`server_users`: as whom people work at the server whom a directory or a token proves and no settings list."""

import jwt
import pytest

import tokens
from directory import BASE, SEARCHER, SEARCHER_PASSWORD, Directory, is_available
from external import PEOPLE, make_roles, outcome
from fakeserver import FakeServer, minting_server
from gateway import ADMIN, pool
from polling import wait_until
from server import PASSWORDS
from wire import LoginRefused, query, terminate

CONSOLE = f"host pggateway {ADMIN} 127.0.0.1/32 md5\n"
JWT = "host all all 127.0.0.1/32 jwt keys={key} roles_claim=realm_access.roles on_expiry=ignore\n"

OWNERS = {"roles": ["owner"], "server_username": "app", "server_password": PASSWORDS["app"], "pool_size": 2}
READERS = {
    "users": ["/^r_", "anna"], "server_username": "app_plain", "server_password": PASSWORDS["app_plain"],
    "pool_size": 2,
}
OTHERS = {"server_username": "app_trust", "server_password": "unasked-3391", "pool_size": 2}


@pytest.fixture(scope="module")
def key():
    return tokens.private_key()


@pytest.fixture
def make(make_gateway, postgres, tmp_path, key):
    """A gateway that admits everybody with a token, to a database that lists `app_md5` alone."""
    tmp_path.chmod(0o755)
    (tmp_path / "key.pem").write_text(tokens.public_pem(key))

    def make(server_users, hba="", **options):
        listed = [{
            "username": "app_md5", "password": "", "server_username": "app_md5",
            "server_password": PASSWORDS["app_md5"], "pool_size": 2,
        }]
        rules = CONSOLE + hba + JWT.format(key=tmp_path / "key.pem")
        pools = {"app": pool(postgres, users_=listed, server_users=server_users, **options)}
        gateway = make_gateway(pools, hba=rules)
        gateway.secrets.update(entry["server_password"] for entry in server_users if "server_password" in entry)
        return gateway

    return make


@pytest.fixture
def enter(key):
    def enter(gateway, user, *roles, of=None, **options):
        token = tokens.token(key, user=of or user, realm_access={"roles": list(roles)})
        return gateway.wire(user, "app", token, **options)

    return enter


@pytest.fixture
def works_as(enter):
    """Who somebody with these roles is at the server, or the SQLSTATE of the refusal."""

    def works_as(gateway, user, *roles, **options):
        try:
            with enter(gateway, user, *roles, **options) as client:
                return client.value("select current_user")
        except LoginRefused as refusal:
            return refusal.sqlstate

    return works_as


def servers(gateway):
    """Server connections by user."""
    rows = [row for row in gateway.console("SHOW SERVERS") if row["database_name"] == "app"]
    return {user: {row["server_id"] for row in rows if row["user"] == user} for user in {row["user"] for row in rows}}


def last_words(client):
    return next(m.fields for m in client.until_closed() if m.kind == "E")


def test_the_first_entry_that_speaks_of_a_user_decides(make, works_as):
    gateway = make([OWNERS, READERS, OTHERS])
    assert works_as(gateway, "ben", "owner") == "app"
    assert works_as(gateway, "anna") == "app_plain"
    assert works_as(gateway, "anna", "other", "owner") == "app"
    assert works_as(gateway, "r_1") == works_as(gateway, "r_2") == "app_plain"
    assert works_as(gateway, "Anna") == works_as(gateway, "zoe", "Owner") == "app_trust"
    # A listed user is nobody of theirs.
    assert works_as(gateway, "app_md5", "owner") == "app_md5"
    # One server was enough for all who came one after the other.
    assert {user: len(ids) for user, ids in servers(gateway).items()} == {
        "app": 1, "app_plain": 1, "app_trust": 1, "app_md5": 1
    }


def test_nobody_else_gets_in(make, works_as):
    gateway = make([OWNERS, READERS])
    assert works_as(gateway, "ben", "owner") == "app"
    assert works_as(gateway, "ben") == "3D000"
    assert works_as(gateway, "app") == "3D000", "a name at the server is no name of a client"
    assert works_as(gateway, "anna") == "app_plain"


def test_a_warm_pool_opens_to_nobody_without_proof(make, works_as):
    gateway = make([OWNERS, READERS])
    assert works_as(gateway, "anna") == "app_plain"
    assert works_as(gateway, "anna", of="ben") == "28P01"
    assert works_as(gateway, "r_1", of="anna") == "28P01"
    assert outcome(gateway, "anna", "no token") == "28P01"
    assert works_as(gateway, "ben", "owner") == "app"
    assert works_as(gateway, "anna", "owner", of="ben") == "28P01"


def test_a_name_too_long_for_a_role_is_kept_by_nobody(make, works_as):
    """PostgreSQL would cut it, and let its bearer in as another role."""
    gateway = make([{"users": ["/^k_"], "pool_size": 1}, OTHERS])
    assert works_as(gateway, "k_" + "é" * 31) == "3D000"
    # This one goes as far as the server, which knows no such role.
    assert works_as(gateway, "k_" + "x" * 61) == "08006"
    assert works_as(gateway, "r_" + "é" * 31) == "app_trust"


def test_each_entry_has_pools_of_its_own(make, enter):
    """Also for one user, who comes by two of them and keeps the name in both."""
    name = "app_trust"
    entries = [
        {"users": [name], "roles": ["owner"], "pool_mode": "session", "pool_size": 2},
        {"users": [name], "pool_size": 2},
    ]
    gateway = make(entries)
    with enter(gateway, name, "owner") as owner, enter(gateway, name) as other:
        assert owner.value("select current_user") == other.value("select current_user") == name
        modes = {row["pool_mode"]: row["sv_active"] for row in gateway.console("SHOW POOLS") if row["user"] == name}
        assert modes == {"session": "1", "transaction": "0"}


def test_who_came_and_as_whom_is_shown(make, enter):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as client:
        assert client.value("select current_user") == "app_plain"
        row = next(row for row in gateway.console("SHOW CLIENTS") if row["database"] == "app")
        assert (row["user"], row["server_user"]) == ("anna", "app_plain")
        row = next(row for row in gateway.console("SHOW POOLS") if row["user"] == "app_plain")
        assert (row["database"], row["cl_idle"], row["pool_size"]) == ("app", "1", "2")
        console = next(row for row in gateway.console("SHOW CLIENTS") if row["database"] == "pggateway")
        assert not console["server_user"]
    wait_until(
        lambda: any(row["event"] == "logout" and row["user"] == "anna" for row in gateway.console("SHOW AUDIT")),
        lambda: "the logout is recorded",
    )
    rows = [row for row in gateway.console("SHOW AUDIT") if row["user"] == "anna"]
    assert {row["event"] for row in rows} == {"login", "logout"}
    for row in rows:
        assert (row["identity"], row["pool"], row["server_user"]) == ("anna", "app_plain@app", "app_plain")


def test_settings_are_shown_without_their_secrets(make):
    gateway = make([OWNERS, READERS])
    rows = {row["key"]: row["value"] for row in gateway.console("SHOW CONFIG")}
    assert rows["pools.app.server_users[0].server_password"] == "********"
    assert rows["pools.app.server_users[1].server_username"] == "app_plain"
    assert PASSWORDS["app"] not in str(rows)


def test_a_provider_of_its_own(make, works_as):
    """Who comes by a password is not meant by an entry of `jwt`."""
    gateway = make(
        [{**READERS, "users": [], "auth_providers": ["jwt"]}], hba="host all pgg_found 127.0.0.1/32 md5\n",
        auth_query={"user": "postgres", "query": "select 'md5' || md5('Known-word-4711' || $1) as passwd",
                    "server_user": "app", "server_password": PASSWORDS["app"]},
    )
    assert outcome(gateway, "pgg_found", "Known-word-4711") == "app"
    assert works_as(gateway, "anna") == "app_plain"


def test_users_found_by_a_query_are_meant_too(make):
    """Also when what auth_query knows of them is forgotten: who works as somebody goes on."""
    gateway = make(
        [READERS | {"users": ["pgg_found"]}], hba="host all pgg_found 127.0.0.1/32 md5\n",
        auth_query={"user": "postgres", "query": "select 'md5' || md5('Known-word-4711' || $1) as passwd"},
    )
    with gateway.wire("pgg_found", "app", "Known-word-4711") as client:
        assert client.value("select current_user") == "app_plain"
        before = servers(gateway)["app_plain"]
        gateway.console("INVALIDATE AUTH")
        assert client.value("select current_user") == "app_plain"
        assert outcome(gateway, "pgg_found", "wrong") == "28P01"
        assert outcome(gateway, "pgg_found", "Known-word-4711") == "app_plain"
        assert servers(gateway)["app_plain"] == before
    rows = [row for row in gateway.console("SHOW AUTH_QUERY") if row["database"] == "app"]
    assert rows[0]["dynamic_pools_current"] == "0"


# --- reload, KILL USER ------------------------------------------------------------------------------------------------


def change_entries(gateway, entries):
    gateway.settings["pools"]["app"]["server_users"] = entries
    gateway.write()
    gateway.reload()


def test_a_session_goes_on_over_a_reload_that_does_not_concern_it(make, enter):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as client:
        assert client.value("select current_user") == "app_plain"
        before = servers(gateway)["app_plain"]
        gateway.reload(general={"query_wait_timeout": "4s"})
        assert client.value("select current_user") == "app_plain"
        assert servers(gateway)["app_plain"] == before
        # Another size is for the same pool; another mode makes new connections.
        change_entries(gateway, [OWNERS, READERS | {"pool_size": 3}])
        assert client.value("select current_user") == "app_plain"
        assert servers(gateway)["app_plain"] == before
        change_entries(gateway, [OWNERS, READERS | {"pool_mode": "session"}])
        assert client.value("select current_user") == "app_plain"
        assert not servers(gateway)["app_plain"] & before


@pytest.mark.parametrize(
    "entries",
    [
        [OWNERS, OTHERS],
        [{**OTHERS, "users": ["anna"]}, OWNERS, READERS],
        [OWNERS, READERS | {"users": ["/^r_"]}],
        [],
    ],
    ids=["replaced", "preceded", "without her", "none"],
)
def test_a_session_that_would_be_somebody_else_now_ends(make, enter, works_as, entries):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as anna, enter(gateway, "ben", "owner") as ben:
        assert anna.value("select current_user") == "app_plain"
        assert ben.value("select current_user") == "app"
        gateway.settings["pools"]["app"]["auth_query"] = {"user": "postgres"}
        change_entries(gateway, entries)
        anna.send(query("select current_user"))
        assert last_words(anna)["C"] == "57P01"
        if entries:
            assert ben.value("select current_user") == "app"
            assert works_as(gateway, "anna") == ("app_trust" if OTHERS["server_username"] in str(entries) else "08006")


def test_who_becomes_listed_works_as_listed(make, enter, works_as):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as anna:
        gateway.settings["pools"]["app"]["users"].append(
            {"username": "anna", "password": "", "server_username": "app_trust", "server_password": "unasked-3391"}
        )
        gateway.write()
        gateway.reload()
        anna.send(query("select current_user"))
        assert last_words(anna)["C"] == "57P01"
    assert works_as(gateway, "anna") == "app_trust"


def test_a_reload_does_not_break_a_transaction(make, enter):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as anna:
        anna.rows("begin")
        assert anna.value("select current_user") == "app_plain"
        change_entries(gateway, [OWNERS])
        assert anna.value("select current_user") == "app_plain"
        anna.rows("commit")
        anna.send(query("select 1"))
        assert last_words(anna)["C"] == "57P01"


def test_kill_user_ends_its_sessions_and_nobody_else_s(make, enter, works_as):
    gateway = make([OWNERS, READERS])
    with enter(gateway, "anna") as anna, enter(gateway, "r_1") as other:
        assert anna.value("select current_user") == other.value("select current_user") == "app_plain"
        before = servers(gateway)["app_plain"]
        gateway.console("KILL USER anna")
        assert last_words(anna)["C"] == "57P01"
        assert other.value("select current_user") == "app_plain"
        assert servers(gateway)["app_plain"] == before
    assert works_as(gateway, "anna") == "app_plain"


def test_kill_user_ends_the_server_that_finishes_its_work_alone(make, enter, postgres):
    """And none of another who is the same at the server."""
    pid_of = "select pg_backend_pid()"
    gateway = make([READERS], server_host=postgres.socket_dir)
    with postgres.admin() as holder, enter(gateway, "r_1") as other:
        other.rows("begin work")
        theirs = other.value(pid_of)
        holder.execute("select pg_advisory_lock(8)")
        with enter(gateway, "anna") as anna:
            anna.rows("begin; insert into sink values (8, 'of anna')")
            pid = int(anna.value(pid_of))
            anna.send_together(query("select pg_advisory_lock(8)"), query("commit"), terminate())
            blocked = "select wait_event = 'advisory' from pg_stat_activity where pid = %s"
            wait_until(lambda: postgres.value(blocked, pid), "its last requests are under way")
        wait_until(
            lambda: "anna" not in [row["user"] for row in gateway.console("SHOW CLIENTS")], "the client has gone"
        )
        [row] = gateway.console("KILL USER anna")
        assert row["clients"] == "0"
        holder.execute("select pg_advisory_unlock(8)")
        wait_until(lambda: pid not in postgres.backends("app_plain"), "PostgreSQL has let go of it")
        assert postgres.value("select count(*) from sink where a = 8") == 0
        assert other.value(pid_of) == theirs
        other.rows("commit")


# --- names that stay --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def directory(postgres):
    assert is_available(), "needs slapd and openssl: scripts/install test"
    make_roles(postgres)
    made = Directory()
    yield made
    made.remove()


@pytest.fixture
def ldap(make_gateway, postgres, directory):
    options = f'ldapserver=127.0.0.1 ldapport={directory.port} ldapbasedn="{BASE}" ldapbinddn="{SEARCHER}" '
    rule = f"host all all 127.0.0.1/32 ldap {options} ldapbindpasswd={SEARCHER_PASSWORD}\n"

    def make(server_users):
        gateway = make_gateway({"app": pool(postgres, users_=[], server_users=server_users)}, hba=CONSOLE + rule)
        gateway.secrets.update([*PEOPLE.values(), SEARCHER_PASSWORD])
        return gateway

    return make


def test_the_clear_password_opens_the_server(ldap):
    """Each person has a pool of its own, which another one's proof does not open."""
    gateway = ldap([{"auth_providers": ["ldap"], "pool_size": 2}])
    (ann, anns), (bob, bobs) = PEOPLE.items()
    assert outcome(gateway, ann, anns) == ann
    assert outcome(gateway, ann, bobs) == outcome(gateway, bob, anns) == "28P01"
    assert outcome(gateway, bob, bobs) == bob
    assert outcome(gateway, ann, anns) == ann
    assert {row["user"] for row in gateway.console("SHOW POOLS") if row["database"] == "app"} == {ann, bob}
    with gateway.wire(ann, "app", anns) as client:
        before = servers(gateway)
        gateway.reload(general={"query_wait_timeout": "4s"})
        assert client.value("select current_user") == ann
        assert servers(gateway)[ann] == before[ann]
        gateway.console(f"KILL USER {ann}")
        assert last_words(client)["C"] == "57P01"
    wait_until(lambda: set(servers(gateway)) == {bob}, lambda: f"her servers are closed: {servers(gateway)}")
    assert outcome(gateway, ann, bobs) == "28P01"
    assert outcome(gateway, ann, anns) == ann


def test_a_name_is_not_taken_for_that_of_a_server_user(ldap):
    """`pgg_ann` is also whom others work as: her own pool is another one."""
    (ann, anns), (bob, bobs) = PEOPLE.items()
    gateway = ldap([
        {"users": [bob], "server_username": ann, "server_password": anns, "pool_size": 2}, {"pool_size": 3},
    ])
    assert outcome(gateway, bob, bobs) == ann
    assert outcome(gateway, ann, anns) == ann
    sizes = [row["pool_size"] for row in gateway.console("SHOW POOLS") if row["user"] == ann]
    assert sorted(sizes) == ["2", "3"]


def test_all_people_of_a_directory_share_a_server_user(ldap):
    gateway = ldap([{"server_username": "app", "server_password": PASSWORDS["app"], "pool_size": 1}])
    for person, password in PEOPLE.items():
        assert outcome(gateway, person, password) == "app"
        assert outcome(gateway, person, "wrong") == "28P01"
    assert len(servers(gateway)["app"]) == 1


# --- Talos, minted tokens ---------------------------------------------------------------------------------------------


def test_roles_of_talos(make_gateway, postgres, tmp_path, key):
    tmp_path.chmod(0o755)
    (tmp_path / "2026.pem").write_text(tokens.public_pem(key))
    entries = [
        {"roles": ["read_only", "read_write"], "server_username": "app_plain",
         "server_password": PASSWORDS["app_plain"], "pool_size": 2},
        OWNERS,
    ]
    gateway = make_gateway(
        {"shop": pool(postgres, users_=[], server_users=entries)}, hba=CONSOLE + "host all talos 127.0.0.1/32 talos\n",
        start=False,
    )
    gateway.settings["talos"] = {"keys": [str(tmp_path / "2026.pem")], "databases": ["shop"]}
    gateway.write()
    gateway.start()

    def enter(*roles):
        access = {"pg:shop": {"roles": list(roles)}}
        token = tokens.token(key, kid="2026", user=None, clientId="billing", resource_access=access)
        return gateway.wire("talos", "shop", token)

    with enter("read_only") as reader, enter("read_only", "owner") as owner, enter("read_write") as writer:
        assert reader.value("select current_user") == writer.value("select current_user") == "app_plain"
        assert owner.value("select current_user") == "app"
        gateway.console("KILL USER read_only")
        assert last_words(reader)["C"] == "57P01"
        assert writer.value("select current_user") == "app_plain"
        assert owner.value("select current_user") == "app"
    rows = [row for row in gateway.console("SHOW AUDIT") if row["event"] == "login"]
    row = next(row for row in rows if row["identity"] == "read_only")
    assert (row["user"], row["server_user"]) == ("talos", "app_plain")


@pytest.mark.parametrize("query", [{}, {"server_user": "app_mapped", "server_password": PASSWORDS["app_mapped"]}])
def test_a_role_of_talos_is_nobody_to_auth_query(make_gateway, postgres, tmp_path, key, query):
    """Neither the user of its servers nor a role of PostgreSQL with that name."""
    tmp_path.chmod(0o755)
    (tmp_path / "2026.pem").write_text(tokens.public_pem(key))
    options = {"server_users": [OWNERS], "auth_query": {"user": "postgres", **query}}
    gateway = make_gateway(
        {"shop": pool(postgres, users_=[], **options)}, hba=CONSOLE + "host all talos 127.0.0.1/32 talos\n", start=False
    )
    gateway.settings["talos"] = {"keys": [str(tmp_path / "2026.pem")], "databases": ["shop"]}
    gateway.write()
    status, output = gateway.run_to_end("-t")
    assert status == 0 and "tokens whose highest role in shop is read_write, read_only are refused" in output, output
    gateway.start()

    def enter(role):
        access = {"pg:shop": {"roles": [role]}}
        token = tokens.token(key, kid="2026", user=None, clientId="billing", resource_access=access)
        return gateway.wire("talos", "shop", token)

    for role in ("read_only", "read_write"):
        with pytest.raises(LoginRefused) as refused:
            enter(role).close()
        assert refused.value.sqlstate == "3D000"
    with enter("owner") as owner:
        assert owner.value("select current_user") == "app"


@pytest.mark.parametrize("server_username", [None, "backend"])
def test_minted_tokens_have_the_name_used_at_the_server(make_gateway, tmp_path, key, server_username):
    tmp_path.chmod(0o755)
    (tmp_path / "key.pem").write_text(tokens.public_pem(key))
    signer = tokens.private_key()
    (tmp_path / "private.pem").write_text(tokens.private_pem(signer))
    seen = []
    with FakeServer(minting_server(seen)) as fake:
        entry = {"server_password": f"jwt-priv-key-fpath:{tmp_path / 'private.pem'}", "pool_size": 1}
        if server_username:
            entry["server_username"] = server_username
        pools = {"app": fake.pool("transaction") | {"users": [], "server_users": [entry]}}
        gateway = make_gateway(pools, hba=CONSOLE + JWT.format(key=tmp_path / "key.pem"))
        for user in ("anna", "ben"):
            with gateway.wire(user, "app", tokens.token(key, user=user)) as client:
                assert client.value("select 1") == "1"
        assert not fake.problems
    assert [user for user, _ in seen] == ([server_username] if server_username else ["anna", "ben"])
    for user, token in seen:
        assert jwt.decode(token, tokens.public_pem(signer), algorithms=["RS256"])["preferred_username"] == user
        assert token not in gateway.log()


# --- load -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry,text",
    [
        ({"users": ["/("]}, "pools.app.server_users[0].users: `/(`: invalid regular expression"),
        ({"users": ["+staff"]}, "roles of the server are not known here"),
        ({"auth_providers": ["ldpa"]}, "pools.app.server_users[0].auth_providers: there is no provider `ldpa`"),
        ({"server_password": "Lonely-secret-77"}, "server_password needs server_username"),
        ({"min_pool_size": 1}, "min_pool_size needs server_username"),
        ({"server_username": ""}, "is empty"),
        ({"server_username": "x", "server_password": "jwt-priv-key-fpath:/nowhere/mint.pem"}, "/nowhere/mint.pem"),
        ({"user": ["anna"]}, "did you mean `users`?"),
        ({**READERS, "users": ["ben"]}, "`app_plain` stands at"),
    ],
)
def test_settings_are_checked(make, entry, text):
    gateway = make([READERS])
    gateway.settings["pools"]["app"]["server_users"] = [entry, READERS]
    gateway.write()
    status, output = gateway.run_to_end("-t")
    assert status == 78 and text in output and "Lonely" not in output, output


def test_warnings(make):
    gateway = make([READERS])
    gateway.settings["pools"]["app"]["server_users"] = [{"server_username": "app_trust"}, READERS]
    gateway.write()
    status, output = gateway.run_to_end("-t")
    assert status == 0, output
    assert "`app_trust` has no server_password: only a server that trusts the gateway lets it in" in output
    assert "an entry before it speaks of everybody: it is never used" in output
