"""Loss and scores per round, as CSV and for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
from tensorboardX import SummaryWriter

from hypnoflow.facts.files import replacing
from hypnoflow.facts.ours import check_marked, remove_folder, write_mark

MARK = "hypnoflow.json"  # in the folder: the files that are ours


class Curve:
    """The curve of one training: ``{stem}.csv`` and the folder ``{stem}.tensorboard`` beside its checkpoint.

    Both always hold the whole course, so that a resumed training leaves no trace in them.
    """

    def __init__(self, out: Path, rows: list[dict[str, float]]):
        self._csv, folder = out.with_suffix(".csv"), out.with_suffix(".tensorboard")
        if os.path.lexists(folder):
            check_marked(folder, MARK, "folder for TensorBoard")
            remove_folder(folder)
        self._writer = SummaryWriter(str(folder))
        write_mark(folder, MARK, {}, sized=False)
        for row in rows:
            self._add_scalars(row)
        if rows:
            self._write(rows)

    def add(self, rows: list[dict[str, float]]) -> None:
        """Write the table anew, and the last row for TensorBoard."""
        self._write(rows)
        self._add_scalars(rows[-1])

    def close(self) -> None:
        self._writer.close()

    def _write(self, rows: list[dict[str, float]]) -> None:
        with replacing(self._csv) as path:
            pd.DataFrame(rows).to_csv(path, index=False)

    def _add_scalars(self, row: dict[str, float]) -> None:
        for name in ("train_loss", "valid_macro_f1", "learning_rate"):
            self._writer.add_scalar(name, row[name], int(row["update"]))
        self._writer.flush()
