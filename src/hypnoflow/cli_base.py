"""The command line's one application, and what its verbs share: options, and the reading of a config."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from hypnoflow.config import Config, Science, load_config, parse_config, parse_section
from hypnoflow.errors import ConfigError, shown

log = logging.getLogger("hypnoflow")
app = typer.Typer(
    help="From raw polysomnography to sleep scored at any resolution.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScienceJson = Annotated[
    str | None, typer.Option("--science", help="Science options as JSON, as a workflow rule passes them.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A config.yaml; the defaults without one.")]
Threads = Annotated[int, typer.Option(help="Cores to use.", min=1)]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
RunOptions = Annotated[
    list[str] | None, typer.Option("--run", metavar="KEY=VALUE", help="A run option: threads=2, dask=slurm ...")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
OnError = Annotated[str, typer.Option(help="skip or abort: what a bad recording does.")]
CohortName = Annotated[
    str | None, typer.Option("--cohort", help="Read by the rules of this cohort; as any folder without it.")
]
HarmonizedFolder = Annotated[Path, typer.Option("--harmonized", help="Folder of the harmonized stores.")]
ScoresFolder = Annotated[Path, typer.Option("--scores", help="Folder of the stores of scores.")]
IndexFolder = Annotated[Path, typer.Option("--index", help="Folder of the manifests.")]
SplitFile = Annotated[Path, typer.Option("--split", help="Table made by `split`.")]


def named(out: Path, suffix: str, what: str = "a table") -> Path:
    """Return the path of an output; ConfigError unless it ends as such a file does."""
    if out.suffix != suffix or not out.stem:
        raise ConfigError(f"--out names {what}, and must end in {suffix}; found {shown(out)}")
    return out


def check_names(config: Config) -> Config:
    """Return `config` if every cohort and model that it names exists, and can be simulated where it has no root."""
    from hypnoflow.cohorts import cohorts
    from hypnoflow.models import models
    from hypnoflow.simulate.dialects import dialects

    for name, cohort in config.science.cohorts.items():
        if cohort.kind == "named":
            cohorts.check(name)  # by its name: every job of the workflow comes by here, and the file may import much
        else:
            from hypnoflow.cohorts._configured import resolve

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


def science_of(text: str | None, config: Path | None) -> Science:
    """Return the science options given as JSON, else those of a config.yaml, else the defaults."""
    if text is not None:
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"--science is not JSON: {error}") from error
        science: Science = parse_section(Science, data, "--science")
        return science
    return check_names(load_config(config)).science if config else Science()
