"""What the tests of the command-line tool share: a daemon with an empty directory, a DNS server of a
few records, sockets that misbehave, and TAP.

Runs ./tools/junctor and ./tests/api/api_daemon of the build folder.
"""
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback

BUILD = os.environ.get("top_builddir", os.getcwd())
TOOL = os.path.join(BUILD, "tools/junctor")
DAEMON = os.path.join(BUILD, "tests/api/api_daemon")
CORE = "sip:127.0.21.2:5060;transport=udp"
DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3
LIMIT_S = 60  # ends a test that hangs; nothing waits for time to pass

# ---- DNS ----

A, AAAA, SRV, NAPTR = 1, 28, 33, 35


def name_encode(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def text_encode(text):
    return bytes([len(text)]) + text.encode()


ZONE = {
    ("opb.example", NAPTR): [
        struct.pack("!HH", 10, 10) + text_encode("s") + text_encode("SIPS+D2T") + text_encode("")
        + name_encode("_sips._tcp.opb.example")
    ],
    ("_sips._tcp.opb.example", SRV): [
        struct.pack("!HHH", 20, 10, 5062) + name_encode("edge2.opb.example"),
        struct.pack("!HHH", 10, 10, 5061) + name_encode("edge1.opb.example"),
    ],
    ("edge1.opb.example", A): [socket.inet_aton("192.0.2.1")],
    ("edge2.opb.example", A): [socket.inet_aton("192.0.2.2")],
    ("edge2.opb.example", AAAA): [socket.inet_pton(socket.AF_INET6, "2001:db8::2")],
}


def dns_answer(question):
    ident, flags, _ = struct.unpack("!HHH", question[:6])
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
        at += 1 + question[at]
    name, kind = ".".join(labels), struct.unpack("!H", question[at + 1:at + 3])[0]
    records = ZONE.get((name, kind), [])
    rcode = 0 if any(known == name for known, _ in ZONE) else 3
    header = struct.pack("!HHHHHH", ident, 0x8180 | (flags & 0x0100) | rcode, 1, len(records), 0, 0)
    body = question[12:at + 5]
    for data in records:
        body += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(data)) + data
    return header + body


def dns_serve(sock):
    while True:
        question, peer = sock.recvfrom(4096)
        if not question:
            return
        sock.sendto(dns_answer(question), peer)


# ---- what the tests run ----


