"""Calls run to an address while it moves, to one host, from there to another, and back by an undo:
none is lost and none answered by a wrong one. How long each way lasts is measured by
`make bench-port`; here nothing depends on time."""

import time

import pytest

from lab.moving import CALLED, Moved, Moving
from lab.plan import SIP_PORT
from lab.sip import UdpAgent, ack_for, parameter, request

RATE = 40
AFTER_S = 1.5


@pytest.fixture(scope="module", params=[True, False], ids=["DNS", "302"])
def moving(request, plan):
    with Moving(plan, request.param) as made:
        request.node.lab = made.lab  # for conftest.py
        made.tool("b", "address", "add", CALLED)
        yield made


def call_out(moving, letter, callee):
    """The holder calls opd.example's user, from a host's core. Returns the answer's status."""
    side = moving.side(letter)
    with UdpAgent(side.phone, 0) as caller:
        invite = request("INVITE", f"sip:{moving.side('d').address}", caller, f"sip:{CALLED}")
        caller.send(invite, (side.edge, SIP_PORT))
        got = callee.poll("INVITE", 0.5, invite.get("Call-ID"))
        if got:
            callee.answer(got, 486, "Busy Here", tag="d1")
        last = caller.expect_final("INVITE", 10, invite.get("Call-ID"))
        caller.send(ack_for(invite, last), (side.edge, SIP_PORT))
        return last.status


def call_in(moving, caller):
    """So that opd.example knows where the address is. Returns who answered."""
    invite = request("INVITE", f"sip:{CALLED}", caller, f"sip:{moving.side('d').address}")
    caller.send(invite, (moving.side("d").edge, SIP_PORT))
    last = caller.expect_final("INVITE", 10, invite.get("Call-ID"))
    return parameter(last.get("To"), "tag").split("-")[0]


def test_the_new_host_calls_out_at_once_also_to_who_knew_the_old_one(moving):
    with UdpAgent(moving.side("d").phone, SIP_PORT) as agent:
        for old, new in (("b", "a"), ("a", "c"), ("c", "b")):
            assert call_in(moving, agent) == old
            assert (call_out(moving, old, agent), call_out(moving, new, agent)) == (486, 403)
            made = moving.move(old, new)
            moving.reaches(new, made["id"], "committed")
            assert call_out(moving, new, agent) == 486
            moving.reaches(old, made["id"], "committed")
            assert call_out(moving, old, agent) == 403


def test_no_call_is_lost_while_the_address_moves(moving):
    moving.call(RATE)
    moves, begin = [], time.time()
    for what, old, new in (("first", "b", "a"), ("second", "a", "c"), ("undo", "c", "a")):
        time.sleep(0.5)
        made = moving.undo("c", made) if what == "undo" else moving.move(old, new)
        moves.append(Moved(what, old, new, moving.committed(made["id"]), begin, 0))
        time.sleep(AFTER_S)
        moves[-1].end = begin = time.time()
    moving.hang_up()
    for moved in moves:
        moving.judge(moved)
        assert moved.calls > RATE and (moved.lost, moved.wrong) == (0, 0), moved
    assert not moving.strange()
    hosts = [call.host for call in moving.caller.calls.values()]
    assert {"a", "b", "c"} <= set(hosts) and hosts[-1] == "a"
