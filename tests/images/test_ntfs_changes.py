"""What is told to differ between two views of NTFS is what differs when dissect walks both, whatever was changed."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from snapgui.images.filesystems.changes import Aspect, FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FilesystemError, Kind
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.model.difference import Change
from tests.images import ext, ntfs
from tests.images.ext import MIB, Memory
from tests.images.ntfs import Facts
from tests.images.ntfs_changes import Changes, small_tree
from tests.images.test_file_changes import told

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
