"""Where the project keeps its own files (XDG Base Directory Specification 0.8)."""

import os
from pathlib import Path


def state_directory() -> Path:
    """Return ``$XDG_STATE_HOME/snapgui``: history, logs."""
    return _base("XDG_STATE_HOME", ".local/state")


def cache_directory() -> Path:
    """Return ``$XDG_CACHE_HOME/snapgui``: thumbnails and the demonstration; safe to delete."""
    return _base("XDG_CACHE_HOME", ".cache")


def runtime_directory() -> Path:
    """Return ``$XDG_RUNTIME_DIR/snapgui`` for locks; the state directory where there is no session."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) / "snapgui" if Path(runtime).is_absolute() else state_directory() / "run"


def _base(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return (Path(value) if Path(value).is_absolute() else Path.home() / default) / "snapgui"
