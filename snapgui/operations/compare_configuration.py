"""Compare how a VM was configured at two snapshots, or at one and now. Reads only; passwords are never read."""

import contextlib
from collections.abc import Iterable, Iterator

from snapgui.hypervisor import configuration, inventory, snapshots
from snapgui.hypervisor.connection import Connection
from snapgui.images import qcow2
from snapgui.images.qcow2 import ImageError
from snapgui.model.difference import ConfigurationDifference
from snapgui.model.errors import SnapguiError
from snapgui.model.lineage import DEEPEST
from snapgui.model.tree import SnapshotTree
from snapgui.operations.bases import canonical
from snapgui.operations.image_access import base_of, open_image


def configurations(
    connection: Connection, vm_uuid: str, before: str | None, after: str | None = None
) -> ConfigurationDifference:
    """Compare two snapshots, or a snapshot and (None) the persistent configuration of now, whichever comes first.

    Raises Gone where the VM or a snapshot is not there, Broken where a document cannot be read. Image files move by
    themselves (snapshots, deletions and reverts do that): another file of a disk is told only where the images
    themselves show that it is another disk: both chains are read to their ends and have no file in common, nor does a
    snapshot say that one was put upon the other. Where that cannot be read, it is not told.
    """
    texts = [_document(connection, vm_uuid, name) for name in (before, after)]
    images = [configuration.disk_images(text) for text in texts]
    moved = {
        target: (image, images[1][target])
        for target, image in images[0].items()
        if target in images[1] and images[1][target][0] != image[0]
    }
    exchanged = set(_exchanged(connection, vm_uuid, moved)) if moved else set()
    alone = [image for one, other in (images, images[::-1]) for target, image in one.items() if target not in other]
    sizes = dict(_sizes(connection, alone))
    return configuration.differences(*texts, exchanged=exchanged, sizes=sizes)


def _document(connection: Connection, vm_uuid: str, name: str | None) -> str:
    if name is None:
        return inventory.current_xml(connection, vm_uuid)
    return snapshots.public_machine_xml(connection, vm_uuid, name)


Image = tuple[str, str]
"""The path of an image, and its format."""


def _exchanged(connection: Connection, vm_uuid: str, moved: dict[str, tuple[Image, Image]]) -> Iterator[str]:
    """Yield the targets whose two images are certain to be no layers of one disk."""
    tree = snapshots.read_tree(connection, vm_uuid)
    for target, images in moved.items():
        chains = [_chain(connection, *image) for image in images]
        if None in chains:
            continue
        one, other = (_layered(connection, tree, target, chain or frozenset()) for chain in chains)
        if not one & other:
            yield target


def _chain(connection: Connection, path: str, image_format: str) -> frozenset[str] | None:
    """Return an image and all its bases; None where that cannot be known to the end."""
    found: set[str] = set()
    while path:
        name = canonical(connection, path)
        if not path.startswith("/") or name in found or len(found) >= DEEPEST or image_format not in {"raw", "qcow2"}:
            return None
        found.add(name)
        if image_format == "raw":
            break
        try:
            path, image_format = _base(connection, path)
        except (ImageError, OSError, SnapguiError):
            return None
    return frozenset(found) or None


def _base(connection: Connection, path: str) -> Image:
    image = open_image(connection, path)
    if image is None:
        raise ImageError(f"there is no file {path}, or nobody may read it")
    with contextlib.closing(image):
        return base_of(image, path, "qcow2")


def _layered(connection: Connection, tree: SnapshotTree, target: str, files: Iterable[str]) -> set[str]:
    """Add to files of a disk those that snapshots put upon them, or them upon, also where they were merged since."""
    found = set(files)
    layers = [
        {canonical(connection, disk.source), canonical(connection, disk.overlay)}
        for snapshot in tree
        for disk in snapshot.disks
        if disk.target == target and disk.source and disk.overlay
    ]
    while more := [layer for layer in layers if layer & found and not layer <= found]:
        found.update(*more)
    return found


def _sizes(connection: Connection, images: Iterable[Image]) -> Iterator[tuple[str, int]]:
    """Yield (image, bytes that the guest sees), as far as the images can be read."""
    for path, image_format in images:
        image = open_image(connection, path) if path.startswith("/") else None
        if image is None:
            continue
        with contextlib.closing(image), contextlib.suppress(ImageError, OSError, SnapguiError):
            yield path, qcow2.read_head(image).virtual_bytes if image_format == "qcow2" else image.size
