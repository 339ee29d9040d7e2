"""What a save will cost, before it: from the RAM in use and from what earlier saves on this host took."""

from dataclasses import dataclass

from snapgui.model.records import MemoryWish, VmState
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.choice import Choice
from snapgui.operations.facts import Facts
from snapgui.operations.history import Experience
from snapgui.operations.outcome import binary_size


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that will be written and seconds that the guest will stand still; None for what nobody can know yet."""

    size: int | None
    pause_s: float | None


def estimate(facts: Facts, choice: Choice, experience: Experience) -> Estimate:
    """Return what taking a snapshot of the chosen kind will cost."""
    if not facts.vm.state.active or choice.disk_only:
        return Estimate(0, 0.0)
    if facts.vm.state is VmState.PAUSED:
        return Estimate(facts.resident, None)
    if choice.memory is MemoryWish.LIVE:
        return Estimate(facts.resident, experience.live_pause_s)
    if facts.resident is None or not experience.speed:
        return Estimate(facts.resident, None)
    return Estimate(facts.resident, facts.resident / experience.speed)


def words_of(cost: Estimate) -> tuple[Text, ...]:
    """Return the estimate as sentences; nothing is said about what nobody knows."""
    notes = []
    if cost.size:
        text = QT_TRANSLATE_NOOP("estimate", "About {size} of memory will be written.")
        notes.append(text.format(size=binary_size(cost.size)))
    if cost.size and cost.pause_s is not None:
        text = QT_TRANSLATE_NOOP(
            "estimate", "The guest will stand still for about {seconds} s, as earlier saves here did."
        )
        notes.append(text.format(seconds=f"{cost.pause_s:.1f}"))
    return tuple(notes)
