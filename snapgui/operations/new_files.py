"""Names for the files of a clone: in the place that was chosen, never one that is known to exist."""

from pathlib import PurePosixPath

from snapgui.model.records import Directory
from snapgui.operations.facts import Facts
from snapgui.operations.surroundings import Surroundings


class FreeNames:
    """Gives away names; one that was given is taken."""

    def __init__(self, facts: Facts, around: Surroundings) -> None:
        self._now = facts.now
        self._place = around.place
        self._places = () if around.uri else facts.places
        self._given: set[str] = set()

    def free(self, beside: str, stem: str, suffix: str) -> str:
        """Return a path in the chosen place, or in the directory of ``beside`` where none was chosen.

        Where nobody tells what lies there, the time makes it one that nobody has.
        """
        directory = str(PurePosixPath(beside).parent) if self._place is None else self._place.path
        there = self._names(directory)
        if there is None:
            stem = f"{stem}.{self._now:%Y%m%d-%H%M%S}"
        number = 1
        while True:
            name = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
            path = str(PurePosixPath(directory) / name)
            if name not in (there or ()) and path not in self._given:
                self._given.add(path)
                return path
            number += 1

    def _names(self, directory: str) -> frozenset[str] | None:
        known: tuple[Directory, ...] = (*(() if self._place is None else (self._place,)), *self._places)
        return next((place.names for place in known if place.path == directory), None)
