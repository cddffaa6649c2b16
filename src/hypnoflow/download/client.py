"""HTTP with patience: retries with growing pauses, resumed transfers, limits on all that arrives, no token in messages.

Not covered: a server that sends a byte a minute for ever. The timeout is on silence, not on the whole.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedRandom
from typing import TypeVar
from urllib.parse import quote

import requests
import urllib3

from hypnoflow.download._answers import (
    MOST_FILE_BYTES,
    MOST_LISTING_BYTES,
    announced,
    is_web_page,
    pause_asked_s,
    pieces,
    whole_size,
)
from hypnoflow.download._redirects import (
    MOST_REDIRECTS,
    STATUSES,
    RedirectError,
    Resolve,
    addresses_of,
    next_address,
)
from hypnoflow.errors import CohortError

log = logging.getLogger(__name__)
T = TypeVar("T")

LONGEST_PAUSE_S = 60.0
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
WEB_PAGE = "the server sent a web page in place of the file"


class TransferError(CohortError):
    """One file, or a listing, could not be fetched; `status` is the server's, 0 where it was not that."""

    def __init__(self, what: str, status: int = 0):
        super().__init__(what)
        self.status = status


class MissingError(TransferError):
    """The server does not have the file."""


class PassingError(Exception):
    """Something that may be gone at the next attempt; `status` as for `TransferError`, `reason` in few words."""

    def __init__(self, what: str, retry_after_s: float = 0.0, status: int = 0, reason: str = ""):
        super().__init__(what)
        self.retry_after_s, self.status, self.reason = retry_after_s, status, reason or what


