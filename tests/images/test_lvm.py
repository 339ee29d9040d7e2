"""LVM volumes as the real tools make them in a guest, put together from what its disks hold."""

import hashlib
import random
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from dissect.volume.lvm import LVM2

from snapgui.images.difference import difference
from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.ranges import Ranges
from snapgui.images.filesystems.section import Section
from snapgui.images.layers import Layers, RawLayer
from snapgui.images.lvm import logical_volumes, physical_volume
from snapgui.images.lvm_text import Tree, parse
from snapgui.images.lvm_volumes import Assembled
from snapgui.images.qcow2 import ImageError
from snapgui.images.source import LocalFile
from snapgui.operations.file_places import DiskPair, FilePlace, places_of, volumes_of
from tests.images.ext import MIB, Memory, debugfs, make
from tests.images.linux import run_in_linux

pytestmark = pytest.mark.xdist_group("lvm")

CONFIG = "activation { udev_sync=0 udev_rules=0 } devices { use_devicesfile=0 } backup { backup=0 archive=0 }"
SCRIPT = f"""
config='{CONFIG}'
lvm pvcreate -q --config "$config" /dev/vda /dev/vdb
lvm vgcreate -q --config "$config" -s 1m group /dev/vda /dev/vdb
lvm lvcreate -q --config "$config" -y -Wn -L 8m -n root group
lvm lvcreate -q --config "$config" -y -Wn -L 12m -i 2 -I 64k -n striped group
lvm lvextend -q --config "$config" -L 50m group/root
lvm lvcreate -q --config "$config" -y -Wn -l 100%FREE -n rest-1.x group
dd if=/root.ext4 of=/dev/group/root bs=64k 2>/dev/null
for volume in striped rest-1.x; do dd if=/dev/urandom of=/dev/group/$volume bs=64k 2>/dev/null || true; done
for volume in root striped rest-1.x; do echo "is $volume $(sha256sum </dev/group/$volume)"; done
lvm vgchange -q --config "$config" -an group
"""


