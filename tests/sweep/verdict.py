"""What must hold when a story is over: exactly one host, the one that the authority names,
everywhere; all agree about every port, and nobody is owed anything."""

from lab.api import address_path
from sweep.stand import AUTHORITY, domain

OPEN = ("requesting", "cancelling", "pending", "waiting", "disputed")
NEVER = ("refused", "cancelled")  # how a request ends that the authority does not know
SERVED, LED = ("hosted", "ported-in"), ("moved", "ported-out")


def ports_of(stand, letter, address):
    return stand.client(letter).pages(f"/v1/ports?address={address}", "ports")


def record_of(stand, letter, address):
    """None where it is not there."""
    answer = stand.client(letter).ask("GET", address_path(address))
    assert answer.status in (200, 404), answer
    return answer.json if answer.status == 200 else None


def host_faults(stand, address, host):
    """Who serves it, and should not, or the other way round."""
    for letter in stand.lab.edges:
        record = record_of(stand, letter, address)
        state = record["state"] if record else None
        if letter == host and state not in SERVED:
            yield f"{domain(letter)} is the host and has it as {state}"
        if letter != host and state not in (None, *LED):
            yield f"{domain(letter)} has it as {state}; the host is {domain(host)}"
        if state in LED and record["hosting"] != domain(host):
            yield f"{domain(letter)} leads on to {record['hosting']}; the host is {domain(host)}"


def port_faults(stand, address):
    """Where they do not agree about a port."""
    known = {port["id"]: port["state"] for port in ports_of(stand, AUTHORITY, address)
             if port["role"] == "authority"}
    for letter in stand.lab.edges:
        for port in ports_of(stand, letter, address):
            name = f"port {port['id']} at {domain(letter)} as {port['role']} host"
            if port["state"] in OPEN:
                yield f"{name} is {port['state']}"
            if port["owes"]:
                yield f"{name} owes {port['owes']}"
            if port["id"] not in known and port["state"] not in NEVER:
                yield f"{name} is {port['state']}; the authority does not know it"
            if known.get(port["id"], port["state"]) != port["state"]:
                yield f"{name} is {port['state']}; at the authority {known[port['id']]}"


def faults(stand, address, hosts):
    """Everything that is wrong, in sentences; `hosts`: the letters of those who may have it."""
    record = record_of(stand, AUTHORITY, address)
    letter = record["hosting"][2] if record else None
    if letter not in hosts:
        return [f"the authority names {record and record['hosting']}, not one of {hosts}"]
    return [*host_faults(stand, address, letter), *port_faults(stand, address)]
