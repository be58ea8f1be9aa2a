"""What hostile sources do to an edge, each for a while and from many addresses: for
tests/integration/test_attacks.py, and tests/bench/attack.py, which measures."""

import contextlib
import multiprocessing
import os
import select
import socket
import time
from dataclasses import dataclass, replace

from .pki import Leaf
from .plan import SIP_PORT, TLS_PORT
from .sip import tls_context

AT_ONCE = 300  # connections of an attack
SOURCES = 24  # their addresses: of each attack others, for some end up banned
STEP_S = 0.01
DOMAIN = "opc.example"  # what hostile peers prove
START = b"INVITE sip:alice@opa.example SIP/2.0\r\n"
VIA = b"Via: SIP/2.0/TLS opc.example;branch=z9hG4bK%d\r\n"
# the beginning of a ClientHello of 512 bytes
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(500)


@dataclass
class Target:
    lab: object
    address: str
    network: str  # "127.0.33.": where the attackers are
    first: int = 1  # of their addresses

    def source(self, number):
        return (self.network + str(self.first + number % SOURCES), 0)


class Swarm:
    """Many connections; `step` sends a little on each and says whether it is worth going on."""

    def __init__(self, target, port, step, at_once=AT_ONCE):
        self.target = target
        self.port = port
        self.step = step
        self.at_once = at_once
        self.made = 0
        self.open = {}

    def connect(self):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(self.target.source(self.made))
        sock.connect_ex((self.target.address, self.port))
        self.made += 1
        self.open[sock] = 0

    def close(self, sock):
        del self.open[sock]
        sock.close()

    def turn(self):
        while len(self.open) < self.at_once:
            self.connect()
        readable, writable, _ = select.select(self.open, self.open, [], STEP_S)
        for sock in readable:  # there is nothing to read for us but the end
            with contextlib.suppress(OSError):
                if sock.recv(65536):
                    continue
            self.close(sock)
        for sock in writable:
            if sock not in self.open:
                continue
            try:
                self.step(sock, self.open[sock])
                self.open[sock] += 1
            except OSError:
                self.close(sock)

    def run(self, end):
        while time.monotonic() < end:
            self.turn()
            time.sleep(STEP_S)
        for sock in list(self.open):
            self.close(sock)
        return self.made


def drip(text):
    """Byte after byte, the last one again and again."""
    def step(sock, sent):
        sock.send(text[sent:sent + 1] or text[-1:])
    return step


def pour(chunk):
    def step(sock, _sent):
        with contextlib.suppress(BlockingIOError):
            sock.send(chunk)
    return step


def half_open(target, end):
    return Swarm(target, TLS_PORT, lambda sock, sent: None).run(end)


def slow_tls(target, end):
    return Swarm(target, TLS_PORT, drip(HELLO)).run(end)


def slow_tcp(target, end):
    return Swarm(target, SIP_PORT, drip(START + b"X: " + b"a" * 10000)).run(end)


def endless_tcp(target, end):
    """No line end ever comes."""
    return Swarm(target, SIP_PORT, pour(b"a" * 65536), at_once=50).run(end)


def no_handshake(target, end):
    return Swarm(target, TLS_PORT, pour(b"GET / HTTP/1.1\r\n\r\n"), at_once=50).run(end)


def as_peer(target, end, chunks):
    """What a source does that has proven a domain: sends all of it, as often as it can."""
    context = tls_context(target.lab.pki, DOMAIN)
    made = 0
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            with socket.create_connection((target.address, TLS_PORT), 2,
                                          target.source(made)) as plain:
                with context.wrap_socket(plain, server_hostname="opa.example") as sock:
                    made += 1
                    for chunk in chunks():
                        sock.sendall(chunk)
                        if time.monotonic() > end:
                            break
                    sock.settimeout(0.2)
                    while sock.recv(65536):
                        pass
    return made


def giant_header(target, end):
    return as_peer(target, end, lambda: [START + b"X: "] + [b"a" * 65536] * 200)


def many_vias(target, end):
    """Far more than may be, and as many as fit into the longest header that is looked at."""
    some = START + b"".join(VIA % number for number in range(600)) + b"\r\n"
    one_line = START + b"Via: " + b",".join([VIA[5:-2] % 1] * 700) + b"\r\n\r\n"
    many = START + b"".join(VIA % number for number in range(10000)) + b"\r\n"
    return as_peer(target, end, lambda: [some, one_line, many])


def header_bomb(target, end):
    return as_peer(target, end, lambda: [START + b"a:\r\n" * 7000 + b"\r\n",
                                         START + b"a:\r\n" * 100000])


def endless_body(target, end):
    return as_peer(target, end,
                   lambda: [START + b"Content-Length: 4000000000\r\n\r\n"] + [b"a" * 65536] * 1000)


def request_flood(target, end):
    """Well-formed requests, as fast as they go."""
    request = (START + VIA % 1 + b"From: <sip:eve@opc.example>;tag=1\r\n"
               b"To: <sip:nobody@opa.example>\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\n"
               b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
    return as_peer(target, end, lambda: [b"".join(request % number for number in range(100))] * 100)


ATTACKS = {attack.__name__: attack for attack in (
    half_open, slow_tls, slow_tcp, endless_tcp, no_handshake, giant_header, many_vias, header_bomb,
    endless_body, request_flood)}


def prepare(lab):
    lab.pki.make(Leaf(DOMAIN, sip=(DOMAIN,), dns=(DOMAIN,)))


@contextlib.contextmanager
def under(name, target, seconds, nice=0):
    """The attack goes on, in a process of its own, as nice as that. Gives the time of its end; after
    the block the list has the number of connections that were made."""
    context = multiprocessing.get_context("fork")
    end = time.monotonic() + seconds
    made = []
    target = replace(target, first=1 + SOURCES * list(ATTACKS).index(name))
    results = context.Queue()

    def attack():
        os.nice(nice)
        results.put(ATTACKS[name](target, end))

    process = context.Process(target=attack, daemon=True)
    process.start()
    try:
        yield end, made
        made.append(results.get(timeout=30))
    finally:
        process.kill()
        process.join()


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


def cpu_s(pid):
    """Seconds of processor time that the process and its threads have had."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
