"""A client of the REST API that holds every answer against the API's own description."""

import http.client
import json
import os
import re
import ssl
import subprocess
from collections import namedtuple
from urllib.parse import parse_qsl, quote, urlsplit

import jsonschema

from .edge import Edge, tool_path
from .pki import Leaf, Pki
from .process import LabError
from .sockets import free_port

LIMIT_S = 30
PROBLEM = "urn:junctor:problem:"
# Headers that mean something to clients: one that is sent must be described.
TOLD = ("ETag", "Location", "Dry-Run", "Retry-After", "WWW-Authenticate", "Allow")


def api_edge(plan, folder):
    """Operator A's edge, without DNS, that serves its API on HTTPS (`listen`), too, and its health
    listener (`health`)."""
    pki = Pki(os.path.join(folder, "pki"))
    pki.make_ca()
    chain, key = pki.make(Leaf("edge-a", sip=("opa.example",), dns=("opa.example",)))
    edge = Edge(plan.a, plan, os.path.join(folder, "edge"), pki, "edge-a")
    edge.listen = (plan.a.edge, free_port(plan.a.edge))
    edge.health = (plan.a.edge, free_port(plan.a.edge))
    edge.api = (f'listen = "{edge.listen[0]}:{edge.listen[1]}" certificate = "{chain}" '
                f'key = "{key}" health = "{edge.health[0]}:{edge.health[1]}" rate = 0')
    return edge


def built_test(name):
    """A program that "make check" builds for the tests."""
    build = os.path.dirname(os.path.dirname(tool_path("junctord")))
    path = os.path.join(build, "tests", name)
    if not os.access(path, os.X_OK):
        raise LabError(f"{path} is not built: make check TESTS=")
    return path


def promtool_faults(text):
    """What Prometheus' own tool has to say against metrics."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=False,
                          capture_output=True, timeout=LIMIT_S)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


class Answer(namedtuple("Answer", "status headers body")):
    @property
    def json(self):
        return json.loads(self.body)


def tls_connection(address, port, anchors):
    context = ssl.create_default_context(cafile=anchors)
    context.check_hostname = False  # it has the name of a SIP domain, and no IP address
    return http.client.HTTPSConnection(address, port, timeout=LIMIT_S, context=context)


class Document:
    """An OpenAPI 3.1 document, and what of it was seen to be true."""

    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.seen = {}  # operationId -> statuses that it answered as described

    def resolve(self, item):
        while "$ref" in item:
            _, item = self.resolver.resolve(item["$ref"])
        return item

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield method.upper(), path, operation

    def find(self, method, path):
        """The operation of a request, and all its parameters."""
        for template, item in self.document["paths"].items():
            pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part)
                               for part in template.split("/"))
            if re.fullmatch(pattern, path) and method.lower() in item:
                operation = item[method.lower()]
                parameters = item.get("parameters", []) + operation.get("parameters", [])
                return operation, [self.resolve(parameter) for parameter in parameters]
        raise AssertionError(f"{method} {path}: is not described")

    def faults(self, schema, value):
        """What of the value does not fit, as sentences."""
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    # -- the request ------------------------------------------------------------------------

    def request_faults(self, operation, parameters, query, headers, body):
        faults = []
        described = {(item["in"], item["name"].lower()): item for item in parameters}
        for name, text in query:
            item = described.get(("query", name))
            if item is None:
                faults.append(f"{name}: is no parameter")
                continue
            faults += self.faults(item["schema"], from_text(self.resolve(item["schema"]), text))
        for (place, name), item in described.items():
            sent = {key.lower(): value for key, value in headers.items()}.get(name)
            if place == "header" and sent is None and item.get("required"):
                faults.append(f"{name}: is required")
            elif place == "header" and sent is not None:
                faults += self.faults(item["schema"], sent)
        return faults + self.body_faults(operation, headers, body)

    def body_faults(self, operation, headers, body):
        if "requestBody" not in operation:
            return [] if body is None else ["there is a body"]
        content = self.resolve(operation["requestBody"])["content"]
        kind = headers.get("Content-Type", "").split(";")[0]
        if body is None or kind not in content:
            return [f"the body is no {' or '.join(content)}"]
        return self.faults(content[kind]["schema"], json.loads(body))

    # -- the answer -------------------------------------------------------------------------

    def answer_check(self, operation, answer):
        described = operation["responses"].get(str(answer.status))
        assert described, f"status {answer.status} is not described: {answer.body[:500]}"
        described = self.resolve(described)
        self.headers_check(described.get("headers", {}), answer.headers)
        if "content" not in described:
            assert not answer.body, f"a body is not described: {answer.body[:500]}"
            return
        kinds = {kind.split(";")[0]: item for kind, item in described["content"].items()}
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        assert kind in kinds, f"{kind}: is no content that is described"
        if kind.endswith("json"):
            faults = self.faults(kinds[kind]["schema"], answer.json)
            assert not faults, f"{answer.body[:1000]}\n" + "\n".join(faults)

    def headers_check(self, described, headers):
        for name in TOLD:
            assert headers.get(name) is None or name in described, f"{name} is not described"
        for name, item in described.items():
            item, value = self.resolve(item), headers.get(name)
            if value is None:
                assert not item.get("required"), f"{name} is missing"
                continue
            faults = self.faults(item["schema"], value)
            assert not faults, f"{name}: {faults}"

    def saw(self, operation, status):
        self.seen.setdefault(operation["operationId"], set()).add(status)

    def missing(self):
        """Operations that have not shown both an answer and a refusal."""
        for _, _, operation in self.operations():
            name = operation["operationId"]
            statuses = self.seen.get(name, set())
            if not any(status < 400 for status in statuses):
                yield f"{name}: no request was answered"
            if not any(status >= 400 for status in statuses):
                yield f"{name}: no request was refused"


def from_text(schema, text):
    """A query parameter as its schema's type; text that is none stays text, and will not fit."""
    if schema.get("type") == "integer" and re.fullmatch("-?[0-9]+", text):
        return int(text)
    if schema.get("type") == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


