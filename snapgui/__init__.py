"""Draw, take, revert and delete the snapshots of libvirt virtual machines."""

__version__ = "0.1.0"
