"""A junctord with its directory, certificate and log, and the `junctor` tool that talks to it."""

import json
import os
import re
import socket
from collections import namedtuple
from datetime import datetime
from signal import SIGHUP

from .plan import DNS_PORT, SIP_PORT, TLS_PORT
from .process import LabError, Program, run, wait_until
from .sip import uri_host
from .unix_http import UnixConnection

CONFIG = """\
workers = {workers}
log-level = "debug"
store {{ path = "{store}" }}
api {{ socket = "{socket}" {api} }}
{listeners}
allow = {{{allow}}}
certificate "{domain}" {{ chain = "{chain}" key = "{key}" {served} }}
trust {{ anchors = "{anchors}" {trust} }}
cores {{ check-ms = {core_check_ms} {cores} }}
dns {{ upstreams = {{"{resolver}"}} {dns} }}
{more}
"""

# A phone is called by TCP where the request is long (RFC 3261 section 18.1.1), and then opens
# connections of its own from this address.
PHONES = ("127.0.0.1/32",)

# One SIP message in the debug log: "sip: recv 180 Ringing side=inside transport=udp ..."
SIP_LINE = re.compile(
    r"^(?P<time>\S+Z) debug sip: (?P<way>recv|sent) (?P<start>.*?) side=(?P<side>\w+) "
    r"transport=(?P<transport>\w+) local=(?P<local>\S+) remote=(?P<remote>\S+) peer=(?P<peer>\S+) "
    r"call-id=(?P<call_id>.*?) cseq=\"(?P<cseq>[^\"]*)\"")

Place = namedtuple("Place", "family host port")
Hop = namedtuple("Hop", "edge time way start side transport local remote peer call_id cseq")


def source_root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tool_path(name):
    """Where the build put a program; JUNCTOR_BUILD names another build directory."""
    build = os.environ.get("JUNCTOR_BUILD") or os.path.join(source_root(), "build")
    path = os.path.join(build, "tools", name)
    if not os.access(path, os.X_OK):
        raise LabError(f"{path} is not built")
    return path


