"""Who may speak as whom, also inside dialogs and in responses."""

import socket

import pytest

from lab.sip import (Dialog, Message, StreamAgent, UdpAgent, request, split_list, tls_context)

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
NOBODY = "sip:anonymous@anonymous.invalid"


@pytest.fixture(scope="module")
def lab(raw_lab):
    return raw_lab


@pytest.fixture
def peer(lab, outside_b):
    """A peer of edge B that proves opa.example and is a test."""
    agent = StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-a"),
                                server_name="opb.example")
    with agent:
        yield agent


def replaced(message, **values):
    headers = [(name, values.get(name.replace("-", "_"), value)) for name, value in message.headers]
    return Message(message.start, headers, message.body)


def call(peer, bob):
    """A call from the peer to bob; the peer's side of the dialog."""
    invite = request("INVITE", BOB, peer, ALICE)
    peer.send(invite)
    got = bob.expect("INVITE")
    bob.answer(got, 200, "OK", tag="b1", headers=[("Contact", f"<{bob.contact(BOB)}>")])
    answer = peer.expect(200, call_id=invite.get("Call-ID"))
    dialog = Dialog.of_caller(peer, invite, answer)
    peer.send(dialog.request("ACK"))
    bob.expect("ACK", call_id=dialog.call_id)
    return dialog


def tag(value):
    return value.rsplit(";tag=", 1)[1]


def test_a_dialog_of_its_own_lets_no_peer_speak_as_somebody_else(lab, peer, bob):
    dialog = call(peer, bob)
    dialog.target = BOB
    spoofed = replaced(dialog.request("MESSAGE"),
                       From=f"<sip:carol@opc.example>;tag={tag(dialog.local)}")
    peer.send(spoofed)
    assert peer.expect_final("MESSAGE").status == 403
    posing_as_called = replaced(dialog.request("MESSAGE"), From="<sip:carol@opc.example>;tag=x",
                                To=f"<{BOB}>;tag={tag(dialog.local)}")
    peer.send(posing_as_called)
    assert peer.expect_final("MESSAGE").status == 403
    assert not bob.poll("MESSAGE", 0.2)


def test_a_contact_sends_us_to_no_address_that_the_peer_s_domain_does_not_lead_to(lab, peer, bob,
                                                                                  inside_b):
    with socket.create_server((bob.address, 0)) as elsewhere:
        elsewhere.setblocking(False)
        port = elsewhere.getsockname()[1]
        mark = lab.edge_a.mark()
        invite = replaced(request("INVITE", BOB, peer, ALICE),
                          Contact=f"<sip:alice@{bob.address}:{port};transport=tls>")
        peer.send(invite)
        got = bob.expect("INVITE")
        answer = bob.answer(got, 200, "OK", tag="b1",
                            headers=[("Contact", f"<{bob.contact(BOB)}>")])
        peer.expect(200, call_id=invite.get("Call-ID"))
        bye = Dialog.of_callee(bob, got, answer).request("BYE")
        bob.send(bye, inside_b)
        bob.expect_final("BYE", 8)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
        came = [hop for hop in lab.edge_a.hops(mark) if hop.start.startswith("BYE ")]
        assert came[0].side == "outside"  # opa.example leads to it, and the answer is its own


def test_the_caller_of_a_dialog_goes_on_as_before_or_without_name(lab, peer, bob):
    dialog = call(peer, bob)
    for sender in (ALICE, NOBODY):
        peer.send(replaced(dialog.request("INFO"), From=f"<{sender}>;tag={tag(dialog.local)}"))
        bob.answer(bob.expect("INFO"), 200, "OK")
        peer.expect(200)


def test_our_identities_are_not_told_in_responses(lab, peer, bob):
    peer.send(request("MESSAGE", BOB, peer, ALICE))
    got = bob.expect("MESSAGE")
    bob.answer(got, 200, "OK", tag="b1",
               headers=[("P-Asserted-Identity", "<sip:secret@opb.example>"), ("Privacy", "id"),
                        ("Remote-Party-ID", "<sip:secret@opb.example>")])
    answer = peer.expect(200)
    assert not answer.all("P-Asserted-Identity") and not answer.all("Remote-Party-ID")


def test_our_identities_are_not_told_in_requests(lab, alice, bob, inside_a):
    names = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")
    alice.send(request("MESSAGE", BOB, alice, ALICE,
                       headers=[(name, "<sip:secret@opa.example>") for name in names]), inside_a)
    got = bob.expect("MESSAGE")
    assert not any(got.all(name) for name in names)
    bob.answer(got, 200, "OK", tag="b1")
    alice.expect(200)


def test_an_anonymous_caller_has_one_identity(lab, peer, bob):
    """RFC 3325 section 9.1: at most one sip: URI; the peer's own word comes first."""
    for said, heard in (([ALICE], [f"<{ALICE}>"]), ([], ["<sip:opa.example>"]),
                        (["sip:eve@opc.example"], ["<sip:opa.example>"])):
        peer.send(request("MESSAGE", BOB, peer, NOBODY,
                          headers=[("P-Asserted-Identity", f"<{uri}>") for uri in said]))
        got = bob.expect("MESSAGE")
        bob.answer(got, 200, "OK", tag="b1")
        peer.expect(200)
        assert got.all("P-Asserted-Identity") == heard


def test_an_anonymous_caller_of_ours_may_be_named_on_a_second_line(lab, alice, bob, inside_a):
    lines = [("P-Asserted-Identity", "tel:+4930123"), ("P-Asserted-Identity", f"<{ALICE}>")]
    alice.send(request("MESSAGE", BOB, alice, NOBODY, headers=lines), inside_a)
    got = bob.expect("MESSAGE")
    bob.answer(got, 200, "OK", tag="b1")
    assert alice.expect_final("MESSAGE").status == 200


def test_only_the_side_that_was_asked_answers(lab, plan, alice, bob, inside_a):
    """Whoever sees the Vias further down could forge a response and send it to the inside."""
    alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
    got = bob.expect("MESSAGE")
    vias = split_list(got.all("Via"))
    forged = Message("SIP/2.0 202 Forged", [("Via", via) for via in vias[1:]]
                     + [("From", got.get("From")), ("To", got.get("To") + ";tag=x"),
                        ("Call-ID", got.get("Call-ID")), ("CSeq", got.get("CSeq"))])
    with UdpAgent(plan.a.network + "99", 5060) as stranger:
        stranger.send(forged, inside_a)
        assert not alice.poll(202, 0.3)
    bob.answer(got, 200, "OK", tag="b1")
    assert alice.expect_final("MESSAGE").status == 200


def test_options_in_a_dialog_reach_the_far_side(lab, peer, bob):
    """Also where the Request-URI names the edge: the Route set comes first."""
    dialog = call(peer, bob)
    dialog.target = "sip:opb.example"
    peer.send(dialog.request("OPTIONS"))
    got = bob.expect("OPTIONS")
    bob.answer(got, 200, "OK")
    assert peer.expect_final("OPTIONS").status == 200
