"""An address moves between real operators, from the holder's wish to the calls: opb.example is its
authority, opa.example and opc.example are other hosts."""

import json
import subprocess

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.sip import UdpAgent

PORT = 8444
THIRD = """\
opc                       NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opc
_sips._tcp.opc            SRV 10 10 {tls} edge.opc
_address-porting._tcp.opc SRV 10 10 {port} edge.opc
edge.opc                  A {edge}
"""
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ freeze-s = 0 receipt-keys = "{keys}" }}
"""


def third(plan):
    return Operator("c", "opc.example", "carol", plan.a.network.replace(".31.", ".33."), 660)


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    operator = third(plan)
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make(Leaf("edge-c", sip=(operator.domain,),
                           dns=(operator.domain, operator.edge_host)))
        made.make_dns(services=((PORT, "_address-porting._tcp"),),
                      more=THIRD.format(tls=TLS_PORT, port=PORT, edge=operator.edge))
        for side in (plan.a, plan.b, operator):
            edge = made.make_edge(side, workers=1)
            edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT,
                                    keys=edge.path("receipt-keys"))
            edge.configure()
        made.start()
        made.provision()
        yield made


@pytest.fixture(name="phones")
def fixture_phones(plan):
    """Each operator's core, with its holders' phones, by its letter."""
    with UdpAgent(plan.a.phone, SIP_PORT) as a, UdpAgent(plan.b.phone, SIP_PORT) as b, \
            UdpAgent(third(plan).phone, SIP_PORT) as c:
        yield {"a": a, "b": b, "c": c}


def domain(letter):
    return f"op{letter}.example"


def told(phone, words):
    """The holder is told of it at this phone."""
    for _ in range(20):
        message = phone.expect("MESSAGE", 10)
        phone.answer(message, 200, "OK", tag="p1")
        text = message.body.decode("utf-8")
        if words in text:
            return text
    raise AssertionError(f"nobody was told: {words}")


def start(lab, address, here, there):
    """Its holder moves it from one to the other; the port's id and undo secret."""
    code = lab.edges[here].tool("address", "auth-code", address, "--quiet", "--for",
                                domain(there)).stdout
    done = subprocess.run(lab.edges[there].tool_argv("port", "start", address, domain(there),
                                                     "--json"),
                          input=code, capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)


def test_the_holder_hears_of_every_step_at_his_phone(lab, phones):
    address = "nora@opb.example"
    lab.edges["b"].tool("address", "add", address)
    start(lab, address, "b", "c")
    assert "an auth code to move it to opc.example was asked for" in \
        told(phones["b"], f"{address}: an auth code")
    told(phones["b"], f"{address}: it has moved to opc.example")
    told(phones["c"], f"{address}: it has moved to opc.example")
