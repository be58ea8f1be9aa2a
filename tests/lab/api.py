"""A junctord for tests of its REST API, and plain clients of it: over the Unix socket, and over
HTTPS from any loopback address with a token. They send what they are told and judge nothing."""

import contextlib
import http.client
import json
import os
import shutil
import ssl
import tempfile
import time
from collections import namedtuple
from urllib.parse import quote

import pytest

from .edge import Edge
from .pki import Leaf, Pki
from .plan import SIP_PORT, TLS_PORT, free_plan
from .process import run, wait_until
from .sockets import free_port
from .unix_http import UnixConnection

LIMIT_S = 60  # of one answer: only a test that hangs ends by it
PROBLEM = "urn:junctor:problem:"
ANY = {"If-Match": "*"}
DRAIN_S = 35

CONFIG = """\
workers = 1
log-level = "debug"
store {{ path = "{store}" {store_more} }}
api {{ socket = "{socket}" listen = "{address}:{port}" certificate = "{chain}" key = "{key}"
      {api_more} }}
inside "udp:{address}:{sip}" {{ }}
outside "tls:{address}:{tls}" {{ }}
certificate "opa.example" {{ chain = "{chain}" key = "{key}" }}
trust {{ anchors = "{anchors}" }}
dns {{ upstreams = {{"127.0.0.1:9"}} attempt-timeout-ms = 50 timeout-ms = 50 }}
"""


class ApiDaemon(Edge):
    """A daemon that serves HTTPS on a port of its own; no DNS server and no core stand behind it.
    `store` and `api` are further settings of these sections, `wrap` goes before its command."""

    def __init__(self, plan, directory, store="", api="rate = 0", store_path=None, wrap=()):
        pki = Pki(os.path.join(directory, "pki"))
        super().__init__(plan.a, plan, directory, pki, "api")
        self.store_more = store
        self.api_more = api
        self.store_path = store_path or self.path("store")
        self.port = free_port(self.address)
        self.program.argv = [*wrap, *self.program.argv]

    @property
    def address(self):
        return self.operator.edge

    def configure(self):
        self.pki.make_ca()
        self.pki.make(Leaf("api", sip=("opa.example",), dns=("opa.example",)))
        super().configure()

    def config(self):
        return CONFIG.format(
            store=self.store_path, store_more=self.store_more, socket=self.socket,
            address=self.address, port=self.port, chain=self.pki.path("api.pem"),
            key=self.pki.path("api.key"), api_more=self.api_more, sip=SIP_PORT, tls=TLS_PORT,
            anchors=self.pki.anchors)

    def restart(self, kill=False):
        if kill:
            self.program.kill()
        else:
            assert self.program.stop(timeout_s=DRAIN_S) == 0
        self.start()
        self.wait_ready()

    # -- clients ------------------------------------------------------------------------------

    def root(self):
        """The administrator of this machine: on the Unix socket."""
        return Client(lambda: UnixConnection(self.socket))

    def client(self, token=None, source=None):
        """Somebody on the network, at the loopback address `source`."""
        return Client(lambda: self.tls_connection(source), token)

    def tls_connection(self, source=None):
        context = ssl.create_default_context(cafile=self.pki.anchors)
        context.check_hostname = False  # the certificate names a SIP domain and no IP address
        return http.client.HTTPSConnection(self.address, self.port, timeout=LIMIT_S,
                                           context=context,
                                           source_address=(source, 0) if source else None)

    def curl(self, path, *options, local=False):
        """curl's answer on the Unix socket, or over HTTPS with everything about it checked."""
        if local:
            options += ("--unix-socket", self.socket)
        else:
            options += ("--cacert", self.pki.anchors, "--connect-to",
                        f"opa.example:443:{self.address}:{self.port}")
        scheme = "http://localhost" if local else "https://opa.example"
        done = run(["curl", "-q", "-sS", "-i", "--http1.1", *options, scheme + path],
                   timeout_s=LIMIT_S)
        return Answer.parse(done.stdout)

    def sockets(self):
        """How many sockets the daemon has open."""
        return self._descriptors("socket:")

    def idle_sockets(self):
        """The same while nobody is connected: the fewest, as ended connections go in a moment."""
        counts = []
        for _ in range(50):
            counts.append(self.sockets())
            time.sleep(0.01)
        return min(counts)

    def _descriptors(self, kind):
        folder = f"/proc/{self.program.pid}/fd"
        count = 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += os.readlink(os.path.join(folder, name)).startswith(kind)
        return count


@contextlib.contextmanager
def api_daemon(request, **options):
    """A daemon that runs, in a folder of its own; a failed test of the module shows its log."""
    directory = tempfile.mkdtemp(prefix="junctor-api-")
    os.chmod(directory, 0o711)  # another user shall find its socket
    daemon = ApiDaemon(free_plan(), directory, **options)
    request.node.getparent(pytest.Module).lab = daemon  # for conftest.py
    daemon.programs = [daemon.program]
    try:
        daemon.configure()
        daemon.start()
        daemon.wait_ready()
        yield daemon
        daemon.program.check()  # it has not ended by itself
    finally:
        daemon.program.stop(timeout_s=DRAIN_S)
        shutil.rmtree(directory, ignore_errors=True)


