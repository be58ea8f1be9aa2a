"""`junctor cert next --switch`: what DNS must have said, and for how long, before a key may change."""

import time

import pytest

from lab.lab import Lab
from test_cert_next import read
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
    """They had 3600 s; the TTL was lowered when the next key came in."""
    forget(roll)
    roll.serve(roll.present)
    assert roll.prepare()["missing"] is not None
    roll.serve(with_ttl(roll.both, 2))
    roll.prepare()
    time.sleep(3)
    roll.refused("another TTL of 3600 s")
    roll.age(3597)
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
