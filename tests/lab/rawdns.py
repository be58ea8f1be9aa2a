"""A name server whose every answer a test chooses."""

import socket
import struct
import threading

from .plan import DNS_PORT

NOERROR, SERVFAIL, NOTIMP = 0, 2, 4
A, NS, SOA, SRV, NAPTR = 1, 2, 6, 33, 35


class Question:
    def __init__(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin1"))
            at += query[at] + 1
        self.name = ".".join(labels).lower()
        self.kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.wire = query[12:at + 5]


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(query, records, authority=(), rcode=NOERROR):
    """Records: (owner as it is on the wire, type, data)."""
    head = query[:2] + struct.pack("!5H", 0x8400 | rcode, 1, len(records), len(authority), 0)
    body = b"".join(owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
                    for owner, kind, data in [*records, *authority])
    return head + Question(query).wire + body


def truncated(query):
    return query[:2] + struct.pack("!5H", 0x8600, 1, 0, 0, 0) + Question(query).wire


def ask_tcp(address, query):
    with socket.create_connection((address, DNS_PORT), 2) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)
        with sock.makefile("rb") as file:
            return file.read(struct.unpack("!H", file.read(2))[0])


class RawDns:
    """Over UDP and TCP; `rule` gives the answer to a query, or None for none."""

    def __init__(self, address, rule):
        self.rule = rule
        self.ended = False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, DNS_PORT))
        self.tcp = socket.create_server((address, DNS_PORT))
        self.threads = [threading.Thread(target=serve, daemon=True)
                        for serve in (self._serve_udp, self._serve_tcp)]
        for sock in (self.udp, self.tcp):
            sock.settimeout(0.1)
        for thread in self.threads:
            thread.start()

    def _serve_udp(self):
        while not self.ended:
            try:
                query, peer = self.udp.recvfrom(4096)
                told = self.rule(query)
                if told:
                    self.udp.sendto(told if len(told) <= 1232 else truncated(query), peer)
            except OSError:
                continue

    def _serve_tcp(self):
        while not self.ended:
            try:
                with self.tcp.accept()[0] as peer, peer.makefile("rb") as file:
                    query = file.read(struct.unpack("!H", file.read(2))[0])
                    told = self.rule(query)
                    if told:
                        peer.sendall(struct.pack("!H", len(told)) + told)
            except (OSError, struct.error):  # also who connects and asks nothing
                continue

    def stop(self):
        self.ended = True
        for thread in self.threads:
            thread.join(10)
        self.udp.close()
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
