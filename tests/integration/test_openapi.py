"""The REST API answers as /v1/openapi.json says: every operation, over real sockets, in each scope.

The order counts: the tests share one daemon, and the last one looks back at what the others saw.
What the description is worth by itself is in test_openapi_document.py."""

import copy
import http.client
import json
import os
import re

import pytest

from lab.api_table import ENDLESS
from lab.openapi import (Client, Document, api_edge, promtool_faults, built_test, tls_connection)
from lab.plan import free_plan
from lab.primary import Primary
from lab.process import run, wait_until
from lab.unix_http import UnixConnection

CORE = "sip:127.0.0.1:5060;transport=udp"
ALICE = "/v1/addresses/alice%40opa.example"
GONE = "/v1/addresses/nobody%40opa.example"
ANY = {"If-Match": "*"}
OLD = {"If-Match": '"999999"'}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("openapi")


@pytest.fixture(scope="module")
def edge(plan, place):
    """A daemon with an empty directory."""
    edge = api_edge(plan, str(place))
    edge.more = f'porting {{ window-s = 86400 receipt-keys = "{edge.path("receipt-keys")}" }}'
    edge.configure()
    edge.start()
    edge.wait_ready()
    yield edge
    assert edge.program.stop(timeout_s=35) == 0


@pytest.fixture(scope="module")
def document(edge):
    connection = UnixConnection(edge.socket)
    connection.request("GET", "/v1/openapi.json")
    text = connection.getresponse().read()
    connection.close()
    return Document(json.loads(text))


@pytest.fixture(scope="module")
def root(edge, document):
    """On the Unix socket."""
    return Client(document, lambda: UnixConnection(edge.socket))


@pytest.fixture(scope="module")
def over_https(edge, document):
    """Makes clients on HTTPS."""
    def client(token=None):
        return Client(document, lambda: tls_connection(*edge.listen, edge.pki.anchors), token)
    return client


@pytest.fixture(scope="module")
def stranger(over_https):
    return over_https()


@pytest.fixture(scope="module")
def publisher(edge, root):
    """A reader of the journal, which no request makes: put into the directory of a daemon that is
    down. Returns the entry up to which it has read."""
    sequence = root.get("/v1/journal")["first"] + 1
    assert edge.program.stop(timeout_s=35) == 0
    run([built_test("api/cursor_put"), edge.path("store"), "publisher", str(sequence)])
    edge.start()
    edge.wait_ready()
    return sequence


@pytest.fixture(scope="module")
def admin(root, over_https):
    made = root.done("POST", "/v1/tokens", {"scope": "admin", "note": "tests"}, 201)
    return over_https(made.json["token"])


@pytest.fixture(scope="module")
def operator(root, over_https):
    made = root.done("POST", "/v1/tokens",
                     {"scope": "operator", "domains": ["opa.example"], "days": 1}, 201)
    return over_https(made.json["token"])


@pytest.fixture(scope="module")
def user(root, over_https):
    made = root.done("POST", "/v1/tokens", {"scope": "user", "owner": "carol"}, 201)
    return over_https(made.json["token"])


def test_an_answer_that_is_not_as_described_is_noticed(edge, document):
    def client(**changed):
        wrong = copy.deepcopy(document.document)
        wrong["components"]["schemas"]["Self"].update(changed)
        return Client(Document(wrong), lambda: UnixConnection(edge.socket))

    client().get("/v1/self")
    with pytest.raises(AssertionError, match="'actor' was unexpected"):
        client(properties={"scope": {"type": "string"}}).get("/v1/self")
    with pytest.raises(AssertionError, match="'age' is a required property"):
        client(required=["age"]).get("/v1/self")
    with pytest.raises(AssertionError, match="is not described"):
        client().call("GET", "/v1/nothing")


# ---- who asks ----


def test_each_sees_who_he_is(root, admin, operator, user, stranger):
    assert root.get("/v1/self")["scope"] == "admin"
    assert root.get("/v1/self")["actor"] == f"uid:{os.getuid()}"
    assert admin.get("/v1/self")["scope"] == "admin"
    assert operator.get("/v1/self")["domains"] == ["opa.example"]
    assert user.get("/v1/self")["owner"] == "carol"
    refused = stranger.refused("GET", "/v1/self", 401, "unauthorized")
    assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_a_stranger_gets_nowhere_and_learns_nothing(stranger, document):
    for method, path, operation in document.operations():
        if operation["security"] == [] and not operation.get("x-junctor-local"):
            continue
        where = re.sub(r"\{[a-z]+\}", "x", path)
        stranger.refused(method, where, 401, "unauthorized", headers=ANY)


def test_a_scope_that_a_route_does_not_name_is_forbidden(document, operator, user):
    for client, scope in ((operator, "operator"), (user, "user")):
        for method, path, operation in document.operations():
            scopes = [roles for need in operation["security"] for roles in need["bearer"]]
            if operation["security"] and scope not in scopes:
                where = re.sub(r"\{[a-z]+\}", "x", path)
                client.refused(method, where, 403, "forbidden", headers=ANY)


# ---- records ----


