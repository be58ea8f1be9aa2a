"""What ./quickstart shows: one call from alice to bob, between two operators, over mutual TLS."""

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import time

from . import ladder, sockets
from .edge import PHONES, source_root
from .lab import Lab
from .plan import SIP_PORT, Plan, is_free
from .process import LabError, wait_until

TALK_S = 1.5  # audio both ways before the hang-up
PACKET_S = 0.02
STATE_FILE = os.path.join(source_root(), "build", "quickstart.json")


class Steps:
    """Says what happens, with the time since the start."""

    def __init__(self):
        self.start = time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.start:5.2f} s] {text}", flush=True)

    @staticmethod
    def show(text):
        for line in text.rstrip().splitlines():
            print("    " + line, flush=True)


def start(lab, steps):
    plan = lab.plan
    lab.make_pki()
    lab.make_dns()
    # kept running, a softphone on this machine may call in
    allow = ("127.0.0.0/8",) if lab.keep else PHONES
    for operator in plan.operators:
        lab.make_edge(operator, allow=allow)
        lab.make_phone(operator, answer="auto")
    lab.start()
    for phone in lab.phones.values():
        phone.watch = lab.programs
    steps.say(f"DNS: Knot on {plan.nameserver} signs opa.example and opb.example; unbound on "
              f"{plan.resolver} validates them")
    for operator in plan.operators:
        steps.say(f"operator {operator.letter.upper()}: {operator.domain}, junctord on "
                  f"{operator.edge}, {operator.user}'s phone on {operator.phone}")


def run_tool(edge, args, steps):
    """As a person would at that operator's machine."""
    steps.say(f"edge {edge.operator.letter.upper()}$ junctor {shlex.join(args)}")
    steps.show(edge.tool(*args).stdout)


def provision(lab, steps):
    for edge in lab.edges.values():
        operator = edge.operator
        for args in (("domain", "add", operator.domain, "--core", edge.core),
                     ("address", "add", operator.address)):
            run_tool(edge, args, steps)


def show_route(lab, steps):
    run_tool(lab.edge_a, ("route", lab.plan.b.address), steps)


def why_refused(phone, closed, logged):
    """`logged`: the size of the phone's log before the call."""
    text = f"the call was refused: {closed.get('param', '')}"
    phone.wait_answer("INVITE", logged)
    warning = phone.warning(logged)
    return f"{text}\n    the edge says why: {warning}" if warning else text


def place_call(lab, steps):
    """Returns the Call-ID and the post-dial delay in milliseconds."""
    alice, bob = lab.alice, lab.bob
    from_alice, from_bob, logged = alice.mark(), bob.mark(), alice.log_size()
    steps.say(f"alice dials sip:{lab.plan.b.address}")
    dialled = alice.dial("sip:" + lab.plan.b.address)
    heard = alice.wait_event(("CALL_RINGING", "CALL_ESTABLISHED", "CALL_CLOSED"), since=from_alice)
    if heard["type"] == "CALL_CLOSED":
        raise LabError(why_refused(alice, heard, logged))
    delay_ms = (heard["at"] - dialled) * 1000
    alice.wait_established(since=from_alice)
    bob.wait_established(since=from_bob)
    steps.say(f"the call is up; alice heard it ring after {delay_ms:.0f} ms")
    return heard["id"], delay_ms


def check_media_path(lab, call_id):
    """Each phone sends its audio to the other phone's own address, where that phone itself
    listens; the edges have no sockets but the ones they were configured with."""
    for phone, other in ((lab.alice, lab.bob), (lab.bob, lab.alice)):
        target = phone.remote_sdp(call_id)
        if target.address != other.operator.phone:
            raise LabError(f"{phone.operator.user} was told to send audio to {target.address}, "
                           f"not to {other.operator.user}'s phone")
        if target.port not in sockets.udp_ports(other.program.pid):
            raise LabError(f"{other.operator.user}'s phone does not listen on its RTP port "
                           f"{target.port}")
    for edge in lab.edges.values():
        foreign = sockets.udp_ports(edge.program.pid, wanted=sockets.is_media_port)
        if foreign:
            raise LabError(f"{edge.program.name} has media ports open: {sorted(foreign)}")


def hang_up(lab, steps, call_id):
    """Ends the call and counts its audio packets."""
    marks = {phone: phone.mark() for phone in lab.phones.values()}
    sizes = {phone: phone.log_size() for phone in lab.phones.values()}
    lab.alice.hang_up()
    for phone, mark in marks.items():
        phone.wait_closed(since=mark, call_id=call_id)
    least = int(TALK_S / PACKET_S * 0.8)
    for phone in lab.phones.values():
        count = phone.rtp_count(since=sizes[phone])
        name = phone.operator.user
        steps.say(f"{name}'s phone sent {count.sent} and received {count.received} RTP packets")
        if min(count) < least:
            raise LabError(f"too little audio at {name}'s phone: at least {least} packets each way "
                           "are expected")
    steps.say("RTP went directly from phone to phone, the edges were not in its path")


