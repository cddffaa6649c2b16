"""ISRUC-Sleep: one .rar per person on two hosts, numbered from 1; nothing is listed, no checksums are published."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from hypnoflow.download._files import RemoteFile
from hypnoflow.download._folder import OutFolder
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError


@dataclass(frozen=True, slots=True)
class Tool:
    """How a program is called.

    lists : tuple of str
        What prints the names in an archive, one a line.
    unpacks : tuple of str
        What unpacks it into a folder.
    heading : int
        Lines before the first name.
    """

    lists: tuple[str, ...]
    unpacks: tuple[str, ...]
    heading: int = 0


# The first one found is used. Each refuses by itself to write through a link that it has just unpacked.
TOOLS = {
    "bsdtar": Tool(("bsdtar", "-t", "-f", "{archive}"), ("bsdtar", "-x", "-f", "{archive}", "-C", "{folder}")),
    "unrar": Tool(("unrar", "lb", "{archive}"), ("unrar", "x", "-o+", "-inul", "{archive}", "{folder}/")),
    "unar": Tool(
        ("lsar", "{archive}"),
        ("unar", "-quiet", "-force-overwrite", "-no-directory", "-output-directory", "{folder}", "{archive}"),
        heading=1,
    ),
}


@dataclass(frozen=True, slots=True)
class RarServer:
    """One subgroup of ISRUC-Sleep.

    group : str
        I, II or III.
    persons : int
        Number of archives.
    hosts : tuple of str
        Addresses of the folder of subgroups, ending in a slash; the next is tried when one fails.
    """

    needs_token: ClassVar[bool] = False
    group: str
    persons: int
    hosts: tuple[str, ...] = (
        "http://sleeptight.isr.uc.pt/ISRUC_Sleep/ISRUC_Sleep/",
        "http://dataset.isr.uc.pt/ISRUC_Sleep/",
    )

    def files(self, client: Client) -> list[RemoteFile]:
        """List the archives by their numbers; CohortError where nothing can unpack them."""
        unpacker()
        details = f"Details_subgroup_{self.group}_Submission.xlsx"
        table = RemoteFile(details, tuple(f"{host}Details/{details}" for host in self.hosts))
        return [table, *map(self._archive, map(str, range(1, self.persons + 1)))]

    def _archive(self, name: str) -> RemoteFile:
        urls = tuple(f"{host}subgroup{self.group}/{name}.rar" for host in self.hosts)
        return RemoteFile(f"{name}.rar", urls, recording=name, unpacked=name)


def unpacker() -> str:
    """Return the tool that unpacks .rar on this machine; CohortError if there is none."""
    for tool in TOOLS:
        if shutil.which(tool):
            return tool
    raise CohortError(
        "ISRUC-Sleep comes as .rar, and no tool that unpacks them is installed: install one of "
        f"{', '.join(TOOLS)} (on Debian: apt install libarchive-tools, which has bsdtar) and run again"
    )


def unpack(out: OutFolder, archive: str, target: str) -> None:
    """Unpack the archive that arrived as `archive`, and that holds a folder of the name of `target`, to `target`.

    Raises
    ------
    CohortError
        If the archive is broken or holds something else; it is removed, so that the next run fetches it again.
    TakenError
        If something stands at `target`.
    """
    work = out.work_folder()
    try:
        inside = work / "unpacked"
        inside.mkdir()
        # By its own name, as some programs go by the ending.
        named = work / PurePosixPath(archive).name
        named.symlink_to(out.part_path(archive).resolve())
        problem = _unpacked(named, inside, PurePosixPath(target).name)
        if problem:
            out.drop_part(archive)
            raise CohortError(f"{archive}{problem}")
        out.take_folder(inside / PurePosixPath(target).name, target)
        out.drop_part(archive)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpacked(archive: Path, inside: Path, name: str) -> str:
    """Unpack, and return what is wrong with it: an empty string where all is plain files in one folder `name`."""
    program = unpacker()
    tool = TOOLS[program]
    listed = _call(tool.lists, archive, inside)
    if listed.returncode:
        return f": {program} cannot unpack it: {_first(listed.stderr)}"
    outside = [line for line in listed.stdout.splitlines()[tool.heading :] if _leaves(line)]
    if outside:
        return f" holds {outside[0][:200]!r}, which would lie outside its folder"
    done = _call(tool.unpacks, archive, inside)
    if done.returncode:
        return f": {program} cannot unpack it: {_first(done.stderr)}"
    if not (inside / name).is_dir() or not all(map(_is_plain, inside.rglob("*"))):
        return f" does not hold a folder {name} of plain files"
    return ""


def _call(words: tuple[str, ...], archive: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    arguments = [word.format(archive=archive, folder=folder) for word in words]
    try:
        return subprocess.run(
            arguments, capture_output=True, encoding="utf-8", errors="replace", check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(arguments, 127, "", f"{arguments[0]} is not installed")


def _first(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text.strip()[:200])


def _leaves(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name)


def _is_plain(path: Path) -> bool:
    """Say whether it is a folder, or a file that has no other name."""
    facts = path.lstat()
    return stat.S_ISDIR(facts.st_mode) or (stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1)
