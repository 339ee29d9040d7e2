"""Two real libvirt versions, each as a private daemon in its own namespaces: nothing of the machine's is touched.

By hand: `python -m tests.stacks.stacks [libvirt-9.0|libvirt-11.3]` starts one, says how to connect, and ends it when
its input ends.
"""

import contextlib
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from tests.stacks.booting import BootedGuests
from tests.stacks.debian_root import backports_root
from tests.stacks.privileges import as_root, root_command

START_TIMEOUT_S = 60.0
PREFIX = "snapgui-stack-"
PORTS = range(20000, 32000)
"""Below those that Linux gives to outgoing connections: one that is free stays free."""
BACKPORTS = "libvirt-11.3"
UNSHARE = ("unshare", "--mount", "--propagation=unchanged", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Propagation is left to daemon.sh: unshare fails at it in a chroot."""
LIBVIRTD_CONF = """\
unix_sock_dir = "{state}/run"
unix_sock_rw_perms = "0777"
unix_sock_ro_perms = "0777"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "{host}"
listen_tls = 0
listen_tcp = 1
listen_addr = "127.0.0.1"
tcp_port = "{port}"
auth_tcp = "none"
"""
QEMU_CONF = """\
user = "+{user}"
group = "+{group}"
stdio_handler = "file"
max_core = 0
security_driver = "none"
dynamic_ownership = {own}
remember_owner = 0
namespaces = []
cgroup_controllers = []
"""


def installed() -> str:
    """Return the name of the stack of this machine's packages: “libvirt-9.0” on Debian 12."""
    try:
        answer = subprocess.run(["/usr/sbin/libvirtd", "--version"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return "libvirt-not-installed"
    found = re.search(r"\d+\.\d+", answer)
    return f"libvirt-{found[0]}" if found else "libvirt-unknown"


class Stack:
    """A running private daemon.

    Attributes: `name`; `uri` for libvirt, and `remote_uri` as from another machine; `images`, a directory that the
    daemon and its guests see at the same path; `native_external`, whether this libvirt can revert to external
    snapshots; `directory`, all its files; `booted`, the guests that have booted there.
    """

    def __init__(self, name: str, settings: str = "") -> None:
        """Start the daemon; `settings` are lines for its qemu.conf."""
        _remove_abandoned()
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
        self._lock = _held_lock(self.directory)
        self.images = self.directory / "images"
        self.socket = self.directory / "run" / "libvirt-sock"
        self.uri = f"qemu:///system?socket={self.socket}"
        self.booted = BootedGuests(self.directory / "booted", self.directory / "lib/qemu/save")
        self._port = _free_port()
        self.remote_uri = f"qemu+tcp://127.0.0.1:{self._port}/system"
        self._write_configuration(settings)
        self._namespace = self._start_namespace()
        try:
            self._wait_for_daemon()
            self.native_external = "<externalSnapshot" in self.virsh("capabilities").stdout
        except BaseException:
            self.stop()
            raise

    def virsh(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run this machine's virsh against the stack; what it complains of is in the error, if `check`."""
        command = ["virsh", "-c", self.uri, *arguments]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if check and done.returncode:
            raise RuntimeError(f"virsh {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def daemon_pid(self) -> int:
        """Return the daemon's process number as this machine counts (it runs in a process namespace of its own)."""
        return _process("libvirtd", str(self.directory))

    def qemu_pid(self, uuid: str) -> int:
        """Return the process number of the QEMU that runs the VM with this UUID."""
        return _process("qemu-system", uuid)

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one of the stack's processes."""
        if os.geteuid() == 0:
            os.kill(pid, number)
        else:
            as_root("kill", f"-{number.value}", str(pid))

    def start_daemon(self) -> None:
        """Start the daemon again after it was killed, and wait until it answers."""
        self._wait_for_end_of_daemon()
        self.socket.unlink(missing_ok=True)  # of the old one, which may take connections until its very end
        assert self._namespace.stdin
        self._namespace.stdin.write(b"start\n")
        self._namespace.stdin.flush()
        self._wait_for_daemon()

    def stop(self) -> None:
        """End the daemon and all its guests, and remove every file of theirs."""
        assert self._namespace.stdin
        self._namespace.stdin.close()
        self._namespace.wait(START_TIMEOUT_S)
        _remove(self.directory)
        self._lock.close()

    def _write_configuration(self, settings: str) -> None:
        for name in ("etc/qemu", "etc/secrets", "etc/storage", "run", "lib", "log", "cache", "images"):
            (self.directory / name).mkdir(parents=True)
        self.directory.chmod(0o755)
        settled = LIBVIRTD_CONF.format(state=self.directory, host=uuid4(), port=self._port)
        (self.directory / "etc/libvirtd.conf").write_text(settled)
        (self.directory / "etc/qemu.conf").write_text(
            QEMU_CONF.format(user=os.getuid(), group=os.getgid(), own=int(os.getuid() != 0)) + settings
        )

    def _start_namespace(self) -> subprocess.Popen[bytes]:
        root = [str(backports_root())] if self.name == BACKPORTS else []
        script = Path(__file__).with_name("daemon.sh")
        inside = ["bash", str(script), str(self.directory), *root]
        with (self.directory / "log/namespace.log").open("wb") as log:
            return subprocess.Popen(
                root_command(*UNSHARE, *inside),
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip

    def _wait_for_end_of_daemon(self) -> None:
        """Wait until the signal that was sent to the daemon has done its work."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self.daemon_pid()
            except ProcessLookupError:
                return
            time.sleep(0.02)
        raise TimeoutError(f"the daemon of {self.name} still runs: kill it first")

    def _wait_for_daemon(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._namespace.poll() is None:
            try:
                with socket.socket(socket.AF_UNIX) as trial:
                    trial.connect(str(self.socket))
                    return
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        logs = (path.read_text(errors="replace") for path in (self.directory / "log").glob("*.log"))
        raise RuntimeError(f"{self.name} does not start:\n" + "\n".join(logs))


def _held_lock(directory: Path) -> TextIO:
    """Return the open lock file; it gets its name when it is locked, else others would take it for abandoned."""
    lock = (directory / "new-lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (directory / "new-lock").rename(directory / "lock")
    return lock


def _free_port() -> int:
    while True:
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind(("127.0.0.1", port := random.choice(PORTS)))
            return port


def _process(program: str, argument: str) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if program.encode() in command[0] and any(argument.encode() in part for part in command[1:]):
            return int(process.name)
    raise ProcessLookupError(f"no {program} runs with {argument}")


def _remove_abandoned() -> None:
    """Remove the files of runs that were killed; the kernel has ended their processes."""
    for directory in Path("/tmp").glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another worker removes it at the same time
            _remove_if_abandoned(directory)


def _remove_if_abandoned(directory: Path) -> None:
    lock = directory / "lock"
    if directory.stat().st_uid != os.getuid() or not lock.is_file():
        return
    with lock.open() as trial:
        try:
            fcntl.flock(trial, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _remove(directory)


def _remove(directory: Path) -> None:
    if os.geteuid() == 0:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        as_root("rm", "-rf", "--one-file-system", str(directory))


def main() -> None:
    stack = Stack(sys.argv[1] if len(sys.argv) > 1 else installed())
    print(f"{stack.name} runs: virsh -c '{stack.uri}'   images: {stack.images}   (end of input ends it)", flush=True)
    try:
        sys.stdin.read()
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
