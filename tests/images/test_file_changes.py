"""What is told to differ between two views is what differs when dissect walks both, however they were changed."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems.changes import Aspect, FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import Disk, FileSystem, FilesystemError
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Section
from snapgui.images.layers import Layers, layer
from snapgui.images.source import LocalFile
from snapgui.model.difference import Change
from tests.images import ext, qemu
from tests.images.ext import MIB, Facts, Memory

LAYOUTS = {
    "ext2": ("ext2", "-b", "1024"),
    "ext3": ("ext3", "-b", "4096"),
    "ext4": ("ext4", "-b", "4096"),
    "ext4-1k": ("ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg"),
}
Told = dict[bytes, tuple[Change, Facts | None, Facts | None]]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories a, b, b/c with ten files each, of which every other one is larger than a few blocks."""
    where = tmp_path_factory.mktemp("tree") / "tree"
    for folder in ("a", "b", "b/c"):
        (where / folder).mkdir(parents=True)
        for number in range(10):
            (where / folder / f"f{number}").write_bytes(f"{folder}{number}".encode() * (7000 * (number % 2) + number))
    (where / "a" / "link").symlink_to("f1")
    (where / "a" / "far").symlink_to("f" * 100)
    return where


def both(then: Path, later: Path) -> tuple[FileSystem, FileSystem, Ranges]:
    before, after = then.read_bytes(), later.read_bytes()
    changed = ext.differences(before, after)
    return open_filesystem(Memory(before)), open_filesystem(Memory(after)), changed


def told(changes: list[FileChange], then: dict[bytes, Facts], later: dict[bytes, Facts]) -> Told:
    """Return what was told, path by path: something renamed is gone from one and new at another, with all below it."""
    found: Told = {}
    for each in changes:
        path = each.path.encode("utf-8", "surrogateescape")
        before = (each.path_before or each.path).encode("utf-8", "surrogateescape")
        if each.change is Change.RENAMED:
            assert each.before is not None
            for known, root, change in ((then, before, Change.REMOVED), (later, path, Change.ADDED)):
                below = [one for one in known if one == root or one.startswith(root + b"/")]
                for one in below:
                    sides = (known[one], None) if change is Change.REMOVED else (None, known[one])
                    found[one] = (change, *sides)
        elif before != path:
            assert before in then
            assert found.get(before, (Change.REMOVED,))[0] is Change.REMOVED
        else:
            assert path not in found or found[path][0] is each.change, "only within what was renamed"
            found[path] = (each.change, then.get(path), later.get(path))
    return found


def truth(then: dict[bytes, Facts], later: dict[bytes, Facts]) -> Told:
    """Return what differs path by path."""
    found: Told = {}
    for path in then.keys() | later.keys():
        old, new = then.get(path), later.get(path)
        if old is None or new is None:
            found[path] = (Change.ADDED if old is None else Change.REMOVED, old, new)
            continue
        if _below(path, then) != _below(path, later):
            old = replace(old, mtime=new.mtime)
        old = replace(old, links=new.links)
        if old != new:
            substance = (old.kind, old.content) != (new.kind, new.content)
            found[path] = (Change.CHANGED if substance else Change.METADATA, then[path], later[path])
    return found


def _below(path: bytes, known: dict[bytes, Facts]) -> set[bytes]:
    return {each for each in known if each.rpartition(b"/")[0] == path}


