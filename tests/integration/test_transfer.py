"""Real phones transfer a call (REFER, RFC 3515) through two edges."""

import pytest


def carol_of(phone):
    return "carol@" + phone.operator.domain


@pytest.fixture(scope="module")
def lab(bare_lab):
    """Each operator has a carol, who shares the phone of its other user."""
    for operator in bare_lab.plan.operators:
        bare_lab.make_edge(operator)
        bare_lab.make_phone(operator, users=("carol",))
    bare_lab.start()
    bare_lab.provision()
    for phone in bare_lab.phones.values():
        bare_lab.edges[phone.operator.letter].tool("address", "add", carol_of(phone))
    return bare_lab


@pytest.fixture(autouse=True)
def quiet_phones(lab):
    """No call of a failed test is left for the next one."""
    yield
    for phone in lab.phones.values():
        phone.hang_up()


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_a_transferred_call_reaches_the_third_person(lab, by):
    alice, bob = lab.alice, lab.bob
    from_alice, from_bob = alice.mark(), bob.mark()
    alice.dial("sip:" + lab.plan.b.address)
    bob.wait_incoming(since=from_bob)
    bob.accept()
    for phone, since in ((alice, from_alice), (bob, from_bob)):
        first = phone.wait_established(since=since)

    transferor, transferee = (bob, alice) if by == "callee" else (alice, bob)
    carol = "sip:" + carol_of(transferor)
    marks = {phone: phone.mark() for phone in (alice, bob)}
    size = transferor.log_size()
    transferor.transfer(carol)
    transferor.wait_event("CALL_INCOMING", since=marks[transferor], accountaor=carol,
                          peeruri="sip:" + transferee.operator.address)
    transferor.accept()
    second = transferee.wait_event("CALL_ESTABLISHED", since=marks[transferee], peeruri=carol)
    transferor.wait_event("CALL_ESTABLISHED", since=marks[transferor], id=second["id"])

    # the transferor is told (NOTIFY), and leaves
    transferor.wait_closed(since=marks[transferor], call_id=first["id"])
    assert any(text.startswith("NOTIFY ") and "\nSIP/2.0 200 " in text
               for text in transferor.received(size))
    transferee.wait_closed(since=marks[transferee], call_id=first["id"])
    transferee.hang_up()
    transferor.wait_closed(since=marks[transferor], call_id=second["id"])
