"""One night through AnySleep: encoders channel by channel, weights of the whole night, decoder in tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hypnoflow.models.contract import pool_width
from hypnoflow.models.parts.blocks import ChannelAttention, RunningFusion
from hypnoflow.models.parts.night_signals import Signals
from hypnoflow.models.parts.tiles import Tile, TiledUNet, Workers, tiles

if TYPE_CHECKING:
    from hypnoflow.models.anysleep import AnySleep

Readout = Callable[[Tile, dict[int, Tensor]], None]  # what is done with the logits of a tile, {f: (step, stage)}
TOGETHER = 8  # subsets decoded side by side, for which the first levels are encoded once


class WholeNight:
    """A night's signals with the network that scores them; made for one call.

    Parameters
    ----------
    model : AnySleep
        In evaluation mode.
    signals : Signals
        Whole epochs.
    workers : Workers
        Threads for tiles.
    """

    def __init__(self, model: AnySleep, signals: Signals, workers: Workers):
        self._unet = TiledUNet(model.encoders, model.connector, model.decoders, model.segment_classifier)
        self._attention: list[ChannelAttention] = list(model.skip_connections)  # type: ignore[arg-type]
        self._signals, self._workers, self._n_classes = signals, workers, model.n_classes
        self._tiles = tiles(signals.n_samples, self._unet.top)

    def read_out(self, steps_per_epoch: Sequence[int], readout: Readout) -> None:
        """Score with all channels; `readout` gets every tile's logits, tiles in any order, from several threads."""
        fusions = [RunningFusion() for _ in self._attention[self._unet.top :]]
        scores = []
        for c in range(len(self._signals)):
            score, deep = self._encode(c)
            for fusion, (level_score, level) in zip(fusions, deep, strict=True):
                score.append(level_score)
                fusion.add(level[None], level_score)
            scores.append(torch.cat(score))
        weights = torch.stack(scores, dim=1).softmax(1)
        below = self._unet.decode_deep([fusion.result()[0] for fusion in fusions])
        channels = range(len(self._signals))

        def work(tile: Tile) -> None:
            fused = _fused(self._tops(tile, channels), weights)
            readout(tile, self._decode(tile, below, fused, steps_per_epoch))

        self._workers.map(work, self._tiles)

    def score(self, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Return {f: logits, shape (step, stage)} with all channels."""
        out = self.empty(steps_per_epoch)
        self.read_out(steps_per_epoch, partial(write, out))
        return out

    def empty(self, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Return {f: logits to be written, shape (step, stage)}."""
        n, like = self._signals.n_samples, self._signals.part(0, 0, 1)
        return {f: like.new_empty(n // pool_width(f), self._n_classes) for f in steps_per_epoch}

    def attention(self) -> Tensor:
        """Return the weight of each channel at each level, shape (level, channel)."""
        scores = []
        for c in range(len(self._signals)):
            score, deep = self._encode(c)
            scores.append(torch.cat([*score, *(level_score for level_score, _ in deep)]))
        return torch.stack(scores, dim=1).softmax(1)

    def subsets(self, subsets: Sequence[Sequence[int]], steps_per_epoch: Sequence[int]) -> Iterator[dict[int, Tensor]]:
        """Yield {f: logits, shape (step, stage)} for each subset of the channels; each channel is encoded once."""
        kept = []
        for c in range(len(self._signals)):
            score, deep = self._encode(c)
            deep_scores, levels = zip(*deep, strict=True)
            kept.append((torch.cat([*score, *deep_scores]), levels))
        for first in range(0, len(subsets), TOGETHER):
            yield from self._some_subsets(subsets[first : first + TOGETHER], kept, steps_per_epoch)

    def _some_subsets(
        self, subsets: Sequence[Sequence[int]], kept: list[tuple[Tensor, tuple[Tensor, ...]]], steps: Sequence[int]
    ) -> Iterator[dict[int, Tensor]]:
        weights = [torch.stack([kept[c][0] for c in subset], dim=1).softmax(1) for subset in subsets]
        below = [
            self._unet.decode_deep(_fused([kept[c][1] for c in subset], w[self._unet.top :]))
            for subset, w in zip(subsets, weights, strict=True)
        ]
        outs = [self.empty(steps) for _ in subsets]
        used = sorted({c for subset in subsets for c in subset})

        def work(tile: Tile) -> None:
            tops = dict(zip(used, self._tops(tile, used), strict=True))
            for subset, w, deep, out in zip(subsets, weights, below, outs, strict=True):
                fused = _fused([tops[c] for c in subset], w)
                write(out, tile, self._decode(tile, deep, fused, steps))

        self._workers.map(work, self._tiles)
        yield from outs

    def _encode(self, c: int) -> tuple[list[Tensor], Iterator[tuple[Tensor, Tensor]]]:
        """Return one channel's scores at the first levels, shape (1,) each, and an iterator over the levels below.

        Of those it yields the score and the features, shape (time, feature).
        """
        unet, signal = self._unet, self._signals.part(c)
        n, factor = len(signal), 2**unet.top
        # Written in place: what every tile leaves behind would lie between freed tiles and keep their memory.
        below = signal.new_empty(n // factor, unet.widths[unet.top - 1])
        sums = [signal.new_empty(len(self._tiles), width, dtype=torch.float64) for width in unet.widths[: unet.top]]

        def work(numbered: tuple[int, Tile]) -> None:
            i, tile = numbered
            skips, x = unet.encode_top(signal[tile.low : tile.high])
            below[tile.start // factor : tile.stop // factor] = tile.inside(x, factor)
            for level, skip in enumerate(skips):
                sums[level][i] = tile.inside(skip, 2**level).sum(0)

        self._workers.map(work, enumerate(self._tiles))
        means = [(each.sum(0) / (n // 2**level)).to(signal.dtype) for level, each in enumerate(sums)]
        scores = [self._attention[level].score(mean[None, :, None]) for level, mean in enumerate(means)]
        self._signals.settle()
        deep = zip(self._attention[unet.top :], unet.encode_deep(below), strict=True)
        return scores, ((attention.score(level.T[None]), level) for attention, level in deep)

    def _tops(self, tile: Tile, channels: Sequence[int]) -> Iterator[list[Tensor]]:
        """Yield the first levels' features of a tile and its surroundings, for each channel."""
        for c in channels:
            yield self._unet.encode_top(self._signals.part(c, tile.low, tile.high))[0]
        self._signals.settle()

    def _decode(self, tile: Tile, below: Tensor, fused: list[Tensor], steps: Sequence[int]) -> dict[int, Tensor]:
        factor = 2**self._unet.top
        x = self._unet.decode_top(below[tile.low // factor : tile.high // factor], fused)
        return self._unet.head.steps(tile.inside(x), steps)


def _fused(channels: Iterable[Sequence[Tensor]], weights: Tensor) -> list[Tensor]:
    """Return each level's weighted sum over channels, taken one at a time; `weights`: shape (level, channel)."""
    total: list[Tensor] = []
    for c, levels in enumerate(channels):
        if not total:
            total = [x * weight for x, weight in zip(levels, weights[:, c], strict=False)]
            continue
        for fused, x, weight in zip(total, levels, weights[:, c], strict=False):
            fused.add_(x * weight)
    return total


def write(out: dict[int, Tensor], tile: Tile, logits: dict[int, Tensor]) -> None:
    """Put a tile's logits where they belong."""
    for f, part in logits.items():
        first = tile.start // pool_width(f)
        out[f][first : first + len(part)] = part
