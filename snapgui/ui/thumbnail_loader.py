"""Loads the pictures of guests' screens in a worker, a few at a time, and hands them to the model."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt
from PySide6.QtGui import QImage, QPixmap

from snapgui.model.errors import SnapguiError
from snapgui.model.records import Snapshot
from snapgui.operations import thumbnails
from snapgui.ui.bridge import Bridge
from snapgui.ui.host import Host
from snapgui.ui.snapshot_model import SnapshotModel

LARGEST = QSize(640, 480)
"""Kept in memory: enough for the details panel on a screen of 200 %."""
MOST = 300
"""Pictures per VM that are loaded; the newest snapshots first."""

Key = tuple[str, tuple[str, object]]


class ThumbnailLoader(QObject):
    """Asks for each picture once."""

    def __init__(self, bridge: Bridge, model: SnapshotModel, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge, self._model = bridge, model
        self._asked: set[Key] = set()

    def forget(self) -> None:
        """Another VM is shown."""
        self._asked.clear()

    def load(self, host: Host, vm_uuid: str) -> None:
        """Load what the tree shows and nobody asked for yet."""
        newest = list(self._model.tree)[-MOST:]
        wanted = [snapshot for snapshot in newest if (vm_uuid, snapshot.key) not in self._asked]
        self._asked |= {(vm_uuid, snapshot.key) for snapshot in wanted}
        paths = [(snapshot, thumbnails.path_of(vm_uuid, snapshot)) for snapshot in wanted]
        if paths:
            self._bridge.run(
                host.lanes.read, lambda post: _read_all(paths, post), self, _nothing, _not_loaded, self._arrived
            )

    def _arrived(self, message: tuple[Snapshot, bytes]) -> None:
        snapshot, data = message
        image = QImage.fromData(data)
        if image.isNull() or self._model.tree.snapshots.get(snapshot.name, snapshot).key != snapshot.key:
            return
        if image.width() > LARGEST.width() or image.height() > LARGEST.height():
            image = image.scaled(
                LARGEST, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        self._model.set_thumbnail(snapshot.name, QPixmap.fromImage(image))


def _read_all(paths: list[tuple[Snapshot, Path]], post: Callable[[object], None]) -> None:
    for snapshot, path in paths:
        try:
            post((snapshot, path.read_bytes()))
        except OSError:
            continue


def _nothing(_value: object) -> None:
    """Every picture came by itself."""


def _not_loaded(_error: SnapguiError) -> None:
    """A card without a picture is still a card."""
