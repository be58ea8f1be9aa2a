"""What domains and numbers publish, on real servers: one signed zone on Knot DNS and NSD, an
unsigned one beside it, and unbound, which validates. `junctor route` tells what an edge makes of
them, and some calls go there."""

import contextlib
import hashlib
import json
import os
import re
import signal
import time

import pytest

from lab.dns import UNBOUND
from lab.lab import Lab
from lab.openapi import built_test
from lab.pki import Leaf
from lab.plan import DNS_PORT, TLS_PORT
from lab.process import run, wait_until
from lab.signed import KNOT, NSD, SignedZone, answers
from lab.sip import StreamServer, request, response, tls_context
from lab.unix_http import UnixConnection

SIGNED = "example"  # all of it one zone, with its trust anchor
PLAIN = "plain"  # a zone that nobody signs
ALICE = "sip:alice@opa.example"
HOST = "127.0.0.9"  # of services that nobody calls

# The records of the zone are signed as if the second text were the first: these are bogus.
SPOILED = [("bogus-host.example.", "opc.example."), ("sip:bogus@", "sip:other@"),
           ("ab" * 32, "cd" * 32)]


class Zones(SignedZone):
    """As SignedZone, with the unsigned zone on the first server."""

    def serve_both(self, signed, plain):
        self.stop()
        knot = KNOT.format(directory=self.directory, address=self.first, port=DNS_PORT,
                           domain=self.domain, file=self.path(signed))
        knot += (f'  - domain: {PLAIN}\n    file: "{self.path(plain)}"\n    zonefile-sync: -1\n'
                 "    journal-content: none\n")
        self.write("knot.conf", knot)
        self.write("nsd.conf", NSD.format(directory=self.directory, address=self.second,
                                          port=DNS_PORT, zone=self.domain,
                                          file=self.path(signed)))
        text = UNBOUND.format(directory=self.directory, address=self.plan.resolver, port=DNS_PORT)
        text += f'    trust-anchor: "{self.anchor}"\n'
        text += "remote-control:\n    control-enable: no\n"
        text += (f"stub-zone:\n    name: {self.domain}\n    stub-addr: {self.first}@{DNS_PORT}\n"
                 f"    stub-addr: {self.second}@{DNS_PORT}\n"
                 f"stub-zone:\n    name: {PLAIN}\n    stub-addr: {self.first}@{DNS_PORT}\n")
        self.write("unbound.conf", text)
        for program in self.programs:
            program.start()
        for address in (self.first, self.second, self.plan.resolver):
            wait_until(lambda a=address: answers(a), f"{address} answers", watch=self.programs)


# -- the records ----------------------------------------------------------------------------------


def sip_domain(domain, address):
    """What leads to the edge of a domain."""
    return [f'{domain}. NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{domain}.',
            f"_sips._tcp.{domain}. SRV 10 10 {TLS_PORT} edge.{domain}.",
            f"edge.{domain}. A {address}"]


def label(user):
    return hashlib.sha256(user.encode()).hexdigest()[:56]


def publishes(domain, text='"v=sipaddr1"'):
    return f"_sipaddr.{domain}. TXT {text}"


def carol(domain, hosting="opc.example", order=10, flags="", service="SIP+host"):
    """The record of carol@domain."""
    return (f'{label("carol")}._sipaddr.{domain}. NAPTR {order} 10 "{flags}" "{service}" "" '
            f"{hosting}.")


def enum_name(digits, tree):
    return ".".join(reversed(digits)) + "." + tree + "."


def number(digits, tree, regexp="!^.*$!sip:bob@opb.example!", order=10):
    return f'{enum_name(digits, tree)} NAPTR {order} 10 "u" "E2U+sip" "{regexp}" .'


def on_to(name, target):
    """A record without flag."""
    return f'{name} NAPTR 10 10 "" "" "" {target}.'


