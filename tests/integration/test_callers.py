"""Whom a peer may speak for besides its own domain: the backward check of design section 3.4.

Three operators. dave@opb.example and erin@opb.example are customers that opb.example has ported out
to opa.example; opc.example is called and knows nothing of that."""

import hashlib
import time

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.sip import (Dialog, Message, StreamAgent, StreamServer, UdpAgent, ack_for, request,
                     tls_context)

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
CAROL = "sip:carol@opc.example"
DAVE = "sip:dave@opb.example"
NOBODY = "sip:anonymous@anonymous.invalid"

THIRD_ZONE = """\
opc           NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opc
_sips._tcp.opc SRV 10 10 {port} edge.opc
edge.opc      A {edge}
opd           NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opd
_sips._tcp.opd SRV 10 10 {port} edge.opd
edge.opd      A {other}
"""


# In opb.example's own zone, which is signed: where single addresses of it live.
RECORDS = """\
_sipaddr      TXT "v=sipaddr1"
{ruth}._sipaddr NAPTR 10 10 "" "SIP+host" "" opa.example.
{rolf}._sipaddr NAPTR 10 10 "" "SIP+host" "" opx.example.
"""


def label(user):
    return hashlib.sha256(user.encode()).hexdigest()[:56]


def third(plan):
    return Operator("c", "opc.example", "carol", plan.a.network.replace(".31.", ".33."), 660)


def other_software(plan):
    """Where opd.example's server is, which is no edge but a test."""
    return (plan.a.network.replace(".31.", ".34.") + "1", TLS_PORT)


@pytest.fixture(scope="module")
def lab(plan, request):
    operator = third(plan)
    with Lab(plan) as lab:
        request.node.lab = lab
        lab.make_pki()
        lab.pki.make(Leaf("edge-c", sip=(operator.domain,),
                          dns=(operator.domain, operator.edge_host)))
        lab.pki.make(Leaf("edge-d", sip=("opd.example",), dns=("opd.example",)))
        lab.make_dns(more=THIRD_ZONE.format(port=TLS_PORT, edge=operator.edge,
                                           other=other_software(plan)[0]))
        with open(lab.dns.path("opb.example.zone"), "a", encoding="ascii") as zone:
            zone.write(RECORDS.format(ruth=label("ruth"), rolf=label("rolf")))
        for side in (plan.a, plan.b, operator):
            # Many are asked about.
            lab.make_edge(side, workers=1, more="limits { first-contact = 0 }")
        lab.start()
        lab.provision()
        yield lab


def port(lab, name):
    """From opb.example to opa.example."""
    lab.edges["b"].tool("address", "add", name, "--hosting", "opa.example")
    lab.edges["a"].tool("address", "add", name, "--hosting", "opa.example")


@pytest.fixture(scope="module")
def dave(lab):
    port(lab, "dave@opb.example")
    return DAVE


@pytest.fixture
def carol(plan):
    with UdpAgent(third(plan).phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def outside_c(plan):
    return (third(plan).edge, TLS_PORT)


@pytest.fixture
def peer_a(lab, outside_c):
    """A peer of edge C that proves opa.example and is a test."""
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, "edge-a"),
                             server_name="opc.example") as agent:
        yield agent


@pytest.fixture
def peer_b(lab, outside_c):
    """The same for opb.example."""
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, "edge-b"),
                             server_name="opc.example") as agent:
        yield agent


def message_from(peer, caller, carol=None):
    """A MESSAGE to carol, who answers where she is to get it. Returns the final answer."""
    peer.send(request("MESSAGE", CAROL, peer, caller))
    if carol:
        carol.answer(carol.expect("MESSAGE"), 200, "OK", tag="c1")
    return peer.expect_final("MESSAGE", 8)


@pytest.fixture(autouse=True)
def refilled():
    """The budget of an authority: a test may ask two more times than one before it did."""
    time.sleep(0.34)


def questions(edge, since):
    """The OPTIONS that this edge got from other edges since then."""
    return [hop for hop in edge.hops(since)
            if hop.way == "recv" and hop.side == "outside" and hop.start.startswith("OPTIONS ")]


