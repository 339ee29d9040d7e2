"""What a distribution needs: own icons, desktop file, metainfo and man page, all under one id."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
ICONS = ROOT / "resources" / "icons"
ID = "io.github.snapgui.Snapgui"
DESKTOP = PACKAGING / f"{ID}.desktop"
METAINFO = PACKAGING / f"{ID}.metainfo.xml"
APP_ICON = PACKAGING / f"{ID}.svg"
MAN_PAGE = PACKAGING / "snapgui.1"

SVG = "{http://www.w3.org/2000/svg}"
SHAPES = {SVG + name for name in ("svg", "g", "path", "circle", "ellipse", "rect")}
GEOMETRY = {"width", "height", "viewBox", "d", "cx", "cy", "r", "rx", "ry", "x", "y"}
PEN = {"fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin"}
PATH_DATA = re.compile(r"[Mm][MmLlHhVvCcSsQqTtAaZz0-9 .,-]+")
PARSER_RULES = {"resolve_entities": False, "no_network": True, "load_dtd": False}

ICONS_IN_USE = """
    take revert delete clone compare edit rename refresh search zoom-in zoom-out zoom-fit zoom-reset graph outline
    storage overview collapse expand connection add-connection remove-connection settings details activity info
    warning error ok cancel undo copy help lock memory disk vm-running vm-paused vm-off vm-crashed vm-unknown
    you-are-here safety quit app
"""
ONE_COLOUR_ICONS = sorted(path for path in ICONS.glob("*.svg") if path.stem != "app")


def complaints(svg: bytes) -> list[str]:
    """What keeps this SVG from being drawn in any palette's text colour, without side effects; empty if nothing."""
    try:
        root = etree.fromstring(svg, etree.XMLParser(**PARSER_RULES))
    except etree.XMLSyntaxError as error:
        return [f"malformed: {error}"]
    found = ["declares a document type"] if root.getroottree().docinfo.doctype else []
    if root.get("viewBox") != "0 0 24 24":
        found.append(f"viewBox {root.get('viewBox')}")
    for element in root.iter():
        if element.tag not in SHAPES:
            found.append(f"element {element.tag}")
            continue
        found += [f"{name}={value}" for name, value in element.items() if not allowed(name, value)]
    return found


def allowed(name: str, value: str) -> bool:
    """Whether an attribute is geometry, or a pen of the one colour and the one weight."""
    if name in {"fill", "stroke"}:
        return value in {"#000000", "none"}
    if name == "stroke-width":
        return value == "1.8"
    if name == "d":
        return PATH_DATA.fullmatch(value) is not None
    return name in GEOMETRY | PEN


def output_of(*command: str) -> tuple[int, str]:
    """Exit status and everything printed; a missing tool is a failure, never a skip."""
    assert shutil.which(command[0]), f"{command[0]} is not installed"
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    return done.returncode, done.stdout + done.stderr


