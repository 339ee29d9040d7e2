"""Reads disk images from byte sources; knows neither libvirt nor Qt."""
