#!/usr/bin/env python3
"""What callers notice while an address moves: `make bench-port`, or tests/bench/port.py with
JUNCTOR_BUILD naming the build folder. Real operators, DNS and TLS; calls run at a steady rate from a
third operator's user to the address, which moves to another host, from there to a second one, and back by
an undo. Once with the third operator reading the authority's address records in DNS, once led on by
the authority's edge alone. Writes JSON to the file given."""

import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.moving import CALLED, Moved, Moving  # noqa: E402
from lab.plan import free_plan  # noqa: E402

MOVES = (("first", "b", "a"), ("second", "a", "c"), ("undo", "c", "a"))
HEAD = ("knowledge", "move", "calls", "lost", "wrong", "by old core", "last s", "via old edge", "last s",
        "p50 ms", "p99 ms", "max ms")
WIDTHS = (9, 6, 6, 4, 5, 11, 6, 12, 6, 6, 6, 6)


def row(*cells):
    print("  ".join(str(cell).rjust(width) for cell, width in zip(cells, WIDTHS)), flush=True)


def percentile(values, part):
    return round(values[int(part * (len(values) - 1))], 1) if values else None


def run(published, options):
    """The moves of one knowledge, as JSON objects."""
    knowledge = "DNS" if published else "302"
    moves, found = [], []
    with Moving(free_plan(), published) as moving:
        moving.tool("b", "address", "add", CALLED)
        moving.call(options.rate)
        begin, made = time.time(), None
        for what, old, new in MOVES:
            time.sleep(options.seconds / 2)
            made = moving.undo(old, made) if what == "undo" else moving.move(old, new)
            moves.append(Moved(what, old, new, moving.committed(made["id"]), begin, 0))
            time.sleep(options.seconds / 2)
            moves[-1].end = begin = time.time()
        moving.hang_up()
        for moved in moves:
            moving.judge(moved)
            delays = moving.delays_ms(moved.begin, moved.end)
            seen = {"knowledge": knowledge, **moved.as_json(), "delay_p50_ms": percentile(delays, 0.5),
                    "delay_p99_ms": percentile(delays, 0.99), "delay_max_ms": percentile(delays, 1)}
            row(knowledge, moved.what, moved.calls, moved.lost, moved.wrong, moved.late_answered,
                seen["last_of_them_s"], moved.late_led, seen["last_by_way_s"], seen["delay_p50_ms"],
                seen["delay_p99_ms"], seen["delay_max_ms"])
            found.append(seen)
        if moving.strange():
            print(f"asked for somebody else: {moving.strange()[:3]}")
            found[-1]["wrong"] += len(moving.strange())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="calls per second")
    parser.add_argument("--seconds", type=float, default=10, help="of each move")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    row(*HEAD)
    found = [seen for published in (True, False) for seen in run(published, options)]
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(found, file, indent=1)
    bad = sum(seen["lost"] + seen["wrong"] for seen in found)
    print(f"{sum(seen['calls'] for seen in found)} calls, {bad} lost or answered by a wrong host")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
