"""What passes through two edges arrives as it was sent, and later requests find their way."""

import pytest

from lab.pki import Leaf
from lab.plan import SIP_PORT
from lab.sip import (Dialog, Message, StreamAgent, ack_for, parameter, request, response,
                     split_list, tls_context, uri_of)

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"

# what a proxy may change or add (RFC 3261 section 16.6); everything else is none of its business
PROXY_HEADERS = ("via", "v", "record-route", "route", "max-forwards", "content-length", "l")


@pytest.fixture(scope="module")
def lab(raw_lab):
    return raw_lab


def end_to_end(message):
    """The header lines and the body that must arrive byte for byte."""
    head, _, body = message.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")[1:]
    kept, keep = [], True
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].strip().decode().lower()
            keep = name not in PROXY_HEADERS
        if keep:
            kept.append(line)
    return kept, body


ODD = (
    b"%(method)s %(uri)s SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP %(host)s:5060;branch=%(branch)s;rport;x-via=1\r\n"
    b"max-FORWARDS: 0070\r\n"
    b"From: \"Alice \\\" \xc3\xa4\" <sip:alice@opa.example;x=%%41>;tag=a1;unknown=\"q;,>\"\r\n"
    b"t  : Bob <sip:bob@opb.example;method=FOO;x=%%3f>\r\n"
    b"i: %(branch)s@odd\r\n"
    b"CSeq: 0009 %(method)s\r\n"
    b"Contact: <sip:alice@%(host)s:5060;ob;+sip.instance=\"<urn:uuid:0>\">;expires=7;q=0.5\r\n"
    b"X-Unknown:\r\n"
    b"X-Unknown: two, \"of, them\" \t\r\n"
    b"x-folded: first\r\n"
    b"  second\r\n"
    b"\tthird\r\n"
    b"Supported: ext-nobody-knows\r\n"
    b"Require: another-one\r\n"
    b"Content-Type: application/x-odd;charset=none\r\n"
    b"c-unknown: \xff\xfe\r\n"
    b"Content-Length: 9\r\n"
    b"\r\n"
    b"\x00\x01\xff\r\n\r\n:\n"
)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH", "INFO",
                                    "NEW-method.!%*_+`'~1"])
def test_unknown_headers_parameters_and_methods_pass_byte_for_byte(lab, plan, alice, bob, inside_a,
                                                                   method):
    uri = b"sip:bob@opb.example;x-unknown=%41;LR2"
    branch = b"z9hG4bK" + method.encode().hex().encode()
    sent = ODD % {b"method": method.encode(), b"uri": uri, b"host": plan.a.phone.encode(),
                  b"branch": branch}
    alice.send(sent, inside_a)
    got = bob.expect(method)
    assert got.raw.split(b"\r\n")[0] == method.encode() + b" " + uri + b" SIP/2.0"
    assert end_to_end(got.raw) == end_to_end(sent)
    assert got.get("Max-Forwards") == "68"

    answer = response(got, 299, "Odd, but \u00e4ccepted", tag="b1", headers=[
        ("Contact", f"<sip:bob@{plan.b.phone}:5060;odd>"), ("X-Answer", "a;b=\"c\""),
        ("Content-Type", "x/y")], body=b"\x00body")
    bob.send(answer, got.source)
    back = alice.expect(299)
    assert back.start == answer.start
    assert end_to_end(back.raw) == end_to_end(answer.encode())
    assert len(back.all("Via")) == 1
    assert parameter(back.get("Via"), "branch") == branch.decode()


@pytest.mark.parametrize("status", [180, 183, 199, 200, 301, 302, 401, 404, 486, 487, 501, 600, 603])
def test_responses_of_the_callee_come_back(lab, alice, bob, inside_a, status):
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    headers = [("Contact", "<sip:bob@elsewhere.example>"), ("X-From-Callee", "yes")]
    bob.answer(got, status, "As it is", tag="b1", headers=headers)
    back = alice.expect(status)
    assert back.start == f"SIP/2.0 {status} As it is"
    assert back.get("X-From-Callee") == "yes"
    if status < 200:
        bob.answer(got, 486, "Busy", tag="b1")
        back = alice.expect(486)
    if back.status >= 300:
        alice.send(ack_for(invite, back), inside_a)
        assert bob.expect("ACK").branch == got.branch


