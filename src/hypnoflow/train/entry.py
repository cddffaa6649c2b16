"""One entry of `science.models` with all its options, for whoever plans, checks or trains it; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypnoflow.config.models import EntryConfig
from hypnoflow.config.section import Section, parse_section
from hypnoflow.config.train import Train
from hypnoflow.errors import ConfigError
from hypnoflow.models import declaration


@dataclass(frozen=True, slots=True)
class Entry:
    """One training of the config, with all its options: the defaults where nothing else is said.

    Attributes
    ----------
    name : str
        The entry's key, which is the ``{model}`` of results.
    network : str
        Name of a network's file.
    options : Section
        The network's own.
    base : tuple of str
        Entries, names of published weights, or files that it starts from.
    task : str or None
    train : Train
        How it learns: `science.train`, then the network's recipe, then the entry.
    seeds : tuple of int
    """

    name: str
    network: str
    options: Section
    base: tuple[str, ...]
    task: str | None
    train: Train
    seeds: tuple[int, ...]


def entry_of(name: str, entries: Mapping[str, EntryConfig], train: Train) -> Entry:
    """Return one entry of `science.models` with all its options.

    Raises
    ------
    ConfigError
        If there is no such entry or network, or for an option that the network, or training, does not have.
    """
    if name not in entries:
        raise ConfigError(f"science.models has no {name!r} (it has: {', '.join(entries)})")
    section, where = entries[name], f"science.models.{name}"
    network = section.network or name
    try:
        known = declaration(network)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}; {where}.network says which, where the entry has another name") from None
    options = parse_section(known.options, section.options, f"{where}.options of the network {network}")
    how = parse_section(Train, {**train.model_dump(), **known.recipe, **section.train}, f"{where}.train")
    return Entry(name, network, options, section.base, section.task, how, section.seeds)
