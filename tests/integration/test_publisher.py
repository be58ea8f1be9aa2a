"""The publisher against real primaries, Knot and BIND: what the directory says is in DNS, whatever
is killed; and what a person changed there stays."""

import json
import os
import random
import shutil
import tempfile
import time

import pytest
from lab.api import ApiDaemon
from lab.plan import free_plan
from lab.primary import KEY, OTHER, SECRET, ZONE, Primary
from lab.process import run, wait_until

HOST = "edge.opa.example"
CORE = "sip:127.0.0.1:5060;transport=udp"
WAIT_S = 60  # only a test that hangs ends by it

WILDCARDS = """\
* A 192.0.2.10
* TXT "v=spf1 -all"
* NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.elsewhere.example.
"""

BELOW = """\
$ORIGIN _sipaddr.opa.example.
$TTL 300
@ SOA ns.opa.example. hostmaster.opa.example. 1 3600 600 86400 60
@ NS ns.opa.example.
"""


class Publishing(ApiDaemon):
    def __init__(self, folder, primary):
        super().__init__(free_plan(), folder)
        self.primary = primary
        self.settings = ""
        self.outside_port = 5061

    def config(self):
        text = super().config().replace(
            f'outside "tls:{self.address}:5061" {{ }}',
            f'outside "tls:{self.address}:5061" {{ advertise = "{HOST}:{self.outside_port}" '
            f'addresses = {{"192.0.2.10", "2001:db8::10"}} }}')
        return text + self.primary.conf() + self.settings

    def expected(self):
        """What the daemon says should be in the zone."""
        records = self.tool_json("dns", "records", "opa.example")["records"]
        return {(record["name"], record["type"], record["ttl"], record["data"])
                for record in records}

    def zone(self):
        """How its publisher is."""
        return wait_until(lambda: self.tool_json("status")["published"],
                          "the publisher knows its zone", WAIT_S)[0]

    def is_converged(self):
        records = {record for record in self.primary.records() if not record[0].startswith("*")}
        return records == self.expected()

    def wait_converged(self):
        wait_until(self.is_converged, "the primary serves what it should", WAIT_S,
                   watch=[self.program, self.primary.program])

    def wait_current(self):
        def current():
            zone = self.zone()
            last = self.tool_json("status")["store"]["last_sequence"]
            return zone["state"] == "current" and zone["sequence"] == last
        wait_until(current, "the publisher has nothing to do", WAIT_S, watch=[self.program])

    def sync(self, *options):
        done = self.tool("dns", "sync", "opa.example", *options, check=False)
        return done.returncode, done.stdout


@pytest.fixture(params=["knot", "bind"])
def kind(request):
    return request.param


@pytest.fixture
def text():
    """Of the zone, before anything is published."""
    return ZONE


@pytest.fixture
def daemon(request, kind, text):
    """With the domain in the directory, and published."""
    folder = tempfile.mkdtemp(prefix="junctor-publish-")
    primary = Primary(kind, os.path.join(folder, "primary"), "127.0.0.1", text)
    made = Publishing(os.path.join(folder, "edge"), primary)
    request.node.getparent(pytest.Module).lab = made  # for conftest.py
    made.programs = [made.program, primary.program]
    try:
        primary.start()
        made.configure()
        made.start()
        made.wait_ready()
        made.tool("domain", "add", "opa.example", "--core", CORE)
        made.wait_converged()
        yield made
        made.program.check()
        assert made.program.stop(timeout_s=35) == 0
    finally:
        made.program.stop(timeout_s=35)
        primary.stop()
        shutil.rmtree(folder, ignore_errors=True)


def address_records(primary):
    return {record for record in primary.records()
            if record[1] == "NAPTR" and "SIP+host" in record[3]}


def test_what_the_directory_says_is_published(daemon):
    names = {record[:2] for record in daemon.primary.records()}
    assert names == {("opa.example", "NAPTR"), ("_sips._tcp.opa.example", "SRV"),
                     ("_sipaddr.opa.example", "TXT"), (HOST, "A"), (HOST, "AAAA"),
                     ("_5061._tcp." + HOST, "TLSA")}
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.tool("address", "add", "carol@opa.example", "--hosting", "opc.example")
    daemon.tool("address", "add", "dave@opa.example")
    daemon.wait_converged()
    assert len(address_records(daemon.primary)) == 2
    daemon.tool("address", "set", "bob@opa.example", "--hosting", "opc.example")
    daemon.tool("address", "set", "carol@opa.example", "--blocked", "yes")
    daemon.tool("address", "set", "dave@opa.example", "--hosting", "opd.example")
    daemon.wait_converged()
    daemon.tool("address", "del", "bob@opa.example")
    daemon.tool("address", "purge", "bob@opa.example")
    daemon.tool("address", "del", "dave@opa.example")
    daemon.wait_converged()
    assert not address_records(daemon.primary)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
    assert daemon.sync() == (0, "opa.example: 8 sets compared, 0 changed, 0 changed by somebody "
                                "else\n")


