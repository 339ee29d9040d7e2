"""``snapgui diff --files`` on real hypervisors: what a guest did to its files, with its journal replayed."""

from typing import Any

from snapgui.operations import result_cache
from snapgui.operations.file_news import FilesystemDone, FilesystemFound
from snapgui.operations.kept_files import packed, unpacked
from snapgui.operations.paths import cache_directory
from tests.images import qemu
from tests.qemu.commands import ok, refused, result
from tests.stacks.access import Access
from tests.stacks.machines import Machine

EXTERNAL = ("--kind", "external", "--memory", "none")


def test_what_a_running_guest_did(access: Access, guest: Machine) -> None:
    """The snapshots are taken while it runs: what it has written last is in the journal alone."""
    vm = guest.name
    guest.channel.run("mkdir /data/etc; echo old >/data/etc/conf; echo x >/data/gone; echo y >/data/moved; sync")
    ok(guest.uri, "take", vm, "a", *EXTERNAL)
    guest.channel.run(
        "echo new >/data/etc/conf; rm /data/gone; mv /data/moved /data/etc/there; chmod 600 /data/etc;"
        " printf 'z%.0s' 1 2 3 >/data/fresh; sync"
    )
    ok(guest.uri, "take", vm, "b", *EXTERNAL)
    pool = guest.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{vm}</name><target><path>{guest.directory}</path></target></pool>", 0
    )
    try:
        found: dict[str, Any] = result(access, "diff", vm, "a", "b", "--files")
        assert found.keys() == {"vm", "from", "to", "files"}
        (name,) = found["files"]
        assert name == "vda"
        assert (found["files"][name]["filesystem"], found["files"][name]["unclean"]) == ("ext4", False)
        changes = {change["path"]: change for change in found["files"][name]["changes"]}
        kinds = {path: change["change"] for path, change in changes.items()}
        data = {path: kind for path, kind in kinds.items() if path.rpartition("/")[2] in NAMES}
        assert sorted(data.values()) == ["added", "changed", "metadata", "removed", "renamed"]
        fresh = next(change for path, change in changes.items() if path.endswith("fresh"))
        assert (fresh["before"], fresh["after"]["size"], fresh["after"]["sha256"]) == (None, 3, None)
        moved = next(change for change in changes.values() if change["change"] == "renamed")
        assert moved["path_before"].endswith("moved")
        assert moved["path"].endswith("etc/there")
        conf = next(path for path in changes if path.endswith("etc/conf"))
        for snapshot, wanted in (("a", "old\n"), ("b", "new\n")):
            assert ok(access, "cat", f"{vm}@{snapshot}", "vda", conf).out == wanted
        assert refused(access, "cat", f"{vm}@a", "vdq", conf) == "There is no disk or partition vdq; there are: vda."
        assert refused(access, "cat", f"{vm}@a", "vda1", conf) == "There is no partition vda1."
        assert refused(access, "cat", f"{vm}@a", "vda", "/../nothing") == "There is no file /../nothing."
        assert refused(access, "cat", f"{vm}@a", "vda", "/") == "/ is no file with content."
        assert result(access, "diff", vm, "a", "a", "--files")["files"][name]["changes"] == []
    finally:
        pool.destroy()


NAMES = {"conf", "gone", "etc", "there", "fresh"}


def test_what_is_no_filesystem_is_said(idle_guest: Machine) -> None:
    vm = idle_guest.name
    ok(idle_guest.uri, "take", vm, "a", "--kind", "external")
    assert ok(idle_guest.uri, "diff", vm, "a", "--files").out.splitlines()[0] == "vda: ext4, 0 differences"
    overlay = next(idle_guest.directory.glob("*.a.qcow2"))
    qemu.io(overlay, "write -P 7 0 64k")
    said = result(idle_guest.uri, "diff", vm, "a", "--files")["files"]["vda"]
    assert (said["filesystem"], said["changes"]) == (None, [])
    assert said["problem"] == "after: no filesystem that is known here lies on it"


def test_what_is_frozen_is_read_once(idle_guest: Machine) -> None:
    """The second answer comes from the cache, and a snapshot of the same name is another one."""
    vm, uri = idle_guest.name, idle_guest.uri
    for name in ("a", "b"):
        ok(uri, "take", vm, name, "--kind", "internal")
    first = result(uri, "diff", vm, "a", "b", "--files", "--blocks")
    assert result(uri, "diff", vm, "a", "b", "--files", "--blocks") == first
    kept = {path.name: result_cache.load(path.name) or b"" for path in (cache_directory() / "comparisons").iterdir()}
    assert len(kept) == len(("files", "blocks"))
    key = next(name for name, content in kept.items() if unpacked(content))
    result_cache.store(key, packed([FilesystemFound("vda", "made up"), FilesystemDone("vda")]))
    assert result(uri, "diff", vm, "a", "b", "--files")["files"]["vda"]["filesystem"] == "made up"
    ok(uri, "delete", vm, "b")
    ok(uri, "take", vm, "b", "--kind", "internal")
    assert result(uri, "diff", vm, "a", "b", "--files")["files"] == first["files"]
    assert result(uri, "diff", vm, "a", "--files")["files"] == first["files"], "now is not frozen"
    assert len(list((cache_directory() / "comparisons").iterdir())) == len(kept) + 1
