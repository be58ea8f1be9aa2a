"""What a holder does at the host of his address while another operator is its authority: opb.example
is that, and opa.example hosts. Both are real daemons that prove themselves to each other."""

import json
import os
import subprocess
from datetime import datetime, timezone

import pytest

from lab.lab import Lab
from lab.plan import SIP_PORT
from lab.process import wait_until
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
    begin = datetime.fromisoformat(json.loads(done.stdout)["next_recovery_key_from"]
                                   .replace("Z", "+00:00"))
    wait_until(lambda: datetime.now(timezone.utc) > begin, "the key works", 20)
    tool(lab.edge_b, "port", "start", address, "opb.example", "--recovery-key", key)
    wait_until(lambda: lab.edge_b.tool_json("address", "show", address)["state"] == "hosted",
               "it has come home", 20)
