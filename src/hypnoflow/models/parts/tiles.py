"""A U-Net of this family over one whole night, not approximated, in the memory of a few levels of one channel.

The first `TOP` levels hold nearly all of the samples and little of the arithmetic. They are computed tile by tile, each
tile with so much of its surroundings (`halo`) that its inside is what the whole night would give, and computed again
when the decoder needs them, instead of being kept. The levels below are small and computed at once. Features lie as
(time, feature), which the convolutions of few features are twice as fast in.

The weights of channels are those of the whole night, and only the order of sums and the kernels that compute them
differ from the plain network. Both are chosen by the machine that runs it: in single precision, logits of two machines,
or of the two ways on one, differ by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.lib.introspect import opt_func_info
from torch import Tensor
from torch.nn import functional as F

from hypnoflow.models.contract import pool_width

TOP = 5  # levels computed in tiles; their lengths are even, as that of an epoch is down to level 8
TILE = 8 * 3840  # samples at 128 Hz
PERIODS = 256  # repetitions of a feature vector that are applied at once
HALF = 4  # samples to either side that a convolution of width 9 sees
LANES = 16  # numbers of single precision in a vector register
ROWS = 8  # output samples of the first convolution that one row of its product gives


@cache
def _numpy_is_faster() -> bool:
    """Whether numpy's expm1 uses this processor's vector registers: then it is four times as fast as torch's ELU.

    Without them it is as much slower. Both are right to the last bit or two but not equal, so that nothing that
    another process has a say in may decide: not a clock.
    """
    ways = opt_func_info(func_name="^expm1$", signature="float32")
    return any(not way["current"].startswith("baseline") for each in ways.values() for way in each.values())


def elu_(x: Tensor) -> Tensor:
    """Apply ELU in place."""
    if x.dtype != torch.float32 or not _numpy_is_faster():
        return F.elu_(x)
    values = x.numpy()
    below = np.minimum(values, 0)
    np.maximum(values, np.expm1(below, out=below), out=values)
    return x


def tanh_(x: Tensor) -> Tensor:
    """Apply tanh in place; numpy's is several times faster than torch's."""
    values = x.numpy()
    np.tanh(values, out=values)
    return x


def halo(top: int = TOP) -> int:
    """Return how many samples around a tile its inside depends on, given what the level below `top` yields.

    Every convolution spoils `HALF` samples at a border, pooling halves what is spoilt and repeating doubles it; the
    kernel of 2 after repeating spoils one more.
    """
    spoilt = [HALF]
    for _ in range(1, top):
        spoilt.append(-(-spoilt[-1] // 2) + HALF)
    up = 0
    for level in reversed(range(top)):
        up = max(2 * up + 1, spoilt[level]) + HALF
    unit = max(2**top, ROWS)
    return -(-up // unit) * unit


@dataclass(frozen=True, slots=True)
class Affine:
    """Batch norm with fixed statistics: scale and shift, each repeated `PERIODS` times."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, norm: Any) -> Affine:
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        return cls(scale.repeat(PERIODS), shift.repeat(PERIODS))

    def __call__(self, x: Tensor) -> Tensor:
        """Apply to `x`, shape (time, feature), in place."""
        n = len(x) // PERIODS * PERIODS
        head, tail = x[:n].view(-1, len(self.scale)), x[n:].view(-1)
        torch.addcmul(self.shift, head, self.scale, out=head)
        torch.addcmul(self.shift[: len(tail)], tail, self.scale[: len(tail)], out=tail)
        return x


