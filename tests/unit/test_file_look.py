"""What is text, what names copies get, and which words of a line are others."""

from pathlib import Path

import pytest

from snapgui.operations.file_saving import NAME_BYTES, free_path, safe_name
from snapgui.operations.file_text import as_text
from snapgui.ui.line_difference import CONTEXT, MOST_CHANGED_LINES, Row, aligned, changed_words, folded


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        ("Grüße\n".encode(), "Grüße\n"),
        ("\ufeffGrüße".encode(), "Grüße"),
        ("Grüße".encode("utf-16"), "Grüße"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße"),
        ("Grüße\n".encode("latin-1"), "Grüße\n"),
        (b"\xff\xfe\x00", None),
        (b"\x7fELF\x02\x01\x01\x00", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (bytes(range(128, 256)), None),
        (b"red \x1b[31m", "red \x1b[31m"),
    ],
)
def test_what_is_text(content: bytes, text: str | None) -> None:
    assert as_text(content) == text


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        (b"php.ini", "php.ini"),
        (b"..", "unnamed"),
        (b"", "unnamed"),
        (b".bashrc", "bashrc"),
        (b"../../etc/passwd", "_.._etc_passwd"),
        (b"a\nb\x1b\0", "a_b__"),
        (b"\xff.txt", "\ufffd.txt"),
        ("\u202egnp.exe".encode(), "_gnp.exe"),
        (b"n" * 4000, "n" * NAME_BYTES),
    ],
)
def test_names_of_copies(name: bytes, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_copy_takes_no_name_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc (2)").symlink_to("nowhere")
    assert free_path(tmp_path, b"etc") == tmp_path / "etc (3)"


def test_changed_words() -> None:
    one, other = changed_words("memory_limit = 128M ; fine", "memory_limit = 512M ; fine")
    assert (one, other) == (((15, 19),), ((15, 19),))
    assert changed_words("abc", "xyz 123") == ((), ()), "another line"
    assert changed_words("a b", "a c b")[1] != ()
    assert changed_words("a " * 1000, "b " * 1000) == ((), ()), "too long"


def test_what_is_the_same_at_both_ends_costs_nothing() -> None:
    lines = [f"line {number}" for number in range(15_000)]
    other = [*lines[:7000], "another", *lines[7001:]]
    rows = aligned("\n".join(lines), "\n".join(other))
    assert [row for row in rows if not row.same] == [Row("line 7000", "another", False)]
    assert len(rows) == 15_000


def test_too_many_lines_stand_beside_each_other() -> None:
    count = MOST_CHANGED_LINES + 1
    rows = aligned("\n".join(f"a{n}" for n in range(count)), "\n".join(f"b{n}" for n in range(count)))
    assert [row.sign for row in rows] == ["±"] * count


def test_long_texts_are_folded_where_they_are_the_same() -> None:
    rows = [Row(str(number), str(number), number != 500) for number in range(1000)]
    shown = folded(rows, 100, "{} lines".format)
    assert (shown[0].before, shown[-1].after) == (f"{500 - CONTEXT} lines", f"{499 - CONTEXT} lines")
    assert list(shown[1:-1]) == rows[500 - CONTEXT : 501 + CONTEXT]
    assert folded(rows, 1000, str) == tuple(rows)
    different = [Row(None, str(number), False) for number in range(1000)]
    assert len(folded(different, 100, str)) == 101
