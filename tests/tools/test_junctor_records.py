#!/usr/bin/env python3
"""The command-line tool: numbers, peers, tokens, journal, cursors; changes that may not get lost, and
those that are only tried. Prints TAP."""
import json
import os
import re
import signal
import subprocess
import sys

from harness import (CORE, DONE, LIMIT_S, REFUSED, TOOL, UNREACHABLE, USAGE, Relay, Script,
                     http_answer, main)

PIN = "0123456789abcdef" * 4
TOKEN = re.compile(r"^jct_[a-z0-9]{12}_[A-Za-z0-9_-]{43}\n$")


def set_changes_what_is_named_and_keeps_the_rest(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE, "--unknown", "core", "--claims", "3")
    out, _ = daemon.run("domain", "set", "OPA.example", "--quarantine", "10")
    assert out == "opa.example changed\n", out
    record = daemon.json("domain", "show", "opa.example")
    assert record["quarantine_days"] == 10 and record["claims_per_owner"] == 3, record
    assert record["port_redirects"] is False, record
    daemon.run("domain", "set", "opa.example", "--port-redirects", "yes")
    assert daemon.json("domain", "show", "opa.example")["port_redirects"] is True
    daemon.run("domain", "set", "opa.example", "--port-redirects", "no")
    assert record["unknown"] == "core" and record["cores"] == [CORE], record
    other = "sip:127.0.21.3;transport=tcp"
    record = daemon.json("domain", "set", "opa.example", "--core", other, "--core", CORE)
    assert record["cores"] == [other, CORE] and record["quarantine_days"] == 10, record


