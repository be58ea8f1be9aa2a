#!/usr/bin/env python3
"""The command-line tool: the records that should exist in DNS, in each format. Prints TAP."""
import json
import re
import sys

from harness import CORE, REFUSED, USAGE, Script, Skip, http_answer, main

CAROL = "4c26d9074c27d89ede59270c0ac14b71e071b15239519f75474b2f3b._sipaddr.opa.example"
KEY = "11" * 32
ZONE = [
    'opa.example. 3600 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opa.example.',
    "_sips._tcp.opa.example. 3600 IN SRV 10 10 5061 edge.opa.example.",
    '_sipaddr.opa.example. 3600 IN TXT "v=sipaddr1"',
    "edge.opa.example. 3600 IN A 192.0.2.10",
    "edge.opa.example. 3600 IN AAAA 2001:db8::10",
    "_5061._tcp.edge.opa.example. 3600 IN TLSA 3 1 1 " + KEY,
    CAROL + '. 300 IN NAPTR 10 10 "" "SIP+host" "" opb.example.',
]


def records(daemon, *words):
    return daemon.run("dns", "records", "opa.example", *words)[0]


def a_zone_file_has_a_line_for_each_record(daemon):
    daemon.fill()
    assert records(daemon).splitlines() == ZONE
    assert records(daemon, "--format", "zone").splitlines() == ZONE


def json_has_the_same_records(daemon):
    daemon.fill()
    listed = json.loads(records(daemon, "--format", "json"))["records"]
    assert [f"{r['name']}. {r['ttl']} IN {r['type']} {r['data']}" for r in listed] == ZONE, listed
    assert daemon.json("dns", "records", "OPA.example.")["records"] == listed


def nsupdate_puts_each_set_in_the_place_of_the_old_one(daemon):
    daemon.fill()
    lines = records(daemon, "--format", "nsupdate").splitlines()
    assert lines[-1] == "send", lines
    added = [line[len("update add "):] for line in lines if line.startswith("update add ")]
    assert added == [line.replace(" IN ", " ", 1) for line in ZONE], added
    for line in added:
        name, _, kind = line.split()[:3]
        delete, add = f"update delete {name} {kind}", f"update add {line}"
        assert lines.count(delete) == 1, delete
        assert lines.index(delete) < lines.index(add), add


def nsupdate_sends_as_much_as_a_message_holds(daemon):
    daemon.run("domain", "add", "opa.example", "--core", CORE)
    rows = "".join(json.dumps({"address": f"u{i}@opa.example", "hosting": "opb.example"}) + "\n"
                   for i in range(1500))
    daemon.run("import", daemon.write("rows.jsonl", rows), says=True)
    text = records(daemon, "--format", "nsupdate")
    messages = [message for message in text.split("send\n") if message]
    assert text.endswith("send\n") and text.count("update add ") == 1506
    assert len(messages) >= 1506 / 100
    # a record needs less than 32 octets besides its text in a message of at most 64 KiB
    assert all(len(message) + 32 * message.count("update") < 65000 for message in messages)