FOLDERS = st.sampled_from(["a", "b", "b/c"])
NAMES = st.sampled_from([f"f{number}" for number in range(6)] + ["new", "other"])
PATHS = st.tuples(FOLDERS, NAMES).map("/".join)
DOING = {
    "rm": ("rm {path}",),
    "write": ("write {fresh} {path}",),
    "mode": ("sif {path} mode 0100711",),
    "mtime": ("sif {path} mtime @1234567890",),
    "zap": ("zap_block -f {path} -p 0x55 0",),
    "move": ("ln {path} {other}", "unlink {path}"),
    "link": ("ln {path} {other}",),
    "mkdir": ("mkdir {path}", "write {fresh} {path}/within"),
    "symlink": ("symlink {path} somewhere",),
}
MAKING = ("write", "mkdir", "symlink")
COMMANDS = st.one_of(
    PATHS.map(lambda path: ("rm", path, "")),
    PATHS.map(lambda path: ("write", path, "")),
    PATHS.map(lambda path: ("mode", path, "")),
    PATHS.map(lambda path: ("mtime", path, "")),
    FOLDERS.flatmap(lambda folder: st.sampled_from([f"{folder}/f1", f"{folder}/f3"])).map(
        lambda path: ("zap", path, "")
    ),
    st.tuples(PATHS, PATHS).map(lambda pair: ("move", *pair)),
    st.tuples(PATHS, PATHS).map(lambda pair: ("link", *pair)),
    PATHS.map(lambda path: ("mkdir", path, "")),
    PATHS.map(lambda path: ("symlink", path, "")),
    st.tuples(st.sampled_from(["b/c", "a", "b"]), st.sampled_from(["a/moved", "moved", "b/moved"])).map(
        lambda pair: ("movedir", *pair)
    ),
)


def apply(image: Path, commands: list[tuple[str, str, str]], fresh: Path) -> None:
    """Do what can be done of it, and let e2fsck put right what debugfs left."""
    taken = {path[1:].decode() for path in ext.theirs(image)}
    said: list[str] = []
    for verb, path, other in commands:
        if verb == "movedir":
            if f"{other}/".startswith(f"{path}/"):
                continue
            said += [f"ln {path} {other}", f"unlink {path}"]
            break
        if (path in taken) is (verb in MAKING) or other in taken:
            continue
        said += [each.format(path=path, other=other, fresh=fresh) for each in DOING[verb]]
        taken |= {other or path} - {""}
        if verb in ("rm", "move"):
            taken.discard(path)
        if verb in ("mkdir", "symlink"):
            break
    if said:
        ext.debugfs(image, *said)
    ext.checked(image)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(COMMANDS, max_size=12))
def test_any_change_is_told(tmp_path: Path, tree: Path, layout: str, commands: list[tuple[str, str, str]]) -> None:
    kind, *options = LAYOUTS[layout]
    then, later, fresh = tmp_path / "then", tmp_path / "later", tmp_path / "fresh"
    if not then.exists():
        ext.checked(ext.make(then, tree, *options, kind=kind, size=16 * MIB))
        fresh.write_bytes(b"fresh" * 3000)
    shutil.copy(then, later)
    apply(later, commands, fresh)
    before, after, changed = both(then, later)
    old, new = ext.theirs(then), ext.theirs(later)
    wanted = truth(old, new)
    found = list(compare(before, after, changed))
    assert told(found, old, new).items() == wanted.items()
    unaided = list(compare(before, after))
    assert {(each.path, each.change) for each in unaided} == {(each.path, each.change) for each in found}
    back = told(list(compare(after, before, changed)), new, old)
    assert back.keys() == wanted.keys()


def changed_by(tmp_path: Path, tree: Path, *commands: str) -> dict[str, FileChange]:
    then = ext.checked(ext.make(tmp_path / "then", tree, size=16 * MIB))
    later = Path(shutil.copy(then, tmp_path / "later"))
    ext.debugfs(later, *commands)
    ext.checked(later)
    return {each.path: each for each in compare(*both(then, later))}


def test_nothing_differs(tmp_path: Path, tree: Path) -> None:
    assert changed_by(tmp_path, tree) == {}


def test_what_is_told_of_a_file(tmp_path: Path, tree: Path) -> None:
    (found,) = changed_by(tmp_path, tree, "sif a/f3 mode 0100600", "sif a/f3 uid 7", "ea_set a/f3 user.a b").values()
    assert (found.path, found.change, found.path_before) == ("/a/f3", Change.METADATA, None)
    assert found.aspects == {Aspect.MODE, Aspect.OWNER, Aspect.ATTRIBUTES}
    assert found.before is not None
    assert found.after is not None
    assert (found.before.mode, found.after.mode) == (0o644, 0o600)
    assert (found.after.uid, found.after.size, found.after.sha256) == (7, 3 * 0 + len("a3") * 7003, None)


