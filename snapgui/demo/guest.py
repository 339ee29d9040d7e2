"""A tiny real Linux guest: the distribution's kernel, busybox, an ext4 disk; built once and then cached."""

import shutil
import subprocess
import tempfile
import uuid as uuids
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path

from lxml import etree

from snapgui.demo.channel import GuestChannel
from snapgui.demo.errors import DemoUnavailable, GuestError
from snapgui.demo.initramfs import write_initramfs
from snapgui.demo.packages import find_ingredients

__all__ = ["DemoUnavailable", "GuestChannel", "GuestError", "GuestFiles", "build_guest", "domain_xml"]

DISK_MIB = 512
APPLICATION_FILES = {
    "version": "1.0\n",
    "config": "listen = 0.0.0.0:8080\nworkers = 4\nmode = production\n",
    "data/customers.txt": "".join(f"{number} customer-{number:04d} paid\n" for number in range(1, 201)),
    "data/orders.txt": "".join(f"{number} order-{number:05d} shipped\n" for number in range(1, 501)),
    "data/readme.txt": "Files of the application that this guest pretends to run.\n",
}
"""What lies in /data/app on the guest's disk, by path."""
KERNEL_ARGUMENTS = (
    "quiet loglevel=0 console=tty0 mitigations=off noreplace-smp no_timer_check "
    "tsc=reliable random.trust_cpu=on cryptomgr.notests audit=0 panic=-1 8250.nr_uarts=2"
)


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """The three files that the guest is made of; the disk is a template, to be copied for each VM."""

    kernel: Path
    initramfs: Path
    disk: Path


def build_guest(directory: Path, say: Callable[[str], None]) -> GuestFiles:
    """Return the guest's files, built in `directory` unless a finished set of this version is there.

    Raises DemoUnavailable if something that it is built from or with is missing.
    """
    finished = directory / f"guest-{_version()}"
    if not finished.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=directory) as scratch:
            _build(Path(scratch), say)
            _publish(Path(scratch) / "guest", finished)
    return GuestFiles(finished / "kernel", finished / "initramfs.gz", finished / "disk.qcow2")


def domain_xml(
    name: str,
    files: GuestFiles,
    disk: Path,
    channel: Path,
    *,
    memory_mib: int = 256,
    extra_disks: Sequence[Path] = (),
    uuid: str | None = None,
) -> str:
    """Describe a VM that runs the guest from `disk` (qcow2) in software emulation.

    Its command channel is the Unix socket `channel` (at most 107 bytes long), `extra_disks` are qcow2 files, too.
    """
    disks = (_disk(path, f"vd{letter}") for path, letter in zip((disk, *extra_disks), "abcdefgh", strict=False))
    machine = _element(
        "domain",
        _element("name", text=name),
        _element("uuid", text=uuid or str(uuids.uuid4())),
        _element("title", text="snapgui demo guest"),
        _element("memory", text=str(memory_mib), unit="MiB"),
        _element("vcpu", text="1"),
        _element(
            "os",
            _element("type", text="hvm", arch="x86_64", machine="pc"),
            _element("kernel", text=str(files.kernel)),
            _element("initrd", text=str(files.initramfs)),
            _element("cmdline", text=KERNEL_ARGUMENTS),
        ),
        _element("features", _element("acpi"), _element("apic")),
        _element(
            "devices",
            *disks,
            _element("controller", type="usb", model="none"),
            _element("serial", _element("target", port="0"), type="null"),
            _element(
                "serial",
                _element("source", mode="bind", path=str(channel)),
                _element("target", port="1"),
                type="unix",
            ),
            _element("video", _element("model", type="vga", vram="16384")),
        ),
        type="qemu",
    )
    return etree.tostring(machine, encoding="unicode", pretty_print=True)


def _disk(path: Path, target: str) -> etree._Element:
    return _element(
        "disk",
        _element("driver", name="qemu", type="qcow2"),
        _element("source", file=str(path)),
        _element("target", dev=target, bus="virtio"),
        type="file",
        device="disk",
    )


def _element(tag: str, *children: etree._Element, text: str | None = None, **attributes: str) -> etree._Element:
    element = etree.Element(tag, attributes)
    element.text = text
    element.extend(children)
    return element


def _version() -> str:
    """Return a name that changes when anything changes that the files are built from."""
    contents = _init_script() + repr(sorted(APPLICATION_FILES.items())).encode()
    contents += Path(__file__).with_name("initramfs.py").read_bytes()
    return sha256(contents).hexdigest()[:12]


def _init_script() -> bytes:
    return resources.files("snapgui.demo").joinpath("init.sh").read_bytes()


def _build(scratch: Path, say: Callable[[str], None]) -> None:
    _require_programs("mke2fs", "qemu-img")
    say("Finding a kernel and busybox for the demonstration guest")
    found = find_ingredients(scratch)
    guest = scratch / "guest"
    guest.mkdir()
    say("Packing the guest")
    shutil.copyfile(found.kernel, guest / "kernel")
    write_initramfs(guest / "initramfs.gz", modules=found.modules, busybox=found.busybox, init=_init_script())
    say("Making the guest's disk")
    _make_disk(guest / "disk.qcow2", scratch)


def _require_programs(*programs: str) -> None:
    packages = {"mke2fs": "e2fsprogs", "qemu-img": "qemu-utils"}
    missing = [f"{name} (package {packages[name]})" for name in programs if not _program(name)]
    if missing:
        raise DemoUnavailable("To build the demonstration guest, install " + " and ".join(missing) + ".")


def _program(name: str) -> str | None:
    """Find a program also where an ordinary user's PATH does not look."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _make_disk(target: Path, scratch: Path) -> None:
    content = scratch / "content"
    application = content / "app"
    (application / "data").mkdir(parents=True)
    for name, text in APPLICATION_FILES.items():
        (application / name).write_text(text)
    sums = (f"{sha256(t.encode()).hexdigest()}  {n}\n" for n, t in APPLICATION_FILES.items() if n != "version")
    (application / "checksums").write_text("".join(sums))
    raw = scratch / "disk.raw"
    make = [
        _program("mke2fs") or "mke2fs", "-q", "-t", "ext4", "-L", "demo", "-E", "root_owner=0:0,lazy_itable_init=0",
        "-d", str(content), str(raw), f"{DISK_MIB}M",
    ]  # fmt: skip
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)], check=True)


def _publish(built: Path, finished: Path) -> None:
    built.chmod(0o755)
    try:
        built.rename(finished)
    except OSError:  # somebody else finished the same set meanwhile
        if not finished.is_dir():
            raise
