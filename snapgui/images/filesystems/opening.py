"""Finds out which filesystem lies on a disk, and opens it."""

from snapgui.images.filesystems import btrfs, ext4, fat, ntfs, xfs
from snapgui.images.filesystems.filesystem import Disk, FileSystem, FilesystemError
from snapgui.images.filesystems.recognition import what_lies_here

READERS = (
    (ext4.recognises, ext4.open_ext4),
    (xfs.recognises, xfs.open_xfs),
    (btrfs.recognises, btrfs.open_btrfs),
    (ntfs.recognises, ntfs.open_ntfs),
    (fat.recognises, fat.open_fat),
)
"""FAT is the last: it has no clear mark, and NTFS begins much like it."""


def open_filesystem(disk: Disk) -> FileSystem:
    """Return the filesystem on a disk. Raises FilesystemError where none is read here, or it is damaged."""
    for recognises, opened in READERS:
        if recognises(disk):
            return opened(disk)
    raise FilesystemError(what_lies_here(disk) or "no filesystem that is known here lies on it")
