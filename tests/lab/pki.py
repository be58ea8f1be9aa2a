"""A throw-away CA and the certificates of the edges, good ones and bad ones (openssl)."""

import base64
import hashlib
import os
from dataclasses import dataclass, field

from .process import run


@dataclass
class Leaf:
    """What a certificate is to say. `sip` are SIP domains (RFC 5922), `dns` host names."""

    name: str
    sip: tuple = ()
    dns: tuple = ()
    usages: str = "serverAuth"  # what public CAs issue since 2026; "" leaves the extension out
    expired: bool = False
    issuer: str = "ca"
    extra: tuple = field(default_factory=tuple)


class Pki:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, mode=0o700, exist_ok=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def anchors(self):
        return self.path("ca.pem")

    def make_ca(self, name="ca", subject="lab CA"):
        self._make_key(name)
        run(["openssl", "req", "-x509", "-new", "-key", self.path(name + ".key"), "-sha256",
             "-days", "30", "-subj", f"/CN={subject}",
             "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-out", self.path(name + ".pem")])
        self.adopt_ca(name)

    def adopt_ca(self, name="ca"):
        """Its key and certificate are there: it can issue."""
        with open(self.path(name + ".index"), "w", encoding="ascii"):
            pass

    def make(self, leaf):
        """Returns the paths of chain and key."""
        key, chain = self.path(leaf.name + ".key"), self.path(leaf.name + ".pem")
        request, extensions = self.path(leaf.name + ".csr"), self.path(leaf.name + ".cnf")
        self._make_key(leaf.name)
        run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={leaf.name}", "-out", request])
        self._write_extensions(leaf, extensions)
        # `openssl ca`, because `openssl x509` of OpenSSL 3.0 cannot set the dates
        dates = (["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
                 if leaf.expired else ["-days", "30"])
        run(["openssl", "ca", "-batch", "-notext", "-config", extensions, "-name", "lab_ca",
             "-in", request, "-out", chain, *dates])
        return chain, key

    def make_list(self, name, revoked=(), issuer="ca", last="20200101000000Z", due="20400101000000Z"):
        """A revocation list of this CA, with these leaves in it."""
        config = self.path("crl.cnf")
        self._write_extensions(Leaf("crl", issuer=issuer), config)
        base = ["openssl", "ca", "-config", config, "-name", "lab_ca"]
        for leaf in revoked:
            run([*base, "-revoke", self.path(leaf + ".pem")])
        run([*base, "-gencrl", "-crl_lastupdate", last, "-crl_nextupdate", due,
             "-out", self.path(name)])
        return self.path(name)

    def make_self_signed(self, leaf):
        """The same without any CA: whoever believes it has its key from DNS."""
        key, chain = self.path(leaf.name + ".key"), self.path(leaf.name + ".pem")
        names = [f"URI:sip:{domain}" for domain in leaf.sip]
        names += [f"DNS:{host}" for host in leaf.dns]
        self._make_key(leaf.name)
        run(["openssl", "req", "-x509", "-new", "-key", key, "-sha256", "-days", "30",
             "-subj", f"/CN={leaf.name}", "-addext", "subjectAltName=" + ",".join(names),
             "-addext", "basicConstraints=critical,CA:FALSE", "-out", chain])
        return chain, key

    def fingerprint(self, name):
        """SHA-256 of the public key: the data of TLSA 3 1 1 (RFC 6698)."""
        pem = run(["openssl", "pkey", "-in", self.path(name + ".key"), "-pubout"]).stdout
        body = "".join(line for line in pem.splitlines() if not line.startswith("-"))
        return hashlib.sha256(base64.b64decode(body)).hexdigest()

    def _make_key(self, name):
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
             "-out", self.path(name + ".key")])

    def _write_extensions(self, leaf, path):
        names = [f"URI:sip:{domain}" for domain in leaf.sip]
        names += [f"DNS:{host}" for host in leaf.dns]
        names += list(leaf.extra)
        lines = [
            "[lab_ca]",
            f"database = {self.path(leaf.issuer + '.index')}",
            f"new_certs_dir = {self.directory}",
            f"certificate = {self.path(leaf.issuer + '.pem')}",
            f"private_key = {self.path(leaf.issuer + '.key')}",
            "default_md = sha256", "policy = lab_policy", "unique_subject = no", "rand_serial = yes",
            "x509_extensions = leaf",
            "[lab_policy]", "commonName = supplied",
            "[leaf]", "basicConstraints = CA:FALSE", "keyUsage = critical,digitalSignature",
        ]
        if names:
            lines.append("subjectAltName = " + ",".join(names))
        if leaf.usages:
            lines.append("extendedKeyUsage = " + leaf.usages)
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
