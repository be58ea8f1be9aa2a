"""The far edge is a Kamailio: mutual TLS, found by DNS and finding us by DNS, in both directions.
All certificates have the serverAuth usage only, as public CAs issue them."""

from collections import namedtuple

import pytest

from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.process import wait_until
from lab.sip import Dialog, Message, StreamAgent, ack_for, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
SDP = (b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
       b"m=audio 4000 RTP/AVP 8\r\n")
WITH_SDP = {"headers": [("Content-Type", "application/sdp")], "body": SDP}

# One side of a call: its agent, its address, and where its requests go.
Side = namedtuple("Side", "agent address way_out")


@pytest.fixture(scope="module")
def lab(bare_lab):
    bare_lab.make_edge(bare_lab.plan.a)
    bare_lab.make_kamailio(bare_lab.plan.b)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


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


def as_stranger(lab, pki, certificate, sender):
    """What Kamailio answers to a peer with this certificate."""
    with StreamAgent.connect((lab.plan.b.edge, TLS_PORT),
                             context=tls_context(pki, certificate)) as peer:
        peer.send(request("MESSAGE", BOB, peer, sender, body=b"let me in"))
        return peer.expect_final("MESSAGE")


def test_kamailio_refuses_who_proves_nothing(lab, bob):
    lab.pki.make_ca("other", "another CA")
    lab.pki.make(Leaf("stranger", sip=("opa.example",), dns=("opa.example",), issuer="other"))
    lab.pki.make(Leaf("opc", sip=("opc.example",), dns=("opc.example",)))
    assert as_stranger(lab, lab.pki, "stranger", ALICE).start.startswith("SIP/2.0 403 Not trusted")
    assert as_stranger(lab, lab.pki, "opc", ALICE).start.startswith("SIP/2.0 403 The cert")
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
