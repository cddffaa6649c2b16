"""A cohort's folder → its manifest and the JSON beside it, which says what was odd on the way."""

from __future__ import annotations

import logging
from pathlib import Path

from hypnoflow.cohorts.layouts.index import index_cohort
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.errors import CohortError
from hypnoflow.facts.code import code_of
from hypnoflow.store.manifest import About, empty_manifest, write_manifest

log = logging.getLogger(__name__)


def index_files(
    cohort: str, root: Path, out: Path, section: CohortConfig, *, shard_size: int, on_error: str = "skip"
) -> None:
    """Write the manifest of the recordings below `root` to `out`; a cohort that cannot be used gives an empty one.

    Parameters
    ----------
    section : CohortConfig
        The cohort's section of the config.
    on_error : {"skip", "abort"}
        Whether a cohort that cannot be used is an error.

    Raises
    ------
    CohortError
        With on_error "abort", if the folder is missing or holds no recording of this cohort.
    """
    about: About = {"cohort": cohort, "root": str(root), "simulated": False, "problem": "", "problems": []}
    try:
        manifest, problems = index_cohort(cohort, root, shard_size, section)
        about["problems"], about["simulated"] = problems, bool(manifest["simulated"].any())
    except CohortError as error:
        if on_error == "abort":
            raise
        log.warning("%s", error)
        manifest = empty_manifest()
        about["problem"] = str(error)
    for problem in about["problems"]:
        log.warning("%s/%s", cohort, problem)
    write_manifest(out, manifest, about, code=code_of("index", cohort=cohort))
    log.info("%s: %d recordings, %d persons", cohort, len(manifest), manifest["person"].nunique())
