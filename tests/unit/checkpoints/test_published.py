"""Published files are loaded strictly; everything else that may lie in their place is named for what it is."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from tests.numerics import in_double

from hypnoflow.checkpoints.checkpoint import Trained, save_checkpoint
from hypnoflow.checkpoints.published import load_any, load_published
from hypnoflow.checkpoints.release import local_file, releases
from hypnoflow.errors import CheckpointError, ConfigError
from hypnoflow.models import build_model
from hypnoflow.types import PREPROCESSING_VERSION

NAMES = ("anysleep", "anysleep-early", "anysleep-late", "usleep")
NETWORKS = pytest.mark.parametrize("name", NAMES)
ABOUT = {"version": 1, "clip_iqr": 20.0}


def signals(channels: int) -> torch.Tensor:
    return torch.randn(1, channels, 3840, generator=torch.Generator().manual_seed(3))


def changed(path: Path, out: Path, change) -> Path:
    """Write a file again with its state_dict changed."""
    state = torch.load(path, weights_only=True)["state_dict"]
    torch.save({"state_dict": change(dict(state))}, out)
    return out


def refused(path: Path) -> str:
    """Return the one-line message with which a file is refused, by either way in."""
    messages = []
    for load in (load_published, load_any):
        with pytest.raises(CheckpointError) as caught:
            load(path)
        messages.append(str(caught.value))
    assert str(path) in messages[0]
    assert "\n" not in messages[0]
    assert len(messages[0]) < 600
    assert messages[0] == messages[1]
    return messages[0]


# --- what is loaded ------------------------------------------------------------------------------------------


@NETWORKS
def test_file_is_loaded_as_the_network_that_it_holds(released, name):
    model = load_published(released(name))
    found, wanted = model.state_dict(), torch.load(released(name), weights_only=True)["state_dict"]
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert not model.training
    reference = build_model(name).eval()
    assert type(model) is type(reference)
    reference.load_state_dict(wanted)
    with torch.inference_mode():
        assert torch.allclose(*(in_double(each)(signals(2).double(), 4) for each in (model, reference)), atol=1e-9)


@pytest.mark.parametrize("name", ["anysleep", "anysleep-early", "anysleep-late"])
def test_hidden_units_of_the_attention_are_read_off_the_file(released, name):
    # The authors' config says 32 for early and late fusion, the published weights have 40.
    model = load_published(str(released(name, attention_hidden=32)))
    assert model.options.attention_hidden == 32


def test_published_file_counts_as_trained_on_the_current_harmonization(released):
    loaded = load_any(released("usleep"))
    assert loaded.facts["preprocessing"] == {"version": PREPROCESSING_VERSION, "clip_iqr": 20.0}
    assert loaded.facts["model"] == "usleep"
    assert loaded.facts["classes"] == ["W", "N1", "N2", "N3", "R"]
    assert {"depth": 12, "first_filters": 5, "complexity": 1.67}.items() <= loaded.facts["options"].items()


def test_own_checkpoints_are_loaded_by_the_same_door_and_refused_as_published(tmp_path):
    model, path = build_model("anysleep", depth=2), tmp_path / "own.ckpt"
    save_checkpoint(
        path, Trained("anysleep", "anysleep", model.options), model.state_dict(), preprocessing=ABOUT, training={}
    )
    assert load_any(path).facts["preprocessing"] == ABOUT
    with pytest.raises(CheckpointError, match="hypnoflow's own"):
        load_published(path)


# --- files of other tensors ----------------------------------------------------------------------------------


def flat_classifier(state):
    """The standalone example's names before March 2026: the classifier is not nested."""
    return {k.replace("segment_classifier.segment_classifier.", "segment_classifier."): v for k, v in state.items()}


def other_top(state):
    return {f"model.{k.replace('encoders', 'enc_blocks')}": v for k, v in state.items()}


@NETWORKS
@pytest.mark.parametrize("rename", [flat_classifier, other_top])
def test_older_names_are_recognised_by_the_tensors_and_explained(released, tmp_path, name, rename):
    message = refused(changed(released(name), tmp_path / "old.pth", rename))
    assert f"the tensors of {name} under other names" in message
    assert "before 26 Feb 2026" in message
    current = message.split("weights get ")[1].rstrip("`")
    assert releases()[current].network == name


@NETWORKS
def test_other_size_is_refused_with_the_first_tensor_that_differs(released, name):
    message = refused(released(name, complexity=1.0))
    assert f"looks like {name}, but does not fit it at the published size" in message
    assert "encoders.0.enc.0.weight is 5 x " in message
    assert "wanted 6 x " in message


@NETWORKS
def test_other_depth_is_refused(released, name):
    message = refused(released(name, depth=10))
    assert f"looks like {name}" in message
    assert "tensors missing, such as" in message


@NETWORKS
def test_a_tensor_missing_or_too_many_is_refused(released, tmp_path, name):
    def without(state):
        state.pop("decoders.3.dec2.0.bias")
        return state

    message = refused(changed(released(name), tmp_path / "less.pth", without))
    assert "1 tensors missing, such as decoders.3.dec2.0.bias" in message
    more = changed(released(name), tmp_path / "more.pth", lambda state: {**state, "extra.weight": torch.zeros(2)})
    assert "1 tensors too many, such as extra.weight" in refused(more)


def test_another_network_is_refused_with_what_it_holds(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"state_dict": torch.nn.Linear(3, 2).state_dict()}, path)
    assert "none of anysleep, anysleep-early, anysleep-late, usleep: its 2 tensors are weight, bias" in refused(path)


