"""Names what lies on a disk without a filesystem that is read here: encrypted, swap, part of something, or another.

Signatures: those that util-linux's libblkid documents, and the formats' own headers. Nothing else of them is believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from snapgui.images.filesystems.filesystem import Disk

LOOKED_AT = 2**20
"""Bytes at the beginning, where nothing but zeros is called empty."""
_LUKS, _BITLOCKER = "it is encrypted (LUKS)", "it is encrypted (BitLocker)"
_HIDDEN = "and its files cannot be seen from outside"
_SWAP = "it is swap space, which has no files"
_LVM = "it is a physical volume of LVM; what lies on it is told volume by volume"
_RAID = "it is part of a Linux RAID, which is not put together here"
_CACHE = "it is a part of bcache, which is not put together here"
_PAGES = (2**12, 2**13, 2**14, 2**16)
_RAID_MAGIC = 0xA92B4EFC


@dataclass(frozen=True, slots=True)
class _Sign:
    at: int
    magic: bytes
    words: str


def _named(name: str) -> str:
    article = "an" if name in {"APFS", "EROFS", "F2FS", "HFS+", "ISO 9660"} else "a"
    return f"{article} {name} filesystem lies on it, which is not read here"


_SIGNS = (
    _Sign(0, b"LUKS\xba\xbe", f"{_LUKS}, {_HIDDEN}"),
    _Sign(3, b"-FVE-FS-", f"{_BITLOCKER}, {_HIDDEN}"),
    _Sign(424, bytes.fromhex("3bd66749292ed84a8399f6a339e3d001"), f"{_BITLOCKER}, {_HIDDEN}"),
    *(_Sign(page - 10, magic, _SWAP) for page in _PAGES for magic in (b"SWAPSPACE2", b"SWAP-SPACE", b"S1SUSPEND")),
    *(_Sign(512 * sector, b"LABELONE", _LVM) for sector in range(4)),
    *(_Sign(at, _RAID_MAGIC.to_bytes(4, "little"), _RAID) for at in (0, 4096)),
    _Sign(4120, bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81"), _CACHE),
    _Sign(4120, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef"), _named("bcachefs")),
    _Sign(0, b"hsqs", _named("squashfs")),
    _Sign(0, b"bluestore block device\n", "it belongs to a Ceph store, which is not put together here"),
    _Sign(3, b"ReFS\0\0\0\0", _named("ReFS")),
    _Sign(32, b"NXSB", _named("APFS")),
    _Sign(1024, b"\x10\x20\xf5\xf2", _named("F2FS")),
    _Sign(1024, b"\xe2\xe1\xf5\xe0", _named("EROFS")),
    _Sign(1030, b"\x34\x34", _named("NILFS2")),
    _Sign(1024, b"H+\0\x04", _named("HFS+")),
    _Sign(1024, b"HX\0\x05", _named("HFS+")),
    _Sign(8192 + 1372, b"\x19\x01\x54\x19", _named("UFS")),
    _Sign(65536 + 1372, b"\x19\x01\x54\x19", _named("UFS")),
    _Sign(32768, b"JFS1", _named("JFS")),
    *(_Sign(32769 + 2048 * sector, b"NSR0", _named("UDF")) for sector in range(1, 4)),
    _Sign(32769, b"CD001", _named("ISO 9660")),
    *(_Sign(65588, magic, _named("ReiserFS")) for magic in (b"ReIsErFs", b"ReIsEr2Fs", b"ReIsEr3Fs")),
    _Sign(65536, b"\x01\x16\x19\x70", _named("GFS2")),
    _Sign(2**20, b"\x0d\xd0\x01\xc0", _named("VMFS")),
)


def what_lies_here(disk: Disk) -> str:
    """Return a clause that says what lies on a disk instead of a filesystem that is read; empty where nobody knows."""
    for sign in _SIGNS:
        if disk.read(sign.at, len(sign.magic)) == sign.magic:
            return sign.words
    if any(_is_raid(disk, at) for at in _raid_ends(disk.size)):
        return _RAID
    if _is_zfs(disk):
        return "it is part of a ZFS pool, which is not read here"
    if not any(disk.read(0, LOOKED_AT)):
        return "it is empty" if disk.size <= LOOKED_AT else "nothing is written at its beginning"
    return ""


def _raid_ends(size: int) -> Iterator[int]:
    """Yield where the older versions of Linux RAID keep their superblock: 0.90, and 1.0."""
    yield size // 2**16 * 2**16 - 2**16
    yield (size // 512 - 16) // 8 * 8 * 512


def _is_raid(disk: Disk, at: int) -> bool:
    found = disk.read(at, 4) if at >= 0 else b""
    return len(found) == len(b"....") and _RAID_MAGIC in {int.from_bytes(found, "little"), int.from_bytes(found, "big")}


def _is_zfs(disk: Disk) -> bool:
    """Whether one of the uberblocks of the first label is there."""
    magic = 0x00BAB10C.to_bytes(8, "little")
    return any(disk.read(2**17 + 1024 * number, 8) in {magic, magic[::-1]} for number in range(128))
