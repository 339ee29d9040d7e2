"""Reads NTFS filesystems, as Windows 2000 and all later ones make them. Their log is not replayed.

Format: the kernel's fs/ntfs3/ and Microsoft's [MS-FSCC]. The files of the filesystem itself (``$MFT``, ``$Extend``, …)
are not shown. Permissions are those of Windows, and shown as an attribute.
"""

from collections.abc import Container, Iterator
from itertools import islice

from snapgui.images.filesystems import ntfs_attributes
from snapgui.images.filesystems.filesystem import Disk, FileSystem, FilesystemError, Kind, Link, Node, Numbers
from snapgui.images.filesystems.ntfs_changes import EXTEND_ROW, ROOT_ROW, differing
from snapgui.images.filesystems.ntfs_file import DEVICE_BYTES, DEVICE_NUMBERS, File
from snapgui.images.filesystems.ntfs_index import names
from snapgui.images.filesystems.ntfs_layout import is_ntfs, read_layout
from snapgui.images.filesystems.ntfs_mft import MasterTable
from snapgui.images.filesystems.ntfs_names import Directories
from snapgui.images.filesystems.ntfs_record import CONTENT, EXTENDED_ATTRIBUTES, VOLUME_INFORMATION, VOLUME_NAME, text
from snapgui.images.filesystems.ntfs_reparse import WOF
from snapgui.images.filesystems.ntfs_state import SLEEPING, log_is_clean
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.text import QT_TRANSLATE_NOOP, Text

KEPT_FILES = 1024
LOG_ROW, VOLUME_ROW, SECURE_ROW = 2, 3, 9
_DIRTY = 0x1
_HIBERNATION = b"hiberfil.sys"
_FIRST_TAGS = 64
"""Of the index of reparse points, which is sorted by tag: that of WOF is one of the lowest."""
_UNCLEAN = QT_TRANSLATE_NOOP(
    "FileSystem", "It was in use, and its log is not replayed: changes of the last seconds may be missing."
)
_SLEEPS = QT_TRANSLATE_NOOP(
    "FileSystem",
    "Windows was hibernated, or shut down for a fast start: what it keeps for its return is not on this disk yet.",
)
_COMPACT = QT_TRANSLATE_NOOP(
    "FileSystem", "Windows compressed some files of the system (CompactOS): their content is compared as it is stored."
)

recognises = is_ntfs


def open_ntfs(disk: Disk) -> "Ntfs":
    """Return the filesystem on a disk. Raises FilesystemError."""
    return Ntfs(disk)


