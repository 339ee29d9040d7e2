"""Draw, take, revert and delete the snapshots of libvirt virtual machines, and make clones of them."""

__version__ = "0.1.0"
