"""Makes the root directory of the newer stack: Debian 12 with libvirt and QEMU of its backports, made once."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from tests.stacks.apt_sources import KEYRING, acquire_settings, source_lines
from tests.stacks.privileges import as_root

SUITES = ("bookworm", "bookworm-backports")
PACKAGES = ("libvirt-daemon-system", "libvirt-daemon-driver-qemu", "libvirt-clients", "qemu-system-x86", "qemu-utils")
APT_SETTINGS = 'APT::Install-Recommends "false";\nAPT::Default-Release "bookworm-backports";\n'
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")


def backports_root() -> Path:
    """Return the root directory, built at the first call on this machine (about a minute, 360 MB)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snapgui" / "stacks"
    cache.mkdir(parents=True, exist_ok=True)
    finished = cache / "bookworm-backports"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.is_dir():
            _remove_unfinished(cache)
            _build(cache, finished)
    return finished


def _remove_unfinished(cache: Path) -> None:
    for path in cache.glob("building-*"):
        as_root("rm", "-rf", "--one-file-system", str(path))


def _build(cache: Path, finished: Path) -> None:
    if not shutil.which("mmdebstrap"):
        raise FileNotFoundError("mmdebstrap is missing: install the packages mmdebstrap and debian-archive-keyring")
    scratch = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
    settings = scratch / "apt.conf"
    settings.write_text(acquire_settings() + APT_SETTINGS)
    options = ["--variant=apt", f"--aptopt={settings}", f"--include={','.join(PACKAGES)}"]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    if KEYRING.is_file():
        options.append(f"--keyring={KEYRING}")
    as_root("mmdebstrap", "--mode=root", "--quiet", *options, SUITES[0], str(scratch / "root"), *source_lines(*SUITES))
    as_root("mv", "--no-target-directory", str(scratch / "root"), str(finished))
    shutil.rmtree(scratch)