READ = ['"v=sipaddr1"', '"v=sip" "addr1"', '"v=sipaddr1; a=b"',
        '"other"\n_sipaddr.read3.example. TXT "v=sipaddr1"']
NOT_READ = ['"v=sipaddr2"', '"v=sipaddr10"', '"V=SIPADDR1"', '"x" "v=sipaddr1"', '" v=sipaddr1"']

ADDRESS_RECORDS = [
    publishes("opb.example"), carol("opb.example"),
    publishes("opc.example"), carol("opc.example", "opp.plain"),  # the host itself is not asked
    publishes("bogus.example"), carol("bogus.example", "bogus-host.example"),
    publishes("us.example"), carol("us.example", "opa.example"),
    publishes("alias.example"), f"{label('carol')}._sipaddr.alias.example. CNAME x.{PLAIN}.",
    publishes("moved.example"), "_sipaddr.moved.example. DNAME tree.moved.example.",
    f'{label("carol")}.tree.moved.example. NAPTR 1 1 "" "SIP+host" "" opc.example.',
    publishes("best.example"), carol("best.example", "opp.plain", 20),
    carol("best.example", "opc.example", 10, service="sip+HOST"),
    carol("best.example", "opp.plain", 1, flags="u"),
    *(carol("best.example", "opp.plain", 2, service=f"X+{n}") for n in range(300)),
    *(publishes(f"read{n}.example", text) for n, text in enumerate(READ)),
    *(carol(f"read{n}.example") for n in range(len(READ))),
    *(publishes(f"not{n}.example", text) for n, text in enumerate(NOT_READ)),
    *(carol(f"not{n}.example") for n in range(len(NOT_READ))),
]
PLAIN_ADDRESS_RECORDS = [
    publishes("opp.plain"), carol("opp.plain"),
    'x.plain. NAPTR 10 10 "" "SIP+host" "" opc.example.',
]

HOSTILE = ["!(((((.*)*)*)*)*)*x!sip:a@b.c!", "!(.*.*.*.*.*.*.*.*.*)*x$!sip:a@b.c!",
           "!" + ".*" * 110 + "x!sip:bob@opb.example!", "!(.{255}){255}x!sip:a@b.c!",
           "!^.*$!sip:bob@opb.example", "!^.*$!sip:\\\\9@opb.example!",
           "1^.*$1sip:bob@opb.example1", "!^.*$!sip:bob@127.0.0.1!",
           "!^.*$!sip:bob@opb.example:5061!", "!^.*$!tel:+441!", "!^.*$!sip:b%00b@opb.example!",
           "!^.*$!sip:bob:pw@opb.example!", "!^.*$!sip:bob@opb.example?Subject=x!"]
COSTLY = "!" + ".*" * 112 + "x!sip:a@b.c!"
E164, TRUSTED, UNTRUSTED = "e164.example", "trust.plain", "e164.plain"

