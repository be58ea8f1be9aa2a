"""The directory is full, as an operator meets it: at its configured limit, and on a full disk.
Writes are answered 507, nothing that was acknowledged is lost, deleting works, and so does writing
after that."""

import os
import subprocess
import time

import pytest

from lab.api import ANY, address_path, api_daemon
from lab.process import run

CORES = ["sip:127.0.0.1:5060;transport=udp"]
FULL = "507 full"
JOURNAL_SIZE = 1 << 20  # the smallest that the configuration takes
MOST = 100000  # addresses, before it must have been full


def add_some(ask, there, count):
    """Adds as many addresses in one request. Returns whether there was room."""
    names = [f"user-{len(there) + number:06d}@opa.example" for number in range(count)]
    if count == 1:
        answer = ask("POST", "/v1/addresses", {"address": names[0]})
        last = answer.json.get("version")
    else:
        answer = ask("POST", "/v1/import", {"addresses": [{"address": name} for name in names]})
        last = answer.json.get("sequence")
    assert answer.kind in ("200", "201", FULL), answer.body
    if answer.kind != FULL:
        there.update({name: last - count + 1 + number for number, name in enumerate(names)})
    return answer.kind != FULL


def fill_once(root, there):
    """Adds addresses until there is no room for many, then for fewer, then for one."""
    with root.kept() as ask:
        for count in (200, 40, 8, 1):
            while add_some(ask, there, count):
                assert len(there) < MOST


def fill(root):
    """Until nothing more goes in, also not where the timer, which looks every second, has dropped
    the oldest of journal and log meanwhile. Returns what was acknowledged: addresses with their
    versions."""
    root.post("/v1/domains", {"name": "opa.example", "cores": CORES, "quarantine_days": 0})
    there, before = {}, -1
    while len(there) > before or root.get("/v1/status")["store"]["journal_bytes"] > JOURNAL_SIZE:
        before = len(there)
        fill_once(root, there)
        time.sleep(2.5)
    return there


def listed(root):
    return {item["address"]: item["version"]
            for item in root.pages("/v1/addresses?domain=opa.example", "addresses")}


def every_kind_of_write_is_refused(root, there):
    some = next(iter(there))
    version = root.ask("GET", "/v1/domains/opa.example").etag
    for method, path, body, headers in (
            ("POST", "/v1/domains", {"name": "more.example", "cores": CORES}, None),
            ("POST", "/v1/addresses", {"address": "more@opa.example"}, {"Idempotency-Key": "m"}),
            ("PATCH", address_path(some), {"locked": True}, ANY),
            ("PUT", "/v1/domains/opa.example", {"cores": CORES}, {"If-Match": version}),
            ("POST", "/v1/numbers", {"number": "+49301", "address": some}, None),
            ("POST", "/v1/peers", {"domain": "more.example"}, None),
            ("POST", "/v1/tokens", {"scope": "admin"}, None)):
        refused = root.refused(method, path, FULL, body, headers)
        assert refused.json["title"] == "There is no room left"
    assert root.ask("GET", "/v1/domains/opa.example").etag == version


def make_room(root, there, enough):
    """Releases addresses, one after the other, until `enough` says so; some must stay."""
    with root.kept() as ask:
        for count, name in enumerate(list(there)[100:]):
            if count % 20 == 19 and enough():
                return
            answer = ask("DELETE", address_path(name), headers=ANY)
            assert answer.status == 204, answer.body
            del there[name]
    raise AssertionError("hardly anything is left, and it is still full")


def can_write(root):
    answer = root.ask("POST", "/v1/addresses", {"address": "more@opa.example"},
                      {"Idempotency-Key": "m"})
    assert answer.kind in (FULL, "201"), answer.body
    return answer.status == 201


def test_a_directory_at_its_limit(request):
    with api_daemon(request, store='map-size = 4M journal-size = 1M') as daemon:
        root = daemon.root()
        there = fill(root)
        assert listed(root) == there
        every_kind_of_write_is_refused(root, there)
        assert root.get("/healthz") == {"status": "ok"}
        daemon.restart(kill=True)
        assert listed(root) == there
        make_room(root, there, lambda: can_write(root))
        there["more@opa.example"] = root.get(address_path("more@opa.example"))["version"]
        assert listed(root) == there
        daemon.restart()
        assert listed(root) == there


# -- a full disk ----------------------------------------------------------------------------------

SMALL, LARGE = "6m", "12m"


def small_disk(folder):
    """A command that gives what follows it a disk of its own at `folder`, which nobody else
    sees."""
    command = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    return [*command, "sh", "-c",
            'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"', "sh", SMALL, folder]


def on_disk(daemon, *command):
    """Runs a command that sees the daemon's disk."""
    enter = ["nsenter", "-t", str(daemon.program.pid), "-m"]
    if os.geteuid() != 0:
        enter += ["-U", "--preserve-credentials"]
    return run([*enter, *command])


@pytest.fixture
def disk(tmp_path):
    folder = str(tmp_path / "disk")
    os.mkdir(folder)
    tried = subprocess.run([*small_disk(folder), "true"], capture_output=True, text=True,
                           check=False)
    if tried.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {tried.stderr.strip()}")
    return folder


@pytest.fixture
def crowded(request, disk):
    """A daemon whose map could grow, were there room on its disk."""
    with api_daemon(request, store="journal-size = 1M", store_path=disk,
                    wrap=small_disk(disk)) as daemon:
        yield daemon


def test_on_a_disk_without_room_deleting_makes_some(crowded):
    root = crowded.root()
    there = fill(root)
    assert listed(root) == there
    every_kind_of_write_is_refused(root, there)
    make_room(root, there, lambda: can_write(root))
    there["more@opa.example"] = root.get(address_path("more@opa.example"))["version"]
    assert listed(root) == there


def test_a_disk_that_others_filled_loses_nothing_and_serves_again_when_there_is_room(crowded):
    """Not one byte is left: also what the daemon keeps in hand for deleting is taken."""
    root = crowded.root()
    root.post("/v1/domains", {"name": "opa.example", "cores": CORES, "quarantine_days": 0})
    there = {}
    on_disk(crowded, "sh", "-c", f"cat /dev/zero >{crowded.store_path}/others 2>&- || true")
    answers = set()
    for number in range(500):  # some may go where others were deleted
        name = f"user-{number:06d}@opa.example"
        answer = root.ask("POST", "/v1/addresses", {"address": name})
        answers.add(answer.kind)
        if answer.status == 201:
            there[name] = answer.json["version"]
    assert FULL in answers and answers <= {FULL, "201"}
    assert listed(root) == there
    assert root.get("/healthz") == {"status": "ok"}
    on_disk(crowded, "mount", "-o", f"remount,size={LARGE}", crowded.store_path)
    assert can_write(root)
    there["more@opa.example"] = root.get(address_path("more@opa.example"))["version"]
    assert listed(root) == there
    sequences = [entry["sequence"] for entry in root.journal()]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
