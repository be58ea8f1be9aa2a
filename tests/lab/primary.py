"""A primary server that takes updates of a zone: Knot or BIND, on a loopback port of its own."""

import os
import shutil

from .dns import KNOT_SERVER, find_program, unconfined
from .process import Program, run, wait_until
from .sockets import free_port

KEY = 'key "publisher" {\n\talgorithm hmac-sha256;\n\tsecret "%s";\n};\n'
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAwMDA="
OTHER = "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlcjA="

ZONE = """\
$ORIGIN opa.example.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""

KNOT = KNOT_SERVER + """\
key:
  - id: publisher
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: updates
    key: publisher
    action: update
  - id: readers
    address: 127.0.0.0/8
    action: transfer
zone:
  - domain: {zone}
    storage: "{folder}"
    file: opa.example.zone
    acl: [ updates, readers ]
"""

BIND = """\
options {{
    directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session";
    listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
    recursion no; notify no; allow-transfer {{ any; }};
}};
controls {{ }};
key "publisher" {{ algorithm hmac-sha256; secret "{secret}"; }};
zone "{zone}" {{
    type primary; file "{folder}/opa.example.zone";
    update-policy {{ grant publisher zonesub ANY; }};
}};
"""

# What the publisher has nothing to do with.
OTHERS = {"SOA", "NS"}


class Primary:
    """`kind`: "knot" or "bind"; `text`: of the zone opa.example as it is at first."""

    def __init__(self, kind, folder, address, text=ZONE):
        self.kind = kind
        self.zone = "opa.example"
        self.folder = folder
        self.address = address
        self.port = free_port(address)
        os.makedirs(folder)
        argv = ([find_program("knotd"), "-c"] if kind == "knot"
                else [unconfined("named", folder), "-g", "-n", "1", "-c"])
        self.program = Program(kind, [*argv, self.path("conf")], self.path("log"))
        self.configure(SECRET)
        self.write("opa.example.zone", text)
        self.write("tsig.key", KEY % SECRET)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def configure(self, secret):
        self.write("conf", (KNOT if self.kind == "knot" else BIND).format(
            folder=self.folder, directory=self.folder, address=self.address, port=self.port, secret=secret,
            zone=self.zone))

    def conf(self):
        """Its section in junctord.conf."""
        return (f'zone "{self.zone}" {{ primary = "{self.address}:{self.port}" '
                f'tsig = "{self.path("tsig.key")}" }}\n')

    def start(self):
        self.program.start()
        wait_until(self.answers, f"{self.kind} answers", 30, watch=[self.program])

    def answers(self):
        done = self.dig(self.zone, "SOA", check=False)
        return done.returncode == 0 and "hostmaster" in done.stdout

    def stop(self):
        self.program.stop()

    def dig(self, *args, check=True):
        return run(["dig", "+tcp", "+time=5", "+tries=1", "+noall", "+answer", "+onesoa", "+nosplit",
                    f"@{self.address}", "-p", str(self.port), *args], check=check)

    def records(self):
        """All records of the zone, as (name, type, ttl, data), but for SOA, NS and ns."""
        found = set()
        for line in self.dig(self.zone, "AXFR").stdout.splitlines():
            if line.startswith(";") or not line.strip():
                continue
            name, ttl, _, kind, data = line.split(None, 4)
            if kind not in OTHERS and name != f"ns.{self.zone}.":
                found.add((name.rstrip("."), kind, int(ttl), data.lower() if kind == "TLSA" else data))
        return found

    def update(self, *lines):
        """What a person does behind the publisher's back."""
        self.nsupdate("\n".join([f"zone {self.zone}.", *lines, "send", ""]))

    def nsupdate(self, commands):
        self.write("update", f"server {self.address} {self.port}\n{commands}")
        run(["nsupdate", "-v", "-k", self.path("tsig.key"), self.path("update")], timeout_s=60)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
