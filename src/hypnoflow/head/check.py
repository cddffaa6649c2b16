"""A configuration is checked against what exists: cohorts, dialects, networks; before anything is planned."""

from __future__ import annotations

from hypnoflow.cohorts import cohorts
from hypnoflow.config.schema import Config, parse_config
from hypnoflow.data.tasks import tasks
from hypnoflow.errors import ConfigError, did_you_mean
from hypnoflow.models import declaration
from hypnoflow.simulate.dialects import dialects
from hypnoflow.train.entry import entry_of


def check_names(config: Config) -> Config:
    """Return `config` if every cohort and network that it names exists, and can be simulated where it has no root.

    Raises
    ------
    ConfigError
        For a name that does not exist, with the closest one that does.
    """
    for name, cohort in config.science.cohorts.items():
        if cohort.kind == "named":
            cohorts.check(name)  # by its name: every job of the workflow comes by here, and the file may import much
        else:
            from hypnoflow.cohorts.layouts.configured import resolve

            resolve(name, cohort)
        if cohort.root is None:
            dialects.check(name)
    for name in config.science.models:
        _check_entry(name, config)
    if all(entry.task != "stage" for entry in config.science.models.values()):
        raise ConfigError(
            "science.models has no entry of the task stage, which features, predictions and the report are made of: "
            "add one, such as anysleep: {}; a target of another entry makes nothing of it"
        )
    if not config.science.cohorts:
        raise ConfigError("science.cohorts is empty: name at least one cohort")
    return config


def checked_config(data: object, source: str) -> Config:
    """Check a whole configuration given as nested mappings, as the Snakefile does before it plans anything."""
    return check_names(parse_config(data, source))


def _check_entry(name: str, config: Config) -> None:
    """Raise ConfigError for an entry whose network, options, task or bases do not exist or do not fit."""
    entries = config.science.models
    entry, where = entry_of(name, entries, config.science.train), f"science.models.{name}"
    if entry.task is not None and entry.task not in tasks.names():
        known = tasks.names()
        raise ConfigError(
            f"{where}.task: unknown task {entry.task!r}{did_you_mean(entry.task, known)} "
            f"(known: {', '.join(known)}; null for a pre-training)"
        )
    if entry.train.steps_per_epoch > 1 and not declaration(entry.network).fine:
        raise ConfigError(
            f"{where}: {entry.network} scores 30-s epochs only; its labels are of {entry.train.label_s:g} s, with "
            f"{entry.train.label_steps} predictions each: set label_s to 30 and label_steps to 1 in {where}.train"
        )
    wanted = declaration(entry.network).bases or (entry.network,)
    for base in entry.base:
        if base not in entries:
            _check_outside(base, where, [*entries])
        elif (entries[base].network or base) not in wanted:
            raise ConfigError(
                f"{where}.base: {base} is a {entries[base].network or base}, and {entry.network} starts from "
                f"{' or '.join(wanted)}"
            )


def _check_outside(base: str, where: str, entries: list[str]) -> None:
    """Raise ConfigError for a base that is no entry, no published name, and does not look like a file."""
    if "/" in base or "." in base:
        return
    from hypnoflow.checkpoints.release import releases  # and much with it, which every job would wait for

    if base not in releases():
        known = [*entries, *releases()]
        raise ConfigError(
            f"{where}.base: {base!r} is neither an entry of science.models nor published{did_you_mean(base, known)}; "
            "a file is written with its folder or ending"
        )