def set_of_an_address_sets_and_takes_away(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    daemon.run("address", "add", "bob@opa.example", "--owner", "bob", "--locked", "yes")
    record = daemon.json("address", "show", "bob@opa.example")
    assert record["owner"] == "bob" and record["locked"] is True, record
    _, err = daemon.run("address", "set", "bob@opa.example", "--owner", "eve", code=REFUSED)
    assert err.startswith("junctor: bob@opa.example: is locked"), err
    daemon.run("address", "set", "bob@opa.example", "--locked", "no")
    record = daemon.json("address", "set", "bob@opa.example", "--owner", "", "--display",
                         "BOB@opa.example")
    assert record["owner"] is None and record["display"] == "BOB@opa.example", record
    record = daemon.json("address", "set", "bob@opa.example", "--hosting", "opb.example")
    assert record["state"] == "ported-out", record
    out, _ = daemon.run("address", "add", "info@opa.example", "--target", "bob@opa.example")
    assert out == "info@opa.example added, alias of bob@opa.example\n", out


def if_version_insists(daemon):
    daemon.fill()
    for words in (["domain", "set", "opa.example", "--claims", "1"],
                  ["address", "set", "alice@opa.example", "--owner", "alice"],
                  ["address", "del", "alice@opa.example"], ["domain", "del", "opa.example"]):
        _, err = daemon.run(*words, "--if-version", "77", code=REFUSED)
        assert "changed in the meantime" in err, err
    daemon.run("address", "set", "alice@opa.example", "--owner", "alice", "--if-version", "2")
    assert daemon.json("address", "show", "alice@opa.example")["version"] == 4


def a_holder_has_a_mail_address_or_none(daemon):
    daemon.fill()
    daemon.run("address", "set", "alice@opa.example", "--notify", "alice@mail.example")
    assert daemon.json("address", "show", "alice@opa.example")["notify"] == "alice@mail.example"
    assert "alice@mail.example" in daemon.run("address", "show", "alice@opa.example")[0]
    _, err = daemon.run("address", "set", "alice@opa.example", "--notify", "alice", code=REFUSED)
    assert "notify: the mail address has no '@'" in err, err
    daemon.run("address", "set", "alice@opa.example", "--notify", "none")
    assert daemon.json("address", "show", "alice@opa.example")["notify"] is None
    daemon.run("address", "add", "mia@opa.example", "--notify", "mia@mail.example")
    assert daemon.json("address", "show", "mia@opa.example")["notify"] == "mia@mail.example"


def dry_runs_answer_and_change_nothing(daemon):
    daemon.fill()
    daemon.run("number", "add", "+49301", "alice@opa.example")
    daemon.run("peer", "add", "opb.example")
    token = daemon.run("token", "add", "--scope", "admin", says=True)[0].split("_")[1]
    before = daemon.json("status")["store"]["last_sequence"]
    for words, said in (
            (["domain", "add", "opc.example", "--core", CORE], "opc.example would be added\n"),
            (["domain", "set", "opa.example", "--claims", "9"], "opa.example would be changed\n"),
            (["address", "add", "bob@opa.example"], "bob@opa.example would be added\n"),
            (["address", "set", "alice@opa.example", "--owner", "a"],
             "alice@opa.example would be changed\n"),
            (["address", "del", "carol@opa.example"], "carol@opa.example would be released\n"),
            (["address", "auth-code", "alice@opa.example"], None),
            (["number", "add", "+49302", "alice@opa.example"], "+49302 would be added\n"),
            (["number", "set", "+49301", "carol@opa.example"], "+49301 would be changed\n"),
            (["number", "del", "+49301"], "+49301 would be deleted\n"),
            (["peer", "add", "opd.example"], "opd.example would be added\n"),
            (["peer", "set", "opb.example", "--blocked", "yes"], "opb.example would be changed\n"),
            (["peer", "del", "opb.example"], "opb.example would be deleted\n"),
            (["token", "add", "--scope", "admin"], "a token of scope admin would be made\n"),
            (["token", "del", token], token + " would be revoked\n")):
        out, _ = daemon.run(*words, "--dry-run")
        assert said is None or out == said, (words, out)
    _, err = daemon.run("address", "add", "alice@opa.example", "--dry-run", code=REFUSED)
    assert err == "junctor: alice@opa.example: exists already\n", err
    assert daemon.json("status")["store"]["last_sequence"] == before


def a_daemon_that_knows_no_dry_run_is_told_on(daemon):
    script = Script(daemon, http_answer("201 Created", '{"name": "opa.example"}'))
    _, err = daemon.run("domain", "add", "opa.example", "--core", CORE, "--dry-run", "--socket",
                        script.path, code=REFUSED)
    script.stop()
    assert "does not know --dry-run: it was done" in err, err
    assert "?dry_run=true HTTP" in script.asked[0], script.asked


def numbers_lead_to_addresses(daemon):
    daemon.fill()
    assert daemon.run("number", "add", "+49 30-1234", "Alice@opa.example")[0] == "+49301234 added\n"
    lines = daemon.run("number", "list")[0].splitlines()
    assert lines[0].split() == ["NUMBER", "ADDRESS", "CREATED", "ZONE"], lines
    assert lines[1].startswith("+49301234  alice@opa.example  20"), lines
    daemon.run("number", "set", "+49301234", "carol@opa.example")
    assert daemon.json("number", "show", "+49301234")["address"] == "carol@opa.example"
    _, err = daemon.run("number", "add", "49301234", "alice@opa.example", code=REFUSED)
    assert err.startswith("junctor: 49301234: "), err
    _, err = daemon.run("number", "set", "+49301234", "carol@opa.example", "--zone",
                        "4.9.e164.example", code=REFUSED)
    assert "holds numbers with other first digits" in err, err
    assert daemon.run("number", "del", "+49301234")[0] == "+49301234 deleted\n"
    assert daemon.run("number", "list") == ("", "")


def a_number_of_an_enum_zone_is_an_address_too(daemon):
    """By which it is changed; the short name means the long one. Only its authority can lock or
    release it; the operator can end its entry here."""
    daemon.fill()
    daemon.run("number", "add", "+49301234", "alice@opa.example", "--zone", "9.4.e164.example")
    line = daemon.run("number", "list")[0].splitlines()[1]
    assert line.endswith("  9.4.e164.example"), line
    shown = daemon.json("address", "show", "+49 30 1234")
    assert (shown["address"], shown["state"], shown["hosting"]) == (
        "+49301234@9.4.e164.example", "ported-in", "opa.example"), shown
    daemon.run("number", "set", "+49301234", "carol@opa.example")
    assert daemon.json("number", "show", "+49301234")["zone"] == "9.4.e164.example"
    daemon.run("address", "set", "+49301234", "--owner", "walter")
    assert daemon.json("address", "show", "+49301234@9.4.e164.example")["owner"] == "walter"
    _, err = daemon.run("address", "set", "+49301234", "--locked", "yes", code=REFUSED)
    assert "9.4.e164.example cannot be asked: this node asks no other operators" in err, err
    for words, stdin, code, said in (
            ((), b"\n", USAGE, "standard input: has no"),
            (("--if-version", "1"), b"x", USAGE, "--if-version does not go with"),
            ((), b"x", REFUSED, "the auth code is wrong")):
        _, err = daemon.run("address", "del", "+49301234", *words, stdin=stdin, code=code)
        assert said in err, err
    daemon.run("address", "purge", "+49301234")
    assert daemon.run("number", "list") == ("", "")
    _, err = daemon.run("address", "show", "+49301234", code=REFUSED)
    assert "is in no ENUM zone of ours" in err, err


def bans_are_made_listed_and_ended(daemon):
    out, _ = daemon.run("ban", "add", "192.0.2.0/24", "--seconds", "60", "--reason", "scans")
    assert out == "192.0.2.0/24 added\n", out
    daemon.run("ban", "add", "2001:db8::1")
    out, _ = daemon.run("ban", "add", "192.0.2.1", "--dry-run")
    assert out == "192.0.2.1 would be added\n", out
    lines = daemon.run("ban", "list")[0].splitlines()
    assert lines[0].split() == ["SOURCE", "UNTIL", "AUTOMATIC", "REASON"]
    assert [line.split()[0] for line in lines[1:]] == ["192.0.2.0/24", "2001:db8::1"]
    assert lines[1].endswith(" no         scans"), lines
    _, err = daemon.run("ban", "add", "192.0.2.1/24", code=REFUSED)
    assert "without bits behind its prefix" in err, err
    for source in ("192.0.2.0/24", "2001:db8::1"):
        assert daemon.run("ban", "del", source)[0] == f"{source} banned no more\n"
    assert daemon.json("ban", "list") == {"bans": []}


def peers_have_a_policy(daemon):
    out, _ = daemon.run("peer", "add", "OPB.example", "--pin", PIN, "--requests", "5", "--calls",
                        "7", "--tariff", "grün", "--trusts-identity", "yes")
    assert out == "opb.example added\n", out
    record = daemon.json("peer", "show", "opb.example")
    assert record["pins"] == [PIN] and record["requests_per_s"] == 5, record
    assert record["calls_max"] == 7 and record["trusts_identity"] is True, record
    daemon.run("peer", "set", "opb.example", "--pin", "", "--blocked", "yes", "--tariff", "")
    record = daemon.json("peer", "show", "opb.example")
    assert record["pins"] == [] and record["blocked"] is True and record["tariff"] == "", record
    assert record["requests_per_s"] == 5, record
    daemon.run("peer", "del", "opb.example")
    assert daemon.json("peer", "list") == {"peers": []}


def tables_align_characters_of_any_width(daemon):
    daemon.run("peer", "add", "a.example", "--tariff", "grün")
    daemon.run("peer", "add", "b.example", "--tariff", "日本")
    daemon.run("token", "add", "--scope", "user", "--owner", "x", "--note", "日本", says=True)
    lines = daemon.run("peer", "list")[0].splitlines()
    assert lines[1].endswith("  grün") and lines[2].endswith("  日本"), lines
    assert len({line.index(cell) for line, cell in zip(lines[1:], ("grün", "日本"))}) == 1, lines


def a_token_is_shown_once(daemon):
    out, err = daemon.run("token", "add", "--scope", "operator", "--domain", "opa.example",
                          "--domain", "opb.example", "--note", "for Jörg", "--days", "3", says=True)
    assert TOKEN.match(out), out
    token = out.split("_")[1]
    assert err.startswith("junctor: this is token %s; it is not shown again" % token), err
    record = daemon.json("token", "show", token)
    assert record["domains"] == ["opa.example", "opb.example"], record
    assert record["note"] == "for Jörg" and record["until"] and "token" not in record, record
    out, err = daemon.run("token", "add", "--scope", "user", "--owner", "bob", "--quiet")
    assert TOKEN.match(out) and err == "", (out, err)
    assert TOKEN.match(daemon.json("token", "add", "--scope", "admin")["token"] + "\n")
    assert len(daemon.run("token", "list")[0].splitlines()) == 4
    assert daemon.run("token", "del", token)[0] == token + " revoked\n"
    _, err = daemon.run("token", "show", token, code=REFUSED)
    assert err.endswith("no such record\n"), err
    _, err = daemon.run("token", "add", "--scope", "user", code=REFUSED)
    assert "owner" in err, err


def a_token_for_a_foreign_domain_is_warned_of(daemon):
    daemon.fill()
    out, err = daemon.run("token", "add", "--scope", "operator", "--domain", "nope.example",
                          "--domain", "opa.example", "--quiet", says=True)
    assert out.startswith("jct_"), out
    assert err == "junctor: warning: nope.example is not one of your domains\n", err


def an_auth_code_is_shown_once(daemon):
    daemon.fill()
    out, err = daemon.run("address", "auth-code", "ALICE@opa.example", says=True)
    assert len(out) > 16 and out.count("\n") == 1, out
    assert err.startswith("junctor: this is the auth code of alice@opa.example, good until 2"), err
    again, err = daemon.run("address", "auth-code", "alice@opa.example", "--quiet", "--days", "1")
    assert again != out and err == "", (again, err)
    made = daemon.json("address", "auth-code", "alice@opa.example")
    assert made["auth_code"] and made["until"], made
    assert daemon.json("address", "show", "alice@opa.example")["auth_until"] == made["until"]
    daemon.run("address", "auth-code", "alice@opa.example", "--withdraw")
    assert daemon.json("address", "show", "alice@opa.example")["auth_until"] is None
    _, err = daemon.run("address", "auth-code", "alice@opa.example", "--days", "91", code=REFUSED)
    assert "days" in err, err


def self_says_who_one_is(daemon):
    assert daemon.json("self")["scope"] == "admin"
    assert daemon.run("self")[0] == "scope  admin\nactor  uid:%d\n" % os.getuid()


# ---- answers that get lost ----


def lose_first(kind):
    """The first answer to a request of that kind gets lost."""
    lost = []

    def look(method, _path, _body):
        if method == kind and not lost:
            lost.append(True)
            return "lose"
        return None
    return look


def a_post_whose_answer_is_lost_is_done_once(daemon):
    relay = Relay(daemon, lose_first("POST"))
    out, _ = daemon.run("domain", "add", "opa.example", "--core", CORE, "--socket", relay.path)
    relay.stop()
    assert out == "opa.example added\n", out
    keys = relay.keys()
    assert len(keys) == 2 and keys[0] == keys[1], keys
    assert daemon.json("status")["store"]["last_sequence"] == 1


def each_invocation_has_a_key_of_its_own(daemon):
    relay = Relay(daemon, lambda *_: None)
    daemon.run("domain", "add", "opa.example", "--core", CORE, "--socket", relay.path)
    daemon.run("address", "add", "a@opa.example", "--socket", relay.path)
    relay.stop()
    keys = relay.keys()
    assert len(set(keys)) == 2 and all(len(key) >= 32 for key in keys), keys


def a_lost_secret_is_said_to_be_lost(daemon):
    daemon.fill()
    for words, reason in ((["token", "add", "--scope", "admin"], "delete it and make another"),
                          (["address", "auth-code", "alice@opa.example"], "make another")):
        relay = Relay(daemon, lose_first("POST"))
        _, err = daemon.run(*words, "--socket", relay.path, code=REFUSED)
        relay.stop()
        assert "lost with the connection" in err and reason in err, err


def a_delete_whose_answer_is_lost_is_not_repeated(daemon):
    daemon.fill()
    relay = Relay(daemon, lose_first("DELETE"))
    _, err = daemon.run("address", "del", "alice@opa.example", "--socket", relay.path,
                        code=UNREACHABLE)
    assert "whether DELETE /v1/addresses/alice%40opa.example was done is not known" in err, err
    relay.stop()
    assert [request[0] for request in relay.requests] == ["GET", "DELETE"], relay.requests


def a_busy_daemon_is_asked_again(daemon):
    script = Script(daemon, http_answer("429 Slow\r\nRetry-After: 1", '{"detail": "slow"}'),
                    http_answer("200 OK", '{"domains": [], "next": null}'))
    assert daemon.run("domain", "list", "--socket", script.path) == ("", "")
    script.stop()
    assert len(script.asked) == 2, script.asked


# ---- journal ----


def the_journal_shows_the_last_entries_and_any(daemon):
    assert daemon.run("journal") == ("", "")
    assert daemon.json("journal") == {"entries": []}
    daemon.fill()
    lines = daemon.run("journal")[0].splitlines()
    assert lines[0].split() == ["SEQUENCE", "TIME", "ACTOR", "WHAT", "KEY", "DETAILS"], lines
    assert lines[3].split()[2:] == ["uid:%d" % os.getuid(), "address_add", "carol@opa.example"]
    entries = daemon.json("journal", "--limit", "2")["entries"]
    assert [entry["sequence"] for entry in entries] == [2, 3], entries
    entries = daemon.json("journal", "--from", "1", "--limit", "2")["entries"]
    assert [entry["sequence"] for entry in entries] == [1, 2], entries
    assert entries[1]["after"]["address"] == "alice@opa.example", entries
    assert daemon.json("journal", "--from", "0")["entries"][0]["sequence"] == 1
    assert daemon.json("journal", "--limit", "0") == {"entries": []}


def journals_longer_than_a_page_are_whole(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    rows = "".join('{"address":"u%d@opa.example"}\n' % number for number in range(1500))
    daemon.run("import", daemon.write("in.jsonl", rows), says=True)
    entries = daemon.json("journal", "--from", "1", "--limit", "1400")["entries"]
    assert [entry["sequence"] for entry in entries] == list(range(1, 1401))
    assert len(daemon.json("journal")["entries"]) == 100


def follow(daemon, *words):
    return subprocess.Popen([TOOL, "--socket", daemon.socket, "journal", "--follow", *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def follow_prints_what_was_and_what_comes(daemon):
    daemon.fill()
    process = follow(daemon, "--from", "2", "--limit", "3", "--json")
    first = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert [entry["sequence"] for entry in first] == [2, 3], first
    daemon.run("address", "add", "dave@opa.example")
    out, err = process.communicate(timeout=LIMIT_S)
    assert json.loads(out)["key"] == "dave@opa.example" and err == "", (out, err)
    assert process.returncode == DONE
    process = follow(daemon, "--from", "3", "--limit", "1")
    out, _ = process.communicate(timeout=LIMIT_S)
    assert out.splitlines()[0].startswith("SEQUENCE") and "carol@opa.example" in out, out


def follow_goes_on_after_a_lost_connection(daemon):
    event = "id: %d\nevent: change\ndata: {\"sequence\": %d}\n\n"
    head = "200 OK\r\nContent-Type: text/event-stream"
    script = Script(daemon, http_answer(head, ": hello\n\n" + event % (5, 5)),
                    http_answer(head, event % (6, 6)))
    out, _ = daemon.run("journal", "--follow", "--limit", "2", "--json", "--socket", script.path)
    script.stop()
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == [5, 6], out
    assert "Last-Event-ID: 5\r\n" in script.asked[1] and "Last-Event-ID" not in script.asked[0]


def follow_says_what_is_trimmed(daemon):
    script = Script(daemon, http_answer("410 Gone", '{"detail": "entry 1 is gone"}'))
    _, err = daemon.run("journal", "--follow", "--from", "1", "--socket", script.path, code=REFUSED)
    script.stop()
    assert err == "junctor: entry 1 is gone\n", err


def follow_ends_on_a_signal(daemon):
    daemon.fill()
    process = follow(daemon, "--from", "3")
    assert process.stdout.readline().startswith("SEQUENCE")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == -signal.SIGINT, process.returncode


def cursors_can_be_listed_and_deleted(daemon):
    assert daemon.json("cursor", "list") == {"cursors": []}
    script = Script(daemon, http_answer('200 OK\r\nETag: "7"',
                                        '{"name": "dns", "sequence": 7, "lost": false}'),
                    http_answer("204 Done", ""))
    assert daemon.run("cursor", "del", "dns", "--socket", script.path)[0] == "dns deleted\n"
    script.stop()
    assert script.asked[1].startswith("DELETE /v1/cursors/dns HTTP"), script.asked
    assert '\r\nIf-Match: "7"\r\n' in script.asked[1], script.asked
    _, err = daemon.run("cursor", "show", "dns", code=REFUSED)
    assert err == "junctor: dns: no such record\n", err


TESTS = [
    set_changes_what_is_named_and_keeps_the_rest,
    set_of_an_address_sets_and_takes_away,
    if_version_insists,
    a_holder_has_a_mail_address_or_none,
    dry_runs_answer_and_change_nothing,
    a_daemon_that_knows_no_dry_run_is_told_on,
    numbers_lead_to_addresses,
    a_number_of_an_enum_zone_is_an_address_too,
    bans_are_made_listed_and_ended,
    peers_have_a_policy,
    tables_align_characters_of_any_width,
    a_token_is_shown_once,
    a_token_for_a_foreign_domain_is_warned_of,
    an_auth_code_is_shown_once,
    self_says_who_one_is,
    a_post_whose_answer_is_lost_is_done_once,
    each_invocation_has_a_key_of_its_own,
    a_lost_secret_is_said_to_be_lost,
    a_delete_whose_answer_is_lost_is_not_repeated,
    a_busy_daemon_is_asked_again,
    the_journal_shows_the_last_entries_and_any,
    journals_longer_than_a_page_are_whole,
    follow_prints_what_was_and_what_comes,
    follow_goes_on_after_a_lost_connection,
    follow_says_what_is_trimmed,
    follow_ends_on_a_signal,
    cursors_can_be_listed_and_deleted,
]

if __name__ == "__main__":
    sys.exit(main(TESTS))
