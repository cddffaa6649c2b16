"""Servers with a text file of SHA-256 sums: PhysioNet's ``SHA256SUMS.txt``, and the one that DCSM's users keep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urljoin

from hypnoflow.download._files import RemoteFile
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError

LINE = re.compile(r"(?P<sum>[0-9a-fA-F]{64})[\s*]+(?P<path>\S.*)")


@dataclass(frozen=True, slots=True)
class SumsServer:
    """Plain files below one address.

    url : str
        Address of the folder, ending in a slash.
    keep : str
        Pattern of the paths to fetch; its group `recording` names what a file belongs to.
    sums : str
        Address of the list of sums, relative to `url`.
    """

    needs_token: ClassVar[bool] = False
    url: str
    keep: str
    sums: str = "SHA256SUMS.txt"

    def files(self, client: Client) -> list[RemoteFile]:
        """List the files by the list of sums."""
        lines = client.text(urljoin(self.url, self.sums), self.sums).splitlines()
        listed = {m["path"].strip().removeprefix("./"): m["sum"] for m in map(LINE.fullmatch, lines) if m}
        found = []
        for path in sorted(listed):
            match = re.fullmatch(self.keep, path)
            if match:
                address = urljoin(self.url, quote(path))
                name = match.groupdict().get("recording") or ""
                found.append(RemoteFile(path, (address,), f"sha256:{listed[path]}", recording=name))
        if not found:
            raise CohortError(f"{self.sums} at {self.url} lists {len(listed)} files and none of this cohort")
        return found
