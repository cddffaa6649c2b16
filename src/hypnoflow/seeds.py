"""Named random generators: every draw comes from the config's one seed and from a name that says what for."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a 32-bit seed that depends on `seed` and on every name, and on nothing else."""
    words = [zlib.crc32(str(name).encode()) for name in names]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator called `names` of this run.

    Two generators with different names are independent; adding one never moves the draws of another.
    """
    words = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))
