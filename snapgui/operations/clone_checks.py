"""What is looked at again right before files of a clone are made, and what is said when that fails."""

import contextlib
from collections.abc import Iterator

from snapgui.hypervisor import inventory, pools
from snapgui.images.convert import ConvertCancelled, ConvertError
from snapgui.images.qcow2 import ImageError
from snapgui.images.writer import WriteCancelled
from snapgui.model.errors import Broken, Cancelled, Refused
from snapgui.model.plan import Step
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.task import Task

CANCELLED = QT_TRANSLATE_NOOP("errors", "Cancelled. There is no clone, and no file is left behind.")


def refuse_existing(task: Task, path: str) -> None:
    """Raise Refused where a file exists already that is to be made."""
    if pools.exists(task.target, path):
        text = QT_TRANSLATE_NOOP("errors", "The file {path} exists already; nothing was changed.")
        raise Refused(text.format(path=path))


def refuse_running(step: Step, task: Task) -> None:
    """What the VM writes to may not be copied block by block."""
    now = inventory.read_vm(task.connection, task.vm_uuid)
    if not step.snapshot and now.state.active:
        text = QT_TRANSLATE_NOOP("errors", "{vm} was started since the plan was made; look at it again.")
        raise Refused(text.format(vm=now.name))


@contextlib.contextmanager
def as_broken(target: str) -> Iterator[None]:
    """Say what became of a copy that failed, or was called off."""
    try:
        yield
    except (ConvertCancelled, WriteCancelled) as error:
        raise Cancelled(CANCELLED) from error
    except (ConvertError, ImageError, OSError) as error:
        text = QT_TRANSLATE_NOOP("errors", "The disk {target} could not be copied: {reason}")
        raise Broken(text.format(target=target, reason=str(error))) from error
