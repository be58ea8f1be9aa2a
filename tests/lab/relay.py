"""What stands in the way: a TCP relay whose connections can be cut, and a UDP relay that loses and
doubles datagrams."""

import random
import select
import socket
import struct
import threading

from .sip import Message


class TcpRelay:
    """Passes connections to (address, port) on to `target`, until it is told otherwise."""

    def __init__(self, address, port, target):
        self.target = target
        self.pairs = []
        self.lock = threading.Lock()
        self.accepted = 0
        self.socket = socket.create_server((address, port))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the accept
        self.thread.join(5)
        self.socket.close()
        self.cut()

    def cut(self):
        """Resets every connection. Returns how many there were."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for sock in pair:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                try:
                    sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
                except OSError:
                    pass  # closed by its own end
                sock.close()
        return len(pairs)

    def _accept(self):
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self.lock:
                self.accepted += 1
                self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        while True:
            try:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
            except OSError:
                break
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut meanwhile


class LossyUdp:
    """Between a user agent and an edge: what comes to `agent_side` from the agent leaves from
    `edge_side` to the edge, and the other way round. Of 100 datagrams `loss` are lost and
    `double` come twice, each way.

    What befalls the nth copy of a message follows from `seed`, n and what the message is (see
    message_key), so it is the same in every run, whatever the machine does meanwhile. No message
    is lost more than `most` times: fair chance alone would, now and then, lose every try that a
    transaction has."""

    def __init__(self, agent_side, agent, edge_side, edge, loss=20, double=20, most=2, seed=1):
        self.seed = seed
        self.loss = loss
        self.double = double
        self.most = most
        self.copies = {}  # of each message: how many came, how many of them were lost
        self.lost = self.doubled = self.passed = 0
        self.near = self._bind(agent_side)
        self.far = self._bind(edge_side)
        self.targets = {self.near: (self.far, edge), self.far: (self.near, agent)}
        self.wake, self.waker = socket.socketpair()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _bind(address):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(address)
        return sock

    def close(self):
        self.waker.send(b"x")
        self.thread.join(5)
        for sock in (self.near, self.far, self.wake, self.waker):
            sock.close()

    def _run(self):
        while True:
            readable = select.select([self.near, self.far, self.wake], [], [])[0]
            if self.wake in readable:
                return
            for source in readable:
                data = source.recv(65536)
                sink, to = self.targets[source]
                for _ in range(self._copies((source is self.near, *message_key(data)))):
                    sink.sendto(data, to)

    def _copies(self, key):
        came, lost = self.copies.get(key, (0, 0))
        chance = random.Random(f"{self.seed} {key} {came}")
        lose = lost < self.most and chance.randrange(100) < self.loss
        self.copies[key] = (came + 1, lost + lose)
        if lose:
            self.lost += 1
            return 0
        self.passed += 1
        if chance.randrange(100) < self.double:
            self.doubled += 1
            return 2
        return 1


def message_key(data):
    """What stays the same from one retransmission, and from one run, to the next: method or status,
    Call-ID and CSeq."""
    message = Message.parse(data)
    return (message.method or message.status, message.get("Call-ID"), message.get("CSeq"))
