"""Runs a shell script in a tiny Linux guest with some disks: the kernel that writes what no tool of a user can.

The guest is software-emulated; it has the distribution's kernel and busybox, and is ended when the script has ended.
"""

import contextlib
import fcntl
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from snapgui.demo.errors import DemoUnavailable
from snapgui.demo.initramfs import DIRECTORY, FILE, LINK, Archive, applets, in_load_order
from snapgui.demo.packages import KERNEL_PACKAGES, Ingredients, find_ingredients

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snapgui" / "linux"
"""Where unpacked kernels are kept: read when this is imported, as tests have caches of their own."""
METAPACKAGES = (*KERNEL_PACKAGES, "linux-image-6.12-amd64")
"""The last is for Debian 12, whose own kernel lacks ntfs3."""
TIMEOUT_S = 240.0
BOOT_MODULES = ("virtio_pci", "virtio_blk")
WHERE_THERE = ("crc32c_generic",)
"""Newer kernels ask for it by what it does, where no dependency leads."""
ARGUMENTS = (
    "quiet loglevel=4 console=ttyS0 mitigations=off noreplace-smp no_timer_check tsc=reliable random.trust_cpu=on "
    "cryptomgr.notests audit=0 panic=-1 panic_on_oops=1"
)
_END = "\x1eend of the script "
_INIT = """#!/bin/sh
export PATH=/bin HOME=/tmp LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
stty -F /dev/ttyS1 raw -echo
while read -r module; do
    insmod "/lib/order/$module.ko" || echo "echo $module is not loaded; exit 1" >/script
done </lib/order/list
for disk in {disks}; do
    while ! [ -b "/dev/$disk" ]; do usleep 50000; done
done
sh -eu /script </dev/null >/dev/ttyS1 2>&1
printf '\\n{end}%d\\n' $? >/dev/ttyS1
{afterwards}
"""
_OFF = "cd /; umount -a -r 2>/dev/null; sync; poweroff -f"
_WAIT = "while :; do sleep 1000; done"


class GuestFailed(AssertionError):
    """The guest did not come to the end of its script, or that failed."""


