"""Copy a file byte for byte, on one hypervisor or to another; its beginning may be replaced on the way."""

from collections.abc import Callable

from snapgui.hypervisor import files
from snapgui.images.source import ByteSource
from snapgui.images.writer import Sink
from snapgui.model.errors import Cancelled
from snapgui.operations.clone_checks import CANCELLED, as_broken
from snapgui.operations.image_access import lent_image, new_file
from snapgui.operations.task import Task

PIECE = 2**20
BLOCK = 2**16
Head = Callable[[ByteSource], bytes]


def _as_it_is(_source: ByteSource) -> bytes:
    return b""


def copy_file(
    task: Task, source: str, target: str, head: Head = _as_it_is, report: Callable[[int], object] = lambda _done: None
) -> bool:
    """Copy a file of the source's hypervisor to the clone's; return False where it is known not to exist.

    ``head`` returns what the copy begins with instead; ``report`` gets the bytes that are done. Raises Cancelled, with
    no file left, or Broken.
    """
    if files.exists(task.connection, source) is False:
        return False
    with as_broken(source), lent_image(task.connection, source) as image:
        begin = head(image)
        with new_file(task.target, target, image.size) as sink:
            _copy(task, image, sink, begin, report)
    return True


def _copy(task: Task, image: ByteSource, sink: Sink, begin: bytes, report: Callable[[int], object]) -> None:
    done = 0
    while done < image.size:
        if task.cancel.is_set():
            raise Cancelled(CANCELLED)
        piece = image.read(done, min(PIECE, image.size - done))
        if not piece:
            raise OSError("the file became shorter while it was read")
        _put(sink, piece)
        done += len(piece)
        report(done)
    sink.finish(begin)


def _put(sink: Sink, piece: bytes) -> None:
    """Leave out what is zeros: images are full of holes."""
    for offset in range(0, len(piece), BLOCK):
        block = piece[offset : offset + BLOCK]
        if any(block):
            sink.write(block)
        else:
            sink.skip(len(block))
