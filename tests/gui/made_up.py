"""Made-up differences, for windows that ask no hypervisor."""

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from snapgui.images.difference import Difference
from snapgui.images.disk_map import DiskMap, Part
from snapgui.images.partitions import Partition
from snapgui.model.difference import Change, ConfigChange, ConfigurationDifference
from snapgui.model.errors import Refused
from snapgui.model.records import Vm, VmState
from snapgui.model.text import Text
from snapgui.operations.block_difference import BlockDifference, Drawn
from snapgui.operations.history import History
from snapgui.ui.bridge import Bridge
from snapgui.ui.compare_look import BlockLook, ConfigurationLook
from snapgui.ui.compare_window import CompareWindow
from snapgui.ui.host import Host
from snapgui.ui.line_difference import aligned
from snapgui.ui.sides import in_order
from tests.unit.trees import snapshot

MIB, CLUSTER = 2**20, 2**16
CAPACITY = 1024 * MIB
BEFORE = "<domain>\n  <memory>2147483648</memory>\n  <devices>\n    <disk/>\n  </devices>\n</domain>"
AFTER = BEFORE.replace("2147483648", "4294967296").replace("    <disk/>", "    <disk/>\n    <disk type='file'/>")
LINUX, EFI = Text("partition", "Linux filesystem"), Text("partition", "EFI system")
PARTITIONS = (Partition(1, MIB, 127 * MIB, EFI, "<b>ESP"), Partition(2, 128 * MIB, 800 * MIB, LINUX))
EXTENTS = [(2 * MIB, CLUSTER), (600 * MIB, 30 * MIB), (700 * MIB, 2 * MIB), (900 * MIB, 20 * MIB)]
STATES = [Part.CHANGED, Part.ONLY_AFTER, Part.ONLY_BEFORE, Part.CHANGED]


def difference(extents: list[tuple[int, int]], capacity: int = CAPACITY) -> Difference:
    return Difference(capacity, CLUSTER, np.array(extents, np.int64).reshape(-1, 2))


def drawn(
    extents: list[tuple[int, int]], states: list[Part], capacity: int = CAPACITY, written: int = 500 * MIB
) -> Drawn:
    """A map of pieces of 256 KiB whose first ``written`` bytes hold something."""
    bucket = 4 * CLUSTER
    counts = np.zeros((-(-capacity // bucket), len(Part)), np.int64)
    counts[: written // bucket, Part.UNCHANGED] = bucket
    counts[written // bucket :, Part.NEVER] = bucket
    for (start, length), state in zip(extents, states, strict=True):
        for place in range(start, start + length, CLUSTER):
            row = counts[place // bucket]
            row[Part.UNCHANGED if row[Part.UNCHANGED] else Part.NEVER] -= CLUSTER
            row[state] += CLUSTER
    return Drawn(DiskMap(capacity, bucket, counts), PARTITIONS)


def block_look(**others: float) -> BlockLook:
    """Disks vda (changed) and vdb (the same)."""
    found = {"vda": difference(EXTENTS), "vdb": difference([])}
    pictures = {"vda": drawn(EXTENTS, STATES), "vdb": drawn([], [])}
    return BlockLook(BlockDifference(found, (), ("vdc",), drawn=pictures, **others))


def configuration_look() -> ConfigurationLook:
    said = ("Memory 2 GiB → 4 GiB", "Disk vdb added, 8 GiB", "Network card <b>52:54</b> " + "long " * 40 + "removed")
    memory, disk, card = (Text("configuration", sentence) for sentence in said)
    changes = (
        ConfigChange("memory", Change.CHANGED, "2147483648", "4294967296", memory),
        ConfigChange("devices/disk[vdb]", Change.ADDED, None, "<disk/>", disk),
        ConfigChange("devices/interface[52:54]", Change.REMOVED, "<interface/>", None, card),
    )
    rows = aligned(BEFORE, AFTER)
    return ConfigurationLook(ConfigurationDifference(changes, BEFORE, AFTER, BEFORE, AFTER), rows, rows)


def window(vm: str = "web01", one: str = "before-upgrade", other: str | None = None) -> CompareWindow:
    """A window whose hypervisor is not connected; whatever it shows comes from the test."""
    bridge = Bridge()
    host = Host("test:///none", bridge)
    host.error = Refused(Text("errors", "Nothing is connected."))
    older = snapshot(one)
    newer = None if other is None else replace(snapshot(other), created=older.created.replace(year=2030))
    made = CompareWindow(host, bridge, History(), in_order(Vm("0" * 36, vm, VmState.RUNNING), older, newer))
    bridge.setParent(made)
    host.setParent(made)
    return made


def show(made: CompareWindow) -> None:
    """Show the made-up results."""
    made.configuration.show_look(configuration_look())
    made.configuration_page.show_content()
    made.blocks.show_look(block_look(paused_s=0.021))
    made.blocks_page.show_content()


def front(window: CompareWindow, bot: QtBot) -> CompareWindow:
    """Show a window, and wait until the keys go to it."""
    window.show()
    window.activateWindow()
    bot.waitUntil(window.isActiveWindow)
    return window


def close(windows: list[CompareWindow]) -> None:
    """Close windows, and have Qt forget them at once."""
    for window in windows:
        window.close()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
