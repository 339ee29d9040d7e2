"""Results of comparisons on disk: what is kept comes back as it was, is bounded, and may be anything after a crash."""

from pathlib import Path

import numpy as np
import pytest

from snapgui.images.difference import Difference
from snapgui.images.disk_map import DiskMap, Part
from snapgui.images.filesystems.changes import Aspect, FileChange, FileFacts
from snapgui.images.filesystems.filesystem import Kind
from snapgui.images.partitions import Partition
from snapgui.model.difference import Change
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations import kept_blocks, kept_files, result_cache
from snapgui.operations.block_difference import Drawn
from snapgui.operations.file_news import FileNews, FilesDiffer, FilesRead, FilesystemDone, FilesystemFound
from snapgui.operations.kept_files import Recording

FILE = FileFacts(12, Kind.SYMLINK, 3, 0o777, 1000, 0, -5, 2, (8, 1), b"\xff\n\0", True, "ab" * 32)
CHANGES = (
    FileChange("/\udcff\n<b>", Change.ADDED, None, FILE),
    FileChange("/b", Change.RENAMED, FILE, FILE, frozenset({Aspect.MODE, Aspect.CONTENT}), "/a"),
)
REMARK = QT_TRANSLATE_NOOP("FileSystem", "So {why}.").format(why="it {is}")
NEWS = (
    FilesystemFound("vda1", "ext4", "root\udcff", True, (REMARK,)),
    FilesDiffer("vda1", CHANGES),
    FilesystemDone("vda1"),
    FilesystemDone("vda2", "it is swap space"),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "snapgui" / "comparisons"


def test_what_is_kept_comes_back(cache: Path) -> None:
    key = result_cache.key_of("files", ("a", "\udcff"))
    assert result_cache.load(key) is None
    result_cache.store(key, b"found" * 1000)
    assert result_cache.load(key) == b"found" * 1000
    assert [path.name for path in cache.iterdir()] == [key]
    assert (cache.stat().st_mode & 0o777, (cache / key).stat().st_mode & 0o777) == (0o700, 0o600)


def test_parts_are_not_mixed_up() -> None:
    keys = {result_cache.key_of(kind, parts) for kind, parts in (("a", ("b", "c")), ("a", ("bc",)), ("ab", ("c",)))}
    assert len(keys) == 3


def test_damage_counts_as_nothing(cache: Path) -> None:
    key = result_cache.key_of("files", ())
    result_cache.store(key, b"found" * 1000)
    whole = (cache / key).read_bytes()
    for damaged in (b"", whole[:-1], whole[:20], whole[:40] + b"\0" + whole[41:], b"\0" * 32 + whole[32:]):
        (cache / key).write_bytes(damaged)
        assert result_cache.load(key) is None


def test_it_is_bounded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_cache, "MOST_BYTES", 30_000)
    keys = [result_cache.key_of("files", (str(number),)) for number in range(5)]
    noise = np.random.default_rng(1)
    for key in keys:
        result_cache.store(key, noise.bytes(10_000))
    kept = [key for key in keys if result_cache.load(key) is not None]
    assert kept[-1] == keys[-1]
    assert 1 < len(kept) < 4
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 30_000


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("in the way")
    result_cache.store("a", b"found")
    assert result_cache.load("a") is None


def test_news_of_files_come_back() -> None:
    assert kept_files.unpacked(kept_files.packed(NEWS)) == NEWS


@pytest.mark.parametrize("text", [b"", b"{}", b"[[1, 2]]", b'[["FilesDiffer", {}]]', b'[["FilesystemDone", {"x": 1}]]'])
def test_other_texts_are_no_news(text: bytes) -> None:
    assert not kept_files.unpacked(text)


def test_too_much_is_passed_on_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "MOST_CHANGES", 3)
    told: list[FileNews] = []
    recording = Recording(told.append)
    for news in (NEWS[0], FilesRead("vda1", 5), NEWS[1]):
        recording(news)
    assert recording.news == [NEWS[0], NEWS[1]]
    recording(NEWS[1])
    assert recording.news is None
    assert len(told) == 4


def test_blocks_come_back() -> None:
    found = Difference(2**40, 65536, np.array([[0, 65536], [2**39, 512]], np.int64))
    disk = DiskMap(2**40, 2**28, np.arange(4096 * len(Part), dtype=np.int64).reshape(4096, len(Part)))
    drawn = Drawn(disk, (Partition(1, 2**20, 2**30, REMARK, "\udcff"),), "so")
    for draw, wanted in ((True, drawn), (False, None)):
        again = kept_blocks.unpacked(kept_blocks.packed(found, drawn), draw=draw)
        assert again is not None
        assert np.array_equal(again[0].extents, found.extents)
        assert (again[0].capacity, again[0].granularity) == (found.capacity, found.granularity)
        if wanted is None:
            assert again[1] is None
        else:
            assert again[1] is not None
            assert np.array_equal(again[1].map.counts, disk.counts)
            assert (again[1].partitions, again[1].why_no_partitions) == (wanted.partitions, wanted.why_no_partitions)
    assert kept_blocks.unpacked(kept_blocks.packed(found, None), draw=True) is None
    assert kept_blocks.unpacked(b"something", draw=False) is None
