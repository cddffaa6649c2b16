"""Tables of `evaluate` → which network agrees better with the experts, pair by pair."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from hypnoflow.compare.networks import compare_files
from hypnoflow.config.evaluate import Evaluate
from hypnoflow.facts.claim import claim
from hypnoflow.facts.files import write_table
from hypnoflow.facts.provenance import write_facts

log = logging.getLogger(__name__)


def compare_tables(tables: Sequence[Path], out: Path, options: Evaluate, *, seed: int, measure: str) -> None:
    """Write the comparison of all pairs of networks, on recordings that all of them scored, as CSV to `out`.

    Parameters
    ----------
    tables : sequence of Path
        ``results/evaluate/{model}.parquet``, two or more.
    measure : str
        The column that is compared.
    """
    with claim(out.with_suffix(".json"), [out], tables) as mine:
        table = compare_files(tables, options, seed=seed, measure=measure)
        write_table(table, out)
        write_facts(mine.record, "compare", {"measure": measure, "tables": list(map(str, tables))}, [out])
    for row in table[table["scope"] == "all"].itertuples():
        log.info(
            "%s - %s: %s %+.3f [%+.3f, %+.3f], p %.4f (Holm), %d persons, %d recordings",
            row.model,
            row.other,
            measure,
            row.difference,
            row.difference_low,
            row.difference_high,
            row.p_holm,
            row.persons,
            row.recordings,
        )
