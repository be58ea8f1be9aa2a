"""What a holder does at the host of his address while another operator is its authority: opb.example
is that, and opa.example hosts. Both are real daemons that prove themselves to each other."""

import json
import subprocess

import pytest

from lab.lab import Lab
from lab.process import wait_until

PORT = 8444
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ freeze-s = 0 }}
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


def go_home(lab, address, code, state):
    """A port to the authority ends so."""
    done = tool(lab.edge_b, "port", "start", address, "opb.example", "--json", stdin=code)
    made = json.loads(done.stdout)["id"]
    wait_until(lambda: lab.edge_b.tool_json("port", "show", made)["state"] != "requesting",
               "the authority decides", 20)
    shown = json.loads(tool(lab.edge_b, "port", "list", address, "--role", "gaining", "--json")
                       .stdout)
    port = next(port for port in shown["ports"] if port["id"] == made)
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
