"""Everything that a training run knows between two updates, on disk and back."""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from hypnoflow.facts.files import remove_claimed, replacing

log = logging.getLogger(__name__)

# What torch raises for bytes that are no file of its own, and what a file of another make-up leads to.
UNREADABLE = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    OSError,
    LookupError,
    TypeError,
    AttributeError,
)


@dataclass(slots=True)
class Progress:
    """Where training stands; with the weights and the optimiser it is all that going on takes.

    Attributes
    ----------
    update : int
        Updates done.
    loss_sum : float
        Losses of this round's updates, summed; brought up to date for saving.
    rows : list of dict
        One per round: what the CSV holds.
    best_score : float
        Best validation macro-F1 so far.
    best : dict of Tensor
        Its weights.
    stale : int
        Rounds since then.
    """

    update: int = 0
    loss_sum: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)
    best_score: float = -1.0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    stale: int = 0

    def validated(self, row: dict[str, float], score: float, weights: dict[str, torch.Tensor]) -> None:
        """Take in the end of a round."""
        self.rows.append(row)
        self.stale += 1
        if score > self.best_score:
            self.best_score, self.stale = score, 0
            self.best = {name: value.detach().cpu().clone() for name, value in weights.items()}


class ResumeFile:
    """The file beside a checkpoint that holds an unfinished training; whole or not there.

    Parameters
    ----------
    out : Path
        The checkpoint that training will end in.
    recipe : dict
        All that decides the result, by name; a state with another one is never gone on from.
    """

    def __init__(self, out: Path, recipe: dict[str, Any]):
        self.path, self._recipe = self.beside(out), recipe

    @staticmethod
    def beside(out: Path) -> Path:
        """Return where the state of a training lies that will end in the checkpoint `out`."""
        return out.with_name(out.name + ".resume")

    def save(self, progress: Progress, parts: dict[str, Any]) -> None:
        """Write the state; `parts` have a `state_dict`."""
        content = {name: part.state_dict() for name, part in parts.items()}
        content |= {"recipe": self._recipe, "progress": {f.name: getattr(progress, f.name) for f in fields(progress)}}
        with replacing(self.path) as partial:
            torch.save(content, partial)

    def load(self, parts: dict[str, Any]) -> Progress:
        """Put a state with the same recipe into `parts` and return its progress; without one, start anew."""
        content = self._read()
        if content is None:
            return Progress()
        for name, part in parts.items():
            part.load_state_dict(content[name])
        progress = Progress(**content["progress"])
        log.info("going on after update %d, from %s", progress.update, self.path)
        return progress

    def remove(self) -> None:
        """Forget the state: training is finished."""
        remove_claimed(self.path)

    def _read(self) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        try:
            content: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            found = content["recipe"]
        except UNREADABLE as error:
            log.warning("starting anew: %s cannot be read (%s)", self.path, type(error).__name__)
            return None
        other = [name for name, value in self._recipe.items() if found.get(name) != value]
        if other:
            log.warning("starting anew: %s was made with other %s", self.path, ", ".join(other))
            return None
        return content
