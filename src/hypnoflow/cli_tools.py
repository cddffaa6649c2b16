"""The verbs that are no stage: getting files, looking at them, and the shipped config. Imports wait as in `cli`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hypnoflow.cli_base import CohortName, ConfigFile, Out, RunOptions, ScienceJson, app, log, named, science_of
from hypnoflow.config import Config, run_options
from hypnoflow.config_files import is_unedited, json_schema, stamped, to_yaml
from hypnoflow.env_files import conda_yaml
from hypnoflow.errors import CohortError, ConfigError, OutputError


class Measure(StrEnum):
    """Columns of the tables per recording that networks are compared by."""

    macro_f1 = "macro_f1"
    kappa = "kappa"
    accuracy = "accuracy"


FEW = 20  # files are named, the rest counted
weights = typer.Typer(help="The weights that AnySleep's authors published.", no_args_is_help=True)
app.add_typer(weights, name="weights")


@app.command()
def download(
    cohort: str,
    n: Annotated[int | None, typer.Option("--n", help="Only the first N recordings.", min=1)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; native/COHORT if not given.")] = None,
) -> None:
    """Fetch a cohort's native files from where they are published; run again to go on."""
    from hypnoflow.download.run import connect, source_of
    from hypnoflow.download.run import download as fetch

    folder = out or Path("native") / cohort
    source = source_of(cohort)
    failed = fetch(source, folder, n, connect(source))
    if failed:
        some = "".join(f"\n  {why}" for why in list(failed.values())[:20])
        raise CohortError(f"{len(failed)} files failed, all named in {folder / 'failed.txt'}; run again to go on{some}")
    log.info("%s is complete; set science.cohorts.%s.root to %s", cohort, cohort, folder.resolve())


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Recordings, and folders of them.")],
    cohort: CohortName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per recording in a list.")] = False,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Say what each recording holds, what would be used of it, and why it would be skipped; nothing is written."""
    from hypnoflow.harmonize.inspect import print_reports

    options = science_of(science, config)
    if not print_reports(paths, cohort, options.cohorts, options.harmonize, as_json=as_json):
        raise SystemExit(1)


