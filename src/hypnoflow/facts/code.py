"""What code a stage runs: a hash of its job and of all that the job imports, so that editing it reruns the stage.

The closure of imports is read off the source, without importing anything. What a job chooses by name (a network, a
cohort's file, a dialect) no import shows: it is named beside the stage, and the others are not part of the hash.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hypnoflow.facts.layout import PLACES

PACKAGE = Path(__file__).parents[1]
# Where each stage begins.
DOORS = {name: place.door for name, place in PLACES.items() if name != "draw"}
# Not followed, since no result depends on them. Each says why.
APART = {
    "facts": "how files are written, whose they are, and what is said of them",
    "dask": "where the work is done, not what it is",
    "download": "what it fetches is compared with a published hash or listed size",
    "errors.py": "texts",
    "registry.py": "finds what is named",
    "__init__.py": "the package's version and its two lazy names",
    "config/schema.py": "joins the sections; a stage imports its own",
    "config/section.py": "what sections are made of",
}
_IMPORT = re.compile(r"^[ \t]*from (hypnoflow[\w.]*) import (?:\(([^)]*)\)|([^\n#]*))", re.MULTILINE)
_COMMENT = re.compile(r"#[^\n]*")
_ONLY_TYPES = re.compile(r"^if TYPE_CHECKING:[^\n]*\n(?:[ \t]+[^\n]*\n|\n)+", re.MULTILINE)
_DATA = re.compile(r"\"([\w.]+\.(?:csv|html|css))\"")


def code_of(stage: str, model: str | tuple[str, ...] | None = None, cohort: str | None = None) -> str:
    """Return a hash of all code and package data that a job of a stage runs.

    Parameters
    ----------
    stage : str
        One of `DOORS`.
    model : str or tuple of str, optional
        Networks that the job builds, by the names of their files.
    cohort : str, optional
        Cohort that the job reads or simulates, by the name of its file; one that only a config names has none. Of a
        table with a column ``cohort``, its rows alone count.
    """
    return _hash(files_of(stage, model, cohort), cohort)


@cache
def files_of(stage: str, model: str | tuple[str, ...] | None = None, cohort: str | None = None) -> frozenset[Path]:
    """Return the files of the package that `code_of` hashes."""
    roots = [PACKAGE / DOORS[stage]]
    for name in (model,) if isinstance(model, str) else model or ():
        roots += _named("models", name)
    if cohort is not None:
        roots += _named("simulate/dialects" if stage == "simulate" else "cohorts", cohort)
    found: set[Path] = set()
    ahead = [path for root in roots for path in (root, *_packages(root))]
    while ahead:
        path = ahead.pop()
        if path not in found and not _is_apart(path):
            found.add(path)
            ahead += _imports(path)
    return frozenset(found)


def _named(folder: str, name: str) -> list[Path]:
    """Return the file, or the files of the small folder, of a thing that is registered by name."""
    path = PACKAGE / folder / name.replace("-", "_")
    module = path.with_suffix(".py")
    return [module] if module.is_file() else sorted(path.glob("*.py"))


def _is_apart(path: Path) -> bool:
    name = path.relative_to(PACKAGE).as_posix()
    return name in APART or name.split("/")[0] in APART


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the files that a module imports, also within functions, and the data that it names."""
    if path.suffix != ".py":
        return ()
    text = _ONLY_TYPES.sub("", path.read_text(encoding="utf-8"))
    found: list[Path] = []
    for module, several, one in _IMPORT.findall(text):
        for name in _COMMENT.sub("", several or one).split(","):
            words = name.split()
            found += _modules(f"{module}.{words[0]}" if words else module)
    data = _package_data()
    return tuple(found + [data[name] for name in _DATA.findall(text) if name in data])


@cache
def _modules(dotted: str) -> tuple[Path, ...]:
    """Return the file behind a dotted name, which may end in a name within it, and of the packages around it."""
    parts = dotted.split(".")[1:]
    for n in (len(parts), len(parts) - 1):
        path = PACKAGE.joinpath(*parts[:n])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if n and file.is_file():
                return (file, *_packages(file))
    return ()


def _packages(path: Path) -> Iterator[Path]:
    """Yield the ``__init__.py`` of each package around a module: Python runs it as well."""
    for folder in path.relative_to(PACKAGE).parents:
        init = PACKAGE / folder / "__init__.py"
        if init.is_file():
            yield init


@cache
def _package_data() -> dict[str, Path]:
    return {path.name: path for path in PACKAGE.rglob("*") if path.suffix in (".csv", ".html", ".css")}


@cache
def _hash(files: frozenset[Path], cohort: str | None) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(_content(path, cohort))
    return digest.hexdigest()[:12]


def _content(path: Path, cohort: str | None) -> bytes:
    """Return what counts of a file: all of it, or the rows of one cohort."""
    content = path.read_bytes()
    if path.suffix == ".csv" and cohort is not None and content.startswith(b"cohort,"):
        rows = list(csv.reader(content.decode().splitlines()))
        content = repr([row for row in rows[1:] if row and row[0] == cohort]).encode()
    return content
