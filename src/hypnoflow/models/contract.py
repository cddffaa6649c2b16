"""The contract that every network keeps: what it reads, learns by and scores, and what its checkpoint holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, Literal, NamedTuple, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypnoflow.config.section import Section
from hypnoflow.errors import RecordingError
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.types import EPOCH_S, EPOCH_SAMPLES, RATE_HZ, SCORED_KINDS, STAGES, UNSCORED, Kind

# Else oneDNN, which computes convolutions, may take kernels whose threads add in the order in which they come.
torch.backends.mkldnn.set_flags(_deterministic=True)

FLOATS_HELD = 110  # for each sample of a night, by a U-Net of published size that sees it at once (80 to 113 measured)


View = tuple[int | None, ...]  # channels by their position; None where a slot stays empty


@dataclass(frozen=True, slots=True)
class Slot:
    """One channel that a network wants.

    kind : str
    labels : tuple of str
        Standard labels, the most wanted first; a channel of this kind with none of them comes after.
    required : bool
        Whether a recording without it cannot be used; else the slot stays empty.
    """

    kind: Kind
    labels: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Input:
    """What a network reads.

    kinds : tuple of str
        Kinds of channels, where there are no slots: any number of them, in any order.
    slots : tuple of Slot
        One channel each, in this order.
    every : bool
        Whether a recording is seen once for every way to fill the slots, and these vote (U-Sleep).
    rate_hz : float
    unit : {"scaled", "uV"}
        Robustly scaled as the stores hold it, or microvolts.
    window_epochs : int, optional
        Length of the windows that it takes, in training and in scoring; any without it.
    """

    kinds: tuple[Kind, ...] = SCORED_KINDS
    slots: tuple[Slot, ...] = ()
    every: bool = False
    rate_hz: float = RATE_HZ
    unit: Literal["scaled", "uV"] = "scaled"
    window_epochs: int | None = None

    @property
    def wanted_kinds(self) -> tuple[Kind, ...]:
        """Return the kinds of channels that are read, each once."""
        return tuple(dict.fromkeys(slot.kind for slot in self.slots)) if self.slots else self.kinds

    @property
    def needed(self) -> str:
        """Return in words which channels a recording needs."""
        if not self.slots:
            return f"any {' and '.join(map(str.upper, self.kinds))}"
        slots = " + ".join(slot.kind.upper() if slot.required else f"({slot.kind.upper()})" for slot in self.slots)
        return f"{slots}, every way to fill them" if self.every else slots

    def views(self, channels: Sequence[tuple[Kind, str]]) -> list[View]:
        """Return the sets of channels that the network sees one after the other, as positions in `channels`.

        Parameters
        ----------
        channels : sequence of (kind, label)
            A recording's.

        Raises
        ------
        RecordingError
            If a channel is missing that is required.

        Examples
        --------
        >>> pairs = Input(slots=(Slot("eeg"), Slot("eog")), every=True)
        >>> pairs.views([("eeg", "C3-M2"), ("eeg", "C4-M1"), ("eog", "E1-M2")])
        [(0, 2), (1, 2)]
        """
        if not self.slots:
            found = tuple(i for i, (kind, _) in enumerate(channels) if kind in self.kinds)
            if not found:
                raise RecordingError(f"the network takes {' and '.join(self.kinds)} channels; found none")
            return [found]
        candidates = self.fitting(channels)
        if self.every:
            return [view for view in product(*candidates) if _distinct(view)]
        view: list[int | None] = []
        for slot, fitting in zip(self.slots, candidates, strict=True):
            free = next((i for i in fitting if i is None or i not in view), None)
            if free is None and slot.required:
                self._missing(slot, channels)
            view.append(free)
        return [tuple(view)]

    def fitting(self, channels: Sequence[tuple[Kind, str]]) -> list[list[int | None]]:
        """Return the channels that fit each slot, the most wanted first; raises as `views`."""
        return [self._candidates(slot, channels) for slot in self.slots]

    def _candidates(self, slot: Slot, channels: Sequence[tuple[Kind, str]]) -> list[int | None]:
        """Return the channels that fit a slot, the most wanted first; where none does, None if that is allowed."""
        fitting = [i for i, (kind, _) in enumerate(channels) if kind == slot.kind]
        order = {label: at for at, label in enumerate(slot.labels)}
        fitting.sort(key=lambda i: order.get(channels[i][1], len(order)))
        if not fitting and slot.required:
            self._missing(slot, channels)
        return [*fitting] or [None]

    def _missing(self, slot: Slot, channels: Sequence[tuple[Kind, str]]) -> NoReturn:
        wanted = " + ".join(each.kind.upper() for each in self.slots)
        there = ", ".join(f"{label} ({kind.upper()})" for kind, label in channels) or "none"
        raise RecordingError(
            f"the network takes {wanted}, and no {slot.kind.upper()} channel is left for it; found {there}",
            hint="score with one of the AnySleep networks, which take any EEG and EOG channels",
        )


def _distinct(view: View) -> bool:
    used = [i for i in view if i is not None]
    return len(set(used)) == len(used)


class Batch(NamedTuple):
    """Windows to learn from.

    x : Tensor, shape (window, channel, sample)
        In the network's unit and rate; zeros where a channel is missing or nothing was recorded.
    present : Tensor of bool, shape (window, channel)
        Which channels are there.
    labels : Tensor of int64, shape (window, label)
        Class of each label; `UNSCORED` where there is none. A label is 30 s or a part of it.
    steps_per_epoch : int
        Predictions per 30 s that are compared with the labels, as many or a multiple of them.
    """

    x: Tensor
    present: Tensor
    labels: Tensor
    steps_per_epoch: int


class Trainable(nn.Module, ABC):
    """What `train` needs of a network.

    Parameters
    ----------
    options : Section
        The network's own, of the class `Options`.
    n_classes : int
        Classes of the task; 0 where there is none.
    base : sequence of Trainable
        What it starts from, in the order of the entry's `base`.

    Attributes
    ----------
    Options : type of Section
        The network's options.
    recipe : mapping
        Options of training that it is published with; an entry's own come before, `science.train` after them.
    published : mapping
        Options of the size that was published, where this is not the default.
    bases : tuple of str
        Networks that it can start from; only its own kind where none is named.
    frozen_base : bool
        Whether `weights` leaves out what the base holds: whoever reads the checkpoint reads the base's again.
    source : str
        Where it was published.
    licence : str
        Of this implementation, and of weights that can be had for it.
    input : Input
        What it reads; see `reads`.

    Options, `recipe`, `published`, `bases`, `fine` and `any_channels` are read without torch, so that a config can be
    checked: plain values, or names that nothing of torch's is needed for.
    """

    Options: ClassVar[type[Section]]
    recipe: ClassVar[Mapping[str, Any]] = {}
    published: ClassVar[Mapping[str, Any]] = {}
    bases: ClassVar[tuple[str, ...]] = ()
    frozen_base: ClassVar[bool] = False
    source: ClassVar[str] = ""
    licence: ClassVar[str] = "MIT"
    input: Input = Input()

    def __init__(self, options: Section, n_classes: int = len(STAGES), base: Sequence[Trainable] = ()):
        super().__init__()
        self.options, self.n_classes, self.input = options, n_classes, self.reads(options)

    @classmethod
    def reads(cls, options: Any) -> Input:
        """Return what a network with these options reads: `input`, where that does not depend on them."""
        return cls.input

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, summed over scored labels; over windows where there are none to learn from."""

    def forward(self, x: Batch | Tensor) -> Tensor:
        """Return the loss of a batch; this is what wrappers for several devices and compilers see."""
        if not isinstance(x, Batch):
            raise TypeError(f"expected a Batch, found {type(x).__name__}")
        return self.loss(x)

    def weights(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps: all of it, unless the network has a `frozen_base`."""
        return self.state_dict()

    def start_from(self, base: Sequence[Trainable]) -> None:
        """Take over the weights of what the entry starts from: by default of one network of this very kind and size.

        Raises
        ------
        ValueError
            If that cannot be.
        """
        if not base:
            return
        [other] = base if len(base) == 1 else [None]
        if type(other) is not type(self) or other is None or other.options != self.options:
            found = ", ".join(f"{type(each).__name__} {each.options}" for each in base)
            own = f"{type(self).__name__} {self.options}"
            raise ValueError(f"{own} starts from one network of its own kind and size; found {found}")
        self.load_state_dict(other.state_dict())


class Classifier(Trainable):
    """What `score` needs of a network, besides.

    Attributes
    ----------
    fine : bool
        Whether it scores steps below 30 s; one that does not is never repeated to look finer.
    any_channels : bool
        Whether `input` has no slots, so that subsets of a recording's channels can be scored.
    """

    fine: ClassVar[bool] = True
    any_channels: ClassVar[bool] = True

    @abstractmethod
    def logits(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score once and read out at several resolutions.

        Parameters
        ----------
        x : Tensor, shape (window, channel, sample)
            As `input` says.
        present : Tensor of bool, shape (window, channel), optional
            Which channels are there; all without it.
        steps_per_epoch : sequence of int
            Predictions per 30 s; each must divide 3840, and be 1 unless the network is `fine`.

        Returns
        -------
        dict of int to Tensor, shape (window, step, class)
            A last step that is not whole is left out.
        """

    def forward(self, x: Batch | Tensor, steps_per_epoch: int = 1, present: Tensor | None = None) -> Tensor:
        """Return the loss of a batch; of signals the logits, shape (window, step, class), at one resolution."""
        return self.loss(x) if isinstance(x, Batch) else self.whole(x, present, [steps_per_epoch])[steps_per_epoch]

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy summed over scored labels; each is compared with the mean loss of its steps."""
        found = self.logits(batch.x, batch.present, [batch.steps_per_epoch])[batch.steps_per_epoch]
        return summed_cross_entropy(found, batch.labels)

    def night(self, signals: Signals, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score one whole night, see `logits`; a network that can do without all of it in memory overrides this.

        Returns
        -------
        dict of int to Tensor, shape (step, class)
        """
        device = next(self.parameters()).device
        x, present = signals.tensor().to(device), signals.present.to(device)
        return {f: found[0] for f, found in self.whole(x[None], present[None], steps_per_epoch).items()}

    def whole(self, x: Tensor, present: Tensor | None, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Score signals of any length, see `logits`: at once, or in windows of the one length that the network takes.

        These lie side by side, and every epoch is scored once: the last window ends where the signals do, and what is
        shorter than one window is followed by zeros.
        """
        wanted = self.input.window_epochs
        epoch = round(EPOCH_S * self.input.rate_hz)
        n_epochs = x.shape[-1] // epoch
        if wanted is None or n_epochs == wanted:
            return self.logits(x, present, steps_per_epoch)
        padded = F.pad(x, (0, max(wanted - n_epochs, 0) * epoch))
        found: dict[int, list[Tensor]] = {f: [] for f in steps_per_epoch}
        for first in range(0, n_epochs, wanted):
            begin = max(min(first, n_epochs - wanted), 0)
            window = padded[..., begin * epoch : (begin + wanted) * epoch]
            start, stop = first - begin, min(n_epochs - begin, wanted)  # epochs that no window before has
            for f, logits in self.logits(window, present, steps_per_epoch).items():
                found[f].append(logits[:, start * f : stop * f])
        return {f: torch.cat(parts, dim=1) for f, parts in found.items()}

    def bytes_of_night(self, n_channels: int, n_samples: int) -> int:
        """Return about how much memory `night` takes, bytes, for a forecast."""
        return 4 * n_samples * (n_channels + FLOATS_HELD)

    def subsets(
        self, x: Tensor, subsets: Sequence[Sequence[int]], steps_per_epoch: Sequence[int]
    ) -> Iterator[dict[int, Tensor]]:
        """Score from each of several sets of the channels of `x`, in order; see `logits`.

        Parameters
        ----------
        x : Tensor, shape (window, channel, sample)
        subsets : sequence of sequences of int
            Channels of `x`, at least one in each.
        """
        for subset in subsets:
            yield self.whole(x[:, list(subset)], None, steps_per_epoch)


def summed_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy summed over scored labels, and averaged over the steps of each.

    Divided by the number of scored labels in a whole batch it is the batch's loss, whatever parts the batch came in.

    Parameters
    ----------
    logits : Tensor, shape (window, step, class)
    labels : Tensor of int64, shape (window, label)
        Each stands for ``step / label`` steps in a row; `UNSCORED` is left out.
    """
    steps = logits.shape[1] // labels.shape[1]
    each = labels.repeat_interleave(steps, dim=1).flatten()
    return F.cross_entropy(logits.flatten(0, 1), each, ignore_index=UNSCORED, reduction="sum") / steps


def pool_width(steps_per_epoch: int) -> int:
    """Return how many samples one prediction covers.

    Raises
    ------
    ValueError
        If `steps_per_epoch` does not divide the 3840 samples of an epoch.
    """
    if steps_per_epoch < 1 or EPOCH_SAMPLES % steps_per_epoch:
        raise ValueError(f"steps_per_epoch must divide {EPOCH_SAMPLES}, found {steps_per_epoch}")
    return EPOCH_SAMPLES // steps_per_epoch
