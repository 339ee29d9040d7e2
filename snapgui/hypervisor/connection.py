"""A connection to one hypervisor: opened, kept alive, closed, and its events handed on as records."""

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import libvirt
from lxml import etree

from snapgui.hypervisor.eventloop import ensure_running
from snapgui.hypervisor.faults import one_line, translated
from snapgui.hypervisor.xml import parse
from snapgui.model.errors import Gone, NoPermission, Unavailable
from snapgui.model.events import Event, EventKind
from snapgui.model.records import Capabilities
from snapgui.model.text import QT_TRANSLATE_NOOP

KEEPALIVE_INTERVAL_S = 2
KEEPALIVE_COUNT = 3

Listener = Callable[[Event], None]

_LIFECYCLE = {
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: EventKind.SUSPENDED,
    libvirt.VIR_DOMAIN_EVENT_RESUMED: EventKind.RESUMED,
    libvirt.VIR_DOMAIN_EVENT_STARTED: EventKind.STARTED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED: EventKind.STOPPED,
    libvirt.VIR_DOMAIN_EVENT_DEFINED: EventKind.DEFINED,
    libvirt.VIR_DOMAIN_EVENT_UNDEFINED: EventKind.UNDEFINED,
}


class Connection:
    """One open connection. Its functions block; call them from any thread but the window's.

    Raises Unavailable or NoPermission when it cannot be opened.
    """

    def __init__(self, uri: str | None = None) -> None:
        ensure_running()
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._sibling: Connection | None = None
        self._closed = False
        with _named(uri):
            self._embedded = _Embedded.find(uri)
            self.libvirt: Any = libvirt.open(uri or None) if self._embedded is None else self._embedded.libvirt
            self.uri: str = self.libvirt.getURI()
        if self._embedded is not None:
            self._embedded.users.append(self)
            return
        with contextlib.suppress(libvirt.libvirtError):
            self.libvirt.setKeepAlive(KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT)
        with contextlib.suppress(libvirt.libvirtError):
            self.libvirt.registerCloseCallback(_on_close, self)
        self._events = _register_events(self.libvirt, self)

    def close(self) -> None:
        """Close it and its sibling; closing twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sibling, self._sibling = self._sibling, None
        if sibling is not None:
            sibling.close()
        self._listeners.clear()
        if self._embedded is not None:
            self._embedded.users.remove(self)
            return
        with contextlib.suppress(libvirt.libvirtError):
            for number in self._events:
                self.libvirt.domainEventDeregisterAny(number)
        with contextlib.suppress(libvirt.libvirtError):
            self.libvirt.unregisterCloseCallback()
        with contextlib.suppress(libvirt.libvirtError):
            self.libvirt.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sibling(self) -> "Connection":
        """Return a second connection to the same place, for questions while this one waits for an answer.

        libvirt's test driver keeps its state per connection; there the connection is its own sibling.
        """
        if self.uri.startswith("test:"):
            return self
        with self._lock:
            if self._closed:
                raise Unavailable(QT_TRANSLATE_NOOP("errors", "The connection has been closed."))
            if self._sibling is None or not self._sibling.alive:
                self._sibling = Connection(self.uri)
            return self._sibling

    @contextlib.contextmanager
    def apart(self) -> Iterator["Connection"]:
        """Lend a connection to the same place to a thread: what two use at once can crash libvirt (CVE-2024-4418)."""
        if self.uri.startswith("test:"):
            yield self
            return
        with Connection(self.uri) as other:
            yield other

    @property
    def alive(self) -> bool:
        """Whether the connection still stands."""
        try:
            return not self._closed and bool(self.libvirt.isAlive())
        except libvirt.libvirtError:
            return False

    def domain(self, vm_uuid: str) -> Any:
        """Return libvirt's handle of a VM; raise Gone where there is none."""
        with translated():
            return self.libvirt.lookupByUUIDString(vm_uuid)

    def find(self, name_or_uuid: str) -> str:
        """Return the UUID of the VM with that name, or with that UUID; raise Gone where there is none."""
        for look_up in (self.libvirt.lookupByName, self.libvirt.lookupByUUIDString):
            with contextlib.suppress(libvirt.libvirtError, ValueError):
                uuid: str = look_up(name_or_uuid).UUIDString()
                return uuid
        if not self.alive:
            raise Unavailable(QT_TRANSLATE_NOOP("errors", "The connection to the hypervisor has been lost."))
        raise Gone(
            QT_TRANSLATE_NOOP("errors", "There is no VM “{name}” on {uri}.").format(name=name_or_uuid, uri=self.uri)
        )

    def find_with_snapshot(self, text: str) -> tuple[str, str | None]:
        """Return (UUID, snapshot's name or None) for ``VM`` or ``VM@SNAPSHOT``; both names may hold an “@”."""
        places = [place for place, char in enumerate(text) if char == "@"]
        for vm, name in ((text, None), *((text[:place], text[place + 1 :]) for place in places)):
            with contextlib.suppress(Gone):
                return self.find(vm), name
        return self.find(text), None

    def capabilities(self) -> Capabilities:
        """Return versions and abilities. ``external_revert`` exists since libvirt 9.9."""
        with translated():
            driver = self.libvirt.getType()
            library = self.libvirt.getLibVersion()
            text = self.libvirt.getCapabilities()
            host_name = self.libvirt.getHostname()
        version = 0
        with contextlib.suppress(libvirt.libvirtError):
            version = self.libvirt.getVersion()
        root = parse(text)
        external = root.find(".//externalSnapshot") is not None
        names = (driver, _version(library), _version(version))
        return Capabilities(*names, external, host_name, _guests_run_as(root))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` on each event, in the event thread; return the function that ends it."""
        self._listeners.append(listener)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def emit(self, kind: EventKind, vm_uuid: str = "") -> None:
        """Hand an event to every listener."""
        event = Event(kind, vm_uuid, time.monotonic())
        for listener in tuple(self._listeners):
            listener(event)


def _guests_run_as(root: etree._Element) -> tuple[int, int] | None:
    """Return (user, group) of the hypervisor's processes: ``+64055:+64055``, where it runs them as another one."""
    label = root.findtext("host/secmodel[model='dac']/baselabel") or ""
    found = re.fullmatch(r"\+(\d{1,10}):\+(\d{1,10})", label.strip())
    return (int(found[1]), int(found[2])) if found else None


@contextlib.contextmanager
def _named(uri: str | None) -> Iterator[None]:
    """libvirt does not say where it could not connect to."""
    try:
        with translated():
            yield
    except (Unavailable, NoPermission) as error:
        where = one_line(uri or default_uri() or "")
        text = QT_TRANSLATE_NOOP("errors", "{error} ({uri})")
        raise (type(error)(text.format(error=error.text, uri=where), error.detail) if where else error) from error


class _Embedded:
    """An embedded hypervisor: opened once, for as long as this process lives, and shared by its connections.

    Each opening registers its driver anew; libvirt 9.0 has room for 21 ("Too many drivers, cannot register QEMU").
    """

    _lock = threading.Lock()
    _known: ClassVar[dict[str, "_Embedded"]] = {}

    def __init__(self, uri: str) -> None:
        self.libvirt: Any = libvirt.open(uri)
        self.users: list[Connection] = []
        _register_events(self.libvirt, self)

    @classmethod
    def find(cls, uri: str | None) -> "_Embedded | None":
        """Return the one that a URI means, or None for any other sort of hypervisor."""
        wanted = uri or default_uri() or ""
        if "///embed" not in wanted:
            return None
        with cls._lock:
            if wanted not in cls._known:
                cls._known[wanted] = cls(wanted)
            return cls._known[wanted]

    def emit(self, kind: EventKind, vm_uuid: str = "") -> None:
        """Hand an event to every connection."""
        for user in tuple(self.users):
            user.emit(kind, vm_uuid)


Owner = Connection | _Embedded


def _register_events(connection: Any, owner: Owner) -> list[int]:
    wanted = (
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, _on_lifecycle),
        (libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, _on_memory_pass),
        (libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, _on_job_completed),
        (libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, _on_metadata),
        (libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, _on_block_job),
    )
    registered = []
    for number, callback in wanted:
        with contextlib.suppress(libvirt.libvirtError):
            registered.append(connection.domainEventRegisterAny(None, number, callback, owner))
    return registered


def _version(number: int) -> tuple[int, int, int]:
    return (number // 1_000_000, number // 1_000 % 1_000, number % 1_000)


def _on_close(_connection: Any, _reason: int, owner: Connection) -> None:
    owner.emit(EventKind.LOST)


def _on_lifecycle(_connection: Any, domain: Any, event: int, _detail: int, owner: Owner) -> None:
    owner.emit(_LIFECYCLE.get(event, EventKind.OTHER), domain.UUIDString())


def _on_memory_pass(_connection: Any, domain: Any, _iteration: int, owner: Owner) -> None:
    owner.emit(EventKind.MEMORY_PASS, domain.UUIDString())


def _on_job_completed(_connection: Any, domain: Any, _params: object, owner: Owner) -> None:
    owner.emit(EventKind.JOB_COMPLETED, domain.UUIDString())


def _on_metadata(_connection: Any, domain: Any, _type: int, _uri: str | None, owner: Owner) -> None:
    owner.emit(EventKind.METADATA, domain.UUIDString())


def _on_block_job(_connection: Any, domain: Any, _disk: str, _type: int, _status: int, owner: Owner) -> None:
    owner.emit(EventKind.OTHER, domain.UUIDString())


def default_uri() -> str | None:
    """Return the URI of ``$LIBVIRT_DEFAULT_URI``, or None, with which libvirt chooses as it does for virsh."""
    return os.environ.get("LIBVIRT_DEFAULT_URI") or None
