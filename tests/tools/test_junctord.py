#!/usr/bin/env python3
"""The life of junctord as its service manager sees it: start, reload, drain, end. Prints TAP.

Runs ./tools/junctord of the build folder. One daemon at a time, on loopback, in a folder of its own. Waiting is for events, never for time to
pass; the limits only end a test that hangs."""

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

LIMIT_S = 30
JUNCTORD = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "tools/junctord"))
JUNCTOR = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "tools/junctor"))

CONFIG = """\
workers = 2
log-level = "info"
store {{ path = "store" }}
api {{ socket = "api.sock" }}
inside "udp:127.0.0.1:{sip}" {{ }}
outside "tls:127.0.0.1:{tls}" {{ }}
allow = {{"127.0.0.1"}}
certificate "opa.example" {{ chain = "opa.pem" key = "opa.key" }}
trust {{ anchors = "opa.pem" }}
dns {{ upstreams = {{"127.0.0.1:{dns}"}} attempt-timeout-ms = 60000 timeout-ms = 60000 }}
timers {{ search-ms = 120000 }}
"""

REQUEST = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch}
Max-Forwards: 70
From: <sip:alice@opa.example>;tag=a
To: <{uri}>
Call-ID: {branch}@127.0.0.1
CSeq: 1 {method}
Content-Length: 0

