"""Fixtures that need a real hypervisor; a conftest.py takes them by import.

Every test that uses `stack`, directly or not, runs once on each stack; under pytest-xdist a worker serves one stack
after the other, a part of the tests of each (tests/conftest.py).
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapgui.demo.guest import GuestFiles, build_guest
from snapgui.demo.hypervisor import demo_directory
from tests.stacks.access import ORDINARY, WAYS, Access, access_to
from tests.stacks.machines import Machine, machine
from tests.stacks.privileges import as_root
from tests.stacks.stacks import BACKPORTS, Stack, installed

STACKS = [pytest.param(name, id=name, marks=pytest.mark.xdist_group(name)) for name in (installed(), BACKPORTS)]


@pytest.fixture(scope="session")
def guest_files() -> GuestFiles:
    """The guest's kernel, initial file system and template disk, from the user's cache."""
    directory = demo_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "build-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_guest(directory, print)


@pytest.fixture(scope="session", params=STACKS)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running private daemon of one libvirt version."""
    running = Stack(request.param)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def second_stack(stack: Stack) -> Iterator[Stack]:
    """Another daemon of the same version, on another machine as far as both know: no image is seen by both."""
    running = Stack(stack.name)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def user_home() -> Iterator[Path]:
    """The place of an ordinary user."""
    home = Path(tempfile.mkdtemp(prefix="sg-user-", dir="/tmp"))
    as_root("chown", f"{ORDINARY}:{ORDINARY}", str(home))
    yield home
    as_root("rm", "-rf", "--one-file-system", str(home))


@pytest.fixture(params=WAYS)
def access(request: pytest.FixtureRequest, stack: Stack, user_home: Path) -> Access:
    """The stack as root, as an ordinary user, and from another machine."""
    return access_to(stack, request.param, user_home)


@pytest.fixture(scope="session")
def stack_files(stack: Stack, guest_files: GuestFiles) -> GuestFiles:
    """The guest's files at a place that the stack's daemon sees, too."""
    return _copied(guest_files, stack.images)


@pytest.fixture(scope="session")
def second_files(second_stack: Stack, guest_files: GuestFiles) -> GuestFiles:
    """The guest's files where the second daemon sees them."""
    return _copied(guest_files, second_stack.images)


def _copied(files: GuestFiles, directory: Path) -> GuestFiles:
    copies = (shutil.copyfile(file, directory / file.name) for file in (files.kernel, files.initramfs, files.disk))
    return GuestFiles(*map(Path, copies))


@pytest.fixture
def idle_guest(stack: Stack, stack_files: GuestFiles) -> Iterator[Machine]:
    """A fresh VM that is switched off; no time is spent on booting."""
    with machine(stack, stack_files) as made:
        yield made


@pytest.fixture
def guest(idle_guest: Machine) -> Machine:
    """A fresh VM whose guest has booted and takes commands."""
    idle_guest.start()
    return idle_guest