class Edge:
    """`inside`: transports with their ports; `core`: the next hop of the domain, a SIP URI."""

    def __init__(self, operator, plan, directory, pki, certificate, keep=False, workers=2,
                 inside=(("udp", SIP_PORT), ("tcp", SIP_PORT)), allow=PHONES, core=None, api="",
                 more=""):
        self.operator = operator
        self.plan = plan
        self.directory = directory
        self.pki = pki
        self.certificate = certificate
        self.workers = workers
        self.inside = inside
        self.allow = allow
        self.api = api  # further settings of its section
        self.more = more
        self.outside = ""  # further settings of the listener towards peers,
        self.served = ""  # of the certificate
        self.trust = ""  # of whom it believes,
        self.cores = ""  # and of the cores,
        self.dns = ""  # and of whom it asks
        self.core_check_ms = 0  # most tests read or count what cores get
        self.core = core or f"sip:{operator.phone}:{SIP_PORT};transport=udp"
        self.program = Program(f"edge {operator.letter.upper()}",
                               [tool_path("junctord"), "-c", self.path("junctord.conf")],
                               self.path("log"), keep)

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def socket(self):
        return self.path("api.sock")

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        with open(self.path("junctord.conf"), "w", encoding="ascii") as file:
            file.write(self.config())

    def listeners(self):
        lines = [f'inside "{transport}:{self.operator.edge}:{port}" {{ }}'
                 for transport, port in self.inside]
        return lines + [f'outside "tls:{self.operator.edge}:{TLS_PORT}" {{ {self.outside} }}']

    def config(self):
        return CONFIG.format(
            workers=self.workers, store=self.path("store"), socket=self.socket,
            api=self.api, listeners="\n".join(self.listeners()),
            allow=", ".join(f'"{net}"' for net in self.allow),
            domain=self.operator.domain, chain=self.pki.path(self.certificate + ".pem"),
            key=self.pki.path(self.certificate + ".key"), anchors=self.pki.anchors,
            served=self.served, trust=self.trust, cores=self.cores,
            core_check_ms=self.core_check_ms, resolver=f"{self.plan.resolver}:{DNS_PORT}",
            dns=self.dns, more=self.more)

    # -- running --------------------------------------------------------------------------

    def start(self):
        self.program.start()

    def ready(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(self.socket)
            except OSError:
                return False
        return True

    def wait_ready(self):
        wait_until(self.ready, f"{self.program.name} answers on its API socket",
                   watch=[self.program])

    def restart(self, kill=False):
        if kill:
            self.program.kill()
        else:
            self.program.stop(timeout_s=35)  # it may drain for 32 s
        self.start()
        self.wait_ready()

    def reload(self):
        self.program.send_signal(SIGHUP)

    # -- the tool ---------------------------------------------------------------------------

    def tool_argv(self, *args):
        return [tool_path("junctor"), "--socket", self.socket, *args]

    def tool(self, *args, check=True):
        return run(self.tool_argv(*args), check=check)

    def tool_json(self, *args):
        done = self.tool(*args, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise LabError(f"junctor {' '.join(args)} --json printed no JSON: {error}\n"
                           + done.stdout) from error

    def approve(self, port):
        """As the host that would lose the address, once it has been told."""
        def is_known():
            return any(known["id"] == port
                       for known in self.tool_json("port", "list", "--role", "losing")["ports"])
        wait_until(is_known, f"{self.operator.domain} is told of port {port}", 20)
        return self.tool("port", "approve", port)

    def stats(self):
        """What its workers count."""
        return self.tool_json("status")["edge"]

    def metrics(self):
        """Its /metrics: series, with their labels, to numbers."""
        link = UnixConnection(self.socket)
        link.request("GET", "/metrics")
        lines = link.getresponse().read().decode("ascii").splitlines()
        link.close()
        return {series: float(value) for series, _, value in
                (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def provision(self):
        """Puts the operator's domain and user into the directory."""
        self.tool("domain", "add", self.operator.domain, "--core", self.core)
        self.tool("address", "add", self.operator.address)

    # -- the log ----------------------------------------------------------------------------

    def mark(self):
        return len(self.program.log_text())

    def log(self, since=0):
        return self.program.log_text()[since:]

    def hops(self, since=0, call_id=None):
        """The SIP messages in its debug log, in order."""
        found = []
        for line in self.log(since).splitlines():
            match = SIP_LINE.match(line)
            if match and call_id in (None, match["call_id"]):
                fields = match.groupdict()
                fields["time"] = datetime.fromisoformat(fields["time"].replace("Z", "+00:00"))
                found.append(Hop(edge=self.operator.letter, **fields))
        return found

    def wait_log(self, pattern, since=0, timeout_s=5):
        """The first log line from there on that matches."""
        def find():
            for line in self.log(since).splitlines():
                if re.search(pattern, line):
                    return line
            return None
        return wait_until(find, f"{self.program.name} logs a line with {pattern!r}; it logged\n"
                          + self.program.log_tail(20), timeout_s, watch=[self.program])


class FamilyEdge(Edge):
    """Its inside is on the core's family, its outside on that of the link."""

    inside_at = None
    inside_tls_port = None
    outside_hosts = ()

    def listeners(self):
        inside = f"{uri_host(self.inside_at.host)}:{self.inside_at.port}"
        port = self.operator.tls_port
        tls = f"{uri_host(self.inside_at.host)}:{self.inside_tls_port}"
        return [f'inside "udp:{inside}" {{ }}', f'inside "tcp:{inside}" {{ }}',
                f'inside "tls:{tls}" {{ }}'] + [
            f'outside "tls:{uri_host(host)}:{port}" {{ }}' for host in self.outside_hosts]
