"""snapgui is killed while it looks at disks or mends them: nothing is lost, and it is known what to do next."""

import subprocess
from pathlib import Path

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.model.errors import SnapguiError
from snapgui.operations.facts import read_facts
from snapgui.operations.history import History
from snapgui.operations.lineage import read_lineage
from snapgui.operations.storage import read_storage
from tests.faults.test_killed_live import killed, leftovers
from tests.images import qemu
from tests.qemu.commands import INTERNAL, ok, result, wait_until
from tests.qemu.images import holds_pattern, is_sound, write_pattern
from tests.qemu.test_health import codes, without_format
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


def test_in_the_pause(guest: Machine) -> None:
    """The guest stands still; that is said, and letting it run on is all that has to be done."""
    ok(guest.uri, "take", guest.name, "a", *INTERNAL)
    killed(guest, "while_looking", "storage", guest.name)
    assert guest.domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    for _ in range(2):  # to look changes nothing
        (leftover,) = leftovers(guest)
        assert "let it run on" in leftover["text"]
        assert leftover["files"] == []
    guest.domain.resume()
    result(guest.uri, "leftovers", "--remove")
    counted = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counted, "the guest runs on")
    assert leftovers(guest) == []
    assert result(guest.uri, "storage", guest.name)["guest_paused_s"] > 0


def test_the_daemon_is_killed_in_the_pause(
    stack: Stack, guest: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody can let the guest run on then; it is said as soon as the daemon is back."""
    history = History()

    def gone(_look: object) -> None:
        stack.kill(stack.daemon_pid())

    monkeypatch.setattr("snapgui.operations.storage._Look.keep", gone)
    with Connection(guest.uri) as connection:
        facts, lineage = read_facts(connection, guest.uuid), read_lineage(connection)
        with pytest.raises(SnapguiError):
            read_storage(connection, facts, lineage, history)
    history.close()
    stack.start_daemon()
    (leftover,) = leftovers(guest)
    assert "let it run on" in leftover["text"]
    connection = libvirt.open(guest.uri)
    connection.lookupByUUIDString(guest.uuid).resume()
    connection.close()
    counted = guest.channel.counter()
    wait_until(lambda: guest.channel.counter() > counted, "the guest runs on")


def test_while_a_snapshot_is_described_anew(guest: Machine) -> None:
    """The snapshot whose memory is gone is not known for a moment; its layer is, and it is adopted."""
    ok(guest.uri, "take", guest.name, "a", "--kind", "external")
    (memory,) = guest.directory.glob("*.mem")
    memory.unlink()
    assert codes(guest.uri, guest.name) == [("memory-missing", memory.name)]
    killed(guest, "between_descriptions", "mend", guest.name, "memory-missing")
    assert codes(guest.uri, guest.name) == [("layer-unknown", guest.disk.name)]
    ok(guest.uri, "mend", guest.name, "layer-unknown")
    assert codes(guest.uri, guest.name) == []
    (found,) = result(guest.uri, "tree", guest.name)["snapshots"]
    assert (found["kind"], found["memory"]) == ("external", "none")
    ok(guest.uri, "delete", guest.name, found["name"])


def test_while_a_head_is_written(idle_guest: Machine) -> None:
    """The old head still holds, and mending again mends."""
    write_pattern(idle_guest.disk, 5)
    ok(idle_guest.uri, "take", idle_guest.name, "a", "--kind", "external", "--memory", "none")
    (overlay,) = idle_guest.directory.glob("*.a.qcow2")
    without_format(overlay)
    expected = [("format-missing", overlay.name)]
    assert codes(idle_guest.uri, idle_guest.name) == expected
    killed(idle_guest, "between_patches", "mend", idle_guest.name, "format-missing")
    assert codes(idle_guest.uri, idle_guest.name) == expected
    assert is_sound(overlay)
    ok(idle_guest.uri, "mend", idle_guest.name, "format-missing")
    assert codes(idle_guest.uri, idle_guest.name) == []
    assert is_sound(overlay)
    assert holds_pattern(overlay, 5)


def test_before_a_file_is_removed(idle_guest: Machine) -> None:
    orphan = qemu.create(idle_guest.directory / "orphan.qcow2", 2**20, base=idle_guest.disk)
    killed(idle_guest, "before_orphan_goes", "mend", idle_guest.name, "orphan-overlay")
    assert orphan.exists()
    assert codes(idle_guest.uri, idle_guest.name) == [("orphan-overlay", orphan.name)]
    subprocess.run(["qemu-img", "check", "-q", str(orphan)], check=True)
    ok(idle_guest.uri, "mend", idle_guest.name, "orphan-overlay")
    assert not orphan.exists()