def test_a_503_of_the_far_core_does_not_reach_ours(lab, alice, bob, inside_a):
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    bob.answer(bob.expect("INVITE"), 503, "Overloaded", tag="b1")
    back = alice.expect_final("INVITE", 14)
    alice.send(ack_for(invite, back), inside_a)
    assert back.status == 480
    assert "the core of opb.example answered 503" in back.get("Warning")
    assert lab.plan.b.phone not in back.get("Warning")  # names of cores stay inside


def test_the_caller_hears_100_at_once(lab, alice, bob, inside_a):
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    assert alice.expect(100, 1.0)
    bob.answer(bob.expect("INVITE"), 486, "Busy", tag="b1")
    alice.send(ack_for(invite, alice.expect(486)), inside_a)


def test_an_invite_is_forwarded_once_however_often_it_comes(lab, alice, bob, inside_a):
    invite = request("INVITE", BOB, alice, ALICE)
    for _ in range(5):
        alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 486, "Busy", tag="b1")
    alice.send(ack_for(invite, alice.expect(486)), inside_a)
    again = bob.poll("INVITE", 0.7)
    assert again is None or again.branch == got.branch


def test_a_cancel_follows_its_invite(lab, alice, bob, inside_a):
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 180, "Ringing", tag="b1")
    alice.expect(180)
    cancel = Message(invite.start.replace("INVITE", "CANCEL", 1), [
        (name, "1 CANCEL" if name == "CSeq" else value)
        for name, value in invite.headers if name != "Contact"])
    alice.send(cancel, inside_a)
    assert alice.expect(lambda m: m.status == 200 and m.cseq_method == "CANCEL")
    cancelled = bob.expect("CANCEL")
    assert cancelled.branch == got.branch
    bob.answer(cancelled, 200, "OK", tag="b1")
    bob.answer(got, 487, "Request Terminated", tag="b1")
    alice.send(ack_for(invite, alice.expect(487)), inside_a)
    assert bob.expect("ACK").branch == got.branch


# -- dialogs --------------------------------------------------------------------------------------


def test_forked_answers_pass_but_not_without_end(lab, alice, bob, inside_a):
    """Who answers a call with one 2xx after another fills neither memory nor the way to the caller;
    the first call of them goes on."""
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    first, passed = None, 0
    for fork in range(100):
        bob.answer(got, 200, "OK", tag=f"b{fork}", body=b"x" * 20000,
                   headers=[("Contact", f"<{bob.contact(BOB)}>")])
        answer = alice.poll(lambda message: message.get("To").endswith(f"tag=b{fork}"), 1.0)
        if not answer:
            break
        first = first or answer
        passed += 1
    assert 12 <= passed < 60  # of 100
    dialog = Dialog.of_caller(alice, invite, first)
    alice.send(dialog.request("ACK"), inside_a)
    bob.expect("ACK", call_id=dialog.call_id)
    alice.send(dialog.request("BYE"), inside_a)
    bob.answer(bob.expect("BYE", call_id=dialog.call_id), 200, "OK")
    assert alice.expect_final("BYE").status == 200


def set_up(alice, bob, inside_a, alice_contact=None, bob_contact=None):
    """A call between the two; returns both sides' dialogs and what bob got."""
    invite = request("INVITE", BOB, alice, ALICE)
    if alice_contact:
        invite.headers = [(name, f"<{alice_contact}>" if name == "Contact" else value)
                          for name, value in invite.headers]
    alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    contact = bob_contact or bob.contact(BOB)
    answer = bob.answer(got, 200, "OK", tag="b1", headers=[("Contact", f"<{contact}>")])
    back = alice.expect(200, call_id=invite.get("Call-ID"))
    caller = Dialog.of_caller(alice, invite, back)
    callee = Dialog.of_callee(bob, got, answer)
    alice.send(caller.request("ACK"), inside_a)
    bob.expect("ACK", call_id=invite.get("Call-ID"))
    return caller, callee, got


def exchange(sender, receiver, dialog, edge, method):
    """One request inside the dialog, answered 200. Returns what the receiver got."""
    sent = dialog.request(method, headers=[("X-In-Dialog", method)])
    sender.send(sent, edge)
    got = receiver.expect(method, call_id=dialog.call_id)
    assert got.get("X-In-Dialog") == method
    receiver.answer(got, 200, "OK")
    sender.expect(lambda m: m.status == 200 and m.cseq_method == method, call_id=dialog.call_id)
    return got