"""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for(ready, what):
    deadline = time.monotonic() + LIMIT_S
    while not ready():
        check(time.monotonic() < deadline, f"not within {LIMIT_S} s: {what}")
        time.sleep(0.01)


def run(*args):
    return subprocess.run([JUNCTORD, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)


def junctor(*args):
    return subprocess.run([JUNCTOR, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)


def udp_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(LIMIT_S)
    return sock


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self.path)


class Place:
    """A folder with configuration and certificate, and the daemon that runs there."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="junctord-test-")
        self.dns = udp_socket()  # takes questions and never answers
        self.phone = udp_socket()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(self.path("notify"))
        self.manager.settimeout(LIMIT_S)
        self.sip = free_port(socket.SOCK_DGRAM)
        self.tls = free_port(socket.SOCK_STREAM)
        self.process = None
        self.branch = 0
        self.make_certificate()
        self.write(CONFIG.format(sip=self.sip, tls=self.tls, dns=self.dns.getsockname()[1]))

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def config(self):
        return self.path("junctord.conf")

    def write(self, text):
        with open(self.config, "w", encoding="ascii") as file:
            file.write(text)

    def read(self):
        with open(self.config, encoding="ascii") as file:
            return file.read()

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=opa",
                        "-addext", "subjectAltName=URI:sip:opa.example",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout",
                        self.path("opa.key"), "-out", self.path("opa.pem")],
                       check=True, capture_output=True, timeout=LIMIT_S)

    # -- the daemon -------------------------------------------------------------------------

    def start(self):
        with open(self.path("log"), "wb") as log:
            self.process = subprocess.Popen(
                [JUNCTORD, "-c", self.config], stdin=subprocess.DEVNULL, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": self.path("notify")})
        check(self.told().startswith("READY=1"), "the manager is told first that it is ready")

    def told(self):
        """What the daemon tells the service manager next."""
        return self.manager.recv(4096).decode()

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        return self.process.wait(LIMIT_S)

    def log(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def wait_log(self, pattern):
        wait_for(lambda: re.search(pattern, self.log()), f"a log line {pattern!r} in\n{self.log()}")

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for sock in (self.dns, self.phone, self.manager):
            sock.close()
        shutil.rmtree(self.folder)

    # -- talking to it ------------------------------------------------------------------------

    def send(self, method, uri):
        self.branch += 1
        text = REQUEST.format(method=method, uri=uri, port=self.phone.getsockname()[1],
                              branch=self.branch)
        self.phone.sendto(text.replace("\n", "\r\n").encode(), ("127.0.0.1", self.sip))

    def options(self):
        """The status with which the edge answers an OPTIONS to itself."""
        self.send("OPTIONS", f"sip:127.0.0.1:{self.sip}")
        while True:
            answer = self.phone.recv(65536).decode()
            if f"\r\nCall-ID: {self.branch}@" in answer:
                return int(answer.split()[1])

    def http(self, method, path, body=None):
        connection = UnixConnection(self.path("api.sock"))
        connection.request(method, path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        return status

    def junctor(self, *args):
        return junctor("--socket", self.path("api.sock"), *args)

    def serve_https(self):
        """Adds HTTPS and the health listener to the configuration; before a start."""
        self.https = free_port(socket.SOCK_STREAM)
        self.health = free_port(socket.SOCK_STREAM)
        self.write(self.read().replace(
            'socket = "api.sock"', f'socket = "api.sock" listen = "127.0.0.1:{self.https}" '
            f'health = "127.0.0.1:{self.health}" certificate = "opa.pem" key = "opa.key"'))

    def probe(self, path):
        """Status and body of a probe."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health, timeout=LIMIT_S)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def certificate(self, port=None):
        """What the outside listener, or the one at `port`, shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port or self.tls), LIMIT_S) as sock:
            with context.wrap_socket(sock, server_hostname="opa.example") as tls:
                return tls.getpeercert(binary_form=True)


# ---- the tests ----

def options_answer_and_exit(place):
    for option, text in (("--version", "junctord "), ("--help", "usage: junctord"),
                         ("--help-config", "workers")):
        done = run(option)
        check(done.returncode == 0 and done.stdout.startswith(text) and not done.stderr,
              f"{option}: {done}")
    for wrong in (["--colour"], ["-c"], ["-t", "extra"]):
        done = run(*wrong)
        check(done.returncode == 2 and "usage: junctord" in done.stderr and not done.stdout,
              f"{wrong}: {done}")


def a_correct_configuration_passes_the_test(place):
    done = run("-t", "-c", place.config)
    check(done.returncode == 0, done)
    check(done.stdout == f"{place.config}: configuration is correct\n", done)
    check(sorted(os.listdir(place.folder)) == ["junctord.conf", "notify", "opa.key", "opa.pem"],
          "the test leaves nothing behind")


def a_wrong_configuration_is_one_line_and_exit_1(place):
    place.write(place.read().replace("workers = 2", "\nworkers = two"))
    expected = f"{place.config}:2: workers: expected a whole number from 0 to 64, not \"two\"\n"
    for args in (["-t", "-c", place.config], ["-c", place.config]):
        done = run(*args)
        check(done.returncode == 1 and done.stderr == expected and not done.stdout, done)


def a_configuration_that_cannot_start_fails_the_test(place):
    text = place.read()
    for old, new, line, why in (('"store"', '"opa.pem"', 3, "store: path: expected a folder"),
                                ('"store"', '"none/store"', 3, "store: path: .* cannot be made"),
                                ('"api.sock"', '"none/a.sock"', 4, "api: socket: expected")):
        place.write(text.replace(old, new))
        done = run("-t", "-c", place.config)
        check(done.returncode == 1 and not done.stdout, done)
        check(re.match(f"{re.escape(place.config)}:{line}: {why}", done.stderr), done)


def names_of_files_are_relative_to_the_configuration(place):
    """From another folder, and with a relative name of the configuration itself."""
    for folder, name in (("/", place.config),
                         (os.path.dirname(place.folder), os.path.relpath(
                             place.config, os.path.dirname(place.folder))),
                         (place.folder, "junctord.conf")):
        done = subprocess.run([JUNCTORD, "-t", "-c", name], cwd=folder, capture_output=True,
                              text=True, timeout=LIMIT_S, check=False)
        check(done.returncode == 0, done)
    place.start()
    check(os.path.isdir(place.path("store")), "the store is beside the configuration")


def what_cannot_start_says_why_and_exits_1(place):
    place.write(place.read().replace('"api.sock"', '"missing/api.sock"'))
    done = run("-c", place.config)
    check(done.returncode == 1, done)
    check(re.search(r" error junctord: cannot start the API: .*missing/api\.sock", done.stderr),
          done.stderr)
    place.write(place.read().replace('"store"', '"opa.pem"'))
    done = run("-c", place.config)
    check(done.returncode == 1, done)
    check(re.search(r" error junctord: cannot open the store .*/opa\.pem: ", done.stderr),
          done.stderr)


def a_started_daemon_serves_sip_tls_and_http(place):
    place.start()
    check(place.options() == 200, "OPTIONS is answered")
    check(place.http("GET", "/healthz") == 200, "the API answers")
    check(place.certificate(), "the outside listener shows a certificate")


def every_worker_forgets_what_dns_said(place):
    place.start()
    check(place.http("POST", "/v1/dns/purge", '{"name": "opb.example"}') == 200, "a purge is done")
    check(place.http("POST", "/v1/dns/purge", '{"name": "a b"}') == 400, "a wrong name is refused")
    done = place.junctor("dns", "purge", "OPB.example")
    check((done.returncode, done.stdout) == (0, "opb.example forgotten\n"), done)
    check(place.junctor("dns", "purge", "a b").returncode == 1, "the command says so, too")


def the_workers_tell_what_they_ask_dns(place):
    place.serve_https()
    place.start()
    told = place.probe("/metrics")[1]
    names = set(re.findall(r"^junctor_dns_\w+", told, re.M))
    check({"junctor_dns_questions_total", "junctor_dns_stale_hits_total",
           "junctor_dns_plan_hits_total"} <= names, names)


def a_second_daemon_on_the_same_store_does_not_start(place):
    place.start()
    done = run("-c", place.config)
    check(done.returncode == 1, done)
    check(re.search(r" error junctord: cannot open the store ", done.stderr), done.stderr)
    check(place.http("GET", "/healthz") == 200, "the first one still serves")


def a_broken_configuration_is_refused_and_the_old_one_stays(place):
    place.start()
    before = place.certificate()
    place.write(place.read() + "colour = 1\n")
    place.signal(signal.SIGHUP)
    check(place.told().startswith("RELOADING=1\nMONOTONIC_USEC="), "reloading")
    check(place.told() == "READY=1\nSTATUS=the last reload was refused, see the log", "refused")
    line = place.read().count("\n")
    check(f"{place.config}:{line}: unknown setting \"colour\"" in place.log(), place.log())
    check(place.options() == 200, "it still serves")
    check(place.certificate() == before, "with the certificate it had")


def a_reload_takes_certificates_and_names_what_needs_a_restart(place):
    place.start()
    before = place.certificate()
    place.make_certificate()
    place.write(place.read().replace("workers = 2", "workers = 3"))
    place.signal(signal.SIGHUP)
    check(place.told().startswith("RELOADING=1\n"), "reloading")
    check(place.told() == "READY=1\nSTATUS=running", "reloaded")
    wait_for(lambda: place.certificate() != before, "the new certificate")
    check("these changes need a restart: workers\n" in place.log(), place.log())
    check(place.options() == 200, "it still serves")


def a_reload_takes_the_certificate_of_https(place):
    place.serve_https()
    place.start()
    before = place.certificate(place.https)
    context = ssl.create_default_context(cafile=place.path("opa.pem"))
    context.check_hostname = False
    kept = http.client.HTTPSConnection("127.0.0.1", place.https, timeout=LIMIT_S, context=context)
    kept.request("GET", "/healthz")
    check(kept.getresponse().read() == b'{"status":"ok"}', "it is served")
    place.make_certificate()
    place.signal(signal.SIGHUP)
    check(place.told().startswith("RELOADING=1\n"), "reloading")
    check(place.told() == "READY=1\nSTATUS=running", "reloaded")
    wait_for(lambda: place.certificate(place.https) != before, "the new certificate")
    check(kept.sock is not None, "the connection was kept")
    kept.request("GET", "/healthz")
    answer = kept.getresponse()
    check(answer.status == 200 and answer.getheader("Connection") == "close", "and is answered")
    kept.close()


def a_key_that_does_not_fit_refuses_the_reload(place):
    place.serve_https()
    place.start()
    before = place.certificate(place.https)
    with open(place.path("other.key"), "wb") as file:
        file.write(subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True,
                                  capture_output=True, timeout=LIMIT_S).stdout)
    place.write(place.read().replace('key = "opa.key" }\ninside', 'key = "other.key" }\ninside'))
    place.signal(signal.SIGHUP)
    place.told()
    check(place.told() == "READY=1\nSTATUS=the last reload was refused, see the log", "refused")
    check("api: key: " in place.log() and "does not belong" in place.log(), place.log())
    check(place.certificate(place.https) == before, "the old one stays")


