"""Runs what only root may do: directly where the tests run as root, else through sudo without a password."""

import os
import subprocess


def root_command(*command: str) -> list[str]:
    """Return `command` so that it runs as root."""
    return list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]


def as_root(*command: str) -> None:
    """Run `command` as root; its output is shown only if it fails."""
    done = subprocess.run(
        root_command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"{command[0]} failed with status {done.returncode}:\n{done.stdout.decode(errors='replace')}"
        )
