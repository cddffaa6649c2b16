"""Words of the command line: lengths of a step, formats, channels."""

from __future__ import annotations

import pytest

from hypnoflow.direct.options import KNOWN_STEPS, parse_channels, parse_formats, parse_resolutions
from hypnoflow.errors import ConfigError
from hypnoflow.types import RESOLUTIONS


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("30s", (1,)),
        ("30s,1s", (1, 30)),
        ("1s,30s,1", (1, 30)),
        ("1/128s", (3840,)),
        ("1/128", (3840,)),
        ("0.0078125", (3840,)),
        ("500ms, 0.5 s", (60,)),
        ("1.875s", (16,)),
        ("15", (2,)),
    ],
)
def test_a_length_gives_the_predictions_per_epoch(text, steps):
    assert parse_resolutions(text) == steps


@pytest.mark.parametrize("text", ["0", "-30s", "7s", "60s", "1/256s", "fine", "1/0", "nan", "inf", "30 30", "1e-99999"])
def test_another_length_is_refused_with_those_that_are_known(text):
    with pytest.raises(ConfigError, match=r"30s, 15s, 10s, 7.5s.* 1s, .*0.0078125s"):
        parse_resolutions(text)


def test_the_published_resolutions_are_known_and_all_divide_the_epoch():
    assert set(RESOLUTIONS) <= set(KNOWN_STEPS)
    assert len(KNOWN_STEPS) == 9 * 2 * 2  # 3840 is 2^8 times 3 times 5
    for text in ("", " , "):
        with pytest.raises(ConfigError, match="names none"):
            parse_resolutions(text)


def test_formats_are_all_or_the_named_ones():
    assert parse_formats("all", ("csv", "png")) == ("csv", "png")
    assert parse_formats("PNG, csv,png", ("csv", "png")) == ("png", "csv")
    with pytest.raises(ConfigError, match=r"unknown format 'pgn'; did you mean 'png'\? \(known: csv, png\)"):
        parse_formats("pgn", ("csv", "png"))
    with pytest.raises(ConfigError, match="names none"):
        parse_formats("", ("csv",))


def test_channels_are_auto_or_the_named_ones():
    assert parse_channels("Auto") == ()
    assert parse_channels("C4-M1, EOG left") == ("C4-M1", "EOG left")
    with pytest.raises(ConfigError, match="names none"):
        parse_channels(",")
