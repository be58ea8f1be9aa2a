"""Calls between two real phones through two edges, and what breaks in mid-call."""

import re

import pytest

from lab import ladder, sockets
from lab.plan import TLS_PORT
from lab.process import run
from lab.relay import TcpRelay


@pytest.fixture(scope="module")
def lab(plan, request):
    """DNS leads peers to a relay before each edge, so that connections can be cut."""
    for operator in plan.operators:
        operator.published = operator.network + "2"
    lab = request.getfixturevalue("bare_lab")
    lab.relays = {}
    for operator in plan.operators:
        lab.relays[operator.letter] = lab.cleanup.enter_context(
            TcpRelay(operator.published, TLS_PORT, (operator.edge, TLS_PORT)))
        lab.make_edge(operator)
        lab.make_phone(operator)
    lab.start()
    lab.provision()
    return lab


@pytest.fixture(autouse=True)
def quiet_phones(lab):
    """No call of a failed test is left for the next one."""
    yield
    for phone in lab.phones.values():
        phone.hang_up()


class Call:
    """A call between the phones, up when made."""

    def __init__(self, lab, caller, callee):
        self.caller, self.callee = caller, callee
        self.marks = {phone: phone.mark() for phone in (caller, callee)}
        self.sizes = {phone: phone.log_size() for phone in (caller, callee)}
        caller.dial("sip:" + callee.operator.address)
        callee.wait_incoming(since=self.marks[callee])
        callee.accept()
        for phone in (caller, callee):
            established = phone.wait_established(since=self.marks[phone])
        self.id = established["id"]
        self.lab = lab

    def hang_up(self, by):
        """Returns how the phone that hung up was answered."""
        size = by.log_size()
        by.hang_up()
        for phone in (self.caller, self.callee):
            phone.wait_closed(since=self.marks[phone], call_id=self.id)
        return by.wait_answer("BYE", size)

    def hops(self):
        return [hop for edge in self.lab.edges.values() for hop in edge.hops(call_id=self.id)]


def sides(lab, direction):
    return (lab.alice, lab.bob) if direction == "alice to bob" else (lab.bob, lab.alice)


DIRECTIONS = ["alice to bob", "bob to alice"]


@pytest.mark.parametrize("hung_up_by", ["caller", "callee"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_call_is_set_up_and_ended(lab, direction, hung_up_by):
    call = Call(lab, *sides(lab, direction))
    by = call.caller if hung_up_by == "caller" else call.callee
    assert call.hang_up(by).startswith("200 ")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_audio_flows_between_the_phones_themselves(lab, direction):
    call = Call(lab, *sides(lab, direction))
    for phone, other in ((call.caller, call.callee), (call.callee, call.caller)):
        phone.wait_event("CALL_RTPESTAB", since=call.marks[phone])
        target = phone.remote_sdp(call.id)
        assert target.address == other.operator.phone
        assert target.port in sockets.udp_ports(other.program.pid)
    for edge in lab.edges.values():
        assert not sockets.udp_ports(edge.program.pid, wanted=sockets.is_media_port)
    call.hang_up(call.caller)
    for phone in (call.caller, call.callee):
        count = phone.rtp_count(call.sizes[phone])
        assert count.sent > 0 and count.received > 0


def test_each_hop_between_edges_proves_both_domains(lab):
    call = Call(lab, lab.alice, lab.bob)
    call.hang_up(lab.alice)
    lab.edge_a.wait_log(f"sent 200 .* side=inside .*call-id={call.id} cseq=\"\\d+ BYE\"")
    rungs = ladder.rungs(call.hops(), lab.plan)
    between = [rung for rung in rungs if rung.identity != "inside"]
    methods = {rung.start.split()[0] for rung in between}
    assert {"INVITE", "ACK", "BYE", "180", "200"} <= methods
    for rung in between:
        assert ladder.proves_both(rung, lab.plan), rung


def test_certificates_for_servers_only_are_accepted(lab):
    """The edges of this lab show what public CAs issue since 2026 (no clientAuth): the calls
    above passed with them, this says that they really are so."""
    for operator in lab.plan.operators:
        text = run(["openssl", "x509", "-in", lab.pki.path(f"edge-{operator.letter}.pem"),
                    "-noout", "-ext", "extendedKeyUsage"]).stdout
        assert "TLS Web Server Authentication" in text
        assert "Client" not in text
    call = Call(lab, lab.bob, lab.alice)
    assert call.hang_up(lab.bob).startswith("200 ")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_message_arrives(lab, direction):
    sender, receiver = sides(lab, direction)
    sent, received = sender.log_size(), receiver.log_size()
    text = f"hello, {direction}"
    sender.message(text)
    receiver.wait_message(text, received)
    assert sender.wait_answer("MESSAGE", sent).startswith("200 ")


def test_a_caller_who_gives_up_stops_the_ringing(lab):
    from_alice, from_bob = lab.alice.mark(), lab.bob.mark()
    size = lab.alice.log_size()
    lab.alice.dial("sip:" + lab.plan.b.address)
    lab.bob.wait_incoming(since=from_bob)
    lab.alice.wait_event("CALL_RINGING", since=from_alice)
    lab.alice.hang_up()
    lab.bob.wait_closed(since=from_bob)
    assert lab.alice.wait_answer("INVITE", size).startswith("487 ")


def test_a_callee_who_declines_is_heard(lab):
    from_alice, from_bob = lab.alice.mark(), lab.bob.mark()
    size = lab.alice.log_size()
    lab.alice.dial("sip:" + lab.plan.b.address)
    lab.bob.wait_incoming(since=from_bob)
    lab.bob.hang_up()
    lab.alice.wait_closed(since=from_alice)
    assert re.match("4|6", lab.alice.wait_answer("INVITE", size))


@pytest.mark.parametrize("hung_up_by", ["caller", "callee"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_call_ends_well_after_its_connections_were_cut(lab, direction, hung_up_by):
    call = Call(lab, *sides(lab, direction))
    assert sum(relay.cut() for relay in lab.relays.values()) > 0
    by = call.caller if hung_up_by == "caller" else call.callee
    assert call.hang_up(by).startswith("200 ")


@pytest.mark.parametrize("hung_up_by", ["caller", "callee"])
@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_killed_edge_comes_back_with_all_it_knew(lab, letter, hung_up_by):
    """kill -9 in mid-call: the directory is intact, the call can be hung up, the next one works."""
    call = Call(lab, lab.alice, lab.bob)
    edge = lab.edges[letter]
    domains, addresses = (edge.tool_json(kind, "list", *args) for kind, args in (
        ("domain", ()), ("address", (edge.operator.domain,))))
    edge.restart(kill=True)

    assert edge.tool_json("domain", "list") == domains
    assert edge.tool_json("address", "list", edge.operator.domain) == addresses
    by = call.caller if hung_up_by == "caller" else call.callee
    assert call.hang_up(by).startswith("200 ")
    following = Call(lab, lab.bob, lab.alice)
    assert following.hang_up(lab.alice).startswith("200 ")
