"""``snapgui storage``: the images of every disk, which of them answers where, and what each snapshot costs."""

import argparse
from collections.abc import Iterable, Iterator

from snapgui.cli.commands import open_connection
from snapgui.cli.output import Console
from snapgui.cli.records import vm_record
from snapgui.hypervisor import inventory
from snapgui.model.errors import Broken, Gone, Refused
from snapgui.model.records import Vm
from snapgui.model.storage import SnapshotCost
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.block_following import Followed, follow
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.lineage import read_lineage
from snapgui.operations.outcome import binary_size
from snapgui.operations.storage import read_storage
from snapgui.operations.stored import PoolShare, Storage, StoredDisk, StoredImage
from snapgui.operations.vm_costs import VmCosts, pool_totals, read_vm_costs

DONE = 0
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def storage(options: argparse.Namespace, console: Console) -> int:
    """``snapgui storage [VM]``."""
    if options.vm is None:
        return _all_vms(options, console)
    history = History()
    try:
        with open_connection(options) as connection:
            vm_uuid, snapshot = connection.find_with_snapshot(options.vm)
            facts = read_facts(connection, vm_uuid)
            lineage = read_lineage(connection)
            cancel = console.interruption.cancel
            found = read_storage(connection, facts, lineage, history, snapshot, cancel=cancel)
    finally:
        history.close()
    record = storage_record(found)
    lines = list(storage_lines(found))
    if options.at is not None:
        target, offset = options.at
        followed = _followed(found, target, offset)
        record["followed"] = followed_record(found, target, followed)
        lines = [str(sentence) for sentence in followed.sentences]
    console.result(record, "\n".join(lines))
    return DONE


def _all_vms(options: argparse.Namespace, console: Console) -> int:
    """Sum up every VM, and every pool over all of them; a VM that cannot be read does not hide the others."""
    found: dict[Vm, VmCosts] = {}
    with open_connection(options) as connection:
        for vm in inventory.list_vms(connection):
            try:
                found[vm] = read_vm_costs(connection, vm.uuid, console.interruption.cancel)
            except Gone:
                continue
            except (Broken, Refused) as error:
                console.say(f"snapgui: {vm.name}: {error.text}")
    totals = pool_totals(found.values())
    record: dict[str, object] = {
        "vms": [
            {
                **vm_record(vm),
                "snapshots_bytes": costs.own,
                "at_least": costs.at_least,
                "pools": _pool_records(costs.pools),
            }
            for vm, costs in found.items()
        ],
        "pools": _pool_records(totals),
    }
    width = max((len(vm.name) for vm in found), default=0)
    lines = [f"{vm.name:<{width}}  {_sum_words(costs)}" for vm, costs in found.items()]
    console.result(record, "\n".join([*lines, *map(_share_words, totals)]) or "No VMs.")
    return DONE


def _sum_words(costs: VmCosts) -> str:
    images = sum(share.allocated for share in costs.pools)
    snapshots = "unknown" if costs.own is None else binary_size(costs.own)
    least = "at least " if costs.own is not None and costs.at_least else ""
    parts = [f"{binary_size(images)} on disk"]
    if costs.costs:
        parts.append(f"of which {len(costs.costs)} snapshot{'' if len(costs.costs) == 1 else 's'} {least}{snapshots}")
    return ", ".join(parts)


def place(text: str) -> tuple[str, int]:
    """Return the disk and the byte that ``vda:1G`` means; raise ValueError for what is no place."""
    target, _, number = text.rpartition(":")
    digits = number.rstrip("bkmgtiBKMGTI")
    unit = number[len(digits) :].lower().removesuffix("b").removesuffix("i")
    if not target or not digits.isdecimal() or unit not in _UNITS:
        raise ValueError(text)
    return target, int(digits) * _UNITS[unit]


def _followed(found: Storage, target: str, offset: int) -> Followed:
    disk = found.disk(target)
    if disk is None:
        raise Refused(QT_TRANSLATE_NOOP("errors", "There is no disk {target}.").format(target=target))
    if disk.problem is not None:
        raise Refused(disk.problem)
    followed = follow(disk, offset)
    if followed is None:
        text = QT_TRANSLATE_NOOP("errors", "Disk {target} ends before: it has {size} bytes.")
        raise Refused(text.format(target=target, size=disk.capacity))
    return followed


