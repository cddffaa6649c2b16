"""Whatever of anybody's stands at, above, below and beside the paths that a verb writes is there afterwards, byte for byte.

Each layout is drawn by a seed: a verb, its `--out`, and marked files, folders and links around all that it writes, typed,
derived and temporary. The verb may refuse or succeed; nothing else is asked of it here.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.nights import write_checkpoint, write_night
from typer.testing import CliRunner

from hypnoflow.cli import app
from hypnoflow.harmonize.run import VERSION

LAYOUTS = 200
# What a user may have called files, among them the temporary names of earlier versions.
NAMES = ("thesis.docx", "x y.txt", "n\udcff.edf", "a\x1b[31m.csv", "$x$.png", "=1+1.csv", "-rf", "night.edf.partial")
TEMPORARY = ("{}.partial", ".{}.partial", "{}.part", ".{}.ours", "{}.resume", "{}.old", "{}.json")
LAB = json.dumps({"cohorts": {"lab": {"kind": "folder", "root": "lab"}}})
HALVES = json.dumps({"split": {"valid_fraction": 0.33, "test_fraction": 0.33}})
SCIENCE = json.dumps({"cohorts": {"abc": {"persons": 1, "night_h": 0.25}}})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Whatever the verbs read, made by the verbs themselves."""
    top = tmp_path_factory.mktemp("inputs")
    write_checkpoint(top / "net.ckpt", VERSION)
    rng = np.random.default_rng(0)
    for name in ("night", "other", "third"):
        write_night(top / "lab" / f"{name}.edf", rng, seconds=90)
    run = ["--config", top / "config.yaml"]
    (top / "config.yaml").write_text("science:\n  cohorts:\n    lab: {kind: folder, root: lab}\n")
    done = [
        call("index", "lab", "--root", top / "lab", "--out", top / "index" / "lab.parquet", *run),
        call("harmonize", top / "lab", "--out", top / "lab.zarr"),
    ]
    assert done == [0, 0]
    rows = {"cohort": "c", "recording": ["a", "b"], "person": ["a", "b"], "group": ["a", "b"], "split": "test"}
    for name in ("one", "two"):
        pd.DataFrame({**rows, "macro_f1": [0.5, 0.6], "kappa": 0.5, "accuracy": 0.5, "n_epochs": 5}).to_parquet(
            top / f"{name}.parquet"
        )
    return top


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
    "simulate": Verb(("simulate", "abc", "--science", SCIENCE), "native/abc", (".json",), ("SIMULATED.json", "truth/x")),
    "index": Verb(("index", "lab", "--root", "{lab}", "--science", LAB), "index/lab.parquet", (".json",)),
    "harmonize": Verb(("harmonize", "{lab}"), "a/night.zarr", (".json", ".qc.parquet"), ("zarr.json", "night/zarr.json")),
    "split": Verb(("split", "{index}", "--science", HALVES), "split/split.parquet", (".csv", ".json")),
    "train": Verb(("train", "--split", "{one}", "--harmonized", "{top}", "--model", "anysleep", "--seed", "1"),
                  "t/seed1.ckpt", (".json", ".csv", ".seen.parquet", ".tensorboard")),
    "score": Verb(("score", "{night}", "--model", "{net}", "--threads", "1"), "scored", (), SCORED),
    "score store": Verb(("score", "{store}", "--model", "{net}", "--threads", "1"), "s/a.zarr", (".json",),
                        ("zarr.json", "night")),
    "ablate": Verb(("ablate", "{store}", "--model", "{net}", "--split", "{one}"), "e/a.parquet",
                   (".attention.parquet", ".json")),
    "evaluate": Verb(("evaluate", "--split", "{one}", "--harmonized", "{top}", "--scores", "{top}", "--index", "{top}"),
                     "e/m.parquet", (".cohorts.csv", ".truth.parquet", ".json")),
    "features": Verb(("features", "--split", "{one}", "--harmonized", "{top}", "--scores", "{top}"), "f/m.parquet",
                     (".blocks.parquet", ".json")),
    "predict": Verb(("predict", "--features", "{one}", "--index", "{top}", "--target", "age"), "p/age.parquet",
                    (".discovery.csv", ".forests.kept.parquet", ".json")),
    "report": Verb(("report", "--results", "{top}"), "r/report.html", (".json",)),
    "compare": Verb(("compare", "{one}", "{two}"), "c/compared.csv", (".json",)),
    "survey": Verb(("survey", "{top}"), "v/survey.csv", (".json", ".cohorts.csv", ".recordings.parquet")),
    "weights": Verb(("weights", "get", "anysleep-run1"), "w", (), ("anysleep-run1.pth",)),
}  # fmt: skip


class Marked:
    """Files of the user's with bytes of their own, and links of the user's, around the paths of a verb."""

    def __init__(self, top, rng):
        self.top, self.rng, self.files, self.links = top, rng, {}, {}

    def put(self, path):
        """Put something of the user's under a path, if nothing stands there or on the way."""
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
    known = {"lab": inputs / "lab", "net": inputs / "net.ckpt", "store": inputs / "lab.zarr", "top": inputs,
             "night": inputs / "lab" / "night.edf", "index": inputs / "index" / "lab.parquet",
             "one": inputs / "one.parquet", "two": inputs / "two.parquet"}  # fmt: skip
    return [known.get(word.strip("{}"), word) if word.startswith("{") else word for word in verb.words]


@pytest.mark.parametrize(
    "name", ["simulate", "index", "harmonize", "split", "score", "score store", "compare", "survey"]
)
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
