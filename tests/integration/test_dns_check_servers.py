"""`junctor dns check`: name servers that disagree with others, with themselves or with nobody, and
the zones and keys that they serve."""

import os
import shutil
import socket
import struct
import time

import pytest

from lab.lab import Lab
from lab.plan import DNS_PORT, TLS_PORT
from lab.process import run, wait_until
from lab.rawdns import (A, NAPTR, NOTIMP, NS, SERVFAIL, SOA, SRV, Question, RawDns, answer,
                        ask_tcp, wire_name)
from lab.signed import answers
from test_dns_check import DOMAIN, EDGE, SIPS, TLSA, World

LIMIT_S = 15  # that the manual promises
MARGIN_S = 3


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        yield world
        world.zone.stop()


# ---- one server ----

@pytest.mark.parametrize("rcode", [None, SERVFAIL, NOTIMP])
def test_a_server_that_fails_for_one_type_only_is_told(world, rcode):
    world.serve(world.records)
    world.zone.nsd.stop()

    def rule(query):
        if Question(query).kind == SRV:
            return None if rcode is None else answer(query, [], rcode=rcode)
        return ask_tcp(world.zone.first, query)

    with RawDns(world.zone.second, rule):
        report = world.check()
    assert not report.passes and report.codes == ["unanswered"]
    finding = report.one("unanswered")
    assert finding["where"].startswith("ns2.") and f"SRV records {SIPS}" in finding["what"]


def test_what_a_server_says_after_a_question_that_it_dropped_still_counts(world):
    """It drops NAPTR and has another address of the edge."""
    other = "127.0.0.9"
    records = world.without("A", EDGE) + [f"{EDGE}. 3600 IN A {other}"]
    world.serve(world.records, records)
    world.zone.unbound.stop()
    conf = world.zone.path("unbound.conf")
    with open(conf, encoding="ascii") as file:
        text = file.read().replace(f"    stub-addr: {world.zone.second}@{DNS_PORT}\n", "")
    world.zone.write("unbound.conf", text)
    world.zone.unbound.start()
    wait_until(lambda: answers(world.plan.resolver), "unbound answers", watch=[world.zone.unbound])
    dropping = world.zone.second[:-2] + "56"
    world.zone.nsd.stop()
    with open(world.zone.path("nsd.conf"), encoding="ascii") as file:
        text = file.read().replace(world.zone.second, dropping)
    world.zone.write("nsd.conf", text)
    world.zone.nsd.start()
    wait_until(lambda: answers(dropping), "NSD answers", watch=[world.zone.nsd])

    def rule(query):
        return None if Question(query).kind == NAPTR else ask_tcp(dropping, query)

    with RawDns(world.zone.second, rule):
        report = world.check(own=False)
    report.find("unanswered")
    assert EDGE in report.one("contradictory")["what"]


def test_servers_that_cannot_be_asked_are_not_to_be_taken_out(world):
    """Nobody answers at their port, so it is likelier this host that is kept from asking."""
    world.zone.serve(world.good, world.good)
    edge = world.lab.edge_b
    done = run(edge.tool_argv("dns", "check", DOMAIN, "--config",
                              world.lab.edge_a.path("junctord.conf"), "--dns-port", "5999"),
               check=False)
    assert "[silent]" in done.stdout and "remove" not in done.stdout
    assert "is not signed" not in done.stdout
    assert done.returncode == 0, done.stdout


def test_four_silent_servers_of_six_cost_the_time_of_one(world):
    addresses = [world.zone.first[:-2] + str(60 + i) for i in range(4)]
    more = [line for i, address in enumerate(addresses)
            for line in (f"{DOMAIN}. 60 IN NS mute{i}.{DOMAIN}.",
                         f"mute{i}.{DOMAIN}. 60 IN A {address}")]
    world.serve(world.records + more)
    mute = []
    for address in addresses:
        mute.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        mute[-1].bind((address, DNS_PORT))
    try:
        report = world.check()
    finally:
        for sock in mute:
            sock.close()
    assert report.passes and report.codes == ["silent"] and len(report.findings) == 4


