"""FAT and exFAT: each file as dissect and the kernel read it, and what differs between two views."""

import random
import shutil
import stat
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems import fat_table
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.fat import Fat, open_fat
from snapgui.images.filesystems.filesystem import FileSystem, FilesystemError, Kind, entries
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.model.difference import Change
from tests.images import ext, fat
from tests.images.ext import MIB, Facts, Memory, run, tool
from tests.images.linux import run_in_linux
from tests.images.test_file_changes import both, told, truth

pytestmark = pytest.mark.xdist_group("fat")

NAMES = (
    "plain.txt", "UPPER.TXT", "Mixed Case.Text", "ünïcödé – 名前.txt", "&amp;(b)",
    "x" * 251 + ".end", "a'quote.txt", "many.dots.in.it", "%41", "sp ace", "[brackets]", "noext", "~tilde~1.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories a, a/b with small, empty and larger files and names of all sorts."""
    where = tmp_path_factory.mktemp("fat") / "tree"
    chance = random.Random(1)
    for folder in ("a", "a/b"):
        (where / folder).mkdir(parents=True)
        for number in range(8):
            (where / folder / f"f{number}").write_bytes(chance.randbytes(number * 3001))
    for name in NAMES:
        (where / "a" / name).write_text(name)
    deep = where / "deep"
    for number in range(12):
        deep /= f"level {number}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("here")
    return where


def filled(path: Path, layout: str, tree: Path) -> Path:
    made = fat.make(path, layout)
    fat.mtools(made, "mcopy", "-s", "-m", "-Q", *(str(each) for each in sorted(tree.iterdir())), "::/")
    return fat.checked(made)


def ours(filesystem: FileSystem) -> dict[bytes, Facts]:
    """Return what our reader reads, by path."""
    found: dict[bytes, Facts] = {}
    for path, node in ((entry.path, entry.node) for entry in entries(filesystem)):
        kind = stat.S_IFDIR if node.kind is Kind.DIRECTORY else stat.S_IFREG
        content = filesystem.read(node.number, 0, node.size) if node.kind is Kind.FILE else b""
        found[path] = Facts(kind, node.flags, 0, 0, node.mtime_ns // 10**9, 1, content)
    return found


@pytest.mark.parametrize("layout", fat.LAYOUTS)
def test_files_are_what_dissect_reads(layout: str, tree: Path, tmp_path: Path) -> None:
    image = filled(tmp_path / "image", layout, tree)
    fat.mtools(image, "mattrib", "+h", "+r", "::/a/f1")
    fat.mtools(image, "mattrib", "+s", "::/a/b")
    fat.mtools(image, "mdel", "::/a/f2")
    content = image.read_bytes()
    view = open_filesystem(Memory(content))
    found = ours(view)
    assert found == fat.theirs(content)
    assert {f"/a/{name}".encode() for name in NAMES} <= found.keys()
    assert (found[b"/a/f1"].mode & 3, found[b"/a/b"].mode & 4) == (3, 4)
    assert (view.name, view.label, view.uuid) == (layout.partition("-")[0], "A LABEL", "1234-ABCD")
    assert not view.unclean
    assert "time zone" in str(view.remarks[0])


VERBS = ("write", "delete", "move", "moveaway", "mkdir", "attribute", "deltree")
PATHS = st.tuples(
    st.sampled_from(["a", "a/b"]), st.sampled_from([f"f{number}" for number in range(6)] + ["new", "A long name"])
).map("/".join)


@pytest.mark.parametrize("layout", ["fat12", "fat16", "fat32"])
@given(
    commands=st.lists(st.tuples(st.sampled_from(VERBS), PATHS, PATHS), min_size=1, max_size=8), seed=st.integers(0, 9)
)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_differs_is_what_two_walks_find(
    layout: str, tree: Path, tmp_path: Path, commands: list[tuple[str, str, str]], seed: int
) -> None:
    then = tmp_path / layout
    if not then.exists():
        filled(then, layout, tree)
    later = Path(shutil.copy(then, tmp_path / "later"))
    fresh = tmp_path / "fresh"
    fresh.write_bytes(random.Random(seed).randbytes(seed * 2000))
    for verb, path, other in commands:
        change(later, verb, path, other, fresh)
    before, after, changed = both(then, later)
    olds, news = fat.theirs(then.read_bytes()), fat.theirs(later.read_bytes())
    wanted = {path: (each[0], *each[1:]) for path, each in truth(olds, news).items()}
    assert told(list(compare(before, after, changed)), olds, news) == wanted
    assert told(list(compare(before, after)), olds, news) == wanted, "without knowing what differs"


def change(image: Path, verb: str, path: str, other: str, fresh: Path) -> None:
    """Do one thing; what cannot be done is not."""
    match verb:
        case "write":
            fat.mtools(image, "mcopy", "-o", str(fresh), f"::/{path}", may_fail=True)
        case "delete":
            fat.mtools(image, "mdel", f"::/{path}", may_fail=True)
        case "move":
            fat.mtools(image, "mren", f"::/{path}", other.rpartition("/")[2], may_fail=True)
        case "moveaway":
            fat.mtools(image, "mmove", "-D", "s", f"::/{path}", f"::/{other.rpartition('/')[0]}", may_fail=True)
        case "mkdir":
            fat.mtools(image, "mmd", "-D", "s", f"::/{path}", may_fail=True)
        case "attribute":
            fat.mtools(image, "mattrib", "+h", "-a", f"::/{path}", may_fail=True)
        case _:
            fat.mtools(image, "mdeltree", f"::/{path}", may_fail=True)


def test_a_renamed_file_is_known_again(tree: Path, tmp_path: Path) -> None:
    then = filled(tmp_path / "then", "fat16", tree)
    later = Path(shutil.copy(then, tmp_path / "later"))
    fat.mtools(later, "mren", "::/a/f3", "another name")
    fat.mtools(later, "mmove", "::/a/b", "::/deep")
    before, after, changed = both(then, later)
    found = {(each.change, each.path_before, each.path) for each in compare(before, after, changed)}
    assert found == {(Change.RENAMED, "/a/f3", "/a/another name"), (Change.RENAMED, "/a/b", "/deep/b")}


def test_what_the_table_alone_changes_is_found(tree: Path, tmp_path: Path) -> None:
    """Two clusters of a file exchanged: its entry is the same, and no cluster of it was written."""
    content = bytearray(filled(tmp_path / "then", "fat16", tree).read_bytes())
    then = bytes(content)
    view = open_filesystem(Memory(then))
    assert isinstance(view, Fat)
    number = next(entry.node.number for entry in entries(view) if entry.path == b"/a/f7")
    table = view.layout.table_at
    for cluster, following in ((number, number + 2), (number + 2, number + 1), (number + 1, number + 3)):
        content[table + 2 * cluster : table + 2 * cluster + 2] = following.to_bytes(2, "little")
    after = open_filesystem(Memory(bytes(content)))
    changes = list(compare(view, after, ext.differences(then, bytes(content))))
    assert [(each.path, each.change) for each in changes] == [("/a/f7", Change.CHANGED)]


LINUX = """
for kind in vfat exfat; do
    disk=/dev/vda; [ $kind = exfat ] && disk=/dev/vdb
    mkdir -p /mnt; options=iocharset=utf8; [ $kind = vfat ] && options=utf8,tz=UTC
    mount -t $kind -o $options $disk /mnt
    cd /mnt
    {script}
    echo "in $kind"
    find . -mindepth 1 -type d | while read -r path; do echo "$(stat -c %Y "$path") - $path"; done
    find . -type f | while read -r path; do echo "$(stat -c %Y "$path") $(sha256sum <"$path" | cut -c1-64) $path"; done
    sync
    cd /
    {afterwards}
done
"""
FILL = """
    mkdir -p 'a/b/c d' many
    i=0; while [ $i -lt 60 ]; do dd if=/dev/urandom of="a/b/f$i" bs=701 count=$i 2>/dev/null; i=$((i+1)); done
    i=0; while [ $i -lt 300 ]; do echo $i >"many/a rather long name of a file that takes entries $i"; i=$((i+1)); done
    echo text >'ünïcödé – 名前.txt'; echo beyond >'😀 astral'; touch empty; mkdir hollow
    dd if=/dev/urandom of=large bs=65536 count=40 2>/dev/null
"""
CHANGES = """
    rm a/b/f3 a/b/f50 'many/a rather long name of a file that takes entries 7'
    i=0; while [ $i -lt 20 ]; do echo new $i >"a/new $i"; i=$((i+1)); done
    mv a/b/f10 'a/b/c d/moved'; mv many 'many more'
    dd if=/dev/urandom of=large bs=4096 count=1 seek=100 conv=notrunc 2>/dev/null
    dd if=/dev/urandom of=fragmented bs=4096 count=200 2>/dev/null
    truncate -s 5000 a/b/f40; truncate -s 100000 a/b/f41; touch -d '2001-02-03 04:05:06' a/b/f42
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path, str, str]]:
    """Of vfat and exfat: both images (the later one in use), and what the kernel told of each."""
    where = tmp_path_factory.mktemp("kernels")
    disks = (where / "vfat.raw", where / "exfat.raw")
    for disk in disks:
        with disk.open("wb") as file:
            file.truncate(64 * MIB)
    run(tool("mkfs.fat"), "-F", "32", "-s", "1", str(disks[0]))
    run(tool("mkfs.exfat"), "-L", "the label", "-c", "4K", str(disks[1]))
    modules = ("vfat", "exfat", "nls_utf8", "nls_cp437", "nls_ascii", "nls_iso8859_1")
    told_then = run_in_linux(disks, LINUX.format(script=FILL, afterwards="umount /mnt"), modules)
    then = [Path(shutil.copy(disk, disk.with_suffix(".then"))) for disk in disks]
    told_now = run_in_linux(
        disks, LINUX.format(script=CHANGES, afterwards="mkdir -p /mnt2; mount --move /mnt /mnt2"), modules, kill=True
    )
    return {
        kind: (then[at], disks[at], section_of(told_then, kind), section_of(told_now, kind))
        for at, kind in enumerate(("vfat", "exfat"))
    }


def section_of(said: str, kind: str) -> str:
    assert f"in {kind}\n" in said, said
    return said.partition(f"in {kind}\n")[2].partition("in exfat\n")[0]


def kernel_truth(said: str) -> dict[str, tuple[int, str]]:
    found = {}
    for line in said.splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[2].startswith("./"):
            found[parts[2][1:]] = (int(parts[0]), parts[1])
    return found


def summed(view: FileSystem) -> dict[str, tuple[int, str]]:
    found = {}
    for entry in entries(view):
        node = entry.node
        content = view.read(node.number, 0, node.size)
        total = sha256(content).hexdigest() if node.kind is Kind.FILE else "-"
        found[entry.shown] = (node.mtime_ns // 10**9, total)
    return found


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_files_are_what_the_kernel_reads(kernels: dict[str, tuple[Path, Path, str, str]], kind: str) -> None:
    then, later, told_then, told_now = kernels[kind]
    for path, said, in_use in ((then, told_then, False), (later, told_now, kind == "vfat")):
        view = open_filesystem(Memory(path.read_bytes()))
        wanted = kernel_truth(said)
        assert len(wanted) > 360
        assert summed(view) == wanted
        assert view.unclean is in_use
        assert any("was in use" in str(remark) for remark in view.remarks) is in_use
    if kind == "exfat":  # Linux calls it clean with every sync
        content = bytearray(later.read_bytes())
        content[106] |= 2
        assert open_filesystem(Memory(bytes(content))).unclean
    assert (view.name, view.label) == (("exfat", "the label") if kind == "exfat" else ("fat32", ""))


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_what_a_kernel_changed_is_found(kernels: dict[str, tuple[Path, Path, str, str]], kind: str) -> None:
    then, later, told_then, told_now = kernels[kind]
    before, after, changed = both(then, later)
    olds, news = kernel_truth(told_then), kernel_truth(told_now)
    changes = list(compare(before, after, changed))
    for listed, path_of, gone in (
        (olds, lambda each: each.path_before or each.path, Change.REMOVED),
        (news, lambda each: each.path, Change.ADDED),
    ):
        named = {path_of(each) for each in changes if each.change is gone}
        renamed = {path_of(each) for each in changes if each.change is Change.RENAMED}
        other = news if listed is olds else olds
        wanted = {path for path in listed if path not in other}
        assert (
            named | {path for path in wanted if any(path == one or path.startswith(f"{one}/") for one in renamed)}
            == wanted
        )
    contents = {each.path for each in changes if each.change is Change.CHANGED}
    assert contents == {path for path in news if path in olds and news[path][1] != olds[path][1]}
    renamed_to = {(each.path_before, each.path) for each in changes if each.change is Change.RENAMED}
    assert {("/a/b/f10", "/a/b/c d/moved"), ("/many", "/many more")} <= renamed_to
    assert "/a/b/f42" in {each.path for each in changes if each.change is Change.METADATA}


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32", "exfat"])
def test_damage_gives_errors(
    kind: str, tree: Path, tmp_path: Path, kernels: dict[str, tuple[Path, Path, str, str]]
) -> None:
    image = kernels["exfat"][0] if kind == "exfat" else filled(tmp_path / "image", kind, tree)
    content = image.read_bytes()
    view = open_fat(Memory(content))
    chance = random.Random(7)
    heap = view.layout.heap_at
    tables = [(0, 128), (view.layout.table_at, view.layout.table_at + 600), (heap, heap + 4000)]
    outcomes = {True: 0, False: 0}
    for number in range(80):
        changed = bytearray(content)
        low, high = chance.choice(tables)
        for _ in range(chance.choice((1, 3, 10))):
            changed[chance.randrange(low, high)] = chance.choice((0, 1, 2, 0xFF, chance.randrange(256)))
        outcomes[survives(bytes(changed[: len(content) if number % 5 else chance.randrange(len(content))]), view)] += 1
    assert min(outcomes.values()) > 3


def survives(content: bytes, other: FileSystem) -> bool:
    try:
        view = open_fat(Memory(content))
        ours(view)
        list(compare(other, view))
        list(compare(view, other, ext.Ranges([(0, 10_000)])))
    except FilesystemError:
        return False
    return True


def test_crafted_sizes_cost_no_memory(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(filled(tmp_path / "image", "fat32", tree).read_bytes())
    content[32:36] = b"\xff" * 4
    content[36:40] = b"\xff\xff\xff\x00"
    tracemalloc.start()
    with pytest.raises(FilesystemError):
        open_fat(Memory(bytes(content)))
    assert tracemalloc.get_traced_memory()[1] < 128 * MIB
    tracemalloc.stop()
    monkeypatch.setattr(fat_table, "MOST_BYTES", 1000)
    with pytest.raises(FilesystemError, match="larger than any FAT"):
        open_fat(Memory(filled(tmp_path / "image", "fat32", tree).read_bytes()))
