#!/usr/bin/env python3
"""Addresses out of a directory and into another: junctor export and import. Prints TAP."""
import csv
import fcntl
import io
import json
import os
import pty
import re
import resource
import select
import signal
import stat
import struct
import subprocess
import sys
import termios

from harness import (CORE, DONE, LIMIT_S, REFUSED, TOOL, UNREACHABLE, USAGE, Daemon, Relay,
                     http_answer, main)

FIELDS = ["address", "state", "blocked", "locked", "published", "hosting", "owner", "target", "display",
          "notify", "created", "until", "auth_until", "version"]


def lines_of(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def many(count, **more):
    return lines_of(*({"address": "u%05d@opa.example" % number, **more} for number in range(count)))


def addresses(daemon, *words):
    return [record["address"] for record in daemon.json("address", "list", *words)["addresses"]]


def last_sequence(daemon):
    return daemon.json("status")["store"]["last_sequence"]


def fill(daemon):
    """One address of each kind that the tool can make."""
    daemon.run("domain", "add", "opa.example", "--core", CORE, "--unknown", "core", "--claims", "4",
               "--quarantine", "30")
    for words in (["Alice@opa.example", "--owner", "alice", "--locked", "yes", "--notify",
                   "alice@mail.example"],
                  ["bob@opa.example", "--blocked", "yes"],
                  ["a@opa.example", "--target", "alice@opa.example"],
                  ["0@opa.example", "--target", "a@opa.example"],
                  ["carol@opa.example", "--hosting", "opb.example"],
                  ["o'brien,%22x%22@opa.example"], ["dave@opc.example", "--hosting", "opa.example"],
                  ["gone@opa.example"]):
        daemon.run("address", "add", *words)
    daemon.run("address", "del", "gone@opa.example")


def settings(record):
    return {key: record[key] for key in FIELDS[:10]}


# ---- export ----


def export_writes_json_lines_with_a_header(daemon):
    fill(daemon)
    out, err = daemon.run("export", "OPA.example", says=True)
    header, *records = [json.loads(line) for line in out.splitlines()]
    assert header == {"junctor": "export", "version": 1, "domain": {
        "name": "opa.example", "unknown": "core", "claims_per_owner": 4, "quarantine_days": 30,
        "address_records": True}}
    assert [list(record) for record in records] == [FIELDS] * 6, records
    listed = daemon.json("address", "list", "opa.example")["addresses"]
    assert records == [{key: record[key] for key in FIELDS} for record in listed
                       if record["state"] != "tombstone"], records
    assert re.match(r"junctor: 6 addresses exported in \d+\.\d s\n$", err), err


def export_without_a_domain_writes_all_there_is(daemon):
    fill(daemon)
    out, _ = daemon.run("export", "--tombstones", says=True)
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["address"] for record in records] == addresses(daemon), records
    assert [record["address"] for record in records if record["state"] == "tombstone"] == \
        ["gone@opa.example"], records


def export_writes_csv(daemon):
    fill(daemon)
    out, _ = daemon.run("export", "opa.example", "--format", "csv", says=True)
    assert out.startswith(",".join(FIELDS) + "\r\n") and out.endswith("\r\n"), out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["address"] for row in rows] == [
        address for address in addresses(daemon, "opa.example") if not address.startswith("gone")]
    alice = [row for row in rows if row["owner"] == "alice"][0]
    assert alice["display"] == "Alice@opa.example" and alice["locked"] == "true", alice
    assert any(row["address"] == "o'brien,%22x%22@opa.example" for row in rows), rows


def export_leaves_a_whole_file_or_none(daemon):
    fill(daemon)
    path = daemon.path("out.csv")
    daemon.run("export", "opa.example", "--output", path, says=True)
    with open(path, encoding="utf-8", newline="") as file:
        whole = file.read()
    assert whole.startswith("address,state,"), whole
    assert os.stat(path).st_mode & 0o777 == 0o600
    before = sorted(os.listdir(daemon.folder))
    relay = Relay(daemon, lambda method, path, body: http_answer("500 No", '{"detail": "broken"}')
                  if path.startswith("/v1/addresses") else None)
    _, err = daemon.run("export", "opa.example", "--output", path, "--socket", relay.path,
                        code=REFUSED)
    relay.stop()
    assert err == "junctor: broken\n", err
    with open(path, encoding="utf-8", newline="") as file:
        assert file.read() == whole
    assert sorted(os.listdir(daemon.folder)) == before
    _, err = daemon.run("export", "--output", daemon.path("no/such/folder"), code=REFUSED)
    assert "No such file" in err, err
    _, err = daemon.run("export", "opx.example", code=REFUSED)
    assert err == "junctor: opx.example: no such record\n", err


