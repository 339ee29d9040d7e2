"""From the start of the process to the window on the screen: snapgui and virt-manager with the same hypervisor."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support import places  # isort: skip
from PySide6.QtGui import QGuiApplication, QImage
from support.guests import guest, stack
from support.measure import Row, Times, verdict
from support.report import section

from tests.stacks.privileges import as_root
from tests.stacks.stacks import installed

TURNS = 5
SHOWN_S = 1.5
PATIENCE_S = 60
STILL_S, LOOK_S = 1.0, 0.005
START = {True: "cold", False: "again"}
PARTS = (sys.base_prefix, sys.prefix, "/usr/bin", "/usr/lib", "/usr/share")
"""What both programs are made of; dropped from the system's cache of files before a cold start."""
COLUMNS = ("start", "snapgui", "virt-manager", "ratio", f"aim {SHOWN_S} s", "ahead")
NOTE = (
    "From the start of the process until the first pixels of its window are on the screen, and until the screen stays"
    " as it is: the VM is listed. With the daemon of this machine's libvirt, which has one VM, switched off. “Cold” is"
    " after the files of both programs and of all that they load were dropped from the system's cache, as far as no"
    " other process holds them."
)


def main() -> None:
    if "DBUS_SESSION_BUS_ADDRESS" not in os.environ:
        os.execvp("dbus-run-session", ["dbus-run-session", "--", sys.executable, *sys.argv])  # noqa: S606
    _install()
    places.own_directories()
    os.environ["GSETTINGS_BACKEND"] = "memory"
    application = QGuiApplication(sys.argv[:1])
    with stack(installed()) as running, guest(running, running=False) as machine:
        snapgui = [str(Path(sys.executable).with_name("snapgui")), "-c", machine.uri]
        manager = ["virt-manager", "--no-fork", "-c", machine.uri]
        rows = [row for cold in (True, False) for row in _rows(START[cold], snapgui, manager, cold=cold)]
    del application
    section("window", "Window on the screen", COLUMNS, rows, (NOTE,))


def _install() -> None:
    if not shutil.which("virt-manager"):
        install = ("apt-get", "install", "-y", "--no-install-recommends", "virt-manager")
        as_root("env", "DEBIAN_FRONTEND=noninteractive", *install)


def _rows(name: str, snapgui: list[str], manager: list[str], *, cold: bool) -> Iterator[Row]:
    looks: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for _ in range(TURNS):
        for command, seen in zip((snapgui, manager), looks, strict=True):
            if cold:
                _forget_files()
            seen.append(_watched(command))
    for what, part in (("on the screen", 0), ("complete", 1)):
        ours, theirs = (Times(tuple(look[part] for look in seen)) for seen in looks)
        ahead = "ahead" if ours.median < theirs.median else "**behind**"
        ratio = f"{ours.median / theirs.median:.2f}"
        yield (f"{name}, {what}", str(ours), str(theirs), ratio, verdict(ours.median, SHOWN_S), ahead)


def _watched(command: list[str]) -> tuple[float, float]:
    """Return the seconds from the start of a program until something is on the screen, and until that stays so."""
    before = _screen()
    first = last = 0.0
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        while not first or time.perf_counter() - began - last < STILL_S:
            now = _screen()
            if now != before:
                last = time.perf_counter() - began
                first, before = first or last, now
            elif time.perf_counter() - began > PATIENCE_S:
                raise TimeoutError(f"{command[0]} shows nothing")
            time.sleep(LOOK_S)
        program.kill()
    time.sleep(STILL_S)  # until the server has removed what it left
    return first, last


def _screen() -> QImage:
    return QGuiApplication.primaryScreen().grabWindow(0).toImage()


def _forget_files() -> None:
    for part in PARTS:
        for directory, _, names in os.walk(part):
            for name in names:
                _forget_file(os.path.join(directory, name))  # noqa: PTH118 - there are many


def _forget_file(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