NUMBERS = [
    number("441632960083", E164), number("441632960084", E164, "!^.*$!sip:bogus@opb.example!"),
    on_to(enum_name("491", E164), "a.enum.example"), on_to("a.enum.example.", "b.enum.example"),
    'b.enum.example. NAPTR 10 10 "u" "E2U+sip" "!^\\\\+49(.)$!sip:n\\\\1@opb.example!" .',
    on_to(enum_name("492", E164), "l.enum.example"), on_to("l.enum.example.", "l.enum.example"),
    on_to("l.enum.example.", "m.enum.example"), on_to("m.enum.example.", "l.enum.example"),
    '*.3.4.e164.example. NAPTR 10 10 "u" "E2U+sip" "!^\\\\+43(.*)$!sip:\\\\1@opb.example!" .',
    "1.3.9.4.e164.example. DNAME tree.enum.example.",
    '2.tree.enum.example. NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:bob@opb.example!" .',
    *(number("495", E164, regexp, n) for n, regexp in enumerate(HOSTILE)),
    number("495", E164, order=99),
    *(number("496", E164, f"!^.*$!sip:n{n}@opb.example!", n) for n in range(2, 400)),
    number("496", E164, order=1),  # the best of all comes last
    *(on_to(enum_name("497", E164), f"costly{n}.example") for n in range(16)),
    *(f'costly{n}.example. NAPTR {m} 1 "u" "E2U+sip" "{COSTLY}" .'
      for n in range(16) for m in range(16)),
]
PLAIN_NUMBERS = [
    number("4930123", TRUSTED), number("441632960085", UNTRUSTED),
    f"{enum_name('4930124', TRUSTED)} CNAME outside.other.plain.",
    on_to(enum_name("4930125", TRUSTED), "outside.other.plain"),
    "6.2.1.0.3.9.4.trust.plain. DNAME other.plain.",
    *(f'{name}.other.plain. NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:bob@opb.example!" .'
      for name in ("outside", "1")),
    f"{enum_name('4930127', TRUSTED)} CNAME inside.trust.plain.",
    'inside.trust.plain. NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:bob@opb.example!" .',
]

# What there is of a domain, D, and the first hop; or what the verdict says.
WAYS = {
    "SRV": (["_sips._tcp.D SRV 1 1 5070 h.D", f"h.D A {HOST}"], f"{HOST}:5070"),
    "addresses": ([f"D A {HOST}"], f"{HOST}:5061"),
    "AAAA first": ([f"D A {HOST}", "D AAAA ::9"], "[::9]:5061"),
    "decidedly none": (["_sips._tcp.D SRV 0 0 0 .", f"D A {HOST}"], '"."'),
    "NAPTR for others": (['D NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.D',
                          'D NAPTR 2 1 "a" "SIPS+D2T" "" h.D',
                          "_sips._tcp.D SRV 1 1 5070 h.D", f"h.D A {HOST}"], f"{HOST}:5070"),
    "NAPTR elsewhere": (['D NAPTR 1 1 "S" "sips+d2t" "" x.else.D', "x.else.D SRV 1 1 5070 h.D",
                         f"h.D A {HOST}"], f"{HOST}:5070"),
    "CNAME all along": (["D CNAME real.D", 'real.D NAPTR 1 1 "s" "SIPS+D2T" "" c.D',
                         "c.D CNAME d.D", "d.D SRV 1 1 5070 h.D", "h.D CNAME i.D",
                         f"i.D A {HOST}"], f"{HOST}:5070"),
    "services below an alias to nothing": (["D CNAME gone.D", "_sips._tcp.D SRV 1 1 5070 h.D",
                                            f"h.D A {HOST}"], f"{HOST}:5070"),
    "no SRV behind NAPTR": (['D NAPTR 1 1 "s" "SIPS+D2T" "" none.D', f"D A {HOST}"],
                            f"{HOST}:5061"),
    "another SRV than that of NAPTR": (['D NAPTR 1 1 "s" "SIPS+D2T" "" none.D',
                                        "_sips._tcp.D SRV 1 1 5070 h.D", f"h.D A {HOST}"],
                                       f"{HOST}:5070"),
    "no address of SRV": (["_sips._tcp.D SRV 1 1 5070 h.D", f"D A {HOST}"],
                          "no SRV target has an address"),
    "the 17th host": ([f"_sips._tcp.D SRV {n} 1 5070 h{n}.D" for n in range(17)]
                      + [f"h16.D A {HOST}"], f"{HOST}:5070"),
    "port 0": (["_sips._tcp.D SRV 1 1 0 h.D", f"h.D A {HOST}"], "port 0"),
    "400 hosts": ([f"_sips._tcp.D SRV {n} 1 5061 h{n}.D" for n in range(400)]
                  + [f"h0.D A {HOST}"], f"{HOST}:5061"),
    "backup": (["_sips._tcp.D SRV 1 1 5070 h.D", "_sips._tcp.D SRV 2 1 5070 i.D"]
               + [f"h.D A 127.0.0.{n}" for n in range(100, 116)] + [f"i.D A {HOST}"],
               f"{HOST}:5070"),
}

