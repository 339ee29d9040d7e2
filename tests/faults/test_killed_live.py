"""snapgui is killed while QEMU lends it a running VM's disks: what is left is named, and ended; the guest runs on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import Unavailable
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.live_view import live_view
from tests.faults import killing
from tests.qemu.commands import ok, result, wait_until
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack

EXTERNAL = ("--kind", "external", "--memory", "none")


def killed(machine: Machine, moment: str, *arguments: str) -> None:
    command = [sys.executable, str(Path(killing.__file__)), "", moment, "-c", machine.uri, *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    died = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert died.returncode == -signal.SIGKILL, died.stderr


def left(machine: Machine) -> list[str]:
    return sorted(str(path) for path in machine.directory.iterdir() if path.name.startswith("snapgui-"))


def leftovers(machine: Machine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(machine.uri, "leftovers")["leftovers"]
    return found


def lends(machine: Machine) -> bool:
    try:
        return bool(machine.domain.backupGetXMLDesc(0))
    except libvirt.libvirtError:
        return False


@pytest.mark.parametrize("moment", ["while_rehearsing", "in_the_pause", "while_lent"])
def test_what_is_left_is_ended(guest: Machine, moment: str) -> None:
    vm = guest.name
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    before = guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    killed(guest, moment, "diff", vm, "a", "--files")
    assert lends(guest)
    made = left(guest)
    assert sorted(Path(path).suffix for path in made) == [".scratch", ".socket"]
    stands = moment == "in_the_pause"
    for _ in range(2):  # to look changes nothing
        (leftover,) = leftovers(guest)
        assert sorted(file["path"] for file in leftover["files"]) == made
        assert (leftover["lending"], leftover["copying"]) == (True, False)
        assert "QEMU still lends its disks" in leftover["text"]
        assert ("stands still" in leftover["text"]) is stands
    (plan,) = result(guest.uri, "leftovers", "--remove", "--dry-run")["plans"]
    assert [step["virsh"][1] for step in plan["steps"]] == ["domjobabort", "vol-delete", "vol-delete"]
    assert lends(guest), "a dry run ends nothing"
    assert sorted(result(guest.uri, "leftovers", "--remove")["removed"]) == made
    assert (left(guest), lends(guest)) == ([], False)
    if stands:
        (leftover,) = leftovers(guest)
        assert leftover["files"] == []
        assert "let it run on" in leftover["text"]
        guest.domain.resume()
        result(guest.uri, "leftovers", "--remove")
    counted = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counted, "the guest runs on")
    assert leftovers(guest) == []
    assert guest.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
    ok(guest.uri, "take", vm, "b", *EXTERNAL)
    assert result(guest.uri, "diff", vm, "b", "--files")["files"]["vda"]["filesystem"] == "ext4"


def test_before_anything_is_made(guest: Machine) -> None:
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    killed(guest, "after_intent", "diff", guest.name, "a", "--files")
    assert (left(guest), lends(guest)) == ([], False)
    assert all(leftover["files"] == [] for leftover in leftovers(guest))
    assert result(guest.uri, "leftovers", "--remove") == {"removed": []}
    assert leftovers(guest) == []


def test_a_killed_daemon(stack: Stack, guest: Machine) -> None:
    """Nobody can end it then; it is found when the daemon is back."""
    history = History()
    with Connection(guest.uri) as connection:
        facts = read_facts(connection, guest.uuid)

        def look() -> None:
            with live_view(connection, facts, history, {"vda": facts.machine.disks[0].source}) as view:
                stack.kill(stack.daemon_pid())
                assert len(view.disks["vda"].read(0, 512)) == 512, "QEMU goes on lending"

        with pytest.raises(Unavailable):
            look()
    history.close()
    stack.start_daemon()
    (leftover,) = leftovers(guest)
    assert leftover["lending"]
    assert sorted(result(guest.uri, "leftovers", "--remove")["removed"]) == sorted(
        file["path"] for file in leftover["files"]
    )
    assert (left(guest), leftovers(guest)) == ([], [])
    counted = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counted, "the guest runs on")


def test_somebody_elses_backup_is_not_ended(guest: Machine) -> None:
    """The VM was started anew since, and another program has its disks lent: the socket alone is left, and removed."""
    ok(guest.uri, "take", guest.name, "a", *EXTERNAL)
    killed(guest, "while_lent", "diff", guest.name, "a", "--files")
    guest.domain.destroy()
    (socket,) = left(guest)
    guest.start()
    theirs = f"""<domainbackup mode="pull"><server transport="unix" socket="{guest.directory}/theirs"/><disks>
      <disk name="vda" backup="yes" type="file"><driver type="qcow2"/><scratch file="{guest.directory}/other"/></disk>
      </disks></domainbackup>"""
    guest.domain.backupBegin(theirs, None, 0)
    (leftover,) = leftovers(guest)
    assert ([file["path"] for file in leftover["files"]], leftover["lending"]) == ([socket], False)
    assert result(guest.uri, "leftovers", "--remove") == {"removed": [socket]}
    assert (left(guest), lends(guest)) == ([], True)
    guest.domain.abortJob()
