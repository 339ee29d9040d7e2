"""Changes to the head of an image: another base, the format of the base; after any part of them the image is sound."""

import json
import subprocess
from pathlib import Path

import pytest

from snapgui.images.head_patch import Patch, with_base, with_format
from snapgui.images.qcow2 import ImageError, read_head
from snapgui.images.soundness import Trouble, foreign, trouble_of
from snapgui.images.source import LocalFile
from tests.unit.test_qcow2 import qemu_img, write

COMPATS = pytest.mark.parametrize("compat", ["0.10", "1.1"])


def info(image: Path) -> dict[str, object]:
    said = subprocess.run(["qemu-img", "info", "--output=json", image], check=True, capture_output=True)
    found: dict[str, object] = json.loads(said.stdout)
    return found


def pair(directory: Path, *options: str) -> tuple[Path, Path]:
    """Return an image with a pattern, and one layered on it that another pattern was written to."""
    base, top = directory / "base.qcow2", directory / "top.qcow2"
    qemu_img("create", "-f", "qcow2", base, "64M")
    write(base, 1)
    qemu_img("create", "-f", "qcow2", *options, "-b", base, "-F", "qcow2", top)
    write(top, 2, "128k 64k")
    return base, top


def patched(image: Path, patches: tuple[Patch, ...]) -> None:
    with image.open("r+b") as file:
        for patch in patches:
            file.seek(patch.offset)
            file.write(patch.content)


def reads(image: Path, pattern: int, where: str) -> bool:
    said = subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} {where}", image], capture_output=True, check=False
    )
    return said.returncode == 0 and b"failed" not in said.stdout


@COMPATS
@pytest.mark.parametrize("name", ["b.qcow2", "moved " + "x" * 150 + ".qcow2", "ü.qcow2"])
def test_another_base(tmp_path: Path, compat: str, name: str) -> None:
    base, top = pair(tmp_path, "-o", f"compat={compat}")
    moved = base.rename(tmp_path / name)
    with LocalFile(top) as source:
        patches = with_base(source, str(moved))
    before = top.read_bytes()
    patched(top, patches[:1])
    with LocalFile(top) as source:
        assert read_head(source).backing_file == str(base), "killed here, it is as it was"
    patched(top, patches[1:])
    assert (info(top)["backing-filename"], info(top)["backing-filename-format"]) == (str(moved), "qcow2")
    assert len(top.read_bytes()) == len(before)
    assert reads(top, 1, "0 64k")
    assert reads(top, 2, "128k 64k")
    qemu_img("check", "-f", "qcow2", top)


@COMPATS
@pytest.mark.parametrize("told", ["raw", "qcow2"])
def test_the_format_of_the_base(tmp_path: Path, compat: str, told: str) -> None:
    base, top = pair(tmp_path, "-o", f"compat={compat}")
    for each in (told, "qcow2"):
        with LocalFile(top) as source:
            patches = with_format(source, each)
        patched(top, patches[:1])
        with LocalFile(top) as source:
            assert read_head(source).backing_file == str(base)
        patched(top, patches[1:])
        assert (info(top)["backing-filename"], info(top)["backing-filename-format"]) == (str(base), each)
    assert reads(top, 1, "0 64k")
    assert reads(top, 2, "128k 64k")
    qemu_img("check", "-f", "qcow2", top)


def test_other_extensions_stay(tmp_path: Path) -> None:
    _, top = pair(tmp_path)
    qemu_img("bitmap", "--add", "-f", "qcow2", top, "kept")
    with LocalFile(top) as source:
        patches = with_format(source, "raw")
    patched(top, patches)
    bitmaps = info(top)["format-specific"]["data"]["bitmaps"]  # type: ignore[index]
    assert [bitmap["name"] for bitmap in bitmaps] == ["kept"]


def test_what_has_no_base_or_no_room_is_left_alone(tmp_path: Path) -> None:
    base, top = pair(tmp_path, "-o", "cluster_size=512")
    with LocalFile(base) as source, pytest.raises(ImageError, match="no base"):
        with_base(source, "/x")
    with LocalFile(base) as source, pytest.raises(ImageError, match="no base"):
        with_format(source, "raw")
    with LocalFile(top) as source, pytest.raises(ImageError, match="no room"):
        with_base(source, "/" + "x" * 500)
    with LocalFile(top) as source, pytest.raises(ImageError, match="too long"):
        with_base(source, "/" + "x" * 2000)


def test_trouble_is_seen(tmp_path: Path) -> None:
    base, _ = pair(tmp_path)
    whole = base.read_bytes()
    seen = []
    for content in (whole, whole[:72] + b"\0" * 7 + b"\2" + whole[80:], whole[:200_000], whole[:80], b"x" + whole[1:]):
        base.write_bytes(content)
        with LocalFile(base) as source:
            seen.append(trouble_of(source, still=True)[1])
    assert seen == [Trouble.NONE, Trouble.CORRUPT, Trouble.TRUNCATED, Trouble.TRUNCATED, Trouble.UNREADABLE]


def test_an_image_that_grows_just_now_is_not_taken_for_truncated(tmp_path: Path) -> None:
    base, _ = pair(tmp_path)
    base.write_bytes(base.read_bytes()[:200_000])
    with LocalFile(base) as source:
        assert trouble_of(source, still=False)[1] is Trouble.NONE


@pytest.mark.parametrize("kind", ["vmdk", "vdi", "vhdx", "qed", "parallels", "vpc"])
def test_other_formats_are_not_taken_for_raw(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "disk"
    qemu_img("create", "-f", kind, path, "64M")
    assert foreign(path.read_bytes()[:128])


def test_a_boot_sector_is_raw() -> None:
    assert not foreign(b"\xeb\x63\x90" + b"\0" * 125)
