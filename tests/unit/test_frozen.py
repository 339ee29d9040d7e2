"""Only what tells when it was written to last can be known again."""

from pathlib import Path

import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.operations import frozen


def test_a_device_does_not_tell_when_it_was_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "is_local", lambda _: True)
    connection = Connection.__new__(Connection)
    image = tmp_path / "image"
    image.write_bytes(b"x")
    assert frozen._last_change(connection, str(image))
    assert frozen._last_change(connection, "/dev/null") == ""
