"""What is told to differ between two views of NTFS is what differs when dissect walks both, whatever was changed."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from snapgui.images.filesystems.changes import Aspect, FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FilesystemError, Kind, lookup
from snapgui.images.filesystems.ntfs import Ntfs
from snapgui.images.filesystems.ntfs_runs import runs
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.difference import Change
from tests.images import ext, ntfs
from tests.images.ext import MIB, Memory
from tests.images.ntfs import Facts
from tests.images.ntfs_changes import Changes, small_tree
from tests.images.test_file_changes import Counting, told

LAYOUTS = {"4k": (), "512": ("-c", "512"), "64k": ("-c", "65536"), "4k-records": ("-s", "4096")}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    where = tmp_path_factory.mktemp("ntfs")
    return {
        name: ntfs.changed(ntfs.make(where / name, *options, size=16 * MIB), small_tree())
        for name, options in LAYOUTS.items()
    }


def truth(
    then: dict[bytes, Facts], later: dict[bytes, Facts]
) -> dict[bytes, tuple[Change, Facts | None, Facts | None]]:
    """Return what differs path by path."""
    found: dict[bytes, tuple[Change, Facts | None, Facts | None]] = {}
    for path in then.keys() | later.keys():
        old, new = then.get(path), later.get(path)
        if old is None or new is None:
            found[path] = (Change.ADDED if old is None else Change.REMOVED, old, new)
            continue
        if below(path, then) != below(path, later):
            old = replace(old, mtime=new.mtime)
        if replace(old, number=new.number, links=new.links, ctime=new.ctime, born=new.born) != new:
            substance = (old.kind, old.content) != (new.kind, new.content)
            found[path] = (Change.CHANGED if substance else Change.METADATA, then[path], later[path])
    return found


def below(path: bytes, known: dict[bytes, Facts]) -> set[tuple[bytes, int]]:
    return {
        (each, facts.number)
        for each, facts in known.items()
        if (each.rpartition(b"/")[0] or b"/") == path and each != b"/"
    }


def changes(then: Path, later: Path, granularity: int) -> list[FileChange]:
    before, after = then.read_bytes(), later.read_bytes()
    changed = ext.differences(before, after, granularity)
    return list(compare(open_filesystem(Memory(before)), open_filesystem(Memory(after)), changed))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(8))
def test_any_change_is_told(tmp_path: Path, trees: dict[str, Path], layout: str, seed: int) -> None:
    chance = random.Random(seed * 31 + len(layout))
    then = Path(shutil.copy(trees[layout], tmp_path / "then"))
    if seed % 2:
        ntfs.changed(then, first := Changes(chance).some(10))
        assert first
    later = Path(shutil.copy(trees[layout], tmp_path / "later"))
    ntfs.changed(later, Changes(chance).some(chance.randrange(1, 15)))
    facts = ntfs.theirs(then), ntfs.theirs(later)
    found = changes(then, later, chance.choice((512, 4096, 65536)))
    assert told(found, *facts) == truth(*facts)


@pytest.mark.parametrize("seed", range(15))
def test_what_was_written_in_part_is_compared_as_a_walk_sees_it(
    tmp_path: Path, trees: dict[str, Path], seed: int
) -> None:
    """Without its log some blocks are newer than others: directories, records and content disagree."""
    chance = random.Random(seed)
    then = trees[chance.choice(("4k", "512"))]
    later = ntfs.changed(Path(shutil.copy(then, tmp_path / "later")), Changes(chance).some(25))
    before, after = then.read_bytes(), bytearray(later.read_bytes())
    for at in ext.differences(before, bytes(after), 4096).starts.tolist():
        if chance.random() < 0.3:
            after[at : at + 4096] = before[at : at + 4096]
    views = open_filesystem(Memory(before)), open_filesystem(Memory(bytes(after)))
    try:
        facts = _without_times(ntfs.ours(views[0])), _without_times(ntfs.ours(views[1]))
    except FilesystemError:
        with pytest.raises(FilesystemError):
            list(compare(*views, Ranges.everything()))
        return
    modified = (Change.METADATA, {Aspect.MODIFIED}, Kind.DIRECTORY)
    found = [
        each
        for each in compare(*views, ext.differences(before, bytes(after), 512))
        if (each.change, each.aspects, each.after and each.after.kind) != modified
    ]
    assert told(found, *facts) == truth(*facts)


def _without_times(facts: dict[bytes, Facts]) -> dict[bytes, Facts]:
    """Leave out when directories were modified: whether that is told depends on names of what is not there any more."""
    return {path: replace(each, mtime=0) if each.kind is Kind.DIRECTORY else each for path, each in facts.items()}


@pytest.mark.parametrize("path", ["/a/f1", "/packed/f3", "/b/c/f9", "/a/f2", "/a/f0"])
def test_content_alone_is_enough(tmp_path: Path, trees: dict[str, Path], path: str) -> None:
    """Windows writes times when it comes to it, and content at any time."""
    then = trees["4k"].read_bytes()
    view = open_filesystem(Memory(then))
    node = lookup(view, path.encode())
    assert node is not None
    assert isinstance(view, Ntfs)
    record = view.table.record(node.number)
    assert record is not None
    name = b"of 70000" if path == "/a/f2" else b""
    (content,) = (each for each in record.attributes() if (each.kind, each.name) == (0x80, name))
    later = bytearray(then)
    if content.value is None:
        ((_, cluster, _), *_) = runs(content.pairs, 0, view.layout.clusters)
        later[cluster * view.layout.cluster_bytes + 3] ^= 1
    else:
        later[then.index(record.raw[:0x28]) + record.raw.index(content.value)] ^= 1
    image = tmp_path / "later"
    image.write_bytes(later)
    (found,) = changes(trees["4k"], image, 512)
    assert found.path == path
    assert found.aspects == {Aspect.ATTRIBUTES if name else Aspect.CONTENT}


def test_what_did_not_change_is_not_read(tmp_path: Path, trees: dict[str, Path]) -> None:
    large = [["create", "/large"], ["write", "/large", "77" * 4_000_000]]
    then = ntfs.changed(Path(shutil.copy(trees["4k"], tmp_path / "then")), large)
    later = ntfs.changed(Path(shutil.copy(then, tmp_path / "later")), [["attrib", "/large", 0x1]])
    before, after = Counting(Memory(then.read_bytes())), Counting(Memory(later.read_bytes()))
    changed = ext.differences(then.read_bytes(), later.read_bytes(), 512)
    (found,) = compare(open_filesystem(before), open_filesystem(after), changed)
    assert found.aspects == {Aspect.FLAGS}
    assert before.read_bytes < 500_000
    assert after.read_bytes < 1_000_000


def test_other_filesystems_are_compared_by_path(tmp_path: Path, trees: dict[str, Path]) -> None:
    """The same files made twice: all that differs is when they were made, and where they lie."""
    other = ntfs.changed(ntfs.make(tmp_path / "other", "-c", "2048"), small_tree())
    ntfs.changed(other, [["delete", "/a/f1"], ["write", "/b/f3", "77", 5], ["create", "/b/new"]])
    views = open_filesystem(Memory(trees["4k"].read_bytes())), open_filesystem(Memory(other.read_bytes()))
    found = {(each.path, each.change) for each in compare(*views) if each.aspects != {Aspect.MODIFIED}}
    assert found == {("/a/f1", Change.REMOVED), ("/b/f3", Change.CHANGED), ("/b/new", Change.ADDED)}
