"""The whole lab: DNS, certificates, edges, phones. See the package's text."""

import contextlib
import os
import shutil
import tempfile
import time

from .dns import Dns
from .edge import Edge
from .kamailio import KamailioEdge
from .phone import Phone
from .pki import Leaf, Pki
from .process import stop_all, wait_until

# An edge that is told to end drains: it keeps ended transactions for up to 32 s, for the
# retransmissions of others. When the lab ends nobody is left who could retransmit.
STOP_S = 1


class Lab:
    """Use it in a `with` block: nothing is left when the block ends, however it ends. With `keep`
    the programs outlive us once `let_go` was called."""

    def __init__(self, plan, keep=False):
        self.plan = plan
        self.keep = keep
        self.directory = tempfile.mkdtemp(prefix="junctor-lab-")
        self.pki = Pki(os.path.join(self.directory, "pki"))
        self.dns = None
        self.edges = {}
        self.kamailio = None  # in the place of an edge
        self.phones = {}
        self.cleanup = contextlib.ExitStack()
        self.cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for phone in self.phones.values():
            phone.stop()
        stop_all(self.programs, STOP_S)
        self.cleanup.close()

    def let_go(self):
        for phone in self.phones.values():
            phone.stop()
        self.phones = {}
        self.edges = {}
        self.dns = None
        self.cleanup.pop_all()

    @property
    def programs(self):
        """Phones first: they may still have something to say to their edge."""
        programs = [phone.program for phone in self.phones.values()]
        programs += [edge.program for edge in self.edges.values()]
        programs += [self.kamailio.program] if self.kamailio else []
        return programs + (self.dns.programs if self.dns else [])

    # -- making --------------------------------------------------------------------------------

    def make_pki(self):
        """A CA and each edge's certificate, as public CAs issue them: serverAuth only."""
        self.pki.make_ca()
        for operator in self.plan.operators:
            self.pki.make(Leaf("edge-" + operator.letter, sip=(operator.domain,),
                               dns=(operator.domain, operator.edge_host)))

    def make_dns(self, keys=True, **options):
        """`keys`: DNS names those of the edges, so that CAs decide nothing."""
        self.dns = Dns(self.plan, os.path.join(self.directory, "dns"), self.keep)
        self.dns.configure({operator.letter: keys and self.pki.fingerprint("edge-" + operator.letter)
                            for operator in self.plan.operators}, **options)

    def make_edge(self, operator, **options):
        edge = Edge(operator, self.plan, os.path.join(self.directory, "edge-" + operator.letter),
                    self.pki, "edge-" + operator.letter, self.keep, **options)
        edge.configure()
        self.edges[operator.letter] = edge
        return edge

    def make_kamailio(self, operator, **options):
        self.kamailio = KamailioEdge(operator, self.plan, os.path.join(self.directory, "kamailio"),
                                     self.pki, "edge-" + operator.letter, **options)
        self.kamailio.configure()
        return self.kamailio

    def make_phone(self, operator, **options):
        phone = Phone(operator, self.plan.other(operator),
                      os.path.join(self.directory, operator.user), keep=self.keep, **options)
        phone.configure()
        self.phones[operator.letter] = phone
        return phone

    # -- running ---------------------------------------------------------------------------------

    def start(self):
        """Starts what was made, all at once, and waits until each is ready."""
        parts = [part for part in (self.dns, *self.edges.values(), self.kamailio,
                                   *self.phones.values()) if part]
        for part in parts:
            part.start()
        for part in parts:
            wait_until(part.ready, f"{type(part).__name__} is ready", watch=self.programs)

    def first_ended(self, wait_s=0.0):
        """How the first program ended that ended by itself, or None. A symptom may be seen before
        the program that causes it is quite gone, hence the wait."""
        deadline = time.monotonic() + wait_s
        while True:
            for program in self.programs:
                if program.ended():
                    return program.ended()
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)

    def provision(self):
        for edge in self.edges.values():
            edge.provision()

    # -- short names -------------------------------------------------------------------------

    @property
    def edge_a(self):
        return self.edges["a"]

    @property
    def edge_b(self):
        return self.edges["b"]

    @property
    def alice(self):
        return self.phones["a"]

    @property
    def bob(self):
        return self.phones["b"]
