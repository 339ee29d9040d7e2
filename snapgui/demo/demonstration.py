"""``snapgui demo``: the window on an own hypervisor with an own guest, or an unattended tour through it."""

import os
from collections.abc import Callable
from pathlib import Path

from snapgui.demo import hypervisor
from snapgui.demo.channel import GuestChannel
from snapgui.demo.display import VirtualDisplay
from snapgui.demo.errors import DemoUnavailable, GuestError
from snapgui.demo.guest import build_guest
from snapgui.demo.hypervisor import DemoMachine, EmbeddedHypervisor

Say = Callable[[str], None]
DONE, FAILED = 0, 1


def run_demo(tour: Path | None, *, clean: bool, say: Say) -> int:
    """Run the demonstration; return 0 only if everything held. Without a display it is always the tour."""
    directory = hypervisor.demo_directory()
    try:
        if clean:
            hypervisor.clean(directory)
            say("Removed what the demonstration kept.")
            return DONE
        if tour is not None or not _has_display():
            return _tour(directory, (tour or directory / "tour").resolve(), say)
        return _window(directory, say)
    except (DemoUnavailable, GuestError) as error:
        say(f"snapgui: {error}")
        return FAILED


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _window(directory: Path, say: Say) -> int:
    """The user's own display, the demonstration's own hypervisor."""
    with _started(directory, say) as (machine, embedded):
        from snapgui.demo.menu import DemoMenu  # noqa: PLC0415 - Qt is loaded only where it is needed
        from snapgui.ui.application import show_window  # noqa: PLC0415

        say(f"The window shows the VM {machine.name}. Closing it ends the demonstration.")
        return show_window(embedded.uri, machine.uuid, lambda window: DemoMenu(window, machine.channel))


def _tour(directory: Path, pictures: Path, say: Say) -> int:
    try:
        pictures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoUnavailable(f"The pictures cannot be kept: {error}.") from error
    with VirtualDisplay(), _started(directory, say) as (machine, embedded):
        from snapgui.demo.tour import run_tour  # noqa: PLC0415 - Qt is loaded when there is a display

        held = run_tour(embedded.uri, machine, pictures, say)
    say(f"The pictures are in {pictures}." if held else "Something did not hold.")
    return DONE if held else FAILED


class _started:  # noqa: N801 - reads as a sentence where it is used
    """The hypervisor with its guest, up and counting; everything is switched off at the end."""

    def __init__(self, directory: Path, say: Say) -> None:
        self._directory, self._say = directory, say

    def __enter__(self) -> tuple[DemoMachine, EmbeddedHypervisor]:
        files = build_guest(self._directory / "guest", self._say)
        self._embedded = hypervisor.start(self._directory)
        _keep_apart(self._embedded.directory)
        try:
            machine = hypervisor.define_demo_vm(self._embedded.uri, files, self._embedded.directory)
            self._say(f"Waiting for the guest of {machine.name} to start …")
            channel = GuestChannel(machine.channel)
            channel.wait_until_up()
            channel.close()
        except BaseException:
            self._embedded.stop()
            raise
        return machine, self._embedded

    def __exit__(self, *_: object) -> None:
        self._embedded.stop()


def _keep_apart(directory: Path) -> None:
    """The demonstration has a history, settings and thumbnails of its own; the user's are left alone."""
    for variable, place in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "settings"), ("XDG_CACHE_HOME", "cache")):
        os.environ[variable] = str(directory / "user" / place)
