"""SIPp (Debian package sip-tester) as a core with its phones: scenarios are lists of steps, made
into the XML that SIPp reads. What does not come as the scenario says, fails it.

    callee = Sipp("callee", directory, plan.b.phone, [
        receive("INVITE"), answer(486, "Busy Here"), receive("ACK")])
"""

import os
from xml.sax.saxutils import quoteattr

from .dns import find_program
from .plan import SIP_PORT
from .process import LabError, Program, wait_until

LIMIT_S = 10  # for one scenario
SDP = """\
v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 4000 RTP/AVP 8
"""


# ---- steps ----

def send(message, retransmit_ms=0):
    """SIPp wants its own lines without indentation; [len] counts the body."""
    again = f' retrans="{retransmit_ms}"' if retransmit_ms else ""
    return f"<send{again}><![CDATA[\n\n{message}\n]]></send>"


def receive(what, optional=False, keep_vias=False):
    """A request's method or a response's status. `keep_vias`: a later answer needs those of this
    request, see `answer_invite`."""
    kind = "request" if isinstance(what, str) else "response"
    attributes = f'{kind}="{what}"' + (' optional="true"' if optional else "")
    if isinstance(what, str) or 100 < what < 300:
        attributes += ' rrs="true"'  # [routes] and [next_url] are its own from here on
    if not keep_vias:
        return f"<recv {attributes}></recv>"
    # a proxy puts its Via and Record-Route before those of the hops before it
    pattern = "((Via|Record-Route):[^[:cntrl:]]*[[:cntrl:]]+)+"
    return (f"<recv {attributes}><action><ereg regexp={quoteattr(pattern)} search_in=\"msg\" "
            "assign_to=\"vias,one,two\"/></action></recv>")


def pause(milliseconds):
    return f'<pause milliseconds="{milliseconds}"/>'


def provisional(what=(100, 180, 183)):
    return "".join(receive(status, optional=True) for status in what)


# ---- messages ----

def _message(lines, body="", content_type="application/sdp"):
    if body:
        lines = lines + [f"Content-Type: {content_type}"]
    return "\n".join(lines + ["Content-Length: [len]", "", body])


def request(method, caller, called, headers=(), body="", **options):
    """Outside a dialog: its Request-URI is the address."""
    return send(_message([
        f"{method} sip:{called} SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "Max-Forwards: 70",
        f"From: <sip:{caller}>;tag=caller",
        f"To: <sip:{called}>",
        "Call-ID: [call_id]",
        f"CSeq: 1 {method}",
        "Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>", *headers],
        body, **options), 500)


def cancel(caller, called):
    """After an answer to the INVITE, which has its Via."""
    return send(_message([
        f"CANCEL sip:{called} SIP/2.0",
        "[last_Via:]",
        "Max-Forwards: 70",
        f"From: <sip:{caller}>;tag=caller",
        f"To: <sip:{called}>",
        "Call-ID: [call_id]",
        "CSeq: 1 CANCEL"]), 500)


def ack_of_failure(caller, called):
    return send(_message([
        f"ACK sip:{called} SIP/2.0",
        "[last_Via:]",
        "Max-Forwards: 70",
        f"From: <sip:{caller}>;tag=caller",
        "[last_To:]",
        "Call-ID: [call_id]",
        "CSeq: 1 ACK"]))


def within(method, number, caller, called, headers=(), body=""):
    """The caller's, in the dialog that a response made."""
    return send(_message([
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "Max-Forwards: 70",
        "[routes]",
        f"From: <sip:{caller}>;tag=caller",
        f"To: <sip:{called}>[peer_tag_param]",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>", *headers],
        body), 0 if method == "ACK" else 500)


def from_callee(method, number, caller, called, headers=(), body=""):
    """The callee's, in the dialog that it answered."""
    return send(_message([
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "Max-Forwards: 70",
        "[routes]",
        f"From: <sip:{called}>;tag=callee",
        f"To: <sip:{caller}>;tag=caller",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>", *headers],
        body), 500)


def answer(status, reason, headers=(), body="", tag="callee", retransmit_ms=0):
    """To the request received last. `tag`: of To; None where the request has one."""
    return send(_message([
        f"SIP/2.0 {status} {reason}", "[last_Via:]", "[last_Record-Route:]", "[last_From:]",
        "[last_To:]" + (f";tag={tag}" if tag else ""), "[last_Call-ID:]", "[last_CSeq:]",
        "Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>", *headers], body),
        retransmit_ms)


def answer_invite(status, reason, caller, called, body="", tag="callee", retransmit_ms=0):
    """To the INVITE whose Vias were kept, after other requests."""
    return send(_message([
        f"SIP/2.0 {status} {reason}",
        f"[$vias]From: <sip:{caller}>;tag=caller",
        f"To: <sip:{called}>;tag={tag}", "Call-ID: [call_id]", "CSeq: 1 INVITE",
        "Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>"], body),
        retransmit_ms)


class Sipp:
    """One call of a scenario. `remote`: where a caller sends; a callee has none."""

    def __init__(self, name, directory, address, steps, remote=None, transport="udp"):
        self.name = name
        self.address = address
        self.transport = transport
        self.base = os.path.join(directory, "sipp-" + name)
        self.is_caller = remote is not None
        with open(self.base + ".xml", "w", encoding="ascii") as file:
            file.write(self._scenario(steps))
        argv = [find_program("sipp"), "-sf", self.base + ".xml", "-i", address,
                "-p", str(SIP_PORT), "-t", "t1" if transport == "tcp" else "u1", "-m", "1",
                "-nostdin", "-timeout", f"{LIMIT_S}s", "-timeout_error", "-nd",
                "-trace_err", "-error_file", self.base + ".errors",
                "-trace_msg", "-message_file", self.base + ".messages"]
        self.program = Program(name, argv + ([f"{remote[0]}:{remote[1]}"] if remote else []),
                               self.base + ".log", env={**os.environ, "TERM": "dumb"})

    def _scenario(self, steps):
        text = "\n".join(steps)
        kept = '<Reference variables="one,two"/>\n' if "assign_to=\"vias" in text else ""
        return (f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{self.name}">\n'
                f"{text}\n{kept}</scenario>\n")

    def start(self):
        self.program.start()
        if not self.is_caller:
            wait_until(self._listens, f"SIPp ({self.name}) listens", watch=[self.program])

    def _listens(self):
        """Of the kernel, for a try would be part of the scenario."""
        octets = [int(octet) for octet in self.address.split(".")]
        wanted = "".join(f"{octet:02X}" for octet in reversed(octets)) + f":{SIP_PORT:04X}"
        with open("/proc/net/" + self.transport, encoding="ascii") as table:
            return any(row.split()[1] == wanted for row in table)

    def finish(self):
        """Its scenario must have gone as written."""
        wait_until(lambda: not self.program.alive(), f"SIPp ({self.name}) ends", LIMIT_S + 5)
        status = self.program.process.returncode
        if status != 0:
            raise LabError(f"SIPp ({self.name}): exit status {status}; {self._told('errors')}\n"
                           + self._told("messages"))

    def _told(self, kind):
        try:
            with open(f"{self.base}.{kind}", encoding="latin-1") as file:
                return file.read()[-6000:]
        except FileNotFoundError:
            return f"it wrote no {kind}"

    def stop(self):
        self.program.kill()
