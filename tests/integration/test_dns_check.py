"""`junctor dns check`: a zone on Knot and NSD, validated by unbound, and a real edge behind it. Each
thing that can be wrong is made wrong once, is found, and goes away with the record that is told."""

import json
import os
import re
import socket
import ssl
import threading

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT, TLS_PORT
from lab.process import run
from lab.signed import SignedZone

DOMAIN = "opb.example"
EDGE = f"edge.{DOMAIN}"
TLSA = f"_{TLS_PORT}._tcp.{EDGE}"
SIPS = f"_sips._tcp.{DOMAIN}"
CAROL = re.compile(r"^[0-9a-f]{56}\._sipaddr\.")


class World:
    def __init__(self, plan, lab, more=""):
        """`more`: of the configuration."""
        self.plan, self.lab = plan, lab
        lab.make_pki()
        lab.make_edge(plan.a)
        edge = lab.make_edge(plan.b, more=more)
        edge.outside = f'advertise = "{EDGE}"'
        edge.configure()
        lab.start()
        lab.provision()
        edge.tool("address", "add", f"carol@{DOMAIN}", "--hosting", plan.a.domain)
        self.records = edge.tool("dns", "records", DOMAIN).stdout.splitlines()
        self.zone = SignedZone(plan, DOMAIN, os.path.join(lab.directory, "zone"))
        self.good = self.sign("good", self.records)
        self.options = ()

    def text(self, records, serial=1):
        return "\n".join([
            f"$ORIGIN {DOMAIN}.", "$TTL 60", f"@ SOA ns1 hostmaster {serial} 3600 600 86400 60",
            "@ NS ns1", "@ NS ns2", f"ns1 A {self.zone.first}", f"ns2 A {self.zone.second}",
            *records]) + "\n"

    def sign(self, name, records, *options, serial=1):
        return self.zone.sign(name, self.text(records, serial), *(options or ("-n",)))

    def serve(self, records, second=None, **options):
        """The same zone on both servers, or another on the second."""
        first = self.sign("first", records)
        self.zone.serve(first, self.sign("second", second) if second else first, **options)

    def check(self, own=True, domain=DOMAIN):
        """Asks as operator B, whose domain it is, or as A; both show A's certificate."""
        edge = self.lab.edge_b if own else self.lab.edge_a
        report = edge.tool_argv("dns", "check", domain, "--config",
                                self.lab.edge_a.path("junctord.conf"), "--dns-port", str(DNS_PORT),
                                "--json", *self.options)
        done = run(report, check=False)
        assert done.returncode in (0, 1), done.stderr
        report = Report(done)
        assert report.json["passes"] == (done.returncode == 0), done.stdout
        return report

    def without(self, kind, name=None):
        return [line for line in self.records
                if not (line.split()[3] == kind and (name is None or line.startswith(name)))]

    def only(self, kind):
        return [line for line in self.records if line.split()[3] == kind]


class Report:
    def __init__(self, done):
        self.json = json.loads(done.stdout)
        self.passes = self.json["passes"]
        self.findings = self.json["findings"]
        self.codes = sorted({finding["code"] for finding in self.findings})
        for finding in self.findings:
            assert finding["what"] and finding["where"] and finding["why"], finding
            assert "ADDRESS" not in finding.get("add", ""), finding

    def find(self, code):
        found = [finding for finding in self.findings if finding["code"] == code]
        assert found, f"no {code} in {self.findings}"
        return found

    def one(self, code):
        found = self.find(code)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        yield world
        world.zone.stop()


def mended(world, records, *findings):
    """The records with those of the findings taken out and put in."""
    def same(line):
        return " ".join(line.split()).lower()

    out = {same(finding["remove"]) for finding in findings if "remove" in finding}
    left = [line for line in records if same(line) not in out]
    assert len(records) - len(left) == len(out), (out, records)
    return left + [finding["add"] for finding in findings if "add" in finding]