def place_call(alice, inside_a, callee, caller, called):
    invite = request("INVITE", called, alice, caller)
    alice.send(invite, inside_a)
    got = callee.expect("INVITE")
    answer = callee.answer(got, 200, "OK", tag="c1",
                           headers=[("Contact", f"<{callee.contact(called)}>")])
    dialog = Dialog.of_caller(alice, invite, alice.expect(200, call_id=invite.get("Call-ID")))
    alice.send(dialog.request("ACK"), inside_a)
    callee.expect("ACK", call_id=dialog.call_id)
    return dialog, Dialog.of_callee(callee, got, answer), got


def test_silence_takes_nothing_away_from_what_an_authority_said(lab, questioned, carol, peer_a,
                                                                peer_b):
    """Port data is remembered, though a later question, for somebody else, is not answered."""
    caller = "sip:remembered@opd.example"

    def asks(peer):
        peer.send(request("MESSAGE", CAROL, peer, caller))
        return questioned().expect("OPTIONS", 8)

    asked = asks(peer_a)
    questioned().answer(asked, 302, "Moved", tag="d1", headers=[
        ("Contact", "<sip:remembered%40opd.example@opa.example>;expires=300")])
    carol.answer(carol.expect("MESSAGE"), 200, "OK", tag="c1")
    assert peer_a.expect_final("MESSAGE").status == 200
    asked = asks(peer_b)  # who does not prove opa.example may have got it meanwhile
    questioned().answer(asked, 503, "Not now", tag="d2")
    assert peer_b.expect_final("MESSAGE").status == 403
    assert message_from(peer_a, caller, carol).status == 200
    assert not questioned().poll("OPTIONS", 0.2)


def test_the_authority_hears_its_ported_customer_without_asking(lab, dave, alice, bob, inside_a):
    mark = lab.edges["b"].mark()
    _, _, got = place_call(alice, inside_a, bob, dave, BOB)
    assert "dave@opb.example" in got.get("From")
    assert not questions(lab.edges["b"], mark)


def test_a_third_operator_asks_the_authority_once(lab, plan, dave, alice, carol, inside_a):
    mark = lab.edges["b"].mark()
    dialog, back, _ = place_call(alice, inside_a, carol, dave, CAROL)
    asked = questions(lab.edges["b"], mark)
    assert [hop.start for hop in asked] == ["OPTIONS sip:dave@opb.example"]
    assert asked[0].peer == "opc.example"
    lab.edges["b"].wait_log(r"sip: sent 302 .*cseq=\"1 OPTIONS\"", mark)

    # the dialog goes on, in both directions, and asks nobody
    alice.send(dialog.request("INFO"), inside_a)
    carol.answer(carol.expect("INFO"), 200, "OK")
    alice.expect(200)
    carol.send(back.request("BYE"), (third(plan).edge, SIP_PORT))
    alice.answer(alice.expect("BYE"), 200, "OK")
    carol.expect(200)

    place_call(alice, inside_a, carol, dave, CAROL)  # remembered
    assert len(questions(lab.edges["b"], mark)) == 1


def test_an_ordinary_call_asks_nobody(lab, alice, carol, inside_a):
    marks = {letter: edge.mark() for letter, edge in lab.edges.items()}
    place_call(alice, inside_a, carol, ALICE, CAROL)
    for letter, edge in lab.edges.items():
        assert not questions(edge, marks[letter])
    outside = [hop.start for hop in lab.edges["c"].hops(marks["c"]) if hop.side == "outside"
               and hop.way == "recv"]
    assert outside == ["INVITE sip:carol@opc.example", f"ACK {carol.contact(CAROL)}"]


def test_a_caller_whom_the_authority_serves_itself_is_refused(lab, carol, peer_a):
    mark = lab.edges["b"].mark()
    refused = None
    for _ in range(2):  # the second time from what was told just now
        peer_a.send(request("MESSAGE", CAROL, peer_a, BOB))
        refused = peer_a.expect_final("MESSAGE")
        assert refused.status == 403
    assert ("sip:bob@opb.example could not be verified: opb.example serves it and has not ported it "
            "out; this connection has proven opa.example") in refused.get("Warning")
    assert len(questions(lab.edges["b"], mark)) == 1
    lab.edges["c"].wait_log(r"refused MESSAGE .*status=403 .*peer=opa.example "
                            r"from=sip:bob@opb.example")
    assert not carol.poll("MESSAGE", 0.2)


