"""Which channels enter which cell: hand-made montages."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import comb

import numpy as np
import pytest

from hypnoflow.config.evaluate import Subsets
from hypnoflow.subsets.choose import ALL, PAIRED, Montage, choose_subsets, count_subsets, pair_channel, pair_subsets

SIX = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")


def montage(*eeg: str, eog: tuple[str, ...] = ("E1-M2",)) -> Montage:
    labels = (*eeg, *eog)
    parts = [label.partition("-") for label in labels]
    kinds = ("eeg",) * len(eeg) + ("eog",) * len(eog)
    return Montage(kinds, labels, tuple(p[0] for p in parts), tuple(p[2] for p in parts))


def count(found: Montage, draws: int = 10**6, most_eeg: int = 6, seed: int = 1):
    return count_subsets(found, Subsets(kind="count", draws=draws, most_eeg=most_eeg), np.random.default_rng(seed))


def test_all_subsets_of_six_channels_and_one_eog_are_there_once():
    cells = Counter(s.cell for s in count(montage(*SIX)))
    wanted = {f"{n} EEG": comb(6, n) for n in range(1, 7)}
    wanted |= {f"{n} EEG + 1 EOG": comb(6, n) for n in range(1, 7)} | {"1 EOG": 1, ALL: 1}
    assert cells == wanted


def test_every_subset_has_as_many_channels_of_each_kind_as_its_cell_says():
    wide = montage(*SIX, "Fz-M1", "Cz-M1", eog=("E1-M2", "E2-M2"))
    for subset in count(wide, draws=5):
        assert list(subset.channels) == sorted(set(subset.channels))
        kinds = Counter(wide.kinds[i] for i in subset.channels)
        assert (kinds["eeg"], kinds["eog"]) == (subset.n_eeg, subset.n_eog)
        if subset.cell != ALL:
            parts = [f"{n} {kind}" for n, kind in ((subset.n_eeg, "EEG"), (subset.n_eog, "EOG")) if n]
            assert subset.cell == " + ".join(parts)


def test_six_eeg_holds_six_channels_and_never_fewer():
    """A defect of the published ablation: channels drawn with replacement and then made distinct."""
    subsets = count(montage(*SIX, "Fz-M1", "Cz-M1"), draws=20)
    assert {len(s.channels) for s in subsets if s.cell == "6 EEG"} == {6}


@pytest.mark.parametrize("eeg, eog", [(SIX[:5], ("E1-M2",)), (SIX, ())])
def test_a_recording_that_cannot_fill_every_cell_is_in_none(eeg, eog):
    assert count(montage(*eeg, eog=eog)) == []


def test_drawn_subsets_are_distinct_and_as_many_as_asked():
    cells = Counter(s.cell for s in count(montage(*SIX, eog=("E1-M2", "E2-M2")), draws=7))
    assert cells == {
        ALL: 1, "1 EOG": 2, "6 EEG": 1, "6 EEG + 1 EOG": 2, "1 EEG": 6, "5 EEG": 6,
        **{f"{n} EEG": 7 for n in (2, 3, 4)}, **{f"{n} EEG + 1 EOG": 7 for n in range(1, 6)},
    }  # fmt: skip
    for n in (2, 3, 4):
        drawn = [s.channels for s in count(montage(*SIX), draws=7) if s.cell == f"{n} EEG"]
        assert len(set(drawn)) == 7


def test_draws_depend_on_the_generator_alone_and_are_uniform():
    wide = montage(*SIX)
    assert count(wide, 4, seed=5) == count(wide, 4, seed=5)
    assert count(wide, 4, seed=5) != count(wide, 4, seed=6)
    rng, options = np.random.default_rng(7), Subsets(kind="count", draws=3)
    drawn = Counter(s.channels for _ in range(1000) for s in count_subsets(wide, options, rng) if s.cell == "2 EEG")
    assert set(drawn) == set(combinations(range(6), 2))
    expected = 3000 / 15
    assert max(abs(n - expected) for n in drawn.values()) < 5 * np.sqrt(expected)


def test_pair_matrix_has_the_triangle_once_and_single_channels_on_the_diagonal():
    subsets = pair_subsets(montage(*SIX))
    assert [(s.first, s.second) for s in subsets] == [(a, b) for i, a in enumerate(PAIRED) for b in PAIRED[i:]]
    assert all(len(s.channels) == (1 if s.first == s.second else 2) for s in subsets)
    by_cell = {s.cell: s for s in subsets}
    assert by_cell["C4 + O1"].channels == (3, 4)
    assert by_cell["EOG + F3"].channels == (0, 6)
    assert (by_cell["EOG + F3"].n_eeg, by_cell["EOG + F3"].n_eog) == (1, 1)
    assert (by_cell["C3"].channels, by_cell["C3"].n_eeg) == ((2,), 1)


def test_eog_with_itself_is_one_eog_whatever_the_recording_has():
    for eog in (("E1-M2",), ("E1-M2", "E2-M2"), ("E2-M1", "E1-M2", "EOG")):
        cell = next(s for s in pair_subsets(montage(*SIX, eog=eog)) if s.cell == "EOG")
        assert (cell.channels, cell.n_eog, cell.n_eeg) == ((6,), 1, 0)


def test_a_recording_without_one_electrode_is_in_no_cell():
    assert pair_subsets(montage(*SIX[:5], "Cz-M1")) == []
    assert pair_subsets(montage(*SIX, eog=())) == []


def test_an_electrode_is_its_derivation_against_a_mastoid_before_others_and_the_first_of_equals():
    found = montage("F3-F4", "C3-Cz", "F3-M2", "F3-M1", "F3-O1", "O2-CLE", "O2-LER", eog=())
    assert pair_channel(found, "F3") == 2
    assert pair_channel(found, "C3") == 1
    assert pair_channel(found, "O2") == 5
    assert pair_channel(found, "F4") is None
    assert pair_channel(found, "EOG") is None


def test_options_choose_the_analyses():
    rng = np.random.default_rng(1)
    for kind, wanted in (("none", set()), ("count", {"count"}), ("pairs", {"pairs"}), ("all", {"count", "pairs"})):
        assert {s.analysis for s in choose_subsets(montage(*SIX), Subsets(kind=kind), rng)} == wanted
