"""The keys that sign receipts of ports: made by the daemon, published by API and DNS, rotated by files;
and receipts held against them without a daemon."""

import base64
import hashlib
import json
import os
import subprocess

import pytest

from lab.edge import tool_path
from lab.lab import Lab
from lab.process import wait_until

CLAIMS = {"port": "00112233445566778899aabbccddeeff", "address": "bob@opa.example",
          "losing": "opa.example", "gaining": "opb.example", "authority": "opa.example",
          "kind": "code", "decision": "committed", "reason": None,
          "time": "2026-11-25T12:00:00Z", "commit_order": 7}


@pytest.fixture(scope="module")
def lab(plan, request):  # pylint: disable=redefined-outer-name
    with Lab(plan) as lab:
        request.node.lab = lab
        lab.make_pki()
        lab.make_dns()
        lab.make_edge(plan.a)
        lab.edge_a.more = f'porting {{ receipt-keys = "{lab.edge_a.path("receipt-keys")}" }}'
        lab.edge_a.configure()
        lab.start()
        lab.provision()
        yield lab


def keys(edge):
    """/v1/keys, as anybody who asks there gets it."""
    made = subprocess.run(["curl", "-sS", "--fail", "--unix-socket", edge.socket,
                           "http://junctor/v1/keys"], capture_output=True, check=True)
    return json.loads(made.stdout)


def in_dns(edge):
    records = edge.tool_json("dns", "records", "opa.example")["records"]
    return sorted(record["data"] for record in records if record["name"].startswith("_sipaddr-key."))


def folder(edge, name="opa.example.pem"):
    return os.path.join(edge.path("receipt-keys"), name)


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def signed(pem, kid, tmp_path, **changes):
    """A receipt made by openssl: nothing of ours has a hand in it."""
    header = {"alg": "EdDSA", "kid": kid, "typ": "port-receipt"}
    payload = {"kid": kid, **CLAIMS, **changes}
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, payload))
    (tmp_path / "input").write_text(text)
    made = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", pem, "-rawin", "-in",
                           tmp_path / "input"], capture_output=True, check=True)
    return f"{text}.{b64(made.stdout)}"


def verify(*arguments, **options):
    return subprocess.run([tool_path("junctor"), "port", "verify", *arguments], check=False,
                          capture_output=True, text=True, **options)


def thumbprint_of(key):
    jwk = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    return b64(hashlib.sha256(jwk.encode()).digest())


def test_a_key_is_made_for_each_domain_and_published(lab):
    edge = lab.edge_a
    (key,) = keys(edge)["keys"]
    assert key["domain"] == "opa.example" and key["alg"] == "EdDSA" and key["crv"] == "Ed25519"
    assert os.stat(folder(edge)).st_mode & 0o777 == 0o600
    thumbprint = thumbprint_of(key)
    assert key["kid"] == thumbprint[:16]
    assert in_dns(edge) == [f'"v=sipkey1; kid={key["kid"]}; h={thumbprint}"']
    edge.restart()
    assert keys(edge)["keys"] == [key]


def test_a_receipt_is_verified_without_a_daemon(lab, tmp_path):
    edge = lab.edge_a
    jwks = tmp_path / "jwks"
    jwks.write_text(json.dumps(keys(edge)))
    kid = keys(edge)["keys"][0]["kid"]
    receipt = signed(folder(edge), kid, tmp_path)
    good = verify(receipt, "--jwks", jwks)
    assert good.returncode == 0, good.stderr
    assert good.stdout == (f"opa.example certifies with key {kid}: bob@opa.example from opa.example "
                           "to opb.example was committed at 2026-11-25T12:00:00.000000Z (port "
                           "00112233445566778899aabbccddeeff)\n")
    assert json.loads(verify("-", "--jwks", jwks, "--json", input=receipt + "\n").stdout) == {
        **CLAIMS, "kid": kid, "time": "2026-11-25T12:00:00.000000Z"}
    changed = signed(folder(edge), kid, tmp_path, gaining="opx.example").split(".")[1]
    forged = ".".join([receipt.split(".")[0], changed, receipt.split(".")[2]])
    bad = verify(forged, "--jwks", jwks)
    assert bad.returncode == 1
    assert "its signature does not fit: it was changed, or somebody else made it" in bad.stderr


@pytest.mark.parametrize("receipt,words", [
    ("x", "this is no receipt: it is not of three parts"),
    ("a" * 5000, "this is no receipt: it has more than 2047 characters"),
    (f"{b64(b'{}')}.{b64(b'{}')}.", "this is no receipt: its header: alg")])
def test_what_is_no_receipt_is_told_why(receipt, words):
    said = verify(receipt, "--jwks", "/dev/null")
    assert said.returncode == 1 and words in said.stderr


def test_without_a_key_nothing_is_verified(lab, tmp_path):
    edge = lab.edge_a
    kid = keys(edge)["keys"][0]["kid"]
    receipt = signed(folder(edge), kid, tmp_path)
    said = verify(receipt)
    assert said.returncode == 2 and "--jwks FILE" in said.stderr
    said = verify(receipt, "--store", edge.path("store"))
    assert said.returncode == 1 and "the store does not know it" in said.stderr
    other = tmp_path / "other"
    other.write_text('{"keys": []}')
    said = verify(receipt, "--jwks", other)
    assert said.returncode == 1 and "it publishes no key with the id" in said.stderr


def test_the_next_key_is_published_before_it_signs(lab):
    edge = lab.edge_a
    (old,) = keys(edge)["keys"]
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out",
                    folder(edge, "opa.example+next.pem")], check=True, capture_output=True)
    edge.reload()
    wait_until(lambda: len(keys(edge)["keys"]) == 2, "the next key is published")
    assert keys(edge)["keys"][0] == old  # it signs
    assert len(in_dns(edge)) == 2
    os.rename(folder(edge), folder(edge, "opa.example+old.pem"))
    os.rename(folder(edge, "opa.example+next.pem"), folder(edge))
    edge.reload()
    wait_until(lambda: keys(edge)["keys"][0] != old, "the next key signs")
    assert old in keys(edge)["keys"]


def test_a_key_is_changed_by_command(lab):
    edge = lab.edge_a
    (first, *_) = keys(edge)["keys"]
    shown = edge.tool("receipt-key", "show", "opa.example").stdout
    assert shown.splitlines()[0].endswith(f'h={thumbprint_of(first)}" ; signs')
    assert edge.tool("receipt-key", "rotate", "opa.example").stdout != shown
    (second, *others) = keys(edge)["keys"]
    assert second["kid"] != first["kid"] and first in others
    assert os.path.exists(folder(edge, f"opa.example+{first['kid']}.pem"))
    edge.wait_log("another receipt key signs: actor=", 0)
    edge.restart()
    assert keys(edge)["keys"] == [second, *others]


def test_a_key_of_nobodys_domain_is_not_made(lab):
    said = lab.edge_a.tool("receipt-key", "rotate", "none.example", check=False)
    assert said.returncode == 1 and "none.example" in said.stderr
    assert not os.path.exists(folder(lab.edge_a, "none.example.pem"))
