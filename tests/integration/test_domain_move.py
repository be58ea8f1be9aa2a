"""A whole domain moves from one operator to another, step by step as docs/porting-operators.md has
them, with its DNS in a real primary and a third operator calling all the while."""

import json
import os
import subprocess
import time

import pytest

from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT, SIP_PORT, TLS_PORT, Operator
from lab.process import run, wait_until
from lab.sip import UdpAgent, ack_for, request

MOVED = "opm.example"
DANIEL = f"daniel@{MOVED}"
TTL = 2
FURTHER = """\
opd            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opd
_sips._tcp.opd SRV   10 10 {tls} edge.opd
edge.opd       A     {edge}
"""
CERTIFICATE = 'certificate "{domain}" {{ chain = "{chain}" key = "{key}" }}\n'
ZONE = 'zone "{zone}" {{ primary = "{server}:{port}" tsig = "{key}" }}\n'
PUBLISH = f"publish {{ ttl = {TTL} }}\n"


class Move:
    def __init__(self, plan):
        self.lab = Lab(plan)
        self.plan = plan
        self.third = Operator("d", "opd.example", "dora", plan.a.network.replace(".31.", ".34."), 550)

    def __enter__(self):
        lab = self.lab
        lab.make_pki()
        lab.pki.make(Leaf("moved", sip=(MOVED,), dns=(MOVED,)))
        lab.pki.make(Leaf("edge-d", sip=("opd.example",), dns=("opd.example", "edge.opd.example")))
        lab.make_dns(keys=False, ttl=TTL, negative_ttl=TTL, updated=(MOVED,),
                     more=FURTHER.format(tls=TLS_PORT, edge=self.third.edge))
        for side in (self.plan.a, self.plan.b, self.third):
            edge = lab.make_edge(side, workers=1)
            edge.outside = f'advertise = "{side.edge_host}:{TLS_PORT}"'
            self.serve(edge, publishes=side is self.plan.a, has_domain=side is not self.third)
        lab.start()
        lab.provision()
        return self

    def __exit__(self, *_):
        self.lab.close()

    def serve(self, edge, publishes, has_domain=True):
        """With the moved domain's certificate, and as the one who publishes it."""
        pki = self.lab.pki
        edge.more = has_domain * CERTIFICATE.format(
            domain=MOVED, chain=pki.path("moved.pem"), key=pki.path("moved.key"))
        edge.more += PUBLISH + publishes * ZONE.format(
            zone=MOVED, server=self.plan.nameserver, port=DNS_PORT,
            key=os.path.join(self.lab.dns.directory, "tsig.key"))
        edge.configure()

    def tool(self, letter, *words, stdin=None, check=True):
        argv = self.lab.edges[letter].tool_argv(*words)
        return subprocess.run(argv, stdin=stdin, capture_output=True, text=True, timeout=30,
                              check=check)

    def step(self, letter, *words, stdin=None):
        return self.tool(letter, "domain", "move", MOVED, *words, stdin=stdin)

    def stands(self, letter):
        return json.loads(self.step(letter, "--json").stdout)

    def reload(self, letter, publishes):
        edge = self.lab.edges[letter]
        self.serve(edge, publishes)
        mark = edge.mark()
        edge.reload()
        edge.wait_log("reload", mark)


@pytest.fixture(scope="module")
def move(plan, request):
    with Move(plan) as made:
        request.node.lab = made.lab  # for conftest.py
        yield made


@pytest.fixture(name="phones")
def fixture_phones(move):
    agents = {letter: UdpAgent(edge.operator.phone, SIP_PORT)
              for letter, edge in move.lab.edges.items()}
    yield agents
    for agent in agents.values():
        agent.close()


def call(move, phones, there, address=DANIEL, caller="d"):
    """A user calls, and that core answers. Returns the Call-ID."""
    edge, phone = move.lab.edges[caller].operator, phones[caller]
    invite = request("INVITE", f"sip:{address}", phone, f"sip:{edge.address}")
    phone.send(invite, (edge.edge, SIP_PORT))
    got = phones[there].expect("INVITE", 10, call_id=invite.get("Call-ID"))
    phones[there].answer(got, 486, "Busy", tag="c1")
    busy = phone.expect(486, 10, call_id=invite.get("Call-ID"))
    phone.send(ack_for(invite, busy), (edge.edge, SIP_PORT))
    return invite.get("Call-ID")


def addresses_of(move, letter):
    listed = json.loads(move.tool(letter, "address", "list", MOVED, "--json").stdout)["addresses"]
    return {address["address"]: address["state"] for address in listed}


def served(move):
    """Whom the primary names as the domain's edge."""
    return run(["dig", "+tcp", "+short", f"@{move.plan.nameserver}", "-p", str(DNS_PORT),
                f"_sips._tcp.{MOVED}", "SRV"]).stdout.split()[-1]


