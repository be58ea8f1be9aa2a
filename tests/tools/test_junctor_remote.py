#!/usr/bin/env python3
"""The command-line tool over HTTPS: a real junctord, tokens in files, certificates. Prints TAP."""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

from harness import (BUILD, CORE, DONE, LIMIT_S, REFUSED, TOOL, UNREACHABLE, USAGE, Daemon, main)

JUNCTORD = os.path.join(BUILD, "tools/junctord")
CONFIG = """\
workers = 1
store {{ path = "store" }}
api {{
    socket = "api.sock"
    listen = "127.0.0.1:{https}"
    certificate = "api.pem"
    key = "api.key"
    rate = {rate}
}}
inside "udp:127.0.0.1:{sip}" {{ }}
outside "tls:127.0.0.1:{tls}" {{ }}
certificate "opa.example" {{ chain = "api.pem" key = "api.key" }}
trust {{ anchors = "api.pem" }}
dns {{ upstreams = {{"127.0.0.1:9"}} }}
"""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server(Daemon):
    """junctord with HTTPS; makes tokens over its socket."""

    def __init__(self, daemon, rate=0):
        self.folder = daemon.path("server")
        os.mkdir(self.folder)
        self.socket = self.path("api.sock")
        self.port = free_port()
        self.url = "https://127.0.0.1:%d" % self.port
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=api",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost,URI:sip:opa.example",
                        "-addext", "basicConstraints=critical,CA:FALSE",
                        "-keyout", self.path("api.key"), "-out", self.path("api.pem")],
                       check=True, capture_output=True, timeout=LIMIT_S)
        config = CONFIG.format(https=self.port, rate=rate, sip=free_port(socket.SOCK_DGRAM),
                               tls=free_port())
        self.log = open(self.path("log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([JUNCTORD, "-c", self.write("junctord.conf", config)],
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + LIMIT_S
        while " running " not in self.log_read() or not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("junctord: " + self.log_read())
            time.sleep(0.01)

    def log_read(self):
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read()

    def stop(self):
        self.process.kill()
        self.process.wait(LIMIT_S)
        self.log.close()

    def token(self, name, *words):
        """The path of a file with a new token."""
        text = self.run("token", "add", "--quiet", *words)[0]
        path = self.write(name, text)
        os.chmod(path, 0o600)
        return path

    def remote(self, token, *words, code=DONE, says=False):
        return self.run("--server", self.url, "--ca", self.path("api.pem"), "--token-file", token,
                        *words, code=code, says=says)


def served(test, **conf):
    def wrapper(daemon):
        server = Server(daemon, **conf)
        try:
            test(server)
        except Exception as error:
            raise AssertionError(server.log_read()) from error
        finally:
            server.stop()
    wrapper.__name__ = test.__name__
    return wrapper


def everything_works_with_an_administrator_s_token(server):
    admin = server.token("admin", "--scope", "admin")
    _, err = server.remote(admin, "domain", "add", "opa.example", "--core", CORE, says=True)
    assert "Bearer" not in err, err
    server.remote(admin, "address", "add", "bob@opa.example", "--owner", "bob")
    out, _ = server.remote(admin, "address", "list")
    assert "bob@opa.example" in out, out
    record = json.loads(server.remote(admin, "self", "--json")[0])
    assert record["scope"] == "admin" and record["actor"].startswith("token:"), record
    rows = "".join('{"address":"u%d@opa.example"}\n' % number for number in range(1500))
    server.remote(admin, "import", server.write("in.jsonl", rows), says=True)
    out, _ = server.remote(admin, "export", "opa.example", says=True)
    assert out.count("\n") == 1502, out.count("\n")
    out, _ = server.remote(admin, "journal", "--follow", "--from", "2", "--limit", "1", "--json")
    assert "sequence" in json.loads(out), out
    _, err = server.remote(admin, "backup", "/tmp/x", code=REFUSED)
    assert err.startswith("junctor: "), err


def scopes_hold(server):
    server.run("domain", "add", "opa.example", "--core", CORE, "--claims", "2", says=True)
    server.run("domain", "add", "opb.example", "--core", CORE, says=True)
    server.run("address", "add", "x@opb.example")
    operator = server.token("operator", "--scope", "operator", "--domain", "opa.example")
    user = server.token("user", "--scope", "user", "--owner", "bob")
    server.remote(operator, "address", "add", "y@opa.example")
    _, err = server.remote(operator, "address", "show", "x@opb.example", code=REFUSED)
    assert err == "junctor: x@opb.example: no such record\n", err
    _, err = server.remote(operator, "token", "list", code=REFUSED)
    assert err.startswith("junctor: "), err
    server.remote(user, "address", "add", "bob@opa.example")
    assert json.loads(server.remote(user, "--json", "address", "show", "bob@opa.example")[0])[
        "owner"] == "bob"
    assert "y@opa.example" not in server.remote(user, "address", "list")[0]
    _, err = server.remote(user, "address", "show", "y@opa.example", code=REFUSED)
    assert err == "junctor: y@opa.example: no such record\n", err


def a_revoked_token_is_named_by_its_file_only(server):
    token = server.token("token", "--scope", "admin")
    with open(token, encoding="ascii") as file:
        text = file.read().strip()
    server.run("token", "del", text.split("_")[1])
    _, err = server.remote(token, "domain", "list", code=REFUSED)
    assert err.endswith("(the token in %s)\n" % token), err
    assert text not in err and text[17:] not in err, err


def token_files_that_others_may_read_are_refused(server):
    token = server.token("token", "--scope", "admin")
    for mode in (0o640, 0o604, 0o660, 0o622):
        os.chmod(token, mode)
        _, err = server.remote(token, "self", code=REFUSED)
        assert err.endswith("run chmod 600 %s\n" % token), err
    for content, reason in (("", "holds no token"), ("secret", "holds no token"),
                            ("jct_" + "a" * 12 + "_" + "b" * 42 + "\r\nX: y", "holds no token"),
                            ("jct_" + "a" * 12 + "_" + "b" * 44, "holds no token")):
        path = server.write("bad", content)
        os.chmod(path, 0o600)
        _, err = server.remote(path, "self", code=REFUSED)
        assert reason in err and (not content or content not in err), err
    _, err = server.remote(server.path("nothing"), "self", code=REFUSED)
    assert "No such file" in err, err
    _, err = server.remote(server.folder, "self", code=REFUSED)
    assert "is no regular file" in err, err


def a_server_needs_a_token(server):
    _, err = server.run("--server", server.url, "self", code=REFUSED)
    assert "--token-file FILE or JUNCTOR_TOKEN_FILE" in err, err


def the_environment_names_server_and_token(server):
    token = server.token("token", "--scope", "admin")
    environment = {"JUNCTOR_SERVER": server.url + "/", "JUNCTOR_TOKEN_FILE": token,
                   "JUNCTOR_SOCKET": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:9"}
    out, _ = server.run("--ca", server.path("api.pem"), "self", environment=environment)
    assert out.startswith("scope  admin\nactor  token:"), out
    environment["JUNCTOR_SERVER"] = "https://127.0.0.1:1"
    out, _ = server.run("--socket", server.socket, "self", environment=environment)
    assert "actor  uid:" in out, out


def a_certificate_that_does_not_prove_the_server_ends_it(server):
    token = server.token("token", "--scope", "admin")
    _, err = server.run("--server", server.url, "--token-file", token, "self", code=UNREACHABLE)
    assert "--ca FILE names the certificates" in err, err
    _, err = server.run("--server", "https://127.0.0.2:%d" % server.port, "--token-file", token,
                        "--ca", server.path("api.pem"), "self", code=UNREACHABLE)
    assert "no junctord answers at https://127.0.0.2" in err, err
    _, err = server.run("--server", server.url, "--token-file", token, "--ca",
                        server.path("nothing"), "self", code=UNREACHABLE)
    assert "--ca" in err, err


def servers_are_written_as_https_urls(daemon):
    for url, reason in (("http://127.0.0.1", "only https works"), ("HTTP://h", "only https works"),
                        ("127.0.0.1:8443", "does not begin with https://"),
                        ("https://", "there must be a host"), ("https:///", "there must be a host"),
                        ("https://a:b@host", "there must be a host"),
                        ("https://host/path", "there must be a host"),
                        ("https://host?x", "there must be a host"),
                        ("https://host:0", "the port must be"),
                        ("https://host:65536", "the port must be"),
                        ("https://[::1", "there must be a host"),
                        ("https://host\r\nX: y", "there must be a host")):
        _, err = daemon.run("--server", url, "--token-file", "/nonexistent", "self", code=REFUSED)
        assert reason in err, (url, err)
    for url in ("https://h", "https://h:1/", "https://[::1]:8443", "https://192.0.2.1"):
        _, err = daemon.run("--server", url, "--token-file", "/nonexistent", "self", code=REFUSED)
        assert err == "junctor: /nonexistent: No such file or directory\n", (url, err)


def nobody_gets_the_token_without_tls(daemon):
    """A server that speaks plain HTTP on the port."""
    got = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            got.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    token = daemon.write("token", "jct_" + "a" * 12 + "_" + "b" * 43 + "\n")
    os.chmod(token, 0o600)
    daemon.run("--server", "https://127.0.0.1:%d" % listener.getsockname()[1], "--token-file", token,
               "self", code=UNREACHABLE)
    thread.join(LIMIT_S)
    listener.close()
    assert b"jct_" not in got[0] and got[0][0] == 0x16, got


def a_token_is_no_option(daemon):
    for word in ("--token", "--token=x"):
        done = subprocess.run([TOOL, word, "self"], capture_output=True, text=True, check=False,
                              timeout=LIMIT_S, env={"JUNCTOR_SOCKET": daemon.socket})
        # an unambiguous beginning of --token-file is that option
        assert done.returncode in (USAGE, REFUSED) and "token" in done.stderr, done


def a_rate_limit_is_waited_for(server):
    token = server.token("token", "--scope", "admin")
    server.run("domain", "add", "opa.example", "--core", CORE, says=True)
    processes = [subprocess.Popen(
        [TOOL, "--server", server.url, "--ca", server.path("api.pem"), "--token-file", token,
         "domain", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(5)]
    for process in processes:
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == DONE and err == b"" and b"opa.example" in out, (out, err)


TESTS = [
    served(everything_works_with_an_administrator_s_token),
    served(scopes_hold),
    served(a_revoked_token_is_named_by_its_file_only),
    served(token_files_that_others_may_read_are_refused),
    served(a_server_needs_a_token),
    served(the_environment_names_server_and_token),
    served(a_certificate_that_does_not_prove_the_server_ends_it),
    served(a_rate_limit_is_waited_for, rate=1),
    servers_are_written_as_https_urls,
    nobody_gets_the_token_without_tls,
    a_token_is_no_option,
]

if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("1..0 # SKIP install the Debian package openssl")
        sys.exit(0)
    sys.exit(main(TESTS))