def export_goes_into_what_is_no_file(daemon):
    fill(daemon)
    whole, _ = daemon.run("export", "opa.example", says=True)
    pipe = daemon.path("pipe")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        _, err = daemon.run("export", "opa.example", "--output", pipe, says=True)
        assert reader.communicate(timeout=LIMIT_S)[0] == whole
    assert "6 addresses exported" in err and stat.S_ISFIFO(os.stat(pipe).st_mode), err
    _, err = daemon.run("export", "--output", daemon.folder, code=REFUSED)
    assert "Is a directory" in err, err


def export_follows_a_link(daemon):
    fill(daemon)
    os.mkdir(daemon.path("far"))
    for there in (False, True):
        os.symlink("far/real", daemon.path("link"))
        if there:
            daemon.write("far/real", "old")
            daemon.run("export", "opa.example", "--output", daemon.path("link"), says=True)
            with open(daemon.path("far/real"), encoding="utf-8") as file:
                assert len(file.readlines()) == 7
        else:
            _, err = daemon.run("export", "--output", daemon.path("link"), code=REFUSED)
            assert "No such file" in err, err
        assert os.path.islink(daemon.path("link"))
        os.unlink(daemon.path("link"))


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def an_export_that_cannot_be_written_counts_nothing(daemon):
    fill(daemon)
    for words in ([], ["opa.example"], ["--format", "csv"]):
        with open(daemon.path("out"), "w", encoding="ascii") as out:
            done = subprocess.run([TOOL, "--socket", daemon.socket, "export", *words], stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False,
                                  preexec_fn=limit_files)
        assert done.returncode == REFUSED, done
        assert done.stderr == "junctor: standard output: cannot be written: File too large\n", done


# ---- to another operator ----


def a_domain_moves_to_another_operator(daemon):
    fill(daemon)
    other = Daemon()
    for name in ("opa.jsonl", "opa.csv"):
        path = daemon.path(name)
        daemon.run("export", "opa.example", "--output", path, says=True)
        words = ["import", path, "--core", "sip:192.0.2.9;transport=tls"]
        if name.endswith(".csv"):
            words += ["--domain", "opa.example"]
        _, err = other.run(*words, "--dry-run", says=True)
        assert "6 addresses would be imported" in err, err
        assert other.json("domain", "list") == {"domains": []}
        _, err = other.run(*words, says=True)
        assert "6 addresses imported" in err and "0 refused" in err, err
        domain = other.json("domain", "show", "opa.example")
        assert domain["cores"] == ["sip:192.0.2.9;transport=tls"], domain
        if name.endswith(".jsonl"):
            assert domain["unknown"] == "core" and domain["quarantine_days"] == 30, domain
        mine = [settings(record) for record in daemon.json("address", "list", "opa.example")
                ["addresses"] if record["state"] != "tombstone"]
        theirs = other.json("address", "list", "opa.example")["addresses"]
        assert [settings(record) for record in theirs] == mine, theirs
        other.run("address", "set", "alice@opa.example", "--locked", "no")
        for address in ("0@opa.example", "a@opa.example", "alice@opa.example", "bob@opa.example",
                        "carol@opa.example", "o'brien,%22x%22@opa.example"):
            other.run("address", "del", address)
            other.run("address", "purge", address)
        other.run("domain", "del", "opa.example")
    other.stop()


