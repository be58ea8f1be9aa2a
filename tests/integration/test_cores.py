"""Both cores are Kamailio with dispatcher: forwarded calls, and a peer that is down."""

import os

import pytest

from lab.kamailio import KamailioCore
from lab.plan import SIP_PORT
from lab.process import wait_until
from lab.sip import Dialog, ack_for, request

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
FORWARDED = "away"


@pytest.fixture(scope="module")
def lab(bare_lab):
    bare_lab.cores = {}
    for operator in bare_lab.plan.operators:
        core = KamailioCore(operator, os.path.join(bare_lab.directory, "core-" + operator.letter),
                            FORWARDED)
        core.configure()
        bare_lab.cores[operator.letter] = core
        bare_lab.make_edge(operator, core=core.uri)
    bare_lab.start()
    bare_lab.provision()
    for letter, core in bare_lab.cores.items():
        bare_lab.edges[letter].tool("address", "add", f"{FORWARDED}@{core.operator.domain}")
        core.start()
        bare_lab.cleanup.callback(core.program.stop)
    for edge in bare_lab.edges.values():  # the cores have asked whether it is there
        edge.wait_log("sent 200 OK side=inside .*OPTIONS")
    return bare_lab


@pytest.fixture
def core_a(lab):
    return (lab.cores["a"].address, SIP_PORT)


@pytest.fixture
def core_b(lab):
    return (lab.cores["b"].address, SIP_PORT)


def test_a_forwarded_call_is_a_new_one_of_the_caller(lab, alice, bob, core_a, core_b):
    """The called core answers 302, the caller's core calls whom it names, under its own caller."""
    invite = request("INVITE", f"sip:{FORWARDED}@opa.example", bob, BOB)
    bob.send(invite, core_b)
    got = alice.expect("INVITE")
    assert got.uri == ALICE
    assert got.get("From") == invite.get("From")
    answer = alice.answer(got, 200, "OK", tag="t1", headers=[
        ("Contact", f"<{alice.contact(ALICE)}>")])
    back = bob.expect(200)
    caller, callee = Dialog.of_caller(bob, invite, back), Dialog.of_callee(alice, got, answer)
    bob.send(caller.request("ACK"), core_b)
    alice.expect("ACK")
    alice.send(callee.request("BYE"), core_a)
    bob.answer(bob.expect("BYE"), 200, "OK")
    alice.expect_final("BYE")
    redirected = [hop.start for edge in "ab" for hop in lab.edges[edge].hops()
                  if hop.way == "sent" and hop.start.startswith("302")]
    assert len(redirected) == 2  # one by each edge: passed on, not followed


def call_in_vain(alice, core_a):
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, core_a)
    back = alice.expect_final("INVITE", 14)
    alice.send(ack_for(invite, back), core_a)
    return back.status


def test_a_peer_that_is_down_does_not_take_our_edge_out_of_service(lab, alice, bob, core_a):
    lab.edge_b.program.kill()
    for _ in range(3):
        assert call_in_vain(alice, core_a) == 480
    alice.send(request("MESSAGE", BOB, alice, ALICE), core_a)
    assert alice.expect_final("MESSAGE", 14).status == 480

    # the core of the dead edge does see it
    wait_until(lambda: lab.cores["b"].changes() == ["out of service"], "core B misses its edge")
    assert lab.cores["a"].changes() == []

    lab.edge_b.start()
    wait_until(lambda: lab.cores["b"].changes() == ["out of service", "in service"],
               "core B has its edge again")
    alice.send(request("MESSAGE", BOB, alice, ALICE), core_a)
    bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="t1")
    alice.expect(200)
