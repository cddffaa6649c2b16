"""What a training says of itself: the types that `hypnoflow.train` writes as JSON and the report reads."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Cost(TypedDict):
    """What a network takes: parameters, those that training moves, and the products of 30 s with so many channels."""

    parameters: int
    trainable: int
    channels_counted: NotRequired[int]
    macs_per_epoch: NotRequired[int]


class TrainingFacts(Cost):
    """What a training says of itself, in its checkpoint and beside it.

    valid_macro_f1 is the score by which its weights were chosen, of a pre-training less its loss. run, its name, is put
    in by who reads it.
    """

    model: str
    network: str
    network_options: dict[str, Any]
    task: str | None
    reads: str
    options: dict[str, Any]
    seed: int
    run_seed: int
    fold: int | None
    valid_macro_f1: float
    rounds: int
    updates: int
    train_recordings: int
    valid_recordings: int
    computed_with: dict[str, Any]
    calibration: NotRequired[dict[str, Any]]
    run: NotRequired[str]
