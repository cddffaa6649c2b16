"""The U-Net of U-Sleep, which the early- and the late-fusion networks put their attention before and behind.

Sources: U-Sleep, Perslev et al. 2021, doi 10.1038/s41746-021-00440-5; AnySleep, arXiv 2512.14461.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hypnoflow.models.contract import Classifier, Trainable
from hypnoflow.models.parts.blocks import Decoder, Encoder, SegmentClassifier, conv_block, filter_counts
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.types import RATE_HZ

ATTENTION_FILTERS = 32
ATTENTION_KERNEL = 9


class UNet(Classifier):
    """Encoders, connector, decoders and classifier for a fixed number of signals; a network calls `initialise` last.

    Parameters
    ----------
    options, n_classes, base
        As for every network.
    n_in : int
        Signals that enter the first encoder together.
    """

    def __init__(self, options: UNetSize, n_classes: int, base: Sequence[Trainable], *, n_in: int):
        super().__init__(options, n_classes, base)
        *widths, bottom = filter_counts(options)
        downward, upward = [n_in, *widths], [bottom, *reversed(widths)]
        self.encoders = nn.ModuleList(Encoder(a, b) for a, b in zip(downward, widths, strict=False))
        self.connector = conv_block(widths[-1], bottom)
        self.decoders = nn.ModuleList(Decoder(a, b) for a, b in zip(upward, upward[1:], strict=False))
        self.segment_classifier = SegmentClassifier(widths[0], n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the last decoder's output, shape (row, n_in, sample) → (row, feature, sample)."""
        skips = []
        for encoder in self.encoders:
            skip, x = encoder(x)
            skips.append(skip)
        x = self.connector(x)
        for decoder in self.decoders:
            x = decoder(x, skips.pop())
        return x


class ConvAttention(nn.Module):
    """Scores signals by what a small convolutional network makes of them, one score per signal and output.

    Convolutions of 0.5 s at steps of 0.25 s, then of 9 steps, both without padding; their mean over time enters one
    perceptron per output. Signals must last 2.5 s (320 samples) or more.

    Parameters
    ----------
    n_features : int
        Features of each signal that is scored.
    hidden : int
        Hidden units of each perceptron.
    n_outputs : int
        Perceptrons.
    """

    def __init__(self, n_features: int, hidden: int, n_outputs: int):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(n_features, ATTENTION_FILTERS, RATE_HZ // 2, RATE_HZ // 4),
            nn.ELU(),
            nn.BatchNorm1d(ATTENTION_FILTERS),
            nn.Conv1d(ATTENTION_FILTERS, ATTENTION_FILTERS, ATTENTION_KERNEL),
        )
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(ATTENTION_FILTERS, hidden), nn.ELU(), nn.BatchNorm1d(hidden), nn.Linear(hidden, 1))
            for _ in range(n_outputs)
        )

    def score(self, x: Tensor) -> list[Tensor]:
        """Return the unnormalised weights of each row, shape (row, feature, sample) → one (row,) per output."""
        mean = self.encoder(x).mean(-1)
        return [mlp(mean).squeeze(-1) for mlp in self.mlps]
