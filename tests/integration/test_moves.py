"""An address moves between real operators, from the holder's wish to the calls: opb.example is its
authority, opa.example and opc.example are other hosts."""

import base64
import contextlib
import json
import os
import subprocess

import pytest

from lab.edge import tool_path
from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.porting import agree, domain, reaches, shown, state
from lab.process import run, wait_until
from lab.sip import UdpAgent, ack_for, request

PORT = 8444
FURTHER = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {tls} edge.{name}
edge.{name}       A {edge}
"""
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ window-s = {window} freeze-s = 0 receipt-keys = "{keys}" }}
"""


def further(plan, letter, user, net, hertz):
    return Operator(letter, f"op{letter}.example", user, plan.a.network.replace(".31.", net), hertz)


def sides(plan):
    """opd.example does not say in DNS where it can be told of ports."""
    return (plan.a, plan.b, further(plan, "c", "carol", ".33.", 660),
            further(plan, "d", "dora", ".34.", 550))


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        zone = f"_address-porting._tcp.opc SRV 10 10 {PORT} edge.opc\n"
        for side in sides(plan)[2:]:
            made.pki.make(Leaf(f"edge-{side.letter}", sip=(side.domain,),
                               dns=(side.domain, side.edge_host)))
            zone += FURTHER.format(name=f"op{side.letter}", tls=TLS_PORT, edge=side.edge)
        made.make_dns(services=((PORT, "_address-porting._tcp"),), more=zone)
        for side in sides(plan):
            edge = made.make_edge(side, workers=1)
            edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT, window=3600,
                                    keys=edge.path("receipt-keys"))
            edge.configure()
        made.start()
        made.provision()
        yield made


@pytest.fixture(name="phones")
def fixture_phones(plan):
    """Each operator's core, with its holders' phones, by its letter."""
    with contextlib.ExitStack() as stack:
        yield {side.letter: stack.enter_context(UdpAgent(side.phone, SIP_PORT))
               for side in sides(plan)}


def told(phone, words):
    """The holder is told of it at this phone."""
    for _ in range(20):
        message = phone.expect("MESSAGE", 10)
        phone.answer(message, 200, "OK", tag="p1")
        text = message.body.decode("utf-8")
        if words in text:
            return text
    raise AssertionError(f"nobody was told: {words}")


def start(lab, address, here, there):
    """Its holder moves it from one to the other; the port's id and undo secret."""
    code = lab.edges[here].tool("address", "auth-code", address, "--quiet", "--for",
                                domain(there)).stdout
    done = subprocess.run(lab.edges[there].tool_argv("port", "start", address, domain(there),
                                                     "--json"),
                          input=code, capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)


def move(lab, address, here, there):
    """From one host to another, with the old one's consent."""
    made = start(lab, address, here, there)
    agree(lab, made["id"], here, there)
    return made


def call(lab, phones, address, there, caller="a"):
    """The call of another operator's user arrives there and is refused: the shortest one."""
    side = next(side for side in sides(lab.plan) if side.letter == caller)
    edge, phone = (side.edge, SIP_PORT), phones[caller]
    invite = request("INVITE", f"sip:{address}", phone, f"sip:{side.address}")
    phone.send(invite, edge)
    got = phones[there].expect("INVITE", 10, call_id=invite.get("Call-ID"))
    phones[there].answer(got, 486, "Busy", tag="c1")
    phone.send(ack_for(invite, phone.expect(486, 10, call_id=invite.get("Call-ID"))), edge)


def next_key(edge, name):
    """The operator's key for receipts becomes another one, or is put back."""
    signing = edge.path("receipt-keys/opb.example.pem")
    if os.path.exists(signing + "." + name):
        os.rename(signing + "." + name, signing)
    else:
        os.rename(signing, signing + "." + name)
    mark = edge.mark()
    edge.reload()
    edge.wait_log("reload", mark)


def noticed(edge, way, outcome):
    return edge.metrics()[f'junctor_holder_notices_total{{way="{way}",outcome="{outcome}"}}']


def record(lab, letter, address):
    return lab.edges[letter].tool_json("address", "show", address)["state"]


def test_the_holder_hears_of_every_step_at_his_phone(lab, phones):
    address = "nora@opb.example"
    lab.edges["b"].tool("address", "add", address)
    port = start(lab, address, "b", "c")["id"]
    told(phones["b"], f"{address}: an auth code to move it to opc.example was asked for")
    told(phones["b"], f"{address}: a move to opc.example was started; it happens at 2")
    told(phones["c"], f"{address}: a move to opc.example was started; it happens at 2")
    lab.edges["b"].tool("port", "reject", port, "--reason", "fraud")
    for letter in ("b", "c"):
        told(phones[letter], f"{address}: its move to opc.example was rejected: it looks like fraud")
    wait_until(lambda: noticed(lab.edges["b"], "message", "taken") >= 3, "three messages count", 10)


