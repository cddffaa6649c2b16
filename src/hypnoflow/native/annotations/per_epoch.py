"""Hypnograms that hold one value per epoch: a JSON list, or a sequence already in hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hypnoflow.errors import RecordingError
from hypnoflow.native.damaged import PARSER_ERRORS, cause
from hypnoflow.types import EPOCH_S, StageRun


def epoch_runs(values: Sequence[object], epoch_s: float = EPOCH_S) -> list[StageRun]:
    """Return one run per epoch, the first at 0 s."""
    return [StageRun(i * epoch_s, epoch_s, str(value)) for i, value in enumerate(values)]


def read_json_epochs(path: Path) -> list[StageRun]:
    """Read a JSON list of one code per 30-s epoch.

    Raises
    ------
    RecordingError
        If the file is not a JSON list of one value per epoch.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except PARSER_ERRORS as error:
        raise RecordingError(f"not readable as JSON ({cause(error)})", path=path) from error
    if not isinstance(values, list):
        raise RecordingError(f"expected a JSON list of stages, found {type(values).__name__}", path=path)
    nested = next((i for i, value in enumerate(values) if isinstance(value, list | dict)), None)
    if nested is not None:
        raise RecordingError(f"epoch {nested} is a {type(values[nested]).__name__}, not a stage", path=path)
    return epoch_runs(values)
