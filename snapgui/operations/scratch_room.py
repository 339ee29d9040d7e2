"""Keeps a guest from standing still because nothing more fits into the scratch files of a backup.

Measured on both stacks: where a scratch file cannot grow, QEMU stops the guest as if its own disk were full. So the
backup is ended while there is still room, and a guest that was stopped nevertheless runs on.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from snapgui.hypervisor import inventory, pull_backup
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.pull_backup import Lending
from snapgui.images.filesystems.section import Readable
from snapgui.model.errors import Refused, SnapguiError
from snapgui.model.records import PauseReason, Vm
from snapgui.model.text import QT_TRANSLATE_NOOP

LEAST_FREE = 256 * 2**20
"""Bytes: no guest overwrites so many between two looks."""
LOOK_S = 0.1
_ENDED = "what the guest overwrote meanwhile found no room beside the images"


class Room:
    """Whether there is room; ``is_full`` once there was none, and the backup has been ended for it."""

    def __init__(self, uri: str, vm: Vm, lending: Lending) -> None:
        self._uri, self._vm, self._lending = uri, vm, lending
        self._done = threading.Event()
        self.is_full = False
        self._thread = threading.Thread(target=self._watch, name="scratch-room", daemon=True)

    def begin(self) -> None:
        """Look from now on; raise Refused where there is too little room already."""
        if self._is_tight():
            text = QT_TRANSLATE_NOOP("errors", "There is no room beside the images for what {vm} overwrites meanwhile.")
            raise Refused(text.format(vm=self._vm.name))
        self._thread.start()

    def end(self, connection: Connection) -> None:
        """Look no more; the backup has been ended."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._let_run_on(connection)

    def watched(self, disk: Readable) -> Readable:
        """Return the disk so that it says why it cannot be read any more."""
        return _Watched(disk, self)

    def _watch(self) -> None:
        with contextlib.suppress(SnapguiError), Connection(self._uri) as connection:
            while not self._done.wait(LOOK_S):
                if self._is_tight() or self._is_stopped(connection):
                    self.is_full = True
                    pull_backup.end(connection, self._vm.uuid, self._lending)
                    self._let_run_on(connection)
                    return

    def _is_tight(self) -> bool:
        for directory in {str(PurePosixPath(path).parent) for path in self._lending.scratch.values()}:
            with contextlib.suppress(OSError):  # the hypervisor may see what this process does not
                found = os.statvfs(directory)
                if found.f_bavail * found.f_frsize < LEAST_FREE:
                    return True
        return False

    def _is_stopped(self, connection: Connection) -> bool:
        if self._vm.pause is PauseReason.IO_ERROR:
            return False
        return inventory.read_vm(connection, self._vm.uuid).pause is PauseReason.IO_ERROR

    def _let_run_on(self, connection: Connection) -> None:
        with contextlib.suppress(SnapguiError):
            if self._is_stopped(connection):
                inventory.resume(connection, self._vm.uuid)


@contextlib.contextmanager
def enough_room(connection: Connection, vm: Vm, lending: Lending) -> Iterator[Room]:
    """Look after the room while a backup goes on; raise Refused where there is too little to begin with."""
    room = Room(connection.uri, vm, lending)
    room.begin()
    try:
        yield room
    finally:
        room.end(connection)


@dataclass(frozen=True, slots=True)
class _Watched:
    disk: Readable
    room: Room

    @property
    def virtual_bytes(self) -> int:
        return self.disk.virtual_bytes

    def read(self, start: int, length: int) -> bytes:
        try:
            return self.disk.read(start, length)
        except OSError as error:
            if self.room.is_full:
                raise OSError(_ENDED) from error
            raise
