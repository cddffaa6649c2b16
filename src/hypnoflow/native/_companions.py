"""The other files of a recording whose header names them, or that lie beside it by custom; names that lead away."""

from __future__ import annotations

import configparser
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import cause
from hypnoflow.native.source import own_name, reading

# What may hold the samples of a recording whose header has that suffix.
SAMPLES = {
    ".hea": (".mat", ".dat"),
    ".vhdr": (".eeg", ".dat"),
    ".set": (".set", ".fdt"),
    ".fif": (".fif",),
    ".gdf": (".gdf",),
}
MARKERS = (".vmrk",)
FIFF_TAG = struct.Struct(">4i")  # kind, type, size of what follows, place of the next (0: behind it, -1: none)
FIFF_BLOCK_START, FIFF_REF_ROLE, FIFF_REF_FILE_NAME = 104, 115, 118
NEXT_FILE = 2  # a role
LONGEST_NAME = 4096


def companions(path: Path) -> list[Path]:
    """Return the files, of those that are there, that belong to the recording `path` as well.

    Raises
    ------
    RecordingError
        If the header cannot be read, or names a file that is not of the recording's own folder.
    """
    find = FINDERS.get(path.suffix.lower())
    if find is None:
        return []
    try:
        with reading(path):
            return [other for name in find(path) if (other := path.parent / name) != path and other.is_file()]
    except (ValueError, LookupError, struct.error, configparser.Error) as error:
        raise RecordingError(f"not a readable header ({cause(error)})", path=path) from error


def _of_wfdb(path: Path) -> list[str]:
    """Return the first word of each signal's line; the record line, which is ahead of them, says how many there are."""
    lines = path.read_text(encoding="ascii", errors="ignore").splitlines()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    words = lines[0].split() if lines else []
    count = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
    names = dict.fromkeys(line.split()[0] for line in lines[1 : count + 1])
    return [own_name(name, SAMPLES[".hea"], "the header") for name in names]


def _of_brainvision(path: Path) -> list[str]:
    """Return the files of samples and marks; where that of marks is gone, MNE takes the one beside the header."""
    names = [path.with_suffix(MARKERS[0]).name]
    header = _brainvision_header(path.read_bytes())
    for section in header.sections():
        for key, suffixes in (("DataFile", SAMPLES[".vhdr"]), ("MarkerFile", MARKERS)):
            name = header.get(section, key, fallback="")
            if name:
                names.append(own_name(name, suffixes, key))
    return list(dict.fromkeys(names))


def _brainvision_header(raw: bytes) -> configparser.ConfigParser:
    """Parse a header as MNE does: without its first line, up to the comment, in the encoding that it states."""
    _, _, body = raw.partition(b"\n")
    stated = re.search("Codepage=(.+)", body.decode("ascii", "ignore"))
    encoding = stated[1].strip() if stated else "utf-8"
    try:
        text = body.decode("cp1252" if encoding == "ANSI" else encoding)
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    header = configparser.ConfigParser(interpolation=None)
    header.read_string(text.partition("[Comment]")[0])
    return header


def _of_eeglab(path: Path) -> list[str]:
    return [path.with_suffix(".fdt").name]  # what the file itself names is compared once MNE has opened it


def _of_fif(path: Path) -> list[str]:
    """Return the parts that follow, each of which names the next."""
    names: list[str] = []
    part: Path | None = path
    while part is not None and part.is_file():
        following = [name for name in _next_part(part) if name != path.name and name not in names]
        names += following[:1]
        part = path.parent / following[0] if following else None
    return names


def _next_part(path: Path) -> Iterator[str]:
    role = NEXT_FILE
    for kind, content in fif_tags(path):
        if kind == FIFF_BLOCK_START:
            role = NEXT_FILE
        if kind == FIFF_REF_ROLE and len(content) >= 4:
            role = int.from_bytes(content[:4], "big")
        if kind == FIFF_REF_FILE_NAME and role == NEXT_FILE:  # that of the part before is not followed
            yield own_name(content.decode("latin-1"), SAMPLES[".fif"], "the file")


def fif_tags(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of what refers to other files.

    Raises
    ------
    ValueError
        If the tags lead back to one before: MNE would follow them for ever.
    """
    at, seen = 0, set()
    with path.open("rb") as file:
        while at not in seen:
            seen.add(at)
            file.seek(at)
            head = file.read(FIFF_TAG.size)
            if len(head) < FIFF_TAG.size:
                return
            kind, _, size, following = FIFF_TAG.unpack(head)
            if kind in (FIFF_BLOCK_START, FIFF_REF_ROLE, FIFF_REF_FILE_NAME):
                yield kind, file.read(max(min(size, LONGEST_NAME), 0))
            if following < 0:
                return
            at = following or at + FIFF_TAG.size + size
    raise ValueError(f"the tag at byte {at} is its own successor")


FINDERS = {".hea": _of_wfdb, ".vhdr": _of_brainvision, ".set": _of_eeglab, ".fif": _of_fif}
