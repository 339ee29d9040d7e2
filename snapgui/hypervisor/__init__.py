"""The only floor that talks to libvirt and reads or builds its XML; synchronous, thread-agnostic."""
