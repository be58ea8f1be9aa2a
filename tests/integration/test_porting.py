"""Ports between real daemons, over the federation API."""

import hashlib
import json

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.process import run, wait_until

PORT = 8444


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        for leaf, operator in (("edge-a", plan.a), ("edge-b", plan.b)):
            made.pki.make_self_signed(Leaf(leaf, sip=(operator.domain,)))
        made.make_dns(services=((PORT, "_address-porting._tcp"),))
        for operator in plan.operators:
            made.make_edge(operator, workers=1, more="federation { "
                           f'listen = "{operator.edge}:{PORT}" '
                           f'advertise = "edge.{operator.domain}" }}')
        made.start()
        made.provision()
        yield made


def port_ask(lab, code, number):
    """opa.example asks opb.example for an address of the latter."""
    body = {"request": f"{number:032x}", "kind": "code", "code": code,
            "address": f"mover@{lab.plan.b.domain}", "gaining": lab.plan.a.domain}
    done = run(["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "30",
                "--write-out", "\n%{http_code}", "--cert", lab.pki.path("edge-a.pem"),
                "--key", lab.pki.path("edge-a.key"), "--header", "Content-Type: application/json",
                "--data-binary", json.dumps(body),
                f"https://{lab.plan.b.edge}:{PORT}/federation/v1/ports"])
    text, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(text)


def test_an_address_moves_to_who_proves_his_domain_and_knows_the_code(lab):
    address = f"mover@{lab.plan.b.domain}"
    lab.edge_b.tool("address", "add", address)
    code = lab.edge_b.tool_json("address", "auth-code", address)["auth_code"]
    status, body = port_ask(lab, "wrong", 1)
    assert (status, body["reason"]) == (403, "bad-code")
    status, body = port_ask(lab, code, 2)
    assert (status, body["state"], body["losing"]) == (200, "committed", lab.plan.b.domain)
    assert port_ask(lab, code, 2)[1]["id"] == body["id"]  # the same request, the same port
    record = lab.edge_b.tool_json("address", "show", address)
    assert (record["state"], record["hosting"]) == ("ported-out", lab.plan.a.domain)
    status, body = port_ask(lab, code, 3)
    assert (status, body["reason"]) == (403, "bad-code")  # used up


def test_the_gaining_host_is_told_and_takes_nothing_it_did_not_ask_for(lab):
    """The port above was asked for by hand: the daemon of opa.example knows of none."""
    address = f"mover@{lab.plan.b.domain}"
    port_id = hashlib.sha256(f"{lab.plan.a.domain}\0{2:032x}".encode("ascii")).hexdigest()[:32]
    wait_until(lambda: f"not told yet: port={port_id} role=authority to={lab.plan.a.domain}"
               in lab.edge_b.log(), "a notice to the gaining host", 30)
    assert lab.edge_a.tool("address", "show", address, check=False).returncode != 0
    assert lab.edge_b.metrics()["junctor_ports_owed_oldest_seconds"] > 0
    assert lab.edge_a.metrics()["junctor_ports_owed_oldest_seconds"] == 0


def test_the_metrics_tell_who_asked_what(lab):
    told = lab.edge_b.metrics()
    ports = 'junctor_federation_requests_total{method="POST",route="/federation/v1/ports",code="%s"}'
    assert (told[ports % "2xx"], told[ports % "4xx"]) == (2, 2)
    wrong = 'junctor_porting_wrong_proofs_total{peer="%s"}'
    assert (told[wrong % "opa.example"], told[wrong % "other"]) == (2, 0)
    nobody = 'junctor_federation_requests_total{method="any",route="none",code="4xx"}'
    before = told.get(nobody, 0)
    run(["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "30",
         f"https://{lab.plan.b.edge}:{PORT}/federation/v1/ports"])
    assert lab.edge_b.metrics()[nobody] == before + 1