# The same of a core without port and transport, and its hops.
CORES = {
    "NAPTR": (['D NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.D',
               'D NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.D',
               'D NAPTR 9 10 "s" "SIP+D2S" "" _sip._sctp.D',
               'D NAPTR 20 10 "s" "SIPS+D2T" "" _sips._tcp.D', "_sip._udp.D SRV 1 1 5080 u.D",
               "_sip._tcp.D SRV 1 1 5081 u.D", "_sips._tcp.D SRV 1 1 5082 u.D", f"u.D A {HOST}"],
              [f"tcp {HOST}:5081", f"udp {HOST}:5080"]),
    "SRV": (["_sip._udp.D SRV 1 1 5080 u.D", "_sip._tcp.D SRV 1 1 5081 u.D", f"u.D A {HOST}"],
            [f"udp {HOST}:5080", f"tcp {HOST}:5081"]),
    "no UDP": (["_sip._udp.D SRV 0 0 0 .", "_sip._tcp.D SRV 1 1 5081 u.D", f"u.D A {HOST}"],
               [f"tcp {HOST}:5081"]),
    "addresses": ([f"D A {HOST}"], [f"udp {HOST}:5060"]),
    "TLS stays": (['D NAPTR 10 10 "s" "SIPS+D2T" "" gone.D', "_sip._udp.D SRV 1 1 5080 u.D",
                   f"u.D A {HOST}", f"D A {HOST}"], [f"tls {HOST}:5061"]),
}

KEY = "0f" * 32
KEYS = [
    f"_5061._tcp.keys.example. TLSA 3 1 1 {KEY}", f"_5061._tcp.keys.example. TLSA 1 1 1 {KEY}",
    f"_5061._tcp.keys.example. TLSA 3 1 1 {KEY[2:]}",
    f"_5062._tcp.keys.example. TLSA 0 0 1 {KEY}",
    "_5063._tcp.keys.example. CNAME _5061._tcp.keys.example.",
    "_5064._tcp.keys.example. CNAME keys.plain.", "_5065._tcp.keys.example. TXT x",
    f"_5067._tcp.keys.example. TLSA 3 1 1 {'ab' * 32}", f"*.wild.example. TLSA 3 1 1 {KEY}",
]
PLAIN_KEYS = [f"keys.plain. TLSA 3 1 1 {KEY}", f"_5061._tcp.keys.plain. TLSA 3 1 1 {KEY}"]


def domain_of(kind, cases, name):
    return f"{kind}{list(cases).index(name)}.example"


def of_cases(kind, cases):
    lines = []
    for name, (records, _) in cases.items():
        domain = domain_of(kind, cases, name)
        for record in records:
            absolute = re.sub(r"(?<![\w\"])((?:[\w-]+\.)*)D(?![\w\"])", rf"\1{domain}.", record)
            lines.append(absolute)
    return lines


def head(zone, nameserver):
    return [f"$ORIGIN {zone}.", "$TTL 60", "@ SOA ns hostmaster 1 3600 600 86400 1", "@ NS ns",
            f"ns A {nameserver}"]


# -- the world ------------------------------------------------------------------------------------


