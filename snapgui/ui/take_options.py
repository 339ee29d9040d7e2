"""The rarer choices before a snapshot: kind, memory, quiescing, single disks. Everything begins as automatic."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget

from snapgui.model.records import KindWish, MemoryWish, Place
from snapgui.operations.facts import Facts
from snapgui.ui.wording import tr

AUTO = ""
MOST_DISKS = 8


class TakeOptions(QWidget):
    """``changed`` whenever the user chooses something."""

    changed = Signal()

    def __init__(self, facts: Facts, parent: QWidget) -> None:
        super().__init__(parent)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(16)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.kind = self._choice(
            tr("&Kind"),
            (KindWish.AUTO, tr("Automatic")),
            (KindWish.INTERNAL, tr("Internal, inside the image files")),
            (KindWish.EXTERNAL, tr("External, in files of its own")),
        )
        self.memory = self._choice(
            tr("&Memory"),
            (MemoryWish.AUTO, tr("Automatic")),
            (MemoryWish.LIVE, tr("Saved while the guest runs on")),
            (MemoryWish.PAUSED, tr("Saved while the guest stands still")),
            (MemoryWish.NONE, tr("Left out")),
        )
        self.quiesce = QCheckBox(tr("Have the guest agent &flush the file systems first"), self)
        self.follow(facts)
        self.quiesce.toggled.connect(self.changed)
        self._form.addRow(self.quiesce)
        writable = [disk.target for disk in facts.machine.disks if disk.writable]
        self._disks = {target: self._disk(target) for target in writable[:MOST_DISKS]} if len(writable) > 1 else {}

    def follow(self, facts: Facts) -> None:
        """Allow what a VM in this state can have."""
        self.memory.setEnabled(facts.vm.state.active)
        self.quiesce.setEnabled(facts.vm.state.active)

    def leave_out(self, target: str) -> None:
        """Leave a disk out, and the memory with it: later they would not fit together."""
        if target not in self._disks:  # of many disks, only the first are offered
            self._disks[target] = self._disk(target)
        self._disks[target].setCurrentIndex(self._disks[target].findData(str(Place.NONE)))
        self.kind.setCurrentIndex(self.kind.findData(str(KindWish.EXTERNAL)))
        if self.memory.isEnabled():
            self.memory.setCurrentIndex(self.memory.findData(str(MemoryWish.NONE)))

    def wishes(self) -> tuple[KindWish, MemoryWish, tuple[tuple[str, Place], ...], bool]:
        """Return what was chosen, in the order in which a request takes it."""
        chosen = ((target, str(box.currentData())) for target, box in self._disks.items())
        disks = tuple((target, Place(place)) for target, place in chosen if place != AUTO)
        kind, memory = KindWish(self.kind.currentData()), MemoryWish(self.memory.currentData())
        return kind, memory, disks, self.quiesce.isChecked()

    def _disk(self, target: str) -> QComboBox:
        return self._choice(
            tr("Disk {target}").format(target=target),
            (AUTO, tr("Automatic")),
            (Place.EXTERNAL, tr("External")),
            (Place.NONE, tr("Left out")),
        )

    def _choice(self, label: str, *choices: tuple[str, str]) -> QComboBox:
        box = QComboBox(self)
        for value, text in choices:
            box.addItem(text, str(value))
        box.setAccessibleName(label.replace("&", ""))
        box.currentIndexChanged.connect(self.changed)
        self._form.addRow(label, box)
        return box