def test_domains(root, operator):
    new = {"name": "OPA.example", "cores": [CORE], "claims_per_owner": 2}
    dry = root.done("POST", "/v1/domains?dry_run=true", new, 201)
    assert dry.json["name"] == "opa.example"
    root.refused("GET", "/v1/domains/opa.example", 404, "no-such-record")
    made = root.done("POST", "/v1/domains", new, 201, headers={"Idempotency-Key": "d1"})
    assert made.headers["Location"] == "/v1/domains/opa.example"
    again = root.done("POST", "/v1/domains", new, 201, headers={"Idempotency-Key": "d1"})
    assert again.headers["ETag"] == made.headers["ETag"]
    root.refused("POST", "/v1/domains", 422, "key-reused", {**new, "unknown": "core"},
                 headers={"Idempotency-Key": "d1"})
    root.refused("POST", "/v1/domains", 409, "exists", new)
    dry = root.refused("POST", "/v1/domains?dry_run=true", 409, "exists", new)
    assert dry.headers["Dry-Run"] == "true"
    root.refused("POST", "/v1/domains?dry_run=maybe", 400, "invalid-parameter", new,
                 field="dry_run")
    root.done("POST", "/v1/domains", {"name": "opz.example", "cores": [CORE]}, 201)
    listed = root.pages("/v1/domains", "domains", 1)
    assert [domain["name"] for domain in listed] == ["opa.example", "opz.example"]
    assert [domain["name"] for domain in operator.get("/v1/domains")["domains"]] == ["opa.example"]
    root.refused("GET", "/v1/domains?limit=0", 400, "invalid-parameter", field="limit")


def test_a_domain_is_replaced_and_deleted(root, operator):
    answer = root.done("GET", "/v1/domains/opz.example")
    fresh = {"If-Match": answer.headers["ETag"]}
    put = {**answer.json, "unknown": "core"}
    path = "/v1/domains/opz.example"
    root.refused("PUT", path, 428, "if-match-required", put)
    root.refused("PUT", path, 412, "changed", put, headers=OLD)
    root.done("PUT", path + "?dry_run=true", put, headers=fresh)
    changed = root.done("PUT", path, put, headers=fresh)
    assert changed.json["unknown"] == "core"
    root.refused("DELETE", path, 412, "changed", headers=fresh)
    operator.refused("GET", path, 404, "no-such-record")
    root.done("DELETE", path, status=204, headers={"If-Match": changed.headers["ETag"]})
    root.refused("DELETE", path, 404, "no-such-record", headers=ANY)


def test_a_body_that_is_not_right_is_refused(root):
    good = {"name": "opx.example", "cores": [CORE]}
    for body, problem, field in [
        (b"{", "malformed-json", None),
        (b'{"name": "opx.example", "name": "opy.example"}', "malformed-json", None),
        (b"[]", "malformed-json", None),
        (b'{"name": "\xff"}', "malformed-json", None),
        ({**good, "colour": 1}, "invalid-field", "colour"),
        ({**good, "cores": []}, "invalid-field", "cores"),
        ({**good, "cores": ["sips:x"]}, "invalid-field", "cores[0]"),
        ({**good, "unknown": "maybe"}, "invalid-field", "unknown"),
        ({**good, "quarantine_days": -1}, "invalid-field", "quarantine_days"),
        ({**good, "quarantine_days": "90"}, "invalid-field", "quarantine_days"),
        ({"cores": [CORE]}, "invalid-field", "name"),
    ]:
        answer = root.call("POST", "/v1/domains", body)
        assert answer.status == 400, body
        assert answer.json["type"].endswith(":" + problem), answer.body
        assert field is None or answer.json["field"] == field, answer.body
    root.refused("POST", "/v1/domains", 415, "not-json", good, kind="text/plain")
    root.refused("POST", "/v1/domains", 413, "body-too-large", b" " * 70000)
    root.refused("GET", "/v1/domains/opx.example", 404, "no-such-record")


def test_addresses(root, operator, user):
    made = operator.done("POST", "/v1/addresses",
                         {"address": "Alice@opa.example", "owner": "alice"}, 201)
    assert made.headers["Location"] == ALICE
    assert (made.json["state"], made.json["display"]) == ("hosted", "Alice@opa.example")
    root.refused("POST", "/v1/addresses", 409, "exists", {"address": "alice@opa.example"})
    root.refused("POST", "/v1/addresses", 400, "invalid-field", {"address": "da niel@opa.example"},
                 field="address")
    root.done("POST", "/v1/addresses?dry_run=true", {"address": "bob@opa.example"}, 201)
    root.refused("GET", "/v1/addresses/bob@opa.example", 404, "no-such-record")
    out = {"address": "bob@opa.example", "hosting": "opb.example"}
    assert root.done("POST", "/v1/addresses", out, 201).json["state"] == "ported-out"
    ported = {"address": "dora@opb.example", "hosting": "opa.example"}
    assert root.done("POST", "/v1/addresses", ported, 201).json["state"] == "ported-in"
    operator.refused("GET", "/v1/addresses/x@opy.example", 404, "no-such-record")
    user.refused("GET", ALICE, 404, "no-such-record")
    assert root.get(ALICE)["owner"] == "alice"


def test_a_user_claims_as_many_as_the_domain_allows(user, root):
    claim = user.done("POST", "/v1/addresses", {"address": "carol@opa.example"}, 201)
    assert claim.json["owner"] == "carol"
    alias = {"address": "c@opa.example", "target": "carol@opa.example"}
    assert user.done("POST", "/v1/addresses", alias, 201).json["state"] == "alias"
    user.refused("POST", "/v1/addresses", 409, "claim-limit", {"address": "cc@opa.example"})
    user.refused("POST", "/v1/addresses", 403, "claim-denied", {"address": "abuse@opa.example"})
    root.refused("PATCH", "/v1/addresses/c@opa.example", 409, "alias-loop",
                 {"target": "c@opa.example"}, headers=ANY)
    listed = user.get("/v1/addresses")["addresses"]
    assert {address["address"] for address in listed} == {"c@opa.example", "carol@opa.example"}