class World:
    def __init__(self, plan, lab):
        self.plan, self.lab = plan, lab
        lab.make_pki()
        self.opc = plan.b.network + "3"
        for name in ("opc.example", "brief.example"):
            lab.pki.make(Leaf(name, sip=(name,), dns=(name,)))
        self.zone = Zones(plan, SIGNED, os.path.join(lab.directory, "zone"))
        self.edge = lab.make_edge(plan.a, workers=1)
        self.configure(f'enum = {{"{E164}", "{UNTRUSTED}", "{TRUSTED}"}} '
                       f'enum-trusted = {{"{TRUSTED}"}}')

    def configure(self, settings):
        text = re.sub(r"^dns \{ ", f"dns {{ {settings} ", self.edge.config(), flags=re.M)
        with open(self.edge.path("junctord.conf"), "w", encoding="ascii") as file:
            file.write(text)

    def serve(self):
        lines = head(SIGNED, self.zone.first)
        lines += sip_domain("opb.example", self.plan.b.edge) + sip_domain("opc.example", self.opc)
        lines += [f"brief.example. 1 A {self.opc}"]  # calls remember it for a second
        lines += ADDRESS_RECORDS + NUMBERS + KEYS
        lines += of_cases("way", WAYS) + of_cases("core", CORES)
        signed = self.zone.sign("signed", "\n".join(lines) + "\n", "-n")
        with open(self.zone.path(signed), encoding="ascii") as file:
            text = file.read()
        for old, new in SPOILED:
            assert old in text
            text = text.replace(old, new)
        self.zone.write(signed, text)
        lines = head(PLAIN, self.zone.first) + sip_domain("opp.plain", self.plan.b.edge)
        lines += PLAIN_ADDRESS_RECORDS + PLAIN_NUMBERS + PLAIN_KEYS
        self.zone.write("plain", "\n".join(lines) + "\n")
        self.zone.serve_both(signed, "plain")

    def route(self, whom):
        found = json.loads(self.edge.tool("route", whom, "--json", check=False).stdout)
        found["text"] = "\n".join(f"{step['what']}: {step['why']}" for step in found["steps"])
        return found

    def hops(self, whom):
        found = self.route(whom)
        return [f"{hop['transport']} {hop['address']}" for hop in found["next_hops"]], found

    def keys(self, host, port, *options):
        return run([built_test("resolver/ask_keys"), *options,
                    f"{self.plan.resolver}:{DNS_PORT}", host, str(port)]).stdout.splitlines()


@pytest.fixture(scope="module")
def world(plan, request):
    with Lab(plan) as lab:
        request.node.lab = lab
        made = World(plan, lab)
        made.serve()
        try:
            made.edge.start()
            made.edge.wait_ready()
            made.edge.provision()
            yield made
        finally:
            made.zone.stop()


def far_edge(world, address, certificate):
    return StreamServer(address, TLS_PORT, tls_context(world.lab.pki, certificate, server=True))


@contextlib.contextmanager
def held(program):
    """It answers nobody."""
    program.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        program.send_signal(signal.SIGCONT)


def final(agent, message, to, timeout_s=6):
    agent.send(message, to)
    return agent.expect_final(message.method, timeout_s, message.get("Call-ID"))


# -- address records ------------------------------------------------------------------------------


def test_a_validated_record_leads_to_the_hosting_domain(world, alice, inside_a):
    found = world.route("carol@opb.example")
    assert (found["rule"], found["hosting"]) == ("published", "opc.example"), found["text"]
    assert found["must_prove"] == "opc.example"
    assert found["next_hops"][0]["address"] == f"{world.opc}:{TLS_PORT}"
    with far_edge(world, world.opc, "opc.example") as server:
        for uri in ("sip:carol@opb.example", "sip:%63AROL@OPB.example:5099"):
            alice.send(request("MESSAGE", uri, alice, ALICE), inside_a)
        with server.accept() as far:
            for uri in ("sip:carol@opb.example", "sip:%63AROL@OPB.example:5099"):
                got = far.expect("MESSAGE")
                assert got.uri == uri  # only the next hop changes
                far.send(response(got, 200, "OK", tag="c1"))
                alice.expect(200, call_id=got.get("Call-ID"))


@pytest.mark.parametrize("domain", ["best.example", "moved.example"]
                         + [f"read{n}.example" for n in range(len(READ))])
