"""Which address and port everything in the lab has.

Everything is on loopback, 127.N.30.0/24 to 127.N.32.0/24. `./quickstart` is N = 0; the tests take
other N, so that they run while a kept quickstart is up. No port is below 1024: no root is needed.
"""

import os
import socket
from dataclasses import dataclass
from typing import Optional

SIP_PORT = 5060
TLS_PORT = 5061
DNS_PORT = 5300
CONTROL_PORT = 4444
CLAIM_PORT = 5399  # nothing of the lab has it


@dataclass
class Operator:
    """One side of the lab. The letter names its directory, certificate and log."""

    letter: str  # "a" or "b"
    domain: str
    user: str
    network: str  # "127.0.31.": the operator's own /24
    hertz: int  # the tone its phone sends
    edge: str = ""
    published: str = ""  # the address DNS gives for the edge; a relay's where one stands before it
    also_published: str = ""  # a further address
    tls_port: int = TLS_PORT  # and the port
    phone: str = ""

    def __post_init__(self):
        self.edge = self.edge or self.network + "1"
        self.published = self.published or self.edge
        self.phone = self.phone or self.network + "10"

    @property
    def address(self):
        return f"{self.user}@{self.domain}"

    @property
    def edge_host(self):
        return f"edge.{self.domain}"


@dataclass
class Plan:
    number: int = 0
    claimed: Optional[socket.socket] = None  # see free_plan()

    def __post_init__(self):
        base = f"127.{self.number}"
        self.resolver = f"{base}.30.53"  # unbound, validating
        self.nameserver = f"{base}.30.54"  # Knot, authoritative
        self.a = Operator("a", "opa.example", "alice", f"{base}.31.", 440)
        self.b = Operator("b", "opb.example", "bob", f"{base}.32.", 880)

    @property
    def operators(self):
        return (self.a, self.b)

    def other(self, operator):
        return self.b if operator is self.a else self.a


class NoPlan(Exception):
    pass


def is_free(plan):
    """Can the lab's ports be bound now? Names the first that cannot, or returns None."""
    wanted = [(plan.resolver, DNS_PORT), (plan.nameserver, DNS_PORT)]
    for operator in plan.operators:
        wanted += [(operator.edge, SIP_PORT), (operator.edge, TLS_PORT)]
        wanted += [(operator.phone, SIP_PORT), (operator.phone, CONTROL_PORT)]
    for address, port in wanted:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:  # a TIME_WAIT of the last run is no hindrance
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, port))
                except OSError as error:
                    return f"{address} port {port}: {error.strerror}"
    return None


def claim(plan):
    """A socket that nobody else can have while it is open: two processes that look for a free plan
    at the same time must not find the same one. None if another has it."""
    claimed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claimed.bind((plan.resolver, CLAIM_PORT))
    except OSError:
        claimed.close()
        return None
    return claimed


def free_plan():
    """A plan nobody uses, and nobody else finds while this one is referred to. The start depends on
    the process, so that test runs side by side seldom try the same one."""
    for step in range(100):
        plan = Plan(1 + (os.getpid() + step) % 100)
        plan.claimed = claim(plan)
        if plan.claimed and is_free(plan) is None:
            return plan
    raise NoPlan("none of the networks 127.1 to 127.100 has the lab's ports free")
