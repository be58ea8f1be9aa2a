"""IPv4 and IPv6: each core, and the link between the edges, on either family."""

import contextlib
from collections import namedtuple

import pytest

from lab.edge import FamilyEdge, Place
from lab.lab import Lab
from lab.plan import SIP_PORT, TLS_PORT, free_plan
from lab.sip import (Dialog, Message, StreamAgent, StreamServer, UdpAgent, ack_for, parameter,
                     request, response, split_list, tls_context, uri_host, uri_of)
from lab.sockets import free_port

HERE = "::1"  # the only address of IPv6 that every machine has; so the ports differ
Side = namedtuple("Side", "agent address way_out family letter")
INSIDE_TLS_PORT = 5062


def place(family, host, port):
    return Place(4, host, port) if family == 4 else Place(6, HERE, free_port(HERE))


def add_edge(lab, operator, family, outside_hosts):
    """With its core on this family."""
    core = place(family, operator.phone, SIP_PORT)
    edge = FamilyEdge(operator, lab.plan, f"{lab.directory}/edge-{operator.letter}", lab.pki,
                      "edge-" + operator.letter,
                      core=f"sip:{uri_host(core.host)}:{core.port};transport=udp")
    edge.inside_at = place(family, operator.edge, SIP_PORT)
    edge.inside_tls_port = place(family, operator.edge, INSIDE_TLS_PORT).port
    edge.outside_hosts = outside_hosts
    edge.configure()
    lab.edges[operator.letter] = edge
    lab.cores[operator.letter] = core


@contextlib.contextmanager
def families_lab(request):
    with Lab(free_plan()) as lab:
        request.node.lab = lab
        lab.make_pki()
        lab.cores = {}
        yield lab


def start(lab):
    lab.make_dns()
    lab.start()
    lab.provision()
    return lab


@pytest.fixture(scope="module", params=[(4, 6, 4), (6, 4, 6), (4, 4, 6), (6, 6, 4), (6, 6, 6)],
                ids=lambda families: "core IPv{}, edges IPv{}, core IPv{}".format(*families))
def lab(request):
    family_a, family_link, family_b = request.param
    with families_lab(request) as made:
        for operator, family in ((made.plan.a, family_a), (made.plan.b, family_b)):
            outside = place(family_link, operator.edge, TLS_PORT)
            operator.published, operator.tls_port = outside.host, outside.port
            add_edge(made, operator, family, [outside.host])
        yield start(made)


@pytest.fixture
def dual(request):
    """DNS has both families for edge B; the edges listen for peers where the test says."""
    @contextlib.contextmanager
    def make(hosts_a, hosts_b):
        with families_lab(request) as made:
            a, b = made.plan.a, made.plan.b
            b.also_published = HERE
            a.tls_port, b.tls_port = free_port(HERE), free_port(HERE)
            add_edge(made, a, 4, hosts_a(a.edge))
            add_edge(made, b, 4, hosts_b(b.edge))
            yield start(made)

    return make


@pytest.fixture(params=["a to b", "b to a"])
def sides(request, lab):
    """Caller and callee."""
    made = {}
    for letter, core in lab.cores.items():
        inside = lab.edges[letter].inside_at
        made[letter] = Side(UdpAgent(core.host, core.port),
                            "sip:" + lab.edges[letter].operator.address,
                            (inside.host, inside.port), core.family, letter)
    yield tuple(made[letter] for letter in request.param.split(" to "))
    for side in made.values():
        side.agent.close()


def set_up(caller, callee):
    invite = request("INVITE", callee.address, caller.agent, caller.address)
    caller.agent.send(invite, caller.way_out)
    got = callee.agent.expect("INVITE")
    answer = callee.agent.answer(got, 200, "OK", tag="t1", headers=[
        ("Contact", f"<{callee.agent.contact(callee.address)}>")])
    back = caller.agent.expect(200)
    dialogs = (Dialog.of_caller(caller.agent, invite, back),
               Dialog.of_callee(callee.agent, got, answer))
    caller.agent.send(dialogs[0].request("ACK"), caller.way_out)
    callee.agent.expect("ACK")
    return got, dialogs


def exchange(sender, receiver, dialog, method):
    sender.agent.send(dialog.request(method), sender.way_out)
    got = receiver.agent.expect(method)
    assert got.uri == dialog.target
    receiver.agent.answer(got, 200, "OK")
    sender.agent.expect_final(method)


def test_a_call_in_both_directions(lab, sides):
    caller, callee = sides
    _, (of_caller, of_callee) = set_up(caller, callee)
    exchange(caller, callee, of_caller, "INFO")
    exchange(callee, caller, of_callee, "UPDATE")
    exchange(callee, caller, of_callee, "BYE")


def test_each_hop_is_named_by_an_address_of_its_family(sides):
    caller, callee = sides
    got, (of_caller, _) = set_up(caller, callee)
    vias, routes = split_list(got.all("Via")), split_list(got.all("Record-Route"))
    inside = [(vias[0], routes[0], callee), (vias[2], routes[3], caller)]
    for via, route, side in inside:
        assert ("[::1]" in via.split(";")[0]) == (side.family == 6)
        assert ("@[::1]:" in uri_of(route)) == (side.family == 6)
    exchange(caller, callee, of_caller, "BYE")


