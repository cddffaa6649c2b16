"""What the primary test says, in one sentence that is right whichever way it came out, and what to doubt about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hypnoflow.predict.primary import BETTER, NO_EVIDENCE, NOT_MADE, TOO_FEW
from hypnoflow.predict.said import Control, Estimate, Forest, Mixed, Primary, Reliability, TargetSummary

NAMES = {
    "age": "age",
    "sex": "sex",
    "log_ahi": "the logarithm of the apnea-hypopnea index",
    "apnea_5": "apnea (AHI ≥ 5/h)",
    "apnea_15": "apnea (AHI ≥ 15/h)",
    "apnea_30": "apnea (AHI ≥ 30/h)",
}
LEARNERS = {"linear": "regularised linear models", "forest": "random forests", "boosted": "gradient boosting"}
SCHEMES = {"grouped": "cross-validated by person", "leave_one_cohort_out": "each cohort predicted from the others"}


def primary_sentence(primary: Primary, *, simulated: bool) -> str:
    """Return the result of `primary_test` as one sentence.

    Parameters
    ----------
    simulated : bool
        Whether any of the data are simulated; then the sentence begins with it.
    """
    start = "In simulated data, " if simulated else ""
    text = _no_answer(primary) if primary["verdict"] in (TOO_FEW, NOT_MADE) else _result(primary)
    return start + text if simulated else text[0].upper() + text[1:]


def _no_answer(primary: Primary) -> str:
    have, need = primary["groups"], primary["min_groups"]
    why = f"{have} independent {'person' if have == 1 else 'persons'} (a family counts once), {need} needed"
    if have >= need and primary.get("cases") is not None:
        why = f"{primary['cases']} of {have} independent persons are of the rarer class, {primary['min_cases']} needed"
    if primary["verdict"] == NOT_MADE:
        learner = LEARNERS.get(primary["learner"], primary["learner"])
        why = f"{learner} ({SCHEMES[primary['scheme']]}) made no predictions at 30 s or at the best resolution"
    question = f"whether staging below 30 s predicts {name_of(primary['target'])} better than 30-s staging"
    return f"{question} cannot be said: {why}."


def _result(primary: Primary) -> str:
    unit = f" {primary['unit']}" if primary["unit"] else ""
    measure, digits = primary["measure"], 2 if primary["measure"] == "RMSE" else 4
    error, reference = (f"{primary[key]:.{digits}f}" for key in ("error", "reference_error"))
    n = f"{primary['persons']} persons"
    if primary["groups"] < primary["persons"]:
        n += f" of {primary['groups']} families"
    n += f", {primary['cohorts']} {'cohort' if primary['cohorts'] == 1 else 'cohorts'}"
    name = name_of(primary["target"])
    how = f"({LEARNERS.get(primary['learner'], primary['learner'])}, {SCHEMES[primary['scheme']]}, {n})"
    chosen = primary.get("chosen") or {}
    kept = chosen.get("1", 0.0)
    if kept == 1:
        return (
            f"in no training fold was a resolution below 30 s preferred in predicting {name}, so that there is no "
            f"difference to test: {measure} {reference}{unit} at 30 s {how}."
        )
    findings = {
        BETTER: f"staging below 30 s predicts {name} better than 30-s staging",
        NO_EVIDENCE: f"there is no evidence of a difference between staging below 30 s and 30-s staging in predicting "
        f"{name}",
    }
    finding = findings.get(primary["verdict"], f"staging below 30 s predicts {name} worse than 30-s staging")
    return (
        f"{finding}: {measure} {error}{unit} at the resolution chosen in the training folds and {reference}{unit} at "
        f"30 s, difference {_interval(primary, digits)}, p {p_text(_number(primary['p']))}{_disagreement(primary)}"
        f"{f'; 30 s itself was chosen in {100 * kept:.0f} % of the folds' if chosen else ''} {how}."
    )


def _interval(primary: Primary, digits: int) -> str:
    difference, low, high = (f"{primary[key]:+.{digits}f}" for key in ("difference", "low", "high"))
    return f"{difference} ({100 * primary['confidence']:g} % interval {low} to {high})".replace("-", "−")


def _disagreement(primary: Primary) -> str:
    """Say so where the interval and the test, which decides, fall on different sides of their limits."""
    clear = _number(primary["low"]) > 0 or _number(primary["high"]) < 0
    if clear == (primary["verdict"] != NO_EVIDENCE):
        return ""
    return ", a borderline case: " + (
        "the interval excludes no difference, the test does not" if clear else "the interval includes no difference"
    )


def beside(summary: TargetSummary) -> list[str]:
    """Return what stands beside the primary test, in one sentence each."""
    found = []
    within = summary.get("mixed", Mixed()).get("difference_within")
    if within is not None and within["estimate"] is not None:
        numbers = f"{within['estimate']:+.3g} ({within['low']:+.3g} to {within['high']:+.3g})".replace("-", "−")
        how = within["method"] + ("" if within["converged"] else f", since {within['why']}")
        cohorts = f"{within['cohorts']} {'cohort' if within['cohorts'] == 1 else 'cohorts'}"
        found.append(f"Within {cohorts}, difference in squared error {numbers} by {how}.")
    for row in summary.get("equalised", []):
        if row["way"] == "window" and row["difference"] is not None:
            length = f"{row['from_h']:.1f} to {row['to_h']:.1f} h"
            found.append(
                f"Recordings of {length} alone, {row['persons']} persons: difference {row['difference']:+.3g}."
            )
    reliability = summary.get("reliability", Reliability())
    coverage = reliability.get("coverage")
    if coverage is not None:
        found.append(f"Prediction intervals hold {100 * coverage:.0f} % of persons out of fold.")
    if reliability.get("slope") is not None:
        slope, intercept = reliability["slope"], reliability["intercept"]
        numbers = f"slope {slope:.2f}, intercept {intercept:+.2f}"
        found.append(f"Calibration of probabilities out of fold: {numbers} (1 and 0 at best).")
    found += _forests(summary.get("forests", []))
    for lacking in summary.get("not_predicted", []):
        where = ", ".join([lacking["scheme"].replace("_", " "), *lacking.get("cohorts", [])])
        found.append(f"Not predicted ({where}): {lacking['problem']}.")
    return found


def _forests(rows: Sequence[Forest]) -> list[str]:
    """Return what AnySleep's forests on triplets reached, without a claim: nothing is tested here."""
    at_30_s = [row for row in rows if row["condition"] == "1"]
    if not at_30_s:
        return []
    errors = [row["error"] for row in rows]
    how = {"out_of_bag": "out of bag", "published": "each person left out"}[at_30_s[0]["protocol"]]
    return [
        f"AnySleep's forests on triplets ({how}): {at_30_s[0]['measure']} {at_30_s[0]['error']:.3g} at 30 s, "
        f"{min(errors):.3g} to {max(errors):.3g} over resolutions, not tested."
    ]


