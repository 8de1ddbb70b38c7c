"""Real authorities, certificates and revocation lists, made by the `openssl` command once per test run.

    ca = authority("people")
    ann = ca.client("ann")                      # ann.certificate, ann.key: paths of PEM files
    server = authority("ours", "rsa-sha384").server(["localhost"], ips=["127.0.0.1"], kind="rsa-sha384")
    lists = ca.revocation_list([ann])           # path of a CRL

The same arguments give the same files again, so that tests do not pay for keys twice.
"""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

#: Kind of key -> (arguments of `openssl genpkey`, digest of the signature made WITH such a key).
KINDS = {
    "ecdsa": (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "sha256"),
    "ecdsa-sha384": (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "sha384"),
    "rsa": (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "sha256"),
    "rsa-sha384": (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "sha384"),
    "ed25519": (["-algorithm", "ED25519"], None),
}

CONFIGURATION = """
[ca]
default_ca = here
[here]
dir = {folder}
database = $dir/index
serial = $dir/serial
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = {digest}
default_crl_days = 30
policy = anything
unique_subject = no
copy_extensions = none
string_mask = utf8only
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[ca_extensions]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:false
keyUsage = digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@functools.cache
def base():
    """The folder of everything made in this run."""
    folder = Path(tempfile.mkdtemp(prefix="pggateway-e2e-certificates-"))
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr[-2000:]}"
    return done.stdout


def days_from_now(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


@dataclass(frozen=True)
class Certificate:
    """One certificate; `certificate` holds it and the intermediate authorities behind it, `leaf` itself alone."""

    certificate: Path
    leaf: Path
    key: Path
    serial: str

    def copy_to(self, folder, name="server", owner=None):
        """Copies certificate and key to `name.pem` and `name.key` (mode 0600, of `owner`: a user id)."""
        paths = Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key"
        for source, path in zip((self.certificate, self.key), paths):
            shutil.copyfile(source, path)
            os.chmod(path, 0o600)
            if owner is not None:
                os.chown(path, owner, -1)
        return paths


def make_key(path, kind):
    openssl("genpkey", *KINDS[kind][0], "-out", path)
    os.chmod(path, 0o600)


def serial_of(path):
    """Hexadecimal, as revocation lists have it."""
    return openssl("x509", "-in", path, "-noout", "-serial").strip().split("=")[1]


class Authority:
    """A root, or with `parent` an intermediate authority. `certificate` is what trusts it."""

    def __init__(self, name, kind="ecdsa", parent=None, ends=3650):
        self.name = name
        self.kind = kind
        self.parent = parent
        self.folder = Path(tempfile.mkdtemp(prefix=f"{re.sub('[^a-z0-9]', '-', name.lower())}-", dir=base()))
        os.chmod(self.folder, 0o755)
        self.certificate = self.folder / "ca.pem"
        self.configuration = self.folder / "configuration"
        self.made = {}
        digest = KINDS[kind][1] or "default"
        self.configuration.write_text(CONFIGURATION.format(folder=self.folder, digest=digest))
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("1000\n")
        make_key(self.folder / "ca.key", kind)
        self._request(self.folder / "ca.key", f"/O=Test/CN={name}", self.folder / "ca.csr")
        (parent or self)._sign(
            self.folder / "ca.csr", self.certificate, "ca_extensions", "", -30, ends, own=parent is None
        )
        os.chmod(self.certificate, 0o644)
        self.serial = serial_of(self.certificate)

    def _request(self, key, subject, path):
        openssl("req", "-new", "-utf8", "-config", self.configuration, "-key", key, "-subj", subject, "-out", path)

    def _sign(self, request, path, section, more, starts, ends, own=False):
        extensions = self.folder / "extensions"
        extensions.write_text(self.configuration.read_text().split(f"[{section}]")[1].split("\n[")[0] + "\n" + more)
        openssl(
            "ca", "-batch", "-utf8", "-notext", "-config", self.configuration, "-in", request, "-out", path,
            "-extfile", extensions, "-startdate", days_from_now(starts), "-enddate", days_from_now(ends),
            *(["-selfsign"] if own else []),
        )  # fmt: skip

    @property
    def chain(self):
        """PEM of the intermediate authorities from here up, without the root."""
        return self.certificate.read_text() + self.parent.chain if self.parent else ""

    def intermediate(self, name, **options):
        return self._once(("intermediate", name, *options.items()), lambda: Authority(name, parent=self, **options))

    def _once(self, key, make):
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def server(self, names=("localhost",), ips=("127.0.0.1",), kind="ecdsa", starts=-1, ends=365, cn=None):
        """A server's certificate: DNS names and addresses as subject alternative names.

        `starts` and `ends` are days from now (both negative: expired). `cn` is the common name: the first name
        otherwise. The signature's digest is that of the AUTHORITY's kind, so `rsa-sha384` and `ed25519` ask for an
        authority of that kind; see `authority`.
        """
        alternatives = [f"DNS:{name}" for name in names] + [f"IP:{address}" for address in ips]
        more = "extendedKeyUsage = serverAuth\n"
        if alternatives:
            more += f"subjectAltName = {','.join(alternatives)}\n"
        return self._leaf(f"/CN={cn or (names or ips)[0]}", more, kind, starts, ends)

    def client(self, cn, subject=None, kind="ecdsa", starts=-1, ends=365):
        """A client's certificate. `subject` (`/O=Example/OU=people/CN=ann`, most general part first) instead of
        the common name alone."""
        return self._leaf(subject or f"/CN={cn}", "extendedKeyUsage = clientAuth\n", kind, starts, ends)

    def _leaf(self, subject, more, kind, starts, ends):
        def make():
            place = self.folder / f"leaf-{len(self.made)}"
            key, leaf, whole = (place.with_suffix(suffix) for suffix in (".key", ".leaf.pem", ".pem"))
            make_key(key, kind)
            self._request(key, subject, place.with_suffix(".csr"))
            self._sign(place.with_suffix(".csr"), leaf, "leaf", more, starts, ends)
            whole.write_text(leaf.read_text() + self.chain)
            return Certificate(whole, leaf, key, serial_of(leaf))

        return self._once((subject, more, kind, starts, ends), make)

    def revocation_list(self, serials=(), starts=-1, ends=30):
        """The path of a CRL of this authority in which these serial numbers (or certificates) are revoked."""
        serials = sorted(getattr(one, "serial", one) for one in serials)

        def make():
            place = self.folder / f"crl-{len(self.made)}"
            place.mkdir()
            lines = []
            for line in (self.folder / "index").read_text().splitlines():
                columns = line.split("\t")
                if columns[3] in serials:
                    columns[0], columns[2] = "R", days_from_now(-2)[2:]
                lines.append("\t".join(columns) + "\n")
            (place / "index").write_text("".join(lines))
            configuration = place / "configuration"
            text = self.configuration.read_text().replace("database = $dir/index", f"database = {place}/index")
            configuration.write_text(text)
            openssl(
                "ca", "-gencrl", "-config", configuration, "-out", place / "crl.pem",
                "-crl_lastupdate", days_from_now(starts), "-crl_nextupdate", days_from_now(ends),
            )  # fmt: skip
            return place / "crl.pem"

        return self._once(("crl", *serials, starts, ends), make)


@functools.cache
def authority(name, kind="ecdsa", ends=3650):
    """The root of this name. Its `kind` of key decides how its certificates are signed."""
    return Authority(name, kind, ends=ends)


def bundle(*authorities):
    """The path of one file with the certificates of several authorities."""
    return joined([one.certificate for one in authorities])


def joined(paths):
    """The path of one file with the contents of several: authorities, or revocation lists."""
    handle, path = tempfile.mkstemp(suffix=".pem", dir=base())
    with os.fdopen(handle, "w") as file:
        file.write("".join(Path(one).read_text() for one in paths))
    os.chmod(path, 0o644)
    return Path(path)