# ---- what several say ----

def test_srv_records_under_the_name_of_the_naptr_are_compared(world):
    def records(target):
        return [f'{DOMAIN}. 60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.voice.{DOMAIN}.',
                f"_sips._tcp.voice.{DOMAIN}. 60 IN SRV 10 10 {TLS_PORT} {target}.",
                *world.only("A"), *world.only("TLSA")]

    world.serve(records(EDGE), records(f"gone.{DOMAIN}"))
    assert "SRV" in world.check(own=False).find("contradictory")[0]["what"]


def test_other_services_of_the_domain_are_not_ours_to_take_out(world):
    others = (("SIP+D2U", "_sip._udp"), ("x-eduroam:radius.tls", "_radsec._tcp"))
    world.serve(world.records + [
        f'{DOMAIN}. 3600 IN NAPTR 50 10 "s" "{service}" "" {name}.{DOMAIN}.'
        for service, name in others])
    assert world.check().findings == []


def test_a_resolver_that_remembers_too_long_is_told_as_such(world):
    """The servers have SRV records; the resolver still believes that there are none."""
    zone = world.zone
    file = world.sign("late", world.without("SRV"))
    zone.serve(file, file)
    run(["dig", f"@{world.plan.resolver}", "-p", str(DNS_PORT), "SRV", SIPS])
    zone.knot.stop()
    zone.nsd.stop()
    shutil.copy(zone.path(world.good), zone.path(file))
    for program, address in ((zone.knot, zone.first), (zone.nsd, zone.second)):
        program.start()
        wait_until(lambda a=address: answers(a), f"{address} answers", watch=[program])
    report = world.check()
    assert report.passes and report.codes == ["stale"]
    assert "no SRV records" in report.one("stale")["what"]


def test_an_old_key_that_the_resolver_remembers_needs_no_record(world):
    zone = world.zone
    tlsa = world.only("TLSA")[0]
    file = world.sign("oldkey", world.without("TLSA") + [tlsa[:-64] + "11" * 32])
    zone.serve(file, file)
    run(["dig", f"@{world.plan.resolver}", "-p", str(DNS_PORT), "TLSA", TLSA])
    zone.knot.stop()
    zone.nsd.stop()
    shutil.copy(zone.path(world.good), zone.path(file))
    for program, address in ((zone.knot, zone.first), (zone.nsd, zone.second)):
        program.start()
        wait_until(lambda a=address: answers(a), f"{address} answers", watch=[program])
    finding = world.check().one("tlsa-mismatch")
    assert "add" not in finding and "wait" in finding["why"]


def test_an_address_that_came_back_is_found_while_its_record_stays(world):
    edge = world.lab.edge_b
    edge.tool("address", "add", f"dora@{DOMAIN}", "--hosting", world.plan.a.domain)
    records = edge.tool("dns", "records", DOMAIN).stdout.splitlines()
    edge.tool("address", "set", f"dora@{DOMAIN}", "--hosting", DOMAIN)
    world.serve(records)
    report = world.check()
    assert not report.passes and report.codes == ["extra"]
    finding = report.one("extra")
    assert finding["remove"] in records and finding["severity"] == "error"
    world.serve([line for line in records if line != finding["remove"]])
    assert world.check().findings == []
    edge.tool("address", "del", f"dora@{DOMAIN}")


# ---- zones and keys ----

def child_text(world, records=()):
    return "\n".join([f"$ORIGIN {EDGE}.", "$TTL 60", f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60",
                      f"@ NS ns1.{DOMAIN}.", f"@ A {world.plan.b.edge}", *records]) + "\n"


