"""A self-hosted operator: all the addresses of her domain move to another host, and home again."""

import contextlib
import os
import subprocess

import pytest

from lab.lab import Lab
from lab.plan import SIP_PORT
from lab.process import wait_until
from lab.sip import UdpAgent, ack_for, request

PORT = 8444
COUNT = 20
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ window-s = 0 freeze-s = 0 }}
"""


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.make_dns(services=((PORT, "_address-porting._tcp"),))
        for side in plan.operators:
            edge = made.make_edge(side, workers=1)
            edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT)
            edge.configure()
        made.start()
        made.provision()
        for i in range(COUNT):
            made.edge_a.tool("address", "add", f"user{i}@{plan.a.domain}")
        yield made


class Phones(UdpAgent):
    """A core with its phones: whatever they are told of moves is taken."""

    def _receive(self, timeout_s):
        super()._receive(timeout_s)
        for message in [message for message in self.inbox if message.method == "MESSAGE"]:
            self.inbox.remove(message)
            self.answer(message, 200, "OK", tag="m1")


@pytest.fixture(name="phones")
def fixture_phones(plan):
    with contextlib.ExitStack() as stack:
        yield {side.letter: stack.enter_context(Phones(side.phone, SIP_PORT))
               for side in plan.operators}


def run(argv, phones):
    """Runs it while the phones do their part; what it said."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tool:
        while tool.poll() is None:
            for phone in phones.values():
                phone.poll("BYE", 0.02)
        return tool.returncode, tool.stdout.read(), tool.stderr.read()


def move_all(lab, phones, here, there):
    """Codes at one host for all of opa.example, and a batch at the other; what that said."""
    codes = os.path.join(lab.directory, f"codes-{there.letter}")
    lab.edges[here.letter].tool("address", "auth-codes", lab.plan.a.domain, "--for", there.domain,
                                "--output", codes)
    argv = lab.edges[there.letter].tool_argv("port", "batch", there.domain, codes)
    for _ in ("first", "again"):
        code, out, err = run(argv, phones)
        assert code == 0, out + err
        assert f" are at {there.domain}, 0 are under way, 0 failed" in err
    return [line.split()[0] for line in out.splitlines()]


def call(phones, caller, address, there, user=None):
    """The shortest call: it arrives there, and is refused."""
    invite = request("INVITE", f"sip:{address}", phones[caller.letter], f"sip:{user or caller.address}")
    phones[caller.letter].send(invite, (caller.edge, SIP_PORT))
    phone = phones[there.letter]
    got = phone.expect("INVITE", 10, call_id=invite.get("Call-ID"))
    phone.answer(got, 486, "Busy", tag="c1")
    busy = phones[caller.letter].expect(486, 10, call_id=invite.get("Call-ID"))
    phones[caller.letter].send(ack_for(invite, busy), (caller.edge, SIP_PORT))


def state(edge, address):
    return edge.tool_json("address", "show", address)["state"]


def test_all_addresses_move_to_a_host_and_home_again(lab, phones):
    a, b = lab.plan.a, lab.plan.b
    call(phones, b, f"user7@{a.domain}", a)
    moved = move_all(lab, phones, a, b)
    assert len(moved) == COUNT + 1  # and alice, who was there before
    clerk = f"clerk@{a.domain}"  # who called before has moved, too
    lab.edge_a.tool("address", "add", clerk)
    call(phones, a, f"user8@{a.domain}", b, clerk)
    lab.edge_a.tool("address", "del", clerk)
    assert move_all(lab, phones, b, a) == moved
    for i in (7, 8):
        assert state(lab.edge_a, f"user{i}@{a.domain}") == "hosted"
        wait_until(lambda i=i: state(lab.edge_b, f"user{i}@{a.domain}") == "moved", "b was told", 20)
        call(phones, b, f"user{i}@{a.domain}", a)