@pytest.mark.parametrize("own", [True, False])
def test_nothing_is_found_where_nothing_is_wrong(world, own):
    world.serve(world.records)
    report = world.check(own)
    assert report.passes and report.findings == []
    assert report.json["targets"][0]["tlsa"] == "validated"
    assert report.json["targets"][0]["addresses"] == [
        {"address": f"{world.plan.b.edge}:{TLS_PORT}", "came_to": "answered", "answer": 200}]


@pytest.mark.parametrize("kind,name,fatal", [
    ("NAPTR", DOMAIN, False), ("SRV", SIPS, True), ("A", EDGE, True), ("TLSA", TLSA, False),
    ("TXT", "_sipaddr", False), ("NAPTR", "4c26d9074c27", False)])
def test_what_is_missing_is_told_with_its_record(world, kind, name, fatal):
    records = world.without(kind, name)
    assert len(records) == len(world.records) - 1
    world.serve(records)
    report = world.check()
    assert report.passes == (not fatal)
    finding = report.one("missing")
    assert finding["add"].split()[3] == kind
    assert "ns1." in finding["where"] and "ns2." in finding["where"]
    world.serve(mended(world, records, finding))
    assert world.check().findings == []


@pytest.mark.parametrize("extra", [
    f"_address-porting._tcp.{DOMAIN}. 3600 IN SRV 10 10 {TLS_PORT} {EDGE}.",
    f'_sipaddr-key.{DOMAIN}. 3600 IN TXT "v=sipkey1; kid=0123456789abcdef; h={"A" * 43}"',
    f'{DOMAIN}. 3600 IN NAPTR 20 10 "s" "SIPS+D2T" "" _sips._tcp.old.{DOMAIN}.',
    f"{EDGE}. 3600 IN AAAA ::1",
    f"{TLSA}. 3600 IN TLSA 3 1 1 {'00' * 32}"])
def test_what_is_too_much_is_told_with_its_record(world, extra):
    world.serve(world.records + [extra])
    report = world.check()
    finding = report.one("extra")
    assert finding["severity"] == "warning"
    world.serve(mended(world, world.records + [extra], finding))
    assert world.check().findings == []


def test_what_is_old_is_told_with_what_takes_its_place(world):
    old = f"{SIPS}. 3600 IN SRV 10 10 5061 old.{DOMAIN}."
    records = world.without("SRV") + [old]
    world.serve(records)
    report = world.check()
    assert not report.passes
    report.find("unresolved")
    findings = [report.one("stale"), report.one("missing")]
    world.serve(mended(world, records, *findings))
    assert world.check().findings == []


def test_an_address_that_moved_on_is_an_error(world):
    line = next(line for line in world.records if CAROL.match(line))
    records = [other for other in world.records if other != line]
    records.append(line.replace("opa.example", "opz.example"))
    world.serve(records)
    report = world.check()
    assert not report.passes and report.one("stale")["severity"] == "error"
    world.serve(mended(world, records, report.one("stale"), report.one("missing")))
    assert world.check().findings == []


def test_another_ttl_is_noted(world):
    records = [line.replace(" 3600 IN A ", " 60 IN A ") for line in world.records]
    world.serve(records)
    report = world.check()
    assert report.passes and report.codes == ["ttl"]
    world.serve(mended(world, records, report.one("ttl")))
    assert world.check().findings == []


def test_servers_that_differ_are_found_in_any_domain(world):
    records = world.without("TLSA")
    first, second = world.sign("one", world.records), world.sign("two", records, serial=2)
    world.zone.serve(first, second)
    report = world.check(own=False)
    assert not report.passes
    finding = report.one("contradictory")
    assert finding["where"].startswith("ns2.") and finding["add"].split()[3] == "TLSA"
    serial = report.one("serial")
    assert serial["where"].startswith("ns1.") and serial["severity"] == "warning"
    second = world.sign("two", mended(world, records, finding), serial=1)
    world.zone.serve(first, second)
    assert world.check(own=False).findings == []