def serve_child(world, file, *more):
    """The edge's name is a zone of its own, on the same servers. `more`: in the zone above."""
    zone = world.zone
    parent = world.sign("above", world.only("NAPTR")[:1] + world.only("SRV") +
                        [f"{EDGE}. 60 IN NS ns1.{DOMAIN}.", *more])
    zone.serve(parent, parent)
    zone.stop()
    with open(zone.path("knot.conf"), "a", encoding="ascii") as conf:
        conf.write(f'  - domain: {EDGE}\n    file: "{file}"\n    zonefile-sync: -1\n'
                   "    journal-content: none\n")
    with open(zone.path("nsd.conf"), "a", encoding="ascii") as conf:
        conf.write(f'zone:\n    name: {EDGE}\n    zonefile: "{file}"\n')
    with open(zone.path("unbound.conf"), "a", encoding="ascii") as conf:
        conf.write(f"stub-zone:\n    name: {EDGE}\n    stub-addr: {zone.first}@{DNS_PORT}\n")
    world.zone.start()


def test_records_of_an_unsigned_zone_below_are_not_held_against_the_keys_above(world):
    serve_child(world, world.zone.write("child", child_text(world)))
    report = world.check(own=False)
    assert report.passes and report.codes == ["unsigned"]
    assert report.one("unsigned")["what"].startswith(EDGE)


@pytest.fixture(name="child_keys", scope="module")
def fixture_child_keys(world):
    """Its signed file, and its DS record."""
    zone = world.zone
    keys = [run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, EDGE], cwd=zone.directory)
            .stdout.strip() for flags in ((), ("-k",))]
    zone.write("signedchild", child_text(world, [line.replace(" 3600 ", " 60 ")
                                                 for line in world.only("TLSA")]))
    run(["ldns-signzone", "-n", "-f", zone.path("signedchild.signed"), zone.path("signedchild"),
         *keys], cwd=zone.directory)
    with open(zone.path(keys[1] + ".ds"), encoding="ascii") as file:
        return zone.path("signedchild.signed"), file.read().strip().replace("\t", " ")


def test_records_of_a_signed_zone_below_are_held_against_its_own_keys(world, child_keys):
    file, ds = child_keys
    serve_child(world, file, ds)
    report = world.check(own=False)
    assert report.passes and report.findings == []
    assert report.json["targets"][0]["tlsa"] == "validated"


def test_a_ds_record_of_a_key_that_the_zone_has_not_is_told_with_the_right_one(world, child_keys):
    file, ds = child_keys
    wrong = ds[:-8] + ("00000000" if ds[-8:] != "00000000" else "11111111")
    serve_child(world, file, wrong)
    report = world.check(own=False)
    assert not report.passes
    finding = report.one("ds-mismatch")
    assert finding["add"].split()[-4:] == ds.split()[-4:]
    assert finding["remove"].split()[-4:] == wrong.split()[-4:]
    assert "signature-wrong" not in report.codes


def test_keys_are_those_of_the_chain_not_of_whoever_is_first(world):
    """The second server's zone is signed with keys of its own; the first is right."""
    zone = world.zone
    keys, zone.keys = zone.keys, [zone._make_key(), zone._make_key("-k")]
    other = world.sign("otherkeys", world.records)
    zone.keys = keys
    for _ in range(3):
        zone.serve(world.good, other)
        found = world.check().find("signature-wrong")
        assert all(finding["where"].startswith("ns2.") for finding in found), found


def test_the_signature_of_the_keys_themselves_is_looked_at(world):
    soon = run(["date", "-u", "-d", "+1 day", "+%Y%m%d%H%M%S"]).stdout.strip()
    ending = world.sign("ending", world.records, "-n", "-e", soon)

    def is_of_keys(line):
        return line.split()[3:5] == ["RRSIG", "DNSKEY"]

    with open(world.zone.path(world.good), encoding="ascii") as file:
        lines = [line for line in file.read().splitlines() if not is_of_keys(line)]
    with open(world.zone.path(ending), encoding="ascii") as file:
        lines += [line for line in file.read().splitlines() if is_of_keys(line)]
    world.zone.write("keysend", "\n".join(lines) + "\n")
    world.zone.serve("keysend", "keysend")
    report = world.check()
    assert report.passes and report.codes == ["signature-expiring"]
    assert all(f"DNSKEY records of {DOMAIN}" in finding["what"] for finding in report.findings)


