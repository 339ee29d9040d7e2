"""All branches of a new tree open, after its first paint: Qt takes a time that grows with the square of the depth."""

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QTreeView


class Unfolding(QTimer):
    """Opens all branches of a view whenever its model was reset, as soon as nothing more urgent is left to do."""

    def __init__(self, view: QTreeView) -> None:
        super().__init__(view)
        self._view = view
        self.setSingleShot(True)
        self.timeout.connect(view.expandAll)
        view.model().modelReset.connect(self.start)

    def finish(self) -> None:
        """Do it now, before a single branch is opened or closed."""
        if self.isActive():
            self.stop()
            self._view.expandAll()
