"""A signed zone on two name servers, Knot DNS and NSD, which may disagree, and unbound, which
validates it from a trust anchor."""

import os

from .dns import KNOT_SERVER, UNBOUND, find_program, unconfined
from .plan import DNS_PORT
from .process import Program, run, wait_until

KNOT = KNOT_SERVER + """\
zone:
  - domain: {domain}
    file: "{file}"
    zonefile-sync: -1
    journal-content: none
"""

NSD = """\
server:
    ip-address: {address}@{port}
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    zonelistfile: "{directory}/nsd.list"
    xfrdfile: "{directory}/nsd.xfrd"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdir: "{directory}"
    server-count: 1
    verbosity: 1
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: "{file}"
"""


class SignedZone:
    """`names`: of the two servers; their addresses are those of the plan."""

    def __init__(self, plan, domain, directory):
        self.plan, self.domain, self.directory = plan, domain, directory
        os.makedirs(directory, exist_ok=True)
        self.first, self.second = plan.nameserver, plan.nameserver[:-2] + "55"
        self.keys = [self._make_key(), self._make_key("-k")]
        self.knot = Program("knotd", [find_program("knotd"), "-c", self.path("knot.conf")],
                            self.path("knot.log"))
        self.nsd = Program("nsd", [unconfined("nsd", directory), "-d", "-c",
                                   self.path("nsd.conf")], self.path("nsd.log"))
        self.unbound = Program("unbound", [unconfined("unbound", directory), "-d", "-c",
                                           self.path("unbound.conf")], self.path("unbound.log"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    def _make_key(self, *flags):
        return run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, self.domain],
                   cwd=self.directory).stdout.strip()

    @property
    def anchor(self):
        with open(self.path(self.keys[1] + ".ds"), encoding="ascii") as file:
            return file.read().strip()

    def sign(self, name, text, *options):
        """Returns the name of the signed file. Options are of ldns-signzone(1)."""
        self.write(name, text)
        run(["ldns-signzone", *options, "-f", self.path(name + ".signed"), self.path(name),
             *self.keys], cwd=self.directory)
        return name + ".signed"

    def serve(self, first, second, zone=None, anchored=True):
        """Files of both servers; starts all three anew, so that nothing is remembered. `zone`: what
        the second server calls its zone. `anchored`: unbound has the zone's key; else it finds a
        zone above without DS record."""
        self.stop()
        knot = KNOT.format(directory=self.directory, address=self.first, port=DNS_PORT,
                           domain=self.domain, file=self.path(first))
        self.write("knot.conf", knot if anchored else knot + self._parent())
        self.write("nsd.conf", NSD.format(directory=self.directory, address=self.second,
                                          port=DNS_PORT, zone=zone or self.domain,
                                          file=self.path(second)))
        text = UNBOUND.format(directory=self.directory, address=self.plan.resolver, port=DNS_PORT)
        if anchored:
            text += f'    trust-anchor: "{self.anchor}"\n'
        # the other operator is in no DNS: an edge that asks for its keys is told so at once
        text += f'    local-zone: "{self.plan.a.domain}." static\n'
        text += "remote-control:\n    control-enable: no\n"
        if not anchored:
            text += (f"stub-zone:\n    name: {above(self.domain)}\n"
                     f"    stub-addr: {self.first}@{DNS_PORT}\n")
        text += (f"stub-zone:\n    name: {self.domain}\n    stub-addr: {self.first}@{DNS_PORT}\n"
                 f"    stub-addr: {self.second}@{DNS_PORT}\n")
        self.write("unbound.conf", text)
        self.start()

    def start(self):
        for program in self.programs:
            program.start()
        for address in (self.first, self.second, self.plan.resolver):
            wait_until(lambda a=address: answers(a), f"{address} answers", watch=self.programs)

    def _parent(self):
        name = above(self.domain)
        file = self.write("parent", "\n".join([
            f"$ORIGIN {name}.", "$TTL 60", "@ SOA ns h 1 3600 600 86400 60", "@ NS ns",
            f"ns A {self.first}", f"{self.domain}. NS ns1.{self.domain}.",
            f"ns1.{self.domain}. A {self.first}"]) + "\n")
        return (f'  - domain: {name}\n    file: "{file}"\n    zonefile-sync: -1\n'
                "    journal-content: none\n")

    def stop(self):
        for program in self.programs:
            program.stop()

    @property
    def programs(self):
        return [self.knot, self.nsd, self.unbound]


def above(domain):
    return domain.split(".", 1)[1]


def answers(address):
    return run(["dig", f"@{address}", "-p", str(DNS_PORT), "+time=1", "+tries=1", "version.bind",
                "TXT", "CH"], check=False).returncode == 0
