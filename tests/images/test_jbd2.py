"""A journal that was not written back is replayed as e2fsck replays it; where it is damaged, that is said."""

import contextlib
import os
import re
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import FilesystemError, lookup
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.model.difference import Change
from tests.images import ext
from tests.images.ext import MIB, Memory

BLOCK = 1024
MAGIC = b"\xc0\x3b\x39\x98"
SORTS = {
    "plain": ("^64bit,^metadata_csum", ""),
    "plain-64bit": ("64bit,^metadata_csum", ""),
    "sums-1": ("^64bit,^metadata_csum", "-c -v 1"),
    "sums-2": ("^64bit", "-c -v 2"),
    "sums-2-64bit": ("64bit", "-c -v 2"),
    "sums-3": ("^64bit", "-c -v 3"),
    "sums-3-64bit": ("64bit", "-c -v 3"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("tree") / "tree"
    (where / "there").mkdir(parents=True)
    for number in range(30):
        (where / "there" / f"file {number}").write_bytes(bytes([number]) * number * 300)
    (where / "escaped").write_bytes(b"x" * BLOCK)
    return where


class Journalled:
    """A filesystem (``then``) with a journal that makes another one of it (``later``), in two transactions."""

    def __init__(self, where: Path, tree: Path, sort: str, *features: str) -> None:
        self.where = where
        options, self.how = SORTS[sort]
        self.then = ext.make(
            where / "then", tree, "-b", str(BLOCK), "-O", ",".join([options, *features]), "-J", "size=4", size=16 * MIB
        )
        self.later = Path(shutil.copy(self.then, where / "later"))
        self._change()
        before, after = self.then.read_bytes(), self.later.read_bytes()
        self.blocks = [
            at // BLOCK
            for at in range(2 * BLOCK, len(before), BLOCK)
            if before[at : at + BLOCK] != after[at : at + BLOCK]
        ]
        self.contents = {block: after[block * BLOCK : block * BLOCK + BLOCK] for block in self.blocks}

    def _change(self) -> None:
        fresh = self.where / "fresh"
        fresh.write_bytes(os.urandom(20_000))
        escaped = self.where / "escaped"
        escaped.write_bytes(MAGIC + b"y" * (BLOCK - 4))
        ext.debugfs(
            self.later,
            f"write {fresh} fresh",
            "mkdir made",
            'rm "there/file 3"',
            'sif "there/file 4" mode 0100600',
            "rm escaped",
            f"write {escaped} escaped",
        )

    def write(self, *transactions: str) -> Path:
        """Write transactions: arguments of jw, with ``{name}`` for a file made by ``logged``."""
        ext.debugfs(self.then, f"jo {self.how}", *(f"jw {each}" for each in transactions), "jc")
        return self.then

    def logged(self, name: str, contents: dict[int, bytes]) -> str:
        """Return the arguments for writing some blocks."""
        path = self.where / name
        path.write_bytes(b"".join(contents.values()))
        return f"-b {','.join(map(str, contents))} {path}"

    def two(self) -> Path:
        """Write all of it: half of the blocks is rubbish in the first transaction, and right in the second."""
        half = self.blocks[: len(self.blocks) // 2]
        first = {block: b"rubbish!" * (BLOCK // 8) if block in half else self.contents[block] for block in self.blocks}
        second = {block: self.contents[block] for block in half}
        return self.write(self.logged("first", first), self.logged("second", second))


def journal_block(image: Path, number: int) -> int:
    """Return where a block of the journal lies, in bytes."""
    return int(re.findall(r"^(\d+)$", ext.debugfs(image, f"bmap <8> {number}"), re.MULTILINE)[0]) * BLOCK


def put(image: Path, place: int, content: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(place)
        file.write(content)


@pytest.mark.parametrize("sort", SORTS)
def test_replayed_as_by_e2fsck(tree: Path, tmp_path: Path, sort: str) -> None:
    made = Journalled(tmp_path, tree, sort)
    untouched = ext.ours(ext.opened(made.then))
    image = made.two()
    view = ext.opened(image)
    found = ext.ours(view)
    assert (view.replayed, view.unclean, view.remarks) == (True, False, ())
    assert found == ext.ours(ext.opened(made.later))
    assert found != untouched
    assert found[b"/escaped"].content.startswith(MAGIC)
    assert found == ext.ours(ext.opened(ext.checked(Path(shutil.copy(image, tmp_path / "checked")))))


@pytest.mark.parametrize("sort", ["plain", "sums-3-64bit"])
def test_what_a_journal_has_is_a_change(tree: Path, tmp_path: Path, sort: str) -> None:
    made = Journalled(tmp_path, tree, sort)
    then = ext.opened(made.then)
    before = made.then.read_bytes()
    image = made.two()
    changed = ext.differences(before, image.read_bytes(), 4096)
    found = {(each.path, each.change) for each in compare(then, ext.opened(image), changed)}
    assert found == {
        ("/fresh", Change.ADDED),
        ("/made", Change.ADDED),
        ("/there/file 3", Change.REMOVED),
        ("/there/file 4", Change.METADATA),
        ("/escaped", Change.CHANGED),
    }


@pytest.mark.parametrize("sort", ["plain", "plain-64bit", "sums-2", "sums-3-64bit"])
def test_what_was_revoked_is_not_written(tree: Path, tmp_path: Path, sort: str) -> None:
    made = Journalled(tmp_path, tree, sort)
    node = lookup(ext.opened(made.then), b"/escaped")
    assert node is not None
    extents = ext.opened(made.then).extents(node.number)
    assert extents is not None
    block, other = int(extents[0, 1]) // BLOCK, made.blocks[0]
    rest = made.logged("second", {other: made.contents[other]})
    image = made.write(made.logged("first", {block: b"z" * BLOCK}), f"-r {block} {rest}")
    view = ext.opened(image)
    assert (view.replayed, view.unclean) == (True, False)
    assert ext.ours(view)[b"/escaped"].content == b"x" * BLOCK
    again = made.write(made.logged("third", {block: b"w" * BLOCK}))
    assert ext.ours(ext.opened(again))[b"/escaped"].content == b"w" * BLOCK, "written once more after that"


def test_what_was_not_committed_is_not_written(tree: Path, tmp_path: Path) -> None:
    made = Journalled(tmp_path, tree, "sums-3")
    untouched = ext.ours(ext.opened(made.then))
    image = made.write("-c " + made.logged("first", made.contents))
    view = ext.opened(image)
    assert ext.ours(view) == untouched
    assert not view.unclean


def test_a_journal_with_nothing_in_it(tree: Path, tmp_path: Path) -> None:
    image = ext.make(tmp_path / "disk", tree)
    untouched = ext.ours(ext.opened(image))
    ext.debugfs(image, "feature needs_recovery")
    view = ext.opened(image)
    assert (view.replayed, view.unclean) == (True, False)
    assert ext.ours(view) == untouched
    assert list(compare(view, view)) == []


@pytest.mark.parametrize("part", ["descriptor", "data", "commit"])
@pytest.mark.parametrize("sort", ["sums-2-64bit", "sums-3"])
def test_the_journal_ends_at_the_first_wrong_block(tree: Path, tmp_path: Path, sort: str, part: str) -> None:
    made = Journalled(tmp_path, tree, sort)
    block = made.blocks[-1]
    node = lookup(ext.opened(made.then), b"/escaped")
    assert node is not None
    extents = ext.opened(made.then).extents(node.number)
    assert extents is not None
    block = int(extents[0, 1]) // BLOCK
    image = made.write(*(made.logged(letter, {block: letter.encode() * BLOCK}) for letter in ("a", "b", "c")))
    assert ext.ours(ext.opened(image))[b"/escaped"].content == b"c" * BLOCK
    place = journal_block(image, 1 + 3 + {"descriptor": 0, "data": 1, "commit": 2}[part])
    put(image, place + 60, b"\x5a\xa5")
    view = ext.opened(image)
    assert ext.ours(view)[b"/escaped"].content == b"a" * BLOCK
    assert (view.replayed, view.unclean) == (True, True)
    assert "damaged" in str(view.remarks[0])


def test_sums_of_whole_transactions(tree: Path, tmp_path: Path) -> None:
    made = Journalled(tmp_path, tree, "sums-1")
    untouched = ext.ours(ext.opened(made.then))
    image = made.write(made.logged("first", made.contents))
    put(image, journal_block(image, 5) + 3, b"\x5a\xa5")
    view = ext.opened(image)
    assert ext.ours(view) == untouched
    assert view.unclean


def test_a_damaged_superblock_of_a_journal(tree: Path, tmp_path: Path) -> None:
    made = Journalled(tmp_path, tree, "sums-3")
    untouched = ext.ours(ext.opened(made.then))
    image = made.two()
    put(image, journal_block(image, 0) + 0x18, b"\0\0\0\x77")
    view = ext.opened(image)
    assert (view.replayed, view.unclean) == (False, True)
    assert "could not be replayed" in str(view.remarks[0])
    assert ext.ours(view) == untouched


def test_a_journal_that_begins_again_at_its_first_block(tree: Path, tmp_path: Path) -> None:
    made = Journalled(tmp_path, tree, "plain")
    image = made.two()
    head = journal_block(image, 0)
    raw = image.read_bytes()
    blocks, first = struct.unpack_from(">II", raw, head + 16)
    places = [journal_block(image, number) for number in range(first, blocks, blocks - first - 1)]
    begin = places[0]
    assert places[1] == begin + (blocks - first - 1) * BLOCK, "in one piece, so that it can be turned"
    turned = (blocks - first - 2) * BLOCK
    content = raw[begin : begin + (blocks - first) * BLOCK]
    put(image, begin, content[-turned:] + content[:-turned])
    put(image, head + 0x1C, struct.pack(">I", first + turned // BLOCK))
    view = ext.opened(image)
    found = ext.ours(view)
    assert not view.unclean
    assert found == ext.ours(ext.opened(made.later))
    assert found == ext.ours(ext.opened(ext.checked(image)))


def test_fast_commits_are_noticed(tree: Path, tmp_path: Path) -> None:
    made = Journalled(tmp_path, tree, "plain", "fast_commit")
    image = made.two()
    head = journal_block(image, 0)
    raw = image.read_bytes()
    (blocks,) = struct.unpack_from(">I", raw, head + 16)
    (sequence,) = struct.unpack_from(">I", raw, head + 24)
    (features,) = struct.unpack_from(">I", raw, head + 0x28)
    put(image, head + 0x28, struct.pack(">I", features | 0x20))
    put(image, head + 0x54, struct.pack(">I", 64))
    place = journal_block(image, blocks - 64)
    assert not ext.opened(image).unclean
    put(image, place, struct.pack("<HHII", 9, 8, 0, sequence + 1))
    assert not ext.opened(image).unclean, "left there by an earlier transaction"
    put(image, place, struct.pack("<HHII", 9, 8, 0, sequence + 2))
    view = ext.opened(image)
    assert (view.replayed, view.unclean) == (True, True)
    assert "fast commits" in str(view.remarks[0])
    assert ext.ours(view) == ext.ours(ext.opened(made.later))


DAMAGE = st.tuples(st.integers(0, 30), st.integers(0, 255), st.binary(min_size=1, max_size=4))
"""Which block of the journal, which word of it, and what is put there."""


@pytest.fixture(scope="module")
def dirty(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes, int]]:
    """Disks with a journal, each with what it was before, and where the journal begins."""
    found = {}
    for sort in ("plain", "sums-3-64bit"):
        made = Journalled(tmp_path_factory.mktemp(sort), tree, sort)
        then = made.then.read_bytes()
        image = made.two()
        found[sort] = (then, image.read_bytes(), journal_block(image, 0))
    return found


@pytest.mark.parametrize("sort", ["plain", "sums-3-64bit"])
@settings(max_examples=60)
@given(damage=st.lists(DAMAGE, max_size=6))
def test_a_damaged_journal_gives_changes_or_an_error(
    dirty: dict[str, tuple[bytes, bytes, int]], sort: str, damage: list[tuple[int, int, bytes]]
) -> None:
    then, later, journal = dirty[sort]
    damaged = bytearray(later)
    for block, word, content in damage:
        at = journal + block * BLOCK + word * 4
        damaged[at : at + len(content)] = content
    changed = ext.differences(then, bytes(damaged), 4096)
    with contextlib.suppress(FilesystemError):
        view = open_filesystem(Memory(bytes(damaged)))
        assert view.replayed or view.unclean
        list(compare(open_filesystem(Memory(then)), view, changed))
