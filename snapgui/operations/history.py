"""What was done: every job and every step, written down before and after it runs, with the ``virsh`` equivalent.

One SQLite file; several processes may write it. It survives being killed between any two lines: a job without an
end whose VM nobody works on any more was interrupted.
"""

import contextlib
import os
import shlex
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median

from snapgui.hypervisor.pools import PROCESS
from snapgui.model.plan import Operation, Plan, Step
from snapgui.operations.paths import state_directory

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, uri TEXT, vm_uuid TEXT, vm_name TEXT, operation TEXT, title TEXT, snapshot TEXT,
    pid INTEGER, started TEXT, ended TEXT, outcome TEXT, summary TEXT, detail TEXT, seconds REAL, bytes INTEGER
);
CREATE TABLE IF NOT EXISTS steps (
    job INTEGER REFERENCES jobs(id), position INTEGER, text TEXT, virsh TEXT, started TEXT, ended TEXT, outcome TEXT,
    PRIMARY KEY (job, position)
);
CREATE TABLE IF NOT EXISTS intents (
    job INTEGER REFERENCES jobs(id), kind TEXT, name TEXT, uri TEXT, written TEXT, PRIMARY KEY (job, kind, name)
);
CREATE INDEX IF NOT EXISTS jobs_by_vm ON jobs (vm_uuid, operation, outcome);
"""
_ADDED = {"safety": "TEXT", "sort": "TEXT", "paused": "REAL", "process": "TEXT"}
"""Columns that the first version did not have."""
_LOCKED_S = 5.0
LEAST_BYTES = 2**20
"""A save of less says nothing about the speed of a host."""


@dataclass(frozen=True, slots=True)
class Experience:
    """What earlier saves on a host cost: bytes per second, and seconds that guests stood still in live ones."""

    speed: float | None = None
    live_pause_s: float | None = None


class Making(StrEnum):
    """What sort of thing a job was going to make. A file's name is its path, a VM's its UUID."""

    FILE = "file"
    VM = "vm"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Intent:
    """Something that was not there, and that a job was about to make on ``uri``; nobody knows whether it did."""

    kind: Making
    name: str
    uri: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One job of the past. ``outcome`` is done, failed, cancelled, interrupted, or None while nobody knows.

    ``pid`` and ``process`` (see :data:`snapgui.hypervisor.pools.PROCESS`) say who did it.
    """

    job: int
    uri: str
    vm_uuid: str
    vm_name: str
    operation: Operation
    title: str
    snapshot: str
    started: datetime
    ended: datetime | None
    outcome: str | None
    summary: str
    detail: str
    pid: int = 0
    process: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A revert of the past, and the safety snapshot that was taken before it, if one was."""

    title: str
    started: datetime
    safety: str | None


class History:
    """The history file; ``path`` None is the user's own. Falls back to memory where no file can be written."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._database = _open(path or state_directory() / "history.sqlite3")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def begin(self, uri: str, plan: Plan) -> int:
        """Write that a job begins; return its number."""
        snapshot = plan.steps[-1].snapshot if plan.steps else ""
        who = (os.getpid(), PROCESS)
        values = (uri, plan.vm_uuid, plan.vm_name, plan.operation, str(plan.title), snapshot, *who, _now())
        with self._writing() as database:
            columns = "uri, vm_uuid, vm_name, operation, title, snapshot, pid, process, started"
            done = database.execute(f"INSERT INTO jobs ({columns}) VALUES (?,?,?,?,?,?,?,?,?)", values)  # noqa: S608
            return int(done.lastrowid or 0)

    def begin_step(self, job: int, position: int, step: Step) -> None:
        """Write that a step is about to change something."""
        virsh = shlex.join(("virsh", *step.virsh)) if step.virsh else ""
        with self._writing() as database:
            database.execute(
                "INSERT INTO steps (job, position, text, virsh, started) VALUES (?,?,?,?,?)",
                (job, position, str(step.text), virsh, _now()),
            )

    def end_step(self, job: int, position: int, outcome: str) -> None:
        """Write how a step ended."""
        with self._writing() as database:
            database.execute(
                "UPDATE steps SET ended=?, outcome=? WHERE job=? AND position=?", (_now(), outcome, job, position)
            )

    def end(
        self, job: int, outcome: str, summary: str, detail: str = "", *, seconds: float = 0.0, size: int | None = None
    ) -> None:
        """Write how a job ended: ``outcome`` done, failed or cancelled, and a sentence for people."""
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET ended=?, outcome=?, summary=?, detail=?, seconds=?, bytes=? WHERE id=?",
                (_now(), outcome, summary, detail, seconds, size, job),
            )

    def intend(self, job: int, uri: str, kind: Making, name: str) -> None:
        """Write that a job is about to make something: after it was seen that it is not there, before it is made."""
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO intents (job, kind, name, uri, written) VALUES (?,?,?,?,?)",
                (job, kind, name, uri, _now()),
            )

    def settle(self, job: int, *names: str) -> None:
        """Forget what a job was going to make, all or some of it: it is in its place, or gone."""
        with self._writing() as database:
            for name in names:
                database.execute("DELETE FROM intents WHERE job=? AND name=?", (job, name))
            if not names:
                database.execute("DELETE FROM intents WHERE job=?", (job,))

    def intents(self, job: int) -> tuple[Intent, ...]:
        """Return what a job was going to make and nobody has settled, in the order in which it was written."""
        query = "SELECT kind, name, uri, written FROM intents WHERE job=? ORDER BY rowid"
        with self._lock:
            rows = self._database.execute(query, (job,)).fetchall()
        return tuple(Intent(Making(kind), name, uri, datetime.fromisoformat(at)) for kind, name, uri, at in rows)

    def unsettled(self, uri: str) -> tuple[Entry, ...]:
        """Return the jobs that were going to make something on a hypervisor; some may still be running."""
        return self._entries("WHERE id IN (SELECT job FROM intents WHERE uri=?) ORDER BY id", (uri,))

    def remember(self, job: int, *, sort: str, paused: float | None) -> None:
        """Write what later jobs learn from: the sort of save, and the guest's pause."""
        with self._writing() as database:
            database.execute("UPDATE jobs SET sort=?, paused=? WHERE id=?", (sort, paused, job))

    def keep_safety(self, job: int, name: str) -> None:
        """Write that a safety snapshot is there and whole: from here on the revert can be undone."""
        with self._writing() as database:
            database.execute("UPDATE jobs SET safety=? WHERE id=?", (name, job))

    def experience(self, uri: str) -> Experience:
        """Return what the last few saves of memory on a host cost."""
        with self._lock:
            saves = self._database.execute(
                "SELECT bytes, seconds FROM jobs WHERE uri=? AND operation='take' AND outcome='done' AND seconds > 0"
                " AND bytes > ? ORDER BY id DESC LIMIT 5",
                (uri, LEAST_BYTES),
            ).fetchall()
            pauses = self._database.execute(
                "SELECT paused FROM jobs WHERE uri=? AND sort='live' AND outcome='done' AND paused IS NOT NULL"
                " ORDER BY id DESC LIMIT 5",
                (uri,),
            ).fetchall()
        speed = median(size / seconds for size, seconds in saves) if saves else None
        return Experience(speed, median(row[0] for row in pauses) if pauses else None)

    def last_revert(self, vm_uuid: str) -> Past | None:
        """Return the latest revert of a VM that got as far as destroying something, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT title, started, safety FROM jobs WHERE vm_uuid=? AND operation='revert'"
                " AND outcome IS NOT 'cancelled' AND (safety IS NOT NULL OR EXISTS"
                " (SELECT 1 FROM steps WHERE job=jobs.id AND virsh LIKE 'virsh snapshot-revert %'))"
                " ORDER BY id DESC LIMIT 1",
                (vm_uuid,),
            ).fetchone()
        return None if row is None else Past(row[0], datetime.fromisoformat(row[1]), row[2])

    def recent(self, most: int = 50) -> tuple[Entry, ...]:
        """Return the latest jobs, newest first."""
        return self._entries("ORDER BY id DESC LIMIT ?", (most,))

    def unfinished(self) -> tuple[Entry, ...]:
        """Return the jobs that have no end; some may still be running in another process."""
        return self._entries("WHERE outcome IS NULL ORDER BY id", ())

    def commands(self, job: int) -> tuple[str, ...]:
        """Return the ``virsh`` commands that do what the steps of a job did."""
        with self._lock:
            rows = self._database.execute("SELECT virsh FROM steps WHERE job=? ORDER BY position", (job,)).fetchall()
        return tuple(row[0] for row in rows if row[0])

    def typical_seconds(self, vm_uuid: str, operation: Operation) -> float | None:
        """Return how long the last few jobs of this sort took, or None where there was none."""
        with self._lock:
            rows = self._database.execute(
                "SELECT seconds FROM jobs WHERE vm_uuid=? AND operation=? AND outcome='done' AND seconds > 0"
                " ORDER BY id DESC LIMIT 5",
                (vm_uuid, operation),
            ).fetchall()
        return median(row[0] for row in rows) if rows else None

    def _entries(self, clause: str, values: tuple[object, ...]) -> tuple[Entry, ...]:
        columns = "id, uri, vm_uuid, vm_name, operation, title, snapshot, started, ended, outcome, summary, detail"
        columns += ", pid, process"
        with self._lock:
            rows = self._database.execute(f"SELECT {columns} FROM jobs {clause}", values).fetchall()  # noqa: S608
        return tuple(_entry(row) for row in rows)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _prepared(sqlite3.connect(path, timeout=_LOCKED_S, check_same_thread=False))
    except (OSError, sqlite3.Error):
        return _prepared(sqlite3.connect(":memory:", check_same_thread=False))


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing, a power cut the last lines
        _make_tables(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    database.executescript(_SCHEMA)
    there = {row[1] for row in database.execute("PRAGMA table_info(jobs)")}
    for column, kind in _ADDED.items():
        if column not in there:
            database.execute(f"ALTER TABLE jobs ADD COLUMN {column} {kind}")


def _entry(row: tuple[object, ...]) -> Entry:
    number, uri, uuid, name, operation, title, snapshot, started, ended, outcome, summary, detail, *who = row
    return Entry(
        int(str(number)),
        str(uri),
        str(uuid),
        str(name),
        Operation(str(operation)),
        str(title),
        str(snapshot),
        datetime.fromisoformat(str(started)),
        None if ended is None else datetime.fromisoformat(str(ended)),
        None if outcome is None else str(outcome),
        str(summary or ""),
        str(detail or ""),
        int(str(who[0] or 0)),
        str(who[1] or ""),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
