"""The one table of everything a user can do: text, icon, shortcut, tip, and when it is possible and why not.

Menus, toolbar and context menus are made from it, so that they never disagree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence

from snapgui.model.records import Snapshot, Vm, VmState
from snapgui.model.tree import SnapshotTree
from snapgui.ui.assets import icon
from snapgui.ui.host import Host
from snapgui.ui.jobs import Job
from snapgui.ui.theme import Role, color
from snapgui.ui.wording import tr


@dataclass(frozen=True, slots=True)
class Situation:
    """What is selected and what is going on."""

    host: Host | None = None
    vm: Vm | None = None
    tree: SnapshotTree = field(default_factory=SnapshotTree)
    selected: tuple[Snapshot, ...] = ()
    here: bool = False
    busy: Job | None = None
    relative: bool = False
    graph: bool = True


Reason = Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the table. ``why_not`` returns an empty text where the action is possible."""

    name: str
    text: str
    icon: str
    shortcut: str
    tip: str
    why_not: Reason


def _always(_situation: Situation) -> str:
    return ""


def _needs_vm(situation: Situation) -> str:
    if situation.host is None or not situation.host.up:
        return tr("There is no connection to a hypervisor.")
    if situation.vm is None:
        return tr("Select a virtual machine first.")
    return ""


def _can_change(situation: Situation) -> str:
    if why := _needs_vm(situation):
        return why
    if situation.busy is not None:
        return tr("{vm} is busy: {job}").format(vm=situation.busy.vm_name, job=situation.busy.title)
    return ""


def _is_off(situation: Situation) -> str:
    if why := _can_change(situation):
        return why
    running = situation.vm is not None and situation.vm.state.active
    return tr("Shut the virtual machine down first.") if running else ""


def _needs_one(situation: Situation) -> str:
    if why := _can_change(situation):
        return why
    if not situation.selected:
        return _no_snapshot(situation)
    return tr("Select only one snapshot.") if len(situation.selected) > 1 else ""


def _can_clone(situation: Situation) -> str:
    """One snapshot, or the current state where none is selected."""
    if why := _can_change(situation):
        return why
    if situation.relative and not situation.selected:
        return _no_snapshot(situation)
    chosen = len(situation.selected) + (situation.here and bool(situation.selected))
    return tr("Select only one snapshot.") if chosen > 1 else ""


def _can_compare(situation: Situation) -> str:
    """Two snapshots, or one with the current state."""
    if why := _can_change(situation):
        return why
    if not situation.selected:
        return _no_snapshot(situation)
    chosen = len(situation.selected) + situation.here
    return tr("Select one snapshot or two.") if chosen > 2 else ""  # noqa: PLR2004


def compares_now(situation: Situation) -> bool:
    """Whether a comparison of what is selected looks at the current state."""
    return len(situation.selected) < 2  # noqa: PLR2004


def stands_still_words() -> str:
    """Return what is said before a running guest is looked at."""
    return tr("the guest stands still for some milliseconds")


def _needs_some(situation: Situation) -> str:
    return _can_change(situation) or ("" if situation.selected else _no_snapshot(situation))


def _no_snapshot(situation: Situation) -> str:
    return tr("What is selected is no snapshot of this VM.") if situation.relative else tr("Select a snapshot first.")


def _needs_children(situation: Situation) -> str:
    if why := _needs_some(situation):
        return why
    has = any(situation.tree.children(s.name) for s in situation.selected if s.name in situation.tree)
    return "" if has else tr("No snapshot lies below the selected one.")


def _needs_safety(situation: Situation) -> str:
    if why := _can_change(situation):
        return why
    several = sum(snapshot.safety for snapshot in situation.tree) > 1
    return "" if several else tr("There is no old safety snapshot.")


def _needs_graph(situation: Situation) -> str:
    return "" if situation.graph else tr("Only the graph can be zoomed.")


def _needs_host(situation: Situation) -> str:
    return "" if situation.host is not None else tr("Select a connection first.")