def send_message(lab, steps):
    text = "hello from the other operator"
    from_alice, from_bob = lab.alice.log_size(), lab.bob.log_size()
    steps.say(f"bob sends a MESSAGE to {lab.plan.a.address}")
    lab.bob.message(text)
    lab.alice.wait_message(text, from_alice)
    answer = lab.bob.wait_answer("MESSAGE", from_bob)
    if not answer.startswith("200 "):
        raise LabError(f"bob's MESSAGE was answered {answer}")
    steps.say(f'alice got "{text}", bob got {answer}')


def show_ladder(lab, steps, call_id):
    def both_logged_the_end():
        hops = [hop for edge in lab.edges.values() for hop in edge.hops(call_id=call_id)]
        ended = [hop for hop in hops if hop.cseq.endswith(" BYE") and hop.start.startswith("200")]
        return hops if len(ended) == 4 else None

    hops = wait_until(both_logged_the_end, "both edges log the whole call", 3)
    found = ladder.rungs(hops, lab.plan)
    steps.say("the call as the edges saw it (peer identity: who proved to be whom)")
    steps.show("\n".join(ladder.lines(found)))
    between = [rung for rung in found if rung.identity != "inside"]
    if not between or not all(ladder.proves_both(rung, lab.plan) for rung in between):
        raise LabError("not every hop between the edges went over mutually proven TLS")


def keep_running(lab):
    plan = lab.plan
    state = {"directory": lab.directory,
             "programs": [{"name": program.name, "pid": program.pid,
                           "started": sockets.start_time(program.pid)}
                          for program in lab.programs]}
    os.makedirs(os.path.dirname(STATE_FILE), exist_ok=True)
    with open(STATE_FILE, "w", encoding="ascii") as file:
        json.dump(state, file)
    lab.let_go()
    print(f"""
It all keeps running; configuration and logs are in {lab.directory}.

To call bob with your own softphone on this machine:
    address (account)   sip:{plan.a.address}     no password, no registration
    outbound proxy      sip:{plan.a.edge}:{SIP_PORT};transport=udp     (or tcp)
    dial                sip:{plan.b.address}
Bob's phone answers by itself and sends a tone of {plan.b.hertz} Hz. Hang up at your end.
Or from the other side: account sip:{plan.b.address}, proxy {plan.b.edge}, dial
sip:{plan.a.address}.

To look around:
    build/tools/junctor --socket {lab.directory}/edge-a/api.sock status
    tail -f {lab.directory}/edge-a/log

To stop it:
    ./quickstart --stop
""", flush=True)


def stop_kept():
    """Ends what `--keep` left running, by the ids noted then."""
    try:
        with open(STATE_FILE, encoding="ascii") as file:
            state = json.load(file)
    except FileNotFoundError:
        print("quickstart: nothing is kept running")
        return 0
    running = [program for program in state["programs"]
               if sockets.start_time(program["pid"]) == program["started"]]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for program in running:
            try:
                os.kill(program["pid"], number)
            except ProcessLookupError:
                pass  # it ended meanwhile
        deadline = time.monotonic() + 5
        while running and time.monotonic() < deadline:
            running = [program for program in running
                       if sockets.start_time(program["pid"]) == program["started"]]
            time.sleep(0.02)
    shutil.rmtree(state["directory"], ignore_errors=True)
    os.remove(STATE_FILE)
    print("quickstart: stopped")
    return 0


@contextlib.contextmanager
def causes_named(lab):
    """Where a program ended by itself, that is the news, and what went wrong since its symptom."""
    try:
        yield
    except (LabError, OSError) as error:
        ended = lab.first_ended(wait_s=0.5)
        if not ended or ended == str(error):
            raise
        raise LabError(f"{ended}\n    seen as: {str(error).splitlines()[0]}") from error


def show(keep):
    """The whole show. Returns its plan and the post-dial delay in milliseconds."""
    plan = Plan()
    busy = is_free(plan)
    if busy:
        hint = " (./quickstart --stop ends a kept one)" if os.path.exists(STATE_FILE) else ""
        raise LabError(f"an address of the lab is in use: {busy}{hint}")
    steps = Steps()
    with Lab(plan, keep) as lab, causes_named(lab):
        start(lab, steps)
        provision(lab, steps)
        show_route(lab, steps)
        call_id, delay_ms = place_call(lab, steps)
        time.sleep(TALK_S)
        check_media_path(lab, call_id)
        hang_up(lab, steps, call_id)
        show_ladder(lab, steps, call_id)
        send_message(lab, steps)
        ended = lab.first_ended()
        if ended:
            raise LabError(ended)
        if keep:
            keep_running(lab)
    return plan, delay_ms


def interrupted(number, _frame):
    raise LabError(f"interrupted by {signal.Signals(number).name}")


def main():
    parser = argparse.ArgumentParser(prog="quickstart", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it all running")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left running")
    options = parser.parse_args()
    if options.stop:
        return stop_kept()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        plan, delay_ms = show(options.keep)
    except (LabError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr, flush=True)
        return 1
    print(f"call established: {plan.a.address} -> {plan.b.address} over mutual TLS, "
          f"post-dial delay {delay_ms:.0f} ms", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
