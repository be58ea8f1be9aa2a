"""`junctor dns check`: the findings that test_dns_check.py leaves out."""

import shutil

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT, TLS_PORT
from lab.process import run, wait_until
from lab.signed import answers
from test_dns_check import DOMAIN, EDGE, SIPS, TLSA, Answerer, World, mended


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        yield world
        world.zone.stop()


# ---- signatures ----

def spoil(world, name, change):
    """The good zone with the signature of the SRV records changed: a file for a server."""
    with open(world.zone.path(world.good), encoding="ascii") as file:
        lines = file.read().splitlines()
    found = [at for at, line in enumerate(lines)
             if line.lower().startswith(SIPS + ".") and line.split()[3:5] == ["RRSIG", "SRV"]]
    assert len(found) == 1
    change(lines, found[0])
    world.zone.write(name, "\n".join(lines) + "\n")
    return name


def without(lines, at):
    del lines[at]


def forged(lines, at):
    fields = lines[at].split()
    signature = list(fields[-1])
    signature[5] = "B" if signature[5] != "B" else "C"
    lines[at] = " ".join(fields[:-1] + ["".join(signature)])


@pytest.mark.parametrize("change,code", [(without, "signature-missing"),
                                         (forged, "signature-wrong")])
def test_a_signature_that_proves_nothing_is_told_with_its_server(world, change, code):
    bad = spoil(world, code, change)
    world.zone.serve(world.good, bad)
    report = world.check()
    assert not report.passes and report.codes == [code]
    finding = report.one(code)
    assert finding["where"].startswith("ns2.") and f"SRV records of {SIPS}" in finding["what"]
    world.zone.serve(bad, bad)
    report = world.check()
    assert not report.passes and len(report.find(code)) == 2
    report.find("dnssec-bogus")
    world.zone.serve(world.good, world.good)
    assert world.check().findings == []


# ---- a resolver that does not validate ----

def test_a_resolver_that_does_not_validate_is_told_apart_from_a_broken_chain(world):
    zone = world.zone
    zone.serve(world.good, world.good)
    zone.unbound.stop()
    zone.knot.stop()
    parent = zone.write("parent", "\n".join([
        "$ORIGIN example.", "$TTL 60", "@ SOA ns h 1 3600 600 86400 60", "@ NS ns",
        f"ns A {zone.first}", f"opb NS ns1.{DOMAIN}.", f"ns1.{DOMAIN}. A {zone.first}",
        zone.anchor]) + "\n")
    with open(zone.path("knot.conf"), "a", encoding="ascii") as file:
        file.write(f'  - domain: example\n    file: "{parent}"\n    zonefile-sync: -1\n'
                   "    journal-content: none\n")
    with open(zone.path("unbound.conf"), encoding="ascii") as file:
        conf = file.read().replace("validator iterator", "iterator")
    zone.write("unbound.conf", conf + f"stub-zone:\n    name: example\n    stub-addr: "
               f"{zone.first}@{DNS_PORT}\n")
    for program, address in ((zone.knot, zone.first), (zone.unbound, world.plan.resolver)):
        program.start()
        wait_until(lambda a=address: answers(a), f"{address} answers", watch=[program])
    report = world.check()
    assert report.passes and report.codes == ["resolver-blind"]
    finding = report.one("resolver-blind")
    assert finding["where"] == f"the resolver {world.plan.resolver}:{DNS_PORT}"
    assert report.json["targets"][0]["tlsa"] == "unsigned"


# ---- targets ----

def test_an_address_to_which_this_host_has_no_way_is_not_called_down(world):
    """No TCP connection leads to a broadcast address."""
    records = world.without("A", EDGE) + [f"{EDGE}. 60 IN A 255.255.255.255"]
    world.serve(records)
    report = world.check(own=False)
    assert not report.passes and report.codes == ["no-route"]
    assert report.one("no-route")["severity"] == "error"
    assert report.json["targets"][0]["addresses"][0]["came_to"] == "not tried"
    world.serve(world.records + [f"{EDGE}. 3600 IN A 255.255.255.255"])
    report = world.check(own=False)
    assert report.passes and report.one("no-route")["severity"] == "warning"


def test_more_targets_than_are_looked_at_are_counted(world):
    records = world.without("SRV")
    for i in range(12):
        records += [f"{SIPS}. 60 IN SRV {i} 10 {TLS_PORT} t{i}.{DOMAIN}.",
                    f"t{i}.{DOMAIN}. 60 IN A {world.plan.b.edge}"]
    world.serve(records)
    report = world.check(own=False)
    assert report.passes and report.codes == ["limit"]
    assert "12 SRV records; the first 8" in report.one("limit")["what"]
    assert len(report.json["targets"]) == 8


