"""Thousands of damaged files for every reader; how many were read and how many refused is printed."""

from __future__ import annotations

import time

import pytest
from tests.formats import FORMATS
from tests.fuzzing import fuzz

EXAMPLES = 2000


@pytest.mark.parametrize("name", FORMATS)
def test_thousands_of_damaged_files_are_read_or_refused(name, tmp_path):
    began = time.perf_counter()
    counts = fuzz(FORMATS[name], tmp_path, EXAMPLES, derandomize=False)
    took_s = time.perf_counter() - began
    print(f"\n{name}: {counts['read']} read, {counts['refused']} refused, {counts.total() / took_s:.0f} a second")
    assert counts.total() >= EXAMPLES
