"""The National Sleep Research Resource, sleepdata.org: data sets for people with an approved request and a token."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from hypnoflow.download._files import MOST_FILES, RemoteFile, listed_size
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError

TOKEN_VARIABLE = "NSRR_TOKEN"  # the variable that sleepecg and the R package read, too
KEEP = re.compile(
    r"polysomnography/(edfs|annotations-events-nsrr)/(.+/)?(?P<recording>[^/]+?)(\.edf|-nsrr\.xml)|datasets/[^/]+\.csv"
)
MD5 = re.compile("[0-9a-fA-F]{32}")
MOST_FOLDERS = 500  # a data set has fewer than ten


@dataclass(frozen=True, slots=True)
class NsrrServer:
    """One data set of sleepdata.org.

    slug : str
        Its name there.
    part : str
        Folder below edfs and annotations-events-nsrr to which the download is limited, with a leading slash.
    """

    needs_token: ClassVar[bool] = True
    slug: str
    part: str = ""
    url: str = "https://sleepdata.org"

    @property
    def refusal(self) -> str:
        """What a user can do who is refused."""
        return (
            f"either the token in {TOKEN_VARIABLE} is not valid (sleepdata.org/token shows yours), or your request for "
            f"{self.slug} is not approved (sleepdata.org/datasets/{self.slug})"
        )

    def files(self, client: Client) -> list[RemoteFile]:
        """List EDFs, NSRR XMLs and tables by the site's own listing, which gives sizes and MD5 sums.

        Raises
        ------
        CohortError
            If it is no listing, names no file of the data set, or does not end at `MOST_FOLDERS` and `MOST_FILES`.
        """
        walk = _Walk(self, client)
        for folder in (f"polysomnography/edfs{self.part}", f"polysomnography/annotations-events-nsrr{self.part}"):
            walk.go(folder, deep=True)
        walk.go("datasets", deep=False)
        if not walk.found:
            raise CohortError(f"sleepdata.org lists no file of {self.slug}: {self.refusal}")
        return walk.found

    def items(self, client: Client, folder: str) -> list[dict[str, Any]]:
        """Return what is listed of a folder, as it is; each item has a path and says whether it is a file."""
        address = f"{self.url}/api/v1/datasets/{self.slug}/files.json"
        what = f"the listing of {self.slug}/{folder}"
        text = client.text(address, what, params={"path": folder, "auth_token": client.token})
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list) or not all(map(_is_item, items)):
            raise client.refused(what, "the server sent something else than a listing")
        return items

    def file(self, client: Client, path: str, recording: str, item: Mapping[str, Any]) -> RemoteFile:
        """Return a listed file; CohortError if its size or checksum is none."""
        address = f"{self.url}/datasets/{self.slug}/files/a/{quote(client.token, safe='')}/m/hypnoflow/{quote(path)}"
        md5 = str(item.get("file_checksum_md5") or "")
        if md5 and not MD5.fullmatch(md5):
            raise CohortError(f"sleepdata.org lists {path!r} with an MD5 of {md5[:40]!r}: nothing was downloaded")
        return RemoteFile(
            path,
            (address,),
            checksum=f"md5:{md5}" if md5 else "",
            size=listed_size(item.get("file_size"), path),
            recording=recording,
        )


class _Walk:
    """A walk through the folders of a data set, each entered once; `found` grows by the files to fetch."""

    def __init__(self, server: NsrrServer, client: Client):
        self.found: list[RemoteFile] = []
        self._server, self._client = server, client
        self._seen: set[str] = set()
        self._listed = 0

    def go(self, folder: str, *, deep: bool) -> None:
        """Add the files of a folder, and if `deep` those of the folders in it, in the server's order."""
        waiting = [iter(self._enter(folder))]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
            elif isinstance(entry, RemoteFile):
                self.found.append(entry)
            elif deep and entry not in self._seen:
                waiting.append(iter(self._enter(entry)))

    def _enter(self, folder: str) -> list[RemoteFile | str]:
        """Return the files to fetch and the folders that a folder holds."""
        self._seen.add(folder)
        items = self._server.items(self._client, folder)
        self._listed += len(items)
        if len(self._seen) > MOST_FOLDERS or self._listed > MOST_FILES:
            raise CohortError(
                f"sleepdata.org lists {self._listed} files in {len(self._seen)} folders of {self._server.slug} and has "
                f"not ended; no data set has more than {MOST_FILES} in {MOST_FOLDERS}: nothing was downloaded"
            )
        entries: list[RemoteFile | str] = []
        for item in items:
            path = item["full_path"]
            match = KEEP.fullmatch(path) if item["is_file"] else None
            if match:
                entries.append(self._server.file(self._client, path, match["recording"] or "", item))
            elif not item["is_file"] and path.startswith(f"{folder}/"):
                entries.append(path)
        return entries


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("full_path"), str) and "is_file" in item
