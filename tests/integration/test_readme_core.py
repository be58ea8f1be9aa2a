"""A Kamailio configured by README's own lines as the core of operator A: at an address of its own,
and at the edge's."""

import os
import re

import pytest

from lab.edge import source_root
from lab.kamailio import ListedCore
from lab.lab import Lab
from lab.plan import free_plan
from lab.process import wait_until
from lab.sip import Dialog, ack_for, request

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
MOVED = "sip:moved@opa.example"


@pytest.fixture(scope="module")
def listing():
    with open(os.path.join(source_root(), "README.md"), encoding="utf-8") as file:
        return re.search(r"\*\*Kamailio\*\*\n\n```\n(.*?)```", file.read(), re.DOTALL).group(1)


@pytest.fixture(scope="module")
def plan():
    return free_plan()


@pytest.fixture(scope="module", params=["a machine of its own", "the edge's machine"])
def lab(plan, listing, request):
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.make_dns()
        core = ListedCore(plan.a, os.path.join(made.directory, "core"), listing,
                          beside_edge=request.param == "the edge's machine")
        core.configure()
        made.core = core
        made.make_edge(plan.a, core=core.uri)
        made.make_edge(plan.b)
        made.start()
        made.provision()
        for edge in (made.edge_a, made.edge_b):
            edge.tool("address", "add", "moved@opa.example", "--hosting", "opb.example")
        made.edge_a.tool("address", "add", "dan@opa.example")
        core.program.start()
        made.cleanup.callback(core.program.stop)
        wait_until(core.ready, "the core listens", watch=[core.program])
        yield made


@pytest.fixture
def core(lab, alice):
    """Alice's phone is registered there."""
    place = (lab.core.address, lab.core.port)
    alice.send(request("REGISTER", "sip:opa.example", alice, ALICE, to=ALICE, headers=[
        ("Contact", f"<{alice.contact(ALICE)}>"), ("Expires", "600")]), place)
    assert alice.expect_final("REGISTER").status == 200
    return place


def talk(caller, way_out, callee, way_back, uri, address):
    """A call that the callee answers and ends."""
    invite = request("INVITE", uri, caller, address)
    caller.send(invite, way_out)
    got = callee.expect("INVITE")
    answer = callee.answer(got, 200, "OK", tag="t1", headers=[
        ("Contact", f"<{callee.contact(uri)}>")])
    back = caller.expect(200)
    caller.send(Dialog.of_caller(caller, invite, back).request("ACK"), way_out)
    callee.expect("ACK")
    callee.send(Dialog.of_callee(callee, got, answer).request("BYE"), way_back)
    caller.answer(caller.expect("BYE"), 200, "OK")
    assert callee.expect_final("BYE").status == 200
    return got


def refused(caller, way_out, uri, address):
    invite = request("INVITE", uri, caller, address)
    caller.send(invite, way_out)
    last = caller.expect_final("INVITE")
    caller.send(ack_for(invite, last), way_out)
    return last.status


def test_calls_pass_both_ways(core, alice, bob, inside_b):
    assert talk(alice, core, bob, inside_b, BOB, ALICE).uri == BOB
    talk(bob, inside_b, alice, core, ALICE, BOB)


def test_own_users_call_each_other_without_the_edge(lab, core, alice):
    mark = lab.edge_a.mark()
    alice.send(request("MESSAGE", ALICE, alice, ALICE), core)
    alice.answer(alice.expect("MESSAGE"), 200, "OK")
    assert alice.expect_final("MESSAGE").status == 200
    assert "MESSAGE" not in lab.edge_a.log(mark)


def test_an_own_user_who_is_not_registered_is_not_here(core, alice, bob, inside_b):
    assert refused(bob, inside_b, "sip:dan@opa.example", BOB) == 404
    assert refused(alice, core, "sip:dan@opa.example", ALICE) == 404


def test_an_own_user_who_moved_is_found(core, alice, bob, inside_b):
    assert talk(alice, core, bob, inside_b, MOVED, ALICE).uri.startswith(MOVED)
