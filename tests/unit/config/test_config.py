"""The typed configuration: its generated files, its round trip and its messages."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from hypnoflow.cohorts import cohorts
from hypnoflow.config.files import json_schema, stamped, to_yaml
from hypnoflow.config.schema import Config, load_config, parse_config, run_options
from hypnoflow.errors import ConfigError
from hypnoflow.head.check import checked_config
from hypnoflow.train.entry import entry_of

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config.yaml"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"


def shipped() -> dict:
    return yaml.safe_load(SHIPPED.read_text())


def message(data: object) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(data, "test.yaml")
    return str(caught.value)


def test_shipped_config_is_what_the_schema_generates():
    assert SHIPPED.read_text() == stamped(to_yaml(Config()))


def test_shipped_json_schema_is_what_the_schema_generates():
    assert SCHEMA.read_text() == stamped(json_schema())


def test_jsonschema_accepts_the_shipped_config():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(shipped(), schema)


def test_jsonschema_refuses_a_misspelt_key_a_bad_type_and_a_bad_choice():
    schema = json.loads(SCHEMA.read_text())
    for section, key, value in (
        ("simulate", "nigth_h", 4),
        ("simulate", "night_h", "long"),
        ("train", "schedule", "x"),
    ):
        data = shipped()
        data["science"][section][key] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, schema)


def test_shipped_config_reads_back_as_the_defaults():
    assert load_config(SHIPPED) == Config()


def test_yaml_of_a_changed_config_reads_back_equal(tmp_path):
    data = shipped()
    data["science"]["seed"] = 5
    data["science"]["models"]["anysleep"]["seeds"] = [3, 4]
    data["science"]["cohorts"]["phys"]["root"] = "/data/with space: and # hash"
    data["run"]["on_error"] = "abort"
    changed = parse_config(data, "test")
    (tmp_path / "c.yaml").write_text(to_yaml(changed))
    again = load_config(tmp_path / "c.yaml")
    assert again == changed
    assert again.science.models["anysleep"].seeds == (3, 4)
    assert again.science.cohorts["phys"].root == "/data/with space: and # hash"


def test_every_key_of_the_shipped_config_has_a_comment_sentence():
    keys = [line for line in SHIPPED.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    in_cohorts = {f"{name}:" for name in cohorts.names()} | {"anysleep: {}"}
    assert all("#" in line and line.rstrip()[-1] in ".]" for line in keys if line.strip() not in in_cohorts)


def test_a_partial_config_keeps_the_other_defaults():
    config = parse_config({"science": {"simulate": {"night_h": 8}}}, "test")
    assert config.science.simulate.night_h == 8
    assert config.science.train == Config().science.train


def test_misspelt_key_is_refused_with_the_closest_and_all_known_keys():
    text = message({"science": {"simulate": {"nigth_h": 8}}})
    assert "test.yaml" in text
    assert "science.simulate.nigth_h" in text
    assert "did you mean 'night_h'" in text
    assert all(known in text for known in ("ambiguity", "scorer_noise", "artefacts"))


def test_misspelt_key_of_a_cohort_is_refused_with_the_closest():
    text = message({"science": {"cohorts": {"phys": {"held_ot": True}}}})
    assert "science.cohorts.phys.held_ot" in text
    assert "did you mean 'held_out'" in text


def test_misspelt_section_is_refused_with_the_closest():
    assert "did you mean 'science'" in message({"sciense": {}})


def test_value_with_its_unit_written_out_names_the_unit_wanted():
    text = message({"science": {"simulate": {"night_h": "8 h"}}})
    assert "science.simulate.night_h" in text
    assert "a number in h" in text
    assert "'8 h'" in text


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("simulate", "night_h", 0.1),
        ("split", "valid_fraction", 1.0),
        ("train", "schedule", "linear"),
        ("train", "max_rounds", 0),
        ("score", "hypnodensity_steps", 7),
        ("predict", "targets", ["weight"]),
        ("harmonize", "clip_iqr", 0),
    ],
)
def test_value_out_of_range_is_refused_by_name(section, key, value):
    text = message({"science": {section: {key: value}}})
    assert f"science.{section}" in text
    assert key in text


def test_several_mistakes_are_all_listed():
    text = message({"science": {"simulate": {"nigth_h": 8}, "split": {"test_max": 0}}, "run": {"on_error": "stop"}})
    assert all(where in text for where in ("science.simulate.nigth_h", "science.split.test_max", "run.on_error"))
    assert len(text.splitlines()) == 4


def test_unknown_cohort_gives_one_message_with_the_closest_match():
    data = shipped()
    data["science"]["cohorts"]["shsh"] = data["science"]["cohorts"].pop("shhs")
    with pytest.raises(ConfigError, match="unknown cohort 'shsh'; did you mean 'shhs'") as caught:
        checked_config(data, "test")
    assert len(str(caught.value).splitlines()) == 1


def test_unknown_model_gives_one_message_with_the_closest_match():
    data = shipped()
    data["science"]["models"]["anyslep"] = {}
    with pytest.raises(ConfigError, match="unknown network 'anyslep'; did you mean 'anysleep'") as caught:
        checked_config(data, "test")
    assert len(str(caught.value).splitlines()) == 1


BAD_ENTRIES = {
    "a base that is itself": ({"a": {"network": "anysleep", "base": ["a"]}}, "circle: a -> a"),
    "a circle of bases": (
        {"a": {"network": "anysleep", "base": ["b"]}, "b": {"network": "anysleep", "base": ["a"]}},
        "circle: a -> b -> a",
    ),
    "a base of another network": ({"anysleep": {"base": ["usleep"]}, "usleep": {}}, "starts from anysleep"),
    "an unknown base": ({"anysleep": {"base": ["anysleep-rn1"]}}, "did you mean 'anysleep-run1'"),
    "an unknown task": ({"anysleep": {"task": "apnoea"}}, "did you mean 'apnea'"),
    "an option that the network lacks": ({"anysleep": {"options": {"dept": 3}}}, "dept: .*did you mean 'depth'"),
    "an option that training lacks": ({"anysleep": {"train": {"learning_rat": 3}}}, "did you mean 'learning_rate'"),
    "a name that is no network": ({"mine": {}}, r"unknown network 'mine'.*science\.models\.mine\.network says which"),
    "two entries alike": ({"anysleep": {}, "b": {"network": "anysleep"}}, "anysleep and b differ in nothing"),
    "a name that paths do not take": ({"Any Sleep": {"network": "anysleep"}}, "cannot name a training"),
    "a reserved name": ({"drawn": {"network": "anysleep"}}, "cannot name a training"),
    "pre-trainings alone": ({"anysleep": {"task": None}}, "no entry of the task stage"),
    "apneas alone": ({"anysleep": {"task": "apnea"}}, "no entry of the task stage"),
    "a seed twice": ({"anysleep": {"seeds": [1, 1]}}, "a seed is listed twice"),
    "none at all": ({"anysleep": None}, "name at least one training"),
}


@pytest.mark.parametrize("what", BAD_ENTRIES)
def test_an_entry_that_cannot_be_trained_is_refused_before_anything_is_planned(what):
    entries, said = BAD_ENTRIES[what]
    with pytest.raises(ConfigError, match=said) as caught:
        checked_config({"science": {"models": entries}}, "test")
    assert "Value error" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    "train, spelled",
    [
        ({"model": "usleep"}, "usleep: {}"),
        ({"network": {"depth": 6, "complexity": 0.1}}, "anysleep: {options: {depth: 6, complexity: 0.1}}"),
        ({"init_from": "net.ckpt", "seeds": [1, 2]}, "anysleep: {base: [net.ckpt], seeds: [1, 2]}"),
    ],
)
def test_an_old_config_is_refused_with_the_new_spelling_of_what_it_said(train, spelled):
    with pytest.raises(ConfigError) as caught:
        checked_config({"science": {"train": train}}, "test")
    assert spelled in str(caught.value)
    entries = yaml.safe_load(str(caught.value).split("Write instead\n")[1])["science"]["models"]
    parse_config({"science": {"models": entries}}, "test")


def test_an_entry_learns_as_all_do_then_as_its_network_then_as_itself():
    science = parse_config(
        {
            "science": {
                "train": {"max_rounds": 3, "patience": 2},
                "models": {"a": {"network": "usleep", "train": {"patience": 1}}},
            }
        },
        "test",
    ).science
    entry = entry_of("a", science.models, science.train)
    assert (entry.train.max_rounds, entry.train.patience, entry.train.batch_size) == (3, 1, 14)
    assert (entry.name, entry.network, entry.seeds, entry.task) == ("a", "usleep", (1,), "stage")


def test_cohort_set_to_null_is_left_out():
    data = shipped()
    data["science"]["cohorts"]["shhs"] = None
    kept = list(checked_config(data, "test").science.cohorts)
    assert sorted([*kept, "shhs"]) == cohorts.names()


def test_config_without_any_cohort_is_refused():
    with pytest.raises(ConfigError, match="cohorts is empty"):
        checked_config({"science": {"cohorts": {"shhs": None}}}, "test")


@pytest.mark.parametrize("text", ["a: [1", "science: 3", "- 1\n- 2"])
def test_file_that_is_not_such_a_yaml_is_a_config_error(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_config(tmp_path / "bad.yaml")


def test_missing_file_is_a_config_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_empty_file_gives_the_defaults(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    assert load_config(tmp_path / "empty.yaml") == Config()


def test_sections_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        Config().science.simulate.night_h = 3


@pytest.mark.parametrize("kind", ["folder", "bids"])
def test_a_cohort_of_any_name_may_be_a_folder_or_bids(kind):
    data = {"science": {"cohorts": {"mylab": {"kind": kind, "root": "/data"}}}}
    assert checked_config(data, "test").science.cohorts["mylab"].kind == kind


@pytest.mark.parametrize(
    ("cohort", "said"),
    [
        ({"kind": "folder"}, "needs a root"),
        ({"kind": "bids"}, "needs a root"),
        ({"root": "/x", "stages": {"0": "W"}}, "kind folder or bids"),
        ({"kind": "folder", "root": "/x", "stages": {"0": "REM"}}, "'REM'"),
        ({"kind": "nested", "root": "/x"}, "'nested'"),
    ],
)
def test_a_cohort_that_cannot_be_read_is_refused_by_name(cohort, said):
    text = message({"science": {"cohorts": {"mylab": cohort}}})
    assert "science.cohorts.mylab" in text
    assert said in text


def test_a_folder_cohort_reads_back_from_its_yaml(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "science:\n  cohorts:\n    mylab:\n      kind: folder\n      root: /data\n      stages: {0: W, 5: R}\n"
        "      channels: {C3-M2: EEG - A2, E1: [LOC, EOG 1]}\n"
    )
    config = load_config(tmp_path / "a.yaml")
    mylab = config.science.cohorts["mylab"]
    assert mylab.stages == {"0": "W", "5": "R"}
    assert mylab.channels == {"C3-M2": ("EEG - A2",), "E1": ("LOC", "EOG 1")}
    (tmp_path / "b.yaml").write_text(to_yaml(config))
    assert load_config(tmp_path / "b.yaml") == config


@pytest.mark.parametrize(
    "train, said",
    [
        ({"label_s": 4}, "label_s must be 30 s or a part of it"),
        ({"label_s": 0.5}, "label_s must be 30 s or a part of it"),
        ({"label_s": 5, "label_steps": 7}, "must divide 3840, found 42"),
        ({"batch_size": 10, "accumulate": 4}, "accumulate must divide batch_size 10, found 4"),
        ({"precision": "16"}, "train.precision"),
    ],
)
def test_training_that_cannot_be_is_refused(train, said):
    assert said in message({"science": {"train": train}})


def test_predictions_per_epoch_follow_the_length_of_labels():
    train = parse_config({"science": {"train": {"label_s": 5, "label_steps": 2}}}, "x").science.train
    assert train.steps_per_epoch == 12


def test_run_options_of_the_command_line_stand_over_the_files(tmp_path):
    (tmp_path / "a.yaml").write_text("run: {threads: 3, workers: 2}\n")
    run = run_options(tmp_path / "a.yaml", ["workers=4", "compile=true", "checkpoint_every_min=0.5"])
    assert (run.threads, run.workers, run.compile, run.checkpoint_every_min) == (3, 4, True, 0.5)
    assert run_options(None, []) == Config().run
    with pytest.raises(ConfigError, match="did you mean 'workers'"):
        run_options(None, ["worker=4"])


@pytest.mark.parametrize("where", ["train", "models.anysleep.train"])
def test_an_epoch_is_30_s_and_the_old_names_of_rounds_are_refused_with_the_new_ones(where):
    old = {"max_epochs": 3}
    science = {"train": old} if where == "train" else {"models": {"anysleep": {"train": old}}}
    assert f"{where}: max_epochs is max_rounds now" in message({"science": science})
