"""libvirt's errors as the project's own: the codes and sentences were seen on libvirt 9.0 and 11.3 (libvirt-facts)."""

import libvirt
import pytest

from snapgui.hypervisor.faults import LONGEST_MESSAGE, fault, one_line, translated
from snapgui.model.errors import (
    Broken,
    Busy,
    Cancelled,
    Gone,
    NoPermission,
    Refused,
    Risky,
    SnapguiError,
    Unavailable,
)


def error(code: int, message: str, domain: int = 10) -> libvirt.libvirtError:
    """Return an error as the binding makes it from what the library tells."""
    made = libvirt.libvirtError(message)
    made.err = (code, domain, message, libvirt.VIR_ERR_ERROR, "", None, None, -1, -1)
    return made


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (38, "Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory", Unavailable),
        (38, "Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied", NoPermission),
        (38, "End of file while reading data: Input/output error", Unavailable),
        (38, "Cannot write data: Broken pipe", Unavailable),
        (38, "Cannot recv data: ssh: connect to host h port 22: Connection refused: Connection reset", Unavailable),
        (38, "Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory", Unavailable),
        (1, "internal error: Unable to get system bus connection: Could not connect", Unavailable),
        (1, "internal error: client socket is closed", Unavailable),
        (7, "connection closed due to keepalive timeout", Unavailable),
        (5, "no connection driver available for nonsense:///", Unavailable),
        (29, "operation forbidden: read only access prevents virDomainSnapshotCreateXML", NoPermission),
        (45, "authentication failed: no agent", NoPermission),
        (88, "access denied", NoPermission),
        (42, "Domain not found: no domain with matching uuid", Gone),
        (72, "Domain snapshot not found: no domain snapshot with matching name 'x'", Gone),
        (68, "Timed out during operation: cannot acquire state change lock", Busy),
        (83, "block copy still active: disk 'vda' already in active block job", Busy),
        (78, "operation aborted: job 'snapshot' canceled by client", Cancelled),
        (67, "unsupported configuration: revert to external snapshot not supported yet", Refused),
        (84, "Operation not supported: internal snapshots of a VM with pflash based firmware", Refused),
        (55, "Requested operation is not valid: domain is not running", Refused),
        (77, "revert requires force", Risky),
        (38, "Unable to read from monitor: Connection reset by peer", Broken),
        (9, "operation failed: domain is no longer running", Broken),
    ],
)
def test_every_error_has_its_kind(code: int, message: str, kind: type[SnapguiError]) -> None:
    found = fault(error(code, message))
    assert type(found) is kind
    assert message in str(found.text)
    assert found.detail == f"libvirt error {code}, domain 10: {message}"


@pytest.mark.parametrize(
    "message",
    [
        "operation failed: Failed to take snapshot: Error: Error while writing VM state: Input/output error",
        "operation failed: snapshot-save job failed: Error while writing VM state: Input/output error",
        "libvirt_iohelper: failure with F: Unable to write F: No space left on device",
    ],
)
def test_a_full_disk_is_named(message: str) -> None:
    found = fault(error(9, message))
    assert isinstance(found, Broken)
    assert "may be full" in str(found.text)


def test_a_chain_that_is_too_long_is_named() -> None:
    found = fault(error(1, "internal error: failed to parse JSON: nesting too deep"))
    assert isinstance(found, Broken)
    assert "cannot start a VM on so many external snapshots" in str(found.text)


def test_only_libvirt_errors_are_translated() -> None:
    with pytest.raises(Gone) as raised, translated():
        raise error(42, "Domain not found")
    assert isinstance(raised.value.__cause__, libvirt.libvirtError)
    with pytest.raises(KeyError), translated():
        raise KeyError


def test_messages_are_one_bearable_line() -> None:
    assert one_line("a\nb\x1b[2J\u2028c\t") == "a b [2J c"
    assert len(one_line("x" * 100_000)) <= LONGEST_MESSAGE
    found = fault(error(42, "no snapshot {name} <b>" + "\n" * 50))
    assert str(found.text) == "It does not exist any more: no snapshot {name} <b>"
