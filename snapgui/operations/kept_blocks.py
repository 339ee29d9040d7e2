"""What differs on one disk between two frozen states as bytes, for the cache."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from snapgui.images.difference import Difference
from snapgui.images.disk_map import DiskMap, Part
from snapgui.images.partitions import Partition
from snapgui.model.text import Text
from snapgui.operations.block_difference import Drawn


def packed(found: Difference, drawn: Drawn | None) -> bytes:
    """Return a difference, and what a picture of the disk needs, as arrays in a file of numpy's."""
    head: dict[str, Any] = {"capacity": found.capacity, "granularity": found.granularity}
    arrays = {"extents": found.extents}
    if drawn is not None:
        head |= {
            "map": [drawn.map.capacity, drawn.map.bucket],
            "partitions": [_written(each) for each in drawn.partitions],
            "why": drawn.why_no_partitions,
        }
        arrays["counts"] = drawn.map.counts
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
    return stream.getvalue()


def unpacked(content: bytes, *, draw: bool) -> tuple[Difference, Drawn | None] | None:
    """Return what was packed; None where it is something else, or ``draw`` asks for more than that."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            found = Difference(head["capacity"], head["granularity"], arrays["extents"])
            drawn = _drawn(head, arrays) if draw else None
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    return (found, drawn) if found.extents.ndim == len(("start", "length")) else None


def _drawn(head: dict[str, Any], arrays: Mapping[str, Any]) -> Drawn:
    capacity, bucket = head["map"]
    counts = arrays["counts"]
    if counts.shape != (max(1, -(-capacity // bucket)), len(Part)):
        raise ValueError("counts")
    return Drawn(DiskMap(capacity, bucket, counts), tuple(_read(*each) for each in head["partitions"]), head["why"])


def _written(partition: Partition) -> tuple[object, ...]:
    kind = partition.kind
    words = (kind.context, kind.source, [(name, str(each)) for name, each in kind.arguments])
    return (partition.number, partition.start, partition.length, words, partition.label)


def _read(number: int, start: int, length: int, kind: list[Any], label: str) -> Partition:
    context, source, arguments = kind
    words = Text(context, source, tuple((name, value) for name, value in arguments))
    return Partition(number, start, length, words, label)
