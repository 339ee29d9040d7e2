"""One view of a btrfs filesystem: all that is needed to find something in its trees."""

from dataclasses import dataclass
from typing import Self

from snapgui.images.filesystems.btrfs_chunks import CHUNK_ITEM, CHUNK_OBJECT, Chunks, chunk, system_chunks
from snapgui.images.filesystems.btrfs_layout import Superblock, read_superblock
from snapgui.images.filesystems.btrfs_node import Nodes
from snapgui.images.filesystems.btrfs_subvolumes import Subvolumes
from snapgui.images.filesystems.btrfs_tree import Pointer, Tree
from snapgui.images.filesystems.filesystem import Disk


@dataclass(frozen=True, slots=True)
class View:
    """A disk, what its superblock says, and the way from there to the trees."""

    disk: Disk
    head: Superblock
    chunks: Chunks
    nodes: Nodes
    subvolumes: Subvolumes

    @classmethod
    def of(cls, disk: Disk) -> Self:
        """Return the view of a disk. Raises FilesystemError."""
        head = read_superblock(disk)
        chunks = _chunks(disk, head)
        nodes = Nodes(disk, head, chunks)
        return cls(disk, head, chunks, nodes, Subvolumes(nodes, Pointer(head.root, head.generation, head.root_level)))

    def laid_out_like(self, other: "View") -> bool:
        """Whether it is the same filesystem, and has nodes of the same size."""
        mine, its = self.head, other.head
        return (mine.uuid, mine.owner, mine.node_bytes, mine.sector_bytes, mine.device) == (
            its.uuid, its.owner, its.node_bytes, its.sector_bytes, its.device
        )  # fmt: skip


def _chunks(disk: Disk, head: Superblock) -> Chunks:
    """Return all chunks: those that the superblock tells lead to the tree that tells the others."""
    first = list(system_chunks(head.system_chunks, head.device))
    root = Pointer(head.chunk_root, head.chunk_root_generation, head.chunk_root_level)
    tree = Tree(Nodes(disk, head, Chunks(first)), root)
    items = tree.of(CHUNK_OBJECT, CHUNK_ITEM)
    return Chunks([*first, *(chunk(key[2], content, head.device) for key, content in items)])