def test_a_call_brings_what_the_authority_could_not_tell(lab, phones):
    """The commit is not told, for nobody finds opd.example's federation API."""
    address = "paul@opb.example"
    lab.edges["b"].tool("address", "add", address)
    port = start(lab, address, "b", "d")["id"]
    reaches(lab, "d", port, "pending")
    lab.edges["b"].approve(port)
    lab.edges["b"].wait_log(f"not told yet: port={port} role=authority to=opd.example", 0, 20)
    assert (state(lab, "d", port), record(lab, "d", address)) == ("pending", "prepared")
    call(lab, phones, address, "d")
    reaches(lab, "d", port, "committed")
    assert record(lab, "d", address) == "ported-in"


def test_who_waits_for_an_authority_sees_why_and_may_give_up(lab, phones):
    """Nobody finds opd.example's federation API, so it cannot be asked either."""
    del phones
    address = "dave@opd.example"
    lab.edges["d"].tool("address", "add", address)
    port = start(lab, address, "d", "c")["id"]
    edge = lab.edges["c"]
    wait_until(lambda: "last error" in edge.tool("port", "show", port).stdout, "what stands in the way")
    seen = shown(lab, "c", port)
    assert seen["state"] == "requesting" and "opd.example" in seen["last_error"]
    assert seen["next_try"] > seen["created"]
    edge.tool("port", "cancel", port)
    assert state(lab, "c", port) == "cancelling"


def test_hosts_keep_the_receipt_and_the_key_they_saw(lab, phones, tmp_path):
    """The losing host is the authority; the gaining one has no part in the signing."""
    del phones
    address = "theo@opb.example"
    lab.edges["b"].tool("address", "add", address)
    port = move(lab, address, "b", "c")["id"]
    receipt = lab.edges["c"].tool("port", "receipt", port).stdout.strip()
    assert lab.edges["c"].tool_json("port", "show", port)["receipt"] == receipt
    kept = tmp_path / "receipt"
    kept.write_text(receipt + "\n")
    store = ("--store", lab.edges["c"].path("store"), "--json")
    for given in (receipt, kept):
        said = json.loads(run([tool_path("junctor"), "port", "verify", given, *store]).stdout)
        assert (said["port"], said["decision"], said["gaining"]) == (port, "committed", "opc.example")
    changed = receipt[:-4] + ("AAAA" if receipt[-4:] != "AAAA" else "BBBB")
    done = run([tool_path("junctor"), "port", "verify", changed, *store], check=False)
    assert done.returncode != 0 and "its signature" in done.stderr


def test_a_receipt_is_held_against_the_key_of_the_start(lab, phones):
    """Who has got hold of another key of the authority, or changed it, moves nothing."""
    del phones
    address = "rita@opb.example"
    lab.edges["b"].tool("address", "add", address)
    port = start(lab, address, "b", "c")["id"]
    reaches(lab, "c", port, "pending")
    next_key(lab.edges["b"], "old")
    lab.edges["b"].approve(port)
    lab.edges["c"].wait_log(f"a receipt does not hold, so the port stays as it was: port={port} "
                            "authority=opb.example: it names key", 0, 20)
    assert (state(lab, "c", port), record(lab, "c", address)) == ("pending", "prepared")
    next_key(lab.edges["b"], "old")
    reaches(lab, "c", port, "committed")


def test_a_port_under_way_outlives_a_rotation(lab, phones):
    del phones
    address = "saul@opb.example"
    lab.edges["b"].tool("address", "add", address)
    port = start(lab, address, "b", "c")["id"]
    reaches(lab, "c", port, "pending")
    before = lab.edges["b"].tool("receipt-key", "show", "opb.example").stdout.splitlines()
    after = lab.edges["b"].tool("receipt-key", "rotate", "opb.example").stdout.splitlines()
    assert after[0] != before[0] and before[0].removesuffix(" ; signs") in after
    lab.edges["b"].approve(port)
    reaches(lab, "c", port, "committed")
    receipt = lab.edges["c"].tool_json("port", "receipt", port)["receipt"]
    kid = json.loads(base64.urlsafe_b64decode(receipt.split(".")[0] + "=="))["kid"]
    assert f"kid={kid};" in before[0]


def test_addresses_move_on_and_home_and_calls_follow(lab, phones):
    """From the authority to a host, to another host, and home; opd.example remembers each."""
    address = "walt@opb.example"
    lab.edges["b"].tool("address", "add", address)
    call(lab, phones, address, "b", "d")
    for here, there in (("b", "a"), ("a", "c"), ("c", "b")):
        move(lab, address, here, there)
        call(lab, phones, address, there, "d")


def test_a_move_is_undone_and_calls_follow(lab, phones):
    address = "yves@opb.example"
    lab.edges["b"].tool("address", "add", address)
    made = move(lab, address, "b", "c")
    call(lab, phones, address, "c")
    subprocess.run(lab.edges["c"].tool_argv("port", "undo", made["id"]), input=made["undo_secret"],
                   capture_output=True, text=True, timeout=20, check=True)
    for letter in ("b", "c"):
        reaches(lab, letter, made["id"], "undone")
    # what undoes it is a port of its own; until c has heard of that, too, c may serve the address
    wait_until(lambda: lab.edges["c"].tool_json("address", "show", address)["state"] == "moved",
               "c knows that it does not serve it any more", 20)
    call(lab, phones, address, "b")
