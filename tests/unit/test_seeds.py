"""Named random generators."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hypnoflow.seeds import derive_seed, generator

NAMES = st.lists(st.one_of(st.text(max_size=8), st.integers(0, 99)), max_size=4)


def draws(*args) -> np.ndarray:
    return generator(*args).standard_normal(4000)


def test_same_seed_and_names_give_the_same_draws():
    assert np.array_equal(draws(1, "a", 2), draws(1, "a", 2))


def test_seed_names_their_order_and_their_number_all_matter():
    variants = [(1, "a", "b"), (2, "a", "b"), (1, "b", "a"), (1, "a"), (1, "a", "b", "c"), (1, "ab"), (1,)]
    first = [float(generator(*v).random()) for v in variants]
    assert len(set(first)) == len(variants)


def test_generators_of_different_names_are_uncorrelated():
    table = np.corrcoef([draws(1, "person", k) for k in range(8)])
    # 28 correlations of 4000 normal pairs have SD 1/sqrt(4000) = 0.016; five of these are never reached by chance
    assert np.abs(table[~np.eye(8, dtype=bool)]).max() < 5 / np.sqrt(4000)


def test_drawing_from_one_generator_does_not_move_another():
    before = draws(1, "b")
    generator(1, "a").random(1000)
    assert np.array_equal(before, draws(1, "b"))


@given(st.integers(0, 2**63), NAMES)
def test_derived_seeds_fit_32_bits_and_repeat(seed, names):
    first = derive_seed(seed, *names)
    assert 0 <= first < 2**32
    assert first == derive_seed(seed, *names)


def test_derived_seeds_of_a_thousand_names_do_not_collide():
    assert len({derive_seed(7, "train", k) for k in range(1000)}) == 1000


def test_draws_are_the_same_in_another_process():
    code = "from hypnoflow.seeds import generator; print(generator(3, 'x', 4).integers(10**12))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "12345"}
    )
    assert int(run.stdout) == int(generator(3, "x", 4).integers(10**12))