def a_dry_run_refuses_what_the_import_refuses(daemon):
    """Also where the domain is not there yet."""
    daemon.run("domain", "add", "opb.example", "--core", CORE)
    daemon.run("address", "add", "bob@opb.example")
    rows = [{"address": "a@opa.example"},
            {"address": "b@opa.example", "hosting": "opc.example"},
            {"address": "c@opa.example", "hosting": "opb.example"},
            {"address": "d@opa.example", "state": "ported-in"},
            {"address": "e@opa.example", "state": "moved", "hosting": "opc.example"},
            {"address": "f@opa.example", "state": "ported-out"},
            {"address": "g@opa.example", "state": "alias"},
            {"address": "h@opa.example", "target": "a@opa.example"},
            {"address": "i@opa.example", "target": "none@opa.example"},
            {"address": "j@opa.example", "target": "bob@opb.example"},
            {"address": "k@opa.example", "target": "none@opb.example"},
            {"address": "l@opa.example", "target": "x@opx.example"},
            {"address": "m@opx.example", "hosting": "opa.example"},
            {"address": "n@opb.example", "hosting": "opa.example"},
            {"address": "o@opa.example", "state": "hosted", "target": "a@opa.example"},
            {"address": "p@opx.example", "hosting": "opx.example", "state": "moved"},
            {"address": "q@opa.example", "owner": "x y"}]
    path = daemon.write("in.jsonl", lines_of(*rows))
    words = ["import", path, "--domain", "opa.example", "--core", CORE, "--keep-going"]
    tried = daemon.json(*words, "--dry-run", code=REFUSED)
    done = daemon.json(*words, code=REFUSED)
    assert [(row["line"], row["type"]) for row in tried["refused"]] == \
        [(row["line"], row["type"]) for row in done["refused"]], (tried, done)
    assert tried["added"] == done["added"] and done["added"] >= 5, (tried, done)


def a_domain_that_is_not_there_needs_a_core(daemon):
    path = daemon.write("in.jsonl", lines_of(
        {"junctor": "export", "version": 1, "domain": {"name": "opa.example"}},
        {"address": "a@opa.example"}))
    _, err = daemon.run("import", path, code=REFUSED)
    assert err.startswith("junctor: opa.example is not one of your domains: name its core with"), err
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    _, err = daemon.run("import", path, "--core", "sip:192.0.2.9", says=True)
    assert "opa.example is there already and keeps its cores" in err, err
    assert daemon.json("domain", "show", "opa.example")["cores"] == [CORE]
    _, err = daemon.run("import", path, "--core", CORE, "--domain", "a", "--domain", "b",
                        code=USAGE)
    assert "imported into one domain" in err, err


# ---- what is refused, and where ----

BAD_LINES = (
    (b'{"address": "n\\u0000@opa.example"}', "contains a NUL character"),
    (b'{"address": "n\0@opa.example"}', "contains a NUL octet"),
    (b'{"address": "n\xff@opa.example"}', "is not JSON: unable to decode byte 0xff"),
    (b'{"address": 1}', "address: must be a string"),
    (b'{}', "address: there is none"),
    (b'[1]', "is not a JSON object"),
    (b'xx', "is not JSON: "),
    (b'{"address": "n@opa.example", "address": "m@opa.example"}', "is not JSON: duplicate object"),
    (b'{"address": "n@opa.example", "version": 1' + b"0" * 40 + b'}', "too big integer"),
    (b'{"address": "n@opa.example", "version": 1e400}', "is not JSON: real number overflow"),
    (b'{"address": "n@opa.example", "blocked": "yes"}', "blocked: must be true or false"),
    (b'{"address": "n@opa.example", "colour": "red"}', "colour: there is no such field here"),
    (b'{"address": "n@opa.example", "owner": {"a": [' + b"[" * 3000, "is not JSON: "),
    (b'{"address": "a b@opa.example"}', "address: a b@opa.example: the user part contains ' '"),
    (b'{"address": "n@opa.example", "target": "x"}', "target: x: "),
    (b'{"address": "' + b"n" * 65536 + b'@opa.example"}', "the line is longer than 65536 octets"),
    (b'{"address": "first@opa.example"}', "first@opa.example: is in the file twice"),
    (b'{"address": "FIRST@OPA.example", "target": "x@opa.example"}', "is in the file twice"),
    (b'{"address": "loop@opa.example", "target": "loop@opa.example"}', "leads back to itself"),
)


