"""What is told to differ between two views of NTFS is what differs when dissect walks both, however they were changed."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from snapgui.images.filesystems.changes import Aspect, FileChange
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import lookup
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


def truth(then: dict[bytes, Facts], later: dict[bytes, Facts]) -> dict[bytes, tuple[Change, Facts | None, Facts | None]]:
    """Return what differs path by path."""
    found: dict[bytes, tuple[Change, Facts | None, Facts | None]] = {}
    for path in then.keys() | later.keys():
        old, new = then.get(path), later.get(path)
        if old is None or new is None:
            found[path] = (Change.ADDED if old is None else Change.REMOVED, old, new)
            continue
        if below(path, then) != below(path, later):
            old = replace(old, mtime=new.mtime)
        if replace(old, links=new.links, ctime=new.ctime, born=new.born) != new:
            substance = (old.kind, old.content) != (new.kind, new.content)
            found[path] = (Change.CHANGED if substance else Change.METADATA, then[path], later[path])
    return found


def below(path: bytes, known: dict[bytes, Facts]) -> set[bytes]:
    return {each for each in known if each.rpartition(b"/")[0] == path}


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
