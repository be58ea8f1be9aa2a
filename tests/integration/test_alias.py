"""A connection that a peer opened is used backward (RFC 5923) for what it proves, and not for what it
has proven once."""

import time

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import StreamAgent, request, response, tls_context

ALICE = "sip:alice@opa.example"
CAROL = "sip:carol@opc.example"
DORA = "sip:dora@opd.example"
TTL_S = 1

RECORDS = """\
_sips._tcp.{name}. {ttl} SRV 10 10 {port} edge.{name}.
edge.{name}. {ttl} A {edge}
"""


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    """One edge. Its peer hosts two domains with one certificate, of the CA."""
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make(Leaf("both", sip=("opc.example", "opd.example")))
        made.make_dns(negative_ttl=TTL_S, more="".join(
            RECORDS.format(name=name, port=TLS_PORT, edge=plan.b.published, ttl=TTL_S)
            for name in ("opc.example", "opd.example")))
        made.make_edge(plan.a, workers=1)
        made.start()
        made.provision()
        yield made


@pytest.fixture
def peer(lab, plan):
    with StreamAgent.connect((plan.a.edge, TLS_PORT), source=plan.b.published,
                             context=tls_context(lab.pki, "both"), server_name="opa.example") as agent:
        yield agent


def passes_from(peer, alice, sender):
    """Its Via allows to call it back, on the port that DNS names."""
    message = request("MESSAGE", ALICE, peer, sender)
    name, via = message.headers[0]
    message.headers[0] = (name, via.replace(f":{peer.port}", f":{TLS_PORT};alias", 1))
    peer.send(message)
    alice.answer(alice.expect("MESSAGE", 10), 200, "OK", tag="a1")
    peer.expect(200, 10)


def asks(alice, inside_a, uri):
    alice.send(request("MESSAGE", uri, alice, ALICE), inside_a)


def passes_to(peer, alice, inside_a, uri):
    asks(alice, inside_a, uri)
    peer.send(response(peer.expect("MESSAGE", 10), 200, "OK", tag="b1"))
    assert alice.expect_final("MESSAGE", 10).status == 200


def test_a_lost_identity_is_not_called_on_the_connection_that_had_it(lab, peer, alice, inside_a):
    for sender in (CAROL, DORA):
        passes_from(peer, alice, sender)
        passes_to(peer, alice, inside_a, sender)
    lab.edge_a.tool("peer", "add", "opc.example", "--pin", "00" * 32)
    time.sleep(TTL_S + 1)  # what was found out is over
    asks(alice, inside_a, CAROL)
    assert alice.expect_final("MESSAGE", 20).status == 480
    assert not peer.poll("MESSAGE", 0.2)
    passes_to(peer, alice, inside_a, DORA)
    assert not peer.closed
