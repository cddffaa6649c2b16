"""The one typed schema of the configuration; ``config.yaml`` and its JSON schema are generated from it.

``science:`` options change results, and each stage reads only its own section. ``run:`` options never do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import field_validator, model_validator

from hypnoflow.config.cohorts import DEMO, CohortConfig
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.config.features import Features
from hypnoflow.config.harmonize import Harmonize
from hypnoflow.config.index import Index
from hypnoflow.config.models import EntryConfig, check_entries, refuse_old_spelling
from hypnoflow.config.predict import Predict
from hypnoflow.config.run_options import Run
from hypnoflow.config.score import Score
from hypnoflow.config.section import Section, option, parse_section
from hypnoflow.config.simulate import Simulate
from hypnoflow.config.split import Split
from hypnoflow.config.train import Train
from hypnoflow.errors import ConfigError


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
    train: Train = option(Train(), "How networks learn, unless their recipe or their entry says otherwise.")
    models: dict[str, EntryConfig] = option(
        {"anysleep": EntryConfig()}, "The trainings, by name: each is scored, compared and reported under it."
    )
    score: Score = option(Score(), "Scoring.")
    evaluate: Evaluate = option(Evaluate(), "Agreement with labels and, where simulated, with the truth.")
    features: Features = option(Features(), "Biomarkers per recording and resolution.")
    predict: Predict = option(Predict(), "Age, sex and apnea models, and their comparison with 30 s.")

    @field_validator("cohorts", "models", mode="before")
    @classmethod
    def _drop_null(cls, entries: Any) -> Any:
        """Leave out what is set to null, so that a second config file can take some away."""
        return {k: v for k, v in entries.items() if v is not None} if isinstance(entries, dict) else entries

    @field_validator("models")
    @classmethod
    def _can_be_trained(cls, models: dict[str, EntryConfig]) -> dict[str, EntryConfig]:
        check_entries(models)
        return models

    @model_validator(mode="before")
    @classmethod
    def _as_it_is_spelled_now(cls, data: Any) -> Any:
        if isinstance(data, dict):
            refuse_old_spelling(data)
        return data


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


def science_of(text: str | None) -> Science:
    """Return the science options given as JSON, as a workflow rule passes them; the defaults for None."""
    if text is None:
        return Science()
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--science is not JSON: {error}") from error
    science: Science = parse_section(Science, data, "--science")
    return science


def run_options(config: Path | None, changes: list[str]) -> Run:
    """Return the run options of a config file, or the defaults, with some changed by "key=value"."""
    base = load_config(config).run.model_dump() if config else {}
    given = dict(change.partition("=")[::2] for change in changes)
    run: Run = parse_section(Run, base | given, "--run")
    return run


def parse_config(data: object, source: str) -> Config:
    """Check a configuration given as nested mappings; `source` names it in messages."""
    return parse_section(Config, data, source)
