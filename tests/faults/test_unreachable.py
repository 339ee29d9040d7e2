"""No hypervisor, the wrong one, or one that says no: one clear sentence, status 1, nothing hangs."""

import os
import socket
from pathlib import Path

import pytest

from tests.qemu.commands import ok, refused, snapgui
from tests.stacks.access import Access
from tests.stacks.machines import Machine
from tests.stacks.stacks import Stack


@pytest.mark.parametrize(
    "uri",
    [
        "nonsense:///system",
        "qemu:///nonsense",
        "qemu:///system?socket=/no/such/socket",
        "qemu+unix:///system?socket=/dev/null",
        "not a uri",
        "qemu+tcp://127.0.0.1:1/system",
    ],
)
def test_a_wrong_address(uri: str) -> None:
    assert refused(uri, "list")
    assert refused(uri, "take", "vm", "a")


def test_a_socket_that_nobody_listens_at(tmp_path: Path) -> None:
    path = Path(os.environ["XDG_RUNTIME_DIR"]) / "dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "Connection refused" in refused(f"qemu:///system?socket={path}", "list")


def test_a_socket_that_this_user_may_not_use(stack: Stack, user_home: Path) -> None:
    path = Path(os.environ["XDG_RUNTIME_DIR"]) / "locked"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0)
        path.parent.chmod(0o755)
        said = snapgui(Access("user", f"qemu:///system?socket={path}", user_home), "list")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("snapgui: You are not allowed to do this: ")
    assert "Permission denied" in said.err


def test_a_connection_for_looking_only(stack: Stack, idle_guest: Machine) -> None:
    """The read-only socket lists everything and changes nothing."""
    ok(stack.uri, "take", idle_guest.name, "a")
    look = stack.uri + "-ro"
    said = snapgui(look, "tree", idle_guest.name, "--json")
    assert said.status == 0, said.err
    assert [s["name"] for s in said.json["snapshots"]] == ["a"]
    for change in (("take", "b"), ("revert", "a", "--no-safety"), ("delete", "a"), ("edit", "a", "--title", "t")):
        sentence = refused(look, change[0], idle_guest.name, *change[1:])
        assert sentence.startswith("You are not allowed to do this: "), change
    assert [s["name"] for s in ok(stack.uri, "tree", idle_guest.name, "--json").json["snapshots"]] == ["a"]
