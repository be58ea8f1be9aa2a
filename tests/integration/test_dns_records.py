"""The records that should exist, as name servers see them: the zone passes the checks of Knot, NSD
and BIND and verifies once it is signed; updates make a primary's zone the same."""

import json
import os
import re

import pytest

from lab.dns import find_program
from lab.edge import Edge
from lab.pki import Leaf, Pki
from lab.primary import Primary
from lab.process import run, wait_until

DOMAIN = "opa.example"
PORTED_OUT = 400
HEAD = """\
$ORIGIN opa.example.
$TTL 60
@   SOA ns hostmaster 1 3600 600 86400 60
@   NS  ns
ns  A   192.0.2.53
"""
# what a zone may still have of an older edge; the last line is nobody's business
OLD = """\
@                NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.old
_sips._tcp       SRV   10 10 5061 edge
_sips._tcp       SRV   20 10 5061 old
edge             A     192.0.2.1
edge             AAAA  2001:db8::1
_5061._tcp.edge  TLSA  3 1 1 0000000000000000000000000000000000000000000000000000000000000000
www              A     192.0.2.80
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def edge(plan, place):
    """An edge behind NAT, with some addresses of its domain ported out, others not."""
    pki = Pki(os.path.join(place, "pki"))
    pki.make_ca()
    pki.make(Leaf("edge-a", sip=(DOMAIN,), dns=(DOMAIN,)))
    pki.make(Leaf("next-a", sip=(DOMAIN,), dns=(DOMAIN,)))
    edge = Edge(plan.a, plan, os.path.join(place, "edge"), pki, "edge-a")
    edge.outside = 'advertise = "edge.opa.example" addresses = {"192.0.2.10"}'
    edge.served = f'next-key = "{pki.path("next-a.key")}"'
    edge.configure()
    edge.start()
    edge.wait_ready()
    edge.tool("domain", "add", DOMAIN, "--core", edge.core)
    rows = [{"address": f"out{i}@{DOMAIN}", "hosting": f"op{i % 3}.example"}
            for i in range(PORTED_OUT)]
    rows += [{"address": f"here{i}@{DOMAIN}"} for i in range(100)]
    with open(edge.path("rows.jsonl"), "w", encoding="ascii") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    edge.tool("import", edge.path("rows.jsonl"))
    yield edge
    edge.program.stop()


@pytest.fixture(scope="module")
def zone(edge, place):
    """A zone file with our records."""
    path = os.path.join(place, "zone")
    with open(path, "w", encoding="ascii") as file:
        file.write(HEAD + edge.tool("dns", "records", DOMAIN).stdout)
    return path


def wanted(edge):
    """As Primary.records has them."""
    return {(r["name"], r["type"], r["ttl"], r["data"])
            for r in edge.tool_json("dns", "records", DOMAIN)["records"]}


def test_they_name_the_edge_its_keys_and_each_address(edge):
    records = wanted(edge)
    assert len(records) == 4 + 2 + PORTED_OUT
    for name in ("edge-a", "next-a"):
        fingerprint = edge.pki.fingerprint(name)
        assert (f"_5061._tcp.edge.{DOMAIN}", "TLSA", 3600, f"3 1 1 {fingerprint}") in records
    assert (f"edge.{DOMAIN}", "A", 3600, "192.0.2.10") in records
    assert (f"_sips._tcp.{DOMAIN}", "SRV", 3600, f"10 10 5061 edge.{DOMAIN}.") in records
    assert sum(record[3].endswith('"SIP+host" "" op1.example.') for record in records) == 133


@pytest.mark.parametrize("program,options", [
    ("kzonecheck", ["-o", DOMAIN]), ("nsd-checkzone", [DOMAIN]),
    ("named-checkzone", ["-i", "full", "-k", "fail", "-m", "fail", "-S", "fail", "-n", "fail",
                         "-r", "fail", DOMAIN])])
def test_name_servers_take_the_zone(zone, program, options):
    done = run([find_program(program), *options, zone])
    said = done.stdout + done.stderr
    assert not re.search(r"warning|error", said), said


def test_the_signed_zone_verifies(zone, place):
    keys = [run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, DOMAIN], cwd=place).stdout.strip()
            for flags in ([], ["-k"])]
    signed = os.path.join(place, "zone.signed")
    run(["ldns-signzone", "-n", "-f", signed, zone, *keys], cwd=place)
    done = run(["ldns-verify-zone", signed])
    assert "verified" in done.stdout.lower(), done.stdout + done.stderr


@pytest.fixture(params=["knot", "bind"])
def primary(request, tmp_path):
    primary = Primary(request.param, str(tmp_path / "primary"), "127.0.0.1", HEAD + OLD)
    primary.start()
    yield primary
    primary.close()


def test_updates_make_a_primary_the_same(edge, primary):
    www = (f"www.{DOMAIN}", "A", 60, "192.0.2.80")
    assert len(primary.records()) == 7
    for _ in range(2):  # again, for what it takes away and adds is the same
        primary.nsupdate(edge.tool("dns", "records", DOMAIN, "--format", "nsupdate").stdout)
        assert primary.records() == wanted(edge) | {www}


def test_a_reload_changes_ttls_and_keys_but_no_listener(edge):
    edge.outside = 'advertise = "other.opa.example" addresses = {"192.0.2.11"}'
    edge.served, edge.more = "", "publish { ttl = 60 address-ttl = 30 }"
    edge.configure()
    edge.reload()

    def ttls():
        return {record[2] for record in wanted(edge)}

    wait_until(lambda: ttls() == {60, 30}, "the reload is done", watch=[edge.program])
    records = wanted(edge)
    assert (f"_sips._tcp.{DOMAIN}", "SRV", 60, f"10 10 5061 edge.{DOMAIN}.") in records
    assert sum(record[1] == "TLSA" for record in records) == 1
