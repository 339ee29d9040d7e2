"""Local images: what is neither a file nor a block device is refused, and nobody waits for it."""

import os
from pathlib import Path

import pytest

from snapgui.images.source import LocalFile


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="Invalid argument"):
        LocalFile(path)


@pytest.mark.parametrize("name", ["/dev/zero", "."])
def test_what_has_no_end_is_no_image(name: str) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        LocalFile(Path(name))


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with LocalFile(path) as source:
        assert (source.size, source.read(3, 100)) == (7, b"tent")
