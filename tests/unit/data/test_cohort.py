"""A cohort opened as a whole: its table without a recording being opened, its recordings when they are asked for."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import zarr

import hypnoflow
from hypnoflow.data import cohort as cohort_module
from hypnoflow.errors import CohortError
from hypnoflow.store.manifest import read_manifest

PER_STORE = 50


def row(name: str, channels: str = "C3-M2 C4-M1 E1-M2") -> dict:
    """Return a QC row as `harmonize` writes it, the columns that matter here."""
    done = {"cohort": "made", "recording": name, "status": "ok", "reason": "", "hint": "", "path": f"{name}.edf"}
    return done | {"n_epochs": 2, "scored_share": 1.0, "channels": channels}


def write_store(folder: Path, shard: str, rows: list[dict]) -> Path:
    """Write a store of recordings of one EEG channel that holds one value, with zarr alone."""
    store = folder / f"{shard}.zarr"
    zarr.open_group(store, mode="w", zarr_format=3)
    done = [one["recording"] for one in rows if one["status"] == "ok"]
    for i, name in enumerate(done):
        person = {"person": f"p-{name}", "group": f"g-{name}", "visit": "1", "simulated": True}
        events = {key: [] for key in ("onset_s", "duration_s", "kind", "channel", "source")}
        if i == 0:
            group = zarr.open_group(store / name, mode="w", attributes={"recording": name, "events": events, **person})
            facts = {"channel": ["C3-M2"], "source": ["EEG"], "unit": ["uV"], "median_uv": [1.0], "iqr_uv": [10.0]}
            group.create_array(
                "eeg",
                data=np.full((1, 60 * 128), 1000, np.int16),
                dimension_names=("eeg_channel", "eeg_time"),
                attributes={"scale_factor": 0.001, "add_offset": 0.0, "rate_hz": 128, "quality": [[]], **facts},
            )
            group.create_array("stage", data=np.array([2, 4], np.uint8), dimension_names=("epoch",))
        else:
            shutil.copytree(store / done[0], store / name)
            described = json.loads((store / name / "zarr.json").read_text())
            described["attributes"] |= {"recording": name, **person}
            (store / name / "zarr.json").write_text(json.dumps(described))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(store)
    pd.DataFrame(rows).to_parquet(store.with_suffix(".qc.parquet"), index=False)
    store.with_suffix(".json").write_text("{}")
    return store


def shards_of(results: Path) -> list[str]:
    """Return the shard of each recording of shhs, in order of name."""
    return read_manifest(results / "index" / "shhs.parquet")["shard"].tolist()


@pytest.fixture
def made(tmp_path) -> Path:
    """A cohort of three recordings and a skipped one in two stores."""
    folder = tmp_path / "made"
    skipped = {"cohort": "made", "recording": "d", "status": "skipped", "reason": "torn", "hint": "copy it again"}
    write_store(folder, "000", [row("a"), row("b", "C3-M2")])
    write_store(folder, "001", [row("c", "C3-M2 E1-M2"), skipped])
    return folder


def mean_uv(night) -> float:
    return float(night.hypnoflow.microvolts("eeg").mean())


class Opened:
    """Counts what zarr reads and which stores' own metadata are read."""

    def __init__(self, monkeypatch):
        self.n_zarr, self.files = 0, []
        get, read_json = zarr.storage.LocalStore.get, cohort_module.read_json

        async def counted(store, key, *args, **kwargs):
            self.n_zarr += 1
            return await get(store, key, *args, **kwargs)

        def noted(path):
            self.files.append(path)
            return read_json(path)

        monkeypatch.setattr(zarr.storage.LocalStore, "get", counted)
        monkeypatch.setattr(cohort_module, "read_json", noted)


def test_a_harmonized_cohort_opens_with_its_persons_and_channels(results):
    cohort = hypnoflow.open_cohort(results / "harmonized" / "shhs")
    manifest = read_manifest(results / "index" / "shhs.parquet").set_index("recording")
    assert list(cohort) == manifest.index.tolist()
    assert len(cohort) == 2
    for column in ("shard", "person", "visit", "sex", "age_y", "ahi_per_h", "bmi"):
        assert cohort.table[column].tolist() == manifest[column].tolist()
    assert cohort.channels()[["C3-M2", "SpO2"]].tolist() == [2, 2]


