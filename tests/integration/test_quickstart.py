"""What ./quickstart says when something goes wrong: the cause, not a symptom."""

from signal import SIGKILL

import pytest

from lab import quickstart
from lab.plan import free_plan
from lab.process import LabError


@pytest.fixture
def before(monkeypatch):
    """before(STEP, ACTION): the show runs, on addresses of its own, and ACTION(lab) comes before that
    step. Returns what the show ends with."""
    monkeypatch.setattr(quickstart, "Plan", free_plan)

    def run(name, action):
        step = getattr(quickstart, name)

        def with_action(lab, *args):
            action(lab)
            return step(lab, *args)

        monkeypatch.setattr(quickstart, name, with_action)
        with pytest.raises((LabError, OSError)) as caught:
            quickstart.show(keep=False)
        return str(caught.value)

    return run


@pytest.mark.parametrize("victim, name", [("edge_b", "edge B (junctord)"),
                                          ("bob", "bob's phone (baresip)")])
@pytest.mark.parametrize("step", ["place_call", "hang_up"])
def test_a_program_that_ended_is_named(before, victim, name, step):
    said = before(step, lambda lab: getattr(lab, victim).program.send_signal(SIGKILL))
    assert said.startswith(f"{name} ended by itself: signal 9; its log ends\n")
    assert "\x1b" not in said


def test_the_dns_server_that_ended_is_named(before):
    said = before("provision", lambda lab: lab.dns.unbound.send_signal(SIGKILL))
    assert said.startswith("unbound ended by itself: signal 9")


def test_a_refused_call_shows_the_reason_of_the_edge(before):
    def forget_bob(lab):
        lab.edge_b.tool("address", "del", lab.plan.b.address)

    said = before("place_call", forget_bob)
    assert said.startswith("the call was refused: 404 ")
    assert "the edge says why: " in said
