"""What happens to records over time through the REST API: a user's addresses from claim to
quarantine, requests that are repeated, changed at once or only tried, and secrets that are never
told again."""

import base64
import hashlib
import json
import os
import re
import subprocess
import threading

import pytest

from lab.api import ANY, LIMIT_S, Answer, address_path, api_daemon

CORES = ["sip:127.0.0.1:5060;transport=udp"]
CLAIMS = 3


@pytest.fixture(scope="module")
def daemon(request):
    """Claims are allowed in opa.example, not in opb.example; open.example has no quarantine."""
    with api_daemon(request, api='rate = 0 mode = "0666" reserved = {"sales"}') as daemon:
        for name, claims, days in (("opa.example", CLAIMS, 90), ("opb.example", 0, 90),
                                   ("open.example", 100, 0)):
            daemon.root().post("/v1/domains", {"name": name, "cores": CORES,
                                               "claims_per_owner": claims,
                                               "quarantine_days": days})
        yield daemon


@pytest.fixture(scope="module")
def root(daemon):
    return daemon.root()


@pytest.fixture
def person(daemon, root, request):
    """Makes users: each test has owners of its own."""
    def make(name):
        owner = f"{name}-{request.node.name}"[:60]
        return daemon.client(root.token_add(scope="user", owner=owner))
    return make


def if_match(answer):
    return {"If-Match": answer.etag}


# -- a user's addresses ---------------------------------------------------------------------------


def test_an_address_from_claim_to_quarantine(root, person):
    carl, eve = person("carl"), person("eve")
    path = address_path("carl@opa.example")

    claimed = carl.done("POST", "/v1/addresses", {"address": "Carl@OPA.example"})
    assert claimed.status == 201 and claimed.get("Location") == path
    record = claimed.json
    assert record["owner"].startswith("carl-") and record["state"] == "hosted"
    assert record["display"] == "Carl@OPA.example" and claimed.etag == f'"{record["version"]}"'
    eve.refused("POST", "/v1/addresses", "409 exists", {"address": "carl@opa.example"})
    eve.refused("GET", path, "404 no-such-record")

    alias = carl.post("/v1/addresses", {"address": "c.arl@opa.example",
                                        "target": "carl@opa.example"})
    assert (alias["state"], alias["target"]) == ("alias", "carl@opa.example")
    carl.refused("DELETE", path, "409 in-use", headers=ANY)  # the alias leads to it
    carl.refused("PATCH", path, "403 forbidden", {"target": "c.arl@opa.example"}, ANY)
    alias = address_path("c.arl@opa.example")
    moved = carl.done("PATCH", alias, {"target": "carl@elsewhere.example"}, ANY)
    assert moved.json["target"] == "carl@elsewhere.example"

    locked = carl.done("PATCH", path, {"locked": True}, if_match(claimed))
    carl.refused("DELETE", path, "409 locked", headers=if_match(locked))
    carl.refused("PATCH", path, "409 locked", {"display": "CARL@opa.example"}, if_match(locked))
    carl.refused("PATCH", path, "412 changed", {"locked": False}, if_match(claimed))
    unlocked = carl.done("PATCH", path, {"locked": False}, if_match(locked))

    assert carl.ask("DELETE", path, headers=if_match(unlocked)).status == 204
    gone = carl.get(path)
    assert gone["state"] == "tombstone" and gone["until"] > gone["created"]
    eve.refused("GET", path, "404 no-such-record")
    eve.refused("POST", "/v1/addresses", "409 quarantined", {"address": "carl@opa.example"})
    root.refused("POST", "/v1/addresses", "409 quarantined", {"address": "carl@opa.example"})
    carl.refused("DELETE", path + "?purge=true", "403 forbidden", headers=ANY)

    again = carl.post("/v1/addresses", {"address": "carl@opa.example"})  # his, meanwhile
    assert again["state"] == "hosted" and again["version"] > gone["version"]
    carl.done("DELETE", path, headers=ANY)
    root.done("DELETE", path + "?purge=true", headers=ANY)
    carl.refused("GET", path, "404 no-such-record")
    assert eve.post("/v1/addresses", {"address": "carl@opa.example"})["owner"].startswith("eve-")