def test_dask_arrays_of_a_recording_compute_to_what_is_read_at_once(results):
    folder = results / "harmonized" / "shhs"
    cohort = hypnoflow.open_cohort(folder)
    for shard, name in zip(shards_of(results), cohort, strict=True):
        eager = hypnoflow.open_recording(folder / f"{shard}.zarr", name)
        for kind in ("eeg", "resp"):
            assert dask.is_dask_collection(cohort[name][kind])
            np.testing.assert_array_equal(cohort[name][kind].values, eager[kind].values)
    keys = [set(cohort[name]["eeg"].__dask_graph__()) for name in cohort]
    assert not keys[0] & keys[1]


def test_hypnograms_are_those_of_the_store_and_read_one_by_one(results, monkeypatch):
    folder = results / "harmonized" / "shhs"
    opened = Opened(monkeypatch)
    hypnograms = hypnoflow.open_cohort(folder).stage()
    assert len(hypnograms) == 2
    assert opened.n_zarr == 0
    for shard, name in zip(shards_of(results), hypnograms, strict=True):
        expected = zarr.open_array(folder / f"{shard}.zarr", path=f"{name}/stage", mode="r")[:]
        np.testing.assert_array_equal(hypnograms[name], expected)


def test_hundreds_of_recordings_open_without_one_being_opened(tmp_path, monkeypatch):
    names = [f"r{i:03d}" for i in range(6 * PER_STORE)]
    for shard in range(6):
        write_store(tmp_path, f"{shard:03d}", [row(name) for name in names[shard * PER_STORE :][:PER_STORE]])
    opened = Opened(monkeypatch)
    cohort = hypnoflow.open_cohort(tmp_path)
    assert list(cohort) == names
    assert "r007" in cohort
    assert cohort.channels().to_dict() == dict.fromkeys(("C3-M2", "C4-M1", "E1-M2"), 300)
    assert opened.files == []
    # Without a manifest, persons are in the metadata at each store's root.
    assert cohort.table["person"].tolist() == [f"p-{name}" for name in names]
    assert opened.files == [tmp_path / f"{shard:03d}.zarr" / "zarr.json" for shard in range(6)]
    assert opened.n_zarr == 0
    assert cohort["r007"].attrs["recording"] == "r007"
    assert opened.n_zarr > 0


def test_a_manifest_is_found_beside_the_results_or_given(made, tmp_path):
    assert "age_y" not in hypnoflow.open_cohort(made).table
    table = pd.DataFrame({"recording": ["c", "a", "b"], "person": ["3", "1", "2"], "age_y": [30.0, 10.0, 20.0]})
    for column in ("cohort", "group", "visit", "shard", "signal_path", "excluded", "source_columns"):
        table[column] = "x"
    table = table.assign(annotation_paths=[[]] * 3, left_out=[[]] * 3, staged=True, simulated=True)
    table = table.assign(sex="male", ahi_per_h=1.0, bmi=20.0)
    table.to_parquet(tmp_path / "persons.parquet")
    given = hypnoflow.open_cohort(made, manifest=tmp_path / "persons.parquet").table
    assert given[["person", "age_y"]].loc["b"].tolist() == ["2", 20.0]
    (tmp_path.parent / "index").mkdir(exist_ok=True)
    shutil.copy(tmp_path / "persons.parquet", tmp_path.parent / "index" / "made.parquet")
    pd.testing.assert_frame_equal(hypnoflow.open_cohort(made).table, given)


def test_skipped_recordings_are_apart_and_asking_for_one_says_why(made):
    cohort = hypnoflow.open_cohort(made)
    assert list(cohort) == ["a", "b", "c"]
    assert "d" not in cohort
    assert cohort.skipped.loc["d"].to_dict() == {
        "cohort": "made",
        "shard": "001",
        "reason": "torn",
        "hint": "copy it again",
    }
    with pytest.raises(CohortError, match="'d' was skipped: torn"):
        cohort["d"]
    with pytest.raises(CohortError, match="no recording 'cc' among these 3; did you mean 'c'"):
        cohort["cc"]


