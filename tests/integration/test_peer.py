"""The far edge is a test: it sees all that leaves for a peer, and says what a peer may not."""

import socket

import pytest

from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import (Dialog, Message, StreamAgent, StreamServer, request, response, split_list,
                     tls_context, uri_of)

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
    ([""], []),
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


# -- the name of whom we called -------------------------------------------------------------------


def answered_by_a_peer(far, alice, inside_a, invite):
    """Both ends of the call."""
    got = far.expect("INVITE")
    answer = response(got, 200, "OK", tag="b1", headers=[("Contact", OF_BOB)])
    far.send(answer)
    dialog = Dialog.of_caller(alice, invite, alice.expect(200))
    alice.send(dialog.request("ACK"), inside_a)
    far.expect("ACK")
    return dialog, Dialog.of_callee(far, got, answer)


def passes(far, alice, dialog, method, headers=()):
    """A request of whom we called. Returns it as alice got it."""
    sent = dialog.request(method, headers=headers)
    far.send(sent)
    got = alice.expect(method)
    alice.answer(got, 200, "OK")
    assert far.expect_final(method).status == 200
    return got


def named(dialog, uri):
    """The same dialog under another name (RFC 4916)."""
    return Dialog(dialog.agent, dialog.call_id, f"<{uri}>;tag=b1", dialog.remote, dialog.target,
                  dialog.routes, dialog.cseq)


@pytest.mark.parametrize("dialled", [
    BOB, "sip:bob@opb.example;user=phone", "sips:bob@OPB.example", "sip:123@opa.example",
    "sip:bob@192.0.2.1:5070", "sip:[2001:db8::1]", "tel:+49-30-123", "tel:110;phone-context=+49",
    "urn:service:sos"])
def test_whom_we_called_speaks_under_the_name_we_dialled(lab, server, alice, inside_a, dialled):
    """To may be anything: numbers, aliases, another address that forwards its calls."""
    invite = request("INVITE", BOB, alice, ALICE, to=dialled)
    alice.send(invite, inside_a)
    with server.accept() as far:
        forth, back = answered_by_a_peer(far, alice, inside_a, invite)
        passes(far, alice, back, "INFO")
        passes(far, alice, back, "UPDATE", [("Contact", OF_BOB)])
        # a token of a request within the dialog serves the same name
        alice.send(forth.request("UPDATE", [("Contact", f"<{alice.contact(ALICE)}>")]), inside_a)
        got = far.expect("UPDATE")
        far.send(response(got, 200, "OK"))
        alice.expect(200)
        back.routes = split_list(got.all("Record-Route"))
        passes(far, alice, back, "BYE")


def test_whom_we_called_speaks_for_nobody_else(lab, server, alice, inside_a):
    invite = request("INVITE", BOB, alice, ALICE, to="sip:123@opa.example")
    alice.send(invite, inside_a)
    with server.accept() as far:
        _, back = answered_by_a_peer(far, alice, inside_a, invite)
        for foreign in ("sip:eve@opc.example", "sip:124@opa.example", ALICE, "tel:+4930123",
                        "sip:bob@192.0.2.1"):
            for method in ("INVITE", "UPDATE", "INFO"):
                far.send(named(back, foreign).request(
                    method, [("Contact", OF_BOB)]))
                answer = far.expect_final(method)
                assert answer.status == 403
                assert f"{foreign} was not called in this dialog" in answer.get("Warning")
        assert not alice.poll(lambda message: message.is_request, 0.2)
        passes(far, alice, named(back, "sip:carol@opb.example"), "UPDATE",  # RFC 4916
               [("Contact", OF_BOB)])
        passes(far, alice, named(back, "sip:anonymous@anonymous.invalid"), "INFO")
        got = passes(far, alice, back, "INFO", asserting(OF_BOB, FOREIGN))
        assert told(got) == [("P-Asserted-Identity", OF_BOB)]
        passes(far, alice, named(back, "sip:eve@opc.example"), "BYE")  # every call can end


