"""btrfs filesystems made by mkfs, and changed by a guest; and what dissect reads in them."""

import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard
from dissect.btrfs import Btrfs as Dissected
from dissect.btrfs import stream as dissected_stream
from dissect.btrfs.c_btrfs import c_btrfs

from snapgui.images.filesystems.btrfs_items import USERS_FLAGS
from snapgui.images.filesystems.filesystem import FileSystem, entries
from tests.images import ext
from tests.images.ext import MIB, Facts

SMALLEST = 128 * MIB
MODULES = ("crc32c_generic", "sha256_generic", "blake2b_generic", "xxhash_generic", "btrfs")
PROGRAMS = ("btrfs", "chattr", "setfattr")


@dataclass(frozen=True)
class MoreFacts(Facts):
    """As ``Facts``, with times in nanoseconds, and what only dissect's trees tell."""

    attributes: tuple[tuple[bytes, bytes], ...] = ()
    flags: int = 0
    born: int = 0
    number: int = field(default=0, compare=False)


class _Zstandard:
    """What dissect wants of a decompressor, by the library that is here."""

    class ZstdDecompressor:
        eof, unused_data = True, b""

        def decompress(self, stored: bytes) -> bytes:
            return zstandard.ZstdDecompressor().decompressobj().decompress(stored)


dissected_stream.zstd = _Zstandard
dissected_stream.HAS_ZSTD = True


def make(path: Path, tree: Path | None = None, *options: str, size: int = SMALLEST) -> Path:
    """Make a filesystem that holds what is in a directory."""
    path.unlink(missing_ok=True)
    below = ("--rootdir", str(tree)) if tree else ()
    ext.run(ext.tool("mkfs.btrfs"), "-q", *options, *below, str(empty(path, size)))
    return path


