"""The one typed schema of the configuration; ``config.yaml`` and its JSON schema are generated from it.

``science:`` options change results, and each stage reads only its own section. ``run:`` options never do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ValidationError, field_validator, model_validator

from hypnoflow.config_cohorts import DEMO
from hypnoflow.config_cohorts import CohortConfig as CohortConfig
from hypnoflow.config_compare import Resampling as Resampling
from hypnoflow.config_features import Features as Features
from hypnoflow.config_predict import Predict as Predict
from hypnoflow.config_simulate import Effects as Effects
from hypnoflow.config_simulate import Simulate as Simulate
from hypnoflow.config_train import Network as Network
from hypnoflow.config_train import Train as Train
from hypnoflow.config_train import labels_per_epoch
from hypnoflow.errors import ConfigError, did_you_mean
from hypnoflow.options import Range, Section, option, rising


class Index(Section):
    shard_size: int = option(
        100, "Most recordings of a shard, the unit of one job; half as many on average.", "recordings", ge=1
    )


class Quality(Section):
    flat_share: float = option(
        0.95,
        "A channel, or an epoch of it, that repeats one value for at least this share is flat; chosen.",
        "1",
        gt=0,
        le=1,
    )
    missing_share: float = option(
        0.05, "A channel, or an epoch of it, of which more than this share is NaN is missing; chosen.", "1", ge=0, lt=1
    )
    clipped_share: float = option(
        0.05,
        "An epoch that stays at its channel's extremes for at least this share is clipped; chosen, 1.5 s of 30.",
        "1",
        gt=0,
        le=1,
    )
    mains_share: float = option(
        0.5,
        "An epoch with at least this share of its power above 0.5 Hz at the mains is flagged; chosen, the larger half.",
        "1",
        gt=0,
        le=1,
    )
    eeg_uv: Range = option(
        (0.5, 500.0),
        "Root-mean-square above 0.5 Hz within which an EEG epoch is plausible; chosen wide, N3 reaches about 100.",
        "uV",
    )
    eog_uv: Range = option((0.5, 1000.0), "The same for an EOG epoch; chosen.", "uV")
    emg_uv: Range = option((0.05, 2000.0), "The same for an EMG epoch; chosen, atonia is near the noise.", "uV")
    ecg_uv: Range = option((5.0, 20000.0), "The same for an ECG epoch; chosen.", "uV")
    bad_epoch_share: float = option(
        0.95,
        "A channel is dropped if at least this share of its epochs is flat, clipped, missing, too large or too small; "
        "chosen as flat_share.",
        "1",
        gt=0,
        le=1,
    )
    copy_correlation: float = option(
        0.9999, "Channels correlated at least so much in most epochs are reported as copies; chosen.", "1", gt=0, le=1
    )
    bridge_correlation: float = option(
        0.995,
        "The same for bridged electrodes; at 20 uV it is a difference of 4 uV^2, near EEGLAB's eBridge limit of 5.",
        "1",
        gt=0,
        le=1,
    )
    polarity_correlation: float = option(
        -0.5,
        "EEG against a mastoid correlated at most so much in most epochs is reported as flipped; chosen.",
        "1",
        ge=-1,
        lt=0,
    )

    @field_validator("eeg_uv", "eog_uv", "emg_uv", "ecg_uv")
    @classmethod
    def _ordered(cls, limits: Range) -> Range:
        return rising(limits)


class Harmonize(Section):
    clip_iqr: float = option(
        20.0, "Scaled signals are clipped to plus and minus this many interquartile ranges.", "IQR", gt=0
    )
    label_s: float = option(
        30.0, "Stages are also stored on this grid, for experts' labels finer than 30 s; 30 stores none.", "s", gt=0
    )
    quality: Quality = option(Quality(), "What is flagged in an epoch, and what drops a channel.")

    @field_validator("label_s")
    @classmethod
    def _divides(cls, label_s: float) -> float:
        labels_per_epoch(label_s)
        return label_s


class Split(Section):
    kind: Literal["ratio", "usleep", "table"] = option(
        "ratio",
        "Where the split comes from: drawn by the shares below (ratio), the lists that U-Sleep and AnySleep were "
        "trained with (usleep), or the user's own table.",
    )
    file: str | None = option(
        None,
        "With kind table, a CSV of cohort, recording or person, and split; with kind usleep, a copy of the published "
        "lists, which null downloads.",
    )
    hold_out: bool = option(
        True, "Keep the cohorts that say held_out out of training and validation; false splits the persons of all."
    )
    valid_fraction: float = option(0.10, "Share of a cohort's persons used for validation.", "1", gt=0, lt=1)
    valid_max: int = option(50, "Most persons of a cohort used for validation.", "persons", ge=1)
    test_fraction: float = option(0.15, "Share of a cohort's persons used for testing.", "1", gt=0, lt=1)
    test_max: int = option(100, "Most persons of a cohort used for testing.", "persons", ge=1)

    @model_validator(mode="after")
    def _file_fits(self) -> Split:
        if self.kind == "table" and self.file is None:
            raise ValueError("kind table needs file, a CSV of cohort, recording or person, and split")
        if self.kind == "ratio" and self.file is not None:
            raise ValueError("kind ratio draws the split and reads no file; set kind to table or usleep")
        return self


class Score(Section):
    hypnodensity_steps: int = option(
        30, "Rows of the stored hypnodensity per 30-s epoch; 30 is one per second.", "1/epoch", ge=1
    )
    calibrate: bool = option(True, "Divide logits by the temperature fitted on the validation persons.")
    abstain_below: float = option(
        0.0,
        "Epochs whose largest calibrated probability is below are marked as too uncertain; they keep their stage.",
        "1",
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _divides(self) -> Score:
        if 3840 % self.hypnodensity_steps:
            raise ValueError(f"hypnodensity_steps must divide 3840, found {self.hypnodensity_steps}")
        return self


class Ablation(Section):
    kind: Literal["none", "count", "pairs", "all"] = option(
        "none", "Unseen nights are scored again from some channels: by their number, by pairs of electrodes, or both."
    )
    most_eeg: int = option(
        6, "Most EEG channels of a cell; only recordings with as many, and an EOG, enter any.", "channels", ge=1
    )
    draws: int = option(
        20, "Distinct subsets of a recording in each cell, drawn without replacement; all if no more.", "subsets", ge=1
    )


class Evaluate(Section):
    absent_class: Literal["skip", "one", "zero"] = option(
        "skip",
        "F1 of a stage absent from both truth and prediction: left out, counted 1 (AnySleep) or 0 (scikit-learn).",
    )
    subsets: Ablation = option(Ablation(), "How agreement depends on the channels.")
    coverages: tuple[float, ...] = option(
        (0.9,), "Shares of epochs to keep, surest first; thresholds come from the validation persons.", "1"
    )
    resampling: Resampling = option(Resampling(), "Intervals and tests of paired comparisons.")

    @field_validator("coverages")
    @classmethod
    def _shares(cls, coverages: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in coverages):
            raise ValueError("coverages must be above 0 and at most 1")
        return coverages


class Science(Section):
    """Options that change results."""

    seed: int = option(20261, "Every random draw of the whole run comes from this number.", ge=0)
    cohorts: dict[str, CohortConfig] = option(
        DEMO,
        "Cohorts to use: the files in src/hypnoflow/cohorts, or any name with another kind; null leaves one out.",
    )
    simulate: Simulate = option(Simulate(), "Simulated nights, for cohorts without a root.")
    index: Index = option(Index(), "Manifests.")
    harmonize: Harmonize = option(Harmonize(), "From native files to Zarr.")
    split: Split = option(Split(), "Persons into train, valid and test.")
    train: Train = option(Train(), "Training.")
    score: Score = option(Score(), "Scoring.")
    evaluate: Evaluate = option(Evaluate(), "Agreement with labels and, where simulated, with the truth.")
    features: Features = option(Features(), "Biomarkers per recording and resolution.")
    predict: Predict = option(Predict(), "Age, sex and apnea models, and their comparison with 30 s.")

    @field_validator("cohorts", mode="before")
    @classmethod
    def _drop_null(cls, cohorts: Any) -> Any:
        """Leave out cohorts set to null, so that a second config file can take some away."""
        return {k: v for k, v in cohorts.items() if v is not None} if isinstance(cohorts, dict) else cohorts


class Run(Section):
    """Options that change no result, but for the order in which floating-point numbers are added."""

    results: str = option("results", "Folder of all outputs.")
    threads: int = option(2, "Cores that one job may use.", "cores", ge=1)
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Where networks run; auto takes a GPU where there is one.")
    on_error: Literal["skip", "abort"] = option(
        "skip", "What a bad recording does: it is skipped and listed, or it stops the job."
    )
    max_skipped: float = option(
        0.2, "A cohort's job fails if more than this share of its recordings is skipped.", "1", ge=0, le=1
    )
    cache_mb: int = option(
        2000, "Memory for decoded training recordings; what does not fit is read from disk.", "MB", ge=0
    )
    devices: int = option(
        1,
        "GPUs, or processes on the CPU, that train one network; srun's tasks go before. batch_size is all devices'.",
        "devices",
        ge=1,
    )
    workers: int = option(
        0, "Processes that read training windows; with 0 the training process does.", "processes", ge=0
    )
    compile: bool = option(
        False, "Compile the network for training; as the number of devices, it changes the order of sums only."
    )
    checkpoint_every_min: float = option(
        10.0, "Time between two states of training on disk; one more is kept after each training epoch.", "min", ge=0
    )
    verify: Literal["none", "sizes", "hashes"] = option(
        "sizes",
        "What every start compares results with their JSONs by; what is damaged is made again. hashes reads all.",
    )
    log_level: Literal["debug", "info", "warning"] = option("info", "How much the logs say.")
    dask: Literal["threads", "processes", "distributed", "slurm"] = option(
        "processes",
        "Where cohort-wide work runs: in threads, processes, processes that are replaced when they die (distributed), "
        "or Slurm jobs.",
    )
    dask_memory_mb: int = option(
        2000, "Memory of each worker of distributed and slurm; one that takes more is replaced.", "MB", ge=200
    )
    dask_jobs: int = option(4, "Slurm jobs that hold workers, run.threads in each.", "jobs", ge=1)
    dask_partition: str = option("auto", "Their partition; auto takes that of the job that asks for them.")
    dask_account: str = option("auto", "Their account; auto as for the partition.")
    dask_walltime_min: int = option(
        240, "Their time limit; a worker leaves before it, and a new one goes on with its work.", "min", ge=2
    )
    dask_wait_min: float = option(
        60.0, "After so long without any worker, in a full queue say, the job fails.", "min", gt=0
    )

    @field_validator("results")
    @classmethod
    def _as_snakemake_writes_it(cls, results: str) -> str:
        return os.path.normpath(results)


class Config(Section):
    """The whole configuration."""

    science: Science = option(Science(), "Options that change results; editing one reruns what depends on it.")
    run: Run = option(Run(), "Options that never cause a rerun, nor change a result by more than the order of sums.")


def load_config(path: Path) -> Config:
    """Read and check a YAML configuration.

    Raises
    ------
    ConfigError
        For a file that is not YAML, an unknown key or a bad value: one line each, with key, what was found, the
        unit, and the closest known key.
    """
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return parse_config(data, str(path))


def run_options(config: Path | None, changes: list[str]) -> Run:
    """Return the run options of a config file, or the defaults, with some changed by "key=value"."""
    base = load_config(config).run.model_dump() if config else {}
    given = dict(change.partition("=")[::2] for change in changes)
    run: Run = parse_section(Run, base | given, "--run")
    return run


def parse_config(data: object, source: str) -> Config:
    """Check a configuration given as nested mappings; `source` names it in messages."""
    return parse_section(Config, data, source)


def parse_section(model: type[Any], data: object, source: str) -> Any:
    """Check the options of one section; raises ConfigError as `load_config` does."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(problem, model) for problem in error.errors()]
        raise ConfigError(f"{source} is not a valid configuration:\n  " + "\n  ".join(lines)) from None


def _explain(problem: Any, model: type[BaseModel]) -> str:
    """Return one line: where, what was found, what would be right."""
    where = ".".join(str(part) for part in problem["loc"])
    owner, field = _owner(model, problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = list(owner.model_fields) if owner else []
        return f"{where}: unknown key{did_you_mean(str(problem['loc'][-1]), known)} (known: {', '.join(known)})"
    unit = ((field.json_schema_extra or {}).get("unit") if field else "") or ""
    expected = f" in {unit}" if unit not in ("", "1") else ""
    found = "" if isinstance(problem["input"], dict) else f", found {problem['input']!r}"
    return f"{where}: {problem['msg']}{expected and f' (a number{expected})'}{found}"


def _owner(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[type[BaseModel] | None, Any]:
    """Follow an error's location to the section and the field that it is about."""
    current: type[BaseModel] | None = model
    field = None
    for part in loc:
        if current is None or part not in current.model_fields:
            if field is not None and field.annotation == dict[str, CohortConfig]:
                current, field = CohortConfig, None
                continue
            break
        field = current.model_fields[part]
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            current = annotation
    return current, field
