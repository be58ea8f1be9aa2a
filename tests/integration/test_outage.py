"""The only upstream dies in the middle of some hundred requests a second, and stays dead beyond
every TTL: no request fails to a domain that was called before."""

import re
import select
import time
from signal import SIGCONT, SIGSTOP

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT
from lab.process import wait_until
from lab.sip import Message, UdpAgent, response
from lab.sip import request as sip_request
from lab.unix_http import UnixConnection

DOMAINS = [f"d{number}.example" for number in range(15)]  # an edge reads 16 of a certificate
ALICE = "sip:alice@opa.example"
RATE = 300  # a second, where the machine can
AT_ONCE = 1200  # that wait for an answer; else it is slower
AGAIN_S = 0.5  # what is not answered is sent again (RFC 3261 section 17.1.2)
LIFE_S = 9  # of the outage; more than the TTLs of all records together
LIMIT_S = 60

# As most domains are: a long-lived NAPTR, shorter SRV, shorter addresses, and half have no AAAA.
# unbound counts whole seconds, so that each ends within the outage.
RECORDS = """\
{name}. 4 NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}.
_sips._tcp.{name}. 3 SRV 10 10 {port} edge.{name}.
edge.{name}. 1 A {edge}
"""


@pytest.fixture(scope="module")
def lab(plan, request):
    """One worker asks, for each has a cache of its own to be warmed up."""
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make(Leaf("edge-b", sip=(plan.b.domain, *DOMAINS), dns=(plan.b.edge_host,)))
        made.make_dns(negative_ttl=2, more="".join(
            RECORDS.format(name=name, port=TLS_PORT, edge=plan.b.published) for name in DOMAINS))
        for operator in plan.operators:
            made.make_edge(operator, workers=1)
        made.start()
        made.provision()
        made.edge_b.tool("peer", "add", plan.a.domain)  # more than a first contact may send
        for name in DOMAINS:
            made.edge_b.tool("domain", "add", name, "--core", made.edge_b.core)
            made.edge_b.tool("address", "add", f"bob@{name}")
        yield made


class Stand:
    """Sends a MESSAGE to one domain after the other; bob answers each with 200."""

    def __init__(self, alice, bob, edge):
        self.alice, self.bob, self.edge = alice, bob, edge
        self.sent = 0
        self.open = {}  # Call-ID: the request, when it is sent again, and after how long then
        self.failed = []

    def send(self):
        name = DOMAINS[self.sent % len(DOMAINS)]
        message = sip_request("MESSAGE", f"sip:bob@{name}", self.alice, ALICE)
        self.sent += 1
        self.open[message.get("Call-ID")] = [message, 0.0, AGAIN_S]

    def turn(self, wait_s=0.005):
        now = time.monotonic()
        for entry in self.open.values():
            if entry[1] <= now:
                self.alice.send(entry[0], self.edge)
                entry[1], entry[2] = now + entry[2], min(2 * entry[2], 4.0)
        for ready in select.select([self.alice.socket, self.bob.socket], [], [], wait_s)[0]:
            data, source = ready.recvfrom(65536)
            message = Message.parse(data)
            if ready is self.bob.socket:
                self.bob.send(response(message, 200, "OK", tag="b1"), source)
            elif message.status >= 200 and self.open.pop(message.get("Call-ID"), None):
                if message.status != 200:
                    self.failed.append((message.start, message.get("Warning")))

    def finish(self):
        deadline = time.monotonic() + LIMIT_S
        while self.open and time.monotonic() < deadline:
            self.turn()
        assert not self.failed, f"{len(self.failed)} of {self.sent}: {self.failed[:3]}"
        assert not self.open

    def warm_up(self):
        for _ in DOMAINS:
            self.send()
            self.finish()

    def load(self, seconds):
        start, before = time.monotonic(), self.sent
        while time.monotonic() < start + seconds:
            due = before + RATE * (time.monotonic() - start)
            while self.sent < due and len(self.open) < AT_ONCE:
                self.send()
            self.turn()


def stale_hits(edge):
    connection = UnixConnection(edge.socket)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(re.search(r"^junctor_dns_stale_hits_total (\d+)", text, re.M)[1])


@pytest.fixture(params=["killed", "stopped"])
def dies(lab, request):
    """How unbound goes; afterwards it is back."""
    unbound = lab.dns.unbound
    yield unbound.kill if request.param == "killed" else lambda: unbound.send_signal(SIGSTOP)
    if request.param == "killed":
        unbound.start()
    else:
        unbound.send_signal(SIGCONT)
    wait_until(lab.dns.ready, "unbound is back", watch=[unbound])


def test_no_request_fails_to_a_domain_that_was_called_before(lab, plan, dies):
    with UdpAgent(plan.a.phone, SIP_PORT) as alice, UdpAgent(plan.b.phone, SIP_PORT) as bob:
        stand = Stand(alice, bob, (plan.a.edge, SIP_PORT))
        stand.warm_up()
        stand.load(1)
        dies()
        stand.load(LIFE_S)
        stand.finish()
    assert stale_hits(lab.edge_a) > len(DOMAINS)
