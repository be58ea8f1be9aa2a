"""The publisher when something else is broken: another zone's primary, its own file, single names."""

import contextlib
import os
import re
import socket
import statistics
import threading
import time

import pytest
from lab.primary import SECRET, Primary
from lab.process import wait_until
from test_publisher import BELOW, CORE, WAIT_S, address_records
from test_publisher import daemon, text  # noqa: F401 (fixtures)

PROMISE_S = 2  # in which a change is visible at the primary
UPDATE = 5  # an opcode (RFC 2136 section 1.3)


@pytest.fixture
def kind():
    """What is tested here hangs on the publisher alone."""
    return "knot"


class Silent:
    """Takes connections and says nothing; or, with `hangs_up`, ends them."""

    def __init__(self, hangs_up=False):
        self.hangs_up = hangs_up
        self.taken = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                if self.hangs_up:
                    connection.close()
                self.taken.append(connection)

    def conf(self, zone, key):
        port = self.socket.getsockname()[1]
        return f'zone "{zone}" {{ primary = "127.0.0.1:{port}" tsig = "{key}" }}\n'

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.taken:
            connection.close()


@contextlib.contextmanager
def silent(**options):
    server = Silent(**options)
    try:
        yield server
    finally:
        server.close()


def zone_state(daemon, name):
    """What the daemon says of one of its zones."""
    def known():
        return [zone for zone in daemon.tool_json("status")["published"] if zone["zone"] == name]
    return wait_until(known, f"the publisher knows zone {name}", WAIT_S)[0]


def delays(daemon, count):
    """How long changes take to the primary."""
    taken = []
    for step in range(count):
        begin = time.monotonic()
        daemon.tool("address", "add", f"u{step}@opa.example", "--hosting", "opb.example")
        wait_until(lambda: len(address_records(daemon.primary)) > step, "it is published", WAIT_S)
        taken.append(time.monotonic() - begin)
    return taken


def test_a_silent_primary_holds_no_other_zone_back(daemon):
    with silent() as server:
        for name in ("a", "b", "c"):
            daemon.settings += server.conf(f"{name}.example", daemon.primary.path("tsig.key"))
            daemon.tool("domain", "add", f"{name}.example", "--core", CORE)
        daemon.configure()
        daemon.reload()
        wait_until(lambda: len(server.taken) >= 3, "the silent ones are asked", WAIT_S)
        assert statistics.median(delays(daemon, 7)) < PROMISE_S
        wait_until(lambda: zone_state(daemon, "opa.example")["state"] == "current",
                   "the zone itself is well", WAIT_S)
        wait_until(lambda: "no answer over TCP within" in (zone_state(daemon, "c.example")["why"]
                                                           or ""), "it is told", WAIT_S)


def test_a_zone_whose_file_cannot_be_opened_stays_and_is_tried_again(daemon):
    """Its names go to no other zone meanwhile, least of all to the one above."""
    other = Primary("knot", daemon.path("other"), "127.0.0.1")
    other.zone = "_sipaddr.opa.example"
    other.configure(SECRET)
    other.write("opa.example.zone", BELOW)
    other.start()
    obstacle = daemon.path("store/published._sipaddr.opa.example")
    os.mkdir(obstacle)
    daemon.settings = other.conf()
    daemon.configure()
    daemon.reload()
    try:
        wait_until(lambda: zone_state(daemon, other.zone)["state"] == "failing", "it says so", WAIT_S)
        assert obstacle in zone_state(daemon, other.zone)["why"]
        daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
        code, _ = daemon.sync()
        assert code == 1
        done = daemon.tool("dns", "sync", "opa.example", check=False)
        assert done.returncode == 1 and obstacle in done.stderr
        wait_until(lambda: zone_state(daemon, "opa.example")["state"] == "current",
                   "the zone itself is well", WAIT_S)
        assert not address_records(daemon.primary) and not address_records(other)
        os.rmdir(obstacle)
        wait_until(lambda: address_records(other), "it is published by itself", WAIT_S)
        assert not address_records(daemon.primary)
    finally:
        other.stop()


def test_a_name_that_is_delegated_away_holds_nothing_else_up(daemon):
    daemon.primary.update("update add sub.opa.example. 300 NS ns.sub.opa.example.",
                          "update add ns.sub.opa.example. 300 A 127.0.0.9")
    daemon.tool("domain", "add", "sub.opa.example", "--core", CORE)
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.tool("address", "add", "carol@sub.opa.example", "--hosting", "opb.example")
    daemon.tool("address", "add", "dave@opa.example", "--hosting", "opb.example")
    wait_until(lambda: len(address_records(daemon.primary)) == 2, "the others are published", WAIT_S)
    daemon.wait_log("_sips._tcp.sub.opa.example SRV is refused.*a zone of its own", timeout_s=WAIT_S)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 4
    done = daemon.tool("dns", "sync", "sub.opa.example", check=False)
    assert done.returncode == 1
    assert done.stdout.count("the primary does not allow it") == 4


@pytest.mark.parametrize("kind", ["bind"])
def test_what_a_policy_does_not_allow_holds_nothing_else_up(daemon):
    """The key may change what is below _sipaddr alone."""
    with open(daemon.primary.path("conf"), encoding="ascii") as file:
        conf = file.read()
    daemon.primary.stop()
    daemon.primary.write("conf", conf.replace("zonesub", "subdomain _sipaddr.opa.example"))
    daemon.primary.start()
    daemon.settings = "publish { ttl = 60 }\n"
    daemon.configure()
    daemon.reload()
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    wait_until(lambda: address_records(daemon.primary), "what is allowed is published", WAIT_S)
    daemon.wait_log("_sips._tcp.opa.example SRV is refused.*update-policy", timeout_s=WAIT_S)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 5
    assert {record[1] for record in daemon.primary.records() if record[2] == 60} == {"TXT"}
    daemon.primary.stop()
    daemon.primary.write("conf", conf)
    daemon.primary.start()
    assert daemon.sync()[0] == 0
    daemon.wait_converged()
    wait_until(lambda: daemon.zone()["differing"] == 0, "nothing differs any more", WAIT_S)


