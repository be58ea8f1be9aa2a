"""A baresip phone: the operator's whole core. It sends everything to the edge (outbound proxy) and is itself
the next hop of its domain; nothing registers."""

import collections
import glob
import json
import math
import os
import re
import socket
import struct
import threading
import time
import wave

from .plan import CONTROL_PORT, SIP_PORT
from .process import LabError, Program, wait_until

CONFIG = """\
poll_method             epoll
sip_listen              {address}:{port}
net_interface           {address}
call_local_timeout      60
call_max_calls          4
module_path             {modules}
audio_source            aufile,{tone}
audio_channels          1
ausrc_srate             8000
auplay_srate            8000
audio_txmode            thread
rtp_ports               {rtp_first}-{rtp_last}
rtp_stats               yes
statmode_default        off
jitter_buffer_delay     5-10
ctrl_tcp_listen         {address}:{control}
module                  g711.so
module                  aufile.so
module_tmp              uuid.so
module_tmp              account.so
module_app              contact.so
module_app              menu.so
module_app              ctrl_tcp.so
"""

# baresip puts a transport parameter of its account into every URI it dials; so only the outbound
# proxy carries one, and sip:bob@opb.example stays as it is.
ACCOUNT = ('<sip:{user}@{domain}>;regint=0;outbound="sip:{edge}:{port};transport={transport}"'
           ";answermode={answer};audio_codecs=pcma\n")

WATCH_S = 0.2  # so often a phone that waits looks whether others still run
TONE_SECONDS = 60
RATE = 8000
RTP_PORTS = {"a": (30300, 30338), "b": (30400, 30438)}

Sdp = collections.namedtuple("Sdp", "address port")
RtpCount = collections.namedtuple("RtpCount", "sent received")


def find_modules():
    for place in ("/usr/lib", "/usr/lib/*-linux-*", "/usr/lib64", "/usr/local/lib"):
        for found in glob.glob(place + "/baresip/modules/g711.so"):
            return os.path.dirname(found)
    raise LabError("baresip's modules are not installed (Debian package baresip-core)")


def write_tone(path, hertz):
    second = b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * hertz * n / RATE)))
                      for n in range(RATE))
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(second * TONE_SECONDS)


class Control:
    """baresip's control connection: JSON in netstrings; events come in between the answers."""

    def __init__(self, address):
        self.socket = socket.create_connection((address, CONTROL_PORT), timeout=2)
        self.socket.settimeout(None)
        self.events = []  # all of them, with "at": when they came, monotonic seconds
        self.answers = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the phone went first
        self.socket.close()
        self.reader.join(2)

    def command(self, name, params="", timeout_s=5):
        text = json.dumps({"command": name, "params": params, "token": "lab"}).encode()
        with self.changed:
            before = len(self.answers)
            try:
                self.socket.sendall(b"%d:%s," % (len(text), text))
            except OSError as error:
                raise LabError(f"the phone takes no command: {error.strerror}") from error
            if not self.changed.wait_for(lambda: len(self.answers) > before, timeout_s):
                raise LabError(f"the phone gives no answer to its command {name}")
            return self.answers[-1]

    def event(self, kind, timeout_s, since=0, **fields):
        """The first event of this kind, from index `since` on, whose fields are as given."""
        def find():
            for event in self.events[since:]:
                if event["type"] in kind and fields.items() <= event.items():
                    return event
            return None

        with self.changed:
            return self.changed.wait_for(find, timeout_s)

    def _read(self):
        buffer = b""
        while True:
            try:
                chunk = self.socket.recv(65536)
            except OSError:
                return
            if not chunk:
                return
            buffer += chunk
            buffer = self._take(buffer)

    def _take(self, buffer):
        while b":" in buffer:
            length, rest = buffer.split(b":", 1)
            if len(rest) < int(length) + 1:
                break
            item = json.loads(rest[:int(length)])
            buffer = rest[int(length) + 1:]
            with self.changed:
                if item.get("event"):
                    item["at"] = time.monotonic()
                    self.events.append(item)
                else:
                    self.answers.append(item)
                self.changed.notify_all()
        return buffer


