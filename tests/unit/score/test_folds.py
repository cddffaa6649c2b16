"""Which of the networks of a cross-validation score a recording."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tiny_training import RUN, options, write_harmonized

from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.errors import CheckpointError
from hypnoflow.score.infer import Scorer
from hypnoflow.train import loop
from hypnoflow.train.data import load_training_set
from hypnoflow.train.training import How, Training

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    write_harmonized(folder)
    data = load_training_set(folder / "split.parquet", folder / "harmonized", options())
    for fold in (1, 2):
        loop.train(Training(data, options(), How(RUN, 1, fold, fold)), folder / f"seed1-fold{fold}.ckpt")
    return folder


def night(folder):
    store = folder / "harmonized" / "c" / "000.zarr"
    return SignalReader().night(open_stored(store, "c", "a", "a"))


def test_a_recording_is_scored_by_the_networks_that_left_its_fold_out(folder):
    paths = [folder / f"seed1-fold{fold}.ckpt" for fold in (1, 2)]
    every = Scorer(paths)
    assert every.folds == {1, 2}
    for fold, path in zip((1, 2), paths, strict=True):
        own = every.of_fold(fold)
        assert (own.paths, own.hashes, own.temperatures) == ([path], Scorer([path]).hashes, Scorer([path]).temperatures)
        alone = Scorer([path]).score(night(folder), 1)
        assert np.array_equal(own.score(night(folder), 1).probability, alone.probability)
    assert len(every.paths) == 2  # which of_fold leaves as it is
    assert every.of_fold(0) is every
    with pytest.raises(CheckpointError, match=r"without fold 3 \(folds left out: 1, 2\)"):
        every.of_fold(3)
