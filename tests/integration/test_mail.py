"""Who has left a mail address is told there of his ports, by a real sendmail (msmtp)."""

import json
import socket
import subprocess

import pytest

from lab.lab import Lab
from lab.mail import MailSink, make_sendmail
from lab.process import wait_until

NAME, MAIL = "mia@opa.example", "mia@mail.example"


@pytest.fixture(scope="module", name="place")
def fixture_place(plan):
    with socket.create_server((plan.a.phone, 0)) as probe:
        return probe.getsockname()[:2]


@pytest.fixture(scope="module")
def lab(plan, request, place):  # pylint: disable=redefined-outer-name
    """Of one operator, with two domains; its edge knows of no other."""
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        made.make_dns()
        program = make_sendmail(made.directory, *place)
        made.make_edge(plan.a, workers=1, more=f"""
porting {{ window-s = 3600 sendmail = "{program}" mail-from = "porting@opa.example" }}
""")
        made.start()
        made.provision()
        made.edge_a.tool("domain", "add", "opd.example", "--core",
                         f"sip:{plan.a.phone}:5060;transport=udp")
        made.edge_a.tool("address", "add", NAME, "--owner", "mia", "--notify", MAIL)
        yield made


def wait_mails(mails, count):
    wait_until(lambda: len(mails) >= count, f"mail number {count}", 30)
    assert len(mails) == count
    return mails[-1]


def port_start(lab):
    """To the operator's other domain."""
    code = lab.edge_a.tool_json("address", "auth-code", NAME)["auth_code"]
    done = subprocess.run(lab.edge_a.tool_argv("port", "start", NAME, "opd.example", "--json"),
                          input=code, capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)["id"]


def counted(lab, outcome):
    return lab.edge_a.metrics()[f'junctor_holder_notices_total{{way="mail",outcome="{outcome}"}}']


def owes(lab, port):
    return [part["owes"] for part in lab.edge_a.tool_json("port", "list", NAME)["ports"]
            if part["id"] == port and part["role"] == "losing"][0]


def test_codes_and_states_are_told_once_each(lab, place):
    mails = []
    with MailSink(place, mails):
        port = port_start(lab)
        wait_until(lambda: len(mails) == 2, "two mails", 30)
        subjects = sorted(message["Subject"] for _, _, message in mails)
        assert subjects == [f"An auth code of {NAME} was asked for",
                            f"The move of {NAME} to opd.example: pending"]
        for sender, recipient, message in mails:
            assert (sender, recipient) == ("porting@opa.example", MAIL)
            assert (message["From"], message["To"]) == (sender, recipient)
            assert message["Auto-Submitted"] == "auto-generated"
            assert message["Date"] and message["Message-ID"].endswith("@opa.example>")
            assert "tell opa.example at once" in " ".join(message.get_payload().split())
        wait_until(lambda: "mail" not in owes(lab, port), "nothing is owed", 10)
        lab.edge_a.tool("port", "reject", port, "--reason", "fraud")
        assert wait_mails(mails, 3)[2]["Subject"].endswith(": rejected")
        wait_until(lambda: counted(lab, "taken") == 3, "three mails count", 10)


def test_what_could_not_be_sent_outlives_the_daemon(lab, place):
    """Nobody takes it: EX_TEMPFAIL. The port's own mail is not lost with a killed daemon."""
    mark = lab.edge_a.mark()
    port = port_start(lab)
    lab.edge_a.wait_log(r"mail: not sent yet, and tried again: id=[0-9a-f]{32}/2/32\.2\.0: "
                        r"exit status 75", mark)
    assert counted(lab, "deferred") >= 1
    assert "mail" in owes(lab, port)
    lab.edge_a.restart(kill=True)
    mails = []
    with MailSink(place, mails):
        _, _, message = wait_mails(mails, 1)
        assert message["Subject"].endswith(": pending")
        wait_until(lambda: "mail" not in owes(lab, port), "nothing is owed", 10)
        lab.edge_a.tool("port", "reject", port, "--reason", "fraud")
        wait_mails(mails, 2)


def test_the_address_before_hears_of_another_one(lab, place):
    mails = []
    with MailSink(place, mails):
        lab.edge_a.tool("address", "set", NAME, "--notify", "mallory@mail.example")
        _, recipient, message = wait_mails(mails, 1)
    assert recipient == MAIL and message["Subject"] == f"You are told of {NAME} here no more"
    assert "mallory" not in message.as_string()
