"""Clones on the demonstration's own hypervisor: ``own_hypervisor.py UID DIRECTORY KERNEL INITRAMFS DISK``.

For root it is libvirt's embedded driver, which has no storage pools; for others a session daemon, which has them.
Prints what came of it as one line of JSON.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import libvirt

from snapgui.cli.main import main as command_line
from snapgui.demo import hypervisor
from snapgui.demo.channel import GuestChannel
from snapgui.demo.guest import GuestFiles, domain_xml
from snapgui.demo.machine import terminal_of
from snapgui.hypervisor import pools
from snapgui.hypervisor.connection import Connection
from tests.stacks.ordinary import become

NVRAM_BYTES = 128 * 1024
BOOT_S = 120


def main() -> None:
    uid, directory, *files = sys.argv[1:]
    become(int(uid))
    with hypervisor.start(Path(directory)) as own:
        guest = GuestFiles(*map(Path, files))
        web01 = hypervisor.define_demo_vm(own.uri, guest, own.directory)
        channel = GuestChannel(web01.channel)
        channel.wait_until_up(BOOT_S)
        with Connection(own.uri) as connection:
            found: dict[str, Any] = {"storage": pools.has_storage(connection), "source": str(web01.disk)}
        found |= _linked(own.uri, channel)
        found |= _full(own.uri, channel, guest, web01.disk.parent)
        channel.close()
        again = hypervisor.define_demo_vm(own.uri, guest, own.directory)
        found["left"] = [vm["name"] for vm in _ask(own.uri, "list")["vms"]]
        found["files left"] = sorted(path.name for path in again.disk.parent.iterdir() if path.suffix == ".qcow2")
    json.dump(found, sys.stdout)


def _linked(uri: str, source: GuestChannel) -> dict[str, Any]:
    """A clone of an external snapshot runs beside its source, and each keeps what it writes."""
    source.run("echo then >/data/mark; sync")
    _ask(uri, "take", "web01", "base", "--kind", "external", "--memory", "none")
    source.run("echo now >/data/mark; sync")
    made = _ask(uri, "clone", "web01@base", "linked", "--linked", "--start")
    image = Path(made["disks"][0]["file"])
    clone = GuestChannel(terminal_of(uri, made["vm"]["uuid"]))
    clone.wait_until_up(BOOT_S)
    marks = [clone.read_file("/data/mark").strip()]
    clone.run("echo clone >/data/mark; sync")
    marks += [source.read_file("/data/mark").strip(), clone.read_file("/data/mark").strip()]
    clone.close()
    mode = f"{image.stat().st_mode & 0o777:o}"
    refusal = _refused(uri, "delete", "web01", "base")
    _ask(uri, "flatten", "linked")
    return {"base": made["disks"][0]["base"], "marks": marks, "mode": mode, "refusal": refusal, "after": _base(image)}


def _full(uri: str, source: GuestChannel, files: GuestFiles, place: Path) -> dict[str, Any]:
    """Of the running VM, of a snapshot, of a VM that is off and has UEFI variables; linked of the running VM."""
    names = {"running": "web01", "snapshot": "web01@base"}
    made = {name: _ask(uri, "clone", what, name, "--full")["disks"][0] for name, what in names.items()}
    variables = os.urandom(NVRAM_BYTES)
    (place / "off_VARS.fd").write_bytes(variables)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", place / "off.qcow2", "1M"], check=True)
    loader = "<loader readonly='yes' type='pflash'>/firmware.fd</loader>"
    xml = domain_xml("off", files, place / "off.qcow2", place / "off-channel")
    xml = xml.replace("<kernel>", f"{loader}<nvram>{place}/off_VARS.fd</nvram><kernel>", 1)
    connection = libvirt.open(uri)
    connection.defineXML(xml)
    connection.close()
    made["off"] = _ask(uri, "clone", "off", "copy", "--full")["disks"][0]
    frozen = _ask(uri, "clone", "web01", "second", "--linked")["disks"][0]
    copied = (place / "copy_VARS.fd").read_bytes() == variables
    return {
        "full": {name: _base(Path(disk["file"])) for name, disk in made.items()},
        "nvram": copied,
        "second": Path(frozen["base"]).name,
        "healthy": source.run("cd /data/app && sha256sum -c -s checksums && echo yes").strip(),
    }


def _base(image: Path) -> str | None:
    command = ["qemu-img", "info", "-U", "--output=json", str(image)]
    answer = subprocess.run(command, check=True, capture_output=True).stdout
    base: str | None = json.loads(answer).get("backing-filename")
    return base


def _ask(uri: str, verb: str, *arguments: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = command_line(["-c", uri, verb, "--json", *arguments])
    if status:
        raise SystemExit(f"{verb} {arguments} ended with status {status}")
    return json.loads(out.getvalue())


def _refused(uri: str, *arguments: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = command_line(["-c", uri, *arguments])
    return said.getvalue() if status == 1 else ""


if __name__ == "__main__":
    main()
