"""Pictures of the guest's screen: kept as PNG, found by what the snapshot is, never outside their directory."""

import os
import struct
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snapgui.operations import thumbnails
from tests.unit.trees import snapshot

UUID = "11111111-2222-3333-4444-555555555555"
NAMES = st.text(st.characters(exclude_categories=()), max_size=40)


def decoded(png: bytes) -> tuple[int, int, bytes]:
    """Return width, height and pixels; every checksum is verified."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, []
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, place + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        chunks.append((kind, body))
        place += 12 + length
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert rest == [8, 2, 0, 0, 0]
    lines = zlib.decompress(chunks[1][1])
    row = 1 + 3 * width
    assert len(lines) == row * height
    assert not any(lines[::row])
    return width, height, b"".join(lines[line * row + 1 : (line + 1) * row] for line in range(height))


@pytest.mark.parametrize("header", [b"P6\n%d %d\n255\n", b"P6 %d %d 255 ", b"P6\n%d\n%d\n255\n"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (720, 400), (3, 7)])
def test_a_screenshot_is_kept_pixel_by_pixel(header: bytes, width: int, height: int) -> None:
    pixels = os.urandom(width * height * 3)
    thumbnails.store(UUID, snapshot("a"), header % (width, height) + pixels)
    assert decoded(thumbnails.path_of(UUID, snapshot("a")).read_bytes()) == (width, height, pixels)


def test_qt_reads_what_was_stored() -> None:
    from PySide6.QtGui import QImage

    thumbnails.store(UUID, snapshot("a"), b"P6\n2 1\n255\n" + bytes((255, 0, 0, 0, 0, 255)))
    image = QImage(str(thumbnails.path_of(UUID, snapshot("a"))))
    assert [image.pixelColor(column, 0).name() for column in range(2)] == ["#ff0000", "#0000ff"]


@pytest.mark.parametrize(
    "picture", [b"", b"P6\n99999 99999\n255\nshort", b"\x89PNG\r\n\x1a\nwhatever", b"P6\n1 1\n65535\nxx"]
)
def test_what_is_no_whole_ppm_is_kept_as_it_is(picture: bytes) -> None:
    thumbnails.store(UUID, snapshot("a"), picture)
    assert thumbnails.path_of(UUID, snapshot("a")).read_bytes() == picture


def test_a_name_that_is_used_again_has_another_picture() -> None:
    old = snapshot("a")
    new = replace(old, created=old.created + timedelta(seconds=1))
    thumbnails.store(UUID, old, b"old")
    assert not thumbnails.path_of(UUID, new).exists()
    thumbnails.forget(UUID, new)
    assert thumbnails.path_of(UUID, old).read_bytes() == b"old"
    thumbnails.forget(UUID, old)
    assert not thumbnails.path_of(UUID, old).exists()


@given(uuid=NAMES, name=NAMES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_names_stay_in_the_directory(uuid: str, name: str) -> None:
    directory = Path(os.environ["XDG_CACHE_HOME"]) / "snapgui" / "thumbnails"
    path = thumbnails.path_of(uuid, snapshot(name))
    assert path.resolve().is_relative_to(directory.resolve())
    assert len(path.name) < 60


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    thumbnails.store(UUID, snapshot("a"), b"picture")
    assert not thumbnails.path_of(UUID, snapshot("a")).exists()


def test_the_oldest_pictures_go_when_there_are_too_many_bytes() -> None:
    for number in range(3):
        path = thumbnails.path_of(UUID, snapshot(f"s{number}"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(thumbnails.MOST_BYTES // 2)
        os.utime(path, (number, number))
    thumbnails.store(UUID, snapshot("new"), b"picture")
    kept = [name for name in ("s0", "s1", "s2", "new") if thumbnails.path_of(UUID, snapshot(name)).exists()]
    assert kept == ["s2", "new"]