def test_without_quarantine_a_released_address_is_anybodys(person):
    carl, eve = person("carl"), person("eve")
    carl.post("/v1/addresses", {"address": "nice@open.example"})
    carl.done("DELETE", address_path("nice@open.example"), headers=ANY)
    eve.post("/v1/addresses", {"address": "nice@open.example"})
    carl.refused("GET", address_path("nice@open.example"), "404 no-such-record")


def test_nobody_claims_more_than_his_domain_allows(root, person):
    carl, eve = person("carl"), person("eve")
    for number in range(CLAIMS):
        carl.post("/v1/addresses", {"address": f"many{number}@opa.example"})
    refused = carl.refused("POST", "/v1/addresses", "409 claim-limit",
                           {"address": "many9@opa.example"})
    root.refused("GET", address_path("many9@opa.example"), "404 no-such-record")
    assert "opa.example" in refused.json["detail"]
    eve.post("/v1/addresses", {"address": "many9@opa.example"})  # it counts for each
    carl.post("/v1/addresses", {"address": "many@open.example"})  # and in each domain


def test_what_is_in_quarantine_counts_as_claimed_until_it_ends(root, person):
    """Else one person could take any number of names from everybody for the time of a quarantine.
    It stays his, too."""
    carl = person("carl")
    for number in range(CLAIMS):
        carl.post("/v1/addresses", {"address": f"kept{number}@opa.example"})
    carl.done("DELETE", address_path("kept0@opa.example"), headers=ANY)
    carl.refused("POST", "/v1/addresses", "409 claim-limit", {"address": "kept8@opa.example"})
    assert carl.post("/v1/addresses", {"address": "kept0@opa.example"})["state"] == "hosted"
    carl.done("DELETE", address_path("kept0@opa.example"), headers=ANY)
    root.done("DELETE", address_path("kept0@opa.example") + "?purge=true", headers=ANY)
    carl.post("/v1/addresses", {"address": "kept8@opa.example"})


@pytest.mark.parametrize("address", ["postmaster@opa.example", "ABUSE@opa.example",
                                     "sales@opa.example", "%73ales@opa.example",
                                     "free@opb.example"])
def test_what_is_the_operators_is_not_claimed(root, person, address):
    person("carl").refused("POST", "/v1/addresses", "403 claim-denied", {"address": address})
    root.post("/v1/addresses?dry_run=true", {"address": address})  # but he may


@pytest.mark.parametrize("field, value", [
    ("owner", "eve"), ("state", "hosted"), ("blocked", False), ("locked", True),
    ("hosting", "opa.example")])
def test_a_claim_says_no_more_than_what_is_claimed(person, field, value):
    refused = person("carl").refused("POST", "/v1/addresses", "403 forbidden",
                                     {"address": "x@opa.example", field: value})
    assert refused.json["field"] == field


def test_an_auth_code_is_shown_once_and_can_be_withdrawn(root, person):
    carl = person("carl")
    carl.post("/v1/addresses", {"address": "coded@opa.example"})
    path = address_path("coded@opa.example")
    first = carl.done("POST", path + "/auth-code", {"days": 30}, {"Idempotency-Key": "c1"})
    assert first.status == 201 and len(first.json["auth_code"]) >= 16
    again = carl.done("POST", path + "/auth-code", {"days": 30}, {"Idempotency-Key": "c1"})
    assert again.json == {"auth_code": None, "until": first.json["until"]}
    assert carl.get(path)["auth_until"] == first.json["until"]
    second = carl.post(path + "/auth-code", {})
    assert second["auth_code"] != first.json["auth_code"]
    assert carl.ask("DELETE", path + "/auth-code", headers=ANY).status == 204
    assert carl.get(path)["auth_until"] is None
    carl.refused("DELETE", path + "/auth-code", "404 no-such-record", headers=ANY)
    assert root.get(path)["auth_until"] is None


