"""What a holder does at the host of his address while another operator is its authority: opb.example
is that, and opa.example hosts. Both are real daemons that prove themselves to each other."""

import json
import os
import subprocess
from datetime import datetime, timezone

import pytest

from lab.lab import Lab
from lab.plan import SIP_PORT
from lab.process import run, wait_until
from lab.sip import UdpAgent

PORT = 8444
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ freeze-s = 0 window-s = 0 test-day-ms = 100 }}
"""


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.make_dns(services=((PORT, "_address-porting._tcp"),))
        for side in plan.operators:
            made.make_edge(side, workers=1, more=MORE.format(edge=side.edge, port=PORT,
                                                             domain=side.domain))
        made.start()
        made.provision()
        yield made


def guest(lab, user):
    """An address of opb.example that opa.example hosts."""
    address = f"{user}@opb.example"
    for edge in (lab.edge_a, lab.edge_b):
        edge.tool("address", "add", address, "--hosting", "opa.example")
    return address


def tool(edge, *words, stdin=None, check=True):
    return subprocess.run(edge.tool_argv(*words), input=stdin, capture_output=True, text=True,
                          timeout=30, check=check)


def code_of(edge, address):
    return tool(edge, "address", "auth-code", address, "--quiet").stdout


def is_locked(edge, address):
    return edge.tool_json("address", "show", address)["locked"]


def gaining(lab, address, port):
    """The port as the authority knows it as the gaining host."""
    shown = json.loads(tool(lab.edge_b, "port", "list", address, "--role", "gaining", "--json")
                       .stdout)
    return next(one for one in shown["ports"] if one["id"] == port)


def go_home(lab, address, code, state):
    """A port to the authority ends so."""
    done = tool(lab.edge_b, "port", "start", address, "opb.example", "--json", stdin=code)
    made = json.loads(done.stdout)["id"]
    wait_until(lambda: gaining(lab, address, made)["state"] != "requesting", "an answer", 20)
    port = gaining(lab, address, made)
    assert (port["state"], port["reason"]) == state


def test_a_lock_holds_at_the_authority_and_is_none_without_it(lab):
    address = guest(lab, "lola")
    code = code_of(lab.edge_a, address)
    lab.edge_a.tool("address", "set", address, "--locked", "yes")
    assert is_locked(lab.edge_a, address) and is_locked(lab.edge_b, address)
    go_home(lab, address, code, ("refused", "locked"))
    lab.edge_b.program.kill()
    try:
        done = tool(lab.edge_a, "address", "set", address, "--locked", "no", check=False)
        assert done.returncode and "opb.example cannot be asked" in done.stderr
        assert is_locked(lab.edge_a, address)
    finally:
        lab.edge_b.start()
        lab.edge_b.wait_ready()
    lab.edge_a.tool("address", "set", address, "--locked", "no")
    assert not is_locked(lab.edge_a, address) and not is_locked(lab.edge_b, address)
    go_home(lab, address, code, ("committed", None))


def test_a_code_ends_with_its_owner(lab):
    address = guest(lab, "olga")
    code = code_of(lab.edge_a, address)
    assert lab.edge_b.tool_json("address", "show", address)["auth_until"]
    done = tool(lab.edge_a, "address", "set", address, "--owner", "other", "--locked", "yes",
                check=False)
    assert done.returncode == 1 and "one thing at a time" in done.stderr
    lab.edge_b.program.kill()
    try:
        done = tool(lab.edge_a, "address", "set", address, "--owner", "other", check=False)
        assert done.returncode == 1 and "opb.example cannot be asked" in done.stderr
        assert lab.edge_a.tool_json("address", "show", address)["owner"] is None
    finally:
        lab.edge_b.start()
        lab.edge_b.wait_ready()
    lab.edge_a.tool("address", "set", address, "--owner", "other")
    assert lab.edge_a.tool_json("address", "show", address)["owner"] == "other"
    assert [edge.tool_json("address", "show", address)["auth_until"]
            for edge in (lab.edge_a, lab.edge_b)] == [None, None]
    go_home(lab, address, code, ("refused", "bad-code"))


def told(phone, words):
    """The holder is told of it at this phone."""
    for _ in range(20):
        message = phone.expect("MESSAGE", 10)
        phone.answer(message, 200, "OK", tag="p1")
        if words in message.body.decode("utf-8"):
            return
    raise AssertionError(f"nobody was told: {words}")


def test_a_key_that_was_left_by_the_host_moves_the_address(lab, plan):
    """14 days are 1.4 s here: the key works after them, and the port waits as long."""
    address = guest(lab, "kara")
    key = os.path.join(lab.directory, "kara.key")
    with UdpAgent(plan.a.phone, SIP_PORT) as phone:
        done = tool(lab.edge_a, "address", "recovery-key", address, "--new", key, "--json",
                    stdin=code_of(lab.edge_a, address))
        told(phone, f"{address}: a recovery key was left for it")
    assert lab.edge_b.tool_json("address", "show", address)["auth_until"] is None
    keys = [edge.tool_json("address", "protection", address)["next_recovery_key"]
            for edge in (lab.edge_a, lab.edge_b)]
    assert keys[0] and keys[0] == keys[1]
    begin = datetime.fromisoformat(json.loads(done.stdout)["next_recovery_key_from"]
                                   .replace("Z", "+00:00"))
    wait_until(lambda: datetime.now(timezone.utc) > begin, "the key works", 20)
    tool(lab.edge_b, "port", "start", address, "opb.example", "--recovery-key", key)
    wait_until(lambda: lab.edge_b.tool_json("address", "show", address)["state"] == "hosted",
               "it has come home", 20)


def shown(edge, address):
    """Its state; None where it is not there."""
    done = tool(edge, "address", "show", address, "--json", check=False)
    return json.loads(done.stdout)["state"] if done.returncode == 0 else None


def test_the_authority_releases_an_address_for_its_host(lab):
    address = guest(lab, "rita")
    done = tool(lab.edge_a, "address", "del", address, stdin="guess", check=False)
    assert done.returncode == 1 and "the auth code is wrong" in done.stderr
    code = code_of(lab.edge_a, address)
    lab.edge_a.tool("address", "set", address, "--locked", "yes")
    done = tool(lab.edge_a, "address", "del", address, stdin=code, check=False)
    assert done.returncode == 1 and "locked" in done.stderr
    lab.edge_a.tool("address", "set", address, "--locked", "no")
    assert tool(lab.edge_a, "address", "del", address, "--dry-run",
                stdin=code).stdout == f"{address} would be released\n"
    assert shown(lab.edge_b, address) == "ported-out"
    assert tool(lab.edge_a, "address", "del", address, stdin=code).stdout == f"{address} released\n"
    assert shown(lab.edge_a, address) is None and shown(lab.edge_b, address) == "tombstone"


def release_ask(lab, address, code):
    """As opa.example asks opb.example; the HTTP status."""
    path = lab.pki.path
    done = run(["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", "30",
                "--output", os.devnull, "--write-out", "%{http_code}", "--cert", path("edge-a.pem"),
                "--key", path("edge-a.key"), "--header", "Content-Type: application/json",
                "--data-binary", json.dumps({"code": code.strip()}),
                f"https://{lab.plan.b.edge}:{PORT}/federation/v1/addresses/"
                f"{address.replace('@', '%40')}/release"])
    return int(done.stdout)


def test_a_host_that_died_before_it_heard_of_the_release_makes_good(lab):
    """The authority has released it; the host, which comes back, does not know."""
    address = guest(lab, "rolf")
    code = code_of(lab.edge_a, address)
    lab.edge_a.program.kill()
    try:
        assert release_ask(lab, address, "guess") == 403
        assert release_ask(lab, address, code) == 200
    finally:
        lab.edge_a.start()
        lab.edge_a.wait_ready()
    assert (shown(lab.edge_a, address), shown(lab.edge_b, address)) == ("ported-in", "tombstone")
    tool(lab.edge_a, "address", "del", address, stdin=code)
    assert shown(lab.edge_a, address) is None
    assert release_ask(lab, address, code) == 200  # as often as it asks


def test_an_operator_ends_a_guest_whose_authority_is_gone(lab):
    address = guest(lab, "rosa")
    tool(lab.edge_a, "address", "set", address, "--locked", "yes")
    lab.edge_b.program.kill()
    try:
        done = tool(lab.edge_a, "address", "del", address, stdin="any", check=False)
        assert done.returncode == 1
        lab.edge_a.tool("address", "purge", address)
        assert shown(lab.edge_a, address) is None
    finally:
        lab.edge_b.start()
        lab.edge_b.wait_ready()
