"""Makes the demonstration guest do things: sends commands over its second serial port (init.sh is the other end)."""

import re
import secrets
import socket
import time
from pathlib import Path

from snapgui.demo.errors import GuestError
from snapgui.demo.terminal import Terminal

RESEND_S = 2.0
"""A request is repeated after this many seconds without an answer; the guest does a repeated request only once."""
RECONNECT_S = 0.1
"""Pause before a lost connection is tried again: QEMU is replaced when a snapshot is reverted."""


class GuestChannel:
    """The command channel of one guest, by the `path` of its Unix socket or of its terminal (a clone has one).

    Not for use by two threads at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket: socket.socket | Terminal | None = None

    def run(self, command: str, timeout: float = 30.0) -> str:
        """Run a shell command in the guest and return what it printed on both its outputs.

        Raises GuestError if its exit status is not 0 or there is no answer within `timeout` seconds.
        """
        output, status = self._ask(command, timeout)
        if status:
            raise GuestError(f"“{command}” ended with status {status} in the guest: {output.strip()}")
        return output

    def counter(self) -> int:
        """Return the number that the guest keeps in RAM; it grows by about ten a second."""
        return int(self.run("cat /run/counter"))

    def read_file(self, path: str) -> str:
        """Return the text of a file in the guest."""
        return self.run(f"cat '{path}'")

    def wait_until_up(self, timeout: float = 60.0) -> None:
        """Wait until the guest takes commands, at most `timeout` seconds."""
        self._ask(":", timeout, resend=0.25)

    def close(self) -> None:
        """Close the connection; the next command opens it again."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _ask(self, command: str, timeout: float, *, resend: float = RESEND_S) -> tuple[str, int]:
        deadline = time.monotonic() + timeout
        token = secrets.token_hex(8)
        escaped = command.replace("\\", "\\\\").replace("\n", "\\n")
        request = f"\nrun {token} {escaped} {token}\n".encode()
        while time.monotonic() < deadline:
            try:
                return self._exchange(request, token, deadline, resend)
            except (ConnectionError, FileNotFoundError, TimeoutError):  # the last: a guest that does not read yet
                self.close()
                time.sleep(RECONNECT_S)
        self.close()
        raise GuestError(f"The guest did not finish “{command}” within {timeout:.0f} s.")

    def _exchange(self, request: bytes, token: str, deadline: float, resend: float) -> tuple[str, int]:
        answer = re.compile(rf"\n{token} begin\n(.*?)\n{token} end (\d+)\n".encode(), re.DOTALL)
        begun = f"\n{token} begin\n".encode()
        link = self._connected()
        heard = bytearray()
        next_send = 0.0
        while (now := time.monotonic()) < deadline:
            if now >= next_send and begun not in heard:
                link.sendall(request)
                next_send = now + resend
            link.settimeout(min(resend, deadline - now))
            try:
                piece = link.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                raise ConnectionResetError
            heard += piece
            if found := answer.search(heard):
                return found[1].decode(errors="replace"), int(found[2])
        raise ConnectionAbortedError

    def _connected(self) -> socket.socket | Terminal:
        if self._socket is None and self.path.is_char_device():
            self._socket = Terminal(self.path)
        if self._socket is None:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket = link
            link.connect(str(self.path))
        return self._socket
