"""An operator hosts two domains, each with a certificate of its own: every call to and from a peer goes
by the certificate of its own domain, and no connection of one is used for the other."""

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import Dialog, request

ALICE = "sip:alice@opa.example"
XENIA = "sip:xenia@opx.example"  # the same operator's
BOB = "sip:bob@opb.example"
OURS = {ALICE: "opa.example", XENIA: "opx.example"}

RECORDS = """\
opx.example. NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opx.example.
_sips._tcp.opx.example. SRV 10 10 {port} edge.opx.example.
edge.opx.example. A {edge}
"""
CERTIFICATE = 'certificate "opx.example" {{ chain = "{chain}" key = "{key}" }}'


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    """Edge A hosts both; keys in DNS prove opa.example, the CA proves opx.example. One worker each,
    for each has connections of its own."""
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        chain, key = made.pki.make(Leaf("edge-x", sip=("opx.example",)))
        made.make_dns(more=RECORDS.format(port=TLS_PORT, edge=plan.a.published))
        for operator in plan.operators:
            made.make_edge(operator, workers=1)
        made.edge_a.more = CERTIFICATE.format(chain=chain, key=key)
        made.edge_a.configure()
        made.start()
        made.provision()
        made.edge_a.tool("domain", "add", "opx.example", "--core", made.edge_a.core)
        made.edge_a.tool("address", "add", "xenia@opx.example")
        yield made


@pytest.fixture
def fresh(lab):
    """No connection is there yet."""
    for edge in (lab.edge_a, lab.edge_b):
        edge.restart(kill=True)
    return lab


def call(caller, callee, edges, uri, sender):
    """A whole call. Returns its Call-ID."""
    caller_edge, _ = edges
    invite = request("INVITE", uri, caller, sender)
    caller.send(invite, caller_edge)
    callee.answer(callee.expect("INVITE", 10), 200, "OK", tag="c1",
                  headers=[("Contact", f"<{callee.contact(uri)}>")])
    dialog = Dialog.of_caller(caller, invite, caller.expect_final("INVITE", 10))
    caller.send(dialog.request("ACK"), caller_edge)
    callee.expect("ACK", 10)
    caller.send(dialog.request("BYE"), caller_edge)
    callee.answer(callee.expect("BYE", 10), 200, "OK")
    assert caller.expect_final("BYE", 10).status == 200
    return invite.get("Call-ID")


def connections(lab):
    """As both edges show them: opened by whom, our domain, what the far side has proven."""
    there = lab.edge_b.tool_json("peers", "opa.example")["connections"]
    there += lab.edge_b.tool_json("peers", "opx.example")["connections"]
    here = lab.edge_a.tool_json("peers", "opb.example")["connections"]
    return tuple(sorted((one["opened_by"], one["our_domain"], *one["identities"]) for one in side)
                 for side in (here, there))


def assert_own_domain(lab, call_id, domain):
    """What passed for this call at edge B, both ways, passed on what proved this domain."""
    hops = [hop for hop in lab.edge_b.hops(call_id=call_id) if hop.side == "outside"]
    assert {hop.way for hop in hops} == {"recv", "sent"} and len(hops) >= 5
    assert {hop.peer for hop in hops} == {domain}


def test_each_domain_calls_with_its_own_certificate(fresh, alice, bob, inside_a, inside_b):
    for _ in range(2):
        for caller, domain in OURS.items():
            assert_own_domain(fresh, call(alice, bob, (inside_a, inside_b), BOB, caller), domain)
    here, there = connections(fresh)
    assert here == [("us", "opa.example", "opb.example"), ("us", "opx.example", "opb.example")]
    assert there == [("them", "opb.example", "opa.example"), ("them", "opb.example", "opx.example")]
    # called back, each on its own (RFC 5923): none is opened
    for callee, domain in OURS.items():
        assert_own_domain(fresh, call(bob, alice, (inside_b, inside_a), callee, BOB), domain)
    assert connections(fresh) == (here, there)


def test_each_domain_is_called_at_its_own_certificate(fresh, alice, bob, inside_a, inside_b):
    for _ in range(2):
        for callee, domain in OURS.items():
            assert_own_domain(fresh, call(bob, alice, (inside_b, inside_a), callee, BOB), domain)
    here, there = connections(fresh)
    assert here == [("them", "opa.example", "opb.example"), ("them", "opx.example", "opb.example")]
    assert there == [("us", "opb.example", "opa.example"), ("us", "opb.example", "opx.example")]
    for caller, domain in OURS.items():
        assert_own_domain(fresh, call(alice, bob, (inside_a, inside_b), BOB, caller), domain)
    assert connections(fresh) == (here, there)
