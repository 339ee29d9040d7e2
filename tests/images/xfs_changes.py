"""Random changes that a kernel makes to copies of filled XFS filesystems, and how two walks tell what they were."""

import random
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from snapgui.images.filesystems.filesystem import FileSystem, entries
from snapgui.model.difference import Change
from tests.images.ext import Facts
from tests.images.linux import run_in_linux

COPIES = {"v5": 3, "v5-1k": 2, "v5-2k": 2, "v5-first": 1, "v4": 2, "v4-512": 2}
"""How many copies of which layout are changed, each in another way."""
IN_USE = ("v5", "v5-2k", "v4")
"""Of these, another copy is still mounted when the machine loses power."""
RARELY = 0.06
"""How often what may take a whole directory away."""
SUBSTANCE = ("kind", "content")
_PREPARING = """
cd /mnt
set +e
a() { "$@" 2>/dev/null >/dev/null; }
"""
_USING = """
mkdir /{disk}; mount -t xfs -o nouuid /dev/{disk} /{disk}; cd /{disk}
for number in $(seq 60); do echo $number >"written and synchronized $number"; done
rm a/f1; mv b/f2 b/moved; echo more >>large
sync
for number in $(seq 20); do echo $number >"written at last $number"; done
"""


def changed(directory: Path, base: Path) -> None:
    """Make LAYOUT-NUMBER.raw, changed and unmounted, and LAYOUT-used.raw, which were in use."""
    names = [f"{layout}-{number}" for layout, count in COPIES.items() for number in range(count)]
    used = [f"{layout}-used" for layout in IN_USE]
    images = [_copy(base / f"{name.rpartition('-')[0]}.raw", directory / f"{name}.raw") for name in [*names, *used]]
    script = ""
    for index, name in enumerate(names):
        script += f"mount -t xfs -o nouuid /dev/vd{chr(97 + index)} /mnt\n{_PREPARING}"
        script += "\n".join(_doing(random.Random(name), 6 * 2 ** (index % 3))) + "\ncd /\nset -e\numount /mnt\n"
    for index in range(len(names), len(images)):
        script += _USING.format(disk=f"vd{chr(97 + index)}")
    run_in_linux(images, script, ["xfs"], ["xfs_io", "setfattr"], kill=True)


def _copy(source: Path, target: Path) -> Path:
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)
    return target


def _doing(chance: random.Random, count: int) -> Iterator[str]:
    """Yield commands; some of them fail, as what they name is gone, or was never there."""
    folders = ["a", "b", "b/c", "'dir 12'", "'dir 100'", "fragments", "'level 0/level 1'", "odd", "new", "."]
    plain = [*(f"f{number}" for number in range(10)), "new", "other", "large", "pieces", "shared", "few", "many"]

    def path() -> str:
        folder = chance.choice(folders)
        if folder in ("'dir 12'", "'dir 100'"):
            return f"{folder}/'file {chance.randrange(12)} of a directory with some'"
        return f"{folder}/{chance.choice(plain)}"

    def folder() -> str:
        return chance.choice(folders)

    for _ in range(count):
        one, other, number = path(), path(), chance.randrange(1, 200)
        if chance.random() < RARELY:
            yield "a " + chance.choice(
                [
                    f"mv {folder()} {chance.choice(['moved', 'a/moved', 'b/moved', 'new/moved'])}",
                    f"rm -rf {folder()}/*{number % 10}*",
                    f"rm -rf {folder()}",
                ]
            )
        yield "a " + chance.choice(
            [
                f"rm -rf {one}",
                f"mv -n {one} {other}",
                f"ln {one} {other}",
                f"cp {one} {other}",
                f"chmod {chance.choice(['600', '4755', '751'])} {one}",
                f"chown {number}:7 {one}",
                f"touch -d @{number * 10**6} {one}",
                f"mkdir -p {one}",
                f"ln -s {'s' * number * 3} {one}",
                f"mkfifo {one}",
                f"setfattr -n user.new -v {'v' * number * 20} {one}",
                f"setfattr -x user.a {one}",
                f"xfs_io -f -c 'pwrite -S {number} {number * 100} {number}' {one}",
                f"xfs_io -c 'fpunch {number // 8 * 4}k 8k' {one}",
                f"xfs_io -c 'falloc 0 {number}k' {one}",
                f"truncate -s {number * 50} {one}",
                f"xfs_io -c 'reflink {other}' {one}",
                f"sh -c 'cp -p {one} /tmp/kept; xfs_io -c \"pwrite -S {number} 0 4\" {one}; touch -r /tmp/kept {one}'",
                f"sh -c 'for each in 1 2 3 4 5 6 7 8 9; do echo {number} >{folder()}/many-$each-{number}; done'",
            ]
        )


Known = dict[bytes, tuple[Facts, dict[bytes, bytes], int]]
"""By path: what a walk tells of a file, its extended attributes, its number."""


def known(facts: dict[bytes, Facts], filesystem: FileSystem) -> Known:
    """Join what a walk of anybody's tells with the attributes and numbers that our reader finds."""
    found = {entry.path: entry.node.number for entry in entries(filesystem)}
    assert found.keys() == facts.keys()
    return {path: (facts[path], filesystem.attributes(found[path]), found[path]) for path in facts}


def expected(then: Known, later: Known) -> dict[bytes, Change]:
    """Return what became of each path, by two walks alone."""
    names = [_names(each) for each in (then, later)]
    found = dict.fromkeys(then.keys() - later.keys(), Change.REMOVED)
    found |= dict.fromkeys(later.keys() - then.keys(), Change.ADDED)
    for path in then.keys() & later.keys():
        old, new = then[path][0], later[path][0]
        if names[0][path] != names[1][path]:
            old = replace(old, mtime=new.mtime)
        if any(getattr(old, field) != getattr(new, field) for field in SUBSTANCE):
            found[path] = Change.CHANGED
        elif (replace(old, links=0), then[path][1]) != (replace(new, links=0), later[path][1]):
            found[path] = Change.METADATA
    return found


def _names(view: Known) -> defaultdict[bytes, set[tuple[bytes, int]]]:
    found = defaultdict[bytes, set[tuple[bytes, int]]](set)
    for path, (_, _, number) in view.items():
        found[path.rpartition(b"/")[0]].add((path, number))
    return found
