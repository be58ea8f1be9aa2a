"""Ports between the operators of a lab, seen from their command lines: op{letter}.example each."""

import json

from .process import wait_until


def domain(letter):
    return f"op{letter}.example"


def shown(lab, letter, port):
    """The port as this operator shows it; of state None where it has none."""
    done = lab.edges[letter].tool("port", "show", port, "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"state": None}


def state(lab, letter, port):
    return shown(lab, letter, port)["state"]


def reaches(lab, letter, port, wanted):
    wait_until(lambda: state(lab, letter, port) == wanted,
               f"port {port} is {wanted} at {domain(letter)}", 30)


def agree(lab, port, here, there):
    """The old host consents, and both have it committed."""
    for letter in (here, there):
        reaches(lab, letter, port, "pending")
    lab.edges[here].approve(port)
    for letter in (here, there):
        reaches(lab, letter, port, "committed")
