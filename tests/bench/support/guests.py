"""The two stacks of the tests, and machines on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

from snapgui.demo.guest import GuestFiles, build_guest
from snapgui.demo.hypervisor import demo_directory
from tests.stacks.machines import Machine, machine
from tests.stacks.stacks import BACKPORTS, Stack, installed

__all__ = ["STACKS", "Machine", "Stack", "guest", "stack"]

STACKS = (installed(), BACKPORTS)


@contextmanager
def stack(name: str, settings: str = "") -> Iterator[Stack]:
    """Run a private daemon of one libvirt version, with `settings` in its qemu.conf."""
    running = Stack(name, settings)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def guest(stack: Stack, *, running: bool) -> Iterator[Machine]:
    """Make a VM, and boot it where it shall run."""
    found = build_guest(demo_directory(), print)
    copies = (Path(copyfile(file, stack.images / file.name)) for file in (found.kernel, found.initramfs, found.disk))
    with machine(stack, GuestFiles(*copies)) as made:
        if running:
            made.start()
        yield made
