"""`junctor dns check` and the records that lead other operators to the federation API."""

import pytest

from lab.lab import Lab
from test_dns_check import DOMAIN, EDGE, World, mended

PORT = 8444
PORTING = f"_address-porting._tcp.{DOMAIN}"


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab, more="federation { "
                      f'listen = "{plan.b.edge}:{PORT}" advertise = "{EDGE}" }}')
        yield world
        world.zone.stop()


def test_without_it_calls_pass_and_no_address_moves(world):
    records = world.without("SRV", PORTING)
    assert len(records) == len(world.records) - 1
    world.serve(records)
    report = world.check()
    finding = report.one("missing")
    assert report.passes and finding["severity"] == "warning"
    assert finding["add"] == f"{PORTING}. 3600 IN SRV 10 10 {PORT} {EDGE}."
    assert "no address moves" in finding["why"]
    world.serve(mended(world, records, finding))
    assert world.check().findings == []


def test_one_too_many_leads_other_operators_astray(world):
    world.serve(world.records + [f"{PORTING}. 3600 IN SRV 10 10 9999 {EDGE}."])
    finding = world.check().one("extra")
    assert finding["what"].startswith(PORTING) and "no federation API" in finding["why"]
