"""The window is on the screen before its content is loaded."""

from PySide6.QtCore import QByteArray
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from snapgui.ui.application import SIZE, Frame


class Stubborn(QLabel):
    """Content that has work to do before it may be closed."""

    busy = True

    def closeEvent(self, event: QCloseEvent) -> None:
        event.setAccepted(not self.busy)


def test_it_says_once_that_it_was_painted(qtbot: QtBot) -> None:
    frame = Frame(QByteArray())
    qtbot.addWidget(frame)
    painted: list[bool] = []
    frame.on_the_screen.connect(lambda: painted.append(True))
    frame.show()
    qtbot.waitUntil(lambda: bool(painted))
    frame.repaint()
    assert (painted, (frame.width(), frame.height())) == ([True], SIZE)


def test_it_closes_when_its_content_may(qtbot: QtBot) -> None:
    frame, content = Frame(QByteArray()), Stubborn("content")
    qtbot.addWidget(frame)
    frame.show()
    frame.take_in(content)
    qtbot.waitUntil(content.isVisible)
    assert content.size() == frame.size()
    assert not frame.close()
    assert frame.isVisible()
    content.busy = False
    assert frame.close()


def test_it_can_be_closed_before_there_is_any(qtbot: QtBot) -> None:
    frame = Frame(QByteArray())
    qtbot.addWidget(frame)
    frame.show()
    assert frame.close()
