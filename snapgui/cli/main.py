"""``snapgui``: without a verb the window, with one the same operation on the command line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Never

from snapgui import __version__
from snapgui.cli.interruption import Interruption
from snapgui.cli.printable import printable
from snapgui.model.errors import Cancelled, SnapguiError
from snapgui.model.health import Ail, Mending
from snapgui.model.plan import Remedy
from snapgui.model.records import KindWish, MemoryWish, Place, Then

if TYPE_CHECKING:
    from snapgui.cli.output import Console

Verb = Callable[[argparse.Namespace, "Console"], int]

DONE, FAILED, USAGE, CANCELLED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 refused or failed, 2 usage, 130 cancelled."""
    root = parser()
    options = root.parse_args(arguments)
    _check(root, options)
    if options.verb is None:
        from snapgui.ui.application import run_window  # noqa: PLC0415 - Qt is not needed by any verb

        return run_window(options.connect, options.window_vm, debug=options.debug)
    with Interruption() as interruption:
        try:
            return _command(options, interruption)
        except KeyboardInterrupt:
            print("snapgui: Cancelled; nothing was changed.", file=sys.stderr)
            return CANCELLED
        except BrokenPipeError:
            sys.stderr.close()
            return FAILED


def _check(root: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what argparse accepts, but nobody can mean."""
    if options.connect is not None and not options.connect.strip():
        root.error("-c/--connect needs a URI")
    if getattr(options, "with_snapshots", False) and options.linked:
        root.error("--with-snapshots makes a full clone; it does not go with --linked")
    if getattr(options, "to", None) is not None and not options.to.strip():
        root.error("--to needs a URI")
    if options.verb == "storage" and options.at is not None and options.vm is None:
        root.error("--at needs a VM")
    if options.verb == "leftovers" and options.dry_run and not options.remove:
        root.error("--dry-run needs --remove here")
    if options.verb is not None and options.window_vm is not None:
        root.error("--vm belongs to the window; give the VM behind the verb")
    targets = [target for target, _ in getattr(options, "disk", ())]
    for target in targets:
        if targets.count(target) > 1:
            root.error(f"--disk is given twice for {printable(target)}")


def _command(options: argparse.Namespace, interruption: Interruption) -> int:
    # Neither the window nor --help needs them.
    from snapgui.cli import commands, diff, health, leftovers, storage  # noqa: PLC0415
    from snapgui.cli.output import Console  # noqa: PLC0415

    progress = getattr(options, "progress", "none")
    console = Console(interruption, json=getattr(options, "json", False), progress=progress)
    verbs: dict[str, Verb] = {
        "list": commands.list_vms,
        "tree": commands.tree,
        "lineage": commands.lineage,
        "take": commands.take,
        "edit": commands.edit,
        "revert": commands.revert,
        "delete": commands.delete,
        "doctor": commands.doctor,
        "clone": commands.clone,
        "flatten": commands.flatten,
        "leftovers": leftovers.leftovers,
        "check": health.check,
        "mend": health.mend,
        "diff": diff.diff,
        "cat": diff.cat,
        "storage": storage.storage,
        "remove": commands.remove,
        "undo": commands.undo,
        "prune": commands.prune,
        "demo": commands.demo,
    }
    try:
        return verbs[options.verb](options, console)
    except Cancelled as error:
        console.error(error)
        return CANCELLED
    except SnapguiError as error:
        console.error(error)
        return FAILED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    root = _Parser(prog="snapgui", description="Snapshots of libvirt virtual machines, as a tree.")
    root.add_argument("--version", action="version", version=f"snapgui {__version__}")
    root.add_argument("-c", "--connect", metavar="URI", help="hypervisor to connect to, as in virsh")
    root.add_argument("--vm", dest="window_vm", metavar="VM", help="open the window with this VM selected")
    root.add_argument("--debug", action="store_true", help="write everything into the log")
    verbs = root.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=_Parser)
    _add_reading(verbs)
    _add_take(verbs)
    _add_edit(verbs)
    _add_revert(verbs)
    _add_delete(verbs)
    _add_clone(verbs)
    _add_flatten(verbs)
    _add_remove(verbs)
    _add_doctor(verbs)
    _add_leftovers(verbs)
    _add_check(verbs)
    _add_mend(verbs)
    _add_diff(verbs)
    _add_cat(verbs)
    _add_storage(verbs)
    _add_undo(verbs)
    _add_prune(verbs)
    _add_demo(verbs)
    return root


class _Parser(argparse.ArgumentParser):
    """argparse with two repairs: what it quotes is printable, and an optional NAME may stand behind options."""

    def error(self, message: str) -> Never:
        super().error(printable(message))

    def _match_arguments_partial(self, actions: Sequence[argparse.Action], pattern: str) -> list[int]:
        """Leave an argument that found nothing for later while options follow, as Python 3.13 does by itself."""
        counts: list[int] = super()._match_arguments_partial(actions, pattern)
        while "O" in pattern and counts and counts[-1] == 0:
            counts.pop()
        return counts


def _add_reading(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    listing = verbs.add_parser("list", help="list the VMs")
    listing.add_argument("--json", action="store_true", help="print JSON")
    lineage = verbs.add_parser("lineage", help="print which image is layered on which, and who uses it")
    lineage.add_argument("--json", action="store_true", help="print JSON")
    tree = verbs.add_parser("tree", help="print the snapshot tree of a VM")
    tree.add_argument("vm", metavar="VM", help="name or UUID")
    tree.add_argument("--json", action="store_true", help="print JSON")


def _add_take(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    take = verbs.add_parser("take", help="take a snapshot")
    take.add_argument("vm", metavar="VM", help="name or UUID")
    take.add_argument("name", metavar="NAME", nargs="?", default=None, help="proposed where it is left out")
    take.add_argument("--description", metavar="TEXT", default="")
    take.add_argument("--kind", choices=[kind.value for kind in KindWish], default=KindWish.AUTO.value)
    take.add_argument("--memory", choices=[memory.value for memory in MemoryWish], default=MemoryWish.AUTO.value)
    take.add_argument("--quiesce", action="store_true", help="have the guest agent flush the file systems")
    take.add_argument(
        "--disk",
        metavar="TARGET=internal|external|none",
        action="append",
        default=[],
        type=_disk_place,
        help="how one disk is held; may be given several times",
    )
    _add_changing(take)


def _disk_place(text: str) -> tuple[str, Place]:
    target, _, place = text.partition("=")
    try:
        return target, Place(place)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not TARGET=internal|external|none") from error


def _add_edit(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    edit = verbs.add_parser("edit", help="edit title and description of a snapshot")
    edit.add_argument("vm", metavar="VM", help="name or UUID")
    edit.add_argument("name", metavar="NAME")
    edit.add_argument("--title", metavar="TEXT", help="shown instead of the name; empty shows the name again")
    edit.add_argument("--description", metavar="TEXT")
    _add_changing(edit, dry_run=False)


def _add_revert(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    revert = verbs.add_parser("revert", help="go back to a snapshot")
    revert.add_argument("vm", metavar="VM", help="name or UUID")
    revert.add_argument("name", metavar="NAME")
    revert.add_argument("--then", choices=[then.value for then in Then], default=Then.AS_TAKEN.value)
    safety = revert.add_mutually_exclusive_group()
    safety.add_argument("--safety", metavar="NAME", help="name of the snapshot of the current state taken first")
    safety.add_argument("--no-safety", action="store_true", help="let the current state be lost")
    revert.add_argument("--force", action="store_true", help="also where libvirt calls it risky")
    revert.add_argument("--reset-nvram", action="store_true", help="make the UEFI variables anew")
    _add_flatten_clones(revert)
    _add_changing(revert)


def _add_delete(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    delete = verbs.add_parser("delete", help="delete snapshots")
    delete.add_argument("vm", metavar="VM", help="name or UUID")
    delete.add_argument("names", metavar="NAME", nargs="+")
    below = delete.add_mutually_exclusive_group()
    below.add_argument("--with-children", action="store_true", help="and all snapshots below them")
    below.add_argument("--children-only", action="store_true", help="only the snapshots below them")
    _add_flatten_clones(delete)
    _add_changing(delete)


def _add_clone(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    clone = verbs.add_parser("clone", help="make another VM of a snapshot or of the current state")
    clone.add_argument("vm", metavar="VM[@SNAPSHOT]", help="name or UUID, and a snapshot")
    clone.add_argument("name", metavar="NEWNAME")
    how = clone.add_mutually_exclusive_group()
    how.add_argument("--linked", action="store_true", help="on top of the source's images, without copying")
    how.add_argument("--full", action="store_true", help="a copy that depends on nothing")
    clone.add_argument("--start", action="store_true", help="start the clone")
    clone.add_argument("--no-network", action="store_true", help="leave its network cables unplugged")
    clone.add_argument("--with-snapshots", action="store_true", help="carry all snapshots along, of a VM that is off")
    clone.add_argument("--keep-host-devices", action="store_true", help="keep what of the host only one can use")
    clone.add_argument("--to", metavar="URI", help="make it on another hypervisor")
    clone.add_argument("--pool", metavar="POOL", help="where its images go (default: beside the source's)")
    _add_changing(clone)


def _add_flatten(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    flatten = verbs.add_parser("flatten", help="make a linked clone independent of the images below")
    flatten.add_argument("vm", metavar="VM", help="name or UUID")
    _add_changing(flatten)


def _add_remove(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    remove = verbs.add_parser("remove", help="remove a VM that is off")
    remove.add_argument("vm", metavar="VM", help="name or UUID")
    remove.add_argument("--with-storage", action="store_true", help="and its own disk images")
    _add_flatten_clones(remove)
    _add_changing(remove)


def _add_flatten_clones(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--flatten-clones", action="store_true", help="make the clones that it would destroy independent")


def _add_doctor(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    doctor = verbs.add_parser("doctor", help="say beforehand what stands in the way of snapshots")
    doctor.add_argument("vm", metavar="VM", help="name or UUID")
    remedies = [remedy.value for remedy in Remedy]
    doctor.add_argument("--fix", choices=remedies, help="carry out what the doctor proposes")
    _add_changing(doctor)


def _add_leftovers(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    leftovers = verbs.add_parser("leftovers", help="print what operations that were killed have left behind")
    leftovers.add_argument("--remove", action="store_true", help="remove the files of clones that never came about")
    _add_changing(leftovers)


def _add_check(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    check = verbs.add_parser("check", help="say what is wrong with images and snapshots: damage and remains")
    check.add_argument("vm", metavar="VM", nargs="?", help="name or UUID (default: the whole hypervisor)")
    check.add_argument("--json", action="store_true", help="print the result as JSON")


def _add_mend(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    mend = verbs.add_parser("mend", help="mend what check has found")
    mend.add_argument("vm", metavar="VM", help="name or UUID")
    mend.add_argument("code", metavar="CODE", choices=[code.value for code in Ail], help="as check prints it")
    mend.add_argument("--path", metavar="PATH", help="only the finding about this file")
    mend.add_argument("--how", choices=[how.value for how in Mending], help="default: what can lose nothing, if any")
    _add_changing(mend)


def _add_diff(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    diff = verbs.add_parser("diff", help="say what differs between two snapshots, or a snapshot and now")
    diff.add_argument("vm", metavar="VM", help="name or UUID")
    diff.add_argument("before", metavar="A", help="a snapshot")
    diff.add_argument("after", metavar="B", nargs="?", help="another one (default: the current state)")
    diff.add_argument("--config", action="store_true", help="the configuration (default: everything)")
    diff.add_argument("--blocks", action="store_true", help="which blocks of the disks may differ, from metadata alone")
    diff.add_argument("--files", action="store_true", help="the files, by partition and filesystem")
    diff.add_argument(
        "--content", action="store_true", help="read the content: only blocks that really differ; with --files, hashes"
    )
    diff.add_argument("--json", action="store_true", help="print the result as JSON")
    diff.add_argument("--progress", choices=("auto", "plain", "json", "none"), default="auto")


def _add_cat(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    cat = verbs.add_parser("cat", help="print a file as it was at a snapshot, or as it is now")
    cat.add_argument("vm", metavar="VM[@SNAPSHOT]", help="name or UUID, and a snapshot")
    cat.add_argument("place", metavar="DISK-OR-PARTITION", help="such as vda or vda1")
    cat.add_argument("path", metavar="PATH", help="within the filesystem")


def _add_storage(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    storage = verbs.add_parser("storage", help="say how the disks are stored, and what every snapshot costs")
    storage.add_argument(
        "vm", metavar="VM[@SNAPSHOT]", nargs="?", help="name or UUID, and a snapshot (default: sums of all)"
    )
    storage.add_argument("--at", metavar="DISK:BYTE", type=_place, help="which file answers there, such as vda:1G")
    storage.add_argument("--json", action="store_true", help="print the result as JSON")


def _place(text: str) -> tuple[str, int]:
    from snapgui.cli.storage import place  # noqa: PLC0415 - other verbs do not need it

    try:
        return place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not DISK:BYTE") from error


def _add_undo(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    undo = verbs.add_parser("undo", help="undo the last revert that a safety snapshot can undo")
    undo.add_argument("vm", metavar="VM", help="name or UUID")
    _add_changing(undo)


def _add_prune(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    prune = verbs.add_parser("prune", help="delete old safety snapshots")
    prune.add_argument("vm", metavar="VM", help="name or UUID")
    prune.add_argument("--keep", metavar="N", type=_count, default=1, help="how many of the latest stay (default: 1)")
    _add_changing(prune)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{printable(text)!r} is not a number")
    return int(text)


def _add_demo(verbs: "argparse._SubParsersAction[_Parser]") -> None:
    demo = verbs.add_parser("demo", help="show everything on an own hypervisor with a tiny guest")
    demo.add_argument("--tour", metavar="DIR", help="drive the window unattended, save screenshots to DIR")
    demo.add_argument("--clean", action="store_true", help="remove what the demonstration left in the cache")


def _add_changing(verb: argparse.ArgumentParser, *, dry_run: bool = True) -> None:
    verb.add_argument("--json", action="store_true", help="print the result as JSON")
    verb.add_argument("--progress", choices=("auto", "plain", "json", "none"), default="auto")
    if dry_run:
        verb.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
