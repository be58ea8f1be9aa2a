"""The far edge is a Kamailio: mutual TLS, found by DNS and finding us by DNS, in both directions.
All certificates have the serverAuth usage only, as public CAs issue them."""

from collections import namedtuple

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.process import wait_until
from lab.sip import (Dialog, Message, StreamAgent, StreamServer, ack_for, request, tls_context,
                     uri_of)

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
SDP = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
       b"m=audio 4000 RTP/AVP 8\r\n")
WITH_SDP = {"headers": [("Content-Type", "application/sdp")], "body": SDP}

# One side of a call: its agent, its address, and where its requests go.
Side = namedtuple("Side", "agent address way_out")


# A third operator, who has the edge that a test plays.
OPC = """\
opc            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opc
_sips._tcp.opc SRV   10 10 {port} edge.opc
edge.opc       A     {address}
"""


@pytest.fixture(scope="module")
def address_c(plan):
    return plan.b.network + "20"


@pytest.fixture(scope="module")
def lab(plan, address_c, request):
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make(Leaf("edge-c", sip=("opc.example",), dns=("opc.example",)))
        made.make_dns(more=OPC.format(port=TLS_PORT, address=address_c))
        made.make_edge(plan.a, workers=1)  # what one has learnt, the next request knows
        made.make_kamailio(plan.b)
        made.start()
        made.provision()
        yield made


@pytest.fixture(params=["to Kamailio", "from Kamailio"])
def sides(request, lab, alice, bob, inside_a, inside_b):
    """Caller and callee."""
    ours, theirs = Side(alice, ALICE, inside_a), Side(bob, BOB, inside_b)
    return (ours, theirs) if request.param == "to Kamailio" else (theirs, ours)


def invited(caller, callee):
    """What the caller sent and what the callee got."""
    invite = request("INVITE", callee.address, caller.agent, caller.address, **WITH_SDP)
    caller.agent.send(invite, caller.way_out)
    return invite, callee.agent.expect("INVITE", call_id=invite.get("Call-ID"))


def set_up(caller, callee):
    """A call between them; both sides' dialogs."""
    invite, got = invited(caller, callee)
    callee.agent.answer(got, 180, "Ringing", tag="t1")
    caller.agent.expect(180)
    contact = [("Contact", f"<{callee.agent.contact(callee.address)}>")]
    answer = callee.agent.answer(got, 200, "OK", tag="t1", body=SDP,
                                 headers=contact + WITH_SDP["headers"])
    back = caller.agent.expect(200, call_id=invite.get("Call-ID"))
    assert back.body == SDP
    dialogs = (Dialog.of_caller(caller.agent, invite, back),
               Dialog.of_callee(callee.agent, got, answer))
    caller.agent.send(dialogs[0].request("ACK"), caller.way_out)
    callee.agent.expect("ACK", call_id=invite.get("Call-ID"))
    return dialogs


def exchange(sender, receiver, dialog, method):
    """One request inside the dialog, answered 200."""
    contact = [("Contact", f"<{sender.agent.contact(sender.address)}>")]
    sent = dialog.request(method, headers=contact + WITH_SDP["headers"], body=SDP)
    sender.agent.send(sent, sender.way_out)
    got = receiver.agent.expect(method, call_id=dialog.call_id)
    assert got.body == SDP
    assert got.uri == dialog.target
    receiver.agent.answer(got, 200, "OK", headers=[
        ("Contact", f"<{receiver.agent.contact(receiver.address)}>")])
    sender.agent.expect(lambda m: m.status == 200 and m.cseq_method == method)
    if method == "INVITE":
        sender.agent.send(dialog.request("ACK"), sender.way_out)
        receiver.agent.expect("ACK", call_id=dialog.call_id)


def refused(caller, callee, status, headers=()):
    """An INVITE that the callee answers so; what the caller hears."""
    invite, got = invited(caller, callee)
    callee.agent.answer(got, status, "As it is", tag="t1", headers=headers)
    back = caller.agent.expect(status)
    caller.agent.send(ack_for(invite, back), caller.way_out)
    assert callee.agent.expect("ACK", call_id=invite.get("Call-ID"))
    return back


def test_a_message_arrives(sides):
    caller, callee = sides
    body = bytes(range(256)) * 8
    sent = request("MESSAGE", callee.address, caller.agent, caller.address, body=body)
    caller.agent.send(sent, caller.way_out)
    got = callee.agent.expect("MESSAGE")
    assert got.body == body
    callee.agent.answer(got, 200, "OK", tag="t1")
    caller.agent.expect(200)


@pytest.mark.parametrize("hung_up_by", ["caller", "callee"])
def test_a_call_is_changed_by_both_and_ended(sides, hung_up_by):
    caller, callee = sides
    of_caller, of_callee = set_up(caller, callee)
    exchange(caller, callee, of_caller, "INVITE")
    exchange(callee, caller, of_callee, "INVITE")
    if hung_up_by == "caller":
        exchange(caller, callee, of_caller, "BYE")
    else:
        exchange(callee, caller, of_callee, "BYE")


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "PRACK", "REFER", "NOTIFY"])
def test_other_methods_pass_inside_a_dialog(sides, method):
    caller, callee = sides
    of_caller, of_callee = set_up(caller, callee)
    exchange(caller, callee, of_caller, method)
    exchange(callee, caller, of_callee, method)
    exchange(caller, callee, of_caller, "BYE")


