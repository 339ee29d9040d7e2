"""Real libvirt, real QEMU: every test here runs on both stacks (tests/stacks)."""

from tests.stacks.fixtures import (
    access,
    guest,
    guest_files,
    idle_guest,
    second_files,
    second_stack,
    stack,
    stack_files,
    user_home,
)

__all__ = [
    "access",
    "guest",
    "guest_files",
    "idle_guest",
    "second_files",
    "second_stack",
    "stack",
    "stack_files",
    "user_home",
]
