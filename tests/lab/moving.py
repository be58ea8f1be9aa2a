"""An address moves while calls to it run, and what its callers notice: opb.example is the authority,
opa.example and opc.example are hosts, and opd.example's users call."""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from datetime import datetime

from .lab import Lab
from .pki import Leaf
from .plan import DNS_PORT, SIP_PORT, TLS_PORT, Operator
from .porting import domain
from .process import wait_until
from .traffic import Callee, Caller

PORT = 8444
CALLED = "daniel@opb.example"
BELOW = "_sipaddr.opb.example"  # a zone of its own, which the authority publishes
HOSTS = "abc"
CALLER = "d"
FURTHER = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {tls} edge.{name}
edge.{name}       A {edge}
_address-porting._tcp.{name} SRV 10 10 {port} edge.{name}
"""
MORE = """
federation {{ listen = "{edge}:{port}" advertise = "edge.{domain}" }}
porting {{ window-s = 0 freeze-s = 0 }}
limits {{ called-calls = 0 }}
"""
PUBLISH = """
zone "{zone}" {{ primary = "{server}:{dns}" tsig = "{key}" }}
"""


@dataclass
class Moved:
    """What callers noticed of one move, of the calls that began from `begin` to `end`; times in s
    of Unix time."""

    what: str
    old: str
    new: str
    commit: float
    begin: float
    end: float
    calls: int = 0
    lost: int = 0
    wrong: int = 0
    late_answered: int = 0  # by the old host's core, after the commit
    last_answered: float = 0  # s from the commit until the last of those; 0: none
    late_led: int = 0  # calls that came by the old host's edge after the commit
    last_led: float = 0

    def as_json(self):
        return {"move": self.what, "from": domain(self.old), "to": domain(self.new),
                "calls": self.calls, "lost": self.lost, "wrong": self.wrong,
                "answered_by_old_host_after_commit": self.late_answered,
                "last_of_them_s": round(self.last_answered, 3),
                "by_way_of_old_host_after_commit": self.late_led,
                "last_by_way_s": round(self.last_led, 3)}


class Moving:
    """Use it in a `with` block. `published`: the authority publishes address records, which
    opd.example reads; else it is led on by the authority's edge."""

    def __init__(self, plan, published):
        self.plan = plan
        self.published = published
        self.stack = contextlib.ExitStack()
        self.callees = {}
        self.caller = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(Lab(self.plan))
            self._make()
            self.lab.start()
            self.lab.provision()
            for letter in HOSTS:
                self.callees[letter] = stack.enter_context(
                    Callee(letter, self.side(letter).phone, CALLED.partition("@")[0]))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    # -- making --------------------------------------------------------------------------------

    def sides(self):
        def further(letter, net, hertz):
            return Operator(letter, domain(letter), f"user-{letter}",
                            self.plan.a.network.replace(".31.", net), hertz)
        return (self.plan.a, self.plan.b, further("c", ".33.", 660), further("d", ".34.", 550))

    def side(self, letter):
        return self.lab.edges[letter].operator

    def _make(self):
        self.lab.make_pki()
        zone = ""
        for side in self.sides()[2:]:
            self.lab.pki.make(Leaf(f"edge-{side.letter}", sip=(side.domain,),
                                   dns=(side.domain, side.edge_host)))
            zone += FURTHER.format(name=f"op{side.letter}", tls=TLS_PORT, edge=side.edge, port=PORT)
        self.lab.make_dns(services=((PORT, "_address-porting._tcp"),), more=zone,
                          updated=(BELOW,) if self.published else ())
        for side in self.sides():
            edge = self.lab.make_edge(side, workers=1)
            edge.more = MORE.format(edge=side.edge, domain=side.domain, port=PORT)
            if side.letter == "b" and self.published:
                edge.more += PUBLISH.format(zone=BELOW, server=self.plan.nameserver, dns=DNS_PORT,
                                            key=os.path.join(self.lab.dns.directory, "tsig.key"))
            edge.configure()

    # -- calls -----------------------------------------------------------------------------------

    def call(self, rate):
        """Calls run from now until `hang_up`."""
        side = self.side(CALLER)
        self.caller = self.stack.enter_context(Caller(
            side.phone, (side.edge, SIP_PORT), f"sip:{side.address}", f"sip:{CALLED}", rate))

    def hang_up(self):
        self.caller.finish()
        for part in (self.caller, *self.callees.values()):
            if part.error:
                raise part.error

    # -- moves -----------------------------------------------------------------------------------

    def tool(self, letter, *words, stdin=None):
        argv = self.lab.edges[letter].tool_argv(*words)
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30,
                              check=True).stdout

    def move(self, old, new):
        """By auth code. Returns what `port start` said."""
        code = self.tool(old, "address", "auth-code", CALLED, "--quiet")
        return json.loads(self.tool(new, "port", "start", CALLED, domain(new), "--json", stdin=code))

    def undo(self, letter, made):
        """At one of the hosts. Returns the undo's own port."""
        return json.loads(self.tool(letter, "port", "undo", made["id"], "--json",
                                    stdin=made["undo_secret"]))

    def committed(self, port):
        """When the authority committed it."""
        def find():
            known = self.lab.edges["b"].tool("port", "show", port, "--json", check=False)
            return known.returncode == 0 and json.loads(known.stdout)["committed"]
        text = wait_until(find, f"port {port} is committed", 20)
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    def reaches(self, letter, port, state):
        def find():
            known = self.lab.edges[letter].tool("port", "show", port, "--json", check=False)
            return known.returncode == 0 and json.loads(known.stdout)["state"] == state
        wait_until(find, f"port {port} is {state} at {domain(letter)}", 20)

    # -- what was noticed --------------------------------------------------------------------

    def judge(self, moved):
        """Of the calls that were made; after hang_up."""
        calls = {call_id: call for call_id, call in self.caller.calls.items()
                 if moved.begin <= call.begin < moved.end}
        moved.calls = len(calls)
        moved.lost = sum(call.status != 200 or not call.ended for call in calls.values())
        moved.wrong = sum(call.status == 200 and call.host not in moved.old + moved.new
                          for call in calls.values())
        late = [came for call_id, came in self.callees[moved.old].came.items()
                if call_id in calls and came > moved.commit]
        moved.late_answered = len(late)
        moved.last_answered = max(late, default=moved.commit) - moved.commit
        led = {hop.call_id: hop.time.timestamp() for hop in self.lab.edges[moved.old].hops()
               if hop.way == "recv" and hop.start.startswith("INVITE") and hop.call_id in calls
               and hop.time.timestamp() > moved.commit}
        moved.late_led = len(led)
        moved.last_led = max(led.values(), default=moved.commit) - moved.commit
        return moved

    def strange(self):
        """Requests that reached a core for somebody else."""
        return [start for callee in self.callees.values() for start in callee.strange]

    def delays_ms(self, begin, end):
        """From INVITE to answer, of the calls that began then, in order."""
        return sorted(1000 * (call.answered - call.begin) for call in self.caller.calls.values()
                      if begin <= call.begin < end and call.status == 200)
