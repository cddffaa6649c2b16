"""Results looked through outside of a run, and kept from runs meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from hypnoflow.errors import ConfigError, WorkflowError
from hypnoflow.facts.claim import forget
from hypnoflow.head.head import claim_results, myself
from hypnoflow.head.start import REPORT
from hypnoflow.head.stores import Thoroughness, damaged, siblings

log = logging.getLogger(__name__)


def verify_results(results: Path, how: Thoroughness, say: Callable[[str], object], *, set_aside: bool) -> bool:
    """Compare all outputs below `results` with their JSONs; return whether they are whole.

    `say` takes a line for each that is damaged. With `set_aside`, the next run makes it again.

    Raises
    ------
    ConfigError
        If there are no results.
    WorkflowError
        If a run may be writing there and something is to be set aside.
    """
    paths = siblings(results)
    if not paths:
        raise ConfigError(f"{results} holds no results; name the folder that `snakemake` writes to")
    with kept_from_runs(results) if set_aside else nullcontext():
        found = damaged(paths, how)
        for damage in found:
            say(f"{damage.sibling.with_suffix('')}: {damage.what}")
            if set_aside:
                damage.set_aside()
                forget(results / REPORT)
    log.info("%d of %d outputs are whole", len(paths) - len(found), len(paths))
    return not found


@contextmanager
def kept_from_runs(results: Path) -> Iterator[None]:
    """Keep runs out of a folder of results, unless what one left there may still be writing."""
    claim = claim_results(results)
    with claim.file:
        if not claim.sure or (claim.before is not None and not claim.before.end):
            raise WorkflowError(
                f"a run may be writing to {results} ({claim.before or 'this file system has no locks, to tell'}): "
                "start `snakemake` again, which cleans up and sets aside by itself with run.verify: hashes"
            )
        claim.write(myself("hypnoflow verify", Path.cwd()))
        yield
