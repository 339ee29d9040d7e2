"""Walk the files of one qcow2 image with libguestfs: names, and what is known of each, without content.

Run by the system's Python, which has libguestfs: guestfs_walk.py IMAGE. Prints how many files there are, and the
seconds until its appliance had started. Without KVM, which hangs where it is there and does not work.
"""

import sys
import time
from stat import S_ISDIR
from typing import Any

import guestfs


def main() -> None:
    began = time.monotonic()
    appliance = guestfs.GuestFS(python_return_dict=True)
    appliance.add_drive_opts(sys.argv[1], format="qcow2", readonly=1)
    appliance.launch()
    started = time.monotonic() - began
    appliance.mount_ro("/dev/sda", "/")
    print(_count(appliance), round(started, 1))
    appliance.close()


def _count(appliance: Any) -> int:
    count, waiting = 0, ["/"]
    while waiting:
        directory = waiting.pop()
        names = appliance.ls(directory)
        count += len(names)
        for name, known in zip(names, appliance.lstatnslist(directory, names), strict=True):
            if S_ISDIR(known["st_mode"]):
                waiting.append(directory.rstrip("/") + "/" + name)
    return count


if __name__ == "__main__":
    main()
