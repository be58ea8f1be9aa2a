"""A number moves between real operators: opb.example has the ENUM zone that holds it, with a signing
Knot as the primary of that; opa.example and opc.example are hosts, opd.example calls."""

import contextlib
import json
import re
import subprocess

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT, SIP_PORT, TLS_PORT, Operator
from lab.process import run, wait_until
from lab.sip import UdpAgent, ack_for, request

PORT = 8444
TREE = "e164.example"
ZONE = "9.4." + TREE
FURTHER = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {tls} edge.{name}
edge.{name}       A {edge}
"""
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ window-s = {window} freeze-s = 0 receipt-keys = "{keys}" }}
"""
OWNER = """
certificate "{zone}" {{ chain = "{chain}" key = "{key}" }}
zone "{zone}" {{ primary = "{primary}:{dns}" tsig = "{tsig}" }}
"""


def further(plan, letter, user, net, hertz):
    return Operator(letter, f"op{letter}.example", user, plan.a.network.replace(".31.", net), hertz)


def sides(plan):
    return (plan.a, plan.b, further(plan, "c", "carol", ".33.", 660),
            further(plan, "d", "dora", ".34.", 550))


def settings(lab, edge, side):
    """Everybody asks the tree; opb.example has the zone in it, and publishes it."""
    edge.dns = f'enum = {{"{TREE}"}}'
    edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT, window=3600,
                            keys=edge.path("receipt-keys"))
    if side.letter == "b":
        edge.outside = f'advertise = "{side.edge_host}:{TLS_PORT}"'
        edge.more += OWNER.format(zone=ZONE, chain=lab.pki.path("edge-b.pem"),
                                  key=lab.pki.path("edge-b.key"), primary=lab.plan.nameserver,
                                  dns=DNS_PORT, tsig=lab.dns.path("tsig.key"))


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make(Leaf("edge-b", sip=(plan.b.domain, ZONE),
                           dns=(plan.b.domain, plan.b.edge_host, ZONE)))
        zone = f"_address-porting._tcp.opc SRV 10 10 {PORT} edge.opc\n"
        for side in sides(plan)[2:]:
            made.pki.make(Leaf(f"edge-{side.letter}", sip=(side.domain,),
                               dns=(side.domain, side.edge_host)))
            zone += FURTHER.format(name=f"op{side.letter}", tls=TLS_PORT, edge=side.edge)
        made.make_dns(services=((PORT, "_address-porting._tcp"),), more=zone, updated=(ZONE,))
        for side in sides(plan):
            edge = made.make_edge(side, workers=1)
            settings(made, edge, side)
            edge.configure()
        made.start()
        made.provision()
        made.edges["b"].tool("domain", "add", ZONE, "--core", made.edges["b"].core)
        wait_until(lambda: zone_says(made, f"_address-porting._tcp.{ZONE}", "SRV"),
                   "the zone says who its authority is", 20)
        yield made


@pytest.fixture(name="phones")
def fixture_phones(plan):
    with contextlib.ExitStack() as stack:
        yield {side.letter: stack.enter_context(UdpAgent(side.phone, SIP_PORT))
               for side in sides(plan)}


def zone_says(lab, name, kind):
    """What the primary serves."""
    done = run(["dig", "+tcp", "+time=5", "+tries=1", "+short", f"@{lab.plan.nameserver}", "-p",
                str(DNS_PORT), name, kind], check=False)
    return done.stdout.strip()


def enum_name(number):
    return ".".join(reversed(number[1:])) + "." + TREE


def published(lab, number, host):
    wait_until(lambda: f"!sip:{number}@{host}!" in zone_says(lab, enum_name(number), "NAPTR"),
               f"{number} is published at {host}", 20)


def user(letter):
    return {"a": "alice@opa.example", "c": "carol@opc.example", "b": "bob@opb.example"}[letter]


def give(lab, number, letter="a"):
    """The authority has assigned it to that host, which leads it to its user."""
    host = f"op{letter}.example"
    if letter != "b":
        lab.edges["b"].tool("address", "add", f"{number}@{ZONE}", "--hosting", host)
    lab.edges[letter].tool("number", "add", number, user(letter),
                           *(() if letter == "b" else ("--zone", ZONE)))
    published(lab, number, host)


def start(lab, number, here, there):
    code = lab.edges[here].tool("address", "auth-code", number, "--quiet", "--for",
                                f"op{there}.example").stdout
    argv = lab.edges[there].tool_argv("port", "start", number, f"op{there}.example", "--to",
                                      user(there), "--json")
    done = subprocess.run(argv, input=code, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(lab, letter, port):
    done = lab.edges[letter].tool("port", "show", port, "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"state": None}


def reaches(lab, letter, port, wanted):
    wait_until(lambda: shown(lab, letter, port)["state"] == wanted,
               f"port {port} is {wanted} at op{letter}.example", 20)


def move(lab, number, here, there):
    made = start(lab, number, here, there)
    for letter in (here, there):
        reaches(lab, letter, made["id"], "pending")
    lab.edges[here].tool("port", "approve", made["id"])
    for letter in (here, there):
        reaches(lab, letter, made["id"], "committed")
    return made


def record(lab, letter, number):
    return lab.edges[letter].tool_json("address", "show", number)["state"]


def call(lab, phones, number, there, caller="d", uri=None):
    """The call of an operator's user arrives there, at whom the number leads to; what his edge
    logged of it."""
    side = next(side for side in sides(lab.plan) if side.letter == caller)
    edge, phone = (side.edge, SIP_PORT), phones[caller]
    mark = lab.edges[caller].mark()
    invite = request("INVITE", uri or f"tel:{number}", phone, f"sip:{side.address}")
    phone.send(invite, edge)
    got = phones[there].expect("INVITE", 10, call_id=invite.get("Call-ID"))
    assert got.start.split()[1] == f"sip:{user(there)}", got.start
    phones[there].answer(got, 486, "Busy", tag="c1")
    phone.send(ack_for(invite, phone.expect(486, 10, call_id=invite.get("Call-ID"))), edge)
    return lab.edges[caller].log(mark)


def test_a_number_moves_and_calls_follow_its_enum_record(lab, phones):
    number = "+4930111"
    give(lab, number)
    assert "redirected" not in call(lab, phones, number, "a")
    made = move(lab, number, "a", "c")
    assert (record(lab, "a", number), record(lab, "c", number)) == ("moved", "ported-in")
    # opd.example remembers where the number led: one redirect
    assert re.search(f"redirected INVITE .{number[1:]}@opa.example to opc.example",
                     call(lab, phones, number, "c"))
    published(lab, number, "opc.example")
    # the authority's own users, and those of the two hosts, by what their directories know
    for caller in "ab":
        assert "redirected" not in call(lab, phones, number, "c", caller)
    assert shown(lab, "b", made["id"])["losing"] == "opa.example"


def test_who_has_not_cached_it_reaches_the_new_host_at_once(lab, phones):
    number = "+4930222"
    give(lab, number)
    move(lab, number, "a", "c")
    published(lab, number, "opc.example")
    assert "redirected" not in call(lab, phones, number, "c")