# -- repeated requests ----------------------------------------------------------------------------


def repeatable(root, tag):
    """Requests that are made once however often they are sent: path, body, what the body of
    another request has besides, and what is not told again."""
    holder = f"holder-{tag}@opa.example"
    root.post("/v1/addresses", {"address": holder})
    return [
        ("/v1/domains", {"name": f"{tag}.example", "cores": CORES}, {"unknown": "core"}, None),
        ("/v1/addresses", {"address": f"once-{tag}@opa.example"}, {"locked": True}, None),
        ("/v1/numbers", {"number": "+4940" + str(sum(tag.encode())), "address": holder},
         {"number": "+49409"}, None),
        ("/v1/peers", {"domain": f"peer-{tag}.example"}, {"tariff": "free"}, None),
        ("/v1/tokens", {"scope": "user", "owner": tag}, {"note": "another"}, "token"),
        (address_path(holder) + "/auth-code", {}, {"days": 3}, "auth_code"),
        ("/v1/import", {"addresses": [{"address": f"import-{tag}@opa.example"}]},
         {"keep_going": True}, None),
    ]


@pytest.mark.parametrize("how", ["running", "restarted", "killed"])
def test_a_repeated_request_is_done_once(daemon, root, how):
    """Also by a daemon that was started anew in between, after an orderly end or after kill -9."""
    requests = repeatable(root, how)
    key = {"Idempotency-Key": f"key {how}"}
    first = [root.done("POST", path, body, key) for path, body, _, _ in requests]
    sequence = root.last_sequence()
    if how != "running":
        daemon.restart(kill=how == "killed")
        sequence = root.last_sequence()  # a start may write a key of its own
    for (path, body, other, secret), answer in zip(requests, first):
        again = root.done("POST", path, body, key)
        expected = {**answer.json, **({secret: None} if secret else {})}
        assert (again.status, again.json, again.etag) == (answer.status, expected, answer.etag)
        assert again.get("Location") == answer.get("Location")
        root.refused("POST", path, "422 key-reused", {**body, **other}, key)
    assert root.last_sequence() == sequence


def test_a_refusal_is_repeated_too(root):
    key = {"Idempotency-Key": "refused"}
    body = {"address": "late@opa.example", "target": "nobody@opa.example"}
    first = root.ask("POST", "/v1/addresses", body, key)
    assert first.status >= 400
    exists = {"address": "twice@opa.example"}
    root.post("/v1/addresses", exists)
    refused = root.refused("POST", "/v1/addresses", "409 exists", exists, {"Idempotency-Key": "e"})
    root.done("DELETE", address_path("twice@opa.example"), headers=ANY)
    root.done("DELETE", address_path("twice@opa.example") + "?purge=true", headers=ANY)
    again = root.refused("POST", "/v1/addresses", "409 exists", exists, {"Idempotency-Key": "e"})
    assert again.body == refused.body


def test_a_key_is_its_clients_own(root, person):
    """Two who choose the same key do not meet."""
    carl, eve = person("carl"), person("eve")
    key = "the same"
    assert carl.post("/v1/addresses", {"address": "mine@open.example"}, key)
    assert eve.post("/v1/addresses", {"address": "yours@open.example"}, key)
    carl.refused("POST", "/v1/addresses", "422 key-reused", {"address": "yours@open.example"},
                 {"Idempotency-Key": key})


def test_one_key_sent_at_once_by_many_is_done_once(daemon, root):
    before = root.last_sequence()
    answers = at_once(8, lambda _: daemon.root().ask(
        "POST", "/v1/addresses", {"address": "rush@open.example"}, {"Idempotency-Key": "rush"}))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert root.last_sequence() == before + 1


# -- changed at once ------------------------------------------------------------------------------


