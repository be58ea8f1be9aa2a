"""The federation API of two daemons: who is proven, by DNS or by a CA, and who is refused why."""

import json
import os
import shutil
import subprocess

import pytest

from lab.edge import source_root
from lab.lab import Lab
from lab.pki import Leaf
from lab.process import run

PORT = 8444
SELF = "/federation/v1/self"
UNKNOWN = "opx.example"  # without any records
OTHER = "opy.example"  # its federation API is said to be that of opb.example


def asks_path():
    build = os.environ.get("JUNCTOR_BUILD") or os.path.join(source_root(), "build")
    return os.path.join(build, "tests", "api", "federation_asks")


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.pki.make_self_signed(Leaf("edge-a", sip=(plan.a.domain,)))
        made.pki.make_self_signed(Leaf("edge-b", sip=(plan.b.domain,)))
        srv = f"_address-porting._tcp.{OTHER}. SRV 10 10 {PORT} edge.{plan.b.domain}.\n"
        made.make_dns(more=srv, services=((PORT, "_address-porting._tcp"),))
        made.pki.make(Leaf("ca-a", sip=(plan.a.domain,)))
        made.pki.make(Leaf("ca-x", sip=(UNKNOWN,)))
        made.pki.make(Leaf("no-name", dns=()))
        made.pki.make(Leaf("expired-x", sip=(UNKNOWN,), expired=True))
        made.pki.make_self_signed(Leaf("self-x", sip=(UNKNOWN,)))
        for operator in plan.operators:
            made.make_edge(operator, workers=1, more="federation { "
                           f'listen = "{operator.edge}:{PORT}" '
                           f'advertise = "edge.{operator.domain}" }}')
        made.start()
        made.provision()
        yield made


def ask(lab, edge, to, path=SELF, method="GET"):
    """As that edge's operator."""
    done = run([asks_path(), edge.path("junctord.conf"), edge.operator.domain, to, method, path])
    word, rest = done.stdout.split(" ", 1)
    if word == "failed":
        return None, rest.strip()
    status, body = rest.split(" ", 1)
    return int(status), json.loads(body)


def stranger(lab, certificate, *options, path=SELF):
    """curl's status and body; `certificate` is what it shows, or None."""
    shown = ["--cert", lab.pki.path(certificate + ".pem"),
             "--key", lab.pki.path(certificate + ".key")] if certificate else []
    done = run(["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "30",
                "--write-out", "\n%{http_code} %{content_type}", *shown, *options,
                f"https://{lab.plan.b.edge}:{PORT}{path}"])
    text, line = done.stdout.rsplit("\n", 1)
    status, kind = line.split(" ", 1)
    assert kind == ("application/json" if status == "200" else "application/problem+json")
    return int(status), json.loads(text)


def test_two_operators_prove_each_other_by_dns_alone(lab):
    for edge, other in ((lab.edge_a, lab.edge_b), (lab.edge_b, lab.edge_a)):
        status, body = ask(lab, edge, other.operator.domain)
        assert (status, body) == (200, {"proven": [edge.operator.domain],
                                        "served": other.operator.domain})


def test_where_dns_names_no_keys_a_ca_decides(lab):
    status, body = stranger(lab, "ca-x")
    assert (status, body["proven"]) == (200, [UNKNOWN])


def test_there_is_nothing_else_yet(lab):
    assert ask(lab, lab.edge_a, lab.plan.b.domain, "/federation/v1/none")[0] == 404
    assert ask(lab, lab.edge_a, lab.plan.b.domain, SELF, "DELETE")[0] == 405


@pytest.mark.parametrize("certificate, why", [
    (None, "sent no certificate"),
    ("self-x", f"certificate of {UNKNOWN} is self-signed"),
    ("expired-x", "expired at 2020-02-01"),
    ("no-name", "names no SIP domain"),
    ("ca-a", "its key is none of those that the validated TLSA records of opa.example name"),
])
def test_who_is_not_believed_is_told_why(lab, certificate, why):
    mark = lab.edge_b.mark()
    status, body = stranger(lab, certificate)
    assert (status, body["reason"]) == (403, "unproven")
    assert why in body["detail"]
    assert why in lab.edge_b.wait_log("federation: refused: ", mark)


def test_a_refused_body_is_not_read(lab):
    big = lab.edge_b.path("big")
    with open(big, "w", encoding="ascii") as file:
        file.write("x" * 10_000_000)
    status, body = stranger(lab, "self-x", "--data-binary", "@" + big)
    assert (status, body["reason"]) == (403, "unproven")
    assert stranger(lab, "ca-x", "--data-binary", "@" + big)[0] == 413


def test_a_blocked_peer_is_refused_at_once(lab):
    assert stranger(lab, "ca-x")[0] == 200
    lab.edge_b.tool("peer", "add", UNKNOWN)
    lab.edge_b.tool("peer", "set", UNKNOWN, "--blocked", "yes")
    status, body = stranger(lab, "ca-x")
    assert status == 403 and f"{UNKNOWN} is blocked here" in body["detail"]
    lab.edge_b.tool("peer", "del", UNKNOWN)
    assert stranger(lab, "ca-x")[0] == 200


def test_a_server_that_is_somebody_else_is_not_talked_to(lab):
    status, why = ask(lab, lab.edge_a, OTHER)
    assert status is None
    assert f"{OTHER} at {lab.plan.b.edge}:{PORT}" in why and "certificate" in why


def test_who_publishes_none_is_not_called(lab):
    status, why = ask(lab, lab.edge_a, UNKNOWN)
    assert status is None and f"_address-porting._tcp.{UNKNOWN}" in why


def test_it_is_among_the_records_that_should_exist(lab):
    record = f"_address-porting._tcp.opa.example. 3600 IN SRV 10 10 {PORT} edge.opa.example."
    assert record in lab.edge_a.tool("dns", "records", "opa.example").stdout


def test_openssl_is_asked_for_a_certificate_of_any_issuer(lab):
    done = subprocess.run(["openssl", "s_client", "-connect", f"{lab.plan.b.edge}:{PORT}",
                           "-servername", "opb.example"], input=b"", capture_output=True,
                          check=False, timeout=20)
    text = done.stdout.decode(errors="replace")
    assert "No client certificate CA names sent" in text
    assert "CN = edge-b" in text
    assert "Requested Signature Algorithms" in text  # of a CertificateRequest


def test_old_versions_of_tls_are_not_spoken(lab):
    def code(*options):
        return run(["curl", "--silent", "--insecure", "--noproxy", "*", *options,
                    f"https://{lab.plan.b.edge}:{PORT}/"], check=False).returncode
    assert code("--tlsv1.2", "--tls-max", "1.2") == 0
    assert code("--tlsv1.1", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0") == 35


def test_after_a_reload_the_new_certificate_is_served(lab):
    chain, key = lab.pki.path("edge-b.pem"), lab.pki.path("edge-b.key")
    for name in (chain, key):
        shutil.copy(name, name + ".kept")
    lab.pki.make_self_signed(Leaf("edge-b", sip=(lab.plan.b.domain,)))  # not in DNS
    try:
        reload(lab.edge_b)
        status, why = ask(lab, lab.edge_a, lab.plan.b.domain)
        assert status is None and "TLSA records of opb.example" in why
    finally:
        for name in (chain, key):
            shutil.copy(name + ".kept", name)
        reload(lab.edge_b)
    assert ask(lab, lab.edge_a, lab.plan.b.domain)[0] == 200


def reload(edge):
    mark = edge.mark()
    edge.reload()
    edge.wait_log("reloaded config=", mark)
