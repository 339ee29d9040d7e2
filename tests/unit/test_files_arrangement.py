"""The files that differ, held in columns: filtered, sorted and summed up as a plain walk over objects would."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.images.filesystems.changes import FileChange
from snapgui.images.filesystems.filesystem import Kind
from snapgui.model.difference import Change
from snapgui.model.errors import Cancelled
from snapgui.model.text import Text
from snapgui.operations.file_news import FilesDiffer
from snapgui.ui.files_arrangement import Arrangement, Order, Wish, arranged
from snapgui.ui.files_batch import packed
from snapgui.ui.files_filter import FilesFilter
from snapgui.ui.files_table import FilesTable
from snapgui.ui.name_ranks import LONGEST, ranks
from tests.gui.made_up_files import ROOT, added, changed, removed, renamed, touched


def never() -> None:
    """Go on."""


def table(*changes: FileChange, place: str = "vda1", step: int = 1000) -> FilesTable:
    made = FilesTable()
    for at in range(0, len(changes), step):
        made.add(packed(FilesDiffer(place, changes[at : at + step])))
    return made


def order(made: FilesTable, wish: Wish = Wish()) -> Arrangement:  # noqa: B008 - it is frozen
    return arranged(made.frame(mirrored=wish.mirrored), wish, None, never)


def listed(made: FilesTable, wish: Wish) -> list[str]:
    found = order(made, wish)
    return [found.frame.path(row) for row in found.items.tolist()]


def matches(made: FilesTable, **wanted: object) -> set[str]:
    return set(listed(made, Wish(FilesFilter(**wanted), flat=True)))  # type: ignore[arg-type]


def drawn(found: Arrangement, directory: int, indent: str = "") -> list[str]:
    """The tree as lines: names of files, of directories with their sums and growth."""
    lines = []
    for item in found.inside(directory).tolist():
        if item >= 0:
            lines.append(f"{indent}{found.frame.name(item)}")
            continue
        below = -1 - item
        sums = "+{} -{} *{}".format(*found.sums[below].tolist())
        lines.append(f"{indent}{found.frame.directory_name(below)}/ {sums} {found.growth[below]:+}")
        lines += drawn(found, below, indent + "  ")
    return lines


NAMES = st.text(st.characters(exclude_characters="\0"), max_size=60)


@given(st.lists(NAMES, max_size=40))
def test_ranks_sort_as_the_names_do(names: Sequence[str]) -> None:
    def key(name: str) -> bytes:
        return name.casefold().replace("/", "\x01").encode("utf-8", "surrogateescape")

    names = [name for name in names if not any("\ud800" <= letter <= "\udfff" for letter in name)]
    found = ranks(names, len(names)).tolist()
    for one, mine in zip(names, found, strict=True):
        for other, theirs in zip(names, found, strict=True):
            left, right = key(one).rstrip(b"\0"), key(other).rstrip(b"\0")
            assert (mine < theirs, mine == theirs) == (left < right, left == right)


def test_ranks_of_hostile_names_end() -> None:
    long = "n" * 10_000
    assert ranks([long + "b", long + "a", "\udcff", "a"], 4).tolist() == [1, 1, 3, 0]
    assert len(long) > LONGEST


def test_a_tree_with_sums() -> None:
    found = order(table(*ROOT))
    assert drawn(found, 1) == [
        "etc/ +1 -2 *2 -73540",
        "  php/ +1 -2 *1 -73600",
        "    8.3/ +0 -1 *0 -73900",
        "      php.ini",
        "    8.4/ +1 -0 *1 +300",
        "      mods-available/ +1 -0 *0 +90",
        "        opcache.ini",
        "      php.ini",
        "  hosts",
        "usr/ +2 -1 *0 +200021",
        "  bin/ +1 -0 *0 +21",
        "    php",
        "  lib/ +1 -1 *0 +200000",
        "    php/ +1 -1 *0 +200000",
        "      20230831/ +0 -1 *0 -4100000",
        "        opcache.so",
        "      20240924/ +1 -0 *0 +4300000",
        "        opcache.so",
        "var/ +0 -0 *3 +0",
        "  backups/ +0 -0 *1 +0",
        "    dpkg.status.1",
        "  log/ +0 -0 *1 +0",
        "    auth.log",
    ]


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_the_order_of_arrival_means_nothing(step: int) -> None:
    backwards = order(table(*reversed(ROOT), step=step))
    assert drawn(backwards, 1) == drawn(order(table(*ROOT)), 1)


PATHS = st.lists(st.sampled_from(["a", "b", "cc", "Dd"]), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.dictionaries(PATHS, st.sampled_from([added, removed, changed, touched]), max_size=30), st.integers(0, 4000))
def test_sums_follow_the_filter(made: dict[str, type], least: int) -> None:
    changes = [make(path) for path, make in made.items()]
    found = order(table(*changes), Wish(FilesFilter(least=least)))
    sizes = [max(side.size for side in (each.before, each.after) if side is not None) for each in changes]
    wanted = [each for each, size in zip(changes, sizes, strict=True) if size >= least]
    assert found.matching == len(wanted)
    for number in range(1, found.frame.directories):
        path = found.frame.paths[number]
        below = [each.change for each in wanted if each.path.startswith(path + "/")]
        counts = [below.count(Change.ADDED), below.count(Change.REMOVED)]
        assert found.sums[number].tolist() == [*counts, len(below) - sum(counts)]


def test_filters_by_text() -> None:
    made = table(*ROOT)
    assert matches(made, text="HOSTS") == {"/etc/hosts"}
    assert matches(made, text="8.3") == {"/etc/php/8.3", "/etc/php/8.3/php.ini"}
    assert matches(made, text="4/ph") == {"/etc/php/8.4/php.ini"}
    assert matches(made, text="/etc/h") == {"/etc/hosts"}
    assert matches(made, text="php/20") == {each.path for each in ROOT if "/usr/lib/php" in each.path}
    assert matches(made, text="*.so") == {each.path for each in ROOT if each.path.endswith(".so")}
    assert matches(made, text="/etc/*.ini") == {each.path for each in ROOT if each.path.endswith(".ini")}
    assert matches(made, text="host?") == {"/etc/hosts"}
    assert matches(made, text="[h]ost?") == set(), "brackets mean themselves"


def test_filters_by_what_it_is() -> None:
    made = table(*ROOT)
    assert matches(made, changes=frozenset({Change.RENAMED})) == {"/var/backups/dpkg.status.1"}
    assert matches(made, kinds=frozenset({Kind.SYMLINK})) == {"/usr/bin/php"}
    assert matches(made, kinds=frozenset({Kind.DIRECTORY})) == {"/etc/php/8.3", "/var/log"}
    assert matches(made, least=4_200_000) == {"/usr/lib/php/20240924/opcache.so"}
    assert len(matches(made, substance=True)) == len(ROOT) - 2
    folder = made.directory_at(0, "/etc/php")
    assert folder is not None
    assert matches(made, folder=folder) == {each.path for each in ROOT if each.path.startswith("/etc/php/")}


def test_orders() -> None:
    made = table(added("/b", 10), removed("/a", 500), changed("/B2/c", 100, 900), touched("/a/z"))
    assert listed(made, Wish(flat=True)) == ["/a", "/b", "/a/z", "/B2/c"]
    assert listed(made, Wish(flat=True, descending=True)) == ["/B2/c", "/a/z", "/b", "/a"]
    assert listed(made, Wish(order=Order.SIZE, descending=True, flat=True)) == ["/B2/c", "/a", "/b", "/a/z"]
    assert listed(made, Wish(order=Order.CHANGE, flat=True)) == ["/b", "/a", "/B2/c", "/a/z"]
    assert listed(made, Wish(order=Order.MODIFIED, descending=True, flat=True))[0] == "/B2/c"


def test_swapped_sides() -> None:
    made = table(*ROOT)
    wish = Wish(mirrored=True)
    found = order(made, wish)
    assert drawn(found, 1)[0] == "etc/ +2 -1 *2 +73540"
    assert "    dpkg.status.0" in drawn(found, 1), "what was renamed has its older name"
    row = ROOT.index(renamed("/var/backups/dpkg.status.1", "/var/backups/dpkg.status.0"))
    assert made.other_path(row, mirrored=True) == "/var/backups/dpkg.status.1"
    assert made.other_path(row, mirrored=False) == "/var/backups/dpkg.status.0"
    assert made.other_path(0, mirrored=False) is None
    assert drawn(order(made), 1) == drawn(order(table(*ROOT)), 1)


def test_a_renamed_directory_is_itself_on_both_sides() -> None:
    made = table(
        FileChange("/new", Change.RENAMED, *(touched("/x", Kind.DIRECTORY).before,) * 2, frozenset(), "/old"),
        FileChange("/new/a", Change.CHANGED, changed("/").before, changed("/").after, frozenset(), "/old/a"),
    )
    for mirrored, name in ((False, "new"), (True, "old")):
        found = order(made, Wish(mirrored=mirrored))
        assert drawn(found, 1) == [f"{name}/ +0 -0 *1 {'-' if mirrored else '+'}2000", "  a"]
        assert found.frame.own[made.directory_at(0, f"/{name}")] == 0


def test_one_of_several_filesystems() -> None:
    made = FilesTable()
    for place in ("vda1", "vdb1"):
        made.add(packed(FilesDiffer(place, (added(f"/of {place}"),))))
    assert listed(made, Wish(flat=True, place=1)) == ["/of vdb1"]
    assert len(listed(made, Wish(flat=True))) == 2


def test_hostile_paths() -> None:
    deep = "/" + "/".join("d" * 3 for _ in range(4000))
    made = table(added(deep), added("/a//b"), added("/"), touched("/", Kind.DIRECTORY), added("/\udcff/\n"))
    found = order(made)
    assert found.matching == 5
    assert found.sums[1].sum() == 5


def test_an_order_that_nobody_wants_is_not_finished() -> None:
    def stop() -> None:
        raise Cancelled(Text("errors", "Cancelled."))

    made = table(*ROOT)
    with pytest.raises(Cancelled):
        arranged(made.frame(mirrored=False), Wish(), None, stop)
