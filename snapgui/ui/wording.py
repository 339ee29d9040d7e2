"""How records become words in the user's language: sentences, states, ages, sizes."""

from datetime import UTC, datetime
from html import escape

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale, Qt
from PySide6.QtWidgets import QLabel, QWidget

from snapgui.model.records import Kind, Place, Snapshot, Vm, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

MINUTE, HOUR, DAY = 60, 3600, 86400
LONGEST_NAME = 48
"""Letters of a name within a sentence on a card."""
_AGES = (
    (MINUTE, 1, QT_TRANSLATE_NOOP("age", "now"), QT_TRANSLATE_NOOP("age", "now")),
    (HOUR, MINUTE, QT_TRANSLATE_NOOP("age", "1 minute ago"), QT_TRANSLATE_NOOP("age", "{count} minutes ago")),
    (DAY, HOUR, QT_TRANSLATE_NOOP("age", "1 hour ago"), QT_TRANSLATE_NOOP("age", "{count} hours ago")),
    (60 * DAY, DAY, QT_TRANSLATE_NOOP("age", "1 day ago"), QT_TRANSLATE_NOOP("age", "{count} days ago")),
    (730 * DAY, 30 * DAY, QT_TRANSLATE_NOOP("age", "1 month ago"), QT_TRANSLATE_NOOP("age", "{count} months ago")),
    (10**12, 365 * DAY, QT_TRANSLATE_NOOP("age", "1 year ago"), QT_TRANSLATE_NOOP("age", "{count} years ago")),
)
_STATES = {
    VmState.RUNNING: QT_TRANSLATE_NOOP("state", "running"),
    VmState.BLOCKED: QT_TRANSLATE_NOOP("state", "running"),
    VmState.PAUSED: QT_TRANSLATE_NOOP("state", "paused"),
    VmState.SHUTDOWN: QT_TRANSLATE_NOOP("state", "shutting down"),
    VmState.SHUTOFF: QT_TRANSLATE_NOOP("state", "shut off"),
    VmState.CRASHED: QT_TRANSLATE_NOOP("state", "crashed"),
    VmState.SUSPENDED: QT_TRANSLATE_NOOP("state", "asleep"),
    VmState.UNKNOWN: QT_TRANSLATE_NOOP("state", "unknown"),
}
_KINDS = {
    Kind.INTERNAL: QT_TRANSLATE_NOOP("kind", "internal"),
    Kind.EXTERNAL: QT_TRANSLATE_NOOP("kind", "external"),
    Kind.MIXED: QT_TRANSLATE_NOOP("kind", "internal and external"),
}
_SAVING = QT_TRANSLATE_NOOP("state", "being saved")
_STARTING = QT_TRANSLATE_NOOP("state", "being started")


def words(text: Text) -> str:
    """Return a sentence in the user's language; what goes into it stays plain text."""
    source = QCoreApplication.translate(text.context, text.source)
    filled = {key: words(value) if isinstance(value, Text) else str(value) for key, value in text.arguments}
    return source.format(**filled)


def tr(source: str) -> str:
    """Return a text of the window itself in the user's language."""
    return QCoreApplication.translate("window", source)


def state_words(vm: Vm) -> str:
    """Return the state of a VM; a pause that the hypervisor makes is not shown as the user's."""
    if vm.state is VmState.PAUSED and vm.pause.passing:
        return words(_STARTING if vm.pause == "starting" else _SAVING)
    return words(_STATES[vm.state])


def snapshot_state_words(snapshot: Snapshot) -> str:
    """Return what the VM was doing when the snapshot was taken."""
    if snapshot.state == "disk-snapshot":
        return words(QT_TRANSLATE_NOOP("state", "disk only"))
    known = {state.value: text for state, text in _STATES.items()}
    return words(known[snapshot.state]) if snapshot.state in known else snapshot.state


def kind_words(kind: Kind) -> str:
    """Return where a snapshot lies."""
    return words(_KINDS[kind])


def memory_words(snapshot: Snapshot) -> str:
    """Return whether and where the RAM is."""
    return {
        Place.NONE: tr("not saved"),
        Place.INTERNAL: tr("saved inside the disk image"),
        Place.EXTERNAL: tr("saved in its own file"),
    }[snapshot.memory]


def badge_words(snapshot: Snapshot) -> str:
    """Return the card's one-word badge: what kind of state it holds."""
    if snapshot.memory is not Place.NONE:
        return tr("RAM")
    return tr("disk") if snapshot.state == "disk-snapshot" else tr("off")


def age_words(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was; clocks that differ never make it the future."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    below, unit, one, several = next(entry for entry in _AGES if seconds < entry[0])
    count = int(seconds // unit)
    return words(one) if below == MINUTE or count == 1 else words(several.format(count=count))


def moment_words(moment: datetime) -> str:
    """Return a moment in local time, in full."""
    local = QDateTime.fromSecsSinceEpoch(int(moment.timestamp()))
    return QLocale().toString(local, "ddd yyyy-MM-dd HH:mm:ss")


def size_words(size: int) -> str:
    """Return bytes with binary units."""
    return QLocale().formattedDataSize(size, 1 if size < 10 * 2**30 else 0)


def plain_label(text: str = "", parent: QWidget | None = None, name: str = "") -> QLabel:
    """Return a label that shows its text as it is, never as markup."""
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    label.setObjectName(name)
    return label


def plain_tip(text: str) -> str:
    """Return a tooltip. Qt guesses markup in them; escaped and sent as markup on purpose, the text shows as it is."""
    return "<span>" + escape(text).replace("\n", "<br>") + "</span>"


def elided_middle(text: str, label: QWidget, width: int) -> str:
    """Return the text on one line, shortened in its middle to fit ``width``."""
    return label.fontMetrics().elidedText(" ".join(text.split()), Qt.TextElideMode.ElideMiddle, width)


def breakable(text: str) -> str:
    """Return text in which a long word may break after slashes, dots and dashes, and at worst every 24 letters.

    The dot within a number is none of these.
    """
    pieces, run = [], 0
    for place, char in enumerate(text):
        pieces.append(char)
        run = 0 if char.isspace() else run + 1
        breaks = char in "/_-" or (char == "." and not text[max(0, place - 1) : place + 2].replace(".", "").isdigit())
        if breaks or run >= 24:  # noqa: PLR2004 - narrower than a panel or card at its narrowest
            pieces.append("\u200b")
            run = 0
    return "".join(pieces)


def short_name(name: str) -> str:
    """Return a name on one line, shortened in its middle where it is so long that it would push all else aside."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME // 2]}…{line[1 - LONGEST_NAME // 2 :]}"
