"""Real Kamailio cores and baresip users of ../shared/interop, with two junctord between them, or one
and a Kamailio as the far edge."""

import os
import shutil
import socket
import subprocess
import time

import pytest

from lab.edge import source_root
from lab.lab import Lab
from lab.pki import Leaf, Pki
from lab.plan import SIP_PORT, free_plan, is_free
from lab.process import run as run_command

STAND = os.path.join(os.path.dirname(source_root()), "shared", "interop")
INSIDE_TLS_PORT = 5062
TURN_S = 240  # another run needs less than a minute
INSIDE = (("udp", SIP_PORT), ("tcp", SIP_PORT), ("tls", INSIDE_TLS_PORT))

pytestmark = pytest.mark.skipif(not os.path.isdir(STAND),
                                reason="../shared/interop is not there: no real cores")


def run(script, *args, env=None, timeout_s=60):
    """Runs a script of the stand. Returns its status and output."""
    done = subprocess.run([os.path.join(STAND, script), *args], env={**os.environ, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def turn():
    """The stand's addresses are fixed, so one run at a time has them. An abstract socket's name is
    unique where these addresses are, and free again when its owner ends, however it does."""
    with socket.socket(socket.AF_UNIX) as lock:
        deadline = time.monotonic() + TURN_S
        while True:
            try:
                lock.bind("\0junctor-interop-stand")
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    pytest.fail(f"another run has the interop stand since {TURN_S} s: {error}")
                time.sleep(0.2)
        yield


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("interop-pki"))
    status, output = run("pki.sh", directory)
    assert status == 0, output
    return Pki(directory)


@pytest.fixture(scope="module")
def public_pki(pki, tmp_path_factory):
    """The stand's CA, but the edges have what public CAs issue since 2026: serverAuth only."""
    public = Pki(str(tmp_path_factory.mktemp("interop-public-pki")))
    for name in ("ca.pem", "ca.key"):
        shutil.copy(pki.path(name), public.path(name))
    public.adopt_ca()
    for letter, domain in (("a", "opa.example"), ("b", "opb.example")):
        public.make(Leaf("edge-" + letter, sip=(domain,), dns=(domain,)))
    return public


def core(trunk, transport):
    port = SIP_PORT + 1 if transport == "tls" else SIP_PORT
    return f"sip:{trunk}:{port};transport={transport}"


def edge_uri(address, transport):
    port = INSIDE_TLS_PORT if transport == "tls" else SIP_PORT
    return f"sip:{address}:{port};transport={transport}"


KAMAILIO = "udp, edge B is Kamailio"


@pytest.fixture(scope="module", params=["udp", "tcp", "tls", KAMAILIO])
def stand(request, turn, pki, public_pki, tmp_path_factory):
    """Edges and cores, linked by this transport. Yields the environment for the scripts. Over TLS
    the stand's cores demand the clientAuth usage of their edge."""
    plan, transport = free_plan(), request.param.split(",")[0]
    plan.a.edge = plan.a.published = "127.0.20.1"
    plan.b.edge = plan.b.published = "127.0.20.2"
    busy = is_free(plan)
    assert busy is None, f"the interop stand's addresses are in use: {busy}"
    with Lab(plan) as lab:
        request.node.lab = lab
        # the stand's CA is trusted by edges and cores alike
        lab.pki = pki if transport == "tls" else public_pki
        lab.make_dns()
        for operator, trunk in ((plan.a, "127.0.21.2"), (plan.b, "127.0.22.2")):
            if operator is plan.b and request.param == KAMAILIO:
                lab.make_kamailio(operator, core=trunk)
            else:
                lab.make_edge(operator, inside=INSIDE, core=core(trunk, transport))
        lab.start()
        lab.provision()
        env = {"STATE": str(tmp_path_factory.mktemp("interop-" + transport)),
               "PKI": pki.directory,
               "EDGE_A": edge_uri(plan.a.edge, transport),
               "EDGE_B": edge_uri(plan.b.edge, transport)}
        try:
            status, output = run("cores.sh", "up", env=env)
            assert status == 0, output
            yield env
        finally:
            run("cores.sh", "down", env=env)


@pytest.mark.parametrize("hung_up_by", ["caller", "callee"])
@pytest.mark.parametrize("caller", ["alice", "bob"])
def test_a_call_between_real_cores(stand, caller, hung_up_by):
    status, output = run("call.sh", "-n", "2", "-h", hung_up_by, caller, env=stand)
    assert status == 0, output


def test_certificates_for_servers_only_are_enough_between_edges(public_pki):
    """The calls and messages over udp and tcp pass with these."""
    for name in ("edge-a", "edge-b"):
        text = run_command(["openssl", "x509", "-in", public_pki.path(name + ".pem"), "-noout",
                            "-ext", "extendedKeyUsage"]).stdout
        assert "Server" in text and "Client" not in text


@pytest.mark.parametrize("sender", ["alice", "bob"])
def test_a_message_between_real_cores(stand, sender):
    status, output = run("message.sh", sender, env=stand)
    assert status == 0, output
