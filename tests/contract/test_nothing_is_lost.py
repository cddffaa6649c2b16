"""Whatever of anybody's stands at, above, below and beside the paths that a verb writes is there afterwards, byte for byte.

Each layout is drawn by a seed: a verb, its `--out`, and marked files, folders and links around all that it writes, typed,
derived and temporary. The verb may refuse or succeed; nothing else is asked of it here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.nights import write_checkpoint, write_night
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.types import PREPROCESSING_VERSION

LAYOUTS = 200
# What a user may have called files, among them the temporary names of earlier versions.
NAMES = ("thesis.docx", "x y.txt", "n\udcff.edf", "a\x1b[31m.csv", "$x$.png", "=1+1.csv", "-rf", "night.edf.partial")
TEMPORARY = ("{}.partial", ".{}.partial", "{}.part", ".{}.ours", "{}.resume", "{}.old", "{}.json")
LAB = json.dumps({"cohorts": {"lab": {"kind": "folder", "root": "lab"}}})
SCIENCE = json.dumps(
    {
        "seed": 5,
        "cohorts": {"abc": {"persons": 8, "night_h": 0.25}},
        "split": {"valid_fraction": 0.25, "test_fraction": 0.5},
        "train": {"max_rounds": 1, "updates_per_round": 1, "window_epochs": 3, "batch_size": 2},
        "models": {"anysleep": {"options": {"complexity": 0.1, "depth": 6}}},
        "predict": {"targets": ["age"], "folds": 2, "inner_folds": 2, "repeats": 1, "trees": 10, "forests": {"forests": 1, "trees": 5},
                    "compare": {"resampling": {"bootstrap": 100, "permutations": 100}, "curve_sizes": 2,
                                "curve_draws": 1, "shuffles": 1}},
    }
)  # fmt: skip
ONE_PERSON = json.dumps({"cohorts": {"abc": {"persons": 1, "night_h": 0.25}}})
HERE = ("--run", "dask=threads", "--run", "threads=1")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Whatever the verbs read, made by the verbs themselves: a lab's folder, and the results of a small study."""
    top = tmp_path_factory.mktemp("inputs")
    write_checkpoint(top / "net.ckpt", PREPROCESSING_VERSION)
    rng = np.random.default_rng(0)
    for name in ("night", "other", "third"):
        write_night(top / "lab" / f"{name}.edf", rng, seconds=90)
    assert call("harmonize", top / "lab", "--out", top / "lab.zarr") == 0
    r = top / "results"
    store, split = "{r}/harmonized/abc/000.zarr", "{r}/split/anysleep.parquet"
    study = [
        "simulate abc --out {r}/native/abc",
        "index abc --root {r}/native/abc --out {r}/index/abc.parquet",
        f"harmonize --manifest {{r}}/index/abc.parquet --shard 000 --root {{r}}/native/abc --out {store}",
        f"split {{r}}/index/abc.parquet --out {split}",
        f"train --split {split} --harmonized {{r}}/harmonized --model anysleep --seed 1 --out {{r}}/train/anysleep/seed1.ckpt",
        f"score {store} --model {{r}}/train/anysleep/seed1.ckpt --out {{r}}/score/anysleep/abc/000.zarr",
        f"agreement {store} --scores {{r}}/score/anysleep/abc/000.zarr --split {split} --index {{r}}/index/abc.json"
        " --out {r}/agreement/anysleep/abc/000.parquet",
        f"evaluate --split {split} --agreement {{r}}/agreement/anysleep --out {{r}}/evaluate/anysleep.parquet",
        f"features --split {split} --harmonized {{r}}/harmonized --scores {{r}}/score/anysleep"
        " --out {r}/features/anysleep.parquet --run dask=threads --run threads=1",
    ]
    for line in study:
        assert call(*line.replace("{r}", str(r)).split(), "--science", SCIENCE) == 0, line
    # Two resolutions only: a study in all else, and quick.
    for name in ("anysleep.parquet", "anysleep.blocks.parquet"):
        table = pd.read_parquet(r / "features" / name)
        table[table["steps_per_epoch"].isin([1, 4])].to_parquet(top / name.replace("anysleep", "features"))
    age = ("--target", "age", "--science", SCIENCE, "--out", r / "predict" / "anysleep" / "age.parquet")
    assert call("predict", "--features", top / "features.parquet", "--index", r / "index", *age) == 0
    for name in ("one", "two"):
        pd.DataFrame(EVALUATED).to_parquet(top / f"{name}.parquet")
    return top


