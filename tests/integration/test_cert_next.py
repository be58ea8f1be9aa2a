"""`junctor cert next`: a key rolls over from one to the next while the edge serves, and every switch
that would have callers refuse it is refused before."""

import json
import os
import ssl
import stat
import time

import pytest

from lab.lab import Lab
from lab.plan import DNS_PORT, TLS_PORT
from lab.process import run, wait_until
from lab.signed import SignedZone

DOMAIN = "opb.example"
EDGE = f"edge.{DOMAIN}"


class Roll:
    """Operator B's edge, with its own folder of keys, and its zone on two name servers."""

    def __init__(self, plan, lab):
        self.plan, self.lab = plan, lab
        lab.make_pki()
        self.edge = lab.make_edge(plan.b)
        self.edge.outside = f'advertise = "{EDGE}"'
        self.key, self.chain = lab.pki.path("edge-b.key"), lab.pki.path("edge-b.pem")
        self.next = self.key + ".next"
        self.edge.configure()
        lab.start()
        lab.provision()
        self.zone = SignedZone(plan, DOMAIN, os.path.join(lab.directory, "zone"))
        self.serve(self.records())

    def records(self):
        return self.edge.tool("dns", "records", DOMAIN).stdout.splitlines()

    def text(self, records):
        return "\n".join([f"$ORIGIN {DOMAIN}.", "$TTL 60", "@ SOA ns1 h 1 3600 600 86400 60",
                          "@ NS ns1", "@ NS ns2", f"ns1 A {self.zone.first}",
                          f"ns2 A {self.zone.second}", *records]) + "\n"

    def serve(self, records, second=None):
        first = self.zone.sign("first", self.text(records), "-n")
        self.zone.serve(first, self.zone.sign("second", self.text(second), "-n") if second
                        else first)

    def tool(self, *args, code=0):
        done = run(self.edge.tool_argv("cert", "next", DOMAIN, "--config",
                                       self.edge.path("junctord.conf"), "--dns-port",
                                       str(DNS_PORT), *args), check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def prepare(self):
        return json.loads(self.tool("--json").stdout)

    def refused(self, reason):
        key, chain = read(self.key), read(self.chain)
        done = self.tool("--switch", code=1)
        assert done.stderr.startswith("junctor: not switched: ") and reason in done.stderr
        assert (read(self.key), read(self.chain)) == (key, chain)
        return done.stderr

    def certify(self, request, chain, names=f"URI:sip:{DOMAIN}"):
        """What a CA does with the request; it takes over the names that it is told to."""
        with open(chain + ".cnf", "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        run(["openssl", "x509", "-req", "-in", request, "-CA", self.lab.pki.anchors, "-CAkey",
             self.lab.pki.path("ca.key"), "-days", "30", "-extfile", chain + ".cnf", "-out", chain])

    def served(self):
        """The certificate that the edge shows."""
        return ssl.get_server_certificate((self.plan.b.edge, TLS_PORT))

    def age(self, seconds):
        """As if the next key had been seen so long ago."""
        path = self.next + ".seen"
        key, since, ttl = read(path).split()
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{key} {int(since) - seconds} {ttl}\n")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


@pytest.fixture(scope="module")
def roll(plan):
    with Lab(plan) as lab:
        roll = Roll(plan, lab)
        yield roll
        roll.zone.stop()


def test_a_key_rolls_over_and_nothing_unsafe_is_done_on_the_way(roll):
    roll.refused("there is no next key")

    # the key, its request, and the record to publish
    told = roll.prepare()
    assert told["made"] and told["next_key"] == roll.next and told["safe_from"] is None
    assert "ns" in told["missing"]
    assert stat.S_IMODE(os.stat(roll.next).st_mode) == stat.S_IMODE(os.stat(roll.key).st_mode)
    request = run(["openssl", "req", "-in", told["request"], "-noout", "-text", "-verify"])
    assert f"URI:sip:{DOMAIN}, DNS:{DOMAIN}" in request.stdout
    again = roll.prepare()
    assert not again["made"] and again["records"] == told["records"]

    # the certificate must be there, fit and name the domain
    roll.refused(f"{roll.chain}.next: cannot be read")
    roll.certify(told["request"], told["next_chain"], names="URI:sip:opz.example")
    roll.refused(f"add URI:sip:{DOMAIN} to its subjectAltName")
    with open(told["next_chain"], "w", encoding="ascii") as file:
        file.write(read(roll.chain))
    roll.refused("does not belong to the certificate")
    roll.certify(told["request"], told["next_chain"])

    # every name server must have the record
    roll.refused("is not on every name server yet")
    before = roll.records()
    roll.edge.served = f'next-key = "{roll.next}"'
    roll.edge.configure()
    roll.edge.reload()
    wait_until(lambda: told["records"][0] in roll.records(), "the next key is to be published")
    after = roll.records()
    roll.serve(after, before)
    assert "ns2." in roll.refused("is not on every name server yet")

    # for a TTL
    roll.serve(after)
    told = roll.prepare()
    assert told["missing"] is None and told["safe_from"] > time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                                         time.gmtime())
    roll.refused("another TTL of 3600 s")
    roll.age(3500)
    roll.refused("another TTL of 3600 s")

    # a server that loses it makes the wait begin anew
    roll.age(3600)
    roll.serve(after, before)
    roll.refused("ns2.")
    roll.serve(after)
    roll.refused("another TTL of 3600 s")
    # and so does a clock that was set back
    roll.age(-7200)
    roll.refused("another TTL of 3600 s")

    old_key, old_chain = read(roll.key), read(roll.chain)
    roll.age(3600)
    switched = json.loads(roll.tool("--switch", "--json").stdout)
    assert switched["remove"][0] in before
    assert read(roll.key) == read(roll.next) and read(roll.key + ".old") == old_key
    assert read(roll.chain) == read(roll.chain + ".next") and read(roll.chain + ".old") == old_chain

    # the configuration still holds, the edge serves the next key, and the old record can go
    roll.edge.reload()
    wait_until(lambda: roll.served().split() == read(roll.chain).split(), "the next key is served")
    wait_until(lambda: switched["remove"][0] not in roll.records(), "the old one is not published")
    roll.serve(roll.records())
    done = run(roll.edge.tool_argv("dns", "check", DOMAIN, "--config",
                                   roll.edge.path("junctord.conf"), "--dns-port", str(DNS_PORT),
                                   "--json"), check=False)
    assert json.loads(done.stdout)["findings"] == [], done.stdout

    # and then there is no next one, until it is prepared
    roll.refused("there is no next key")
    assert roll.prepare()["made"]
    assert read(roll.next) != read(roll.key)


def test_a_domain_that_the_configuration_does_not_have_is_refused(roll):
    done = run(roll.edge.tool_argv("cert", "next", "opz.example", "--config",
                                   roll.edge.path("junctord.conf")), check=False)
    assert done.returncode == 1 and "has no certificate of that domain" in done.stderr