class Phone:
    """`transport`: between phone and edge; `answer`: "auto", or "manual" (then call accept);
    `users`: of the operator's domain, who have this phone besides the operator's own."""

    def __init__(self, operator, peer, directory, transport="udp", answer="manual", keep=False,
                 users=()):
        self.operator = operator
        self.peer = peer  # the other operator: its user is the phone's only contact
        self.directory = directory
        self.transport = transport
        self.answer = answer
        self.users = (operator.user, *users)
        self.control = None
        self.watch = ()  # programs without which waiting for an event makes no sense
        self.program = Program(f"{operator.user}'s phone", ["baresip", "-4", "-s", "-f", directory],
                               os.path.join(directory, "log"), keep)

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        tone = os.path.join(self.directory, "tone.wav")
        write_tone(tone, self.operator.hertz)
        first, last = RTP_PORTS[self.operator.letter]
        self._write("config", CONFIG.format(
            address=self.operator.phone, port=SIP_PORT, modules=find_modules(), tone=tone,
            rtp_first=first, rtp_last=last, control=CONTROL_PORT))
        self._write("accounts", "".join(ACCOUNT.format(
            user=user, domain=self.operator.domain, edge=self.operator.edge, port=SIP_PORT,
            transport=self.transport, answer=self.answer) for user in self.users))
        self._write("contacts", f'"peer" <sip:{self.peer.address}>\n')

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        self.program.start()

    def ready(self):
        """Takes the control connection as soon as there is one."""
        if self.control is None:
            try:
                self.control = Control(self.operator.phone)
            except OSError:
                return False
        return True

    def stop(self):
        if self.control:
            self.control.close()
            self.control = None

    # -- calls ------------------------------------------------------------------------------

    def mark(self):
        """A place in the event log; pass it as `since` to see only what comes later."""
        return len(self.control.events)

    def dial(self, uri):
        """Returns when the INVITE was asked for, monotonic seconds."""
        at = time.monotonic()
        self.control.command("dial", uri)
        return at

    def accept(self):
        self.control.command("accept")

    def hang_up(self):
        self.control.command("hangup")

    def transfer(self, uri):
        """The far side of the call is asked to call this instead."""
        self.control.command("transfer", uri)

    def message(self, text):
        """To the phone's only contact, the other operator's user."""
        self.control.command("message", text)

    def wait_event(self, kind, timeout_s=10, since=0, **fields):
        kinds = (kind,) if isinstance(kind, str) else kind
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = deadline - time.monotonic()
            event = self.control.event(kinds, max(0, min(left_s, WATCH_S)), since, **fields)
            if event is not None:
                return event
            for program in (self.program, *self.watch):
                program.check()
            if left_s <= 0:
                raise LabError(f"{self.operator.user}'s phone: no {' or '.join(kinds)} within "
                               f"{timeout_s:g} s; its log ends\n{self.program.log_tail(40)}")

    def wait_incoming(self, timeout_s=10, since=0):
        return self.wait_event("CALL_INCOMING", timeout_s, since)

    def wait_established(self, timeout_s=10, since=0):
        return self.wait_event("CALL_ESTABLISHED", timeout_s, since)

    def wait_closed(self, timeout_s=10, since=0, call_id=None):
        fields = {"id": call_id} if call_id else {}
        return self.wait_event("CALL_CLOSED", timeout_s, since, **fields)

    # -- what its log tells ---------------------------------------------------------------

    def trace(self, since=0):
        """The SIP messages in its log from this byte on, as (from, to, text), line ends bare."""
        text = self.program.log_text()[since:].replace("\r", "")
        pattern = r"\x1b\[36;1m#\n\w+ (\S+) -> (\S+)\n(.*?)\x1b\[;m"
        return [match.groups() for match in re.finditer(pattern, text, re.S)]

    def received(self, since=0):
        """The texts of those that came to it; by a connection of its own too, which may start at
        any port."""
        at, edge = (f"{host}:{SIP_PORT}" for host in (self.operator.phone, self.operator.edge))
        return [text for sender, to, text in self.trace(since) if to == at or sender == edge]

    def log_size(self):
        return len(self.program.log_text())

    def wait_message(self, text, since=0, timeout_s=5):
        """baresip 1.0.0 shows a MESSAGE it got in its SIP trace only. Returns it whole."""
        def find():
            for message in self.received(since):
                if message.startswith("MESSAGE ") and message.endswith("\n\n" + text):
                    return message
            return None
        return wait_until(find, f"{self.operator.user}'s phone gets the MESSAGE", timeout_s,
                          watch=[self.program])

    def wait_answer(self, method, since=0, timeout_s=5):
        """The start line of the final response it got to its own request of this method."""
        def find():
            for message in self.received(since):
                final = re.match(r"SIP/2\.0 ([2-6]\d\d .*)", message)
                if final and re.search(rf"(?mi)^CSeq: *\d+ {method}$", message):
                    return final.group(1)
            return None
        return wait_until(find, f"{self.operator.user}'s phone gets an answer to its {method}",
                          timeout_s, watch=[self.program])

    def warning(self, since=0):
        """What the Warning header of the last failure says that it got; None without one."""
        for message in reversed(self.received(since)):
            if re.match(r"SIP/2\.0 [3-6]", message):
                found = re.search(r'(?mi)^Warning: *\d+ \S+ "(.*)"$', message)
                return found and re.sub(r"\\(.)", r"\1", found.group(1))
        return None

    def remote_sdp(self, call_id, since=0):
        """Where the far side wants its audio, as this phone was told."""
        for message in self.received(since):
            if f"\nCall-ID: {call_id}\n" not in message:
                continue
            address = re.search(r"(?m)^c=IN IP4 (\S+)$", message)
            port = re.search(r"(?m)^m=audio (\d+) ", message)
            if address and port:
                return Sdp(address.group(1), int(port.group(1)))
        raise LabError(f"{self.operator.user}'s phone was sent no session description")

    def rtp_count(self, since=0, timeout_s=3):
        """What its statistics say after the call."""
        def find():
            return re.search(r"(?m)^packets: +(\d+) +(\d+)",
                             self.program.log_text()[since:])
        found = wait_until(find, f"{self.operator.user}'s phone prints its RTP statistics", timeout_s)
        return RtpCount(int(found.group(1)), int(found.group(2)))
