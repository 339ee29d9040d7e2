"""How the disks of a VM are stored, now or at a snapshot: for each disk its images, and which answers where."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from snapgui.model.tree import SnapshotTree
from snapgui.operations.stored import PoolShare, Storage
from snapgui.ui.compare_page import row
from snapgui.ui.disk_panel import DiskPanel
from snapgui.ui.wording import plain_label, size_words, tr

EDGE = 16


class StoragePage(QWidget):
    """``state_chosen``: the user wants to see a snapshot (by its name), or the current state (None).

    ``look_wanted``: a running guest may stand still for a moment, so that its own image can be mapped.
    """

    state_chosen = Signal(object)
    look_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.storage: Storage | None = None
        self.panels: list[DiskPanel] = []
        self.states = QComboBox(self)
        self.states.setAccessibleName(tr("State of the VM"))
        self.states.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.states.setMinimumContentsLength(24)
        self.states.activated.connect(lambda place: self.state_chosen.emit(self.states.itemData(place)))
        self.note = plain_label("", self, "muted")
        self.note.setWordWrap(True)
        self.look = QPushButton(tr("Look Now"), self)
        self.look.setToolTip(
            tr("The guest stands still for some milliseconds, in which the tables of its image are read.")
        )
        self.look.clicked.connect(self.look_wanted)
        self.totals = plain_label("", self, "muted")
        self.totals.setWordWrap(True)
        self._disks = QWidget(self)
        self._disks.setObjectName("pane")
        self._column = QVBoxLayout(self._disks)
        self._column.setContentsMargins(EDGE, 8, EDGE, EDGE)
        self._column.setSpacing(24)
        self._column.addStretch(1)
        area = QScrollArea(self)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._disks)
        head = QVBoxLayout()
        head.setContentsMargins(EDGE, 0, EDGE, 0)
        head.setSpacing(8)
        choice = row(plain_label(tr("Disks of"), self, "muted"), self.states, 1, self.look)
        head.addLayout(choice)
        head.addWidget(self.note)
        head.addWidget(self.totals)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addWidget(area, 1)

    def show_states(self, tree: SnapshotTree, chosen: str | None) -> None:
        """Offer the current state and all snapshots, newest first."""
        wanted: list[tuple[str, str | None]] = [(tr("Current state"), None)]
        wanted += [(" ".join(s.label.split()), s.name) for s in reversed(tuple(tree))]
        with QSignalBlocker(self.states):
            if [(self.states.itemText(n), self.states.itemData(n)) for n in range(self.states.count())] != wanted:
                self.states.clear()
                for label, name in wanted:
                    self.states.addItem(label, name)
            names = [name for _, name in wanted]
            self.states.setCurrentIndex(names.index(chosen) if chosen in names else 0)

    def show_storage(self, storage: Storage, vm: str, *, running: bool, at: str) -> None:
        """Show what was read; ``at``: when a running guest stood still for it."""
        self.storage = storage
        while len(self.panels) > len(storage.disks):
            panel = self.panels.pop()
            self._column.removeWidget(panel)
            panel.deleteLater()
        while len(self.panels) < len(storage.disks):
            panel = DiskPanel(self._disks)
            self._column.insertWidget(len(self.panels), panel)
            self.panels.append(panel)
        for panel, disk in zip(self.panels, storage.disks, strict=True):
            panel.show_disk(disk, vm, storage.snapshot, running=running)
        live = running and storage.snapshot is None
        unmapped = live and any(disk.blocks is None and disk.problem is None for disk in storage.disks)
        self.look.setVisible(live)
        self.note.setText(_note(storage, unmapped=unmapped, live=live, at=at))
        self.note.setVisible(bool(self.note.text()))
        self.totals.setText(" ".join(_share(share) for share in storage.pools))
        self.totals.setVisible(bool(storage.pools))


def _note(storage: Storage, *, unmapped: bool, live: bool, at: str) -> str:
    if not storage.disks:
        return tr("This state has no disk that could be looked at.")
    if unmapped:
        return tr(
            "The guest is running, and what is written to its image last is not on the disk yet: which image answers "
            "where can be seen after the guest has stood still for some milliseconds."
        )
    if live and storage.paused_s:
        text = tr("As it was at {time}; the guest stood still for {count} ms, and has been writing since.")
        return text.format(time=at, count=round(storage.paused_s * 1000))
    return ""


def _share(share: PoolShare) -> str:
    where = tr("In pool “{name}”").format(name=share.pool) if share.pool else tr("Outside of pools")
    if not share.snapshots:
        return tr("{where}: {size}.").format(where=where, size=size_words(share.allocated))
    return tr("{where}: {size}, of which snapshots {part}.").format(
        where=where, size=size_words(share.allocated), part=size_words(share.snapshots)
    )
