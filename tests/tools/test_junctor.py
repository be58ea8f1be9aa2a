#!/usr/bin/env python3
"""The command-line tool: domains, addresses, routes, and what goes for every command. Prints TAP."""
import json
import os
import socket
import subprocess
import sys

from harness import (CORE, DONE, REFUSED, TOOL, UNREACHABLE, USAGE, Script, http_answer, main)


def domain_add_says_what_was_added(daemon):
    out, _ = daemon.run("domain", "add", "OPA.example", "--core", CORE)
    assert out == "opa.example added\n", out
    record = daemon.json("domain", "add", "opc.example", "--core", CORE, "--core",
                         "sip:core.opc.example;transport=tls", "--unknown", "core")
    assert record["name"] == "opc.example" and record["unknown"] == "core", record
    assert record["cores"] == [CORE, "sip:core.opc.example;transport=tls"], record
    assert record["version"] == 2, record


def domain_add_refusals_name_the_reason(daemon):
    daemon.fill()
    for words, reason in [
        (["opa.example", "--core", CORE], "junctor: opa.example: exists already\n"),
        (["op_a.example", "--core", CORE], "junctor: op_a.example: "),
        (["opc.example", "--core", "192.0.2.1"], "junctor: 192.0.2.1: is not a SIP URI"),
    ]:
        _, err = daemon.run("domain", "add", *words, code=REFUSED)
        assert reason in err, err


def cores_may_have_ranks(daemon):
    first = "sip:127.0.21.2:5060;transport=udp;priority=10;weight=60"
    record = daemon.json("domain", "add", "opa.example", "--core", first, "--core",
                         "sip:127.0.21.3;transport=tcp;weight=5")
    second = "sip:127.0.21.3;transport=tcp;priority=0;weight=5"
    assert record["cores"] == [first, second], record
    daemon.run("domain", "set", "opa.example", "--claims", "3")
    assert daemon.json("domain", "show", "opa.example")["cores"] == [first, second]
    _, err = daemon.run("domain", "set", "opa.example", "--core", first, "--core", CORE, code=REFUSED)
    assert "cores[1]: has neither priority nor weight" in err, err
    daemon.run("domain", "set", "opa.example", "--core", CORE)
    assert daemon.json("domain", "show", "opa.example")["cores"] == [CORE]


def without_an_edge_no_core_is_watched(daemon):
    daemon.fill()
    assert daemon.run("core", "list") == ("", "")
    assert daemon.json("core", "list") == {"cores": []}


def domain_list_is_a_table(daemon):
    assert daemon.run("domain", "list") == ("", "")
    assert daemon.json("domain", "list") == {"domains": []}
    daemon.run("domain", "add", "longer-name.example", "--core", CORE)
    daemon.run("domain", "add", "opa.example", "--core", CORE, "--unknown", "core")
    out, _ = daemon.run("domain", "list")
    assert out == ("NAME                 UNKNOWN  CORES\n"
                   "longer-name.example  reject   " + CORE + "\n"
                   "opa.example          core     " + CORE + "\n"), out
    names = [record["name"] for record in daemon.json("domain", "list")["domains"]]
    assert names == ["longer-name.example", "opa.example"], names


def domain_show_prints_each_field(daemon):
    daemon.fill()
    lines = daemon.run("domain", "show", "opa.example")[0].splitlines()
    assert lines[:7] == ["name             opa.example", "cores            " + CORE,
                         "unknown          reject", "claims           0", "quarantine       90",
                         "address records  yes", "port redirects   no"], lines
    assert lines[7].startswith("created          20") and lines[8] == "version          1", lines
    assert daemon.json("domain", "show", "OPA.example")["cores"] == [CORE]
    _, err = daemon.run("domain", "show", "opx.example", code=REFUSED)
    assert err == "junctor: opx.example: no such record\n", err


