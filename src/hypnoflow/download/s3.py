"""Public S3 buckets, read unsigned over https; for the Dreem Open Datasets the scorers' files come from GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from hypnoflow.download._files import MOST_FILES, RemoteFile, listed_size
from hypnoflow.download.client import Client
from hypnoflow.errors import CohortError

RECORDING = re.compile(r"(?P<recording>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\.h5")
MD5 = re.compile(r'"?([0-9a-f]{32})"?')  # an ETag with a hyphen is of a multipart upload, and no MD5 of the file
SCORERS = 5
MOST_PAGES = 1000  # of 1,000 keys each; the two buckets have one page


@dataclass(frozen=True, slots=True)
class DreemServer:
    """One of the two Dreem buckets.

    url : str
        Address of the bucket, ending in a slash.
    scorers_url : str
        Address of the folder that holds ``scorer_1`` to ``scorer_5``, ending in a slash.
    scorers : str
        Where that folder goes below the output folder.
    """

    needs_token: ClassVar[bool] = False
    url: str
    scorers_url: str
    scorers: str

    def files(self, client: Client) -> list[RemoteFile]:
        """List the recordings in the bucket, and five scorers' files of each."""
        found = []
        for key, size, etag in _contents(client, self.url):
            match = RECORDING.fullmatch(key)
            if match:
                name, md5 = match["recording"], MD5.fullmatch(etag)
                checksum = f"md5:{md5[1]}" if md5 else ""
                address = self.url + quote(key)
                found.append(RemoteFile(key, (address,), checksum, listed_size(size, key), name))
                for i in range(1, SCORERS + 1):
                    file = f"scorer_{i}/{name}.json"
                    found.append(RemoteFile(f"{self.scorers}/{file}", (self.scorers_url + file,), recording=name))
        if not found:
            raise CohortError(f"the bucket {self.url} lists no recording")
        return found


def _contents(client: Client, url: str) -> Iterator[tuple[str, str, str]]:
    """Yield key, size and ETag of everything in a bucket, as they stand there (ListObjectsV2, page by page)."""
    what = f"the listing of {url}"
    params = {"list-type": "2"}
    seen: set[str] = set()
    listed = 0
    for _ in range(MOST_PAGES):
        try:
            page = fromstring(client.text(url, what, params))
        except (ParseError, DefusedXmlException):
            raise client.refused(what, "the server sent something else than a listing") from None
        entries = page.findall("{*}Contents")
        listed += len(entries)
        if listed > MOST_FILES:
            break
        for entry in entries:
            yield _of(entry, "Key"), _of(entry, "Size"), _of(entry, "ETag")
        token = _of(page, "NextContinuationToken")
        if not token:
            return
        if token in seen:
            raise client.error(what, f"it goes on where it has been before, after {listed} files: it would never end")
        seen.add(token)
        params = {"list-type": "2", "continuation-token": token}
    raise client.error(
        what,
        f"it has not ended after {listed} files on {len(seen) + 1} pages; the limits are {MOST_FILES} and {MOST_PAGES}",
    )


def _of(element: Element, tag: str) -> str:
    return element.findtext(f"{{*}}{tag}") or ""