def test_what_is_left_out_of_dns_goes_and_comes_back(daemon):
    for name in ("bob", "carol"):
        daemon.tool("address", "add", f"{name}@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    for words in (["--blocked", "yes"], ["--blocked", "no"], ["--address-records", "no"],
                  ["--blocked", "yes"], ["--address-records", "yes"], ["--blocked", "no"]):
        kind = "domain" if words[0] == "--address-records" else "address"
        name = "opa.example" if kind == "domain" else "bob@opa.example"
        daemon.tool(kind, "set", name, *words)
        daemon.wait_converged()
    daemon.tool("address", "set", "bob@opa.example", "--published", "no")
    daemon.wait_converged()
    assert len(address_records(daemon.primary)) == 1
    daemon.tool("address", "set", "bob@opa.example", "--published", "yes")
    daemon.wait_converged()
    daemon.primary.program.kill()  # all of it in one batch
    daemon.tool("domain", "set", "opa.example", "--address-records", "no")
    daemon.tool("address", "set", "bob@opa.example", "--hosting", "opc.example")
    daemon.tool("domain", "set", "opa.example", "--address-records", "yes")
    daemon.tool("address", "set", "carol@opa.example", "--published", "no")
    daemon.primary.start()
    daemon.wait_converged()
    daemon.wait_current()
    assert "was changed by somebody else" not in daemon.log()


def test_a_domain_that_goes_takes_its_records_along(daemon):
    daemon.tool("domain", "del", "opa.example")
    # Those of the host inside the zone stay: it is in none of our domains now.
    wait_until(lambda: {record[1] for record in daemon.primary.records()} == {"A", "AAAA", "TLSA"},
               "the domain's records are gone", WAIT_S)


def test_what_a_person_changed_stays(daemon):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    (name, _, _, data), = address_records(daemon.primary)
    daemon.primary.update(f"update delete {name}. NAPTR",
                          f"update add {name}. 300 NAPTR {data.replace('opb', 'other')}",
                          "update delete _sips._tcp.opa.example. SRV")
    daemon.tool("address", "set", "bob@opa.example", "--hosting", "opc.example")
    daemon.wait_log(f"{name} NAPTR was changed by somebody else.*for=bob@opa.example",
                    timeout_s=WAIT_S)
    daemon.wait_current()
    assert [record[3] for record in address_records(daemon.primary)] == [
        data.replace("opb", "other")]
    assert daemon.zone()["differing"] == 1

    code, text = daemon.sync("--dry-run")
    assert code == 1
    assert "_sips._tcp.opa.example SRV: would be added" in text
    assert f"{name} NAPTR: was changed by somebody else, would be left alone" in text
    assert not daemon.is_converged()

    code, text = daemon.sync()  # adds what is missing
    assert code == 1
    assert text.endswith(": 7 sets compared, 1 changed, 1 changed by somebody else\n"), text
    assert ("_sips._tcp.opa.example", "SRV") in {record[:2] for record in daemon.primary.records()}
    code, text = daemon.sync("--force")
    assert code == 0 and f"{name} NAPTR: replaced" in text
    assert daemon.is_converged()
    daemon.wait_current()
    wait_until(lambda: daemon.zone()["differing"] == 0, "nothing differs any more", WAIT_S)


def test_what_differs_is_remembered_and_found_again(daemon):
    daemon.primary.update("update delete _sips._tcp.opa.example. SRV",
                          "update add _sips._tcp.opa.example. 60 SRV 1 1 5061 mine.opa.example.")
    daemon.restart()
    daemon.wait_log("_sips._tcp.opa.example SRV was changed by somebody else", timeout_s=WAIT_S)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 1
    mark = daemon.mark()
    daemon.restart(kill=True)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 1
    assert "was changed by somebody else" not in daemon.log(mark)  # told once
    daemon.primary.update("update delete _sips._tcp.opa.example. SRV",
                          f"update add _sips._tcp.opa.example. 3600 SRV 10 10 5061 {HOST}.")
    daemon.restart(kill=True)
    wait_until(lambda: daemon.zone()["differing"] == 0, "it agrees again", WAIT_S)
    assert daemon.is_converged()