def a_draining_daemon_is_alive_but_not_ready(place):
    place.serve_https()
    place.start()
    check(place.probe("/readyz") == (200, '{"status":"ok"}'), "ready")
    check(place.http("POST", "/v1/domains", '{"name": "opa.example", "unknown": "core", '
                     '"cores": ["sip:127.0.0.1:9;transport=udp"]}') == 201, "the domain")
    place.send("INVITE", "sip:bob@opb.example")
    place.dns.recv(65536)
    place.signal(signal.SIGTERM)
    check(place.told() == "STOPPING=1", "stopping")
    wait_for(lambda: place.probe("/readyz")[0] == 503, "not ready")
    check('"draining"' in place.probe("/readyz")[1], "and it says why")
    check(place.probe("/healthz")[0] == 200, "alive")
    place.signal(signal.SIGTERM)
    check(place.ended() == 0, place.log())


def a_health_listener_for_everybody_is_warned_of(place):
    place.serve_https()
    place.write(place.read().replace(f"127.0.0.1:{place.health}", f"0.0.0.0:{place.health}"))
    place.start()
    check(" warning junctord: api: health: 0.0.0.0:" in place.log(), place.log())
    done = run("-t", "-c", place.config)
    check(done.returncode == 0 and "warning: api: health: 0.0.0.0:" in done.stderr, done.stderr)