def test_an_authority_does_not_speak_for_whom_it_ported_out(lab, dave, carol, peer_a, peer_b):
    """It is asked whether that is still so, for it may have come home; once in a while."""
    mark = lab.edges["b"].mark()
    assert message_from(peer_a, dave, carol).status == 200
    for asked in ("was asked and says", "said"):
        answer = message_from(peer_b, dave)
        assert answer.status == 403
        assert (f"its authority {asked} that opa.example serves it; this connection has proven "
                "opb.example" in answer.get("Warning"))
    assert message_from(peer_b, BOB, carol).status == 200
    assert len(questions(lab.edges["b"], mark)) <= 2


def test_an_authority_does_not_speak_for_whom_we_serve(lab, peer_b):
    lab.edges["c"].tool("address", "add", "gina@opb.example", "--hosting", "opc.example")
    answer = message_from(peer_b, "sip:gina@opb.example")
    assert answer.status == 403
    assert "our directory says that our own core serves it" in answer.get("Warning")


def test_a_former_customer_is_heard_from_where_he_moved(lab, carol, peer_a, peer_b):
    """From there without a question; his authority is believed too."""
    mark = lab.edges["b"].mark()
    lab.edges["c"].tool("address", "add", "moira@opb.example", "--state", "moved", "--hosting",
                        "opa.example")
    assert message_from(peer_a, "sip:moira@opb.example", carol).status == 200
    assert message_from(peer_b, "sip:moira@opb.example", carol).status == 200
    assert not questions(lab.edges["b"], mark)


def test_a_number_speaks_where_it_leads_to_the_peer(lab, carol, peer_a):
    """A proven domain proves no number."""
    lab.edges["c"].tool("address", "add", "nina@opb.example", "--state", "moved", "--hosting",
                        "opa.example")
    lab.edges["c"].tool("number", "add", "+4930555", "nina@opb.example")
    lab.edges["c"].tool("number", "add", "+4930556", "carol@opc.example")
    invite = request("INVITE", CAROL, peer_a, "tel:+49-30-555")
    invite.headers = [(name, f"<sip:gw@{peer_a.address}>" if name == "Contact" else value)
                      for name, value in invite.headers]
    peer_a.send(invite)
    got = carol.expect("INVITE")
    carol.answer(got, 200, "OK", tag="c1", headers=[("Contact", f"<{carol.contact(CAROL)}>")])
    dialog = Dialog.of_caller(peer_a, invite, peer_a.expect(200))
    peer_a.send(dialog.request("INFO"))  # in the dialog too
    carol.answer(carol.expect("INFO"), 200, "OK")
    assert peer_a.expect_final("INFO").status == 200
    for number, why in (("+4930556", "our own core serves it"),
                        ("+4930557", "leads to no address"), ("110", "no whole")):
        answer = message_from(peer_a, f"tel:{number}")
        assert answer.status == 403 and why in answer.get("Warning")


def test_an_asserted_number_passes_as_far_as_a_number_may(lab, carol, peer_a):
    """However it is written: what its core may dial is not what the peer's domain proves."""
    lab.edges["c"].tool("address", "add", "nora@opb.example", "--state", "moved", "--hosting",
                        "opa.example")
    lab.edges["c"].tool("number", "add", "+4930655", "nora@opb.example")
    lab.edges["c"].tool("number", "add", "+4930656", "carol@opc.example")
    for identity, passes in (("<sip:+4930655@opa.example;user=phone>", True),
                             ("<tel:+49-30-655>", True),
                             ("<sip:+4930656@opa.example;user=phone>", False),
                             ("<sip:+4930657@opa.example;User=Phone>", False),
                             ("<tel:+4930656>", False),
                             ("<sip:110@opa.example;user=phone>", False),
                             ("<sip:anna%40opb.example@opa.example>", False),
                             ("<sip:anna@opa.example>", True)):
        peer_a.send(request("MESSAGE", CAROL, peer_a, "sip:anna@opa.example",
                            headers=[("P-Asserted-Identity", identity)]))
        got = carol.expect("MESSAGE")
        carol.answer(got, 200, "OK", tag="c1")
        assert peer_a.expect_final("MESSAGE").status == 200
        assert (got.get("P-Asserted-Identity") == identity) == passes, identity