def test_requests_in_a_dialog_follow_the_route_set(lab, alice, bob, inside_a, inside_b):
    caller, callee, _ = set_up(alice, bob, inside_a)
    for method in ("INFO", "UPDATE", "NEWFANGLED"):
        got = exchange(alice, bob, caller, inside_a, method)
        assert got.uri == bob.contact(BOB)
        assert not got.all("Route")
        got = exchange(bob, alice, callee, inside_b, method)
        assert got.uri == alice.contact(ALICE)
        assert not got.all("Route")
    exchange(bob, alice, callee, inside_b, "BYE")


def test_a_dialog_goes_on_when_the_key_of_its_tokens_is_changed(lab, alice, bob, inside_a, inside_b):
    ours, theirs, _ = set_up(alice, bob, inside_a)
    for letter in "ab":
        before = lab.edges[letter].tool_json("journal")
        assert lab.edges[letter].tool("token-key", "rotate").stdout == \
            "the key of dialog tokens changed\n"
        lab.edges[letter].tool("token-key", "rotate", "--dry-run")
        assert len(lab.edges[letter].tool_json("journal")["entries"]) == len(before["entries"]) + 1
    exchange(alice, bob, ours, inside_a, "INFO")
    exchange(bob, alice, theirs, inside_b, "INFO")
    later, _, _ = set_up(alice, bob, inside_a)
    assert later.routes[0] != ours.routes[0]
    exchange(alice, bob, later, inside_a, "BYE")
    exchange(alice, bob, ours, inside_a, "BYE")


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_contacts_that_name_our_own_domain_stay(lab, alice, bob, inside_a, inside_b, ends):
    """A GRUU (RFC 5627) names the domain, not the phone: the Route set decides all the same."""
    alice_gruu = "sip:alice@opa.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    bob_gruu = "sip:bob@opb.example;gr=urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128"
    caller, callee, _ = set_up(alice, bob, inside_a, alice_gruu, bob_gruu)
    if ends == "caller":
        assert exchange(alice, bob, caller, inside_a, "BYE").uri == bob_gruu
    else:
        assert exchange(bob, alice, callee, inside_b, "BYE").uri == alice_gruu


def test_an_address_removed_meanwhile_still_hangs_up(lab, plan, alice, bob, inside_a):
    """Inside a dialog the directory is not asked."""
    caller, _, _ = set_up(alice, bob, inside_a)
    lab.edge_b.tool("address", "del", plan.b.address)
    try:
        exchange(alice, bob, caller, inside_a, "BYE")
    finally:
        lab.edge_b.tool("address", "add", plan.b.address)


def test_the_record_route_names_domains_outside_and_addresses_inside(lab, plan, alice, bob,
                                                                     inside_a):
    caller, _, got = set_up(alice, bob, inside_a)
    routes = [uri_of(route) for route in split_list(got.all("Record-Route"))]
    assert len(routes) == 4  # each edge twice: the transport changes there
    assert f"{plan.b.edge}" in routes[0]
    assert routes[1].endswith("@opb.example;transport=tls;lr")
    assert routes[2].endswith("@opa.example;transport=tls;lr")
    assert f"{plan.a.edge}" in routes[3]
    assert len(routes[1].split(":", 1)[1].split("@")[0]) > 20  # the dialog token
    exchange(alice, bob, caller, inside_a, "BYE")


def test_the_token_serves_its_own_dialog_only(lab, alice, bob, inside_a):
    caller, _, _ = set_up(alice, bob, inside_a)
    forged = caller.request("INFO")
    forged.headers = [(name, "another-call" if name == "Call-ID" else value)
                      for name, value in forged.headers]
    alice.send(forged, inside_a)
    assert alice.expect_final("INFO").status in (403, 404, 481)
    assert not bob.poll("INFO", 0.2)
    exchange(alice, bob, caller, inside_a, "BYE")


