"""The far edge is a test: it sees all that leaves for a peer, and says what a peer may not."""

import socket

import pytest

from lab.plan import TLS_PORT
from lab.sip import Dialog, StreamAgent, StreamServer, request, response, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
OF_BOB = f"<{BOB}>"
FOREIGN = "<sip:eve@opc.example>"
IDENTITIES = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")


@pytest.fixture(scope="module")
def lab(bare_lab):
    """One worker: a connection belongs to a worker, and its requests must find it."""
    bare_lab.make_edge(bare_lab.plan.a, workers=1)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


@pytest.fixture
def server(lab, plan):
    """Where DNS leads to for opb.example."""
    with StreamServer(plan.b.published, TLS_PORT,
                      tls_context(lab.pki, "edge-b", server=True)) as listening:
        yield listening


@pytest.fixture
def peer(lab, plan):
    """A connection that the far edge opened, from the address that DNS gives for it."""
    with StreamAgent.connect((plan.a.edge, TLS_PORT), source=plan.b.published,
                             context=tls_context(lab.pki, "edge-b"),
                             server_name="opa.example") as agent:
        yield agent


def asserting(*identities):
    """What a peer may say of itself, and what no peer may say."""
    return [("P-Asserted-Identity", identity) for identity in identities] + [
        ("P-Preferred-Identity", OF_BOB), ("Remote-Party-ID", OF_BOB)]


def told(message):
    """All that a message says of who speaks, besides From."""
    return [(name, value) for name in IDENTITIES for value in message.all(name)]


ASSERTED = [  # what a peer of opb.example asserts, what is left of it
    ([OF_BOB], [OF_BOB]),
    ([FOREIGN], []),
    ([OF_BOB, FOREIGN], [OF_BOB]),
    ([f"{OF_BOB}, {FOREIGN}"], []),
    ([f"{FOREIGN}, {OF_BOB}"], []),
]


@pytest.mark.parametrize("said, left", ASSERTED)
def test_a_peer_asserts_its_own_identities_in_requests(lab, peer, alice, said, left):
    peer.send(request("MESSAGE", ALICE, peer, BOB, headers=asserting(*said)))
    got = alice.expect("MESSAGE")
    alice.answer(got, 200, "OK", tag="a1")
    peer.expect(200)
    assert told(got) == [("P-Asserted-Identity", value) for value in left]


def far_side(server, alice, inside_a, headers=()):
    """A MESSAGE of alice's as it arrives at the far edge, on a connection of its own."""
    alice.send(request("MESSAGE", BOB, alice, ALICE, headers=headers), inside_a)
    far = server.accept()
    return far, far.expect("MESSAGE")


@pytest.mark.parametrize("said, left", ASSERTED)
def test_a_peer_asserts_its_own_identities_in_responses(lab, server, alice, inside_a, said, left):
    far, got = far_side(server, alice, inside_a)
    with far:
        far.send(response(got, 200, "OK", tag="b1", headers=asserting(*said)))
        assert told(alice.expect(200)) == [("P-Asserted-Identity", value) for value in left]


@pytest.mark.parametrize("name", IDENTITIES)
def test_our_identities_do_not_leave_in_requests(lab, server, alice, inside_a, name):
    far, got = far_side(server, alice, inside_a, [(name, f"<{ALICE}>"), (name, "<tel:+4930123>")])
    with far:
        far.send(response(got, 200, "OK", tag="b1"))
        alice.expect(200)
        assert not told(got)


@pytest.mark.parametrize("name", IDENTITIES)
def test_our_identities_do_not_leave_in_responses(lab, peer, alice, name):
    peer.send(request("MESSAGE", ALICE, peer, BOB))
    alice.answer(alice.expect("MESSAGE"), 200, "OK", tag="a1",
                 headers=[(name, f"<{ALICE}>"), (name, "<tel:+4930123>")])
    assert not told(peer.expect(200))


def test_what_the_core_was_told_is_no_way_in_from_outside(lab, plan, server, alice, inside_a):
    """The peer has our core's token and speaks from its address: it is the wrong side."""
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    with server.accept() as far:
        got = far.expect("INVITE")
        far.send(response(got, 200, "OK", tag="b1", headers=[("Contact", f"<{BOB}>")]))
        dialog = Dialog.of_caller(alice, invite, alice.expect(200))
        alice.send(dialog.request("ACK"), inside_a)
        far.expect("ACK")
        with StreamAgent.connect((plan.a.edge, TLS_PORT), source=plan.a.phone,
                                 context=tls_context(lab.pki, "edge-b"),
                                 server_name="opa.example") as peer:
            stolen = dialog.request("INFO")
            stolen.headers[0] = ("Via", peer.via())
            peer.send(stolen)
            answer = peer.expect_final("INFO")
            assert answer.status == 403
            assert "side" in answer.get("Warning")
        assert not far.poll("INFO", 0.2)


# -- RFC 5923: who may be called back on the connection it opened ---------------------------------


def greet(peer, alice, sent_by):
    """Any request of the peer's, with a Via of this sent-by."""
    message = request("MESSAGE", ALICE, peer, BOB)
    _, via = message.headers[0]
    message.headers[0] = ("Via", via.replace(f"{peer.address}:{peer.port}", sent_by, 1))
    peer.send(message)
    alice.answer(alice.expect("MESSAGE"), 200, "OK", tag="a1")
    peer.expect(200)


def nobody_connects(server):
    try:
        server.accept(0.3)
    except (TimeoutError, socket.timeout):
        return True
    return False


@pytest.mark.parametrize("sent_by", [f"edge.opb.example:{TLS_PORT};alias", "edge.opb.example;alias"])
def test_a_peer_that_says_alias_is_called_back_on_its_connection(lab, server, peer, alice, inside_a,
                                                                 sent_by):
    greet(peer, alice, sent_by)
    alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
    peer.send(response(peer.expect("MESSAGE"), 200, "OK", tag="b1"))
    alice.expect(200)
    assert nobody_connects(server)


@pytest.mark.parametrize("sent_by", [
    f"edge.opb.example:{TLS_PORT}",  # says nothing
    f"edge.opb.example:{TLS_PORT + 1};alias",  # not the port that DNS names
])
def test_other_peers_are_called_back_where_dns_says(lab, server, peer, alice, inside_a, sent_by):
    greet(peer, alice, sent_by)
    far, got = far_side(server, alice, inside_a)
    with far:
        far.send(response(got, 200, "OK", tag="b1"))
        alice.expect(200)
    assert not peer.poll("MESSAGE", 0.1)


def test_a_peer_elsewhere_is_not_called_back_there(lab, plan, server, alice, inside_a):
    """It proves the domain, but DNS names another address."""
    with StreamAgent.connect((plan.a.edge, TLS_PORT), source=plan.b.network + "77",
                             context=tls_context(lab.pki, "edge-b"),
                             server_name="opa.example") as elsewhere:
        greet(elsewhere, alice, f"edge.opb.example:{TLS_PORT};alias")
        far, got = far_side(server, alice, inside_a)
        with far:
            far.send(response(got, 200, "OK", tag="b1"))
            alice.expect(200)
        assert not elsewhere.poll("MESSAGE", 0.1)