def test_addresses_are_listed_in_pages_and_filtered(root, operator):
    everything = [address["address"] for address in root.pages("/v1/addresses", "addresses", 2)]
    assert len(everything) == 5 and len(set(everything)) == 5
    for query, names in [("domain=opb.example", ["dora@opb.example"]),
                         ("owner=alice", ["alice@opa.example"]),
                         ("state=ported-out", ["bob@opa.example"])]:
        found = root.pages("/v1/addresses?" + query, "addresses", 1)
        assert [address["address"] for address in found] == names, query
    operator.pages("/v1/addresses?domain=opa.example", "addresses", 100)
    root.refused("GET", "/v1/addresses?state=lost", 400, "invalid-parameter", field="state")
    root.refused("GET", "/v1/addresses?colour=1", 400, "invalid-parameter", field="colour")
    root.refused("GET", "/v1/addresses?domain=nowhere.example", 404, "no-such-record")


@pytest.mark.parametrize("kind", ["application/merge-patch+json", "application/json"])
def test_an_address_is_changed_in_part(root, kind):
    fresh = {"If-Match": root.done("GET", ALICE).headers["ETag"]}
    root.done("PATCH", ALICE + "?dry_run=true", {"locked": True}, headers=fresh, kind=kind)
    locked = root.done("PATCH", ALICE, {"locked": True}, headers=fresh, kind=kind)
    assert locked.json["locked"] and locked.json["owner"] == "alice"
    root.refused("PATCH", ALICE, 412, "changed", {"locked": False}, headers=fresh, kind=kind)
    root.refused("PATCH", ALICE, 409, "locked", {"owner": "eve"}, headers=ANY, kind=kind)
    root.refused("DELETE", ALICE, 409, "locked", headers=ANY)
    root.refused("PATCH", ALICE, 400, "invalid-field", {"version": "x"}, headers=ANY, kind=kind)
    root.done("PATCH", ALICE, {"locked": False}, headers=ANY, kind=kind)
    root.done("PATCH", ALICE, {"blocked": True}, headers=ANY, kind=kind)
    root.done("PATCH", ALICE, {"blocked": False, "owner": None}, headers=ANY, kind=kind)
    root.done("PATCH", ALICE, {"notify": "alice@mail.example"}, headers=ANY, kind=kind)
    again = root.done("PATCH", ALICE, {"owner": "alice"}, headers=ANY, kind=kind)
    assert again.json["owner"] == "alice"
    root.refused("PATCH", GONE, 404, "no-such-record", {"locked": True}, headers=ANY, kind=kind)


def test_auth_codes(root):
    path = ALICE + "/auth-code"
    root.done("POST", path + "?dry_run=true", {}, 201)
    key = {"Idempotency-Key": "a1"}
    made = root.done("POST", path, {"days": 7}, 201, headers=key)
    assert made.json["auth_code"]
    assert root.done("POST", path, {"days": 7}, 201, headers=key).json["auth_code"] is None
    assert root.get(ALICE)["auth_until"] == made.json["until"]
    root.refused("POST", path, 400, "invalid-field", {"days": 91}, field="days")
    root.refused("POST", GONE + "/auth-code", 404, "no-such-record", {})
    root.refused("DELETE", path, 428, "if-match-required")
    root.done("DELETE", path, status=204, headers=ANY)
    assert root.get(ALICE)["auth_until"] is None


def test_what_protects_an_address(root, operator, user):
    path, ports = ALICE + "/freeze", ALICE + "/port-check"
    root.done("PUT", path + "?dry_run=true", {"frozen": True}, headers=ANY)
    made = operator.done("PUT", path, {"frozen": True}, headers=ANY)
    assert made.json["frozen"] and root.get(ALICE + "/protection") == made.json
    checked = root.done("POST", ports, {"gaining": "opb.example"}).json
    assert not checked["possible"] and checked["hosting"] == "opa.example"
    root.refused("POST", ports, 400, "invalid-field", {"gaining": "-"}, field="gaining")
    root.refused("PUT", path, 412, "changed", {"frozen": False}, headers=OLD)
    root.done("PUT", path, {"frozen": False}, headers={"If-Match": made.headers["ETag"]})
    key = {"key": 64 * "0", "code": root.done("POST", ALICE + "/auth-code", {}, 201).json["auth_code"]}
    root.refused("PUT", ALICE + "/recovery-key", 403, "bad-proof", {**key, "code": "no"},
                 headers=ANY, field="code")
    root.done("PUT", ALICE + "/recovery-key", key, headers=ANY)
    assert root.get(ALICE + "/protection")["next_recovery_key"] == key["key"]
    root.done("DELETE", ALICE + "/recovery-key", headers=ANY)


def port_begin(root):
    """A port of Alice that waits for her old host; its path, and the secret that undoes it."""
    code = root.done("POST", ALICE + "/auth-code", {"for": "gaining.example"}, 201).json
    wish = {"address": "alice@opa.example", "gaining": "gaining.example"}
    made = root.done("POST", "/v1/ports", {**wish, "code": code["auth_code"]}, 201)
    path = made.headers["Location"]
    # all three roles: the old host and the new one have heard of it
    wait_until(lambda: len(root.get("/v1/ports?state=pending")["ports"]) == 3, "notice")
    return path, made.json["undo_secret"]


