"""The wheel, installed in an environment of its own, brings everything that the demonstration needs."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def _run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        | environment,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.mark.timeout(1200)
@pytest.mark.xdist_group("wheel")
def test_the_installed_wheel_runs_the_whole_tour(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    source = tmp_path / "source"
    _run("git", "clone", "--quiet", PROJECT, source)
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, source)
    (wheel,) = wheels.glob("snapgui-*.whl")
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    _run(place / "bin" / "pip", "install", "--quiet", wheel)
    pictures = tmp_path / "pictures"
    said = _run(place / "bin" / "snapgui", "demo", "--tour", pictures, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "FAILED" not in said
    assert "dragged with the pointer, it said “Linked clone of web01 @ live”" in said
    assert "qemu-img finds the image sound" in said
    assert len(list(pictures.glob("*.png"))) > 10