class Answer(namedtuple("Answer", "status headers body")):
    """`headers` are (name, value) in the order in which they came."""

    @classmethod
    def parse(cls, text):
        """What `curl -i` printed."""
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        lines = head.split("\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        return cls(int(lines[0].split()[1]), headers, body.encode())

    def get(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def etag(self):
        return self.get("ETag")

    @property
    def problem(self):
        """The problem's type without its prefix; "" where this is no problem document."""
        if self.get("Content-Type") != "application/problem+json":
            return ""
        found = self.json
        assert found["status"] == self.status and found["title"] and found["detail"], found
        return found["type"].removeprefix(PROBLEM)

    @property
    def kind(self):
        """Status and problem, to be compared: "404 no-such-record", "201"."""
        return f"{self.status} {self.problem}".strip()

    def seen(self):
        """Everything of it that a client can tell from another answer, the time aside."""
        return (self.status, [pair for pair in self.headers if pair[0] != "Date"], self.body)


class Client:
    """`connect` makes a connection; each request has one of its own unless `kept` is used."""

    def __init__(self, connect, token=None):
        self.connect = connect
        self.token = token

    def send(self, connection, method, path, body=None, headers=None):
        """`body` is an object, or bytes that are sent as they are."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, body, {**sent, **(headers or {})})
        return connection.getresponse()

    def ask_on(self, connection, method, path, body=None, headers=None):
        response = self.send(connection, method, path, body, headers)
        return Answer(response.status, response.getheaders(), response.read())

    def ask(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            return self.ask_on(connection, method, path, body, headers)
        finally:
            connection.close()

    @contextlib.contextmanager
    def kept(self):
        """Requests of the block share one connection."""
        connection = self.connect()
        try:
            yield lambda *args, **more: self.ask_on(connection, *args, **more)
        finally:
            connection.close()

    # -- in one line --------------------------------------------------------------------------

    def done(self, method, path, body=None, headers=None):
        answer = self.ask(method, path, body, headers)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body!r}"
        return answer

    def get(self, path):
        return self.done("GET", path).json

    def post(self, path, body, key=None):
        return self.done("POST", path, body, {"Idempotency-Key": key} if key else None).json

    def refused(self, method, path, kind, body=None, headers=None):
        answer = self.ask(method, path, body, headers)
        assert answer.kind == kind, f"{method} {path}: {answer.status} {answer.body!r}"
        return answer

    def token_add(self, **fields):
        return self.post("/v1/tokens", fields)["token"]

    def pages(self, path, plural, limit=1000):
        """Every record of a list, page by page."""
        records, cursor = [], None
        while True:
            more = f"&cursor={quote(cursor)}" if cursor else ""
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{more}")
            records += page[plural]
            cursor = page["next"]
            if cursor is None:
                return records

    def journal(self, first=0):
        """Every entry from there on."""
        entries = []
        while True:
            page = self.get(f"/v1/journal?from={first}&limit=1000")
            entries += page["entries"]
            if page["next"] is None:
                return entries
            first = page["next"]

    def last_sequence(self):
        return self.get("/v1/journal?limit=1")["last"]

    def follow(self, last_id=None, query=""):
        """The events after the one with this id, else those that come."""
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        connection = self.connect()
        response = self.send(connection, "GET", "/v1/journal/events" + query, None, headers)
        if response.status != 200:
            answer = Answer(response.status, response.getheaders(), response.read())
            connection.close()
            return answer
        return Follower(connection, response)


class Follower:
    """A stream of server-sent events; iterating over it gives (id, entry) until it ends."""

    status = 200

    def __init__(self, connection, response):
        self.connection = connection
        self.response = response

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def __iter__(self):
        return self

    def __next__(self):
        fields = {}
        while True:
            line = self._line()
            if line == "\n" and fields:
                break
            name, colon, value = line.rstrip("\n").partition(":")
            if name and colon:  # else a comment
                fields[name] = value.removeprefix(" ")
        assert fields["event"] == "change", fields
        return int(fields["id"]), json.loads(fields["data"])

    def _line(self):
        try:
            line = self.response.readline()
        except (http.client.IncompleteRead, ConnectionError):
            line = b""
        if not line.endswith(b"\n"):  # an event that was cut is none
            raise StopIteration
        return line.decode()


def address_path(address):
    return "/v1/addresses/" + quote(address, safe="")


def wait_kind(client, method, path, kind):
    """Asks until the answer is this one."""
    return wait_until(lambda: client.ask(method, path).kind == kind, f"{method} {path}: {kind}",
                      timeout_s=LIMIT_S)
