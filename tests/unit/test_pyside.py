"""The binding that we depend on keeps its reference counts (docs/decisions/0003-pyside.md)."""

import sys

from PySide6.QtCore import QObject, Signal


class Sender(QObject):
    reported = Signal(object)
    asked = Signal(bool)


def test_emitting_loses_no_reference_to_true() -> None:
    sender = Sender()
    heard: list[object] = []
    sender.reported.connect(heard.append)
    sender.asked.connect(lambda _: None)
    before = sys.getrefcount(True)
    for number in range(100):
        sender.reported.emit(number)
        sender.asked.emit(True)
    assert len(heard) == 100
    assert sys.getrefcount(True) > before - 10
