"""Who may do what over the REST API: the table, the records it is about, and requests made of its
rows."""

import re
from collections import namedtuple

from .api import ANY, Answer, address_path

CORES = ["sip:127.0.0.1:5060;transport=udp"]
STALE = {"If-Match": '"1"'}
F = "403 forbidden"
N = "404 no-such-record"
ALICE, BOB, CAROL = "alice@opa.example", "bob@opa.example", "carol@opb.example"

NO_PORT = 32 * "0"

Case = namedtuple("Case", "route param query body headers expected")


def case(route, expected, param="", query="", body=None, headers=None):
    """`expected`: of the local administrator, then of the tokens admin, operator and user."""
    if isinstance(expected, str):
        expected = (expected,) * 4
    return Case(route, param, query, body, headers, expected)


def staff(status):
    """For administrators and operators, not for users."""
    return (status, status, status, F)


def chiefs(status):
    """For administrators only."""
    return (status, status, F, F)


def apart(status):
    """What is there, but not for this operator, and for no user."""
    return (status, status, N, F)


DOMAIN = {"cores": CORES, "claims_per_owner": 1}
PEER = {"tariff": "cheap"}

TABLE = [
    case("GET /v1/self", "200"),

    case("GET /v1/domains", staff("200")),
    case("POST /v1/domains", chiefs("201"), body={"name": "new.example", **DOMAIN}),
    case("POST /v1/domains", chiefs("409 exists"), body={"name": "opb.example", **DOMAIN}),
    case("GET /v1/domains/{name}", staff("200"), "opa.example"),
    case("GET /v1/domains/{name}", apart("200"), "opb.example"),
    case("GET /v1/domains/{name}", staff(N), "none.example"),
    case("PUT /v1/domains/{name}", staff("200"), "opa.example", body=DOMAIN, headers=ANY),
    case("PUT /v1/domains/{name}", apart("200"), "opb.example", body=DOMAIN, headers=ANY),
    case("PUT /v1/domains/{name}", staff("412 changed"), "opa.example", body=DOMAIN,
         headers=STALE),
    case("PUT /v1/domains/{name}", staff("428 if-match-required"), "opa.example", body=DOMAIN),
    case("PUT /v1/domains/{name}", staff(N), "none.example", body=DOMAIN, headers=ANY),
    case("DELETE /v1/domains/{name}", chiefs("204"), "empty.example", headers=ANY),
    case("DELETE /v1/domains/{name}", chiefs("409 in-use"), "opa.example", headers=ANY),
    case("DELETE /v1/domains/{name}", chiefs("428 if-match-required"), "opa.example"),

    case("GET /v1/domains/{name}/move", chiefs("200"), "opa.example"),
    case("POST /v1/domains/{name}/move", chiefs("409 in-use"), "opa.example",
         body={"move": "arriving"}),
    case("POST /v1/domains/{name}/move", chiefs("409 port-state"), "empty.example",
         body={"move": "gone"}),
    case("GET /v1/domains/{name}/copy", chiefs("409 port-state"), "opa.example"),
    case("POST /v1/domains/{name}/copy", chiefs("409 port-state"), "opa.example",
         body={"records": []}),
    case("POST /v1/domains/{name}/clear", chiefs("409 port-state"), "opa.example", body={}),

    case("GET /v1/addresses", "200"),
    case("GET /v1/addresses", "200", query="owner=bob"),
    case("GET /v1/addresses", "200", query="domain=opa.example&state=alias"),
    case("GET /v1/addresses", ("200", "200", N, "200"), query="domain=opb.example"),
    case("GET /v1/addresses", "400 invalid-parameter", query="state=strange"),
    case("POST /v1/addresses", "201", body={"address": "New@opa.example"}),
    case("POST /v1/addresses", ("201", "201", "400 invalid-field", "201"),
         body={"address": "new@opb.example"}),
    case("POST /v1/addresses", ("201", "201", "201", F),
         body={"address": "new@opa.example", "owner": "alice"}),
    case("POST /v1/addresses", ("201", "201", "201", F),
         body={"address": "new@opa.example", "state": "hosted"}),
    case("POST /v1/addresses", ("201", "201", "201", F),
         body={"address": "new@opa.example", "blocked": True}),
    case("POST /v1/addresses", "409 exists", body={"address": BOB}),
    case("POST /v1/addresses", ("409 quarantined",) * 3 + ("201",),
         body={"address": "gone@opa.example"}),
    case("POST /v1/addresses", ("201", "201", "201", "403 claim-denied"),
         body={"address": "postmaster@opa.example"}),
    case("POST /v1/addresses", ("201", "201", "201", "403 claim-denied"),
         body={"address": "sales@opa.example"}),
    case("POST /v1/addresses", ("201", "201", "400 invalid-field", "403 claim-denied"),
         body={"address": "new@empty.example"}),
    case("GET /v1/addresses/{address}", "200", ALICE),
    case("GET /v1/addresses/{address}", "200", "gone@opa.example"),
    case("GET /v1/addresses/{address}", ("200", "200", "200", N), BOB),
    case("GET /v1/addresses/{address}", ("200", "200", N, N), CAROL),
    case("GET /v1/addresses/{address}", ("200", "200", N, N), "dave@far.example"),
    case("GET /v1/addresses/{address}", N, "nobody@opa.example"),
    case("PATCH /v1/addresses/{address}", "200", ALICE, body={"locked": True}, headers=ANY),
    case("PATCH /v1/addresses/{address}", "200", ALICE, body={"display": "Alice@OPA.example"},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", "200", "alias@opa.example",
         body={"target": "extra@opa.example"}, headers=ANY),
    case("PATCH /v1/addresses/{address}", "200", ALICE, body={"notify": "alice@mail.example"},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", "400 invalid-field", ALICE, body={"notify": "alice"},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", N, N), CAROL,
         body={"notify": "carol@mail.example"}, headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", "200", F), ALICE, body={"blocked": True},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", "200", F), ALICE, body={"owner": None},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", "200", F), ALICE,
         body={"hosting": "far.example"}, headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", "200", N), BOB, body={"locked": True},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", ("200", "200", N, N), CAROL, body={"locked": True},
         headers=ANY),
    case("PATCH /v1/addresses/{address}", "412 changed", ALICE, body={"locked": True},
         headers=STALE),
    case("PATCH /v1/addresses/{address}", "428 if-match-required", ALICE, body={"locked": True}),
    case("PATCH /v1/addresses/{address}", N, "nobody@opa.example", body={"locked": True},
         headers=ANY),
    case("DELETE /v1/addresses/{address}", "204", "extra@opa.example", headers=ANY),
    case("DELETE /v1/addresses/{address}", "409 in-use", ALICE, headers=ANY),
    case("DELETE /v1/addresses/{address}", "409 locked", "locked@opa.example", headers=ANY),
    case("DELETE /v1/addresses/{address}", ("204", "204", "204", N), BOB, headers=ANY),
    case("DELETE /v1/addresses/{address}", ("403 bad-proof", "403 bad-proof", N, N),
         "dave@far.example", headers=ANY),
    case("DELETE /v1/addresses/{address}", ("204", "204", N, F), "dave@far.example", "purge=true",
         headers=ANY),
    case("DELETE /v1/addresses/{address}", "428 if-match-required", "extra@opa.example"),
    case("DELETE /v1/addresses/{address}", "412 changed", "extra@opa.example", headers=STALE),
    case("DELETE /v1/addresses/{address}", staff("204"), "gone@opa.example", "purge=true",
         headers=ANY),
    case("DELETE /v1/addresses/{address}", staff(N), ALICE, "purge=true", headers=ANY),
    case("POST /v1/addresses/{address}/release", "403 bad-proof", "coded@opa.example",
         body={"code": "wrong"}),
    case("POST /v1/addresses/{address}/release", ("403 bad-proof",) * 3 + (N,), BOB,
         body={"code": "wrong"}),
    case("POST /v1/addresses/{address}/release", "400 invalid-field", ALICE, body={}),
    case("POST /v1/addresses/{address}/auth-code", "201", ALICE, body={}),
    case("POST /v1/addresses/{address}/auth-code", "201", ALICE, body={"days": 90}),
    case("POST /v1/addresses/{address}/auth-code", "400 invalid-field", ALICE, body={"days": 91}),
    case("POST /v1/addresses/{address}/auth-code", ("201", "201", "201", N), BOB, body={}),
    case("POST /v1/addresses/{address}/auth-code", ("201", "201", N, N), CAROL, body={}),
    case("DELETE /v1/addresses/{address}/auth-code", "204", "coded@opa.example", headers=ANY),
    case("DELETE /v1/addresses/{address}/auth-code", N, ALICE, headers=ANY),
    case("DELETE /v1/addresses/{address}/auth-code", "428 if-match-required", "coded@opa.example"),

    case("POST /v1/addresses/{address}/port-check", "200", ALICE, body={"gaining": "opb.example"}),
    case("POST /v1/addresses/{address}/port-check", "200", CAROL, body={}),
    case("GET /v1/addresses/{address}/protection", ("200", "200", "200", N), BOB),
    case("PUT /v1/addresses/{address}/freeze", staff("200"), ALICE, body={"frozen": True},
         headers=ANY),
    case("PUT /v1/addresses/{address}/freeze", apart("200"), CAROL, body={"frozen": True},
         headers=ANY),
    case("PUT /v1/addresses/{address}/freeze", staff("428 if-match-required"), ALICE,
         body={"frozen": True}),
    case("PUT /v1/addresses/{address}/recovery-key", "403 bad-proof", "coded@opa.example",
         body={"key": 64 * "0", "code": "wrong"}, headers=ANY),
    case("PUT /v1/addresses/{address}/recovery-key", ("403 bad-proof",) * 3 + (N,), BOB,
         body={"key": 64 * "0", "code": "wrong"}, headers=ANY),
    case("DELETE /v1/addresses/{address}/recovery-key", N, ALICE, headers=ANY),

    case("GET /v1/ports", "200", query="role=gaining&state=pending"),
    case("GET /v1/ports/{id}", N, NO_PORT),
    case("GET /v1/ports/{id}/receipt", N, NO_PORT),
    case("GET /v1/ports/{id}/events", N, NO_PORT),
    case("POST /v1/ports", "400 invalid-field",
         body={"address": ALICE, "gaining": "none.example", "code": "x"}),
    *[case("POST /v1/ports/{id}/" + step, N, NO_PORT, body={}) for step in ("cancel", "object")],
    *[case("POST /v1/ports/{id}/" + step, staff(N), NO_PORT, body={})
      for step in ("approve", "reject", "allow")],
    case("POST /v1/ports/{id}/undo", N, NO_PORT, body={"secret": "x"}),
    case("POST /v1/port-nonces", "400 invalid-field",
         body={"address": ALICE, "gaining": "none.example"}),

    case("POST /v1/import", staff("200"), body={"addresses": [{"address": "new@opa.example"}]}),
    case("POST /v1/import", staff("400 invalid-field"), body={"addresses": []}),
    case("POST /v1/import/undo", staff("200"),
         body={"addresses": [{"address": ALICE, "version": 1}]}),

    case("GET /v1/numbers", staff("200")),
    case("POST /v1/numbers", staff("201"), body={"number": "+49 303", "address": ALICE}),
    case("POST /v1/numbers", ("201", "201", "400 invalid-field", F),
         body={"number": "+49303", "address": CAROL}),
    case("GET /v1/numbers/{number}", staff("200"), "+49301"),
    case("GET /v1/numbers/{number}", apart("200"), "+49302"),
    case("GET /v1/numbers/{number}", staff(N), "+49309"),
    case("PUT /v1/numbers/{number}", staff("200"), "+49301", body={"address": BOB}, headers=ANY),
    case("PUT /v1/numbers/{number}", apart("200"), "+49302", body={"address": ALICE}, headers=ANY),
    case("DELETE /v1/numbers/{number}", staff("204"), "+49301", headers=ANY),
    case("DELETE /v1/numbers/{number}", apart("204"), "+49302", headers=ANY),
    case("DELETE /v1/numbers/{number}", staff("428 if-match-required"), "+49301"),

    case("GET /v1/peers", chiefs("200")),
    case("POST /v1/peers", chiefs("201"), body={"domain": "opd.example"}),
    case("GET /v1/peers/{domain}", chiefs("200"), "opc.example"),
    case("GET /v1/peers/{domain}", chiefs(N), "none.example"),
    case("PUT /v1/peers/{domain}", chiefs("200"), "opc.example", body=PEER, headers=ANY),
    case("PUT /v1/peers/{domain}", chiefs("428 if-match-required"), "opc.example", body=PEER),
    case("DELETE /v1/peers/{domain}", chiefs("204"), "opc.example", headers=ANY),

    case("GET /v1/bans", chiefs("200")),
    case("POST /v1/bans", chiefs("201"), body={"source": "192.0.2.9", "seconds": 60}),
    case("POST /v1/bans", chiefs("400 invalid-field"), body={"source": "192.0.2.9/24"}),
    case("GET /v1/bans/{source}", chiefs("200"), "192.0.2.1"),
    case("GET /v1/bans/{source}", chiefs(N), "192.0.2.77"),
    case("DELETE /v1/bans/{source}", chiefs("204"), "2001:db8::1", headers=ANY),
    case("DELETE /v1/bans/{source}", chiefs("412 changed"), "192.0.2.1", headers=STALE),
    case("DELETE /v1/bans/{source}", chiefs("428 if-match-required"), "192.0.2.1"),

    case("GET /v1/tokens", chiefs("200")),
    case("POST /v1/tokens", chiefs("201"), body={"scope": "user", "owner": "alice"}),
    case("POST /v1/tokens", chiefs("400 invalid-field"), body={"scope": "user"}),
    case("GET /v1/tokens/{id}", chiefs("200"), "{TOKEN}"),
    case("GET /v1/tokens/{id}", chiefs(N), "000000000000"),
    case("DELETE /v1/tokens/{id}", chiefs("204"), "{TOKEN}", headers=ANY),
    case("DELETE /v1/tokens/{id}", chiefs("428 if-match-required"), "{TOKEN}"),

    # Without a folder of keys, which is this daemon's case, there is none.
    case("GET /v1/receipt-keys/{name}", staff(N), "opa.example"),
    case("GET /v1/receipt-keys/{name}", staff(N), "none.example"),
    case("POST /v1/receipt-keys/{name}", staff(N), "opa.example", body={}),
    case("POST /v1/receipt-keys/{name}", staff("400 invalid-field"), "opa.example", body={"key": "x"}),

    case("POST /v1/token-keys", chiefs("200"), body={}),
    case("POST /v1/token-keys", chiefs("400 invalid-field"), body={"secret": "x"}),

    case("GET /v1/journal", chiefs("200")),
    case("GET /v1/journal/events", chiefs("200")),
    case("GET /v1/traffic", chiefs("200")),
    case("GET /v1/connections", chiefs("200"), query="peer=opb.example"),
    case("GET /v1/connections", chiefs("400 invalid-parameter"), query="peer=a%20b"),
    case("GET /v1/trace", chiefs("200"), query="match=alice%40opa.example"),
    case("GET /v1/trace", chiefs("400 invalid-parameter"), query="match=a%20b"),
    case("GET /v1/cursors", chiefs("200")),
    case("GET /v1/cursors/{name}", chiefs(N), "publisher"),
    case("DELETE /v1/cursors/{name}", chiefs(N), "publisher", headers=ANY),

    case("POST /v1/backups", ("201", F, F, F), body={"file": "{FOLDER}/backup.mdb"}),
    case("POST /v1/dns/purge", chiefs("200"), body={"name": "opb.example"}),
    case("POST /v1/dns/purge", chiefs("400 invalid-field"), body={"name": "opb..example"}),
    case("GET /v1/dns/records/{domain}", staff("200"), "opa.example"),
    case("GET /v1/dns/records/{domain}", apart("200"), "opb.example"),
    case("GET /v1/dns/records/{domain}", staff(N), "none.example"),

    case("POST /v1/dns/sync", staff(N), body={"domain": "opa.example"}),  # published nowhere
    case("POST /v1/dns/sync", apart(N), body={"domain": "opb.example"}),
    case("POST /v1/dns/sync", staff("400 invalid-field"), body={"domain": "a b"}),

    case("GET /v1/route/{address}", staff("200"), ALICE),
    case("GET /v1/route/{address}", apart("200"), CAROL),
    case("GET /v1/route/{address}", staff("200"), "+49301"),
    case("GET /v1/route/{address}", apart("200"), "+49302"),
    case("GET /v1/cores", chiefs("200")),
    case("GET /v1/status", chiefs("200")),
    case("GET /metrics", chiefs("200")),
    case("GET /healthz", "200"),
    case("GET /readyz", "200"),
    case("GET /v1/openapi.json", "200"),
    case("GET /v1/keys", "200"),
]
NO_DRY_RUN = ("POST /v1/backups", "POST /v1/dns/purge",
              "POST /v1/addresses/{address}/port-check", "POST /v1/ports",
              "POST /v1/port-nonces", "POST /v1/receipt-keys/{name}",
              "POST /v1/domains/{name}/copy",
              *["POST /v1/ports/{id}/" + step
                for step in ("cancel", "undo", "object", "approve", "reject", "allow")])
