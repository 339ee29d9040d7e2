"""A question that waits until the VM is not busy any more."""

import threading

import pytest

from snapgui.model.errors import Busy
from snapgui.model.text import Text
from snapgui.ui.patience import patiently

BUSY = Busy(Text("errors", "Another snapgui is changing this VM right now."))


def test_it_is_asked_again() -> None:
    answers = iter([BUSY, BUSY, "answer"])

    def question() -> str:
        answer = next(answers)
        if isinstance(answer, Busy):
            raise answer
        return answer

    assert patiently(question, threading.Event()) == "answer"


def test_nobody_waits_any_more() -> None:
    cancel, asked = threading.Event(), []

    def question() -> str:
        asked.append(0)
        cancel.set()
        raise BUSY

    with pytest.raises(Busy):
        patiently(question, cancel)
    assert len(asked) == 1
