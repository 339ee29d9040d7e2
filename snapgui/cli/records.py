"""The JSON forms of records: a contract that users' scripts depend on. Sizes are bytes, times UTC."""

from datetime import UTC, datetime

from snapgui.model.lineage import Lineage
from snapgui.model.records import Snapshot, Vm
from snapgui.model.tree import SnapshotTree


def vm_record(vm: Vm) -> dict[str, object]:
    """Return a VM as ``{"name", "uuid", "state"}``."""
    return {"name": vm.name, "uuid": vm.uuid, "state": vm.state.value}


def snapshot_record(snapshot: Snapshot, *, current: bool, parent: str | None) -> dict[str, object]:
    """Return one snapshot."""
    return {
        "name": snapshot.name,
        "title": snapshot.title,
        "parent": parent,
        "created": utc(snapshot.created),
        "description": snapshot.description,
        "state": snapshot.state,
        "kind": snapshot.kind.value,
        "memory": snapshot.memory.value,
        "disks": [{"target": disk.target, "kind": disk.place.value, "source": disk.source} for disk in snapshot.disks],
        "current": current,
    }


def tree_record(vm: Vm, tree: SnapshotTree, *, changed: bool | None) -> dict[str, object]:
    """Return a VM's whole tree, oldest snapshot first."""
    return {
        "vm": vm_record(vm),
        "current": tree.current,
        "changed": changed,
        "snapshots": [snapshot_record(s, current=s.name == tree.current, parent=tree.parent(s.name)) for s in tree],
    }


def lineage_record(lineage: Lineage) -> dict[str, object]:
    """Return every image with what it is layered on and who uses it, sorted by path."""
    return {
        "images": [
            {
                "path": image.path,
                "format": image.format,
                "base": image.base,
                "used_by": [{"vm": use.vm, "target": use.target, "snapshot": use.snapshot} for use in image.used_by],
            }
            for _, image in sorted(lineage.images.items())
        ]
    }


def utc(moment: datetime) -> str:
    """Return a moment as ``2026-01-31T12:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
