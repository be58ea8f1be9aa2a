"""A SIP user agent by hand: it sends exactly the bytes a test wants and shows exactly what came.

    alice = UdpAgent(plan.a.phone, SIP_PORT)
    invite = request("INVITE", "sip:bob@opb.example", alice, "sip:alice@opa.example")
    alice.send(invite, edge)
    ringing = alice.expect(180)
"""

import collections
import random
import select
import socket
import ssl
import time

from .process import LabError

CRLF = b"\r\n"


def token(length=10):
    return "".join(random.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))


def uri_host(address):
    """As it stands in a URI or a Via (RFC 3261 section 25.1)."""
    return f"[{address}]" if ":" in address else address


class Message:
    """One SIP message. Headers keep their order, spelling and bytes."""

    def __init__(self, start, headers=(), body=b""):
        self.start = start
        self.headers = list(headers)
        self.body = body
        self.source = None  # (address, port) it came from; a stream agent knows by itself
        self.raw = b""

    @classmethod
    def parse(cls, data):
        head, _, body = data.partition(CRLF + CRLF)
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        headers = []
        for line in lines[1:]:
            if line[:1] in " \t" and headers:  # folded
                headers[-1] = (headers[-1][0], headers[-1][1] + " " + line.strip())
                continue
            name, _, value = line.partition(":")
            headers.append((name.strip(), value.strip()))
        message = cls(lines[0], headers, body)
        message.raw = data
        return message

    def encode(self):
        """Content-Length is added unless the headers have one."""
        headers = self.headers
        if not self.all("Content-Length"):
            headers = headers + [("Content-Length", str(len(self.body)))]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return (self.start + "\r\n" + head + "\r\n").encode("utf-8", "surrogateescape") + self.body

    COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact",
               "l": "content-length", "c": "content-type"}

    def all(self, name):
        """The values of every header of this name, in order, one entry per line."""
        return [value for header, value in self.headers
                if self.COMPACT.get(header.lower(), header.lower()) == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def is_request(self):
        return not self.start.startswith("SIP/")

    @property
    def method(self):
        return self.start.split(" ")[0] if self.is_request else None

    @property
    def uri(self):
        return self.start.split(" ")[1]

    @property
    def status(self):
        return None if self.is_request else int(self.start.split(" ")[1])

    @property
    def branch(self):
        return parameter(self.get("Via"), "branch")

    @property
    def cseq_method(self):
        return self.get("CSeq").split()[1]

    def __repr__(self):
        return f"<{self.start} from {self.source}>"


def parameter(value, name):
    """A header parameter outside the angle brackets, or None."""
    tail = value.rsplit(">", 1)[-1]
    for part in tail.split(";")[1:]:
        key, _, text = part.partition("=")
        if key.strip().lower() == name:
            return text.strip()
    return None


def uri_of(value):
    """The URI of a From, To, Contact or Route header."""
    if "<" in value:
        return value.split("<", 1)[1].split(">", 1)[0]
    return value.split(";", 1)[0].strip()


def split_list(values):
    """One entry per Route or Via, whether they came in one line or in many."""
    entries = []
    for value in values:
        depth = 0
        start = 0
        for index, char in enumerate(value):
            depth += (char == "<") - (char == ">")
            if char == "," and depth == 0:
                entries.append(value[start:index].strip())
                start = index + 1
        entries.append(value[start:].strip())
    return entries


def request(method, uri, agent, sender, to=None, headers=(), body=b"", max_forwards=70):
    """A request outside a dialog."""
    base = [
        ("Via", agent.via()),
        ("Max-Forwards", str(max_forwards)),
        ("From", f"<{sender}>;tag={token()}"),
        ("To", f"<{to or uri}>"),
        ("Call-ID", f"{token(16)}@{uri_host(agent.address)}"),
        ("CSeq", f"1 {method}"),
    ]
    if method in ("INVITE", "SUBSCRIBE", "REFER", "UPDATE"):
        base.append(("Contact", f"<{agent.contact(sender)}>"))
    return Message(f"{method} {uri} SIP/2.0", base + list(headers), body)


def response(to_request, status, reason, tag=None, headers=(), body=b""):
    copied = [(name, value) for name, value in to_request.headers
              if name.lower() in ("via", "v", "from", "f", "call-id", "i", "cseq", "record-route")]
    to = to_request.get("To")
    if tag and parameter(to, "tag") is None:
        to += f";tag={tag}"
    return Message(f"SIP/2.0 {status} {reason}", copied + [("To", to)] + list(headers), body)


def ack_for(invite, answer):
    """The ACK to a failure: same branch, same hop (RFC 3261 section 17.1.1.3)."""
    headers = [(name, value) for name, value in invite.headers
               if name in ("From", "Call-ID", "Route", "Max-Forwards")]
    headers[0:0] = [("Via", invite.get("Via"))]
    return Message(invite.start.replace("INVITE", "ACK", 1), headers
                   + [("To", answer.get("To")), ("CSeq", invite.get("CSeq").split()[0] + " ACK")])


class Dialog:
    """One side of a dialog (RFC 3261 section 12)."""

    def __init__(self, agent, call_id, local, remote, target, routes, cseq):
        self.agent = agent
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = target
        self.routes = routes
        self.cseq = cseq

    @classmethod
    def of_caller(cls, agent, invite, answer):
        return cls(agent, invite.get("Call-ID"), invite.get("From"), answer.get("To"),
                   uri_of(answer.get("Contact")), split_list(answer.all("Record-Route"))[::-1],
                   int(invite.get("CSeq").split()[0]))

    @classmethod
    def of_callee(cls, agent, invite, answer):
        return cls(agent, invite.get("Call-ID"), answer.get("To"), invite.get("From"),
                   uri_of(invite.get("Contact")), split_list(invite.all("Record-Route")), 100)

    def request(self, method, headers=(), body=b""):
        if method != "ACK":
            self.cseq += 1
        base = [("Via", self.agent.via()), ("Max-Forwards", "70")]
        base += [("Route", route) for route in self.routes]
        base += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id),
                 ("CSeq", f"{self.cseq} {method}")]
        return Message(f"{method} {self.target} SIP/2.0", base + list(headers), body)