class Client:
    """`connect` makes a connection; a client with a token sends it."""

    def __init__(self, document, connect, token=None):
        self.document = document
        self.connect = connect
        self.token = token

    def _request(self, connection, method, path, body, headers):
        """Sends, and returns the response before its body was read."""
        sent = {**headers, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        connection.request(method, path, body, sent)
        return connection.getresponse()

    def call(self, method, path, body=None, headers=None, kind="application/json"):
        """Sends a request; the answer must be as described, and so must a request that was not
        refused. `body` is JSON, or bytes that are sent as they are."""
        headers = dict(headers or {})
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = self.connect()
        try:
            response = self._request(connection, method, path, body, headers)
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        self._check(method, path, body, headers, answer)
        return answer

    def _check(self, method, path, body, headers, answer):
        url = urlsplit(path)
        query = parse_qsl(url.query, keep_blank_values=True)
        operation, parameters = self.document.find(method, url.path)
        where = f"{method} {path} ({operation['operationId']})"
        try:
            self.document.answer_check(operation, answer)
            if answer.status < 300:
                faults = self.document.request_faults(operation, parameters, query, headers, body)
                assert not faults, "was not refused, but is not described: " + "; ".join(faults)
                self._record_check(answer, ("dry_run", "true") in query)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        self.document.saw(operation, answer.status)

    @staticmethod
    def _record_check(answer, dry):
        """What was only tried has no version; what is there has one, which is its ETag."""
        assert (answer.headers.get("Dry-Run") == "true") == dry, "Dry-Run"
        tag = answer.headers.get("ETag")
        assert not (dry and tag), "what was only tried has an ETag"
        if tag:
            record = answer.json
            assert tag == f'"{record.get("version", record.get("sequence"))}"', "ETag"

    # -- in one line --------------------------------------------------------------------------

    def done(self, method, path, body=None, status=200, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status == status, f"{method} {path}: {answer.status} {answer.body}"
        return answer

    def get(self, path):
        return self.done("GET", path).json

    def refused(self, method, path, status, problem, body=None, field=None, **more):
        answer = self.call(method, path, body, **more)
        said = f"{method} {path}: {answer.status} {answer.body}"
        assert answer.status == status, said
        assert answer.json["type"] == PROBLEM + problem, said
        assert field is None or answer.json.get("field") == field, said
        return answer

    def pages(self, path, plural, limit):
        """All records of a list, a few at a time."""
        records, cursor = [], None
        while True:
            more = f"&cursor={quote(cursor)}" if cursor else ""
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{more}")
            assert len(page[plural]) <= limit
            records += page[plural]
            cursor = page["next"]
            if cursor is None:
                return records

    def events(self, path, count, headers=None):
        """The first events of a stream, as (id, entry)."""
        connection = self.connect()
        try:
            response = self._request(connection, "GET", path, None, headers or {})
            operation, _ = self.document.find("GET", urlsplit(path).path)
            assert response.status == 200, response.read()
            assert response.headers["Content-Type"].split(";")[0] == "text/event-stream"
            found = [self._event(response) for _ in range(count)]
        finally:
            connection.close()
        self.document.saw(operation, 200)
        return found

    def _event(self, response):
        fields = {}
        while True:
            line = response.readline().decode().rstrip("\n")
            if line == "" and fields:
                break
            name, _, value = line.partition(":")
            if name:  # else a comment
                fields[name] = value.removeprefix(" ")
        assert fields["event"] == "change", fields
        entry = json.loads(fields["data"])
        faults = self.document.faults({"$ref": "#/components/schemas/JournalEntry"}, entry)
        assert not faults, f"{fields}\n" + "\n".join(faults)
        return int(fields["id"]), entry