def test_of_many_single_addresses_some_are_looked_at(world):
    edge = world.lab.edge_b
    names = [f"ported{i}" for i in range(40)]
    for name in names:
        edge.tool("address", "add", f"{name}@{DOMAIN}", "--hosting", world.plan.a.domain)
    try:
        records = edge.tool("dns", "records", DOMAIN).stdout.splitlines()
        world.serve(records)
        report = world.check()
        assert report.passes and report.codes == ["sample"]
        # 40 and carol; every second one
        assert "of 41 records of single addresses 21 were" in report.one("sample")["what"]
        single = [line for line in records if "NAPTR" in line and "_sipaddr" in line]
        left = [line for line in records if line not in single]
        world.serve(left)
        report = world.check()
        assert report.passes and len(report.find("missing")) == 21
        world.serve(mended(world, left, *report.find("missing")))
        assert world.check().codes == ["sample"]
    finally:
        for name in names:
            edge.tool("address", "del", f"{name}@{DOMAIN}")
            edge.tool("address", "purge", f"{name}@{DOMAIN}")


# ---- certificates ----

def certify(world, name, days):
    """A certificate of the lab's CA that ends so soon."""
    pki = world.lab.pki
    pki.make(Leaf(name, sip=(DOMAIN,)))
    with open(pki.path(name + ".ext"), "w", encoding="ascii") as file:
        file.write(f"subjectAltName=URI:sip:{DOMAIN}\nbasicConstraints=CA:FALSE\n")
    run(["openssl", "x509", "-req", "-in", pki.path(name + ".csr"), "-CA", pki.path("ca.pem"),
         "-CAkey", pki.path("ca.key"), "-days", str(days), "-extfile", pki.path(name + ".ext"),
         "-out", pki.path(name + ".pem")])


@pytest.mark.parametrize("days,named", [(13, True), (13, False), (15, False)])
def test_a_certificate_that_ends_soon_is_told_in_time(world, days, named):
    certify(world, "soon", days)
    with Answerer(world, "soon") as far:
        tlsa = f"_{far.port}._tcp.{EDGE}. 60 IN TLSA 3 1 1 {world.lab.pki.fingerprint('soon')}"
        world.serve(far.records(world, *([tlsa] if named else [])))
        report = world.check(own=False)
    assert report.passes
    assert report.codes == (["certificate-expiring"] if days < 14 else [])
    if days < 14:
        finding = report.one("certificate-expiring")
        assert finding["severity"] == "warning" and "within 1" in finding["what"]
        assert ("junctor cert next" in finding["why"]) == named


@pytest.fixture(scope="module")
def anchored(world):
    """A certificate of a CA that nobody knows but by TLSA: the files "anchored" with the CA's
    certificate behind, "alone" without."""
    pki = world.lab.pki
    pki.make_ca("foreign", "foreign CA")
    for name, domain in (("alone", DOMAIN), ("wrong", "opz.example")):
        pki.make(Leaf(name, sip=(domain,), issuer="foreign"))
    for name, of in (("anchored", "alone"), ("wronged", "wrong")):
        shutil.copy(pki.path(of + ".key"), pki.path(name + ".key"))
        with open(pki.path(name + ".pem"), "w", encoding="ascii") as file:
            for part in (of, "foreign"):
                with open(pki.path(part + ".pem"), encoding="ascii") as source:
                    file.write(source.read())
    der = run(["sh", "-c", f"openssl x509 -in {pki.path('foreign.pem')} -outform der | "
               "sha256sum"]).stdout.split()[0]
    return {"2 1 1": pki.fingerprint("foreign"), "2 0 1": der}


@pytest.mark.parametrize("certificate,kind,passes", [
    ("anchored", "2 1 1", True), ("anchored", "2 0 1", True),
    ("alone", "2 1 1", False),  # the CA's certificate must be sent (RFC 7671 section 5.2)
    ("wronged", "2 1 1", False)])  # and the name must fit, unlike with usage 3
def test_a_ca_that_tlsa_names_is_believed_for_the_domain(world, anchored, certificate, kind,
                                                         passes):
    with Answerer(world, certificate) as far:
        world.serve(far.records(world, f"_{far.port}._tcp.{EDGE}. 60 IN TLSA {kind} "
                                f"{anchored[kind]}"))
        report = world.check(own=False)
    assert report.passes == passes
    if passes:
        assert report.codes == ["certificate"]
        assert report.one("certificate")["severity"] == "warning"
    else:
        assert report.codes == ["certificate", "tlsa-mismatch"]
        assert report.one("tlsa-mismatch")["add"].split()[4:7] == ["3", "1", "1"]


def test_records_of_usages_for_others_count_for_nothing(world):
    """PKIX-EE, RFC 7672 section 3.1.3, and a way of matching that nobody knows."""
    for tlsa in ("1 1 1 " + "00" * 32, "3 1 9 " + "00" * 32):
        world.serve(world.without("TLSA") + [f"{TLSA}. 60 IN TLSA {tlsa}"])
        report = world.check(own=False)
        assert report.passes and report.findings == []
