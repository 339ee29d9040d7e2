"""Reading XML that may be hostile, with lxml and nothing fetched, expanded or guessed."""

from lxml import etree

from snapgui.model.errors import Broken
from snapgui.model.text import QT_TRANSLATE_NOOP


def parse(text: str) -> etree._Element:
    """Return the root element; raise Broken where the text is no well-formed XML."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=False
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        sentence = QT_TRANSLATE_NOOP("errors", "libvirt sent XML that cannot be read: {reason}")
        raise Broken(sentence.format(reason=str(error)[:300])) from error


def dump(element: etree._Element) -> str:
    """Return the element as text."""
    return etree.tostring(element, encoding="unicode")


def number(element: etree._Element, path: str, default: int = 0) -> int:
    """Return the whole number at ``path``, or ``default`` where there is none."""
    text = (element.findtext(path) or "").strip()
    return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else default


def attribute(element: etree._Element, path: str, name: str, default: str = "") -> str:
    """Return an attribute of the first element at ``path``."""
    found = element.find(path)
    return default if found is None else found.get(name, default)
