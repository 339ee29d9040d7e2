"""The list at the left: connections, VMs, their states; and what to do when there is nothing to show."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from snapgui.ui.host import Link
from tests.gui.conftest import Open
from tests.gui.hypervisors import RUNNING, SHUT_OFF, Pretended, uuid_of
from tests.gui.user import CTRL, SHIFT, Key, User

PAUSED = 3


def spoken(user: User) -> list[str]:
    """What a screen reader says of each line."""
    model, lines = user.window.vms_model, []
    for row in range(model.rowCount()):
        head = model.index(row, 0)
        lines.append(head.data(Qt.ItemDataRole.AccessibleTextRole))
        below = [model.index(line, 0, head) for line in range(model.rowCount(head))]
        lines += [f"- {index.data(Qt.ItemDataRole.AccessibleTextRole)}" for index in below]
    return lines


def choose_vm(user: User, name: str) -> None:
    for host in user.window.vms_model.hosts:
        for vm in host.vms:
            if vm.name == name:
                index = user.window.vms_model.find(host, vm.uuid)
                user.window.vms.scrollTo(index)
                user.click(user.window.vms.viewport(), user.window.vms.visualRect(index).center())
                user.wait(lambda: user.window.watcher.known is not None and user.window.watcher.known.vm.name == name)
                return
    pytest.fail(f"no VM {name}")


def test_names_states_and_numbers(open_window: Open, pretend: Callable[..., str]) -> None:
    machines = {
        "beta": Pretended("one*", RUNNING),
        "Alpha": Pretended("base>a base>b*", SHUT_OFF),
        "gamma": Pretended("", PAUSED),
    }
    user = open_window(pretend(machines))
    assert spoken(user) == [
        "Test driver on this computer, 3 VMs",
        "- Alpha, shut off · 3 snapshots",
        "- beta, running · 1 snapshot",
        "- gamma, paused · 0 snapshots",
    ]
    assert user.window.vms.accessibleName() == "Virtual machines"


def test_a_state_that_changes_is_seen(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({"vm": Pretended("", SHUT_OFF)}))
    uuid = uuid_of("vm")
    user.elsewhere(lambda c: (c.domain(uuid).create(), None)[1])
    user.wait(lambda: "- vm, running · 0 snapshots" in spoken(user), 3_000)
    user.elsewhere(lambda c: (c.domain(uuid).suspend(), None)[1])
    user.wait(lambda: "- vm, paused · 0 snapshots" in spoken(user), 3_000)


def test_choosing_another_vm_shows_its_tree(web: User) -> None:
    choose_vm(web, "Empty one")
    web.see("No snapshots yet")
    choose_vm(web, "web01")
    web.wait(lambda: "tls" in web.tree)
    assert web.graph.isVisible()


def test_the_first_snapshot_is_one_button_away(web: User) -> None:
    choose_vm(web, "Empty one")
    web.press("Take Snapshot…", web.pane.empty)
    web.dialog()
    web.key(Key.Key_Return)
    web.job("take")
    web.wait(web.graph.isVisible)
    assert [s.name for s in web.tree] == ["snapshot-1"]


def test_arrow_keys_walk_through_the_list(web: User) -> None:
    web.window.vms.setFocus()
    choose_vm(web, "web01")
    web.key(Key.Key_Up)
    web.wait(lambda: web.window.watcher.known is not None and web.window.watcher.known.vm.name == "Empty one")


def test_a_vm_that_is_removed_while_it_is_shown(web: User) -> None:
    web.elsewhere(lambda c: (c.domain(uuid_of("web01")).undefineFlags(2), None)[1])
    web.see("any more")
    web.wait(lambda: spoken(web) == ["Test driver on this computer, 1 VM", "- Empty one, shut off · 0 snapshots"])


def test_several_connections_at_once(open_window: Open, pretend: Callable[..., str]) -> None:
    one, two = pretend({"first": Pretended("a*")}), pretend({"second": Pretended("b>c*"), "third": Pretended()})
    user = open_window(one, two)
    assert [line for line in spoken(user) if line.startswith("-")] == [
        "- first, shut off · 1 snapshot",
        "- second, shut off · 2 snapshots",
        "- third, shut off · 0 snapshots",
    ]
    choose_vm(user, "second")
    assert [s.name for s in user.tree] == ["b", "c"]
    user.key(Key.Key_T, CTRL | SHIFT)
    user.dialog()
    user.key(Key.Key_Return)
    user.job("take")
    user.wait(lambda: "- second, shut off · 3 snapshots" in spoken(user))
    choose_vm(user, "first")
    assert [s.name for s in user.tree] == ["a"]


def test_add_and_remove_a_connection(open_window: Open, pretend: Callable[..., str]) -> None:
    one, two = pretend({"first": Pretended("a*")}), pretend({"second": Pretended("b*")})
    user = open_window(one)
    user.key(Key.Key_N, CTRL)
    dialog = user.dialog()
    for nonsense in ("", "nonsense", "qemu+ssh://USER@HOST/system", one):
        dialog.uri.setText(nonsense)
        assert not dialog.connect_button.isEnabled(), nonsense
    dialog.uri.setText(two)
    user.press("Connect")
    user.wait(lambda: len(spoken(user)) == 4)
    assert user.window.settings.connections == [two]
    choose_vm(user, "second")
    user.choose("Connection", "Remove Connection")
    user.wait(lambda: spoken(user) == ["Test driver on this computer, 1 VM", "- first, shut off · 1 snapshot"])
    assert user.window.settings.connections == []
    choose_vm(user, "first")
    user.choose("Connection", "Remove Connection")
    user.see("No connection")
    user.press("Add Connection…", user.pane.empty)
    user.dialog()
    user.key(Key.Key_Escape)


def test_the_vm_that_was_asked_for_is_selected(open_window: Open, pretend: Callable[..., str]) -> None:
    uri = pretend({name: Pretended(f"{name}*") for name in ("a", "b", "c")})
    assert [s.name for s in open_window(uri, vm="b").tree] == ["b"]
    assert [s.name for s in open_window(uri, vm=uuid_of("c")).tree] == ["c"]


def test_the_vm_that_was_selected_last_is_selected(open_window: Open, pretend: Callable[..., str]) -> None:
    uri = pretend({name: Pretended(f"{name}*") for name in ("a", "b", "c")})
    first = open_window(uri)
    assert [s.name for s in first.tree] == ["a"]
    choose_vm(first, "c")
    first.window.close()
    assert [s.name for s in open_window(uri).tree] == ["c"]


def test_a_vm_that_was_asked_for_and_is_not_there(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend("a*"), vm="<b>nobody</b>")
    user.see("There is no VM “<b>nobody</b>” here.")


# nothing to show


def test_no_connection(open_window: Open) -> None:
    user = open_window(answered=False)
    user.see("No connection")
    user.see("Add Connection…", user.pane.empty)


def test_a_wrong_address(open_window: Open) -> None:
    user = open_window("qemu:///nonsense", answered=False)
    user.see("The hypervisor does not answer")
    user.see("Try Again Now", user.pane.empty)
    assert spoken(user) == ["QEMU/KVM on this computer, not connected"]
    user.press("Try Again Now", user.pane.empty)
    user.wait(lambda: user.window.vms_model.hosts[0].link is Link.FAILED)


def test_a_socket_that_says_no(open_window: Open) -> None:
    """As root everything is allowed; a policy that says no looks like this from outside."""
    path = Path(os.environ["XDG_RUNTIME_DIR"]) / "dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    user = open_window(f"qemu:///system?socket={path}", answered=False)
    user.see("The hypervisor does not answer")
    user.see("Connection refused")


def test_no_vms(open_window: Open, pretend: Callable[..., str]) -> None:
    user = open_window(pretend({}))
    user.see("No virtual machines here yet")
    assert spoken(user) == ["Test driver on this computer, no VMs"]


def test_a_connection_comes_back_by_itself(open_window: Open, pretend: Callable[..., str], tmp_path: Path) -> None:
    uri = pretend("a*")
    file = Path(uri.removeprefix("test://"))
    hidden = file.rename(tmp_path / "hidden.xml")
    user = open_window(uri, answered=False)
    user.see("The hypervisor does not answer")
    hidden.rename(file)
    user.wait(lambda: "a" in user.tree, 10_000)