class Ntfs:
    """One view; ``FileSystem`` says what its methods are for.

    Numbers of files are the row of their record, and its sequence number in the lower 16 bits.
    """

    name = "ntfs"
    replayed = False
    rewritten = Ranges()

    def __init__(self, disk: Disk) -> None:
        self.disk, self.layout = disk, read_layout(disk)
        self.table = MasterTable(disk, self.layout)
        self._files: dict[int, File] = {}
        self._descriptors: ntfs_attributes.Descriptors | None = None
        self.uuid = f"{self.layout.serial:016X}"
        self.root = self._row(ROOT_ROW).number
        volume = self._row(VOLUME_ROW)
        self.label = text(volume.value(VOLUME_NAME)).decode("utf-8", "surrogatepass")
        dirty = bool(volume.value(VOLUME_INFORMATION)[10:11].ljust(1, b"\0")[0] & _DIRTY)
        sleeps = self._sleeps()
        self.unclean = dirty or sleeps or not self._log_is_clean()
        known = ((self.unclean, _UNCLEAN), (sleeps, _SLEEPS), (self._is_compact(), _COMPACT))
        self.remarks: tuple[Text, ...] = tuple(remark for given, remark in known if given)

    def node(self, number: int) -> Node | None:
        """Return what is kept under a number; None where nothing is."""
        file = self._file(number)
        if file is None:
            return None
        device = self._device(file) if file.kind in (Kind.CHARACTER, Kind.BLOCK) else None
        return file.node(device)

    def links(self, directory: int) -> Iterator[Link]:
        """Yield the names in a directory."""
        return names(self._known(directory).index())

    def attributes(self, number: int) -> dict[bytes, bytes]:
        """Return alternate streams, extended attributes and the security descriptor of a file."""
        return ntfs_attributes.attributes(self._known(number), self.descriptors)

    def extents(self, number: int) -> Numbers | None:
        """Return where content lies, as rows of bytes; None where it lies in a record, or is compressed."""
        content = self._known(number).content
        return content.extents() if content else None

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Return bytes of a file's content; fewer only at its end."""
        content = self._known(number).content
        return content.read(offset, length) if content else b""

    def differing(self, older: FileSystem, changed: Ranges) -> Numbers | None:
        """Return the numbers of all files that may not be the same in an older view; None for other filesystems."""
        if not isinstance(older, Ntfs) or not self._laid_out_like(older) or self._contradicts(older):
            return None
        return differing(self.table, older.table, changed)

    def leading(self, numbers: Numbers) -> Container[int]:
        """Return the directories that hold a name of one of these files, and all above them."""
        return Directories(self.table).leading(numbers) | {self.root}

    @property
    def descriptors(self) -> ntfs_attributes.Descriptors:
        """The security descriptors that files refer to by number."""
        if self._descriptors is None:
            secure = self._row(SECURE_ROW)
            self._descriptors = ntfs_attributes.security_descriptors(secure.stream(CONTENT, b"$SDS"))
        return self._descriptors

    def _laid_out_like(self, other: "Ntfs") -> bool:
        mine, its = self.layout, other.layout
        return (mine.serial, mine.cluster_bytes, mine.record_bytes) == (its.serial, its.cluster_bytes, its.record_bytes)

    def _contradicts(self, other: "Ntfs") -> bool:
        """Whether a security descriptor is another one under the same number, which Windows never does."""
        mine, its = self.descriptors, other.descriptors
        return any(mine[number] != its[number] for number in mine.keys() & its.keys())

    def _file(self, number: int) -> File | None:
        found = self._files.get(number)
        if found is None:
            head = self.table.record(number)
            if head is None or head.base:
                return None
            if len(self._files) >= KEPT_FILES:
                self._files.clear()
            found = self._files[number] = File(self.table, head)
        return found

    def _known(self, number: int) -> File:
        found = self._file(number)
        if found is None:
            raise FilesystemError("a file is missing")
        return found

    def _row(self, row: int) -> File:
        """Return one of the filesystem's own files."""
        head = self.table.row(row)
        if head is None:
            raise FilesystemError("one of the filesystem's own files is missing")
        return File(self.table, head)

    def _log_is_clean(self) -> bool:
        log = self._row(LOG_ROW).stream(CONTENT)
        return log is not None and log_is_clean(log)

    def _sleeps(self) -> bool:
        number = next((link.number for link in self.links(self.root) if link.name.lower() == _HIBERNATION), None)
        file = None if number is None else self._file(number)
        return file is not None and file.content is not None and file.content.read(0, 4) in SLEEPING

    def _is_compact(self) -> bool:
        """Whether the index of reparse points has one of WOF; it is only for a remark, and may be damaged."""
        try:
            links = names(self._row(EXTEND_ROW).index())
            file = next((self._known(link.number) for link in links if link.name == b"$Reparse"), None)
            keys = islice(file.index(b"$R").entries(), _FIRST_TAGS) if file else ()
            return any(key[:4] == WOF.to_bytes(4, "little") for _, key in keys)
        except FilesystemError:
            return False

    def _device(self, file: File) -> tuple[int, int] | None:
        """Return the numbers of a device of WSL."""
        raw = dict(ntfs_attributes.extended(file.value(EXTENDED_ATTRIBUTES))).get(DEVICE_NUMBERS, b"")
        return (
            (int.from_bytes(raw[:4], "little"), int.from_bytes(raw[4:8], "little"))
            if len(raw) >= DEVICE_BYTES
            else None
        )