EVALUATED = {"cohort": "c", "recording": ["a", "b"], "person": ["a", "b"], "group": ["a", "b"], "split": "test",
             "macro_f1": [0.5, 0.6], "kappa": 0.5, "accuracy": 0.5, "n_epochs": 5}  # fmt: skip


def call(*words):
    """Run a command line, and return its exit code; some find their inputs wanting, which is all the same here."""
    return CliRunner().invoke(app, [os.fsdecode(os.fspath(word)) for word in words]).exit_code


@dataclass(frozen=True)
class Verb:
    """A command line whose output is `out` below a folder; `ends` replace its suffix in what else it writes."""

    words: tuple[str, ...]
    out: str
    ends: tuple[str, ...] = ()
    within: tuple[str, ...] = ()

    def paths(self, top):
        out = top / self.out
        return [out, *(out.with_suffix(end) if out.suffix else Path(f"{out}{end}") for end in self.ends),
                *(out / name for name in self.within)]  # fmt: skip


SCORED = ("night.png", "night.scored.edf", "night.hypnogram_30s.csv", "night.statistics.json", "summary.csv",
          "summary.json", "night.yasa.txt", "night_desc-hypnoflow_events.tsv", ".night.statistics.json.ours")  # fmt: skip
# ruff: noqa: E501
VERBS = {
    "simulate": Verb(("simulate", "abc", "--science", ONE_PERSON), "native/abc", (".json",), ("SIMULATED.json", "truth/x")),
    "index": Verb(("index", "lab", "--root", "{lab}", "--science", LAB), "index/lab.parquet", (".json",)),
    "harmonize": Verb(("harmonize", "{lab}"), "a/night.zarr", (".json", ".qc.parquet"), ("zarr.json", "night/zarr.json")),
    "split": Verb(("split", "{index}/abc.parquet", "--science", SCIENCE), "split/split.parquet", (".csv", ".json")),
    "train": Verb(("train", "--split", "{split}", "--harmonized", "{harmonized}", "--model", "anysleep", "--seed", "1",
                   "--science", SCIENCE, "--run", "threads=1"),
                  "t/seed1.ckpt", (".json", ".csv", ".seen.parquet", ".tensorboard", ".resume")),
    "score": Verb(("score", "{night}", "--model", "{net}", "--threads", "1"), "scored", (), SCORED),
    "score store": Verb(("score", "{store}", "--model", "{net}", "--threads", "1"), "s/a.zarr", (".json",),
                        ("zarr.json", "night")),
    "subsets": Verb(("subsets", "{harmonized}/abc/000.zarr", "--model", "{trained}", "--split", "{split}",
                     "--science", SCIENCE), "e/a.parquet", (".attention.parquet", ".json")),
    "agreement": Verb(("agreement", "{harmonized}/abc/000.zarr", "--scores", "{scores}/abc/000.zarr", "--split",
                       "{split}", "--index", "{index}/abc.json", "--science", SCIENCE), "a/a.parquet",
                      (".epochs.parquet", ".truth.parquet", ".json")),
    "evaluate": Verb(("evaluate", "--split", "{split}", "--agreement", "{agreement}", "--science", SCIENCE), "e/m.parquet",
                     (".cohorts.csv", ".truth.parquet", ".json")),
    "features": Verb(("features", "--split", "{split}", "--harmonized", "{harmonized}", "--scores", "{scores}",
                      "--science", SCIENCE, *HERE), "f/m.parquet", (".blocks.parquet", ".json"), ("../features.csv",)),
    "predict": Verb(("predict", "--features", "{features}", "--index", "{index}", "--target", "age",
                     "--science", SCIENCE), "p/age.parquet",
                    (".discovery.csv", ".discovery.parquet", ".forests.parquet", ".forests.kept.parquet", ".json")),
    "report": Verb(("report", "--results", "{results}", "--science", SCIENCE), "r/report.html", (".json",),
                   ("../provenance.json",)),
    "compare": Verb(("compare", "{one}", "{two}"), "c/compared.csv", (".json",)),
    "survey": Verb(("survey", "{harmonized}", *HERE), "v/survey.csv", (".json", ".cohorts.csv", ".recordings.parquet")),
    "weights": Verb(("weights", "get", "anysleep-run1"), "w", (), ("anysleep-run1.pth",)),
}  # fmt: skip
QUICK = [name for name in VERBS if name != "weights"]  # those that succeed without a network


