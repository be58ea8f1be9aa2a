"""With whom an edge talks, and how much: peering open, listed and closed, blocked peers, budgets. The
peers are the test."""

import contextlib

import pytest

from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.process import wait_until
from lab.sip import Dialog, Message, StreamAgent, ack_for, request, tls_context

ALICE = "sip:alice@opa.example"
ANN = "sip:ann@opa.example"
BOB = "sip:bob@opb.example"
CAROL = "sip:carol@opc.example"


@pytest.fixture(scope="module")
def lab(bare_lab):
    for domain in ("opc.example", "opd.example"):
        bare_lab.pki.make(Leaf(domain, sip=(domain,), dns=(domain,)))
    bare_lab.make_edge(bare_lab.plan.a, workers=2)
    bare_lab.start()
    bare_lab.provision()
    bare_lab.edge_a.tool("address", "add", "ann@opa.example")
    return bare_lab


@pytest.fixture
def edge(lab):
    """As it was before, afterwards."""
    edge = lab.edge_a
    yield edge
    for peer in edge.tool_json("peer", "list")["peers"]:
        edge.tool("peer", "del", peer["domain"])


@pytest.fixture
def configured(edge):
    """Starts the edge anew with other settings, or reloads it."""
    def configure(more, restart=False):
        edge.more = more
        edge.configure()
        mark = edge.mark()
        if restart:
            edge.restart(kill=True)
        else:
            edge.reload()
            edge.wait_log("junctord: reloaded", mark)

    yield configure
    configure("", restart=True)


@contextlib.contextmanager
def connected(lab, certificate="opc.example"):
    with StreamAgent.connect((lab.plan.a.edge, TLS_PORT), source=lab.plan.b.network + "9",
                             context=tls_context(lab.pki, certificate),
                             server_name="opa.example") as agent:
        yield agent


def gets_nowhere(lab, certificate):
    try:
        with connected(lab, certificate) as agent:
            return agent.wait_closed()
    except OSError:
        return True


def asks(agent, sender=CAROL, uri=ALICE, method="MESSAGE"):
    """The final answer to a request that the core does not see."""
    asked = request(method, uri, agent, sender)
    agent.send(asked)
    answer = agent.expect_final(method)
    if method == "INVITE":
        agent.send(ack_for(asked, answer))
    return answer


def passes(agent, alice, sender=CAROL):
    agent.send(request("MESSAGE", ALICE, agent, sender))
    alice.answer(alice.expect("MESSAGE"), 200, "OK", tag="a1")
    assert agent.expect_final("MESSAGE").status == 200


def call(agent, alice, sender=CAROL):
    """A call that is answered. Returns the caller's dialog."""
    invite = request("INVITE", ALICE, agent, sender)
    agent.send(invite)
    got = alice.expect("INVITE")
    alice.answer(got, 200, "OK", tag="a1",
                 headers=[("Contact", f"<sip:alice@{alice.address}:{alice.port}>")])
    dialog = Dialog.of_caller(agent, invite, agent.expect(200))
    agent.send(dialog.request("ACK"))
    alice.expect("ACK")
    return dialog


def refused(answer, status, *texts):
    assert answer.status == status
    for text in texts:
        assert text in answer.get("Warning")


# -- peering --------------------------------------------------------------------------------------


def test_an_open_edge_takes_whoever_proves_a_domain(lab, edge, alice):
    with connected(lab) as carol:
        passes(carol, alice)


def test_a_listed_edge_takes_those_in_its_list(lab, edge, configured, alice):
    configured('peering = "listed"')
    with connected(lab) as carol:
        refused(asks(carol), 403, "opc.example is not among the peers", "listed")
        assert not alice.poll("MESSAGE", 0.1)
        edge.tool("peer", "add", "opc.example")
        passes(carol, alice)
        edge.tool("peer", "del", "opc.example")
        refused(asks(carol), 403, "listed")


