"""Recovery keys between real operators: opb.example is the authority, opa.example and opc.example are
hosts. A day lasts as long as each test needs: who waits in one where nothing must end has long days,
and where time must pass they are short."""

import contextlib
import json
import os
import re
import subprocess
from datetime import datetime, timezone

import pytest

from lab.edge import tool_path
from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import SIP_PORT, TLS_PORT, Operator
from lab.porting import agree, domain, reaches
from lab.process import wait_until
from lab.sip import UdpAgent, ack_for, request

PORT = 8444
SHORT, LONG = 50, 3600000  # ms of a day: 14 of them are less than a second, or hours
FURTHER = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {tls} edge.{name}
edge.{name}       A {edge}
"""
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ window-s = 3600 freeze-s = 0 test-day-ms = {day} }}
"""


def sides(plan):
    return (plan.a, plan.b, Operator("c", "opc.example", "carol",
                                     plan.a.network.replace(".31.", ".33."), 660))


def set_day(edge, side, day):
    edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT, day=day)
    edge.configure()


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as made:
        request.node.lab = made
        made.make_pki()
        carol = sides(plan)[2]
        made.pki.make(Leaf("edge-c", sip=(carol.domain,), dns=(carol.domain, carol.edge_host)))
        zone = f"_address-porting._tcp.opc SRV 10 10 {PORT} edge.opc\n"
        zone += FURTHER.format(name="opc", tls=TLS_PORT, edge=carol.edge)
        made.make_dns(services=((PORT, "_address-porting._tcp"),), more=zone)
        for side in sides(plan):
            set_day(made.make_edge(side, workers=1), side, SHORT)
        made.start()
        made.provision()
        yield made


@pytest.fixture(name="phones")
def fixture_phones(plan):
    with contextlib.ExitStack() as stack:
        yield {side.letter: stack.enter_context(UdpAgent(side.phone, SIP_PORT))
               for side in sides(plan)}


def day_lasts(lab, day):
    """At the authority, whose clock counts."""
    edge = lab.edges["b"]
    mark = edge.mark()
    set_day(edge, lab.plan.b, day)
    edge.reload()
    edge.wait_log(f"test-day-ms is for tests alone: .* has {day} ms", mark)


def tool(lab, letter, *words, stdin=None, check=True):
    return subprocess.run(lab.edges[letter].tool_argv(*words), input=stdin, capture_output=True,
                          text=True, timeout=20, check=check)


def code_of(lab, letter, address, *words):
    return tool(lab, letter, "address", "auth-code", address, "--quiet", *words).stdout


def key_path(lab, address):
    return os.path.join(lab.directory, address + ".key")


def curl(lab, letter, path, *words):
    """The answer of the REST API of an operator."""
    return subprocess.run(["curl", "--silent", "--fail", "--max-time", "20", "--unix-socket",
                           lab.edges[letter].socket, *words, "http://localhost" + path],
                          capture_output=True, text=True, timeout=30, check=True).stdout


def rest(lab, letter, path, *words):
    return json.loads(curl(lab, letter, path, *words))


def metric(lab, letter, name):
    return int(re.search(rf"^{name} (\d+)$", curl(lab, letter, "/metrics"), re.MULTILINE)[1])


def key_works(lab, address):
    """A new key of 14 short days."""
    begin = datetime.fromisoformat(
        rest(lab, "b", f"/v1/addresses/{address.replace('@', '%40')}/protection")
        ["next_recovery_key_from"].replace("Z", "+00:00"))
    wait_until(lambda: datetime.now(timezone.utc) > begin, "the new key works", 20)


def with_key(lab, user, letter="b"):
    """An address of opb.example with a recovery key that works."""
    address = f"{user}@opb.example"
    day_lasts(lab, SHORT)
    lab.edges["b"].tool("address", "add", address)
    tool(lab, letter, "address", "recovery-key", address, "--new", key_path(lab, address),
         stdin=code_of(lab, letter, address))
    key_works(lab, address)
    return address


def start(lab, address, there):
    done = tool(lab, there, "port", "start", address, domain(there), "--json", "--recovery-key",
                key_path(lab, address))
    return json.loads(done.stdout)


def move(lab, address, here, there):
    done = tool(lab, there, "port", "start", address, domain(there), "--json",
                stdin=code_of(lab, here, address))
    made = json.loads(done.stdout)
    agree(lab, made["id"], here, there)
    return made["id"]


def call(lab, phones, address, there, caller="a"):
    """The call of another operator's user arrives there and is refused: the shortest one."""
    side = next(side for side in sides(lab.plan) if side.letter == caller)
    edge, phone = (side.edge, SIP_PORT), phones[caller]
    invite = request("INVITE", f"sip:{address}", phone, f"sip:{side.address}")
    phone.send(invite, edge)
    got = phones[there].expect("INVITE", 10, call_id=invite.get("Call-ID"))
    phones[there].answer(got, 486, "Busy", tag="c1")
    phone.send(ack_for(invite, phone.expect(486, 10, call_id=invite.get("Call-ID"))), edge)


def told(phone, words):
    """The holder is told of it at this phone."""
    for _ in range(60):
        message = phone.expect("MESSAGE", 10)
        phone.answer(message, 200, "OK", tag="p1")
        if words in message.body.decode("utf-8"):
            return message.body.decode("utf-8")
    raise AssertionError(f"nobody was told: {words}")


