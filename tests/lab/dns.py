"""Knot DNS, authoritative and signing, and unbound, validating."""

import os
import random
import shutil
import socket
import struct

from .plan import DNS_PORT
from .process import LabError, Program, run

ZONE = """\
$ORIGIN {domain}.
$TTL {ttl}
@           SOA   ns hostmaster 1 3600 600 86400 {ttl}
@           NS    ns
ns          A     {nameserver}
@           NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp
_sips._tcp  SRV   10 10 {port} edge
{keys}
"""

KEY = "_{port}._tcp.edge TLSA 3 1 1 {fingerprint}"

# The zone above the operators: a name without a zone gets an honest NXDOMAIN.
PARENT = """\
$ORIGIN example.
$TTL 60
@  SOA ns hostmaster 1 3600 600 86400 {negative_ttl}
@  NS  ns
ns A   {nameserver}
"""

KNOT_SERVER = """\
server:
    rundir: "{directory}"
    pidfile: "{directory}/knot.pid"
    listen: [ {address}@{port} ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "{directory}"
control:
    listen: "{directory}/knot.sock"
"""

KNOT = KNOT_SERVER + """\
policy:
  - id: lab
    manual: on
    algorithm: ecdsap256sha256
zone:
"""

KNOT_ZONE = """\
  - domain: {domain}
    storage: "{directory}"
    file: "{domain}.zone"
    zonefile-sync: -1
    journal-content: none
"""

KNOT_SIGNED = """\
    dnssec-signing: on
    dnssec-policy: lab
"""

# A zone that takes updates: the records of a domain that an edge publishes itself.
UPDATED = """\
$ORIGIN {domain}.
$TTL 60
@  SOA ns hostmaster 1 3600 600 86400 5
@  NS  ns
ns A   {nameserver}
"""

KNOT_UPDATES = """\
key:
  - id: publisher
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: updates
    key: publisher
    action: update
"""

KNOT_UPDATED = KNOT_SIGNED + "    acl: [ updates ]\n"

TSIG = 'key "publisher" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n'
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAwMDA="

UNBOUND = """\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: "{directory}/unbound.pid"
    use-syslog: no
    logfile: ""
    verbosity: 1
    num-threads: 1
    interface: {address}@{port}
    access-control: 127.0.0.0/8 allow
    access-control: 10.77.0.0/16 allow
    do-not-query-localhost: no
    module-config: "validator iterator"
    val-log-level: 2
    hide-identity: yes
    qname-minimisation: no
    cache-max-negative-ttl: 5
    local-zone: "example." nodefault
"""


