"""The weights that AnySleep's authors published: their names, and how they come into the user's cache folder.

Source: github.com/dslaborg/AnySleep (MIT), folder ``models`` at commit 25c9171 of 26 Feb 2026, known by checksum and
size (``published.csv``). The files lie in Git LFS, whose media address is asked; the package does not carry them.
Nothing here needs torch.
"""

from __future__ import annotations

import csv
import logging
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from hypnoflow.download.client import Client, PassingError, TransferError
from hypnoflow.errors import CheckpointError, ConfigError, did_you_mean
from hypnoflow.facts.cache import CACHE_VARIABLE, cache_folder
from hypnoflow.facts.files import replacing, sha256

log = logging.getLogger(__name__)

URL_VARIABLE = "HYPNOFLOW_WEIGHTS_URL"
URL = "https://media.githubusercontent.com/media/dslaborg/AnySleep/25c917189c4e099568166511e19971d4d3f42d1d/models/"
TIMEOUT_S = 30
LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Release:
    """One published file; `network` is one of `hypnoflow.models.models`."""

    name: str
    network: str
    sha256: str
    bytes: int

    @property
    def file_name(self) -> str:
        return f"{self.name}.pth"

    @property
    def cached(self) -> Path:
        """Where the file is kept, whether or not it is there yet."""
        return cache_folder() / "weights" / self.file_name


def releases() -> dict[str, Release]:
    """Return the published files by name."""
    text = files("hypnoflow.checkpoints").joinpath("published.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"]: Release(row["name"], row["network"], row["sha256"], int(row["bytes"])) for row in rows}


def release_of(name: str) -> Release:
    """Return one published file; ConfigError, with the closest name, if there is none."""
    known = releases()
    if name not in known:
        raise ConfigError(
            f"no published weights are called {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})"
        )
    return known[name]


def local_file(name_or_path: str | Path) -> Path:
    """Return the path of a trained network: a published one's by its name, fetched if need be, or the path itself.

    A name has no dot and no slash; a file that is called so comes first.

    Raises
    ------
    ConfigError
        If it looks like a name, and none is called so.
    CheckpointError
        If the published file cannot be had.
    """
    path = Path(name_or_path)
    is_name = len(path.parts) == 1 and not path.suffix
    return fetch(str(path)) if is_name and not path.is_file() else path


def fetch(name: str) -> Path:
    """Return the path of published weights in the cache folder, downloading them where they are not there yet.

    Raises
    ------
    ConfigError
        For an unknown name.
    CheckpointError
        If the file can neither be found nor downloaded, or what arrives is another file; nothing of it is kept.
    """
    release = release_of(name)
    path = release.cached
    url = os.environ.get(URL_VARIABLE, URL).rstrip("/") + f"/{release.file_name}"
    try:
        if not (path.is_file() and sha256(path) == release.sha256):
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(url, release, path)
        return path
    except (PassingError, TransferError) as error:
        problem = _trouble(error, url, release, path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        problem = f"cannot be kept in {path.parent}: {why}; set {CACHE_VARIABLE} to a folder that can be written"
    raise CheckpointError(f"{release.file_name}: {problem}")


def copy_to(folder: Path, path: Path) -> Path:
    """Copy a file into a folder, which is made if need be, and return the copy's path.

    Raises
    ------
    CheckpointError
        If the folder cannot be written to, or another file of that name is there; the same file is left as it is.
    """
    target = folder / path.name
    try:
        if target.is_file() and sha256(target) == sha256(path):
            return target
        if os.path.lexists(target):
            raise CheckpointError(f"{target} is there and is another file: move it away, or choose another --out")
        with replacing(target) as partial:
            shutil.copyfile(path, partial)
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {error.strerror}; choose another folder with --out") from None
    return target


def what_it_is(path: Path) -> str:
    """Return "a Git-LFS pointer" or "a web page" if a file is such by its first bytes, else an empty string."""
    with path.open("rb") as stream:
        start = stream.read(200)
    if start.startswith(LFS_POINTER):
        return "a Git-LFS pointer"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return ""


def _download(url: str, release: Release, path: Path) -> None:
    """Fetch a file beside `path`, and give it that name once it is the published one.

    The name beside is of this process only, so of several that fetch at once each puts the same file in place.
    """
    log.info("fetching %s, %.1f MB, from %s", release.file_name, release.bytes / 1e6, _site(url))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    made = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(made, "r+b") as part, _bar(release) as told:
            Client(timeout_s=TIMEOUT_S).transfer(url, release.file_name, part, release.bytes, told)
        problem = _difference(beside, release)
        if problem:
            raise CheckpointError(
                f"{release.file_name}: {_site(url)} sent {problem}; nothing was kept; {_by_hand(url, release)}"
            )
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _difference(path: Path, release: Release) -> str:
    """Return what a file is in place of the published one, an empty string where it is that."""
    size = path.stat().st_size
    if size != release.bytes:
        return f"{what_it_is(path) or 'a file'} of {size} bytes in place of {release.bytes}"
    if sha256(path) != release.sha256:
        return f"another file: its sha256 is not {release.sha256}"
    return ""


def _trouble(error: PassingError | TransferError, url: str, release: Release, path: Path) -> str:
    """Return what went wrong with the server, and what to do."""
    if error.status:
        return f"{_site(url)} answers {error.status}; {_by_hand(url, release)}"
    if isinstance(error, PassingError):
        place, why = path.parent, f"{_site(url)} cannot be reached ({error.reason}): offline?"
        return f"not whole in {place}, and {why} {_by_hand(url, release)}"
    what = str(error).removeprefix(f"{release.file_name}: ")
    return f"{_site(url)}: {what}; nothing was kept; {_by_hand(url, release)}"


def _by_hand(url: str, release: Release) -> str:
    return f"run again, or fetch {url} elsewhere and give the file's path, or copy it to {release.cached}"


def _site(url: str) -> str:
    return urlsplit(url).netloc or url


@contextmanager
def _bar(release: Release) -> Iterator[Callable[[int], None]]:
    """Yield what is told of each piece of a file, and shows a bar of bytes on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    hidden = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as progress:
        task = progress.add_task(release.file_name, total=release.bytes)
        yield lambda received: progress.update(task, advance=received)


def lines() -> list[str]:
    """Return a line for each published file: name, network, size, and where it lies if it is here."""
    found = []
    for release in releases().values():
        place = release.cached if release.cached.is_file() else ""
        found.append(f"{release.name:<27}{release.network:<16}{release.bytes / 1e6:.1f} MB  {place}".rstrip())
    return found


def get(names: Sequence[str], out: Path | None) -> Iterator[Path]:
    """Fetch published files, each name checked before the first; yield where each is, in the folder `out` if given."""
    for name in [release_of(name).name for name in names]:
        yield fetch(name) if out is None else copy_to(out, fetch(name))
