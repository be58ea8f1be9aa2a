"""A number moves between real operators: opb.example has the ENUM zone that holds it, with a signing
Knot as the primary of that; opa.example and opc.example are hosts, opd.example mostly calls."""

import contextlib
import json
import re
import subprocess

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT, SIP_PORT, TLS_PORT, Operator
from lab.porting import agree, domain, reaches, shown
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
    return {"a": "alice@opa.example", "c": "carol@opc.example", "b": "bob@opb.example",
            "d": "dora@opd.example"}[letter]


def give(lab, number, letter="a"):
    """The authority has assigned it to that host, which leads it to its user."""
    host = domain(letter)
    if letter != "b":
        lab.edges["b"].tool("address", "add", f"{number}@{ZONE}", "--hosting", host)
    lab.edges[letter].tool("number", "add", number, user(letter),
                           *(() if letter == "b" else ("--zone", ZONE)))
    published(lab, number, host)


def start(lab, number, here, there):
    code = lab.edges[here].tool("address", "auth-code", number, "--quiet", "--for",
                                domain(there)).stdout
    argv = lab.edges[there].tool_argv("port", "start", number, domain(there), "--to",
                                      user(there), "--json")
    done = subprocess.run(argv, input=code, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def move(lab, number, here, there):
    made = start(lab, number, here, there)
    agree(lab, made["id"], here, there)
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


def test_a_number_of_the_authoritys_own_moves_on_and_home(lab, phones):
    """Its hosts are told of what they take part in; opd.example remembers each place."""
    number = "+4930333"
    give(lab, number, "b")
    call(lab, phones, number, "b")
    for here, there in (("b", "a"), ("a", "c"), ("c", "b")):
        move(lab, number, here, there)
        call(lab, phones, number, there)
        published(lab, number, domain(there))


def test_a_number_that_is_taken_back_is_where_it_was(lab, phones):
    number = "+4930444"
    give(lab, number)
    made = move(lab, number, "a", "c")
    done = subprocess.run(lab.edges["a"].tool_argv("port", "undo", made["id"]),
                          input=made["undo_secret"], capture_output=True, text=True, timeout=20,
                          check=True)
    reaches(lab, "a", done.stdout.strip(), "completed")
    wait_until(lambda: record(lab, "c", number) == "moved", "c knows that it has lost it", 20)
    assert record(lab, "a", number) == "ported-in"
    published(lab, number, "opa.example")
    call(lab, phones, number, "a")


def test_a_call_brings_the_number_whose_commit_was_not_told(lab, phones):
    """Nobody finds opd.example's federation API."""
    number = "+4930555"
    give(lab, number)
    port = start(lab, number, "a", "d")["id"]
    reaches(lab, "d", port, "pending")
    call(lab, phones, number, "a", "c")
    early = request("INVITE", f"sip:{number}@opd.example", phones["c"], "sip:carol@opc.example")
    edge = (lab.edges["c"].operator.edge, SIP_PORT)
    phones["c"].send(early, edge)
    failed = phones["c"].expect(404, 10, call_id=early.get("Call-ID"))
    phones["c"].send(ack_for(early, failed), edge)
    lab.edges["a"].approve(port)
    lab.edges["b"].wait_log(f"not told yet: port={port} role=authority to=opd.example", 0, 20)
    assert (shown(lab, "d", port)["state"], record(lab, "d", number)) == ("pending", "prepared")
    published(lab, number, "opd.example")
    call(lab, phones, number, "d", "c", f"sip:{number}@opd.example")
    reaches(lab, "d", port, "committed")
    assert record(lab, "d", number) == "ported-in"


def refused(lab, letter, *argv, given=""):
    done = subprocess.run(lab.edges[letter].tool_argv(*argv), input=given, capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_what_stands_against_a_port_is_told_before(lab):
    number = "+4930666"
    give(lab, number)
    lab.edges["a"].tool("address", "set", number, "--locked", "yes")
    said = refused(lab, "a", "port", "check", number, "opc.example")
    assert "the holder's lock is set" in said and f"stays in the ENUM zone {ZONE}" in said
    lab.edges["a"].tool("address", "set", number, "--locked", "no")
    lab.edges["a"].tool("address", "auth-code", number)
    lab.edges["a"].tool("port", "check", number, "opc.example")
    # the new host does not know it: DNS says who decides
    told = lab.edges["c"].tool_json("port", "check", number, "opc.example")
    assert (told["address"], told["authority"]) == (f"{number}@{ZONE}", ZONE)


def test_a_number_outside_such_a_zone_cannot_be_ported(lab):
    said = refused(lab, "c", "port", "check", "+33123456", "opc.example")
    assert "+33123456 cannot be ported here" in said
    argv = ("port", "start", "+33123456", "opc.example", "--to", "carol@opc.example")
    said = refused(lab, "c", *argv, given="some-code\n")
    assert "+33123456 cannot be ported here" in said
    assert lab.edges["c"].tool("port", "list", "+33123456@" + TREE).stdout.count("\n") <= 1
    lab.edges["a"].tool("number", "add", "+33123456", "alice@opa.example")
    assert "is in no ENUM zone of ours" in refused(lab, "a", "address", "auth-code", "+33123456")


def test_a_port_needs_an_address_that_it_is_to_lead_to(lab):
    number = "+4930777"
    give(lab, number)
    for extra, words in (((), "name the address at opc.example"),
                         (("--to", "nobody@opc.example"), "is no address that opc.example serves")):
        said = refused(lab, "c", "port", "start", number, "opc.example", *extra, given="some-code\n")
        assert words in said
    assert "+4930777" not in lab.edges["c"].tool("number", "list").stdout


def test_a_wrong_code_leaves_the_number_where_it_is(lab):
    number = "+4930888"
    give(lab, number)
    done = subprocess.run(lab.edges["c"].tool_argv("port", "start", number, "opc.example", "--to",
                                                   "carol@opc.example"),
                          input="wrong\n", capture_output=True, text=True, timeout=20, check=True)
    reaches(lab, "c", done.stdout.strip(), "refused")
    assert number not in lab.edges["c"].tool("number", "list").stdout
    assert record(lab, "a", number) == "ported-in"


def test_the_number_is_a_caller_at_its_new_host(lab, phones):
    """Third operators believe it of the new host, and no more of the old one."""
    number = "+4930999"
    give(lab, number)
    move(lab, number, "a", "c")
    published(lab, number, "opc.example")
    phone, edge = phones["c"], (lab.edges["c"].operator.edge, SIP_PORT)
    invite = request("INVITE", "sip:dora@opd.example", phone, f"sip:{number}@opc.example")
    phone.send(invite, edge)
    got = phones["d"].expect("INVITE", 10, call_id=invite.get("Call-ID"))
    assert f"sip:{number}@opc.example" in got.get("From")
    phones["d"].answer(got, 486, "Busy", tag="c1")
    phone.send(ack_for(invite, phone.expect(486, 10, call_id=invite.get("Call-ID"))), edge)
    phone, edge = phones["a"], (lab.edges["a"].operator.edge, SIP_PORT)
    invite = request("INVITE", "sip:dora@opd.example", phone, f"sip:{number}@opa.example")
    phone.send(invite, edge)
    phone.send(ack_for(invite, phone.expect(403, 10, call_id=invite.get("Call-ID"))), edge)


def test_the_holder_hears_of_it_at_the_address_it_leads_to(lab, phones):
    number = "+49301010"
    give(lab, number)
    port = start(lab, number, "a", "c")["id"]
    for letter in ("a", "c"):
        words = f"{number}: a move to opc.example was started"
        while True:
            message = phones[letter].expect("MESSAGE", 10)
            phones[letter].answer(message, 200, "OK", tag="p1")
            if words in message.body.decode("utf-8"):
                break
        assert message.start.split()[1] == f"sip:{user(letter)}"
    lab.edges["a"].tool("port", "reject", port, "--reason", "contract")
    reaches(lab, "c", port, "rejected")
    assert number not in lab.edges["c"].tool("number", "list").stdout
