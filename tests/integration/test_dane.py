"""Trust by DNS (DANE): two operators with self-signed keys and signed zones alone, no CA between
them; keys that DNS does not name are nobody's, whatever CA vouches for them."""

from signal import SIGCONT, SIGSTOP

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import StreamAgent, StreamServer, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
NONE = "opx.example"  # a domain without any records


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()  # its CA is the only trust anchor of both
        made.pki.make_self_signed(Leaf("edge-a", sip=(plan.a.domain, NONE)))
        made.pki.make_self_signed(Leaf("edge-b", sip=(plan.b.domain,)))
        made.make_dns()  # with the keys of these two
        made.pki.make(Leaf("good-ca-a", sip=(plan.a.domain,)))
        made.pki.make(Leaf("good-ca-b", sip=(plan.b.domain,)))
        made.pki.make(Leaf("good-ca-x", sip=(NONE,)))
        made.pki.make(Leaf("good-ca-both", sip=(NONE, plan.a.domain)))
        made.pki.make_self_signed(Leaf("self-x", sip=(NONE,)))
        for operator in plan.operators:
            made.make_edge(operator, workers=1)
        made.start()
        made.provision()
        yield made


def message_passes(caller, inside, callee, text, sender):
    message = request("MESSAGE", text, caller, sender)
    caller.send(message, inside)
    callee.answer(callee.expect("MESSAGE"), 200, "OK", tag="b1")
    assert caller.expect_final("MESSAGE").status == 200


def test_keys_in_dns_are_all_that_two_operators_need(lab, alice, bob, inside_a, inside_b):
    for _ in range(2):
        message_passes(alice, inside_a, bob, BOB, ALICE)
        message_passes(bob, inside_b, alice, ALICE, BOB)
    for edge in (lab.edge_a, lab.edge_b):
        assert "refused" not in edge.log()


def test_a_call_goes_by_tls_on_one_connection(lab, alice, bob, inside_a):
    before = lab.edge_b.stats()["connections"]
    for _ in range(5):
        message_passes(alice, inside_a, bob, BOB, ALICE)
    assert lab.edge_b.stats()["connections"] == max(before, 1)


def caller(lab, outside, certificate):
    context = tls_context(lab.pki, certificate)
    return StreamAgent.connect(outside, context=context, server_name="opb.example")


def is_closed(agent, sender):
    try:
        agent.send(request("MESSAGE", BOB, agent, sender))
    except OSError:
        return True
    return agent.wait_closed() and not agent.inbox


def test_a_caller_whose_key_is_not_in_dns_is_refused_whatever_its_ca(lab, outside_b, bob):
    mark = lab.edge_b.mark()
    with caller(lab, outside_b, "good-ca-a") as agent:
        assert is_closed(agent, ALICE)
    line = lab.edge_b.wait_log(r"refused: ", mark)
    assert "TLSA records of opa.example" in line and "must publish the key" in line
    assert not bob.poll("MESSAGE", 0.2)


def answer_to(agent, sender):
    agent.send(request("MESSAGE", BOB, agent, sender))
    return agent.expect_final("MESSAGE", 6)


def test_a_certificate_proves_its_own_domain_and_no_other_that_it_names(lab, outside_b, bob):
    """Its key is that of opa.example, by DNS. It names opx.example too, and no CA issued it."""
    with caller(lab, outside_b, "edge-a") as agent:
        agent.send(request("MESSAGE", BOB, agent, ALICE))
        bob.answer(bob.expect("MESSAGE", 6), 200, "OK", tag="b1")
        assert agent.expect_final("MESSAGE").status == 200
        answer = answer_to(agent, f"sip:eve@{NONE}")
        assert answer.status == 403
        assert "opa.example" in answer.get("Warning")
        assert not bob.poll("MESSAGE", 0.2)


def test_a_self_signed_certificate_alone_proves_nothing(lab, outside_b):
    mark = lab.edge_b.mark()
    with caller(lab, outside_b, "self-x") as agent:
        assert is_closed(agent, f"sip:eve@{NONE}")
    assert "self-signed" in lab.edge_b.wait_log(r"refused: ", mark)


def test_where_dns_names_no_keys_a_ca_decides(lab, outside_b, bob):
    for certificate in ("good-ca-x", "good-ca-both"):
        with caller(lab, outside_b, certificate) as agent:
            agent.send(request("MESSAGE", BOB, agent, f"sip:eve@{NONE}"))
            bob.answer(bob.expect("MESSAGE", 6), 200, "OK", tag="b1")
            assert agent.expect_final("MESSAGE").status == 200
            assert answer_to(agent, ALICE).status == 403  # its key is not that of opa.example


@pytest.fixture
def without_dns(lab):
    lab.dns.unbound.send_signal(SIGSTOP)
    yield
    lab.dns.unbound.send_signal(SIGCONT)


def test_nothing_is_proven_while_dns_cannot_be_asked(lab, outside_b, without_dns):
    lab.edge_b.tool("dns", "purge", NONE)
    mark = lab.edge_b.mark()
    with caller(lab, outside_b, "good-ca-x") as agent:
        assert is_closed(agent, f"sip:eve@{NONE}")
    assert "could not be found out" in lab.edge_b.wait_log(r"refused: ", mark)


class TestPeers:
    @pytest.fixture
    def peer(self, lab):
        lab.edge_b.tool("peer", "add", NONE)
        yield lambda *args: lab.edge_b.tool("peer", "set", NONE, *args)
        lab.edge_b.tool("peer", "del", NONE)

    def passes(self, lab, outside_b, bob):
        with caller(lab, outside_b, "good-ca-x") as agent:
            agent.send(request("MESSAGE", BOB, agent, f"sip:eve@{NONE}"))
            bob.answer(bob.expect("MESSAGE", 6), 200, "OK", tag="b1")
            return agent.expect_final("MESSAGE").status == 200

    def test_a_peer_has_one_of_the_keys_that_it_is_pinned_to(self, lab, outside_b, bob, peer):
        own = lab.pki.fingerprint("good-ca-x")
        peer("--pin", "00" * 32)
        mark = lab.edge_b.mark()
        with caller(lab, outside_b, "good-ca-x") as agent:
            assert is_closed(agent, f"sip:eve@{NONE}")
        assert f"{NONE} is pinned to" in lab.edge_b.wait_log(r"refused: ", mark)
        peer("--pin", "00" * 32, "--pin", own)
        assert self.passes(lab, outside_b, bob)

    def test_a_blocked_peer_is_refused(self, lab, outside_b, bob, peer):
        peer("--blocked", "yes")
        mark = lab.edge_b.mark()
        with caller(lab, outside_b, "good-ca-x") as agent:
            assert is_closed(agent, f"sip:eve@{NONE}")
        assert f"{NONE} is blocked here" in lab.edge_b.wait_log(r"refused: ", mark)
        peer("--blocked", "no")
        assert self.passes(lab, outside_b, bob)


class TestFarEdge:
    """Edge B is replaced by a server with a certificate of the CA that both trust."""

    def test_a_far_edge_whose_key_is_not_in_dns_is_told_nothing(self, lab, plan, alice, inside_a):
        lab.edge_b.program.kill()
        context = tls_context(lab.pki, "good-ca-b", server=True)
        with StreamServer(plan.b.published, TLS_PORT, context) as server:
            alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
            far = server.accept()
            answer = alice.expect_final("MESSAGE", 14)
            with far:
                assert far.poll(lambda message: True, 0.2) is None
        assert answer.status == 480
        assert "TLSA records of opb.example" in answer.get("Warning")
