"""The list at the left: connections, and below them their VMs with live state."""

from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QFontMetricsF, QGuiApplication, QIcon, QPainter, QPalette
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from snapgui.model.records import Vm, VmState
from snapgui.ui.assets import icon, pixmap
from snapgui.ui.host import Host, Link
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import state_words, tr

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
STATE_ICON = 18
_LOOKS = {
    VmState.RUNNING: ("vm-running", Role.GOOD),
    VmState.BLOCKED: ("vm-running", Role.GOOD),
    VmState.PAUSED: ("vm-paused", Role.WAIT),
    VmState.SUSPENDED: ("vm-paused", Role.WAIT),
    VmState.SHUTDOWN: ("vm-off", Role.WAIT),
    VmState.SHUTOFF: ("vm-off", Role.MUTED),
    VmState.CRASHED: ("vm-crashed", Role.LOSS),
    VmState.UNKNOWN: ("vm-unknown", Role.MUTED),
}


@dataclass(slots=True)
class _Row:
    number: int
    host: Host
    vm: Vm | None
    parent: int


class VmListModel(QAbstractItemModel):
    """Two levels: connections, VMs. Spliced by UUID, so that the selection stays."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hosts: list[Host] = []
        self._rows: dict[Host, list[_Row]] = {}
        self._heads: dict[Host, _Row] = {}
        self._by_number: dict[int, _Row] = {}
        self._next = 0

    def add_host(self, host: Host) -> None:
        """Show another connection."""
        place = len(self._hosts)
        self.beginInsertRows(ROOT, place, place)
        self._hosts.append(host)
        self._heads[host] = self._row(host, None, 0)
        self._rows[host] = []
        self.endInsertRows()
        host.changed.connect(self.refresh)
        self.refresh(host)

    def remove_host(self, host: Host) -> None:
        """Show a connection no longer."""
        host.changed.disconnect(self.refresh)
        place = self._hosts.index(host)
        self.beginRemoveRows(ROOT, place, place)
        self._hosts.pop(place)
        for row in (self._heads.pop(host), *self._rows.pop(host)):
            del self._by_number[row.number]
        self.endRemoveRows()

    def refresh(self, host: Host) -> None:
        """Take over what the connection says now."""
        head = self._index(self._heads[host])
        rows = self._rows[host]
        wanted = {vm.uuid: vm for vm in host.vms}
        for place in reversed(range(len(rows))):
            if (vm := rows[place].vm) is not None and vm.uuid not in wanted:
                self.beginRemoveRows(head, place, place)
                del self._by_number[rows.pop(place).number]
                self.endRemoveRows()
        for place, vm in enumerate(host.vms):
            self._splice(host, head, place, vm)
        self.dataChanged.emit(head, head)

    def _splice(self, host: Host, head: QModelIndex, place: int, vm: Vm) -> None:
        rows = self._rows[host]
        found = next((number for number, row in enumerate(rows) if row.vm is not None and row.vm.uuid == vm.uuid), None)
        if found is None:
            self.beginInsertRows(head, place, place)
            rows.insert(place, self._row(host, vm, self._heads[host].number))
            self.endInsertRows()
            return
        if found != place:
            self.beginMoveRows(head, found, found, head, place)
            rows.insert(place, rows.pop(found))
            self.endMoveRows()
        if rows[place].vm != vm:
            rows[place].vm = vm
            index = self._index(rows[place])
            self.dataChanged.emit(index, index)

    def host_of(self, index: AnyIndex) -> Host | None:
        """Return the connection that a row belongs to."""
        return self._by_number[index.internalId()].host if index.isValid() else None

    def vm_of(self, index: AnyIndex) -> Vm | None:
        """Return the VM of a row; None for a connection's heading."""
        return self._by_number[index.internalId()].vm if index.isValid() else None

    def find(self, host: Host, vm_uuid: str) -> QModelIndex:
        """Return the row of a VM."""
        rows = self._rows.get(host, [])
        row = next((row for row in rows if row.vm is not None and row.vm.uuid == vm_uuid), None)
        return QModelIndex() if row is None else self._index(row)

    @property
    def hosts(self) -> list[Host]:
        """The connections, in the order in which they are shown."""
        return list(self._hosts)

    def _row(self, host: Host, vm: Vm | None, parent: int) -> _Row:
        self._next += 1
        row = self._by_number[self._next] = _Row(self._next, host, vm, parent)
        return row

    def _index(self, row: _Row) -> QModelIndex:
        place = self._hosts.index(row.host) if row.vm is None else self._rows[row.host].index(row)
        return self.createIndex(place, 0, row.number)

    def index(self, row: int, column: int, parent: AnyIndex = ROOT) -> QModelIndex:
        if column != 0 or row < 0:
            return QModelIndex()
        if not parent.isValid():
            return self._index(self._heads[self._hosts[row]]) if row < len(self._hosts) else QModelIndex()
        rows = self._rows[self._by_number[parent.internalId()].host]
        return self.createIndex(row, 0, rows[row].number) if row < len(rows) else QModelIndex()

    def parent(self, index: AnyIndex = ROOT) -> QModelIndex:  # type: ignore[override]
        row = self._by_number[index.internalId()] if index.isValid() else None
        return QModelIndex() if row is None or not row.parent else self._index(self._heads[row.host])

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        if not parent.isValid():
            return len(self._hosts)
        row = self._by_number[parent.internalId()]
        return len(self._rows[row.host]) if row.vm is None else 0

    def columnCount(self, _parent: AnyIndex = ROOT) -> int:
        return 1

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return plain if self.vm_of(index) is None else plain | Qt.ItemFlag.ItemIsDragEnabled

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        host, vm = self.host_of(index), self.vm_of(index)
        if host is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return host_title(host) if vm is None else " ".join(vm.name.split())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{host_title(host)}, {link_words(host)}" if vm is None else f"{vm.name}, {vm_words(host, vm)}"
        if role == Qt.ItemDataRole.DecorationRole and vm is not None:
            return vm_icon(vm)
        return None


