"""What an operator sees of each request: one line of the log, as text or JSON."""

import json

import pytest

from lab.plan import SIP_PORT
from lab.sip import UdpAgent, ack_for, request

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"


@pytest.fixture(scope="module")
def lab(bare_lab, plan):
    """Edge A logs JSON, edge B text."""
    lab = bare_lab
    lab.make_edge(plan.a, more="log-format = json")
    lab.make_edge(plan.b)
    lab.start()
    lab.provision()
    return lab


def decided(edge, call_id):
    """What the log of an edge with JSON says of a call's requests."""
    with open(edge.path("log"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]  # every one is whole
    return [line for line in lines if line.get("call_id") == call_id and line["source"] == "proxy"]


def decided_text(edge, call_id):
    with open(edge.path("log"), encoding="utf-8") as file:
        return [line for line in file if " proxy: " in line and f"call_id={call_id}" in line]


def invite(alice, inside, uri=BOB, caller=ALICE):
    sent = request("INVITE", uri, alice, caller, to=uri)
    alice.send(sent, inside)
    return sent


def test_a_call_has_one_line_at_each_edge(lab, plan, alice, bob, inside_a):
    sent = invite(alice, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 180, "Ringing", tag="b")
    alice.expect(180)
    bob.answer(got, 200, "OK", tag="b", headers=[("Contact", bob.contact(BOB))])
    ok = alice.expect(200)
    alice.send(ack_for(sent, ok), inside_a)
    lab.edge_b.wait_log(f"proxy: answered INVITE .*call_id={sent.get('Call-ID')}")

    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert line["text"] == f"answered INVITE {BOB}"
    assert (line["method"], line["uri"], line["status"]) == ("INVITE", BOB, 200)
    assert (line["from"], line["to"]) == (ALICE, BOB)
    assert (line["direction"], line["peer"], line["tries"]) == ("out", "opb.example", 1)
    assert line["target"].endswith("/TLS") and plan.b.edge in line["target"]
    assert line["source"] == "proxy" and plan.a.phone in line["sender"]
    assert 0 <= line["sent_ms"] <= line["first_ms"] <= line["total_ms"]

    text, = decided_text(lab.edge_b, sent.get("Call-ID"))
    assert " direction=in peer=opa.example from=sip:alice@opa.example " in text
    assert f" target={plan.b.phone}/{plan.b.phone}:{SIP_PORT}/UDP tries=1 " in text
    assert " status=200 " in text and "method=" not in text


def test_a_refusal_has_one_line_that_says_why(lab, alice, inside_a):
    sent = invite(alice, inside_a, caller="sip:mallory@opc.example")
    alice.expect(403)
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert (line["result"], line["status"], line["from"]) == ("refused", 403,
                                                              "sip:mallory@opc.example")
    assert "opc.example" in line["why"] and "target" not in line


def test_a_request_that_nobody_answers_has_one_line_with_the_causes(lab, alice, inside_a):
    sent = invite(alice, inside_a, uri="sip:bob@nowhere.example")
    alice.expect(480, timeout_s=15)
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert (line["result"], line["level"]) == ("failed", "notice")
    assert "nowhere.example" in line["why"] and line["tries"] == 0 and "sent_ms" not in line


def test_a_flood_of_strangers_fills_no_log(lab, plan, inside_a):
    """Of 200 refusals about 20 have a line each."""
    with UdpAgent(plan.a.network + "77", SIP_PORT) as stranger:
        ids = set()
        for _ in range(200):
            sent = invite(stranger, inside_a)
            assert stranger.expect_final("INVITE", call_id=sent.get("Call-ID")).status == 403
            ids.add(sent.get("Call-ID"))
    with open(lab.edge_a.path("log"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    told = [line for line in lines if line.get("call_id") in ids and line["source"] == "proxy"]
    assert 1 <= len(told) <= 2 * 30  # each of two workers: a burst, and what a slow run refills
