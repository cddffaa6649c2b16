"""Any folder of recordings: what lies there is read as it is named, without a line of code.

On disk: recordings of any known format at any depth; a hypnogram of the same name beside one, or in it; optionally
participants.tsv or participants.csv.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hypnoflow.cohorts.layouts.base import Found
from hypnoflow.cohorts.layouts.persons import Persons, find_table, read_persons
from hypnoflow.errors import CohortError
from hypnoflow.native.signals import EDF_SUFFIXES, SUFFIXES
from hypnoflow.types import STAGES

# Words that a hypnogram's name adds to that of its recording, with the rank of the file if there are several.
WORDS = {
    **dict.fromkeys(("hypnogram", "hypno", "hyp", "stages", "stage", "sleepstages", "staging"), 0),
    "nsrr": 1,
    "profusion": 2,
    **dict.fromkeys(("scoring", "score", "scores", "annotations", "annotation", "annot", "events", "base"), 4),
}
HYPNOGRAM_SUFFIXES = (".xml", ".annot", ".eannot", ".ids", ".txt", ".csv", ".tsv", ".json", ".edf")
ADDED = re.compile(rf"[\s._-]*({'|'.join(sorted(WORDS, key=len, reverse=True))})$", re.IGNORECASE)
RECORDING_WORDS = re.compile(r"[\s._-]*(psg|eeg|raw|signals?)$", re.IGNORECASE)
SMALL_BYTES = 4_000_000  # a larger EDF is not opened to see whether it holds nothing but annotations
# An EDF of nothing but these is what came of a recording: marks, and the posteriors of a network (Luna's names).
NO_SIGNALS = {"EDF Annotations", "BDF Annotations", *(f"PP_{stage}" for stage in STAGES)}


def discover(root: Path, participants: str | None = None, given: Sequence[Path] | None = None) -> list[Found]:
    """Return the recordings below a folder, each with its hypnogram and what the table says about the person.

    Parameters
    ----------
    root : Path
        Paths of the result are relative to it.
    participants : str, optional
        Table of persons, relative to `root`.
    given : sequence of Path, optional
        Only these recordings, and those below these folders.

    Raises
    ------
    CohortError
        If the named table is missing or cannot be read.
    """
    within = [root] if given is None else given
    around = {path for one in within for path in (one.rglob("*") if one.is_dir() else one.parent.iterdir())}
    paths = sorted(p for p in around if p.is_file() and not _is_hidden(p.relative_to(root)))
    signals = [p for p in paths if _is_recording(p)]
    are_signals = set(signals)
    hypnograms = find_hypnograms(signals, [p for p in paths if p not in are_signals])
    table = find_table(root, participants)
    persons = read_persons(table) if table else Persons()
    names = recording_names([p.relative_to(root) for p in signals])
    return number_visits(
        _found(path, root, name, hypnograms.get(path, []), persons)
        for path, name in zip(signals, names, strict=True)
        if any(path.is_relative_to(one) for one in within)
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _found(path: Path, root: Path, name: str, hypnograms: Sequence[Path], persons: Persons) -> Found:
    relative = str(path.relative_to(root))
    row = persons.about(name, relative)
    problems = list(row.problems) if row else []
    if persons.rows and row is None:
        problems.append("no row in the table of participants: kept for staging, absent from predict")
    if len(hypnograms) > 1:
        names = ", ".join(str(p.relative_to(root)) for p in hypnograms)
        problems.append(f"several files may be its hypnogram ({names}); the first is taken")
    return Found(
        recording=name,
        person=(row.person if row else "") or name,
        visit=row.visit if row else "",
        signal_path=relative,
        annotation_paths=tuple(str(p.relative_to(root)) for p in hypnograms[:1]),
        age_y=row.age_y if row else None,
        sex=row.sex if row else None,
        ahi_per_h=row.ahi_per_h if row else None,
        bmi=row.bmi if row else None,
        source_columns=row.row if row else {},
        problems=tuple(problems),
    )


def number_visits(found: Iterable[Found]) -> list[Found]:
    """Return the recordings with a visit each: the table's, else their number among the person's in order of name."""
    nights: Counter[str] = Counter()
    numbered = []
    for one in sorted(found, key=lambda f: f.recording):
        nights[one.person] += 1
        numbered.append(one if one.visit else replace(one, visit=str(nights[one.person])))
    return numbered


def recording_names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each relative path: the file's; with its folders or its suffix where that is not unique."""
    forms: tuple[Callable[[Path], str], ...] = (
        lambda path: path.stem,
        lambda path: "_".join(path.with_suffix("").parts),
        lambda path: "_".join(path.parts),
    )
    uses = [Counter(form(path).lower() for path in paths) for form in forms]
    return [
        next((form(p) for form, n in zip(forms, uses, strict=True) if n[form(p).lower()] == 1), "_".join(p.parts))
        for p in paths
    ]