def as_a_peer(lab, outside, certificate, routes, stolen):
    """Sends a request of this dialog to the edge as the owner of a certificate, with these
    Routes. Returns the answer's status."""
    with StreamAgent.connect(outside, context=tls_context(lab.pki, certificate),
                             server_name="opb.example") as peer:
        message = stolen.request("INFO")
        message.headers = [("Via", peer.via()) if name == "Via" else (name, value)
                           for name, value in message.headers if name != "Route"]
        message.headers[1:1] = [("Route", route) for route in routes]
        peer.send(message)
        return peer.expect_final("INFO").status


def test_a_token_is_good_for_the_peer_it_was_made_for(lab, alice, bob, inside_a, outside_b):
    """Another operator that learned everything about a call cannot speak in it."""
    lab.pki.make(Leaf("edge-c", sip=("opc.example",), dns=("opc.example",)))
    caller, _, _ = set_up(alice, bob, inside_a)
    routes_of_b = caller.routes[2:]
    assert as_a_peer(lab, outside_b, "edge-c", routes_of_b, caller) == 403
    assert not bob.poll("INFO", 0.2)
    exchange(alice, bob, caller, inside_a, "BYE")


def test_a_token_is_good_for_the_side_it_was_made_for(lab, alice, bob, inside_a, inside_b,
                                                      outside_b):
    """What edge B told its own core opens no way in from outside."""
    caller, callee, _ = set_up(alice, bob, inside_a)
    inside_route_of_b = callee.routes[:1]
    assert as_a_peer(lab, outside_b, "edge-a", inside_route_of_b, caller) == 403
    assert not bob.poll("INFO", 0.2)
    exchange(bob, alice, callee, inside_b, "BYE")


# -- transports -----------------------------------------------------------------------------------


def test_a_core_over_tcp_gets_its_answers_on_its_connection(lab, plan, bob, inside_a):
    with StreamAgent.connect(inside_a, source=plan.a.phone) as alice:
        alice.send(request("MESSAGE", BOB, alice, ALICE, body=b"over tcp"))
        got = bob.expect("MESSAGE")
        assert got.body == b"over tcp"
        bob.answer(got, 200, "OK", tag="b1")
        alice.expect(200)


def test_keep_alives_on_a_connection_are_answered(lab, plan, inside_a):
    with StreamAgent.connect(inside_a, source=plan.a.phone) as alice:
        alice.send(b"\r\n\r\n")  # RFC 5626 section 3.5.1: a ping
        alice.socket.settimeout(2)
        assert alice.socket.recv(10) == b"\r\n"


def test_messages_in_pieces_and_in_one_piece_are_framed(lab, plan, bob, inside_a):
    with StreamAgent.connect(inside_a, source=plan.a.phone) as alice:
        first, second = (request("MESSAGE", BOB, alice, ALICE, body=text)
                         for text in (b"one\r\n\r\n", b"two"))
        data = first.encode() + b"\r\n" + second.encode()
        for start in range(0, len(data), 7):
            alice.send(data[start:start + 7])
        for text in (b"one\r\n\r\n", b"two"):
            got = bob.expect("MESSAGE")
            assert got.body == text
            bob.answer(got, 200, "OK", tag="b1")
            alice.expect(200)


def test_a_datagram_without_content_length_gets_one(lab, alice, bob, inside_a):
    """It travels over TLS, where the length is needed (RFC 3261 section 18.3)."""
    message = request("MESSAGE", BOB, alice, ALICE, headers=[("Content-Type", "text/plain")])
    body = b"length unknown"
    data = message.encode().replace(b"Content-Length: 0\r\n", b"") + body
    assert b"Content-Length" not in data
    alice.send(data, inside_a)
    got = bob.expect("MESSAGE")
    assert got.body == body
    assert got.get("Content-Length") == str(len(body))
    bob.answer(got, 200, "OK", tag="b1")
    alice.expect(200)


def test_a_nat_is_answered_at_the_port_it_sent_from(lab, plan, alice, bob, inside_a):
    """RFC 3581: the Via lies, rport tells."""
    message = request("MESSAGE", BOB, alice, ALICE)
    message.headers[0] = ("Via", "SIP/2.0/UDP 192.0.2.9:9;branch=z9hG4bKnat1;rport")
    alice.send(message, inside_a)
    got = bob.expect("MESSAGE")
    via = split_list(got.all("Via"))[-1]
    assert parameter(via, "received") == plan.a.phone
    assert parameter(via, "rport") == str(SIP_PORT)
    bob.answer(got, 200, "OK", tag="b1")
    alice.expect(200)
