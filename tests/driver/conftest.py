"""libvirt's test driver: a pretended hypervisor inside the process, for everything that needs no real guest."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
import pytest

from snapgui.cli.main import main
from snapgui.hypervisor.connection import Connection
from tests.driver.seed import write_seed


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture
def seeded(tmp_path: Path) -> str:
    """URI of a hypervisor with the VMs of tests/driver/seed.py; every connection sees them fresh."""
    return write_seed(tmp_path / "seed.xml")


@pytest.fixture
def default() -> Iterator[Connection]:
    """A connection to ``test:///default``; as long as it stands, all others of this process share its state."""
    with Connection("test:///default") as connection:
        yield connection


@pytest.fixture
def machine(default: Connection) -> libvirt.virDomain:
    """The running VM “test” of the test driver."""
    return default.libvirt.lookupByName("test")


@pytest.fixture
def snapgui(default: Connection, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, against ``test:///default`` unless it says otherwise."""

    def run(*arguments: str) -> Said:
        where = () if "-c" in arguments else ("-c", "test:///default")
        try:
            status = main([*where, *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture
def process() -> Command:
    """Run a command in a process of its own."""

    def run(*arguments: str, **environment: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "snapgui", *arguments],
            capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=60,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    return run
