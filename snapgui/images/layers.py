"""A disk as its guest sees it: a state of one image, and below it the images that it is layered on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from snapgui.images.clusters import Clusters, Holds, Run
from snapgui.images.qcow2 import ImageError
from snapgui.images.source import ByteSource


class Layer(Protocol):
    """One image of a chain, in one state. Sizes and places are bytes.

    ``identity`` is the same for every layer of one file: what two of them read at one place of it is the same.
    """

    identity: str

    @property
    def virtual_bytes(self) -> int:
        """The size of the disk in it."""

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what lies between two bytes of the disk, in order, without gaps, up to the end of this disk."""

    def content(self, run: Run) -> bytes:
        """Return the bytes of a run that holds data."""

    def unchanged(self) -> bool:
        """Whether the state is still where it was when it was opened."""


class RawLayer:
    """An image without a format: every byte of the file is one of the disk."""

    def __init__(self, source: ByteSource, identity: str = "") -> None:
        self.source = source
        self.identity = identity
        self.virtual_bytes = source.size

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield one run of data."""
        end = min(end, self.virtual_bytes)
        if start < end:
            yield Run(start, end - start, Holds.DATA, start)

    def content(self, run: Run) -> bytes:
        """Return the bytes of a run."""
        found = self.source.read(run.place, run.length)
        if len(found) != run.length:
            raise ImageError("the image became shorter while it was read")
        return found

    def unchanged(self) -> bool:
        """Whether the file still has the size that it had."""
        return self.source.size == self.virtual_bytes


def layer(source: ByteSource, image_format: str, snapshot: str = "", identity: str = "") -> Clusters | RawLayer:
    """Return an image as a layer; raise ImageError for formats that are not read here."""
    if image_format == "qcow2":
        return Clusters(source, snapshot, identity)
    if image_format == "raw" and not snapshot:
        return RawLayer(source, identity)
    raise ImageError(f"images of the format {image_format or '(unknown)'} are not read here")


class Layers:
    """Layers from top to base. A place that no layer holds is zeros, as is what lies beyond the end of a base."""

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers
        self.virtual_bytes = layers[0].virtual_bytes

    def runs(self, start: int = 0, end: int | None = None) -> Iterator[tuple[Layer | None, Run]]:
        """Yield (layer that answers, run) in order and without gaps; no layer answers for zeros."""
        stop = self.virtual_bytes if end is None else min(end, self.virtual_bytes)
        return self._runs(0, start, stop)

    def data(self, start: int = 0, end: int | None = None) -> Iterator[Run]:
        """Yield the runs that are not known to be zeros."""
        for answers, run in self.runs(start, end):
            if answers is not None:
                yield run

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the disk; fewer only at its end."""
        length = max(0, min(length, self.virtual_bytes - start))
        found = bytearray(length)
        for answers, run in self.runs(start, start + length):
            if answers is not None:
                found[run.start - start : run.end - start] = answers.content(run)
        return bytes(found)

    def unchanged(self) -> bool:
        """Whether all states are still where they were when they were opened."""
        return all(each.unchanged() for each in self.layers)

    def _runs(self, depth: int, start: int, end: int) -> Iterator[tuple[Layer | None, Run]]:
        if depth == len(self.layers):
            if start < end:
                yield None, Run(start, end - start, Holds.ZEROS)
            return
        here = self.layers[depth]
        for run in here.runs(start, end):
            if run.holds is Holds.NOTHING:
                yield from self._runs(depth + 1, run.start, run.end)
            elif run.holds is Holds.ZEROS:
                yield None, replace(run, place=0)
            else:
                yield here, run
        if (beyond := max(start, here.virtual_bytes)) < end:
            yield None, Run(beyond, end - beyond, Holds.ZEROS)
