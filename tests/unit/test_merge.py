"""How far the merging of images is, summed over disks."""

from typing import Any

import libvirt
import pytest

from snapgui.hypervisor.statistics import JobNumbers, Merge

Infos = dict[str, dict[str, int] | None]


class Pretended:
    """A connection and its VM, whose block jobs the test says; a disk that it does not know is an error."""

    def __init__(self) -> None:
        self.infos: Infos = {}

    def domain(self, _uuid: str) -> "Pretended":
        return self

    def blockJobInfo(self, target: str, _flags: int) -> dict[str, int] | None:
        if target not in self.infos:
            raise libvirt.libvirtError("no such disk")
        return self.infos[target]


def job(cur: int, end: int) -> dict[str, int]:
    return {"type": 2, "bandwidth": 0, "cur": cur, "end": end}


@pytest.fixture
def vm() -> Any:
    return Pretended()


def test_before_anything_is_merged_there_are_no_numbers(vm: Any) -> None:
    vm.infos = {"vda": None, "vdb": {}}
    assert Merge(["vda", "vdb"])(vm, "uuid") is None


def test_the_disks_are_summed_and_the_one_that_is_merged_is_named(vm: Any) -> None:
    vm.infos = {"vda": None, "vdb": job(30, 100)}
    assert Merge(["vda", "vdb"])(vm, "uuid") == JobNumbers(100, 70, 30, disk="vdb")


def test_of_two_at_once_the_first_is_named(vm: Any) -> None:
    vm.infos = {"vda": job(10, 100), "vdb": job(30, 100)}
    assert Merge(["vda", "vdb"])(vm, "uuid") == JobNumbers(200, 160, 40, disk="vda")


def test_a_disk_that_is_merged_counts_as_whole(vm: Any) -> None:
    merge = Merge(["vda", "vdb"])
    vm.infos = {"vda": job(90, 100), "vdb": None}
    merge(vm, "uuid")
    vm.infos = {"vda": None, "vdb": job(0, 300)}
    assert merge(vm, "uuid") == JobNumbers(400, 300, 100, disk="vdb")


def test_at_the_end_everything_is_done_and_no_disk_is_named(vm: Any) -> None:
    merge = Merge(["vda"])
    vm.infos = {"vda": job(90, 100)}
    merge(vm, "uuid")
    vm.infos = {"vda": None}
    numbers = merge(vm, "uuid")
    assert numbers == JobNumbers(100, 0, 100)
    assert numbers is not None
    assert numbers.fraction == 1.0


def test_a_question_that_fails_is_no_reason_to_fail(vm: Any) -> None:
    vm.infos = {"vdb": job(1, 2)}
    assert Merge(["vda", "vdb"])(vm, "uuid") == JobNumbers(2, 1, 1, disk="vdb")


def test_a_job_of_unknown_length_has_no_numbers(vm: Any) -> None:
    vm.infos = {"vda": job(0, 0)}
    assert Merge(["vda"])(vm, "uuid") is None