def test_renamed_directories_are_one_change(tmp_path: Path, tree: Path) -> None:
    found = changed_by(tmp_path, tree, "ln b/c a/moved", "unlink b/c", "sif a/moved/f1 mode 0100600")
    assert {(path, each.change, each.path_before) for path, each in found.items()} == {
        ("/a/moved", Change.RENAMED, "/b/c"),
        ("/a/moved/f1", Change.METADATA, "/b/c/f1"),
    }


def test_renamed_out_of_what_is_removed(tmp_path: Path, tree: Path) -> None:
    gone = [f"rm b/c/f{number}" for number in range(10) if number != 3]
    found = changed_by(tmp_path, tree, "ln b/c/f3 kept", "unlink b/c/f3", *gone, "rmdir b/c")
    assert found["/kept"].change is Change.RENAMED
    assert found["/kept"].path_before == "/b/c/f3"
    assert {each.change for path, each in found.items() if path != "/kept"} == {Change.REMOVED}
    assert len(found) == 11


def test_renamed_and_changed(tmp_path: Path, tree: Path) -> None:
    found = changed_by(tmp_path, tree, "ln a/f1 a/g1", "unlink a/f1", "zap_block -f a/g1 -p 0x55 1")
    assert (found["/a/g1"].change, found["/a/g1"].aspects) == (Change.RENAMED, {Aspect.CONTENT})


def test_content_that_changed_behind_its_inode(tmp_path: Path, tree: Path) -> None:
    found = changed_by(tmp_path, tree, "zap_block -f b/c/f9 -p 0x55 3")
    assert [(path, each.aspects) for path, each in found.items()] == [("/b/c/f9", {Aspect.CONTENT})]


def test_a_file_that_became_a_directory(tmp_path: Path, tree: Path) -> None:
    found = changed_by(tmp_path, tree, "rm a/f1", "mkdir a/f1", "ln a/f2 a/f1/f2", "unlink a/f2")
    assert (found["/a/f1"].change, found["/a/f1"].aspects >= {Aspect.KIND}) == (Change.CHANGED, True)
    assert (found["/a/f1/f2"].change, found["/a/f1/f2"].path_before) == (Change.RENAMED, "/a/f2")
    assert len(found) == 2


def test_devices_and_links(tmp_path: Path, tree: Path) -> None:
    found = changed_by(
        tmp_path,
        tree,
        "rm a/link",
        "symlink a/link f2",
        "cd a",
        "mknod null c 1 3",
        "cd /",
        "rm a/far",
        f"symlink a/far {'g' * 100}",
    )
    assert found["/a/link"].aspects >= {Aspect.TARGET}
    assert found["/a/far"].aspects >= {Aspect.TARGET}
    added = found["/a/null"].after
    assert added is not None
    assert added.device == (1, 3)


def test_other_filesystems_are_compared_by_path(tmp_path: Path, tree: Path) -> None:
    then = ext.make(tmp_path / "then", tree, "-b", "1024", size=16 * MIB)
    later = ext.make(tmp_path / "later", tree, "-b", "4096", kind="ext3", size=24 * MIB)
    assert list(compare(ext.opened(then), ext.opened(later))) == []
    ext.debugfs(later, "rm a/f1", "ln a/f2 a/g2", "unlink a/f2", "zap_block -f a/f3 -p 0x55 0", "mkdir d", "mkdir d/e")
    ext.checked(later)
    found = {(each.path, each.change) for each in compare(ext.opened(then), ext.opened(later))}
    assert found == {
        ("/a/f1", Change.REMOVED),
        ("/a/f2", Change.REMOVED),
        ("/a/g2", Change.ADDED),
        ("/a/f3", Change.CHANGED),
        ("/d", Change.ADDED),
        ("/d/e", Change.ADDED),
    }


