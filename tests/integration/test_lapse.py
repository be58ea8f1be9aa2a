"""What DNS proved is over and DNS is silent: a live connection carries nothing new for that identity,
and what belongs to calls in progress goes on (design section 2: stale data never proves an
identity)."""

import time
from signal import SIGCONT, SIGSTOP

import pytest

from lab.lab import Lab
from lab.plan import TLS_PORT
from lab.sip import Dialog, StreamAgent, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
TTL_S = 3
LIMIT_S = 40


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    """Keys in DNS (DANE) prove both edges, for a short time."""
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.make_dns(ttl=TTL_S)
        for operator in plan.operators:
            made.make_edge(operator, workers=1)
        made.start()
        made.provision()
        yield made


def answer_to(sender, uri, caller, callee, to=None):
    """The final answer to a new MESSAGE; `callee` takes it if it comes."""
    message = request("MESSAGE", uri, sender, caller)
    sender.send(message, to)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        came = callee.poll("MESSAGE", 0.02)
        if came:
            callee.answer(came, 200, "OK", tag="m1")
        answer = sender.poll(lambda m: not m.is_request and m.status >= 200, 0.02,
                             message.get("Call-ID"))
        if answer:
            return answer
    return pytest.fail("no final answer")


def answered(status, *args, **options):
    """Whatever the time it takes until the TTL is over, or until DNS is back."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        answer = answer_to(*args, **options)
        if answer.status == status:
            return answer
        time.sleep(0.2)
    return pytest.fail(f"never {status}, at last {answer} {answer.get('Warning')}")


def call(caller, callee, uri, sender, to=None):
    """Sets a call up. Returns both sides' dialogs."""
    invite = request("INVITE", uri, caller, sender)
    caller.send(invite, to)
    got = callee.expect("INVITE", 10)
    answer = callee.answer(got, 200, "OK", tag="c1", headers=[("Contact", f"<{callee.contact(uri)}>")])
    mine = Dialog.of_caller(caller, invite, caller.expect_final("INVITE", 10))
    caller.send(mine.request("ACK"), to)
    callee.expect("ACK", 10)
    return mine, Dialog.of_callee(callee, got, answer)


def passes(dialog, far, method, to=None):
    dialog.agent.send(dialog.request(method), to)
    far.answer(far.expect(method, 10), 200, "OK")
    assert dialog.agent.expect_final(method, 10).status == 200


@pytest.fixture
def silence(lab, alice, bob, inside_a):
    """The only upstream says nothing any more; afterwards it is back. Before, all is well again."""
    answered(200, alice, BOB, ALICE, bob, to=inside_a)
    yield lambda: lab.dns.unbound.send_signal(SIGSTOP)
    lab.dns.unbound.send_signal(SIGCONT)


def test_a_peer_is_admitted_nothing_new_and_its_calls_go_on(lab, outside_b, bob, silence):
    with StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-a"),
                             server_name="opb.example") as peer:
        dialog, _ = call(peer, bob, BOB, ALICE)
        mark = lab.edge_b.mark()
        silence()
        answer = answered(403, peer, BOB, ALICE, bob)
        assert "names the key of opa.example" in answer.get("Warning")
        line = lab.edge_b.wait_log(r" warning .*is not proven any more", mark)
        assert "opa.example" in line and "upstreams" in line
        passes(dialog, bob, "INFO")
        passes(dialog, bob, "BYE")
        assert not peer.closed


def test_a_peer_is_sent_nothing_new_and_our_calls_go_on(lab, alice, bob, inside_a, inside_b, silence):
    ours, theirs = call(alice, bob, BOB, ALICE, inside_a)
    silence()
    answer = answered(480, alice, BOB, ALICE, bob, to=inside_a)
    assert "names the key of opb.example" in answer.get("Warning")
    passes(ours, bob, "INFO", inside_a)
    passes(theirs, alice, "INFO", inside_b)
    passes(theirs, alice, "BYE", inside_b)


def test_all_is_proven_again_when_dns_is_back(lab, outside_b, bob, silence):
    with StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-a"),
                             server_name="opb.example") as peer:
        assert answer_to(peer, BOB, ALICE, bob).status == 200
        silence()
        answered(403, peer, BOB, ALICE, bob)
        lab.dns.unbound.send_signal(SIGCONT)
        answered(200, peer, BOB, ALICE, bob)
