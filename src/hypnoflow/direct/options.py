"""What the command line says in words: resolutions, channels, formats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from hypnoflow.config.schema import Science
from hypnoflow.direct.outputs import FORMATS, Wishes
from hypnoflow.errors import ConfigError, did_you_mean
from hypnoflow.export.night import step_name
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES

KNOWN_STEPS = tuple(f for f in range(1, EPOCH_SAMPLES + 1) if EPOCH_SAMPLES % f == 0)


def parse_wishes(
    channels: str, resolution: str | None, formats: str, science: Science, *, force: bool = False
) -> Wishes:
    """Return what a command line asks for; no resolutions where it leaves them to the network."""
    wanted, steps = parse_formats(formats, FORMATS), parse_resolutions(resolution) if resolution is not None else ()
    return Wishes(parse_channels(channels), steps, wanted, science.score, science.features, science.harmonize, force)


def parse_list(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, without blanks around them; each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def parse_channels(text: str) -> tuple[str, ...]:
    """Return the channels that are named, none for ``auto``."""
    names = parse_list(text)
    if not names:
        raise ConfigError("--channels names none; give labels with commas between them, or auto")
    return () if tuple(map(str.lower, names)) == ("auto",) else names


def parse_resolutions(text: str) -> tuple[int, ...]:
    """Return predictions per 30 s for lengths of a step such as ``30s, 1s, 1/128s, 500ms, 0.5``; coarsest first.

    Raises
    ------
    ConfigError
        For what is no length, or no whole number of samples at 128 Hz that divides 30 s; with those that are known.
    """
    steps = {_steps(part) for part in parse_list(text)}
    if not steps:
        raise ConfigError("--resolution names none; give lengths of a step such as 30s,1s")
    return tuple(sorted(steps))


def _steps(text: str) -> int:
    number, unit = text.lower().replace(" ", ""), Fraction(1)
    for suffix, factor in (("ms", Fraction(1, 1000)), ("s", Fraction(1))):
        if number.endswith(suffix):
            number, unit = number.removesuffix(suffix), factor
            break
    is_number = re.fullmatch(r"\d{1,9}(\.\d{1,9}|/[1-9]\d{0,8})?", number)
    length_s = Fraction(number) * unit if is_number else Fraction(0)
    steps = EPOCH_S / length_s if length_s else 0
    if steps not in KNOWN_STEPS:
        known = ", ".join(map(step_name, KNOWN_STEPS))
        raise ConfigError(
            f"--resolution: {text!r} is no step that divides 30 s into whole samples at 128 Hz; known: {known}"
        )
    return int(steps)


def parse_formats(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the formats that are named, all for ``all``; ConfigError, with what is known, for another."""
    known = tuple(known)
    names = parse_list(text.lower())
    if names == ("all",):
        return known
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--formats: unknown format {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})"
            )
    if not names:
        raise ConfigError(f"--formats names none (known: {', '.join(known)}, all)")
    return names
