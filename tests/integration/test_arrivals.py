"""An address moves while calls run to it (design section 8): its authority has committed, and the new
host has not heard of it yet. Four operators: opa.example calls, opb.example is the authority,
opc.example hosts, and opd.example after it."""

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.sip import StreamAgent, UdpAgent, ack_for, request, tls_context

ALICE = "sip:alice@opa.example"
ZONE = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {port} edge.{name}
edge.{name}       A {edge}
"""
TOGETHER = 8  # calls


def further(plan, letter, user, net, hertz):
    return Operator(letter, f"op{letter}.example", user, plan.a.network.replace(".31.", net), hertz)


def hosts(plan):
    return (further(plan, "c", "carol", ".33.", 660), further(plan, "d", "dora", ".34.", 550))


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    """opc.example's edge hosts opx.example too, whose core is another."""
    with Lab(plan) as lab:
        request.node.lab = lab
        lab.make_pki()
        zone = ""
        for host in hosts(plan):
            lab.pki.make(Leaf(f"edge-{host.letter}", sip=(host.domain,),
                              dns=(host.domain, host.edge_host)))
            zone += ZONE.format(name=f"op{host.letter}", port=TLS_PORT, edge=host.edge)
        lab.make_dns(more=zone)
        for side in (plan.a, plan.b, *hosts(plan)):
            lab.make_edge(side, workers=1)  # so that what is asked can be counted
        chain, key = lab.pki.make(Leaf("edge-x", sip=("opx.example",)))
        lab.edges["c"].more = f'certificate "opx.example" {{ chain = "{chain}" key = "{key}" }}'
        lab.edges["c"].configure()
        lab.start()
        lab.provision()
        xenia = hosts(plan)[0].network + "20"
        lab.edges["c"].tool("domain", "add", "opx.example", "--core",
                            f"sip:{xenia}:{SIP_PORT};transport=udp")
        lab.edges["c"].tool("address", "add", "xenia@opx.example")
        yield lab


