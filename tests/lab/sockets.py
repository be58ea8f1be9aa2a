"""Ports that are free, and what the kernel knows about running programs (/proc)."""

import os
import socket

from .phone import RTP_PORTS
from .process import LabError


def free_port(address):
    """Free on UDP and TCP now; whoever takes it in between makes the server fail."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(20):
        with socket.socket(family) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((address, port))
            except OSError:
                continue
            return port
    raise LabError(f"no port of {address} is free")


def _socket_inodes(pid):
    directory = f"/proc/{pid}/fd"
    inodes = set()
    for name in os.listdir(directory):
        try:
            target = os.readlink(os.path.join(directory, name))
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def udp_ports(pid, wanted=lambda port: True):
    """The UDP ports a program has bound."""
    inodes = _socket_inodes(pid)
    ports = set()
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        if not os.path.exists(table):
            continue
        with open(table, encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        ports |= {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[9] in inodes}
    return {port for port in ports if wanted(port)}


def is_media_port(port):
    return any(first <= port <= last + 1 for first, last in RTP_PORTS.values())


def start_time(pid):
    """When a process started, in the kernel's ticks: with the id it names one process for good.
    None where there is no such process, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])