class Daemon:
    """api_daemon with a directory and a DNS server of its own."""

    def __init__(self, map_mib=16):
        self.folder = tempfile.mkdtemp(prefix="junctor-tool-")
        self.socket = os.path.join(self.folder, "api.sock")
        self.dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.dns.bind(("127.0.0.1", 0))
        threading.Thread(target=dns_serve, args=(self.dns,), daemon=True).start()
        upstream = "127.0.0.1:%d" % self.dns.getsockname()[1]
        self.log = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would fill
        self.process = subprocess.Popen(
            [DAEMON, os.path.join(self.folder, "store"), self.socket, upstream,
             str(map_mib)],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("api_daemon: " + self.log_read())

    def log_read(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        """Ends it; returns its exit code and its log."""
        self.process.terminate()
        self.process.communicate(timeout=60)
        self.dns.sendto(b"", self.dns.getsockname())
        shutil.rmtree(self.folder)
        return self.process.returncode, self.log_read()

    def run(self, *words, code=DONE, environment=None, says=False, stdin=None):
        """Runs the tool; returns its two outputs. `says`: it may use standard error when done."""
        environment = {**os.environ, "JUNCTOR_SOCKET": self.socket, **(environment or {})}
        done = subprocess.run([TOOL, *words], capture_output=True, timeout=LIMIT_S, input=stdin,
                              env=environment, check=False)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        said = "junctor %s: exit code %d: %s%s" % (" ".join(words), done.returncode, done.stdout,
                                                   done.stderr)
        assert done.returncode == code, said
        if code == USAGE:
            assert "usage: junctor" in done.stderr, said
        if code != DONE and "route" not in words and "--json" not in words:
            assert done.stdout == "" and "junctor: " in done.stderr, said
        if code == DONE and not says:
            assert done.stderr == "", said
        return done.stdout, done.stderr

    def json(self, *words, code=DONE, says=False, stdin=None):
        return json.loads(self.run("--json", *words, code=code, says=says, stdin=stdin)[0])

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """A file of the daemon's folder; returns its path."""
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def fill(self):
        self.run("domain", "add", "opa.example", "--core", CORE)
        self.run("address", "add", "Alice@opa.example")
        self.run("address", "add", "carol@opa.example", "--hosting", "opb.example")


class Script:
    """A socket that gives one answer per connection, in order, and keeps what was asked."""

    def __init__(self, daemon, *answers):
        self.path = os.path.join(daemon.folder, "script.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.asked = []
        self.thread = threading.Thread(target=self.serve, args=answers, daemon=True)
        self.thread.start()

    def serve(self, *answers):
        for answer in answers:
            connection, _ = self.listener.accept()
            self.asked.append(connection.recv(4096).decode())
            connection.sendall(b"HTTP/1.1 " + answer)
            connection.close()

    def stop(self):
        self.thread.join(60)
        self.listener.close()
        os.unlink(self.path)


def http_answer(head, body):
    return ("%s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (head, len(body), body)).encode()


class Relay:
    """Between tool and daemon: shows each request to `look(method, path, body)` before it goes on.
    What that answers decides: None: the request goes on; "lose": it goes on, but its answer is
    dropped with the connection; bytes: that is the answer."""

    def __init__(self, daemon, look):
        self.path = os.path.join(daemon.folder, "relay.sock")
        self.far = daemon.socket
        self.look = look
        self.requests = []  # (method, path, headers)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connection, args=(near,), daemon=True).start()

    def connection(self, near):
        stream = near.makefile("rb")
        with near, stream, socket.socket(socket.AF_UNIX) as far:
            far.connect(self.far)
            answers = far.makefile("rb")
            while head := read_head(stream):
                body = stream.read(head_length(head))
                method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
                self.requests.append((method, path, head.decode()))
                verdict = self.look(method, path, body)
                if isinstance(verdict, bytes):
                    near.sendall(b"HTTP/1.1 " + verdict)
                    return
                far.sendall(head + body)
                answer = read_head(answers)
                answer += answers.read(head_length(answer))
                if verdict == "lose":
                    return
                near.sendall(answer)

    def keys(self):
        """The Idempotency-Key of each POST."""
        return [line.split(": ", 1)[1] for method, _, head in self.requests
                for line in head.split("\r\n")
                if method == "POST" and line.lower().startswith("idempotency-key: ")]

    def stop(self):
        self.listener.close()
        os.unlink(self.path)


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head


def head_length(head):
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


# ---- TAP ----


class Skip(Exception):
    """Why a test cannot run here."""


def run_one(test):
    daemon = Daemon()
    try:
        test(daemon)
    except Skip:
        daemon.stop()
        raise
    except Exception:  # pylint: disable=broad-except
        code, log = daemon.stop()
        return traceback.format_exc() + log
    code, log = daemon.stop()
    return "" if code == 0 else "api_daemon ended with %d:\n%s" % (code, log)


def main(tests):
    failures = 0
    print("1..%d" % len(tests), flush=True)
    for number, test in enumerate(tests, 1):
        skip = ""
        try:
            trouble = run_one(test)
        except Skip as reason:
            trouble, skip = "", " # SKIP %s" % reason
        failures += bool(trouble)
        print("%s %d - %s%s" % ("not ok" if trouble else "ok", number, test.__name__, skip))
        for line in trouble.splitlines():
            print("# " + line)
        sys.stdout.flush()
    return 1 if failures else 0
