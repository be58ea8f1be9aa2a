"""64 writers and 64 readers at once against one daemon: no update is lost, nothing is done twice,
no request fails, and the journal tells exactly what was acknowledged."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from lab import load
from lab.api import address_path, api_daemon
from lab.process import wait_until

CORES = ["sip:127.0.0.1:5060;transport=udp"]
SECONDS = 30  # the time it takes; nothing is measured
PROCESSES = 4  # so that no client waits for another one's Python
CLIENTS = 64  # of each kind
LIMIT_S = 240


@pytest.fixture(scope="module")
def daemon(request):
    # one source may have a quarter of the connections; the tests' own and those made twice come besides
    with api_daemon(request, api="rate = 0 max-connections = 1024") as daemon:
        provision(daemon.root())
        yield daemon


def provision(root):
    root.post("/v1/domains", {"name": load.DOMAIN, "cores": CORES, "quarantine_days": 0})
    for number in range(load.KEPT):
        root.post("/v1/addresses", {"address": load.kept(number)})
    for number in range(load.COUNTERS):
        root.post("/v1/peers", {"domain": load.counting_peer(number), "tariff": "0"})
        root.post("/v1/addresses", {"address": load.counting_address(number)})


def run_clients(daemon, token, sequence):
    """All clients in a few processes; returns what each process tells."""
    places = [{"socket": daemon.socket},
              {"address": daemon.address, "port": daemon.port, "anchors": daemon.pki.anchors,
               "token": token}]
    processes = []
    for number in range(PROCESSES):
        mine = list(range(number * CLIENTS // PROCESSES, (number + 1) * CLIENTS // PROCESSES))
        told = {"places": places, "seconds": SECONDS, "seed": number, "sequence": sequence,
                "writers": mine, "readers": mine}
        process = subprocess.Popen([sys.executable, "-B", load.__file__], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        process.stdin = None
        processes.append(process)
    try:
        results = []
        for process in processes:
            out, error = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 0, error
            results.append(json.loads(out))
        return results
    finally:
        for process in processes:
            process.kill()
            process.wait()


def added(results, name):
    total = Counter()
    for result in results:
        total.update(result[name])
    return total


def test_many_clients_at_once(daemon):
    root = daemon.root()
    token = root.token_add(scope="admin")
    sequence = root.last_sequence()
    open_before = daemon.idle_sockets()

    results = run_clients(daemon, token, sequence)

    assert [wrong for result in results for wrong in result["wrong"]] == []
    statuses = added(results, "statuses")
    assert set(statuses) <= {"200", "201", "204", "412"}, statuses
    work = added(results, "work")
    print(dict(statuses), f"{len(work)} clients came through {sum(work.values())} times")
    assert len(work) == 2 * CLIENTS and all(work.values()), work  # nobody starved
    counters_agree(root, added(results, "increments"))
    changes = [tuple(change) for result in results for change in result["changes"]]
    journal_agrees(root.journal(sequence + 1), changes, token, sequence)
    assert sum(1 for _ in root.pages(f"/v1/addresses?domain={load.DOMAIN}", "addresses")) == \
        load.KEPT + load.COUNTERS
    wait_until(lambda: daemon.sockets() <= open_before,
               f"the daemon's sockets are {open_before} again", watch=[daemon.program])


def counters_agree(root, increments):
    """What is in the records is what was acknowledged."""
    for number in range(load.COUNTERS):
        peer, address = load.counting_peer(number), load.counting_address(number)
        assert int(root.get("/v1/peers/" + peer)["tariff"]) == increments[peer] > 0
        display = root.get(address_path(address))["display"]
        assert load.display_to_value(display) == increments[address] > 0


def journal_agrees(entries, changes, token, sequence):
    """Each change that was acknowledged is there, once, and no other."""
    assert [entry["sequence"] for entry in entries] == list(
        range(sequence + 1, sequence + 1 + len(entries)))
    actors = {f"uid:{os.getuid()}", "token:" + token.split("_")[1]}
    ours = [entry for entry in entries if entry["actor"] in actors]
    assert {entry["actor"] for entry in ours} == actors
    assert {entry["actor"] for entry in entries} <= actors | {"timer"}
    told = {entry["sequence"]: (entry["what"], entry["key"]) for entry in ours}
    for number, what, key in changes:
        assert number is None or told[number] == (what, key)
    versions = [number for number, _, _ in changes if number is not None]
    assert len(versions) == len(set(versions))
    assert Counter(told.values()) == Counter((what, key) for _, what, key in changes)
