"""The window: Qt widgets over the operations. No libvirt, file or subprocess call happens on its thread."""