def at_once(count, act):
    """Runs act(0), act(1) ... in threads that start together."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait(LIMIT_S)
        results[number] = act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    return results


RACES = {
    "domain": ("PUT", "/v1/domains/race.example", lambda value: {
        "cores": CORES, "claims_per_owner": value}, "claims_per_owner"),
    "peer": ("PUT", "/v1/peers/race.example", lambda value: {"requests_per_s": value},
             "requests_per_s"),
    "number": ("PUT", "/v1/numbers/+49777", lambda value: {
        "address": f"race{value % 2}@opa.example"}, "address"),
    "address": ("PATCH", address_path("race0@opa.example"), lambda value: {
        "owner": f"owner-{value}"}, "owner"),
}


@pytest.fixture(scope="module")
def raced(root):
    root.post("/v1/domains", {"name": "race.example", "cores": CORES})
    root.post("/v1/peers", {"domain": "race.example"})
    for number in range(2):
        root.post("/v1/addresses", {"address": f"race{number}@opa.example"})
    root.post("/v1/numbers", {"number": "+49777", "address": "race0@opa.example"})


@pytest.mark.parametrize("what", RACES)
def test_of_two_who_change_one_version_one_is_told(daemon, root, raced, what):
    method, path, body, field = RACES[what]
    clients = [daemon.root(), daemon.client(root.token_add(scope="admin"))]
    for turn in range(20):
        seen = if_match(root.done("GET", path))
        values = [2 * turn, 2 * turn + 1]
        answers = at_once(2, lambda who: clients[who].ask(method, path, body(values[who]), seen))
        assert sorted(answer.kind for answer in answers) == ["200", "412 changed"]
        winner = 0 if answers[0].status == 200 else 1
        record = root.done("GET", path)
        assert record.json[field] == body(values[winner])[field]
        assert record.etag == answers[winner].etag != seen["If-Match"]


def test_of_two_who_delete_one_version_one_is_told(daemon, root):
    for turn in range(10):
        made = root.done("POST", "/v1/addresses", {"address": f"del{turn}@open.example"})
        path = made.get("Location")
        answers = at_once(2, lambda _: daemon.root().ask("DELETE", path, None, if_match(made)))
        kinds = sorted(answer.kind for answer in answers)
        assert kinds[0] == "204" and kinds[1] in ("404 no-such-record", "412 changed")


# -- only tried -----------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing_and_keeps_nothing(root):
    root.post("/v1/addresses", {"address": "dry@opa.example"})
    path, key = address_path("dry@opa.example"), {"Idempotency-Key": "dry"}
    before, sequence = root.done("GET", path), root.last_sequence()
    tries = [
        ("POST", "/v1/domains", {"name": "dry.example", "cores": CORES}, key),
        ("POST", "/v1/addresses", {"address": "dry2@opa.example"}, key),
        ("POST", "/v1/peers", {"domain": "dry.example"}, key),
        ("POST", "/v1/tokens", {"scope": "admin"}, key),
        ("POST", "/v1/import", {"addresses": [{"address": "dry3@opa.example"}]}, key),
        ("POST", path + "/auth-code", {}, key),
        ("PATCH", path, {"blocked": True}, if_match(before)),
        ("DELETE", path, None, if_match(before)),
    ]
    for method, url, body, headers in tries:
        answer = root.done(method, url + "?dry_run=true", body, headers)
        assert answer.get("Dry-Run") == "true", url
        assert answer.etag is None, url
    assert root.post("/v1/tokens?dry_run=true", {"scope": "admin"})["token"] is None
    assert root.last_sequence() == sequence
    assert root.done("GET", path).seen() == before.seen()
    root.refused("GET", "/v1/domains/dry.example", "404 no-such-record")
    assert root.done("POST", "/v1/addresses", {"address": "dry4@opa.example"}, key).status == 201


def test_a_dry_run_hears_the_refusal_that_the_change_would(root):
    root.post("/v1/addresses", {"address": "fixed@opa.example", "locked": True})
    path = address_path("fixed@opa.example")
    root.refused("DELETE", path + "?dry_run=true", "409 locked", headers=ANY)
    root.refused("DELETE", path + "?dry_run=true", "412 changed", headers={"If-Match": '"1"'})
    root.refused("DELETE", path + "?dry_run=true", "428 if-match-required")
    root.refused("POST", "/v1/addresses?dry_run=true", "409 exists",
                 {"address": "fixed@opa.example"})
    root.refused("POST", "/v1/addresses?dry_run=maybe", "400 invalid-parameter",
                 {"address": "new@opa.example"})


def test_the_log_does_not_call_done_what_was_only_tried(daemon, root):
    mark = daemon.mark()
    root.post("/v1/addresses?dry_run=true", {"address": "untold@opa.example"})
    root.post("/v1/addresses", {"address": "told@opa.example"})
    daemon.wait_log(r"POST /v1/addresses done: .*record=told@opa\.example", mark)
    assert not re.search(r"done: .*untold@", daemon.log(mark))


# -- secrets --------------------------------------------------------------------------------------


def forms(secret):
    """A secret's text, and its hash as it could be written."""
    digest = hashlib.sha256(secret.encode()).digest()
    texts = {secret, digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode(),
             base64.urlsafe_b64encode(digest).decode().rstrip("=")}
    if secret.startswith("jct_"):
        texts.add(secret[-43:])
    return {text.encode() for text in texts}


