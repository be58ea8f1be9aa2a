"""The journal as server-sent events: a follower misses nothing and hears nothing twice however
often it comes back, what is gone is said to be gone, and nobody who does not listen holds anything
back."""

import random
import socket
import threading
import time

import pytest

from lab.api import ANY, LIMIT_S, Follower, address_path, api_daemon
from lab.process import wait_until

CORES = ["sip:127.0.0.1:5060;transport=udp"]
STREAMS = 16  # at once, as the API's header says
SILENT_S = 1  # the daemon's timeout-s: what a client may be silent


@pytest.fixture(scope="module")
def daemon(request):
    """Its journal is as small as it can be."""
    with api_daemon(request, store="journal-size = 1M", api=f"rate = 0 timeout-s = {SILENT_S} "
                    "max-connections = 256") as daemon:
        daemon.root().post("/v1/domains", {"name": "opa.example", "cores": CORES,
                                           "quarantine_days": 0})
        daemon.idle = daemon.idle_sockets()
        yield daemon


@pytest.fixture(scope="module")
def root(daemon):
    return daemon.root()


class Writers:
    """Threads that add and release addresses while the block runs; each change must be done."""

    def __init__(self, daemon, name, count=4, most=10**9):
        self.most = most  # changes of each
        self.wrong, self.done = [], 0
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(daemon.root(), f"{name}{number}"))
                        for number in range(count)]

    def run(self, client, name):
        body = {"address": f"{name}@opa.example"}
        path = address_path(body["address"])
        try:
            with client.kept() as ask:
                for _ in range(self.most // 2):
                    if self.ends.is_set():
                        return
                    for status, *call in ((201, "POST", "/v1/addresses", body),
                                          (204, "DELETE", path, None, ANY)):
                        answer = ask(*call)
                        assert answer.status == status, answer.body
                        self.done += 1
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()
        assert not self.wrong, self.wrong[0]

    def join(self):
        for thread in self.threads:
            thread.join(LIMIT_S)


def trim(root, sequence):
    """Changes so much that the journal forgets this entry."""
    addresses = [{"address": f"trim-{number}@opa.example"} for number in range(1000)]
    for _ in range(100):
        made = root.post("/v1/import", {"addresses": addresses})
        first = made["sequence"] - 999
        root.post("/v1/import/undo", {"addresses": [
            {**item, "version": first + number} for number, item in enumerate(addresses)]})
        if root.get("/v1/journal?limit=1")["first"] > sequence:
            return
        time.sleep(0.05)  # the store's timer looks once in a while
    raise AssertionError(f"entry {sequence} stays in the journal")


# -- coming back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["socket", "https"])
def test_a_follower_that_comes_back_misses_and_repeats_nothing(daemon, root, over):
    client = root if over == "socket" else daemon.client(root.token_add(scope="admin"))
    random.seed(4711)
    last = start = root.last_sequence()
    heard = {}
    with Writers(daemon, over) as writers:
        for _ in range(40):
            with client.follow(last) as events:
                for _ in range(random.randrange(1, 60)):
                    last, entry = next(events)
                    assert last not in heard
                    heard[last] = entry
        assert writers.done > 0
    end = root.last_sequence()
    with client.follow(last) as events:
        while last < end:
            last, entry = next(events)
            heard[last] = entry
    assert list(heard) == list(range(start + 1, end + 1))
    assert [heard[entry["sequence"]] for entry in root.journal(start + 1)] == list(heard.values())


def test_without_a_last_event_a_follower_hears_what_comes(daemon, root):
    root.post("/v1/peers", {"domain": "before.example"})
    with root.follow() as events:
        root.post("/v1/peers", {"domain": "after.example"})
        number, entry = next(events)
        assert (entry["what"], entry["key"]) == ("peer_add", "after.example")
        assert number == entry["sequence"] == root.last_sequence()


def test_a_follower_says_where_to_begin(root):
    first = root.last_sequence()
    root.post("/v1/peers", {"domain": "one.example"})
    root.post("/v1/peers", {"domain": "two.example"})
    with root.follow(query=f"?from={first + 1}") as events:
        assert [next(events)[1]["key"] for _ in range(2)] == ["one.example", "two.example"]
    with root.follow(first + 1, query=f"?from={first + 1}") as events:  # the header counts
        assert next(events)[1]["key"] == "two.example"


@pytest.mark.parametrize("last, kind", [
    ("x", "400 invalid-header"), ("-1", "400 invalid-header"), ("1 2", "400 invalid-header"),
    ("99999999999999999999", "400 invalid-header"), ("999999999", "410 trimmed")])
def test_a_last_event_that_is_none_of_ours_is_refused(root, last, kind):
    assert root.follow(last).kind == kind


# -- what is gone ---------------------------------------------------------------------------------


def test_what_was_trimmed_is_said_to_be_gone(root):
    last = root.last_sequence()
    trim(root, last + 2)
    for answer in (root.follow(last), root.follow(1), root.follow(query="?from=1"),
                   root.ask("GET", f"/v1/journal?from={last}")):
        assert answer.kind == "410 trimmed"
    first = root.get("/v1/journal?limit=1")["first"]
    wait_until(lambda: root.follow(first).status in (200, 410), "an answer")  # it may go on
    end = root.last_sequence()
    with root.follow(end) as events:  # the newest are there
        root.post("/v1/peers", {"domain": "newest.example"})
        assert next(events)[0] == end + 1


# -- not listening --------------------------------------------------------------------------------


def deaf(daemon, last):
    """A follower that takes as little as a socket can hold and never reads."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(daemon.socket)
    sock.sendall(b"GET /v1/journal/events HTTP/1.1\r\nHost: x\r\n"
                 b"Last-Event-ID: %d\r\n\r\n" % last)
    return sock


def test_a_follower_that_never_reads_holds_nothing_back_and_is_cut(daemon, root):
    root.post("/v1/peers", {"domain": "wakes.example"})  # followers that have gone are noticed
    wait_until(lambda: daemon.sockets() <= daemon.idle, "nobody is connected", timeout_s=LIMIT_S)
    last = root.last_sequence()
    socks = [deaf(daemon, last) for _ in range(4)]
    try:
        wait_until(lambda: daemon.sockets() == daemon.idle + len(socks), "they are connected",
                   timeout_s=LIMIT_S)
        with Writers(daemon, "deaf", most=200) as writers:
            writers.join()
        assert writers.done == 4 * 200  # each was acknowledged
        trim(root, last + 10)  # what they have not read goes like everything else
        wait_until(lambda: daemon.sockets() <= daemon.idle, "the daemon has let go of them",
                   timeout_s=LIMIT_S)
        for sock in socks:
            taken = b""
            while more := sock.recv(65536):
                taken += more
            assert taken.startswith(b"HTTP/1.1 200")
            assert f"id: {root.last_sequence()}\n".encode() not in taken
    finally:
        for sock in socks:
            sock.close()
    assert root.follow(last).kind == "410 trimmed"


def test_a_follower_that_closed_its_end_is_asked_once_whether_it_is_there(daemon, root):
    """It may read on, and is not spoken to each time the daemon looks."""
    with root.follow() as events:
        events.connection.sock.shutdown(socket.SHUT_WR)
        assert events.response.readline().startswith(b":")
        assert events.response.readline() == b"\n"
        time.sleep(1.5)  # the daemon looks every 250 ms, and says something of itself every 15 s
        root.post("/v1/peers", {"domain": "half.example"})
        assert not events.response.readline().startswith(b":")


def test_a_follower_with_nothing_to_hear_stays(daemon, root):
    """It is told so from time to time, long after others that are silent would be cut."""
    connection = root.connect()
    response = root.send(connection, "GET", "/v1/journal/events")
    assert response.status == 200
    with Follower(connection, response) as events:
        began = time.monotonic()
        line = response.readline()
        assert line.startswith(b":") and time.monotonic() - began > SILENT_S
        root.post("/v1/peers", {"domain": "late.example"})
        assert next(events)[1]["key"] == "late.example"


# -- who may, and how many ------------------------------------------------------------------------


def test_a_stream_ends_with_its_token(daemon, root):
    """Revocation counts at once: not even the entry about itself is told any more."""
    made = root.post("/v1/tokens", {"scope": "admin"})
    with daemon.client(made["token"]).follow() as events:
        root.post("/v1/peers", {"domain": "heard.example"})
        assert next(events)[1]["key"] == "heard.example"
        root.done("DELETE", f"/v1/tokens/{made['id']}", headers=ANY)
        root.post("/v1/peers", {"domain": "unheard.example"})
        assert not list(events)


def test_there_are_no_more_followers_than_the_bound(daemon, root):
    streams = []
    try:
        for _ in range(STREAMS):
            streams.append(root.follow())
            assert streams[-1].status == 200
        refused = root.follow()
        assert refused.kind == "503 busy" and int(refused.get("Retry-After")) >= 1
        root.post("/v1/peers", {"domain": "crowd.example"})
        assert {next(stream)[1]["key"] for stream in streams} == {"crowd.example"}
    finally:
        for stream in streams:
            if stream.status == 200:
                stream.close()

    def again():
        root.ask("POST", "/v1/peers?dry_run=true", {"domain": "x.example"})
        stream = root.follow()
        if stream.status == 200:
            stream.close()
        return stream.status == 200
    wait_until(again, "there is room for another follower", timeout_s=LIMIT_S)


def test_followers_end_with_the_daemon_and_find_their_place_after_it(daemon, root):
    last = root.last_sequence()
    with root.follow(last) as events:
        assert daemon.program.stop(timeout_s=35) == 0
        assert not list(events)
    daemon.start()
    daemon.wait_ready()
    root.post("/v1/peers", {"domain": "restarted.example"})
    with root.follow(last) as events:
        keys = [next(events)[1]["key"] for _ in range(root.last_sequence() - last)]
    assert keys[-1] == "restarted.example"
