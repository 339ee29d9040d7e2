"""Saves of memory that are so slow that something can be done meanwhile, although the guest is small."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt

from tests.qemu.commands import PATIENCE_S
from tests.stacks.machines import Machine

SPEED_MIB_S = 32
"""At which the 256 MiB of the guest take some seconds; QEMU alone would be at the end before the first report."""


@contextmanager
def slow_save(machine: Machine) -> Iterator[None]:
    """Let a save be slow as soon as it has begun; what was set before, libvirt would lift for it."""
    begun, ended = threading.Event(), threading.Event()
    limited: list[int] = []

    def limit() -> None:
        if begun.wait(PATIENCE_S) and not ended.is_set():
            limited.append(machine.domain.migrateSetMaxSpeed(SPEED_MIB_S))

    kind = libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION
    number = machine.connection.domainEventRegisterAny(machine.domain, kind, lambda *_: begun.set(), None)
    limiter = threading.Thread(target=limit)
    limiter.start()
    try:
        yield
    finally:
        ended.set()
        begun.set()
        limiter.join()
        machine.connection.domainEventDeregisterAny(number)
    assert limited == [0]
