#!/usr/bin/env python3
"""How long a good peer's call set-up takes, quiet and under each attack: `make bench-attack`, or
tests/bench/attack.py [ATTACK ...] with JUNCTOR_BUILD naming the build folder.

Attackers, peer, core and edge share this machine's processors, which they would not in earnest. So
the attackers run at nice 19: they take what is left over, as the edge's own work for them does not.
Quiet and attacked rounds alternate, so that both see the same machine. What else runs here still
shows. Besides, how much processor time each attack costs the edge, which does not depend on that."""

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


def run_one(name, lab, bob, alice, options):
    """Returns what was measured quiet and attacked, and what an attacking connection costs."""
    pid = lab.edge_a.program.pid
    quiet, attacked, made, spent = [], [], 0, 0.0
    for number in range(options.rounds):
        # each round from addresses of its own, for some of those before are banned
        target = attacks.Target(lab, lab.plan.a.edge, f"127.{lab.plan.number}.{33 + number}.")
        begin = attacks.cpu_s(pid)
        now = measure(bob, alice, time.monotonic() + options.seconds)
        each = (attacks.cpu_s(pid) - begin) / len(now)
        quiet += now
        begin = attacks.cpu_s(pid)
        with attacks.under(name, target, options.seconds, nice=19) as (end, counts):
            now = measure(bob, alice, end)
        spent += max(attacks.cpu_s(pid) - begin - each * len(now), 0)
        attacked += now
        made += counts[0]
    return quiet, attacked, made, spent


def run(lab, names, options):
    missed = []
    pid = lab.edge_a.program.pid
    with UdpAgent(lab.plan.a.phone, SIP_PORT) as alice, StreamAgent.connect(
            (lab.plan.a.edge, TLS_PORT), source=lab.plan.b.published,
            context=tls_context(lab.pki, "edge-b"), server_name="opa.example") as bob:
        bob.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer(bob, alice)
        print(f"{'attack':<18} {'calls':>11} {'p99 quiet':>9} {'attacked':>9} {'times':>5} "
              f"{'conns':>7} {'edge s':>6} {'us/conn':>7} {'MB':>4}")
        for name in names:
            quiet, attacked, made, spent = run_one(name, lab, bob, alice, options)
            times = p99(attacked) / p99(quiet)
            print(f"{name:<18} {len(quiet):>5} {len(attacked):>5} {1000 * p99(quiet):>6.2f} ms "
                  f"{1000 * p99(attacked):>6.2f} ms {times:>5.2f} {made:>7} {spent:>6.2f} "
                  f"{1e6 * spent / max(made, 1):>7.0f} {attacks.resident_kb(pid) // 1000:>4}",
                  flush=True)
            if times > TIMES:
                missed.append(name)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=", ".join(attacks.ATTACKS))
    parser.add_argument("--seconds", type=float, default=3, help="of each round")
    parser.add_argument("--rounds", type=int, default=4, choices=range(1, 200),
                        help="quiet, and attacked, of each attack")
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
        missed = run(lab, names, options)
    if missed:
        print("more than twice the quiet value: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
