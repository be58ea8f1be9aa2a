"""Adds up what ./check ran: automake's .trs files with their TAP logs, and pytest's JUnit file.
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

TAP_LINE = re.compile(r"^(not )?ok\b[^#]*(?:#\s*(\w+))?")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []  # of failed and skipped tests, for people

    def add(self, result, name, note=""):
        if result == "passed":
            self.passed += 1
            return
        if result == "failed":
            self.failed += 1
        else:
            self.skipped += 1
        self.notes.append(f"{result}: {name}" + (f" ({note})" if note else ""))


def count_tap(directory, count):
    for folder, folders, names in os.walk(directory):
        if folder == directory:  # a build directory inside is another build
            folders[:] = [name for name in folders
                          if not os.path.exists(os.path.join(folder, name, "config.status"))]
        for name in sorted(names):
            if name.endswith(".trs"):
                count_program(os.path.join(folder, name), os.path.relpath(folder, directory), count)


def count_program(trs, folder, count):
    """One test program. Its TAP lines count; where it wrote none, automake's verdict does."""
    name = os.path.join(folder, os.path.basename(trs)[:-4])
    before = count.passed + count.failed + count.skipped
    failed_before = count.failed
    with open(trs[:-4] + ".log", encoding="utf-8", errors="replace") as log:
        for line in log:
            match = TAP_LINE.match(line)
            if match:
                count.add(tap_result(match), f"{name}: {line.strip()}")
    with open(trs, encoding="utf-8") as file:
        verdicts = re.findall(r"(?m)^:test-result: (\w+)(.*)$", file.read())
    if count.passed + count.failed + count.skipped == before:
        for verdict, note in verdicts:
            count.add({"PASS": "passed", "XFAIL": "passed", "SKIP": "skipped"}.get(
                verdict, "failed"), name, note.strip())
    elif count.failed == failed_before and any(verdict in ("FAIL", "ERROR", "XPASS")
                                               for verdict, _ in verdicts):
        count.add("failed", name, "it ended badly after its last test")  # such as a leak found


def tap_result(match):
    directive = (match[2] or "").upper()
    if directive == "SKIP":
        return "skipped"
    return "failed" if match[1] and directive != "TODO" else "passed"


def count_junit(path, count):
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skip = case.find("skipped")
        if bad is not None:
            count.add("failed", name)
        elif skip is not None:
            count.add("skipped", name, skip.get("message", ""))
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
    for note in count.notes:
        print(note)
    line = f"{count.passed} passed, {count.failed} failed"
    print(line + (f", {count.skipped} skipped" if count.skipped else ""))
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())
