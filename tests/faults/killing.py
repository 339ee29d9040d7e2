"""Run the command line in a process that kills itself, as by kill -9, at a given moment of its work.

``killing.py UID MOMENT ARGUMENTS…``; an empty UID is whoever runs it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from snapgui.cli.main import main
from snapgui.cli.output import Console
from snapgui.hypervisor import backup, pools, pull_backup, snapshots, strays
from snapgui.hypervisor.connection import Connection
from snapgui.images import nbd
from snapgui.model.plan import Verb
from snapgui.model.progress import Phase, Progress
from snapgui.model.records import Disk
from snapgui.operations import compare_blocks, health_repairs, history, pipeline, storage
from tests.stacks.ordinary import become
from tests.stacks.privileges import as_root


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_define() -> None:
    """All images are there, the VM is not."""
    pipeline._PERFORM[Verb.DEFINE] = die


def before_copy() -> None:
    """Nothing is there but what froze the current state."""
    pipeline._PERFORM[Verb.COPY] = die


def while_copying() -> None:
    """At the first report that something has been copied."""

    def look(console: Console, progress: Progress) -> None:
        if progress.phase is Phase.COPY and progress.fraction:
            die()

    Console.progress = look  # type: ignore[method-assign]


def while_libvirt_copies() -> None:
    """libvirt has begun to copy a running VM; QEMU stands still, for no brake of libvirt's works in both versions."""
    begin = backup.begin

    def begun(connection: Connection, vm_uuid: str, disks: tuple[Disk, ...], files: Mapping[str, str]) -> None:
        pid = process_of(vm_uuid)
        begin(connection, vm_uuid, disks, files)
        as_root("kill", "-STOP", pid)
        die()

    backup.begin = begun


def process_of(vm_uuid: str) -> str:
    """The number of the QEMU process of a VM."""
    (pid,) = [
        process.name
        for process in Path("/proc").glob("[0-9]*")
        if (words := _command(process)) and b"qemu-system" in words[0] and vm_uuid.encode() in words
    ]
    return pid


def _command(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return []


def in_a_pool() -> None:
    """A passing pool is there, and nothing in it."""
    lend = pools.pool_at

    @contextlib.contextmanager
    def lent(connection: Connection, directory: str) -> Iterator[Any]:
        with lend(connection, directory) as pool:
            die()
            yield pool

    pools.pool_at = lent


def after_intent() -> None:
    """It is written down what file will be made, and that file is not made."""
    write = history.History.intend

    def intend(self: history.History, job: int, uri: str, kind: history.Making, name: str) -> None:
        write(self, job, uri, kind, name)
        if kind is history.Making.FILE:
            die()

    history.History.intend = intend  # type: ignore[method-assign]


def while_rehearsing() -> None:
    """QEMU lends the disks for the first time; the guest was not stopped."""
    begin = pull_backup.begin

    def begun(*arguments: Any) -> None:
        begin(*arguments)
        die()

    pull_backup.begin = begun


def in_the_pause() -> None:
    """QEMU lends the disks, and the guest stands still."""
    compare_blocks.Pair.keep_tables = die  # type: ignore[method-assign]


def while_looking() -> None:
    """The guest stands still, so that the tables of its images can be read."""
    storage._Look.keep = die  # type: ignore[method-assign]


def between_descriptions() -> None:
    """libvirt has forgotten a snapshot that is described anew, and does not know it again yet."""
    snapshots.define = die  # type: ignore[assignment]


def between_patches() -> None:
    """The first of two changes to an image's head is written."""
    overwrite: Callable[..., Any] = health_repairs.overwrite

    def once(*arguments: object) -> None:
        overwrite(*arguments)
        die()

    health_repairs.overwrite = once


def before_orphan_goes() -> None:
    """A file that nothing refers to was looked at for the last time."""
    strays.remove = die  # type: ignore[assignment]


def while_lent() -> None:
    """QEMU lends the disks, and the guest runs on."""
    nbd.NbdDisk.read = die  # type: ignore[assignment]


def between_files() -> None:
    """The VM is removed and one of its files is, the others are not."""
    remove = pools.remove

    def once(connection: Connection, path: str) -> bool:
        done = remove(connection, path)
        die()
        return done

    pools.remove = once


def after_define() -> None:
    """The VM is there; what comes after it is not done, and nobody was told."""
    define: Callable[..., Any] = pipeline._PERFORM[Verb.DEFINE]

    def last(*arguments: object) -> None:
        define(*arguments)
        die()

    pipeline._PERFORM[Verb.DEFINE] = last


if __name__ == "__main__":
    who, moment, *arguments = sys.argv[1:]
    if who:
        become(int(who))
    globals()[moment]()
    sys.exit(main(arguments))