def test_a_function_is_mapped_over_recordings_store_by_store(made, monkeypatch):
    opened = Opened(monkeypatch)
    results = hypnoflow.open_cohort(made).map(mean_uv)
    assert opened.n_zarr == 0
    # 1000 at a scale of 0.001 is 1 IQR of 10 uV above the median of 1 uV.
    assert next(results) == ("a", pytest.approx(11))
    first = opened.n_zarr
    assert [name for name, _ in results] == ["b", "c"]
    assert opened.n_zarr > first


def test_map_and_bag_take_recordings_that_have_all_the_channels(results, made):
    cohort = hypnoflow.open_cohort(results / "harmonized" / "shhs")
    taken = dict(cohort.map(lambda night: night["eeg_channel"].values.tolist(), channels=["C3-M2", "SpO2"]))
    assert taken == {name: ["C3-M2"] for name in cohort}
    bag = hypnoflow.open_cohort(made).bag().map(lambda night: night.attrs["recording"])
    assert bag.compute(scheduler="synchronous") == ["a", "b", "c"]
    assert hypnoflow.open_cohort(made).bag(["C3-M2", "E1-M2"]).npartitions == 2
    with pytest.raises(CohortError, match="all of the channels C3-M2, E1-M1; no 'E1-M1' in any; did you mean 'E1-M2'"):
        hypnoflow.open_cohort(made).map(mean_uv, channels=["C3-M2", "E1-M1"])


def test_a_bag_computes_what_a_loop_does_and_travels_to_other_processes(results):
    cohort = hypnoflow.open_cohort(results / "harmonized" / "shhs")
    bag = cohort.bag(["C3-M2"]).map(mean_uv)
    looped = [mean_uv(cohort[name].hypnoflow.pick(["C3-M2"])) for name in cohort]
    assert bag.compute(scheduler="threads") == pytest.approx(looped)
    there = pickle.loads(pickle.dumps(cohort))
    assert dict(there.map(mean_uv, ["C3-M2"], "synchronous")) == pytest.approx(dict(zip(cohort, looped, strict=True)))


def test_stores_are_opened_together_unless_they_share_a_name(made, tmp_path):
    other = write_store(tmp_path / "other", "000", [row("z")])
    assert list(hypnoflow.open_cohort(made / "001.zarr", other)) == ["c", "z"]
    assert list(hypnoflow.open_cohort(made, tmp_path / "other")) == ["a", "b", "c", "z"]
    again = write_store(tmp_path / "again", "000", [row("b")])
    with pytest.raises(CohortError, match="recording 'b' is in two stores"):
        hypnoflow.open_cohort(made, again)


def test_stores_that_are_not_finished_are_left_out_and_named(made, caplog):
    (made / "000.json").unlink()
    (made / ".002.zarr.0123456789abcdef.partial").mkdir()
    assert list(hypnoflow.open_cohort(made)) == ["c"]
    assert [message.split("/")[-1].split()[0] for message in caplog.messages] == ["002.zarr", "000.zarr"]


def test_a_folder_without_a_finished_store_is_refused_with_what_is_there(made, tmp_path):
    for path, what in (
        (tmp_path / "mad", "did you mean 'made'"),
        (tmp_path, "it holds the cohorts made"),
        (made / "002.zarr", "did you mean"),
    ):
        with pytest.raises(CohortError, match="no finished store") as caught:
            hypnoflow.open_cohort(path)
        assert what in str(caught.value)


def test_a_cohort_of_skipped_recordings_only_is_refused(tmp_path):
    skipped = {"cohort": "made", "recording": "d", "status": "skipped", "reason": "torn", "hint": ""}
    write_store(tmp_path, "000", [skipped])
    with pytest.raises(CohortError, match="all 1 recordings were skipped: torn"):
        hypnoflow.open_cohort(tmp_path)
