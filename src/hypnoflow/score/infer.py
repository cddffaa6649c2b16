"""One night through the network."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hypnoflow.checkpoints.checkpoint import Checkpoint
from hypnoflow.checkpoints.published import load_any
from hypnoflow.checkpoints.release import local_file
from hypnoflow.config.score import Score
from hypnoflow.data.reader import Night, named
from hypnoflow.errors import CheckpointError, ConfigError, RecordingError
from hypnoflow.facts.files import sha256
from hypnoflow.models.contract import Classifier, View
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.score.combine import Scores as Scores
from hypnoflow.score.combine import Wanted, combine
from hypnoflow.store.room import LARGE_BYTES, available_bytes
from hypnoflow.types import EPOCH_S, RESOLUTIONS

log = logging.getLogger(__name__)


class Scorer:
    """One or more checkpoints of one network; several are averaged as probabilities.

    A network that takes pairs of channels scores every pair, and the pairs of all checkpoints vote, see
    `hypnoflow.data.votes`; its probabilities are averaged as any other's.

    Parameters
    ----------
    checkpoints : sequence of Path or str
        Files of this package; files that AnySleep's authors published, or their names, such as anysleep-run1. The
        signals of a published file count as harmonized as by this version, with ``clip_iqr`` 20.
    device : str
        The config's auto, cpu or cuda.
    calibrate : bool
        Whether logits are divided by the temperature that each checkpoint carries; one without takes 1.
    abstain_below : float
        Confidence below which an epoch is marked.

    Attributes
    ----------
    paths : list of Path
        Where each checkpoint lies; that of a name is in the cache folder.
    hashes : list of str
        SHA-256 of each.
    temperatures : list of float
        One per checkpoint.
    input : Input
        What the networks read.
    fine : bool
        Whether they score below 30 s.
    classes : list of str
        What they tell apart, in the order of probabilities.

    Raises
    ------
    CheckpointError
        If a file is not a usable checkpoint, or a pre-training's; if they were trained on differently harmonized
        signals, read other channels, or learnt another task.
    ConfigError
        For an unknown name.
    """

    def __init__(
        self,
        checkpoints: Sequence[Path | str],
        device: str = "cpu",
        *,
        calibrate: bool = True,
        abstain_below: float = 0.0,
    ):
        self.paths = [local_file(checkpoint) for checkpoint in checkpoints]
        self.hashes = [sha256(path) for path in self.paths if path.is_file()]
        loaded: list[Checkpoint] = [load_any(path) for path in self.paths]
        first = loaded[0]
        self.preprocessing, self.classes = first.facts["preprocessing"], list(first.facts["classes"])
        self.input, self.fine = first.classifier.input, first.classifier.fine
        for path, other in zip(self.paths, loaded, strict=True):
            self._check(path, other.facts["preprocessing"], self.preprocessing)
            if (other.classifier.input, list(other.facts["classes"])) != (self.input, self.classes):
                raise CheckpointError(
                    f"{path} is {other.facts['model']}, and {self.paths[0]} is {first.facts['model']}: they read other "
                    "channels, or learnt another task; score with each apart"
                )
        self._device = torch.device(pick_device(device))
        self._models: list[Classifier] = [c.classifier.to(self._device) for c in loaded]
        self.facts = [c.facts for c in loaded]
        known = zip(self.paths, self.facts, strict=True)
        self.temperatures = [temperature(path, facts) if calibrate else 1.0 for path, facts in known]
        self._abstain_below = abstain_below

    @property
    def folds(self) -> set[int]:
        """Return the folds that were left out in training; empty where there were none."""
        found = {(facts.get("training") or {}).get("fold") for facts in self.facts}
        return {fold for fold in found if fold is not None}

    def of_fold(self, fold: int) -> Scorer:
        """Return the networks that were trained without a fold; all of them for 0, a recording of no fold.

        Raises
        ------
        CheckpointError
            If none was.
        """
        if fold == 0:
            return self
        kept = [i for i, facts in enumerate(self.facts) if (facts.get("training") or {}).get("fold") == fold]
        if not kept:
            known = ", ".join(map(str, sorted(self.folds))) or "none"
            raise CheckpointError(f"no network is given that was trained without fold {fold} (folds left out: {known})")
        some = copy(self)
        some.paths, some.hashes = [self.paths[i] for i in kept], [self.hashes[i] for i in kept]
        some.facts, some.temperatures = [self.facts[i] for i in kept], [self.temperatures[i] for i in kept]
        some._models = [self._models[i] for i in kept]
        return some

    def check_preprocessing(self, found: dict[str, object], what: str) -> None:
        """Raise CheckpointError unless signals harmonized as `found` are what the network was trained on."""
        self._check(Path(what), found, self.preprocessing)

    @staticmethod
    def _check(what: Path, found: dict[str, object], wanted: dict[str, object]) -> None:
        if found != wanted:
            raise CheckpointError(f"{what}: harmonized as {found}, but the network was trained on {wanted}")

    @property
    def resolutions(self) -> Sequence[int]:
        """Return the predictions per 30 s at which the networks score: all, or 1 for those that see 30 s at once."""
        return RESOLUTIONS if self.fine else (1,)

    def score(
        self,
        night: Night,
        hypnodensity_steps: int,
        resolutions: Sequence[int] = (),
        densities: Sequence[int] = (),
    ) -> Scores:
        """Score one night; where nothing was recorded it is unscored, at every resolution.

        Parameters
        ----------
        night : Night
            Whole epochs.
        hypnodensity_steps : int
            Rows of the hypnodensity per epoch; 1 for networks that are not `fine`.
        resolutions : sequence of int
            Predictions per 30 s to read out as stages; all that the networks have, if empty.
        densities : sequence of int
            Predictions per 30 s to read out as probabilities too.

        Raises
        ------
        RecordingError
            If a channel is missing that the networks need, or memory does not suffice.
        ConfigError
            If steps below 30 s are asked of networks that have none.
        """
        self.check_fine({hypnodensity_steps, *resolutions, *densities})
        views = self.input.views(named(night.channels))
        self._check_memory(night, views[0])
        wanted = Wanted(resolutions or self.resolutions, hypnodensity_steps, densities, self._abstain_below)
        voters = self._voters([night.signals(view, self.input) for view in views], wanted.read_out)
        scores = combine(voters, self.temperatures * len(views), wanted, vote=self.input.every)
        return scores.without_gaps(night.gaps_s, night.n_epochs)

    def check_fine(self, steps: set[int]) -> None:
        """Raise ConfigError if steps below 30 s are asked of a network that has none."""
        if not self.fine and steps != {1}:
            raise ConfigError(
                f"{self.facts[0]['model']} ({self.facts[0]['network']}) scores 30-s epochs only, which are never "
                "repeated to look finer: ask for 30s, or take a network that scores below (anysleep, usleep)"
            )

    @torch.inference_mode()
    def _voters(self, views: Sequence[Signals], wanted: Sequence[int]) -> Iterator[dict[int, Tensor]]:
        """Yield the logits that each checkpoint gives to each view: predictions per epoch → (step, class).

        Those of one are held at a time.
        """
        for signals in views:
            for model in self._models:
                yield model.night(signals, wanted)

    def _check_memory(self, night: Night, view: View) -> None:
        """Say how much memory a long night will take; RecordingError where there is not as much.

        A GPU's memory is its own affair.
        """
        if self._device.type != "cpu":
            return
        seconds = night.n_epochs * EPOCH_S
        n_samples = round(seconds * self.input.rate_hz)
        needed = max(model.bytes_of_night(len(view), n_samples) for model in self._models)
        free = available_bytes()
        length = f"{seconds / 3600:.1f} h of {len(night.channels)} channels"
        what = f"{length} take about {needed / 1e9:.1f} GB of memory to score"
        if needed > free:
            raise RecordingError(
                f"{what}, and {free / 1e9:.1f} GB are free",
                hint="score it on a machine with more, name fewer channels, cut it into nights, or take a network "
                "that sees a night in parts (anysleep)",
            )
        if needed > LARGE_BYTES:
            log.info("%s", what)


def open_scorer(
    checkpoints: Sequence[Path | str], options: Score | None = None, *, threads: int, device: str
) -> Scorer:
    """Load the networks, and let them use `threads` cores."""
    torch.set_num_threads(threads)
    options = options or Score()
    return Scorer(checkpoints, device, calibrate=options.calibrate, abstain_below=options.abstain_below)


def temperature(path: Path, facts: dict[str, Any]) -> float:
    """Return the temperature that a checkpoint was calibrated to, 1 where it says nothing of it.

    Raises
    ------
    CheckpointError
        If what it says is no positive number.
    """
    found = (facts.get("training") or {}).get("calibration")
    if found is None:
        log.info("%s carries no calibration: its probabilities are taken as they are (temperature 1)", path)
        return 1.0
    value = found.get("temperature") if isinstance(found, dict) else found
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise CheckpointError(f"{path}: its calibration has the temperature {value!r}, expected a positive number")
    return float(value)


def pick_device(device: str) -> str:
    """Return the torch device for the config's auto, cpu or cuda."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
