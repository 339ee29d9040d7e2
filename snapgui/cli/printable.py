"""What a terminal may be given."""

import unicodedata

_STAYS = "\n\t"


def printable(text: str) -> str:
    """Return text without the control characters by which a hostile name could steer the terminal."""
    return "".join(char if char in _STAYS or unicodedata.category(char)[0] != "C" else "\ufffd" for char in text)
