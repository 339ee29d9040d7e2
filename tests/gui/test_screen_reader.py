"""A screen reader sees list, tree and every node, and its user takes a snapshot by keyboard alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.gui.conftest import web_machines
from tests.gui.screen import another_screen

SESSION = """
/usr/libexec/at-spi-bus-launcher --launch-immediately & launcher=$!
"$1" -m snapgui -c "$2" --vm web01 & application=$!
/usr/bin/python3 "$3"
status=$?
kill $application
wait $application
kill $launcher
exit $status
"""


def test_the_application_over_at_spi(pretend: Callable[..., str], tmp_path: Path) -> None:
    uri = pretend(web_machines())
    reader = Path(__file__).with_name("screen_reader.py")
    settings = {"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    with another_screen() as display:
        done = subprocess.run(
            ["dbus-run-session", "--", "bash", "-c", SESSION, "session", sys.executable, uri, str(reader)],
            env={**os.environ, **settings, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
            capture_output=True, text=True, check=False, timeout=150, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
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
