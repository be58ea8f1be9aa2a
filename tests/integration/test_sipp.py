"""What goes wrong in calls: SIPp as the caller's and as the callee's core, two edges in between."""

import contextlib

import pytest

from lab.plan import SIP_PORT
from lab.sipp import (SDP, Sipp, ack_of_failure, answer, answer_invite, cancel, from_callee, pause,
                      provisional, receive, request, within)

ALICE, BOB = "alice@opa.example", "bob@opb.example"
INVITE = request("INVITE", ALICE, BOB, body=SDP)
ANSWER = answer(200, "OK", body=SDP, retransmit_ms=500)
ANSWER_LATE = answer_invite(200, "OK", ALICE, BOB, body=SDP, retransmit_ms=500)
HANG_UP = ([within("BYE", 9, ALICE, BOB), receive(200)],
           [receive("BYE"), answer(200, "OK", tag=None)])


def uri(address, transport):
    return f"sip:{address}:{SIP_PORT};transport={transport}"


def set_cores_b(lab, transport, *addresses):
    lab.cores_b = addresses
    cores = [option for address in addresses for option in ("--core", uri(address, transport))]
    lab.edge_b.tool("domain", "set", lab.plan.b.domain, *cores)


@pytest.fixture(scope="module", params=["udp", "tcp"])
def transport(request, raw_lab, plan):
    """Between edges and cores."""
    raw_lab.edge_a.tool("domain", "set", plan.a.domain, "--core", uri(plan.a.phone, request.param))
    set_cores_b(raw_lab, request.param, plan.b.phone)
    return request.param


@pytest.fixture
def play(raw_lab, plan, transport, tmp_path):
    """Plays a scenario of the caller's against those of the callee's cores; all must go as
    written. Returns the call's messages as the edges saw them."""
    with contextlib.ExitStack() as stack:
        def run(caller, *callees):
            marks = {edge: edge.mark() for edge in raw_lab.edges.values()}
            players = [Sipp(f"callee-{number}", str(tmp_path), address, steps, transport=transport)
                       for number, (address, steps) in enumerate(zip(raw_lab.cores_b, callees))]
            players.append(Sipp("caller", str(tmp_path), plan.a.phone, caller,
                                (plan.a.edge, SIP_PORT), transport))
            for player in players:
                stack.callback(player.stop)
                player.start()
            for player in reversed(players):
                player.finish()
            return [hop for edge, mark in marks.items() for hop in edge.hops(mark)]
        yield run


@pytest.fixture
def two_cores(raw_lab, plan, transport):
    """Others than the usual one, which may have become one to avoid by the end of its SIPp."""
    set_cores_b(raw_lab, transport, plan.b.network + "11", plan.b.network + "12")
    yield
    set_cores_b(raw_lab, transport, plan.b.phone)


def call_answered(*steps_between):
    """The caller's part of a call that is answered."""
    return [INVITE, provisional(), receive(200), *steps_between, within("ACK", 1, ALICE, BOB)]


@pytest.mark.parametrize("status, reason", [(404, "Not Found"), (486, "Busy Here"),
                                            (603, "Decline")])
def test_a_refusal(play, status, reason):
    play([INVITE, provisional(), receive(status), ack_of_failure(ALICE, BOB)],
         [receive("INVITE"), answer(180, "Ringing"), answer(status, reason), receive("ACK")])


def test_a_redirect_is_passed_back(play):
    contact = "Contact: <sip:assistant@elsewhere.example>;q=0.5"
    hops = play([INVITE, provisional(), receive(302), ack_of_failure(ALICE, BOB)],
                [receive("INVITE"), answer(302, "Moved Temporarily", [contact]), receive("ACK")])
    assert [hop.side for hop in hops if hop.start.startswith("302") and hop.way == "sent"] \
        == ["inside", "outside"]


RING = [receive("INVITE", keep_vias=True), answer(180, "Ringing")]
CANCELLED = [receive("CANCEL"), answer(200, "OK")]
GIVE_UP = [INVITE, receive(100, optional=True), receive(180), pause(200), cancel(ALICE, BOB)]


def test_no_answer_and_the_caller_gives_up(play):
    play(GIVE_UP + [receive(200), receive(487), ack_of_failure(ALICE, BOB)],
         RING + CANCELLED + [answer_invite(487, "Request Terminated", ALICE, BOB), receive("ACK")])


def test_an_answer_that_crosses_the_cancel_is_a_call(play):
    play(GIVE_UP + [receive(200), receive(200), within("ACK", 1, ALICE, BOB)] + HANG_UP[0],
         RING + CANCELLED + [ANSWER_LATE, receive("ACK")] + HANG_UP[1])


@pytest.mark.parametrize("transport", ["udp"], indirect=True)  # SIPp repeats nothing over TCP
def test_an_answer_is_repeated_until_it_is_acknowledged(play):
    hops = play(call_answered(pause(1800)) + HANG_UP[0],
                [receive("INVITE"), ANSWER, receive("ACK")] + HANG_UP[1])
    for edge in "ab":
        repeated = [hop for hop in hops if hop.edge == edge and hop.way == "sent"
                    and hop.start.startswith("200") and hop.cseq.endswith("INVITE")]
        assert len(repeated) >= 3


def test_a_core_that_answers_503_is_passed_over(play, two_cores):
    play(call_answered() + HANG_UP[0],
         [receive("INVITE"), answer(503, "Service Unavailable"), receive("ACK")],
         [receive("INVITE"), ANSWER, receive("ACK")] + HANG_UP[1])


def test_provisional_answers_are_acknowledged_and_the_session_is_changed(play):
    """RFC 3262 and 3311."""
    play([INVITE, receive(100, optional=True), receive(183),
          within("PRACK", 2, ALICE, BOB, ["RAck: 17 1 INVITE"]), receive(200),
          within("UPDATE", 3, ALICE, BOB, body=SDP), receive(200),
          receive(200), within("ACK", 1, ALICE, BOB)] + HANG_UP[0],
         [receive("INVITE", keep_vias=True),
          answer(183, "Session Progress", ["Require: 100rel", "RSeq: 17"], body=SDP),
          receive("PRACK"), answer(200, "OK", tag=None),
          receive("UPDATE"), answer(200, "OK", body=SDP, tag=None),
          ANSWER_LATE, receive("ACK")]
         + HANG_UP[1])


def test_a_message(play):
    play([request("MESSAGE", ALICE, BOB, body="good morning", content_type="text/plain"),
          receive(200)],
         [receive("MESSAGE"), answer(200, "OK")])


def test_a_subscription_and_its_notifications(play):
    state = {"headers": ["Event: presence", "Subscription-State: active;expires=60"]}
    play([request("SUBSCRIBE", ALICE, BOB, ["Event: presence", "Expires: 60"]), receive(202),
          receive("NOTIFY"), answer(200, "OK", tag=None),
          receive("NOTIFY"), answer(200, "OK", tag=None)],
         [receive("SUBSCRIBE"), answer(202, "Accepted", ["Expires: 60"]),
          from_callee("NOTIFY", 1, ALICE, BOB, **state), receive(200),
          from_callee("NOTIFY", 2, ALICE, BOB, **state), receive(200)])
