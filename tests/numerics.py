"""Comparisons of floating-point numbers that hold on every processor.

Which kernel computes a sum of products, and so in which order it is rounded, is chosen while a program runs: by the
processor's instructions, the number of threads, even the place of an array in memory. Right results in single precision
therefore differ by other amounts on each machine, and a tolerance that was found by trying holds where it was tried.
Numbers that such kernels gave are compared in one of these ways:

- exactly where nothing is rounded (integers, copies), or where the same code computes the same numbers again with the
  same number of threads on the same machine; the latter says nothing of two machines;
- in double precision (`in_double`) to 1e-9 or better, which no order of the sums in this suite can reach;
- in single precision within `rounding`, which is computed in double precision, or within so many `UNIT` as a closed
  form has roundings;
- stages where the exact scores are further apart than that (`assert_stages`): of two that are closer, either is right.

What is drawn is compared within its sampling error, which rounding does not come near.

The suite is expected to pass under each of these settings and any mixture of them, of which a processor knows some::

    (none)
    DNNL_MAX_CPU_ISA=AVX2, and SSE41
    ATEN_CPU_CAPABILITY=default, and avx2
    MKL_CBWR=COMPATIBLE
    OPENBLAS_CORETYPE=Haswell, and Sandybridge, Nehalem, Prescott
    NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4", or what numpy calls AVX2 and AVX-512
    OMP_NUM_THREADS=1, and 2

such as ``DNNL_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default OMP_NUM_THREADS=1 pytest tests/unit tests/contract``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hypnoflow.models.contract import Batch, Classifier

UNIT = 2.0**-24  # single precision: the most by which one rounding moves a number, as a share of it
LAMBDA = 4  # in units of the expected size of a sum of roundings

# What rounds, and of how many terms each number that it gives is a sum.
TERMS: dict[str, Callable[[Any, Tensor], int]] = {
    "conv1d": lambda args, y: args[1][0].numel(),
    "linear": lambda args, y: args[1][0].numel(),
    "avg_pool1d": lambda args, y: args[0].numel() // y.numel(),
    "mean": lambda args, y: args[0].numel() // y.numel(),
    **dict.fromkeys(("batch_norm", "elu", "relu", "tanh", "softmax", "einsum"), lambda args, y: 1),
}


class _Rounded(TorchFunctionMode):
    """Moves every result by what rounding in single precision would, up or down by lot; alike at all times."""

    def __init__(self, seed: int):
        super().__init__()
        self._random = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        y = func(*args, **(kwargs or {}))
        terms = TERMS.get(getattr(func, "__name__", ""))
        if terms is None or not y.numel():
            return y
        shape = (*y.shape[:-1], 1) if y.dim() == 3 else y.shape  # (row, feature, sample), or (row, feature)
        signs = 2 * torch.randint(0, 2, shape, generator=self._random) - 1
        return y * (1 + UNIT * terms(args, y) ** 0.5 * signs)


def rounding(compute: Callable[[], Tensor], draws: int = 3) -> float:
    """Return how far any single-precision way of computing may lie from the exact result.

    `compute` is run in double precision, and again with each of its layers' results moved by as much as a sum of that
    many terms is by single-precision rounding: sqrt(n) units for n terms in whatever order (Higham & Mary 2019, doi
    10.1137/18M1226312, where `LAMBDA` 4 is exceeded with a probability of 7e-4). The error of a sum is the
    same for all samples, as is that of a rounded coefficient, so that no mean over samples makes it small. Nothing in
    this depends on the machine.

    Parameters
    ----------
    compute : callable
        Gives the result in double precision from layers called by torch's functions, not in place.

    Returns
    -------
    float
        `LAMBDA` times the largest difference that the moved layers made, over all numbers and draws.
    """
    exact, found = compute(), 0.0
    assert exact.dtype == torch.float64
    for seed in range(draws):
        with _Rounded(seed):
            found = max(found, float((compute() - exact).abs().max()))
    assert found > 0
    return LAMBDA * found


def in_double(model: Any) -> Any:
    """Return a copy of a network whose weights are the same numbers in double precision."""
    return deepcopy(model).double()


def assert_stages(found: ArrayLike, scores: ArrayLike, bound: float, least: float = 0.95) -> None:
    """Assert that stages are those of exact scores wherever rounding cannot have changed them, which is nearly all.

    Parameters
    ----------
    found : array_like of int, shape (..., step)
    scores : array_like of float64, shape (..., step, stage)
    bound : float
        How far a score in single precision may lie from the exact one.
    least : float
        Share of the steps whose best score must lead by more than twice `bound`: else little is compared.
    """
    sure = leads_by(scores, 2 * bound)
    assert sure.mean() >= least
    np.testing.assert_array_equal(np.asarray(found)[sure], np.asarray(scores).argmax(-1)[sure])


def leads_by(scores: ArrayLike, margin: float) -> NDArray[np.bool_]:
    """Return where the best of the scores, shape (..., stage), leads by more than `margin`."""
    two = np.partition(np.asarray(scores, np.float64), -2, axis=-1)[..., -2:]
    return two[..., 1] - two[..., 0] > margin


IN_DOUBLE = """
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder


class InDouble(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "hypnoflow.models.contract":
            return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            import torch

            execute(module)
            torch.set_default_dtype(torch.float64)
            forward = module.Classifier.forward

            def in_double(self, x, *how):
                return forward(self, x._replace(x=x.x.double()) if isinstance(x, module.Batch) else x.double(), *how)

            module.Classifier.forward = in_double

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, InDouble())
"""


def programs_in_double(folder: Path) -> dict[str, str]:
    """Return an environment in which this package's programs train and score in double precision."""
    (folder / "sitecustomize.py").write_text(IN_DOUBLE, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


@contextmanager
def training_in_double() -> Iterator[None]:
    """Let networks made in this process train and score in double precision."""
    before, forward = torch.get_default_dtype(), Classifier.forward
    torch.set_default_dtype(torch.float64)

    def doubled(self: Any, x: Any, *how: Any) -> Tensor:
        return forward(self, x._replace(x=x.x.double()) if isinstance(x, Batch) else x.double(), *how)

    Classifier.forward = doubled
    try:
        yield
    finally:
        torch.set_default_dtype(before)
        Classifier.forward = forward


class _InDouble(nn.Module):
    """A network that scores in double precision whatever it is given."""

    def __init__(self, model: Any):
        super().__init__()
        self._exact = in_double(model)

    def logits(self, x: Tensor, present: Any, steps_per_epoch: Any) -> dict[int, Tensor]:
        return self._exact.logits(x.double(), None, steps_per_epoch)

    def night(self, signals: Any, steps_per_epoch: Any) -> dict[int, Tensor]:
        return {f: logits[0] for f, logits in self.logits(signals.tensor()[None], None, steps_per_epoch).items()}

    def bytes_of_night(self, n_channels: int, n_samples: int) -> int:
        return 0


def scoring_in_double(scorer: Any) -> Any:
    """Return a `Scorer` after its networks were replaced by the same ones in double precision."""
    scorer._models = [_InDouble(model) for model in scorer._models]
    return scorer