class _Session(requests.Session):
    """A session that leaves redirects to `Client`; the base class would read their bodies, however long."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Client:
    """A connection to one server, which is believed within limits only.

    Parameters
    ----------
    token : str
        The user's secret, replaced by asterisks in every message, and never sent on to another host.
    refusal : str
        What to tell a user whom the server refuses, or sends a web page in place of a file.
    attempts : int
        How often a request is made before it counts as failed.
    timeout_s : float
        Longest silence of the server.
    sleep : callable
        What waits between attempts, s.
    resolve : callable
        What returns the addresses of a host, asked before a redirect is followed.
    """

    def __init__(
        self,
        token: str = "",
        refusal: str = "",
        *,
        attempts: int = 5,
        timeout_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        resolve: Resolve = addresses_of,
    ):
        self.token, self.refusal = token, refusal
        self._attempts, self._timeout_s, self._sleep, self._resolve = attempts, timeout_s, sleep, resolve
        self._session = _Session()
        # Compressed answers would have another length than the file, and could not be resumed.
        self._session.headers.update({"User-Agent": "hypnoflow", "Accept-Encoding": "identity"})
        # The requests' own log lines hold whole addresses, and so the token.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def text(self, url: str, what: str, params: Mapping[str, str] | None = None) -> str:
        """Return a small text such as a listing; `what` names it in messages.

        Raises
        ------
        TransferError
            If the server refuses it, does not answer in all attempts, or sends more than `MOST_LISTING_BYTES`.
        """

        def get() -> str:
            with self._answer(url, what, params=params) as response:
                body = bytearray()
                for piece in self._pieces(response, what):
                    body += piece
                    if len(body) > MOST_LISTING_BYTES:
                        raise self.error(
                            what, f"at least {len(body)} bytes arrive, and a listing may have {MOST_LISTING_BYTES}"
                        )
            return body.decode("utf-8", "replace")

        return self.patiently(get, what)

    def transfer(
        self,
        url: str,
        what: str,
        part: BufferedRandom,
        size: int | None = None,
        told: Callable[[int], None] = lambda received: None,
    ) -> None:
        """Fetch `url` into the file `part` once, going on where `part` ends if the server can.

        Parameters
        ----------
        part : file, open for reading and writing
        size : int, optional
            Bytes, where they are known beforehand.
        told : callable
            Called with the number of bytes of each piece that was written.

        Raises
        ------
        PassingError
            If the server is busy, silent, or stopped before the end: what came is kept in `part`.
        TransferError
            If the server refuses the file, sends a web page, or sends more than `size`, than it announced or than
            `MOST_FILE_BYTES`: `part` is empty then.
        """
        have = part.seek(0, os.SEEK_END)
        if size is not None and have > size:
            have = 0
        if have and have == size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._answer(url, what, headers=headers) as response:
            if response.status_code == 416:
                if whole_size(response) != have:
                    part.truncate(0)
                    raise PassingError("what was there from an earlier attempt does not fit: started again")
                return
            resumed = response.status_code == 206
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.truncate(0)
                raise PassingError("the server resumed at another place: started again")
            part.truncate(have if resumed else 0)
            self._receive(response, what, part, size, told)

    def _receive(
        self,
        response: requests.Response,
        what: str,
        part: BufferedRandom,
        size: int | None,
        told: Callable[[int], None],
    ) -> None:
        """Add an answer's body to `part`, which never becomes larger than it may."""
        start = at = part.seek(0, os.SEEK_END)
        length = self._length(response, what)
        end = None if length is None else start + length
        most, whose = _limit(size, end)
        for piece in self._pieces(response, what):
            if at == 0 and is_web_page(piece):
                raise self.refused(what, WEB_PAGE)
            at += len(piece)
            if max(at, end or 0) > most:
                part.truncate(0)
                there = f"{end} bytes are announced" if end and end > most else f"at least {at} bytes arrive"
                raise self.error(what, f"{there} in place of the {most} that {whose}")
            part.write(piece)
            told(len(piece))
        part.flush()
        if end is not None and at < end:
            raise PassingError(f"the connection ended after {at - start} of {length} bytes")

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

    def error(self, what: str, problem: str, status: int = 0) -> TransferError:
        """Return an error without the token in it."""
        return TransferError(self._clean(f"{what}: {problem}"), status)

    def refused(self, what: str, problem: str, status: int = 0) -> TransferError:
        """Return an error that says what the user can do about being refused."""
        return self.error(what, "; ".join(part for part in (problem, self.refusal) if part), status)

    def _clean(self, text: str) -> str:
        for secret in {self.token, quote(self.token, safe="")} - {""}:
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else "?" for c in text)

    @contextmanager
    def _answer(
        self, url: str, what: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[requests.Response]:
        """Yield the server's answer if it is one that holds data (or the end of a range); raise otherwise."""
        # No `from error` in here: its text holds the address, and so the token.
        address = url
        try:
            for _ in range(MOST_REDIRECTS + 1):
                with self._session.get(
                    address, params=params, headers=headers, stream=True, timeout=self._timeout_s, allow_redirects=False
                ) as response:
                    if response.status_code not in STATUSES:
                        self._check(response, what)
                        yield response
                        return
                    address, params = next_address(url, response, self.token, self._resolve), None
        except RedirectError as e:
            raise self.error(what, str(e)) from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise PassingError(f"no answer within {self._timeout_s:g} s") from None
        except requests.exceptions.InvalidHeader:
            raise self.error(what, "the header of its answer contradicts itself (InvalidHeader)") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as e:
            raise PassingError(f"the connection failed ({type(e).__name__})", reason=type(e).__name__) from None
        except requests.RequestException as e:
            raise self.error(what, f"the request failed ({type(e).__name__})") from None
        raise self.error(what, f"the server sends on to another address more than {MOST_REDIRECTS} times")

    def _check(self, response: requests.Response, what: str) -> None:
        status = response.status_code
        if status in TRANSIENT:
            raise PassingError(f"the server answers {status}", pause_asked_s(response), status)
        if status in (401, 403):
            raise self.refused(what, f"the server refuses it ({status})", status)
        if status in (404, 410):
            raise MissingError(self._clean(f"{what}: the server does not have it ({status})"), status)
        if status not in (200, 206, 416):
            raise self.error(what, f"the server answers {status}", status)
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise self.refused(what, WEB_PAGE)

    def _length(self, response: requests.Response, what: str) -> int | None:
        try:
            return announced(response)
        except ValueError as problem:
            raise self.error(what, str(problem)) from None

    def _pieces(self, response: requests.Response, what: str) -> Iterator[bytes]:
        try:
            yield from pieces(response)
        except ValueError as problem:
            raise self.error(what, str(problem)) from None


def _limit(size: int | None, end: int | None) -> tuple[int, str]:
    """Return the most bytes that a file may have, and who says so."""
    if size is not None:
        return size, "are published"
    if end is not None and end <= MOST_FILE_BYTES:
        return end, "were announced"
    return MOST_FILE_BYTES, "a file may have"
