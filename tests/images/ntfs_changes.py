"""Random changes of a small tree on NTFS that can be made one after another."""

import random
from dataclasses import dataclass, field

from tests.images import ntfs
from tests.images.ntfs3g import Command

ALL_FOLDERS = ("/a", "/b", "/b/c", "/packed")
"""The last has files that are compressed."""
NAMES = (*(f"f{number}" for number in range(10)), "new", "other", "größer", "x" * 120)
BEGINNING = 130_000_000_000_000_000
"""A time in steps of 100 ns since 1601."""


def small_tree() -> list[Command]:
    """Return what makes directories with ten files each, of which every other one is larger than a few clusters."""
    chance = random.Random(3)
    found: list[Command] = [["mkdir", folder] for folder in ALL_FOLDERS]
    found.append(["attrib", "/packed", ntfs.COMPRESSED])
    for folder in ALL_FOLDERS:
        for number in range(10):
            path, content = f"{folder}/f{number}", f"{folder}{number}".encode() * (9000 * (number % 2) + number + 1)
            found += [["create", path], ["write", path, content.hex()], ["times", path, BEGINNING, BEGINNING + number]]
    found += [["write", "/a/f2", chance.randbytes(size).hex(), 0, f"of {size}"] for size in (9, 700, 70_000)]
    found += [["create", "/b/link"], ["reparse", "/b/link", ntfs.link("f1")]]
    found += [["write", "/b/f4", b"list".hex(), 0, f"a stream of many: {number}"] for number in range(25)]
    return found


@dataclass
class Changes:
    """What is done to a small tree; ``files`` and ``folders`` are there by now."""

    chance: random.Random
    commands: list[Command] = field(default_factory=list)
    files: set[str] = field(default_factory=lambda: {f"{each}/f{at}" for each in ALL_FOLDERS for at in range(10)})
    folders: set[str] = field(default_factory=lambda: set(ALL_FOLDERS))

    def some(self, count: int) -> list[Command]:
        verbs = (
            "create", "overwrite", "append", "truncate", "stream", "attrib", "times", "rename", "link", "delete",
            "mkdir", "move", "point", "replace", "many", "id",
        )  # fmt: skip
        for _ in range(count):
            getattr(self, f"_{self.chance.choice(verbs)}")()
        return self.commands

    def _file(self) -> str:
        return self.chance.choice(sorted(self.files))

    def _free(self) -> str:
        while True:
            found = f"{self.chance.choice(sorted(self.folders))}/{self.chance.choice(NAMES)}{self.chance.randrange(99)}"
            if found not in self.files | self.folders:
                return found

    def _create(self) -> None:
        path = self._free()
        self.files.add(path)
        size = self.chance.choice((0, 5, 600, 5000, 60_000))
        self.commands += [["create", path], ["write", path, self.chance.randbytes(size).hex()]]

    def _overwrite(self) -> None:
        self.commands.append(["write", self._file(), self.chance.randbytes(20).hex(), self.chance.randrange(9000)])

    def _append(self) -> None:
        self.commands.append(["write", self._file(), b"appended".hex(), self.chance.choice((100_000, 900_000))])

    def _truncate(self) -> None:
        """Make a file shorter; what dissect reads of a compressed one that was made longer ends where that was."""
        sizes = (0, 3) if "packed" in (path := self._file()) else (0, 3, 5000, 80_000)
        self.commands.append(["truncate", path, self.chance.choice(sizes)])

    def _stream(self) -> None:
        content = self.chance.randbytes(self.chance.choice((9, 700, 70_000)))
        self.commands.append(["write", self._file(), content.hex(), 0, self.chance.choice(("of 9", "a", "b"))])

    def _attrib(self) -> None:
        self.commands.append(["attrib", self._file(), self.chance.choice((0x1, 0x2, 0x4, 0x20, 0x23))])

    def _times(self) -> None:
        path = self.chance.choice((self._file(), self.chance.choice(sorted(self.folders))))
        self.commands.append(["times", path, BEGINNING, BEGINNING + self.chance.randrange(99)])

    def _rename(self) -> None:
        path, other = self._file(), self._free()
        self.commands.append(["rename", path, other])
        self.files = self.files - {path} | {other}

    def _link(self) -> None:
        path, other = self._file(), self._free()
        self.commands.append(["link", path, other])
        self.files.add(other)

    def _delete(self) -> None:
        path = self._file()
        self.commands.append(["delete", path])
        self.files.discard(path)

    def _mkdir(self) -> None:
        path = self._free()
        self.folders.add(path)
        self.commands.append(["mkdir", path])

    def _move(self) -> None:
        path, other = self.chance.choice(sorted(self.folders)), self._free()
        if f"{other}/".startswith(f"{path}/"):
            return
        self.commands.append(["rename", path, other])
        for known in (self.files, self.folders):
            below = {each for each in known if each == path or each.startswith(f"{path}/")}
            known.difference_update(below)
            known.update(other + each.removeprefix(path) for each in below)

    def _point(self) -> None:
        path = self._free()
        self.files.add(path)
        self.commands += [["create", path], ["reparse", path, ntfs.link(self.chance.choice(("x", "..\\y")))]]
        self.files.discard(path)

    def _replace(self) -> None:
        path = self._file()
        self.commands += [["delete", path], ["create", path], ["write", path, b"another".hex()]]

    def _many(self) -> None:
        folder = self.chance.choice(sorted(self.folders))
        names = [f"{folder}/one of many {self.chance.randrange(10**9)}" for _ in range(self.chance.choice((5, 60)))]
        self.commands += [["create", name] for name in names]
        self.files |= set(names)

    def _id(self) -> None:
        self.commands.append(["object", self._file(), self.chance.randbytes(16).hex()])