def test_a_server_that_does_not_serve_the_zone_is_lame(world):
    other = world.zone.write("other", f"$ORIGIN other.example.\n@ 60 SOA ns1 h 1 1 1 1 1\n@ NS ns1\n"
                             "ns1 A 127.0.0.1\n")
    world.zone.serve(world.good, os.path.basename(other), zone="other.example")
    report = world.check()
    assert report.passes and report.codes == ["lame"]
    assert report.one("lame")["remove"] == f"{DOMAIN}. IN NS ns2.{DOMAIN}."
    world.zone.serve(world.good, world.good)
    assert world.check().findings == []


def test_a_server_that_is_silent_costs_no_more_than_its_time(world):
    world.zone.serve(world.good, world.good)
    world.zone.nsd.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((world.zone.second, DNS_PORT))
        report = world.check()
    assert report.passes and report.codes == ["silent"]


def test_an_alias_is_no_target(world):
    records = world.without("A") + [f"{EDGE}. 60 IN CNAME there.{DOMAIN}.",
                                    f"there.{DOMAIN}. 60 IN A {world.plan.b.edge}"]
    records = [line for line in records if not line.startswith(TLSA)]
    world.serve(records)
    report = world.check(own=False)
    finding = report.find("alias")[0]
    assert finding["remove"] == f"{EDGE}. 60 IN CNAME there.{DOMAIN}."
    assert finding["severity"] == "warning" and report.passes


def test_a_zone_that_anybody_can_list_says_what_that_means(world):
    world.zone.serve(*[world.sign("nsec", world.records, "-o", DOMAIN)] * 2)
    report = world.check()
    assert report.passes and report.codes == ["walkable"]
    finding = report.one("walkable")
    assert finding["severity"] == "warning" and "ported out" in finding["why"]
    bare = [line for line in world.records if "_sipaddr" not in line]
    world.zone.serve(*[world.sign("nsec", bare, "-o", DOMAIN)] * 2)
    assert world.check(own=False).one("walkable")["severity"] == "note"
    world.zone.serve(world.good, world.good)
    assert world.check().findings == []


def test_signatures_that_ended_are_fatal(world):
    old = world.sign("old", world.records, "-n", "-i", "20200101", "-e", "20200201")
    world.zone.serve(old, old)
    report = world.check()
    assert not report.passes
    report.find("dnssec-bogus")
    assert "2020-02-01" in report.find("signature-expired")[0]["what"]


def test_one_server_with_old_signatures_is_found_though_the_other_is_right(world):
    old = world.sign("old", world.records, "-n", "-i", "20200101", "-e", "20200201")
    world.zone.serve(world.good, old)
    report = world.check()
    assert not report.passes
    assert all(f["where"].startswith("ns2.") for f in report.find("signature-expired"))


def test_signatures_that_end_soon_are_told_in_time(world):
    soon = run(["date", "-u", "-d", "+1 day", "+%Y%m%d%H%M%S"]).stdout.strip()
    signed = world.sign("soon", world.records, "-n", "-e", soon)
    world.zone.serve(signed, signed)
    report = world.check()
    assert report.passes and report.codes == ["signature-expiring"]


def test_a_chain_that_does_not_reach_the_zone_gets_its_ds_record(world):
    world.zone.serve(world.good, world.good, anchored=False)
    report = world.check()
    assert report.passes and report.json["targets"][0]["tlsa"] == "unsigned"
    finding = report.one("ds-missing")
    assert finding["add"].split()[-4:] == world.zone.anchor.split()[-4:]
    world.zone.serve(world.good, world.good)
    assert world.check().findings == []


def test_an_unsigned_zone_is_noted(world):
    plain = os.path.basename(world.zone.write("plain", world.text(world.records)))
    world.zone.serve(plain, plain, anchored=False)
    report = world.check()
    assert report.passes and report.codes == ["unsigned"]


