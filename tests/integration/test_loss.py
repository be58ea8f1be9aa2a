"""Four workers, one source port, every fifth datagram lost and every fifth doubled: each call is
forwarded exactly once and completes."""

import heapq
import select
import time

import pytest

from lab.plan import SIP_PORT
from lab.relay import LossyUdp
from lab.sip import Dialog, Message, UdpAgent, request, response

CALLS = 150
AT_ONCE = 25
# RFC 3261 section 17, a fifth of the usual, at the edges and here: the same number of tries in less
# time. A far core that stays silent is given as long as its transaction lasts. Nobody on the way
# repeats a 200 to an INVITE or its ACK, so the callee's tries must survive four lossy hops: two
# losses on each leave the ninth, 5.5 s after the first, and the edges forward it for 64*T1, 6.4 s.
T1_S, T2_S = 0.1, 0.8
TIMERS = "timers { t1-ms = 100 t2-ms = 800 t4-ms = 1000 first-response-ms = 20000 search-ms = 30000 }"
LIMIT_S = 90

BOB = "sip:bob@opb.example"


class Timers:
    def __init__(self):
        self.heap = []
        self.count = 0

    def after(self, delay_s, action):
        self.count += 1
        heapq.heappush(self.heap, (time.monotonic() + delay_s, self.count, action))

    def run(self):
        """Runs what is due; returns how long until the next one."""
        now = time.monotonic()
        while self.heap and self.heap[0][0] <= now:
            heapq.heappop(self.heap)[2]()
        return max(0.0, self.heap[0][0] - now) if self.heap else 1.0


class Retransmitter:
    """Sends again and again until it is stopped (timers A, E and G)."""

    def __init__(self, timers, send, cap_s=T2_S):
        self.timers, self.send, self.cap_s = timers, send, cap_s
        self.delay_s = T1_S
        self.stopped = False
        self._fire()

    def stop(self):
        self.stopped = True

    def _fire(self):
        if self.stopped:
            return
        self.send()
        self.timers.after(self.delay_s, self._fire)
        self.delay_s = min(self.delay_s * 2, self.cap_s)


class Caller:
    """INVITE, ACK, BYE."""

    def __init__(self, stand, number):
        self.stand = stand
        self.done = False
        self.dialog = None
        self.ack = None
        self.failed = None
        self.invite = request("INVITE", BOB, stand.alice, "sip:alice@opa.example")
        # the same in every run, as is then what gets lost
        self.id = f"call-{number}"
        self.invite.headers = [(name, self.id if name == "Call-ID" else value)
                               for name, value in self.invite.headers]
        self.sending = self._keep_sending(self.invite, T1_S * 64)

    def _keep_sending(self, message, cap_s):
        return Retransmitter(self.stand.timers, lambda: self._send(message), cap_s)

    def _send(self, message):
        self.stand.alice.send(message, self.stand.way_out)

    def receive(self, message):
        if message.is_request:
            return
        if message.cseq_method == "BYE":
            self.sending.stop()
            self.done = True
            if message.status != 200:
                self.failed = message.start
        elif message.status < 200:
            self.sending.stop()
        elif message.status == 200:
            self._answered(message)
        else:
            self.sending.stop()
            self.failed = message.start
            self.done = True

    def _answered(self, answer):
        if self.ack is None:
            self.sending.stop()
            self.dialog = Dialog.of_caller(self.stand.alice, self.invite, answer)
            self.ack = self.dialog.request("ACK")
            self._send(self.ack)
            self.stand.timers.after(0.2, self._hang_up)
        else:
            self._send(self.ack)

    def _hang_up(self):
        self.sending = self._keep_sending(self.dialog.request("BYE"), T2_S)


