"""The rarer choices before a clone: where its images go, and how it begins. Nothing of it is needed for most."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QWidget

from snapgui.ui.wording import elided_middle, plain_label, plain_tip, tr

SHORTEST, LONGEST = 24, 50
"""Letters of a pool that are shown at least, and of a directory at most; both may be of any length."""


class CloneOptions(QWidget):
    """``changed`` whenever the user chooses something; pools are (name, directory)."""

    changed = Signal()

    def __init__(self, pools: tuple[tuple[str, str], ...], *, elsewhere: bool, parent: QWidget) -> None:
        super().__init__(parent)
        form = self._form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(16)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.pools = QComboBox(self)
        self.pools.setAccessibleName(tr("Images go"))
        self.pools.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.pools.setMinimumContentsLength(SHORTEST)
        beside = (
            tr("into the directory that they have at the source") if elsewhere else tr("beside the source's images")
        )
        self.pools.addItem(beside, "")
        for name, directory in pools:
            self.pools.addItem(_one_line(tr("into the pool {name}: {path}").format(name=name, path=directory)), name)
        self.start = QCheckBox(tr("&Start the clone at once"), self)
        self.disconnected = QCheckBox(tr("&Without network: all its cables are unplugged"), self)
        self.with_snapshots = QCheckBox(tr("Carry the s&napshots along"), self)
        self._place = plain_label("", self, "muted")
        form.addRow(tr("&Images go"), self.pools)
        form.addRow("", self._place)
        for box in (self.start, self.disconnected, self.with_snapshots):
            box.toggled.connect(self.changed)
            form.addRow("", box)
        self.pools.currentIndexChanged.connect(self.changed)

    @property
    def label_width(self) -> int:
        """How wide the column of labels is, in pixels."""
        label = self._form.labelForField(self.pools)
        return 0 if label is None else label.sizeHint().width()

    @property
    def pool(self) -> str:
        """The name of the chosen pool; empty for none."""
        return str(self.pools.currentData())

    def show_place(self, text: str) -> None:
        """Say where the images will lie."""
        self._place.setText(elided_middle(text, self._place, self.fontMetrics().averageCharWidth() * LONGEST))
        self._place.setAccessibleName(text)
        self._place.setToolTip(plain_tip(text))

    def follow(self, *, full: bool, snapshots: bool) -> None:
        """Only a full clone can have the snapshots of its source, where there are any."""
        why = "" if full else tr("Only a full clone can have the snapshots of its source.")
        why = why or ("" if snapshots else tr("The source has no snapshots."))
        self.with_snapshots.setEnabled(not why)
        self.with_snapshots.setToolTip(why)
        self.with_snapshots.setAccessibleDescription(why)


def _one_line(text: str) -> str:
    return " ".join(text.split())