@dataclass(frozen=True)
class Made:
    """Two disks with a group of volumes, and the SHA-256 of each as its guest read it."""

    disks: tuple[Path, Path]
    sums: dict[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Volumes that a real LVM made: one that lies on both disks, a striped one, and the rest."""
    directory = tmp_path_factory.mktemp("lvm")
    disks = (directory / "one.raw", directory / "two.raw")
    for disk in disks:
        with disk.open("wb") as file:
            file.truncate(48 * MIB)
    tree = directory / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "conf").write_text("old\n")
    files = {"/root.ext4": make(directory / "root.ext4", tree, size=40 * MIB).read_bytes()}
    said = run_in_linux(disks, SCRIPT, ["dm-mod"], ["/usr/sbin/lvm"], files=files)
    sums = {line.split()[1]: line.split()[2] for line in said.splitlines() if line.startswith("is ")}
    assert sums.keys() == {"root", "striped", "rest-1.x"}, said
    return Made(disks, sums)


@pytest.fixture
def sections(made: Made) -> Iterator[dict[str, Section]]:
    with ExitStack() as stack:
        yield {
            name: Section(Layers([RawLayer(stack.enter_context(LocalFile(path)), str(path))]))
            for name, path in zip(("vda", "vdb"), made.disks, strict=True)
        }


def test_volumes_read_as_in_the_guest(made: Made, sections: dict[str, Section]) -> None:
    members = {name: found for name, section in sections.items() if (found := physical_volume(section))}
    assert members.keys() == sections.keys()
    found = {volume.name: volume for volume in logical_volumes(members)}
    assert {name.removeprefix("group/") for name in found} == made.sums.keys()
    for name, volume in found.items():
        whole = Assembled(volume, sections)
        content = whole.read(0, volume.virtual_bytes)
        assert hashlib.sha256(content).hexdigest() == made.sums[name.removeprefix("group/")]
        chance = random.Random(3)
        for _ in range(50):
            start, length = chance.randrange(volume.virtual_bytes), chance.randrange(300_000)
            assert whole.read(start, length) == content[start : start + length]


def test_dissect_sees_the_same(made: Made, sections: dict[str, Section]) -> None:
    with ExitStack() as stack:
        theirs = LVM2([stack.enter_context(path.open("rb")) for path in made.disks])
        group = theirs.volume_group
        sizes = {f"{group.name}/{name}": volume.open().size for name, volume in group.logical_volumes.items()}
    members = {name: found for name, section in sections.items() if (found := physical_volume(section))}
    assert {volume.name: volume.virtual_bytes for volume in logical_volumes(members)} == sizes


def test_a_missing_disk_is_said(sections: dict[str, Section]) -> None:
    member = physical_volume(sections["vda"])
    assert member is not None
    problems = {volume.name: volume.problem for volume in logical_volumes({"vda": member})}
    assert problems["group/root"] == problems["group/striped"]
    assert problems["group/root"] == "it lies in part on a physical volume of LVM that is not there"


def test_what_may_differ_is_found_through_the_volumes(made: Made, tmp_path: Path) -> None:
    """A file that is changed in the volume is found by comparing the disks, from the places that differ."""
    later = []
    for disk in made.disks:
        later.append(tmp_path / disk.name)
        later[-1].write_bytes(disk.read_bytes())
    with ExitStack() as stack:
        before = [Layers([RawLayer(stack.enter_context(LocalFile(path)), str(path))]) for path in made.disks]
        change_a_file(tmp_path, later, before)
        after = [Layers([RawLayer(stack.enter_context(LocalFile(path)), str(path))]) for path in later]
        places: list[FilePlace] = []
        for target, one, other in zip(("vda", "vdb"), before, after, strict=True):
            changed = real_difference(one, other)
            assert len(difference(one, other).extents) == 1, "of raw images nothing is known"
            places += places_of(DiskPair(target, one, other, changed))
        found = {place.name: place for place in volumes_of(places)}
        root = found["group/root"]
        assert root.changed is not None
        assert 0 < sum((root.changed.ends - root.changed.starts).tolist()) < MIB
        assert root.before is not None
        assert root.after is not None
        changes = list(compare(open_filesystem(root.before), open_filesystem(root.after), root.changed))
        assert "/etc/conf" in {change.path for change in changes}
        striped = found["group/striped"]
        assert striped.changed is not None
        assert not striped.changed


def change_a_file(tmp_path: Path, disks: list[Path], before: list[Layers]) -> None:
    """Change the filesystem of the volume, and put what differs back to where it lies on the disks."""
    sections = {name: Section(view) for name, view in zip(("vda", "vdb"), before, strict=True)}
    members = {name: found for name, section in sections.items() if (found := physical_volume(section))}
    root = next(volume for volume in logical_volumes(members) if volume.name == "group/root")
    image = tmp_path / "root.ext4"
    image.write_bytes(Assembled(root, sections).read(0, root.virtual_bytes))
    fresh = tmp_path / "fresh"
    fresh.write_text("new and longer\n")
    debugfs(image, "rm /etc/conf", f"write {fresh} /etc/conf")
    content = image.read_bytes()
    for begin, part, place, length in root.pieces(0, root.virtual_bytes):
        with disks[int(root.parts[part] == "vdb")].open("r+b") as file:
            file.seek(place)
            file.write(content[begin : begin + length])


def real_difference(one: Layers, other: Layers) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    pairs = [(at, 65536) for at in range(0, one.virtual_bytes, 65536) if one.read(at, 65536) != other.read(at, 65536)]
    return np.array(pairs, np.int64).reshape(-1, 2)


@pytest.mark.parametrize("seed", range(200))
def test_damage_gives_errors(made: Made, seed: int) -> None:
    """Flips in label and metadata; the checksums are put right again, so that what is read is read on."""
    chance = random.Random(seed)
    raw = bytearray(made.disks[0].read_bytes()[:MIB])
    text_at = raw.index(b"group {")
    for _ in range(chance.choice((1, 3))):
        low, high = chance.choice(((512, 700), (4096, 4200), (text_at, text_at + 2000)))
        raw[chance.randrange(low, high)] = chance.randrange(256)
    if chance.random() < 0.8:
        end = raw.index(b"\0", text_at)
        raw[4096 + 40 + 16 : 4096 + 40 + 20] = crc(raw[text_at:end] + b"\0").to_bytes(4, "little")
        raw[4096:4100] = crc(raw[4100:4608]).to_bytes(4, "little")
        raw[512 + 16 : 512 + 20] = crc(raw[512 + 20 : 1024]).to_bytes(4, "little")
    try:
        member = physical_volume(Memory(bytes(raw)))
        for volume in logical_volumes({} if member is None else {"vda": member}):
            Assembled(volume, {"vda": Memory(bytes(raw))}).read(0, MIB)
            volume.within({"vda": Ranges([(0, MIB)])})
    except ImageError:
        pass


def crc(content: bytes | bytearray) -> int:
    return zlib.crc32(content, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def group(segment: str) -> Tree:
    return parse(f'g {{ a = [1, "x\\"y", -3] # comment\n b {{ c = "d" }} s1 {{ {segment} }} }}')


def test_the_text_is_read() -> None:
    assert group("n = 12") == {"g": {"a": [1, 'x"y', -3], "b": {"c": "d"}, "s1": {"n": 12}}}


@pytest.mark.parametrize(
    "text", ["{", "}", "a", "a = ", "a = [", 'a = "', "a = b", "= 1", "a {" * 100, "a { b = 1", "a = 9" + "9" * 5000]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ImageError, match="damaged"):
        parse(text)
