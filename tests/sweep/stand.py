"""Four operators: opb.example is the authority, opa.example hosts its addresses at first, opc.example
and opd.example gain them. They find each other by DNS, and the wire is in between."""

import contextlib
import itertools
import os
import threading

from lab.api import Client
from lab.edge import Edge
from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import TLS_PORT, Operator, free_plan
from lab.process import wait_until
from lab.unix_http import UnixConnection
from sweep.wire import Wire

SERVED, FOUND = 8444, 8445  # where the federation APIs listen, and where DNS says they do
AUTHORITY, LOSING, GAINING, RIVAL = "b", "a", "c", "d"
WINDOW_S = 3600
DAY_MS = 24 * 3600 * 1000
FURTHER = """\
{name}            NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.{name}
_sips._tcp.{name} SRV 10 10 {tls} edge.{name}
edge.{name}       A {edge}
_address-porting._tcp.{name} SRV 10 10 {found} edge.{name}
"""
MORE = """
federation {{ listen = "{edge}:{served}" advertise = "edge.{domain}" }}
porting {{ window-s = {window} freeze-s = 0 test-day-ms = {day} receipt-keys = "{keys}" }}
"""


def domain(letter):
    return f"op{letter}.example"


class Stand:
    """Use it in a `with` block."""

    def __init__(self):
        self.plan = free_plan()
        self.lab = Lab(self.plan)
        self.lock = threading.Lock()  # of the operators that were killed
        self.dead = set()
        self.wire = Wire(self.kill)
        self.terms = None
        self.numbers = itertools.count(1)

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.wire.close()
        self.lab.close()

    # -- making --------------------------------------------------------------------------------

    def sides(self):
        def further(letter, net, hertz):
            return Operator(letter, domain(letter), letter, self.plan.a.network.replace(".31.", net),
                            hertz)
        return (self.plan.a, self.plan.b, further(GAINING, ".33.", 660), further(RIVAL, ".34.", 550))

    def _start(self):
        self.lab.make_pki()
        zone = ""
        for side in self.sides()[2:]:
            self.lab.pki.make(Leaf(f"edge-{side.letter}", sip=(side.domain,),
                                   dns=(side.domain, side.edge_host)))
            zone += FURTHER.format(name=f"op{side.letter}", tls=TLS_PORT, edge=side.edge, found=FOUND)
        self.lab.make_dns(services=((FOUND, "_address-porting._tcp"),), more=zone)
        for side in self.sides():
            self.lab.make_edge(side, workers=1)
            self._configure(side.letter, 0, DAY_MS)
        self.lab.start()
        for side in self.sides():
            edge = self.edge(side.letter)
            edge.tool("domain", "add", side.domain, "--core", edge.core)
            self.wire.listen(side.edge, FOUND, SERVED)

    def _configure(self, letter, window_s, day_ms):
        edge = self.edge(letter)
        side = edge.operator
        edge.more = MORE.format(edge=side.edge, domain=side.domain, served=SERVED, window=window_s,
                                day=day_ms, keys=edge.path("receipt-keys"))
        edge.configure()

    def set_terms(self, window_s, day_ms):
        """Of ports that begin from now on, by the authority."""
        if (window_s, day_ms) == self.terms:
            return
        self._configure(AUTHORITY, window_s, day_ms)
        self.fresh(AUTHORITY)
        self.terms = (window_s, day_ms)

    # -- asking --------------------------------------------------------------------------------

    def edge(self, letter) -> Edge:
        return self.lab.edges[letter]

    def client(self, letter):
        """Its administrator."""
        edge = self.edge(letter)
        return Client(lambda: UnixConnection(edge.socket))

    def tool(self, letter, *words):
        return self.edge(letter).tool(*words)

    def new_address(self):
        """Of the authority's domain."""
        return f"s{next(self.numbers)}@{domain(AUTHORITY)}"

    def key_path(self, address):
        return os.path.join(self.lab.directory, address + ".key")

    # -- killing -------------------------------------------------------------------------------

    def kill(self, letter):
        """Any thread."""
        with self.lock:
            self.dead.add(letter)
            process = self.edge(letter).program.process
            process.kill()
            process.wait()

    def revive(self):
        """Whoever was killed is started again. The main thread: the kernel ends programs with the
        thread that started them."""
        with self.lock:
            dead, self.dead = self.dead, set()
            for letter in sorted(dead):
                edge = self.edge(letter)
                edge.program.stopped = True
                edge.start()
        for letter in sorted(dead):
            with contextlib.suppress(Exception):  # killed once more meanwhile
                wait_until(self.edge(letter).ready, f"{letter} is ready", 20)

    def fresh(self, letter):
        """It forgets what it keeps in memory, such as how often a peer was wrong."""
        self.kill(letter)
        self.revive()

    def check(self):
        """Has one ended by itself?"""
        with self.lock:
            for letter, edge in self.lab.edges.items():
                if letter not in self.dead:
                    edge.program.check()
