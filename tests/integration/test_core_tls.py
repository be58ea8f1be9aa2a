"""Cores known by their certificates, whatever their addresses are."""

import pytest

from lab.pki import Leaf
from lab.sip import StreamAgent, request, tls_context

INSIDE_TLS_PORT = 5062
ALICE = "sip:alice@opa.example"
NOBODY = "sip:nobody@opa.example"


@pytest.fixture(scope="module")
def lab(bare_lab):
    """One edge, which has a CA for cores of its own."""
    pki, operator = bare_lab.pki, bare_lab.plan.a
    pki.make_ca("cores", "CA of the cores")
    pki.make(Leaf("by-domain", sip=(operator.domain,), issuer="cores"))
    pki.make(Leaf("by-host", dns=("core.opa.example",), issuer="cores"))
    pki.make(Leaf("other", sip=("opc.example",), issuer="cores"))
    edge = bare_lab.make_edge(
        operator, inside=(("udp", 5060), ("tls", INSIDE_TLS_PORT)),
        core="sip:core.opa.example:5070;transport=tls")
    edge.cores = f'anchors = "{pki.path("cores.pem")}"'
    edge.configure()
    bare_lab.start()
    edge.provision()
    return bare_lab


def answer_to(lab, certificate, method, uri, timeout_s=3.0):
    """What a core that shows this certificate, at an address nobody knows, is answered."""
    plan = lab.plan
    with StreamAgent.connect((plan.a.edge, INSIDE_TLS_PORT), source=plan.b.phone,
                             context=tls_context(lab.pki, certificate)) as core:
        core.send(request(method, uri, core, ALICE))
        return core.poll(lambda message: not message.is_request and message.status >= 200,
                         timeout_s)


@pytest.mark.parametrize("certificate", ["by-domain", "by-host"])
def test_a_core_is_known_by_the_domain_or_the_host_it_proves(lab, certificate):
    answer = answer_to(lab, certificate, "MESSAGE", NOBODY)
    assert answer.status == 404, answer  # it may ask; there is no such address
    assert answer_to(lab, certificate, "OPTIONS", "sip:opa.example").status == 200


@pytest.mark.parametrize("certificate", ["other", "edge-b", "edge-a", None])
def test_a_certificate_that_proves_no_core_makes_none(lab, certificate):
    """Another domain's, or one of the CA that proves peers only; and no certificate at all."""
    answer = answer_to(lab, certificate, "MESSAGE", NOBODY)
    assert answer.status == 403 and "is not a core of opa.example" in answer.get("Warning")


def test_a_core_whose_certificate_was_revoked_is_none(lab):
    edge = lab.edges["a"]
    lab.pki.make(Leaf("lost", sip=(lab.plan.a.domain,), issuer="cores"))
    assert answer_to(lab, "lost", "MESSAGE", NOBODY).status == 404
    edge.trust = f'crls = {{"{lab.pki.make_list("cores.crl", ["lost"], issuer="cores")}"}}'
    edge.configure()
    mark = edge.mark()
    edge.reload()
    edge.wait_log("reloaded", mark)
    assert answer_to(lab, "lost", "MESSAGE", NOBODY).status == 403
    line = edge.wait_log("no core by its certificate", mark)
    assert "was revoked by its issuer" in line
    assert answer_to(lab, "by-domain", "MESSAGE", NOBODY).status == 404


def test_without_the_setting_nobody_is_asked(lab):
    edge = lab.edges["a"]
    edge.cores = ""
    edge.configure()
    mark = edge.mark()
    edge.reload()
    edge.wait_log("reloaded", mark)
    assert answer_to(lab, "by-domain", "MESSAGE", NOBODY).status == 403
