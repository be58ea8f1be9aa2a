"""`junctor cert next --switch`: key and certificate change both or not at all, wherever it ends."""

import os
import shutil

import pytest

from lab.edge import tool_path
from lab.lab import Lab
from lab.pki import Leaf
from lab.plan import DNS_PORT
from lab.process import run, wait_until
from test_cert_next import DOMAIN, Roll, read


class Ready(Roll):
    """The next key and certificate are there, and every name server has had the record for long."""

    def __init__(self, plan, lab):
        super().__init__(plan, lab)
        told = self.prepare()
        self.certify(told["request"], told["next_chain"])
        self.edge.served = f'next-key = "{self.next}"'
        self.edge.configure()
        self.edge.reload()
        wait_until(lambda: told["records"][0] in self.records(), "the next key is published")
        self.serve(self.records())
        self.prepare()
        self.age(4000)
        self.before = {path: read(path) for path in self.files()}
        self.config = self.edge.path("junctord.conf")
        self.fingerprint = lab.pki.fingerprint("edge-b")

    def files(self):
        """Those of the roll-over, with what is only there while it is under way."""
        folder = os.path.dirname(self.key)
        names = (os.path.basename(self.key), os.path.basename(self.chain))
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                      if name.startswith(names))

    def reset(self):
        for path in self.files():
            os.unlink(path)
        for path, text in self.before.items():
            write(path, text)

    def old(self, path):
        return self.before[path]

    def new(self, path):
        return self.before[path + ".next"]

    def marker(self):
        return (f"A switch is under way, or was broken off: junctor cert next {DOMAIN} finishes it."
                f"\n{self.fingerprint}\n{read(self.next + '.seen').split()[0]}\n")

    def leftovers(self):
        """What is there beside the files and their .old ones."""
        known = [*self.before, self.key + ".old", self.chain + ".old"]
        return [path for path in self.files() if path not in known]

    def left(self, step):
        """The files as a program leaves them that is killed after so many steps."""
        key, chain = self.key, self.chain
        marker = self.marker()
        steps = [lambda: write(key + ".old", self.old(key)),
                 lambda: write(chain + ".old", self.old(chain)),
                 lambda: write(key + ".switched", self.new(key)),
                 lambda: write(chain + ".switched", self.new(chain)),
                 lambda: write(key + ".switch", marker),
                 lambda: os.rename(key + ".switched", key),
                 lambda: os.rename(chain + ".switched", chain)]
        for do in steps[:step]:
            do()

    def is_as_before(self):
        return read(self.key) == self.old(self.key) and read(self.chain) == self.old(self.chain)

    def is_switched(self):
        return (read(self.key), read(self.chain)) == (self.new(self.key), self.new(self.chain)) and (
            read(self.key + ".old"), read(self.chain + ".old")) == (
                self.old(self.key), self.old(self.chain))

    def started(self):
        """What a daemon says that is started now, or the empty text."""
        return run([tool_path("junctord"), "--test", "-c", self.config], check=False).stderr


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@pytest.fixture(scope="module", name="ready")
def fixture_ready(plan):
    with Lab(plan) as lab:
        ready = Ready(plan, lab)
        yield ready
        ready.zone.stop()


@pytest.fixture(name="roll")
def fixture_roll(ready):
    ready.reset()
    return ready


MARKED = 5  # steps until the switch has begun


@pytest.mark.parametrize("step", range(MARKED))
def test_what_was_killed_before_it_began_begins_anew(roll, step):
    roll.left(step)
    assert roll.started() == ""
    roll.tool()
    assert roll.is_as_before()
    roll.tool("--switch")
    assert roll.is_switched() and roll.leftovers() == []


@pytest.mark.parametrize("switch", [[], ["--switch"]])
@pytest.mark.parametrize("step", range(MARKED, MARKED + 3))
def test_what_was_killed_after_it_began_is_finished(roll, step, switch):
    roll.left(step)
    assert (f"junctor cert next {DOMAIN} finishes it" in roll.started()) == (step == MARKED + 1)
    told = roll.tool(*switch).stdout
    assert "broken off is now finished" in told and roll.fingerprint in told
    assert roll.is_switched() and roll.leftovers() == [] and roll.started() == ""


def test_only_the_certificate_may_be_in_place_already(roll):
    """A file system may write the second rename first."""
    roll.left(MARKED)
    os.rename(roll.chain + ".switched", roll.chain)
    assert f"junctor cert next {DOMAIN} finishes it" in roll.started()
    roll.tool()
    assert roll.is_switched() and roll.leftovers() == []


@pytest.mark.parametrize("step", [MARKED, MARKED + 1])
def test_what_cannot_be_finished_is_taken_back(roll, step):
    roll.left(step)
    os.unlink(roll.chain + ".switched")
    told = roll.tool(code=1).stderr
    assert told.startswith("junctor: not switched: ") and "are as before it" in told
    assert roll.is_as_before() and roll.leftovers() == [] and roll.started() == ""
    roll.tool("--switch")
    assert roll.is_switched()


