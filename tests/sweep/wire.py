"""Between the operators: each federation request has a connection of its own, which is passed on
here, counted, and befallen by what the case says. What is said inside is TLS and stays unknown;
where a request ends and its answer begins follows from who speaks."""

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

LATE_S = 1.5  # longer than the first retry takes
QUIET_S = 0.25  # after this much silence the answer is whole
LIMIT_S = 15  # of one connection


@dataclass(frozen=True)
class Fault:
    """`how`: "lost", "unanswered" (the request was acted on, its answer is lost: so it comes twice),
    "late", or when `victim` (a letter) is killed: "before", "answered" or "after"."""

    number: int  # of the message in its story, from 1
    how: str
    victim: str = ""

    def __str__(self):
        return f"message {self.number} {self.how}" + (f", kill {self.victim}" * bool(self.victim))


class Wire:
    """Listens where the SRV records lead, and passes on to the operators' edges. `kill` ends an
    operator, by its letter."""

    def __init__(self, kill):
        self.kill = kill
        self.lock = threading.Lock()
        self.fault = None
        self.count = 0
        self.struck = False
        self.open = 0
        self.sockets = []
        self.threads = []

    def listen(self, address, port, target):
        """From `address`:`port` to port `target` there."""
        listener = socket.create_server((address, port), backlog=64)
        self.sockets.append(listener)
        thread = threading.Thread(target=self._accept, args=(listener, (address, target)),
                                  daemon=True)
        self.threads.append(thread)
        thread.start()

    def close(self):
        for listener in self.sockets:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
            listener.close()
        for thread in self.threads:
            thread.join(5)

    def begin(self, fault=None):
        """The next connection is number 1."""
        with self.lock:
            self.fault, self.count, self.struck = fault, 0, False

    def idle(self):
        with self.lock:
            return self.open == 0

    # -- one connection ---------------------------------------------------------------------

    def _accept(self, listener, target):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.count += 1
                self.open += 1
                mine = self.fault if self.fault and self.fault.number == self.count else None
                self.struck = self.struck or mine is not None
            threading.Thread(target=self._serve, args=(near, target, mine), daemon=True).start()

    def _serve(self, near, target, fault):
        how = fault.how if fault else ""
        try:
            with contextlib.suppress(OSError):
                if how == "before":
                    self.kill(fault.victim)
                if how == "late":
                    time.sleep(LATE_S)
                if how != "lost":
                    with socket.create_connection(target, 5) as far:
                        self._relay(near, far, fault)
            if how == "after":
                self.kill(fault.victim)
        finally:
            cut(near)
            with self.lock:
                self.open -= 1

    def _relay(self, near, far, fault):
        """The client's second word is its last of the handshake, and its request: what comes from
        the server after that holds the answer."""
        hold = fault is not None and fault.how in ("unanswered", "answered")
        words, last, held = 0, None, b""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            ready = select.select([near, far], [], [], QUIET_S if held else LIMIT_S)[0]
            if not ready:
                break
            source = ready[0]
            data = source.recv(65536)
            if source is near and last is not near:
                words += 1
            last = source
            if not data:
                break
            if source is near:
                far.sendall(data)
            elif hold and words >= 2:
                held += data
            else:
                near.sendall(data)
        if fault is not None and fault.how == "answered":
            self.kill(fault.victim)
            near.sendall(held)
        elif fault is not None and fault.how == "unanswered":
            cut(far)


def cut(sock):
    """Ends it with a reset, so that nobody waits for more."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
