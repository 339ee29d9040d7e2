"""The stage of the tour that asks what the broken upgrade did: which files, what in them, and gets an old one back."""

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QLineEdit

from snapgui.demo.cloning import Cloning
from snapgui.demo.errors import GuestError
from snapgui.ui.compare_page import ComparePage
from snapgui.ui.compare_window import CompareWindow

BEFORE, AFTER = "fresh install", "broken upgrade"
PLACE, CHANGED, REMOVED = "vda", "/app/version", "/app/data"
LIST = "List"
"""The button for files without folders."""


class Comparing(Cloning):
    """Between the snapshots “fresh install” and “broken upgrade”, which there have to be."""

    def compare_upgrade(self) -> None:
        """Select both cards, compare them, look at a file that was changed, and save what it was before."""
        self._pilot.click_node(BEFORE)
        self._pilot.click_node(AFTER, Qt.KeyboardModifier.ControlModifier)
        self._pilot.trigger("compare")
        windows = self._window.compare_wishes.windows
        self._pilot.wait("the comparison", lambda: bool(windows))
        window = self._pilot.do(lambda: windows[-1])
        self._pilot.do(lambda: window.tabs.setCurrentWidget(window.files_page))
        page = window.files_page.files
        self._pilot.wait("the files", lambda: window.files_page.settled and not page.going)
        self._pilot.press(window, LIST)
        self._pilot.wait("the changed file", lambda: self._index(window, CHANGED).isValid())
        removed = self._pilot.do(lambda: len([path for path in self._paths(window) if path.startswith(REMOVED)]))
        self.check(f"the upgrade removed {removed} files below {REMOVED} and changed {CHANGED}", removed > 1)
        self._pilot.do(lambda: page.view.setCurrentIndex(self._index(window, CHANGED)))
        texts = page.details.content.text
        self._pilot.wait("the text of both sides", texts.isVisible)
        said = self._pilot.do(lambda: (texts.before.toPlainText(), texts.after.toPlainText()))
        self.check(f"what changed in it is shown: {said[0]} → {said[1]}", "1.0" in said[0] and "broken" in said[1])
        self._pilot.picture_of(window, "compare-files")
        self._get_back(window)
        self._show(window, window.blocks_page, "compare-blocks")
        self._show(window, window.configuration_page, "compare-configuration")
        self._pilot.do(window.close)

    def _show(self, window: CompareWindow, page: ComparePage, picture: str) -> None:
        self._pilot.do(lambda: window.tabs.setCurrentWidget(page))
        self._pilot.wait("its result", lambda: page.settled)
        self._pilot.picture_of(window, picture)

    def _get_back(self, window: CompareWindow) -> None:
        saver, target = window.files_page.saver, self._machine.disk.parent / "version.old"
        self._pilot.press(window, "Save a Copy from Before…")
        self._pilot.wait("a dialog", lambda: saver.dialog is not None)
        self._pilot.do(lambda: self._agree_to_save(window, target))
        self._pilot.wait("the end of saving", lambda: saver.said.text().startswith("Saved"))
        found = target.read_text(encoding="utf-8").strip()
        target.unlink()
        self.check(f"the old file is got back: {found}", found == "1.0")

    def _agree_to_save(self, window: CompareWindow, target: Path) -> None:
        dialog = window.files_page.saver.dialog
        if dialog is None:
            raise GuestError("The dialog went away.")
        name = dialog.findChild(QLineEdit)
        if name is None:
            raise GuestError("The dialog has no place for a name.")
        name.setText(str(target))  # as it is typed: hidden directories cannot be chosen
        dialog.accept()

    def _paths(self, window: CompareWindow) -> list[str]:
        model = window.files_page.files.model
        return [model.path_of(model.index(row, 0)) for row in range(model.rowCount())]

    def _index(self, window: CompareWindow, path: str) -> QModelIndex:
        model = window.files_page.files.model
        rows = (model.index(row, 0) for row in range(model.rowCount()))
        return next((index for index in rows if model.path_of(index) == path), QModelIndex())
