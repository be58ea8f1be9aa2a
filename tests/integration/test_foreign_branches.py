"""Who knows the branch of a core's request, from its Via or by guessing, can do nothing with it from
outside."""

import pytest

from lab.plan import SIP_PORT, TLS_PORT
from lab.sip import Message, StreamAgent, ack_for, parameter, request, split_list, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"


@pytest.fixture(scope="module")
def lab(bare_lab):
    """One worker each: what comes in meets every transaction there is."""
    for operator in bare_lab.plan.operators:
        bare_lab.make_edge(operator, workers=1)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


@pytest.fixture
def peer(lab, plan):
    """A peer of edge A that proves opb.example and is a test."""
    with StreamAgent.connect((plan.a.edge, TLS_PORT), source=plan.b.edge,
                             context=tls_context(lab.pki, "edge-b"),
                             server_name="opa.example") as agent:
        yield agent


def over_tls(host_port, branch, method, call_id):
    to = f"<{ALICE}>" + (";tag=t" if method == "ACK" else "")
    headers = [("Via", f"SIP/2.0/TLS {host_port};branch={branch}"), ("Max-Forwards", "70"),
               ("From", f"<{BOB}>;tag=f"), ("To", to), ("Call-ID", call_id),
               ("CSeq", f"1 {method}"), ("Contact", f"<{BOB}>")]
    return Message(f"{method} {ALICE} SIP/2.0", headers)


def ringing(alice, bob, inside_a, branch=None):
    """A call of alice's that bob has, and its Via as bob sees it: sent-by and branch."""
    invite = request("INVITE", BOB, alice, ALICE)
    if branch:
        invite.headers = [(name, alice.via(branch) if name == "Via" else value)
                          for name, value in invite.headers]
    alice.send(invite, inside_a)
    got = bob.expect("INVITE", call_id=invite.get("Call-ID"))
    bob.answer(got, 180, "Ringing", tag="b")
    alice.expect(180, call_id=invite.get("Call-ID"))
    via = split_list(got.all("Via"))[-1]
    return invite, got, via.split()[1].split(";")[0], parameter(via, "branch")


def test_the_called_peer_does_not_confirm_the_answer_for_the_core(lab, alice, bob, inside_a, peer):
    invite, got, host_port, branch = ringing(alice, bob, inside_a)
    bob.answer(got, 486, "Busy Here", tag="b")
    busy = alice.expect(486)
    peer.send(over_tls(host_port, branch, "ACK", "confirmed"))
    peer.send(request("OPTIONS", "sip:opa.example", peer, "sip:opb.example"))
    peer.expect(200)  # so the ACK was read
    alice.inbox.clear()
    assert alice.expect(486), "no more is repeated to a core whose ACK was lost"
    alice.send(ack_for(invite, busy), inside_a)


def test_a_call_by_the_called_peer_is_not_taken_for_the_core_s(lab, alice, bob, inside_a, peer):
    invite, got, host_port, branch = ringing(alice, bob, inside_a)
    alice.inbox.clear()
    peer.send(over_tls(host_port, branch, "INVITE", "posing"))
    second = alice.expect("INVITE", call_id="posing")
    alice.answer(second, 486, "Busy Here", tag="a")
    assert peer.expect_final("INVITE").status == 486
    bob.answer(got, 486, "Busy Here", tag="b")
    alice.send(ack_for(invite, alice.expect(486, call_id=invite.get("Call-ID"))), inside_a)


def test_a_guessed_branch_takes_nothing_away_from_the_core(lab, alice, bob, inside_a, peer):
    branch = "z9hG4bKpredictable1"
    peer.send(over_tls(f"{alice.address}:{SIP_PORT}", branch, "INVITE", "first"))
    first = alice.expect("INVITE", call_id="first")
    alice.answer(first, 180, "Ringing", tag="a")
    peer.expect(180)
    invite, got, _, _ = ringing(alice, bob, inside_a, branch)
    peer.send(over_tls(f"{alice.address}:{SIP_PORT}", branch, "CANCEL", "first"))
    assert alice.expect("CANCEL", call_id="first")
    alice.answer(first, 487, "Request Terminated", tag="a")
    assert not bob.poll("CANCEL", 0.3)
    bob.answer(got, 486, "Busy Here", tag="b")
    busy = alice.expect(486, call_id=invite.get("Call-ID"))
    alice.send(ack_for(invite, busy), inside_a)