class Counting:
    """A disk that counts what is read from it."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self.size, self.read_bytes = disk, disk.size, 0

    def read(self, offset: int, length: int) -> bytes:
        self.read_bytes += length
        return self.disk.read(offset, length)


def test_what_did_not_change_is_not_read(tmp_path: Path, tree: Path) -> None:
    then = ext.make(tmp_path / "then", tree, "-b", "1024", size=16 * MIB)
    content = tmp_path / "content"
    content.write_bytes(bytes(range(256)) * 20_000)
    ext.debugfs(then, f"write {content} large")
    later = Path(shutil.copy(then, tmp_path / "later"))
    ext.debugfs(later, "sif large mode 0100600")
    before, after = Counting(Memory(then.read_bytes())), Counting(Memory(later.read_bytes()))
    changed = ext.differences(then.read_bytes(), later.read_bytes(), 1024)
    (found,) = compare(open_filesystem(before), open_filesystem(after), changed)
    assert found.aspects == {Aspect.MODE}
    assert before.read_bytes < 100_000
    assert after.read_bytes < 3 * MIB, "the tables of inodes, and no content"


def test_views_of_an_overlay(tmp_path: Path, tree: Path) -> None:
    """As the window does it: a partition within a disk, and an image over it."""
    offset = MIB
    then = ext.checked(ext.make(tmp_path / "then", tree, size=16 * MIB))
    later = Path(shutil.copy(then, tmp_path / "later"))
    ext.debugfs(later, "rm a/f1", "sif b/f3 mode 0100600")
    base, overlay = tmp_path / "base.raw", tmp_path / "overlay.qcow2"
    base.write_bytes(bytes(offset) + then.read_bytes() + bytes(offset))
    qemu.create(overlay, base.stat().st_size, base=base, base_format="raw")
    pieces = ext.differences(then.read_bytes(), later.read_bytes())
    for at, end in zip(pieces.starts.tolist(), pieces.ends.tolist(), strict=True):
        source = tmp_path / "piece"
        source.write_bytes(later.read_bytes()[at:end])
        qemu.io(overlay, f"write -q -s {source} {offset + at} {end - at}")
    with LocalFile(base) as below, LocalFile(overlay) as above:
        views = (Layers([layer(below, "raw")]), Layers([layer(above, "qcow2"), layer(below, "raw")]))
        opened = [open_filesystem(Section(view, offset, 16 * MIB)) for view in views]
        found = {(each.path, each.change) for each in compare(*opened, pieces)}
    assert found == {("/a/f1", Change.REMOVED), ("/b/f3", Change.METADATA)}


def test_a_directory_is_entered_once(tmp_path: Path, tree: Path) -> None:
    then = ext.make(tmp_path / "then", tree, size=16 * MIB)
    later = Path(shutil.copy(then, tmp_path / "later"))
    ext.debugfs(later, "ln b/c a/again", "ln b/c a/more", "sif b/c mode 040700")
    with pytest.raises(FilesystemError, match="two places"):
        list(compare(ext.opened(then), ext.opened(later)))


def test_ranges() -> None:
    ranges = Ranges([(10, 20), (0, 5), (5, 7), (12, 30), (40, 40)])
    assert list(zip(ranges.starts.tolist(), ranges.ends.tolist(), strict=True)) == [(0, 7), (10, 30)]
    assert list(ranges.within(6, 12)) == [(6, 7), (10, 12)]
    assert not list(ranges.within(7, 10))
    assert not list(ranges.within(15, 15))
    assert [ranges.touches(*place) for place in ((7, 10), (29, 40), (30, 99))] == [False, True, False]
    assert (ranges | Ranges([(7, 10)])).starts.tolist() == [0]
    assert not Ranges()


@settings(max_examples=60)
@given(reads=st.lists(st.tuples(st.integers(-5, 70_000), st.integers(0, 9000)), max_size=20))
def test_a_section_is_a_part_of_a_disk(reads: list[tuple[int, int]]) -> None:
    class Whole:
        virtual_bytes = 65_000

        def read(self, start: int, length: int) -> bytes:
            return content[start : start + length]

    content = bytes(number * 7 % 251 for number in range(65_000))
    part = Section(Whole(), 1000, 60_000)
    for offset, length in reads:
        wanted = content[1000:61_000][offset : offset + length] if offset >= 0 else b""
        assert part.read(offset, length) == wanted
    assert Section(Whole(), 64_000).size == 1000
    assert Section(Whole(), 70_000).read(0, 10) == b""
