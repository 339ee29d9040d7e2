"""What a snapshot costs. Sizes are bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SnapshotCost:
    """What one snapshot costs, in bytes; None where nobody can tell.

    ``own`` exists only because of it, its memory image (``memory``) included; ``shared`` is what its state needs and
    others, too. ``freed`` is what deleting it gives back: less than ``own`` where an overlay is merged into its base.
    ``at_least``: a guest is writing to the image, so that own and freed may be more by now.
    """

    name: str
    own: int | None
    shared: int | None
    memory: int
    freed: int | None = None
    at_least: bool = False
