"""libvirt's error codes as the project's own few exceptions; nobody outside this floor sees ``libvirtError``."""

import contextlib
import re
from collections.abc import Iterator

import libvirt

from snapgui.model.errors import Broken, Busy, Cancelled, Gone, NoPermission, Refused, Risky, SnapguiError, Unavailable
from snapgui.model.text import QT_TRANSLATE_NOOP

LONGEST_MESSAGE = 600
"""Characters of a libvirt message that are shown; names of 10 kB appear in some of them."""

_UNAVAILABLE = {libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC}
_PERMISSION = {
    libvirt.VIR_ERR_AUTH_FAILED,
    libvirt.VIR_ERR_AUTH_CANCELLED,
    libvirt.VIR_ERR_AUTH_UNAVAILABLE,
    libvirt.VIR_ERR_OPERATION_DENIED,
    libvirt.VIR_ERR_ACCESS_DENIED,
}
_GONE = {libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, libvirt.VIR_ERR_NO_STORAGE_VOL}
_BUSY = {libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_ERR_BLOCK_COPY_ACTIVE}
_REFUSED = {
    libvirt.VIR_ERR_NO_SUPPORT,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
    libvirt.VIR_ERR_INVALID_ARG,
    libvirt.VIR_ERR_OPERATION_INVALID,
    libvirt.VIR_ERR_XML_ERROR,
    libvirt.VIR_ERR_XML_DETAIL,
    libvirt.VIR_ERR_DOM_EXIST,
}
_LOST = (
    "client socket is closed",
    "keepalive timeout",
    "End of file while reading",
    "Cannot recv data",
    "Cannot read data",
    "Cannot write data",
)
_NO_SOCKET = (
    "Failed to connect socket",
    "unable to connect to server",
    "Unable to get system bus connection",
    "Cannot read CA certificate",
)
_UNWRITTEN = ("Error while writing VM state", "No space left on device")
_DENIED = ("Permission denied", "authentication unavailable", "authentication failed", "polkit")
_SAVED_ALREADY = "paused due to previous migration"
_ONCE = QT_TRANSLATE_NOOP(
    "errors",
    "QEMU saves the memory of a paused VM into a file only once. Let it run for a moment first; nothing was changed.",
)
_TOO_DEEP = ("nesting too deep",)
"""Measured on libvirt 11.3: QEMU's answer about a VM on more than 24 overlays; 9.0 knows no such end."""
_KNOWN = (
    (
        _UNWRITTEN,
        QT_TRANSLATE_NOOP(
            "errors", "An image could not be written to; the file system that it lies on may be full: {reason}"
        ),
    ),
    (
        _TOO_DEEP,
        QT_TRANSLATE_NOOP(
            "errors",
            "This libvirt cannot start a VM on so many external snapshots, not even to merge images; go back to a "
            "snapshot further up, or update libvirt to 12.0: {reason}",
        ),
    ),
)
"""What libvirt's message has in it, and what it means."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn a ``libvirtError`` raised inside into one of the project's exceptions."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise fault(error) from error


def fault(error: libvirt.libvirtError) -> SnapguiError:
    """Return the project's exception for a libvirt error, libvirt's own sentence within."""
    code = error.get_error_code()
    message = one_line(error.get_error_message() or str(error))
    detail = f"libvirt error {code}, domain {error.get_error_domain()}: {message}"
    if _SAVED_ALREADY in message:
        return Refused(_ONCE, detail)
    kind = _kind(code, message)
    known = (text for parts, text in _KNOWN if kind is Broken and any(part in message for part in parts))
    return kind(next(known, _SENTENCES[kind]).format(reason=message), detail)


def _kind(code: int | None, message: str) -> type[SnapguiError]:
    if code in _PERMISSION or any(part in message for part in _DENIED):
        return NoPermission
    if code in _UNAVAILABLE or any(part in message for part in (*_LOST, *_NO_SOCKET)):
        return Unavailable
    if code == libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY:
        return Risky
    if code == libvirt.VIR_ERR_OPERATION_ABORTED:
        return Cancelled
    for codes, kind in ((_GONE, Gone), (_BUSY, Busy), (_REFUSED, Refused)):
        if code in codes:
            return kind
    return Broken


def one_line(message: str) -> str:
    """Return a message that may quote hostile names as one printable line of a bearable length."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", message).strip()
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE // 2]} … {line[-LONGEST_MESSAGE // 3 :]}"


_SENTENCES = {
    NoPermission: QT_TRANSLATE_NOOP("errors", "You are not allowed to do this: {reason}"),
    Unavailable: QT_TRANSLATE_NOOP("errors", "The hypervisor cannot be reached: {reason}"),
    Cancelled: QT_TRANSLATE_NOOP("errors", "It was called off: {reason}"),
    Gone: QT_TRANSLATE_NOOP("errors", "It does not exist any more: {reason}"),
    Busy: QT_TRANSLATE_NOOP("errors", "Another operation is in the way: {reason}"),
    Refused: QT_TRANSLATE_NOOP("errors", "libvirt refused: {reason}"),
    Risky: QT_TRANSLATE_NOOP("errors", "libvirt calls this risky, and does it only if forced to: {reason}"),
    Broken: QT_TRANSLATE_NOOP("errors", "libvirt reported: {reason}"),
}
