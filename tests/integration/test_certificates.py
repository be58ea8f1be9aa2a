"""Certificates that prove nothing: refused in both directions, and the log says which and why."""

import pytest

from lab.pki import Leaf
from lab.plan import TLS_PORT
from lab.sip import StreamAgent, StreamServer, ack_for, request, tls_context

DNS_NAMES_KEYS = False
ALICE = "sip:alice@opa.example"
BOB = "sip:bob@opb.example"

# certificate, what the log line must say: what is wrong, and what would mend it
REFUSED = {
    "other CA": (Leaf("other-ca", sip=("{far}",), dns=("{far}",), issuer="stranger"),
                 ["Stranger CA", "trust"]),
    "expired": (Leaf("expired", sip=("{far}",), dns=("{far}",), expired=True),
                ["expired", "2020-02-01", "renew"]),
    "no SIP domain": (Leaf("nameless"), ["SIP domain", "URI:sip:", "subjectAltName"]),
    "for clients of mail only": (Leaf("mail", sip=("{far}",), usages="emailProtection"),
                                 ["serverAuth"]),
}
# only where we know whom we asked for
WRONG_DOMAIN = (Leaf("opc", sip=("opc.example",), dns=("opc.example",)),
                ["opc.example", "URI:sip:{far}", "subjectAltName"])


def fill(leaf, far):
    values = {**leaf.__dict__, "name": f"{leaf.name}-{far}",
              "sip": tuple(name.format(far=far) for name in leaf.sip),
              "dns": tuple(name.format(far=far) for name in leaf.dns)}
    return Leaf(**values)


@pytest.fixture(scope="module")
def lab(raw_lab):
    raw_lab.pki.make_ca("stranger", "Stranger CA")
    for leaf, _ in [*REFUSED.values(), WRONG_DOMAIN]:
        for far in ("opa.example", "opb.example"):
            raw_lab.pki.make(fill(leaf, far))
    return raw_lab


def refused_as_client(lab, outside_b, certificate):
    """Calls edge B with this certificate. Returns the line that edge B logged."""
    mark = lab.edge_b.mark()
    context = tls_context(lab.pki, certificate)
    try:
        agent = StreamAgent.connect(outside_b, context=context, server_name="opb.example")
    except OSError:
        pass  # refused within the handshake: just as good
    else:
        with agent:
            try:
                agent.send(request("MESSAGE", BOB, agent, ALICE))
            except OSError:
                pass  # closed before
            assert agent.wait_closed()
            assert not agent.inbox
    return lab.edge_b.wait_log(r" (notice|warning|info|error) .*certificate", mark)


@pytest.mark.parametrize("case", REFUSED)
def test_a_caller_with_a_bad_certificate_is_refused(lab, outside_b, bob, case):
    leaf, says = REFUSED[case]
    line = refused_as_client(lab, outside_b, fill(leaf, "opa.example").name)
    for text in says:
        assert text.format(far="opa.example") in line
    claim = "opa.example" if leaf.sip else "CN=" + fill(leaf, "opa.example").name
    assert f": certificate of {claim} " in line
    assert not bob.poll("MESSAGE", 0.2)


def test_a_caller_without_certificate_is_refused(lab, outside_b, bob):
    line = refused_as_client(lab, outside_b, None)
    assert "no certificate" in line or "no client certificate" in line
    assert not bob.poll("MESSAGE", 0.2)


def test_a_caller_with_a_good_certificate_is_not(lab, outside_b, bob):
    """The same way in, so that the refusals above prove something."""
    context = tls_context(lab.pki, "edge-a")
    with StreamAgent.connect(outside_b, context=context, server_name="opb.example") as agent:
        agent.send(request("MESSAGE", BOB, agent, ALICE))
        bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
        agent.expect(200)


def configure(lab, trust):
    """Edge B believes so from now on. Returns where its log was before."""
    mark = lab.edge_b.mark()
    lab.edge_b.trust = trust
    lab.edge_b.configure()
    lab.edge_b.reload()
    lab.edge_b.wait_log(r" notice .*reloaded ", mark)
    return mark