def table() -> tuple[ActionSpec, ...]:
    """Return all actions, in the user's language."""
    row = ActionSpec
    return (
        row(
            "take", tr("Take Snapshot…"), "take", "Ctrl+Shift+T", tr("Save the current state (checkpoint)"), _can_change
        ),
        row(
            "revert",
            tr("Revert to…"),
            "revert",
            "Ctrl+Shift+R",
            tr("Go back to the selected snapshot (restore, roll back, apply)"),
            _needs_one,
        ),
        row(
            "clone",
            tr("Clone…"),
            "clone",
            "Ctrl+Shift+C",
            tr("Make another VM of the selected snapshot or the current state (copy, duplicate)"),
            _can_clone,
        ),
        row(
            "compare",
            tr("Compare"),
            "compare",
            "Ctrl+D",
            tr("Show what differs between two snapshots, or one and the current state (diff)"),
            _can_compare,
        ),
        row(
            "flatten",
            tr("Make Independent…"),
            "disk",
            "",
            tr("Copy into a clone what it reads from the images below it (flatten)"),
            _can_change,
        ),
        row(
            "check",
            tr("Check Storage…"),
            "storage",
            "",
            tr("Find damage and remains among the VM's images and snapshots, and mend them (health, orphans)"),
            _needs_vm,
        ),
        row(
            "check_all",
            tr("Check Storage of All VMs…"),
            "storage",
            "",
            tr("Find damage and remains among all images and snapshots of the hypervisor (health, orphans)"),
            _needs_host,
        ),
        row(
            "clone_at_once",
            tr("Clone at Once When Dropped"),
            "clone",
            "",
            tr("A dragged snapshot or VM is cloned without a dialog; with Ctrl held it always is"),
            _always,
        ),
        row(
            "delete",
            tr("Delete…"),
            "delete",
            "Del",
            tr("Delete the selected snapshots; those below are kept"),
            _needs_some,
        ),
        row(
            "delete_children",
            tr("Delete with Children…"),
            "delete",
            "Shift+Del",
            tr("Delete the selected snapshots and all below them"),
            _needs_children,
        ),
        row(
            "undo_revert",
            tr("Undo Last Revert…"),
            "undo",
            "Ctrl+Z",
            tr("Go back to the state before the last revert"),
            _can_change,
        ),
        row(
            "prune",
            tr("Delete Old Safety Snapshots…"),
            "safety",
            "",
            tr("Delete the snapshots that were taken before reverts, but for the latest"),
            _needs_safety,
        ),
        row(
            "grace",
            tr("Wait Before Deleting"),
            "safety",
            "",
            tr("A deletion can be taken back for 10 seconds before it begins"),
            _always,
        ),
        row(
            "remove",
            tr("Remove VM…"),
            "delete",
            "",
            tr("Remove the virtual machine, with or without its disks"),
            _is_off,
        ),
        row("rename", tr("Rename…"), "rename", "F2", tr("Give the snapshot another title"), _needs_one),
        row(
            "describe", tr("Edit Description…"), "edit", "Ctrl+E", tr("Write down what the snapshot is for"), _needs_one
        ),
        row("copy_name", tr("Copy Name"), "copy", "", tr("Copy the snapshot's name for the command line"), _needs_some),
        row("details", tr("Details"), "details", "", tr("Show or hide the panel at the right"), _always),
        row("refresh", tr("Refresh"), "refresh", "F5", tr("Read everything again"), _always),
        row("find", tr("Find…"), "search", "Ctrl+F", tr("Find a snapshot or a virtual machine"), _always),
        row("zoom_in", tr("Zoom In"), "zoom-in", "Ctrl++", tr("Larger cards"), _needs_graph),
        row("zoom_out", tr("Zoom Out"), "zoom-out", "Ctrl+-", tr("Smaller cards"), _needs_graph),
        row("zoom_reset", tr("Natural Size"), "zoom-reset", "Ctrl+0", tr("Cards at their natural size"), _needs_graph),
        row("zoom_fit", tr("Fit"), "zoom-fit", "Ctrl+9", tr("Show the whole tree"), _needs_graph),
        row(
            "show_here", tr("Go to “You are here”"), "you-are-here", "Ctrl+H", tr("Select the current state"), _needs_vm
        ),
        row("collapse", tr("Collapse Branch"), "collapse", "-", tr("Hide the snapshots below"), _needs_vm),
        row("expand", tr("Expand Branch"), "expand", "+", tr("Show the snapshots below"), _needs_vm),
        row(
            "overview", tr("Overview Map"), "overview", "", tr("A small map in the corner of large trees"), _needs_graph
        ),
        row("graph", tr("Graph"), "graph", "Ctrl+1", tr("The tree as cards joined by edges"), _always),
        row("outline", tr("Outline"), "outline", "Ctrl+2", tr("The tree as a list with columns"), _always),
        row("storage", tr("Storage"), "storage", "Ctrl+3", tr("Where the blocks of the disks are"), _always),
        row("activity", tr("Activity"), "activity", "", tr("Show or hide running and finished jobs"), _always),
        row(
            "learn",
            tr("What Is Happening?"),
            "help",
            "",
            tr("While snapshots are taken, gone back to, deleted or cloned: show what becomes of the VM's own files"),
            _always,
        ),
        row(
            "add_connection",
            tr("Add Connection…"),
            "add-connection",
            "Ctrl+N",
            tr("Connect to another hypervisor"),
            _always,
        ),
        row(
            "remove_connection",
            tr("Remove Connection"),
            "remove-connection",
            "",
            tr("Take it out of the list"),
            _needs_host,
        ),
        row("reconnect", tr("Try Again Now"), "connection", "", tr("Connect again at once"), _needs_host),
        row("quit", tr("Quit"), "quit", "Ctrl+Q", tr("Close the window"), _always),
        row("about", tr("About snapgui"), "info", "", tr("Version and licence"), _always),
    )