@app.command()
def compare(
    tables: Annotated[
        list[Path], typer.Argument(metavar="TABLE...", help="results/evaluate/MODEL.parquet, two or more.")
    ],
    out: Out,
    measure: Annotated[Measure, typer.Option(help="What is compared, recording by recording.")] = Measure.macro_f1,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Compare networks on the same unseen persons: differences, intervals, p corrected for all pairs; CSV."""
    from hypnoflow.evaluate.cohorts import compare_files
    from hypnoflow.io.claim import claim
    from hypnoflow.io.files import write_table
    from hypnoflow.io.provenance import write_facts

    named(out, ".csv")
    options = science_of(science, config)
    with claim(out.with_suffix(".json"), [out], tables) as mine:
        table = compare_files(tables, options.evaluate, seed=options.seed, measure=measure.value)
        write_table(table, out)
        write_facts(mine.record, "compare", {"measure": measure.value, "tables": list(map(str, tables))}, [out])
    for row in table[table["scope"] == "all"].itertuples():
        log.info(
            "%s - %s: %s %+.3f [%+.3f, %+.3f], p %.4f (Holm), %d persons, %d recordings",
            row.model,
            row.other,
            measure.value,
            row.difference,
            row.difference_low,
            row.difference_high,
            row.p_holm,
            row.persons,
            row.recordings,
        )


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(help="Folder of all results.")] = Path("results"),
    sizes: Annotated[bool, typer.Option("--sizes", help="Compare sizes of files only, as every run does.")] = False,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Let the next run make what is damaged again.")
    ] = False,
) -> None:
    """Read stores, tables and checkpoints and compare them with the hashes in their JSONs, after a copy say."""
    from hypnoflow.io.claim import forget
    from hypnoflow.workflow.start import REPORT
    from hypnoflow.workflow.stores import damaged, siblings

    paths = siblings(results)
    if not paths:
        raise ConfigError(f"{results} holds no results; name the folder that `snakemake` writes to")
    with _kept_from_runs(results) if set_aside else nullcontext():
        found = damaged(paths, "sizes" if sizes else "hashes")
        for damage in found:
            typer.echo(f"{damage.sibling.with_suffix('')}: {damage.what}")
            if set_aside:
                damage.set_aside()
                forget(results / REPORT)
    log.info("%d of %d outputs are whole", len(paths) - len(found), len(paths))
    if found:
        raise SystemExit(1)


@app.command("clean")
def clean_results(
    results: Annotated[Path | None, typer.Argument(help="Folder of all results; run.results if not given.")] = None,
    config: ConfigFile = None,
) -> None:
    """Remove the results of the workflow: what its JSONs list, and nothing else; what stays is named."""
    from hypnoflow.workflow.clean import clean

    folder = results or Path(run_options(config or Path("config.yaml"), []).results)
    if not folder.is_dir():
        log.info("there is no folder %s", folder)
        return
    with _kept_from_runs(folder):
        left = clean(folder)
    for path in left[:FEW]:
        log.info("stays, not known to be of hypnoflow: %s", path)
    log.info("%s is clean%s", folder, f", but for {len(left)} files" if left else "")


@contextmanager
def _kept_from_runs(results: Path) -> Iterator[None]:
    """Keep runs out of a folder of results, unless what one left there may still be writing."""
    from hypnoflow.errors import WorkflowError
    from hypnoflow.workflow.head import claim_results, myself

    claim = claim_results(results)
    with claim.file:
        if not claim.sure or (claim.before is not None and not claim.before.end):
            raise WorkflowError(
                f"a run may be writing to {results} ({claim.before or 'this file system has no locks, to tell'}): "
                "start `snakemake` again, which cleans up and sets aside by itself with run.verify: hashes"
            )
        claim.write(myself("hypnoflow verify", Path.cwd()))
        yield


@app.command()
def survey(
    paths: Annotated[list[Path], typer.Argument(help="results/harmonized, or folders of cohorts in it.")],
    out: Out,
    epochs: Annotated[int, typer.Option(help="Most epochs per stage and channel that powers are taken from.")] = 20,
    config: ConfigFile = None,
    run: RunOptions = None,
) -> None:
    """Write what each channel of each cohort looks like: hours, amplitudes, flags, powers by stage; CSV."""
    from hypnoflow.io.claim import claim
    from hypnoflow.io.files import replacing, write_table
    from hypnoflow.io.provenance import write_facts
    from hypnoflow.parallel import dask_scheduler
    from hypnoflow.survey import survey as look

    named(out, ".csv")
    recordings, texts = out.with_suffix(".recordings.parquet"), [out.with_suffix(".cohorts.csv"), out]
    with claim(out.with_suffix(".json"), [recordings, *texts]) as mine:
        with dask_scheduler(run_options(config, run or [])):
            found = look(paths, epochs)
        with replacing(recordings) as path:
            found.recordings.to_parquet(path, index=False)
        write_table(found.cohorts, texts[0])
        write_table(found.channels, out)
        write_facts(mine.record, "survey", {"recordings": len(found.recordings)}, [recordings], texts)
    for name, why in found.problems.items():
        log.warning("%s is left out: %s", name, why)
    log.info("%d recordings of %d cohorts in %s", found.cohorts["recordings"].sum(), len(found.cohorts), out)
    if found.problems:
        raise SystemExit(1)


@weights.command("list")
def weights_list() -> None:
    """Name the published weights, their networks and sizes, and where those that are here lie."""
    from hypnoflow.models._release import releases

    for release in releases().values():
        place = release.cached if release.cached.is_file() else ""
        typer.echo(f"{release.name:<27}{release.network:<16}{release.bytes / 1e6:.1f} MB  {place}".rstrip())


@weights.command("get")
def weights_get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of `weights list`.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to copy them to, besides the cache.")] = None,
) -> None:
    """Download published weights into the cache, and print where each file is."""
    from hypnoflow.models._release import copy_to, fetch, release_of

    for name in names:
        release_of(name)
    for name in names:
        typer.echo(fetch(name) if out is None else copy_to(out, fetch(name)))


@app.command("config")
def config_files(
    check: Annotated[bool, typer.Option("--check", help="Fail if the shipped files differ from the schema.")] = False,
    folder: Annotated[Path, typer.Option(help="Root of the repository.")] = Path(),
) -> None:
    """Write config.yaml and its JSON schema from the typed schema, and conda's file from the lock; or check them.

    A file that was edited since it was written is refused, and then none is written.
    """
    from hypnoflow.io.files import replaceable, replacing

    lock, project = folder / "envs" / "requirements.txt", folder / "pyproject.toml"
    wanted = {
        folder / "config.yaml": stamped(to_yaml(Config())),
        folder / "workflow" / "schemas" / "config.schema.json": stamped(json_schema()),
        folder / "envs" / "hypnoflow.yaml": stamped(conda_yaml(lock.read_text("utf-8"), project.read_text("utf-8"))),
    }
    found = {path: path.read_text("utf-8", "replace") if path.exists() else None for path in wanted}
    differ = [path for path, text in wanted.items() if found[path] != text]
    if check and differ:
        source = "the lock" if differ[0].parent.name == "envs" else "src/hypnoflow/config.py"
        raise ConfigError(f"{differ[0]} is not what {source} generates; run `hypnoflow config`")
    edited = [path for path in differ if path.is_symlink() or not is_unedited(found[path] or wanted[path])]
    if edited:
        do = "move it away, run again, and take over what you changed"
        raise OutputError(edited[0], "was edited since `hypnoflow config` wrote it", do)
    for path in differ:
        replaceable(path)
        with replacing(path) as partial:
            partial.write_text(wanted[path], encoding="utf-8")