class Marked:
    """Files of the user's with bytes of their own, and links of the user's, around the paths of a verb."""

    def __init__(self, top, rng):
        self.top, self.rng, self.files, self.links = top, rng, {}, {}

    def put(self, path):
        """Put something of the user's under a path, if nothing stands there or on the way."""
        path = Path(os.path.normpath(path))  # "a/../b" is not there until "a" is, and then may be a pipe
        if os.path.lexists(path) or not self._reachable(path.parent):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = self.rng.choice(["file", "file", "folder", "link to file", "link to folder", "dangling link", "pipe"])
        if kind == "file":
            self.file(path)
        elif kind == "folder":
            self.file(path / str(self.rng.choice(NAMES)))
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            victim = self.top / "elsewhere" / f"{len(self.links)}"
            if kind == "link to file":
                self.file(victim)
            elif kind == "link to folder":
                self.file(victim / "deep" / "thesis.docx")
            path.symlink_to(victim)
            self.links[path] = path.readlink()

    def file(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.rng.bytes(int(self.rng.integers(1, 300)))
        path.write_bytes(data)
        self.files[path] = data

    def _reachable(self, folder):
        return all(not os.path.lexists(p) or (p.is_dir() and not p.is_symlink()) for p in (folder, *folder.parents))

    def lost(self):
        """Return what is no more as it was."""
        files = [p for p, data in self.files.items() if not p.is_file() or p.read_bytes() != data]
        links = [p for p, to in self.links.items() if not p.is_symlink() or p.readlink() != to]
        return files + links


def places(paths, rng):
    """Yield where something of the user's may stand: at, beside, above and below what is written."""
    for path in paths:
        yield path
        yield path.with_name(str(rng.choice(NAMES)))
        yield path.with_name(str(rng.choice(TEMPORARY)).format(path.name))
        yield path / str(rng.choice(NAMES))
        yield path.parent.parent / str(rng.choice(NAMES))


def run_layout(seed, inputs, top):
    """Draw a layout, run its verb, once or twice, and return the verb and what was lost."""
    rng = np.random.default_rng(seed)
    name = sorted(VERBS)[seed % len(VERBS)]
    verb, marked = VERBS[name], Marked(top, rng)
    top.mkdir()
    words = typed(verb, inputs)
    first = seed // len(VERBS) % 3 == 0  # then what stands there is ours, and the user's comes later
    if first:
        call(*words, "--out", top / verb.out)
    where = list(places(verb.paths(top), rng))
    for i in rng.permutation(len(where))[: int(rng.integers(1, 6))]:
        marked.put(where[i])
    for _ in range(2 if first else 1):
        call(*words, "--out", top / verb.out)
    return name, marked.lost()


def typed(verb, inputs):
    """Return the words of a verb, with the inputs that it reads."""
    results = inputs / "results"
    known = {"lab": inputs / "lab", "net": inputs / "net.ckpt", "store": inputs / "lab.zarr", "results": results,
             "night": inputs / "lab" / "night.edf", "one": inputs / "one.parquet", "two": inputs / "two.parquet",
             "features": inputs / "features.parquet", "harmonized": results / "harmonized", "index": results / "index",
             "split": results / "split" / "anysleep.parquet", "scores": results / "score" / "anysleep",
             "agreement": results / "agreement" / "anysleep",
             "trained": results / "train" / "anysleep" / "seed1.ckpt"}  # fmt: skip
    return [re.sub(r"^\{(\w+)\}", lambda found: str(known[found[1]]), word) for word in verb.words]


@pytest.mark.parametrize("name", QUICK)
def test_a_verb_that_nothing_stands_in_the_way_of_writes_what_is_drawn_around(inputs, tmp_path, name):
    verb = VERBS[name]
    assert call(*typed(verb, inputs), "--out", tmp_path / verb.out) == 0
    assert {path for path in verb.paths(tmp_path) if path.exists()} >= set(verb.paths(tmp_path)[:2])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_marked_byte_is_found_again(inputs, tmp_path, monkeypatch, part):
    monkeypatch.setenv("HYPNOFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HYPNOFLOW_WEIGHTS_URL", "http://127.0.0.1:9/")
    before = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
    for seed in range(part, LAYOUTS, 8):
        name, lost = run_layout(seed, inputs, tmp_path / str(seed))
        assert lost == [], f"layout {seed}, {name}"
        shutil.rmtree(tmp_path / str(seed))
    assert {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()} == before


def test_the_property_can_fail(tmp_path):
    marked = Marked(tmp_path, np.random.default_rng(0))
    marked.file(tmp_path / "a")
    assert marked.lost() == []
    (tmp_path / "a").write_bytes(b"")
    assert marked.lost() == [tmp_path / "a"]
