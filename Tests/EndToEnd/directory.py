"""A throw-away LDAP directory: Debian's slapd in a folder of its own, with people and a certificate made here."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from external import PEOPLE
from polling import wait_until
from server import free_port

BASE = "dc=example,dc=org"
ROOT = f"cn=root,{BASE}"
ROOT_PASSWORD = "Pewter-garden-15"
#: May search, and nothing else.
SEARCHER = f"cn=searcher,{BASE}"
SEARCHER_PASSWORD = "Linen-beacon-72"

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
directory {folder}/data
rootdn "{root}"
rootpw {root_password}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{searcher}" read by self read by * none
"""

PERSON = """
dn: {name}
objectClass: inetOrgPerson
cn: {cn}
sn: {cn}
uid: {uid}
mail: {uid}@example.org
userPassword: {password}
"""


def is_available():
    return os.access("/usr/sbin/slapd", os.X_OK) and shutil.which("openssl") is not None


class Directory:
    """Owns one folder and one slapd. Entries: `uid=<person>,ou=people` for each person, and twins who share a mail
    address."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pggateway-e2e-ldap-"))
        (self.folder / "data").mkdir(mode=0o700)
        self.port, self.tls_port = free_port(), free_port()
        self.process = None
        self._make_certificate()
        self.configuration = self.folder / "slapd.conf"
        self.configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder, base=BASE, root=ROOT, root_password=ROOT_PASSWORD, searcher=SEARCHER
            )
        )
        self._fill()
        self.start()

    def _make_certificate(self):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

        key = ["-newkey", "rsa:2048", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA")
        openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "server.pem", "-days", "2", "-extfile", "names")

    def _fill(self):
        entries = f"dn: {BASE}\nobjectClass: domain\ndc: example\n"
        for unit in ("people", "others"):
            entries += f"\ndn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n"
        entries += f"\ndn: {SEARCHER}\nobjectClass: person\ncn: searcher\nsn: searcher\n"
        entries += f"userPassword: {SEARCHER_PASSWORD}\n"
        for person, password in PEOPLE.items():
            name = f"uid={person},ou=people,{BASE}"
            entries += PERSON.format(name=name, cn=person, uid=person, password=password)
        for twin in ("one", "two"):
            name = f"cn=twin {twin},ou=others,{BASE}"
            entries += PERSON.format(name=name, cn=f"twin {twin}", uid="pgg_twin", password="Twin-secret-90")
        command = ["/usr/sbin/slapadd", "-f", str(self.configuration)]
        subprocess.run(command, input=entries, text=True, check=True, capture_output=True)

    def start(self):
        """In the foreground (`-d`), on 127.0.0.1 only."""
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        command = ["setpriv", "--pdeathsig=KILL", "/usr/sbin/slapd", "-d", "0", "-f", str(self.configuration)]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*command, "-h", urls], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, lambda: "slapd starts: " + (self.folder / "log").read_text(), deadline=30)

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            for port in (self.port, self.tls_port):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            return False

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
