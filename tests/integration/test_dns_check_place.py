"""`junctor dns check`: whom it asks, and as whom it calls, where not all that the configuration names
can be used."""

import os
import socket
import threading

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT
from test_dns_check import World


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        world.serve(world.records)
        yield world
        world.zone.stop()


@pytest.fixture(name="configure")
def fixture_configure(world):
    """Changes operator A's configuration, as whom the check is run; undone after the test."""
    path = world.lab.edge_a.path("junctord.conf")
    with open(path, encoding="ascii") as file:
        before = file.read()

    def configure(old, new):
        assert old in before
        with open(path, "w", encoding="ascii") as file:
            file.write(before.replace(old, new))

    yield configure
    with open(path, "w", encoding="ascii") as file:
        file.write(before)


def upstreams(world, *addresses):
    """The setting as it is, and with these addresses in its place."""
    return (f'upstreams = {{"{world.plan.resolver}:{DNS_PORT}"}}',
            "upstreams = {" + ", ".join(f'"{addr}:{DNS_PORT}"' for addr in addresses) + "}")


@pytest.mark.parametrize("mute", [False, True])
def test_the_first_upstream_that_answers_is_asked(world, configure, mute):
    dead = world.plan.resolver[:-2] + "99"
    configure(*upstreams(world, dead, world.plan.resolver))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        if mute:
            server.bind((dead, DNS_PORT))
        report = world.check(own=False)
    assert report.passes and report.findings == []
    assert report.json["targets"][0]["tlsa"] == "validated"


def refuse_all(server):
    """As a resolver does that this host may not ask; until the socket is shut down."""
    while True:
        query, peer = server.recvfrom(4096)
        if not query:
            return
        server.sendto(query[:2] + b"\x80\x05" + query[4:], peer)


def test_an_upstream_that_refuses_is_passed_over(world, configure):
    unwilling = world.plan.resolver[:-2] + "99"
    configure(*upstreams(world, unwilling, world.plan.resolver))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((unwilling, DNS_PORT))
        thread = threading.Thread(target=refuse_all, args=[server])
        thread.start()
        report = world.check(own=False)
        server.sendto(b"", (unwilling, DNS_PORT))
        thread.join(10)
    assert report.passes and report.findings == []


def test_only_upstreams_that_the_edge_trusts_are_asked_where_there_are_such(world, configure):
    dead = world.plan.resolver[:-2] + "99"
    old, new = upstreams(world, world.plan.resolver, dead)
    configure(old, new + f' trusted = {{"{dead}:{DNS_PORT}"}}')
    report = world.check(own=False)
    assert not report.passes
    assert f"{dead}:{DNS_PORT}" in report.find("resolver")[0]["where"]


def test_an_upstream_that_the_edge_does_not_trust_validates_nothing(world, configure):
    """By default the edge trusts loopback alone; a mapped address is another, to the same place."""
    configure(*upstreams(world, f"[::ffff:{world.plan.resolver}]"))
    report = world.check(own=False)
    assert report.passes and report.json["targets"][0]["tlsa"] == "unsigned"
    assert "does not trust it" in report.one("resolver-blind")["why"]


@pytest.mark.parametrize("unfit", ["expired", "another key", "missing"])
def test_without_a_fit_certificate_of_ours_the_rest_is_looked_at(world, configure, unfit):
    pki = world.lab.pki
    chain, key = pki.path("edge-a.pem"), pki.path("edge-a.key")
    pki.make(Leaf("old", sip=("opa.example",), expired=True))
    if unfit == "expired":
        configure(f'chain = "{chain}" key = "{key}"',
                  f'chain = "{pki.path("old.pem")}" key = "{pki.path("old.key")}"')
    else:
        configure(f'key = "{key}"', f'key = "{pki.path("old.key" if unfit != "missing" else "x")}"')
    report = world.check(own=False)
    assert report.json["targets"][0]["tlsa"] == "validated"
    note = report.one("no-certificate")
    assert {"expired": "expired at 2020", "another key": "does not belong",
            "missing": "cannot be read"}[unfit] in note["what"]
    assert not os.path.exists(pki.path("x"))
