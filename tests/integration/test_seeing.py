"""What an operator sees of requests: one line of the log, as text or JSON, live ladders, numbers of each
peer, and copies for a capture server."""

import contextlib
import ctypes
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from lab.plan import SIP_PORT
from lab.process import wait_until
from lab.sip import Dialog, UdpAgent, ack_for, request
from lab.unix_http import UnixConnection

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"


@pytest.fixture(scope="module")
def lab(bare_lab, plan):
    """Edge A logs JSON, edge B text."""
    lab = bare_lab
    deaf = lab.cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    deaf.bind((plan.a.edge, 0))
    deaf.connect((plan.a.edge, deaf.getsockname()[1]))  # hears itself alone
    server = f"udp:{plan.a.edge}:{deaf.getsockname()[1]}"
    lab.make_edge(plan.a, more=f'log-format = json\nhep {{ server = "{server}" }}')
    lab.capture = lab.cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    lab.capture.bind((plan.b.edge, 0))
    lab.capture.settimeout(5)
    server = f"udp:{plan.b.edge}:{lab.capture.getsockname()[1]}"
    lab.make_edge(plan.b, more=f'hep {{ server = "{server}" id = 77 }}')
    lab.start()
    lab.provision()
    return lab


def decided(edge, call_id):
    """What the log of an edge with JSON says of a call's requests."""
    with open(edge.path("log"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]  # every one is whole
    return [line for line in lines if line.get("call_id") == call_id and line["source"] == "proxy"]


def decided_text(edge, call_id):
    with open(edge.path("log"), encoding="utf-8") as file:
        return [line for line in file if " proxy: " in line and f"call_id={call_id}" in line]


def invite(alice, inside, uri=BOB, caller=ALICE):
    sent = request("INVITE", uri, alice, caller, to=uri)
    alice.send(sent, inside)
    return sent


def call(alice, bob, inside_a, headers=()):
    """A call from alice to bob that alice ends. Returns its Call-ID."""
    sent = request("INVITE", BOB, alice, ALICE, to=BOB, headers=headers)
    alice.send(sent, inside_a)
    got = bob.expect("INVITE", call_id=sent.get("Call-ID"))
    bob.answer(got, 180, "Ringing", tag="b")
    alice.expect(180)
    bob.answer(got, 200, "OK", tag="b", headers=[("Contact", bob.contact(BOB))])
    ok = alice.expect(200)
    alice.send(ack_for(sent, ok), inside_a)
    bob.expect("ACK")
    dialog = Dialog.of_caller(alice, sent, ok)
    alice.send(dialog.request("BYE"), inside_a)
    bob.answer(bob.expect("BYE"), 200, "OK")
    alice.expect_final("BYE")
    return sent.get("Call-ID")


class Tracer:
    """A running `junctor trace`, that looks from here on."""

    def __init__(self, edge, *args):
        since = edge.mark()
        self.process = subprocess.Popen(edge.tool_argv("trace", *args), stdout=subprocess.PIPE,
                                        text=True)
        edge.wait_log("trace: actor", since=since)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def lines(self):
        """All it printed, once it ended by itself."""
        out, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == 0
        return out.splitlines()


# INVITE, 100, 180, 200, ACK, BYE, 200 on both sides; the 100 is each side's own
LADDER = [
    ("inside", "received", "INVITE"), ("inside", "sent", 100), ("outside", "sent", "INVITE"),
    ("outside", "received", 100), ("outside", "received", 180), ("inside", "sent", 180),
    ("outside", "received", 200), ("inside", "sent", 200),
    ("inside", "received", "ACK"), ("outside", "sent", "ACK"),
    ("inside", "received", "BYE"), ("outside", "sent", "BYE"),
    ("outside", "received", 200), ("inside", "sent", 200),
]


def test_a_trace_shows_both_sides_of_a_call(lab, plan, alice, bob, inside_a):
    with Tracer(lab.edge_a, "bob@opb.example", "--json", "--limit", str(len(LADDER))) as tracer:
        call_id = call(alice, bob, inside_a)
        seen = [json.loads(line) for line in tracer.lines()]
    assert [(m["side"], m["way"], m["method"] or m["status"]) for m in seen] == LADDER
    assert {m["call_id"] for m in seen} == {call_id}
    assert {m["peer"] for m in seen if m["side"] == "outside"} == {"opb.example"}
    assert {m["transport"] for m in seen} == {"udp", "tls"}
    assert [m["time"] for m in seen] == sorted(m["time"] for m in seen)
    assert seen[0]["remote"] == f"{plan.a.phone}:{SIP_PORT}"
    assert seen[0]["message"].startswith(f"INVITE {BOB} SIP/2.0\r\nVia: ")
    assert seen[0]["from"] == ALICE and seen[0]["to"] == BOB and not seen[0]["cut"]


def test_a_trace_is_a_ladder_for_people(lab, alice, bob, inside_a):
    with Tracer(lab.edge_a, "--limit", "14") as tracer:
        call_id = call(alice, bob, inside_a)
        lines = tracer.lines()
    assert lines[0].split() == ["TIME", "CALL", "core", "edge", "peer"]
    assert lines[1].endswith(f"1.  {ALICE} to {BOB}, Call-ID {call_id}")
    rungs = lines[2:]
    assert len(rungs) == 14
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} +1\.  \|-+ INVITE -+>\| +\|  udp:\S+", rungs[0])
    assert re.fullmatch(r".{15} +1\.  \| +\|-+ INVITE -+>\|  (opb.example )?tls:\S+", rungs[2])
    assert re.fullmatch(r".{15} +1\.  \| +\|<-+ 180 Ringing -+\|  opb.example tls:\S+", rungs[4])
    assert re.fullmatch(r".{15} +1\.  \|<-+ 200 OK \(BYE\) -+\| +\|  udp:\S+", rungs[-1])
    assert len({line.rindex("|") for line in rungs}) == 1  # in line