def test_a_ttl_that_a_person_changed_stays(daemon):
    """And does not keep the records from following."""
    name = "_sips._tcp.opa.example"

    def served():
        return {record[2:] for record in daemon.primary.records() if record[0] == name}

    daemon.primary.update(f"update delete {name}. SRV",
                          f"update add {name}. 60 SRV 10 10 5061 {HOST}.")
    daemon.restart()
    daemon.wait_log(f'{name} SRV was changed.*served="60 10 10.*expected="3600 10 10', 0, WAIT_S)
    daemon.wait_current()
    assert daemon.zone()["differing"] == 1
    daemon.tool("domain", "add", "opz.example", "--core", CORE)  # its sets are looked at again
    daemon.wait_current()
    assert served() == {(60, f"10 10 5061 {HOST}.")}
    daemon.outside_port = 5062
    daemon.configure()
    daemon.restart()
    wait_until(lambda: served() == {(60, f"10 10 5062 {HOST}.")}, "the record follows", WAIT_S)
    daemon.restart(kill=True)
    daemon.wait_current()
    code, text = daemon.sync()
    assert code == 1 and f"{name} SRV: was changed by somebody else" in text, text
    assert served() == {(60, f"10 10 5062 {HOST}.")}
    assert daemon.sync("--force")[0] == 0
    assert daemon.is_converged()
    wait_until(lambda: daemon.zone()["differing"] == 0, "nothing differs any more", WAIT_S)


def test_a_ttl_that_a_person_gave_an_address_stays(daemon):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    (name, _, _, data), = address_records(daemon.primary)
    daemon.primary.update(f"update delete {name}. NAPTR", f"update add {name}. 7 NAPTR {data}")
    daemon.tool("address", "set", "bob@opa.example", "--hosting", "opc.example")
    data = data.replace("opb", "opc")
    wait_until(lambda: address_records(daemon.primary) == {(name, "NAPTR", 7, data)},
               "the record follows", WAIT_S)
    code, text = daemon.sync()
    assert code == 1 and f"{name} NAPTR: was changed by somebody else" in text, text
    assert daemon.sync("--force")[0] == 0
    assert daemon.is_converged()


def test_other_settings_are_published_by_a_reload_and_by_a_restart(daemon):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    daemon.settings = "publish { ttl = 60 address-ttl = 30 }\n"
    daemon.configure()
    since = len(daemon.log())
    daemon.reload()
    daemon.wait_log("publishing: zone=", since, WAIT_S)
    daemon.wait_converged()
    assert {record[2] for record in daemon.primary.records()} == {60, 30}
    daemon.settings = "publish { ttl = 90 address-records = false }\n"
    daemon.configure()
    daemon.restart()
    daemon.wait_converged()
    assert {record[2] for record in daemon.primary.records()} == {90}
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0


def test_a_refusal_is_told_in_the_words_of_who_can_mend_it(daemon):
    daemon.primary.write("tsig.key", KEY % OTHER)
    since = len(daemon.log())
    daemon.reload()
    daemon.wait_log("publishing: zone=", since, WAIT_S)  # from now on by what was read anew
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    wait_until(lambda: daemon.zone()["state"] == "failing", "it says that it fails", WAIT_S)
    zone = daemon.zone()
    assert "has another secret than our key file (BADSIG)" in zone["why"]
    assert zone["failures"] > 0
    done = daemon.tool("dns", "sync", "opa.example", check=False)
    assert done.returncode == 1 and "(BADSIG)" in done.stderr
    daemon.primary.stop()
    daemon.primary.configure(OTHER)
    done = daemon.tool("dns", "sync", "opa.example", check=False)
    assert done.returncode == 1 and "no server takes TCP connections there" in done.stderr
    daemon.primary.start()
    daemon.wait_converged()
    daemon.wait_current()


def test_a_domain_in_no_zone_is_told_so(daemon):
    daemon.tool("domain", "add", "opb.example", "--core", CORE)
    done = daemon.tool("dns", "sync", "opb.example", check=False)
    assert done.returncode == 1 and "is in no zone that is published" in done.stderr


@pytest.mark.parametrize("lost", ["file", "cursor"])
def test_what_is_lost_means_comparing_everything(daemon, lost):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    daemon.wait_current()
    if lost == "cursor":
        daemon.tool("cursor", "del", "publisher")
    daemon.program.stop(timeout_s=35)
    if lost == "file":
        os.unlink(daemon.path("store/published.opa.example"))
    (name, _, _, _), = address_records(daemon.primary)
    daemon.primary.update(f"update delete {name}. NAPTR")
    daemon.start()
    daemon.wait_ready()
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
    assert daemon.tool_json("cursor", "show", "publisher")["lost"] is False


