"""Fixtures: each test module has its own lab, on addresses nobody else uses."""

import contextlib
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab.lab import Lab  # noqa: E402
from lab.plan import SIP_PORT, TLS_PORT, free_plan  # noqa: E402
from lab.sip import UdpAgent  # noqa: E402

LOG_LINES = 60  # of each edge, shown with a failed test
LIMIT_S = 300  # for a test's set-up, for the test itself and for what follows it, each


@pytest.fixture(scope="module")
def plan():
    return free_plan()


@pytest.fixture(scope="module")
def bare_lab(plan, request):
    """DNS and certificates made, no edge yet; the module makes and starts the rest. With
    DNS_NAMES_KEYS = False it is CAs that decide."""
    with Lab(plan) as lab:
        request.node.lab = lab
        lab.make_pki()
        lab.make_dns(keys=getattr(request.module, "DNS_NAMES_KEYS", True))
        yield lab


@pytest.fixture(scope="module")
def raw_lab(bare_lab):
    """Two edges; the tests themselves are the cores, with `alice` and `bob`."""
    for operator in bare_lab.plan.operators:
        bare_lab.make_edge(operator)
    bare_lab.start()
    bare_lab.provision()
    return bare_lab


@pytest.fixture
def alice(plan):
    with UdpAgent(plan.a.phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture
def bob(plan):
    with UdpAgent(plan.b.phone, SIP_PORT) as agent:
        yield agent


@pytest.fixture(scope="module")
def inside_a(plan):
    """Where operator A's core sends its requests."""
    return (plan.a.edge, SIP_PORT)


@pytest.fixture(scope="module")
def inside_b(plan):
    return (plan.b.edge, SIP_PORT)


@pytest.fixture(scope="module")
def outside_b(plan):
    """Where peers reach operator B."""
    return (plan.b.edge, TLS_PORT)


@contextlib.contextmanager
def limit(what):
    """What takes longer than LIMIT_S fails where it is, even in a system call."""
    def over(_number, _frame):
        pytest.fail(f"{what} hangs: no end after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef):
    with limit(f"the set-up of {fixturedef.argname}"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    with limit("the test"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    with limit("the tear-down"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the edges logged during the module."""
    outcome = yield
    report = outcome.get_result()
    module = item.getparent(pytest.Module)
    lab = getattr(module, "lab", None)
    if not report.failed or lab is None:
        return
    for program in lab.programs:
        report.sections.append((f"log of {program.name}", program.log_tail(LOG_LINES)))
