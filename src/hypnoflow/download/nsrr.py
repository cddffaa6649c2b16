"""The National Sleep Research Resource, sleepdata.org: data sets for people with an approved request and a token."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from hypnoflow.download._client import Client
from hypnoflow.download._files import RemoteFile
from hypnoflow.errors import CohortError

TOKEN_VARIABLE = "NSRR_TOKEN"  # the variable that sleepecg and the R package read, too
KEEP = re.compile(
    r"polysomnography/(edfs|annotations-events-nsrr)/(.+/)?(?P<recording>[^/]+?)(\.edf|-nsrr\.xml)|datasets/[^/]+\.csv"
)


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
        """List EDFs, NSRR XMLs and tables by the site's own listing, which gives sizes and MD5 sums."""
        folders = (
            f"polysomnography/edfs{self.part}",
            f"polysomnography/annotations-events-nsrr{self.part}",
            "datasets",
        )
        items = [item for folder in folders for item in self._below(client, folder, deep=folder != "datasets")]
        found = []
        for item in items:
            path = str(item["full_path"])
            match = KEEP.fullmatch(path)
            if match:
                found.append(self._file(client, path, match["recording"] or "", item))
        if not found:
            raise CohortError(f"sleepdata.org lists no file of {self.slug}: {self.refusal}")
        return found

    def _below(self, client: Client, folder: str, deep: bool) -> Iterator[dict[str, Any]]:
        """Yield the files of a folder, and of the folders in it."""
        address = f"{self.url}/api/v1/datasets/{self.slug}/files.json"
        what = f"the listing of {self.slug}/{folder}"
        text = client.text(address, what, params={"path": folder, "auth_token": client.token})
        try:
            items = json.loads(text)
            known = all(isinstance(item, dict) and {"full_path", "is_file"} <= set(item) for item in items)
        except (ValueError, TypeError):
            known = False
        if not known or not isinstance(items, list):
            raise client.refused(what, "the server sent something else than a listing")
        for item in items:
            if item["is_file"]:
                yield item
            elif deep and str(item["full_path"]).startswith(f"{folder}/"):
                yield from self._below(client, str(item["full_path"]), deep)

    def _file(self, client: Client, path: str, recording: str, item: dict[str, Any]) -> RemoteFile:
        address = f"{self.url}/datasets/{self.slug}/files/a/{quote(client.token, safe='')}/m/hypnoflow/{quote(path)}"
        md5, size = item.get("file_checksum_md5"), item.get("file_size")
        return RemoteFile(
            path,
            (address,),
            checksum=f"md5:{md5}" if md5 else "",
            size=int(size) if size is not None else None,
            recording=recording,
        )
