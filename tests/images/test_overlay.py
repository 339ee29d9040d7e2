"""Overlays made without libvirt: private, on the base that was meant, and never over something that is there."""

import json
import subprocess
from pathlib import Path

import pytest

from snapgui.images.convert import ConvertError
from snapgui.images.overlay import create_overlay
from tests.images import qemu


@pytest.mark.parametrize("name", ["plain", "a,b=c", "two\nlines", "json:{}", "<b>&amp;\"'", " -o size=1"], ids=ascii)
@pytest.mark.parametrize("base_format", ["qcow2", "raw"])
def test_an_overlay_reads_its_base(tmp_path: Path, name: str, base_format: str) -> None:
    base, new = tmp_path / name, tmp_path / f"{name}.new"
    subprocess.run(["qemu-img", "create", "-q", "-f", base_format, base, "1M"], check=True)
    create_overlay(str(new), str(base), base_format)
    command = ["qemu-img", "info", "--output=json", new]
    info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    said = (info["virtual-size"], info["backing-filename"], info["backing-filename-format"])
    assert said == (2**20, str(base), base_format)
    assert new.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_over(tmp_path: Path) -> None:
    base, there, link = qemu.create(tmp_path / "base", 2**20), tmp_path / "there", tmp_path / "link"
    there.write_text("precious")
    link.symlink_to(tmp_path / "nowhere")
    for path in (there, link):
        with pytest.raises(FileExistsError):
            create_overlay(str(path), str(base), "qcow2")
    assert there.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_left_where_it_fails(tmp_path: Path) -> None:
    base = qemu.create(tmp_path / "base", 2**20)
    for path, kind in ((tmp_path / "missing", "qcow2"), (base, "nonsense"), (tmp_path / "missing", "raw")):
        with pytest.raises(ConvertError):
            create_overlay(str(tmp_path / "new"), str(path), kind)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