def test_nobody_calls_in_port_form(lab, carol, peer_a):
    """bob%40opb.example@opa.example is how bob is called where opa.example hosts him, and nobody's
    address: who reads it would take it for bob's."""
    for caller in ("sip:bob%40opb.example@opa.example", f"sip:{'x' * 300}%40opb.example@opa.example"):
        answer = message_from(peer_a, caller)
        assert answer.status == 403 and "contains '@'" in answer.get("Warning")
    assert not carol.poll("MESSAGE", 0.2)


def test_a_validated_record_speaks_for_the_host_that_it_names(lab, carol, peer_a):
    mark = lab.edges["b"].mark()
    for _ in range(2):
        assert message_from(peer_a, "sip:ruth@opb.example", carol).status == 200
    assert not questions(lab.edges["b"], mark)


def test_a_record_that_names_another_host_is_no_proof_but_a_reason_to_ask(lab, carol, peer_a,
                                                                         peer_b):
    mark = lab.edges["b"].mark()
    answer = message_from(peer_a, "sip:rolf@opb.example")
    assert answer.status == 403
    assert "has not ported it out" in answer.get("Warning") or "opb.example serves it" in \
        answer.get("Warning")
    assert len(questions(lab.edges["b"], mark)) == 1
    # its own authority, against a record of its own that is out of date: the directory counts
    assert message_from(peer_a, "sip:ruth@opb.example", carol).status == 200
    assert message_from(peer_b, "sip:ruth@opb.example", carol).status == 200
    assert len(questions(lab.edges["b"], mark)) == 2


def test_who_was_ported_a_moment_ago_is_heard_ten_seconds_later(lab, carol, peer_a):
    """Nobody is refused on an older answer than that, though it is remembered for longer."""
    answer = message_from(peer_a, "sip:peter@opb.example")
    began = time.monotonic()
    assert answer.status == 403
    port(lab, "peter@opb.example")
    time.sleep(max(0, 10.5 - (time.monotonic() - began)))
    assert message_from(peer_a, "sip:peter@opb.example", carol).status == 200


def test_nobody_speaks_for_our_own_addresses(lab, carol, peer_a):
    for caller in (CAROL, "sip:nobody@opc.example"):
        peer_a.send(request("INVITE", CAROL, peer_a, caller))
        refused = peer_a.expect_final("INVITE")
        assert refused.status == 403
        assert "our" in refused.get("Warning") and "opa.example" in refused.get("Warning")
    assert not carol.poll("INVITE", 0.2)


def test_an_authority_that_does_not_answer_is_not_a_proof(lab, carol, peer_a):
    peer_a.send(request("INVITE", CAROL, peer_a, "sip:eve@nowhere.example"))
    refused = peer_a.expect_final("INVITE", 8)
    assert refused.status == 403
    assert "nowhere.example was asked and did not tell who serves it" in refused.get("Warning")


@pytest.fixture(scope="module")
def opd(lab):
    """opd.example's side of the connection that edge C opened to ask."""
    context = tls_context(lab.pki, "edge-d", server=True)
    with StreamServer(*other_software(lab.plan), context) as server:
        yield server


@pytest.fixture(scope="module")
def questioned(opd):
    """Where the questions to opd.example arrive: one connection for all of them."""
    connections = []

    def get():
        if not connections:
            connections.append(opd.accept())
        return connections[0]
    yield get
    for connection in connections:
        connection.close()


# What shows that it dealt with the question shows that there is no port (design section 3.4).
@pytest.mark.parametrize("number,status,contact,told", [(number, *row) for number, row in enumerate((
    (483, None, "opd.example serves it"), (200, None, "opd.example serves it"),
    (404, None, "opd.example serves it"), (480, None, "opd.example serves it"),
    (401, None, "did not tell"), (403, None, "did not tell"), (407, None, "did not tell"),
    (500, None, "did not tell"), (503, None, "did not tell"), (603, None, "did not tell"),
    (302, "<sip:someone@elsewhere.example>", "did not tell"),
    (302, "<sip:user%40opd.example@opx.example>", "opx.example serves it"),
    (302, "<sip:user%40opd.example@peer12.example>", None)))])
