"""A screen reader sees list, tree and every node, and its user takes a snapshot by keyboard alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import libvirt

from tests.gui.conftest import web_machines
from tests.gui.screen import another_screen
from tests.qemu.commands import ok
from tests.stacks.machines import Machine

SESSION = """
/usr/libexec/at-spi-bus-launcher --launch-immediately & launcher=$!
"$1" -m snapgui -c "$2" --vm "$3" & application=$!
shift 3
/usr/bin/python3 "$@"
status=$?
kill $application
wait $application
kill $launcher
exit $status
"""


def read_aloud(uri: str, vm: str, home: Path, *wanted: str) -> Any:
    """Let a screen reader use the application on one VM; return what it was told."""
    reader = str(Path(__file__).with_name("screen_reader.py"))
    settings = {"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    with another_screen() as display:
        done = subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", SESSION, "session", sys.executable, uri, vm, reader, *wanted],
            env={**os.environ, **settings, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
            capture_output=True, text=True, check=False, timeout=150, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_application_over_at_spi(pretend: Callable[..., str], tmp_path: Path) -> None:
    seen = read_aloud(pretend(web_machines()), "web01", tmp_path)
    assert any(text.startswith("web01, shut off") for _, text in seen["vms"])
    assert any(text.startswith("Empty one, shut off") for _, text in seen["vms"])
    roles = {role for role, _ in seen["nodes"]}
    texts = [text for _, text in seen["nodes"]]
    assert "table cell" in roles
    for name in ("fresh install", "web server", "tls", "php", "desktop", "You are here"):
        assert sum(text == name or text.startswith(f"{name}, ") for text in texts) == 1, (name, texts)
    assert seen["menu"] == ["Take Snapshot…"]
    assert seen["proposed"] == "snapshot-1"
    assert ["push button", "Take Snapshot"] in seen["dialog"] or ["button", "Take Snapshot"] in seen["dialog"]
    assert any(text.startswith("spoken, ") for _, text in seen["afterwards"])


def test_a_clone_is_heard_and_gone_to_by_keyboard_alone(idle_guest: Machine, tmp_path: Path) -> None:
    vm, clone = idle_guest.name, f"clone-{uuid4().hex[:8]}"
    ok(idle_guest.uri, "take", vm, "before", "--kind", "external")
    ok(idle_guest.uri, "clone", f"{vm}@before", clone, "--linked")
    try:
        seen = read_aloud(idle_guest.uri, vm, tmp_path, vm, clone)
    finally:
        idle_guest.connection.lookupByName(clone).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    assert ["table cell", f"Linked clone {clone}, shut off"] in seen["source"]
    assert seen["reached"][0] == f"Linked clone {clone}, shut off"
    assert ["table cell", f"Clone of {vm} @ before"] in seen["clone"]
