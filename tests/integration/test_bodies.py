"""60 kB of all octets pass through two edges as they are, whatever the method, both ways."""

import random

import pytest

from lab.plan import SIP_PORT
from lab.sip import Dialog, StreamAgent, StreamServer, request

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
SIZE = 60000

OUTSIDE_DIALOGS = ["MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "FROBNICATE"]
IN_DIALOGS = ["NOTIFY", "INFO", "UPDATE", "MESSAGE", "FROBNICATE"]


def content(seed):
    """All octets, in an order that no two bodies share, with what could be taken for an end."""
    octets = (list(range(256)) * (SIZE // 256 + 1))[:SIZE - 12]
    random.Random(seed).shuffle(octets)
    return b"\r\n\r\n" + bytes(octets) + b"\r\n\r\n\0\r\n\r"


@pytest.fixture(scope="module")
def lab(bare_lab):
    """Cores over TCP, so that nothing is too long anywhere; one worker, one connection."""
    for operator in bare_lab.plan.operators:
        bare_lab.make_edge(operator, workers=1,
                           core=f"sip:{operator.phone}:{SIP_PORT};transport=tcp")
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


class Core:
    """A core over TCP: it sends on a connection of its own and takes what comes on the edge's."""

    def __init__(self, operator):
        self.server = StreamServer(operator.phone, SIP_PORT)
        self.out = StreamAgent.connect((operator.edge, SIP_PORT), source=operator.phone)
        self.incoming = None

    def expect(self, what, call_id):
        if self.incoming is None:
            self.incoming = self.server.accept()
        return self.incoming.expect(what, 10, call_id=call_id)

    def close(self):
        for part in (self.incoming, self.out, self.server):
            if part:
                part.close()


@pytest.fixture(scope="module")
def cores(lab):
    pair = [Core(operator) for operator in lab.plan.operators]
    yield pair
    for core in pair:
        core.close()


def exchange(sent, sender, receiver):
    """A request arrives as it was sent, and the answer to it too."""
    call_id = sent.get("Call-ID")
    sender.out.send(sent)
    got = receiver.expect(sent.method, call_id)
    assert len(got.body) == SIZE
    assert got.body == sent.body
    assert got.all("Content-Type") == sent.all("Content-Type")
    assert got.all("Content-Length") == [str(SIZE)]
    answer = receiver.incoming.answer(got, 299, "Heard", tag="t1", body=content(call_id + "back"),
                                      headers=[("Content-Type", "a/b"), ("Contact", f"<{BOB}>")])
    back = sender.out.expect(299, 10, call_id=call_id)
    assert back.body == answer.body
    return got, back


TYPE = [("Content-Type", "application/octet-stream;x=\"\\\"\"")]


@pytest.mark.parametrize("method", OUTSIDE_DIALOGS)
def test_any_content_passes_byte_for_byte(cores, method):
    alice, bob = cores
    exchange(request(method, BOB, alice.out, ALICE, headers=TYPE, body=content(method)), alice, bob)


def begin_call(alice, bob, status, reason):
    """An INVITE with content, answered so. Both sides' dialogs, and what bob got."""
    invite = request("INVITE", BOB, alice.out, ALICE, headers=TYPE, body=content("INVITE"))
    alice.out.send(invite)
    call_id = invite.get("Call-ID")
    got = bob.expect("INVITE", call_id)
    assert got.body == invite.body
    answer = bob.incoming.answer(got, status, reason, tag="t1", body=content("answer"),
                                 headers=TYPE + [("Contact", f"<{bob.out.contact(BOB)}>")])
    back = alice.out.expect(status, 10, call_id=call_id)
    assert back.body == answer.body
    return (Dialog.of_caller(alice.out, invite, back), Dialog.of_callee(bob.out, got, answer), got)


def test_any_content_passes_in_a_dialog_both_ways(cores):
    alice, bob = cores
    caller, callee, _ = begin_call(alice, bob, 200, "OK")
    ack = caller.request("ACK", headers=TYPE, body=content("ACK"))
    alice.out.send(ack)
    assert bob.expect("ACK", caller.call_id).body == ack.body
    for method in IN_DIALOGS:
        exchange(caller.request(method, headers=TYPE, body=content(method)), alice, bob)
        exchange(callee.request(method, headers=TYPE, body=content(method)), bob, alice)


def test_any_content_passes_in_a_dialog_that_is_early(cores):
    """PRACK (RFC 3262) acknowledges a provisional response, before there is a call."""
    alice, bob = cores
    caller, _, invite = begin_call(alice, bob, 183, "Session Progress")
    prack = caller.request("PRACK", headers=TYPE + [("RAck", "1 1 INVITE")], body=content("PRACK"))
    got, _ = exchange(prack, alice, bob)
    assert got.get("RAck") == "1 1 INVITE"
    bob.incoming.answer(invite, 486, "Busy Here", tag="t1")
    alice.out.expect(486, call_id=caller.call_id)
