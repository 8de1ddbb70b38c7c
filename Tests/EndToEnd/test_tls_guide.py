"""The production set-up of the guide to TLS, word for word but for names of files and hosts."""

import os
import re
import subprocess

import psycopg
import pytest
import yaml

from certificates import authority
from gateway import ROOT
from server import DATABASE, PASSWORDS, executable

GUIDE = (ROOT / "Documentation/tls.md").read_text()


def set_up(secured, folder):
    """The settings of the guide with files and a server that exist here."""
    settings = yaml.safe_load(re.search(r"## A production set-up\n+```yaml\n(.*?)```", GUIDE, re.S).group(1))
    certificate, key = authority("gateways").server().copy_to(folder)
    settings["general"] |= {
        "tls_certificate": str(certificate), "tls_private_key": str(key),
        "tls_ca_cert": str(authority("people").certificate),
        "server_tls_ca_cert": str(authority("databases").certificate),
    }
    shop = settings["pools"]["shop"]
    assert shop["users"][0]["username"] == "app"
    shop |= {"server_host": secured.host, "server_port": secured.port, "server_database": DATABASE}
    shop["users"][0]["password"] = secured.secrets["app"]
    return settings


@pytest.fixture
def production(make_gateway, secured, tmp_path):
    settings = set_up(secured, tmp_path)
    return make_gateway(settings["pools"], settings["general"], hba=settings["general"]["pg_hba"]["content"])


def test_the_set_up_has_ten_lines():
    block = re.search(r"## A production set-up\n+```yaml\n(.*?)```", GUIDE, re.S).group(1)
    assert len(block.splitlines()) <= 10


def test_psql_of_the_guide_gets_in(production):
    line = re.search(r'```sh\npsql "(.*?)"', GUIDE).group(1)
    for word, own in (("gateway.example.org", production.host), ("port=6432", f"port={production.port}"),
                      ("ca.crt", str(authority("gateways").certificate))):
        assert word in line
        line = line.replace(word, own)
    done = subprocess.run(
        [executable("psql"), "-XAtq", "-c", "select ssl from pg_stat_ssl where pid = pg_backend_pid()", line],
        env={**os.environ, "PGPASSWORD": PASSWORDS["app"]}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, "t"), done.stderr


def test_others_stay_outside(production, tmp_path):
    words = f"host={production.host} port={production.port} dbname=shop password={PASSWORDS['app']}"
    with pytest.raises(psycopg.OperationalError, match="the server requires TLS"):
        psycopg.connect(f"{words} user=app sslmode=disable")
    # A certificate of somebody else: the rule for `reports` asks for its own.
    certificate, key = authority("people").client("app").copy_to(tmp_path, "client")
    shown = f"sslmode=require sslcert={certificate} sslkey={key}"
    with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
        psycopg.connect(f"{words} user=reports {shown}")
    with psycopg.connect(f"{words} user=app {shown}") as connection:
        assert connection.execute("select current_user").fetchone() == ("app",)
