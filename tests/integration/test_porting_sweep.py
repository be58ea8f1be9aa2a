"""A part of the sweep of ports under faults (tests/sweep): of each kind of fault a few messages, the
others with `make check-porting-sweep`."""

import pytest

from sweep.stand import Stand
from sweep.stories import STORIES
from sweep.sweep import Sweep

PICKED = {"code_is_enough": 3, "undone_where_it_was": 7, "the_losing_host_approves": 11}


@pytest.fixture(name="stand", scope="module")
def fixture_stand(request):
    with Stand() as stand:
        request.node.lab = stand.lab  # for conftest.py
        yield stand


@pytest.mark.parametrize("story", [story for story in STORIES if story.name in PICKED],
                         ids=lambda story: story.name)
def test_a_port_ends_in_one_host_whatever_happens(stand, story):
    """Every nth case, so that each kind of fault comes at some message."""
    said, count = [], 0

    def pick(_):
        nonlocal count
        count += 1
        return count % PICKED[story.name] == 1

    sweep = Sweep(stand, said.append)
    sweep.story(story, pick)
    assert sweep.passed > 5 and sweep.failed == 0, "\n".join(said)