def a_hosted_domain_without_certificate_is_warned_of(place):
    warning = " warning api: opc.example is hosted here but has no certificate: "
    place.start()
    for name in ("opa.example", "opc.example"):
        check(place.http("POST", "/v1/domains", '{"name": "%s", "cores": ["sip:127.0.0.1:9"]}'
                         % name) == 201, "the domain")
    check(place.log().count(warning) == 1, place.log())
    place.signal(signal.SIGHUP)
    place.told()
    check(place.told() == "READY=1\nSTATUS=running", "reloaded")
    check(place.log().count(warning) == 2, place.log())
    place.signal(signal.SIGTERM)
    check(place.ended() == 0, place.log())
    place.told()
    place.start()
    check(place.log().count(warning) == 1, place.log())
    check(place.log().count("has no certificate") == 1, place.log())


def an_idle_daemon_ends_at_once(place):
    place.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        place.signal(number)
        check(place.told() == "STOPPING=1", "stopping")
        check(place.ended() == 0, place.log())
        check(place.log().endswith(" notice junctord: ended\n"), place.log())
        check(not os.path.exists(place.path("api.sock")), "the socket's file is gone")
        if number == signal.SIGTERM:
            place.start()


def a_running_transaction_is_waited_for_until_a_second_signal(place):
    place.start()
    check(place.http("POST", "/v1/domains", '{"name": "opa.example", "unknown": "core", '
                     '"cores": ["sip:127.0.0.1:9;transport=udp"]}') == 201, "the domain")
    place.send("INVITE", "sip:bob@opb.example")
    place.dns.recv(65536)  # the question where opb.example is, which has no answer
    place.signal(signal.SIGTERM)
    check(place.told() == "STOPPING=1", "stopping")
    wait_for(lambda: place.options() == 480, "a draining edge says so")
    check(place.process.poll() is None, "it waits")
    place.signal(signal.SIGTERM)
    check(place.ended() == 0, place.log())
    check(": ending at once\n" in place.log(), place.log())


TESTS = [
    options_answer_and_exit,
    a_correct_configuration_passes_the_test,
    a_wrong_configuration_is_one_line_and_exit_1,
    a_configuration_that_cannot_start_fails_the_test,
    names_of_files_are_relative_to_the_configuration,
    what_cannot_start_says_why_and_exits_1,
    a_started_daemon_serves_sip_tls_and_http,
    every_worker_forgets_what_dns_said,
    the_workers_tell_what_they_ask_dns,
    a_second_daemon_on_the_same_store_does_not_start,
    a_broken_configuration_is_refused_and_the_old_one_stays,
    a_reload_takes_certificates_and_names_what_needs_a_restart,
    a_reload_takes_the_certificate_of_https,
    a_key_that_does_not_fit_refuses_the_reload,
    a_draining_daemon_is_alive_but_not_ready,
    a_health_listener_for_everybody_is_warned_of,
    a_hosted_domain_without_certificate_is_warned_of,
    an_idle_daemon_ends_at_once,
    a_running_transaction_is_waited_for_until_a_second_signal,
]


def main():
    failed = 0
    if not shutil.which("openssl"):
        print("1..0 # SKIP install the Debian package openssl")
        return 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, test in enumerate(TESTS, 1):
        place = Place()
        try:
            test(place)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {test.__name__}")
            print("\n".join("# " + line for line in f"{type(error).__name__}: {error}".split("\n")),
                  flush=True)
        finally:
            place.clean_up()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
