"""`junctor dns check`: which denials tell of other names in the zone, and which were made for the
question (RFC 4470)."""

import socket
import struct
import threading

import pytest

from lab.lab import Lab
from lab.plan import DNS_PORT
from test_dns_check import DOMAIN, World

NSEC, SOA = 47, 6


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        yield world
        world.zone.stop()


def wire(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class Denier:
    """Stands before the first name server, and denies the name that nobody has by an NSEC record of
    its own; the rest is passed on."""

    def __init__(self, world, following):
        self.behind, self.following, self.denied = world.zone.second, following, 0
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind((world.zone.first, DNS_PORT))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            query, peer = self.server.recvfrom(4096)
            if not query:
                return
            self.server.sendto(self.answer(query), peer)

    def answer(self, query):
        if b"no-such-name-" not in query[:40]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as behind:
                behind.settimeout(5)
                behind.sendto(query, (self.behind, DNS_PORT))
                return behind.recv(4096)
        self.denied += 1
        end = query.index(b"\0", 12) + 5
        zone = [label.encode() for label in DOMAIN.split(".")]
        nsec = wire(*self.following(query[13:13 + query[12]]), *zone) + b"\0\x01\x40"
        return (query[:2] + struct.pack("!5H", 0x8403, 1, 0, 1, 0) + query[12:end] +
                b"\xc0\x0c" + struct.pack("!HHIH", NSEC, 1, 60, len(nsec)) + nsec)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.sendto(b"", self.server.getsockname())
        self.thread.join(10)
        self.server.close()


@pytest.mark.parametrize("following,told", [
    (lambda name: [b"\0", name], False),      # made for the question
    (lambda name: [b"someone"], True),
    (lambda name: [b"\0\0", name], True),     # a longer label is another name
    (lambda name: [b"\1", name], True)])
def test_a_denial_that_names_nobody_else_lets_nobody_list_the_zone(world, following, told):
    world.zone.serve(world.good, world.good)
    world.zone.knot.stop()
    with Denier(world, following) as denier:
        report = world.check(own=False)
    assert denier.denied > 0
    assert ("walkable" in report.codes) == told, report.findings
