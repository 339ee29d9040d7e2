"""The parts of a lesson: what is said and drawn in one phase, and the phases of one step."""

from dataclasses import dataclass

from snapgui.model.plan import Step
from snapgui.model.progress import Phase
from snapgui.model.text import Text
from snapgui.operations.sketch import Picture, Sketch, draw


@dataclass(frozen=True, slots=True)
class Scene:
    """What is happening in a phase (None: when all is over), in one or two sentences and as a sketch."""

    phase: Phase | None
    sentence: Text
    sketch: Sketch

    @property
    def picture(self) -> Picture:
        """The sketch as cards and arrows; drawn when it is wanted, which of long plans only few are."""
        return draw(self.sketch)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a plan. ``before`` its first phase there is room already for what comes about in it.

    ``after``: what the next step begins with.
    """

    step: Step
    before: Sketch
    scenes: tuple[Scene, ...]
    after: Sketch


def stage(step: Step, before: Sketch, told: list[tuple[Phase, Text, Sketch]], after: Sketch) -> Stage:
    """Return the stage of a step, of which it is told what happens in each phase."""
    return Stage(step, before, tuple(Scene(*each) for each in told), after)
