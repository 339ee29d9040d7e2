"""Changes an NTFS filesystem in a file by libntfs-3g, without mounting: run as a program of its own, commands on stdin.

A command is a list: what to do, a path, and what that needs; content is hexadecimal. The library may crash, or keep
something open, which is why it gets a process. It keeps copies of directories: what is in one is opened before it.
"""

import ctypes
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARY = "libntfs-3g.so.89"
CONTENT = 0x80
Command = list[Any]


def change(image: Path, commands: list[Command]) -> None:
    """Do all of it, in order; what fails fails the test."""
    done = subprocess.run(
        [sys.executable, __file__, str(image)],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr


class Volume:
    """A filesystem that is open for writing."""

    def __init__(self, image: str) -> None:
        self._library = ctypes.CDLL(LIBRARY, use_errno=True)
        for name in ("mount", "pathname_to_inode", "create", "create_symlink", "attr_open"):
            getattr(self._library, f"ntfs_{name}").restype = ctypes.c_void_p
        self._library.ntfs_attr_pwrite.restype = ctypes.c_int64
        self._library.ntfs_set_char_encoding(b"utf8")
        self._volume = ctypes.c_void_p(self._checked(self._library.ntfs_mount(image.encode(), ctypes.c_ulong(0))))

    def close(self) -> None:
        self._good(self._library.ntfs_umount(self._volume, 0))

    def mkdir(self, path: str) -> None:
        self._create(path, stat.S_IFDIR)

    def create(self, path: str) -> None:
        self._create(path, stat.S_IFREG)

    def write(self, path: str, content: str, offset: int = 0, stream: str = "") -> None:
        def doing(inode: ctypes.c_void_p) -> None:
            attribute = self._attribute(inode, stream)
            raw = bytes.fromhex(content)
            written = self._library.ntfs_attr_pwrite(
                attribute, ctypes.c_int64(offset), ctypes.c_int64(len(raw)), ctypes.c_char_p(raw)
            )
            assert written == len(raw), os.strerror(ctypes.get_errno())
            self._library.ntfs_attr_pclose(attribute)
            self._library.ntfs_attr_close(attribute)

        self._with(path, doing)

    def truncate(self, path: str, size: int, stream: str = "") -> None:
        def doing(inode: ctypes.c_void_p) -> None:
            attribute = self._attribute(inode, stream)
            self._good(self._library.ntfs_attr_truncate(attribute, ctypes.c_int64(size)))
            self._library.ntfs_attr_close(attribute)

        self._with(path, doing)

    def unstream(self, path: str, stream: str) -> None:
        name, length = _name(stream)
        self._with(path, lambda inode: self._good(self._library.ntfs_attr_remove(inode, CONTENT, name, length)))

    def link(self, path: str, other: str) -> None:
        inode, (above, name, length) = self._inode(path), self._above(other)
        self._good(self._library.ntfs_link(inode, above, name, length))
        self._close(above, inode)

    def delete(self, path: str) -> None:
        inode, (above, name, length) = self._inode(path), self._above(path)
        self._good(self._library.ntfs_delete(self._volume, path.encode(), inode, above, name, length))

    def rename(self, path: str, other: str) -> None:
        self.link(path, other)
        self.delete(path)

    def attrib(self, path: str, flags: int) -> None:
        self._set("ntfs_set_ntfs_attrib", path, flags.to_bytes(4, "little"))

    def reparse(self, path: str, raw: str) -> None:
        self._set("ntfs_set_ntfs_reparse_data", path, bytes.fromhex(raw))

    def ea(self, path: str, raw: str) -> None:
        self._set("ntfs_set_ntfs_ea", path, bytes.fromhex(raw))

    def object(self, path: str, raw: str) -> None:
        self._set("ntfs_set_ntfs_object_id", path, bytes.fromhex(raw))

    def times(self, path: str, *steps: int) -> None:
        """Set when it was born, modified and read, in steps of 100 ns since 1601."""
        self._set("ntfs_inode_set_times", path, b"".join(each.to_bytes(8, "little") for each in steps))

    def dos(self, path: str, short: str) -> None:
        raw, inode, (above, _, _) = short.encode(), self._inode(path), self._above(path)
        self._good(self._library.ntfs_set_ntfs_dos_name(inode, above, ctypes.c_char_p(raw), len(raw), 0))

    def _create(self, path: str, kind: int) -> None:
        above, name, length = self._above(path)
        made = self._checked(self._library.ntfs_create(above, 0, name, length, kind))
        self._close(above, ctypes.c_void_p(made))

    def _attribute(self, inode: ctypes.c_void_p, stream: str) -> ctypes.c_void_p:
        name, length = _name(stream)
        found = self._library.ntfs_attr_open(inode, CONTENT, name, length)
        if not found:
            self._good(self._library.ntfs_attr_add(inode, CONTENT, name, length, None, ctypes.c_int64(0)))
            found = self._library.ntfs_attr_open(inode, CONTENT, name, length)
        return ctypes.c_void_p(self._checked(found))

    def _set(self, function: str, path: str, raw: bytes) -> None:
        called = getattr(self._library, function)
        self._with(path, lambda inode: self._good(called(inode, ctypes.c_char_p(raw), ctypes.c_size_t(len(raw)), 0)))

    def _with(self, path: str, doing: Callable[[ctypes.c_void_p], None]) -> None:
        inode = self._inode(path)
        doing(inode)
        self._close(inode)

    def _inode(self, path: str) -> ctypes.c_void_p:
        found = self._library.ntfs_pathname_to_inode(self._volume, None, path.encode())
        return ctypes.c_void_p(self._checked(found))

    def _above(self, path: str) -> tuple[ctypes.c_void_p, ctypes.Array[ctypes.c_char], int]:
        above, _, last = path.rpartition("/")
        return self._inode(above or "/"), *_name(last)

    def _close(self, *inodes: ctypes.c_void_p) -> None:
        """Write directories before what is in them, for the library writes to directories again when that is closed."""
        for inode in inodes:
            self._good(self._library.ntfs_inode_close(inode))

    def _good(self, result: int) -> None:
        assert result == 0, os.strerror(ctypes.get_errno())

    def _checked(self, found: int | None) -> int:
        assert found, os.strerror(ctypes.get_errno())
        return found


def _name(name: str) -> tuple[ctypes.Array[ctypes.c_char], int]:
    raw = name.encode("utf-16-le", "surrogatepass")
    return ctypes.create_string_buffer(raw + b"\0\0"), len(raw) // 2


if __name__ == "__main__":
    volume = Volume(sys.argv[1])
    try:
        for verb, *arguments in json.load(sys.stdin):
            getattr(volume, verb)(*arguments)
    finally:
        volume.close()
