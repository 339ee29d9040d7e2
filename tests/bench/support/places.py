"""Imported first by every bench: finds the project, and gives history, cache and locks a place of their own."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SNAPGUI = (sys.executable, "-m", "snapgui")
_CACHE = "XDG_CACHE_HOME"

sys.path.insert(0, str(ROOT))


def own_directories() -> Path:
    """Point everything that is kept per user into a scratch directory; the cache, with the guest in it, stays."""
    scratch = Path(tempfile.mkdtemp(prefix="sg-bench-", dir="/tmp"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    for name in ("STATE_HOME", "CONFIG_HOME", "RUNTIME_DIR"):
        place = scratch / name.lower()
        place.mkdir(mode=0o700)
        os.environ[f"XDG_{name}"] = str(place)
    os.environ.pop("LIBVIRT_DEFAULT_URI", None)
    os.environ["LC_ALL"] = "C.UTF-8"
    return scratch