def on_terminal(edge, columns, alice, bob, inside_a):
    """The lines of a call's trace on a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    since = edge.mark()
    with subprocess.Popen(edge.tool_argv("trace", "--limit", "14"), stdout=its) as process:
        os.close(its)
        edge.wait_log("trace: actor", since=since)
        call(alice, bob, inside_a)
        shown = b""
        with contextlib.suppress(OSError):  # the end, for a terminal
            while some := os.read(ours, 4096):
                shown += some
        os.close(ours)
        assert process.wait(10) == 0
    return shown.decode().splitlines()


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_a_ladder_fits_its_terminal(lab, alice, bob, inside_a, columns):
    lines = on_terminal(lab.edge_a, columns, alice, bob, inside_a)
    rungs = [line for line in lines if "|" in line]
    assert len(rungs) == 14
    assert max(len(line) for line in lines) <= columns
    assert len({line.rindex("|") for line in rungs}) == 1  # in line
    assert sum("200 OK (BYE)" in line for line in rungs) == 2
    assert all("opb.example" in line for line in rungs if " 180 Ringing " in line and "<" in line
               and line.index("<") > 40)
    assert sum(line.endswith("opb.example") for line in rungs) == (0 if columns == 140 else 7)


def test_a_trace_shows_no_secrets(lab, alice, bob, inside_a):
    secret = 'Digest username="alice", realm="x", nonce="n", uri="sip:x", response="5ec3e7"'
    with Tracer(lab.edge_a, "alice@opa.example", "--full", "--limit", "14") as tracer:
        call(alice, bob, inside_a, headers=[("Proxy-Authorization", secret)])
        text = "\n".join(tracer.lines())
    assert "5ec3e7" not in text and "    Proxy-Authorization: Digest ...\n" in text
    routes = re.findall(r"^    Record-Route: <sip:(\S+?)@", text, re.MULTILINE)
    assert routes and all(re.fullmatch(r"[\w-]{8}\.\.\.", token) for token in routes)


KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


def crypto_call(alice, bob, inside_a):
    """An INVITE with an SDES key that bob declines. Returns its Call-ID."""
    body = f"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20\r\n".encode()
    sent = request("INVITE", BOB, alice, ALICE, to=BOB, body=body,
                   headers=[("Content-Type", "application/sdp")])
    alice.send(sent, inside_a)
    got = bob.expect("INVITE", call_id=sent.get("Call-ID"))
    assert KEY.encode() in got.body
    bob.answer(got, 486, "Busy Here", tag="b")
    ack = ack_for(sent, alice.expect(486))
    alice.send(ack, inside_a)
    bob.expect("ACK")
    return sent.get("Call-ID")


def test_keys_of_media_are_covered_in_traces_and_copies(lab, alice, bob, inside_a):
    with Tracer(lab.edge_a, "alice@opa.example", "--full", "--limit", "8") as tracer:
        call_id = crypto_call(alice, bob, inside_a)
        text = "\n".join(tracer.lines())
    assert KEY not in text
    assert text.count("inline:" + "*" * len(KEY) + "|2^20") == 2  # received and sent
    copies = [chunks[15] for chunks in copies_of(lab.capture, call_id, 7)]
    assert not any(KEY.encode() in copy for copy in copies)
    offers = [copy for copy in copies if b"inline:***" in copy]
    assert len(offers) == 2
    for offer in offers:  # a decoder finds its end
        head, body = offer.split(b"\r\n\r\n", 1)
        assert int(re.search(rb"(?i)content-length: *(\d+)", head).group(1)) == len(body)


def test_a_failed_call_is_shown_with_its_acks(lab, alice, bob, inside_a):
    with Tracer(lab.edge_a, "alice@opa.example", "--json", "--limit", "8") as tracer:
        crypto_call(alice, bob, inside_a)
        seen = [json.loads(line) for line in tracer.lines()]
    assert [(m["side"], m["way"], m["method"] or m["status"]) for m in seen if m["status"] != 100
            ] == [("inside", "received", "INVITE"), ("outside", "sent", "INVITE"),
                  ("outside", "received", 486), ("outside", "sent", "ACK"),
                  ("inside", "sent", 486), ("inside", "received", "ACK")]


def test_retransmissions_are_shown_as_such(lab, plan, alice, inside_a):
    """Edge B asks bob over UDP, who is silent at first; alice repeats herself too."""
    with UdpAgent(plan.b.phone, SIP_PORT) as bob, \
            Tracer(lab.edge_b, "bob@opb.example", "--json", "--limit", "4") as there, \
            Tracer(lab.edge_a, "bob@opb.example", "--json", "--limit", "8") as here:
        sent = invite(alice, inside_a)
        bob.expect("INVITE")
        again = bob.expect("INVITE")
        alice.send(sent, inside_a)
        bob.answer(again, 486, "Busy Here", tag="b")
        final = alice.expect(486)
        alice.expect(486)  # until the ACK
        alice.send(ack_for(sent, final), inside_a)
        bob.expect("ACK")
        invites = [m["again"] for m in map(json.loads, there.lines())
                   if m["side"] == "inside" and m["method"] == "INVITE"]
        seen = [json.loads(line) for line in here.lines()]
    assert invites == [False, True]
    assert [m["again"] for m in seen if m["method"] == "INVITE" and m["side"] == "inside"
            ] == [False, True]
    copies = copies_of(lab.capture, sent.get("Call-ID"), 8)
    assert sum(chunks[15].startswith(b"INVITE") and chunks[2] == b"\x11" for chunks in copies) == 2


def test_the_token_of_a_strict_router_is_shortened(lab, alice, inside_a):
    token = "A" * 60
    with Tracer(lab.edge_a, "--full", "--limit", "2") as tracer:
        sent = request("INFO", f"sip:{token}@opa.example;lr", alice, ALICE, to=BOB)
        alice.send(sent, inside_a)
        assert alice.expect_final("INFO").status >= 400
        text = "\n".join(tracer.lines())
    assert token not in text and "INFO sip:AAAAAAAA...@opa.example" in text
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert line["uri"] == "sip:AAAAAAAA...@opa.example;lr"
    assert token not in lab.edge_a.log()


def test_a_trace_of_another_address_or_peer_shows_nothing_of_it(lab, alice, bob, inside_a):
    with Tracer(lab.edge_a, "carol@opa.example", "--json") as other, \
            Tracer(lab.edge_a, "opb.example", "--json", "--limit", "14") as peer:
        call(alice, bob, inside_a)
        assert len(peer.lines()) == 14
        other.process.kill()
        assert other.process.communicate()[0] == ""


def tracer_or_none(edge):
    """Those of the tests before may be about to end."""
    since = edge.mark()
    process = subprocess.Popen(edge.tool_argv("trace"), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    edge.wait_log("trace: actor|GET /v1/trace refused: status=503", since=since)
    if "trace: actor" in edge.log(since):
        return process
    process.wait()
    return None


def test_no_more_than_four_look_at_once_and_who_ends_makes_room(lab):
    tracers = []
    try:
        while len(tracers) < 4:
            tracers.append(wait_until(lambda: tracer_or_none(lab.edge_a), "a tap is free"))
        fifth = lab.edge_a.tool("trace", "--limit", "1", check=False)
        assert fifth.returncode == 1 and "4 clients look at messages already" in fifth.stderr
    finally:
        for tracer in tracers:
            tracer.kill()
            tracer.wait()

    last = wait_until(lambda: tracer_or_none(lab.edge_a), "a tap is free")
    last.kill()
    last.wait()


def test_a_slow_reader_is_told_what_it_missed(lab, plan, inside_a):
    """Nobody waits for it: the calls of others go on."""
    big = "x" * 8000
    with Tracer(lab.edge_a, "--json") as tracer, UdpAgent(plan.a.phone, SIP_PORT) as alice:
        for number in range(400):  # some 6 MB: more than pipe, sockets and rings can hold
            sent = request("MESSAGE", f"sip:nobody{number}@opa.example", alice, ALICE,
                           headers=[("X-Big", big)])
            alice.send(sent, inside_a)
            assert alice.expect_final("MESSAGE", call_id=sent.get("Call-ID")).status == 404
        dropped = shown = 0
        for line in tracer.process.stdout:
            event = json.loads(line)
            dropped += event.get("dropped", 0)
            shown += "message" in event
            if shown + dropped == 800:
                break
    assert shown + dropped == 800 and dropped > 0


def test_a_call_has_one_line_at_each_edge(lab, plan, alice, bob, inside_a):
    sent = invite(alice, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 180, "Ringing", tag="b")
    alice.expect(180)
    bob.answer(got, 200, "OK", tag="b", headers=[("Contact", bob.contact(BOB))])
    ok = alice.expect(200)
    alice.send(ack_for(sent, ok), inside_a)
    lab.edge_b.wait_log(f"proxy: answered INVITE .*call_id={sent.get('Call-ID')}")

    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert line["text"] == f"answered INVITE {BOB}"
    assert (line["method"], line["uri"], line["status"]) == ("INVITE", BOB, 200)
    assert (line["from"], line["to"]) == (ALICE, BOB)
    assert (line["direction"], line["peer"], line["tries"]) == ("out", "opb.example", 1)
    assert line["target"].endswith("/TLS") and plan.b.edge in line["target"]
    assert line["source"] == "proxy" and plan.a.phone in line["sender"]
    assert 0 <= line["sent_ms"] <= line["first_ms"] <= line["total_ms"]

    text, = decided_text(lab.edge_b, sent.get("Call-ID"))
    assert " direction=in peer=opa.example from=sip:alice@opa.example " in text
    assert f" target={plan.b.phone}/{plan.b.phone}:{SIP_PORT}/UDP tries=1 " in text
    assert " status=200 " in text and "method=" not in text


def test_a_refusal_has_one_line_that_says_why(lab, alice, inside_a):
    sent = invite(alice, inside_a, caller="sip:mallory@opc.example")
    alice.expect(403)
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert (line["result"], line["status"], line["from"]) == ("refused", 403,
                                                              "sip:mallory@opc.example")
    assert "opc.example" in line["why"] and "target" not in line


def test_a_request_that_nobody_answers_has_one_line_with_the_causes(lab, alice, inside_a):
    sent = invite(alice, inside_a, uri="sip:bob@nowhere.example")
    alice.expect(480, timeout_s=15)
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert (line["result"], line["level"]) == ("failed", "notice")
    assert "nowhere.example" in line["why"] and line["tries"] == 0 and "sent_ms" not in line


def test_an_answer_that_cannot_be_read_is_told_of(lab, alice, bob, inside_a):
    sent = request("MESSAGE", BOB, alice, ALICE)
    alice.send(sent, inside_a)
    got = bob.expect("MESSAGE")
    bob.answer(got, 200, "OK", tag="\x1b[31m")
    line = lab.edge_b.wait_log("proxy: dropped 200 .*To header")
    assert " direction=inside " in line and f" sender={bob.address}:{SIP_PORT} " in line
    bob.answer(got, 200, "OK", tag="b")
    assert alice.expect_final("MESSAGE").status == 200


MALFORMED = ["call_id=x", 'sip:"bob', "sip:bob\\", "sip:bob\x1b[31m@opb.example",
             "sip:" + 700 * "\x01", "from=" + 700 * "x"]


@pytest.mark.parametrize("uri", MALFORMED, ids=range(len(MALFORMED)))
def test_what_a_request_line_says_passes_for_no_field(lab, plan, uri):
    for edge, phone in ((lab.edge_a, plan.a.phone), (lab.edge_b, plan.b.phone)):
        with UdpAgent(phone, SIP_PORT) as core:
            sent = request("MESSAGE", BOB, core, ALICE)
            sent.start = f"MESSAGE {uri} SIP/2.0"
            core.send(sent, (edge.operator.edge, SIP_PORT))
            assert core.expect_final("MESSAGE").status == 400
        if edge is lab.edge_a:
            line, = decided(edge, sent.get("Call-ID"))
            assert line["text"] == "refused MESSAGE" and line["uri"].startswith(uri[:4])
            assert (line["status"], line["from"], line["result"]) == (400, ALICE, "refused")
        else:
            line, = decided_text(edge, sent.get("Call-ID"))
            bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)  # as one reads fields
            names = re.findall(r" (\w+)=", bare)
            assert sorted(names) == sorted(set(names))
            assert f" call_id={sent.get('Call-ID')} " in bare and f" from={ALICE} " in bare


def test_a_flood_of_strangers_fills_no_log(lab, plan, inside_a):
    """Of 200 refusals about 20 have a line each."""
    with UdpAgent(plan.a.network + "77", SIP_PORT) as stranger:
        ids = set()
        for _ in range(200):
            sent = invite(stranger, inside_a)
            assert stranger.expect_final("INVITE", call_id=sent.get("Call-ID")).status == 403
            ids.add(sent.get("Call-ID"))
    with open(lab.edge_a.path("log"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    told = [line for line in lines if line.get("call_id") in ids and line["source"] == "proxy"]
    assert 1 <= len(told) <= 2 * 30  # each of two workers: a burst, and what a slow run refills


def of_peer(edge, peer):
    return next((row for row in edge.tool_json("peers")["peers"] if row["peer"] == peer), None)


def test_peers_are_counted_by_direction_and_result(lab, alice, bob, inside_a):
    before = {edge: of_peer(edge, peer) for edge, peer in
              ((lab.edge_a, "opb.example"), (lab.edge_b, "opa.example"))}
    call(alice, bob, inside_a)
    sent = invite(alice, inside_a, uri="sip:nobody@opb.example")
    alice.expect(404)
    for edge, peer, way, how in ((lab.edge_a, "opb.example", "out", "declined"),
                                 (lab.edge_b, "opa.example", "in", "refused")):
        row, old = of_peer(edge, peer), before[edge]
        assert row["requests"] == old["requests"] + 3 and row["last"] > old["last"]
        assert row[way]["answered"] == old[way]["answered"] + 2  # INVITE and BYE
        assert row[way][how] == old[way][how] + 1, sent.get("Call-ID")
    lines = lab.edge_a.tool("peers").stdout.splitlines()
    assert lines[0].split()[0] == "PEER"
    assert any(line.startswith("opb.example ") for line in lines)


def test_connections_with_a_peer_are_shown(lab, plan, alice, bob, inside_a):
    call(alice, bob, inside_a)
    shown = lab.edge_a.tool_json("peers", "OPB.example")
    assert shown["total"] == len(shown["connections"]) >= 1
    for connection in shown["connections"]:
        assert (connection["peer"], connection["identities"]) == ("opb.example", ["opb.example"])
        assert connection["address"] == f"{plan.b.edge}:5061"
        assert (connection["side"], connection["transport"]) == ("outside", "tls")
        assert (connection["opened_by"], connection["state"]) == ("us", "ready")
        assert connection["our_domain"] == "opa.example"
    there = lab.edge_b.tool_json("peers", "opa.example")["connections"]
    assert {connection["opened_by"] for connection in there} == {"them"}
    assert lab.edge_a.tool_json("peers", "opc.example") == {
        "connections": [], "total": 0, "silent_workers": 0}


def test_metrics_tell_of_each_peer(lab, alice, bob, inside_a):
    call(alice, bob, inside_a)
    connection = UnixConnection(lab.edge_b.socket)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    line = re.search(r'^junctor_peer_requests_total{peer="opa.example",direction="in",'
                     r'result="answered"} (\d+)$', text, re.MULTILINE)
    assert int(line.group(1)) == of_peer(lab.edge_b, "opa.example")["in"]["answered"] >= 2


# ---- the mirror for a capture server (HEP version 3) ----


def hep_chunks(packet):
    """Its chunks by type; everything must be accounted for."""
    magic, length = struct.unpack("!4sH", packet[:6])
    assert (magic, length) == (b"HEP3", len(packet))
    chunks, at = {}, 6
    while at < len(packet):
        vendor, kind, size = struct.unpack("!HHH", packet[at:at + 6])
        assert vendor == 0 and size >= 6 and at + size <= len(packet) and kind not in chunks
        chunks[kind] = packet[at + 6:at + size]
        at += size
    return chunks


def copies_of(capture, call_id, count):
    """The first copies of a call, in the order in which they came."""
    seen = []
    while len(seen) < count:
        chunks = hep_chunks(capture.recv(65535))
        if chunks[17].decode() == call_id:
            seen.append(chunks)
    return seen


def asked(edge, path):
    connection = UnixConnection(edge.socket)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


@contextlib.contextmanager
def held(pid):
    """All its threads stand still but those that answer the API."""
    libc = ctypes.CDLL(None, use_errno=True)
    threads = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as file:
            if file.read().startswith("junctord"):
                assert libc.ptrace(16, int(task), None, None) == 0  # PTRACE_ATTACH
                threads.append(int(task))
                os.waitpid(int(task), 0x40000000)  # __WALL
    try:
        yield
    finally:
        for thread in threads:
            libc.ptrace(17, thread, None, None)  # PTRACE_DETACH


def test_busy_workers_hold_nobody_up_who_only_looks(lab):
    pid = lab.edge_b.program.process.pid
    with held(pid):
        traffic = json.loads(asked(lab.edge_b, "/v1/traffic"))
        connections = json.loads(asked(lab.edge_b, "/v1/connections"))
        metrics = asked(lab.edge_b, "/metrics")
    assert traffic["silent_workers"] > 0 and traffic["peers"] == []
    assert connections["silent_workers"] > 0
    assert f"\njunctor_edge_silent_workers {traffic['silent_workers']}\n" in metrics
    assert "junctor_peer_requests_total" not in metrics
    assert json.loads(asked(lab.edge_b, "/v1/traffic"))["silent_workers"] == 0


def test_copies_that_are_lost_are_counted(lab, plan, alice, bob, inside_a):
    """Edge A's capture server has a socket that takes nothing of it."""
    call(alice, bob, inside_a)
    text = asked(lab.edge_a, "/metrics")
    lost, = re.findall(r"^junctor_edge_copies_lost_total (\d+)$", text, re.MULTILINE)
    assert int(lost) > 0 and "\njunctor_edge_silent_workers 0\n" in text


