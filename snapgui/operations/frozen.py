"""What tells that a disk's state is still the very same: for what snapshots froze, not for what a guest writes to."""

import stat
from collections.abc import Iterable
from pathlib import Path

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import changed_at
from snapgui.images.clusters import Clusters
from snapgui.images.layers import Layer, Layers


def marks(connection: Connection, views: Iterable[Layers]) -> tuple[str, ...] | None:
    """Return one mark for each layer of some disks; None where one cannot be told.

    An internal snapshot is known by its entry in the image; it never changes until it is deleted. An image that is
    written to no more is known by when that was done last.
    """
    found = [_mark(connection, layer) for view in views for layer in (*view.layers, None)]
    return None if any(mark is None for mark in found) else tuple(mark for mark in found if mark is not None)


def _mark(connection: Connection, layer: Layer | None) -> str | None:
    if layer is None:
        return "end of a disk"
    if isinstance(layer, Clusters) and layer.entry is not None:
        return f"{layer.identity}\0{layer.entry}"
    when = _last_change(connection, layer.identity)
    return f"{layer.identity}\0{when}" if when else None


def _last_change(connection: Connection, path: str) -> str:
    if is_local(connection):
        try:
            status = Path(path).stat()
        except OSError:
            return changed_at(connection, path)
        if not stat.S_ISREG(status.st_mode):  # a block device does not tell when it was written to
            return ""
        return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return changed_at(connection, path)
