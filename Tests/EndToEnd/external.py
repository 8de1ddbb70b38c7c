"""What the tests of PAM and LDAP share: people who exist in PostgreSQL, too, and how a login ends."""

from contextlib import contextmanager

from gateway import ADMIN, pool
from server import PASSWORDS
from wire import LoginRefused, message, startup

#: Person -> password, in PostgreSQL as well as outside of it. None of these may ever stand in a log.
PEOPLE = {
    "pgg_ann": "Saffron-kettle-83",
    "pgg_bob": "Walnut-compass-26",
}

CONSOLE_RULE = f"host pggateway {ADMIN} 127.0.0.1/32 md5\n"


def make_roles(postgres):
    """The people as roles, so that their passwords open the server, too."""
    with postgres.admin() as admin:
        for person, password in PEOPLE.items():
            admin.execute("set password_encryption = 'scram-sha-256'")
            admin.execute(f"drop role if exists {person}")
            admin.execute(f"create role {person} login password '{password}'")


def people_pool(postgres, **options):
    """Everybody with a pool of their own: `pgg_ann` and `pgg_bob` with the password they give, `pgg_fixed` as `app`."""
    entries = [{"username": person, "password": "", "pool_size": 2} for person in PEOPLE]
    entries.append(
        {
            "username": "pgg_fixed", "password": "", "pool_size": 2,
            "server_username": "app", "server_password": PASSWORDS["app"],
        }
    )
    return pool(postgres, users_=[{**entry, **options} for entry in entries])


def outcome(gateway, user, password, database="app"):
    """Who the session is at the server, or the SQLSTATE of the refusal."""
    try:
        with gateway.wire(user, database, password) as client:
            return client.value("select current_user")
    except LoginRefused as refusal:
        return refusal.sqlstate


def refusal(gateway, user, password, database="app"):
    """The ErrorResponse of a login that must fail."""
    try:
        gateway.wire(user, database, password).close()
    except LoginRefused as refused:
        return refused.fields
    raise AssertionError(f"{user} was let in")


def check_warm_pool(gateway, works_as=None):
    """A pool that somebody has opened opens to nobody else. `works_as`: the user at the server, if not the person."""
    ann, bob = "pgg_ann", "pgg_bob"
    assert outcome(gateway, ann, PEOPLE[ann]) == (works_as or ann)
    assert outcome(gateway, ann, "wrong-" + PEOPLE[ann]) == "28P01"
    assert outcome(gateway, ann, PEOPLE[bob]) == "28P01"
    assert outcome(gateway, bob, PEOPLE[ann]) == "28P01"
    assert outcome(gateway, ann, PEOPLE[ann]) == (works_as or ann)
    assert outcome(gateway, bob, PEOPLE[bob]) == (works_as or bob)
    assert outcome(gateway, bob, PEOPLE[ann]) == "28P01"


def found_pool(postgres, dedicated=False):
    """A database that lists nobody: each user has a pool of its own, or all work as `app`."""
    query = {"user": "postgres", "pool_size": 2}
    if dedicated:
        query |= {"server_user": "app", "server_password": PASSWORDS["app"]}
    return pool(postgres, users_=[], auth_query=query)


def check_found_pools(gateway):
    """Databases `own` and `shared`, one of each kind, for users who stand in no settings."""
    for database, works_as in (("own", None), ("shared", "app")):
        for person, password in PEOPLE.items():
            assert outcome(gateway, person, password, database) == (works_as or person)
            assert outcome(gateway, person, "wrong", database) == "28P01"
            for other in PEOPLE.values():
                assert (outcome(gateway, person, other, database) == "28P01") == (other != password)
            assert outcome(gateway, person, password, database) == (works_as or person)
        assert outcome(gateway, "pgg_nobody", PEOPLE["pgg_ann"], database) == "28P01"


def check_bad_input(gateway, text, user="pgg_ann"):
    """Passwords that are none: all refused alike, and the gateway goes on."""
    right = PEOPLE[user]
    for password in (" ", right[:-1], right + "x", right.upper(), b"\xff\xfe\x80", b"\xc3", "x" * 511, "x" * 60_000,
                     right + "\n", "%s%n", "übung-имя"):
        fields = refusal(gateway, user, password)
        assert (fields["C"], fields["M"]) == ("28P01", f'{text} authentication failed for user "{user}"'), password
    # The test's own client takes an empty password for none: its message is sent by hand.
    assert empty_password(gateway, user) == "28P01"
    assert outcome(gateway, user, right) == user


def empty_password(gateway, user):
    """The SQLSTATE that an empty password is answered with."""
    with gateway.wire(login=False) as client:
        client.send(startup({"user": user, "database": "app"}))
        assert client.receive().body == b"\0\0\0\3"
        client.send(message("p", b"\0"))
        return client.until("E")[-1].sqlstate


@contextmanager
def asked(gateway, user, database="app"):
    """A client that has been asked for its password, and has not answered."""
    with gateway.wire(login=False) as client:
        client.send(startup({"user": user, "database": database}))
        assert client.receive().body == b"\0\0\0\3"
        yield client
