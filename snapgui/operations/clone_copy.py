"""Make the images of a clone: every road that a plan may take (``Road``), each leaving nothing behind when it fails."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from snapgui.hypervisor import backup, files, inventory, pools, snapshots, statistics
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.stamps import Stamps, stamps
from snapgui.images.convert import convert
from snapgui.images.layers import Layers
from snapgui.images.overlay import create_overlay
from snapgui.images.qcow2 import ImageError
from snapgui.images.writer import Sink, most_bytes, write_image
from snapgui.model.errors import Broken, Cancelled, Refused, SnapguiError
from snapgui.model.plan import Operation, Road, Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import ImageCopy, Place
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.clone_checks import CANCELLED, as_broken, intend, refuse_running
from snapgui.operations.clone_tree import copy_files
from snapgui.operations.facts import read_facts
from snapgui.operations.image_access import layers_of, new_file
from snapgui.operations.task import Task

LOOK_S = 0.2
_LONGEST_WAIT_S = 10


def copy(step: Step, task: Task) -> None:
    """Make the images; what was made is known to the task, so that it can be taken back."""
    _refuse_replaced(step, task)
    _ROADS[step.road](step, task)


def _refuse_replaced(step: Step, task: Task) -> None:
    if step.created is not None:
        now = snapshots.read_one(task.connection, task.vm_uuid, step.snapshot)
        if now.created != step.created:
            text = QT_TRANSLATE_NOOP("errors", "“{name}” was replaced by another snapshot; it was not cloned.")
            raise Refused(text.format(name=step.snapshot))


def roll_back(task: Task) -> None:
    """Remove what a clone that did not come about has made, and in any case what was only needed on the way.

    What could not be removed stays in the task's lists. A VM that did not get its snapshots is none, either.
    """
    if task.plan.operation is not Operation.CLONE:
        return
    if task.defined and task.plan.steps[task.position - 1].verb is Verb.CARRY:
        with contextlib.suppress(SnapguiError):
            inventory.undefine(task.target, task.defined)
            task.defined = ""
    _remove(task.connection, task.scratch)
    if not task.defined:
        _remove(task.target, task.made)


def _remove(connection: Connection, paths: list[str]) -> None:
    paths[:] = [path for path in paths if not _taken_back(connection, path)]


def _taken_back(connection: Connection, path: str) -> bool:
    with contextlib.suppress(SnapguiError):
        return files.remove(connection, path)
    return False


# the roads


def _layer(step: Step, task: Task) -> None:
    task.report_phase(step, Phase.COPY)
    frozen = _frozen_now(task)
    for image in step.copies:
        intend(task, image.file)
        base = frozen.get(image.target, image.source)
        if pools.has_storage(task.connection):
            pools.layer(task.connection, image.file, base, image.format)
        else:
            with as_broken(image.target):
                create_overlay(image.file, base, image.format)
        task.made.append(image.file)


def _frozen_now(task: Task) -> dict[str, str]:
    """Where the plan froze the current state itself, the images are those that its snapshot names."""
    if task.taken is None:
        return {}
    return {disk.target: disk.source for disk in task.taken.disks if disk.place is Place.EXTERNAL}


def _pool(step: Step, task: Task) -> None:
    """The hypervisor copies by itself: it says nothing meanwhile, but the new file grows."""
    for number, image in enumerate(step.copies):
        refuse_running(step, task)
        intend(task, image.file)
        total = statistics.allocated(task.connection, _chain(task, image))
        with _watched(step, task, image, number, total):
            pools.copy(task.connection, image.file, image.source)
        task.made.append(image.file)


def _chain(task: Task, image: ImageCopy) -> tuple[str, ...]:
    return dict(task.facts.chains).get(image.source, (image.source,))


@contextlib.contextmanager
def _watched(step: Step, task: Task, image: ImageCopy, number: int, total: int | None) -> Iterator[None]:
    """Report the growth of a new file from a thread and a connection of its own."""
    over = threading.Event()

    def watch() -> None:
        with contextlib.suppress(SnapguiError), task.connection.apart() as own:
            while not over.wait(LOOK_S):
                done = statistics.allocated(own, (image.file,))
                share = min(0.99, done / total) if done is not None and total else None
                whole = None if share is None else (number + share) / len(step.copies)
                task.report_share(step, whole, image.target, done, total)

    watcher = threading.Thread(target=watch, name="growth", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _local(step: Step, task: Task) -> None:
    for number, image in enumerate(step.copies):
        if not image.inside:
            refuse_running(step, task)
        intend(task, image.file)
        total = statistics.allocated(task.connection, _chain(task, image))

        def report(share: float, number: int = number, target: str = image.target, total: int | None = total) -> None:
            done = None if total is None else round(share * total)
            task.report_share(step, (number + share) / len(step.copies), target, done, total)

        report(0.0)
        paths = _chain(task, image)
        before = stamps(task.connection, paths)
        with as_broken(image.target):
            convert(image.source, image.format, image.file, report, task.cancel, image.inside)
        task.made.append(image.file)
        _refuse_changed(step, task, image, paths, before)


def _refuse_changed(step: Step, task: Task, image: ImageCopy, paths: tuple[str, ...], before: Stamps) -> None:
    """A copy of what was written to meanwhile is of no moment at all: others may start the VM at any time."""
    if image.inside:
        _refuse_replaced(step, task)
        return
    if not image.scratch:
        refuse_running(step, task)
    with as_broken(image.target):
        if stamps(task.connection, paths) != before:
            raise ImageError("the image was changed while it was read")


def _stream(step: Step, task: Task) -> None:
    """Read the disk through whatever road there is, and write it anew, here or on another hypervisor."""
    for number, image in enumerate(step.copies):
        if not image.inside and not image.scratch:
            refuse_running(step, task)
        intend(task, image.file)
        source, kind = (image.scratch, "qcow2") if image.scratch else (image.source, image.format)

        def report(done: int, total: int, number: int = number, target: str = image.target) -> None:
            share = done / total if total else 1.0
            task.report_share(step, (number + share) / len(step.copies), target, done, total)

        with as_broken(image.target), layers_of(task.connection, source, kind, image.inside) as layers:
            paths = tuple(layer.identity for layer in layers.layers)
            before = stamps(task.connection, paths)
            with new_file(task.target, image.file, most_bytes(layers)) as sink:
                _write(layers, sink, report, task)
            task.made.append(image.file)
            _refuse_changed(step, task, image, paths, before)
    _remove(task.connection, task.scratch)


def _write(layers: Layers, sink: Sink, report: Callable[[int, int], None], task: Task) -> None:
    write_image(layers, sink, report, task.cancel)
    if not layers.unchanged():
        raise ImageError("the image was changed while it was read")


def _backup(step: Step, task: Task) -> None:
    """The hypervisor copies the running VM's disks as they are at this moment."""
    wanted = {image.target: image.file for image in step.copies}
    machine = read_facts(task.connection, task.vm_uuid).machine
    elsewhere = task.elsewhere is not None
    for path in wanted.values():
        intend(task, path, here=elsewhere)
    task.report_phase(step, Phase.COPY)
    backup.begin(task.connection, task.vm_uuid, machine.disks, wanted)
    (task.scratch if elsewhere else task.made).extend(wanted.values())
    while (now := backup.numbers(task.connection, task.vm_uuid)) is not None:
        task.report_share(step, now.fraction, "", now.processed, now.total)
        if task.cancel.wait(LOOK_S):
            backup.abort(task.connection, task.vm_uuid)
            _wait_for_end(task)
            raise Cancelled(CANCELLED)
    if not backup.succeeded(task.connection, task.vm_uuid):
        raise Broken(QT_TRANSLATE_NOOP("errors", "libvirt did not finish the copy of the running VM's disks."))


def _wait_for_end(task: Task) -> None:
    until = time.monotonic() + _LONGEST_WAIT_S
    while backup.numbers(task.connection, task.vm_uuid) is not None and time.monotonic() < until:
        time.sleep(LOOK_S)


_ROADS: dict[Road, Callable[[Step, Task], None]] = {
    Road.LAYER: _layer,
    Road.POOL: _pool,
    Road.LOCAL: _local,
    Road.BACKUP: _backup,
    Road.STREAM: _stream,
    Road.FILES: copy_files,
}
