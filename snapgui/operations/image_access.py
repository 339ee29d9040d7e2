"""Two roads to the bytes of an image: the local file where it can be read, else libvirt's volumes."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from snapgui.hypervisor import pools
from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.statistics import is_local
from snapgui.hypervisor.volumes import VolumeSink, open_volume
from snapgui.images.layers import Layer, Layers, layer
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.images.sink import LocalSink
from snapgui.images.source import ByteSource, LocalFile
from snapgui.images.writer import Sink
from snapgui.model.lineage import DEEPEST


def open_image(connection: Connection, path: str) -> ByteSource | None:
    """Return the bytes of an image file of the hypervisor's machine, or None where they cannot be had."""
    if is_local(connection):
        try:
            return LocalFile(Path(path))
        except OSError:
            pass
    return open_volume(connection, path)


def readable(connection: Connection, path: str) -> bool:
    """Whether this process can read an image as a file of this machine."""
    try:
        LocalFile(Path(path)).close()
    except OSError:
        return False
    return is_local(connection)


@contextlib.contextmanager
def lent_image(connection: Connection, path: str) -> Iterator[ByteSource]:
    """Lend the bytes of an image, if need be through a pool that exists only meanwhile; raises ImageError."""
    with contextlib.ExitStack() as stack:
        image = open_image(connection, path)
        if image is None:
            stack.enter_context(pools.pool_at(connection, str(PurePosixPath(path).parent)))
            image = open_volume(connection, path)
        if image is None:
            raise ImageError(f"there is no file {path}, or nobody may read it")
        stack.callback(image.close)
        yield image


@contextlib.contextmanager
def layers_of(connection: Connection, path: str, image_format: str, inside: str = "") -> Iterator[Layers]:
    """Lend a disk: an image (or the internal snapshot ``inside`` it) and all that it is layered on.

    Raises ImageError for what cannot be read, for a base whose format is not recorded, too: QEMU would not guess.
    """
    found: list[Layer] = []
    seen: set[str] = set()
    with contextlib.ExitStack() as stack:
        while path and path not in seen and len(found) < DEEPEST:
            seen.add(path)
            source = stack.enter_context(lent_image(connection, path))
            found.append(layer(source, image_format, "" if found else inside, path))
            path, image_format = base_of(source, path, image_format)
        if path:
            raise ImageError("the images are layered on each other in a circle")
        yield Layers(found)


def base_of(source: ByteSource, path: str, image_format: str) -> tuple[str, str]:
    """Return (path, format) of the image that one is layered on, empty for none; raise ImageError for no file."""
    if image_format != "qcow2":
        return "", ""
    head = read_head(source)
    if not head.backing_file:
        return "", ""
    if ":" in head.backing_file.partition("/")[0]:
        raise ImageError("the base of the image is no file")
    if not head.backing_format:
        raise ImageError("the image does not say which format its base has")
    return str(PurePosixPath(path).parent / head.backing_file), head.backing_format


@contextlib.contextmanager
def new_file(connection: Connection, path: str, most: int) -> Iterator[Sink]:
    """Lend a new file of the hypervisor's machine, of at most so many bytes; it is gone again where that fails."""
    if is_local(connection) and os.access(PurePosixPath(path).parent, os.W_OK | os.X_OK, effective_ids=True):
        with LocalSink(path) as sink:
            yield sink
        return
    with pools.new_volume(connection, path, most) as volume:
        stream = VolumeSink(connection, volume)
        try:
            yield stream
        except BaseException:
            stream.abort()
            raise