def test_whom_we_called_speaks_for_whom_our_directory_says_it_serves(lab, server, alice, inside_a):
    lab.edge_a.tool("address", "add", "ported@opa.example", "--hosting", "opb.example")
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    with server.accept() as far:
        _, back = answered_by_a_peer(far, alice, inside_a, invite)
        passes(far, alice, named(back, "sip:ported@opa.example"), "INFO")
        passes(far, alice, back, "BYE")


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


# -- what leads over TLS is told so ---------------------------------------------------------------


def test_sips_leads_to_a_sips_record_route(lab, server, alice, inside_a):
    """RFC 3261 section 16.6 step 4: as Request-URI, and as the next Route."""
    invite = request("INVITE", "sips:bob@opb.example", alice, ALICE)
    alice.send(invite, inside_a)
    with server.accept() as far:
        got = far.expect("INVITE")
        outside, inside = (uri_of(route) for route in split_list(got.all("Record-Route")))
        assert outside.startswith("sips:") and outside.endswith("@opa.example;lr")
        assert inside.startswith("sip:")  # alice's core speaks UDP
        far.send(response(got, 200, "OK", tag="b1", headers=[("Contact", f"<{BOB}>")]))
        dialog = Dialog.of_caller(alice, invite, alice.expect(200))
        alice.send(dialog.request("ACK"), inside_a)
        far.expect("ACK")
        dialog.routes = dialog.routes[:2] + ["<sips:next@opb.example;lr>"]
        alice.send(dialog.request("INVITE"), inside_a)
        got = far.expect("INVITE")
        assert got.all("Route") == ["<sips:next@opb.example;lr>"]
        assert uri_of(split_list(got.all("Record-Route"))[0]).startswith("sips:")
        dialog.routes[2] = "<sip:next@opb.example;lr>"
        alice.send(dialog.request("INVITE"), inside_a)
        got = far.expect(lambda m: m.method == "INVITE" and "sips" not in m.get("Route"))
        assert uri_of(split_list(got.all("Record-Route"))[0]).startswith("sip:")


# -- who may cancel -------------------------------------------------------------------------------


def cancel_of(invite, via):
    """The CANCEL of an INVITE that was seen with this Via."""
    headers = [(name, "1 CANCEL" if name == "CSeq" else value)
               for name, value in invite.headers if name in ("From", "To", "Call-ID", "CSeq")]
    return Message(invite.start.replace("INVITE", "CANCEL", 1),
                   [("Via", via), ("Max-Forwards", "70")] + headers)


def test_only_who_made_a_call_cancels_it(lab, plan, peer, alice, inside_a):
    """Whoever is called sees the Via of the caller's edge, and may tell it to others."""
    lab.pki.make(Leaf("edge-c", sip=("opc.example",), dns=("opc.example",)))
    invite = request("INVITE", ALICE, peer, BOB)
    peer.send(invite)
    got = alice.expect("INVITE")
    alice.answer(got, 180, "Ringing", tag="a1")
    peer.expect(180)
    via = split_list(got.all("Via"))[1]
    alice.send(cancel_of(invite, via), inside_a)
    assert alice.expect_final("CANCEL").status == 481
    with StreamAgent.connect((plan.a.edge, TLS_PORT), context=tls_context(lab.pki, "edge-c"),
                             server_name="opa.example") as other:
        other.send(cancel_of(invite, via))
        assert other.expect_final("CANCEL").status == 481
    assert not alice.poll("CANCEL", 0.2)
    peer.send(cancel_of(invite, invite.get("Via")))
    assert peer.expect_final("CANCEL").status == 200
    alice.answer(alice.expect("CANCEL"), 200, "OK")
    alice.answer(got, 487, "Request Terminated", tag="a1")
    assert peer.expect_final("INVITE").status == 487
