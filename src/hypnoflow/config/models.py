"""The named trainings: which networks are trained, each with its options, its bases and its task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import field_validator

from hypnoflow.config.section import Section, option

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RESERVED = ("drawn",)  # results/split/drawn.parquet is what all trainings read
# What science.train held before trainings had names.
MOVED = {"model": "network", "network": "options", "init_from": "base", "seeds": "seeds"}
# What it called by the word for 30 s.
RENAMED = {"max_epochs": "max_rounds", "updates_per_epoch": "updates_per_round"}


class EntryConfig(Section):
    network: str | None = option(None, "Network, a file in src/hypnoflow/models; null is the entry's own name.")
    options: dict[str, Any] = option({}, "The network's own options: `hypnoflow models describe NETWORK` lists them.")
    base: tuple[str, ...] = option(
        (), "What it starts from: other entries, names of `hypnoflow weights list`, or files of checkpoints."
    )
    task: str | None = option("stage", "What is learnt; null for a pre-training, which nobody scores.")
    train: dict[str, Any] = option({}, "What differs from science.train, and from the network's own recipe.")
    seeds: tuple[int, ...] = option((1,), "One training run per seed; their probabilities are averaged.", min_length=1)

    @field_validator("seeds")
    @classmethod
    def _once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is listed twice")
        return seeds


def check_entries(entries: Mapping[str, EntryConfig]) -> None:
    """Raise ValueError for names that cannot be, bases that go in a circle, and entries that differ in nothing."""
    if not entries:
        raise ValueError("models is empty: name at least one training, such as anysleep: {}")
    for name in entries:
        if not NAME.fullmatch(name) or name in RESERVED:
            raise ValueError(
                f"{name!r} cannot name a training: lower-case letters and digits, joined by hyphens"
                + (", and not one of " + ", ".join(RESERVED) if name in RESERVED else "")
            )
    for name in entries:
        circle = next(_circles(name, entries), None)
        if circle:
            raise ValueError(f"bases go in a circle: {' -> '.join(circle)}; a training cannot start from itself")
    seen: dict[str, str] = {}
    for name, entry in entries.items():
        content = entry.model_copy(update={"network": entry.network or name}).model_dump_json()
        if content in seen:
            raise ValueError(f"{seen[content]} and {name} differ in nothing but their names: leave one out")
        seen[content] = name


def _circles(name: str, entries: Mapping[str, EntryConfig], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the ways by which an entry leads back to itself."""
    if name in way:
        yield (*way[way.index(name) :], name)
        return
    for base in entries[name].base:
        if base in entries:
            yield from _circles(base, entries, (*way, name))


def refuse_old_spelling(science: Mapping[str, Any]) -> None:
    """Raise ValueError, with the new spelling, where options of training are written as they used to be."""
    train = science.get("train")
    _refuse_old_names(science)
    old = {key: train[key] for key in MOVED if key in train} if isinstance(train, Mapping) else {}
    if not old:
        return
    name = str(old.get("model", "anysleep"))
    parts = []
    if "network" in old:
        parts.append(f"options: {_flow(old['network'])}")
    if old.get("init_from"):
        parts.append(f"base: [{old['init_from']}]")
    if "seeds" in old:
        parts.append(f"seeds: {_flow(old['seeds'])}")
    raise ValueError(
        f"train.{', train.'.join(old)} moved: trainings have names now. Write instead\n"
        f"      science:\n        models:\n          {name}: {{{', '.join(parts)}}}"
    )


def _refuse_old_names(science: Mapping[str, Any]) -> None:
    models = science.get("models")
    places = {"train": science.get("train")}
    for name, entry in models.items() if isinstance(models, Mapping) else ():
        places[f"models.{name}.train"] = entry.get("train") if isinstance(entry, Mapping) else None
    for where, options in places.items():
        old = [name for name in RENAMED if isinstance(options, Mapping) and name in options]
        if old:
            said = ", ".join(f"{name} is {RENAMED[name]}" for name in old)
            raise ValueError(f"{where}: {said} now; an epoch is 30 s of sleep, and a round of training ends validating")


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
