"""Three ways to use a stack: as who may do all, as an ordinary user, and from another machine.

An ordinary user may ask libvirt for everything, but neither read an image nor list its directory. Whoever comes from
another machine must not even try to: those commands run as that user, too, so that none gets away with it.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.stacks.privileges import root_command
from tests.stacks.stacks import Stack

WAYS = ("root", "user", "remote")
ORDINARY = 65534
"""The user and group that own nothing: “nobody” and “nogroup” of Debian."""
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("ordinary.py")


@dataclass(frozen=True)
class Access:
    """A way to use a stack: its address, and the home of the ordinary user, None for whoever runs the tests."""

    way: str
    uri: str
    home: Path | None = None

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a process that runs snapgui with these arguments in this way."""
        if self.home is None:
            return [sys.executable, "-m", "snapgui", "-c", self.uri, *arguments]
        places = {f"XDG_{name}": self.home / name.lower() for name in ("STATE_HOME", "CACHE_HOME", "CONFIG_HOME")}
        places |= {"HOME": self.home, "XDG_RUNTIME_DIR": self.home, "PYTHONPATH": ROOT}
        environment = [f"{name}={path}" for name, path in places.items()]
        environment += [f"PATH={os.environ['PATH']}", "LC_ALL=C.UTF-8"]
        ordinary = [sys.executable, str(PROGRAM), str(ORDINARY)]
        return root_command("env", "-i", *environment, *ordinary, "-c", self.uri, *arguments)


def access_to(stack: Stack, way: str, home: Path) -> Access:
    """Return one of the `WAYS` to use a stack; `home` belongs to the ordinary user."""
    return {
        "root": Access(way, stack.uri),
        "user": Access(way, stack.uri, home),
        "remote": Access(way, stack.remote_uri, home),
    }[way]


def as_ordinary_user(*command: str) -> list[str]:
    """Return `command` so that the ordinary user runs it."""
    return root_command("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", *command)
