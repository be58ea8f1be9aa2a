"""`junctor dns check`: do calls come through where the records lead?"""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from lab.lab import Lab
from lab.plan import TLS_PORT
from lab.process import run
from test_dns_check import DOMAIN, EDGE, SIPS, TLSA, Answerer, World, mended

SEARCH_S = 12  # so long an edge tries the targets of a call


@pytest.fixture(scope="module")
def world(plan):
    with Lab(plan) as lab:
        world = World(plan, lab)
        yield world
        world.zone.stop()


# ---- which targets ----

def test_a_fall_back_target_without_address_is_no_error(world):
    world.serve(world.records + [f"{SIPS}. 60 IN SRV 20 10 {TLS_PORT} gone.{DOMAIN}."])
    report = world.check(own=False)
    assert report.passes and report.one("unresolved")["severity"] == "warning"
    world.serve(world.without("SRV") + [f"{SIPS}. 60 IN SRV 20 10 {TLS_PORT} gone.{DOMAIN}."])
    report = world.check(own=False)
    assert not report.passes and report.one("unresolved")["severity"] == "error"


def test_the_best_targets_are_looked_at_not_the_first_ones(world):
    records = world.records + [f"{SIPS}. 60 IN SRV {20 + i} 10 5999 t{i}.{DOMAIN}."
                               for i in range(12)]
    records += [f"t{i}.{DOMAIN}. 60 IN A {world.plan.b.edge}" for i in range(12)]
    for _ in range(3):
        world.serve(records)
        report = world.check(own=False)
        assert report.passes
        assert [target["priority"] for target in report.json["targets"]] == [10, *range(20, 27)]


def test_more_addresses_than_are_looked_at_are_counted(world):
    world.serve(world.records + [f"{EDGE}. 3600 IN A {world.plan.b.edge[:-1]}{i}"
                                 for i in range(100, 110)])
    report = world.check(own=False)
    assert "11 addresses; the first 8" in report.one("limit")["what"]


@pytest.mark.parametrize("others", [40, 80])
def test_what_is_not_told_of_tlsa_records_is_not_taken_for_a_mismatch(world, others):
    for at in range(3):
        world.serve(world.records + [f"{TLSA}. 3600 IN TLSA 3 1 1 {at:02x}{i:062x}"
                                     for i in range(others)])
        report = world.check(own=False)
        assert "tlsa-mismatch" not in report.codes
        assert report.codes == (["limit"] if others > 64 else [])


def test_a_digest_of_the_wrong_length_is_no_usable_record(world):
    """Then CAs decide, as where no record is (RFC 7671 section 4)."""
    world.serve(world.without("TLSA") + [f"{TLSA}. 60 IN TLSA 3 1 1 {'00' * 31}"])
    report = world.check(own=False)
    assert report.passes and report.findings == []


def test_an_alias_is_told_with_the_records_that_take_its_place(world):
    records = [line for line in world.without("A") if not line.startswith(TLSA)]
    records += [f"{EDGE}. 60 IN CNAME there.{DOMAIN}.", f"there.{DOMAIN}. 60 IN A "
                f"{world.plan.b.edge}"]
    world.serve(records)
    world.serve(mended(world, records, world.check(own=False).one("alias")))
    report = world.check(own=False)
    assert report.passes and report.findings == []


def test_tlsa_records_may_stand_behind_an_alias(world):
    """RFC 7671 section 7."""
    tlsa = world.only("TLSA")[0]
    world.serve(world.without("TLSA") + [f"{TLSA}. 60 IN CNAME keys.{DOMAIN}.",
                                         tlsa.replace(TLSA, f"keys.{DOMAIN}")])
    report = world.check(own=False)
    assert report.passes and report.findings == []
    assert report.json["targets"][0]["tlsa"] == "validated"


# ---- what they answer ----

@pytest.mark.parametrize("told,passes", [
    ("302 Moved", False), ("404 Not Found", False), ("408 Request Timeout", False),
    ("410 Gone", False), ("494 Security Agreement Required", False),
    ("405 Method Not Allowed", True), ("481 Gone Already", True)])
