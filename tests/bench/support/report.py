"""Prints a table and writes it into its section of docs/performance.md."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from support.measure import Row
from support.places import ROOT

PAGE = ROOT / "docs" / "performance.md"
_HEAD = """# Performance

Written by `./dev bench`; each section by the script of its name in `tests/bench`. Times are medians of several
repetitions, with the least in brackets. Peers are measured in the same run, in turn with snapgui, because other
programs share the machine: compare within a table, not between machines. The guest runs in software emulation.
"""
_ORDER = (
    "tree",
    "commands",
    "pause",
    "clone",
    "blocks",
    "files",
    "storage",
    "compare_window",
    "listing",
    "depth",
    "window",
    "beat",
    "lineage",
)


def section(name: str, title: str, columns: Row, rows: Iterable[Row], notes: Sequence[str] = ()) -> None:
    """Print a table and put it into the page in the place of the former one."""
    table = _table(columns, list(rows))
    text = "\n\n".join((f"## {title}", _circumstances(), table, *notes))
    print(text)
    _write(name, text)


def _table(columns: Row, rows: Sequence[Row]) -> str:
    lines = [columns, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    drawn = [_line([f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)]) for line in lines]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"


def _circumstances() -> str:
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    python = f"Python {platform.python_version()}, PySide6 {version('PySide6-Essentials')}"
    libraries = f"libvirt {_version('virsh', '--version')}, QEMU {_version('qemu-system-x86_64', '--version')}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {load}, {python}, {libraries}."


def _version(*command: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "not installed"
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else "unknown"


def _write(name: str, text: str) -> None:
    page = PAGE.read_text() if PAGE.is_file() else _HEAD
    sections = dict(re.findall(r"<!-- bench: (\w+) -->\n(.*?)\n<!-- end -->", page, re.DOTALL))
    sections[name] = text
    known = [name for name in _ORDER if name in sections]
    parts = [f"<!-- bench: {name} -->\n{sections[name]}\n<!-- end -->\n" for name in known]
    PAGE.write_text("\n".join((_HEAD, *parts)))
