"""Is all as it should be? Damage and remains in the storage of a hypervisor's VMs, and how to mend them.

Looking changes nothing. Everything that is told follows from what was seen at one moment (``health_evidence``).
"""

from collections.abc import Iterator
from dataclasses import replace

from snapgui.hypervisor import strays
from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.model.health import Ail, Ailment
from snapgui.model.plan import Severity
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.health_evidence import Evidence
from snapgui.operations.health_images import image_ailments
from snapgui.operations.health_layers import layer_ailments
from snapgui.operations.health_orphans import orphan_ailments
from snapgui.operations.health_reading import read_evidence
from snapgui.operations.health_scene import Scene
from snapgui.operations.health_snapshots import snapshot_ailments
from snapgui.operations.history import History

_ORPHANS = {Ail.ORPHAN_OVERLAY, Ail.ORPHAN_MEMORY, Ail.ORPHAN_IMAGE}
_ORDER = (Severity.BLOCKER, Severity.WARNING, Severity.NOTE)


def examine_host(
    connection: Connection, vm_uuid: str | None = None, history: History | None = None, held: str = ""
) -> tuple[Ailment, ...]:
    """Return what is wrong on a hypervisor, or with one VM of it, worst first.

    All VMs are read in any case, and one that cannot be is told of: any of them may use a file. ``held`` is the UUID of
    a VM that the caller is changing; ``history`` knows what other jobs are making just now.
    """
    if connection.uri.startswith("test:"):  # its VMs have no images, and their paths mean nothing
        return ()
    found = examine(read_evidence(connection, history, held))
    wanted = (one for one in found if vm_uuid in {None, one.vm_uuid} or one.code is Ail.VM_UNREADABLE)
    return tuple(_measured(connection, one) for one in wanted)


def examine(evidence: Evidence) -> tuple[Ailment, ...]:
    """Return what is wrong by what was seen, worst first."""
    scene = Scene(evidence)
    found = list(_of_vms(scene))
    adoptable = {
        one.adoption.memory_file: one.adoption for one in found if one.adoption is not None and one.adoption.memory_file
    }
    found += orphan_ailments(scene, adoptable)
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.severity), one.vm.casefold(), one.code, one.path)))


def _of_vms(scene: Scene) -> Iterator[Ailment]:
    for vm in scene.evidence.vms:
        yield from image_ailments(scene, vm)
        yield from snapshot_ailments(scene, vm)
        yield from layer_ailments(scene, vm)
    for name in scene.evidence.unread:
        text = QT_TRANSLATE_NOOP(
            "health", "{vm} does not answer just now, so nobody can say what it uses. Look again later."
        )
        yield Ailment(Ail.VM_UNREADABLE, Severity.WARNING, text.format(vm=name), vm=name)


def _measured(connection: Connection, ailment: Ailment) -> Ailment:
    """Say how much room removing gives back, and when the file was made, as far as that can be known."""
    if ailment.code not in _ORPHANS:
        return ailment
    try:
        size = strays.size(connection, ailment.path)
    except SnapguiError:
        size = None
    return replace(ailment, bytes=size, born=strays.born(connection, ailment.path))
