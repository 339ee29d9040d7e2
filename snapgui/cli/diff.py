"""``snapgui diff`` and ``cat``: what differs between two snapshots of a VM, or a snapshot and now; one file of it."""

import argparse
import time
from datetime import UTC, datetime

from snapgui.cli.commands import open_connection
from snapgui.cli.output import Console, output
from snapgui.cli.records import utc
from snapgui.images.difference import Difference
from snapgui.images.filesystems.changes import FileChange, FileFacts
from snapgui.model.difference import Change, ConfigurationDifference
from snapgui.operations.block_difference import BlockDifference
from snapgui.operations.compare_blocks import compare_blocks
from snapgui.operations.compare_configuration import configurations
from snapgui.operations.compare_files import compare_files
from snapgui.operations.facts import read_facts, snapshot_of
from snapgui.operations.file_news import FileCollection, FileNews, FilesRead, FilesystemDifference
from snapgui.operations.history import History
from snapgui.operations.outcome import binary_size
from snapgui.operations.read_file import read_file

DONE = 0
REPORT_INTERVAL_S = 0.2


def diff(options: argparse.Namespace, console: Console) -> int:
    """``snapgui diff VM A [B]``."""
    everything = not (options.config or options.blocks or options.content or options.files)
    record: dict[str, object] = {"vm": options.vm, "from": options.before, "to": options.after}
    lines: list[str] = []
    history = History()
    try:
        with open_connection(options) as connection:
            facts = read_facts(connection, connection.find(options.vm))
            record["vm"] = facts.vm.name
            for name in (options.before, options.after):
                if name is not None:
                    snapshot_of(facts, name)
            if everything or options.config:
                config = configurations(connection, facts.vm.uuid, options.before, options.after)
                record["config"] = config_record(config)
                lines += config_lines(config)
            if everything or options.blocks or (options.content and not options.files):
                blocks = compare_blocks(
                    connection,
                    facts,
                    history,
                    options.before,
                    options.after,
                    content=options.content,
                    report=_Reports(console),
                    cancel=console.interruption.cancel,
                )
                record["blocks"] = blocks_record(blocks)
                lines += block_lines(blocks, looked=options.content)
            if options.files:
                files = _Files(console)
                paused_s = compare_files(
                    connection,
                    facts,
                    history,
                    options.before,
                    options.after,
                    files,
                    content=options.content,
                    cancel=console.interruption.cancel,
                )
                record["files"] = files_record(files.found.by_place())
                lines += file_lines(files.found.by_place()) + _pause_lines(paused_s)
    finally:
        history.close()
        console.done()
    console.result(record, "\n".join(lines))
    return DONE


def cat(options: argparse.Namespace, _console: Console) -> int:
    """``snapgui cat VM[@SNAPSHOT] DISK-OR-PARTITION PATH``."""
    history = History()
    try:
        with open_connection(options) as connection:
            vm_uuid, snapshot = connection.find_with_snapshot(options.vm)
            facts = read_facts(connection, vm_uuid)
            for piece in read_file(connection, facts, history, snapshot, options.place, options.path):
                with output() as out:
                    out.buffer.write(piece)
    finally:
        history.close()
    return DONE


