"""Port data in redirects (design section 3.3): the authority says who serves an address, and the
caller's edge goes there by itself. Three operators: opa.example calls, opb.example is the authority,
opc.example serves some of opb.example's addresses."""

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.process import wait_until
from lab.sip import Dialog, StreamAgent, UdpAgent, ack_for, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"

# opd.example has the edge of opc.example, which cannot prove that domain.
MORE = """\
opc            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opc
_sips._tcp.opc SRV 10 10 {port} edge.opc
edge.opc       A {edge}
opd            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opd
_sips._tcp.opd SRV 10 10 {port} edge.opc
"""


def third(plan):
    return Operator("c", "opc.example", "carol", plan.a.network.replace(".31.", ".33."), 660)


@pytest.fixture(scope="module")
def lab(plan, request):
    operator = third(plan)
    with Lab(plan) as lab:
        request.node.lab = lab
        lab.make_pki()
        lab.pki.make(Leaf("edge-c", sip=(operator.domain,),
                          dns=(operator.domain, operator.edge_host)))
        lab.make_dns(more=MORE.format(port=TLS_PORT, edge=operator.edge))
        for side in (plan.a, plan.b, operator):
            lab.make_edge(side, workers=1)
        lab.start()
        lab.provision()
        yield lab


@pytest.fixture
def carol(plan):
    with UdpAgent(third(plan).phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def ladder(lab):
    """What each edge got from others since the test began, by its letter."""
    marks = {letter: edge.mark() for letter, edge in lab.edges.items()}

    def got(letter, method="INVITE"):
        return [hop.start for hop in lab.edges[letter].hops(marks[letter])
                if hop.way == "recv" and hop.side == "outside" and hop.start.startswith(method)]
    return got


def port(lab, address, hosting="opc.example", hosted=True):
    lab.edges["b"].tool("address", "add", address, "--hosting", hosting)
    if hosted:
        lab.edges["c"].tool("address", "add", address, "--hosting", hosting)


def call(alice, inside_a, called):
    invite = request("INVITE", called, alice, ALICE)
    alice.send(invite, inside_a)
    return invite


def busy(alice, inside_a, invite, callee):
    """The call arrives there and is refused: the shortest one."""
    got = callee.expect("INVITE", call_id=invite.get("Call-ID"))
    callee.answer(got, 486, "Busy", tag="c1")
    alice.send(ack_for(invite, alice.expect(486, call_id=invite.get("Call-ID"))), inside_a)
    return got


def refused(alice, inside_a, invite):
    answer = alice.expect_final("INVITE", 10)
    alice.send(ack_for(invite, answer), inside_a)
    return answer


def test_the_authority_is_asked_once_and_its_word_kept(lab, alice, carol, inside_a, ladder):
    port(lab, "dave@opb.example")
    for _ in range(2):
        got = busy(alice, inside_a, call(alice, inside_a, "sip:dave@opb.example"), carol)
        assert got.uri == "sip:dave@opb.example"
    assert ladder("b") == ["INVITE sip:dave@opb.example"]
    assert ladder("c") == ["INVITE sip:dave@opb.example"] * 2


@pytest.fixture
def four_workers(lab):
    """Edge A with that many. Returns what waits until three have heard it of the other one."""
    edge = lab.edges["a"]

    def start(workers):
        edge.workers = workers
        edge.configure()
        edge.restart(kill=True)

    def heard(what, since):
        wait_until(lambda: edge.log(since).count(f"heard who serves {what}") == 3,
                   f"three workers heard who serves {what}", 5)
    start(4)
    yield heard
    start(1)


def test_all_workers_know_what_one_was_told(lab, alice, bob, carol, inside_a, ladder, four_workers):
    """And that it is so no more. Each call is another worker's, by its branch."""
    port(lab, "dora.mae@opb.example")
    mark = lab.edges["a"].mark()
    for number in range(12):
        busy(alice, inside_a, call(alice, inside_a, "sip:dora.mae@opb.example"), carol)
        if number == 0:
            four_workers("dora.mae@opb.example: opc.example", mark)
    assert len(ladder("b")) == 1 and len(ladder("c")) == 12
    lab.edges["c"].tool("address", "purge", "dora.mae@opb.example")
    lab.edges["b"].tool("address", "set", "dora.mae@opb.example", "--state", "hosted", "--hosting",
                        "opb.example")
    for number in range(12):
        busy(alice, inside_a, call(alice, inside_a, "sip:dora.mae@opb.example"), bob)
        if number == 0:
            four_workers("dora.mae@opb.example: not known any more", mark)
    assert len(ladder("b")) == 13 and len(ladder("c")) == 13


def test_any_method_is_led_there(lab, alice, carol, inside_a):
    port(lab, "daphne@opb.example")
    lab.edges["c"].tool("peer", "add", "opa.example", "--trusts-identity", "yes")
    alice.send(request("MESSAGE", "sip:daphne@opb.example", alice, ALICE, body=b"hello"), inside_a)
    got = carol.expect("MESSAGE")
    assert got.body == b"hello"
    carol.answer(got, 200, "OK", tag="c1", headers=[
        ("P-Asserted-Identity", "<sip:daphne@opb.example>")])
    answer = alice.expect_final("MESSAGE")
    assert answer.status == 200
    # the host speaks for whom a call is routed to it
    assert answer.get("P-Asserted-Identity") == "<sip:daphne@opb.example>"


def test_a_dialog_goes_on_with_the_host(lab, alice, carol, inside_a, ladder):
    port(lab, "dora@opb.example")
    invite = call(alice, inside_a, "sip:dora@opb.example")
    got = carol.expect("INVITE")
    answer = carol.answer(got, 200, "OK", tag="c1", headers=[("Contact", f"<{carol.contact(BOB)}>")])
    dialog = Dialog.of_caller(alice, invite, alice.expect(200))
    alice.send(dialog.request("ACK"), inside_a)
    carol.expect("ACK")
    alice.send(dialog.request("INFO"), inside_a)
    carol.answer(carol.expect("INFO"), 200, "OK")
    alice.expect(200)
    back = Dialog.of_callee(carol, got, answer)
    carol.send(back.request("BYE"), (third(lab.plan).edge, SIP_PORT))
    alice.answer(alice.expect("BYE"), 200, "OK")
    carol.expect(200)
    assert not ladder("b", "INFO") and not ladder("b", "BYE")


def test_who_came_back_to_his_authority_is_found_there(lab, alice, bob, carol, inside_a, ladder):
    """The former host knows nothing of him: 404."""
    port(lab, "erin@opb.example")
    busy(alice, inside_a, call(alice, inside_a, "sip:erin@opb.example"), carol)
    lab.edges["c"].tool("address", "purge", "erin@opb.example")
    lab.edges["b"].tool("address", "set", "erin@opb.example", "--state", "hosted", "--hosting",
                        "opb.example")
    busy(alice, inside_a, call(alice, inside_a, "sip:erin@opb.example"), bob)
    assert len(ladder("c")) == 2 and len(ladder("b")) == 2
    busy(alice, inside_a, call(alice, inside_a, "sip:erin@opb.example"), bob)
    assert len(ladder("c")) == 2  # it is forgotten


def test_a_former_host_says_that_he_moved(lab, alice, bob, carol, inside_a, ladder):
    port(lab, "frank@opb.example")
    busy(alice, inside_a, call(alice, inside_a, "sip:frank@opb.example"), carol)
    lab.edges["c"].tool("address", "set", "frank@opb.example", "--state", "moved", "--hosting",
                        "opb.example")
    lab.edges["b"].tool("address", "set", "frank@opb.example", "--state", "hosted", "--hosting",
                        "opb.example")
    mark = lab.edges["c"].mark()
    busy(alice, inside_a, call(alice, inside_a, "sip:frank@opb.example"), bob)
    lab.edges["c"].wait_log(r"sip: sent 302 ", mark)
    assert len(ladder("c")) == 2 and len(ladder("b")) == 2


def test_a_host_that_does_not_know_him_is_not_asked_for_ever(lab, alice, inside_a, ladder):
    port(lab, "grace@opb.example", hosted=False)
    invite = call(alice, inside_a, "sip:grace@opb.example")
    answer = refused(alice, inside_a, invite)
    assert answer.status in (403, 404)
    assert "opb.example says that opc.example serves grace@opb.example" in answer.get("Warning")
    assert len(ladder("b")) == 2 and len(ladder("c")) == 1


def test_a_host_that_proves_nothing_is_not_asked_for_ever(lab, alice, inside_a, ladder):
    port(lab, "heidi@opb.example", hosting="opd.example", hosted=False)
    answer = refused(alice, inside_a, call(alice, inside_a, "sip:heidi@opb.example"))
    assert answer.status == 480
    assert "opb.example says that opd.example serves heidi@opb.example" in answer.get("Warning")
    assert len(ladder("b")) == 2 and not ladder("c")


@pytest.mark.parametrize("status,contact", [
    (302, "<sip:bob@elsewhere.example>"), (301, "<sip:bob@opc.example>"),
    (300, "<sip:a@opc.example>, <sip:b@opc.example>"), (305, "<sip:opc.example>")])
def test_every_other_redirect_is_the_callers_to_follow(lab, alice, bob, inside_a, ladder, status,
                                                       contact):
    invite = call(alice, inside_a, BOB)
    bob.answer(bob.expect("INVITE"), status, "Elsewhere", tag="b1", headers=[("Contact", contact)])
    answer = refused(alice, inside_a, invite)
    assert answer.status == status and answer.get("Contact") == contact
    assert not ladder("c")


def test_a_customer_who_was_ported_forwards_his_calls(lab, alice, carol, inside_a, ladder):
    """That is no word about where he lives."""
    port(lab, "olaf@opb.example")
    for _ in range(2):
        invite = call(alice, inside_a, "sip:olaf@opb.example")
        carol.answer(carol.expect("INVITE"), 302, "Moved", tag="c1",
                     headers=[("Contact", "<sip:mobile@opc.example>")])
        answer = refused(alice, inside_a, invite)
        assert answer.status == 302 and answer.get("Contact") == "<sip:mobile@opc.example>"
    assert len(ladder("b")) == 1 and len(ladder("c")) == 2


def test_a_cores_redirect_does_not_pose_as_a_port(lab, alice, bob, inside_a, ladder):
    invite = call(alice, inside_a, BOB)
    bob.answer(bob.expect("INVITE"), 302, "Moved", tag="b1", headers=[
        ("Contact", "<sip:bob%40opb.example@opc.example>;expires=3600")])
    answer = refused(alice, inside_a, invite)
    assert answer.status == 480 and not answer.get("Contact")
    assert "port data" in answer.get("Warning")
    assert not ladder("c")


def test_sips_leads_to_sips(lab, alice, inside_a, ladder):
    port(lab, "ivan@opb.example")
    answer = refused(alice, inside_a, call(alice, inside_a, "sips:ivan@opb.example"))
    assert answer.status == 480  # the core of opc.example has no TLS
    assert ladder("c") == ["INVITE sips:ivan@opb.example"]


def test_others_follow_the_same_redirect(lab, alice, carol, inside_a):
    """Any SIP element may: our own core, or a far edge that leaves it to its core."""
    port(lab, "judy@opb.example")
    uri = "sip:judy%40opb.example@opc.example"
    got = busy(alice, inside_a, call(alice, inside_a, uri), carol)
    assert got.uri == "sip:judy@opb.example"
    with StreamAgent.connect((third(lab.plan).edge, TLS_PORT),
                             context=tls_context(lab.pki, "edge-a"),
                             server_name="opc.example") as peer:
        peer.send(request("MESSAGE", uri, peer, ALICE))
        got = carol.expect("MESSAGE")
        assert got.uri == "sip:judy@opb.example"
        carol.answer(got, 200, "OK", tag="c1")
        assert peer.expect_final("MESSAGE").status == 200


def test_a_host_that_is_ourselves_is_no_loop(lab, alice, inside_a, ladder):
    """The authority says so before we know it."""
    lab.edges["b"].tool("address", "add", "kim@opb.example", "--hosting", "opa.example")
    answer = refused(alice, inside_a, call(alice, inside_a, "sip:kim@opb.example"))
    assert answer.status == 480 and "our directory does not" in answer.get("Warning")
    assert len(ladder("b")) == 1 and not ladder("a")