def test_ports_that_move_nothing(root):
    root.done("POST", "/v1/domains", {"name": "gaining.example", "cores": [CORE]}, 201)
    path, _ = port_begin(root)
    root.refused("GET", path + "/receipt", 404, "no-such-record")
    root.done("POST", path + "/reject", {"reason": "fraud"})
    receipt = root.get(path + "/receipt")
    assert (receipt["id"], receipt["role"]) == (path[len("/v1/ports/"):], "authority")
    wait_until(lambda: not root.get("/v1/ports?state=pending")["ports"], "notice")
    path, _ = port_begin(root)
    root.done("POST", path + "/cancel", {})
    wait_until(lambda: root.get(path)["state"] == "cancelled", "cancelling")
    told = root.call("GET", path + "/events")
    assert told.body.startswith(b"id: ") and b'"state":"cancelled"' in told.body


def test_the_keys_of_receipts(root, operator, user):
    path = "/v1/receipt-keys/opa.example"
    shown = operator.get(path)
    changed = operator.done("POST", path, {}).json
    assert not changed["published"] and changed["keys"][0] not in shown["keys"]
    assert root.get(path)["keys"] == changed["keys"]
    root.refused("POST", path, 400, "invalid-field", {"key": "x"})
    operator.refused("GET", "/v1/receipt-keys/gaining.example", 404, "no-such-record")
    operator.refused("POST", "/v1/receipt-keys/gaining.example", 404, "no-such-record", {})
    user.refused("GET", path, 403, "forbidden")


def test_ports(root, operator, user):
    path, secret = port_begin(root)
    assert len(root.pages("/v1/ports?address=alice@opa.example&state=pending", "ports", 2)) == 3
    root.refused("GET", "/v1/ports?role=odd", 400, "invalid-parameter", field="role")
    operator.refused("POST", "/v1/ports", 400, "invalid-field", {
        "address": "alice@opa.example", "gaining": "gaining.example", "code": "x"}, field="gaining")
    user.refused("POST", path + "/cancel", 404, "no-such-record", {})
    nonce = root.done("POST", "/v1/port-nonces", {
        "address": "alice@opa.example", "gaining": "gaining.example"}).json
    assert nonce["text"] == "\n".join((
        "junctor-port-v1", "opa.example", "alice@opa.example", "gaining.example", nonce["id"],
        nonce["nonce"], str(nonce["expires"]), ""))
    user.refused("POST", "/v1/port-nonces", 404, "no-such-record", {"undoes": path[len("/v1/ports/"):]})
    root.refused("POST", "/v1/port-nonces", 400, "invalid-field", {
        "address": "alice@opa.example", "gaining": "elsewhere.example"}, field="gaining")
    signed = {"signature": 128 * "0", "nonce": nonce["nonce"], "expires": nonce["expires"]}
    root.refused("POST", "/v1/ports", 400, "invalid-field", {
        "address": "alice@opa.example", "gaining": "gaining.example", "code": "x", **signed},
        field="code")
    root.refused("POST", path + "/undo", 400, "invalid-field", {**signed, "signature": "0"},
                 field="signature")
    root.refused("POST", path + "/object", 409, "port-state", {})
    root.refused("POST", path + "/allow", 409, "port-state", {})
    operator.done("POST", path + "/approve", {})
    root.refused("POST", path + "/reject", 409, "port-state", {})
    undo = root.done("POST", path + "/undo", {"secret": secret}, 201)
    wait_until(lambda: root.get(path)["state"] == "undone", "undo")
    wait_until(lambda: root.get(undo.headers["Location"])["state"] == "completed", "its end")
    root.done("DELETE", "/v1/domains/gaining.example", status=204, headers=ANY)


def test_a_released_address_is_a_tombstone_until_it_is_purged(root):
    root.done("POST", "/v1/addresses", {"address": "fred@opa.example", "owner": "fred"}, 201)
    path = "/v1/addresses/fred@opa.example"
    root.refused("DELETE", path, 428, "if-match-required")
    root.refused("DELETE", path, 412, "changed", headers=OLD)
    root.done("DELETE", path + "?dry_run=true", status=204, headers=ANY)
    root.done("DELETE", path, status=204, headers=ANY)
    tombstone = root.get(path)
    assert tombstone["state"] == "tombstone" and tombstone["until"]
    root.refused("POST", "/v1/addresses", 409, "quarantined",
                 {"address": "fred@opa.example", "owner": "eve"})
    root.done("DELETE", path + "?purge=true", status=204, headers=ANY)
    root.refused("GET", path, 404, "no-such-record")
    root.refused("DELETE", path, 404, "no-such-record", headers=ANY)


def test_an_auth_code_releases(root):
    path = "/v1/addresses/frida@opa.example"
    root.done("POST", "/v1/addresses", {"address": "frida@opa.example"}, 201)
    code = {"code": root.done("POST", path + "/auth-code", {}, 201).json["auth_code"]}
    root.refused("POST", path + "/release", 403, "bad-proof", {"code": "no"}, field="code")
    root.done("POST", path + "/release?dry_run=true", code, 204)
    root.done("POST", path + "/release", code, 204)
    assert root.get(path)["state"] == "tombstone"


