"""Whatever happens to a file, reading it gives signals or stages, or one RecordingError that names it."""

from __future__ import annotations

import pytest
from tests.formats import FORMATS
from tests.fuzzing import bounded_memory, fuzz, outcome

EXAMPLES = 200
SPECIAL = [(name, i) for name, format_ in FORMATS.items() for i in range(len(format_.special))]


@pytest.mark.parametrize("name", FORMATS)
def test_the_undamaged_file_is_read(name, tmp_path):
    format_ = FORMATS[name]
    assert outcome(format_, format_.make()[format_.damaged], tmp_path) == "read"


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_refused_by_name(name, tmp_path):
    counts = fuzz(FORMATS[name], tmp_path, EXAMPLES)
    assert counts.total() >= EXAMPLES
    assert counts["refused"] > EXAMPLES * FORMATS[name].refused_share


@pytest.mark.parametrize(("name", "i"), SPECIAL)
def test_a_file_made_to_exhaust_its_reader_is_read_or_refused_by_name(name, i, tmp_path):
    with bounded_memory():
        outcome(FORMATS[name], FORMATS[name].special[i], tmp_path)