def test_the_answers_of_other_software(lab, questioned, outside_c, carol, number, status, contact,
                                       told):
    domain = f"peer{number}.example"  # each with a budget of its own
    caller = f"sip:user{number}@opd.example"
    lab.pki.make(Leaf(domain, sip=(domain,)))
    time.sleep(0.2)  # that of the authority allows one in 167 ms
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, domain),
                             server_name="opc.example") as peer:
        peer.send(request("MESSAGE", CAROL, peer, caller))
        asked = questioned().expect("OPTIONS")
        assert asked.uri == caller and asked.get("Max-Forwards") == "0"
        assert asked.get("From").startswith("<sip:opc.example>;tag=")
        headers = [("Contact", contact.replace("user", f"user{number}"))] if contact else []
        questioned().answer(asked, status, "Said", tag="d1", headers=headers)
        if not told:
            carol.answer(carol.expect("MESSAGE"), 200, "OK", tag="c1")
        answer = peer.expect_final("MESSAGE")
        assert answer.status == (403 if told else 200)
        assert told is None or told in answer.get("Warning")


def test_nothing_is_asked_for_a_call_that_is_not_for_us(lab, peer_a):
    mark = lab.edges["b"].mark()
    for called in ("sip:someone@opd.example", "sip:nobody@opc.example"):
        peer_a.send(request("MESSAGE", called, peer_a, "sip:frank@opb.example"))
        assert peer_a.expect_final("MESSAGE").status in (403, 404)
    assert not questions(lab.edges["b"], mark)


def test_random_callers_ask_little(lab, outside_c, carol):
    """The peer's budget: five questions, two at once."""
    mark = lab.edges["b"].mark()
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, "edge-d"),
                             server_name="opc.example") as agent:
        for number in range(300):
            agent.send(request("MESSAGE", CAROL, agent, f"sip:user{number}@opb.example"))
        for _ in range(300):
            refused = agent.expect_final("MESSAGE", 10)
            assert refused.status == 403
    assert 1 <= len(questions(lab.edges["b"], mark)) <= 6
    assert not carol.poll("MESSAGE", 0.2)


def test_a_thousand_random_callers_do_not_hurt_their_authority(lab, outside_c, carol):
    """From twenty peers at once, each within its budget: the authority has one too."""
    mark = lab.edges["b"].mark()
    agents = []
    for number in range(20):
        domain = f"many{number}.example"
        lab.pki.make(Leaf(domain, sip=(domain,)))
        agents.append(StreamAgent.connect(outside_c, context=tls_context(lab.pki, domain),
                                          server_name="opc.example"))
    began = time.monotonic()
    for number in range(50):
        for index, agent in enumerate(agents):
            agent.send(request("INVITE", CAROL, agent, f"sip:u{number}-{index}@opb.example"))
    for agent in agents:
        for _ in range(50):
            assert agent.expect_final("INVITE", 20).status == 403
    took_s = time.monotonic() - began
    for agent in agents:
        agent.close()
    assert 1 <= len(questions(lab.edges["b"], mark)) <= 4 + 6 * took_s + 1
    assert not carol.poll("INVITE", 0.1)


def test_a_call_given_up_while_its_caller_is_looked_for_ends(lab, questioned, outside_c, carol):
    domain = "hasty.example"
    lab.pki.make(Leaf(domain, sip=(domain,)))
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, domain),
                             server_name="opc.example") as peer:
        invite = request("INVITE", CAROL, peer, "sip:hasty@opd.example")
        peer.send(invite)
        asked = questioned().expect("OPTIONS")
        peer.send(Message(invite.start.replace("INVITE", "CANCEL", 1), [
            (name, "1 CANCEL" if name == "CSeq" else value)
            for name, value in invite.headers if name != "Contact"]))
        assert peer.expect_final("CANCEL").status == 200
        assert peer.expect_final("INVITE").status == 487
        peer.send(ack_for(invite, Message("", [("To", f"<{CAROL}>;tag=x")])))
        questioned().answer(asked, 200, "OK", tag="d1")
    assert not carol.poll("INVITE", 0.2)