def test_a_closed_edge_takes_nobody(lab, edge, configured):
    edge.tool("peer", "add", "opc.example")
    configured('peering = "closed"')
    with connected(lab) as carol:
        refused(asks(carol), 403, "closed")


@pytest.mark.parametrize("more, says", [
    ('peering = "listed"', "opb.example is not among the peers"),
    ('peering = "closed"', "closed"),
])
def test_the_same_holds_for_our_own_calls(lab, edge, configured, alice, inside_a, more, says):
    configured(more)
    alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
    refused(alice.expect_final("MESSAGE"), 403, says)


def test_nothing_comes_from_or_goes_to_a_blocked_peer(lab, edge, alice, inside_a):
    with connected(lab) as carol:
        edge.tool("peer", "add", "opc.example", "--blocked", "yes")
        refused(asks(carol), 403, "opc.example is blocked here")
    assert gets_nowhere(lab, "opc.example")
    edge.tool("peer", "add", "opb.example", "--blocked", "yes")
    alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
    refused(alice.expect_final("MESSAGE"), 403, "opb.example is blocked here")


def test_a_call_that_runs_may_end_when_its_peer_is_blocked(lab, edge, alice):
    with connected(lab) as carol:
        dialog = call(carol, alice)
        edge.tool("peer", "add", "opc.example", "--blocked", "yes")
        refused(asks(carol), 403, "blocked")
        carol.send(dialog.request("BYE"))
        alice.answer(alice.expect("BYE"), 200, "OK")
        carol.expect_final("BYE")


def test_a_dialog_is_no_way_around_a_block(lab, edge, alice):
    with connected(lab) as carol:
        dialog = call(carol, alice)
        edge.tool("peer", "add", "opc.example", "--blocked", "yes")
        refused(asks(carol), 403, "blocked")
        for method in ("MESSAGE", "INVITE", "INFO", "PRACK"):
            carol.send(dialog.request(method))
            refused(carol.expect_final(method), 403, "opc.example is blocked here")


def in_dialog(agent, dialog, method, uri):
    """The final answer to a request with the dialog's token for another Request-URI."""
    dialog.target = uri
    agent.send(dialog.request(method))
    return agent.expect_final(method)


def test_a_dialog_leads_to_no_address_that_is_closed_outside_of_it(lab, edge, alice):
    edge.tool("address", "add", "closed@opa.example")
    edge.tool("address", "set", "closed@opa.example", "--blocked", "yes")
    edge.tool("address", "add", "gone@opa.example", "--hosting", "opd.example")
    with connected(lab) as carol:
        dialog = call(carol, alice)
        for method in ("MESSAGE", "INVITE", "SUBSCRIBE"):
            refused(in_dialog(carol, dialog, method, "sip:nobody@opa.example"), 404, "no such")
            refused(in_dialog(carol, dialog, method, "sip:closed@opa.example"), 404, "no such")
            assert in_dialog(carol, dialog, method, "sip:gone@opa.example").status == 302
            refused(in_dialog(carol, dialog, method, "tel:+19005550000"), 404, "not routed here")
        dialog.routes = [*dialog.routes, f"<sip:{alice.address}:{alice.port};lr>"]
        refused(in_dialog(carol, dialog, "MESSAGE", "sip:closed@opa.example"), 404, "no such")
        for uri in ("sip:nobody@opa.example", "sip:phone@4xk2.invalid"):
            dialog.target = uri
            carol.send(dialog.request("INFO"))
            alice.answer(alice.expect("INFO"), 200, "OK")
            assert carol.expect_final("INFO").status == 200


def test_a_call_ends_whatever_its_contact_was(lab, alice):
    with connected(lab) as carol:
        dialog = call(carol, alice)
        dialog.target = "sip:nobody@opa.example"
        carol.send(dialog.request("BYE"))
        alice.answer(alice.expect("BYE"), 200, "OK")
        assert carol.expect_final("BYE").status == 200


