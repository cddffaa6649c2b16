"""The split lists that U-Sleep's authors drew and AnySleep published: which recording trains, validates, tests.

Source: github.com/dslaborg/AnySleep, ``config/usleep_split.yaml`` at commit 82b1b8c (MIT), known by its checksum. The
package does not carry the file; it is downloaded once into the user's cache folder, or read from a given path.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from hypnoflow.download.client import Client, TransferError
from hypnoflow.errors import ConfigError
from hypnoflow.facts.cache import cache_folder
from hypnoflow.facts.files import replaceable, replacing, sha256

log = logging.getLogger(__name__)

URL = "https://raw.githubusercontent.com/dslaborg/AnySleep/82b1b8c9be18aad8ff78aa36f4e5a4db01141c52/config/usleep_split.yaml"
SHA256 = "30327af675916ca7f1263d76c057307fb78a3622d46e27560280719ec11543e1"
TIMEOUT_S = 30
UNLISTED = "unlisted"  # in no split: neither trained on nor counted as unseen

Lists = dict[str, dict[str, str]]  # cohort → {id in the lists: split}


def fetch_lists(url: str = URL, folder: Path | None = None) -> Path:
    """Return the path of the published file in the cache folder, downloading it where it is not there yet.

    Raises
    ------
    ConfigError
        If it can neither be found nor downloaded, or what arrives is another file.
    """
    folder = cache_folder() if folder is None else folder
    path = folder / "usleep_split.yaml"
    by_hand = f"fetch {URL} elsewhere and set science.split.file to its path, or use science.split.kind: ratio"
    try:
        if path.is_file() and sha256(path) == SHA256:
            return path
        folder.mkdir(parents=True, exist_ok=True)
        data = Client(attempts=1, timeout_s=TIMEOUT_S).text(url, path.name).encode()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ConfigError(f"{url} is not the published file (sha256 {SHA256}); {by_hand}")
        replaceable(path)  # in our cache, a file of this name is ours
        with replacing(path) as partial:
            partial.write_bytes(data)
        return path
    except TransferError as error:
        why = f"the published split lists are not in {folder} and cannot be downloaded ({error})"
        raise ConfigError(f"{why}; {by_hand}") from None
    except OSError as error:
        raise ConfigError(f"cannot keep the published split lists in {folder}: {error.strerror}; {by_hand}") from None


def read_lists(file: str | None = None) -> Lists:
    """Return the published lists from `file`, or from the cache folder or the network where it is None.

    Raises
    ------
    ConfigError
        If there is no such file, or it is another one.
    """
    path = fetch_lists() if file is None else Path(file)
    try:
        found = sha256(path)
    except OSError as error:
        raise ConfigError(f"science.split.file: cannot read {path}: {error.strerror}") from None
    if found != SHA256:
        raise ConfigError(
            f"science.split.file: {path} is not the published file: its sha256 is {found}, expected {SHA256}; "
            f"take it from {URL}, or give lists of your own with science.split.kind: table"
        )
    # The C parser where there is one: 20,000 lines take the other one seconds.
    data: dict[str, Any] = yaml.load(
        path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    lists: Lists = {}
    for split, cohorts in data.items():
        for cohort, ids in cohorts.items():
            lists.setdefault(cohort, {}).update(dict.fromkeys(map(str, ids), split))
    return lists


def listed_id(cohort: str, recording: str) -> str | None:
    """Return the id under which the lists hold a recording of ours, None for a name that the cohort does not use."""
    for ours, theirs in _id_rules().get(cohort, ()):
        match = ours.fullmatch(recording)
        if match:
            return match.expand(theirs)
    return None


@cache
def _id_rules() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    text = files("hypnoflow.split").joinpath("published_ids.csv").read_text(encoding="utf-8")
    rules: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        rules.setdefault(row["cohort"], []).append((re.compile(row["ours"]), row["theirs"]))
    return rules


def assign_published(recordings: pd.DataFrame, lists: Lists) -> pd.Series:
    """Return the split of each recording: train, valid, test, held_out or `UNLISTED`.

    Cohorts that the lists only test on are held out whole. What the lists leave out is `UNLISTED`; its number is said.

    Parameters
    ----------
    recordings : DataFrame
        Columns cohort, recording.
    """
    parts = [pd.Series([], dtype=object)]
    for cohort, rows in recordings.groupby("cohort", sort=True):
        parts.append(_assign_cohort(str(cohort), rows["recording"], lists.get(str(cohort), {})))
    return pd.concat(parts).reindex(recordings.index)


def _assign_cohort(cohort: str, names: pd.Series, listed: dict[str, str]) -> pd.Series:
    if listed and set(listed.values()) == {"test"}:
        return pd.Series("held_out", index=names.index)
    if not listed:
        log.warning(
            "%s: the published lists do not hold this cohort; none of its %d recordings is trained on; "
            "hold it out, or use split.kind: table",
            cohort,
            len(names),
        )
    rules = {name: listed_id(cohort, name) for name in names}
    split = names.map({name: listed.get(theirs or "", UNLISTED) for name, theirs in rules.items()})
    left_out = names[split == UNLISTED]
    if listed and len(left_out):
        log.info("%s: %d recordings are not in the published lists: %s", cohort, len(left_out), _some(left_out))
    missing = set(listed) - set(rules.values())
    if missing:
        log.info("%s: %d of %d published recordings are not in the manifest", cohort, len(missing), len(listed))
    return split


def _some(names: pd.Series) -> str:
    return ", ".join(sorted(names)[:5]) + (", …" if len(names) > 5 else "")