def test_a_capture_server_gets_a_copy_of_every_message(lab, plan, alice, bob, inside_a):
    """Edge B mirrors to it, what the tests before did too."""
    lab.capture.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while lab.capture.recv(65535):
            pass
    lab.capture.settimeout(5)
    secret = 'Digest username="alice", realm="x", nonce="n", uri="sip:x", response="5ec3e7"'
    before = time.time()
    call_id = call(alice, bob, inside_a, headers=[("Authorization", secret)])
    seen = copies_of(lab.capture, call_id, 13)
    starts = sorted(chunks[15].split(b"\r\n")[0].split()[0].decode() for chunks in seen)
    assert starts == sorted(["INVITE", "ACK", "BYE"] * 2 + ["SIP/2.0"] * 7)
    assert not any(b"5ec3e7" in chunks[15] for chunks in seen)
    for chunks in seen:
        assert set(chunks) == {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 15, 17}
        assert (chunks[1], chunks[11]) == (b"\x02", b"\x01")
        assert struct.unpack("!I", chunks[12]) == (77,)
        seconds, micros = struct.unpack("!II", chunks[9] + chunks[10])
        assert before - 1 <= seconds + micros / 1e6 <= time.time() + 1
        ends = {socket.inet_ntoa(chunks[3]), socket.inet_ntoa(chunks[4])}
        assert plan.b.edge in ends and (plan.b.phone in ends) == (chunks[2] == b"\x11")
    first = next(chunks for chunks in seen if chunks[2] == b"\x11")  # UDP: to the core
    assert struct.unpack("!HH", first[7] + first[8]) == (SIP_PORT, SIP_PORT)
    assert socket.inet_ntoa(first[4]) == plan.b.phone and first[15].startswith(b"INVITE ")


def test_a_call_that_the_end_of_the_edge_cuts_short_has_its_line(lab, alice, bob, inside_a):
    sent = invite(alice, inside_a)
    bob.answer(bob.expect("INVITE"), 180, "Ringing", tag="b")
    alice.expect(180)
    since = lab.edge_a.mark()
    lab.edge_a.program.send_signal(signal.SIGTERM)
    lab.edge_a.wait_log("finishing what runs", since=since)
    assert not decided(lab.edge_a, sent.get("Call-ID"))
    lab.edge_a.program.stop()  # again: at once
    line, = decided(lab.edge_a, sent.get("Call-ID"))
    assert (line["text"], line["result"]) == (f"failed INVITE {BOB}", "failed")
    assert line["why"] == "the edge ended before there was an answer" and "status" not in line
    assert (line["peer"], line["tries"]) == ("opb.example", 1)
    lab.edge_a.start()
    lab.edge_a.wait_ready()
