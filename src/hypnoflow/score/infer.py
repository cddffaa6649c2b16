"""One night through the network."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypnoflow.checkpoints.checkpoint import Checkpoint
from hypnoflow.checkpoints.published import load_any
from hypnoflow.checkpoints.release import local_file
from hypnoflow.config.score import Score
from hypnoflow.data.views import views
from hypnoflow.errors import CheckpointError, RecordingError
from hypnoflow.facts.files import sha256
from hypnoflow.models.contract import StagingModel
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.score.combine import Scores as Scores
from hypnoflow.score.combine import Wanted, combine
from hypnoflow.store.room import LARGE_BYTES, available_bytes
from hypnoflow.types import RATE_HZ, RESOLUTIONS, FloatArray, Kind

log = logging.getLogger(__name__)


class Scorer:
    """One or more checkpoints of one network; several are averaged as probabilities.

    A network that takes pairs of channels scores every pair, and the pairs of all checkpoints vote, see
    `hypnoflow.data.views`; its probabilities are averaged as any other's.

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
    channel_agnostic : bool
        Whether any channels will do; otherwise `score` must be told their kinds.

    Raises
    ------
    CheckpointError
        If a file is not a usable checkpoint, if they were trained on differently harmonized signals, or if some take
        any channels and others pairs.
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
        self.preprocessing = loaded[0].facts["preprocessing"]
        self.channel_agnostic = loaded[0].model.channel_agnostic
        for path, other in zip(self.paths, loaded, strict=True):
            self._check(path, other.facts["preprocessing"], self.preprocessing)
            if other.model.channel_agnostic != self.channel_agnostic:
                raise CheckpointError(
                    f"{path} is {other.facts['model']}, and {self.paths[0]} is {loaded[0].facts['model']}: one takes "
                    "any channels and the other pairs of them; score with each apart"
                )
        self._device = torch.device(pick_device(device))
        self._models: list[StagingModel] = [c.model.to(self._device) for c in loaded]
        self.facts = [c.facts for c in loaded]
        known = zip(self.paths, self.facts, strict=True)
        self.temperatures = [temperature(path, facts) if calibrate else 1.0 for path, facts in known]
        self._abstain_below = abstain_below

    def check_preprocessing(self, found: dict[str, object], what: str) -> None:
        """Raise CheckpointError unless signals harmonized as `found` are what the network was trained on."""
        self._check(Path(what), found, self.preprocessing)

    @staticmethod
    def _check(what: Path, found: dict[str, object], wanted: dict[str, object]) -> None:
        if found != wanted:
            raise CheckpointError(f"{what}: harmonized as {found}, but the network was trained on {wanted}")

    def score(
        self,
        x: FloatArray | Signals,
        hypnodensity_steps: int,
        resolutions: Sequence[int] = RESOLUTIONS,
        kinds: Sequence[Kind] | None = None,
        densities: Sequence[int] = (),
    ) -> Scores:
        """Score one recording.

        Parameters
        ----------
        x : ndarray, shape (channel, sample), or Signals
            Scaled units at 128 Hz, whole epochs.
        hypnodensity_steps : int
            Rows of the hypnodensity per epoch.
        resolutions : sequence of int
            Predictions per 30 s to read out as stages.
        kinds : sequence of str, optional
            Kind of each channel; needed unless the network is channel-agnostic.
        densities : sequence of int
            Predictions per 30 s to read out as probabilities too.

        Raises
        ------
        RecordingError
            If the network takes pairs of an EEG and an EOG channel, and there is none.
        """
        wanted = Wanted(resolutions, hypnodensity_steps, densities, self._abstain_below)
        signals = x if isinstance(x, Signals) else Signals(list(np.ascontiguousarray(x, np.float32)))
        self._check_memory(signals)
        subsets = self._views(len(signals), kinds)
        voters = self._voters([signals.channels(rows) for rows in subsets], wanted.read_out)
        return combine(voters, self.temperatures * len(subsets), wanted, vote=not self.channel_agnostic)

    @torch.inference_mode()
    def _voters(self, subsets: Sequence[Signals], wanted: Sequence[int]) -> Iterator[dict[int, Tensor]]:
        """Yield the logits that each checkpoint gives to each subset: predictions per epoch → (step, stage).

        Those of one are held at a time.
        """
        for signals in subsets:
            for model in self._models:
                yield model.night(signals, wanted)

    def _check_memory(self, signals: Signals) -> None:
        """Say how much memory a long night will take; RecordingError where there is not as much.

        A GPU's memory is its own affair.
        """
        if self._device.type != "cpu":
            return
        n_channels = len(signals) if self.channel_agnostic else 2
        needed = max(model.bytes_of_night(n_channels, signals.n_samples) for model in self._models)
        hours, free = signals.n_samples / RATE_HZ / 3600, available_bytes()
        what = f"{hours:.1f} h of {len(signals)} channels take about {needed / 1e9:.1f} GB of memory to score"
        if needed > free:
            raise RecordingError(
                f"{what}, and {free / 1e9:.1f} GB are free",
                hint="score it on a machine with more, name fewer channels, cut it into nights, or take a network "
                "that sees a night in parts (anysleep)",
            )
        if needed > LARGE_BYTES:
            log.info("%s", what)

    def _views(self, n_channels: int, kinds: Sequence[Kind] | None) -> list[list[int]]:
        if self.channel_agnostic:
            return [list(range(n_channels))]
        if kinds is None or len(kinds) != n_channels:
            raise ValueError(f"the network takes an EEG and an EOG channel: kinds of {n_channels} channels are needed")
        return [*views(self._models[0], kinds)]


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