def _lets_stand_still(situation: Situation) -> bool:
    vm = situation.vm
    return compares_now(situation) and vm is not None and vm.state in {VmState.RUNNING, VmState.BLOCKED}


PRIMARY = "take"
"""The one action whose button is filled with the accent."""
CHECKABLE = {"clone_at_once", "grace", "overview", "graph", "outline", "storage", "details", "activity", "learn"}
_VIEW_KEYS = {"collapse", "expand"}
"""Keys that the graph itself listens to: shown in menus, but no shortcuts of the window."""


class Actions(QObject):
    """One QAction per row of the table."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._specs = {spec.name: spec for spec in table()}
        self._actions = {name: self._make(spec) for name, spec in self._specs.items()}

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def all(self) -> tuple[QAction, ...]:
        """Return every action."""
        return tuple(self._actions.values())

    def why_not(self, name: str, situation: Situation) -> str:
        """Return why an action would not be possible in a situation; empty where it would."""
        return self._specs[name].why_not(situation)

    def update(self, situation: Situation) -> None:
        """Enable what is possible; what is not says why."""
        for name, spec in self._specs.items():
            why = spec.why_not(situation)
            action = self._actions[name]
            action.setEnabled(not why)
            tip = f"{spec.tip} — {why}" if why else spec.tip
            if name == "compare" and not why and _lets_stand_still(situation):
                tip = f"{tip}; {stands_still_words()}"
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            action.setToolTip(f"{tip} ({keys})" if keys and not why else tip)
            action.setStatusTip(tip)
        many = len(situation.selected)
        self._actions["delete"].setText(
            tr("Delete…") if many < 2 else tr("Delete {count} Snapshots…").format(count=many)  # noqa: PLR2004
        )

        now = bool(situation.selected) and compares_now(situation)
        self._actions["compare"].setText(tr("Compare with Current State") if now else tr("Compare"))

    def recolour(self) -> None:
        """Draw all icons in the colours of the palette that is shown now; there are none before the first time."""
        for name, spec in self._specs.items():
            self._actions[name].setIcon(icon(spec.icon, color(Role.ON_ACCENT) if name == PRIMARY else None))

    def _make(self, spec: ActionSpec) -> QAction:
        action = QAction(spec.text, self)
        action.setObjectName(spec.name)
        action.setIconText(spec.text)  # else Qt takes the ellipsis away
        action.setCheckable(spec.name in CHECKABLE)
        if spec.name == PRIMARY:
            action.setIconVisibleInMenu(False)  # it is drawn for a filled button, and would not be seen there
        if spec.shortcut and spec.name not in _VIEW_KEYS:
            keys = [QKeySequence(spec.shortcut)]
            if spec.name == "zoom_in":
                keys.append(QKeySequence("Ctrl+="))
            action.setShortcuts(keys)
        return action