def page_commands(heading):
    """The commands of a section of docs/moving.md, as they stand there."""
    path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "moving.md")
    with open(path, encoding="utf-8") as file:
        section = file.read().split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    return "".join(line[4:] + "\n" for line in section.split("\n") if line.startswith("    "))


# ---- tests ----


def test_the_private_half_is_its_owners_alone_and_nothing_is_written_over(lab):
    address = with_key(lab, "ida")
    path = key_path(lab, address)
    assert os.stat(path).st_mode & 0o777 == 0o600
    done = tool(lab, "b", "address", "recovery-key", address, "--new", path,
                stdin=code_of(lab, "b", address), check=False)
    assert done.returncode == 1 and "File exists" in done.stderr
    other = path + ".other"
    done = tool(lab, "b", "address", "recovery-key", address, "--new", other, stdin="wrong",
                check=False)
    assert done.returncode == 1 and not os.path.exists(other)


def test_openssl_alone_makes_the_key_and_signs(lab):
    """The commands of the page for holders, as they stand there."""
    address = "otto@opb.example"
    day_lasts(lab, SHORT)
    lab.edges["b"].tool("address", "add", address)
    folder = os.path.join(lab.directory, "otto")
    os.mkdir(folder)

    def shell(letter, text):
        text = text.replace("opb.example", domain("c")).replace("daniel@opa.example", address)
        script = f'set -e; junctor() {{ "{tool_path("junctor")}" --socket ' \
                 f'"{lab.edges[letter].socket}" "$@"; }}\n{text}'
        return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True,
                              timeout=30, check=True).stdout

    with open(os.path.join(folder, "code"), "w", encoding="ascii") as file:
        file.write(code_of(lab, "b", address))
    shell("b", page_commands("With openssl: the key"))
    key_works(lab, address)
    day_lasts(lab, LONG)
    port = shell("c", page_commands("With openssl: the move")).split()[-1]
    reaches(lab, "b", port, "waiting")
    lab.edges["c"].tool("port", "cancel", port)


def test_a_dead_host_does_not_keep_an_address(lab, phones):
    """opa.example, which hosts it, is gone; its holder takes it to opc.example."""
    address = with_key(lab, "dora")
    move(lab, address, "b", "a")
    call(lab, phones, address, "a", "b")
    lab.edges["a"].program.kill()
    try:
        port = start(lab, address, "c")["id"]
        reaches(lab, "c", port, "committed")
        call(lab, phones, address, "c", "b")
        assert lab.edges["b"].tool_json("address", "show", address)["hosting"] == domain("c")
    finally:
        lab.edges["a"].start()
        lab.edges["a"].wait_ready()
    reaches(lab, "a", port, "committed")  # it hears of it when it is back
    assert lab.edges["a"].tool_json("address", "show", address)["state"] == "moved"


def test_the_key_undoes_a_port_at_either_host_at_once_and_once(lab, phones):
    for user, letter in (("una", "c"), ("uwe", "b")):
        address = with_key(lab, user)
        day_lasts(lab, LONG)
        port = move(lab, address, "b", "c")
        call(lab, phones, address, "c")
        rest(lab, "b", f"/v1/addresses/{user}%40opb.example/freeze", "--request", "PUT", "--header",
             "If-Match: *", "--json", '{"frozen": true}')
        words = ("port", "undo", port, "--recovery-key", key_path(lab, address))
        undo = tool(lab, letter, *words).stdout.strip()
        reaches(lab, "c", port, "undone")
        wait_until(lambda: lab.edges["c"].tool_json("address", "show", address)["state"] == "moved",
                   "opc.example knows that it does not serve it any more", 20)
        call(lab, phones, address, "b")
        assert tool(lab, "c", *words, check=False).returncode == 1  # not twice
        words = ("port", "undo", undo, "--recovery-key", key_path(lab, address))
        done = tool(lab, "c", *words, check=False)  # and no undo is undone: nothing comes of it
        if done.returncode == 0:
            reaches(lab, "c", done.stdout.strip(), "refused")
        assert lab.edges["b"].tool_json("address", "show", address)["hosting"] == domain("b")


def test_an_objection_is_the_authoritys_operators_to_decide(lab, phones):
    """The holder of opb.example hears of it at both hosts, and each day again."""
    address = with_key(lab, "olga")
    day_lasts(lab, 1000)
    port = start(lab, address, "c")["id"]
    for letter in ("b", "c"):
        told(phones[letter], f"{address}: a move to opc.example was started; it happens at 2")
        told(phones[letter], f"{address}: a move to opc.example is still under way")
    mark = lab.edges["b"].mark()
    lab.edges["b"].tool("port", "object", port, "--reason", "not-the-holder")
    lab.edges["b"].wait_log(f"a recovery is disputed, decide by 2.*port={port}", mark)
    assert port in tool(lab, "b", "port", "list", "--state", "disputed", "--role", "authority").stdout
    assert metric(lab, "b", "junctor_ports_disputed") == 1
    lab.edges["b"].tool("port", "reject", port, "--reason", "not-the-holder")
    told(phones["c"], f"{address}: its move to opc.example was rejected: it was not asked for by")
    assert metric(lab, "b", "junctor_ports_disputed") == 0
