"""Names of snapshots: what libvirt or a terminal would stumble over is refused, with the reason."""

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.model import names
from snapgui.model.errors import Refused

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "needs a name"),
        ("   ", "needs a name"),
        ("\n", "needs a name"),
        ("a/b", "“/”"),
        ("/etc/passwd", "“/”"),
        (".hidden", "begin with a dot"),
        ("..", "begin with a dot"),
        ("two\nlines", "line breaks"),
        ("tab\there", "line breaks"),
        ("escape\x1b[2J", "invisible"),
        ("nul\0", "invisible"),
        ("\x85next", "begin or end|invisible"),
        ("right\u202eto left", "invisible"),
        ("zero\u200bwidth", "invisible"),
        ("line\u2028separator", "invisible"),
        ("lone\ud800surrogate", "invisible"),
        ("x" * 300, "too long: 300 bytes, at most 246"),
        ("ä" * 124, "too long: 248 bytes"),
        ("taken", "already a snapshot named “taken”"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        names.check(name, {"taken"})


@pytest.mark.parametrize(
    "name",
    [
        *("a", "before the upgrade", "<b>bold", "&amp;", "a,b", "'", '"', "-rf", "100%", "{name}", "$(id)", "a.b", "~"),
        *("日本語", "имя", "नमस्ते", "👩\u200d💻", "e\u0301", "x" * 246, "日" * 82, "\\", "a`b`", "CON"),
    ],
)
def test_an_unusual_name_is_a_name(name: str) -> None:
    assert names.check(name) == name


def test_blanks_around_a_name_are_dropped() -> None:
    assert names.check("  fresh install ") == "fresh install"


@given(ANY_TEXT)
def test_accepted_names_are_harmless(name: str) -> None:
    try:
        accepted = names.check(name)
    except Refused:
        return
    assert 0 < len(accepted.encode()) <= names.LONGEST_NAME
    assert "/" not in accepted
    assert not accepted.startswith(".")
    assert accepted == accepted.strip()
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in accepted)
    assert names.problem(accepted, {accepted}) is not None


@given(ANY_TEXT)
def test_accepted_titles_are_one_printable_line(title: str) -> None:
    try:
        accepted = names.check_title(title)
    except Refused:
        return
    assert len(accepted) <= names.LONGEST_NAME
    assert accepted.splitlines() in ([accepted], [])


@given(ANY_TEXT)
def test_accepted_descriptions_can_be_written_as_xml(description: str) -> None:
    from lxml import etree

    try:
        accepted = names.check_description(description)
    except Refused:
        return
    element = etree.Element("description")
    element.text = accepted
    assert etree.fromstring(etree.tostring(element)).text == (accepted or None)


def test_line_breaks_of_other_systems_become_ours() -> None:
    assert names.check_description("one\r\ntwo\rthree\n\tfour") == "one\ntwo\nthree\n\tfour"


@pytest.mark.parametrize("description", ["\x00", "\x1b[31m", "a\x7fb", "\ud800", "\ufffe", "x" * 1_000_001])
def test_descriptions_that_xml_or_libvirt_cannot_hold_are_refused(description: str) -> None:
    with pytest.raises(Refused):
        names.check_description(description)


@given(st.sets(st.integers(0, 30).map(lambda number: f"snapshot-{number}") | st.text(max_size=12)))
def test_the_proposed_name_is_always_free_and_allowed(taken: set[str]) -> None:
    proposed = names.propose(taken)
    assert names.problem(proposed, taken) is None


def test_proposed_names_go_on_counting() -> None:
    assert names.propose([]) == "snapshot-1"
    assert names.propose(["snapshot-1", "snapshot-7", "snapshot-2", "other"]) == "snapshot-8"
    assert names.propose(["snapshot-1x", "xsnapshot-4"]) == "snapshot-1"


def test_safety_names_tell_when_and_are_always_free() -> None:
    now = datetime(2026, 1, 31, 12, 30, 5, tzinfo=UTC)
    first = names.propose_safety(set(), now)
    second = names.propose_safety({first}, now)
    third = names.propose_safety({first, second}, now)
    assert first == "before-revert-20260131-123005"
    assert len({first, second, third}) == 3
    assert all(names.problem(name) is None for name in (first, second, third))