class VmList(QTreeView):
    """``chosen`` carries (host, UUID) when another VM is selected, ``gone`` that the selected one is no more.

    ``drag_wanted``: the pointer pulls at the current row.
    """

    chosen = Signal(object, str)
    gone = Signal()
    drag_wanted = Signal()

    def __init__(self, model: VmListModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._vms = model
        self.setObjectName("vms")
        self.setAccessibleName(self.tr("Virtual machines"))
        model.rowsAboutToBeRemoved.connect(self._on_removal)  # before Qt's own, which comes with the model
        self.setModel(model)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setItemDelegate(_VmPainter(model, self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragEnabled(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        model.rowsInserted.connect(lambda parent, _first, _last: self.expand(parent) if parent.isValid() else None)
        self.selectionModel().currentChanged.connect(self._on_current)

    def choose(self, host: Host, vm_uuid: str) -> None:
        """Select a VM."""
        index = self._vms.find(host, vm_uuid)
        if index.isValid():
            self.setCurrentIndex(index)

    def _on_current(self, index: QModelIndex, _before: QModelIndex) -> None:
        host, vm = self._vms.host_of(index), self._vms.vm_of(index)
        if host is not None:
            self.chosen.emit(host, "" if vm is None else vm.uuid)

    def _on_removal(self, parent: QModelIndex, first: int, last: int) -> None:
        """Qt would select a neighbour: the next key would go to a VM that nobody chose."""
        current = self.currentIndex()
        if current.isValid() and current.parent() == parent and first <= current.row() <= last and parent.isValid():
            self.selectionModel().clear()
            self.gone.emit()

    def startDrag(self, _actions: Qt.DropAction) -> None:
        self.drag_wanted.emit()

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().averageCharWidth() * 32, 400)


class _VmPainter(QStyledItemDelegate):
    """Two lines per VM: name; state and number of snapshots."""

    def __init__(self, model: VmListModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        lines = 2 if self._model.vm_of(index) is not None else 1.9
        return QSize(80, round(option.fontMetrics.height() * lines) + 12)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        host, vm = self._model.host_of(index), self._model.vm_of(index)
        if host is None:
            return
        rect = QRectF(option.rect).adjusted(6, 0, -6, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color(Role.ACCENT_SOFT))
            painter.drawRoundedRect(rect, 6, 6)
        if vm is None:
            _lines(painter, rect.adjusted(8, 6, -8, 0), host_title(host), link_words(host), strong=True, muted=host.up)
        else:
            name, role = _LOOKS[vm.state]
            mark = pixmap(name, STATE_ICON, color(role), painter.device().devicePixelRatioF())
            painter.drawPixmap(QPointF(rect.x() + 8, rect.center().y() - STATE_ICON / 2), mark)
            strong = bool(option.state & QStyle.StateFlag.State_Selected)
            _lines(painter, rect.adjusted(34, 6, -8, -6), vm.name, vm_words(host, vm), strong=strong)
        painter.restore()


def _lines(painter: QPainter, rect: QRectF, first: str, second: str, *, strong: bool, muted: bool = False) -> None:
    font = QFont(painter.font())
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * 0.87)
    font.setBold(strong)
    height = QFontMetricsF(font).height()
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextSingleLine)
    elide = Qt.TextElideMode.ElideRight if muted else Qt.TextElideMode.ElideMiddle
    for text, used, tint, top in (
        (first, font, color(Role.MUTED) if muted else QGuiApplication.palette().color(QPalette.ColorRole.Text), 0.0),
        (second, small, color(Role.MUTED), height + 1),
    ):
        painter.setFont(used)
        painter.setPen(tint)
        line = rect.adjusted(0, top, 0, 0)
        shown = QFontMetricsF(used).elidedText(" ".join(text.split()), elide, line.width())
        painter.drawText(line, flags, shown)


def host_title(host: Host) -> str:
    """Return what a connection is called: its kind and where it is."""
    uri = host.uri or host.asked_uri or ""
    scheme, _, rest = uri.partition("://")
    driver = host.capabilities.driver if host.up else (scheme.split("+")[0].upper() or "libvirt")
    kind = {"QEMU": "QEMU/KVM", "TEST": tr("Test driver")}.get(driver.upper(), driver)
    where = rest.split("/")[0].rpartition("@")[2]
    if where:
        return f"{where} ({scheme.partition('+')[2] or kind})"
    session = tr("this user") if rest.startswith("/session") else tr("this computer")
    return tr("{kind} on {where}").format(kind=kind, where=tr("the demo") if rest.startswith("/embed") else session)


def link_words(host: Host) -> str:
    """Return how a connection stands."""
    if host.link is Link.UP:
        return (
            tr("no VMs")
            if not host.vms
            else tr("1 VM")
            if len(host.vms) == 1
            else tr("{n} VMs").format(n=len(host.vms))
        )
    return {
        Link.CONNECTING: tr("connecting…"),
        Link.LOST: tr("connection lost, trying again…"),
        Link.FAILED: tr("not connected"),
    }[host.link]


def vm_words(host: Host, vm: Vm) -> str:
    """Return a VM's second line."""
    count = tr("1 snapshot") if vm.snapshots == 1 else tr("{count} snapshots").format(count=vm.snapshots)
    state = tr("state unknown") if not host.up else state_words(vm)
    return f"{state} · {count}"


def vm_icon(vm: Vm) -> QIcon:
    """Return the icon of a VM's state."""
    name, role = vm_look(vm)
    return icon(name, color(role))


def vm_look(vm: Vm) -> tuple[str, Role]:
    """Return the name of the icon of a VM's state, and its colour's."""
    return _LOOKS[vm.state]
