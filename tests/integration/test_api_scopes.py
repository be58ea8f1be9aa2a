"""Who may do what over the REST API, by one table; and that what lies outside a scope looks like
what is not there, byte for byte. Changes are only tried (dry_run), so each case stands alone."""

import json

import pytest

from lab.api import ANY, address_path, api_daemon
from lab.api_table import (ALICE, BOB, CAROL, CORES, DOMAIN, N, OPEN, STALE, TABLE, WHO, World, ask,
                           is_tried, named)


@pytest.fixture(scope="module")
def world(request):
    with api_daemon(request, api='rate = 0 reserved = {"sales"}') as daemon:
        yield World(daemon)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("row", TABLE, ids=named)
def test_each_may_do_what_the_table_says(world, row, who):
    answer = ask(world.clients[who], row, world)
    expected = dict(zip(WHO, row.expected))
    expected["stranger"] = row.expected[1] if row.route in OPEN else "401 unauthorized"
    assert answer.kind == expected[who], answer.body
    if answer.status < 300:
        assert answer.get("Dry-Run") == ("true" if is_tried(row) else None)


def test_what_was_only_tried_left_no_trace(world):
    assert world.root.last_sequence() == world.sequence
    assert world.root.get(address_path(ALICE))["locked"] is False


def test_the_table_names_every_route_there_is(world):
    """The daemon's own description has no route more, and none less."""
    paths = world.root.get("/v1/openapi.json")["paths"]
    described = {f"{method.upper()} {path}" for path, item in paths.items()
                 for method in item if method != "parameters"}
    assert described == {row.route for row in TABLE}


@pytest.mark.parametrize("who", WHO)
def test_a_path_or_method_that_is_not_there_tells_a_stranger_nothing(world, who):
    nowhere, wrong = ("404 no-such-resource", "405 method-not-allowed")
    if who == "stranger":
        nowhere = wrong = "401 unauthorized"
    client = world.clients[who]
    client.refused("GET", "/v1/nothing", nowhere)
    client.refused("GET", "/v1/addresses/a%40opa.example/nothing", nowhere)
    client.refused("DELETE", "/v1/domains", wrong)


# -- outside one's scope is nowhere ---------------------------------------------------------------

HIDDEN = [  # of whom, what is there, what is not: names of the same length
    ("user", BOB, "bab@opa.example"),
    ("user", "gone-bob@opa.example", "gone-bab@opa.example"),
    ("user", CAROL, "carul@opb.example"),
    ("user", CAROL, "carol@opx.example"),
    ("operator", CAROL, "carul@opb.example"),
    ("operator", CAROL, "carol@opx.example"),
    ("operator", "dave@far.example", "dove@far.example"),
]
ADDRESS_CALLS = [
    ("GET", "", None, None),
    ("PATCH", "", {"locked": True}, None),
    ("PATCH", "", {"locked": True}, ANY),
    ("PATCH", "", {"locked": True}, STALE),
    ("PATCH", "", {"locked": True}, "right"),
    ("PATCH", "", {"locked": "yes"}, "right"),
    ("PATCH", "", {"owner": "alice"}, "right"),
    ("DELETE", "", None, None),
    ("DELETE", "", None, ANY),
    ("DELETE", "", None, STALE),
    ("DELETE", "", None, "right"),
    ("DELETE", "?dry_run=true", None, "right"),
    ("DELETE", "?purge=true", None, "right"),
    ("POST", "/auth-code", {}, None),
    ("POST", "/auth-code", {"days": 0}, None),
    ("DELETE", "/auth-code", None, None),
    ("DELETE", "/auth-code", None, "right"),
]


def same(client, method, urls, bodies=(None, None), headers=None, names=("", "")):
    """The two requests have one answer, but for the name."""
    hidden = client.ask(method, urls[0], bodies[0], headers).seen()
    absent = client.ask(method, urls[1], bodies[1], headers).seen()
    replaced = hidden[2].replace(names[0].encode(), names[1].encode()) if names[0] else hidden[2]
    assert (*hidden[:2], replaced) == absent
    return hidden


@pytest.mark.parametrize("who, hidden, absent", HIDDEN)
@pytest.mark.parametrize("method, more, body, headers", ADDRESS_CALLS)
def test_an_address_of_others_looks_like_none(world, who, hidden, absent, method, more, body,
                                              headers):
    if headers == "right":
        headers = {"If-Match": world.root.ask("GET", address_path(hidden)).etag}
    paths = [address_path(name) + more for name in (hidden, absent)]
    status, _, _ = same(world.clients[who], method, paths, (body, body), headers, (hidden, absent))
    assert status in ((403, 404) if "purge" in more else (404,))


