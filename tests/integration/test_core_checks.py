"""Cores are asked how they are, and whoever asks the edge is told."""

import pytest

from lab.plan import SIP_PORT
from lab.process import wait_until

CHECK_MS = 500


@pytest.fixture(scope="module")
def edge(bare_lab):
    """A domain with two cores, of which the first is not there."""
    operator = bare_lab.plan.a
    edge = bare_lab.make_edge(operator)
    edge.core_check_ms = CHECK_MS
    edge.configure()
    bare_lab.start()
    edge.tool("domain", "add", operator.domain,
              "--core", f"sip:{operator.phone}:5999;transport=udp;priority=10",
              "--core", f"sip:{operator.phone}:{SIP_PORT};transport=udp;priority=20")
    return edge


def states(edge, core=None):
    """By port; `core` answers what has come meanwhile."""
    asked = core and core.poll("OPTIONS", 0.05)
    if asked:
        core.answer(asked, 200, "OK")
    return {row["address"].rsplit(":", 1)[1]: row["state"]
            for row in edge.tool_json("core", "list")["cores"] if row["address"]}


def test_a_dead_core_is_told_before_a_call_finds_it(edge, alice):
    wait_until(lambda: states(edge, alice) == {"5999": "down", "5060": "up"},
               "the edge knows which core is there", timeout_s=30)
    dead = next(row for row in edge.tool_json("core", "list")["cores"] if row["state"] == "down")
    assert dead["answer"] is None and dead["since"] and dead["why"]
    edge.wait_log(r"core .* is down, and passed over until it answers")
    out = edge.tool("core", "list").stdout
    assert "CORE" in out and "down" in out and "up" in out


@pytest.mark.parametrize("rest", ["", ":5060", ":5060;transport=tcp", ";transport=tls"])
def test_the_edge_itself_is_no_core(edge, rest):
    address = edge.operator.edge
    for verb, domain in (("set", edge.operator.domain), ("add", "opz.example")):
        done = edge.tool("domain", verb, domain, "--core", f"sip:{address}{rest}", check=False)
        assert done.returncode != 0
        assert "there this edge itself listens" in done.stderr


def test_a_core_may_have_another_port_of_the_same_machine(edge):
    edge.tool("domain", "add", "opz.example", "--core", f"sip:{edge.operator.edge}:5070")
    edge.tool("domain", "del", "opz.example")