def find_hypnograms(recordings: Sequence[Path], others: Sequence[Path]) -> dict[Path, list[Path]]:
    """Return the files that may hold each recording's hypnogram, the likeliest first.

    A hypnogram has the name of its recording, with or without words such as "hypnogram" or "nsrr" at the end. One in
    the same folder goes before one elsewhere.
    """
    by_key: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in others:
        if path.suffix.lower() in HYPNOGRAM_SUFFIXES:
            key, rank = _key_and_rank(path)
            by_key[key].append((rank, path))
    result: dict[Path, list[Path]] = {}
    taken: set[Path] = set()
    for recording in recordings:
        keys = {recording.stem.lower(), RECORDING_WORDS.sub("", recording.stem).lower()}
        ranked = [(path.parent != recording.parent, rank, path) for key in keys for rank, path in by_key[key]]
        if ranked:
            best = min(ranked)[:2]
            result[recording] = sorted(path for *where, path in ranked if tuple(where) == best)
            taken.update(result[recording])
    _pair_the_rest([r for r in recordings if r not in result], [p for p in others if p not in taken], result)
    return result


def _key_and_rank(path: Path) -> tuple[str, int]:
    word = ADDED.search(path.stem)
    key = path.stem[: word.start()] if word else path.stem
    rank = (
        WORDS[word[1].lower()]
        if word
        else {".xml": 2, ".annot": 3, ".eannot": 3, ".ids": 3}.get(path.suffix.lower(), 5)
    )
    return RECORDING_WORDS.sub("", key).lower(), rank


def _pair_the_rest(recordings: Sequence[Path], others: Sequence[Path], result: dict[Path, list[Path]]) -> None:
    """Pair, within a folder, XML files whose names go on after a recording's, and Sleep-EDF's hypnograms.

    Sleep-EDF changes the last letter: SC4001E0-PSG.edf goes with SC4001EC-Hypnogram.edf. Two digits that differ would
    be two nights.
    """
    by_stem = {(r.parent, r.stem.lower()): r for r in recordings}
    sleep_edf = {(r.parent, key[:-1]): r for r in recordings if re.fullmatch(r".{6,}[0-9]", key := _key_and_rank(r)[0])}
    for path in others:
        stem, recording = path.stem.lower(), None
        if path.suffix.lower() == ".xml":
            ends = (end for end in range(len(stem) - 1, 0, -1) if not stem[end].isalnum())
            recording = next(
                (by_stem[path.parent, stem[:end]] for end in ends if (path.parent, stem[:end]) in by_stem), None
            )
        elif path.suffix.lower() == ".edf" and stem.endswith("hypnogram"):
            key, _ = _key_and_rank(path)
            recording = sleep_edf.get((path.parent, key[:-1])) if key[-1:].isalpha() else None
        if recording is not None:
            result[recording] = sorted([*result.get(recording, []), path])


def _only_annotations(path: Path) -> bool:
    """Return whether an EDF holds nothing recorded; a file that is no EDF is left for its reader to complain about."""
    if path.suffix.lower() not in EDF_SUFFIXES or path.stat().st_size > SMALL_BYTES:
        return False
    with path.open("rb") as file:
        head = file.read(256)
        text = head[252:256].decode("latin-1").strip()
        labels = file.read(16 * int(text)).decode("latin-1") if text.isdecimal() else ""
    each = [labels[i : i + 16].strip() for i in range(0, len(labels), 16)]
    return bool(each) and NO_SIGNALS.issuperset(each)


def recordings_below(given: Sequence[Path]) -> list[Path]:
    """Return the recordings among files and below folders, hidden ones left out, each once, in order of name."""
    found = {
        path
        for one in given
        for path in (one.rglob("*") if one.is_dir() else [one])
        if _is_recording(path) and (path == one or not _is_hidden(path.relative_to(one)))
    }
    return sorted(found)


def check_given(paths: Sequence[Path]) -> tuple[Path, list[Path], dict[Path, str]]:
    """Return the folder above files and folders given by hand, those that hold recordings, and what ails the others.

    Raises
    ------
    CohortError
        If none of them exists.
    """
    given, problems = [], {}
    for path in (p.absolute() for p in paths):
        if not path.exists():
            problems[path] = "there is no such file"
        elif any(_is_recording(p) for p in ([path] if path.is_file() else path.rglob("*"))):
            given.append(path)
        else:
            what = "no recording" if path.is_file() else "no recording below it"
            problems[path] = f"{what}; known are {', '.join(SUFFIXES)}"
    folders = [str(path if path.is_dir() else path.parent) for path in (*given, *problems) if path.exists()]
    if not folders:
        raise CohortError(f"there is no {', '.join(str(path) for path in problems)}")
    return Path(os.path.commonpath(folders)), given, problems


def _is_recording(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES and not _only_annotations(path)