def test_a_question_is_answered_from_the_directory(lab, dave, outside_b, bob):
    """It causes no question, reaches no core, and tells nothing of who exists."""
    marks = {letter: edge.mark() for letter, edge in lab.edges.items()}
    with StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-c"),
                             server_name="opb.example") as agent:
        def ask(uri, sender="sip:opc.example"):
            agent.send(request("OPTIONS", uri, agent, sender, max_forwards=0))
            return agent.expect_final("OPTIONS")

        ported = ask(dave)
        assert ported.status == 302
        assert ported.get("Contact").startswith("<sip:dave%40opb.example@opa.example>;expires=")
        assert ask(BOB).status == 200
        assert ask("sip:nobody@opb.example").status == 200
        assert ask("sip:someone@opd.example").status == 403
        assert ask(dave, "sip:opa.example").status in (403, 483)  # has not proven that
    assert not bob.poll("OPTIONS", 0.2)
    for letter in "ac":
        assert not questions(lab.edges[letter], marks[letter])


def test_two_edges_set_against_each_other_do_not_loop(lab, outside_c, peer_a):
    """A call for C from a caller of B's, and one for B from a caller of C's, at the same time."""
    marks = {letter: edge.mark() for letter, edge in lab.edges.items()}
    with StreamAgent.connect((lab.plan.b.edge, TLS_PORT), context=tls_context(lab.pki, "edge-a"),
                             server_name="opb.example") as agent:
        agent.send(request("INVITE", BOB, agent, CAROL))
        peer_a.send(request("INVITE", CAROL, peer_a, "sip:bob2@opb.example"))
        for one in (agent, peer_a):
            assert one.expect_final("INVITE", 8).status == 403
    for letter in "bc":
        assert len(questions(lab.edges[letter], marks[letter])) == 1


def test_a_ported_caller_without_name_is_asserted_by_its_host(lab, dave, alice, carol, peer_a,
                                                             inside_a):
    """P-Asserted-Identity passes where the answer is there already; else it is removed."""
    place_call(alice, inside_a, carol, dave, CAROL)
    for said, heard in ((DAVE, f"<{DAVE}>"), ("sip:erin@opb.example", None), (BOB, None)):
        peer_a.send(request("MESSAGE", CAROL, peer_a, ALICE,
                            headers=[("P-Asserted-Identity", f"<{said}>")]))
        got = carol.expect("MESSAGE")
        carol.answer(got, 200, "OK", tag="c1")
        peer_a.expect(200)
        assert got.get("P-Asserted-Identity") == heard


def test_our_identities_are_told_to_who_is_trusted_with_them(lab, alice, carol, inside_a):
    def heard(*headers):
        alice.send(request("MESSAGE", CAROL, alice, ALICE, headers=[
            ("P-Asserted-Identity", "<sip:secret@opa.example>"), *headers]), inside_a)
        got = carol.expect("MESSAGE")
        carol.answer(got, 200, "OK", tag="c1")
        alice.expect(200)
        return got.get("P-Asserted-Identity")

    assert heard() is None
    lab.edges["a"].tool("peer", "add", "opc.example", "--trusts-identity", "yes")
    try:
        assert heard() == "<sip:secret@opa.example>"
        assert heard(("Privacy", "header; ID")) is None
    finally:
        lab.edges["a"].tool("peer", "del", "opc.example")


def test_an_edge_that_ends_while_it_asks_ends(lab, questioned, outside_c):
    domain = "last.example"
    lab.pki.make(Leaf(domain, sip=(domain,)))
    with StreamAgent.connect(outside_c, context=tls_context(lab.pki, domain),
                             server_name="opc.example") as peer:
        peer.send(request("INVITE", CAROL, peer, "sip:last@opd.example"))
        questioned().expect("OPTIONS")
        lab.edges["c"].program.stop(timeout_s=35)
        lab.edges["c"].start()
        lab.edges["c"].wait_ready()
