"""Makes an empty qcow2 image over another one with qemu-img, for hypervisors that have no storage pools."""

import contextlib
import os
import subprocess
from pathlib import Path

from snapgui.images.convert import ConvertError

LONGEST_S = 60
_LONGEST_ERROR = 600


def create_overlay(path: str, base: str, base_format: str) -> None:
    """Make the image ``path`` over ``base``, for this user alone; both paths are absolute.

    Raises FileExistsError or ConvertError; then nothing is new.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _create(["-o", "compat=1.1", "-b", base, "-F", base_format, path])
    except BaseException:
        with contextlib.suppress(OSError):
            Path(path).unlink()
        raise


def _create(arguments: list[str]) -> None:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConvertError(f"qemu-img did not end within {LONGEST_S} s") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ConvertError(said[-_LONGEST_ERROR:] or f"qemu-img ended with status {done.returncode}")