def desktop_entry() -> configparser.SectionProxy:
    """Keys of the desktop file as written (they are case-sensitive, and % is no interpolation)."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DESKTOP, encoding="utf-8")
    return parser["Desktop Entry"]


def metainfo() -> etree._Element:
    return etree.parse(METAINFO, etree.XMLParser(**PARSER_RULES)).getroot()


@pytest.mark.parametrize("path", ONE_COLOUR_ICONS, ids=lambda path: path.stem)
def test_icon_is_plain_and_of_one_colour(path: Path) -> None:
    assert complaints(path.read_bytes()) == []


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<path d="M0 0" onload="alert(1)"/>',
        '<path d="M0 0" stroke="#000"/>',
        '<path d="M0 0" fill="currentColor"/>',
        '<path d="M0 0" style="stroke:red"/>',
        '<path d="M0 0" stroke-width="2"/>',
        '<path d="nonsense"/>',
        '<image href="https://example.org/a.png"/>',
        '<g fill="url(https://example.org/a.svg#b)"/>',
        "<style>@import url(https://example.org/a.css)</style>",
        '<path d="M0 0">',
    ],
)
def test_an_icon_that_breaks_the_rules_is_noticed(inside: str) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">{inside}</svg>'
    assert len(complaints(svg.encode())) == 1


def test_every_icon_in_use_is_there() -> None:
    assert [name for name in ICONS_IN_USE.split() if not (ICONS / f"{name}.svg").is_file()] == []


def test_icon_folder_holds_nothing_but_icons() -> None:
    assert {path.suffix for path in ICONS.iterdir()} == {".svg"}


def test_application_icon_is_one_file_in_two_places() -> None:
    assert APP_ICON.read_bytes() == (ICONS / "app.svg").read_bytes()


def test_application_icon_refers_to_nothing_outside() -> None:
    root = etree.parse(APP_ICON, etree.XMLParser(**PARSER_RULES)).getroot()
    assert root.get("viewBox") == "0 0 128 128"
    values = [value for element in root.iter() for value in element.attrib.values()]
    assert [value for value in values if re.search(r"url\((?!#)|:", value)] == []
    assert not {"script", "style", "image", "use", "foreignObject"} & {
        etree.QName(element).localname for element in root.iter()
    }


def test_one_id_everywhere() -> None:
    assert DESKTOP.is_file()
    assert METAINFO.is_file()
    assert APP_ICON.is_file()
    root = metainfo()
    assert root.findtext("id") == ID
    assert root.findtext("launchable[@type='desktop-id']") == DESKTOP.name
    assert desktop_entry()["Icon"] == ID
    assert desktop_entry()["StartupWMClass"] == ID


def test_one_program_everywhere() -> None:
    assert desktop_entry()["Exec"].split()[0] == "snapgui"
    assert metainfo().findtext("provides/binary") == "snapgui"
    assert re.search(r"^\.Dt SNAPGUI 1$", MAN_PAGE.read_text(), re.MULTILINE)


def test_categories_and_names_agree() -> None:
    root, entry = metainfo(), desktop_entry()
    assert [category.text for category in root.iterfind("categories/category")] == entry["Categories"].strip(";").split(
        ";"
    )
    assert root.findtext("name") == entry["Name"]


@pytest.mark.parametrize("key", ["Name", "GenericName", "Comment", "Keywords"])
def test_desktop_file_speaks_german_too(key: str) -> None:
    assert desktop_entry()[f"{key}[de]"]


def test_desktop_file_validates() -> None:
    assert output_of("desktop-file-validate", str(DESKTOP)) == (0, "")


def test_metainfo_validates() -> None:
    status, said = output_of("appstreamcli", "validate", "--no-net", str(METAINFO))
    # "I:" are hints that differ between versions of the tool (0.16 does not know <developer>, 1.0 wants it)
    assert (status, re.findall(r"^[EW]: .*", said, re.MULTILINE)) == (0, []), said


@pytest.mark.parametrize(
    "command",
    [
        *("list", "tree", "take", "edit", "revert", "delete", "undo", "prune", "doctor"),
        *("clone", "flatten", "remove", "lineage", "leftovers", "check", "mend", "demo"),
    ],
)
def test_man_page_describes_the_command(command: str) -> None:
    page = MAN_PAGE.read_text()
    assert f"\n.Cm {command}\n" in page, "missing in the synopsis"
    assert f"\n.It Cm {command}\n" in page, "missing under COMMANDS"


@pytest.mark.parametrize(
    "option",
    [
        "connect",
        "vm",
        "json",
        "description",
        "title",
        "then",
        "safety",
        "no-safety",
        "force",
        "dry-run",
        "with-children",
        "with-storage",
        "flatten-clones",
        "linked",
        "full",
        "start",
        "no-network",
        "with-snapshots",
        "keep-host-devices",
        "to",
        "pool",
        "remove",
        "how",
        "path",
        "tour",
        "clean",
        "progress",
    ],
)
def test_man_page_describes_the_option(option: str) -> None:
    assert re.search(rf"^\.It .*Fl -{option}\b", MAN_PAGE.read_text(), re.MULTILINE)


def test_man_page_tells_exit_statuses_files_and_environment() -> None:
    page = MAN_PAGE.read_text()
    assert [status for status in ("0", "1", "2", "130") if f"\n.It {status}\n" not in page] == []
    assert "${XDG_STATE_HOME}/snapgui/history.sqlite3" in page
    assert "${XDG_CACHE_HOME}/snapgui" in page
    assert ".It Ev LIBVIRT_DEFAULT_URI" in page
