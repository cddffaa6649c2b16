"""What was made of all files: a table for the terminal, and one to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hypnoflow.direct.nights import Outcome, score_inputs
from hypnoflow.direct.outputs import Wishes
from hypnoflow.errors import ConfigError, shown
from hypnoflow.facts.claim import claim, unwritable
from hypnoflow.facts.files import write_table
from hypnoflow.facts.provenance import write_facts
from hypnoflow.score.infer import Scorer
from hypnoflow.types import STAGES

WIDTH = 140  # where no terminal says how wide it is
LISTS = (
    "channels",
    "gaps_s",
    "remarks",
    "networks",
    "files",
    "texts",
    "inputs",
    "recipe",
    "provenance",
)  # kept in each recording's own JSON


def summarised(outcomes: Sequence[Outcome], before: object) -> list[dict[str, Any]]:
    """Return a row per recording: source, error (empty where it was scored), and its statistics.

    Parameters
    ----------
    before : list of dict
        Rows of earlier runs, which stay; that of a recording that is scored again is replaced.
    """
    rows = {row["source"]: row for row in (before if isinstance(before, list) else []) if _is_row(row)}
    for one in outcomes:
        if not one.error or rows.get(one.source, {}).get("error", "none"):
            rows[one.source] = {"source": one.source, "error": one.error} | _flat(one.facts)
    return list(rows.values())


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("source"), str)


def _flat(facts: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in facts.items() if name not in LISTS}
    return plain | ({"channels": " ".join(facts["channels"]), "remarks": len(facts["remarks"])} if facts else {})


def print_summary(outcomes: Sequence[Outcome], console: Console | None = None) -> None:
    """Print a row per recording: epochs, channels, TST, SE, share of each stage in what was scored, remarks."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    for title in ("recording", "epochs", "channels", "TST min", "SE %", *(f"{s} %" for s in STAGES), "remarks"):
        left = title in ("recording", "channels", "remarks")
        table.add_column(title, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for one in outcomes:
        table.add_row(*_row(one), style="red" if one.error else None)
    console.print(table)
    failed = sum(bool(one.error) for one in outcomes)
    console.print(Text(f"{len(outcomes) - failed} scored" + (f", {failed} failed" if failed else "")))


def _row(one: Outcome) -> list[Text]:
    name = shown(Path(one.source).name)
    if one.error:
        return [Text(name), *([Text("-")] * (4 + len(STAGES))), Text(f"failed: {shown(one.error)}")]
    facts = one.facts
    scored_min = facts["recording_min"] - facts["unscored_min"]
    shares = [100 * facts[f"{s.lower()}_min"] / scored_min if scored_min else 0.0 for s in STAGES]
    unscored = [f"{facts['unscored_min']:g} min unscored"] if facts["unscored_min"] else []
    remarks = [*unscored, *(["simulated"] if facts["simulated"] else []), *facts["remarks"]]
    numbers = [f"{facts['tst_min']:.1f}", f"{facts['se_percent']:.1f}", *(f"{share:.0f}" for share in shares)]
    channels = list(facts["channels"])
    more = f" +{len(channels) - 6}" if len(channels) > 6 else ""
    cells = (name, str(facts["epochs"]), " ".join(channels[:6]) + more, *numbers, "; ".join(remarks))
    return [Text(shown(cell)) for cell in cells]


def score_and_report(patterns: Sequence[str], scorer: Scorer, out: Path, wishes: Wishes) -> bool:
    """Score recordings as `score_inputs` does, print a table of them, and then write it to ``summary.csv``.

    The table has what was scored, whatever ends it: an error, a full disk, Ctrl-C. Rows of earlier runs stay in the
    file; ``summary.json`` says that it is ours.

    Returns
    -------
    bool
        Whether all were scored.

    Raises
    ------
    ConfigError
        If the folder of outputs is a file, or the network cannot give what is asked for.
    OutputError
        If it holds a ``summary.csv`` of another's.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out names a folder, and {shown(out)} is a file")
    about = scorer.facts[0]
    if tuple(scorer.classes) != STAGES:
        raise ConfigError(f"{about['model']} tells {', '.join(scorer.classes)} apart, no sleep stages: score a store")
    wishes = wishes.fitting(fine=scorer.fine)
    scorer.check_fine({*wishes.resolutions})
    text = out / "summary.csv"
    with claim(out / "summary.json", [text]) as mine:
        outcomes: list[Outcome] = []
        try:
            for outcome in score_inputs(patterns, scorer, out, wishes):
                outcomes.append(outcome)
        finally:
            if outcomes:
                print_summary(outcomes)
                rows = summarised(outcomes, (mine.facts or {}).get("rows"))
                try:
                    write_table(pd.DataFrame(rows), text, float_format="%.6g")
                    write_facts(mine.record, None, {"rows": rows}, texts=[text])
                except OSError as error:
                    raise unwritable(out, error) from None
    return not any(one.error for one in outcomes)