def test_unet_of_another_number_of_signals_is_none_of_them(released, tmp_path):
    def three(state):
        state["encoders.0.enc.0.weight"] = torch.zeros(6, 3, 9)
        return state

    assert "none of anysleep" in refused(changed(released("usleep"), tmp_path / "three.pth", three))


def test_weights_that_are_no_finite_numbers_are_refused(released, tmp_path):
    def spoil(state):
        state["connector.0.bias"] = state["connector.0.bias"].clone().fill_(torch.nan)
        return state

    assert "not finite numbers" in refused(changed(released("usleep"), tmp_path / "nan.pth", spoil))


@pytest.mark.parametrize("content", [{"state_dict": [1, 2]}, {"state_dict": {"a": 1}}, {"state_dict": {1: 2}}])
def test_state_dict_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    assert "something else than tensors" in refused(tmp_path / "net.pth")


@pytest.mark.parametrize("content", [{"epoch": 3}, torch.zeros(2)])
def test_without_a_state_dict_it_is_no_published_file(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="holds no published weights"):
        load_published(tmp_path / "net.pth")


# --- files that hold no tensors ------------------------------------------------------------------------------

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:9f305c0f81a5\nsize 12763675\n"
IN_ITS_PLACE = {
    "pointer": (POINTER.encode(), "a Git-LFS pointer, a text that stands for the weights; run `git lfs pull`"),
    "page": (b"\n<!DOCTYPE html><html>Not found</html>", "it is a web page"),
    "empty": (b"", "it is empty"),
    "text": (b"onset_s,stage\n0,W\n", "it begins with b'onset_s,stage"),
    "zeros": (bytes(5000), "it begins with b'"),
}


@pytest.mark.parametrize("case", IN_ITS_PLACE)
def test_what_may_lie_in_place_of_the_weights_is_named(tmp_path, case):
    body, words = IN_ITS_PLACE[case]
    path = tmp_path / "anysleep-run1.pth"
    path.write_bytes(body)
    message = refused(path)
    assert "is not a PyTorch file" in message
    assert words in message


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.99, 0.99999])
def test_file_that_is_cut_off_is_said_to_be(released, tmp_path, share):
    whole = released("usleep").read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(share * len(whole))])
    assert f"cut off or damaged at {int(share * len(whole))} bytes" in refused(path)


class Code:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def plain_pickle(path: Path, code: Code) -> None:
    path.write_bytes(pickle.dumps({"state_dict": code}))


def old_torch_file(path: Path, code: Code) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2), "b": code}}, path, _use_new_zipfile_serialization=False)


def new_torch_file(path: Path, code: Code) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2), "b": code}}, path)


def swapped_pickle(path: Path, code: Code) -> None:
    """A real file whose pickle was replaced."""
    torch.save({"state_dict": {"a": torch.zeros(2)}}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, body in parts.items():
            archive.writestr(name, pickle.dumps(code, protocol=2) if name.endswith("data.pkl") else body)


@pytest.mark.parametrize("write", [plain_pickle, old_torch_file, new_torch_file, swapped_pickle])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, write):
    path, target = tmp_path / "evil.pth", tmp_path / "made"
    write(path, Code(target))
    assert "none of it was run" in refused(path)
    assert not target.exists()
    # The same file does what it was made for where it is trusted: the test would notice.
    with pytest.raises(Exception):  # noqa: B017  (what torch says of the rest does not matter)
        torch.load(path, weights_only=False)["state_dict"]["c"]
    assert target.exists()


def test_missing_file_and_folder_are_said_to_be(tmp_path):
    assert "no checkpoint at" in refused(tmp_path / "absent.pth")
    assert "which is a folder" in refused(tmp_path)


# --- names ---------------------------------------------------------------------------------------------------


def test_twelve_files_are_known_three_of_each_network():
    table = releases()
    assert len(table) == 12
    for network in NAMES:
        assert [r.name[-4:] for r in table.values() if r.network == network] == ["run1", "run2", "run3"]
    assert len({r.sha256 for r in table.values()}) == 12
    # papers.md, section 1.11
    assert table["anysleep-run1"].sha256 == "9f305c0f81a58d36092bb88b04832a48f0f4dae940f31486cd2284e9c659483f"
    assert table["anysleep-late-fusion-run3"].sha256.startswith("ce3275f94cb7")
    sizes = {r.network: r.bytes for r in table.values()}
    assert sizes == dict(zip(NAMES, (12_763_675, 12_643_975, 12_656_923, 12_551_209), strict=True))


@NETWORKS
def test_published_sizes_are_those_of_the_weights_and_little_more(name):
    # Four bytes per value (eight for the batch norms' counts), and less than 400 bytes of names for each tensor.
    state = build_model(name).state_dict()
    values = sum(v.numel() * v.element_size() for v in state.values())
    (size,) = {r.bytes for r in releases().values() if r.network == name}
    assert 0 < size - values < 400 * len(state)


def test_unknown_name_is_refused_with_the_closest():
    with pytest.raises(ConfigError, match="called 'anysleep-run4'; did you mean 'anysleep-run") as caught:
        load_published("anysleep-run4")
    assert "usleep-run3" in str(caught.value)


def test_a_file_of_that_very_name_comes_first(released, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anysleep-run1").write_bytes(released("usleep").read_bytes())
    assert local_file("anysleep-run1") == Path("anysleep-run1")
    assert type(load_published("anysleep-run1")).__name__ == "USleep"


@pytest.mark.parametrize("given", ["absent.pth", "results/anysleep-run1", Path("absent.ckpt")])
def test_what_looks_like_a_path_is_one(given):
    assert local_file(given) == Path(given)


def test_names_are_listed_without_importing_torch():
    code = "import sys; from hypnoflow.checkpoints.release import releases as r; r(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