def natural(text):
    """The order of octoDNS' YamlProvider (natsort): runs of digits are numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def octodns_gets_names_in_order(daemon):
    try:
        import yaml  # pylint: disable=import-outside-toplevel
    except ImportError as missing:
        raise Skip("python3-yaml is not installed") from missing
    daemon.fill()
    for user in "abcdefghijklmnopqrstuvwxyz":
        daemon.run("address", "add", f"{user}@opa.example", "--hosting", "opb.example")
    text = records(daemon, "--format", "octodns")
    pairs = yaml.compose(text).value
    names = [key.value for key, _ in pairs]
    assert names == sorted(names, key=natural) and len(set(names)) == len(names) == 32, names
    for _, sets in pairs:
        for one in sets.value:
            keys = [key.value for key, _ in one.value]
            assert keys == sorted(keys), keys
    zone = yaml.safe_load(text)
    assert zone[""] == [{"ttl": 3600, "type": "NAPTR", "values": [
        {"flags": "s", "order": 10, "preference": 10, "regexp": "", "service": "SIPS+D2T",
         "replacement": "_sips._tcp.opa.example."}]}]
    assert zone["_sips._tcp"] == [{"ttl": 3600, "type": "SRV", "values": [
        {"port": 5061, "priority": 10, "weight": 10, "target": "edge.opa.example."}]}]
    assert zone["_5061._tcp.edge"] == [{"ttl": 3600, "type": "TLSA", "values": [
        {"certificate_usage": 3, "selector": 1, "matching_type": 1,
         "certificate_association_data": KEY}]}]
    assert zone["edge"] == [{"ttl": 3600, "type": "A", "values": ["192.0.2.10"]},
                            {"ttl": 3600, "type": "AAAA", "values": ["2001:db8::10"]}]
    assert zone["_sipaddr"] == [{"ttl": 3600, "type": "TXT", "values": ["v=sipaddr1"]}]
    (carol,) = zone[CAROL[:-len(".opa.example")]]
    assert carol["values"][0]["replacement"] == "opb.example."
    # octoDNS knows the flags S, A, U and P alone, and takes a record without only if told to.
    for sets in zone.values():
        for one in sets:
            bare = one["type"] == "NAPTR" and one["values"][0]["flags"] == ""
            assert one.get("octodns") == ({"lenient": True} if bare else None), one


def a_domain_or_an_address_can_be_left_out(daemon):
    daemon.fill()
    daemon.run("address", "set", "carol@opa.example", "--published", "no")
    assert records(daemon).splitlines() == ZONE[:-1]
    daemon.run("address", "set", "carol@opa.example", "--published", "yes")
    assert records(daemon).splitlines() == ZONE
    daemon.run("domain", "set", "opa.example", "--address-records", "no")
    assert daemon.json("domain", "show", "opa.example")["address_records"] is False
    assert records(daemon).splitlines() == ZONE[:2] + ZONE[3:6]
    daemon.run("domain", "set", "opa.example", "--claims", "1")  # and stays so
    assert records(daemon).splitlines() == ZONE[:2] + ZONE[3:6]


def a_domain_without_records_gives_an_empty_list(daemon):
    answer = http_answer("200 OK", '{"records": [], "next": null, "warnings": ["nothing there"]}')
    for name, expected in (("zone", ""), ("nsupdate", ""), ("octodns", "--- {}\n"),
                           ("json", '{"records": []}\n')):
        script = Script(daemon, answer)
        out, err = daemon.run("dns", "records", "opa.example", "--format", name, says=True,
                              environment={"JUNCTOR_SOCKET": script.path})
        script.stop()
        assert out == expected and err == "junctor: warning: nothing there\n", (name, out, err)


def what_is_no_domain_of_ours_is_refused(daemon):
    _, err = daemon.run("dns", "records", "opx.example", code=REFUSED)
    assert err.startswith("junctor: opx.example: "), err
    _, err = daemon.run("dns", "records", "a b", code=REFUSED)
    assert err.startswith("junctor: a b: "), err


def each_command_has_formats_of_its_own(daemon):
    _, err = daemon.run("dns", "records", "opa.example", "--format", "csv", code=USAGE)
    assert "--format: expected zone, json, nsupdate or octodns, not" in err, err
    _, err = daemon.run("export", "--format", "zone", code=USAGE)
    assert "--format: expected jsonl or csv, not" in err, err
    _, err = daemon.run("status", "--format", "zone", code=USAGE)
    assert "status: does not take --format" in err, err
    _, err = daemon.run("dns", "records", "opa.example", "--format", "zone", "--format", "json",
                        code=USAGE)
    assert "--format is given twice" in err, err


TESTS = [
    a_zone_file_has_a_line_for_each_record,
    json_has_the_same_records,
    nsupdate_puts_each_set_in_the_place_of_the_old_one,
    nsupdate_sends_as_much_as_a_message_holds,
    octodns_gets_names_in_order,
    a_domain_or_an_address_can_be_left_out,
    a_domain_without_records_gives_an_empty_list,
    what_is_no_domain_of_ours_is_refused,
    each_command_has_formats_of_its_own,
]

if __name__ == "__main__":
    sys.exit(main(TESTS))