def test_imports(root, operator):
    new = [{"address": f"u{number}@opa.example"} for number in range(3)]
    bad = [*new, {"address": "u 3@opa.example"}]
    kept = root.done("POST", "/v1/import", {"addresses": bad}).json
    assert kept["added"] == 0 and [one["index"] for one in kept["refused"]] == [3]
    root.done("POST", "/v1/import?dry_run=true", {"addresses": new})
    done = operator.done("POST", "/v1/import", {"addresses": bad, "keep_going": True}).json
    assert done["added"] == 3 and done["sequence"] and len(done["refused"]) == 1
    root.refused("POST", "/v1/import", 400, "invalid-field", {"addresses": []}, field="addresses")
    versions = [{"address": one["address"],
                 "version": root.get("/v1/addresses/" + one["address"])["version"]} for one in new]
    root.refused("POST", "/v1/import/undo", 400, "invalid-field", {"addresses": [{}]})
    root.done("POST", "/v1/import/undo?dry_run=true", {"addresses": versions})
    assert root.done("POST", "/v1/import/undo", {"addresses": versions}).json == {"removed": 3}


def test_numbers(root, operator):
    new = {"number": "+49 30 1234-567", "address": "alice@opa.example"}
    root.done("POST", "/v1/numbers?dry_run=true", new, 201)
    made = operator.done("POST", "/v1/numbers", new, 201)
    assert made.json["number"] == "+49301234567"
    path = made.headers["Location"]
    root.refused("POST", "/v1/numbers", 409, "exists", new)
    root.refused("POST", "/v1/numbers", 400, "invalid-field", {**new, "number": "030"},
                 field="number")
    root.refused("GET", "/v1/numbers/%2B4930", 404, "no-such-record")
    root.refused("GET", "/v1/numbers/030", 400, "invalid-parameter", field="number")
    record = root.done("GET", path)
    put = {**record.json, "address": "carol@opa.example"}
    root.refused("PUT", path, 428, "if-match-required", put)
    root.done("PUT", path + "?dry_run=true", put, headers=ANY)
    changed = root.done("PUT", path, put, headers={"If-Match": record.headers["ETag"]})
    assert [one["number"] for one in root.pages("/v1/numbers", "numbers", 1)] == ["+49301234567"]
    root.refused("GET", "/v1/numbers?limit=1001", 400, "invalid-parameter", field="limit")
    root.refused("DELETE", path, 412, "changed", headers=OLD)
    root.done("DELETE", path, status=204, headers={"If-Match": changed.headers["ETag"]})


def test_peers(root):
    new = {"domain": "OPB.example", "requests_per_s": 10, "pins": ["AB" * 32], "tariff": "flat"}
    root.done("POST", "/v1/peers?dry_run=true", new, 201)
    made = root.done("POST", "/v1/peers", new, 201)
    assert made.json["pins"] == ["ab" * 32]
    path = made.headers["Location"]
    root.refused("POST", "/v1/peers", 409, "exists", new)
    root.refused("POST", "/v1/peers", 400, "invalid-field", {**new, "pins": ["ab"]})
    root.refused("GET", "/v1/peers/opq.example", 404, "no-such-record")
    record = root.done("GET", path)
    root.refused("PUT", path, 428, "if-match-required", record.json)
    put = {**record.json, "blocked": True}
    root.done("PUT", path + "?dry_run=true", put, headers=ANY)
    assert root.done("PUT", path, put, headers={"If-Match": record.headers["ETag"]}).json["blocked"]
    assert [one["domain"] for one in root.pages("/v1/peers", "peers", 1)] == ["opb.example"]
    root.refused("GET", "/v1/peers?cursor=%00", 400, "invalid-parameter")
    root.refused("DELETE", path, 412, "changed", headers=OLD)
    root.done("DELETE", path, status=204, headers=ANY)


def test_tokens(root, admin, over_https):
    key = {"Idempotency-Key": "t1"}
    new = {"scope": "user", "owner": "gina", "note": "a phone", "days": 30}
    root.done("POST", "/v1/tokens?dry_run=true", new, 201)
    made = root.done("POST", "/v1/tokens", new, 201, headers=key)
    assert root.done("POST", "/v1/tokens", new, 201, headers=key).json["token"] is None
    gina = over_https(made.json["token"])
    assert gina.get("/v1/self")["owner"] == "gina"
    assert admin.get(made.headers["Location"])["until"] == made.json["until"]
    assert len(root.pages("/v1/tokens", "tokens", 2)) == 4
    root.refused("GET", "/v1/tokens?limit=x", 400, "invalid-parameter", field="limit")
    root.refused("POST", "/v1/tokens", 400, "invalid-field", {"scope": "user"}, field="owner")
    root.refused("POST", "/v1/tokens", 400, "invalid-field", {"scope": "operator"},
                 field="domains")
    root.refused("GET", "/v1/tokens/000000000000", 404, "no-such-record")
    root.refused("DELETE", made.headers["Location"], 428, "if-match-required")
    root.done("DELETE", made.headers["Location"], status=204,
              headers={"If-Match": made.headers["ETag"]})
    gina.refused("GET", "/v1/self", 401, "unauthorized")


# ---- what every operation refuses ----