@pytest.mark.parametrize("method, body, headers", [
    ("GET", None, None), ("PUT", DOMAIN, None), ("PUT", DOMAIN, ANY), ("PUT", DOMAIN, STALE),
    ("PUT", {}, ANY), ("DELETE", None, ANY)])
def test_a_domain_of_others_looks_like_none(world, method, body, headers):
    names = ("opb.example", "opx.example")
    same(world.clients["operator"], method, [f"/v1/domains/{name}" for name in names],
         (body, body), headers, names)


@pytest.mark.parametrize("method, body, headers", [
    ("GET", None, None), ("PUT", {"address": ALICE}, None), ("PUT", {"address": ALICE}, ANY),
    ("PUT", {}, STALE), ("DELETE", None, None), ("DELETE", None, ANY)])
def test_a_number_of_others_looks_like_none(world, method, body, headers):
    names = ("+49302", "+49309")
    same(world.clients["operator"], method, [f"/v1/numbers/{name}" for name in names],
         (body, body), headers, names)


@pytest.mark.parametrize("names", [(CAROL, "carul@opb.example"), ("+49302", "+49309")])
def test_a_call_to_others_is_not_explained(world, names):
    same(world.clients["operator"], "GET", [f"/v1/route/{name}" for name in names], names=names)


@pytest.mark.parametrize("who, path, body", [
    ("user", "/v1/addresses", {"address": "new@opa.example", "target": BOB}),
    ("user", "/v1/addresses", {"address": "new@opa.example", "target": CAROL}),
    ("operator", "/v1/addresses", {"address": CAROL}),
    ("operator", "/v1/addresses", {"address": "new@opa.example", "target": CAROL}),
    ("operator", "/v1/numbers", {"number": "+49303", "address": CAROL}),
    ("operator", "/v1/import", {"addresses": [{"address": CAROL}], "keep_going": True}),
    ("operator", "/v1/import", {"addresses": [{"address": "new@opa.example", "target": CAROL}]}),
])
def test_naming_an_address_of_others_looks_like_naming_none(world, who, path, body):
    names = (BOB, "bab@opa.example") if BOB in str(body) else (CAROL, "carul@opb.example")
    other = json.loads(json.dumps(body).replace(*names))
    same(world.clients[who], "POST", [path + "?dry_run=true"] * 2, (body, other), names=names)


def test_an_import_of_others_cannot_be_undone(world):
    version = world.root.get(address_path(CAROL))["version"]
    names = (CAROL, "carul@opb.example")
    bodies = [{"addresses": [{"address": name, "version": version}]} for name in names]
    same(world.clients["operator"], "POST", ["/v1/import/undo"] * 2, bodies)
    assert world.root.get(address_path(CAROL))["version"] == version


@pytest.mark.parametrize("hidden, absent", [
    ("postmaster@opa.example", "postmister@opa.example"),
    ("held@empty.example", "hold@empty.example")])
def test_what_may_not_be_claimed_is_refused_whether_it_is_there_or_not(world, hidden, absent):
    """Where nobody may claim it, a claim tells no user whether somebody has it."""
    client = world.clients["user"]
    before = client.refused("POST", "/v1/addresses", "403 claim-denied", {"address": hidden})
    world.root.post("/v1/addresses", {"address": hidden})
    after = client.refused("POST", "/v1/addresses", "403 claim-denied", {"address": hidden})
    world.root.done("DELETE", address_path(hidden), headers=ANY)
    gone = client.refused("POST", "/v1/addresses", "403 claim-denied", {"address": hidden})
    assert before.seen() == after.seen() == gone.seen()
    if "empty" in absent:
        client.refused("POST", "/v1/addresses", "403 claim-denied", {"address": absent})