def empty(path: Path, size: int) -> Path:
    """Make a file of zeros."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def ours(filesystem: FileSystem) -> dict[bytes, Facts]:
    """Return all that our reader finds."""
    plain = ext.ours(filesystem)
    found: dict[bytes, Facts] = {}
    for path, node in ((entry.path, entry.node) for entry in entries(filesystem)):
        told = plain[path]
        attributes = tuple(sorted(filesystem.attributes(node.number).items()))
        found[path] = MoreFacts(
            told.kind, told.mode, told.uid, told.gid, node.mtime_ns, told.links, told.content,
            attributes + _device(node.device), node.flags, node.born_ns,
        )  # fmt: skip
    return found


def _device(numbers: tuple[int, int] | None) -> tuple[tuple[bytes, bytes], ...]:
    return () if numbers is None else ((b"device", b"%d:%d" % numbers),)


def theirs(path: Path) -> dict[bytes, Facts]:
    """Return all that dissect finds, from the uppermost subvolume on."""
    with path.open("rb") as file:
        view = Dissected(file)
        return dict(_below(view, view.fs_tree.root, b"/"))


def _below(view: Any, directory: Any, above: bytes) -> Iterator[tuple[bytes, Facts]]:
    for name, each in directory.iterdir():
        if name in (".", ".."):
            continue
        path = above + name.encode("utf-8", "surrogateescape")
        if not _stands(view, directory, each):
            yield path, MoreFacts(stat.S_IFDIR, 0o755, 0, 0, 0, 1, b"")
            continue
        yield path, _facts(each)
        if each.inode.mode & stat.S_IFDIR == each.inode.mode & 0xF000:
            yield from _below(view, each, path + b"/")


def _stands(view: Any, directory: Any, each: Any) -> bool:
    """Whether a subvolume stands here (dissect enters those, too, that only a snapshot has the name of)."""
    outer, inner = directory.subvolume.objectid, each.subvolume.objectid
    if outer == inner:
        return True
    try:
        view._root_tree.find(outer, c_btrfs.BTRFS_ROOT_REF_KEY, inner)
    except KeyError:
        return False
    return True


def _facts(each: Any) -> Facts:
    inode, kind = each.inode, stat.S_IFMT(each.inode.mode)
    content = b""
    if kind == stat.S_IFREG:
        content = each.open().read().ljust(inode.size, b"\0")
    elif kind == stat.S_IFLNK:
        content = each.link.encode("utf-8", "surrogateescape")
    device = (inode.rdev >> 20, inode.rdev & 0xFFFFF) if kind in (stat.S_IFCHR, stat.S_IFBLK) else None
    return MoreFacts(
        kind, stat.S_IMODE(inode.mode), inode.uid, inode.gid, each.mtime_ns, inode.nlink, content,
        tuple(sorted(_attributes(each))) + _device(device), inode.flags & USERS_FLAGS, each.otime_ns,
        each.subvolume.objectid << 64 | each.inum,
    )  # fmt: skip


def _attributes(each: Any) -> Iterator[tuple[bytes, bytes]]:
    cursor = each.subvolume.tree.cursor()
    for _, raw in cursor.iter(each.inum, c_btrfs.BTRFS_XATTR_ITEM_KEY, 0, ignore_offset=True):
        at = 0
        while at < len(raw):
            item = c_btrfs.btrfs_dir_item(raw[at:])
            yield bytes(item.name), bytes(item.data)
            at += 30 + item.name_len + item.data_len


def settled(then: dict[bytes, Facts], later: dict[bytes, Facts]) -> dict[bytes, Facts]:
    """Return the later facts with the older times of directories in which a name stands for another file now.

    As with names that come and go, that is told of the names, and not of their directory as well.
    """
    renewed = {path.rpartition(b"/")[0] for path in then.keys() & later.keys() if _other(then[path], later[path])}
    return {
        path: replace(facts, mtime=then[path].mtime) if path in renewed and path in then else facts
        for path, facts in later.items()
    }


def _other(old: Facts, new: Facts) -> bool:
    return isinstance(old, MoreFacts) and isinstance(new, MoreFacts) and old.number != new.number


FOLDERS = ("a", "b", "b/c", "s", "s/d", "s/n", "plain", "snaps/1", "snaps/2")
NAMES = tuple(f"f{number}" for number in range(12))


def random_changes(seed: int, count: int) -> str:
    """Return commands that change whatever there is; those that cannot be done are not."""
    chosen = random.Random(seed)
    return "\n".join(f"{{ {_change(chosen)}; }} >/dev/null 2>&1 || true" for _ in range(count))


def _change(chosen: random.Random) -> str:
    path, other = (f"{chosen.choice(FOLDERS)}/{chosen.choice(NAMES)}" for _ in range(2))
    number, seed = chosen.choice((1, 30, 600, 4000)), chosen.randrange(1000)
    return chosen.choice((
        f"seq {seed} {seed + number} >{path}",
        f"seq {seed} {seed + number} >{path}",
        f"seq {seed} {seed + number} >>{path}",
        f"seq {seed} {seed + 900} | dd of={path} bs=512 seek={seed % 40} conv=notrunc",
        f"seq {seed} {seed + 900} | dd of={path} bs=4096 seek={seed} conv=notrunc",
        f"truncate -s {seed * 37} {path}",
        f"fallocate -l {seed * 99} {path}",
        f"rm -r {path}",
        f"rm -r {path}",
        f"mv {path} {other}",
        f"mv {path} {other}",
        f"ln {path} {other}",
        f"ln -s {other} {path}",
        f"mkdir {path} && seq {number} >{path}/within",
        f"chmod 0{chosen.choice(('600', '755', '4711'))} {path}",
        f"chown {seed}:{seed} {path}",
        f"touch -d @{1_600_000_000 + seed} {path}",
        f"setfattr -n user.{chosen.choice('abc')} -v {'v' * (seed % 90)} {path}",
        f"chattr +i {path} && {{ rm {path}; chattr -i {path}; chattr +A {path}; }}",
        f"mkfifo {path}-fifo",
        f"btrfs property set {path} compression {chosen.choice(('zlib', 'lzo', 'zstd'))}",
        f"btrfs subvolume snapshot s snaps/{1 + seed % 2}",
        f"btrfs subvolume delete snaps/{1 + seed % 2}",
        f"btrfs filesystem defragment -f {path}",
        f"cat {other} >{path}",
    ))  # fmt: skip


BEGIN = """
mkdir a b b/c plain snaps
btrfs subvolume create s
mkdir s/d
btrfs subvolume create s/n
chattr +C plain
for folder in a b b/c s s/d s/n plain; do
  for number in 0 1 2 3 4 5 6 7; do seq $((number * number * number * 13)) >$folder/f$number; done
done
for folder in a b s; do btrfs property set $folder/f9 compression zstd || true; done
"""