@pytest.fixture
def carol(plan):
    with UdpAgent(hosts(plan)[0].phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def dora(plan):
    with UdpAgent(hosts(plan)[1].phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def ladder(lab):
    """What each edge got from others since the test began, by its letter."""
    marks = {letter: edge.mark() for letter, edge in lab.edges.items()}

    def got(letter, method="INVITE"):
        return [hop.start for hop in lab.edges[letter].hops(marks[letter])
                if hop.way == "recv" and hop.side == "outside" and hop.start.startswith(method)]
    return got


def prepare(lab, address, letter="c"):
    lab.edges[letter].tool("address", "add", address, "--state", "prepared", "--hosting",
                           f"op{letter}.example")


def commit(lab, address, letter="c"):
    """What the authority does; the host does not hear of it."""
    lab.edges["b"].tool("address", "set", address, "--state", "ported-out", "--hosting",
                        f"op{letter}.example")


def call(caller, edge, called, sender=ALICE):
    invite = request("INVITE", called, caller, sender)
    caller.send(invite, edge)
    return invite


def busy(caller, edge, invite, callee):
    """The call arrives there and is refused: the shortest one."""
    got = callee.expect("INVITE", 10, call_id=invite.get("Call-ID"))
    callee.answer(got, 486, "Busy", tag="c1")
    caller.send(ack_for(invite, caller.expect(486, call_id=invite.get("Call-ID"))), edge)
    return got


def refused(caller, edge, invite):
    answer = caller.expect_final("INVITE", 10)
    caller.send(ack_for(invite, answer), edge)
    return answer


def test_calls_before_the_word_of_the_commit_arrive(lab, alice, carol, inside_a, ladder):
    lab.edges["b"].tool("address", "add", "dave@opb.example")
    prepare(lab, "dave@opb.example")
    commit(lab, "dave@opb.example")
    invites = [call(alice, inside_a, "sip:dave@opb.example") for _ in range(TOGETHER)]
    for invite in invites:
        assert busy(alice, inside_a, invite, carol).uri == "sip:dave@opb.example"
    # asked once for all of them, and never again while it is remembered
    busy(alice, inside_a, call(alice, inside_a, "sip:dave@opb.example"), carol)
    assert ladder("b", "OPTIONS") == ["OPTIONS sip:dave@opb.example"]
    assert len(ladder("c")) == TOGETHER + 1


def test_who_is_led_here_by_the_redirect_alone_arrives(lab, carol, ladder):
    """A peer that follows the Contact, as any SIP element may."""
    lab.edges["b"].tool("address", "add", "della@opb.example")
    prepare(lab, "della@opb.example")
    commit(lab, "della@opb.example")
    with StreamAgent.connect((hosts(lab.plan)[0].edge, TLS_PORT),
                             context=tls_context(lab.pki, "edge-a"),
                             server_name="opc.example") as peer:
        peer.send(request("MESSAGE", "sip:della%40opb.example@opc.example", peer, ALICE))
        got = carol.expect("MESSAGE")
        assert got.uri == "sip:della@opb.example"
        carol.answer(got, 200, "OK", tag="c1")
        assert peer.expect_final("MESSAGE").status == 200
    assert len(ladder("b", "OPTIONS")) == 1


def test_nobody_is_taken_in_before_the_commit(lab, carol, ladder):
    """And that it was not committed a moment ago keeps nobody out afterwards."""
    lab.edges["b"].tool("address", "add", "edgar@opb.example")
    prepare(lab, "edgar@opb.example")
    with StreamAgent.connect((hosts(lab.plan)[0].edge, TLS_PORT),
                             context=tls_context(lab.pki, "edge-a"),
                             server_name="opc.example") as peer:
        peer.send(request("MESSAGE", "sip:edgar@opb.example", peer, ALICE))
        answer = peer.expect_final("MESSAGE")
        assert answer.status == 404
        assert "its authority says that it does not yet" in answer.get("Warning")
        commit(lab, "edgar@opb.example")
        peer.send(request("MESSAGE", "sip:edgar@opb.example", peer, ALICE))
        carol.answer(carol.expect("MESSAGE"), 200, "OK", tag="c1")
        assert peer.expect_final("MESSAGE").status == 200
    assert len(ladder("b", "OPTIONS")) == 2


def test_an_authority_that_is_silent_says_nothing(lab, carol):
    """No answer is no commit, and no word that it will never come."""
    del carol
    prepare(lab, "fritz@opz.example")  # a domain that DNS does not know
    with StreamAgent.connect((hosts(lab.plan)[0].edge, TLS_PORT),
                             context=tls_context(lab.pki, "edge-a"),
                             server_name="opc.example") as peer:
        peer.send(request("MESSAGE", "sip:fritz@opz.example", peer, ALICE))
        assert peer.expect_final("MESSAGE", 10).status == 480


def test_another_core_of_the_new_host_reaches_it_too(lab, plan, carol, ladder):
    lab.edges["b"].tool("address", "add", "gerd@opb.example")
    prepare(lab, "gerd@opb.example")
    commit(lab, "gerd@opb.example")
    edge = (hosts(plan)[0].edge, SIP_PORT)
    with UdpAgent(hosts(plan)[0].network + "20", SIP_PORT) as xenia:
        invite = call(xenia, edge, "sip:gerd@opb.example", "sip:xenia@opx.example")
        assert busy(xenia, edge, invite, carol).uri == "sip:gerd@opb.example"
    assert not ladder("c")


@pytest.mark.parametrize("left_behind", ["moved", "nothing", "everything"])
def test_a_second_port_is_followed_by_who_remembers_the_first(lab, alice, carol, dora, inside_a,
                                                              ladder, left_behind):
    """From host to host: the old one leads on, or knows nothing more; or, not told yet, serves the
    call itself."""
    user = f"{left_behind}@opb.example"
    lab.edges["b"].tool("address", "add", user, "--hosting", "opc.example")
    lab.edges["c"].tool("address", "add", user, "--hosting", "opc.example")
    busy(alice, inside_a, call(alice, inside_a, f"sip:{user}"), carol)
    prepare(lab, user, "d")
    commit(lab, user, "d")
    if left_behind == "moved":
        lab.edges["c"].tool("address", "set", user, "--state", "moved", "--hosting", "opd.example")
    elif left_behind == "nothing":
        lab.edges["c"].tool("address", "purge", user)
    else:
        busy(alice, inside_a, call(alice, inside_a, f"sip:{user}"), carol)
        assert not ladder("d")
        return
    for _ in range(2):
        busy(alice, inside_a, call(alice, inside_a, f"sip:{user}"), dora)
    # the old host once more, then the authority, and from then on nobody but the new one
    assert len(ladder("c")) == 2 and len(ladder("b")) == 2 and len(ladder("d")) == 2
    assert ladder("b", "OPTIONS") == [f"OPTIONS sip:{user}"]