def name_of(target: str) -> str:
    """Return a target's name in a sentence."""
    return NAMES.get(target, target)


def _number(value: float | None) -> float:
    """Return a figure, NaN where nothing defines it."""
    return math.nan if value is None else value


def p_text(p: float) -> str:
    """Return "= 0.012", or "< 0.001" where it is."""
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def cautions(primary: Primary, controls: Mapping[str, Control], mixed: Mixed) -> list[str]:
    """Return what to hold against a pooled gain, one sentence each; empty where nothing is."""
    found = [
        f"Control failed: {control['text']}."
        for name, control in controls.items()
        if control["flag"] and name != "cohort"
    ]
    betrayed = controls.get("cohort")
    if betrayed is not None and betrayed["flag"]:
        found.append(f"{betrayed['text'][0].upper()}{betrayed['text'][1:]}.")
    within = mixed.get("difference_within")
    if within is not None and primary["verdict"] == BETTER:
        found += _within(within, primary["confidence"])
    return found


def _within(within: Estimate, confidence: float) -> list[str]:
    """Say so where a pooled gain is not seen within cohorts."""
    if within["p"] is None:
        return [f"The gain could not be estimated within cohorts: {within['why']}."]
    if _number(within["estimate"]) < 0 and within["p"] < 1 - confidence:
        return []
    numbers = (
        f"{within['estimate']:+.3g}, {100 * confidence:g} % interval {within['low']:+.3g} to {within['high']:+.3g}"
    )
    return [
        f"The gain is not seen within cohorts: difference in squared error {numbers.replace('-', '−')} "
        f"({within['method']})."
    ]
