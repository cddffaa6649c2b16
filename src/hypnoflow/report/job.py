"""All results → one HTML page, its figures as JSON, and what made them."""

from __future__ import annotations

import logging
from pathlib import Path

from hypnoflow.config.schema import Config, Science
from hypnoflow.report.collect import collect
from hypnoflow.report.page import write_page

log = logging.getLogger(__name__)


def report_files(results: Path, out: Path, options: Science) -> None:
    """Write the page to `out`, and ``report.json`` and ``provenance.json`` beside it."""
    write_page(out, collect(results, Config(science=options)))
    log.info("%s", out)