# -- lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_a_list_has_only_ones_own(world, limit):
    operator, user = world.clients["operator"], world.clients["user"]
    everything = {item["address"]: item for item in world.root.pages("/v1/addresses", "addresses")}

    def listed(client, query=""):
        return [item["address"]
                for item in client.pages("/v1/addresses" + query, "addresses", limit)]

    assert {CAROL, "alice@opb.example", "dave@far.example", BOB, ALICE} <= set(everything)
    assert set(listed(operator)) == {name for name in everything if name.endswith("@opa.example")}
    own = {name for name, item in everything.items() if item["owner"] == "alice"}
    assert set(listed(user)) == own and "alice@opb.example" in own
    assert set(listed(user, "?owner=bob")) <= own
    assert listed(user, "?domain=opb.example") == ["alice@opb.example"]
    assert [item["name"] for item in operator.pages("/v1/domains", "domains", limit)] == [
        "opa.example"]
    assert [item["number"] for item in operator.pages("/v1/numbers", "numbers", limit)] == [
        "+49301"]


@pytest.mark.parametrize("who, path, others", [
    ("operator", "/v1/addresses", b"opb.example"), ("operator", "/v1/domains", b"opb"),
    ("operator", "/v1/numbers", b"49302"), ("user", "/v1/addresses", b"bob")])
def test_no_page_and_no_cursor_names_what_is_of_others(world, who, path, others):
    cursor = ""
    for _ in range(100):
        answer = world.clients[who].done("GET", f"{path}?limit=1{cursor}")
        assert others not in answer.body
        if answer.json["next"] is None:
            return
        cursor = "&cursor=" + answer.json["next"].replace("@", "%40").replace("+", "%2B")
    raise AssertionError("the list has no end")


def test_an_operator_of_two_domains_says_which(world):
    client = world.daemon.client(world.root.token_add(scope="operator",
                                                      domains=["opa.example", "opb.example"]))
    client.refused("GET", "/v1/addresses", "400 invalid-parameter")
    found = client.get("/v1/addresses?domain=opb.example")["addresses"]
    assert {CAROL, "alice@opb.example"} <= {item["address"] for item in found}


def test_each_is_told_who_he_is(world):
    operator, user = (world.clients[who].get("/v1/self") for who in ("operator", "user"))
    ids = {who: token.split("_")[1] for who, token in world.tokens.items()}
    assert operator == {"scope": "operator", "actor": f"token:{ids['operator']}",
                        "domains": ["opa.example"]}
    assert user == {"scope": "user", "actor": f"token:{ids['user']}", "owner": "alice"}


def test_a_token_is_revoked_at_once_while_it_is_used(world):
    made = world.root.post("/v1/tokens", {"scope": "user", "owner": "alice"})
    path = address_path(ALICE)
    with world.daemon.client(made["token"]).kept() as ask_on:
        for _ in range(3):
            assert ask_on("GET", path).status == 200
        world.root.done("DELETE", f"/v1/tokens/{made['id']}",
                        headers={"If-Match": f'"{made["version"]}"'})
        assert ask_on("GET", path).kind == "401 unauthorized"
        assert ask_on("PATCH", path, {"locked": True}, ANY).kind == "401 unauthorized"
    assert world.root.get(path)["locked"] is False


def test_a_token_is_good_for_what_it_says_and_no_longer(world):
    """It loses what it had with its last domain, not with the token."""
    made = world.root.post("/v1/tokens", {"scope": "operator", "domains": ["later.example"]})
    client = world.daemon.client(made["token"])
    client.refused("GET", "/v1/domains/later.example", N)
    world.root.post("/v1/domains", {"name": "later.example", "cores": CORES})
    assert client.get("/v1/domains/later.example")["name"] == "later.example"
    client.post("/v1/addresses", {"address": "x@later.example"})
    client.refused("GET", address_path(ALICE), N)


# -- curl -----------------------------------------------------------------------------------------


def test_curl_on_the_socket_is_the_administrator(world):
    answer = world.daemon.curl("/v1/domains/opa.example", local=True)
    assert answer.status == 200 and answer.json["name"] == "opa.example"
    assert answer.etag == f'"{answer.json["version"]}"'


def test_curl_over_https_is_who_its_token_says(world):
    bearer = ("-H", f"Authorization: Bearer {world.tokens['user']}")
    assert world.daemon.curl(address_path(ALICE), *bearer).status == 200
    assert world.daemon.curl(address_path(BOB), *bearer).kind == N
    assert world.daemon.curl(address_path(ALICE)).kind == "401 unauthorized"
    patch = world.daemon.curl(address_path(ALICE) + "?dry_run=true", *bearer, "-X", "PATCH",
                              "-H", "Content-Type: application/merge-patch+json",
                              "-H", "If-Match: *", "-d", '{"locked": true}')
    assert patch.status == 200 and patch.json["locked"] is True