def test_what_can_be_neither_finished_nor_taken_back_is_left_alone(roll):
    roll.left(MARKED + 1)
    os.unlink(roll.chain + ".switched")
    os.unlink(roll.key + ".old")
    left = {path: read(path) for path in roll.files()}
    told = roll.tool("--switch", code=1).stderr
    assert "can neither be finished nor taken back" in told and roll.chain in told
    assert {path: read(path) for path in roll.files()} == left


def test_a_marker_that_is_none_of_ours_is_left_alone(roll):
    write(roll.key + ".switch", "\n")
    assert "is not what a switch leaves" in roll.tool("--switch", code=1).stderr
    assert roll.is_as_before()


def test_a_certificate_that_cannot_be_replaced_keeps_its_key(roll):
    """Nothing takes the place of a file that is mounted, as in a container."""
    command = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
    argv = roll.edge.tool_argv("cert", "next", DOMAIN, "--config", roll.config, "--dns-port",
                               str(DNS_PORT), "--switch")
    done = run([*command, "sh", "-ec", 'mount --bind "$0" "$0"; exec "$@"', roll.chain, *argv],
               check=False)
    assert done.returncode == 1 and f"not switched: {roll.chain}: " in done.stderr
    assert "key and certificate are as before" in done.stderr
    assert roll.is_as_before() and roll.leftovers() == [] and roll.started() == ""


def test_the_next_key_in_place_already_does_not_take_the_name_of_the_old_one(roll):
    """Somebody copied it there, and stopped; the only copy of the present one is KEY.old."""
    write(roll.key + ".old", roll.old(roll.key))
    write(roll.key, roll.new(roll.key))
    roll.tool("--switch")
    assert roll.is_switched() and roll.leftovers() == []


def test_a_key_of_neither_certificate_is_not_lost(roll):
    shutil.copy(roll.lab.pki.path("ca.key"), roll.key)
    roll.tool()
    done = roll.tool("--switch", code=1)
    assert "not switched: " in done.stderr and "would be lost" in done.stderr
    assert read(roll.key) == read(roll.lab.pki.path("ca.key"))
    assert read(roll.chain) == roll.old(roll.chain) and roll.leftovers() == []


def test_links_stay_links(roll):
    """As in the live folder of certbot; the files that they lead to are replaced."""
    folder = os.path.join(os.path.dirname(roll.key), "archive")
    os.makedirs(folder, exist_ok=True)
    for path in (roll.key, roll.chain, roll.chain + ".next"):
        name = os.path.basename(path)
        os.replace(path, os.path.join(folder, name))
        os.symlink(os.path.join("archive", name), path)
    roll.tool("--switch")
    assert roll.is_switched() and roll.leftovers() == []
    assert [os.path.islink(path) for path in (roll.key, roll.chain)] == [True, True]
    assert sorted(os.listdir(folder)) == sorted(
        os.path.basename(path) for path in (roll.key, roll.chain, roll.chain + ".next"))


def test_modes_are_those_of_the_files_that_are_replaced(roll):
    os.chmod(roll.key, 0o640)
    os.chmod(roll.chain, 0o644)
    os.chmod(roll.next, 0o600)
    roll.tool("--switch")
    modes = [os.stat(path).st_mode & 0o777 for path in (roll.key, roll.key + ".old", roll.chain)]
    assert modes == [0o640, 0o640, 0o644]


@pytest.mark.parametrize("switch", [[], ["--switch"]])
def test_a_present_certificate_that_expired_hinders_nothing(roll, switch):
    pki = roll.lab.pki
    pki.make(Leaf("expired", sip=(DOMAIN,), expired=True))
    shutil.copy(pki.path("expired.key"), roll.key)
    shutil.copy(pki.path("expired.pem"), roll.chain)
    roll.tool(*switch)
    if switch:
        assert read(roll.chain) == roll.new(roll.chain) and roll.started() == ""


@pytest.fixture(name="shared")
def fixture_shared(roll):
    """Adds a certificate to the configuration, for another domain."""
    before = read(roll.config)

    def add(chain, key):
        write(roll.config, before + f'certificate "opz.example" {{ chain = "{chain}" '
              f'key = "{key}" }}\n')

    yield add
    write(roll.config, before)


def test_a_certificate_of_several_domains_must_have_them_all_again(roll, shared):
    told = {"request": roll.next + ".csr", "next_chain": roll.chain + ".next"}
    shared(roll.chain, roll.key)
    assert "add URI:sip:opz.example" in roll.refused("opz.example")
    roll.certify(told["request"], told["next_chain"], f"URI:sip:{DOMAIN},URI:sip:opz.example")
    roll.tool("--switch")
    assert read(roll.chain) == read(roll.chain + ".next") and roll.started() == ""


def test_a_key_that_another_certificate_needs_is_not_replaced(roll, shared):
    other = roll.lab.pki.path("other.pem")
    shutil.copy(roll.chain, other)
    shared(other, roll.key)
    assert "opz.example" in roll.refused("give it files of its own")
