"""For every test: directories of its own, and a look afterwards at what it left running."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("snapgui", deadline=None)
hypothesis.settings.load_profile("snapgui")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background has it ignored, by them and by all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW_FILES = (
    "test_wheel.py", "test_own_hypervisor.py", "test_ntfs_linux.py", "test_fat.py", "test_btrfs.py", "test_lvm.py",
    "test_clone_tree.py", "test_model.py", "test_crafted_images.py", "test_ntfs.py",
)  # fmt: skip
"""They have tests that take 10 s and more, most of them in no group: begun first, none is the last to end."""
PARTS = (
    {"test_matrix.py", "test_compare_live.py", "test_cancel.py", "test_live.py", "test_killed_client.py"},
    {
        "test_clone_matrix.py", "test_large_trees.py", "test_external_delete.py", "test_operations_stopped.py",
        "test_external_take.py", "test_ten_clones.py", "test_clone.py", "test_clone_elsewhere.py",
        "test_compare_blocks.py",
    },
)  # fmt: skip
"""Files with tests of the stacks that take a third of their time each; the last third are all others."""
PATIENCE_S = 20.0
"""How long threads and processes may take to end after the test that started them."""
LASTING_THREADS = {"libvirt-events"}
"""One per process, by design: libvirt's event loop cannot be taken back."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Divide the tests of each stack among the workers, by file, as files have VMs in common."""
    if (group := item.get_closest_marker("xdist_group")) and "stack" in getattr(item, "fixturenames", ()):
        part = next((number for number, files in enumerate(PARTS) if item.path.name in files), len(PARTS))
        item.add_marker(pytest.mark.xdist_group(f"{group.args[0]}, {part}"), append=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the slow files begin, in the random order that they have; pytest-xdist begins with its groups before."""
    items.sort(key=lambda item: item.path.name not in SLOW_FILES)


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give history, cache and locks of the test a place of their own; sockets need a short one."""
    runtime = Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    yield
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_left_running(own_directories: None) -> Iterator[None]:
    """Fail a test that leaves threads or processes behind."""
    before = set(threading.enumerate())
    mark = f"XDG_RUNTIME_DIR={os.environ['XDG_RUNTIME_DIR']}".encode()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while (left := _left_running(before, mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def _left_running(before: set[threading.Thread], mark: bytes) -> list[str]:
    fresh = [thread for thread in threading.enumerate() if thread not in before]
    threads = [f"thread {thread.name}" for thread in fresh if thread.name not in LASTING_THREADS]
    return threads + [f"process {number}" for number in _processes_with(mark)]


def _processes_with(mark: bytes) -> list[str]:
    """Processes inherit the environment of the test that started them, and so its own runtime directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
        if mark in environment.split(b"\0") and state != "Z" and int(process.name) != os.getpid():
            found.append(process.name)
    return found
