"""What a screen reader finds in the running application; run by the distribution's own Python, which has pyatspi.

Arguments: what to do. Prints one JSON document.
"""

import json
import subprocess
import sys
import time

import pyatspi
from gi.repository import GLib

PATIENCE_S = 40.0
LOOK_S = 0.1
heard = []
"""(role, text) of everything that got the focus: menus are not among the children of anything."""


def wait(what, find):
    """Return what ``find`` finds, as soon as it does."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        while GLib.MainContext.default().iteration(False):
            pass
        try:
            if found := find():
                return found
        except Exception as error:  # noqa: BLE001 - what was found may be gone a moment later
            what = f"{what.split(' (')[0]} ({error})"
        time.sleep(LOOK_S)
    sys.exit(f"never found: {what}\n" + "\n".join(outline(application())))


def application():
    """Return the application, anew: what is cached may be old."""
    desktop = pyatspi.Registry.getDesktop(0)
    desktop.clearCache()
    found = [child for child in desktop if child is not None and child.name == "snapgui"]
    return found[0] if found else None


def below(node, depth=0):
    """Yield everything below."""
    if node is None or depth > 30:
        return
    node.clearCache()
    for number in range(node.childCount):
        child = node.getChildAtIndex(number)
        if child is not None:
            yield child
            yield from below(child, depth + 1)


def outline(node, depth=0):
    """Return lines that draw what is there."""
    lines = []
    for number in range(node.childCount if node is not None and depth < 12 else 0):
        child = node.getChildAtIndex(number)
        if child is not None:
            lines += [f"{'  ' * depth}{child.getRoleName()} {child.name!r}", *outline(child, depth + 1)]
    return lines


def named(name, role=""):
    return next((n for n in below(application()) if n.name == name and role in n.getRoleName()), None)


def cells(name):
    """Return (role, text) of every line of a tree."""
    tree = named(name)
    return [(child.getRoleName(), child.name) for child in below(tree)] if tree is not None else []


def shows(node):
    return node is not None and node.getState().contains(pyatspi.STATE_SHOWING)


def press(*keys):
    """Press keys as a keyboard does, by the X server."""
    subprocess.run(["xdotool", "key", "--delay", "40", *keys], check=True)


def clones(vm, clone):
    """Walk to the card of a clone, go there by Enter, and come back from its origin."""
    seen = {}
    wait("the clone", lambda: any(text.startswith(f"Linked clone {clone},") for _, text in cells("Snapshot tree")))
    seen["source"] = cells("Snapshot tree")
    focus_tree()
    pyatspi.Registry.registerEventListener(on_focus, "object:state-changed:focused")
    press("Right")
    seen["reached"] = wait("the clone's focus", lambda: [text for _, text in heard if text.startswith("Linked clone")])
    press("Return")
    wait("the origin", lambda: any(text == f"Clone of {vm} @ before" for _, text in cells("Snapshot tree")))
    seen["clone"] = cells("Snapshot tree")
    heard.clear()
    press("Home")
    wait("the origin's focus", lambda: [text for _, text in heard if text.startswith("Clone of")])
    press("Return")
    wait("the snapshot", lambda: any(text.startswith("before, ") for _, text in cells("Snapshot tree")))
    print(json.dumps(seen))


def focus_tree():
    window = subprocess.run(
        ["xdotool", "search", "--onlyvisible", "--name", "snapgui"], check=True, capture_output=True, text=True
    ).stdout.split()[0]
    subprocess.run(["xdotool", "windowfocus", "--sync", window], check=True)
    tree = named("Snapshot tree")
    tree.queryComponent().grabFocus()
    wait("the focus", lambda: any(n.getState().contains(pyatspi.STATE_FOCUSED) for n in (tree, *below(tree))))


def main():
    wait("the nodes", lambda: any(text.startswith("You are here") for _, text in cells("Snapshot tree")))
    wait("the VMs", lambda: any(text.startswith("web01") for _, text in cells("Virtual machines")))
    seen = {"vms": cells("Virtual machines"), "nodes": cells("Snapshot tree")}
    focus_tree()
    pyatspi.Registry.registerEventListener(on_focus, "object:state-changed:focused")
    press("Menu", "Down")
    seen["menu"] = wait("the node's menu", lambda: [text for role, text in heard if role == "menu item"])
    press("Return")
    name = wait("the name's field", lambda: next((n for n in dialog() if n.name == "Name" and editable(n)), None))
    seen["proposed"] = name.queryText().getText(0, -1)
    wait("the focus in the name's field", lambda: name.getState().contains(pyatspi.STATE_FOCUSED))
    seen["dialog"] = [(n.getRoleName(), n.name) for n in dialog() if n.name]
    subprocess.run(["xdotool", "type", "spoken"], check=True)
    wait("the typed name", lambda: name.queryText().getText(0, -1) == "spoken")
    press("Return")
    wait("the new node", lambda: any(text.startswith("spoken,") for _, text in cells("Snapshot tree")))
    seen["afterwards"] = cells("Snapshot tree")
    print(json.dumps(seen))


def on_focus(event):
    if event.detail1 and event.source is not None:
        heard.append((event.source.getRoleName(), event.source.name))


def dialog():
    """Return everything in the open dialog."""
    found = [n for n in application() if n.getRoleName() == "dialog" and shows(n)]
    return list(below(found[0])) if found else []


def editable(node):
    return node.getState().contains(pyatspi.STATE_EDITABLE)


if __name__ == "__main__":
    clones(*sys.argv[1:]) if sys.argv[1:] else main()