class _Reports:
    """Says how much of the content has been read, not more often than anybody can follow."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0.0

    def __call__(self, target: str, done: int, total: int) -> None:
        if time.monotonic() - self._told >= REPORT_INTERVAL_S or 0 < total == done:
            self._told = time.monotonic()
            self._console.reading(target, done, total)


class _Files:
    """Collects what is told of files, and says how much of their content has been read."""

    def __init__(self, console: Console) -> None:
        self.found = FileCollection()
        self._report = _Reports(console)

    def __call__(self, news: FileNews) -> None:
        self.found(news)
        if isinstance(news, FilesRead):
            self._report(news.place, news.done, 0)


def config_record(config: ConfigurationDifference) -> list[dict[str, object]]:
    """Return the changes of the configuration in the form that scripts read."""
    return [
        {"path": change.path, "change": change.change.value, "before": change.before, "after": change.after}
        for change in config.changes
    ]


def blocks_record(blocks: BlockDifference) -> dict[str, object]:
    """Return the differing blocks by disk; extents are sorted and merged, in bytes of the disk."""
    return {
        target: {
            "capacity": found.capacity,
            "granularity": found.granularity,
            "changed_bytes": found.changed_bytes,
            "extents": [{"start": start, "length": length} for start, length in found.extents.tolist()],
        }
        for target, found in blocks.disks.items()
    }


def config_lines(config: ConfigurationDifference) -> list[str]:
    """Return the changes of the configuration for people."""
    return [str(change.text) for change in config.changes] or ["The configuration is the same."]


def block_lines(blocks: BlockDifference, *, looked: bool) -> list[str]:
    """Return the differing blocks for people. ``looked``: the content was looked at."""
    lines = [_disk_line(target, found, "differ" if looked else "may differ") for target, found in blocks.disks.items()]
    lines += [f"{target}: only before" for target in blocks.only_before]
    lines += [f"{target}: only after" for target in blocks.only_after]
    lines += _pause_lines(blocks.paused_s)
    return lines or ["There is no disk to compare."]


def _pause_lines(seconds: float) -> list[str]:
    return [f"The guest stood still for {seconds * 1000:.0f} ms."] if seconds else []


def _disk_line(target: str, found: Difference, verb: str) -> str:
    if not len(found.extents):
        return f"{target}: no block differs"
    places = len(found.extents)
    where = "one place" if places == 1 else f"{places} places"
    return f"{target}: {binary_size(found.changed_bytes)} of {binary_size(found.capacity)} {verb}, in {where}"


_SIGNS = {Change.ADDED: "+", Change.REMOVED: "-", Change.CHANGED: "~", Change.METADATA: "m", Change.RENAMED: ">"}


def files_record(files: dict[str, FilesystemDifference]) -> dict[str, object]:
    """Return what became of the files, by partition; what is not read here has no filesystem, and says why."""
    return {
        name: {
            "filesystem": found.filesystem or None,
            "unclean": found.unclean,
            **({"problem": found.problem} if found.problem else {}),
            "changes": [_file_record(change) for change in found.changes],
        }
        for name, found in files.items()
    }


def _file_record(change: FileChange) -> dict[str, object]:
    record: dict[str, object] = {"path": change.path, "change": change.change.value}
    if change.path_before is not None:
        record["path_before"] = change.path_before
    if change.aspects:
        record["aspects"] = sorted(aspect.value for aspect in change.aspects)
    return record | {"before": _facts_record(change.before), "after": _facts_record(change.after)}


def _facts_record(file: FileFacts | None) -> dict[str, object] | None:
    if file is None:
        return None
    return {
        "size": file.size,
        "mode": file.mode,
        "uid": file.uid,
        "gid": file.gid,
        "mtime": _moment(file.mtime_ns),
        "sha256": file.sha256,
    }


def _moment(nanoseconds: int) -> str:
    """Return a time of a filesystem, which may lie anywhere, as the others are written."""
    try:
        return utc(datetime.fromtimestamp(nanoseconds // 10**9, UTC))
    except (OverflowError, ValueError, OSError):
        return f"@{nanoseconds // 10**9}"


def file_lines(files: dict[str, FilesystemDifference]) -> list[str]:
    """Return what became of the files for people."""
    lines = []
    for name, found in files.items():
        if found.filesystem:
            count = "one difference" if len(found.changes) == 1 else f"{len(found.changes)} differences"
            lines.append(f"{name}: {found.filesystem}, {count}")
        if found.problem and not found.filesystem:
            lines.append(f"{name}: its files cannot be compared: {found.problem}")
        elif found.problem:
            lines.append(f"  not all of them: {found.problem}")
        lines += [f"  {remark}" for remark in found.remarks]
        lines += [_file_line(change) for change in sorted(found.changes, key=lambda change: change.path)]
    return lines


def _file_line(change: FileChange) -> str:
    origin = "" if change.path_before is None else f"  (was {one_line(change.path_before)})"
    return f"  {_SIGNS[change.change]} {one_line(change.path)}{origin}"


def one_line(path: str) -> str:
    """Return a path that may hold anything on one line."""
    return path.replace("\n", "\ufffd").replace("\t", "\ufffd")
