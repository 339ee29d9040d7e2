"""An embedded real hypervisor with a tiny real guest, for the demonstration and for the tests."""