def domain_del_wants_it_empty(daemon):
    daemon.fill()
    _, err = daemon.run("domain", "del", "opa.example", code=REFUSED)
    assert err.startswith("junctor: opa.example: ") and "delete them first" in err, err
    for address in ("alice@opa.example", "carol@opa.example"):
        daemon.run("address", "del", address)
        daemon.run("address", "purge", address)
    assert daemon.run("domain", "del", "OPA.example")[0] == "opa.example deleted\n"
    _, err = daemon.run("domain", "del", "opa.example", code=REFUSED)
    assert err == "junctor: opa.example: no such record\n", err
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    assert daemon.json("domain", "del", "opa.example")["name"] == "opa.example"


def address_add_says_where_it_lives(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    assert daemon.run("address", "add", "Bob@opa.example")[0] == "bob@opa.example added\n"
    out, _ = daemon.run("address", "add", "carol@opa.example", "--hosting", "opb.example")
    assert out == "carol@opa.example added, ported-out, hosting domain opb.example\n", out
    out, _ = daemon.run("address", "add", "dave@opb.example", "--hosting", "opa.example")
    assert out == "dave@opb.example added, ported-in, hosting domain opa.example\n", out
    record = daemon.json("address", "add", "Eve@opa.example")
    assert record["display"] == "Eve@opa.example" and record["state"] == "hosted", record


def address_add_refusals_name_the_reason(daemon):
    daemon.fill()
    for words, reason in [
        (["alice@opa.example"], "junctor: alice@opa.example: exists already\n"),
        (["alice"], "junctor: alice: "),
        (["a b@opa.example"], "junctor: a b@opa.example: "),
        (["bob@opb.example"], "junctor: opb.example: is not one of our domains"),
    ]:
        _, err = daemon.run("address", "add", *words, code=REFUSED)
        assert reason in err, err


def address_list_is_a_table(daemon):
    assert daemon.run("address", "list") == ("", "")
    assert daemon.json("address", "list") == {"addresses": []}
    daemon.fill()
    lines = daemon.run("address", "list")[0].splitlines()
    assert lines[0] == "ADDRESS            STATE       HOSTING      OWNER  TARGET  CREATED", lines
    assert lines[1].startswith("alice@opa.example  hosted      opa.example                 20"), lines
    assert lines[2].startswith("carol@opa.example  ported-out  opb.example                 20"), lines
    assert len(lines) == 3 and lines[1].endswith("Z"), lines
    records = daemon.json("address", "list", "opa.example")["addresses"]
    assert [record["version"] for record in records] == [2, 3], records
    daemon.run("domain", "add", "opc.example", "--core", CORE)
    assert daemon.json("address", "list", "opc.example") == {"addresses": []}
    for name in ("nope.example", "NOPE.example"):
        _, err = daemon.run("address", "list", name, code=REFUSED)
        assert err == "junctor: nope.example is not hosted here\n", err
    daemon.run("address", "add", "dave@opb.example", "--hosting", "opa.example")
    assert len(daemon.json("address", "list", "opb.example")["addresses"]) == 1
    _, err = daemon.run("address", "list", "a_b", code=REFUSED)
    assert "junctor: a_b: " in err, err


def lists_longer_than_a_page_are_whole(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    count = 1001  # one more than a page
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(daemon.socket)
    answers = connection.makefile("rb")
    for number in range(count):
        body = b'{"address": "u%d@opa.example"}' % number
        connection.sendall(b"POST /v1/addresses HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
        status, length = answers.readline(), 0
        assert b" 201 " in status, status
        while (line := answers.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        answers.read(length)
    connection.close()
    lines = daemon.run("address", "list")[0].splitlines()
    assert len(lines) == count + 1 and len(set(lines)) == count + 1, len(lines)
    assert len(daemon.json("address", "list")["addresses"]) == count


def address_show_prints_each_field(daemon):
    daemon.fill()
    lines = daemon.run("address", "show", "ALICE@opa.example")[0].splitlines()
    assert lines[:4] == ["address    alice@opa.example", "state      hosted",
                         "hosting    opa.example", "display    Alice@opa.example"], lines
    assert daemon.json("address", "show", "carol@opa.example")["hosting"] == "opb.example"
    _, err = daemon.run("address", "show", "bob@opa.example", code=REFUSED)
    assert err == "junctor: bob@opa.example: no such record\n", err


def address_del_releases(daemon):
    daemon.fill()
    assert daemon.run("address", "del", "Alice@opa.example")[0] == "alice@opa.example released\n"
    assert daemon.json("address", "show", "alice@opa.example")["state"] == "tombstone"
    _, err = daemon.run("address", "add", "alice@opa.example", "--owner", "eve", code=REFUSED)
    assert err.startswith("junctor: alice@opa.example: "), err
    assert daemon.json("address", "del", "carol@opa.example")["address"] == "carol@opa.example"
    daemon.run("address", "purge", "carol@opa.example")
    out, _ = daemon.run("address", "purge", "alice@opa.example")
    assert out == "alice@opa.example purged\n", out
    _, err = daemon.run("address", "purge", "alice@opa.example", code=REFUSED)
    assert err == "junctor: alice@opa.example: no such record\n", err
    assert daemon.run("address", "list")[0] == ""


def odd_characters_arrive_as_typed(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    odd = "a/b?c&d=%25+;x@opa.example"
    assert daemon.json("address", "add", odd)["address"] == odd
    assert daemon.json("address", "show", odd)["display"] == odd
    daemon.run("route", odd)
    daemon.run("address", "del", odd)


def route_walks_to_a_peer(daemon):
    daemon.fill()
    route = daemon.json("route", "Bob@opb.example")
    assert route["rule"] == "authority" and route["must_prove"] == "opb.example", route
    hops = [(hop["transport"], hop["address"], hop["host"]) for hop in route["next_hops"]]
    assert hops[0] == ("tls", "192.0.2.1:5061", "edge1.opb.example"), hops
    assert sorted(hops[1:]) == [("tls", "192.0.2.2:5062", "edge2.opb.example"),
                                ("tls", "[2001:db8::2]:5062", "edge2.opb.example")], hops
    assert route["verdict"] == "goes to opb.example over mutual TLS", route
    lines = daemon.run("route", "Bob@opb.example")[0].splitlines()
    assert lines[0] == "bob@opb.example", lines
    assert lines[1] == "  1. address: Bob@opb.example is bob@opb.example in canonical form", lines
    assert lines[2].startswith("  2. directory: "), lines
    assert any("NAPTR opb.example" in line for line in lines), lines
    assert any("SRV _sips._tcp.opb.example" in line for line in lines), lines
    assert any(line.endswith("the far certificate must prove the SIP domain opb.example (RFC 5922)")
               for line in lines), lines
    assert "  tls 192.0.2.1:5061  edge1.opb.example" in lines, lines
    assert lines[-1] == "verdict: goes to opb.example over mutual TLS", lines


def route_follows_what_was_ported_out(daemon):
    daemon.fill()
    route = daemon.json("route", "carol@opa.example")
    assert route["rule"] == "ported-out" and route["hosting"] == "opb.example", route
    assert route["next_hops"][0]["address"] == "192.0.2.1:5061", route


def route_to_our_core_needs_no_certificate(daemon):
    daemon.fill()
    route = daemon.json("route", "alice@opa.example")
    assert route["next_hops"] == [{"transport": "udp", "address": "127.0.21.2:5060",
                                   "host": "127.0.21.2"}], route
    assert route["must_prove"] is None, route
    assert daemon.run("route", "alice@opa.example")[0].endswith(
        "verdict: goes to the core of opa.example; a call from that core itself is answered 404, "
        "it must route its own addresses\n")


def route_that_ends_nowhere_is_explained(daemon):
    daemon.fill()
    out, _ = daemon.run("route", "nobody@opa.example", code=REFUSED)
    assert out.endswith("verdict: refused: nobody@opa.example does not exist at opa.example\n"), out
    out, _ = daemon.run("route", "bob@nowhere.example", code=REFUSED)
    assert "verdict: no way there: " in out and "nowhere.example" in out, out
    assert daemon.json("route", "bob@nowhere.example", code=REFUSED)["next_hops"] == []
    _, err = daemon.run("route", "bob", code=REFUSED)
    assert err.startswith("junctor: bob: "), err


def status_shows_the_directory(daemon):
    daemon.fill()
    lines = daemon.run("status")[0].splitlines()
    assert lines[0].startswith("junctord   "), lines
    assert lines[1].startswith("directory  1 domains, 2 addresses, 0 numbers, 0 peers, "), lines
    assert lines[2].startswith("journal    entries 1 to 3, "), lines
    assert lines[3] == "edge       none in this process", lines
    status = daemon.json("status")
    assert status["store"]["addresses"] == 2 and status["edge"] is None, status


def json_may_stand_anywhere(daemon):
    daemon.fill()
    for words in (["--json", "domain", "list"], ["domain", "--json", "list"],
                  ["domain", "list", "--json"]):
        assert json.loads(daemon.run(*words)[0])["domains"], words


def an_empty_word_is_refused_with_what_is_expected(daemon):
    for words in (["route"], ["address", "add"], ["address", "show"], ["address", "del"]):
        _, err = daemon.run(*words, "", code=USAGE)
        assert err.startswith("junctor: %s: expected an address such as bob@opb.example, not an "
                              "empty text\n" % " ".join(words)), err
    for words in (["address", "list"], ["domain", "show"], ["domain", "del"]):
        _, err = daemon.run(*words, "", code=USAGE)
        assert err.startswith("junctor: %s: expected a domain such as opa.example, not an "
                              "empty text\n" % " ".join(words)), err
    _, err = daemon.run("domain", "add", "", "--core", CORE, code=USAGE)
    assert "expected a domain such as" in err, err


def refusals_are_problem_documents_with_json(daemon):
    for words, kind in ((["domain", "show", "opx.example"], "no-such-record"),
                        (["address", "add", "a b"], "invalid-field"),
                        (["address", "list", "nope.example"], "no-such-record")):
        out, err = daemon.run("--json", *words, code=REFUSED)
        problem = json.loads(err)
        assert out == "" and problem["type"] == "urn:junctor:problem:" + kind, (words, err)
        assert problem["detail"] and problem["title"] and problem["status"] in (400, 404, 422), err


def usage_errors_exit_2(daemon):
    for words in ([], ["frobnicate"], ["domain"], ["domain", "frobnicate"], ["domain", "show"],
                  ["domain", "show", "a.example", "b.example"], ["domain", "add", "opa.example"],
                  ["domain", "add", "--core", CORE], ["domain", "list", "--core", CORE],
                  ["address", "add"], ["address", "add", "a@opa.example", "--unknown", "core"],
                  ["address", "list", "a", "b"], ["route"], ["route", "a", "--hosting", "b"],
                  ["status", "now"], ["--frobnicate"], ["domain", "add", "x.example", "--core"]):
        done = subprocess.run([TOOL, "--socket", daemon.socket, *words], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == USAGE, (words, done)
        assert done.stdout == "" and "usage: junctor" in done.stderr, (words, done)
    assert daemon.json("status")["store"]["last_sequence"] == 0


def words_that_are_no_text_are_refused(daemon):
    done = subprocess.run([TOOL, "--socket", daemon.socket, "address", "add", b"b\xff@opa.example"],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == USAGE and b"UTF-8" in done.stderr, done
    done = subprocess.run([TOOL, "--socket", daemon.socket, "route", b"b\xff@opa.example"],
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == REFUSED and done.stderr.startswith(b"junctor: b"), done


def a_daemon_that_is_not_there_exits_3(daemon):
    nowhere = os.path.join(daemon.folder, "nowhere.sock")
    for words in (["domain", "add", "a.example", "--core", CORE], ["domain", "list"],
                  ["domain", "show", "a"], ["domain", "del", "a"], ["address", "add", "a@b"],
                  ["address", "list"], ["address", "show", "a@b"], ["address", "del", "a@b"],
                  ["route", "a@b"], ["status"], ["--json", "domain", "list"]):
        done = subprocess.run([TOOL, "--socket", nowhere, *words], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == UNREACHABLE, (words, done)
        assert nowhere in done.stderr and "No such file" in done.stderr, done
        assert "--socket" in done.stderr and "junctord -c" in done.stderr, done
        assert done.stdout == "", done


def something_else_on_the_socket_exits_3(daemon):
    for answer in (http_answer("200 OK", "hello"), http_answer("200 OK", "[]"), b"\r\n\r\n"):
        script = Script(daemon, answer)
        _, err = daemon.run("status", "--socket", script.path, code=UNREACHABLE)
        assert script.path in err, err
        script.stop()


def del_deletes_only_what_was_seen(daemon):
    script = Script(daemon,
                    http_answer('200 OK\r\nETag: "17"', '{"name": "opa.example"}'),
                    http_answer("412 No", '{"detail": "opa.example: changed in the meantime"}'))
    _, err = daemon.run("domain", "del", "OPA.example", "--socket", script.path, code=REFUSED)
    script.stop()
    assert err == "junctor: opa.example: changed in the meantime\n", err
    assert script.asked[0].startswith("GET /v1/domains/OPA.example HTTP"), script.asked
    assert script.asked[1].startswith("DELETE /v1/domains/opa.example HTTP"), script.asked
    assert '\r\nIf-Match: "17"\r\n' in script.asked[1], script.asked


def what_is_printed_cannot_steer_the_terminal(daemon):
    bad = '"\\u001b[2J"'
    script = Script(daemon, http_answer("200 OK", '{"address": %s, "display": %s}' % (bad, bad)),
                    http_answer("404 No", '{"detail": %s}' % bad))
    out, _ = daemon.run("address", "show", "a@opa.example", "--socket", script.path)
    assert "\x1b" not in out and "display  ?[2J\n" in out, out
    _, err = daemon.run("address", "show", "a@opa.example", "--socket", script.path, code=REFUSED)
    assert err == "junctor: ?[2J\n", err
    script.stop()


def warnings_about_a_domain_are_printed(daemon):
    record = '{"name": "opc.example", "cores": [], "warnings": ["opc.example is \\u001b bad"]}'
    for words in (["domain", "add", "opc.example", "--core", CORE], ["domain", "show", "opc.example"]):
        script = Script(daemon, http_answer("200 OK", record), http_answer("200 OK", record))
        done = [subprocess.run([TOOL, "--socket", script.path, *words, *more], capture_output=True,
                               text=True, timeout=60, check=False) for more in ([], ["--json"])]
        script.stop()
        assert done[0].stderr == "junctor: warning: opc.example is ? bad\n", done
        assert done[0].returncode == DONE and "opc.example" in done[0].stdout, done
        assert done[1].returncode == DONE and done[1].stderr == "", done
        assert json.loads(done[1].stdout) == json.loads(record), done


def option_beats_environment(daemon):
    out, _ = daemon.run("--socket", daemon.socket, "domain", "list",
                        environment={"JUNCTOR_SOCKET": "/nonexistent"})
    assert out == ""


def proxies_of_the_environment_are_ignored(daemon):
    daemon.run("status", environment={"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "x://y"})


def output_that_cannot_be_written_is_an_error(daemon):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([TOOL, "--socket", daemon.socket, "status"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == REFUSED and "could not be written" in done.stderr, done


TESTS = [
    domain_add_says_what_was_added,
    domain_add_refusals_name_the_reason,
    cores_may_have_ranks,
    without_an_edge_no_core_is_watched,
    domain_list_is_a_table,
    domain_show_prints_each_field,
    domain_del_wants_it_empty,
    address_add_says_where_it_lives,
    address_add_refusals_name_the_reason,
    address_list_is_a_table,
    lists_longer_than_a_page_are_whole,
    address_show_prints_each_field,
    address_del_releases,
    odd_characters_arrive_as_typed,
    route_walks_to_a_peer,
    route_follows_what_was_ported_out,
    route_to_our_core_needs_no_certificate,
    route_that_ends_nowhere_is_explained,
    status_shows_the_directory,
    json_may_stand_anywhere,
    an_empty_word_is_refused_with_what_is_expected,
    refusals_are_problem_documents_with_json,
    usage_errors_exit_2,
    words_that_are_no_text_are_refused,
    a_daemon_that_is_not_there_exits_3,
    something_else_on_the_socket_exits_3,
    del_deletes_only_what_was_seen,
    what_is_printed_cannot_steer_the_terminal,
    warnings_about_a_domain_are_printed,
    option_beats_environment,
    proxies_of_the_environment_are_ignored,
    output_that_cannot_be_written_is_an_error,
]


if __name__ == "__main__":
    sys.exit(main(TESTS))
