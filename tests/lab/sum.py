"""Adds up what ./check ran: automake's .trs files and pytest's JUnit file.
The last line is `N passed, N failed`, with `, N skipped` where there are any.

    sum.py BROKEN [--tap BUILD-DIRECTORY]... [--junit FILE]...

BROKEN is the number of stages that failed. They count only where no test was seen to fail: a
stage that broke before its tests must not pass for want of failures. Exit status 0 only if
something ran and nothing failed.
"""

import argparse
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

VERDICTS = {"PASS": "passed", "XFAIL": "passed", "SKIP": "skipped"}  # FAIL, ERROR, XPASS: failed


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.skips = {}  # place and reason -> how many

    def add(self, result, name, note=""):
        """`note` is why it was skipped; tests of one place skipped for one reason are one line."""
        if result == "passed":
            self.passed += 1
        elif result == "failed":
            self.failed += 1
            self.failures.append(name)
        else:
            self.skipped += 1
            place = re.split(r"[:\[]", name)[0]
            self.skips[place, note] = self.skips.get((place, note), 0) + 1

    def notes(self):
        for (place, reason), number in self.skips.items():
            yield f"skipped: {place}" + (f", {number} tests" if number > 1 else "") \
                + (f": {reason}" if reason else "")
        for name in self.failures:
            yield f"failed: {name}"


def count_tap(directory, count):
    for folder, folders, names in os.walk(directory):
        if folder == directory:  # a build directory inside is another build
            folders[:] = [name for name in folders
                          if not os.path.exists(os.path.join(folder, name, "config.status"))]
        for name in sorted(names):
            if name.endswith(".trs"):
                count_program(os.path.join(folder, name), os.path.relpath(folder, directory), count)


def count_program(trs, folder, count):
    """One test program: automake's TAP driver noted a verdict per test, and an ERROR where the
    program itself ended badly (a leak found, a plan not kept). The names are in its log."""
    name = os.path.join(folder, os.path.basename(trs)[:-4])
    with open(trs[:-4] + ".log", encoding="utf-8", errors="replace") as log:
        titles = re.findall(r"(?m)^((?:not )?ok\b.*|1\.\.0 # SKIP.*|Bail out!.*)$", log.read())
    with open(trs, encoding="utf-8") as file:
        verdicts = re.findall(r"(?m)^:test-result: (\w+)", file.read())
    for index, verdict in enumerate(verdicts):
        title = titles[index] if index < len(titles) else verdict
        reason = title.partition("# SKIP")[2].strip()
        count.add(VERDICTS.get(verdict, "failed"), f"{name}: {title}", reason)


def count_junit(path, count):
    for case in ElementTree.parse(path).iter("testcase"):
        place = case.get("classname", "")
        name = f"{place}.{case.get('name', '')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skip = case.find("skipped")
        if bad is not None:
            count.add("failed", name)
        elif skip is not None:
            count.add("skipped", place, skip.get("message", ""))
        else:
            count.add("passed", name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("broken", type=int)
    parser.add_argument("--tap", action="append", default=[])
    parser.add_argument("--junit", action="append", default=[])
    options = parser.parse_args()
    count = Count()
    for directory in options.tap:
        count_tap(directory, count)
    for path in options.junit:
        if os.path.exists(path):
            count_junit(path, count)
    if options.broken and not count.failed:
        count.add("failed", f"{options.broken} stage(s) above")
    for note in count.notes():
        print(note)
    line = f"{count.passed} passed, {count.failed} failed"
    print(line + (f", {count.skipped} skipped" if count.skipped else ""))
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())