def test_a_domain_does_not_wait_for_many_addresses_before_it(daemon):
    daemon.wait_current()
    daemon.primary.stop()
    rows = daemon.path("rows.jsonl")
    with open(rows, "w", encoding="ascii") as file:
        for index in range(1000):
            file.write(f'{{"address": "u{index}@opa.example", "hosting": "opb.example"}}\n')
    before = daemon.zone()["sequence"]
    daemon.tool("import", rows)
    daemon.tool("domain", "add", "fresh.opa.example", "--core", CORE)
    mark = daemon.mark()
    daemon.primary.start()
    daemon.wait_current()
    found = re.findall(r"published: zone=opa.example sets=(\d+) entry=(\d+)", daemon.log(mark))
    sets, entry = map(int, found[0])
    assert entry < before + 1000
    assert sets == entry - before + 3  # those of the domain, too


def test_what_differs_is_found_when_its_address_is_gone(daemon):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.tool("address", "add", "carol@opa.example", "--hosting", "opc.example")
    daemon.wait_converged()
    for name, _, _, data in address_records(daemon.primary):
        daemon.primary.update(f"update delete {name}. NAPTR",
                              f"update add {name}. 60 NAPTR {data.replace('op', 'mine-op')}")
    for user in ("bob", "carol"):
        daemon.tool("address", "del", f"{user}@opa.example")
        daemon.wait_current()
        daemon.tool("address", "purge", f"{user}@opa.example")
        daemon.wait_current()
    assert daemon.zone()["differing"] == 2
    code, text = daemon.sync("--dry-run")
    assert code == 1 and text.count("was changed by somebody else, would be left alone") == 2
    name = next(record[0] for record in address_records(daemon.primary) if "mine-opb" in record[3])
    daemon.primary.update(f"update delete {name}. NAPTR")
    daemon.restart()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 1
    code, text = daemon.sync("--force")
    assert code == 0 and "NAPTR: removed" in text
    assert not address_records(daemon.primary)
    daemon.wait_current()
    wait_until(lambda: daemon.zone()["differing"] == 0, "nothing differs any more", WAIT_S)


def test_what_a_person_took_away_stays_away(daemon):
    daemon.primary.update("update delete _sips._tcp.opa.example. SRV")
    daemon.restart()
    daemon.wait_log("_sips._tcp.opa.example SRV was changed by somebody else.*served=\"nothing\"",
                    timeout_s=WAIT_S)
    daemon.settings = "publish { ttl = 60 }\n"
    daemon.configure()
    daemon.reload()
    wait_until(lambda: ("_sipaddr.opa.example", "TXT", 60, '"v=sipaddr1"')
               in daemon.primary.records(), "the others follow", WAIT_S)
    daemon.wait_current()
    assert "SRV" not in {record[1] for record in daemon.primary.records()}
    assert daemon.zone()["differing"] == 1


def test_attempts_become_rare_until_something_changes(daemon):
    daemon.wait_current()
    daemon.primary.stop()
    assert daemon.sync()[0] == 1
    zone = daemon.zone()
    assert zone["state"] == "current" and zone["why"] is None  # an order's failure is its own
    mark = daemon.mark()
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_log("the next attempt is in 8000 ms", since=mark, timeout_s=WAIT_S)
    waits = re.findall(r"the next attempt is in (\d+) ms", daemon.log(mark))
    assert waits == ["1000", "2000", "4000", "8000"]
    daemon.primary.start()
    begin = time.monotonic()
    daemon.tool("address", "add", "carol@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    assert time.monotonic() - begin < 5  # not at the end of the 8 s


class Relay:
    """Carries messages to the primary, and loses the answers to updates."""

    def __init__(self, primary):
        self.primary = primary
        self.lossy = True
        self.lost = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.carry, args=(connection,), daemon=True).start()

    def carry(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(
                (self.primary.address, self.primary.port)) as server:
            while True:
                message = self.read(client)
                server.sendall(message)
                answer = self.read(server)
                if self.lossy and (message[4] >> 3) & 15 == UPDATE:
                    self.lost.set()
                    continue
                client.sendall(answer)

    @staticmethod
    def read(connection):
        """A message behind its length."""
        head = Relay.read_exactly(connection, 2)
        return head + Relay.read_exactly(connection, int.from_bytes(head, "big"))

    @staticmethod
    def read_exactly(connection, size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def conf(self):
        port = self.socket.getsockname()[1]
        return self.primary.conf().replace(f":{self.primary.port}", f":{port}")


def test_what_was_sent_before_a_death_is_known_as_ours(daemon):
    """The primary makes an update, the daemon dies before it knows, and wants something else when it
    comes back."""
    relay = Relay(daemon.primary)
    direct, relayed = daemon.primary.conf, relay.conf()
    daemon.wait_current()
    daemon.primary.conf = lambda: relayed
    daemon.settings = "publish { ttl = 60 }\n"
    daemon.configure()
    daemon.reload()
    assert relay.lost.wait(WAIT_S)
    daemon.program.kill()
    assert {record[2] for record in daemon.primary.records()} == {60}
    daemon.primary.conf = direct
    daemon.settings = "publish { ttl = 90 }\n"
    daemon.configure()
    daemon.start()
    daemon.wait_ready()
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
