"""Hostile sources, and what becomes of the rest meanwhile: each call of a good peer succeeds, and the
daemon's memory stays bounded. (How much slower the calls get is tests/bench/attack.py's question.)"""

import contextlib
import re
import socket
import ssl
import time

import pytest

from lab import attacks
from lab.plan import TLS_PORT
from lab.sip import Dialog, StreamAgent, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
SECONDS = 1.2  # of each attack
# An attack has 300 connections, each of which may fill a buffer of a message (64 KiB) and a TLS
# record; an edge that keeps what comes passes this in a moment.
GROWTH_KB = 96 * 1024


@pytest.fixture(scope="module")
def lab(bare_lab):
    attacks.prepare(bare_lab)
    bare_lab.make_edge(bare_lab.plan.a, workers=2)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


@pytest.fixture(scope="module")
def target(lab):
    return attacks.Target(lab, lab.plan.a.edge, f"127.{lab.plan.number}.33.")


def connect(lab):
    return StreamAgent.connect((lab.plan.a.edge, TLS_PORT), source=lab.plan.b.published,
                               context=tls_context(lab.pki, "edge-b"), server_name="opa.example")


def call(bob, alice):
    """Set up, and ended by the caller."""
    invite = request("INVITE", ALICE, bob, BOB)
    bob.send(invite)
    got = alice.expect("INVITE", call_id=invite.get("Call-ID"), timeout_s=10)
    alice.answer(got, 200, "OK", tag="a1",
                 headers=[("Contact", f"<sip:alice@{alice.address}:{alice.port}>")])
    dialog = Dialog.of_caller(bob, invite, bob.expect(200, timeout_s=10))
    bob.send(dialog.request("ACK"))
    alice.expect("ACK", call_id=dialog.call_id, timeout_s=10)
    bob.send(dialog.request("BYE"))
    alice.answer(alice.expect("BYE", call_id=dialog.call_id, timeout_s=10), 200, "OK")
    assert bob.expect_final("BYE", timeout_s=10).status == 200


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_calls_succeed_and_memory_is_bounded_under(lab, target, alice, name):
    edge = lab.edge_a
    with connect(lab) as bob:
        call(bob, alice)
        before_kb = attacks.resident_kb(edge.program.pid)
        most_kb = calls = 0
        with attacks.under(name, target, SECONDS) as (end, made):
            while time.monotonic() < end:
                call(bob, alice)
                with connect(lab) as again:  # who comes anew gets in, too
                    call(again, alice)
                calls += 2
                most_kb = max(most_kb, attacks.resident_kb(edge.program.pid))
    assert made[0] > 0 and calls > 0
    assert most_kb - before_kb < GROWTH_KB
    assert edge.program.alive()


def test_the_places_of_connections_are_given_back(lab, target, alice):
    """After an attack as before it: nothing of it is left but bans."""
    with connect(lab) as bob:
        with attacks.under("half_open", target, 0.5) as (end, _):
            time.sleep(max(0.0, end - time.monotonic()))
        deadline = time.monotonic() + 15
        while lab.edge_a.stats()["connections"] > 1:
            assert time.monotonic() < deadline, lab.edge_a.stats()
            time.sleep(0.1)
        call(bob, alice)


@contextlib.contextmanager
def hand_made(lab, last=1):
    """A connection, its TLS by hand, and a ClientHello of which the last octets are still to come."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(lab.pki, "edge-b").wrap_bio(incoming, outgoing, server_hostname="opa.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    with socket.create_connection((lab.plan.a.edge, TLS_PORT), 5,
                                  (lab.plan.b.published, 0)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in hello[:-last]:
            sock.send(bytes([octet]))
        yield sock, tls, incoming, outgoing, hello[-last:]


def test_a_hello_that_comes_octet_by_octet_is_answered(lab):
    with hand_made(lab) as (sock, tls, incoming, outgoing, rest):
        sock.send(rest)
        while tls.version() is None or outgoing.pending:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            if outgoing.pending:
                for octet in outgoing.read():  # what follows the hello is read as it comes
                    sock.send(bytes([octet]))
            else:
                incoming.write(sock.recv(65536))
        lab.edge_a.wait_log(rf":{sock.getsockname()[1]}: TLS connection accepted")


@pytest.mark.parametrize("last", [1, 200])
def test_a_hello_that_ends_early_ends_its_connection_at_once(lab, last):
    mark = lab.edge_a.mark()
    with hand_made(lab, last) as (sock, *_):
        source = re.escape(f"{sock.getsockname()[0]}:{sock.getsockname()[1]}")
        sock.shutdown(socket.SHUT_WR)
        lab.edge_a.wait_log(source + ": TLS handshake failed: closed by the far side", mark)


@pytest.mark.parametrize("said", [b"G", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff"],
                         ids=["one letter", "HTTP", "a record longer than any"])
def test_what_is_no_hello_is_refused(lab, said):
    mark = lab.edge_a.mark()
    with socket.create_connection((lab.plan.a.edge, TLS_PORT), 5,
                                  (lab.plan.b.published, 0)) as sock:
        source = re.escape(f"{sock.getsockname()[0]}:{sock.getsockname()[1]}")
        sock.send(said)
        sock.shutdown(socket.SHUT_WR)
        lab.edge_a.wait_log(source + ": TLS handshake failed: ", mark)