class TestRevocation:
    @pytest.fixture(autouse=True)
    def without_lists(self, lab):
        lab.pki.make(Leaf("taken-back", sip=("opa.example",)))
        yield
        configure(lab, "")

    def call(self, lab, outside_b, bob, certificate):
        context = tls_context(lab.pki, certificate)
        with StreamAgent.connect(outside_b, context=context, server_name="opb.example") as agent:
            agent.send(request("MESSAGE", BOB, agent, ALICE))
            bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
            agent.expect(200)

    def test_a_revoked_certificate_is_refused_and_no_other(self, lab, outside_b, bob):
        self.call(lab, outside_b, bob, "taken-back")
        crl = lab.pki.make_list("ca.crl", revoked=["taken-back"])
        configure(lab, f'crls = {{"{crl}"}}')
        line = refused_as_client(lab, outside_b, "taken-back")
        assert "was revoked by its issuer at 20" in line
        self.call(lab, outside_b, bob, "edge-a")

    def test_a_list_past_its_date_is_told_and_still_counts(self, lab, outside_b, bob):
        crl = lab.pki.make_list("old.crl", revoked=["taken-back"], due="20200201000000Z")
        mark = configure(lab, f'crls = {{"{crl}"}}')
        line = lab.edge_b.wait_log(r" error .*revocation list", mark)
        assert "old.crl" in line and "2020-02-01" in line
        assert "was revoked" in refused_as_client(lab, outside_b, "taken-back")
        self.call(lab, outside_b, bob, "edge-a")


class TestWithoutASignal:
    """What is replaced on the disk is served soon, without SIGHUP and without an end of what is
    open. Edge B looks every second."""

    @pytest.fixture(autouse=True)
    def as_it_was(self, lab):
        configure(lab, "look-s = 1")
        yield
        configure(lab, "")

    def served(self, lab, outside_b):
        context = tls_context(lab.pki, "edge-a")
        with StreamAgent.connect(outside_b, context=context, server_name="opb.example") as agent:
            return agent.socket.getpeercert(binary_form=True)

    def test_a_new_certificate_is_served_and_old_connections_go_on(self, lab, outside_b, bob):
        before, context = self.served(lab, outside_b), tls_context(lab.pki, "edge-a")
        with StreamAgent.connect(outside_b, context=context, server_name="opb.example") as agent:
            mark = lab.edge_b.mark()
            lab.pki.make(Leaf("edge-b", sip=("opb.example",)))
            lab.edge_b.wait_log(r" notice .*have changed", mark, 20)
            lab.edge_b.wait_log(r" notice .*reloaded ", mark, 20)
            assert self.served(lab, outside_b) != before
            agent.send(request("MESSAGE", BOB, agent, ALICE))
            bob.answer(bob.expect("MESSAGE"), 200, "OK", tag="b1")
            agent.expect(200)

    def test_what_a_person_has_not_finished_is_not_taken(self, lab, outside_b):
        before, mark = self.served(lab, outside_b), lab.edge_b.mark()
        with open(lab.edge_b.path("junctord.conf"), "a", encoding="utf-8") as conf:
            conf.write("# to be continued\n")
        lab.pki.make(Leaf("edge-b", sip=("opb.example",)))
        lab.edge_b.wait_log(r" warning .*SIGHUP reads them all", mark, 20)
        assert self.served(lab, outside_b) == before


class TestFarEdge:
    """Edge B is replaced by a server that shows the certificate in question."""

    @pytest.fixture(scope="class", autouse=True)
    def without_edge_b(self, lab):
        lab.edge_b.program.kill()

    @pytest.mark.parametrize("case", [*REFUSED, "another domain"])
    def test_a_far_edge_with_a_bad_certificate_is_not_told_anything(self, lab, plan, alice,
                                                                    inside_a, case):
        leaf, says = REFUSED.get(case, WRONG_DOMAIN)
        name = fill(leaf, "opb.example").name
        mark = lab.edge_a.mark()
        with StreamServer(plan.b.published, TLS_PORT,
                          tls_context(lab.pki, name, server=True)) as server:
            invite = request("INVITE", BOB, alice, ALICE)
            alice.send(invite, inside_a)
            far = server.accept()
            answer = alice.expect_final("INVITE", 14)
            alice.send(ack_for(invite, answer), inside_a)
            if far:
                with far:
                    assert far.poll(lambda message: True, 0.2) is None
        assert answer.status == 480
        assert "certificate" in answer.get("Warning")
        line = lab.edge_a.wait_log(r" (notice|warning|info|error) .*certificate", mark)
        for text in says:
            assert text.format(far="opb.example") in line
