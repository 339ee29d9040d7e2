"""A screen of the tour's own: Xvfb, so that it looks the same everywhere and nothing flickers on the user's."""

import os
import shutil
import subprocess
from typing import Self

from snapgui.demo.errors import DemoUnavailable

SCREEN = "1600x1000x24"
STARTS_WITHIN_S = 20


class VirtualDisplay:
    """Runs Xvfb while the ``with`` block runs, and points ``DISPLAY`` at it."""

    def __enter__(self) -> Self:
        if shutil.which("Xvfb") is None:
            raise DemoUnavailable("Xvfb is missing: install the package xvfb.")
        told, tell = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(tell), "-screen", "0", SCREEN, "-nolisten", "tcp", "-terminate"],
            pass_fds=[tell],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(tell)
        with os.fdopen(told) as answer:
            number = answer.readline().strip()
        if not number:
            raise DemoUnavailable("Xvfb did not start.")
        self._before = {name: os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
        os.environ.pop("WAYLAND_DISPLAY", None)
        os.environ.update(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb")
        return self

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._server.terminate()
        self._server.wait(STARTS_WITHIN_S)
