"""Write patterns into the image of a VM that is off, and read them back; look at what the image says itself."""

import json
import subprocess
from pathlib import Path

PLACE = "400M 64k"
"""Behind everything that the guest's file system uses."""


def write_pattern(image: Path, pattern: int) -> None:
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {PLACE}", str(image)], check=True, capture_output=True
    )


def holds_pattern(image: Path, pattern: int) -> bool:
    command = ["qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} {PLACE}", str(image)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    differs = "Pattern verification failed" in said.stdout
    assert differs or said.returncode == 0, said.stderr
    return not differs


def names_inside(image: Path) -> set[str]:
    """Names of the internal snapshots in the image itself, whatever libvirt thinks."""
    said = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", str(image)], check=True, capture_output=True
    ).stdout
    return {snapshot["name"] for snapshot in json.loads(said).get("snapshots", [])}


def is_sound(image: Path) -> bool:
    """Whether qemu-img finds no corruption (leaked clusters are none)."""
    return subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(image)], check=False).returncode in {0, 3}