def assert_no_step(move, letter, *words):
    before = move.stands(letter)
    done = move.tool(letter, "domain", "move", MOVED, *words, check=False)
    assert done.returncode == 1 and "is no step" in done.stderr, done.stdout + done.stderr
    assert move.stands(letter) == before


def fill(move):
    """All that an address can be, and what protects one."""
    core = move.lab.edges["a"].core
    move.tool("a", "domain", "add", MOVED, "--core", core)
    for name in ("daniel", "erna", "gone"):
        move.tool("a", "address", "add", f"{name}@{MOVED}", "--owner", name)
    move.tool("a", "address", "add", f"away@{MOVED}", "--hosting", "opd.example")
    move.tool("d", "address", "add", f"away@{MOVED}", "--hosting", "opd.example")
    move.tool("a", "address", "add", f"d@{MOVED}", "--target", DANIEL)
    move.tool("a", "address", "add", f"a@{MOVED}", "--target", f"d@{MOVED}")
    move.tool("a", "address", "del", f"gone@{MOVED}")
    move.tool("a", "address", "set", f"erna@{MOVED}", "--notify", "erna@mail.example")
    return move.tool("a", "address", "auth-code", DANIEL, "--quiet", "--for", "opd.example").stdout


def test_a_domain_moves_and_its_calls_follow(move, phones, tmp_path):
    code = fill(move)
    move.lab.edges["a"].wait_log(f"published: zone={MOVED}", 0, 20)
    call_id = call(move, phones, "a")
    before = addresses_of(move, "a")
    assert len(before) == 6 and before[f"gone@{MOVED}"] == "tombstone"

    move.step("a", "leave", "--to", "opb.example")
    stands = move.stands("a")
    assert (stands["move"], stands["move_to"]) == ("leaving", "opb.example")
    done = move.tool("a", "address", "add", f"new@{MOVED}", check=False)
    assert done.returncode == 1 and "its domain moves" in done.stderr
    call(move, phones, "a")
    for word in ("arrive", "leave --to opd.example"):  # that is the other edge's, or elsewhere
        assert_no_step(move, "a", *word.split())

    copy = str(tmp_path / "copy")
    move.step("a", "copy", "--output", copy)
    assert os.stat(copy).st_mode & 0o777 == 0o600
    move.tool("b", "domain", "add", MOVED, "--core", move.lab.edges["b"].core)
    with open(copy, encoding="utf-8") as file:
        lines = file.readlines()
    (tmp_path / "cut").write_text("".join(lines[:-2]))
    with open(tmp_path / "cut", encoding="utf-8") as file:
        done = move.tool("b", "domain", "move", MOVED, "take", stdin=file, check=False)
    assert done.returncode == 1 and "the copy is cut" in done.stderr
    for _ in range(2):  # again, for nothing
        with open(copy, encoding="utf-8") as file:
            move.step("b", "take", stdin=file)
    assert addresses_of(move, "b") == before
    assert move.stands("b")["move"] == "arriving"
    assert_no_step(move, "b", "stay")
    for caller in "bd":  # the new edge does not have it yet, and says nothing of it
        call(move, phones, "a", caller=caller)

    move.step("b", "arrive")
    move.step("a", "go")
    for word in ("leave", "stay", "arrive"):  # none of them takes back what was done since
        assert_no_step(move, "a", word)
    for address in (DANIEL, f"a@{MOVED}"):
        call(move, phones, "b", address)  # led on by the old edge
    for other in "ab":
        call(move, phones, "d", f"away@{MOVED}", caller=other)
    done = move.tool("a", "domain", "move", MOVED, "clear", check=False)
    assert done.returncode == 1 and "may still call here" in done.stderr

    move.reload("a", publishes=False)
    move.reload("b", publishes=True)
    assert served(move) == f"{move.plan.a.edge_host}."  # what another has written is left alone
    move.tool("b", "dns", "sync", MOVED, "--force")
    assert served(move) == f"{move.plan.b.edge_host}."

    def is_direct():
        call_id = call(move, phones, "b")
        return not move.lab.edges["a"].hops(call_id=call_id)
    wait_until(is_direct, "DNS leads callers to the new edge", 30)
    while time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) < move.stands("a")["safe_from"][:19]:
        time.sleep(0.2)
    time.sleep(1)
    move.step("a", "clear")
    assert move.tool("a", "domain", "show", MOVED, check=False).returncode == 1
    call(move, phones, "b")

    # what protected the addresses does so at the new edge
    shown = json.loads(move.tool("b", "address", "show", f"erna@{MOVED}", "--json").stdout)
    assert (shown["owner"], shown["notify"]) == ("erna", "erna@mail.example")
    guard = json.loads(move.tool("b", "address", "protection", DANIEL, "--json").stdout)
    assert guard["code_for"] == "opd.example" and code
    assert call_id
