"""Calls at a steady rate to one address, while it moves: who answered each, when, and which were
not answered. Short calls: answered at once, and ended by the caller at once."""

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Optional

from .plan import SIP_PORT
from .sip import Dialog, UdpAgent, ack_for, parameter, request

AGAIN_S = (0.5, 1.5, 3.5)  # after which an INVITE without any answer is sent again (timer A)
LOST_S = 10  # a call without a final answer


@dataclass
class Call:
    invite: object
    begin: float  # Unix time, as all here
    next_s: float = 0
    tries: int = 0
    heard: bool = False
    status: int = 0
    answered: float = 0
    host: str = ""  # the letter of the operator whose core answered
    dialog: Optional[Dialog] = None
    bye: str = ""
    ended: bool = False


class Loop:
    """A thread that serves a UDP agent until it is closed."""

    def __init__(self, address):
        self.agent = UdpAgent(address, SIP_PORT)
        self.closing = False
        self.error = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.closing = True
        self.thread.join(10)
        self.agent.close()

    def _run(self):
        try:
            while not self.closing:
                wait_s = self.turn()
                message = self.agent.poll(lambda _: True, wait_s)
                if message:
                    self.take(message)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error  # for the thread that asks
            raise

    def turn(self):
        """What time brings. Returns how long to wait, in s."""
        return 0.05

    def take(self, message):
        raise NotImplementedError


class Callee(Loop):
    """The core of a host. Its tag says which; `came` has the time of each call, by Call-ID, and
    `strange` those for another user."""

    def __init__(self, letter, address, user):
        super().__init__(address)
        self.letter = letter
        self.user = user
        self.came = {}
        self.strange = []

    def take(self, message):
        if not message.is_request or message.method == "ACK":
            return
        if message.method != "INVITE":
            self.agent.answer(message, 200, "OK", tag=f"{self.letter}-other")
            return
        self.came.setdefault(message.get("Call-ID"), time.time())
        if not message.start.split()[1].startswith(f"sip:{self.user}@"):
            self.strange.append(message.start)
        contact = f"<sip:{self.user}@{self.agent.address}:{self.agent.port}>"
        self.agent.answer(message, 200, "OK", tag=f"{self.letter}-{message.get('Call-ID')[:8]}",
                          headers=[("Contact", contact)])


class Caller(Loop):
    """Calls `called` at `rate` per second from `sender`, by the edge `way_out`, from start() until
    finish()."""

    def __init__(self, address, way_out, sender, called, rate):
        super().__init__(address)
        self.way_out = way_out
        self.sender = sender
        self.called = called
        self.period_s = 1 / rate
        self.calls = {}  # by Call-ID
        self.open = {}
        self.next_s = time.time()
        self.calling = True
        self.numbers = itertools.count()

    def finish(self):
        """No further call; waits for those that are open."""
        self.calling = False
        until = time.time() + LOST_S + 1
        while self.open and time.time() < until and self.error is None:
            time.sleep(0.05)

    def turn(self):
        now = time.time()
        while self.calling and self.next_s <= now:
            self.next_s += self.period_s
            self._begin()
        for call_id, call in list(self.open.items()):
            self._repeat(call_id, call, now)
        return max(0.001, min(0.05, self.next_s - time.time()))

    def _begin(self):
        invite = request("INVITE", self.called, self.agent, self.sender)
        call = Call(invite, time.time(), time.time() + AGAIN_S[0])
        self.calls[invite.get("Call-ID")] = self.open[invite.get("Call-ID")] = call
        self.agent.send(invite, self.way_out)

    def _repeat(self, call_id, call, now):
        if now > call.begin + LOST_S:
            del self.open[call_id]
        elif not call.heard and now >= call.next_s and call.tries < len(AGAIN_S) - 1:
            call.tries += 1
            call.next_s = call.begin + AGAIN_S[call.tries]
            self.agent.send(call.invite, self.way_out)

    def take(self, message):
        call = self.calls.get(message.get("Call-ID"))
        if call is None or message.is_request:
            return
        call.heard = True
        if message.status < 200:
            return
        if message.cseq_method == "BYE":
            call.ended = True
            self.open.pop(message.get("Call-ID"), None)
        elif message.status >= 300:
            call.status, call.answered = message.status, time.time()
            self.agent.send(ack_for(call.invite, message), self.way_out)
            self.open.pop(message.get("Call-ID"), None)
        elif call.dialog is None:
            self._answered(call, message)
        else:
            self.agent.send(call.dialog.request("ACK"), self.way_out)

    def _answered(self, call, message):
        call.status, call.answered = message.status, time.time()
        call.host = parameter(message.get("To"), "tag").split("-")[0]
        call.dialog = Dialog.of_caller(self.agent, call.invite, message)
        self.agent.send(call.dialog.request("ACK"), self.way_out)
        self.agent.send(call.dialog.request("BYE"), self.way_out)
