"""Writing a growing file to the disk, also where this user may not open it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from snapgui.hypervisor import files


def _forbidden(*closed: Path) -> Callable[..., int]:
    """Return an ``os.open`` that may not open some places."""
    real = os.open

    def opened(path: str | Path, flags: int) -> int:
        if Path(path) in closed:
            raise PermissionError(path)
        return real(path, flags)

    return opened


def test_a_file_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bytes] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: flushed.append(os.pread(file, 9, 0)))
    (tmp_path / "memory").write_bytes(b"content")
    assert files.flush(str(tmp_path / "memory"))
    assert flushed == [b"content"]


def test_a_file_of_another_in_a_directory_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "images"
    directory.mkdir()
    (directory / "memory").write_bytes(b"content")
    monkeypatch.setattr(os, "open", _forbidden(directory / "memory", directory))
    flushed: list[str] = []
    monkeypatch.setattr(
        files, "_SYNCFS", lambda file: flushed.append(str(Path(f"/proc/self/fd/{file}").readlink())) or 0
    )
    assert files.flush(str(directory / "memory"))
    assert flushed == [str(tmp_path)]


def test_the_system_flushes_a_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory").write_bytes(b"content")
    monkeypatch.setattr(os, "open", _forbidden(tmp_path / "memory"))
    assert files.flush(str(tmp_path / "memory"))


def test_another_file_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", _forbidden(Path("/proc/version"), Path("/proc")))
    assert not files.flush("/proc/version")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.flush(str(tmp_path / "memory"))
