"""What each registered network is: its size, what it costs, what it reads, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from pydantic_core import PydanticUndefined

from hypnoflow.config.section import parse_section
from hypnoflow.errors import ConfigError
from hypnoflow.models import declaration, models


def list_networks() -> Iterator[str]:
    """Yield a line for each network: name, what it reads, how fine it scores, licence, source; without torch."""
    for name in models.names():
        known = declaration(name)
        reads = "any channels" if known.any_channels else "fixed channels"
        fine = "30 s to 1/128 s" if known.fine else "30 s"
        yield f"{name:<18}{reads:<16}{fine:<17}{known.licence.partition(';')[0]:<9}{known.source}"


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
    yield f"licence: {known.licence}"
    from hypnoflow.models.parts.count import lines_of  # torch takes its time

    yield from lines_of(models.get(name), options)
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
