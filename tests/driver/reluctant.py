"""A libvirt that wants to be forced: its test driver calls nothing risky that it would survive being forced to."""

import libvirt
import pytest

REASON = "revert requires force: Target domain OS type xen does not match source hvm"


def make_reluctant(patch: pytest.MonkeyPatch) -> list[int]:
    """Let libvirt refuse every revert without force as risky; return a list that fills with the flags of each."""
    revert, asked = libvirt.virDomain.revertToSnapshot, []

    def reluctant(domain: libvirt.virDomain, snapshot: libvirt.virDomainSnapshot, flags: int = 0) -> int:
        asked.append(flags)
        if flags & libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE:
            return int(revert(domain, snapshot, flags))
        raise _risky()

    patch.setattr(libvirt.virDomain, "revertToSnapshot", reluctant)
    return asked


def _risky() -> libvirt.libvirtError:
    error = libvirt.libvirtError("virDomainRevertToSnapshot() failed")
    error.err = (libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY, libvirt.VIR_FROM_TEST, REASON, 2, REASON, None, None, -1, -1)
    return error
