"""The head of libvirt's memory files: the format is named, anything else has none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapgui.images.memory import memory_format
from tests.unit.test_qcow2 import Bytes

FORMATS = ["raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse"]
SAVE, PART = b"LibvirtQemudSave", b"LibvirtQemudPart"


def head(number: int, magic: bytes = SAVE, order: str = "<") -> bytes:
    return magic + struct.pack(f"{order}IIII", 2, 1000, 1, number) + b"\0" * 60


@pytest.mark.parametrize(("number", "name"), list(enumerate(FORMATS)))
@pytest.mark.parametrize("magic", [SAVE, PART])
def test_every_format_has_its_name(number: int, name: str, magic: bytes) -> None:
    assert memory_format(Bytes(head(number, magic))) == name


@pytest.mark.parametrize("number", [7, 255, 2**31, 2**32 - 1])
def test_a_format_of_the_future_has_no_name(number: int) -> None:
    assert memory_format(Bytes(head(number))) == ""


def test_a_head_in_the_other_byte_order_has_no_name() -> None:
    assert memory_format(Bytes(head(6, order=">"))) == ""


@pytest.mark.parametrize("magic", [b"LibvirtQemudsave", b"QFI\xfb" + b"\0" * 12, b"\0" * 16])
def test_another_sort_of_file_has_no_format(magic: bytes) -> None:
    assert memory_format(Bytes(head(6, magic))) == ""


@pytest.mark.parametrize("length", range(32))
def test_a_truncated_head_has_no_format(length: int) -> None:
    assert memory_format(Bytes(head(6)[:length])) == ""


def test_the_shortest_whole_head_is_read() -> None:
    assert memory_format(Bytes(head(6)[:32])) == "sparse"


@given(st.binary(max_size=64))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    assert memory_format(Bytes(content)) in {"", *FORMATS}
