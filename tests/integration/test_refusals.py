"""What an edge answers by itself, and what it refuses."""

import time

import pytest

from lab.plan import TLS_PORT
from lab.sip import (StreamAgent, StreamServer, UdpAgent, ack_for, parameter, request, response,
                     tls_context)

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"


@pytest.fixture(scope="module")
def lab(raw_lab):
    return raw_lab


@pytest.fixture
def peer(lab, outside_b):
    """A peer of edge B that proves opa.example and is a test."""
    agent = StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-a"),
                                server_name="opb.example")
    with agent:
        yield agent


def ask(agent, message, to=None, timeout_s=3.0):
    """The final response to a request; an INVITE's failure is acknowledged."""
    agent.send(message, to)
    answer = agent.expect_final(message.method, timeout_s, message.get("Call-ID"))
    if message.method == "INVITE" and answer.status >= 300:
        agent.send(ack_for(message, answer), to)
    return answer


# -- from the core ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "NEWFANGLED"])
def test_an_unknown_address_at_the_far_side_is_404_within_a_second(lab, alice, inside_a, method):
    began = time.monotonic()
    answer = ask(alice, request(method, "sip:nobody@opb.example", alice, ALICE), inside_a)
    assert answer.status == 404
    assert time.monotonic() - began < 1.0


def test_an_unknown_address_of_our_own_is_404(lab, alice, inside_a):
    began = time.monotonic()
    answer = ask(alice, request("INVITE", "sip:nobody@opa.example", alice, ALICE), inside_a)
    assert answer.status == 404
    assert time.monotonic() - began < 1.0


def test_a_call_back_to_the_core_it_came_from_is_404(lab, alice, inside_a):
    answer = ask(alice, request("INVITE", ALICE, alice, ALICE), inside_a)
    assert answer.status == 404


@pytest.mark.parametrize("sender", ["sip:eve@opc.example", "sip:nobody@opa.example",
                                    "sip:bob@opb.example"])
def test_a_caller_who_is_not_ours_is_403_with_the_remedy(lab, alice, inside_a, sender):
    answer = ask(alice, request("INVITE", BOB, alice, sender), inside_a)
    assert answer.status == 403
    assert answer.get("Warning").startswith("399 ")


def test_a_source_that_is_no_core_is_not_served(lab, plan, inside_a):
    with UdpAgent(plan.a.network + "99", 5060) as stranger:
        message = request("INVITE", BOB, stranger, ALICE)
        stranger.send(message, inside_a)
        assert not stranger.poll(lambda m: not m.is_request and 100 <= m.status < 300, 1.0)


def test_max_forwards_zero_is_483(lab, alice, inside_a):
    answer = ask(alice, request("INVITE", BOB, alice, ALICE, max_forwards=0), inside_a)
    assert answer.status == 483


@pytest.mark.parametrize("uri", ["sip:{edge}:5060", "sip:opa.example"])
def test_options_to_the_edge_is_answered_by_it(lab, plan, alice, inside_a, uri):
    answer = ask(alice, request("OPTIONS", uri.format(edge=plan.a.edge), alice, ALICE), inside_a)
    assert answer.status == 200


def test_an_address_without_a_name_has_no_identity(lab, plan, alice, inside_a):
    answer = ask(alice, request("INVITE", f"sip:bob@{plan.b.edge}", alice, ALICE), inside_a)
    assert answer.status == 403


def test_a_domain_that_does_not_exist_is_told_apart_from_503(lab, alice, inside_a):
    answer = ask(alice, request("INVITE", "sip:bob@nix.example", alice, ALICE), inside_a, 6)
    assert answer.status in (404, 480)
    assert "nix.example" in answer.get("Warning")


def test_a_refusal_keeps_nothing_and_absorbs_its_ack(lab, alice, inside_a):
    """RFC 3261 8.2.7: the same request gets the same To tag, no 100 comes before, and the ACK
    disappears."""
    before = lab.edge_a.stats()["transactions"]
    invite = request("INVITE", "sip:nobody@opa.example", alice, ALICE)
    tags = set()
    for _ in range(3):
        alice.send(invite, inside_a)
        answer = alice.expect(lambda message: not message.is_request)
        assert answer.status == 404  # the first that comes: no 100 Trying
        tags.add(parameter(answer.get("To"), "tag"))
    assert len(tags) == 1 and None not in tags
    alice.send(ack_for(invite, answer), inside_a)
    assert not alice.poll(lambda message: True, 0.7)  # T1 is 0.5 s: no retransmission either
    assert lab.edge_a.stats()["transactions"] <= before


# -- from a peer --------------------------------------------------------------------------------


def test_a_proven_peer_reaches_our_core(lab, peer, bob):
    peer.send(request("MESSAGE", BOB, peer, ALICE, body=b"hi"))
    got = bob.expect("MESSAGE")
    assert got.body == b"hi"
    bob.answer(got, 200, "OK", tag="b1")
    assert peer.expect(200).cseq_method == "MESSAGE"


def test_an_unknown_address_asked_by_a_peer_is_404(lab, peer):
    assert ask(peer, request("INVITE", "sip:nobody@opb.example", peer, ALICE)).status == 404


@pytest.mark.parametrize("uri", [ALICE, "sip:carol@opc.example", "sip:bob@127.0.0.1"])
def test_no_relay_from_peer_to_peer(lab, peer, uri):
    assert ask(peer, request("INVITE", uri, peer, ALICE)).status == 403