class Callee:
    """180, 200 until the ACK, 200 to the BYE. `branches` are those of the INVITEs that came."""

    def __init__(self, stand):
        self.stand = stand
        self.branches = set()
        self.acked = False
        self.ended = False
        self.sending = None

    def receive(self, message):
        if message.method == "INVITE":
            self._ring(message)
        elif message.method == "ACK":
            self.acked = True
            if self.sending:
                self.sending.stop()
        elif message.method == "BYE":
            self.ended = True
            self._send(response(message, 200, "OK"), message)

    def _ring(self, invite):
        self.branches.add(invite.branch)
        self._send(response(invite, 180, "Ringing", tag="b1"), invite)
        if self.sending is None:
            answer = response(invite, 200, "OK", tag="b1", headers=[
                ("Contact", f"<{self.stand.bob.contact(BOB)}>")])
            self.sending = Retransmitter(self.stand.timers, lambda: self._send(answer, invite))

    def _send(self, answer, to_request):
        self.stand.bob.send(answer, to_request.source)


class Stand:
    def __init__(self, alice, bob, way_out):
        self.alice, self.bob, self.way_out = alice, bob, way_out
        self.timers = Timers()
        self.callers, self.callees = {}, {}

    def run(self):
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            self._start_more()
            if len(self.callers) == CALLS and self._all_done():
                return
            wait_s = min(self.timers.run(), 0.1)
            ready = select.select([self.alice.socket, self.bob.socket], [], [], wait_s)[0]
            if self.alice.socket in ready:
                message = receive(self.alice)
                self.callers[message.get("Call-ID")].receive(message)
            if self.bob.socket in ready:
                message = receive(self.bob)
                callee = self.callees.setdefault(message.get("Call-ID"), Callee(self))
                callee.receive(message)

    def _all_done(self):
        return all(call.done for call in self.callers.values()) and \
            all(call.acked and call.ended for call in self.callees.values())

    def _start_more(self):
        under_way = sum(not call.done for call in self.callers.values())
        while len(self.callers) < CALLS and under_way < AT_ONCE:
            call = Caller(self, len(self.callers))
            self.callers[call.id] = call
            under_way += 1


def receive(agent):
    data, source = agent.socket.recvfrom(65536)
    message = Message.parse(data)
    message.source = source
    return message


@pytest.fixture(scope="module")
def lab(bare_lab):
    plan = bare_lab.plan
    bare_lab.make_edge(plan.a, workers=4, allow=(plan.a.network + "0/24",), more=TIMERS)
    bare_lab.make_edge(plan.b, workers=4, more=TIMERS,
                       core=f"sip:{plan.b.network}3:{SIP_PORT};transport=udp")
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


def test_each_call_is_forwarded_once_and_completes(lab):
    a, b = lab.plan.a, lab.plan.b
    with UdpAgent(a.phone, SIP_PORT) as alice, UdpAgent(b.phone, SIP_PORT) as bob, \
            LossyUdp((a.network + "2", SIP_PORT), (a.phone, SIP_PORT),
                     (a.network + "3", SIP_PORT), (a.edge, SIP_PORT), seed=1) as loss_a, \
            LossyUdp((b.network + "2", SIP_PORT), (b.phone, SIP_PORT),
                     (b.network + "3", SIP_PORT), (b.edge, SIP_PORT), seed=2) as loss_b:
        stand = Stand(alice, bob, (a.network + "2", SIP_PORT))
        stand.run()
        for relay in (loss_a, loss_b):  # it was as bad as it should be
            assert relay.lost > CALLS / 4 and relay.doubled > CALLS / 4

    assert not [call.id for call in stand.callers.values() if not call.done]
    assert not [call.failed for call in stand.callers.values() if call.failed]
    assert len(stand.callers) == CALLS
    assert set(stand.callees) == set(stand.callers)
    for callee in stand.callees.values():
        assert len(callee.branches) == 1  # one INVITE, however often it came
        assert callee.acked and callee.ended
    # the calls of one source port were spread over the workers
    assert lab.edge_a.stats()["handed_over"] > CALLS / 4
