"""Stage `simulate`: a whole cohort's native files, with the hidden truth beside them."""

from __future__ import annotations

import logging
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hypnoflow import __version__
from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.simulate import Effects, Simulate
from hypnoflow.facts.claim import claim
from hypnoflow.facts.code import code_of
from hypnoflow.facts.ours import check_marked, put_in_place, remove_folder, write_mark
from hypnoflow.facts.progress import track
from hypnoflow.facts.provenance import write_facts
from hypnoflow.seeds import generator
from hypnoflow.simulate.dialect import Dialect
from hypnoflow.simulate.dialects import dialects
from hypnoflow.simulate.effects import AS_IN_HUMANS
from hypnoflow.simulate.persons import Person, draw_person
from hypnoflow.simulate.recorder import Recorder, Visit
from hypnoflow.simulate.truth import write_truth

log = logging.getLogger(__name__)

WORTH_PROCESSES = 3  # recordings per process, below which starting processes takes longer than they save
MARK = "SIMULATED.json"  # its presence in a cohort's folder makes every later table and figure say "simulated"
WHAT = "simulated cohort"


def simulate_cohort(
    name: str, root: Path, cohort: CohortConfig, options: Simulate, *, seed: int, threads: int = 1
) -> list[dict[str, Any]]:
    """Write a simulated cohort to `root` and return the rows of its demographics table.

    The folder appears under its name only when it is complete; ``{root}.json`` is written last. Same seed, same
    bytes, for any number of threads.

    Raises
    ------
    ConfigError
        If there is no dialect called `name`.
    OutputError
        If something else than a simulated cohort stands there.
    """
    dialects.check(name)
    options = options if cohort.night_h is None else options.model_copy(update={"night_h": cohort.night_h})
    with claim(Path(f"{root}.json")) as mine:
        if os.path.lexists(root):
            check_marked(root, MARK, WHAT)
        partial, begun = mine.partial(root)
        if begun:
            remove_folder(partial)  # what a killed run left is not gone on with
        partial.mkdir()
        rows = _write_cohort(name, partial, cohort, options, seed, threads)
        facts = {"cohort": name, "seed": seed, "hypnoflow": __version__, "options": options.model_dump()}
        write_mark(partial, MARK, facts)
        put_in_place(partial, root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        about = {"cohort": name, "recordings": len(rows), "seed": seed}
        write_facts(mine.record, "simulate", about, files, code=code_of("simulate", cohort=name))
    log.info("%s: %d simulated recordings in %s", name, len(rows), root)
    return rows


def _write_cohort(
    name: str, folder: Path, cohort: CohortConfig, options: Simulate, seed: int, threads: int
) -> list[dict[str, Any]]:
    """Write all recordings of a cohort into a new folder, and its tables."""
    visits = draw_visits(name, cohort, seed, options.effects)
    jobs = [(name, folder, visit, options, seed) for visit in visits]
    if threads > 1 and len(jobs) >= WORTH_PROCESSES * threads:
        with ProcessPoolExecutor(threads, mp_context=get_context("spawn")) as pool:
            rows = list(track(pool.map(_write_visit, jobs), len(jobs), f"simulate {name}"))
    else:
        rows = list(track(map(_write_visit, jobs), len(jobs), f"simulate {name}"))
    dialects.get(name).write_tables(folder, rows)
    return rows


def draw_visits(name: str, cohort: CohortConfig, seed: int, effects: Effects = AS_IN_HUMANS) -> list[Visit]:
    """Draw the persons of a cohort and their visits, in order.

    Raises
    ------
    ValueError
        If the dialect gives two visits one name: the files of one would take the place of the other's.
    """
    dialect = dialects.get(name)
    visits = []
    for number in range(cohort.persons):
        rng = generator(seed, "simulate", name, "person", number)
        person = draw_person(dialect.population, number, rng, effects)
        returns = rng.random() < cohort.repeat_persons
        last = most_visits(dialect, person) if returns else 1
        for visit in range(1, last + 1):
            visits.append(Visit(name, dialect.recording(person, visit, rng), person, visit))
    twice = [recording for recording, n in Counter(visit.recording for visit in visits).items() if n > 1]
    if twice:
        raise ValueError(f"the dialect {name!r} calls several visits {twice[0]!r}: see its `visits` and `recording`")
    return visits


def most_visits(dialect: Dialect, person: Person) -> int:
    """Return how many visits `person` would make if they came back: one unless the dialect has `visits(person)`."""
    visits = getattr(dialect, "visits", None)
    return int(visits(person)) if visits else 1


def _write_visit(job: tuple[str, Path, Visit, Simulate, int]) -> dict[str, Any]:
    name, root, visit, options, seed = job
    dialect = dialects.get(name)
    recorder = Recorder(visit, options, seed, dialect.rate_hz, dialect.mains_hz)
    row = dialect.write(root, recorder)
    write_truth(root / "truth" / f"{visit.recording}.npz", recorder)
    return row
