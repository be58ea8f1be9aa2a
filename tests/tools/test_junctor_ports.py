#!/usr/bin/env python3
"""The command-line tool: an address moves between two domains of one directory. Prints TAP."""
import os
import re
import subprocess
import sys
import time

from harness import CORE, DONE, LIMIT_S, REFUSED, TOOL, USAGE, main

KEY = 64 * "5"


def two_domains(daemon):
    for name in ("opa.example", "opb.example"):
        daemon.run("domain", "add", name, "--core", CORE)
    daemon.run("address", "add", "bob@opa.example")


def code_of(daemon, *words):
    out, _ = daemon.run("address", "auth-code", "bob@opa.example", "--quiet", *words)
    return out.encode()


def watch(daemon, port):
    return subprocess.Popen([TOOL, "--socket", daemon.socket, "port", "watch", port],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(daemon, code):
    """A port that its authority has accepted and told; its id and undo secret."""
    made = daemon.json("port", "start", "bob@opa.example", "opb.example", stdin=code)
    while True:  # the old host and the new one have to hear of it
        ports = daemon.json("port", "list", "bob@opa.example")["ports"]
        if [port["state"] for port in ports].count("pending") == 3:
            break
    return made["id"], made["undo_secret"]


def check_says_no_and_yes(daemon):
    two_domains(daemon)
    words = ("port", "check", "bob@opa.example", "opb.example")
    checked = daemon.json(*words, code=REFUSED)
    assert not checked["possible"], checked
    code_of(daemon)
    out, _ = daemon.run(*words)
    assert "lock       ok   no lock is set" in out and "NO" not in out, out
    assert "stays      The address keeps its name" in out, out


def a_port_is_watched_to_its_end(daemon):
    two_domains(daemon)
    port, _ = start(daemon, code_of(daemon, "--for", "opb.example"))
    assert port in daemon.run("port", "list", "bob@opa.example")[0]
    watcher = watch(daemon, port)
    assert watcher.stdout.readline().startswith("pending, until 2")
    out, _ = daemon.run("port", "reject", port, "--reason", "fraud")
    assert out == port + " rejected\n", out
    out, err = watcher.communicate(timeout=LIMIT_S)
    assert (out, err, watcher.returncode) == ("rejected, fraud\n", "", DONE), (out, err)
    assert daemon.json("port", "show", port)["state"] == "rejected"


def an_approved_one_can_be_taken_back(daemon):
    two_domains(daemon)
    port, secret = start(daemon, code_of(daemon))
    assert daemon.run("port", "approve", port)[0] == port + " approved\n"
    assert daemon.json("address", "show", "bob@opa.example")["hosting"] == "opb.example"
    watcher = watch(daemon, port)
    assert watcher.stdout.readline().startswith("committed, until 2")
    while True:  # the old host has to have heard of it, too
        done = subprocess.run([TOOL, "--socket", daemon.socket, "port", "undo", port], check=False,
                              input=secret.encode(), capture_output=True, timeout=LIMIT_S)
        if done.returncode == DONE:
            break
    assert watcher.communicate(timeout=LIMIT_S)[0].startswith("undone")
    assert daemon.json("address", "show", "bob@opa.example")["hosting"] == "opa.example"


def a_started_one_can_be_given_up(daemon):
    two_domains(daemon)
    port, _ = start(daemon, code_of(daemon))
    assert daemon.run("port", "cancel", port)[0] == port + " cancelled\n"
    out, _ = watch(daemon, port).communicate(timeout=LIMIT_S)
    assert out.endswith("cancelled, by-holder\n"), out
    _, err = daemon.run("port", "allow", port, code=REFUSED)
    assert err.startswith("junctor: "), err


def codes_come_from_standard_input(daemon):
    two_domains(daemon)
    for words in (("port", "start", "bob@opa.example", "opb.example"),
                  ("port", "undo", 32 * "0"),
                  ("address", "recovery-key", "bob@opa.example", KEY)):
        _, err = daemon.run(*words, code=USAGE, stdin=b"\n")
        assert "standard input: has no" in err, err


def a_recovery_key_is_left_and_taken_back(daemon):
    two_domains(daemon)
    words = ("address", "recovery-key", "bob@opa.example")
    _, err = daemon.run(*words, KEY, stdin=b"wrong", code=REFUSED)
    assert "the auth code is wrong" in err, err
    out, _ = daemon.run(*words, KEY, stdin=code_of(daemon))
    assert out.startswith("bob@opa.example has a recovery key that works from 2"), out
    out, _ = daemon.run(*words, "--withdraw")
    assert out == "bob@opa.example without the new recovery key\n", out


def an_operator_freezes_an_address(daemon):
    two_domains(daemon)
    bob = ("bob@opa.example",)
    out, _ = daemon.run("address", "freeze", *bob, "--dry-run")
    assert out == "bob@opa.example would be frozen\n", out
    assert "frozen by its operator  no\n" in daemon.run("address", "protection", *bob)[0]
    assert daemon.run("address", "freeze", *bob)[0] == "bob@opa.example frozen\n"
    assert daemon.json("address", "protection", *bob)["frozen"] is True
    code = code_of(daemon)
    made = daemon.json("port", "start", *bob, "opb.example", stdin=code)
    out, _ = watch(daemon, made["id"]).communicate(timeout=LIMIT_S)
    assert out.endswith("refused, frozen\n"), out
    assert daemon.run("address", "unfreeze", *bob)[0] == "bob@opa.example not frozen any more\n"
    start(daemon, code)
    _, err = daemon.run("address", "freeze", "nobody@opa.example", code=REFUSED)
    assert "nobody@opa.example: no such record" in err, err


def the_list_goes_on_over_all_pages(daemon):
    """More ports than are on one page, and filters that find the last one."""
    two_domains(daemon)
    for i in range(60):
        daemon.run("address", "add", f"user{i}@opa.example")
    codes = daemon.run("address", "auth-codes", "opa.example", "--for", "opb.example",
                       says=True)[0]
    batch(daemon, codes, code=REFUSED)
    until = time.monotonic() + LIMIT_S  # the last are told to their losing host yet
    listed = []
    while len(listed) < 3 * 61 and time.monotonic() < until:
        listed = daemon.json("port", "list")["ports"]
    keys = {(port["role"], port["id"]) for port in listed}
    assert len(listed) == len(keys) == 3 * 61, len(listed)
    gaining = daemon.json("port", "list", "--role", "gaining")["ports"]
    assert {port["address"] for port in gaining} == {port["address"] for port in listed}
    assert len(gaining) == 61
    assert len(daemon.json("port", "list", "user59@opa.example", "--role", "losing")["ports"]) == 1
    assert daemon.json("port", "list", "--state", "rejected")["ports"] == []


def the_journal_shows_each_step_in_words(daemon):
    """Who did it, when, and what came of it."""
    two_domains(daemon)
    port, _ = start(daemon, code_of(daemon))
    daemon.run("port", "reject", port, "--reason", "fraud")
    daemon.run("address", "freeze", "bob@opa.example")
    lines = [line.split(maxsplit=4)[2:] for line in daemon.run("journal")[0].splitlines()]
    words = {(actor, what): rest for actor, what, rest in lines}
    me, way = "uid:%d" % os.getuid(), "bob@opa.example, opa.example to opb.example"
    assert re.fullmatch(f"gaining {port} +bob@opa.example, to opb.example, by code: requesting, "
                        "until 2[^ ]+Z", words[me, "port_start"]), lines
    assert re.fullmatch(f"authority {port} +{way}, by code: pending, until 2[^ ]+Z",
                        words["opb.example", "port_open"]), lines
    assert re.fullmatch(f"authority {port} +{way}: pending -> rejected [(]fraud[)]",
                        words["opa.example", "port_step"]), lines
    assert any(re.fullmatch(f"authority {port} +{way}: told gaining", rest)
               for _, what, rest in lines if what == "port_paid"), lines
    assert words[me, "guard_put"].endswith("frozen by its operator"), lines


def batch(daemon, text, *words, code=DONE):
    """What port batch says of each address, and its summary."""
    done = subprocess.run([TOOL, "--socket", daemon.socket, "port", "batch", "opb.example", "-",
                           *words], check=False, input=text.encode(), capture_output=True,
                          timeout=LIMIT_S)
    assert done.returncode == code, done
    lines = (line.split(" ", 1) for line in done.stdout.decode().splitlines())
    return {address: state for address, state in lines}, done.stderr.decode()


def codes_for_all(daemon, count):
    """A domain with so many addresses, and with what has no code; its codes in a file."""
    two_domains(daemon)
    for i in range(1, count):
        daemon.run("address", "add", f"user{i}@opa.example")
    daemon.run("address", "add", "robert@opa.example", "--target", "bob@opa.example")
    daemon.run("address", "add", "away@opa.example", "--hosting", "opc.example")
    codes = daemon.path("codes")
    words = ("address", "auth-codes", "opa.example", "--for", "opb.example", "--output", codes)
    _, err = daemon.run(*words, says=True)
    assert err.startswith(f"junctor: {count} codes for opb.example"), err
    assert os.stat(codes).st_mode & 0o777 == 0o600
    _, err = daemon.run(*words, code=REFUSED)
    assert "codes: cannot be written: File exists" in err, err
    with open(codes, encoding="utf-8") as file:
        return file.read()


def all_addresses_move_at_once(daemon):
    codes = codes_for_all(daemon, 40)
    secrets = daemon.path("secrets")
    said, err = batch(daemon, codes, "--undo-secrets", secrets, code=REFUSED)
    assert len(said) == 40 and all(state.startswith("pending, until 2") for state in
                                   said.values()), said
    assert "0 are at opb.example, 40 are under way, 0 failed; the same command again" in err, err
    with open(secrets, encoding="utf-8") as file:
        kept = [line.split() for line in file]
    assert os.stat(secrets).st_mode & 0o777 == 0o600
    assert {line[2] for line in kept} == set(said)
    for port, _, _ in kept:
        daemon.run("port", "approve", port)
    said, err = batch(daemon, codes)
    assert "40 are at opb.example, 0 are under way, 0 failed\n" in err, err
    assert set(said.values()) == {"here"}, said


def a_bad_line_of_a_batch_stops_no_other(daemon):
    two_domains(daemon)
    code = code_of(daemon).decode().strip()
    said, err = batch(daemon, f"# mine\n\nbob@opa.example\nbob@opa.example {code}\n"
                      "nobody@opa.example wrong\n", code=REFUSED)
    assert said["bob@opa.example"].startswith("pending"), said
    assert said["nobody@opa.example"] == "refused, no-address", said
    assert "line 3: it must be an address, its auth code" in err, err
    assert "0 are at opb.example, 1 are under way, 2 failed" in err, err


def a_batch_keeps_secrets_from_others(daemon):
    two_domains(daemon)
    secrets = daemon.write("secrets", "")
    os.chmod(secrets, 0o644)
    _, err = batch(daemon, "", "--undo-secrets", secrets, code=REFUSED)
    assert "secrets: others can read it" in err, err


TESTS = [
    check_says_no_and_yes,
    a_port_is_watched_to_its_end,
    an_approved_one_can_be_taken_back,
    a_started_one_can_be_given_up,
    codes_come_from_standard_input,
    a_recovery_key_is_left_and_taken_back,
    an_operator_freezes_an_address,
    the_list_goes_on_over_all_pages,
    the_journal_shows_each_step_in_words,
    all_addresses_move_at_once,
    a_bad_line_of_a_batch_stops_no_other,
    a_batch_keeps_secrets_from_others,
]

if __name__ == "__main__":
    sys.exit(main(TESTS))