# ---- limits ----

def test_15_seconds_are_15_seconds(world):
    """65,535 octets of A records, the same on each of the zone's four servers."""
    zone = world.zone
    zone.stop()
    addresses = [zone.first[:-2] + str(60 + i) for i in range(4)]
    soa = wire_name("ns1." + DOMAIN) + wire_name("h." + DOMAIN) + struct.pack("!5I", 1, 1, 1, 1, 60)
    found = {(DOMAIN, SOA): [soa], (DOMAIN, NS): [wire_name("ns1." + DOMAIN)],
             ("ns1." + DOMAIN, A): [socket.inet_aton(a) for a in addresses],
             (SIPS, SRV): [struct.pack("!3H", 1, 1, TLS_PORT) + wire_name(EDGE)],
             (EDGE, A): [struct.pack("!I", 0x7F4D0000 + i) for i in range(3800)]}

    def rule(query):
        question = Question(query)
        data = found.get((question.name, question.kind), [])
        return answer(query, [(b"\xc0\x0c", question.kind, item) for item in data],
                      [] if data else [(wire_name(DOMAIN), SOA, soa)])

    servers = [RawDns(address, rule) for address in addresses]
    with open(zone.path("unbound.conf"), encoding="ascii") as file:
        conf = file.read().split("stub-zone:")[0].replace("trust-anchor", "#")
    zone.write("unbound.conf", conf + f"stub-zone:\n    name: {DOMAIN}\n    stub-addr: "
               f"{addresses[0]}@{DNS_PORT}\n")
    zone.unbound.start()
    wait_until(lambda: answers(world.plan.resolver), "unbound answers", watch=[zone.unbound])
    began = time.monotonic()
    try:
        report = world.check(own=False)
    finally:
        for server in servers:
            server.stop()
    assert time.monotonic() - began < LIMIT_S + MARGIN_S
    assert any("3800 A records" in finding["what"] for finding in report.find("limit"))


def test_a_domain_without_sip_records_is_told(world):
    world.serve([f"{DOMAIN}. 60 IN A {world.plan.b.edge}"])
    report = world.check(own=False)
    assert report.one("no-records")["severity"] == "warning"


def test_a_name_that_is_an_alias_into_another_zone_has_its_own_zone(world):
    """As a domain may be whose SIP service is that of another."""
    zone = world.zone
    other = "opz.example"
    records = [*world.without("SRV"), f"{SIPS}. 60 IN CNAME _sips._tcp.{other}."]
    text = "\n".join([f"$ORIGIN {other}.", "$TTL 60", f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60",
                      f"@ NS ns1.{DOMAIN}.", f"_sips._tcp SRV 10 10 {TLS_PORT} {EDGE}."]) + "\n"
    world.serve(records)
    serve_other(world, other, zone.write("other", text))
    report = world.check(own=False)
    assert report.passes and report.findings == []
    assert report.json["targets"][0]["tlsa"] == "unsigned"


def serve_other(world, domain, file):
    """One more zone, unsigned, on the first server."""
    zone = world.zone
    zone.stop()
    with open(zone.path("knot.conf"), "a", encoding="ascii") as conf:
        conf.write(f'  - domain: {domain}\n    file: "{file}"\n    zonefile-sync: -1\n'
                   "    journal-content: none\n")
    with open(zone.path("unbound.conf"), "a", encoding="ascii") as conf:
        conf.write(f"stub-zone:\n    name: {domain}\n    stub-addr: {zone.first}@{DNS_PORT}\n")
    world.zone.start()


