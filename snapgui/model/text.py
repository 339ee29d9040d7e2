"""Sentences for people that the lower floors may speak before anybody knows the language.

A ``Text`` keeps its English source and its arguments apart, so that the window can translate the source and put
the arguments in afterwards. ``QT_TRANSLATE_NOOP`` is the name that Qt Linguist's tools look for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence: translation context, English source with ``{named}`` places, and what goes in them."""

    context: str
    source: str
    arguments: tuple[tuple[str, object], ...] = ()

    def format(self, **arguments: object) -> "Text":
        """Return the sentence with its places filled; values are shown as plain text, never as markup."""
        return Text(self.context, self.source, tuple(arguments.items()))

    def __str__(self) -> str:
        """Return the English sentence."""
        return self.source.format(**{key: str(value) for key, value in self.arguments})


def QT_TRANSLATE_NOOP(context: str, source: str) -> Text:  # noqa: N802 - the name that lupdate searches for
    """Mark a sentence for translation and return it."""
    return Text(context, source)
