"""`junctor dns check` and what moves of addresses rest on: the records that lead other operators to
the federation API, what they find there, and the hashes of the keys that sign receipts."""

import os

import pytest

from lab.lab import Lab
from lab.plan import TLS_PORT
from test_dns_check import DOMAIN, EDGE, World, mended

PORT = 8444
PORTING = f"_address-porting._tcp.{DOMAIN}"
RECEIPTS = f"_sipaddr-key.{DOMAIN}"
FEDERATION = 'federation {{ listen = "{edge}:{port}" advertise = "{host}" }}\n'


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        keys = os.path.join(lab.directory, "receipt-keys")
        world = World(plan, lab, more=FEDERATION.format(edge=plan.b.edge, port=PORT, host=EDGE)
                      + f'porting {{ receipt-keys = "{keys}" }}\n')
        yield world
        world.zone.stop()


def warned(report, code):
    """Calls do not depend on any of this."""
    finding = report.one(code)
    assert report.passes and finding["severity"] == "warning"
    return finding


def test_nothing_is_found_where_nothing_is_wrong(world):
    assert len(world.only("TXT")) == 2 and any(line.startswith(RECEIPTS) for line in world.records)
    world.serve(world.records)
    assert world.check().findings == []
    assert world.check(own=False).findings == []


def test_without_it_calls_pass_and_no_address_moves(world):
    records = world.without("SRV", PORTING)
    assert len(records) == len(world.records) - 1
    world.serve(records)
    finding = warned(world.check(), "missing")
    assert finding["add"] == f"{PORTING}. 3600 IN SRV 10 10 {PORT} {EDGE}."
    assert "no address moves" in finding["why"]
    world.serve(mended(world, records, finding))
    assert world.check().findings == []


def test_one_too_many_leads_other_operators_astray(world):
    records = world.records + [f"{PORTING}. 3600 IN SRV 10 10 9999 {EDGE}."]
    world.serve(records)
    report = world.check()
    finding = warned(report, "extra")
    assert finding["what"].startswith(PORTING) and "no federation API" in finding["why"]
    unreached = warned(report, "porting-unreachable")
    assert unreached["where"] == f"{EDGE} ({world.plan.b.edge}:9999)"
    world.serve(mended(world, records, finding))
    assert world.check().findings == []


def test_another_operators_is_tried_too(world):
    world.serve(world.without("SRV", PORTING) + [f"{PORTING}. 3600 IN SRV 10 10 9999 {EDGE}."])
    assert "firewall" in warned(world.check(own=False), "porting-unreachable")["why"]


def test_a_host_without_address_is_told(world):
    world.serve(world.records + [f"{PORTING}. 3600 IN SRV 10 10 {PORT} nowhere.{DOMAIN}."])
    assert f"nowhere.{DOMAIN}" in warned(world.check(), "porting-unresolved")["what"]


def test_what_speaks_no_tls_is_told(world):
    """The SIP port of the inside listens there, and waits for SIP."""
    world.serve(world.without("SRV", PORTING) + [f"{PORTING}. 3600 IN SRV 10 10 5060 {EDGE}."])
    assert "is it the federation API" in warned(world.check(own=False), "porting-handshake")["why"]


def test_a_missing_hash_of_a_receipt_key_is_told_with_its_record(world):
    records = world.without("TXT", RECEIPTS)
    world.serve(records)
    finding = warned(world.check(), "missing")
    shown = world.lab.edge_b.tool("receipt-key", "show", DOMAIN).stdout
    assert finding["add"].partition(" TXT ")[2] == shown.partition(" TXT ")[2].split(" ; ")[0].strip()
    assert "signs receipts" in finding["why"]
    world.serve(mended(world, records, finding))
    assert world.check().findings == []


def test_a_key_that_the_daemon_does_not_have_is_told(world):
    other = f'{RECEIPTS}. 3600 IN TXT "v=sipkey1; kid=0123456789abcdef; h={"A" * 43}"'
    world.serve(world.records + [other])
    finding = warned(world.check(), "extra")
    assert "does not have" in finding["why"] and "0123456789abcdef" in finding["remove"]
    world.serve(mended(world, world.records + [other], finding))
    assert world.check().findings == []
    records = world.without("TXT", RECEIPTS) + [other]
    world.serve(records)
    world.serve(mended(world, records, warned(world.check(), "stale"), warned(world.check(), "missing")))
    assert world.check().findings == []


def test_hashes_that_nothing_proves_are_of_no_worth(world):
    world.serve(world.records, anchored=False)
    report = world.check()
    assert RECEIPTS in warned(report, "unproven-keys")["what"]
    world.serve(world.without("TXT", RECEIPTS), anchored=False)
    assert "unproven-keys" not in world.check(own=False).codes


def test_a_certificate_that_proves_nothing_is_told(world):
    """Another operator's edge stands where the federation API should: TLS, and another key."""
    plan = world.plan
    world.serve(world.without("SRV", PORTING)
                + [f"{PORTING}. 3600 IN SRV 10 10 {TLS_PORT} other.{DOMAIN}.",
                   f"other.{DOMAIN}. 3600 IN A {plan.a.edge}"])
    finding = warned(world.check(own=False), "porting-certificate")
    assert finding["where"] == f"other.{DOMAIN} ({plan.a.edge}:{TLS_PORT})"
    assert "no TLSA record of the SIP service" in finding["what"]
    world.serve([line for line in world.without("SRV", PORTING) if " TLSA " not in line]
                + [f"{PORTING}. 3600 IN SRV 10 10 {TLS_PORT} other.{DOMAIN}.",
                   f"other.{DOMAIN}. 3600 IN A {plan.a.edge}"])
    assert DOMAIN in warned(world.check(own=False), "porting-certificate")["what"]
