"""Chains of images: followed by what is recorded in them, and never by guessing a format."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from snapgui.operations.bases import DEEPEST, Known, chain


class Nowhere:
    """A connection to the hypervisor of this machine; its files are looked at directly."""

    uri = "qemu:///system"


HERE: Any = Nowhere()


def create(path: Path, base: str = "", base_format: str = "qcow2") -> Path:
    """Make an image; a base that does not exist, or cannot be one, is written down as it is."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True)
    if base:
        command = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", base, *(["-F", base_format] if base_format else [])]
        subprocess.run([*command, str(path)], check=True, capture_output=True)
    return path


def names(path: Path, known: Known | None = None, image_format: str = "qcow2") -> list[str]:
    return [Path(found).name for found in chain(HERE, str(path), image_format, {} if known is None else known)]


def forget_format(path: Path) -> None:
    """Turn the record of the base's format into one of a sort that nobody knows, as old images have none."""
    content = path.read_bytes()
    mark = bytes.fromhex("e2792aca")
    assert content.count(mark) == 1
    path.write_bytes(content.replace(mark, bytes.fromhex("12345678")))


def test_bases_are_followed_to_the_end(tmp_path: Path) -> None:
    create(tmp_path / "a")
    create(tmp_path / "b", str(tmp_path / "a"))
    assert names(create(tmp_path / "c", str(tmp_path / "b"))) == ["c", "b", "a"]


def test_a_relative_base_lies_beside_its_overlay(tmp_path: Path) -> None:
    (tmp_path / "bases").mkdir()
    create(tmp_path / "bases" / "a")
    create(tmp_path / "bases" / "b", "a")
    top = create(tmp_path / "c", "bases/b")
    assert chain(HERE, str(top), "qcow2", {}) == [str(tmp_path / name) for name in ("c", "bases/b", "bases/a")]


@pytest.mark.parametrize("base", ['json:{"driver":"qcow2"}', "nbd://host/export", "rbd:pool/image", "https://h/a.img"])
def test_a_base_that_is_no_file_ends_the_chain(tmp_path: Path, base: str) -> None:
    top = create(tmp_path / "a")
    content = top.read_bytes()
    place = len(content) - 2000
    written = bytearray(content)
    written[8:20] = place.to_bytes(8, "big") + len(base).to_bytes(4, "big")
    written[place : place + len(base)] = base.encode()
    top.write_bytes(written)
    assert names(top) == ["a"]


def test_a_raw_base_is_the_last(tmp_path: Path) -> None:
    """A guest can write the head of a qcow2 image into its raw disk, and name any file as its base."""
    secret = create(tmp_path / "secret")
    crafted = create(tmp_path / "raw", str(secret))
    assert names(create(tmp_path / "top", str(crafted), "raw")) == ["top", "raw"]
    assert names(crafted, image_format="raw") == ["raw"]


def test_a_base_whose_format_is_not_recorded_is_not_looked_into(tmp_path: Path) -> None:
    create(tmp_path / "a")
    create(tmp_path / "b", str(tmp_path / "a"))
    top = create(tmp_path / "c", str(tmp_path / "b"))
    forget_format(top)
    assert names(top) == ["c", "b"]


def test_an_image_met_first_without_its_format_is_read_where_that_is_known(tmp_path: Path) -> None:
    create(tmp_path / "a")
    middle = create(tmp_path / "b", str(tmp_path / "a"))
    top = create(tmp_path / "c", str(middle))
    forget_format(top)
    known: Known = {}
    assert names(top, known) == ["c", "b"]
    assert names(middle, known) == ["b", "a"]


def test_a_cycle_ends(tmp_path: Path) -> None:
    create(tmp_path / "a", str(tmp_path / "b"))
    create(tmp_path / "b", str(tmp_path / "a"))
    assert names(tmp_path / "a") == ["a", "b"]


def test_a_cycle_that_never_has_the_same_name_ends(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert len(names(create(tmp_path / "d" / "a", "../d/a"))) == DEEPEST


def test_a_missing_base_is_named_and_ends_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snapgui.operations.image_access.open_volume", lambda _connection, _path: None)
    assert names(create(tmp_path / "a", str(tmp_path / "gone"))) == ["a", "gone"]


def test_what_is_known_is_not_read_again(tmp_path: Path) -> None:
    top = create(tmp_path / "a")
    assert names(top, {str(top): ("remembered", "raw")}) == ["a", "remembered"]


@pytest.mark.parametrize("content", [b"", b"QFI\xfb", b"QFI\xfb" + b"\xff" * 500])
def test_a_damaged_image_ends_the_chain(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert names(tmp_path / "a") == ["a"]


@pytest.mark.parametrize("path", ["", "volume-name", "nbd://host/a"])
def test_a_disk_that_is_no_file_has_no_chain(path: str) -> None:
    assert chain(HERE, path, "qcow2", {}) == []
