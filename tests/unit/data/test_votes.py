"""A network of fixed channels scores every EEG-EOG pair, and the pairs vote; ties follow a rule."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import zarr
from tests.contract.test_models import unsettle
from tests.nights import as_night
from tests.numerics import rounding, scoring_in_double
from zarr.codecs import BloscCodec

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.config.score import Score
from hypnoflow.data.votes import Votes
from hypnoflow.errors import CheckpointError, RecordingError
from hypnoflow.models import build_model, models
from hypnoflow.models.contract import Classifier
from hypnoflow.models.parts.size import UNetSize
from hypnoflow.score.infer import Scorer
from hypnoflow.score.job import score_shard
from hypnoflow.store.scores import read_scores
from hypnoflow.store.store_files import start_store

NETWORK = UNetSize(depth=6, complexity=0.3, attention_hidden=4)
ABOUT = {"version": 1, "clip_iqr": 20.0}
LZ4 = BloscCodec(typesize=2, cname="lz4", shuffle="bitshuffle")

pytestmark = pytest.mark.usefixtures("one_thread")


def standardise(model: Classifier) -> None:
    """Give each stage's logits a mean of 0 and an SD of 1, so that all stages occur."""
    last = model.segment_classifier.segment_classifier[5]
    with torch.no_grad():
        logits = model(torch.from_numpy(night(2, 40))[None], 16)[0]
        last.weight /= logits.std(0)[:, None, None]
        last.bias -= logits.mean(0)
        last.bias /= logits.std(0)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two trainings of U-Sleep and one of AnySleep, whose weights are random."""
    folder = tmp_path_factory.mktemp("nets")
    paths = {}
    for k, (key, name) in enumerate({"one": "usleep", "two": "usleep", "any": "anysleep"}.items()):
        torch.manual_seed(k)
        model = unsettle(build_model(name, **NETWORK.model_dump()))
        standardise(model)
        paths[key] = folder / f"{key}.ckpt"
        save_checkpoint(paths[key], Trained(name, name, NETWORK), model.state_dict(), preprocessing=ABOUT, training={})
    return paths


def night(channels: int, epochs: int = 6) -> np.ndarray:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((channels, epochs * 3840)).astype(np.float32)
    return x * np.repeat(rng.uniform(0.2, 4, (channels, epochs)), 3840, axis=1).astype(np.float32)


def pairs_of(kinds):
    return models.get("usleep").input.views([(kind, "") for kind in kinds])


def test_every_eeg_is_paired_with_every_eog_and_comes_first():
    kinds = ["eog", "eeg", "emg", "eeg", "eog"]
    assert pairs_of(kinds) == [(1, 0), (1, 4), (3, 0), (3, 4)]


@pytest.mark.parametrize("kinds", [[], ["eeg", "eeg"], ["eog"], ["emg", "eog"]])
def test_no_pair_is_an_error_that_says_what_was_found(kinds):
    missing = "EEG" if "eeg" not in kinds else "EOG"
    found = ", ".join(f" ({kind.upper()})" for kind in kinds) or "none"
    with pytest.raises(RecordingError) as caught:
        pairs_of(kinds)
    assert f"takes EEG + EOG, and no {missing} channel is left for it; found {found}" in str(caught.value)


def vote(*voters: list[float]) -> tuple[int, list[float]]:
    """Return stage and probabilities of one step."""
    votes = Votes()
    for p in voters:
        votes.add(torch.tensor([p], dtype=torch.float64))
    return int(votes.stage), votes.probability[0].tolist()


def test_majority_wins_however_sure_the_others_are():
    stage, p = vote([0.4, 0.3, 0.3, 0, 0], [0.4, 0.3, 0.3, 0, 0], [0, 0, 1, 0, 0])
    assert stage == 0
    assert p == pytest.approx([0.8 / 3, 0.2, 1.6 / 3, 0, 0])


def test_tied_stage_of_higher_probability_wins_and_no_third():
    # W and N2 have a vote each; N1, which has none, is the most probable on average.
    assert vote([0.5, 0.4, 0.1, 0, 0], [0.02, 0.48, 0.5, 0, 0])[0] == 2
    assert vote([0.5, 0.4, 0.1, 0, 0], [0.2, 0.39, 0.41, 0, 0])[0] == 0


def test_stages_tied_in_votes_and_probability_go_by_their_order():
    assert vote([0, 0, 0, 0.75, 0.25], [0, 0, 0, 0.25, 0.75])[0] == 3
    assert vote([0, 0, 0, 0.25, 0.75], [0, 0, 0, 0.75, 0.25])[0] == 3


def test_recording_is_scored_by_the_vote_of_all_pairs_and_checkpoints(checkpoints):
    x, kinds, paths = night(5), ["eeg", "eeg", "eeg", "eog", "eog"], [checkpoints["one"], checkpoints["two"]]
    found = scoring_in_double(Scorer(paths)).score(as_night(x, kinds), 4, (1, 16))
    networks = []
    for k in (0, 1):
        state = torch.load(checkpoints[("one", "two")[k]], weights_only=True)["state_dict"]
        networks.append(build_model("usleep", **NETWORK.model_dump()).eval())
        networks[k].load_state_dict(state)
        networks[k].double()

    @torch.inference_mode()
    def by_hand(f):
        """Return probabilities, shape (voter, step, stage)."""
        pairs = [torch.from_numpy(x[[i, j]])[None].double() for i in (0, 1, 2) for j in (3, 4)]
        return torch.cat([model(pair, f).softmax(-1) for model in networks for pair in pairs])

    for f in (1, 4, 16):
        p = by_hand(f).numpy()
        if f == 4:
            np.testing.assert_allclose(found.probability, p.mean(0), atol=1e-9)
            single, bound = (
                Scorer(paths).score(as_night(x, kinds), 4, (1,)).probability,
                rounding(lambda: by_hand(4).mean(0)),
            )
            assert bound < 1e-3
            np.testing.assert_allclose(single, p.mean(0), rtol=0, atol=bound)
            continue
        for step, stage in enumerate(found.stage[f]):
            counts = np.bincount(p[:, step].argmax(-1), minlength=5)
            best = [c for c in range(5) if counts[c] == counts.max()]
            assert stage == max(best, key=lambda c, at=step: p[:, at, c].sum())
        assert found.stage[f].dtype == np.uint8
        assert len(found.stage[f]) == 6 * f


def test_the_scores_of_pairs_differ_so_that_the_vote_matters(checkpoints):
    x, scorer = night(3, 40), Scorer([checkpoints["one"]])
    one, two = (scorer.score(as_night(x[[i, 2]], ["eeg", "eog"]), 1, (16,)).stage[16] for i in (0, 1))
    assert 0 < np.mean(one != two) < 1


def test_order_of_channels_in_the_file_does_not_matter_as_long_as_kinds_are_told(checkpoints):
    x, scorer = night(4), scoring_in_double(Scorer([checkpoints["one"]]))
    a = scorer.score(as_night(x, ["eeg", "eog", "eeg", "eog"]), 1, (16,))
    order = [3, 2, 0, 1]
    b = scorer.score(as_night(x[order], ["eog", "eeg", "eeg", "eog"]), 1, (16,))
    np.testing.assert_array_equal(a.stage[16], b.stage[16])
    np.testing.assert_allclose(a.probability, b.probability, atol=1e-9)


def test_networks_of_both_sorts_are_not_averaged(checkpoints):
    with pytest.raises(
        CheckpointError,
        match="one.ckpt is usleep, and .*any.ckpt is anysleep: they read other channels.* score with each apart",
    ):
        Scorer([checkpoints["any"], checkpoints["one"]])


def write_store(path, recordings: dict[str, dict[str, int]]) -> None:
    """Write recordings of so many channels of each kind."""
    start_store(path, "r", of="c/h")
    for name, kinds in recordings.items():
        facts = {"preprocessing_version": 1, "clip_iqr": 20.0, "recipe": "r", "source_sha256": "s", "gaps_s": []}
        facts |= {"cohort": "c", "person": name, "simulated": True}
        group = zarr.open_group(path / name, mode="w", zarr_format=3, attributes=facts)
        for k, (kind, n) in enumerate(kinds.items()):
            x = np.round(night(2 + n)[k : k + n] * 1638).astype(np.int16)
            layout = {"chunks": (1, 38_400), "shards": (n, 38_400)}
            group.create_array(kind, data=x, attributes={"scale_factor": 20 / 32767}, compressors=LZ4, **layout)
        group.create_array("stage", data=np.full(6, 9, np.uint8))


def test_shard_is_scored_pairwise_and_a_recording_without_a_pair_stays_unscored(checkpoints, tmp_path, caplog):
    store, out = tmp_path / "h.zarr", tmp_path / "s.zarr"
    write_store(store, {"both": {"eeg": 2, "eog": 1}, "eeg only": {"eeg": 2}})
    score_shard(store, [checkpoints["one"]], out, Score(hypnodensity_steps=4), threads=1, device="cpu")
    assert "c/eeg only: the network takes EEG + EOG, and no EOG channel is left for it" in caplog.text
    both, none = (read_scores(out, name) for name in ("both", "eeg only"))
    assert set(none.stage[1]) == {9}
    assert np.isnan(none.probability).all()
    scale = np.float32(20 / 32767)
    group = zarr.open_group(store / "both", mode="r")
    x = np.concatenate([group[kind][:] for kind in ("eeg", "eog")]) * scale
    wanted = Scorer([checkpoints["one"]]).score(as_night(x, ["eeg", "eeg", "eog"]), 4)
    for f, stage in wanted.stage.items():
        np.testing.assert_array_equal(both.stage[f], stage)
    checkpoint = str(checkpoints["one"])
    assert list(json.loads(out.with_suffix(".json").read_text())["checkpoints"]) == [checkpoint]
