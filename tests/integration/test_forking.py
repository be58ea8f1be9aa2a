"""A Kamailio core rings two phones (SIPp) at once, and both answer: two dialogs for the caller,
through two edges (RFC 3261 13.2.2.4, 16.7 step 5; RFC 6026)."""

import os

import pytest

from lab.kamailio import ForkingCore
from lab.plan import SIP_PORT
from lab.sip import Dialog, parameter, request
from lab.sipp import SDP, Sipp, answer, answer_invite, pause, receive

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"


@pytest.fixture(scope="module")
def lab(bare_lab):
    operator = bare_lab.plan.b
    core = ForkingCore(operator, os.path.join(bare_lab.directory, "core"))
    core.configure()
    bare_lab.core = core
    bare_lab.make_edge(bare_lab.plan.a)
    bare_lab.make_edge(operator, core=core.uri)
    bare_lab.start()
    bare_lab.provision()
    core.start()
    bare_lab.cleanup.callback(core.program.stop)
    return bare_lab


@pytest.fixture
def phones(lab, tmp_path):
    """Both phones of bob's, as what they do says."""
    started = []

    def start(*steps):
        for number, (address, own) in enumerate(zip(lab.core.phones, steps)):
            started.append(Sipp(f"phone-{number}", str(tmp_path), address, own))
            started[-1].start()
        return started

    yield start
    for phone in started:
        phone.stop()


def ended_by_caller():
    return [receive("ACK"), receive("BYE"), answer(200, "OK", tag=None)]


def quick(tag):
    return [receive("INVITE"), answer(180, "Ringing", tag=tag), pause(300),
            answer(200, "OK", body=SDP, tag=tag, retransmit_ms=500), *ended_by_caller()]


def slow(tag, after_ms):
    """Its user picks up so long after the other's, whatever the CANCEL says."""
    return [receive("INVITE", keep_vias=True), answer(180, "Ringing", tag=tag),
            receive("CANCEL"), answer(200, "OK", tag=tag), pause(after_ms),
            answer_invite(200, "OK", "alice@opa.example", "bob@opb.example", body=SDP, tag=tag,
                          retransmit_ms=500), *ended_by_caller()]


@pytest.mark.parametrize("after_ms", [0, 3000], ids=["crossing its CANCEL",
                                                     "when the core has forgotten the call"])
def test_both_answers_of_a_forked_call_reach_the_caller(lab, phones, alice, inside_a, after_ms):
    started = phones(quick("first"), slow("second", after_ms))
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    for tag in ("first", "second"):
        answered = alice.expect(lambda message: message.status == 200
                                and parameter(message.get("To"), "tag") == tag, 8)
        dialog = Dialog.of_caller(alice, invite, answered)
        alice.send(dialog.request("ACK"), inside_a)
        alice.send(dialog.request("BYE"), inside_a)
        assert alice.expect_final("BYE").status == 200
    for phone in started:
        phone.finish()
