"""The window's colours: a palette for light and dark, and a handful of named roles. Nothing else names a colour."""

from enum import Enum
from functools import cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

DARK_BELOW = 128
"""Lightness of the window colour under which a palette counts as dark."""


class Role(Enum):
    """A named colour: (light, dark)."""

    GROUND = ("#f5f6f8", "#1b1e22")
    CARD = ("#ffffff", "#2a2f36")
    CARD_BORDER = ("#d5d9df", "#3d444d")
    HAIRLINE = ("#dfe2e7", "#343a42")
    EDGE = ("#a9b1bc", "#5a636e")
    MUTED = ("#5b6472", "#a3adba")
    ACCENT = ("#2563d9", "#6ea1ff")
    ACCENT_SOFT = ("#e4edfd", "#24344f")
    ON_ACCENT = ("#ffffff", "#0e1726")
    GOOD = ("#1c7a3e", "#6bcb8b")
    GOOD_SOFT = ("#e2f3e7", "#1f3527")
    WAIT = ("#945200", "#e8b258")
    WAIT_SOFT = ("#fdf0dc", "#3a2f1b")
    LOSS = ("#b3261e", "#ff8a80")
    LOSS_SOFT = ("#fdeceb", "#40211f")
    SCREEN = ("#11161c", "#0c1014")
    LAYER_1 = ("#3f7be0", "#5b92f5")
    LAYER_2 = ("#1f9d94", "#3fb8ae")
    LAYER_3 = ("#8d6fd6", "#a68aec")
    LAYER_4 = ("#c08a2d", "#d6a44c")
    LAYER_5 = ("#7b8696", "#8f9aa8")


class _Last:
    """The palette that was looked at last."""

    key, dark = -1, False


_last = _Last()


def is_dark(palette: QPalette | None = None) -> bool:
    """Whether the palette (the application's by default) is a dark one."""
    palette = palette or QGuiApplication.palette()
    key = palette.cacheKey()  # asked for with every colour that is painted
    if key != _last.key:
        _last.key, _last.dark = key, palette.color(QPalette.ColorRole.Window).lightness() < DARK_BELOW
    return _last.dark


def color(role: Role, *, dark: bool | None = None) -> QColor:
    """Return the colour of a role in the scheme that is shown; it is shared, so never to be changed."""
    return _colors(is_dark() if dark is None else dark)[role]


@cache
def _colors(dark: bool) -> dict[Role, QColor]:
    return {role: QColor(role.value[dark]) for role in Role}


def palette(*, dark: bool) -> QPalette:
    """Return the application's palette for one scheme."""
    text = QColor("#e8ebef") if dark else QColor("#1b222c")
    window = QColor("#22262c") if dark else QColor("#ffffff")
    made = QPalette(color(Role.CARD, dark=dark), window)
    roles = QPalette.ColorRole
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.BrightText, roles.ToolTipText):
        made.setColor(role, text)
    made.setColor(roles.Base, QColor("#1e2227") if dark else QColor("#ffffff"))
    made.setColor(roles.AlternateBase, color(Role.GROUND, dark=dark))
    made.setColor(roles.ToolTipBase, color(Role.CARD, dark=dark))
    made.setColor(roles.Highlight, color(Role.ACCENT, dark=dark))
    made.setColor(roles.Accent, color(Role.ACCENT, dark=dark))
    made.setColor(roles.HighlightedText, color(Role.ON_ACCENT, dark=dark))
    made.setColor(roles.Link, color(Role.ACCENT, dark=dark))
    made.setColor(roles.PlaceholderText, color(Role.MUTED, dark=dark))
    made.setColor(roles.Mid, color(Role.HAIRLINE, dark=dark))
    disabled = QColor("#717b88") if dark else QColor("#8b93a0")
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, disabled)
    return made


def stylesheet(*, dark: bool) -> str:
    """Return the few rules that a palette cannot say: hairlines, flat bars, the one filled button."""
    names = {role.name: color(role, dark=dark).name() for role in Role}
    return _RULES.format(**names)


def wants_dark(choice: str) -> bool:
    """Return whether to be dark: by the user's choice (``light``, ``dark``) or the desktop's (``desktop``)."""
    if choice in {"light", "dark"}:
        return choice == "dark"
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def put_on(choice: str) -> None:
    """Colour the whole application by the user's choice."""
    dark = wants_dark(choice)
    application = QApplication.instance()
    rules = stylesheet(dark=dark)
    if isinstance(application, QApplication) and application.styleSheet() != rules:  # styling all anew takes a while
        application.setPalette(palette(dark=dark))
        application.setStyleSheet(rules)


