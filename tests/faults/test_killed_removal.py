"""snapgui is killed while it removes a VM with its images, or makes a clone independent: what is left is named."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults import killing
from tests.qemu.commands import ok, result
from tests.stacks.machines import Machine


def test_files_of_a_vm_that_is_gone_are_named(idle_guest: Machine) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "one", "--kind", "external")
    command = [sys.executable, str(Path(killing.__file__)), "", "between_files", "-c", idle_guest.uri]
    died = subprocess.run(
        [*command, "remove", idle_guest.name, "--with-storage"],
        capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert idle_guest.name not in [vm["name"] for vm in result(idle_guest.uri, "list")["vms"]]
    assert not list(idle_guest.directory.glob("*.one.qcow2")), "overlays go first"
    (leftover,) = result(idle_guest.uri, "leftovers")["leftovers"]
    assert leftover["text"].endswith(f"the VM does not exist any more. Left of it: {idle_guest.disk}")
