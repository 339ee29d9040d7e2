"""Make the VM of a clone's images, with an identity of its own, and start it."""

from snapgui.hypervisor import clone_xml, inventory, snapshots
from snapgui.model.errors import Broken
from snapgui.model.plan import Step, Verb
from snapgui.model.progress import Phase
from snapgui.model.records import ImageCopy, NewVm, Snapshot
from snapgui.model.text import QT_TRANSLATE_NOOP
from snapgui.operations.clone_checks import refuse_existing
from snapgui.operations.file_copy import copy_file
from snapgui.operations.task import Task


def define_step(snapshot: Snapshot | None, new_vm: NewVm, copies: tuple[ImageCopy, ...]) -> Step:
    """Return the step that makes the VM of its images."""
    text = QT_TRANSLATE_NOOP("plan", "Make the VM “{name}”, with an identity of its own")
    return Step(
        Verb.DEFINE,
        text.format(name=new_vm.name),
        "" if snapshot is None else snapshot.name,
        phases=(Phase.RECORD,),
        virsh=("define", "FILE"),
        copies=copies,
        new_vm=new_vm,
    )


def define(step: Step, task: Task) -> None:
    """Make the VM of the images."""
    task.report_phase(step, Phase.RECORD)
    if step.new_vm is None:
        raise Broken(QT_TRANSLATE_NOOP("errors", "The clone has no name."))
    nvram = _copy_nvram(step.new_vm, task)
    text = (
        snapshots.machine_xml(task.connection, task.vm_uuid, step.snapshot)
        if step.snapshot
        else inventory.secure_xml(task.connection, task.vm_uuid)
    )
    disks = {image.target: clone_xml.Image(image.file, image.made) for image in step.copies}
    identity = identity_of(step.new_vm, disks, nvram, elsewhere=task.elsewhere is not None)
    task.defined = inventory.define(task.target, clone_xml.clone_xml(text, identity))


def identity_of(new_vm: NewVm, disks: dict[str, clone_xml.Image], nvram: str, *, elsewhere: bool) -> clone_xml.Identity:
    """Return what the document of a clone needs."""
    return clone_xml.Identity(
        new_vm.name,
        new_vm.uuid,
        new_vm.macs,
        disks,
        nvram,
        connected=new_vm.connected,
        keep_host_devices=new_vm.keep_host_devices,
        elsewhere=elsewhere,
    )


def _copy_nvram(new_vm: NewVm, task: Task) -> str:
    """Where the VM has no file of variables yet, libvirt makes one for the clone, too."""
    source = task.facts.machine.nvram
    if not new_vm.nvram or not source:
        return ""
    refuse_existing(task, new_vm.nvram)
    if copy_file(task, source, new_vm.nvram):
        task.made.append(new_vm.nvram)
    return new_vm.nvram


def start(step: Step, task: Task) -> None:
    """Start the clone."""
    task.report_phase(step, Phase.START)
    inventory.start(task.target, task.defined)
