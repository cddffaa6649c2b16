"""One shard of a cohort's manifest → one Zarr store, its QC table and the sibling JSON that says it is whole."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from hypnoflow.cohorts.layouts.configured import resolve
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.errors import CohortError, OutputError, shown
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.files import records, replacing, sha256
from hypnoflow.facts.ours import check_apart, check_store, put_in_place
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.harmonize.processes import in_processes
from hypnoflow.harmonize.recording import Task, harmonize_recording, recipe_of, row_recipe, skipped
from hypnoflow.store.manifest import read_manifest
from hypnoflow.store.store import recordings
from hypnoflow.store.store_files import (
    HARMONIZED,
    begin_store,
    carry_over,
    consolidate,
    content_hash,
    drop_others,
    store_sizes,
    zarr_attrs,
)

log = logging.getLogger(__name__)

WORTH_PROCESSES = 4  # recordings per process, below which starting processes takes longer than they save


def shard_rows(
    manifest: Path, shard: str, root: Path, sections: Mapping[str, CohortConfig]
) -> tuple[pd.DataFrame, CohortConfig]:
    """Return one shard of a manifest, and its cohort's section with the folder `root`.

    Raises
    ------
    CohortError
        If the manifest has no such shard.
    """
    rows = read_manifest(manifest)
    rows = rows[rows["shard"] == shard]
    if rows.empty:
        raise CohortError(f"{manifest} has no shard {shard!r}")
    section = sections.get(str(rows["cohort"].iloc[0]), CohortConfig())
    return rows, section.model_copy(update={"root": str(root)})


def harmonize_files(
    manifest: Path,
    shard: str,
    root: Path,
    out: Path,
    sections: Mapping[str, CohortConfig],
    options: Harmonize,
    **how: Any,
) -> None:
    """Harmonize one shard of a manifest into the store `out`; `how` as for `harmonize_shard`."""
    rows, section = shard_rows(manifest, shard, root, sections)
    log.info("%s: %s", out, counted(harmonize_shard(rows, section, out, options, **how)))


def counted(table: pd.DataFrame) -> str:
    """Return how many recordings of a QC table ended how."""
    return ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())


def harmonize_shard(
    manifest: pd.DataFrame,
    root: Path | CohortConfig,
    store: Path,
    options: Harmonize,
    *,
    threads: int = 1,
    on_error: str = "skip",
    max_skipped: float = 1.0,
) -> pd.DataFrame:
    """Harmonize the recordings of one shard and return its QC table, one row per recording.

    The store appears under its name only when it is whole; ``{store}.json`` is written last. Recordings that a
    killed run had finished are taken over.

    Parameters
    ----------
    manifest : DataFrame
        Rows of one shard of one cohort, or recordings of one cohort that were given by hand, whose shard is empty:
        a store of the shard is replaced; to one of recordings given by hand they are added.
    root : Path or CohortConfig
        The cohort's folder, or its section of the config, which names the folder.
    store : Path
        The ``.zarr`` folder to make; beside it go ``.qc.parquet`` and ``.json``.
    on_error : {"skip", "abort"}
        What a bad recording does; one that is excluded is always skipped.
    max_skipped : float
        Largest share of the shard that may be skipped, not counting what ``fixes.csv`` excludes.

    Raises
    ------
    RecordingError
        With ``on_error="abort"``, the first bad recording's.
    CohortError
        If more than `max_skipped` of the recordings were skipped.
    OutputError
        If something else stands under the store's name.
    """
    cohort, shard = (str(manifest[name].iloc[0]) for name in ("cohort", "shard"))
    config = root if isinstance(root, CohortConfig) else CohortConfig(root=str(root))
    folder, qc = Path(str(config.root)), store.with_suffix(".qc.parquet")
    recipe = recipe_of(resolve(cohort, config), config, options)
    of = f"{cohort}/{shard}" if shard else cohort
    with claim(store.with_suffix(".json"), [qc]) as mine:
        kept = _kept(store, of, manifest, folder, add=not shard)
        partial = begin_store(mine, store, HARMONIZED, recipe, of)
        inside = threads if len(manifest) < WORTH_PROCESSES * threads else 1
        rows = records(manifest)
        tasks = [Task(row, folder, partial, options, row_recipe(recipe, row), config, inside) for row in rows]
        table = pd.DataFrame(_run_all(tasks, threads, on_error))
        _check_skipped(table, set(manifest.loc[manifest["excluded"] != "", "recording"]), max_skipped)
        table = _with_kept(table, kept, store, partial)
        drop_others(partial, table["recording"])
        consolidate(partial)
        put_in_place(partial, store)
        with replacing(qc) as path:
            table.to_parquet(path, index=False)
        about, code = _description(cohort, store, table, recipe, options), code_of("harmonize", cohort=cohort)
        write_facts(mine.record, "harmonize", about, [qc], code=code)
    return table


def _kept(store: Path, of: str, manifest: pd.DataFrame, root: Path, *, add: bool) -> pd.DataFrame:
    """Return the rows of the QC table of the store that is there which stay in it.

    Raises
    ------
    OutputError
        If it is no store of ours, holds what is read, is of another shard, or has a name for another recording.
    """
    none = pd.DataFrame(columns=["recording", "status"])
    if not os.path.lexists(store):
        return none
    check_store(store, HARMONIZED)
    check_apart(store, [root / path for path in manifest["signal_path"]])
    there, names = zarr_attrs(store).get("of"), recordings(store)
    if there != of:
        raise OutputError(store, f"holds recordings of {shown(there)}, not of {of}")
    if not add:
        return none
    for name in sorted({*names} & {*manifest["recording"]}):
        path = root / manifest.loc[manifest["recording"] == name, "signal_path"].iloc[0]
        if path.is_file() and sha256(path) not in zarr_attrs(store / name)["source_sha256"].values():
            raise OutputError(store, f"holds another recording called {shown(name)} than {shown(path)}")
    try:
        before = pd.read_parquet(store.with_suffix(".qc.parquet"))
    except (OSError, ValueError):
        before = none
    held = [zarr_attrs(store / name)["qc"] | {"content_sha256": content_hash(store / name)} for name in names]
    skipped = before[(before["status"] == "skipped") & ~before["recording"].isin(names)]
    return pd.concat([pd.DataFrame(held, columns=None if held else none.columns), skipped], ignore_index=True)


def _with_kept(table: pd.DataFrame, kept: pd.DataFrame, store: Path, partial: Path) -> pd.DataFrame:
    """Take what stays of a store over into the partial one, and return the QC table of both.

    A recording that could not be read this time does not take away what was read of it before.
    """
    kept = kept[~kept["recording"].isin(table.loc[table["status"] == "ok", "recording"])]
    carry_over(store, partial, kept.loc[kept["status"] == "ok", "recording"])
    table = pd.concat([table[~table["recording"].isin(kept["recording"])], kept])
    return table.sort_values("recording", ignore_index=True)


def _check_skipped(table: pd.DataFrame, excluded: set[str], max_skipped: float) -> None:
    """Raise CohortError if too large a share was skipped, not counting what is `excluded` on purpose."""
    skipped = table[(table["status"] == "skipped") & ~table["recording"].isin(excluded)]
    if len(skipped) > max_skipped * len(table):
        reasons = "\n  ".join(skipped["recording"] + ": " + skipped["reason"])
        raise CohortError(
            f"{table['cohort'].iloc[0]}: {len(skipped)} of {len(table)} recordings skipped, more than run.max_skipped "
            f"({max_skipped:g}) allows\n  {reasons}"
        )


def _run_all(tasks: list[Task], threads: int, on_error: str) -> list[dict[str, Any]]:
    """Run every task, in processes of their own, and return the QC rows."""
    if threads == 1 or len(tasks) < WORTH_PROCESSES * threads:
        done = (harmonize_recording(task, on_error) for task in tasks)
        return [_report(row, i, len(tasks)) for i, row in enumerate(track(done, len(tasks), "harmonize"), 1)]
    work, skip = partial(harmonize_recording, on_error=on_error), partial(skipped, on_error=on_error)
    rows = in_processes(work, tasks, threads, skip)
    return [_report(row, i, len(tasks)) for i, row in enumerate(track(rows, len(tasks), "harmonize"), 1)]


def _report(row: dict[str, Any], done: int, total: int) -> dict[str, Any]:
    message = f"{done}/{total} {row['cohort']}/{row['recording']} {row['status']}"
    if row["status"] == "skipped":
        log.warning("%s: %s", message, row["reason"])
    else:
        log.info("%s: %d epochs, %s", message, row["n_epochs"], row["channels"])
    return row


def _description(cohort: str, store: Path, table: pd.DataFrame, recipe: str, options: Harmonize) -> dict[str, Any]:
    done = table[table["status"] == "ok"]
    return {
        "cohort": cohort,
        "shard": store.stem,
        "recordings": dict(zip(done["recording"], done["content_sha256"], strict=True)),
        "bytes": store_sizes(store, done["recording"]),
        "sources": {name: zarr_attrs(store / name)["source_sha256"] for name in done["recording"]},
        "skipped": table.loc[table["status"] == "skipped", ["recording", "reason"]].to_dict("records"),
        "recipe": recipe,
        "options": options.model_dump(),
    }