def each_bad_line_is_named_and_nothing_is_added(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    good = b'{"address": "first@opa.example"}\n\n'
    content = good + b"\n".join(line for line, _ in BAD_LINES) + b'\n{"address": "z@opa.example"}'
    path = daemon.write("in.jsonl", content)
    before = last_sequence(daemon)
    for words, code in (([path], REFUSED), ([path, "--dry-run"], REFUSED)):
        _, err = daemon.run("import", *words, code=code)
        for number, (_, reason) in enumerate(BAD_LINES, 3):
            line = [said for said in err.splitlines() if said.startswith("junctor: line %d: " % number)]
            assert len(line) == 1 and reason in line[0], (number, reason, err)
        assert "%d refused" % len(BAD_LINES) in err.splitlines()[-1], err
        assert last_sequence(daemon) == before
    _, err = daemon.run("import", "-", "--keep-going", stdin=content, code=REFUSED)
    assert "2 addresses imported" in err, err
    assert addresses(daemon) == ["first@opa.example", "z@opa.example"]


BAD_ROWS = (
    ('a"b@opa.example,', "a quote stands inside a field that is not quoted"),
    ('"n@opa.example"x,', "after the closing quote of a field a comma must come"),
    ("n@opa.example\rx,", "a carriage return stands inside a line"),
    ("n@opa.example", "has 1 fields, but the first row names 2 columns"),
    ("n@opa.example,x,y", "has 3 fields, but the first row names 2 columns"),
    ("n\0@opa.example,", "contains a NUL octet"),
    ("n" * 65537 + ",", "the row is longer than 65536 octets"),
    ("," * 40, "the row has more than 32 fields"),
    ("n@opa.example,maybe", 'blocked: is "maybe"; it must be true or false'),
)


def each_bad_row_of_csv_is_named(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    rows = "address,blocked\r\n" + "".join(row + "\r\n" for row, _ in BAD_ROWS)
    rows += '"ok@opa.example","true"\n\n"two\nlines@opa.example",\r\nlast@opa.example,"false\r\n'
    _, err = daemon.run("import", daemon.write("in.csv", rows), "--keep-going", code=REFUSED)
    for number, (_, reason) in enumerate(BAD_ROWS, 2):
        line = [said for said in err.splitlines() if said.startswith("junctor: line %d: " % number)]
        assert len(line) == 1 and reason in line[0], (number, reason, err)
    number = len(BAD_ROWS) + 2
    assert "line %d: address: two?lines@opa.example: " % (number + 2) in err, err
    assert "line %d: the quote that begins a field is never closed" % (number + 4) in err, err
    assert addresses(daemon) == ["ok@opa.example"]
    assert daemon.json("address", "show", "ok@opa.example")["blocked"] is True
    for content, reason in (("", "the first row must name the columns"),
                            ("owner\na\n", "there must be a column address"),
                            ("address,address\n", "address: names two columns"),
                            ("address,colour\n", "colour: there is no such column")):
        _, err = daemon.run("import", daemon.write("bad.csv", content), code=REFUSED)
        assert err == "junctor: line 1: %s\n" % reason, err
    latin = "address,owner\nn@opa.example,\xfc\n".encode("latin-1")
    _, err = daemon.run("import", daemon.write("bad.csv", latin), code=REFUSED)
    assert "line 2: owner: is not UTF-8" in err, err


def marks_and_line_ends_of_other_systems_are_read(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    daemon.run("import", daemon.write("in.csv", b"\xef\xbb\xbfaddress\r\na@opa.example\r\n"), says=True)
    daemon.run("import", daemon.write("in.jsonl", b'\xef\xbb\xbf{"address":"b@opa.example"}\r\n'),
               says=True)
    assert addresses(daemon) == ["a@opa.example", "b@opa.example"]


def the_daemon_s_words_come_with_lines(daemon):
    fill(daemon)
    path = daemon.write("in.jsonl", lines_of(
        {"address": "new@opa.example"}, {"address": "Bob@opa.example"},
        {"address": "x@opx.example"}, {"address": "gone@opa.example", "owner": "eve"},
        {"address": "y@opa.example", "owner": "a b"},
        {"address": "z@opa.example", "target": "nobody@opa.example"}))
    before = last_sequence(daemon)
    summary = daemon.json("import", path, code=REFUSED)
    refused = {row["line"]: row for row in summary["refused"]}
    assert summary["added"] == 0 and sorted(refused) == [2, 3, 4, 5, 6], summary
    assert refused[2]["type"] == "urn:junctor:problem:exists", summary
    assert "bob@opa.example" in refused[2]["detail"], summary
    assert refused[4]["type"] == "urn:junctor:problem:quarantined", summary
    assert "nobody@opa.example" in refused[6]["detail"], summary
    assert last_sequence(daemon) == before
    summary = daemon.json("import", path, "--keep-going", code=REFUSED)
    assert summary["added"] == 1 and len(summary["refused"]) == 5, summary
    assert "new@opa.example" in addresses(daemon)


def of_many_refusals_people_get_the_first(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", "x\n" * 50)
    lines = daemon.run("import", path, code=REFUSED)[1].splitlines()
    assert len(lines) == 22 and lines[20] == "junctor: and 30 more", lines
    assert lines[21] == "junctor: nothing was imported: 50 refused", lines
    assert len(daemon.json("import", path, code=REFUSED)["refused"]) == 50


def refusals_come_in_the_order_of_lines(daemon):
    """Though those of aliases, and of what the daemon says, are found after all others."""
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    rows = [{"address": "a0@opa.example", "target": "none@opa.example"}, {"address": "o@opa.example",
            "owner": "x y"}, {"address": "a1@opa.example", "target": "a1@opa.example"}]
    path = daemon.write("in.jsonl", lines_of(*rows) + "x\n" * 30)
    lines = daemon.run("import", path, "--keep-going", "--dry-run", code=REFUSED)[1].splitlines()
    assert [line.split(":")[1] for line in lines[:20]] == \
        [" line %d" % number for number in range(1, 21)], lines
    assert lines[20] == "junctor: and 13 more", lines
    summary = daemon.json("import", path, "--keep-going", "--dry-run", code=REFUSED)
    assert [row["line"] for row in summary["refused"]] == list(range(1, 34)), summary


def one_cause_is_said_once(daemon):
    path = daemon.write("in.jsonl", many(100))
    _, err = daemon.run("import", path, "--store", daemon.path("new"), code=REFUSED)
    assert "has no domain, and none is named" in err and err.count("\n") == 1, err


def a_dry_run_leaves_no_store(daemon):
    path = daemon.write("in.jsonl", many(10))
    words = ["import", path, "--domain", "opa.example", "--core", CORE, "--store"]
    before = sorted(os.listdir(daemon.folder))
    environment = {"TMPDIR": daemon.folder}
    _, err = daemon.run(*words, daemon.path("new"), "--dry-run", says=True, environment=environment)
    assert "10 addresses would be imported" in err, err
    assert sorted(os.listdir(daemon.folder)) == before
    _, err = daemon.run(*words, daemon.path("new"), says=True)
    assert "10 addresses imported" in err and os.path.exists(daemon.path("new/data.mdb")), err


def a_restore_that_fails_leaves_no_store(daemon):
    _, err = daemon.run("restore", daemon.path("nothing"), "--store", daemon.path("new"),
                        code=REFUSED)
    assert "No such file" in err and not os.path.exists(daemon.path("new")), err


def a_restore_looks_whether_the_backup_fits(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    daemon.run("import", daemon.write("in.jsonl", many(20000)), "--keep-going", says=True)
    daemon.run("backup", daemon.path("copy"))
    size = os.stat(daemon.path("copy")).st_size
    assert size > 1 << 20, size
    words = ["restore", daemon.path("copy"), "--store", daemon.path("new"), "--map-size"]
    _, err = daemon.run(*words, "1M", code=REFUSED)
    assert "has %d bytes, and the store may grow to 1048576" % size in err, err
    assert not os.path.exists(daemon.path("new"))
    daemon.run(*words, "16M")


def names_of_files_and_columns_are_taken_as_meant(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    _, err = daemon.run("import", daemon.write("IN.CSV", "address\na@opa.example\n"), says=True)
    assert "1 addresses imported" in err, err
    daemon.run("export", "--output", daemon.path("OUT.Csv"), says=True)
    with open(daemon.path("OUT.Csv"), encoding="utf-8") as file:
        assert file.readline().startswith("address,state")
    for content, reason in (("Address\n", "Address: there is no such column; write it address"),
                            ("address;owner\n", "columns are separated by commas")):
        _, err = daemon.run("import", daemon.write("bad.csv", content), code=REFUSED)
        assert reason in err, err


def a_character_beyond_ascii_is_named(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    _, err = daemon.run("address", "add", "m\xfcller@opa.example", code=REFUSED)
    assert "contains '\xfc' at position 2; write it as %C3%BC" in err, err
    daemon.run("address", "add", "m%C3%BCller@opa.example")


def files_that_cannot_be_read_are_named(daemon):
    for name, reason in ((daemon.path("nothing"), "No such file"), (daemon.folder, "Is a directory")):
        _, err = daemon.run("import", name, code=REFUSED)
        assert err.startswith("junctor: %s: " % name) and reason in err, err
    path = daemon.write("in.jsonl", '{"junctor": "export", "version": 2}\n')
    _, err = daemon.run("import", path, code=REFUSED)
    assert "not the header of an export that this program can read" in err, err


# ---- aliases ----


def aliases_come_after_their_targets(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    rows = [{"address": "a%d@opa.example" % n, "target": "a%d@opa.example" % (n + 1)}
            for n in range(7)] + [{"address": "a7@opa.example"}]
    _, err = daemon.run("import", daemon.write("in.jsonl", lines_of(*rows)), says=True)
    assert "8 addresses imported" in err, err
    assert daemon.json("address", "show", "a0@opa.example")["target"] == "a1@opa.example"
    loop = [{"address": "l%d@opa.example" % n, "target": "l%d@opa.example" % ((n + 1) % 3)}
            for n in range(3)]
    _, err = daemon.run("import", daemon.write("in.jsonl", lines_of(*loop)), code=REFUSED)
    assert err.count("leads back to itself") == 3, err


def an_alias_of_what_was_refused_is_refused(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", lines_of({"address": "a@opa.example", "target": "b@opa.example"},
                                             {"address": "b@opa.example", "owner": "x y"}))
    for words in (["--dry-run", "--keep-going"], ["--keep-going"]):
        _, err = daemon.run("import", path, *words, code=REFUSED)
        assert "line 2: owner" in err and "line 1: b@opa.example: there is no such" in err, err
    assert addresses(daemon) == []


# ---- all or nothing ----


def imports(relay):
    return [path for method, path, _ in relay.requests if method == "POST"]


def what_cannot_be_finished_is_undone(daemon):
    """Somebody adds an address between the check and the last chunk."""
    fill(daemon)
    before = daemon.json("address", "list")
    path = daemon.write("in.jsonl", lines_of({"address": "al@opa.example", "target":
                                              "u00001@opa.example"}) + many(2500))

    def look(_method, path, body):
        if path == "/v1/import" and b"u02400" in body:
            daemon.run("address", "add", "u02400@opa.example")
    relay = Relay(daemon, look)
    _, err = daemon.run("import", path, "--socket", relay.path, code=REFUSED)
    relay.stop()
    assert "line 2402: u02400@opa.example: exists already" in err, err
    assert "everything is as it was before" in err, err
    assert imports(relay)[-2:] == ["/v1/import/undo"] * 2, imports(relay)
    daemon.run("address", "del", "u02400@opa.example")
    daemon.run("address", "purge", "u02400@opa.example")
    assert daemon.json("address", "list") == before


def a_domain_that_was_added_goes_with_it(daemon):
    path = daemon.write("in.jsonl", many(1500))

    def look(_method, path, body):
        if path == "/v1/import" and b"u01400" in body:
            return http_answer("507 Full", '{"detail": "the directory is full"}')
        return None
    relay = Relay(daemon, look)
    _, err = daemon.run("import", path, "--domain", "opa.example", "--core", CORE, "--socket",
                        relay.path, code=REFUSED)
    relay.stop()
    assert "junctor: the directory is full\n" in err, err
    assert daemon.json("domain", "list") == {"domains": []}
    assert daemon.json("address", "list") == {"addresses": []}


def a_full_directory_is_as_it_was(daemon):
    """It is said before anything is added, as often as it is tried, to dry runs too."""
    small = Daemon(map_mib=4)
    small.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(40000))
    for words in [], [], ["--dry-run"], []:
        _, err = small.run("import", path, *words, code=REFUSED)
        assert "the store has no room for all of them" in err, err
        assert " addresses imported" not in err and "undoing" not in err, err
    assert addresses(small) == []
    code, log = small.stop()
    assert code == 0, log


def a_full_directory_keeps_what_fits(daemon):
    small = Daemon(map_mib=4)
    small.run("domain", "add", "opa.example", "--core", CORE)
    _, err = small.run("import", daemon.write("in.jsonl", many(60000)), "--keep-going",
                       code=REFUSED)
    assert "junctor: addresses: the store is full\n" in err, err
    added = int(re.search(r"([\d,]+) addresses imported", err).group(1).replace(",", ""))
    assert added > 1000 and len(addresses(small)) == added, err
    code, log = small.stop()
    assert code == 0, log


def what_cannot_be_undone_is_left_behind(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(2000))
    full = http_answer("507 Full", '{"detail": "the directory is full"}')
    relay = Relay(daemon, lambda method, path, body: full
                  if "dry_run" not in path and (b"u01500" in body or "undo" in path) else None)
    _, err = daemon.run("import", path, "--socket", relay.path, code=REFUSED)
    relay.stop()
    assert "imported" not in err and "everything is as it was" not in err, err
    assert "1,500 addresses are left behind" in err, err
    assert len(addresses(daemon)) == 1500


def interrupt(daemon, *words):
    """An import that gets SIGINT while its second chunk is on its way."""
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(5000))
    process = []

    def look(_method, path, body):
        if path == "/v1/import" and b"u01000" in body:
            process[0].send_signal(signal.SIGINT)
    relay = Relay(daemon, look)
    process.append(subprocess.Popen([TOOL, "--socket", relay.path, "import", path, *words],
                                    stderr=subprocess.PIPE, text=True))
    _, err = process[0].communicate(timeout=LIMIT_S)
    relay.stop()
    assert process[0].returncode == REFUSED, process[0].returncode
    return relay, err


def an_interrupted_import_is_undone(daemon):
    relay, err = interrupt(daemon)
    assert "junctor: interrupted\n" in err and "everything is as it was before" in err, err
    assert imports(relay)[-1] == "/v1/import/undo", imports(relay)
    assert addresses(daemon) == []


def an_interrupted_import_that_keeps_going_keeps_what_it_has(daemon):
    relay, err = interrupt(daemon, "--keep-going")
    assert "junctor: interrupted\n" in err and "2,000 addresses imported" in err, err
    assert "/v1/import/undo" not in imports(relay), imports(relay)
    assert len(addresses(daemon)) == 2000


def a_chunk_whose_answer_is_lost_is_added_once(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    lost = []

    def look(_method, path, body):
        if path == "/v1/import" and b"u01000" in body and len(lost) < 3:
            lost.append(path)
            return "lose"
        return None
    relay = Relay(daemon, look)
    _, err = daemon.run("import", daemon.write("in.jsonl", many(2000)), "--socket", relay.path,
                        says=True)
    relay.stop()
    assert "2,000 addresses imported" in err and len(lost) == 3, err
    assert len(addresses(daemon)) == 2000
    assert last_sequence(daemon) == 2001


def away(daemon, count):
    """A second chunk that the daemon adds without ever being heard, `count` times."""
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    lost = []

    def look(_method, path, body):
        if path == "/v1/import" and b"u01000" in body and len(lost) < count:
            lost.append(path)
            return "lose"
        return None
    relay = Relay(daemon, look)
    _, err = daemon.run("import", daemon.write("in.jsonl", many(1500)), "--socket", relay.path,
                        code=UNREACHABLE)
    relay.stop()
    return err


def a_chunk_whose_answer_never_came_is_undone_too(daemon):
    err = away(daemon, 25)  # longer than the tool tries at first
    assert "everything is as it was before" in err, err
    assert addresses(daemon) == []


def a_chunk_that_nobody_knows_of_is_named(daemon):
    err = away(daemon, 1000)
    assert "everything is as it was before" not in err, err
    assert "whether the 500 addresses of lines 1001 to 1500 were added is not known" in err, err
    assert len(addresses(daemon)) == 500


# ---- on a terminal ----


def on_terminal(daemon, columns, *words, stdout=subprocess.DEVNULL):
    """Runs the tool with a terminal of that width as standard error; returns its code and what the
    terminal got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([TOOL, "--socket", daemon.socket, *words], stdout=stdout,
                               stderr=theirs)
    os.close(theirs)
    got = b""
    while select.select([ours], [], [], LIMIT_S)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        got += piece
    os.close(ours)
    return process.wait(LIMIT_S), got.decode()


def a_terminal_shows_progress(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(3000) + "x\n")
    code, got = on_terminal(daemon, 100, "import", path, "--keep-going")
    assert code == REFUSED, got
    drawn = re.findall(r"\r([^\r\n]*)\x1b\[K", got)
    lines = [line for line in drawn if line]
    assert lines, got
    for line in lines:
        assert re.match(r"(reading|checking|importing)  \[#*\.*\] +\d+%  [\d,]+ addresses, [\d,]+/s"
                        r"(, ETA \d\d:\d\d)?(, 1 refused)?$", line), line
        assert len(line) < 100, line
    assert {line.split(" ")[0] for line in lines} == {"reading", "importing"}, lines
    # the line is taken away before anything else is said
    assert "\x1b[Kjunctor: line 3001: is not JSON" in got, got
    assert got.endswith(" 1 refused\r\n") and "3,000 addresses imported" in got, got
    assert "\x1b[3" not in got, got  # no colour


def ordering_aliases_is_shown(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(2000) + lines_of(
        {"address": "a@opa.example", "target": "u00001@opa.example"}))
    code, got = on_terminal(daemon, 100, "import", path)
    assert code == DONE and re.search(r"\rordering  \[#*\.*\] +\d+%  [\d,]+ addresses", got), got


def a_narrow_terminal_gets_a_short_line(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    code, got = on_terminal(daemon, 30, "import", daemon.write("in.jsonl", many(2000)))
    assert code == DONE, got
    lines = [line for line in re.findall(r"\r([^\r\n]*)\x1b\[K", got) if line]
    assert lines and all(len(line) < 30 and "[" not in line for line in lines), lines


def a_line_that_does_not_fit_loses_whole_parts(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(3000))
    for columns in (34, 40, 48):
        code, got = on_terminal(daemon, columns, "import", path, "--dry-run")
        assert code == DONE, got
        lines = [line for line in re.findall(r"\r([^\r\n]*)\x1b\[K", got) if line]
        for line in lines:
            assert re.match(r"\w+  (\[#*\.*\] )? *\d+%  [\d,]+ addresses(, [\d,]+/s(, ETA \d+:\d\d)?)?$",
                            line), (columns, line)


def export_shows_progress_where_the_output_is_elsewhere(daemon):
    fill(daemon)
    code, got = on_terminal(daemon, 80, "export", "opa.example", "--output", daemon.path("x"))
    assert code == DONE and re.search(r"\rexporting  6 addresses, [\d,]+/s\x1b\[K", got), got


def without_a_terminal_there_is_one_line(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    path = daemon.write("in.jsonl", many(2000))
    out, err = daemon.run("import", path, says=True)
    assert out == "", out
    assert re.match(r"junctor: 2,000 addresses imported in \d+\.\d s \([\d,]+/s\), 0 refused\n$",
                    err), err


TESTS = [
    export_writes_json_lines_with_a_header,
    export_without_a_domain_writes_all_there_is,
    export_writes_csv,
    export_leaves_a_whole_file_or_none,
    export_goes_into_what_is_no_file,
    export_follows_a_link,
    an_export_that_cannot_be_written_counts_nothing,
    a_domain_moves_to_another_operator,
    a_dry_run_refuses_what_the_import_refuses,
    a_domain_that_is_not_there_needs_a_core,
    each_bad_line_is_named_and_nothing_is_added,
    each_bad_row_of_csv_is_named,
    marks_and_line_ends_of_other_systems_are_read,
    the_daemon_s_words_come_with_lines,
    of_many_refusals_people_get_the_first,
    refusals_come_in_the_order_of_lines,
    one_cause_is_said_once,
    a_dry_run_leaves_no_store,
    a_restore_that_fails_leaves_no_store,
    a_restore_looks_whether_the_backup_fits,
    names_of_files_and_columns_are_taken_as_meant,
    a_character_beyond_ascii_is_named,
    files_that_cannot_be_read_are_named,
    aliases_come_after_their_targets,
    an_alias_of_what_was_refused_is_refused,
    what_cannot_be_finished_is_undone,
    a_domain_that_was_added_goes_with_it,
    a_full_directory_is_as_it_was,
    a_full_directory_keeps_what_fits,
    what_cannot_be_undone_is_left_behind,
    an_interrupted_import_is_undone,
    an_interrupted_import_that_keeps_going_keeps_what_it_has,
    a_chunk_whose_answer_is_lost_is_added_once,
    a_chunk_whose_answer_never_came_is_undone_too,
    a_chunk_that_nobody_knows_of_is_named,
    a_terminal_shows_progress,
    ordering_aliases_is_shown,
    a_narrow_terminal_gets_a_short_line,
    a_line_that_does_not_fit_loses_whole_parts,
    export_shows_progress_where_the_output_is_elsewhere,
    without_a_terminal_there_is_one_line,
]

if __name__ == "__main__":
    sys.exit(main(TESTS))
