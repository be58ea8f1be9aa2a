"""Networks of their own for the lab: each operator has one, and between them is a third with DNS,
which routes IPv4 and IPv6 and can swallow either, as a black hole does: no answer, no error.

    with Networks(plan, directory) as networks:
        with networks.a:  # what is started, and each socket made in here, is in operator A's
            lab.edge_a.start()
        networks.swallow(6, plan.b)
"""

import contextlib
import ctypes
import os

from .plan import Operator, Plan
from .process import Program, run, wait_until

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why no network can be made here; None where it can."""
    done = run(["unshare", "--net", "ip", "link", "set", "lo", "up"], check=False)
    return None if done.returncode == 0 else done.stderr.strip() or "unshare --net fails"


class RoutedPlan(Plan):
    """The same addresses at any time, for nobody else is in these networks. Each operator's edge has
    both families outside; DNS gives both."""

    def __post_init__(self):
        self.resolver = "10.77.0.53"
        self.nameserver = "10.77.0.54"
        self.a = Operator("a", "opa.example", "alice", "10.77.1.", 440,
                          also_published="2001:db8:77:1::1")
        self.b = Operator("b", "opb.example", "bob", "10.77.2.", 880,
                          also_published="2001:db8:77:2::1")


class Network:
    """A network namespace. It lives as long as a process of its own; `with` enters it, for the main
    thread and what that starts."""

    def __init__(self, name, directory):
        self.program = Program(f"network {name}", ["unshare", "--net", "sleep", "infinity"],
                               os.path.join(directory, f"network-{name}.log"))
        self.outside = None

    def start(self):
        self.program.start()
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(self.path) != own, "the network is there",
                   watch=[self.program])
        self.ip("link", "set", "lo", "up")

    @property
    def path(self):
        return f"/proc/{self.program.pid}/ns/net"

    def ip(self, *args):
        run(["nsenter", f"--net={self.path}", "ip", *args])

    def __enter__(self):
        self.outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        inside = os.open(self.path, os.O_RDONLY)
        self._set(inside)
        os.close(inside)
        return self

    def __exit__(self, *_):
        self._set(self.outside)
        os.close(self.outside)

    @staticmethod
    def _set(descriptor):
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Networks:
    def __init__(self, plan, directory):
        self.plan = plan
        self.between = Network("between", directory)
        self.a = Network("a", directory)
        self.b = Network("b", directory)
        self.cleanup = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for network in (self.between, self.a, self.b):
                stack.callback(network.program.stop)
                network.start()
            for address in (self.plan.resolver, self.plan.nameserver):
                self.between.ip("address", "add", f"{address}/32", "dev", "lo")
            self._join(self.a, self.plan.a)
            self._join(self.b, self.plan.b)
            with self.between:
                for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                    with open(f"/proc/sys/net/{switch}", "w", encoding="ascii") as file:
                        file.write("1")
            self.cleanup = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.cleanup.close()

    def _join(self, network, operator):
        """A cable from an operator to the network between, with a router's address at that end."""
        cable, far = "cable", f"to-{operator.letter}"
        network.ip("link", "add", cable, "type", "veth", "peer", "name", far, "netns",
                   str(self.between.program.pid))
        six = operator.also_published.rsplit("::", 1)[0]
        for address in (operator.edge + "/24", operator.phone + "/24", f"{six}::1/64",
                        f"{six}::10/64"):
            network.ip("address", "add", address, "dev", cable, *_at_once(address))
        for address in (f"{operator.network}254/24", f"{six}::fe/64"):
            self.between.ip("address", "add", address, "dev", far, *_at_once(address))
        network.ip("link", "set", cable, "up")
        self.between.ip("link", "set", far, "up")
        network.ip("route", "add", "default", "via", f"{operator.network}254")
        network.ip("-6", "route", "add", "default", "via", f"{six}::fe")

    def swallow(self, family, operator, yes=True):
        """What goes to this operator's edge on this family is lost without a word, or is not."""
        address = f"{operator.edge}/32" if family == 4 else f"{operator.also_published}/128"
        self.between.ip(f"-{family}", "route", "add" if yes else "delete", "blackhole", address)


def _at_once(address):
    """An address of IPv6 can be used without a wait for whoever else has it."""
    return ["nodad"] if ":" in address else []
