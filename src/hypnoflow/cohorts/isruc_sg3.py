"""ISRUC-Sleep, subgroup III: 10 nights of 10 healthy adults.

On disk: N/N.rec + N/N_{1,2}.txt + N/N_{1,2}.xlsx + Details_subgroup_III_Submission.xlsx
Quirks : as subgroup I.
"""

from pathlib import Path

from hypnoflow.cohorts.layouts.isruc import isruc_cohort


def name_of(rec: Path) -> tuple[str, str, str]:
    """Return recording, person and visit."""
    return rec.stem, rec.stem, "1"


COHORT = isruc_cohort("isruc-sg3", "Details_subgroup_III_Submission.xlsx", name_of)
