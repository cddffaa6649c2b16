"""A configuration is checked against what exists: cohorts, dialects, networks; before anything is planned."""

from __future__ import annotations

from hypnoflow.cohorts import cohorts
from hypnoflow.config.schema import Config, parse_config
from hypnoflow.errors import ConfigError
from hypnoflow.models import models
from hypnoflow.simulate.dialects import dialects


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
    models.check(config.science.train.model)
    if not config.science.cohorts:
        raise ConfigError("science.cohorts is empty: name at least one cohort")
    return config


def checked_config(data: object, source: str) -> Config:
    """Check a whole configuration given as nested mappings, as the Snakefile does before it plans anything."""
    return check_names(parse_config(data, source))
