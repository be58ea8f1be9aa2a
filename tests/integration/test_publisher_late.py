"""An update that comes late: its sender had no answer, and sent another one since."""

import os
import socket
import threading

import pytest
from lab.pki import Leaf
from lab.process import wait_until
from test_publisher import WAIT_S, daemon, kind, text  # noqa: F401  (fixtures)

UPDATE = 5  # opcode


def read(link, length):
    data = b""
    while len(data) < length:
        more = link.recv(length - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def message(link):
    head = read(link, 2)
    return head + read(link, int.from_bytes(head, "big"))


class Delay:
    """Between the daemon and its primary: keeps one update, and hands it on ahead of the next one."""

    def __init__(self, port):
        self.primary = port
        self.hold = False
        self.held = None
        self.came_late = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                link, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(link,), daemon=True).start()
        except OSError:
            pass

    def ask(self, question):
        with socket.create_connection(("127.0.0.1", self.primary)) as link:
            link.sendall(question)
            return message(link)

    def serve(self, link):
        with link:
            try:
                while True:
                    question = message(link)
                    if question[4] >> 3 & 15 == UPDATE and self.hold:
                        if not self.held:
                            self.held = question
                            return  # the connection breaks: what became of it is not known
                        self.hold = False
                        self.ask(self.held)
                        self.came_late = True
                    link.sendall(self.ask(question))
            except OSError:
                pass


def change_certificate(daemon):
    """The key that TLSA names."""
    for name in ("api.key", "api.pem"):
        os.unlink(daemon.pki.path(name))
    daemon.pki.make(Leaf("api", sip=("opa.example",), dns=("opa.example",)))
    daemon.reload()


@pytest.mark.parametrize("restarted", [False, True])
def test_an_update_that_comes_late_is_known(daemon, restarted):  # noqa: F811
    delay = Delay(daemon.primary.port)
    daemon.primary.conf = lambda: (f'zone "opa.example" {{ primary = "127.0.0.1:{delay.port}" '
                                   f'tsig = "{daemon.primary.path("tsig.key")}" }}\n')
    daemon.configure()
    daemon.restart()
    daemon.wait_current()
    delay.hold = True
    change_certificate(daemon)
    wait_until(lambda: delay.held, "the first update is held", WAIT_S)
    change_certificate(daemon)
    if restarted:
        daemon.restart(kill=True)
    wait_until(lambda: delay.came_late, "the second one follows it", WAIT_S)
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
    assert "was changed by somebody else" not in daemon.log()
    delay.listener.close()
