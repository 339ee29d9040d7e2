"""Finds out which filesystem lies on a disk, and opens it."""

from snapgui.images.filesystems import ext4, ntfs
from snapgui.images.filesystems.filesystem import Disk, FileSystem, FilesystemError

READERS = ((ext4.recognises, ext4.open_ext4), (ntfs.recognises, ntfs.open_ntfs))


def open_filesystem(disk: Disk) -> FileSystem:
    """Return the filesystem on a disk. Raises FilesystemError where none is known, or it is damaged."""
    for recognises, opened in READERS:
        if recognises(disk):
            return opened(disk)
    raise FilesystemError("no filesystem that is read here lies on it")