@dataclass(frozen=True, slots=True)
class Block:
    """Convolution of width 9, ELU, batch norm.

    With few outputs most of a vector register would stay empty: then two neighbours in time are taken as one sample
    of twice the features, which `paired` holds the weights for.
    """

    weight: Tensor
    paired: Tensor | None
    bias: Tensor
    norm: Affine

    @classmethod
    def of(cls, block: Any) -> Block:
        conv, _, norm = block
        n_out, n_in, width = conv.weight.shape
        paired = None
        if n_out <= LANES // 2:
            both = conv.weight.new_zeros(2, n_out, width // 2 + 1, 2, n_in)  # output, of it, pair, sample of it, input
            taps = conv.weight.permute(2, 0, 1)
            for i, tap in product(range(2), range(width)):
                both[i, :, (i + tap) // 2, (i + tap) % 2] = taps[tap]
            paired = both.flatten(3).flatten(0, 1).permute(0, 2, 1).unsqueeze(2)
            paired = paired.contiguous(memory_format=torch.channels_last)
        weight = conv.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return cls(weight, paired, conv.bias, Affine.of(norm))

    def __call__(self, x: Tensor) -> Tensor:
        """Return (time, feature) of (time, feature); beyond the ends lie zeros."""
        n = len(x)
        if self.paired is None or n % 2:
            y = _as_rows(F.conv2d(_as_image(x), self.weight, self.bias, padding=(0, HALF)))
        else:
            pairs = _as_image(x.view(n // 2, -1))
            y = _as_rows(F.conv2d(pairs, self.paired, self.bias.repeat(2), padding=(0, HALF // 2))).view(n, -1)
        return self.norm(elu_(y))


@dataclass(frozen=True, slots=True)
class First:
    """The `Block` of a single signal, as a product of overlapping rows of the signal."""

    weight: Tensor
    bias: Tensor
    norm: Affine

    @classmethod
    def of(cls, block: Any) -> First:
        conv, _, norm = block
        n_out, _, width = conv.weight.shape
        weight = conv.weight.new_zeros(ROWS + width - 1, ROWS, n_out)
        for i in range(ROWS):
            weight[i : i + width, i] = conv.weight[:, 0].T
        return cls(weight.flatten(1), conv.bias.repeat(ROWS), Affine.of(norm))

    def __call__(self, x: Tensor) -> Tensor:
        """Return (time, feature) of a signal, shape (time,), whose length `ROWS` divides."""
        around = F.pad(x, (HALF, HALF))
        rows = around.as_strided((len(x) // ROWS, len(self.weight)), (ROWS, 1))
        y = torch.addmm(self.bias, rows, self.weight).view(len(x), -1)
        return self.norm(elu_(y))


@dataclass(frozen=True, slots=True)
class Doubled:
    """Repeat every sample, then convolution of width 2, ELU, batch norm: both outputs of a sample by one product."""

    weight: Tensor
    bias: Tensor
    norm: Affine

    @classmethod
    def of(cls, block: Any) -> Doubled:
        _, conv, _, norm = block
        now, later = conv.weight[:, :, 0].T, conv.weight[:, :, 1].T
        even = torch.cat([now + later, torch.zeros_like(later)])
        weight = torch.cat([even, torch.cat([now, later])], dim=1)
        return cls(weight, conv.bias.repeat(2), Affine.of(norm))

    def __call__(self, x: Tensor) -> Tensor:
        """Return (2 * time, feature) of (time, feature)."""
        n, width = x.shape
        y = x.new_empty(n, len(self.bias))
        pairs = x.as_strided((n - 1, 2 * width), (width, 1), x.storage_offset())
        torch.addmm(self.bias, pairs, self.weight, out=y[:-1])
        torch.addmv(self.bias, self.weight[:width].T, x[-1], out=y[-1])  # beyond the end lies zero
        return self.norm(elu_(y.view(2 * n, -1)))


@dataclass(frozen=True, slots=True)
class Linear:
    """Convolution of width 1."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, conv: Any) -> Linear:
        return cls(conv.weight[:, :, 0].T.contiguous(), conv.bias)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (time, feature) of (time, feature)."""
        return torch.addmm(self.bias, x, self.weight)


@dataclass(frozen=True, slots=True)
class Head:
    """The segment classifier: one product and tanh per sample, then a mean and two small layers per step."""

    dense: Linear
    hidden: Linear
    last: Linear

    @classmethod
    def of(cls, classifier: Any) -> Head:
        dense, _, _, hidden, _, last = classifier
        return cls(*map(Linear.of, (dense, hidden, last)))

    def steps(self, x: Tensor, steps_per_epoch: Sequence[int]) -> dict[int, Tensor]:
        """Return {f: logits, shape (step, stage)} of features, shape (time, feature)."""
        x = tanh_(self.dense(x))
        means = _means(x, sorted(pool_width(f) for f in steps_per_epoch))
        return {f: self.last(elu_(self.hidden(means[pool_width(f)]))) for f in steps_per_epoch}


def _means(x: Tensor, widths: Sequence[int]) -> dict[int, Tensor]:
    """Return {width: means over that many rows, shape (step, feature)}, each from the widest that divides it."""
    means = {1: x}
    for width in widths:
        if width not in means:
            part = max(w for w in means if width % w == 0)
            n, ratio = len(x) // width, width // part
            means[width] = means[part][: n * ratio].view(n, ratio, -1).mean(1)
    return means


def _as_image(x: Tensor) -> Tensor:
    return x[None, None].permute(0, 3, 1, 2)  # (1, feature, 1, time), features next to each other in memory


def _as_rows(y: Tensor) -> Tensor:
    return y.permute(0, 2, 3, 1)[0, 0]


def halved(x: Tensor) -> Tensor:
    """Return the larger of each two neighbours, shape (time / 2, feature)."""
    pairs = x.view(len(x) // 2, 2, -1)
    return torch.maximum(pairs[:, 0], pairs[:, 1])


@dataclass(frozen=True, slots=True)
class Tile:
    """Samples `start` to `stop` of the night, read with their surroundings `low` to `high`."""

    start: int
    stop: int
    low: int
    high: int

    def inside(self, x: Tensor, factor: int = 1) -> Tensor:
        """Cut the surroundings from rows at a rate `factor` times lower."""
        return x[(self.start - self.low) // factor : (self.stop - self.low) // factor]


def tiles(n: int, top: int = TOP, size: int = TILE) -> list[Tile]:
    """Cut a night of `n` samples into tiles."""
    around = halo(top)
    starts = range(0, n, size)
    return [Tile(s, min(s + size, n), max(s - around, 0), min(s + size + around, n)) for s in starts]


class TiledUNet:
    """The encoders, decoders and classifier of a network, prepared for (time, feature)."""

    def __init__(self, encoders: Any, connector: Any, decoders: Any, classifier: Any):
        first, *rest = [encoder.enc for encoder in encoders]
        self.encoders: list[Callable[[Tensor], Tensor]] = [First.of(first), *map(Block.of, rest)]
        self.connector = Block.of(connector)
        self.decoders = [(Doubled.of(decoder.dec1), Block.of(decoder.dec2)) for decoder in decoders]
        self.head = Head.of(classifier.segment_classifier)
        self.top = min(TOP, len(self.encoders))
        self.widths = [encoder.enc[0].out_channels for encoder in encoders]

    def encode_top(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the skips of the levels above `top`, and what goes on below them."""
        skips = []
        for encode in self.encoders[: self.top]:
            skips.append(encode(x))
            x = halved(skips[-1])
        return skips, x

    def encode_deep(self, x: Tensor) -> Iterable[Tensor]:
        """Yield the features of each level from `top` on, and of the connector."""
        for encode in self.encoders[self.top :]:
            skip = encode(x)
            if len(skip) % 2:
                skip = F.pad(skip, (0, 0, 1, 0))
            yield skip
            x = halved(skip)
        yield self.connector(x)

    def decode_deep(self, skips: list[Tensor]) -> Tensor:
        """Return the features at level `top` from the fused ones, which are used up."""
        x = skips.pop()
        for decoder in self.decoders[: len(self.encoders) - self.top]:
            x = self._decode(decoder, x, skips.pop())
        return x

    def decode_top(self, x: Tensor, skips: list[Tensor]) -> Tensor:
        """Return the features of every sample of a tile."""
        for decoder in self.decoders[len(self.encoders) - self.top :]:
            x = self._decode(decoder, x, skips.pop())
        return x

    @staticmethod
    def _decode(decoder: tuple[Doubled, Block], x: Tensor, skip: Tensor) -> Tensor:
        double, join = decoder
        x = double(x)
        excess = len(x) - len(skip)
        front = excess // 2 + excess % 2
        return join(torch.cat([skip, x[front : front + len(skip)]], dim=1))


class Workers:
    """Threads that work on tiles side by side, each on one core; one thread does without."""

    def __init__(self, n: int):
        self._pool = ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,)) if n > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Return the results in order; the first error is raised."""
        run = partial(_without_gradient, work)
        return [run(item) for item in items] if self._pool is None else list(self._pool.map(run, items))


def _without_gradient(work: Callable[[Any], Any], item: Any) -> Any:
    with torch.inference_mode():  # holds in one thread only
        return work(item)
