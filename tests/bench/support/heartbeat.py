"""How long a guest stands still, as seen in what it sends: the clock within it stands still, too, while it does."""

import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Self

import libvirt

from tests.stacks.machines import Machine

BEAT = "stty -F /dev/ttyS0 raw && (yes . >/dev/ttyS0 &)"
"""The port sends its bytes one after another at its baud rate: some every 1 to 2 ms, whatever else the guest does."""
PATIENCE_S = 10.0


def add_port(machine: Machine) -> Path:
    """Connect the first serial port of a VM that is off to a socket; return the socket's path."""
    path = machine.directory / "beat"
    xml = machine.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    for kind in ("serial", "console"):
        xml = xml.replace(f"<{kind} type='null'>", f"<{kind} type='unix'><source mode='bind' path='{path}'/>")
    machine.connection.defineXML(xml)
    return path


class Heartbeat:
    """Notes when the bytes of a running guest arrive, while the ``with`` block runs."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._thread = threading.Thread(target=self._listen, name="heartbeat", daemon=True)
        self.arrivals = [time.monotonic()]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def longest_gap(self, since: float) -> float:
        """Return the longest time without a byte since a moment, which is over: it waits for another byte."""
        now, deadline = time.monotonic(), time.monotonic() + PATIENCE_S
        while self.arrivals[-1] <= now:
            if time.monotonic() > deadline:
                raise TimeoutError("the guest sends nothing any more")
            time.sleep(0.001)
        seen = [arrived for arrived in list(self.arrivals) if arrived >= since]
        return max(after - before for before, after in itertools.pairwise(seen))

    def _listen(self) -> None:
        while self._socket.recv(65536):
            self.arrivals.append(time.monotonic())
