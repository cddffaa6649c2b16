"""What one answer's header says and what its body holds, read in pieces and believed within limits only."""

from __future__ import annotations

import re
from collections.abc import Iterator

import requests

CHUNK_BYTES = 1 << 16  # what a cut connection can lose, and what may arrive beyond a limit before it is noticed
# Where no size is published or announced: a day of 64 channels at 2 kHz in 4 bytes is 44 GB.
MOST_FILE_BYTES = 1 << 36
# SHHS's longest folder, 5,793 files, is listed in some 2 MB; what 16 MB of JSON or XML become stays below 1 GB.
MOST_LISTING_BYTES = 1 << 24
PACKED = re.compile(r"gzip|deflate|compress|br|zstd", re.IGNORECASE)  # others, as S3's aws-chunked, change no byte


def announced(response: requests.Response) -> int | None:
    """Return the Content-Length, None where there is none; ValueError, with what stands there, if it is no length."""
    text = response.headers.get("Content-Length")
    if text is None:
        return None
    values = {value.strip() for value in text.split(",")}
    value = values.pop()
    if values or not re.fullmatch("[0-9]{1,18}", value):
        raise ValueError(f"its answer states a length of {text[:40]!r}, which is none")
    return int(value)


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it was sent; ValueError if it is packed, and so has neither the size nor the sum of the file.

    The caller counts: an answer may go on for ever.
    """
    packed = PACKED.search(response.headers.get("Content-Encoding", ""))
    if packed:
        raise ValueError(f"its answer is packed ({packed[0]}), although it was asked for the plain file")
    while piece := response.raw.read(CHUNK_BYTES, decode_content=False):
        yield piece


def whole_size(response: requests.Response) -> int | None:
    """Return the file's size by the Content-Range of a refused range (416), None where it does not say so."""
    match = re.fullmatch(r"bytes \*/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def pause_asked_s(response: requests.Response) -> float:
    """Return the seconds of Retry-After, 0 for anything else."""
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else 0.0


def is_web_page(start: bytes) -> bool:
    """Say whether a file that begins with these bytes is HTML."""
    return start[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))
