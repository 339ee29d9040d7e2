"""What has no files that are read here is named for what it is, as the tools make it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from snapgui.images.filesystems.filesystem import FilesystemError
from snapgui.images.filesystems.opening import open_filesystem
from snapgui.images.filesystems.recognition import what_lies_here
from snapgui.images.filesystems.section import Section
from snapgui.images.layers import Layers, RawLayer
from snapgui.images.source import LocalFile
from tests.images.ext import MIB, Memory, run, tool

FORMAT = ("luksFormat", "-q", "--key-file", "-", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


def said_of(path: Path) -> str:
    with LocalFile(path) as source, pytest.raises(FilesystemError) as caught:
        open_filesystem(Section(Layers([RawLayer(source)])))
    return str(caught.value)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An empty disk of 64 MiB."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    return path


@pytest.mark.parametrize("version", ["luks1", "luks2"])
def test_encrypted(image: Path, version: str) -> None:
    command = [tool("cryptsetup"), *FORMAT, "--type", version, str(image)]
    subprocess.run(command, input=b"a key", check=True, capture_output=True)
    assert said_of(image) == "it is encrypted (LUKS), and its files cannot be seen from outside"


@pytest.mark.parametrize("page", [4096, 65536])
def test_swap(image: Path, page: int) -> None:
    run(tool("mkswap"), "-q", "-p", str(page), str(image))
    assert said_of(image) == "it is swap space, which has no files"


def test_nothing(image: Path) -> None:
    assert said_of(image) == "nothing is written at its beginning"
    assert what_lies_here(Memory(b"")) == "it is empty"


def test_what_nobody_knows(image: Path) -> None:
    image.write_bytes(b"something else" * 100_000)
    assert said_of(image) == "no filesystem that is known here lies on it"


def test_squashfs(image: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    if (made := shutil.which("mksquashfs")) is None:
        image.write_bytes(b"hsqs" + bytes(MIB))
    else:
        run(made, str(tree), str(image), "-noappend", "-quiet")
    assert said_of(image) == "a squashfs filesystem lies on it, which is not read here"


@pytest.mark.parametrize(
    ("at", "magic", "word"),
    [
        (3, b"-FVE-FS-", "BitLocker"),
        (512, b"LABELONE", "LVM"),
        (4096, b"\xfc\x4e\x2b\xa9", "RAID"),
        (64 * MIB - 2**16, b"\xfc\x4e\x2b\xa9", "RAID"),
        (64 * MIB - 8192, b"\xfc\x4e\x2b\xa9", "RAID"),
        (2**17 + 5 * 1024, b"\x0c\xb1\xba\0\0\0\0\0", "ZFS"),
        (1024, b"\x10\x20\xf5\xf2", "an F2FS"),
        (32, b"NXSB", "an APFS"),
        (32769, b"CD001", "an ISO 9660"),
        (65588, b"ReIsEr2Fs", "a ReiserFS"),
        (4120, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef"), "a bcachefs"),
    ],
)
def test_signatures(image: Path, at: int, magic: bytes, word: str) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        file.write(magic)
    assert word in said_of(image)