def test_a_cancel_follows_its_invite(sides):
    caller, callee = sides
    invite, got = invited(caller, callee)
    callee.agent.answer(got, 180, "Ringing", tag="t1")
    caller.agent.expect(180)
    cancel = Message(invite.start.replace("INVITE", "CANCEL", 1), [
        (name, "1 CANCEL" if name == "CSeq" else value)
        for name, value in invite.headers if name not in ("Contact", "Content-Type")])
    caller.agent.send(cancel, caller.way_out)
    cancelled = callee.agent.expect("CANCEL")
    assert cancelled.branch == got.branch
    callee.agent.answer(cancelled, 200, "OK", tag="t1")
    callee.agent.answer(got, 487, "Request Terminated", tag="t1")
    back = caller.agent.expect(487)
    caller.agent.send(ack_for(invite, back), caller.way_out)


@pytest.mark.parametrize("status", [404, 486, 603])
def test_a_refusal_comes_back(sides, status):
    assert refused(*sides, status).start == f"SIP/2.0 {status} As it is"


def test_a_redirect_comes_back_unchanged(sides):
    contact = "<sip:assistant@elsewhere.example>;q=0.5, <tel:+4930123456>"
    back = refused(*sides, 302, [("Contact", contact)])
    assert back.all("Contact") == [contact]


def test_the_certificates_are_for_servers_only(lab, sides):
    """And Kamailio judged ours as README says, not by its own way."""
    set_up(*sides)
    assert ": OK" in lab.kamailio.program.log_text()  # what `openssl verify` prints


def test_kamailio_hears_where_a_ported_address_lives(lab, alice, bob, inside_b):
    """In a form that any element can follow (design section 3.2)."""
    lab.edge_a.tool("address", "add", "ported@opa.example", "--hosting", "opc.example",
                    "--state", "ported-out")
    invite = request("INVITE", "sip:ported@opa.example", bob, BOB, **WITH_SDP)
    bob.send(invite, inside_b)
    back = bob.expect_final("INVITE")
    bob.send(ack_for(invite, back), inside_b)
    assert back.status == 302
    assert uri_of(back.get("Contact")) == "sip:ported%40opa.example@opc.example"
    assert not alice.poll("INVITE", 0.1)


def test_kamailio_reaches_an_address_that_was_ported_to_us(lab, alice, bob, inside_b):
    lab.edge_a.tool("address", "add", "dora@opc.example", "--hosting", "opa.example")
    bob.send(request("MESSAGE", "sip:dora%40opc.example@opa.example", bob, BOB, body=b"hello"),
             inside_b)
    got = alice.expect("MESSAGE")
    assert got.uri == "sip:dora@opc.example"
    alice.answer(got, 200, "OK", tag="t1")
    bob.expect(200)


def test_kamailio_is_believed_about_an_address_of_its_own(lab, address_c, alice, bob, inside_a):
    """Its core says where a ported address lives: we go there, as often as it is called."""
    context = tls_context(lab.pki, "edge-c", server=True)
    with StreamServer(address_c, TLS_PORT, context) as listening:
        for body in (b"asks", b"remembers"):
            alice.send(request("MESSAGE", "sip:gone@opb.example", alice, ALICE, body=body),
                       inside_a)
            if body == b"asks":
                bob.answer(bob.expect("MESSAGE"), 302, "Moved Permanently", tag="t1", headers=[
                    ("Contact", "<sip:gone%40opb.example@opc.example>;expires=60")])
                peer = listening.accept()
            got = peer.expect("MESSAGE")
            assert got.body == body
            assert got.uri == "sip:gone@opb.example"
            peer.answer(got, 200, "OK", tag="t2")
            alice.expect(200)
        peer.close()
    assert not bob.poll("MESSAGE", 0.1)


def as_stranger(lab, pki, certificate, sender):
    """What Kamailio answers to a peer with this certificate."""
    with StreamAgent.connect((lab.plan.b.edge, TLS_PORT),
                             context=tls_context(pki, certificate)) as peer:
        peer.send(request("MESSAGE", BOB, peer, sender, body=b"let me in"))
        return peer.expect_final("MESSAGE")


def test_kamailio_refuses_who_proves_nothing(lab, bob):
    lab.pki.make_ca("other", "another CA")
    lab.pki.make(Leaf("stranger", sip=("opa.example",), dns=("opa.example",), issuer="other"))
    assert as_stranger(lab, lab.pki, "stranger", ALICE).start.startswith("SIP/2.0 403 Not trusted")
    assert as_stranger(lab, lab.pki, "edge-c", ALICE).start.startswith("SIP/2.0 403 The cert")
    assert not bob.poll("MESSAGE", 0.2)


@pytest.fixture
def demanding(lab):
    """Kamailio judges those who connect by its own way."""
    kamailio = lab.kamailio
    for verify_client in ("on", "optional_no_ca"):
        kamailio.verify_client = verify_client
        kamailio.program.stop()
        kamailio.configure()
        kamailio.start()
        wait_until(kamailio.ready, "Kamailio is ready again", watch=[kamailio.program])
        if verify_client == "on":
            yield kamailio


def test_kamailio_must_not_demand_the_client_usage(lab, demanding, alice, inside_a):
    """What README says happens otherwise, and that the operator is told by whom."""
    alice.send(request("MESSAGE", BOB, alice, ALICE, body=b"for servers only"), inside_a)
    back = alice.expect_final("MESSAGE", 14)
    assert back.status == 480
    assert "unsupported certificate" in back.get("Warning")
