"""A libvirt daemon of one ordinary user's own, with its own XDG directories: not the daemon of the user's session."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from snapgui.demo.errors import DemoUnavailable

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
DAEMONS = ("libvirtd", "virtqemud")
"""The daemon for everything, or on distributions that split it up, the one for QEMU."""


class SessionDaemon:
    """The running daemon; everything it writes is below `root`. Attribute: `uri`, under which it answers."""

    def __init__(self, root: Path, *, packages: str) -> None:
        program = _find_daemon(packages)
        self._socket = root / "run" / "libvirt" / ("libvirt-sock" if program.name == "libvirtd" else "virtqemud-sock")
        self.uri = f"qemu:///session?socket={self._socket}"
        log = root / "daemon.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(program), "--pid-file", str(root / "daemon.pid")],
                env=_environment(root), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            self._wait_until_it_answers(log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the daemon and wait for its end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_it_answers(self, log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with socket.socket(socket.AF_UNIX) as trial:
                    trial.connect(str(self._socket))
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
            else:
                return
        raise DemoUnavailable(f"The private libvirt daemon does not start: {log.read_text(errors='replace')[-500:]}")


def _find_daemon(packages: str) -> Path:
    search = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"))
    for name in DAEMONS:
        if found := shutil.which(name, path=search):
            return Path(found)
    raise DemoUnavailable(f"Neither libvirtd nor virtqemud is installed: install {packages}.")


def _environment(root: Path) -> dict[str, str]:
    places = {"XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data"}
    for name in places.values():
        (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "LIBVIRT_"))}
    return inherited | {variable: str(root / name) for variable, name in places.items()}
