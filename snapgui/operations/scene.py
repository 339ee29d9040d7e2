"""The parts of a lesson: what is said and drawn in one phase, and the phases of one step."""

from dataclasses import dataclass

from snapgui.model.plan import Step
from snapgui.model.progress import Phase
from snapgui.model.text import Text
from snapgui.operations.sketch import Picture, Sketch, draw


@dataclass(frozen=True, slots=True)
class Scene:
    """What is happening in a phase (None: when all is over): one or two sentences, and the picture."""

    phase: Phase | None
    sentence: Text
    picture: Picture


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a plan. ``before`` its first phase there is room already for what comes about in it.

    ``after``: what the next step begins with.
    """

    step: Step
    before: Picture
    scenes: tuple[Scene, ...]
    after: Sketch


def stage(step: Step, before: Sketch, told: list[tuple[Phase, Text, Sketch]], after: Sketch) -> Stage:
    """Return the stage of a step, of which it is told what happens in each phase."""
    scenes = tuple(Scene(phase, sentence, draw(sketch)) for phase, sentence, sketch in told)
    return Stage(step, draw(before), scenes, after)