def test_keys_that_no_record_names_are_refused(world):
    tlsa = world.only("TLSA")[0]
    wrong = tlsa[:-64] + "11" * 32
    records = world.without("TLSA") + [wrong]
    world.serve(records)
    report = world.check(own=False)
    assert not report.passes
    finding = report.one("tlsa-mismatch")
    assert finding["add"] == tlsa
    world.serve(mended(world, records, finding))
    assert world.check(own=False).findings == []


def test_a_record_of_the_certificate_itself_will_stop_matching(world):
    der = run(["sh", "-c", f"openssl x509 -in {world.lab.pki.path('edge-b.pem')} -outform der | "
               "sha256sum"]).stdout.split()[0]
    records = world.without("TLSA") + [f"{TLSA}. 3600 IN TLSA 3 0 1 {der}"]
    world.serve(records)
    report = world.check(own=False)
    assert report.passes
    finding = report.one("tlsa-ending")
    assert finding["add"] == world.only("TLSA")[0]
    world.serve(mended(world, records, finding))
    assert world.check(own=False).findings == []


class Answerer:
    """A SIP server over TLS with any certificate, that gives one answer to whatever comes."""

    def __init__(self, world, certificate, answer="200 OK"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(world.lab.pki.path(certificate + ".pem"),
                                world.lab.pki.path(certificate + ".key"))
        self.server = socket.create_server((world.plan.b.edge, 0))
        self.port = self.server.getsockname()[1]
        self.context, self.answer, self.asked = context, answer, b""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        peer, _ = self.server.accept()
        with self.context.wrap_socket(peer, server_side=True) as peer:
            self.asked = peer.recv(4096)
            lines = [line for line in self.asked.split(b"\r\n")
                     if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")]
            head = [b"SIP/2.0 " + self.answer.encode(), *lines, b"Content-Length: 0", b"", b""]
            peer.sendall(b"\r\n".join(head))
            peer.recv(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(10)
        self.server.close()

    def records(self, world, *more):
        return [line.replace(f" {TLS_PORT} edge", f" {self.port} edge")
                for line in world.without("TLSA")] + list(more)


def test_a_certificate_without_the_domain_is_refused_unless_tlsa_proves_it(world):
    pki = world.lab.pki
    pki.make(Leaf("other", sip=("opc.example",)))
    with Answerer(world, "other") as far:
        world.serve(far.records(world))
        report = world.check(own=False)
        assert not report.passes and report.codes == ["certificate"]
        assert f"add URI:sip:{DOMAIN} to its subjectAltName" in report.one("certificate")["what"]
    assert far.asked.startswith(f"OPTIONS sip:{DOMAIN} SIP/2.0\r\n".encode())
    assert b"\r\nMax-Forwards: 0\r\n" in far.asked
    with Answerer(world, "other") as far:
        world.serve(far.records(world, f"_{far.port}._tcp.{EDGE}. 60 IN TLSA 3 1 1 "
                                f"{pki.fingerprint('other')}"))
        report = world.check(own=False)
        assert report.passes and report.one("certificate")["severity"] == "warning"


def test_a_certificate_that_ends_soon_or_has_ended_is_told(world):
    world.lab.pki.make(Leaf("ended", sip=(DOMAIN,), expired=True))
    with Answerer(world, "ended") as far:
        world.serve(far.records(world))
        report = world.check(own=False)
    assert not report.passes and "expired at 2020-02-01" in report.one("certificate")["what"]


@pytest.mark.parametrize("answer,passes", [("483 Too Many Hops", True), ("503 Full", False),
                                           ("403 Not you", False)])
def test_the_answer_to_options_counts(world, answer, passes):
    with Answerer(world, "edge-b", answer) as far:
        world.serve(far.records(world))
        report = world.check(own=False)
    assert report.passes == passes
    if not passes:
        assert answer in report.one("options")["what"]


def test_a_closed_port_is_told(world):
    records = [line.replace(f" {TLS_PORT} edge", " 5999 edge") for line in world.without("TLSA")]
    world.serve(records)
    report = world.check(own=False)
    assert not report.passes
    finding = report.one("unreachable")
    assert finding["where"] == f"{EDGE} ({world.plan.b.edge}:5999)"


def test_what_is_down_beside_what_works_is_a_warning(world):
    world.serve(world.records + [f"{SIPS}. 3600 IN SRV 20 10 5999 {EDGE}."])
    report = world.check(own=False)
    assert report.passes and report.one("unreachable")["severity"] == "warning"


@pytest.mark.parametrize("says,code", [(b"", "handshake"), (b"SSH-2.0-x\r\n", "handshake")])
def test_a_port_without_tls_is_told(world, says, code):
    with socket.create_server((world.plan.b.edge, 0)) as server:
        port = server.getsockname()[1]
        world.serve([line.replace(f" {TLS_PORT} edge", f" {port} edge")
                     for line in world.without("TLSA")])
        def hang_up():
            peer, _ = server.accept()
            peer.sendall(says)
            peer.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        report = world.check(own=False)
        thread.join(10)
    assert not report.passes
    report.one(code)


def test_a_domain_that_does_not_want_calls_says_so(world):
    world.serve(world.without("SRV") + [f"{SIPS}. 60 IN SRV 0 0 0 ."])
    report = world.check(own=False)
    assert not report.passes
    report.one("no-service")


def test_a_domain_that_does_not_exist_is_told(world):
    world.serve(world.records)
    report = world.check(own=False, domain=f"nothing.{DOMAIN}")
    assert not report.passes
    report.find("unresolved")


def test_without_a_resolver_nothing_is_claimed(world):
    world.zone.stop()
    report = world.check()
    assert not report.passes
    report.find("resolver")


def hostile_answers(question):
    """What no honest server sends, in lots: each is dropped, or taken for no answer at all."""
    head, rest = question[:2], question[12:]
    name_end = rest.index(b"\0") + 5
    asked = rest[:name_end]
    yield [
        b"",
        b"\0" * 11,
        bytes([head[0] ^ 1]) + head[1:] + b"\x84\x00\0\1\0\0\0\0\0\0" + asked,  # another id
        head + b"\x84\x00\0\1\0\0\0\0\0\0" + b"\3foo\0" + asked[-4:],  # another question
        head + b"\x04\x00\0\1\0\0\0\0\0\0" + asked]  # a query
    # 65,535 records that are not there
    yield [head + b"\x84\x00\0\1\xff\xff\xff\xff\xff\xff" + asked]
    yield [head + b"\x84\x00\0\1\0\1\0\0\0\0" + asked + b"\xc0" +
           bytes([12 + name_end]) + asked[-4:]]
    yield [head + b"\x84\x00\0\1\0\1\0\0\0\0" + asked + b"\xc0\x0c" + asked[-4:] +
           b"\0\0\0\1\xff\xff"]
    yield [head + b"\x86\x00\0\1\0\0\0\0\0\0" + asked]  # truncated, and TCP is closed


@pytest.mark.parametrize("number", range(5))
def test_hostile_answers_are_no_answers(world, number):
    """The resolver is the one who has most to say; the same code reads every answer."""
    world.zone.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind((world.plan.resolver, 0))
        port = far.getsockname()[1]

        def serve():
            while True:
                question, peer = far.recvfrom(4096)
                if not question:
                    return
                for told in list(hostile_answers(question))[number]:
                    far.sendto(told, peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        world.options = ("--resolver", f"{world.plan.resolver}:{port}")
        try:
            report = world.check(own=False)
        finally:
            world.options = ()
            far.sendto(b"", (world.plan.resolver, port))
            thread.join(10)
    assert not report.passes
    assert report.codes == ["no-server", "resolver"]
