"""Copies an image with qemu-img: all that it and its bases hold, or an internal snapshot as it was."""

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")
_LONGEST_ERROR = 600
LOOK_S = 0.1


class ConvertError(Exception):
    """qemu-img did not do it; the new file is gone again."""


class ConvertCancelled(Exception):
    """It was called off; the new file is gone again."""


def convert(
    source: str,
    image_format: str,
    target: str,
    report: Callable[[float], object],
    cancel: threading.Event,
    inside: str = "",
) -> None:
    """Copy ``source`` (or its internal snapshot ``inside``) into the new qcow2 file ``target``.

    ``report`` gets the share that is done, 0 to 1. Nothing is locked: only what nobody writes to may be copied.
    Raises FileExistsError, ConvertError or ConvertCancelled; then there is no new file.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    command = ["qemu-img", "convert", "-U", "-p", "-f", image_format, "-O", "qcow2"]
    if inside:
        command += ["-l", "snapshot.name=" + inside.replace(",", ",,")]
    try:
        _run([*command, source, target], report, cancel)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(target).unlink()
        raise


def _run(command: list[str], report: Callable[[float], object], cancel: threading.Event) -> None:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        watcher = threading.Thread(target=_stop_when, args=(process, cancel), daemon=True)
        watcher.start()
        stdout, stderr = process.stdout, process.stderr
        if stdout is None or stderr is None:
            raise ConvertError("qemu-img has no output")
        line = b""
        while chunk := os.read(stdout.fileno(), 4096):
            *_, line = (line + chunk).rsplit(b"\r", 1)
            if found := _PERCENT.findall(chunk):
                report(float(found[-1]) / 100)
        error = stderr.read().decode("utf-8", "replace").strip()
        status = process.wait()
        watcher.join()
    if cancel.is_set() and status != 0:
        raise ConvertCancelled
    if status != 0:
        raise ConvertError(error[-_LONGEST_ERROR:] or f"qemu-img ended with status {status}")


def _stop_when(process: subprocess.Popen[bytes], cancel: threading.Event) -> None:
    while process.poll() is None:
        if cancel.wait(LOOK_S):
            process.terminate()
            return