ENDLESS = ("/v1/journal/events", "/v1/trace")  # answers without end
OPEN = ("GET /healthz", "GET /readyz", "GET /v1/openapi.json", "GET /v1/keys")
WHO = ("local", "admin", "operator", "user", "stranger")


class World:
    """The daemon with records of two operators and several people, and a client of each scope."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.root = daemon.root()
        self.fill()
        self.tokens = {
            "admin": self.root.token_add(scope="admin"),
            "operator": self.root.token_add(scope="operator", domains=["opa.example"]),
            "user": self.root.token_add(scope="user", owner="alice"),
        }
        self.spare = self.root.post("/v1/tokens", {"scope": "admin"})["id"]
        self.clients = {"local": self.root, "stranger": daemon.client()}
        for who, token in self.tokens.items():
            self.clients[who] = daemon.client(token)
        self.sequence = self.root.last_sequence()

    def fill(self):
        root = self.root
        for name, claims in (("opa.example", 9), ("opb.example", 9), ("empty.example", 0)):
            root.post("/v1/domains", {"name": name, "cores": CORES, "claims_per_owner": claims})
        owned = {"alice": ("alice", "extra", "locked", "coded", "gone", "alias"),
                 "bob": ("bob", "gone-bob")}
        for owner, users in owned.items():
            for user in users:
                more = {"target": ALICE} if user == "alias" else {}
                root.post("/v1/addresses", {"address": f"{user}@opa.example", "owner": owner,
                                            "locked": user == "locked", **more})
        root.post("/v1/addresses", {"address": CAROL, "owner": "carol"})
        root.post("/v1/addresses", {"address": "dave@far.example", "hosting": "opb.example"})
        root.post("/v1/addresses", {"address": "alice@opb.example", "owner": "alice"})
        root.post(address_path("coded@opa.example") + "/auth-code", {})
        for user in ("gone", "gone-bob"):
            root.done("DELETE", address_path(f"{user}@opa.example"), headers=ANY)
        root.post("/v1/numbers", {"number": "+49301", "address": ALICE})
        root.post("/v1/numbers", {"number": "+49302", "address": CAROL})
        root.post("/v1/peers", {"domain": "opc.example", **PEER})
        for source in ("2001:db8::1", "192.0.2.1"):
            root.post("/v1/bans", {"source": source})

    def fit(self, value):
        """Puts in what is known only now."""
        if isinstance(value, dict):
            return {key: self.fit(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        return value.replace("{TOKEN}", self.spare).replace("{FOLDER}", self.daemon.directory)

    def source(self, number):
        """An address from which nobody else asks."""
        network = self.daemon.plan.number
        return f"127.{network}.{100 + number // 200}.{1 + number % 200}"


def is_tried(row):
    return not row.route.startswith("GET ") and row.route not in NO_DRY_RUN


def target_of(row, world):
    """Method and URL of a row."""
    method, pattern = row.route.split(" ")
    path = re.sub(r"{\w+}", lambda _: world.fit(row.param).replace("@", "%40"), pattern)
    tries = ["dry_run=true"] if is_tried(row) else []
    query = "&".join(tries + ([row.query] if row.query else []))
    return method, path + ("?" + query if query else "")


def ask(client, row, world):
    method, path = target_of(row, world)
    body = world.fit(row.body)
    if not path.startswith(ENDLESS):
        return client.ask(method, path, body, row.headers)
    connection = client.connect()  # the answer has no end: only its beginning is looked at
    try:
        response = client.send(connection, method, path)
        if response.status != 200:
            return client.ask(method, path)
        assert response.getheader("Content-Type") == "text/event-stream"
        return Answer(200, response.getheaders(), b"")
    finally:
        connection.close()


def named(row):
    return f"{row.route}-{row.param}-{row.query}-{row.expected[1]}"
