"""Who may answer a request of ours, and who may cancel one: the peer that was asked, or that asked,
by whichever connection and worker it comes (design section 2). Others saw our Via further down."""

import contextlib
import time

import pytest

from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import Message, StreamAgent, StreamServer, request, response, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
CONNECTIONS = 8  # the kernel gives each to either worker


@pytest.fixture(scope="module")
def lab(bare_lab):
    bare_lab.pki.make(Leaf("edge-c", sip=("opc.example",), dns=("opc.example",)))
    bare_lab.make_edge(bare_lab.plan.a, workers=2)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


@pytest.fixture
def server(lab, plan):
    """Where DNS leads to for opb.example. Edge A may come by several connections, one a worker."""
    with StreamServer(plan.b.published, TLS_PORT,
                      tls_context(lab.pki, "edge-b", server=True)) as listening:
        yield listening


@pytest.fixture
def connected(lab, plan):
    """Connections to edge A of whoever owns a certificate."""
    with contextlib.ExitStack() as open_ones:
        def get(certificate, count=CONNECTIONS):
            return [open_ones.enter_context(
                StreamAgent.connect((plan.a.edge, TLS_PORT),
                                    context=tls_context(lab.pki, certificate),
                                    server_name="opa.example")) for _ in range(count)]
        yield get


def dropped(lab):
    """Messages that the edge has dropped."""
    return lab.edge_a.stats()["dropped"]


def test_an_answer_comes_from_the_peer_that_was_asked(lab, server, connected, alice, inside_a):
    """Another proven peer's is dropped, whichever worker has its connection."""
    alice.send(request("INVITE", BOB, alice, ALICE), inside_a)
    with server.accept() as far:
        got = far.expect("INVITE")
        mark = lab.edge_a.mark()
        before = dropped(lab)
        for foreign in connected("edge-c"):
            foreign.send(response(got, 200, "OK", tag="c1",
                                  headers=[("Contact", "<sip:eve@opc.example>")]))
            foreign.send(response(got, 302, "Moved", tag="c1", headers=[
                ("Contact", "<sip:bob%40opb.example@opc.example>;expires=3600")]))
        assert not alice.poll(200, 0.5)
        lab.edge_a.wait_log(r"dropped (200|302) INVITE.*has not proven the domain that was asked",
                            mark)
        deadline = time.monotonic() + 5
        while dropped(lab) < before + 2 * CONNECTIONS and time.monotonic() < deadline:
            time.sleep(0.05)
        assert dropped(lab) == before + 2 * CONNECTIONS
        far.send(response(got, 486, "Busy Here", tag="b1"))
        assert alice.expect_final("INVITE").status == 486
        far.expect("ACK")


def test_the_peer_may_answer_on_a_connection_of_its_own(lab, server, connected, alice, inside_a):
    """The one that it was asked on is gone (RFC 3261 18.2.2)."""
    alice.send(request("INVITE", BOB, alice, ALICE), inside_a)
    with server.accept() as far:
        got = far.expect("INVITE")
        far.send(response(got, 180, "Ringing", tag="b1"))
        alice.expect(180)
    for number, other in enumerate(connected("edge-b")):
        other.send(response(got, 183, f"Progress {number}", tag="b1"))
        assert alice.expect(183).start.endswith(f"Progress {number}")
    other.send(response(got, 486, "Busy Here", tag="b1"))
    assert alice.expect_final("INVITE").status == 486


def cancel_of(invite):
    headers = [(name, value) for name, value in invite.headers
               if name in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
    return Message(invite.start.replace("INVITE", "CANCEL", 1), headers + [("CSeq", "1 CANCEL")])


def test_a_call_is_cancelled_by_the_peer_that_made_it(lab, connected, alice):
    """From no other peer's connection, whichever worker has it; from each of its own."""
    for own in connected("edge-b"):
        caller = connected("edge-b", 1)[0]
        invite = request("INVITE", ALICE, caller, BOB)
        caller.send(invite)
        got = alice.expect("INVITE", call_id=invite.get("Call-ID"))
        alice.answer(got, 180, "Ringing", tag="a1")
        caller.expect(180)
        for foreign in connected("edge-c", 3):
            foreign.send(cancel_of(invite))
            foreign.expect_final("CANCEL")
        assert not alice.poll("CANCEL", 0.1)
        own.send(cancel_of(invite))
        assert own.expect_final("CANCEL").status == 200
        alice.answer(alice.expect("CANCEL"), 200, "OK")
        alice.answer(got, 487, "Request Terminated", tag="a1")
        assert caller.expect_final("INVITE").status == 487
