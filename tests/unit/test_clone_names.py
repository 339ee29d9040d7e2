"""The name that is proposed for a clone is one that it can have."""

from hypothesis import given
from hypothesis import strategies as st

from snapgui.operations.clone import LONGEST_NAME, _check_name, propose


@given(vm=st.text(max_size=400), taken=st.integers(0, 3))
def test_the_proposal_is_free_and_allowed(vm: str, taken: int) -> None:
    names: frozenset[str] = frozenset()
    for _ in range(taken):
        names |= {propose(vm, names)}
    assert len(names) == taken
    found = propose(vm, names)
    assert _check_name(found, names) == found
    assert len(found.encode()) <= LONGEST_NAME


def test_proposals_count() -> None:
    assert propose("web01", frozenset()) == "web01-clone"
    assert propose("web01", frozenset({"web01-clone", "web01-clone2"})) == "web01-clone3"