def test_an_answer_that_refuses_calls_too_is_an_error(world, told, passes):
    with Answerer(world, "edge-b", told) as far:
        world.serve(far.records(world))
        report = world.check(own=False)
    assert report.passes == passes and report.codes == ([] if passes else ["options"])


def test_an_answer_from_which_nothing_follows_is_a_warning(world):
    with Answerer(world, "edge-b", "420 Bad Extension") as far:
        world.serve(far.records(world))
        report = world.check(own=False)
    assert report.passes and report.one("options")["severity"] == "warning"


class Stranger(Answerer):
    """Answers something else than what it was asked."""

    def __init__(self, world, change):
        self.change = change
        super().__init__(world, "edge-b")

    def serve(self):
        peer, _ = self.server.accept()
        with contextlib.suppress(OSError), \
                self.context.wrap_socket(peer, server_side=True) as peer:
            lines = [line for line in peer.recv(4096).split(b"\r\n")
                     if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")]
            peer.sendall(self.change(b"\r\n".join([b"SIP/2.0 200 OK", *lines,
                                                   b"Content-Length: 0", b"", b""])))
            peer.unwrap()


@pytest.mark.parametrize("change", [
    lambda told: told.replace(b"CSeq: 1 OPTIONS", b"CSeq: 7 INVITE"),
    lambda told: told.replace(b"Call-ID: ", b"Call-ID: x"),
    lambda told: told.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")],
    ids=["cseq", "call-id", "branch"])
def test_an_answer_to_another_request_is_none(world, change):
    with Stranger(world, change) as far:
        world.serve(far.records(world))
        report = world.check(own=False)
    assert not report.passes and "no answer" in report.one("options")["what"]


def test_who_speaks_another_protocol_is_told_at_once(world):
    with Stranger(world, lambda _: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as far:
        world.serve(far.records(world))
        began = time.monotonic()
        report = world.check(own=False)
        assert time.monotonic() - began < 2.5
    assert not report.passes and "not SIP" in report.one("options")["what"]


# ---- in time ----

class Mute:
    """Takes connections and says nothing, with `certificate` only once TLS stands."""

    def __init__(self, world, certificate=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self.context.load_cert_chain(world.lab.pki.path(certificate + ".pem"),
                                         world.lab.pki.path(certificate + ".key"))
        self.server = socket.create_server((world.plan.b.edge, 0))
        self.port = self.server.getsockname()[1]
        self.peers = []
        if certificate:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.peers.append(self.context.wrap_socket(self.server.accept()[0],
                                                           server_side=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        for sock in (self.server, *self.peers):
            sock.close()


def test_targets_that_cost_callers_all_their_time_are_an_error(world):
    """An edge waits 4 s for each, and gives up after 12 s."""
    with Mute(world, "edge-b") as mute:
        world.serve(world.records + [f"{SIPS}. 60 IN SRV 1 {i} {mute.port} {EDGE}."
                                     for i in range(3)])
        report = world.check(own=False)
    assert not report.passes
    assert f"lose {SEARCH_S} s" in report.one("slow")["what"]
    assert report.json["targets"][3]["addresses"][0]["came_to"] == "answered"


def test_targets_that_say_nothing_behind_one_that_answers_cost_nobody_time(world):
    with Mute(world) as mute:
        world.serve(world.records + [f"{SIPS}. 60 IN SRV 90 10 {mute.port} {EDGE}."])
        report = world.check(own=False)
    assert report.passes and report.codes == ["handshake"]


# ---- without a configuration ----

def test_without_a_certificate_of_ours_it_is_not_known_whether_calls_are_taken(world):
    world.serve(world.records)
    lab = world.lab
    done = run(lab.edge_a.tool_argv("dns", "check", DOMAIN, "--resolver",
                                    f"{world.plan.resolver}:5300", "--dns-port", "5300"),
               check=False)
    assert done.returncode == 1, done.stdout
    assert "not known whether callers get through" in done.stdout
    assert "[no-certificate]" in done.stdout
