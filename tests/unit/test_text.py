"""Sentences keep their arguments as plain text, whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from snapgui.model.text import QT_TRANSLATE_NOOP, Text

SENTENCE = QT_TRANSLATE_NOOP("test", "There is no snapshot “{name}” of {vm}.")


@given(st.text(), st.text())
def test_arguments_appear_as_they_are(name: str, vm: str) -> None:
    assert str(SENTENCE.format(name=name, vm=vm)) == f"There is no snapshot “{name}” of {vm}."


def test_braces_and_markup_in_arguments_mean_nothing() -> None:
    hostile = "{vm} {0} {name.__class__} <b>%s</b>"
    assert str(SENTENCE.format(name=hostile, vm="{name}")) == f"There is no snapshot “{hostile}” of {{name}}."


def test_sentences_can_be_translated_before_they_are_filled() -> None:
    text = SENTENCE.format(name="a", vm=7)
    assert text == Text("test", SENTENCE.source, (("name", "a"), ("vm", 7)))
    assert str(Text(text.context, "{vm} hat kein „{name}“.", text.arguments)) == "7 hat kein „a“."
