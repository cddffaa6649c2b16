"""A harmonized shard and checkpoints → a store of scores."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from hypnoflow.config import Score
from hypnoflow.data.recordings import SignalReader, StoredRecording, open_stored
from hypnoflow.errors import RecordingError
from hypnoflow.harmonize.signals import in_gaps
from hypnoflow.io.files import fingerprint, sha256
from hypnoflow.io.progress import track
from hypnoflow.io.provenance import write_facts
from hypnoflow.io.scores import StoredScores, write_scores
from hypnoflow.io.store import (
    content_hash,
    drop_others,
    preprocessing,
    recordings,
    start_store,
    store_sizes,
    zarr_attrs,
)
from hypnoflow.score.infer import Scorer, Scores

log = logging.getLogger(__name__)


def score_shard(
    harmonized: Path, checkpoints: Sequence[Path | str], out: Path, options: Score, *, threads: int, device: str
) -> None:
    """Score every recording of a harmonized store.

    The store of scores appears under its name only when it is whole; ``{out}.json`` is written last. Recordings
    that a killed run had finished are taken over.

    Raises
    ------
    CheckpointError
        For an unusable checkpoint, or one trained on signals harmonized in another way.
    """
    torch.set_num_threads(threads)
    scorer = Scorer(checkpoints, device, calibrate=options.calibrate, abstain_below=options.abstain_below)
    weights = {str(given): sha256(path) for given, path in zip(checkpoints, scorer.paths, strict=True)}
    partial = out.with_name(out.name + ".partial")
    recipe = fingerprint([list(weights.values()), options.model_dump()])
    start_store(partial, recipe)
    names = recordings(harmonized)
    reader = SignalReader(threads=threads)
    for i, name in enumerate(track(names, len(names), "score"), 1):
        attributes = zarr_attrs(harmonized / name)
        source = fingerprint([attributes["recipe"], attributes["source_sha256"]])
        if zarr_attrs(partial / name).get("source") == source:
            log.info("%d/%d %s taken over", i, len(names), name)
            continue
        scorer.check_preprocessing(preprocessing(attributes), f"{harmonized}/{name}")
        recording = open_stored(harmonized, attributes["cohort"], name, attributes["person"])
        scores = _scores(scorer, reader, recording, options.hypnodensity_steps)
        scores = scores.without(in_gaps(attributes["gaps_s"], recording.n_epochs))
        stored = StoredScores(scores.stage, scores.probability, scores.steps_per_epoch)
        about = {
            "source": source,
            "n_channels": recording.n_channels,
            "simulated": attributes["simulated"],
            "temperature": scorer.temperatures,
        }
        write_scores(partial, name, stored, scores.measures, about, scores.at_30_s)
        log.info(
            "%d/%d %s: %d epochs from %d channels",
            i,
            len(names),
            name,
            recording.n_epochs,
            recording.n_channels,
        )
    drop_others(partial, names)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    facts = {
        "recordings": {name: content_hash(out / name) for name in names},
        "bytes": store_sizes(out, names),
        "checkpoints": weights,
        "options": options.model_dump(),
    }
    write_facts(out.with_suffix(".json"), "score", facts)


def _scores(scorer: Scorer, reader: SignalReader, recording: StoredRecording, hypnodensity_steps: int) -> Scores:
    """Score one recording; one whose channels the network cannot take stays unscored, and the others go on."""
    x = reader.window(recording, 0, recording.n_epochs)
    try:
        return scorer.score(x, hypnodensity_steps, kinds=recording.channel_kinds)
    except RecordingError as error:
        log.warning("%s", error.located(recording.cohort, recording.recording))
        return Scores.nothing(recording.n_epochs, hypnodensity_steps)
