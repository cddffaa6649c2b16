"""A tiny training from stores to checkpoint, and what is said of files that are no checkpoints."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from sklearn.metrics import f1_score
from tests.contract.test_models import at_once
from tests.numerics import UNIT, in_double, rounding
from tests.tiny_training import NETWORK, PREPROCESSING, RUN, options, small, train, write_store

from hypnoflow.checkpoints.checkpoint import Trained, load_checkpoint, save_checkpoint
from hypnoflow.data.recordings import SignalReader, open_stored
from hypnoflow.errors import CheckpointError, CohortError
from hypnoflow.models import build_model, models
from hypnoflow.score.infer import Scorer
from hypnoflow.train.data import TrainingSet, load_training_set


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> TrainingSet:
    store = tmp_path_factory.mktemp("store") / "000.zarr"
    write_store(store, ["a", "b", "c"])
    a, b, c = (open_stored(store, "cohort", name, name) for name in "abc")
    return TrainingSet([a, b], [c], PREPROCESSING)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> tuple[Path, dict]:
    path = tmp_path_factory.mktemp("net") / "net.pt"
    return path, train(data, options(), RUN, seed=3, run_seed=1, out=path)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).model.state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


@pytest.fixture(scope="module")
def with_eog(tmp_path_factory) -> TrainingSet:
    store = tmp_path_factory.mktemp("pairs") / "000.zarr"
    write_store(store, ["a", "b", "c"], n_eog=1)
    a, b, c = (open_stored(store, "cohort", name, name) for name in "abc")
    return TrainingSet([a, b], [c], PREPROCESSING)


@pytest.mark.parametrize("name", models.names())
def test_training_twice_in_one_process_gives_identical_weights(with_eog, name, tmp_path):
    for k in (1, 2):
        train(with_eog, small(name), RUN, seed=3, run_seed=1, out=tmp_path / f"{k}.pt")
    assert same(weights(tmp_path / "1.pt"), weights(tmp_path / "2.pt"))


def test_a_network_of_pairs_learns_from_the_recordings_that_have_one(data, with_eog, tmp_path):
    both = TrainingSet([*data.train, *with_eog.train], [*data.valid, *with_eog.valid], PREPROCESSING)
    facts = train(both, options("usleep"), RUN, seed=3, run_seed=1, out=tmp_path / "net.pt")
    assert (facts["train_recordings"], facts["valid_recordings"]) == (2, 1)
    assert facts["calibration"]["n_epochs"] == 2 * 20  # each epoch of the one valid night, from each of its two pairs
    other = train(with_eog, options("usleep"), RUN, seed=3, run_seed=1, out=tmp_path / "other.pt")
    assert same(weights(tmp_path / "net.pt"), weights(tmp_path / "other.pt"))
    assert other["valid_macro_f1"] == facts["valid_macro_f1"]


def test_without_any_pair_of_eeg_and_eog_a_network_of_pairs_is_refused_before_anything_is_written(data, tmp_path):
    with pytest.raises(CohortError, match=r"none of 2 recordings of the train split has the channels EEG \+ EOG"):
        train(data, options("usleep"), RUN, seed=3, run_seed=1, out=tmp_path / "net.pt")
    assert list(tmp_path.iterdir()) == []


def test_validation_of_a_network_of_pairs_is_the_vote_of_scoring(with_eog, tmp_path):
    """What training reports is what `score` gives on the same night with the checkpoint that it kept.

    Both score it with the same code in the same process, so that the votes are the same ones.
    """
    facts = train(with_eog, options("usleep"), RUN, seed=3, run_seed=1, out=tmp_path / "net.pt")
    night = with_eog.valid[0]
    scorer = Scorer([tmp_path / "net.pt"], calibrate=False)
    stage = scorer.score(SignalReader().night(night), 1, [1]).stage[1]
    expected = f1_score(night.stage, stage, labels=range(5), average="macro", zero_division=0)
    assert facts["valid_macro_f1"] == pytest.approx(expected, abs=16 * UNIT)


@pytest.mark.parametrize("seed, run_seed", [(4, 1), (3, 2)])
def test_another_seed_or_run_gives_other_weights(data, trained, tmp_path, seed, run_seed):
    train(data, options(), RUN, seed=seed, run_seed=run_seed, out=tmp_path / "net.pt")
    assert not same(weights(tmp_path / "net.pt"), weights(trained[0]))


def test_cache_does_not_change_the_weights(data, trained, tmp_path):
    train(data, options(), RUN.model_copy(update={"cache_mb": 0}), seed=3, run_seed=1, out=tmp_path / "net.pt")
    assert same(weights(tmp_path / "net.pt"), weights(trained[0]))


def test_checkpoint_carries_config_classes_rate_preprocessing_and_seeds(trained):
    path, facts = trained
    found = load_checkpoint(path).facts
    assert (found["model"], found["network"], found["task"]) == ("anysleep", "anysleep", "stage")
    assert found["options"] == NETWORK.model_dump()
    assert found["classes"] == ["W", "N1", "N2", "N3", "R"]
    assert (found["input"]["rate_hz"], found["input"]["unit"]) == (128, "scaled")
    assert found["bases"] == {}
    assert found["preprocessing"] == PREPROCESSING
    assert (found["training"]["seed"], found["training"]["run_seed"]) == (3, 1)
    assert found["training"]["options"]["learning_rate"] == 1e-2
    assert found["training"] == facts
    assert 0 <= facts["valid_macro_f1"] <= 1
    assert {"torch", "hypnoflow"} <= set(found["provenance"])


def test_checkpoint_holds_the_best_epochs_weights_not_the_last(data, tmp_path):
    facts = train(data, options(max_rounds=6, patience=6), RUN, seed=3, run_seed=1, out=tmp_path / "net.pt")
    table = pd.read_csv(tmp_path / "net.csv")
    assert facts["valid_macro_f1"] == pytest.approx(table["valid_macro_f1"].max(), abs=16 * UNIT)
    model, held = in_double(load_checkpoint(tmp_path / "net.pt").model), data.valid[0]
    eeg = zarr.open_array(held.store, path=f"{held.recording}/eeg", mode="r")
    x = torch.from_numpy(eeg[:] * np.float32(held.channels[0].factor))[None].double()
    with torch.inference_mode():
        logits = at_once(model, x, 1)[0]
        bound = rounding(lambda: at_once(model, x, 1))
    likeliest = logits >= logits.amax(-1, keepdim=True) - 2 * bound
    possible = list(product(*(step.nonzero()[:, 0].tolist() for step in likeliest)))
    assert len(possible) <= 4  # rounding may decide one or two epochs, if any
    assert any(facts["valid_macro_f1"] == pytest.approx(f1_by_hand(held.stage, s), abs=16 * UNIT) for s in possible)


def f1_by_hand(truth, stage) -> float:
    counts = np.zeros((5, 5))
    np.add.at(counts, (truth, np.array(stage)), 1)
    occurring = counts.sum(0) + counts.sum(1)
    return (2 * counts.diagonal()[occurring > 0] / occurring[occurring > 0]).mean()


def test_training_learns_stages_that_a_sine_tells_apart(data, tmp_path):
    network = NETWORK.model_copy(update={"complexity": 0.5})
    more = options(updates_per_round=50, max_rounds=2, window_epochs=8, network=network)
    facts = train(data, more, RUN, seed=3, run_seed=1, out=tmp_path / "net.pt")
    assert facts["valid_macro_f1"] > 0.5  # chance: 0.2


def split_table(where: list[str]) -> pd.DataFrame:
    rows = [
        {"cohort": "c", "shard": "000", "recording": n, "person": n, "split": s}
        for n, s in zip("ab", where, strict=True)
    ]
    return pd.DataFrame(rows)


def harmonized(tmp_path: Path, second_clip: float = 20.0) -> Path:
    store = tmp_path / "h" / "c" / "000.zarr"
    write_store(store, ["a"])
    write_store(store, ["b"], clip_iqr=second_clip)
    store.with_suffix(".json").write_text('{"recordings": {"a": "", "b": ""}}')
    return tmp_path / "h"


def test_training_set_holds_the_persons_of_the_split_table(tmp_path):
    folder = harmonized(tmp_path)
    split_table(["train", "valid"]).to_parquet(tmp_path / "split.parquet")
    found = load_training_set(tmp_path / "split.parquet", folder, options())
    assert ([r.recording for r in found.train], [r.recording for r in found.valid]) == (["a"], ["b"])
    assert found.preprocessing == PREPROCESSING


def test_training_set_without_validation_persons_is_refused(tmp_path):
    folder = harmonized(tmp_path)
    split_table(["train", "test"]).to_parquet(tmp_path / "split.parquet")
    with pytest.raises(CohortError, match="no harmonized recording in the valid split"):
        load_training_set(tmp_path / "split.parquet", folder, options())


def test_recordings_harmonized_in_different_ways_do_not_mix(tmp_path):
    folder = harmonized(tmp_path, second_clip=10.0)
    split_table(["train", "valid"]).to_parquet(tmp_path / "split.parquet")
    with pytest.raises(CohortError, match="2 different ways"):
        load_training_set(tmp_path / "split.parquet", folder, options())


# --- files that are no checkpoints ---------------------------------------------------------------------------


def good(tmp_path: Path) -> dict:
    """Return the content of a sound checkpoint, to be spoilt."""
    torch.manual_seed(1)
    model = build_model("anysleep", **NETWORK.model_dump())
    path = tmp_path / "good.pt"
    save_checkpoint(
        path, Trained("anysleep", "anysleep", NETWORK), model.state_dict(), preprocessing=PREPROCESSING, training={}
    )
    return torch.load(path, weights_only=True)


def not_a_torch_file(path: Path, tmp_path: Path) -> None:
    path.write_text("onset_s,stage\n0,W\n")


def empty_file(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"")


def torn_file(path: Path, tmp_path: Path) -> None:
    torch.save(good(tmp_path), path)
    path.write_bytes(path.read_bytes()[:4000])


def torch_file_of_something_else(path: Path, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "optimizer": [1, 2]}, path)


def bare_tensor(path: Path, tmp_path: Path) -> None:
    torch.save(torch.zeros(3), path)


def pickled_code(path: Path, tmp_path: Path) -> None:
    torch.save(build_model("anysleep", **NETWORK.model_dump()), path)


def weights_of_another_size(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "options": {**NETWORK.model_dump(), "complexity": 0.5}}, path)


def weights_missing_a_tensor(path: Path, tmp_path: Path) -> None:
    content = good(tmp_path)
    content["state_dict"].pop("connector.0.weight")
    torch.save(content, path)


def unknown_network(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "network": "anyslep"}, path)


def unknown_network_option(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "options": {**NETWORK.model_dump(), "dept": 6}}, path)


def another_number_of_classes(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "classes": ["W", "R", "N1"]}, path)


def of_an_earlier_version(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "format": "hypnoflow checkpoint 1"}, path)


def weights_that_are_no_tensors(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "state_dict": [1, 2]}, path)


def weights_of_nan(path: Path, tmp_path: Path) -> None:
    content = good(tmp_path)
    content["state_dict"]["connector.0.bias"].fill_(torch.nan)
    torch.save(content, path)


def parts_of_another_kind(path: Path, tmp_path: Path) -> None:
    torch.save({**good(tmp_path), "model": 3, "network": None, "preprocessing": [1]}, path)


def parts_missing(path: Path, tmp_path: Path) -> None:
    torch.save({"format": good(tmp_path)["format"]}, path)


SPOILERS = [
    (not_a_torch_file, "is not a PyTorch file"),
    (empty_file, "is not a PyTorch file: it is empty"),
    (torn_file, "it is cut off or damaged at 4000 bytes"),
    (torch_file_of_something_else, "not a hypnoflow checkpoint .*epoch, optimizer"),
    (bare_tensor, "not a hypnoflow checkpoint"),
    (pickled_code, "more than weights and plain values"),
    (weights_of_another_size, "the weights are not those of 'anysleep'"),
    (weights_missing_a_tensor, "the weights are not those of 'anysleep'"),
    (unknown_network, "unknown network 'anyslep'; did you mean 'anysleep'"),
    (unknown_network_option, "did you mean 'depth'"),
    (another_number_of_classes, "the weights are not those of 'anysleep'"),
    (of_an_earlier_version, "earlier version of hypnoflow .*train again"),
    (weights_that_are_no_tensors, "something else than tensors"),
    (weights_of_nan, "not finite numbers"),
    (parts_of_another_kind, "model, network, preprocessing cannot be read"),
    (parts_missing, "lacks model, network, options, classes, preprocessing, state_dict"),
]


@pytest.mark.parametrize("spoil, message", SPOILERS, ids=lambda x: getattr(x, "__name__", ""))
def test_file_that_is_no_usable_checkpoint_is_refused_in_one_clear_message(tmp_path, spoil, message):
    path = tmp_path / "bad.pt"
    spoil(path, tmp_path)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    lines = str(caught.value).splitlines()
    assert "bad.pt" in lines[0]
    assert len(lines) == (2 if spoil is unknown_network_option else 1)
    assert len(str(caught.value)) < 600


def test_missing_checkpoint_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*absent\.pt"):
        load_checkpoint(tmp_path / "absent.pt")


@pytest.mark.parametrize("spoil", [not_a_torch_file, weights_of_another_size])
def test_score_with_such_a_file_exits_1_with_one_message_and_no_traceback(tmp_path, spoil):
    path = tmp_path / "bad.pt"
    spoil(path, tmp_path)
    program = Path(sys.executable).parent / "hypnoflow"
    command = [str(program), "score", str(tmp_path / "night.edf"), "--model", str(path), "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert "bad.pt" in run.stderr
    assert not (tmp_path / "out").exists()
