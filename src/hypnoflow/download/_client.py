"""HTTP with patience: retries with growing pauses, resumed transfers, and no token in any message."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests
import urllib3

from hypnoflow.errors import CohortError

log = logging.getLogger(__name__)
T = TypeVar("T")

LONGEST_PAUSE_S = 60.0
CHUNK_BYTES = 1 << 16  # what a cut connection can lose
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class TransferError(CohortError):
    """One file, or a listing, could not be fetched."""


class MissingError(TransferError):
    """The server does not have the file."""


class PassingError(Exception):
    """Something that may be gone at the next attempt."""

    def __init__(self, what: str, retry_after_s: float = 0.0):
        super().__init__(what)
        self.retry_after_s = retry_after_s


class Client:
    """A connection to one server.

    Parameters
    ----------
    token : str
        The user's secret, replaced by asterisks in every message.
    refusal : str
        What to tell a user whom the server refuses, or sends a web page in place of a file.
    attempts : int
        How often a request is made before it counts as failed.
    timeout_s : float
        Longest silence of the server.
    sleep : callable
        What waits between attempts, s.
    """

    def __init__(
        self,
        token: str = "",
        refusal: str = "",
        *,
        attempts: int = 5,
        timeout_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.token, self.refusal = token, refusal
        self._attempts, self._timeout_s, self._sleep = attempts, timeout_s, sleep
        self._session = requests.Session()
        # Compressed answers would have another length than the file, and could not be resumed.
        self._session.headers.update({"User-Agent": "hypnoflow", "Accept-Encoding": "identity"})
        # The requests' own log lines hold whole addresses, and so the token.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def text(self, url: str, what: str, params: Mapping[str, str] | None = None) -> str:
        """Return a small text such as a listing; `what` names it in messages.

        Raises
        ------
        TransferError
            If the server refuses it, or does not answer in all attempts.
        """

        def get() -> str:
            with self._answer(url, what, params=params) as response:
                return response.content.decode("utf-8", "replace")

        return self.patiently(get, what)

    def transfer(self, url: str, what: str, part: Path, size: int | None = None) -> None:
        """Fetch `url` into the file `part` once, going on where `part` ends if the server can.

        Raises
        ------
        PassingError
            If the server is busy, silent, or stopped before the end: what came is kept in `part`.
        TransferError
            If the server refuses the file or sends a web page.
        """
        have = part.stat().st_size if part.exists() else 0
        if size is not None and have > size:
            have = 0
        if have and have == size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._answer(url, what, headers=headers) as response:
            if response.status_code == 416:
                if _total(response) != have:
                    part.unlink()
                    raise PassingError("what was there from an earlier attempt does not fit: started again")
                return
            resumed = response.status_code == 206
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink()
                raise PassingError("the server resumed at another place: started again")
            received = 0
            with part.open("ab" if resumed else "wb") as stream:
                for chunk in response.iter_content(CHUNK_BYTES):
                    stream.write(chunk)
                    received += len(chunk)
        expected = response.headers.get("Content-Length")
        packed = response.headers.get("Content-Encoding", "identity") != "identity"  # in spite of what was asked for
        if expected and not packed and received < int(expected):
            raise PassingError(f"the connection ended after {received} of {expected} bytes")

    def patiently(self, get: Callable[[], T], what: str) -> T:
        """Return ``get()``, repeated after growing pauses while it raises PassingError."""
        problem = ""
        for attempt in range(self._attempts):
            try:
                return get()
            except PassingError as error:
                problem = self._clean(str(error))
                if attempt + 1 < self._attempts:
                    pause_s = min(max(2.0**attempt, error.retry_after_s), LONGEST_PAUSE_S)
                    log.debug("%s: %s; again in %g s", what, problem, pause_s)
                    self._sleep(pause_s)
        raise self.error(what, f"{problem} ({self._attempts} attempts)")

    def error(self, what: str, problem: str) -> TransferError:
        """Return an error without the token in it."""
        return TransferError(self._clean(f"{what}: {problem}"))

    def refused(self, what: str, problem: str) -> TransferError:
        """Return an error that says what the user can do about being refused."""
        return self.error(what, "; ".join(part for part in (problem, self.refusal) if part))

    def _clean(self, text: str) -> str:
        for secret in {self.token, quote(self.token, safe="")} - {""}:
            text = text.replace(secret, "***")
        return text

    @contextmanager
    def _answer(
        self, url: str, what: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """Yield the server's answer if it is one that holds data (or the end of a range); raise otherwise."""
        # No `from error` in here: its text holds the address, and so the token.
        try:
            with self._session.get(
                url, params=params, headers=headers, stream=True, timeout=self._timeout_s
            ) as response:
                self._check(response, what)
                yield response
        except requests.Timeout:
            raise PassingError(f"no answer within {self._timeout_s:g} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as e:
            raise PassingError(f"the connection failed ({type(e).__name__})") from None
        except requests.RequestException as e:
            raise self.error(what, f"the request failed ({type(e).__name__})") from None

    def _check(self, response: requests.Response, what: str) -> None:
        status = response.status_code
        if status in TRANSIENT:
            raise PassingError(f"the server answers {status}", _seconds(response.headers.get("Retry-After", "")))
        if status in (401, 403):
            raise self.refused(what, f"the server refuses it ({status})")
        if status in (404, 410):
            raise MissingError(self._clean(f"{what}: the server does not have it ({status})"))
        if status >= 400 and status != 416:
            raise self.error(what, f"the server answers {status}")
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise self.refused(what, "the server sent a web page in place of the file")


def _total(response: requests.Response) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0
