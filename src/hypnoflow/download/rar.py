"""ISRUC-Sleep: one .rar per person on two hosts, numbered from 1; nothing is listed, no checksums are published."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypnoflow.download._client import Client
from hypnoflow.download._files import RemoteFile
from hypnoflow.errors import CohortError

# What each tool is called with before the archive and the folder; the first one found is used.
TOOLS = {
    "bsdtar": ("-x", "-f", "{archive}", "-C", "{folder}"),
    "unrar": ("x", "-o+", "-inul", "{archive}", "{folder}/"),
    "unar": ("-quiet", "-force-overwrite", "-no-directory", "-output-directory", "{folder}", "{archive}"),
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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack `archive`, which holds a folder of the name of `folder`, to `folder`, and remove the archive.

    Raises
    ------
    CohortError
        If the archive is broken or holds something else; it is removed, so that the next run fetches it again.
    """
    tool = unpacker()
    beside = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        arguments = [word.format(archive=archive, folder=beside) for word in TOOLS[tool]]
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            archive.unlink()
            raise CohortError(f"{archive.name}: {tool} cannot unpack it: {done.stderr.strip()[:200]}")
        inner = beside / folder.name
        if not inner.is_dir() or any(path.is_symlink() for path in beside.rglob("*")):
            archive.unlink()
            raise CohortError(f"{archive.name} does not hold a folder {folder.name} of plain files")
        inner.rename(folder)
        archive.unlink()
    finally:
        shutil.rmtree(beside, ignore_errors=True)
