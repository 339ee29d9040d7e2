"""Views of one btrfs filesystem as a guest changes it at random, and once goes back to an earlier one."""

from dataclasses import dataclass
from pathlib import Path

from tests.images.btrfs import BEGIN, MODULES, PROGRAMS, make, random_changes
from tests.images.ext import MIB
from tests.images.linux import run_in_linux

SIZE = 32 * MIB
CHANGES = 25
BACK_TO, BACK_AT = 3, 7
"""Which view is gone back to, and which is the first one after that: written to the same places, at the same times."""
VIEWS = 11
BALANCED = 6
MKFS = ("--mixed", "--nodesize", "4096")
"""Small nodes make deep trees, data and metadata lie side by side."""

_BEGIN = f"""
keep() {{
  cd /; umount /mnt
  dd if=/dev/vda of=/dev/vdb bs=1M seek=$(($1 * {SIZE // MIB})) conv=notrunc 2>/dev/null
  mounted
}}
mounted() {{ mount -t btrfs -o commit=300 /dev/vda /mnt; cd /mnt; }}
at() {{ date -s @$((1700000000 + $1 * 100)) >/dev/null; }}
at 0
mounted
{BEGIN}
keep 0
"""
_BACK = f"""
cd /; umount /mnt
dd if=/dev/vdb of=/dev/vda bs=1M skip={BACK_TO * SIZE // MIB} count={SIZE // MIB} 2>/dev/null
mounted
"""


@dataclass(frozen=True)
class History:
    """A file with all views one behind the other."""

    path: Path

    def view(self, number: int) -> bytes:
        """Return the bytes of one view."""
        with self.path.open("rb") as file:
            file.seek(number * SIZE)
            return file.read(SIZE)


def written(where: Path) -> History:
    """Let a guest write one."""
    disk, views = make(where / "disk", None, *MKFS, size=SIZE), where / "views"
    with views.open("wb") as file:
        file.truncate(VIEWS * SIZE)
    run_in_linux((disk, views), "".join([_BEGIN, *map(_stage, range(1, VIEWS))]), MODULES, PROGRAMS)
    return History(views)


def _stage(number: int) -> str:
    since = number if number < BACK_AT else BACK_TO + 1 + number - BACK_AT
    changes = random_changes(number, CHANGES)
    if number == BALANCED:
        changes = "btrfs balance start --full-balance /mnt >/dev/null"
    back = _BACK if number == BACK_AT else ""
    return f"{back}\nat {since}\n{changes}\nkeep {number}\n"
