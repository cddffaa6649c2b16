"""What each registered network is: its size, what it costs, what it reads, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from pydantic_core import PydanticUndefined

from hypnoflow.config.section import Section, parse_section
from hypnoflow.errors import ConfigError
from hypnoflow.models import declaration, models
from hypnoflow.types import RESOLUTIONS, STAGES

LICENCE = "MIT, this package's; published weights have their authors' terms"
SEVERAL = (1, 2, 3, 6)  # numbers of channels of which the cost is shown, where any will do


def list_networks() -> Iterator[str]:
    """Yield a line for each network: name, what it reads, how fine it scores, source; without torch."""
    for name in models.names():
        known = declaration(name)
        reads = "any channels" if known.any_channels else "fixed channels"
        yield f"{name:<18}{reads:<16}{'30 s to 1/128 s' if known.fine else '30 s':<17}{known.source}"


def describe_network(name: str, changes: Sequence[str] = ()) -> Iterator[str]:
    """Yield lines on one network with some options changed by "key=value".

    Raises
    ------
    ConfigError
        For an unknown network or option, or a value that is none.
    """
    known = declaration(name)
    options = parse_section(known.options, _given(changes), f"network {name}")
    yield f"{name}: {known.source}"
    yield f"licence: {LICENCE}"
    yield from _size(name, options)
    yield "options:"
    for key, field in known.options.model_fields.items():
        default = "" if field.default is PydanticUndefined else f" (default {field.default})"
        yield f"  {key} = {getattr(options, key)}{default}: {field.description}"
    if known.published:
        yield f"published size: {', '.join(f'{key}={value}' for key, value in known.published.items())}"
    if known.recipe:
        yield f"recipe: {', '.join(f'{key}={value}' for key, value in known.recipe.items())}"


def _given(changes: Sequence[str]) -> dict[str, Any]:
    """Return options written as key=value, values as in YAML."""
    given = {}
    for change in changes:
        key, sign, value = change.partition("=")
        try:
            given[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            sign = ""
        if not sign:
            raise ConfigError(f"--option is key=value, found {change!r}")
    return given


def _size(name: str, options: Section) -> Iterator[str]:
    import torch

    from hypnoflow.models.contract import Classifier
    from hypnoflow.models.parts.count import count

    kind = models.get(name)
    with torch.device("meta"):
        model = kind(options, len(STAGES))
    own = list(model.parameters())
    trainable, reads = sum(p.numel() for p in own if p.requires_grad), model.input
    slots = " + ".join(slot.kind.upper() for slot in reads.slots)
    which = f"{slots}{', every way to fill them' if reads.every else ''}" if slots else "any EEG and EOG"
    yield f"reads: {which}, {reads.rate_hz:g} Hz, {reads.unit}"
    yield f"parameters: {sum(p.numel() for p in own)}, of them trainable: {trainable}"
    if not isinstance(model, Classifier):
        yield "a pre-training: it scores nothing"
        return
    yield "operations for 30 s, from a night's share:"
    yield f"  {'channels':>8} {'step':>9} {'MACs':>13} {'2 x MACs':>13} {'with bias, norm':>16}"
    epochs = 1 if reads.slots and not model.fine else 35  # deep U-Nets need a few minutes to see
    for n_channels in [len(reads.slots)] if reads.slots else SEVERAL:
        for f in (RESOLUTIONS[0], RESOLUTIONS[-1]) if model.fine else (1,):
            cost = count(model, n_channels, epochs, f)
            step = "30 s" if f == 1 else f"1/{f // 30} s"
            counts = (round(n / epochs) for n in (cost.macs, cost.flops, cost.flops_with_bias_and_norm))
            yield "  {:>8} {:>9} {:>13,} {:>13,} {:>16,}".format(n_channels, step, *counts)
