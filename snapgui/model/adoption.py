"""A snapshot that lies in images and that libvirt does not know: what it is to be told. Times are UTC."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HeldDisk:
    """How a snapshot that is to be described anew holds one disk.

    Inside the image ``path``; or, where ``overlay`` is set, ``path`` of ``format`` is what that froze and ``overlay``
    took the writes after it.
    """

    target: str
    path: str
    overlay: str = ""
    format: str = "qcow2"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A snapshot that libvirt is to know (again). ``replaces``: its own description of now goes first.

    ``children`` are those that come to hang off it, ``current`` whether the VM's current state does. ``state`` is the
    VM's at that time, by libvirt's name. ``memory_file`` is empty where the RAM is inside an image, or nowhere.
    """

    name: str
    created: datetime
    state: str
    disks: tuple[HeldDisk, ...] = ()
    memory_file: str = ""
    parent: str = ""
    children: tuple[str, ...] = ()
    current: bool = False
    replaces: bool = False

    @property
    def external(self) -> bool:
        """Whether the state lies in files of its own."""
        return any(disk.overlay for disk in self.disks)
