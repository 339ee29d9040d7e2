"""Where no road leads to the images, no clone is begun."""

import pytest

from snapgui.operations.clone import CloneRequest, plan
from snapgui.operations.surroundings import Surroundings
from tests.unit.facts import NEW_LIBVIRT, OFF, facts


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("snapshot", [None, "base"])
def test_without_pools_and_rights_a_clone_is_refused(snapshot: str | None, full: bool) -> None:
    state, request = facts("base!>a+!*", OFF, capabilities=NEW_LIBVIRT), CloneRequest("web02", snapshot, full)
    assert not plan(state, Surroundings(), request).blockers
    (blocker,) = plan(state, Surroundings(reachable=False), request).blockers
    assert blocker.code == "no-road"
    assert "no storage pools" in str(blocker.text)