class Agent:
    """What UDP and stream agents share: an inbox, from which `expect` takes what fits."""

    transport = ""

    def __init__(self, address, port):
        self.address = address
        self.port = port
        self.inbox = collections.deque()

    def via(self, branch=None):
        return (f"SIP/2.0/{self.transport} {uri_host(self.address)}:{self.port}"
                f";branch={branch or 'z9hG4bK' + token(16)};rport")

    def contact(self, sender):
        user = sender.split(":", 1)[1].split("@")[0]
        return f"sip:{user}@{uri_host(self.address)}:{self.port}"

    def poll(self, what, timeout_s, call_id=None):
        """The next message that is this: a status, a method, or a function's choice. None when
        the time is over. Others are kept for later."""
        match = self._matcher(what, call_id)
        deadline = time.monotonic() + timeout_s
        while True:
            for message in list(self.inbox):
                if match(message):
                    self.inbox.remove(message)
                    return message
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._receive(left)

    def expect(self, what, timeout_s=3.0, call_id=None):
        """Like poll, but it must come."""
        message = self.poll(what, timeout_s, call_id)
        if message is None:
            raise LabError(f"no {what} within {timeout_s:g} s; there came {list(self.inbox)}")
        return message

    def expect_final(self, method, timeout_s=3.0, call_id=None):
        return self.expect(lambda message: not message.is_request and message.status >= 200
                           and message.cseq_method == method, timeout_s, call_id)

    @staticmethod
    def _matcher(what, call_id):
        def match(message):
            if call_id is not None and message.get("Call-ID") != call_id:
                return False
            if callable(what):
                return what(message)
            if isinstance(what, int):
                return message.status == what
            return message.method == what
        return match

    def _receive(self, timeout_s):
        raise NotImplementedError

    def answer(self, message, status, reason, **options):
        """A response, sent back to where the request came from."""
        reply = response(message, status, reason, **options)
        self.send(reply, message.source)
        return reply

    def send(self, message, to):
        raise NotImplementedError


class UdpAgent(Agent):
    transport = "UDP"

    def __init__(self, address, port):
        super().__init__(address, port)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, port))
        if port == 0:
            self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message, to):
        data = message if isinstance(message, bytes) else message.encode()
        self.socket.sendto(data, to)

    def _receive(self, timeout_s):
        if not select.select([self.socket], [], [], timeout_s)[0]:
            return
        data, source = self.socket.recvfrom(65536)
        if not data.strip():
            return  # a keep-alive
        message = Message.parse(data)
        message.source = source
        self.inbox.append(message)


class StreamAgent(Agent):
    """Over one TCP or TLS connection, made here or accepted."""

    def __init__(self, sock, transport):
        local = sock.getsockname()
        super().__init__(local[0], local[1])
        self.socket = sock
        self.transport = transport
        self.buffer = b""
        self.closed = False  # by the far side

    @classmethod
    def connect(cls, to, source=None, context=None, server_name=None, timeout_s=5):
        """Plain TCP, or TLS with a context."""
        sock = socket.create_connection(to, timeout_s, source and (source, 0))
        if context is None:
            return cls(sock, "TCP")
        return cls(context.wrap_socket(sock, server_hostname=server_name), "TLS")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message, to=None):
        self.socket.sendall(message if isinstance(message, bytes) else message.encode())

    def wait_closed(self, timeout_s=5):
        """Does the far side close the connection in this time?"""
        deadline = time.monotonic() + timeout_s
        while not self.closed and time.monotonic() < deadline:
            self._receive(deadline - time.monotonic())
        return self.closed

    def _receive(self, timeout_s):
        if self.closed:
            time.sleep(min(timeout_s, 0.05))
            return
        self.socket.settimeout(max(timeout_s, 0.001))
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        self.buffer += data
        self._frame()

    def _frame(self):
        while True:
            self.buffer = self.buffer.lstrip(CRLF)
            end = self.buffer.find(CRLF + CRLF)
            if end < 0:
                return
            message = Message.parse(self.buffer[:end + 4])
            length = int(message.get("Content-Length") or 0)
            if len(self.buffer) < end + 4 + length:
                return
            message = Message.parse(self.buffer[:end + 4 + length])
            self.buffer = self.buffer[end + 4 + length:]
            self.inbox.append(message)


class StreamServer:
    """Listens for connections: a core on TCP, or a far edge on TLS."""

    def __init__(self, address, port, context=None):
        self.context = context
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.create_server((address, port), family=family)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def accept(self, timeout_s=5):
        """The next connection as an agent; None if its TLS handshake failed."""
        self.socket.settimeout(timeout_s)
        sock, _ = self.socket.accept()
        sock.settimeout(timeout_s)
        if self.context is None:
            return StreamAgent(sock, "TCP")
        try:
            return StreamAgent(self.context.wrap_socket(sock, server_side=True), "TLS")
        except OSError:  # ssl.SSLError is one
            sock.close()
            return None


def tls_context(pki, certificate=None, server=False):
    """Trusts everybody (the edge is under test, not we); shows `certificate` if one is named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(pki.path(certificate + ".pem"), pki.path(certificate + ".key"))
    return context