def test_nobody_registers_from_outside(lab, alice):
    with connected(lab) as carol:
        for uri in ("sip:opa.example", ALICE):
            refused(asks(carol, uri=uri, method="REGISTER"), 403, "no registrar")
        dialog = call(carol, alice)
        refused(in_dialog(carol, dialog, "REGISTER", dialog.target), 403, "no registrar")
        refused(in_dialog(carol, dialog, "PUBLISH", dialog.target), 403, "not passed on")


# -- budgets --------------------------------------------------------------------------------------


def over_budget(answer, says):
    refused(answer, 503, says)
    assert 1 <= int(answer.get("Retry-After")) <= 60


def test_a_peer_that_sends_too_much_is_told_when_to_try_again(lab, edge, alice):
    edge.tool("peer", "add", "opc.example", "--requests", "5")
    mark = edge.mark()
    with connected(lab) as carol:
        for _ in range(90):
            carol.send(request("OPTIONS", "sip:nobody@opa.example", carol, CAROL))
        answers = [carol.expect_final("OPTIONS") for _ in range(90)]
        told = edge.log(mark).count(" status=503 direction=in peer=opc.example")
        assert 1 <= told <= 40 < sum(answer.status == 503 for answer in answers)
        assert {answer.status for answer in answers} == {404, 503}
        over_budget([answer for answer in answers if answer.status == 503][-1],
                    "opc.example sends more requests per second than it may")
    with connected(lab, "opd.example") as other:  # from the same address, and not its fault
        passes(other, alice, "sip:dan@opd.example")


