"""Images that this process cannot read, on another host or of another user, are read through libvirt's volumes."""

import contextlib
from collections.abc import Iterator
from xml.sax.saxutils import escape

import libvirt
import pytest

from snapgui.hypervisor.connection import Connection
from snapgui.hypervisor.volumes import VolumeStream, open_volume
from snapgui.images.qcow2 import read_head, same_as_snapshot
from tests.qemu.commands import INTERNAL, ok
from tests.qemu.images import write_pattern
from tests.stacks.machines import Machine


@pytest.fixture
def image(idle_guest: Machine) -> Iterator[VolumeStream]:
    """The image of a VM as a volume of an active pool."""
    pool = idle_guest.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>{idle_guest.name}</name>"
        f"<target><path>{escape(str(idle_guest.directory))}</path></target></pool>"
    )
    with Connection(idle_guest.uri) as connection:
        volume = open_volume(connection, str(idle_guest.disk))
        assert volume is not None
        yield volume
    with contextlib.suppress(libvirt.libvirtError):
        pool.destroy()


def test_a_volume_has_the_bytes_of_its_file(idle_guest: Machine, image: VolumeStream) -> None:
    content = idle_guest.disk.read_bytes()
    assert image.size == len(content)
    for place, length in ((0, 104), (1, 1), (65536, 300_000), (len(content) - 10, 10), (len(content) - 5, 100)):
        assert image.read(place, length) == content[place : place + length], (place, length)
    assert image.read(len(content), 10) == b""
    assert image.read(0, len(content)) == content


def test_snapshots_are_compared_through_a_volume(idle_guest: Machine, image: VolumeStream) -> None:
    ok(idle_guest.uri, "take", idle_guest.name, "a", *INTERNAL)
    with Connection(idle_guest.uri) as connection:
        now = open_volume(connection, str(idle_guest.disk))
        assert now is not None
        assert [entry.name for entry in read_head(now).snapshots] == ["a"]
        assert same_as_snapshot(now, "a") is True
        write_pattern(idle_guest.disk, 2)
        later = open_volume(connection, str(idle_guest.disk))
        assert later is not None
        assert same_as_snapshot(later, "a") is False


def test_an_image_of_no_pool_cannot_be_had(idle_guest: Machine) -> None:
    with Connection(idle_guest.uri) as connection:
        assert open_volume(connection, str(idle_guest.disk)) is None
        assert open_volume(connection, "/no/such/file") is None


def test_a_volume_that_is_gone_is_an_os_error(idle_guest: Machine, image: VolumeStream) -> None:
    idle_guest.disk.unlink()
    with pytest.raises(OSError, match="No such file"):
        image.read(0, 104)