def test_the_record_that_counts_is_found(world, domain):
    found = world.route(f"carol@{domain}")
    assert (found["rule"], found["hosting"]) == ("published", "opc.example"), found["text"]


@pytest.mark.parametrize("whom", ["dave@opb.example", "carol@us.example", "carol@opp.plain",
                                  "carol@alias.example"]
                         + [f"carol@not{n}.example" for n in range(len(NOT_READ))])
def test_without_a_record_that_counts_the_authority_is_asked(world, whom):
    found = world.route(whom)
    assert (found["rule"], found["hosting"]) == ("authority", whom.split("@")[1]), found["text"]
    assert "not found out" not in found["text"]


def test_a_record_whose_signature_is_wrong_is_unknown(world):
    found = world.route("carol@bogus.example")
    assert found["rule"] == "authority"
    assert re.search("not found out: NAPTR .*: SERVFAIL", found["text"]), found["text"]


# -- numbers --------------------------------------------------------------------------------------


def test_a_number_in_a_signed_tree_leads_to_an_address(world, alice, inside_a):
    digits = "441632960083"
    uris = (f"tel:+{digits}", "tel:+44-1632-960083", f"sip:+{digits}@opa.example;user=phone")
    found = world.route("+" + digits)
    assert (found["address"], found["rule"]) == ("bob@opb.example", "authority"), found["text"]
    with far_edge(world, world.plan.b.edge, "edge-b") as server:
        for uri in uris:
            alice.send(request("MESSAGE", uri, alice, ALICE), inside_a)
        with server.accept() as far:
            for _ in uris:
                got = far.expect("MESSAGE")
                assert got.uri == "sip:bob@opb.example"
                far.send(response(got, 200, "OK", tag="b1"))
                alice.expect(200, call_id=got.get("Call-ID"))


@pytest.mark.parametrize("digits,address", [
    ("491", "n1@opb.example"),  # two records without flag
    ("43123", "123@opb.example"),  # a wildcard
    ("49312", "bob@opb.example"),  # a DNAME
    ("495", "bob@opb.example"),  # behind hostile expressions
    ("496", "bob@opb.example"),  # the best of 399 records
    ("4930123", "bob@opb.example"),  # unsigned, in a trusted tree
    ("4930127", "bob@opb.example"),  # an alias within it
])
def test_a_number_leads_to_an_address(world, digits, address):
    found = world.route("+" + digits)
    assert found["address"] == address, found["text"]


@pytest.mark.parametrize("digits,why", [
    ("441632960085", "its tree is not trusted"),
    ("4930124", "an alias leads out of the trusted tree"),
    ("49301261", "an alias leads out of the trusted tree"),  # a DNAME
    ("4930125", "outside.other.plain does not count: it is not validated"),
    ("492", "too many names in a row"),  # a loop
])
def test_a_number_that_leads_nowhere_is_none(world, alice, inside_a, digits, why):
    found = world.route("+" + digits)
    assert found["rule"] == "no-number" and why in found["text"], found["text"]
    assert final(alice, request("MESSAGE", f"tel:+{digits}", alice, ALICE), inside_a).status == 404


@pytest.fixture
def asking_core(world):
    """The core of opa.example is asked for addresses that nobody knows."""
    world.edge.tool("domain", "set", "opa.example", "--unknown", "core")
    yield
    world.edge.tool("domain", "set", "opa.example", "--unknown", "reject")


def test_a_number_whose_signature_is_wrong_is_unknown(world, alice, inside_a, asking_core):
    digits = "441632960084"
    found = world.route("+" + digits)
    assert found["rule"] == "not-found-out" and "SERVFAIL" in found["verdict"], found["text"]
    for uri in (f"tel:+{digits}", f"sip:+{digits}@opa.example;user=phone"):
        answer = final(alice, request("MESSAGE", uri, alice, ALICE), inside_a)
        assert answer.status == 480
        assert "could not be found out" in answer.get("Warning")


