"""The options of prediction: what is predicted from the features, by which learners, under which folds."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from hypnoflow.config.compare import Comparison, LearnerName, SchemeName
from hypnoflow.config.section import Section, option

TargetName = Literal["age", "sex", "apnea_5", "apnea_15", "apnea_30", "log_ahi"]


class Forests(Section):
    protocol: Literal["off", "out_of_bag", "published"] = option(
        "out_of_bag",
        "AnySleep's forests on triplets as one more table: by trees that never saw a person; as published, refitted "
        "without each person in turn, which takes hours; or off.",
    )
    forests: int = option(3, "Forests, each with its own drawn settings; published 50.", "forests", ge=1)
    trees: int = option(200, "Trees that predict each person in one forest; published 200.", "trees", ge=1)


class Predict(Section):
    targets: tuple[TargetName, ...] = option(
        ("age", "sex", "apnea_15", "log_ahi"),
        "What is predicted: age, sex, apnea-hypopnea index of at least 5, 15 or 30 per hour, or log10(index + 1).",
        min_length=1,
    )
    learners: tuple[LearnerName, ...] = option(
        ("linear", "forest"), "Models: linear with an L2 penalty, random forest, boosted trees.", min_length=1
    )
    schemes: tuple[SchemeName, ...] = option(
        ("grouped", "leave_one_cohort_out"),
        "Outer folds: by family or person, or one cohort at a time (compare.learner only; skipped with one cohort).",
        min_length=1,
    )
    folds: int = option(5, "Outer folds, grouped by family or person.", "folds", ge=2)
    inner_folds: int = option(
        5, "Folds inside each training part, where settings and the resolution are chosen.", "folds", ge=2
    )
    repeats: int = option(2, "Repetitions of the cross-validation with other folds.", "1", ge=1)
    trees: int = option(100, "Trees of each random forest.", "trees", ge=10)
    interval: float = option(0.9, "Coverage of the prediction interval of a number.", "1", gt=0.5, lt=1)
    forests: Forests = option(Forests(), "The published forest protocol.")
    compare: Comparison = option(Comparison(), "How resolutions are compared with 30 s, and what controls it.")

    @field_validator("targets", "learners", "schemes")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"each can be named once, found {', '.join(names)}")
        return names

    @model_validator(mode="after")
    def _primary_is_fitted(self) -> Predict:
        for name, known in (("learner", self.learners), ("scheme", self.schemes)):
            chosen = getattr(self.compare, name)
            if chosen not in known:
                raise ValueError(f"compare.{name} {chosen} is not one of {name}s: {', '.join(known)}")
        return self
