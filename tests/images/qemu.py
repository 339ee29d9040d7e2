"""Disk images made by QEMU's own tools: the truth that readers and writers are compared with."""

import subprocess
from pathlib import Path


def create(path: Path, size: int, *options: str, base: Path | None = None, base_format: str = "qcow2") -> Path:
    """Make a qcow2 image; ``options`` as in ``qemu-img create -o``."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2"]
    if base is not None:
        command += ["-b", str(base), "-F", base_format]
    for option in options:
        command += ["-o", option]
    run(*command, str(path), str(size))
    return path


def io(path: Path, *commands: str, image_format: str = "qcow2") -> None:
    """Write to an image: commands of qemu-io, such as ``write -P 7 64k 4k``."""
    if commands:
        run("qemu-io", "-f", image_format, *(part for command in commands for part in ("-c", command)), str(path))


def snapshot(path: Path, name: str) -> None:
    """Take an internal snapshot of an image that nobody has open."""
    run("qemu-img", "snapshot", "-c", name, str(path))


def content(path: Path, name: str = "", image_format: str = "qcow2") -> bytes:
    """Return the disk as a guest sees it, or as it was at an internal snapshot."""
    raw = path.with_name(f"{path.name}.content")
    inside = ["-l", f"snapshot.name={name}"] if name else []
    try:
        run("qemu-img", "convert", "-f", image_format, *inside, "-O", "raw", str(path), str(raw))
        return raw.read_bytes()
    finally:
        raw.unlink(missing_ok=True)


def check(path: Path) -> None:
    """Raise where an image is not wholly sound: corrupt or leaked clusters."""
    run("qemu-img", "check", "-q", "-f", "qcow2", str(path))


def run(*command: str) -> None:
    """Run a tool; its complaint is in the error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