def test_no_secret_is_told_or_kept_anywhere(daemon, root):
    """Tokens and auth codes, right ones and wrong ones: their texts and hashes are in no list, no
    journal, no event and no log; their texts are not even in the directory's files."""
    first = root.last_sequence()
    path = address_path("secret@open.example")
    root.post("/v1/addresses", {"address": "secret@open.example", "owner": "sec"})
    made = [root.post("/v1/tokens", {"scope": scope, **more}, f"secret {scope}")
            for scope, more in (("admin", {}), ("operator", {"domains": ["opa.example"]}),
                                ("user", {"owner": "sec"}))]
    secrets = [token["token"] for token in made]
    for token in list(secrets):
        client = daemon.client(token)
        if client.get("/v1/self")["scope"] != "operator":  # it has another domain
            secrets.append(client.post(path + "/auth-code", {})["auth_code"])
        client.token = token[:-1] + ("A" if token[-1] != "A" else "B")
        client.refused("GET", "/v1/self", "401 unauthorized")
        daemon.curl("/v1/self?token=" + token, "-H", "Authorization: Basic " + token)
    shown = root.done("DELETE", f"/v1/tokens/{made[0]['id']}", headers=ANY)
    root.done("DELETE", path + "/auth-code", headers=ANY)
    root.done("DELETE", path, headers=ANY)
    assert len(set(secrets)) == 5 and shown.body == b""

    told = {"journal": json.dumps(root.journal()).encode()}
    told["tokens"] = json.dumps(root.pages("/v1/tokens", "tokens")).encode()
    told["addresses"] = json.dumps(root.pages("/v1/addresses", "addresses")).encode()
    told["status"] = root.done("GET", "/v1/status").body
    told["metrics"] = root.ask("GET", "/metrics").body
    with root.follow(first) as events:
        count = root.last_sequence() - first
        told["events"] = json.dumps([next(events) for _ in range(count)]).encode()
    told["log"] = daemon.log().encode()
    assert made[1]["id"].encode() in told["journal"] and made[1]["id"].encode() in told["events"]
    assert made[1]["id"].encode() in told["log"]
    for place, text in told.items():
        for secret in secrets:
            assert not any(form in text for form in forms(secret)), f"{secret} is in the {place}"
    for name in os.listdir(daemon.store_path):
        with open(os.path.join(daemon.store_path, name), "rb") as file:
            kept = file.read()
        for secret in secrets:
            assert secret.encode() not in kept and secret[-43:].encode() not in kept, name


# -- the socket -----------------------------------------------------------------------------------


def test_another_user_of_the_machine_is_refused_on_the_socket(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    done = subprocess.run(["curl", "-q", "-sS", "-i", "--unix-socket", daemon.socket,
                           "http://localhost/v1/domains"], user=65534, group=65534,
                          extra_groups=[], capture_output=True, text=True, timeout=LIMIT_S,
                          check=True)
    assert Answer.parse(done.stdout).kind == "403 forbidden"
