"""What holders and operators do, as people do it: whoever gets no answer looks what became of it,
and tries again."""

import contextlib
import time
from dataclasses import dataclass, field
from http.client import HTTPException

from lab.api import address_path
from lab.process import LabError
from sweep.stand import AUTHORITY, DAY_MS, GAINING, LOSING, RIVAL, WINDOW_S, domain
from sweep.verdict import OPEN, ports_of, record_of

PATIENCE_S = 60
SHORT_DAY_MS = 100
FAULTS = (OSError, HTTPException, LabError, AssertionError)


class Unfinished(Exception):
    """What a person waited for in vain."""


@dataclass
class Case:
    """One address on its way. `mark` is called where the messages begin that faults befall."""

    stand: object
    address: str
    mark: object
    made: dict = field(default_factory=dict)  # the ports that were begun, by letter

    def persist(self, what, step):
        """Tries until `step` answers something true."""
        until = time.monotonic() + PATIENCE_S
        problem = None
        while time.monotonic() < until:
            self.stand.revive()
            try:
                answer = step()
                if answer:
                    return answer
            except FAULTS as error:
                problem = error
            time.sleep(0.05)
        raise Unfinished(f"{what}: not within {PATIENCE_S} s; last: {problem}")

    # -- looking -----------------------------------------------------------------------------

    def ports(self, letter, role):
        """The newest last."""
        found = [port for port in ports_of(self.stand, letter, self.address)
                 if port["role"] == role]
        return sorted(found, key=lambda port: port["created"])

    def newest(self, letter, role, state):
        found = [port for port in self.ports(letter, role) if port["state"] == state]
        return found[-1] if found else None

    def is_hosted_by(self, letter):
        record = record_of(self.stand, AUTHORITY, self.address)
        return record is not None and record["hosting"] == domain(letter)

    # -- doing ---------------------------------------------------------------------------------

    def post(self, letter, path, body):
        return self.stand.client(letter).post(path, body)

    def code(self, letter):
        """From the present host, which leaves its hash at the authority."""
        path = address_path(self.address) + "/auth-code"
        return self.persist("an auth code", lambda: self.post(letter, path, {})["auth_code"])

    def begin(self, letter, code):
        """A request that nobody knows of, or that came to nothing, is made anew."""
        known = self.ports(letter, "gaining")
        if known and known[-1]["state"] not in ("cancelled", "refused"):
            return
        wish = {"address": self.address, "gaining": domain(letter), "code": code}
        self.made[letter] = self.post(letter, "/v1/ports", wish)

    def reaches(self, letter, role, state):
        return self.persist(f"{role} at {domain(letter)}: {state}",
                            lambda: self.newest(letter, role, state))

    def move(self, letter, code, state="committed"):
        """Until the gaining host knows it in this state."""
        def step():
            self.begin(letter, code)
            return self.newest(letter, "gaining", state)
        return self.persist(f"{domain(letter)} gains it: {state}", step)

    def act(self, letter, role, state, action, body):
        """What is to be done to a port in this state, until it is not in it any more."""
        def step():
            port = self.newest(letter, role, state)
            if port is None:
                return True
            self.post(letter, f"/v1/ports/{port['id']}/{action}", body)
            return False
        self.persist(f"{action} at {domain(letter)}", step)

    def at_losing_host(self):
        """An address of the authority that opa.example hosts."""
        for letter in (AUTHORITY, LOSING):
            self.stand.tool(letter, "address", "add", self.address, "--hosting", domain(LOSING))

    def recovery_key(self):
        """The holder's, in force."""
        code = self.code(LOSING)
        key = self.stand.key_path(self.address)
        recovery_key_leave(self.stand, AUTHORITY, self.address, key, code)
        path = address_path(self.address) + "/protection"
        begin = self.stand.client(AUTHORITY).get(path)["next_recovery_key_from"]
        self.persist("the key ripens", lambda: time_text() > begin)
        return key


def time_text():
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"


def recovery_key_leave(stand, letter, address, key, code):
    import subprocess
    argv = stand.edge(letter).tool_argv("address", "recovery-key", address, "--new", key)
    subprocess.run(argv, input=code, capture_output=True, text=True, timeout=20, check=True)