def test_a_caller_whose_via_lies_is_answered_where_it_is(sides):
    """RFC 3581: `received` names an IPv6 address without brackets."""
    caller, callee = sides
    sent = request("MESSAGE", callee.address, caller.agent, caller.address)
    sent.headers[0] = ("Via", "SIP/2.0/UDP client.invalid:9;branch=z9hG4bKfamily;rport")
    caller.agent.send(sent, caller.way_out)
    got = callee.agent.expect("MESSAGE")
    via = split_list(got.all("Via"))[-1]
    assert parameter(via, "received") == caller.agent.address
    assert parameter(via, "rport") == str(caller.agent.port)
    callee.agent.answer(got, 200, "OK", tag="t1")
    caller.agent.expect(200)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_core_speaks_over_a_stream(lab, sides, transport):
    caller, callee = sides
    host, port = caller.way_out
    context = None
    if transport == "tls":
        port = lab.edges[caller.letter].inside_tls_port
        context = tls_context(lab.pki)
    with StreamAgent.connect((host, port), caller.agent.address, context) as agent:
        agent.send(request("MESSAGE", callee.address, agent, caller.address, body=b"by a stream"))
        got = callee.agent.expect("MESSAGE")
        assert got.body == b"by a stream"
        callee.agent.answer(got, 200, "OK", tag="t1")
        agent.expect(200)


@contextlib.contextmanager
def core_over(lab, side, transport):
    """The core of this side takes requests over this transport, at the port of its agent."""
    edge, core = lab.edges[side.letter], lab.cores[side.letter]
    uri = f"sip:{uri_host(core.host)}:{core.port};transport="
    edge.tool("domain", "set", edge.operator.domain, "--core", uri + transport)
    context = tls_context(lab.pki, edge.certificate, server=True) if transport == "tls" else None
    try:
        with StreamServer(core.host, core.port, context) as server:
            yield server
    finally:
        edge.tool("domain", "set", edge.operator.domain, "--core", uri + "udp")


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_core_is_spoken_to_over_a_stream(lab, sides, transport):
    caller, callee = sides
    with core_over(lab, callee, transport) as server:
        caller.agent.send(request("MESSAGE", callee.address, caller.agent, caller.address),
                          caller.way_out)
        with server.accept() as core:
            core.send(response(core.expect("MESSAGE"), 200, "OK", tag="t1"))
            caller.agent.expect(200)


def test_a_cancel_follows_its_invite(sides):
    caller, callee = sides
    invite = request("INVITE", callee.address, caller.agent, caller.address)
    caller.agent.send(invite, caller.way_out)
    got = callee.agent.expect("INVITE")
    callee.agent.answer(got, 180, "Ringing", tag="t1")
    caller.agent.expect(180)
    cancel = Message(invite.start.replace("INVITE", "CANCEL", 1), [
        (name, "1 CANCEL" if name == "CSeq" else value)
        for name, value in invite.headers if name != "Contact"])
    caller.agent.send(cancel, caller.way_out)
    cancelled = callee.agent.expect("CANCEL")
    callee.agent.answer(cancelled, 200, "OK", tag="t1")
    callee.agent.answer(got, 487, "Request Terminated", tag="t1")
    caller.agent.send(ack_for(invite, caller.agent.expect(487)), caller.way_out)
    assert callee.agent.expect("ACK").branch == got.branch


def test_a_target_that_is_an_address_of_ipv6_has_no_identity(sides):
    caller, _ = sides
    caller.agent.send(request("MESSAGE", "sip:bob@[::1]:5061", caller.agent, caller.address),
                      caller.way_out)
    back = caller.agent.expect_final("MESSAGE")
    assert back.status == 403
    assert "IP address" in back.get("Warning")


def call_and_see(lab, evidence):
    """A MESSAGE arrives, and edge A logs how."""
    a, b = lab.plan.a, lab.plan.b
    with UdpAgent(a.phone, SIP_PORT) as alice, UdpAgent(b.phone, SIP_PORT) as bob:
        alice.send(request("MESSAGE", f"sip:{b.address}", alice, f"sip:{a.address}"),
                   (a.edge, SIP_PORT))
        bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
        alice.expect(200)
    lab.edge_a.wait_log(evidence)


def test_a_family_that_leads_nowhere_is_passed_over(dual):
    with dual( lambda own: [own, HERE], lambda own: [own]) as lab:
        call_and_see(lab, r"\[::1\]:\d+: connection refused")


def test_a_peer_is_reached_on_a_family_without_a_listener_of_ours(dual):
    """IPv6 comes first (RFC 6724), and a connection of our own needs no listener."""
    with dual(lambda own: [own], lambda own: [own, HERE]) as lab:
        call_and_see(lab, r"\[::1\]:\d+: TLS connection opened")