LONG = ("/v1/domains/{name}/copy",)
NOBODY = {"/v1/domains/{name}": "nobody.example",
          **{f"/v1/domains/{{name}}/{step}": "nobody.example" for step in ("move", "copy", "clear")},
          "/v1/peers/{domain}": "nobody.example",
          "/v1/numbers/{number}": "%2B491111", "/v1/tokens/{id}": "000000000000",
          "/v1/ports/{id}": 32 * "0", "/v1/receipt-keys/{name}": "nobody.example",
          "/v1/bans/{source}": "192.0.2.77", "/v1/cursors/{name}": "nobody",
          "/v1/dns/records/{domain}": "nobody.example"}


def path_of(template):
    """The path of a record that is not there."""
    known = NOBODY["/v1/ports/{id}"] if template.startswith("/v1/ports/") else NOBODY.get(
        template, "nobody%40opa.example")
    return re.sub(r"\{[a-z]+\}", known, template)


def test_every_operation_refuses_a_parameter_it_does_not_know(root, document):
    for method, path, operation in document.operations():
        body = {} if "requestBody" in operation else None
        root.refused(method, path_of(path) + "?colour=1", 400, "invalid-parameter", body,
                     field="colour", headers=ANY)


def test_every_operation_on_a_record_says_that_it_is_not_there(root, document):
    for method, path, operation in document.operations():
        if "{" in path and "/route/" not in path and "/port-check" not in path:
            body = {} if "requestBody" in operation else None
            root.refused(method, path_of(path), 404, "no-such-record", body, headers=ANY)


def test_every_body_must_be_json_and_no_longer_than_its_bound(root, document):
    for method, path, operation in document.operations():
        if "requestBody" not in operation:
            continue
        where = path_of(path)
        if not path.startswith("/v1/import") and path not in LONG:  # theirs is so long that the daemon hangs up
            root.refused(method, where, 413, "body-too-large", b" " * 65537, headers=ANY)
        root.refused(method, where, 400, "malformed-json", b"{", headers=ANY)
        root.refused(method, where, 415, "not-json", b"{}", kind="text/plain", headers=ANY)


def test_every_get_has_a_head_and_other_methods_are_named(edge, document):
    def ask(method, path):
        connection = UnixConnection(edge.socket)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read() if path not in ENDLESS else b""
        connection.close()
        return response, body

    for path, item in document.document["paths"].items():
        methods = {method.upper() for method in item if method != "parameters"}
        response, body = ask("OPTIONS", path_of(path))
        assert response.status == 405, path
        assert set(response.headers["Allow"].split(", ")) == methods, path
        if "GET" in methods:
            got, _ = ask("GET", path_of(path))
            response, body = ask("HEAD", path_of(path))
            assert (response.status, body) == (got.status, b""), path
            assert response.headers["Content-Type"] == got.headers["Content-Type"], path


# ---- the journal ----


def test_the_journal(root):
    page = root.get("/v1/journal?from=1&limit=2")
    assert [entry["sequence"] for entry in page["entries"]] == [1, 2]
    entries = []
    while page["next"] is not None:
        page = root.get(f"/v1/journal?from={page['next']}")
        entries += page["entries"]
    assert entries[-1]["sequence"] == page["last"]
    kinds = {entry["kind"] for entry in root.get("/v1/journal?limit=1000")["entries"]}
    assert kinds >= {"domain", "address", "number", "peer", "token"}
    root.refused("GET", "/v1/journal?limit=0", 400, "invalid-parameter", field="limit")


def test_the_journal_is_followed(root):
    events = root.events("/v1/journal/events?from=1", 3)
    assert [sequence for sequence, _ in events] == [1, 2, 3]
    assert [entry["sequence"] for _, entry in events] == [1, 2, 3]
    events = root.events("/v1/journal/events?from=1", 1, headers={"Last-Event-ID": "3"})
    assert events[0][0] == 4
    root.refused("GET", "/v1/journal/events?from=x", 400, "invalid-parameter", field="from")


def test_traffic_and_connections(root):
    assert root.get("/v1/traffic")["other"]["peer"] is None
    root.refused("GET", "/v1/connections?peer=a%20b", 400, "invalid-parameter", field="peer")
    assert root.get("/v1/connections?limit=1")["total"] >= 0


def test_messages_are_looked_at(root):
    assert root.events("/v1/trace?match=opb.example", 0) == []
    root.refused("GET", "/v1/trace?match=a%20b", 400, "invalid-parameter", field="match")


def test_readers_of_the_journal(root, publisher):
    reader = {"name": "publisher", "sequence": publisher, "lost": False}
    assert root.pages("/v1/cursors", "cursors", 1) == [reader]
    assert root.get("/v1/cursors/publisher") == reader
    root.refused("GET", "/v1/cursors?colour=1", 400, "invalid-parameter", field="colour")
    root.refused("GET", "/v1/cursors/nobody", 404, "no-such-record")
    root.refused("DELETE", "/v1/cursors/publisher", 428, "if-match-required")


# ---- the daemon ----


def test_a_backup(root, admin, place):
    file = str(place / "backup.mdb")
    made = root.done("POST", "/v1/backups", {"file": file}, 201)
    assert made.json["bytes"] == os.path.getsize(file)
    root.refused("POST", "/v1/backups", 409, "exists", {"file": file})
    root.refused("POST", "/v1/backups", 400, "invalid-field", {"file": "here"}, field="file")
    admin.refused("POST", "/v1/backups", 403, "forbidden", {"file": file + "2"})


