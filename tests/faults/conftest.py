"""Faults are made on real hypervisors, both stacks, as in tests/qemu."""

from tests.stacks.fixtures import guest, guest_files, idle_guest, stack, stack_files, user_home

__all__ = ["guest", "guest_files", "idle_guest", "stack", "stack_files", "user_home"]