def storage_record(found: Storage) -> dict[str, object]:
    """Return the storage of a VM: a contract that users' scripts depend on. Sizes are bytes."""
    return {
        "disks": [
            {
                "target": disk.target,
                "capacity": disk.capacity,
                "chain": [_image_record(image) for image in disk.chain],
                "problem": None if disk.problem is None else str(disk.problem),
            }
            for disk in found.disks
        ],
        "snapshots": [_cost_record(cost) for cost in found.costs],
        "pools": _pool_records(found.pools),
        "guest_paused_s": round(found.paused_s, 3),
    }


def _pool_records(shares: Iterable[PoolShare]) -> list[dict[str, object]]:
    """Return what lies in each pool, None for outside of all."""
    return [
        {"pool": share.pool or None, "allocated_bytes": share.allocated, "snapshots_bytes": share.snapshots}
        for share in shares
    ]


def _image_record(image: StoredImage) -> dict[str, object]:
    return {
        "path": image.path,
        "format": image.format,
        "virtual_bytes": image.virtual_bytes,
        "allocated_bytes": image.allocated_bytes,
        "serves_bytes": image.serves_bytes,
        "backing": image.backing or None,
        "backing_format": image.backing_format or None,
        "pool": image.pool or None,
        "frozen_by": list(image.frozen_by),
        "clones": list(image.clones),
        "internal_snapshots": list(image.internal_snapshots),
    }


def _cost_record(cost: SnapshotCost) -> dict[str, object]:
    return {
        "name": cost.name,
        "own_bytes": cost.own,
        "shared_bytes": cost.shared,
        "memory_bytes": cost.memory,
        "freed_bytes": cost.freed,
    }


def followed_record(found: Storage, target: str, followed: Followed) -> dict[str, object]:
    """Return what happens at one byte: which file answers a read, and where; which takes a write."""
    disk = found.disk(target)
    chain = () if disk is None else disk.chain
    return {
        "target": target,
        "offset": followed.offset,
        "read": None if followed.reads is None else chain[followed.reads].path,
        "read_offset": followed.place,
        "write": None if followed.writes is None else chain[followed.writes].path,
        "copies": followed.copies,
        "text": [str(sentence) for sentence in followed.sentences],
    }


def storage_lines(found: Storage) -> Iterator[str]:
    """Return the storage of a VM for people."""
    for disk in found.disks:
        yield f"{disk.target} · {binary_size(disk.capacity)}"
        if disk.problem is not None:
            yield f"  ! {disk.problem}"
        for number, image in enumerate(disk.chain):
            yield from _image_lines(disk, number, image)
    if found.costs:
        yield "Snapshots"
        for cost in found.costs:
            yield f"  {cost.name}: {', '.join(_cost_words(cost))}"
        own = [cost.own for cost in found.costs if cost.own is not None]
        yield f"  together: {binary_size(sum(own))} that exist only because of one of them"
    yield from map(_share_words, found.pools)
    if found.paused_s:
        yield f"The guest stood still for {found.paused_s * 1000:.0f} ms."


def _share_words(share: PoolShare) -> str:
    where = f"In pool {share.pool}" if share.pool else "Outside of pools"
    return f"{where}: {binary_size(share.allocated)}, of which snapshots: {binary_size(share.snapshots)}"


def _image_lines(disk: StoredDisk, number: int, image: StoredImage) -> Iterator[str]:
    arrow = "  " if number == 0 else "  └ falls through to "
    parts = [image.format]
    if image.allocated_bytes is not None:
        parts.append(f"{binary_size(image.allocated_bytes)} on disk")
    if image.serves_bytes is not None and disk.capacity:
        share = image.serves_bytes / disk.capacity
        parts.append(f"serves {binary_size(image.serves_bytes)} ({share:.1%})")
    if not image.there:
        parts = ["missing"]
    if number == 0 and disk.written:
        parts.append("takes the writes")
    yield f"{arrow}{image.path}: {', '.join(part for part in parts if part)}"
    notes = [f"frozen by snapshot “{name}”" for name in image.frozen_by]
    notes += [f"base of “{name}”" for name in image.clones]
    notes += [f"inside: snapshot “{name}”" for name in image.internal_snapshots]
    for note in notes:
        yield f"      {note}"


def _cost_words(cost: SnapshotCost) -> Iterator[str]:
    least = "at least " if cost.at_least else ""
    yield "own unknown" if cost.own is None else f"own {least}{binary_size(cost.own)}"
    if cost.memory:
        yield f"of which memory {binary_size(cost.memory)}"
    if cost.shared is not None:
        yield f"shared {binary_size(cost.shared)}"
    if cost.freed is not None and cost.freed != cost.own:
        yield f"deleting frees {least}{binary_size(cost.freed)}"
