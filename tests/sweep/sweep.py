#!/usr/bin/env python3
"""sweep.py [STORY...]: every story of `stories.py`, once without a fault and then once for each fault at
each of its messages. Prints a line for each story and each failure, and at the end
"N passed, N failed"."""

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.process import LabError  # noqa: E402
from sweep.stand import AUTHORITY, GAINING, LOSING, RIVAL, Stand  # noqa: E402
from sweep.stories import FAULTS, STORIES, Case, Unfinished  # noqa: E402
from sweep.verdict import faults  # noqa: E402
from sweep.wire import Fault  # noqa: E402

SETTLE_S = 90  # retries wait 1, 2, 4 ... s
LOG_LINES = 25


class Sweep:
    """`say` takes a line. `strikes`: which faults befall a message."""

    def __init__(self, stand, say=print):
        self.stand = stand
        self.say = say
        self.passed = self.failed = 0

    def strikes(self, story, number):
        for how in ("lost", "unanswered", "late"):
            yield Fault(number, how)
        victims = (AUTHORITY, LOSING, GAINING) + (RIVAL,) * story.fresh
        for how in ("before", "answered", "after"):
            for victim in victims:
                yield Fault(number, how, victim)

    def settle(self, address, hosts):
        """What is wrong in the end; nothing is, as soon as all agree."""
        until = time.monotonic() + SETTLE_S
        while True:
            self.stand.revive()
            try:
                found = faults(self.stand, address, hosts)
            except FAULTS as error:
                found = [str(error)]
            if not found and self.stand.wire.idle():
                return []
            if time.monotonic() > until:
                return found or ["a connection stays open"]
            time.sleep(0.05)

    def case(self, story, fault=None):
        """Returns how many messages it had, or None where it failed."""
        stand, address = self.stand, self.stand.new_address()
        stand.wire.begin()
        stand.set_terms(story.window_s, story.day_ms)
        if story.fresh:
            stand.fresh(AUTHORITY)
        try:
            hosts = story.tell(Case(stand, address, lambda: stand.wire.begin(fault)))
            found = self.settle(address, hosts)
        except (Unfinished, *FAULTS) as error:
            found = [f"{type(error).__name__}: {error}"]
        if not found:
            self.passed += 1
            return stand.wire.count
        self.failed += 1
        self.tell_failure(story, fault, address, found)
        return None

    def tell_failure(self, story, fault, address, found):
        self.say(f"FAILED {story.name}: {fault or 'no fault'} ({address})")
        for line in found:
            self.say(f"    {line}")
        for letter, edge in self.stand.lab.edges.items():
            lines = [line for line in edge.program.log_text().splitlines()
                     if " debug " not in line]
            self.say(f"  the log of op{letter}.example ends")
            for line in lines[-LOG_LINES:]:
                self.say(f"    {line}")

    def story(self, story, pick=lambda fault: True):
        began = time.monotonic()
        before = self.passed + self.failed
        count = self.case(story)
        for number in range(1, (count or 0) + 1):
            for fault in self.strikes(story, number):
                if pick(fault):
                    self.case(story, fault)
                self.stand.check()
        self.say(f"{story.name}: {count} messages, {self.passed + self.failed - before} cases, "
                 f"{time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stories", nargs="*", metavar="STORY",
                        help=", ".join(story.name for story in STORIES))
    wanted = parser.parse_args().stories
    stories = [story for story in STORIES if not wanted or story.name in wanted]
    with Stand() as stand:
        sweep = Sweep(stand, lambda line: print(line, flush=True))
        try:
            for story in stories:
                sweep.story(story)
        except LabError as error:
            print(error)
            sweep.failed += 1
    print(f"{sweep.passed} passed, {sweep.failed} failed")
    sys.exit(1 if sweep.failed or not sweep.passed else 0)


if __name__ == "__main__":
    main()
