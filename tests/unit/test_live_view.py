"""Who can have the disks that QEMU lends, and what the others are told."""

import os
from dataclasses import replace

import pytest
from lxml import etree

from snapgui.hypervisor.connection import _guests_run_as
from snapgui.model.records import Capabilities
from snapgui.operations.live_view import why_not_lent
from tests.unit.facts import facts

MODELS = """<capabilities><host><secmodel><model>apparmor</model><doi>0</doi></secmodel>
  <secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>{label}</baselabel></secmodel></host></capabilities>"""


@pytest.mark.parametrize(
    ("label", "owner"),
    [("+64055:+993", (64055, 993)), (" +0:+0 ", (0, 0)), ("qemu:qemu", None), ("", None), ("+9" * 99, None)],
)
def test_whom_guests_run_as(label: str, owner: tuple[int, int] | None) -> None:
    assert _guests_run_as(etree.fromstring(MODELS.format(label=label))) == owner
    assert _guests_run_as(etree.fromstring("<capabilities/>")) is None


@pytest.mark.parametrize(
    ("user", "groups", "owner", "reaches"),
    [
        (0, [0], (64055, 993), True),
        (1000, [1000], (64055, 993), False),
        (1000, [1000, 993], (64055, 993), True),
        (1000, [1000], (1000, 993), True),
        (1000, [1000], None, True),
    ],
)
def test_who_reaches_the_socket(
    monkeypatch: pytest.MonkeyPatch, user: int, groups: list[int], owner: tuple[int, int] | None, reaches: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: groups)
    here = replace(facts(), uri="qemu:///system", capabilities=Capabilities(guests_run_as=owner))
    assert (why_not_lent(here) is None) is reaches
    assert why_not_lent(replace(here, uri="qemu+ssh://host/system")) is not None


def test_the_pretended_hypervisor() -> None:
    why = why_not_lent(replace(facts(), uri="test:///default", capabilities=Capabilities(driver="TEST")))
    assert "Take a snapshot first, and compare with that." in str(why)
