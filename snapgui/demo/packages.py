"""Finds a kernel with its modules and a static busybox, as an ordinary user and without installing anything."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snapgui.demo.errors import DemoUnavailable

KERNEL_PACKAGES = ("linux-image-cloud-amd64", "linux-image-virtual", "linux-image-amd64", "linux-image-generic")
BUSYBOX_PACKAGE = "busybox-static"
BUSYBOX_PATHS = ("/bin/busybox", "/usr/bin/busybox", "/sbin/busybox", "/usr/sbin/busybox.static", "/bin/busybox.static")
APT_TIMEOUT_S = 600.0

_PT_INTERP = 3
_DEPENDENCY = re.compile(r"^\s*\|?Depends: <?([a-z0-9.+-]+)", re.MULTILINE)
_KERNEL_FILES = re.compile(r"linux-(image(-unsigned)?|modules)-\d")


@dataclass(frozen=True, slots=True)
class Ingredients:
    """A kernel image, the directory of its modules (`lib/modules/VERSION`) and a static busybox."""

    kernel: Path
    modules: Path
    busybox: Path


def find_ingredients(scratch: Path, metapackages: Sequence[str] = KERNEL_PACKAGES) -> Ingredients:
    """Take the distribution's packages if apt is here, else what the machine itself runs.

    Raises DemoUnavailable if neither yields a kernel and a busybox.
    """
    reasons: list[str] = []
    if all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
        try:
            return _from_packages(scratch, metapackages)
        except DemoUnavailable as reason:
            reasons.append(str(reason))
    try:
        return _from_host(Path("/boot"), Path("/lib/modules"))
    except DemoUnavailable as reason:
        reasons.append(str(reason))
    raise DemoUnavailable(" ".join(reasons))


def _from_packages(scratch: Path, metapackages: Sequence[str]) -> Ingredients:
    names = [*_kernel_packages(metapackages), BUSYBOX_PACKAGE]
    tree = scratch / "packages"
    tree.mkdir()
    _apt(["apt-get", "-q", "-o", "APT::Sandbox::User=", "download", *names], tree)
    for package in sorted(tree.glob("*.deb")):
        _apt(["dpkg-deb", "-x", str(package), str(tree)], tree)
    kernel = _first(tree.glob("boot/vmlinuz-*"), "a kernel image in " + ", ".join(names))
    release = kernel.name.removeprefix("vmlinuz-")
    modules = _first(
        (p for p in (tree / "lib/modules" / release, tree / "usr/lib/modules" / release) if p.is_dir()),
        f"the modules of kernel {release}",
    )
    busybox = _first((p for p in (tree / "bin/busybox", tree / "usr/bin/busybox") if p.is_file()), "busybox")
    return Ingredients(kernel, modules, busybox)


def _kernel_packages(metapackages: Sequence[str]) -> list[str]:
    """Return the packages that hold the kernel and its modules: what the first known metapackage depends on."""
    if platform.machine() != "x86_64":
        raise DemoUnavailable(f"The demonstration guest is made for x86_64 machines, this is {platform.machine()}.")
    for metapackage in metapackages:
        direct = _dependencies(metapackage)
        files = [name for name in direct if _KERNEL_FILES.match(name)]
        if not files:  # Ubuntu: linux-image-virtual -> linux-image-6.8.0-1-generic -> linux-modules-6.8.0-1-generic
            files = [name for middle in direct for name in _dependencies(middle) if _KERNEL_FILES.match(name)]
        files += [name for image in files for name in _dependencies(image) if name.startswith("linux-modules-")]
        if files:
            return list(dict.fromkeys(files))
    raise DemoUnavailable(
        "apt knows none of the kernel packages " + ", ".join(metapackages) + ": run “apt-get update” first."
    )


def _dependencies(package: str) -> list[str]:
    answer = subprocess.run(
        ["apt-cache", "depends", "--no-recommends", "--no-suggests", package],
        capture_output=True, text=True, check=False, env=_plain_environment(), timeout=APT_TIMEOUT_S,
    )  # fmt: skip
    return _DEPENDENCY.findall(answer.stdout)


def _apt(command: list[str], directory: Path) -> None:
    answer = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env=_plain_environment(), timeout=APT_TIMEOUT_S,
    )  # fmt: skip
    if answer.returncode:
        complaint = answer.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise DemoUnavailable(f"{' '.join(command[:1])} failed ({complaint[0]}): run “apt-get update” and try again.")


def _from_host(boot: Path, modules: Path) -> Ingredients:
    kernels = sorted(
        p for p in boot.glob("vmlinuz-*")
        if os.access(p, os.R_OK) and (modules / p.name.removeprefix("vmlinuz-")).is_dir()
    )  # fmt: skip
    kernel = _first(reversed(kernels), f"a readable kernel in {boot} with modules in {modules}")
    busybox = _first((Path(p) for p in BUSYBOX_PATHS if _is_static(Path(p))), "a static busybox")
    return Ingredients(kernel, modules / kernel.name.removeprefix("vmlinuz-"), busybox)


def _is_static(program: Path) -> bool:
    """Whether an ELF file names no program interpreter (System V ABI, program header type PT_INTERP)."""
    if not program.is_file():
        return False
    head = program.read_bytes()[:4096]
    offset, size, count = (int.from_bytes(head[at : at + n], "little") for at, n in ((32, 8), (54, 2), (56, 2)))
    kinds = (int.from_bytes(head[offset + i * size : offset + i * size + 4], "little") for i in range(count))
    return head.startswith(b"\x7fELF") and _PT_INTERP not in kinds


def _first(found: Iterable[Path], what: str) -> Path:
    for path in found:
        return path
    raise DemoUnavailable(f"Not found: {what}. Needed are a Linux kernel with its modules and a static busybox.")


def _plain_environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}