def find_program(name):
    """Daemons are in sbin, which is not on everybody's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise LabError(f"{name} is not installed")
    return found


def unconfined(name, directory):
    """Where AppArmor is on, Debian's profiles let unbound and named read their system configuration
    only. The profile goes by the path, so the lab runs a copy."""
    program = find_program(name)
    if os.statvfs(directory).f_flag & os.ST_NOEXEC:
        return program
    return shutil.copy(program, os.path.join(directory, name))


class Dns:
    def __init__(self, plan, directory, keep=False):
        self.plan = plan
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.knot = Program("knotd", [find_program("knotd"), "-c", self.path("knot.conf")],
                            self.path("knot.log"), keep)
        self.unbound = Program("unbound",
                               [unconfined("unbound", directory), "-d", "-c",
                                self.path("unbound.conf")],
                               self.path("unbound.log"), keep)
        self.trust_anchors = []
        self.updated = ()

    def path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def configure(self, fingerprints, more="", negative_ttl=60, ttl=60, services=(), updated=()):
        """`fingerprints`: for each operator's letter, that of its edge's key, which DNS then names
        (DANE), or None. `more`: records of the zone above the operators.
        `ttl`: of the operators' zones. `services`: further ones of each edge, as port and label.
        `updated`: further zones, empty at first, which take updates signed with the key in
        `tsig.key`."""
        self.updated = updated
        self._write("knot.conf", self._knot_conf())
        self._write("example.zone", PARENT.format(
            nameserver=self.plan.nameserver, negative_ttl=negative_ttl) + more)
        for operator in self.plan.operators:
            self._write(operator.domain + ".zone", ZONE.format(
                domain=operator.domain, nameserver=self.plan.nameserver, ttl=ttl,
                port=operator.tls_port,
                keys=self._keys(operator.tls_port, fingerprints[operator.letter]))
                + "".join(f"edge {'AAAA' if ':' in address else 'A'} {address}\n"
                          for address in (operator.published, operator.also_published) if address)
                + "".join(f"{label} SRV 10 10 {port} edge\n" for port, label in services))
            self._make_key(operator.domain)
        for domain in updated:
            self._write(domain + ".zone", UPDATED.format(domain=domain,
                                                         nameserver=self.plan.nameserver))
            self._make_key(domain)
        self._write("tsig.key", TSIG.format(secret=SECRET))
        self._write("unbound.conf", self._unbound_conf())

    @staticmethod
    def _keys(port, fingerprint):
        return KEY.format(port=port, fingerprint=fingerprint) if fingerprint else ""

    def _make_key(self, domain):
        """Keys are made before Knot starts, so that unbound can be told of them at once."""
        keymgr = [find_program("keymgr"), "-c", self.path("knot.conf"), domain]
        run(keymgr + ["generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"])
        for line in run(keymgr + ["ds"]).stdout.splitlines():
            fields = line.split()  # "opa.example. DS 12345 13 2 0123..."
            if fields[1:2] == ["DS"] and fields[4] == "2":
                self.trust_anchors.append(line)

    def _knot_conf(self):
        knot = KNOT.replace("policy:\n", KNOT_UPDATES + "policy:\n") if self.updated else KNOT
        text = knot.format(directory=self.directory, address=self.plan.nameserver, port=DNS_PORT,
                           secret=SECRET)
        text += KNOT_ZONE.format(domain="example", directory=self.directory)
        for operator in self.plan.operators:
            text += KNOT_ZONE.format(domain=operator.domain, directory=self.directory)
            text += KNOT_SIGNED
        for domain in self.updated:
            text += KNOT_ZONE.format(domain=domain, directory=self.directory) + KNOT_UPDATED
        return text

    def _unbound_conf(self):
        text = UNBOUND.format(directory=self.directory, address=self.plan.resolver, port=DNS_PORT)
        for anchor in self.trust_anchors:
            text += f'    trust-anchor: "{anchor}"\n'
        text += "remote-control:\n    control-enable: no\n"
        for zone in ["example"] + [operator.domain for operator in self.plan.operators] \
                + list(self.updated):
            text += (f"stub-zone:\n    name: {zone}\n"
                     f"    stub-addr: {self.plan.nameserver}@{DNS_PORT}\n")
        return text

    def start(self):
        self.knot.start()
        self.unbound.start()

    def ready(self):
        """Does unbound hand out both domains' SRV records, validated?"""
        return all(is_validated(self.plan.resolver, DNS_PORT, "_sips._tcp." + operator.domain)
                   for operator in self.plan.operators)

    @property
    def programs(self):
        return [self.unbound, self.knot]


TYPE_SRV = 33
TYPE_OPT = 41
FLAG_AD = 0x0020


def is_validated(address, port, name, timeout_s=0.3):
    """Asks for the SRV records of a name with the AD bit set. True: answered, with AD, RFC 6840
    section 5.8."""
    ident = random.randrange(65536)
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", ident, 0x0100 | FLAG_AD, 1, 0, 0, 1) + question + b"\0"
    query += struct.pack("!HH", TYPE_SRV, 1) + struct.pack("!BHHIH", 0, TYPE_OPT, 1232, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect((address, port))
            sock.send(query)
            answer = sock.recv(4096)
        except OSError:
            return False
    if len(answer) < 12:
        return False
    got, flags, _, answers = struct.unpack("!4H", answer[:8])
    return got == ident and flags & 0x000f == 0 and bool(flags & FLAG_AD) and answers > 0
