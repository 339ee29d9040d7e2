"""Clones on the demonstration's own hypervisor: the embedded driver, which has no storage pools, and a session's."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapgui.demo.guest import GuestFiles
from tests.stacks.access import ORDINARY, ROOT
from tests.stacks.privileges import as_root, root_command

PROGRAM = Path(__file__).with_name("own_hypervisor.py")
USERS = {"root": 0, "ordinary": ORDINARY}


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path, for sockets; its files become the user's."""
    directory = Path(tempfile.mkdtemp(prefix="sg-own-", dir="/tmp"))
    yield directory
    as_root("rm", "-rf", "--one-file-system", str(directory))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", USERS)
def test_clones_on_the_own_hypervisor(home: Path, guest_files: GuestFiles, who: str) -> None:
    files = [shutil.copy(path, home) for path in (guest_files.kernel, guest_files.initramfs, guest_files.disk)]
    as_root("chown", "-R", f"{USERS[who]}:{USERS[who]}", str(home))
    places = {f"XDG_{name}": home / name.lower() for name in ("STATE_HOME", "CACHE_HOME", "CONFIG_HOME", "RUNTIME_DIR")}
    environment = [f"{name}={path}" for name, path in (places | {"HOME": home, "PYTHONPATH": ROOT}).items()]
    environment += [f"PATH={os.environ['PATH']}", "LC_ALL=C.UTF-8"]
    command = [sys.executable, str(PROGRAM), str(USERS[who]), str(home / "d"), *files]
    done = subprocess.run(
        root_command("env", "-i", *environment, *command),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=360,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert found.pop("storage") == (who == "ordinary")
    assert "linked is based on an image of “base”" in found.pop("refusal")
    assert found == {
        "source": found["source"],
        "base": found["source"],
        "marks": ["then", "now", "clone"],
        "mode": "600",
        "after": None,
        "full": {"running": None, "snapshot": None, "off": None},
        "nvram": True,
        "second": "web01-vda.base.qcow2",
        "healthy": "yes",
        "left": ["web01"],
        "files left": ["disk.qcow2"],
    }