def import_rows(daemon, rows):
    path = daemon.path("rows.jsonl")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    daemon.tool("import", path, "--keep-going")


def test_what_the_journal_lost_meanwhile_is_put_right(daemon):
    """The primary is away while addresses change, and for longer than the journal lasts."""
    daemon.store_more = 'journal-size = "1M" journal-max = "1M"'
    daemon.configure()
    daemon.restart()
    for name in ("keep", "home", "moved", "gone"):
        daemon.tool("address", "add", f"{name}@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    daemon.wait_current()
    published = daemon.zone()["sequence"]
    daemon.primary.program.kill()
    daemon.tool("address", "set", "home@opa.example", "--hosting", "opa.example")
    daemon.tool("address", "set", "moved@opa.example", "--hosting", "opc.example")
    daemon.tool("address", "del", "gone@opa.example")
    import_rows(daemon, [{"address": f"b{i}@opa.example"} for i in range(20000)])
    mark = daemon.mark()
    daemon.restart(kill=True)
    daemon.wait_log("the journal passed its hard limit", mark, WAIT_S)
    daemon.restart(kill=True)
    daemon.wait_log("comparing every address.*zone=opa.example.*journal-max", mark, WAIT_S)
    assert daemon.zone()["sequence"] == published  # and not what was not done
    daemon.primary.start()
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
    assert "was changed by somebody else" not in daemon.log()


def test_what_only_its_form_says_is_ours_is_told(daemon):
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    (name, _, _, data), = address_records(daemon.primary)
    daemon.primary.update(f"update delete {name}. NAPTR",
                          f"update add {name}. 300 NAPTR {data.replace('opb', 'other')}")
    daemon.primary.program.kill()
    daemon.tool("address", "del", "bob@opa.example")
    daemon.tool("address", "purge", "bob@opa.example")
    daemon.primary.start()
    daemon.wait_log(f"{name} NAPTR was taken for ours by its form.*served=.*other", timeout_s=WAIT_S)
    wait_until(lambda: not address_records(daemon.primary), "it is gone", WAIT_S)
    daemon.wait_current()
    assert daemon.zone()["by_form"] == 1


def test_a_ttl_that_changes_twice_is_that_of_all_in_the_end(daemon):
    import_rows(daemon, [{"address": f"b{i}@opa.example", "hosting": "opb.example"}
                         for i in range(2000)])
    daemon.wait_converged()
    for ttl in (60, 90):
        daemon.settings = f"publish {{ address-ttl = {ttl} }}\n"
        daemon.configure()
        daemon.reload()
        wait_until(lambda: ttl in {record[2] for record in address_records(daemon.primary)},
                   "some have it", WAIT_S)
    daemon.wait_converged()


def test_what_a_person_took_away_stays_away(daemon):
    for name in ("bob", "carol"):
        daemon.tool("address", "add", f"{name}@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    record = min(address_records(daemon.primary))
    daemon.primary.update(f"update delete {record[0]}. NAPTR")
    daemon.settings = "publish { address-ttl = 60 }\n"
    daemon.configure()
    daemon.reload()
    wait_until(lambda: {record[2] for record in address_records(daemon.primary)} == {60},
               "the other one is changed", WAIT_S)
    daemon.wait_current()
    assert record[0] not in {record[0] for record in address_records(daemon.primary)}
    assert daemon.zone()["differing"] == 1
    assert daemon.sync()[0] == 0 and daemon.is_converged()  # an order adds it


def test_what_is_on_its_way_is_nobody_elses(daemon):
    """All are compared while more changes wait than go into a batch."""
    import_rows(daemon, [{"address": f"b{i}@opa.example", "hosting": "opb.example"}
                         for i in range(130)])
    daemon.wait_converged()
    daemon.wait_current()
    daemon.primary.program.kill()
    for i in reversed(range(130)):
        daemon.tool("address", "set", f"b{i}@opa.example", "--hosting", "opc.example")
    daemon.settings = "publish { address-ttl = 60 }\n"
    daemon.configure()
    daemon.restart(kill=True)
    daemon.primary.start()
    daemon.wait_converged()
    daemon.wait_current()
    assert "was changed by somebody else" not in daemon.log()


def change_something(daemon, dice):
    """A change that may fail where the daemon is not there, or the address is not."""
    name = f"u{dice.randrange(12)}@opa.example"
    words = dice.choice([
        ["address", "add", name, "--hosting", f"op{dice.randrange(9)}.example"],
        ["address", "set", name, "--hosting", f"op{dice.randrange(9)}.example"],
        ["address", "set", name, "--hosting", "opa.example"],
        ["address", "set", name, "--blocked", dice.choice(["yes", "no"])],
        ["address", "del", name],
        ["address", "purge", name],
    ])
    daemon.tool(*words, check=False)


def test_killed_at_any_moment_dns_follows_the_directory(daemon):
    """Whatever moment it is: changes, deaths of the daemon and of the primary in random order."""
    dice = random.Random(4)
    for _ in range(12):
        for _ in range(dice.randrange(1, 8)):
            change_something(daemon, dice)
        time.sleep(dice.random() * 0.25)  # before, while or after it is sent: all are good
        victim = dice.choice(["daemon", "daemon", "primary", "both"])
        if victim in ("primary", "both"):
            daemon.primary.program.kill()
            for _ in range(dice.randrange(4)):
                change_something(daemon, dice)
        if victim in ("daemon", "both"):
            daemon.restart(kill=True)
        if victim in ("primary", "both"):
            daemon.primary.start()
    change_something(daemon, dice)
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0, daemon.sync("--dry-run")


def test_the_metrics_tell_of_each_zone(daemon):
    daemon.wait_current()
    text = run(["curl", "-sS", "--unix-socket", daemon.socket, "http://localhost/metrics"]).stdout
    for line in ('junctor_publisher_failing{zone="opa.example"} 0',
                 'junctor_publisher_differing_sets{zone="opa.example"} 0',
                 'junctor_publisher_changed_sets_total{zone="opa.example"} 6'):
        assert line in text.splitlines(), text


def test_what_was_erased_meanwhile_goes_too(daemon):
    """The primary is away while an address changes often, is released, and its history erased."""
    for name in ("bob", "carol"):
        daemon.tool("address", "add", f"{name}@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    daemon.primary.program.kill()
    for step in range(25):
        daemon.tool("address", "set", "carol@opa.example", "--hosting", f"op{step}.example")
    daemon.tool("address", "del", "bob@opa.example")
    daemon.tool("address", "purge", "bob@opa.example")
    daemon.restart(kill=True)
    daemon.primary.start()
    daemon.wait_converged()
    daemon.wait_current()
    assert len(address_records(daemon.primary)) == 1
    assert daemon.zone()["differing"] == 0


def test_a_zone_without_its_primary_does_not_hold_the_others_back(daemon):
    """The addresses are in a zone of their own, on a server that is not there at first."""
    other = Primary(daemon.primary.kind, daemon.path("other"), "127.0.0.1")
    other.zone = "_sipaddr.opa.example"
    other.configure(SECRET)
    other.write("opa.example.zone", BELOW)
    daemon.settings = other.conf()
    daemon.configure()
    daemon.restart()
    try:
        daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
        daemon.settings += "publish { ttl = 60 }\n"
        daemon.configure()
        daemon.reload()
        wait_until(lambda: {record[2] for record in daemon.primary.records()
                            if not record[0].startswith("_sipaddr")} == {60},
                   "the zone whose primary is there is published", WAIT_S)
        zones = {zone["zone"]: zone for zone in daemon.tool_json("status")["published"]}
        assert zones[other.zone]["changed"] == 0
        other.start()
        wait_until(lambda: address_records(other) and not address_records(daemon.primary),
                   "the other one is, too", WAIT_S)
        assert ("_sipaddr.opa.example", "TXT") in {record[:2] for record in other.records()}
    finally:
        other.stop()


@pytest.mark.parametrize("text", [ZONE + WILDCARDS, ZONE + "* CNAME ns\n"], ids=["all", "alias"])
def test_what_wildcards_make_up_is_nobodys(daemon):
    """They answer for each name that is not there, with what the publisher wants or with other data;
    and no longer for one that has something below it."""
    daemon.tool("address", "add", "bob@opa.example", "--hosting", "opb.example")
    daemon.wait_converged()
    daemon.wait_current()
    assert daemon.zone()["differing"] == 0
    assert "was changed by somebody else" not in daemon.log()
    code, _ = daemon.sync("--force")
    assert code == 0


def test_an_alias_in_place_of_ours_is_replaced_by_force_only(daemon):
    name = "_sips._tcp.opa.example"
    daemon.primary.update(f"update delete {name}. SRV", f"update add {name}. 60 CNAME ns.opa.example.")
    code, text = daemon.sync()
    assert code == 1 and f"{name} SRV: was changed by somebody else" in text
    assert not daemon.is_converged()
    code, text = daemon.sync("--force")
    assert code == 0 and f"{name} SRV: replaced" in text, text
    assert daemon.is_converged()
