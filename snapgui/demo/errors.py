"""What can go wrong with the demonstration: the machine lacks something, or the guest did not do as told."""


class DemoUnavailable(Exception):
    """The demonstration cannot run on this machine; the message says what to install or to do."""


class GuestError(Exception):
    """A command failed in the guest, or the guest did not answer in time."""