_RULES = """
QMainWindow::separator, QSplitter::handle {{ background: {HAIRLINE}; }}
QToolBar {{ border: none; border-bottom: 1px solid {HAIRLINE}; padding: 6px 12px; spacing: 8px; }}
QToolBar QToolButton, QPushButton {{ border: 1px solid {CARD_BORDER}; border-radius: 6px; padding: 5px 12px; }}
QPushButton {{ background: {CARD}; min-height: 18px; }}
QToolBar QToolButton:hover, QToolBar QToolButton:focus, QPushButton:hover, QPushButton:focus,
QPushButton:default {{ border-color: {ACCENT}; }}
QToolBar QToolButton:pressed, QPushButton:pressed {{ background: {ACCENT_SOFT}; }}
QPushButton:flat {{ border: none; background: transparent; color: {ACCENT}; padding: 2px 0px; text-align: left; }}
QPushButton:flat:focus {{ text-decoration: underline; }}
QPushButton:disabled, QToolBar QToolButton:disabled {{ border-color: {HAIRLINE}; color: {EDGE}; }}
QToolButton#segment {{ border: 1px solid {CARD_BORDER}; padding: 4px 12px; background: {CARD}; }}
QToolButton#segment[place="first"] {{ border-top-left-radius: 6px; border-bottom-left-radius: 6px; }}
QToolButton#segment[place="last"] {{ border-top-right-radius: 6px; border-bottom-right-radius: 6px;
  margin-left: -1px; }}
QToolButton#segment:checked {{ background: {ACCENT_SOFT}; color: {ACCENT}; }}
QToolButton#segment:focus {{ border-color: {ACCENT}; }}
QToolButton#choices {{ border: 1px solid {CARD_BORDER}; border-radius: 6px; background: {CARD};
  padding: 4px 22px 4px 10px; }}
QToolButton#choices:hover, QToolButton#choices:focus {{ border-color: {ACCENT}; }}
QToolButton#choices::menu-indicator {{ subcontrol-origin: padding; subcontrol-position: right center; right: 8px; }}
QLineEdit, QPlainTextEdit {{ border: 1px solid {CARD_BORDER}; border-radius: 6px; padding: 4px 8px;
  selection-background-color: {ACCENT}; selection-color: {ON_ACCENT}; }}
QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {ACCENT}; }}
QRadioButton::indicator, QCheckBox::indicator {{ width: 14px; height: 14px; }}
QCheckBox::indicator:unchecked {{ width: 12px; height: 12px; }}
QRadioButton::indicator, QCheckBox::indicator:unchecked {{ border: 1px solid {MUTED}; background: {CARD}; }}
QRadioButton::indicator {{ border-radius: 8px; }}
QCheckBox::indicator:unchecked {{ border-radius: 3px; }}
QRadioButton::indicator:checked {{ border-color: {ACCENT}; background: qradialgradient(cx:0.5, cy:0.5, radius:0.5,
  fx:0.5, fy:0.5, stop:0 {ACCENT}, stop:0.5 {ACCENT}, stop:0.65 {CARD}, stop:1 {CARD}); }}
QRadioButton::indicator:disabled, QCheckBox::indicator:unchecked:disabled {{ border-color: {EDGE}; }}
QRadioButton::indicator:checked:disabled {{ background: qradialgradient(cx:0.5, cy:0.5, radius:0.5,
  fx:0.5, fy:0.5, stop:0 {EDGE}, stop:0.5 {EDGE}, stop:0.65 {CARD}, stop:1 {CARD}); }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QMessageBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QWidget#pane {{ background: {GROUND}; }}
QToolBar QToolButton#primary:enabled {{ background: {ACCENT}; color: {ON_ACCENT}; border-color: {ACCENT}; }}
QLabel#muted {{ color: {MUTED}; }}
QLabel#loss {{ color: {LOSS}; }}
QLabel#wait {{ color: {WAIT}; }}
QLabel#good {{ color: {GOOD}; }}
QFrame#hairline {{ background: {HAIRLINE}; border: none; }}
QAbstractItemView {{ border: none; outline: none; }}
QTreeView#vms, QListView#jobs, QListView#disks {{ background: transparent; }}
QTreeView#outline::item {{ padding: 5px 4px; border: none; }}
QTreeView#outline::item:selected {{ background: {ACCENT_SOFT}; color: palette(text); }}
QTreeView#facts::item {{ padding: 2px 4px; border: none; }}
QTreeView#facts::item:selected {{ background: {ACCENT_SOFT}; color: palette(text); }}
QListView#disks::item {{ padding: 5px 8px; border-radius: 6px; }}
QListView#disks::item:selected {{ background: {ACCENT_SOFT}; color: palette(text); }}
QTabWidget::pane {{ border: none; }}
QTabBar::tab {{ background: transparent; border: none; border-bottom: 2px solid transparent; padding: 8px 16px; }}
QTabBar::tab:selected {{ color: {ACCENT}; border-bottom-color: {ACCENT}; }}
QTabBar::tab:hover:!selected, QTabBar::tab:focus {{ border-bottom-color: {EDGE}; }}
QTabBar::tab:focus:selected {{ background: {ACCENT_SOFT}; border-bottom-color: {ACCENT}; }}
QScrollBar {{ background: transparent; border: none; margin: 0px; }}
QScrollBar:vertical {{ width: 10px; }}
QScrollBar:horizontal {{ height: 10px; }}
QScrollBar::handle {{ background: {EDGE}; border-radius: 4px; margin: 1px; min-height: 24px; min-width: 24px; }}
QScrollBar::handle:hover {{ background: {MUTED}; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QPlainTextEdit {{ background: palette(base); }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0px; height: 0px; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QHeaderView::section {{ background: transparent; color: {MUTED}; border: none; padding: 4px 8px; }}
QStatusBar {{ border-top: 1px solid {HAIRLINE}; }}
QStatusBar QLabel {{ padding-left: 12px; }}
QStatusBar::item {{ border: none; }}
QPushButton#danger:enabled {{ color: {LOSS}; }}
QToolTip {{ border: 1px solid {HAIRLINE}; padding: 4px; }}
"""
