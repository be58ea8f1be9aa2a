"""Copies for a capture server, read by another's decoder: Kamailio's sipcapture."""

import contextlib

import pytest

from lab.dns import find_program
from lab.kamailio import module_directory
from lab.plan import SIP_PORT
from lab.process import Program, wait_until
from lab.sip import Dialog, ack_for, request
from lab.sockets import free_port

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"

DECODER = """\
debug=2
log_stderror=yes
children=1
listen=udp:{address}:{port}
mpath="{modules}/"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{directory}")
modparam("sipcapture", "hep_capture_on", 1)
request_route {{ xlog("L_NOTICE", "copy $rm $si:$sp $ci\\n"); drop; }}
reply_route {{ xlog("L_NOTICE", "copy $rs $si:$sp $ci\\n"); drop; }}
"""


@contextlib.contextmanager
def decoder(directory, address, port):
    """It says what it reads, and keeps nothing."""
    config = directory / "kamailio.cfg"
    config.write_text(DECODER.format(address=address, port=port, directory=directory,
                                     modules=module_directory()))
    (directory / "version").write_text("table_name(string) table_version(int)\nsip_capture:4\n")
    program = Program("Kamailio", [find_program("kamailio"), "-f", str(config), "-DD", "-E",
                                   "-w", str(directory), "-Y", str(directory)],
                      str(directory / "log"))
    program.start()
    try:
        yield program
    finally:
        program.stop()


@pytest.fixture
def kamailio(bare_lab, plan, tmp_path):
    """The decoder of edge B's copies."""
    port = free_port(plan.b.edge)
    bare_lab.make_edge(plan.a)
    bare_lab.make_edge(plan.b, more=f'hep {{ server = "udp:{plan.b.edge}:{port}" }}')
    bare_lab.start()
    bare_lab.provision()
    with decoder(tmp_path, plan.b.edge, port) as program:
        yield program


def call(alice, bob, inside_a):
    sent = request("INVITE", BOB, alice, ALICE)
    alice.send(sent, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 180, "Ringing", tag="b")
    bob.answer(got, 200, "OK", tag="b", headers=[("Contact", bob.contact(BOB))])
    dialog = Dialog.of_caller(alice, sent, alice.expect(200))
    alice.send(dialog.request("ACK"), inside_a)
    bob.expect("ACK")
    alice.send(dialog.request("BYE"), inside_a)
    bob.answer(bob.expect("BYE"), 200, "OK")
    alice.expect_final("BYE")
    return sent.get("Call-ID")


def copies(kamailio, call_id):
    """Method or status, and source, of what it read of a call."""
    return [line.split("copy ")[1].split()[:2] for line in kamailio.log_text().splitlines()
            if "copy " in line and line.endswith(call_id)]


CALLS_MAX = 5


def test_kamailio_reads_every_copy(kamailio, plan, alice, bob, inside_a):
    def is_up():
        return copies(kamailio, call(alice, bob, inside_a)) or None

    wait_until(is_up, "Kamailio reads copies", watch=[kamailio])
    for _ in range(CALLS_MAX):
        call_id = call(alice, bob, inside_a)
        wait_until(lambda call_id=call_id: len(copies(kamailio, call_id)) >= 13,
                   "it reads all of a call", watch=[kamailio])
        seen = copies(kamailio, call_id)
        if len(seen) == 13:  # more: something was sent twice, on a slow machine
            break
    edge, core = f"{plan.b.edge}:{SIP_PORT}", f"{plan.b.phone}:{SIP_PORT}"
    inside = [(what, source == core) for what, source in seen if source in (edge, core)]
    assert inside == [("INVITE", False), ("180", True), ("200", True), ("ACK", False),
                      ("BYE", False), ("200", True)]
    outside = [what for what, source in seen if source not in (edge, core)]
    assert outside == ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]
