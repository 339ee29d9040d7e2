"""A real hypervisor of the demonstration's own, in one directory: nothing of the user's is read, used or touched.

As root it is libvirt's embedded driver in this process; for everybody else, a private session daemon.
"""

import contextlib
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import libvirt

from snapgui.demo.errors import DemoUnavailable
from snapgui.demo.machine import DemoMachine, define_demo_vm
from snapgui.demo.places import Lock, hypervisor_root
from snapgui.demo.processes import end_processes
from snapgui.demo.session_daemon import SessionDaemon
from snapgui.hypervisor.eventloop import ensure_running

__all__ = ["DemoMachine", "EmbeddedHypervisor", "clean", "define_demo_vm", "demo_directory", "start"]

QEMU_SETTINGS = 'stdio_handler = "file"\nsecurity_driver = "none"\nmax_core = 0\n'
"""No log daemon (it would be the system's), no AppArmor or SELinux profiles (they need root, or the system's paths)."""
QEMU_SETTINGS_OF_ROOT = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
"""
PACKAGES = "libvirt-daemon-driver-qemu, libvirt-daemon and qemu-system-x86"


class EmbeddedHypervisor:
    """A running hypervisor; as a context manager it is stopped at the end.

    Attributes: `uri` for libvirt, `directory` where it keeps everything (a short path, fit for sockets).
    """

    def __init__(self, uri: str, directory: Path, lock: Lock, daemon: SessionDaemon | None) -> None:
        self.uri = uri
        self.directory = directory
        self._lock = lock
        self._daemon = daemon

    def stop(self) -> None:
        """Switch off its VMs (their definitions and snapshots stay) and end the private daemon."""
        with contextlib.suppress(libvirt.libvirtError):  # a daemon that died has nothing to switch off
            _switch_off_all(self.uri)
        if self._daemon:
            self._daemon.stop()
        end_processes(self.directory)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def demo_directory() -> Path:
    """Return the directory that holds all of the demonstration: below the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "snapgui" / "demo"


def start(directory: Path) -> EmbeddedHypervisor:
    """Start the hypervisor that lives in `directory`; what an earlier run left behind is ended first.

    Raises DemoUnavailable if a run is going on there, or libvirt or QEMU is missing.
    """
    _require_qemu()
    directory.mkdir(parents=True, exist_ok=True)
    lock = Lock(directory)
    try:
        root = hypervisor_root(directory)
        end_processes(root)
        shutil.rmtree(root / "run", ignore_errors=True)
        return _start_embedded(root, lock) if os.geteuid() == 0 else _start_session(root, lock)
    except BaseException:
        lock.release()
        raise


def clean(directory: Path) -> None:
    """Remove everything that demonstrations left in `directory`, first their processes, then their files.

    Raises DemoUnavailable if a run is going on there.
    """
    if not directory.is_dir():
        return
    lock = Lock(directory)
    try:
        root = hypervisor_root(directory)
        end_processes(root)
        shutil.rmtree(root)
        shutil.rmtree(directory)
    finally:
        lock.release()


def _require_qemu() -> None:
    if not shutil.which("qemu-system-x86_64"):
        raise DemoUnavailable(f"QEMU is missing: install {PACKAGES}.")


def _start_embedded(root: Path, lock: Lock) -> EmbeddedHypervisor:
    _configure(root / "etc", QEMU_SETTINGS + QEMU_SETTINGS_OF_ROOT)
    ensure_running()
    uri = f"qemu:///embed?root={root}"
    try:
        libvirt.open(uri).close()
    except libvirt.libvirtError as reason:
        raise DemoUnavailable(
            f"libvirt's embedded QEMU driver does not start ({reason}): is {PACKAGES} installed?"
        ) from reason
    return EmbeddedHypervisor(uri, root, lock, None)


def _start_session(root: Path, lock: Lock) -> EmbeddedHypervisor:
    _configure(root / "config" / "libvirt", QEMU_SETTINGS)
    daemon = SessionDaemon(root, packages=PACKAGES)
    return EmbeddedHypervisor(daemon.uri, root, lock, daemon)


def _configure(directory: Path, settings: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "qemu.conf").write_text(settings)


def _switch_off_all(uri: str) -> None:
    connection = libvirt.open(uri)
    try:
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            domain.destroy()
    finally:
        connection.close()