def test_costly_expressions_are_given_up(world, alice, inside_a):
    found = world.route("+497")
    assert found["rule"] == "not-found-out" and "32 expressions" in found["verdict"], found["text"]
    answer = final(alice, request("MESSAGE", "tel:+497", alice, ALICE), inside_a)
    assert answer.status == 480


# -- where domains and cores are ------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in WAYS if name != "backup"])
def test_the_way_to_a_domain(world, name):
    expected = WAYS[name][1]
    hops, found = world.hops("x@" + domain_of("way", WAYS, name))
    if hops:
        assert hops[0] == "tls " + expected, found["text"]
    else:
        assert expected in found["verdict"], found["text"]


def test_a_host_of_many_addresses_leaves_room_for_its_backup(world):
    hops, found = world.hops("x@" + domain_of("way", WAYS, "backup"))
    assert len(hops) == 16 and hops[15] == "tls " + WAYS["backup"][1], found["text"]


@pytest.fixture
def core_of(world):
    """Sets the core of opa.example to a name."""
    yield lambda name: world.edge.tool("domain", "set", "opa.example", "--core", f"sip:{name}")
    world.edge.tool("domain", "set", "opa.example", "--core", world.edge.core)


@pytest.mark.parametrize("name", CORES)
def test_the_way_to_a_core(world, core_of, name):
    core_of(domain_of("core", CORES, name))
    hops, found = world.hops("alice@opa.example")
    assert hops == CORES[name][1], found["text"]


# -- keys -----------------------------------------------------------------------------------------


def test_keys_of_servers(world):
    usable = ["usable 1", "3 1 1 32 octets"]
    assert world.keys("keys.example", 5061) == usable
    assert world.keys("KEYS.example", 5061) == usable
    assert world.keys("keys.example", 5063) == usable  # an alias
    assert world.keys("x.wild.example", 5061) == usable
    assert world.keys("keys.example", 5062)[0] == "unusable 0"
    assert world.keys("keys.example", 5064)[0] == "unsigned 0"  # an alias into the unsigned zone
    assert world.keys("keys.plain", 5061)[0] == "unsigned 0"
    assert world.keys("keys.example", 5065)[0] == "none 0"  # another type
    assert world.keys("keys.example", 5066)[0] == "none 0"  # no such name
    assert world.keys("keys.example", 5067)[0] == "unknown 0"  # a wrong signature
    assert world.keys("keys.example", 5061, "-u")[0] == "unknown 0"  # nobody trusted to validate


# -- without an upstream --------------------------------------------------------------------------


def metric(world, name):
    link = UnixConnection(world.edge.socket)
    link.request("GET", "/metrics")
    text = link.getresponse().read().decode()
    link.close()
    return sum(int(value) for value in re.findall(rf"^junctor_{name}(?:\{{.*\}})? (\d+)$", text,
                                                  re.M))


def test_calls_during_an_outage_do_not_wait_for_what_proves(world, alice, inside_a):
    """Nobody answers, so nobody knows whether brief.example publishes address records. But for the
    first calls, and one in ten seconds, that is no reason to wait."""
    def call(far=None):
        message = request("MESSAGE", "sip:bob@brief.example", alice, ALICE)
        alice.send(message, inside_a)
        far = far or server.accept()
        far.send(response(far.expect("MESSAGE", 9), 200, "OK", tag="b1"))
        alice.expect(200, call_id=message.get("Call-ID"))
        return far

    with far_edge(world, world.opc, "brief.example") as server, call() as far:
        time.sleep(2.1)  # what it was told has ended
        with held(world.zone.unbound):
            for _ in range(2):
                call(far)
            before = metric(world, "dns_timeouts_total")
            assert before >= 3
            for _ in range(6):  # twice 6 timeouts, if each asked anew
                call(far)
            assert metric(world, "dns_timeouts_total") < before + 12
            assert world.keys("keys.example", 5061)[0] == "unknown 0"
