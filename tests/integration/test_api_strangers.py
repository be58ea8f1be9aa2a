"""Who has no good token is told nothing by the REST API but that he needs one; and who guesses is
slowed, and nobody else."""

import hashlib
from datetime import datetime, timedelta, timezone

import pytest

from lab.api import ANY, api_daemon, wait_kind
from lab.api_table import OPEN, TABLE, World, target_of


@pytest.fixture(scope="module")
def world(request):
    with api_daemon(request, api="rate = 0") as daemon:
        yield World(daemon)


@pytest.fixture(scope="module")
def daemon(world):
    return world.daemon


@pytest.fixture(scope="module")
def root(world):
    return world.root


PER_TOKEN = 8  # requests with one bad token: more would be put off (429)


def wrong_secret(token):
    return token[:-43] + hashlib.sha256(token.encode()).hexdigest()[:43]


class Bad:
    """Tokens that are not good, or not any more: one for each of a few requests."""

    def __init__(self, world, count):
        add = world.root.token_add
        soon = (datetime.now(timezone.utc) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.kinds = {"unknown id": [f"jct_{number:012d}_{'x' * 43}" for number in range(count)]}
        self.kinds["wrong secret"] = [wrong_secret(add(scope="admin")) for _ in range(count)]
        self.kinds["expired"] = [add(scope="admin", until=soon) for _ in range(count)]
        self.kinds["revoked"] = [add(scope="admin") for _ in range(count)]
        for token in self.kinds["revoked"]:
            world.root.done("DELETE", "/v1/tokens/" + token.split("_")[1], headers=ANY)
        late = world.root.token_add(scope="admin", until=soon)  # none is good longer than this one
        wait_kind(world.daemon.client(late, world.source(0)), "GET", "/v1/self",
                  "401 unauthorized")

    def headers(self, kind, number):
        if kind == "none":
            return {}
        if kind == "malformed":
            texts = ("Bearer", "Bearer x", "Basic YTpi", "Bearer jct_", "Bearer jct_a_b c",
                     "Bearer " + "jct_000000000000_" + "x" * 44, "Token " + "x" * 60)
            return {"Authorization": texts[number % len(texts)]}
        return {"Authorization": "Bearer " + self.kinds[kind][number // PER_TOKEN]}


@pytest.fixture(scope="module")
def bad(world):
    return Bad(world, len(TABLE) // PER_TOKEN + 1)


@pytest.mark.parametrize("kind", ["none", "malformed", "unknown id", "wrong secret", "expired",
                                  "revoked"])
def test_a_stranger_hears_the_same_whatever_he_asks_for(world, bad, kind):
    """Each request comes from another address, for guessing from one is slowed."""
    first = world.daemon.client().ask("GET", "/v1/self")
    assert first.kind == "401 unauthorized" and first.get("WWW-Authenticate") == "Bearer"
    base = 200 * (1 + ["none", "malformed", *bad.kinds].index(kind))
    rows = [row for row in TABLE if row.route not in OPEN]
    for number, row in enumerate(rows):
        method, path = target_of(row, world)
        client = world.daemon.client(source=world.source(base + number))
        headers = {**(row.headers or {}), **bad.headers(kind, number)}
        answer = client.ask(method, path, world.fit(row.body), headers)
        assert answer.seen() == first.seen(), f"{method} {path}: {answer.body}"


# -- guessing -------------------------------------------------------------------------------------


def guess_until_slowed(client, token):
    """Wrong tokens until one is put off; returns that answer."""
    for number in range(200):
        client.token = token(number)
        answer = client.ask("GET", "/v1/self")
        if answer.status != 401:
            return answer
    raise AssertionError("200 wrong tokens, and none was put off")


def sources(daemon, last):
    return f"127.{daemon.plan.number}.77.{last}"


def test_guessing_from_one_address_is_slowed_and_nobody_else_is(daemon, root):
    token = root.token_add(scope="admin")
    slowed = guess_until_slowed(daemon.client(source=sources(daemon, 1)),
                                lambda number: f"jct_{number:012d}_{'g' * 43}")
    assert slowed.kind == "429 rate-limited" and int(slowed.get("Retry-After")) >= 1
    assert daemon.client(token, sources(daemon, 2)).ask("GET", "/v1/self").status == 200
    neighbour = daemon.client(token, sources(daemon, 1))  # who has a right one is never put off
    assert neighbour.ask("GET", "/v1/self").status == 200
    assert daemon.client(source=sources(daemon, 1)).ask("GET", "/healthz").status == 200


def test_garbage_for_tokens_is_slowed_too(daemon):
    slowed = guess_until_slowed(daemon.client(source=sources(daemon, 3)), "garbage {}".format)
    assert slowed.kind == "429 rate-limited"


def test_guessing_one_token_from_many_addresses_does_not_lock_its_owner_out(daemon, root):
    token = root.token_add(scope="admin")
    wrong = token[:-43] + "w" * 43
    for last in range(100, 200):
        answer = daemon.client(wrong, sources(daemon, last)).ask("GET", "/v1/self")
        if answer.status == 429:
            break
        assert answer.status == 401
    assert answer.kind == "429 rate-limited" and int(answer.get("Retry-After")) >= 1
    owner = daemon.client(token, sources(daemon, 4))  # an address that never proved it before
    for _ in range(20):
        assert owner.ask("GET", "/v1/self").status == 200
    other = daemon.client(root.token_add(scope="admin"), sources(daemon, 100))
    assert other.ask("GET", "/v1/self").status == 200  # one wrong guess is no crime


def test_who_asks_too_often_is_told_when_to_come_back(request):
    with api_daemon(request, api="rate = 5") as daemon:
        token = daemon.root().token_add(scope="admin")
        other = daemon.client(daemon.root().token_add(scope="admin"))
        with daemon.client(token).kept() as ask:
            answers = [ask("GET", "/v1/self") for _ in range(60)]
        kinds = {answer.kind for answer in answers}
        assert kinds == {"200", "429 rate-limited"}
        for answer in answers:
            assert answer.status == 200 or int(answer.get("Retry-After")) >= 1
        assert other.ask("GET", "/v1/self").status == 200
        with daemon.root().kept() as ask:  # not on the socket
            assert {ask("GET", "/v1/self").status for _ in range(60)} == {200}
