"""Folds by family: persons who belong together are never on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def grouped_folds(y: Floats, group: Integers, folds: int, rng: np.random.Generator) -> Integers:
    """Assign groups to folds, spread evenly over the target.

    Groups are sorted by their mean target and cut into strata: the classes, or as many neighbours as there are folds.
    Within a stratum the largest groups come first; each goes to the fold with the fewest persons of the stratum, then
    with the fewest persons altogether, then by chance.

    Parameters
    ----------
    y : ndarray, shape (person,)
        A number, or a class as 0 and 1.
    group : ndarray of int, shape (person,)

    Returns
    -------
    ndarray of int, shape (person,)
        Folds 0 to `folds` - 1; equal in size up to one person where nobody has a family.
    """
    names, member = np.unique(group, return_inverse=True)
    size = np.bincount(member)
    mean = np.bincount(member, weights=y) / size
    rank = np.argsort(np.lexsort((rng.random(len(names)), mean)))
    is_class = bool(np.isin(y, (0, 1)).all())
    stratum = (mean > 0.5).astype(int) if is_class else rank // folds
    total, fold = np.zeros(folds), np.empty(len(names), np.int64)
    for s in range(stratum.max() + 1):
        here = np.zeros(folds)
        members = np.flatnonzero(stratum == s)
        for g in members[np.lexsort((rng.random(len(members)), -size[members]))]:
            fold[g] = np.lexsort((rng.random(folds), total, here))[0]
            here[fold[g]] += size[g]
            total[fold[g]] += size[g]
    return fold[member]


def cohort_folds(cohort: NDArray[np.str_]) -> Integers:
    """Return the number of each person's cohort, in order of their names."""
    return np.unique(cohort, return_inverse=True)[1].astype(np.int64)
