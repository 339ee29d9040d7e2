"""Crafted and truncated images: an error or an answer, soon, and without much memory."""

import json
import subprocess
import sys
from pathlib import Path

from tests.images.crafted import CUTS, ENDLESS, FLIPS

PATIENCE_S = 240.0
MOST_BYTES = 256 * 2**20


def test_damaged_images_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.images.crafted", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["grown"] < MOST_BYTES
    assert sum(said["outcomes"].values()) == FLIPS + CUTS + len(ENDLESS)
    assert min(said["outcomes"]["refused"], said["outcomes"]["answered"]) > CUTS // 2
