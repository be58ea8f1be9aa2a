"""The daemon's life: draining, reloading, and a config that is wrong."""

import shutil
import ssl
import time

import pytest

from lab.edge import tool_path
from lab.pki import Leaf
from lab.process import run, wait_until
from lab.sip import Dialog, StreamAgent, ack_for, request, tls_context

ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"
# ended transactions are kept 64 times T1 for the retransmissions of others: 3.2 s here, not 32
TIMERS = "timers { t1-ms = 50 t2-ms = 400 t4-ms = 500 }"
DRAIN_LIMIT_S = 32
DNS_NAMES_KEYS = False  # a key is replaced here without being published first


@pytest.fixture(scope="module")
def lab(bare_lab):
    for operator in bare_lab.plan.operators:
        bare_lab.make_edge(operator, more=TIMERS)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


def shown_certificate(outside, name):
    """The certificate that is served to a peer which asks for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with StreamAgent.connect(outside, context=context, server_name=name) as agent:
        return agent.socket.getpeercert(binary_form=True)


def test_a_call_being_set_up_survives_the_order_to_end(lab, alice, bob, inside_a):
    """SIGTERM while it rings: what runs is finished, what is new is refused, the exit is clean."""
    edge = lab.edge_a
    invite = request("INVITE", BOB, alice, ALICE)
    alice.send(invite, inside_a)
    got = bob.expect("INVITE")
    bob.answer(got, 180, "Ringing", tag="b1")
    alice.expect(180)

    mark = edge.mark()
    edge.program.send_signal(15)
    edge.wait_log("Terminated: finishing what runs", mark)
    options = request("OPTIONS", f"sip:{lab.plan.a.edge}:5060", alice, ALICE)
    alice.send(options, inside_a)
    assert alice.expect_final("OPTIONS").status == 480
    late = request("INVITE", BOB, alice, ALICE)
    alice.send(late, inside_a)
    refused = alice.expect_final("INVITE", call_id=late.get("Call-ID"))
    assert refused.status == 503 and refused.get("Retry-After")
    alice.send(ack_for(late, refused), inside_a)

    bob.answer(got, 200, "OK", tag="b1", headers=[("Contact", f"<{bob.contact(BOB)}>")])
    answer = alice.expect(200, call_id=invite.get("Call-ID"))
    dialog = Dialog.of_caller(alice, invite, answer)
    alice.send(dialog.request("ACK"), inside_a)
    bob.expect("ACK")
    assert edge.program.process.wait(DRAIN_LIMIT_S + 2) == 0

    edge.start()
    edge.wait_ready()
    bye = dialog.request("BYE")  # the call outlives the daemon it was set up through
    alice.send(bye, inside_a)
    bob.answer(bob.expect("BYE"), 200, "OK")
    assert alice.expect_final("BYE").status == 200


def test_an_idle_daemon_ends_at_once(lab):
    began = time.monotonic()
    assert lab.edge_b.program.stop(timeout_s=DRAIN_LIMIT_S + 2) == 0
    assert time.monotonic() - began < 5
    lab.edge_b.start()
    lab.edge_b.wait_ready()


def test_a_reload_takes_a_new_certificate_and_keeps_connections(lab, bob, outside_b):
    edge = lab.edge_b
    with StreamAgent.connect(outside_b, context=tls_context(lab.pki, "edge-a"),
                             server_name="opb.example") as peer:
        before = shown_certificate(outside_b, "opb.example")
        lab.pki.make(Leaf("renewed", sip=("opb.example",), dns=("opb.example",)))
        for suffix in (".key", ".pem"):
            shutil.copy(lab.pki.path("renewed" + suffix), lab.pki.path("edge-b" + suffix))
        edge.reload()
        wait_until(lambda: shown_certificate(outside_b, "opb.example") != before,
                   "the new certificate is served", watch=[edge.program])
        peer.send(request("MESSAGE", BOB, peer, ALICE))  # on the connection made before
        bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
        peer.expect(200)


def test_a_reload_that_cannot_be_taken_changes_nothing(lab, alice, bob, inside_a, outside_b):
    edge = lab.edge_b
    before = shown_certificate(outside_b, "opb.example")
    certificate = lab.pki.path("edge-b.pem")
    shutil.copy(certificate, certificate + ".good")
    shutil.copy(lab.pki.path("edge-a.pem"), certificate)  # does not fit its key
    mark = edge.mark()
    edge.reload()
    edge.wait_log(r" (error|warning) .*edge-b\.pem", mark)
    shutil.move(certificate + ".good", certificate)
    assert shown_certificate(outside_b, "opb.example") == before
    alice.send(request("MESSAGE", BOB, alice, ALICE), inside_a)
    bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
    assert alice.expect_final("MESSAGE").status == 200


def test_the_configuration_of_the_lab_is_found_good(lab):
    assert run([tool_path("junctord"), "-t", "-c", lab.edge_a.path("junctord.conf")],
               check=False).returncode == 0


@pytest.mark.parametrize("wrong, says", [
    ("workers = many", "workers"),
    ('outside "udp:127.0.0.1:5061" { }', "tls"),
    ('inside "udp:nowhere:5060" { }', "inside"),
    ("colour = 1", "colour"),
])
def test_a_wrong_line_is_named_with_file_and_number(lab, tmp_path, wrong, says):
    config = lab.edge_a.config() + wrong + "\n"
    path = tmp_path / "wrong.conf"
    path.write_text(config, encoding="ascii")
    done = run([tool_path("junctord"), "-t", "-c", str(path)], check=False)
    assert done.returncode != 0
    line = config.rstrip().count("\n") + 1
    assert f"{path}:{line}:" in done.stderr
    assert says in done.stderr
