"""Primary name servers that take dynamic updates, and what they then have: Knot DNS and BIND."""

import base64
import os

from .api import free_port
from .dns import find_program, unconfined
from .process import Program, run, wait_until

KEY_NAME = "update"
SECRET = base64.b64encode(b"a key of the tests, and of nothing else").decode()

KNOT = """\
server:
    rundir: "{directory}"
    pidfile: "{directory}/knot.pid"
    listen: [ {address}@{port} ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "{directory}"
control:
    listen: "{directory}/knot.sock"
key:
  - id: {key}
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: update
    key: {key}
    action: [ update, transfer ]
zone:
  - domain: {domain}
    file: "{file}"
    zonefile-sync: -1
    acl: update
"""

NAMED = """\
options {{
    directory "{directory}";
    listen-on port {port} {{ {address}; }};
    listen-on-v6 {{ none; }};
    pid-file "{directory}/named.pid";
    session-keyfile "{directory}/session.key";
    managed-keys-directory "{directory}";
    recursion no;
    dnssec-validation no;
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{domain}" {{
    type primary;
    file "{file}";
    allow-update {{ key {key}; }};
    allow-transfer {{ key {key}; }};
}};
"""


ADDRESS = "127.0.0.1"  # the only one of loopback that BIND sees an interface have


class Primary:
    """`kind`: "knot" or "named"; `text`: of the zone as it is at first."""

    def __init__(self, kind, domain, text, directory):
        os.makedirs(directory, exist_ok=True)
        self.domain, self.directory = domain, directory
        self.port = free_port(ADDRESS)
        template, argv = {
            "knot": (KNOT, [find_program("knotd"), "-c", self.path("conf")]),
            "named": (NAMED, [unconfined("named", directory), "-g", "-n", "1", "-c", self.path("conf")]),
        }[kind]
        self._write("zone", text)
        self._write("conf", template.format(
            directory=directory, address=ADDRESS, port=self.port, key=KEY_NAME, secret=SECRET,
            domain=domain, file=self.path("zone")))
        self.program = Program(kind, argv, self.path("log"))

    def path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        self.program.start()
        wait_until(self.records, f"{self.program.name} answers", watch=[self.program])

    def update(self, commands):
        """What nsupdate says to these commands, which must succeed."""
        self._write("update", f"server {ADDRESS} {self.port}\n"
                    f"key hmac-sha256:{KEY_NAME} {SECRET}\n" + commands)
        return run(["nsupdate", self.path("update")], timeout_s=60).stdout

    def records(self):
        """All the zone has, as sorted "name ttl type data"; None while it does not answer."""
        done = run(["dig", f"@{ADDRESS}", "-p", str(self.port), "+time=1", "+tries=1",
                    "+nocmd", "+nocomments", "+nostats", "+nosplit", "+onesoa",
                    "-y", f"hmac-sha256:{KEY_NAME}:{SECRET}", self.domain, "AXFR"], check=False)
        rows = [line.split(None, 4) for line in done.stdout.splitlines()
                if line and not line.startswith(";")]
        rows = [row for row in rows if len(row) == 5 and row[3] != "TSIG"]
        return sorted(f"{name} {ttl} {kind} {data.lower() if kind == 'TLSA' else data}"
                      for name, ttl, _, kind, data in rows) or None
