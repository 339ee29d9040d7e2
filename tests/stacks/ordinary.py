"""Runs snapgui's command line as an ordinary user: ``ordinary.py UID ARGUMENTS…``, started by root.

Python itself may lie where that user cannot look, such as in root's home: all that may be needed is loaded before.
"""

import os
import pkgutil
import sys
from importlib import import_module

from snapgui import __main__ as settings

LATER = ("concurrent.futures.thread", "encodings.idna", "locale", "shutil", "traceback", "unicodedata")
"""What others load only when they need it."""
FLOORS = ("model", "images", "hypervisor", "operations", "cli")


def main() -> int:
    from snapgui.cli.main import main as command_line

    uid, *arguments = sys.argv[1:]
    become(int(uid))
    try:
        return command_line(arguments)
    except KeyboardInterrupt:
        return settings.CANCELLED


def become(uid: int) -> None:
    """Be this user from now on; everything that may be needed is loaded before."""
    _load()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.chdir("/")


def _load() -> None:
    for name in LATER:
        import_module(name)
    for floor in FLOORS:
        package = import_module(f"snapgui.{floor}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)


if __name__ == "__main__":
    sys.exit(main())
