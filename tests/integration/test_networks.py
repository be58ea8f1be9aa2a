"""Two edges in networks of their own, cores of IPv4 at one and of IPv6 at the other, both families in
between; and what happens when one of them swallows what is sent."""

import pytest

from lab import namespaces
from lab.edge import FamilyEdge, Place
from lab.lab import Lab
from lab.plan import SIP_PORT
from lab.process import wait_until
from lab.sip import Dialog, UdpAgent, request

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
WAIT_S = 10  # edge B comes upon the black hole too, for the answers to what it sends


def add_edge(lab, operator, host, core):
    edge = FamilyEdge(operator, lab.plan, f"{lab.directory}/edge-{operator.letter}", lab.pki,
                      "edge-" + operator.letter, core=f"sip:{core}:{SIP_PORT};transport=udp",
                      workers=2)  # one may not know what the other has found dead
    edge.inside_at = Place(6 if ":" in host else 4, host, SIP_PORT)
    edge.inside_tls_port = SIP_PORT + 10
    edge.outside_hosts = (operator.edge, operator.also_published)
    edge.configure()
    lab.edges[operator.letter] = edge


@pytest.fixture(scope="module")
def lab(request):
    reason = namespaces.why_not()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")
    plan = namespaces.RoutedPlan()
    with Lab(plan) as made:
        request.node.lab = made
        made.networks = made.cleanup.enter_context(namespaces.Networks(plan, made.directory))
        made.make_pki()
        made.make_dns(keys=False)
        add_edge(made, plan.a, plan.a.edge, plan.a.phone)
        add_edge(made, plan.b, plan.b.also_published, "[2001:db8:77:2::10]")
        with made.networks.between:
            made.dns.start()
            wait_until(made.dns.ready, "DNS is ready", watch=made.dns.programs)
        for edge, network in ((made.edge_a, made.networks.a), (made.edge_b, made.networks.b)):
            with network:
                edge.start()
            edge.wait_ready()
        made.provision()
        yield made


@pytest.fixture
def alice(lab):
    with lab.networks.a, UdpAgent(lab.plan.a.phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def bob(lab):
    with lab.networks.b:
        agent = UdpAgent("2001:db8:77:2::10", SIP_PORT)
    with agent:
        yield agent


@pytest.fixture
def fresh(lab):
    """Edge A has no connection and remembers no failure."""
    lab.edge_a.program.kill()
    with lab.networks.a:
        lab.edge_a.start()
    lab.edge_a.wait_ready()


@pytest.fixture
def black_hole(lab):
    """Swallows IPv6 towards edge B from when it is called."""
    opened = []

    def swallow():
        opened.append(True)
        lab.networks.swallow(6, lab.plan.b)

    yield swallow
    if opened:
        lab.networks.swallow(6, lab.plan.b, False)


def call(lab, alice, bob):
    """From set-up to end, ended by the callee. Returns what edge A logged."""
    mark = lab.edge_a.mark()
    out, back = (lab.plan.a.edge, SIP_PORT), (lab.plan.b.also_published, SIP_PORT)
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, out)
    got = bob.expect("INVITE", WAIT_S)
    answer = bob.answer(got, 200, "OK", tag="b1", headers=[("Contact", f"<{bob.contact(BOB)}>")])
    dialog = Dialog.of_caller(alice, invite, alice.expect(200))
    alice.send(dialog.request("ACK"), out)
    bob.expect("ACK", WAIT_S)
    bob.send(Dialog.of_callee(bob, got, answer).request("BYE"), back)
    alice.answer(alice.expect("BYE", WAIT_S), 200, "OK")
    assert bob.expect_final("BYE").status == 200
    return lab.edge_a.log(mark)


def way_of(log):
    """The addresses to which edge A sent the INVITE, in order."""
    return [line.split("remote=")[1].split()[0] for line in log.splitlines()
            if "sent INVITE" in line and "side=outside" in line]


def by(lab):
    return {4: f"{lab.plan.b.edge}:5061", 6: f"[{lab.plan.b.also_published}]:5061"}


def test_a_call_passes_from_one_family_to_the_other(lab, fresh, alice, bob):
    assert way_of(call(lab, alice, bob)) == [by(lab)[6]]


def test_a_family_that_is_a_black_hole_is_passed_over(lab, fresh, alice, bob, black_hole):
    black_hole()
    log = call(lab, alice, bob)
    assert way_of(log) == [by(lab)[4]]
    assert f"{by(lab)[6]}: no answer to connect within" in log
    assert way_of(call(lab, alice, bob)) == [by(lab)[4]]  # and is remembered


def connect_both_workers(lab, alice, bob):
    """Calls until each worker of edge A has a connection by IPv6: a Call-ID decides whose it is."""
    mark = lab.edge_a.mark()
    for _ in range(60):
        assert way_of(call(lab, alice, bob)) == [by(lab)[6]]
        if lab.edge_a.log(mark).count(f"opb.example at {by(lab)[6]}: verdict -> ready") == 2:
            return
    raise AssertionError("one worker had no call among 60")


def test_a_black_hole_under_live_connections_is_passed_over(lab, fresh, alice, bob, black_hole):
    connect_both_workers(lab, alice, bob)
    black_hole()
    assert way_of(call(lab, alice, bob)) == [by(lab)[6], by(lab)[4]]
    for _ in range(4):  # the other worker has heard of it, and its connection is as dead
        assert way_of(call(lab, alice, bob)) == [by(lab)[4]]