def run_in_linux(
    disks: Sequence[Path],
    script: str,
    modules: Sequence[str] = (),
    programs: Sequence[str | Path] = (),
    *,
    files: dict[str, bytes] | None = None,
    kill: bool = False,
    memory_mib: int = 512,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a script of busybox sh (with -eu) in a guest, and return what it printed, bytes that are no UTF-8 escaped.

    Parameters: `disks` become /dev/vda, /dev/vdb…: qcow2 by their suffix, or raw. `modules` are loaded before, with
    all that they need. `programs` of this machine, and `files` by their absolute paths, are in the guest.
    `kill`: the guest is killed when the script has ended; what it has not written by then (`sync`) is lost, and what
    is mounted stays in use. Else it unmounts everything and powers off. Raises GuestFailed, also after `timeout_s`.
    """
    found = _ingredients((*BOOT_MODULES, *modules))
    with tempfile.TemporaryDirectory(prefix="linux-") as scratch:
        initramfs, console = Path(scratch) / "initramfs", Path(scratch) / "console"
        init = _INIT.format(
            disks=" ".join(_names(disks)), end=_END.replace("\x1e", "\\036"), afterwards=_WAIT if kill else _OFF
        )
        contents = {"/init": init.encode(), "/script": script.encode(), **(files or {})}
        _pack(initramfs, found, (*WHERE_THERE, *BOOT_MODULES, *modules), programs, contents)
        command = _command(found.kernel, initramfs, console, disks, memory_mib)
        return _watched(command, console, time.monotonic() + timeout_s, kill=kill)


def _names(disks: Sequence[Path]) -> list[str]:
    return [f"vd{letter}" for letter, _ in zip("abcdefghijklmnop", disks, strict=False)]


def _ingredients(modules: Sequence[str]) -> Ingredients:
    """Return the first kernel that has all the modules; downloaded once, whoever asks first."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for metapackage in METAPACKAGES:
            with contextlib.suppress(DemoUnavailable):  # each distribution has some of them
                found = _unpacked(metapackage)
                if _has(found.modules, modules):
                    return found
    raise GuestFailed(f"no kernel has the modules {', '.join(modules)}")


def _unpacked(metapackage: str) -> Ingredients:
    finished = CACHE / metapackage
    if not finished.is_dir():
        with tempfile.TemporaryDirectory(prefix="building-", dir=CACHE) as scratch:
            found = find_ingredients(Path(scratch), (metapackage,))
            built = Path(scratch) / "built"
            built.mkdir()
            shutil.copyfile(found.kernel, built / "kernel")
            shutil.copyfile(found.busybox, built / "busybox")
            (built / "busybox").chmod(0o755)
            shutil.copytree(found.modules, built / "modules", symlinks=True)
            built.rename(finished)
    return Ingredients(finished / "kernel", finished / "modules", finished / "busybox")


def _has(directory: Path, modules: Sequence[str]) -> bool:
    """Whether a kernel has modules, as files or (by its list of them) within itself."""
    built_in = directory / "modules.builtin"
    names = built_in.read_text().split() if built_in.is_file() else []
    names += [str(path) for path in directory.rglob("*.ko*")]
    return set(map(_spelt, modules)) <= {_spelt(Path(name).name.split(".")[0]) for name in names}


def _spelt(module: str) -> str:
    return module.replace("-", "_")


def _pack(
    target: Path,
    found: Ingredients,
    modules: Sequence[str],
    programs: Sequence[str | Path],
    contents: dict[str, bytes],
) -> None:
    archive = Archive()
    paths = dict(_with_libraries(programs))
    paths["/bin/busybox"] = found.busybox
    loaded = list(in_load_order(found.modules, [_spelt(name) for name in modules]))
    every = {f"/lib/order/{name}.ko": content for name, content in loaded}
    every |= {"/lib/order/list": "".join(f"{name}\n" for name, _ in loaded).encode()}
    every |= {place: path.read_bytes() for place, path in paths.items()} | contents
    for directory in _directories((*every, "/dev/x", "/mnt/x", "/proc/x", "/run/x", "/sys/x", "/tmp/x", "/etc/x")):
        archive.add(directory, DIRECTORY)
    for place, content in every.items():
        archive.add(place.lstrip("/"), FILE, content)
    for applet in applets(found.busybox):
        if f"/bin/{applet}" not in every:
            archive.add(f"bin/{applet}", LINK, b"busybox")
    target.write_bytes(archive.finish())


def _directories(paths: Iterable[str]) -> list[str]:
    """Return what the files lie in, upper ones first."""
    found = {str(parent).lstrip("/") for path in paths for parent in Path(path).parents}
    return sorted(found - {""})


def _with_libraries(programs: Sequence[str | Path]) -> Iterable[tuple[str, Path]]:
    """Yield where programs and the libraries that they are linked with lie in the guest and here."""
    for program in programs:
        path = Path(shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or program)
        yield f"/bin/{path.name}", path
        listing = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
        for word in listing.split():
            if word.startswith("/"):
                yield word, Path(word)


def _command(kernel: Path, initramfs: Path, console: Path, disks: Sequence[Path], memory_mib: int) -> list[str]:
    """Return the command line of QEMU: the kernel speaks into a file, the script to the standard output."""
    drives = [
        f"file={str(disk).replace(',', ',,')},format={'qcow2' if disk.suffix == '.qcow2' else 'raw'},"
        "if=virtio,cache=unsafe,discard=unmap"
        for disk in disks
    ]
    return [
        "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-cpu", "max", "-m", str(memory_mib), "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", ARGUMENTS, "-serial", f"file:{console}", "-chardev", "stdio,id=out,signal=off", "-serial",
        "chardev:out", *(part for drive in drives for part in ("-drive", drive)),
    ]  # fmt: skip


def _watched(command: list[str], console: Path, deadline: float, *, kill: bool) -> str:
    """Run QEMU until it ends, or until the end mark where it is to be killed then."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as guest:
        try:
            printed = _printed(guest, deadline, until_mark=kill)
        finally:
            guest.kill()
    text, mark, status = printed.decode("utf-8", "surrogateescape").rpartition(f"\n{_END}")
    if not mark or status.strip() != "0":
        said = console.read_text(errors="replace")[-4000:] if console.is_file() else ""
        raise GuestFailed(f"the script ended with {status.strip() or 'nothing'}: {(text or status)[-4000:]}\n{said}")
    return text


def _printed(guest: subprocess.Popen[bytes], deadline: float, *, until_mark: bool) -> bytes:
    assert guest.stdout is not None
    printed, mark = bytearray(), _END.encode()
    with selectors.DefaultSelector() as selector:
        selector.register(guest.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            piece = os.read(guest.stdout.fileno(), 2**16)
            printed += piece
            ended = mark in printed and printed.endswith(b"\n") and not printed.endswith(mark)
            if not piece or (until_mark and ended):
                return bytes(printed)
    raise GuestFailed(f"the guest took too long: {printed.decode('utf-8', 'replace')[-4000:]}")
