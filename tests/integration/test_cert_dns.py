"""`junctor cert next --switch`: what DNS must have said, and for how long, before a key may change."""

import os
import socket
import sys
import time

import pytest

from lab.lab import Lab
from lab.plan import DNS_PORT
from lab.process import run
from test_cert_next import DOMAIN, read
from test_cert_switch import Ready, write


@pytest.fixture(scope="module", name="ready")
def fixture_ready(plan):
    with Lab(plan) as lab:
        ready = Ready(plan, lab)
        ready.present = [line for line in ready.records()
                         if "TLSA" not in line or ready.fingerprint in line]
        yield ready
        ready.zone.stop()


@pytest.fixture(name="roll")
def fixture_roll(ready):
    """Ready to be switched, but for what the test changes."""
    ready.reset()
    ready.both = ready.records()
    ready.serve(ready.both)
    return ready


def with_ttl(records, ttl):
    return [line.replace(" 3600 IN TLSA", f" {ttl} IN TLSA") for line in records]


def forget(roll):
    write(roll.next + ".seen", "")


def test_the_ttl_of_the_records_before_the_next_key_is_waited_for(roll):
    """They had 5000 s; the TTL was lowered when the next key came in."""
    forget(roll)
    roll.serve(with_ttl(roll.present, 5000))
    assert roll.prepare()["missing"] is not None
    roll.serve(with_ttl(roll.both, 2))
    roll.prepare()
    time.sleep(3)
    roll.refused("another TTL of 5000 s")
    roll.age(4997)
    roll.tool("--switch")
    assert roll.is_switched()


def test_the_longest_ttl_is_waited_for_though_it_was_lowered_since(roll):
    forget(roll)
    roll.serve(with_ttl(roll.both, 7200))
    roll.prepare()
    roll.serve(roll.both)
    roll.age(3700)
    roll.refused("another TTL of 7200 s")


def test_one_server_with_a_long_ttl_is_enough_to_wait(roll):
    forget(roll)
    roll.serve(roll.both, with_ttl(roll.both, 5000))
    roll.refused("another TTL of 5000 s")


@pytest.mark.parametrize("looked", [False, True])
def test_records_that_no_run_saw_are_taken_to_have_had_the_ttl_of_ours(roll, looked):
    """A run that could ask no server saw none either."""
    key = read(roll.next + ".seen").split()[0]
    write(roll.next + ".seen", f"{key} 0 0\n" if looked else "")
    roll.serve(with_ttl(roll.both, 1))
    roll.prepare()
    time.sleep(2)
    roll.refused("another TTL of 3600 s")


def test_what_was_seen_of_another_key_does_not_count(roll):
    _, since, ttl = read(roll.next + ".seen").split()
    write(roll.next + ".seen", f"{'0' * 64} {since} {ttl}\n")
    roll.refused("another TTL of 3600 s")


def test_the_wait_is_over_after_the_ttl(roll):
    roll.tool("--switch")
    assert roll.is_switched()


# ---- a certificate that no trust anchor proves ----

@pytest.fixture(name="alone")
def fixture_alone(roll):
    """The next certificate is signed with its own key."""
    run(["openssl", "req", "-x509", "-new", "-key", roll.next, "-days", "30", "-subj", "/CN=self",
         "-addext", f"subjectAltName=URI:sip:{DOMAIN}", "-addext", "basicConstraints=CA:FALSE",
         "-out", roll.chain + ".next"])
    return roll


def test_tlsa_records_prove_it_in_a_signed_zone(alone):
    alone.tool("--switch")
    assert read(alone.chain) == read(alone.chain + ".next")


def test_nothing_proves_it_in_an_unsigned_zone(alone):
    plain = os.path.basename(alone.zone.write("plain", alone.text(alone.both)))
    alone.zone.serve(plain, plain, anchored=False)
    told = alone.refused("no caller would believe it: ")
    assert "self-signed" in told and "TLSA records (DNSSEC)" in told


def test_nothing_proves_it_where_the_edge_trusts_no_resolver(alone):
    """By default it trusts loopback alone; a mapped address is another, to the same place."""
    before = read(alone.config)
    upstream = f"{alone.plan.resolver}:{DNS_PORT}"
    write(alone.config, before.replace(upstream, f"[::ffff:{alone.plan.resolver}]:{DNS_PORT}"))
    try:
        alone.refused("the resolver does not say that it validated the TLSA records")
    finally:
        write(alone.config, before)


def test_nothing_proves_it_where_the_srv_records_are_not_signed(alone):
    """The targets' zone is signed, the domain's is not (RFC 7673 section 3.1)."""
    records = [line for line in alone.both if " SRV " not in line]
    target = next(line for line in alone.both if " SRV " in line)
    zone = alone.zone
    below = zone.write("below", "\n".join([
        f"$ORIGIN _tcp.{DOMAIN}.", "$TTL 60", f"@ SOA ns1.{DOMAIN}. h 1 3600 600 86400 60",
        f"@ NS ns1.{DOMAIN}.", target]) + "\n")
    alone.serve(records + [f"_tcp.{DOMAIN}. 60 IN NS ns1.{DOMAIN}."])
    zone.stop()
    with open(zone.path("knot.conf"), "a", encoding="ascii") as file:
        file.write(f'  - domain: _tcp.{DOMAIN}\n    file: "{below}"\n    zonefile-sync: -1\n'
                   "    journal-content: none\n")
    with open(zone.path("nsd.conf"), "a", encoding="ascii") as file:
        file.write(f'zone:\n    name: _tcp.{DOMAIN}\n    zonefile: "{below}"\n')
    zone.start()
    alone.refused("the resolver does not say that it validated the NAPTR and SRV records")


# ---- servers with addresses of both kinds ----

FAR = "2001:db8::53"  # for documentation; nobody has it


def has_route(address):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, DNS_PORT))
        except OSError:
            return False
    return True


only_ipv4 = pytest.mark.skipif(has_route(FAR), reason="this host has an IPv6 route to everywhere")


@only_ipv4
def test_a_server_is_asked_at_the_addresses_that_this_host_can_reach(roll):
    roll.serve(roll.both + [f"ns1.{DOMAIN}. 60 IN AAAA {FAR}"])
    roll.tool("--switch")
    assert roll.is_switched()


@only_ipv4
def test_a_server_with_no_address_that_this_host_can_reach_is_not_taken_to_have_the_key(roll):
    roll.serve(roll.both + [f"@ 60 IN NS ns3.{DOMAIN}.", f"ns3.{DOMAIN}. 60 IN AAAA {FAR}"])
    assert f"ns3.{DOMAIN} ({FAR}): this host has no way there" in roll.refused("ns3.")


@pytest.mark.skipif(not has_route(FAR), reason="this host has no IPv6 route to everywhere either")
def test_both_on_a_host_with_ipv6():
    """In a network of their own, which has the loopback interface alone."""
    command = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-r", "-n"]
    up = ("import fcntl, os, socket, struct, sys\n"
          "with socket.socket() as any: fcntl.ioctl(any, 0x8914, struct.pack('16sH14x', b'lo', 1))\n"
          "os.execv(sys.executable, [sys.executable, '-m', 'pytest', *sys.argv[1:]])")
    done = run([*command, sys.executable, "-c", up, "-q", "-p", "no:cacheprovider", "-k",
                "that_this_host_can_reach", __file__], check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
