"""What was made of all files: a table for the terminal, and one to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hypnoflow.direct.run import Outcome, Wishes, score_inputs
from hypnoflow.io.files import replacing
from hypnoflow.score.infer import Scorer
from hypnoflow.types import STAGES

WIDTH = 140  # where no terminal says how wide it is
LISTS = ("channels", "gaps_s", "remarks", "networks", "files", "provenance")  # kept in each recording's own JSON


def write_summary(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one row per recording: source, error (empty where it was scored), and its statistics."""
    rows = [{"source": one.source, "error": one.error} | _flat(one.facts) for one in outcomes]
    with replacing(path) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False, float_format="%.6g")


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
    name = Path(one.source).name
    if one.error:
        return [Text(name), *([Text("-")] * (4 + len(STAGES))), Text(f"failed: {one.error}")]
    facts = one.facts
    scored_min = facts["recording_min"] - facts["unscored_min"]
    shares = [100 * facts[f"{s.lower()}_min"] / scored_min if scored_min else 0.0 for s in STAGES]
    unscored = [f"{facts['unscored_min']:g} min unscored"] if facts["unscored_min"] else []
    remarks = [*unscored, *(["simulated"] if facts["simulated"] else []), *facts["remarks"]]
    numbers = [f"{facts['tst_min']:.1f}", f"{facts['se_percent']:.1f}", *(f"{share:.0f}" for share in shares)]
    channels = list(facts["channels"])
    more = f" +{len(channels) - 6}" if len(channels) > 6 else ""
    return [
        Text(cell) for cell in (name, str(facts["epochs"]), " ".join(channels[:6]) + more, *numbers, "; ".join(remarks))
    ]


def score_and_report(patterns: Sequence[str], scorer: Scorer, out: Path, wishes: Wishes) -> bool:
    """Score recordings as `score_inputs` does, write ``summary.csv`` and print it; return whether all were scored."""
    outcomes = score_inputs(patterns, scorer, out, wishes)
    write_summary(out / "summary.csv", outcomes)
    print_summary(outcomes)
    return not any(one.error for one in outcomes)