def test_tlsa_records_behind_an_unproven_srv_record_prove_nothing(world):
    """An unsigned domain whose SRV record leads into a signed zone: whoever forged the SRV record
    may have the key there (RFC 7673 section 3.1)."""
    zone = world.zone
    other = "opz.example"
    text = "\n".join([f"$ORIGIN {other}.", "$TTL 60", f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60",
                      f"@ NS ns1.{DOMAIN}.", f"_sips._tcp SRV 10 10 {TLS_PORT} {EDGE}."]) + "\n"
    world.serve(world.records)
    serve_other(world, other, zone.write("other", text))
    report = world.check(own=False, domain=other)
    assert not report.passes and report.json["targets"][0]["tlsa"] == "unsigned"
    assert report.one("certificate")["severity"] == "error"


def test_an_alias_in_another_zone_is_no_target_either(world):
    zone = world.zone
    host = "host.opz.example"
    text = "\n".join(["$ORIGIN opz.example.", "$TTL 60",
                      f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60", f"@ NS ns1.{DOMAIN}.",
                      f"host CNAME {EDGE}."]) + "\n"
    world.serve(world.without("SRV") + [f"{SIPS}. 60 IN SRV 10 10 {TLS_PORT} {host}."])
    serve_other(world, "opz.example", zone.write("other", text))
    finding = world.check(own=False).one("alias")
    assert finding["what"].startswith(host)
    assert finding["add"].startswith(f"{host}. ")
    assert finding["add"].endswith(f" IN A {world.plan.b.edge}")


def test_records_of_our_own_edge_in_another_zone_are_not_called_too_much(world):
    """There it is not known what should be; but that its key has no TLSA record is seen."""
    zone, edge = world.zone, world.lab.edge_b
    host = "edge.opz.example"
    text = "\n".join(["$ORIGIN opz.example.", "$TTL 60",
                      f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60", f"@ NS ns1.{DOMAIN}.",
                      f"edge A {world.plan.b.edge}"]) + "\n"
    keys = [run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, "opz.example"],
                cwd=zone.directory).stdout.strip() for flags in ((), ("-k",))]
    run(["ldns-signzone", "-n", "-f", zone.path("opz.signed"), zone.write("opz", text), *keys],
        cwd=zone.directory)
    edge.outside = f'advertise = "{host}"'
    edge.configure()
    edge.restart()
    try:
        world.serve(edge.tool("dns", "records", DOMAIN).stdout.splitlines())
        with open(zone.path(keys[1] + ".ds"), encoding="ascii") as file:
            anchor = file.read().strip()
        with open(zone.path("unbound.conf"), encoding="ascii") as file:
            conf = file.read().replace("remote-control:",
                                       f'    trust-anchor: "{anchor}"\nremote-control:')
        zone.write("unbound.conf", conf)
        serve_other(world, "opz.example", zone.path("opz.signed"))
        report = world.check()
        assert report.passes and report.codes == ["configuration", "missing"]
        assert report.one("missing")["add"].startswith(f"_{TLS_PORT}._tcp.{host}. ")
        assert report.one("missing")["add"].endswith(world.only("TLSA")[0].split()[-1])
    finally:
        edge.outside = f'advertise = "{EDGE}"'
        edge.configure()
        edge.restart()


def test_tlsa_records_of_ours_may_stand_behind_an_alias(world):
    tlsa = world.only("TLSA")[0]
    world.serve(world.without("TLSA") + [f"{TLSA}. 3600 IN CNAME keys.{DOMAIN}.",
                                         tlsa.replace(TLSA, f"keys.{DOMAIN}")])
    assert world.check().findings == []


def test_a_server_that_drops_one_type_costs_but_some_seconds(world):
    """Of many records of single addresses."""
    edge = world.lab.edge_b
    for i in range(5):
        edge.tool("address", "add", f"drop{i}@{DOMAIN}", "--hosting", world.plan.a.domain)
    world.serve(edge.tool("dns", "records", DOMAIN).stdout.splitlines())
    world.zone.nsd.stop()

    def rule(query):
        return None if Question(query).kind == NAPTR else ask_tcp(world.zone.first, query)

    with RawDns(world.zone.second, rule):
        report = world.check()
    assert report.codes == ["unanswered"] and len(report.findings) == 2
    for i in range(5):
        edge.tool("address", "del", f"drop{i}@{DOMAIN}")
