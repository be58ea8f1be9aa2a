"""The description of the REST API by itself: it is one, and its examples are what it describes."""

import json
import os
import re

import jsonschema
import pytest

from lab.edge import source_root
from lab.openapi import Document
from lab.process import run

# npm's words for a registry that cannot be reached
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|"
                         r"EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b")


def source(path):
    with open(os.path.join(source_root(), path), encoding="ascii") as file:
        return file.read()


@pytest.fixture(scope="module")
def document():
    return Document(json.loads(source("api/openapi.json")))


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    """The folder of a validator that is not ours, as tests/openapi/package-lock.json pins it."""
    folder = tmp_path_factory.mktemp("validator")
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_text(source("tests/openapi/" + name), encoding="ascii")
    done = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                "--fetch-retries=1", "--fetch-timeout=30000"], cwd=folder, check=False,
               timeout_s=240)
    if done.returncode != 0 and UNREACHABLE.search(done.stderr):
        pytest.skip("the npm registry cannot be reached:\n" + done.stderr[-500:])
    assert done.returncode == 0, done.stderr
    return folder


def is_valid(validator, text):
    (validator / "openapi.json").write_text(text, encoding="ascii")
    done = run(["node_modules/.bin/validate-api", "openapi.json"], cwd=validator, check=False)
    return done.returncode == 0 and json.loads(done.stdout)["valid"], done.stdout + done.stderr


def test_an_independent_validator_finds_it_valid(validator):
    valid, said = is_valid(validator, source("api/openapi.json"))
    assert valid, said


@pytest.mark.parametrize("right, wrong", [
    ('"openapi": "3.1.0"', '"openapi": "9.1.0"'),
    ('"in": "query"', '"in": "body"'),
    ('"description": "The domain."', '"descriptor": "The domain."'),
])
def test_the_validator_notices_what_is_wrong(validator, right, wrong):
    text = source("api/openapi.json")
    assert right in text
    assert not is_valid(validator, text.replace(right, wrong, 1))[0]


def test_the_schemas_are_sound_and_the_examples_fit(document):
    components = document.document["components"]
    for name, schema in components["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", []):
            assert document.faults(schema, example) == [], name
    described = list(components["responses"].values()) + list(components["parameters"].values())
    described += list(components["headers"].values())
    for item in described:
        for media in [item, *item.get("content", {}).values()]:
            if "example" in media:
                assert document.faults(media["schema"], media["example"]) == []


def test_objects_have_no_fields_that_are_not_described(document):
    for name, schema in document.document["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name
