"""What a guest writes to btrfs filesystems: to one changes at random, to another one all that there is."""

from dataclasses import dataclass
from pathlib import Path

from tests.images.btrfs import BEGIN, MODULES, PROGRAMS, empty, make, random_changes
from tests.images.ext import MIB
from tests.images.linux import run_in_linux

SIZE = 32 * MIB
CHANGES = 25
BACK_TO, BACK_AT = 3, 6
"""Which view is gone back to, and which is the first one after that: written to the same places, at the same times."""
VIEWS = 9
BALANCED = 5
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


FEATURES_SIZE = 128 * MIB
_FEATURES = """
mkdir -p /mnt; mount -t btrfs -o commit=300 /dev/vdc /mnt; cd /mnt
btrfs subvolume create one; btrfs subvolume create one/nested
echo hello >one/hello; echo within >one/nested/within
setfattr -n user.name -v value one/hello; setfattr -n user.other -v other one/hello
name="one/link with a rather long name, so that an item is not enough"
i=0; while [ $i -lt 150 ]; do ln one/hello "$name $i"; i=$((i + 1)); done
btrfs subvolume snapshot one snapshot; btrfs subvolume snapshot -r one one/readonly
for kind in none zlib lzo zstd; do
  mkdir $kind
  [ $kind = none ] || btrfs property set $kind compression $kind
  seq 1 40000 >$kind/long; seq 1 300 >$kind/short
  { seq 1 5000; head -c 150000 /dev/urandom; seq 1 30000; } >$kind/mixed
  dd if=$kind/long of=$kind/holes bs=4096 seek=20 count=7
  dd if=$kind/long of=$kind/holes bs=4096 seek=90 count=40 conv=notrunc
  seq 5 3005 | dd of=$kind/holes bs=1000 seek=377 conv=notrunc
done
mknod null c 1 3; mknod large b 300 70000; ln -s one/hello link; mkdir inherits; chattr +C inherits
seq 1 30000 >inherits/in-place
fallocate -l 1000000 reserved; echo written | dd of=reserved bs=1 seek=5000 conv=notrunc; chattr +i reserved
sync
find . -type f -exec sha256sum {} + >/tmp/sums
echo more >>one/hello; sync one/hello
dd if=/dev/vdc of=/dev/vdd bs=1M iflag=direct conv=notrunc
cd /; umount /mnt
"""


@dataclass(frozen=True)
class Written:
    """What the guest left: a file with all views of the history, one behind the other; the other filesystem.

    ``logged`` is that one as it was while it was in use, ``sums`` are what sha256sum said of it.
    """

    views: Path
    features: Path
    logged: Path
    sums: dict[bytes, str]

    def view(self, number: int) -> bytes:
        """Return the bytes of one view of the history."""
        with self.views.open("rb") as file:
            file.seek(number * SIZE)
            return file.read(SIZE)


def written(where: Path) -> Written:
    """Start the guest."""
    disks = (
        make(where / "disk", None, *MKFS, size=SIZE),
        empty(where / "views", VIEWS * SIZE),
        make(where / "features", None, size=FEATURES_SIZE),
        empty(where / "logged", FEATURES_SIZE),
    )
    history = "".join([_BEGIN, *map(_stage, range(1, VIEWS))])
    script = f"{{ {_FEATURES} }} >/dev/null 2>&1\n{{ {history} }} >/dev/null 2>&1\ncat /tmp/sums"
    printed = run_in_linux(disks, script, MODULES, PROGRAMS)
    sums = dict(reversed(line.split("  ", 1)) for line in printed.splitlines())
    return Written(*disks[1:], {path[1:].encode(): digest for path, digest in sums.items()})


def _stage(number: int) -> str:
    since = number if number < BACK_AT else BACK_TO + 1 + number - BACK_AT
    changes = random_changes(number, CHANGES)
    if number == BALANCED:
        changes = "btrfs balance start --full-balance /mnt >/dev/null"
    back = _BACK if number == BACK_AT else ""
    return f"{back}\nat {since}\n{changes}\nkeep {number}\n"
