"""Files and folders given by hand, without a workflow: which recordings they are, and by whose rules they are read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from hypnoflow.cohorts.layouts import folder
from hypnoflow.cohorts.layouts.base import Cohort, Found
from hypnoflow.cohorts.layouts.configured import resolve
from hypnoflow.cohorts.layouts.folder import recordings_below as recordings_below
from hypnoflow.cohorts.layouts.index import NO_TEXT, has_text_names, manifest_of
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import CohortError, shown
from hypnoflow.harmonize.job import counted, harmonize_shard

log = logging.getLogger(__name__)

PLAIN = "files"  # the name of the cohort that plain files make


@dataclass(frozen=True, slots=True)
class Given:
    """Recordings given by hand.

    config : CohortConfig
        With the root that the recordings' paths are relative to.
    problems : dict
        What is wrong with a path that gave no recording.
    """

    cohort: Cohort
    config: CohortConfig
    root: Path
    found: list[Found]
    problems: dict[Path, str]


def harmonize_given(
    paths: Sequence[Path],
    name: str | None,
    out: Path,
    sections: Mapping[str, CohortConfig],
    options: Harmonize,
    **how: Any,
) -> bool:
    """Harmonize recordings given by hand into the store `out`; return whether none was left out.

    `how` as for `hypnoflow.harmonize.job.harmonize_shard`; the others as for `find_given`.
    """
    rows, section, failed = given_rows(paths, name, sections)
    table = harmonize_shard(rows, section, out, options, **how)
    table = table[table["recording"].isin(rows["recording"])]  # not what was in the store before
    log.info("%s: %s", out, counted(table))
    return not failed and bool((table["status"] == "ok").all())


def given_rows(
    paths: Sequence[Path], name: str | None, sections: Mapping[str, CohortConfig]
) -> tuple[pd.DataFrame, CohortConfig, bool]:
    """Return the manifest of recordings given by hand, their cohort's section, and whether a path gave none.

    Raises
    ------
    CohortError
        If there is no recording among them.
    """
    given = find_given(paths, name, sections)
    odd = [one for one in given.found if not has_text_names(one)]
    given.problems.update({given.root / one.signal_path: NO_TEXT for one in odd})
    given = replace(given, found=[one for one in given.found if one not in odd])
    problems = [f"{shown(path)}: {problem}" for path, problem in given.problems.items()]
    if not given.found:
        raise CohortError("\n".join(problems) or f"no recording among {', '.join(map(str, paths))}")
    rows, notes = manifest_of(given.cohort.name, given.found, given.root, len(given.found))
    for problem in problems:
        log.error("%s", problem)
    for note in notes:
        log.warning("%s", note)
    return rows.assign(shard=""), given.config, bool(problems)


def find_given(
    paths: Sequence[Path], name: str | None = None, sections: Mapping[str, CohortConfig] = MappingProxyType({})
) -> Given:
    """Find the recordings among files and folders.

    Parameters
    ----------
    paths : sequence of Path
        Recordings, and folders of them.
    name : str, optional
        Name of the cohort whose rules are to be used; without one the files are read as kind folder.
    sections : mapping
        The config's cohorts; a named cohort needs no section.

    Raises
    ------
    ConfigError
        If the section names what does not exist.
    CohortError
        If none of the paths exists, or a table of persons cannot be read.
    """
    config = CohortConfig(kind="folder", root=".") if name is None else sections.get(name, CohortConfig())
    cohort = resolve(name or PLAIN, config)
    inside = name is not None and _inside(paths, config)
    if config.kind == "folder" and not inside:
        root, given, problems = folder.check_given(paths)
        found = folder.discover(root, given=given)
        return Given(cohort, config.model_copy(update={"root": str(root)}), root, found, problems)
    return _by_layout([path.absolute() for path in paths], cohort, config)


def find_recordings(paths: Sequence[Path]) -> tuple[Path, list[Path], dict[Path, str]]:
    """Return the folder above files and folders given by hand, the recordings among them, and what ails the others.

    Raises
    ------
    CohortError
        If none of the paths exists.
    """
    root, given, problems = folder.check_given(paths)
    return root, recordings_below(given), problems


def _inside(paths: Sequence[Path], config: CohortConfig) -> bool:
    """Return whether all paths lie in the cohort's folder."""
    return config.root is not None and all(p.absolute().is_relative_to(Path(config.root).absolute()) for p in paths)


def _by_layout(paths: Sequence[Path], cohort: Cohort, config: CohortConfig) -> Given:
    """Find recordings by a cohort's own layout: its folder is the config's root, or the folder that was given."""
    top = paths[0] if paths[0].is_dir() else paths[0].parent
    root = Path(str(config.root)).absolute() if _inside(paths, config) else top
    below = [f for f in cohort.discover(root) if any((root / f.signal_path).is_relative_to(p) for p in paths)]
    problems = {
        path: f"not a recording, or a folder of recordings, in the layout of {cohort.name} below {root}"
        for path in paths
        if not any((root / f.signal_path).is_relative_to(path) for f in below)
    }
    return Given(cohort, config.model_copy(update={"root": str(root)}), root, below, problems)
