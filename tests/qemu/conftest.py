"""Real libvirt, real QEMU: every test here runs on both stacks (tests/stacks)."""

from tests.stacks.fixtures import guest, guest_files, idle_guest, stack, stack_files

__all__ = ["guest", "guest_files", "idle_guest", "stack", "stack_files"]
