"""``python -m snapgui`` and the ``snapgui`` command."""

import os
import sys

# libvirt reads this once, when it is loaded. Its embedded driver would tell its whole life on stderr; what matters
# to a user travels as exceptions.
os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", "3:file:/dev/null")

from snapgui.cli.main import main as command_line


def main() -> int:
    """Run the command line and return its exit status."""
    return command_line()


if __name__ == "__main__":
    sys.exit(main())