def test_a_peer_speaks_for_its_own_domain_only(lab, peer, bob):
    answer = ask(peer, request("INVITE", BOB, peer, "sip:eve@opc.example"))
    assert answer.status == 403
    assert "opc.example" in answer.get("Warning")
    assert not bob.poll("INVITE", 0.2)


def test_a_preloaded_route_is_403(lab, plan, peer, bob):
    routes = [("Route", f"<sip:opb.example;transport=tls;lr>, <sip:{plan.b.phone};lr>")]
    answer = ask(peer, request("INVITE", BOB, peer, ALICE, headers=routes))
    assert answer.status == 403
    assert not bob.poll("INVITE", 0.2)


def test_a_route_to_ourselves_alone_is_no_relay(lab, peer, bob):
    routes = [("Route", "<sip:opb.example;transport=tls;lr>")]
    peer.send(request("MESSAGE", BOB, peer, ALICE, headers=routes))
    got = bob.expect("MESSAGE")
    assert not got.all("Route")
    bob.answer(got, 200, "OK", tag="b1")
    peer.expect(200)


def test_maddr_is_403(lab, plan, peer, bob):
    answer = ask(peer, request("INVITE", f"{BOB};maddr={plan.b.phone}", peer, ALICE))
    assert answer.status == 403
    assert not bob.poll("INVITE", 0.2)


@pytest.mark.parametrize("scheme", ["sip", "sips"])
def test_another_name_of_somebody_elsewhere_is_told_in_the_scheme_of_the_question(lab, peer, scheme):
    """A sips: URI must not become a sip: one (RFC 3261 26.2.2)."""
    lab.edge_b.tool("address", "add", f"{scheme}.alias@opb.example", "--state", "alias", "--target",
                    "carol@elsewhere.example")
    answer = ask(peer, request("INVITE", f"{scheme}:{scheme}.alias@opb.example", peer, ALICE))
    assert answer.status == 302
    assert answer.all("Contact") == [f"<{scheme}:carol@elsewhere.example>"]


@pytest.mark.parametrize("uri", [BOB + ":9999", BOB + ";transport=tcp"])
def test_port_and_transport_of_our_own_domain_choose_no_target(lab, peer, bob, uri):
    peer.send(request("MESSAGE", uri, peer, ALICE))
    got = bob.expect("MESSAGE")
    assert got.uri == uri
    bob.answer(got, 200, "OK", tag="b1")
    peer.expect(200)


def test_options_without_user_from_a_proven_peer_is_200(lab, peer):
    assert ask(peer, request("OPTIONS", "sip:opb.example", peer, ALICE)).status == 200


def test_a_forged_dialog_token_opens_no_way_in(lab, plan, peer, bob):
    """A request in a dialog that never was, with a Route that looks like ours."""
    bye = request("BYE", f"sip:bob@{plan.b.phone}:5060", peer, ALICE,
                  headers=[("Route", "<sip:AAAAAAAAAAAAAAAAAAAAAAAA@opb.example;transport=tls;lr>")])
    bye.headers = [(name, value + ";tag=b" if name == "To" else value)
                   for name, value in bye.headers]
    answer = ask(peer, bye)
    assert answer.status in (403, 404, 481)
    assert not bob.poll("BYE", 0.2)


# -- the far side is not well -------------------------------------------------------------------


class TestFarSideDown:
    """Edge B is stopped; these run last in this module."""

    @pytest.fixture(scope="class", autouse=True)
    def without_edge_b(self, lab):
        lab.edge_b.program.kill()
        yield

    def test_nobody_listens(self, lab, alice, inside_a):
        began = time.monotonic()
        answer = ask(alice, request("INVITE", BOB, alice, ALICE), inside_a, 14)
        assert answer.status == 480
        warning = answer.get("Warning")
        assert "opb.example" in warning and "refused" in warning.lower()
        assert time.monotonic() - began < 12

    def test_someone_listens_and_says_nothing(self, lab, plan, alice, inside_a):
        with StreamServer(plan.b.published, TLS_PORT):
            began = time.monotonic()
            answer = ask(alice, request("INVITE", BOB, alice, ALICE), inside_a, 14)
            assert answer.status == 480
            assert "opb.example" in answer.get("Warning")
            assert time.monotonic() - began < 12

    def test_someone_answers_503(self, lab, plan, alice, inside_a):
        context = tls_context(lab.pki, "edge-b", server=True)
        with StreamServer(plan.b.published, TLS_PORT, context) as server:
            invite = request("INVITE", BOB, alice, ALICE)
            alice.send(invite, inside_a)
            with server.accept() as far:
                got = far.expect("INVITE")
                far.send(response(got, 503, "Service Unavailable", tag="b1"))
                answer = alice.expect_final("INVITE", 14)
                alice.send(ack_for(invite, answer), inside_a)
                assert answer.status == 480
                assert "503" in answer.get("Warning")

    def test_a_message_hears_it_too(self, lab, alice, inside_a):
        answer = ask(alice, request("MESSAGE", BOB, alice, ALICE), inside_a, 14)
        assert answer.status == 480
        assert "opb.example" in answer.get("Warning")

    def test_it_works_again_when_edge_b_is_back(self, lab, alice, bob, inside_a):
        lab.edge_b.start()
        lab.edge_b.wait_ready()
        deadline = time.monotonic() + 15
        got = None
        while got is None:  # a failed target is avoided for a while, then tested
            assert time.monotonic() < deadline
            alice.send(request("MESSAGE", BOB, alice, ALICE, body=b"again"), inside_a)
            got = bob.poll("MESSAGE", 0.5)
        bob.answer(got, 200, "OK", tag="b1")
        alice.expect(200)