# ---- the stories ----


def code_is_enough(case):
    case.at_losing_host()
    case.mark()
    case.move(GAINING, case.code(LOSING))
    return GAINING


def the_authority_lets_it_go(case):
    """Authority and losing host are one operator."""
    case.stand.tool(AUTHORITY, "address", "add", case.address)
    case.mark()
    case.move(GAINING, case.code(AUTHORITY))
    return GAINING


def it_comes_home(case):
    """Authority and gaining host are one operator."""
    case.at_losing_host()
    case.mark()
    case.move(AUTHORITY, case.code(LOSING))
    return AUTHORITY


def pending(case):
    case.at_losing_host()
    code = case.code(LOSING)
    case.mark()
    case.move(GAINING, code, "pending")
    return case.reaches(LOSING, "losing", "pending")


def the_losing_host_approves(case):
    pending(case)
    case.act(LOSING, "losing", "pending", "approve", {})
    case.reaches(GAINING, "gaining", "committed")
    return GAINING


def the_losing_host_rejects(case):
    pending(case)
    case.act(LOSING, "losing", "pending", "reject", {"reason": "fraud"})
    case.reaches(GAINING, "gaining", "rejected")
    return LOSING


def the_holder_cancels(case):
    pending(case)
    case.act(GAINING, "gaining", "pending", "cancel", {})
    case.reaches(GAINING, "gaining", "cancelled")
    return LOSING


def undone(case, letter):
    """With what the holder was shown at the start, at either host."""
    case.at_losing_host()
    port = case.move(GAINING, case.code(LOSING))
    case.reaches(LOSING, "losing", "committed")
    secret = case.made[GAINING]["undo_secret"]
    case.mark()

    def step():
        if not case.is_hosted_by(LOSING):
            with contextlib.suppress(*FAULTS):  # the one before may be on its way still
                case.post(letter, f"/v1/ports/{port['id']}/undo", {"secret": secret})
            time.sleep(0.3)
        return case.is_hosted_by(LOSING)
    case.persist(f"undo at {domain(letter)}", step)
    return LOSING


def undone_where_it_went(case):
    return undone(case, GAINING)


def undone_where_it_was(case):
    return undone(case, LOSING)


def begin_by_key(case, key):
    known = case.ports(GAINING, "gaining")
    if not known or known[-1]["state"] in ("cancelled", "refused"):
        case.stand.tool(GAINING, "port", "start", case.address, domain(GAINING), "--recovery-key", key)


def the_key_wins(case):
    case.at_losing_host()
    key = case.recovery_key()
    case.mark()

    def step():
        begin_by_key(case, key)
        return case.is_hosted_by(GAINING)
    case.persist("the waiting time ends", step)
    return GAINING


def two_race(case):
    """Both have the code; the authority knows one of them."""
    case.at_losing_host()
    code = case.code(LOSING)
    case.mark()

    def step():
        for letter in (GAINING, RIVAL):
            with contextlib.suppress(*FAULTS):
                case.begin(letter, code)
        return any(case.newest(letter, "gaining", "committed") for letter in (GAINING, RIVAL))
    case.persist("one of them gains it", step)
    for letter in (GAINING, RIVAL):
        case.persist("the other gives up", lambda at=letter: not any(
            port["state"] in OPEN for port in case.ports(at, "gaining")))
    return GAINING + RIVAL


@dataclass(frozen=True)
class Story:
    tell: object  # takes a Case, answers the letters of those who may host it in the end
    window_s: int = 0
    day_ms: int = DAY_MS
    fresh: bool = False  # the authority counts wrong codes: it is to have forgotten them

    @property
    def name(self):
        return self.tell.__name__


STORIES = (
    Story(code_is_enough),
    Story(the_authority_lets_it_go),
    Story(it_comes_home),
    Story(undone_where_it_went),
    Story(undone_where_it_was),
    Story(two_race, fresh=True),
    Story(the_losing_host_approves, WINDOW_S),
    Story(the_losing_host_rejects, WINDOW_S),
    Story(the_holder_cancels, WINDOW_S),
    Story(the_key_wins, day_ms=SHORT_DAY_MS),
)
