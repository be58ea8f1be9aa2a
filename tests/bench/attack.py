#!/usr/bin/env python3
"""How long a good peer's call set-up takes, quiet and under each attack: `make bench-attack`, or
tests/bench/attack.py [ATTACK ...] with JUNCTOR_BUILD naming the build folder. It needs processors to
itself: attackers, peer, core and edge are all on this machine, and a flood that keeps all of them
busy measures the scheduler."""

import argparse
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import attacks  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.plan import SIP_PORT, TLS_PORT, free_plan  # noqa: E402
from lab.sip import Dialog, StreamAgent, UdpAgent, ack_for, request, tls_context  # noqa: E402

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
TIMES = 2.0  # what an attack may cost: p99 at most twice the quiet value


def answer(bob, alice):
    """One answered call, so that the peer is in good standing."""
    invite = request("INVITE", ALICE, bob, BOB)
    bob.send(invite)
    alice.answer(alice.expect("INVITE"), 200, "OK", tag="a1",
                 headers=[("Contact", f"<sip:alice@{alice.address}:{alice.port}>")])
    dialog = Dialog.of_caller(bob, invite, bob.expect(200))
    bob.send(dialog.request("ACK"))
    alice.expect("ACK")


def set_up(bob, alice):
    """Seconds from an INVITE until the callee's 486 is here."""
    for agent in (bob, alice):
        agent.inbox.clear()  # ACK and 100 of earlier calls
    invite = request("INVITE", ALICE, bob, BOB)
    begin = time.monotonic()
    bob.send(invite)
    got = alice.expect("INVITE", 30, invite.get("Call-ID"))
    alice.answer(got, 486, "Busy Here", tag="a1")
    last = bob.expect(486, 30, invite.get("Call-ID"))
    taken = time.monotonic() - begin
    bob.send(ack_for(invite, last))
    return taken


def p99(times):
    return sorted(times)[int(0.99 * (len(times) - 1))]


def measure(bob, alice, end):
    times = []
    while time.monotonic() < end:
        times.append(set_up(bob, alice))
        time.sleep(0.002)
    return times


def report(name, times, edge, quiet=None):
    text = f"p99 {name}: {1000 * p99(times):.2f} ms (calls {len(times)}"
    if quiet:
        text += f", {p99(times) / p99(quiet):.2f} times quiet"
    print(text + f", resident {attacks.resident_kb(edge.program.pid)} kB)", flush=True)


def run(lab, names, seconds):
    edge = lab.edge_a
    target = attacks.Target(lab, lab.plan.a.edge, f"127.{lab.plan.number}.33.")
    missed = []
    with UdpAgent(lab.plan.a.phone, SIP_PORT) as alice, StreamAgent.connect(
            (lab.plan.a.edge, TLS_PORT), source=lab.plan.b.published,
            context=tls_context(lab.pki, "edge-b"), server_name="opa.example") as bob:
        bob.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer(bob, alice)
        quiet = measure(bob, alice, time.monotonic() + seconds)
        report("quiet", quiet, edge)
        for name in names:
            with attacks.under(name, target, seconds) as (end, _):
                times = measure(bob, alice, end)
            report("under " + name, times, edge, quiet)
            if p99(times) > TIMES * p99(quiet):
                missed.append(name)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=", ".join(attacks.ATTACKS))
    parser.add_argument("--seconds", type=float, default=10, help="of each")
    options = parser.parse_args()
    names = options.attacks or list(attacks.ATTACKS)
    unknown = [name for name in names if name not in attacks.ATTACKS]
    if unknown:
        parser.error("no such attack: " + ", ".join(unknown))
    with Lab(free_plan()) as lab:
        lab.make_pki()
        attacks.prepare(lab)
        lab.make_dns()
        edge = lab.make_edge(lab.plan.a, workers=2,
                             more="limits { called-calls = 0 }")  # it is one address we call
        lab.start()
        lab.provision()
        edge.tool("peer", "add", lab.plan.b.domain)
        missed = run(lab, names, options.seconds)
    if missed:
        print("more than twice the quiet value: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
