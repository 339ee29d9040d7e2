"""Reads from this machine's apt configuration where its Debian packages come from, so that no host is named here."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "SNAPGUI_DEBIAN_MIRROR"
"""Environment variable with the URL of a Debian mirror, for machines whose own packages come from elsewhere."""


@dataclass(frozen=True)
class Source:
    """One source of packages: the URL of the archive and the suites taken from it."""

    url: str
    suites: tuple[str, ...]


def source_lines(*suites: str) -> list[str]:
    """Return sources.list lines that take `suites` from this machine's Debian mirror."""
    signed = f"[signed-by={KEYRING}] " if KEYRING.is_file() else ""
    return [f"deb {signed}{_debian_mirror()} {suite} main" for suite in suites]


def acquire_settings() -> str:
    """Return this machine's apt settings about proxies, certificates and retries, as a configuration file."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = (line for line in dump.splitlines() if line.startswith("Acquire::"))
    return "".join(f"{line}\n" for line in wanted if not line.startswith("Acquire::IndexTargets"))


def _debian_mirror() -> str:
    if named := os.environ.get(MIRROR_VARIABLE):
        return named
    for source in _configured():
        if any(re.fullmatch(r"bullseye|bookworm|trixie|forky|stable|testing|sid|unstable", s) for s in source.suites):
            return source.url
    raise LookupError(f"apt has no Debian mirror here: set {MIRROR_VARIABLE} to the URL of one.")


def _configured() -> list[Source]:
    directory = Path("/etc/apt")
    one_line = [directory / "sources.list", *sorted(directory.glob("sources.list.d/*.list"))]
    sources = [source for path in one_line if path.is_file() for source in parse_one_line(path.read_text())]
    for path in sorted(directory.glob("sources.list.d/*.sources")):
        sources += parse_deb822(path.read_text())
    return sources


def parse_one_line(text: str) -> list[Source]:
    """Read the format of sources.list(5), section “one-line-style format”."""
    entry = re.compile(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", re.MULTILINE)
    return [Source(url, (suite,)) for url, suite in entry.findall(text)]


def parse_deb822(text: str) -> list[Source]:
    """Read the format of sources.list(5), section “deb822-style format”."""
    sources = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {key.lower(): value.split() for key, value in re.findall(r"^([\w-]+):(.*)$", unfolded, re.MULTILINE)}
        if "deb" in fields.get("types", []) and fields.get("enabled") != ["no"]:
            sources += [Source(url, tuple(fields.get("suites", []))) for url in fields.get("uris", [])]
    return sources
