"""ISRUC-Sleep, subgroup I: 100 nights of 100 adults, most with sleep apnea.

On disk: N/N.rec + N/N_{1,2}.txt + N/N_{1,2}.xlsx + Details_subgroup_I_Submission.xlsx
Quirks : .rec is EDF; five sets of labels, one of them referential (subject 40), one without F3 and F4 (subject 8);
         stages 0 1 2 3 5; the first expert counts, as in AnySleep; X2 and X6 to X8 as ECG, flow and effort are
         plausible, not documented; events are known to the epoch only.
"""

from pathlib import Path

from hypnoflow.cohorts.layouts.isruc import isruc_cohort


def name_of(rec: Path) -> tuple[str, str, str]:
    """Return recording, person and visit."""
    return rec.stem, rec.stem, "1"


COHORT = isruc_cohort("isruc-sg1", "Details_subgroup_I_Submission.xlsx", name_of)
