"""What a kernel writes to NTFS is found there, also when it is killed in the middle."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from snapgui.images.filesystems.compare import compare
from snapgui.images.filesystems.filesystem import Kind
from tests.images import ext, ntfs
from tests.images.linux import run_in_linux
from tests.images.test_file_changes import told
from tests.images.test_ntfs_changes import truth

SCRIPT = r"""
mount -t ntfs3 /dev/vda /mnt
cd /mnt
mkdir a a/b
for number in $(seq 150); do echo "content $number" >"a/file $number"; done
dd if=/dev/urandom of=a/b/large bs=1000 count=777 2>/dev/null
ln a/b/large a/same
ln -s b/large a/link
rm "a/file 7"
mv a/b moved
touch -d "2001-02-03 04:05:06" "a/file 9"
dd if=/dev/urandom of=holes bs=4096 count=1 seek=900 2>/dev/null
echo "more than was there" >>before
sync
find . -type f -exec md5sum {} + | sort
mkdir late
"""
"""A kernel takes its mark off whenever all is written, and sets it with the next change."""


def test_what_a_kernel_wrote_before_it_was_killed(tmp_path: Path) -> None:
    image = ntfs.make(tmp_path / "disk.raw")
    ntfs.changed(image, [["create", "/before"], ["write", "/before", b"before\n".hex()], ["create", "/gone"]])
    then = Path(shutil.copy(image, tmp_path / "then"))
    said = run_in_linux([image], SCRIPT, ("ntfs3",), kill=True)
    before, after = ntfs.opened(then), ntfs.opened(image)
    assert (before.unclean, after.unclean) == (False, True)
    found = ntfs.ours(after)
    sums = {path: hashlib.md5(each.content).hexdigest() for path, each in found.items() if each.kind is Kind.FILE}  # noqa: S324
    assert sums == {line[34:].removeprefix(".").encode(): line[:32] for line in said.splitlines() if line}
    assert (found[b"/a/link"].kind, found[b"/a/link"].content) == (Kind.SYMLINK, b"b\\large")
    assert found[b"/a/file 9"].mtime == 981_173_106 * 10**9
    wanted = ntfs.theirs(image)
    assert {path: replace(each, others=()) for path, each in found.items()} == wanted
    facts = ntfs.ours(before), found
    changed = ext.differences(then.read_bytes(), image.read_bytes())
    assert told(list(compare(before, after, changed)), *facts) == truth(*facts)
