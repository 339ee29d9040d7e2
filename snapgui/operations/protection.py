"""Bases are protected: who reads an image that would be changed or removed, and what can be done about it.

libvirt merges into a base under a switched-off clone, and silently destroys the clone (libvirt-facts 7).
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from snapgui.model.plan import Finding, Plan, Severity
from snapgui.model.records import Lent
from snapgui.model.text import QT_TRANSLATE_NOOP, Text
from snapgui.operations.facts import Facts

CODE = "base-of-clone"
NAMED = 6
"""How many clones a sentence names; the finding itself has them all."""


def clones_on(facts: Facts, touched: Iterable[str]) -> tuple[Lent, ...]:
    """Return what reads one of these images, each VM or image once, by name."""
    real = dict(facts.real)
    wanted = {real.get(path, path) for path in touched if path}
    found: dict[tuple[str, str], Lent] = {}
    for lent in facts.lent:
        if lent.path in wanted:
            found.setdefault((lent.vm_uuid, lent.vm if not lent.vm_uuid else ""), lent)
    return tuple(sorted(found.values(), key=lambda lent: (not lent.vm_uuid, lent.vm.casefold(), lent.vm_uuid)))


def clone_findings(
    facts: Facts, touched: Iterable[str], one: Text, many: Text, severity: Severity = Severity.BLOCKER, name: str = ""
) -> Iterator[Finding]:
    """Yield the one finding that names all clones on these images, if there is any.

    ``one`` and ``many`` are sentences with the places {clones}, {path} and {name}.
    """
    touched = tuple(touched)
    if not (clones := clones_on(facts, touched)):
        return
    paths = ", ".join(dict.fromkeys(lent.path for lent in clones))
    text = (one if len(clones) == 1 else many).format(clones=listed(clones), path=paths, name=name)
    yield Finding(CODE, severity, text, _fix(clones), clones=clones)


def without_clones(plan: Plan) -> Plan:
    """Return what a plan is as soon as no clone stands in its way."""
    return replace(plan, findings=tuple(finding for finding in plan.findings if finding.code != CODE))


def listed(clones: tuple[Lent, ...]) -> Text:
    """Return “web02, web03 and 2 more”, in words that can be translated."""
    shown = clones if len(clones) <= NAMED else clones[: NAMED - 1]
    words = [_named(clone) for clone in shown]
    if len(shown) < len(clones):
        more = QT_TRANSLATE_NOOP("doctor", "{count} more")
        words.append(more.format(count=len(clones) - len(shown)))
    text = words[0]
    for position, word in enumerate(words[1:], start=2):
        joint = QT_TRANSLATE_NOOP("doctor", "{first} and {last}")
        comma = QT_TRANSLATE_NOOP("doctor", "{first}, {last}")
        text = (joint if position == len(words) else comma).format(first=text, last=word)
    return text


def _named(clone: Lent) -> Text:
    if not clone.vm_uuid:
        return QT_TRANSLATE_NOOP("doctor", "the image {path}").format(path=clone.vm)
    if clone.snapshot:
        text = QT_TRANSLATE_NOOP("doctor", "{vm} (its snapshot “{name}”)")
        return text.format(vm=clone.vm, name=clone.snapshot)
    return QT_TRANSLATE_NOOP("doctor", "{vm}").format(vm=clone.vm)


def _fix(clones: tuple[Lent, ...]) -> Text:
    """All of them, with the commands: this is what somebody without a window needs."""
    flat = [clone for clone in clones if clone.vm_uuid and not clone.snapshot]
    held = [clone for clone in clones if clone.snapshot]
    loose = [clone for clone in clones if not clone.vm_uuid]
    parts: list[Text] = []
    if flat:
        text = QT_TRANSLATE_NOOP("doctor", "Make what is based on it independent first: {commands}.")
        parts.append(text.format(commands=" && ".join(flatten_command(clone.vm) for clone in flat)))
    if held:
        text = QT_TRANSLATE_NOOP("doctor", "Delete the snapshots of {vms} that need it.")
        parts.append(text.format(vms=", ".join(clone.vm for clone in held)))
    if loose:
        text = QT_TRANSLATE_NOOP("doctor", "Remove what no VM uses, or make it independent: {commands}.")
        parts.append(text.format(commands=" && ".join(_rebase_command(clone.vm) for clone in loose)))
    text = parts[0]
    for part in parts[1:]:
        text = QT_TRANSLATE_NOOP("doctor", "{first} {second}").format(first=text, second=part)
    return text


def flatten_command(vm: str) -> str:
    """Return the command that makes a VM independent."""
    return shlex.join(("snapgui", "flatten", vm))


def _rebase_command(path: str) -> str:
    return shlex.join(("qemu-img", "rebase", "-f", "qcow2", "-b", "", path))