def test_a_domain_moves(root, admin, operator):
    """Out, back, and what is at the other end of the way."""
    root.done("POST", "/v1/domains", {"name": "moving.example", "cores": [CORE]}, 201)
    root.done("POST", "/v1/addresses", {"address": "daniel@moving.example"}, 201)
    path = "/v1/domains/moving.example"
    assert root.get(path + "/move")["move"] == "none"
    operator.refused("GET", path + "/move", 403, "forbidden")
    operator.refused("POST", path + "/move", 403, "forbidden", {"move": "leaving"})
    root.refused("POST", path + "/move", 400, "invalid-field", {"move": "leaving"}, field="move_to")
    root.refused("GET", path + "/copy", 409, "port-state")
    left = root.done("POST", path + "/move", {"move": "leaving", "move_to": "opb.example"}, 200)
    assert (left.json["move"], left.json["move_to"]) == ("leaving", "opb.example")
    root.refused("POST", "/v1/addresses", 409, "frozen", {"address": "new@moving.example"})
    records = root.get(path + "/copy")["records"]
    assert [item["record"]["address"] for item in records] == ["daniel@moving.example"]
    operator.refused("GET", path + "/copy", 403, "forbidden")
    root.refused("POST", path + "/copy", 409, "port-state", {"records": records})
    operator.refused("POST", path + "/copy", 403, "forbidden", {"records": records})
    root.done("POST", path + "/move", {"move": "gone"}, 200)
    root.refused("POST", path + "/clear", 409, "port-state", {})
    operator.refused("POST", path + "/clear", 403, "forbidden", {})
    root.refused("POST", path + "/clear", 400, "invalid-field", {"force": 1}, field="force")
    assert root.done("POST", path + "/clear", {"force": True}, 200).json["done"]
    root.done("POST", "/v1/domains", {"name": "moving.example", "cores": [CORE]}, 201)
    root.done("POST", path + "/move", {"move": "arriving"}, 200)
    root.refused("POST", path + "/copy", 400, "invalid-field", {"records": []}, field="records")
    assert admin.done("POST", path + "/copy", {"records": records}, 200).json == {
        "copied": 1, "waiting": 0}
    root.done("POST", path + "/move", {"move": "none"}, 200)
    assert root.get("/v1/addresses/daniel%40moving.example")["state"] == "hosted"
    root.done("POST", path + "/move", {"move": "leaving", "move_to": "opb.example"}, 200)
    root.done("POST", path + "/move", {"move": "gone"}, 200)
    root.done("POST", path + "/clear", {"force": True}, 200)


def test_what_dns_said_is_forgotten(root, operator):
    assert root.done("POST", "/v1/dns/purge", {"name": "OPB.example"}, 200).json == {
        "name": "opb.example"}
    root.refused("POST", "/v1/dns/purge", 400, "invalid-field", {"name": "a b"}, field="name")
    operator.refused("POST", "/v1/dns/purge", 403, "forbidden", {"name": "opb.example"})


def test_the_key_of_dialogs(root, operator):
    first = root.done("POST", "/v1/token-keys", {}, 200).json["sequence"]
    tried = root.done("POST", "/v1/token-keys?dry_run=true", {}, 200)
    again = root.done("POST", "/v1/token-keys", {}, 200)
    assert tried.json == again.json == {"sequence": first + 1}
    root.refused("POST", "/v1/token-keys", 400, "invalid-field", {"secret": "x"}, field="secret")
    operator.refused("POST", "/v1/token-keys", 403, "forbidden", {})


def test_a_route_is_explained(root, operator):
    assert root.get("/v1/route/alice@opa.example")["rule"] == "hosted"
    assert operator.get("/v1/route/zoe@opa.example")["hosting"] is None
    root.refused("GET", "/v1/route/a%20b@opa.example", 400, "invalid-parameter", field="address")


def test_the_records_that_should_exist(root, operator):
    page = root.get("/v1/dns/records/opa.example")
    assert page["records"][0]["name"] == "_sipaddr.opa.example"
    assert page["warnings"] == operator.get("/v1/dns/records/opa.example")["warnings"]


def test_what_a_primary_serves_is_compared_and_sent(root, document, place):
    """By a second daemon, which has a zone; the first one has none."""
    root.refused("POST", "/v1/dns/sync", 404, "no-such-record", {"domain": "opa.example"})
    primary = Primary("knot", str(place / "primary"), "127.0.0.1")
    edge = api_edge(free_plan(), str(place / "publishing"))
    edge.more = primary.conf()
    edge.configure()
    try:
        edge.start()
        edge.wait_ready()
        client = Client(document, lambda: UnixConnection(edge.socket))
        client.done("POST", "/v1/domains", {"name": "opa.example", "cores": [CORE]}, 201)
        client.refused("POST", "/v1/dns/sync", 502, "primary-failed", {"domain": "opa.example"})
        assert client.get("/v1/status")["published"][0]["zone"] == "opa.example"
        primary.start()
        answer = client.done("POST", "/v1/dns/sync?dry_run=true",
                             {"domain": "opa.example", "force": True}).json
        assert answer["looked_at"] == 1 and answer["differing"] == 0
        client.done("POST", "/v1/dns/sync", {"domain": "opa.example"})
        assert ("_sipaddr.opa.example", "TXT") in {record[:2] for record in primary.records()}
        assert promtool_faults(client.call("GET", "/metrics").body.decode()) == ""
    finally:
        edge.program.stop(timeout_s=35)
        primary.stop()


