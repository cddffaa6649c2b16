"""ISRUC-Sleep, subgroup II: 16 nights of 8 adults under treatment, two sessions each.

On disk: S/V/V.rec + V_{1,2}.txt + V_{1,2}.xlsx (S person, V session) + Details_subgroup_II_Submission.xlsx
Quirks : as subgroup I; the table gives age and sex at the first session only.
"""

from pathlib import Path

from hypnoflow.cohorts.layouts.isruc import isruc_cohort


def name_of(rec: Path) -> tuple[str, str, str]:
    """Return recording, person and visit."""
    person, visit = rec.parent.parent.name, rec.parent.name
    return f"{person}_{visit}", person, visit


COHORT = isruc_cohort("isruc-sg2", "Details_subgroup_II_Submission.xlsx", name_of)
