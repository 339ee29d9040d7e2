"""Which directories of a btrfs filesystem lead to some nodes: upwards from each, by the names that it keeps."""

from collections.abc import Iterator

from snapgui.images.filesystems.btrfs_items import INODE_EXTENDED_REF, INODE_REF, names
from snapgui.images.filesystems.btrfs_subvolumes import FILE_BITS, MOST_SUBVOLUMES, Subvolumes, taken_apart
from snapgui.images.filesystems.filesystem import Numbers


def leading(subvolumes: Subvolumes, numbers: Numbers) -> set[int]:
    """Return the numbers of all directories above some nodes."""
    found: set[int] = set()
    waiting = [int(number) for number in numbers if number > 0]
    while waiting:
        for above in _above(subvolumes, waiting.pop()):
            if above not in found:
                found.add(above)
                waiting.append(above)
    return found


def _above(subvolumes: Subvolumes, number: int) -> Iterator[int]:
    holder, within = taken_apart(number)
    subvolume, tree = subvolumes.get(holder), subvolumes.tree(holder)
    if subvolume is None or tree is None:
        return
    if within == subvolume.directory:
        yield from (_joined(above, directory) for above, directory in subvolumes.above(holder))
        return
    for kind in (INODE_REF, INODE_EXTENDED_REF):
        for key, content in tree.of(within, kind):
            yield from (_joined(holder, each.directory) for each in names(kind, key[2], content))


def _joined(subvolume: int, directory: int) -> int:
    """Return a number, 0 for what cannot be one."""
    fits = 0 < subvolume < MOST_SUBVOLUMES and 0 < directory < 1 << FILE_BITS
    return subvolume << FILE_BITS | directory if fits else 0
