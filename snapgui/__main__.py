"""``python -m snapgui`` and the ``snapgui`` command."""

import os
import sys

# libvirt reads this once, when it is loaded. Its embedded driver would tell its whole life on stderr; what matters
# to a user travels as exceptions.
os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", "3:file:/dev/null")

CANCELLED = 130


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        from snapgui.cli.main import main as command_line  # noqa: PLC0415 - Ctrl-C is heard while it is loaded

        return command_line()
    except KeyboardInterrupt:
        return CANCELLED


if __name__ == "__main__":
    sys.exit(main())
