"""A harmonized shard and checkpoints → a store of scores."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from hypnoflow.config.score import Score
from hypnoflow.data.recordings import SignalReader, StoredRecording, open_stored
from hypnoflow.errors import OutputError, RecordingError, shown
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.files import fingerprint
from hypnoflow.facts.ours import check_apart, check_store, put_in_place
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.models import lineage
from hypnoflow.score.infer import Scorer, Scores
from hypnoflow.store.scores import StoredScores, write_scores
from hypnoflow.store.store import check_readable, preprocessing, recordings
from hypnoflow.store.store_files import SCORES, begin_store, content_hash, drop_others, store_sizes, zarr_attrs

log = logging.getLogger(__name__)


def score_shard(
    harmonized: Path,
    checkpoints: Sequence[Path | str],
    out: Path,
    options: Score,
    split: Path | None = None,
    *,
    threads: int,
    device: str,
) -> None:
    """Score every recording of a harmonized store.

    Where the networks were trained for folds, `split` says in which fold a recording is, and the networks that did not
    see it score it; recordings of no fold are scored by all.

    The store of scores appears under its name only when it is whole; ``{out}.json`` is written last. Recordings
    that a killed run had finished are taken over.

    Raises
    ------
    CheckpointError
        For an unusable checkpoint, or one trained on signals harmonized in another way.
    RecordingError
        If `harmonized` is no store of harmonized recordings.
    OutputError
        If something else stands where the scores should go.
    """
    check_readable(harmonized)
    torch.set_num_threads(threads)
    scorer = Scorer(checkpoints, device, calibrate=options.calibrate, abstain_below=options.abstain_below)
    weights = dict(zip(map(str, checkpoints), scorer.hashes, strict=True))
    names = recordings(harmonized)
    folds = _folds(scorer, split, harmonized, names)
    of, recipe = str(zarr_attrs(harmonized)["of"]), fingerprint([list(weights.values()), options.model_dump(), folds])
    with claim(out.with_suffix(".json"), inputs=scorer.paths) as mine:
        if os.path.lexists(out):
            _check_replaceable(out, harmonized, of)
        partial = begin_store(mine, out, SCORES, recipe, of)
        reader = SignalReader(threads=threads, wanted=scorer.input)
        for i, name in enumerate(track(names, len(names), "score"), 1):
            said = _score_one(partial, harmonized, name, scorer.of_fold(folds.get(name, 0)), reader, options)
            log.info("%d/%d %s %s", i, len(names), name, said)
        drop_others(partial, names)
        put_in_place(partial, out)
        facts = {
            "recordings": {name: content_hash(out / name) for name in names},
            "bytes": store_sizes(out, names),
            "checkpoints": weights,
            "options": options.model_dump(),
            **({"folds": folds} if folds else {}),
        }
        write_facts(mine.record, "score", facts, code=code_of("score", model=lineage(scorer.facts[0]["network"])))


def _folds(scorer: Scorer, split: Path | None, harmonized: Path, names: Sequence[str]) -> dict[str, int]:
    """Return the fold of each recording of the store that is in one."""
    table = pd.DataFrame() if split is None else pd.read_parquet(split)
    if "fold" not in table:
        if scorer.folds:
            log.warning("networks of folds, no --split with them: each scores every recording, also whom it has seen")
        return {}
    rows = table[(table["cohort"] == harmonized.parent.name) & table["recording"].isin(names) & (table["fold"] > 0)]
    return {str(name): int(fold) for name, fold in zip(rows["recording"], rows["fold"], strict=True)}


def _check_replaceable(out: Path, harmonized: Path, of: str) -> None:
    """Raise OutputError unless `out` holds scores of the same shard, or of recordings that are scored now."""
    check_store(out, SCORES)
    check_apart(out, [harmonized])
    there, more = zarr_attrs(out).get("of"), {*recordings(out)} - {*recordings(harmonized)}
    if there != of or (more and "/" not in of):
        some = ", ".join(map(shown, sorted(more)[:3])) or f"recordings of {shown(there)}"
        raise OutputError(out, f"holds scores of {some}, which {shown(harmonized)} does not")


def _score_one(partial: Path, harmonized: Path, name: str, scorer: Scorer, reader: SignalReader, options: Score) -> str:
    """Score one recording into its group, and return what was done."""
    attributes = zarr_attrs(harmonized / name)
    source = fingerprint([attributes["recipe"], attributes["source_sha256"]])
    if zarr_attrs(partial / name).get("source") == source:
        return "taken over"
    scorer.check_preprocessing(preprocessing(attributes), f"{harmonized}/{name}")
    recording = open_stored(harmonized, attributes["cohort"], name, attributes["person"], scorer.input)
    scores = _scores(scorer, reader, recording, options.hypnodensity_steps if scorer.fine else 1)
    stored = StoredScores(scores.stage, scores.probability, scores.steps_per_epoch, tuple(scorer.classes))
    about = {
        "source": source,
        "n_channels": recording.n_channels,
        "simulated": attributes["simulated"],
        "temperature": scorer.temperatures,
    }
    write_scores(partial, name, stored, scores.measures, about, scores.at_30_s)
    return f"{recording.n_epochs} epochs from {recording.n_channels} channels"


def _scores(scorer: Scorer, reader: SignalReader, recording: StoredRecording, hypnodensity_steps: int) -> Scores:
    """Score one recording; one whose channels the network cannot take stays unscored, and the others go on."""
    try:
        return scorer.score(reader.night(recording), hypnodensity_steps)
    except RecordingError as error:
        log.warning("%s", error.located(recording.cohort, recording.recording))
        return Scores.nothing(recording.n_epochs, hypnodensity_steps, scorer.resolutions, len(scorer.classes))
