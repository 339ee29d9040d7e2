"""Which stretch of a disk is shown, and how it is zoomed and moved like a map. Plain numbers."""

SMALLEST_SPAN = 64 * 1024
"""Bytes that are shown at least."""


class Viewport:
    """A disk of ``capacity`` bytes; bytes from ``start`` to ``start + span`` are shown."""

    def __init__(self, capacity: int) -> None:
        self.capacity = max(1, capacity)
        self.start, self.span = 0.0, float(self.capacity)

    def zoom(self, factor: float, place: float) -> None:
        """Show ``factor`` times less, the byte ``place`` staying where it is."""
        span = min(float(self.capacity), max(float(min(SMALLEST_SPAN, self.capacity)), self.span / factor))
        share = (place - self.start) / self.span
        self.span = span
        self.move_to(place - share * span)

    def move_to(self, start: float) -> None:
        """Show another stretch of the same length."""
        self.start = min(max(0.0, start), self.capacity - self.span)

    def show(self, start: int, length: int) -> None:
        """Show a stretch with some of what lies around it."""
        self.span = min(float(self.capacity), max(8.0 * length, float(min(SMALLEST_SPAN, self.capacity))))
        self.move_to(start + length / 2 - self.span / 2)

    def reveal(self, place: float) -> None:
        """Move as little as needed to show a byte."""
        if not self.start <= place < self.start + self.span:
            self.move_to(place - self.span / 2)

    def whole(self) -> None:
        """Show everything."""
        self.start, self.span = 0.0, float(self.capacity)

    def next_stop(self, place: int, step: int) -> int | None:
        """Return where the next (1) or the previous (-1) stretch of interest begins; None where there is none."""
        raise NotImplementedError
