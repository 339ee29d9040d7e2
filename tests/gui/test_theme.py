"""Colours that can be read, in light and dark."""

import sys

import pytest
from PySide6.QtGui import QColor, QPalette

from snapgui.ui import theme
from snapgui.ui.theme import Role
from tests.gui.user import HERE, Key, User

READABLE = 4.5
"""Web Content Accessibility Guidelines 2.2, section 1.4.3."""
TEXTS = [
    *((Role.MUTED, ground) for ground in (Role.CARD, Role.GROUND, Role.ACCENT_SOFT)),
    *((Role.ACCENT, ground) for ground in (Role.CARD, Role.ACCENT_SOFT, Role.GROUND)),
    (Role.ON_ACCENT, Role.ACCENT),
    *((Role.GOOD, ground) for ground in (Role.GOOD_SOFT, Role.CARD, Role.GROUND)),
    *((Role.WAIT, ground) for ground in (Role.WAIT_SOFT, Role.CARD, Role.GROUND)),
    *((Role.LOSS, ground) for ground in (Role.LOSS_SOFT, Role.CARD, Role.GROUND)),
    (Role.MUTED, Role.WAIT_SOFT),
    (Role.MUTED, Role.GOOD_SOFT),
    (Role.MUTED, Role.LOSS_SOFT),
]
"""Role of a text, role of what it stands on: as card_painter, pause_banner, messages and the style sheet pair them."""
GROUNDS = [
    Role.CARD, Role.GROUND, Role.ACCENT_SOFT, Role.GOOD_SOFT, Role.WAIT_SOFT, Role.LOSS_SOFT,
]  # fmt: skip
PAIRS = [
    ("Text", "Base"),
    ("WindowText", "Window"),
    ("ButtonText", "Button"),
    ("HighlightedText", "Highlight"),
    ("ToolTipText", "ToolTipBase"),
    ("PlaceholderText", "Base"),
    ("Text", "AlternateBase"),
    ("Link", "Base"),
]


def contrast(one: QColor, two: QColor) -> float:
    """The ratio of relative luminances, as WCAG 2.2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(two)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: QColor) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.getRgbF()[:3]]
    return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])


def test_the_measure_itself() -> None:
    assert contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS, ids=lambda role: role.name)
def test_roles_can_be_read(text: Role, ground: Role, dark: bool) -> None:
    assert contrast(theme.color(text, dark=dark), theme.color(ground, dark=dark)) >= READABLE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS, ids=lambda role: role.name)
def test_plain_text_can_be_read_on_every_ground(ground: Role, dark: bool) -> None:
    text = theme.palette(dark=dark).color(QPalette.ColorRole.Text)
    assert contrast(text, theme.color(ground, dark=dark)) >= READABLE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_the_palette_can_be_read(text: str, ground: str, dark: bool) -> None:
    palette, roles = theme.palette(dark=dark), QPalette.ColorRole
    assert contrast(palette.color(roles[text]), palette.color(roles[ground])) >= READABLE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_muted_text_can_be_read_on_every_panel(dark: bool) -> None:
    palette = theme.palette(dark=dark)
    for ground in (QPalette.ColorRole.Window, QPalette.ColorRole.Base):
        for role in (Role.MUTED, Role.LOSS, Role.WAIT, Role.GOOD, Role.ACCENT):
            assert contrast(theme.color(role, dark=dark), palette.color(ground)) >= READABLE, (role, ground)


def test_dark_and_light_by_menu(web: User) -> None:
    web.choose("View", "Appearance", "Dark")
    assert theme.is_dark()
    dark = web.window.grab().toImage()
    assert luminance(dark.pixelColor(dark.width() // 2, dark.height() // 2)) < 0.2
    web.choose("View", "Appearance", "Light")
    assert not theme.is_dark()
    light = web.window.grab().toImage()
    assert luminance(light.pixelColor(light.width() // 2, light.height() // 2)) > 0.7
    assert web.window.settings.appearance == "light"


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_icons_follow(web: User, choice: str) -> None:
    """An icon in a menu can be seen on the menu."""
    web.window.appearance.choose(choice)
    window = web.window.palette().color(QPalette.ColorRole.Window)
    invisible = []
    for action in web.window.actions_.all():
        if not action.isEnabled() or action.icon().isNull():
            continue
        image = action.icon().pixmap(20, 20).toImage()
        drawn = [image.pixelColor(x, y) for x in range(20) for y in range(20)]
        strong = [pixel for pixel in drawn if pixel.alpha() > 200]
        if strong and max(contrast(pixel, window) for pixel in strong) < 3:
            invisible.append(action.objectName())
    web.window.appearance.choose("light")
    assert invisible in ([], ["take"]), "the take button has a ground of its own"


def test_much_use_loses_no_reference_to_true(web: User) -> None:
    """PySide6 6.12 on Python 3.11 did (docs/decisions/0003-pyside.md)."""
    before = sys.getrefcount(True)
    for _ in range(30):
        for name in ("tls", "php", HERE):
            web.click_node(name)
        web.key(Key.Key_Up)
        web.window.watcher.look(full=True)
        web.wait(lambda: not web.window.watcher._looking)
    assert sys.getrefcount(True) > before - 20