def test_the_cores(root):
    wait_until(lambda: root.get("/v1/cores")["cores"], "the edge has read the directory")
    assert root.get("/v1/cores")["cores"][0]["state"] == "unknown"  # nobody is asked here
    root.refused("GET", "/v1/cores?colour=1", 400, "invalid-parameter", field="colour")


def test_the_daemon_in_numbers(root):
    assert root.get("/v1/status")["store"]["domains"] == 1
    root.refused("GET", "/v1/status?colour=1", 400, "invalid-parameter", field="colour")


def test_what_anyone_may_ask(stranger, document):
    for path in ("/healthz", "/readyz"):
        assert stranger.get(path) == {"status": "ok"}
        stranger.refused("GET", path + "?colour=1", 400, "invalid-parameter", field="colour")
    assert stranger.get("/v1/openapi.json") == document.document
    stranger.refused("GET", "/v1/openapi.json?colour=1", 400, "invalid-parameter", field="colour")


def test_the_metrics_are_clean_for_promtool(root, admin, publisher):
    text = root.done("GET", "/metrics").body.decode()
    assert promtool_faults(text) == ""
    assert 'junctor_store_records{kind="domain"} 1\n' in text
    lag = root.get("/v1/journal")["last"] - publisher
    assert f'junctor_journal_cursor_lag_entries{{cursor="publisher"}} {lag}\n' in text
    assert "junctor_edge_requests_total " in text
    assert "junctor_api_requests_total{" in text
    assert re.search(r'^junctor_ports\{role="authority",state="rejected"\} [1-9]', text, re.MULTILINE)
    assert "\njunctor_porting_receipts_refused_total 0\n" in text
    assert "alice" not in text  # patterns of routes, never paths
    admin.refused("GET", "/metrics?colour=1", 400, "invalid-parameter", field="colour")


def test_promtool_finds_faults():
    assert "counter metrics should have" in promtool_faults("# HELP x X.\n# TYPE x counter\nx 1\n")


def test_counters_only_grow(root):
    def counted():
        text = root.done("GET", "/metrics").body.decode()
        found = re.findall(r'^(junctor_api_requests_total\{[^}]*"/v1/self"[^}]*\}) (\d+)$', text,
                           re.MULTILINE)
        return {name: int(value) for name, value in found}
    before = counted()
    root.get("/v1/self")
    after = counted()
    assert all(after[name] >= value for name, value in before.items())
    assert sum(after.values()) == sum(before.values()) + 1


def test_the_health_listener_needs_no_token(edge, document):
    client = Client(document, lambda: http.client.HTTPConnection(*edge.health, timeout=30))
    assert client.get("/healthz") == {"status": "ok"}
    assert client.get("/readyz") == {"status": "ok"}
    assert promtool_faults(client.done("GET", "/metrics").body.decode()) == ""


def test_bans(root, operator):
    made = root.done("POST", "/v1/bans", {"source": "192.0.2.0/24", "reason": "scans"}, 201)
    assert made.headers["Location"] == "/v1/bans/192.0.2.0%2F24"
    assert made.json["automatic"] is False and made.json["reason"] == "scans"
    root.done("POST", "/v1/bans", {"source": "2001:db8::1", "seconds": 60}, 201)
    root.done("POST", "/v1/bans?dry_run=true", {"source": "192.0.2.1"}, 201)
    assert [ban["source"] for ban in root.pages("/v1/bans", "bans", 1)] == [
        "192.0.2.0/24", "2001:db8::1"]
    assert root.get("/v1/bans/192.0.2.0%2F24") == made.json
    root.refused("POST", "/v1/bans", 400, "invalid-field", {"source": "192.0.2.1/24"},
                 field="source")
    root.refused("POST", "/v1/bans", 400, "invalid-field", {"source": "opb.example"},
                 field="source")
    root.refused("POST", "/v1/bans", 400, "invalid-field", {"source": "192.0.2.1", "seconds": 0},
                 field="seconds")
    root.refused("GET", "/v1/bans?cursor=x", 400, "invalid-parameter", field="cursor")
    root.refused("GET", "/v1/bans/x", 400, "invalid-parameter", field="source")
    operator.refused("GET", "/v1/bans", 403, "forbidden")
    root.refused("DELETE", "/v1/bans/2001:db8::1", 412, "changed", headers=OLD)
    for source in ("2001:db8::1", "192.0.2.0%2F24"):
        root.done("DELETE", f"/v1/bans/{source}?dry_run=true", status=204, headers=ANY)
        root.done("DELETE", f"/v1/bans/{source}", status=204, headers=ANY)
        root.refused("DELETE", f"/v1/bans/{source}", 404, "no-such-record", headers=ANY)
    assert root.get("/v1/bans") == {"bans": [], "next": None}


def test_the_keys_of_receipts_are_for_everybody(root):
    assert "opa.example" in {key["domain"] for key in root.get("/v1/keys")["keys"]}


def test_a_reader_of_the_journal_is_forgotten(root, publisher):
    path = "/v1/cursors/publisher"
    root.refused("DELETE", path, 412, "changed", headers=OLD)
    root.done("DELETE", path, status=204, headers={"If-Match": f'"{publisher}"'})
    root.refused("GET", "/v1/cursors/publisher", 404, "no-such-record")


def test_every_operation_was_answered_and_refused(document):
    """Of all that the document describes; needs the whole module to have run. But for disputes: a
    recovery key works two weeks after it was left."""
    assert list(document.missing()) == [f"port_{name}: no request was answered"
                                        for name in ("object", "allow")]
