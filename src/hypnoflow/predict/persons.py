"""One row per person: target, demographics, and the features at each resolution.

A person's nights are averaged before anything is fitted: features, age, body-mass index and apnea-hypopnea index by
their mean over the nights where they are known, so that nobody has more weight than anybody else, in training, in a
median or in an error. An apnea class is that of the mean index. A person given with both sexes has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hypnoflow.errors import ConfigError
from hypnoflow.predict.targets import Target

DEMOGRAPHICS = ("age_y", "sex", "bmi")
YARDSTICK = "classic"
SLOPE = "_slope"  # a change over resolutions belongs to no resolution, least of all to 30 s
KEYS = ["cohort", "recording"]


@dataclass(frozen=True, slots=True)
class People:
    """Persons whose target is known, with what may predict it.

    table : DataFrame
        One row per person, sorted: person and group ("{cohort}/{name}"), cohort, y.
    features : dict of str to ndarray, shape (person, feature)
        "demographics", "classic" and one entry per resolution ("1" is 30 s), which holds the classic statistics too:
        what a 30-s hypnogram tells stands on both sides of every comparison. NaN where undefined.
    recordings : int
        Of these persons.
    persons_without_target : int
        Who have features, and are left out.
    """

    target: Target
    table: pd.DataFrame
    features: dict[str, NDArray[np.float64]]
    recordings: int = 0
    persons_without_target: int = 0

    @property
    def y(self) -> NDArray[np.float64]:
        """The target, shape (person,)."""
        return self.table["y"].to_numpy(float)

    @property
    def group(self) -> NDArray[np.int64]:
        """Number of each person's family, shape (person,)."""
        return np.unique(self.table["group"].to_numpy(str), return_inverse=True)[1].astype(np.int64)

    def only(self, y: pd.Series) -> People:
        """Return some persons, those named by the index of `y`, with these values of the target."""
        at = self.table.set_index("person").index.get_indexer(y.index)
        table = self.table.iloc[at].assign(y=y.to_numpy(float)).reset_index(drop=True)
        return replace(self, table=table, features={name: x[at] for name, x in self.features.items()})

    @property
    def resolutions(self) -> list[str]:
        """Predictions per 30 s, coarsest first."""
        return sorted((name for name in self.features if name.isdigit()), key=int)


def gather_people(features: pd.DataFrame, manifest: pd.DataFrame, target: Target, dictionary: pd.DataFrame) -> People:
    """Return everybody who has features and a known target.

    Parameters
    ----------
    features : DataFrame
        One row per recording and resolution: cohort, recording, steps_per_epoch and features.
    manifest : DataFrame
        Rows of all cohorts, with cohort, recording, person, group, age_y, sex, ahi_per_h and bmi.
    dictionary : DataFrame
        Columns name and group (of features).

    Raises
    ------
    ConfigError
        If the table holds no feature of the dictionary.
    """
    classic, fine = feature_columns(features, dictionary)
    rows = features[[*KEYS, "steps_per_epoch", *classic, *fine]].merge(
        named(manifest)[[*KEYS, "name", "family"]], on=KEYS, validate="many_to_one"
    )
    used = named(manifest).merge(rows[KEYS].drop_duplicates(), on=KEYS)
    persons = _facts(used)
    persons["y"] = target.of(persons)
    everybody, persons = len(persons), persons[persons["y"].notna()]
    demographics = [name for name in DEMOGRAPHICS if name != target.uses]
    found = {"demographics": persons[demographics].to_numpy(float)}
    for f, part in rows.groupby("steps_per_epoch", sort=True):
        mean = part.groupby("name")[[*classic, *fine]].mean().reindex(persons.index)
        if f == 1:
            found[YARDSTICK] = mean[list(classic)].to_numpy(float)
        found[f"{f:d}"] = np.hstack([found[YARDSTICK], mean[list(fine)].to_numpy(float)])
    table = persons.reset_index(names="person")[["person", "group", "cohort", "y"]]
    recordings = int(used["name"].isin(persons.index).sum())
    return People(target, table, found, recordings, everybody - len(persons))


def feature_columns(features: pd.DataFrame, dictionary: pd.DataFrame) -> tuple[Sequence[str], Sequence[str]]:
    """Return the columns of the 30-s yardstick, and those that are compared across resolutions."""
    known = dictionary[dictionary["name"].isin(features.columns) & ~dictionary["name"].str.endswith(SLOPE)]
    is_classic = known["group"] == YARDSTICK
    classic, fine = (list(known.loc[which, "name"]) for which in (is_classic, ~is_classic))
    if not classic or not fine or not (features["steps_per_epoch"] == 1).any():
        raise ConfigError("the feature table lacks the features of this version or its rows at 30 s; make it again")
    return classic, fine


def named(manifest: pd.DataFrame) -> pd.DataFrame:
    """Add the names of person and family that hold over all cohorts; a person without family is one."""
    person = manifest["person"].astype(str)
    group = manifest.get("group", person)
    alone = group.isna() | (group.astype(str) == "")
    return manifest.assign(
        name=manifest["cohort"].astype(str) + "/" + person,
        family=manifest["cohort"].astype(str) + "/" + group.astype(object).where(~alone, person).astype(str),
    )


def _facts(recordings: pd.DataFrame) -> pd.DataFrame:
    """Return cohort, group, age_y, bmi, ahi_per_h and sex by person, sorted by name."""
    numbers = recordings.assign(sex=recordings["sex"].map({"female": 0.0, "male": 1.0}))
    numbers = numbers.astype(dict.fromkeys(("age_y", "bmi", "ahi_per_h", "sex"), float))
    by = numbers.groupby("name", sort=True)
    facts = by[["age_y", "bmi", "ahi_per_h", "sex"]].mean()
    facts["sex"] = facts["sex"].where(facts["sex"].isin((0.0, 1.0)))
    return facts.assign(cohort=by["cohort"].first().astype(str), group=by["family"].first())