def cancel_of(invite):
    headers = [(name, value) for name, value in invite.headers
               if name in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
    return Message(invite.start.replace("INVITE", "CANCEL", 1), headers + [("CSeq", "1 CANCEL")])


def spend(agent, message, count=40):
    """The statuses of the answers to so many of them."""
    sent = [message() for _ in range(count)]
    for one in sent:
        agent.send(one)
    return {agent.expect_final(one.method, call_id=one.get("Call-ID")).status for one in sent}


@pytest.mark.parametrize("asked, answer", [
    (lambda agent: request("OPTIONS", ALICE, agent, "sip:opc.example"), 200),  # a probe
    (lambda agent: request("OPTIONS", "sip:opa.example", agent, CAROL), 200),
    (lambda agent: cancel_of(request("INVITE", ALICE, agent, CAROL)), 200),  # of nothing
], ids=["probe", "options", "cancel"])
def test_what_the_edge_answers_itself_counts_among_a_peers_requests(lab, edge, configured, asked,
                                                                    answer):
    configured("", restart=True)  # nothing is spent
    edge.tool("peer", "add", "opc.example", "--requests", "5")
    with connected(lab) as carol:
        assert spend(carol, lambda: asked(carol)) == {answer, 503}
        over_budget(asks(carol), "opc.example sends more requests per second than it may")


def test_probes_are_no_first_contact(lab, edge, configured, alice):
    """Others cause them: whoever calls under a name of ours."""
    configured("limits { first-contact = 3 }", restart=True)
    with connected(lab) as carol:
        assert spend(carol, lambda: request("OPTIONS", ALICE, carol, "sip:opc.example"), 8) == {200}
        passes(carol, alice)


def test_a_call_is_cancelled_whatever_its_peer_has_spent(lab, edge, configured, alice):
    """Over each of its connections, whichever worker has that."""
    configured("", restart=True)
    edge.tool("peer", "add", "opc.example", "--requests", "4")
    with contextlib.ExitStack() as connections:
        carol, *others = [connections.enter_context(connected(lab)) for _ in range(7)]
        invites, rings = [request("INVITE", ALICE, carol, CAROL) for _ in others], []
        for invite in invites:
            carol.send(invite)
            rings.append(alice.expect("INVITE", call_id=invite.get("Call-ID")))
            alice.answer(rings[-1], 180, "Ringing", tag="a1")
            carol.expect(180)
        assert 503 in spend(carol, lambda: request("OPTIONS", "sip:opa.example", carol, CAROL))
        for invite, ring, other in zip(invites, rings, [carol, *others]):
            other.send(cancel_of(invite))
            alice.answer(alice.expect("CANCEL", call_id=invite.get("Call-ID")), 200, "OK")
            alice.answer(ring, 487, "Request Terminated", tag="a1")
            answer = other.expect_final("CANCEL")
            assert answer.status in ((200,) if other is carol else (200, 503))
            assert carol.expect_final("INVITE", call_id=invite.get("Call-ID")).status == 487


def test_a_dialog_is_no_way_around_the_budget(lab, edge, alice):
    edge.tool("peer", "add", "opc.example", "--requests", "5")
    with connected(lab) as carol:
        dialog = call(carol, alice)
        for _ in range(40):
            carol.send(dialog.request("INFO"))
        over_budget(carol.expect(503), "opc.example sends more requests per second than it may")
        carol.send(dialog.request("BYE"))
        alice.answer(alice.expect("BYE"), 200, "OK")
        assert carol.expect_final("BYE").status == 200


def test_an_address_is_called_so_often_by_dialogs_too(lab, edge, configured, alice):
    configured("limits { called-calls = 2 }", restart=True)
    with connected(lab) as carol:
        dialog = call(carol, alice)
        dialog.target = ALICE
        carol.send(dialog.request("INVITE"))
        alice.answer(alice.expect("INVITE"), 488, "Not Acceptable Here")
        assert carol.expect_final("INVITE").status == 488
        refused(in_dialog(carol, dialog, "INVITE", ALICE), 480, "more often than it may")


def test_a_peer_has_so_many_requests_under_way(lab, edge, alice):
    edge.tool("peer", "add", "opc.example", "--calls", "2")
    with connected(lab) as carol:
        invites = [request("INVITE", ALICE, carol, CAROL) for _ in range(2)]
        for invite in invites:
            carol.send(invite)
            alice.answer(alice.expect("INVITE"), 180, "Ringing", tag="a1")
            carol.expect(180)
        over_budget(asks(carol), "opc.example has as many requests under way here as it may")


def test_a_first_contact_grows_with_answered_calls(lab, edge, configured, alice):
    configured("limits { first-contact = 3 }", restart=True)
    with connected(lab) as carol:
        passes(carol, alice)  # a text, which is no call
        for _ in range(2):
            assert asks(carol, uri="sip:nobody@opa.example").status == 404
        over_budget(asks(carol), "opc.example is new here")
    with connected(lab, "opd.example") as dan:
        dialog = call(dan, alice, "sip:dan@opd.example")
        for _ in range(4):
            assert asks(dan, "sip:dan@opd.example", "sip:nobody@opa.example").status == 404
        dan.send(dialog.request("BYE"))
        alice.answer(alice.expect("BYE"), 200, "OK")
        assert dan.expect_final("BYE").status == 200
    edge.tool("peer", "add", "opc.example")
    with connected(lab) as carol:  # somebody vouches for it now
        passes(carol, alice)


def test_an_answer_that_is_repeated_is_one_answer(lab, configured, alice):
    configured("limits { first-contact = 3 }", restart=True)
    with connected(lab) as carol:
        invite = request("INVITE", ALICE, carol, CAROL)
        carol.send(invite)
        got = alice.expect("INVITE")
        for _ in range(6):
            alice.answer(got, 200, "OK", tag="a1", headers=[("Contact", f"<{ALICE}>")])
            carol.expect(200)
        # 3 in a minute, and 3 for the call: it was one of these itself
        for _ in range(5):
            assert asks(carol, uri="sip:nobody@opa.example").status == 404
        over_budget(asks(carol), "opc.example is new here")


def test_one_address_is_called_so_often(lab, edge, configured, alice):
    configured("limits { called-calls = 2 }", restart=True)
    with connected(lab) as carol:
        for user in ("alice", "%61LICE"):
            carol.send(request("INVITE", f"sip:{user}@opa.example", carol, CAROL))
            got = alice.expect("INVITE")
            alice.answer(got, 486, "Busy Here", tag="a1")
            assert carol.expect_final("INVITE").status == 486
        refused(asks(carol, method="INVITE"), 480,
                "opc.example calls this address more often than it may")
        carol.send(request("INVITE", ANN, carol, CAROL))
        alice.answer(alice.expect(lambda m: m.method == "INVITE" and "ann@" in m.uri), 486,
                     "Busy Here", tag="a1")
        assert carol.expect_final("INVITE").status == 486


# -- bans -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def banned(edge, source):
    edge.tool("ban", "add", source, "--reason", "the test says so")
    yield
    edge.tool("ban", "del", source)


def test_a_ban_shuts_an_address_out_but_not_who_is_in_good_standing_there(lab, edge, configured,
                                                                          alice):
    configured("", restart=True)
    source = lab.plan.b.network + "9"
    with connected(lab) as carol, connected(lab, "opd.example") as dan:
        call(carol, alice)
        with banned(edge, source):
            passes(carol, alice)  # the connection that is up
            with connected(lab) as again:  # and a new one
                passes(again, alice)
            try:
                dan.send(request("MESSAGE", ALICE, dan, "sip:dan@opd.example"))
            except OSError:
                pass
            assert dan.wait_closed()
            assert gets_nowhere(lab, "opd.example")
    assert not alice.poll("MESSAGE", 0.1)  # of what came after the ban
    with connected(lab, "opd.example") as dan:
        passes(dan, alice, "sip:dan@opd.example")


def test_whoever_fails_too_often_is_banned(lab, edge, configured):
    configured("limits { source-failures = 3 ban-s = 1000 }", restart=True)
    source = lab.plan.b.network + "66"
    for _ in range(4):
        assert not edge.tool_json("ban", "list")["bans"]
        with StreamAgent.connect((lab.plan.a.edge, TLS_PORT), source=source) as stranger:
            stranger.send(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.wait_closed()
    ban, = edge.tool_json("ban", "list")["bans"]
    assert ban["source"] == source and ban["automatic"]
    assert "more than 3 failures in a minute" in ban["reason"]
    edge.tool("ban", "del", source)


def test_whoever_keeps_exceeding_a_budget_is_banned_but_not_a_good_peer_there(lab, edge, configured,
                                                                              alice):
    configured("limits { source-handshakes = 2 source-excess-s = 1 ban-s = 1000 }", restart=True)
    source = lab.plan.b.network + "9"
    with connected(lab) as carol:
        call(carol, alice)

        def flooded():
            for _ in range(20):  # four times two for a source where somebody is in good standing
                with StreamAgent.connect((lab.plan.a.edge, TLS_PORT), source=source):
                    pass
            return edge.tool_json("ban", "list")["bans"]

        mark = edge.mark()
        wait_until(flooded, "the flood's source is banned")
        edge.wait_log(f"{source}: banned for 1000 s, too many new connections", mark)
        ban, = edge.tool_json("ban", "list")["bans"]
        assert ban["source"] == source and ban["automatic"]
        assert ban["reason"].endswith("more than 2 new connections")
        passes(carol, alice)
        edge.tool("ban", "del", source)
    assert not edge.tool_json("ban", "list")["bans"]


def test_what_is_refused_is_counted(lab, edge):
    before = edge.tool_json("status")["edge"]["refused"]
    with connected(lab) as carol:
        edge.tool("peer", "add", "opc.example", "--blocked", "yes")
        refused(asks(carol), 403, "blocked")
    assert edge.tool_json("status")["edge"]["refused"] == before + 1
