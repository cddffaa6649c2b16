"""The command line: one thin verb per stage. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from hypnoflow import cli_tools  # noqa: F401  (adds its verbs to the application)
from hypnoflow.cli_base import (
    CohortName,
    ConfigFile,
    Device,
    HarmonizedFolder,
    IndexFolder,
    OnError,
    Out,
    RunOptions,
    ScienceJson,
    ScoresFolder,
    SplitFile,
    Threads,
    app,
    log,
    named,
)
from hypnoflow.cli_base import checked_config as checked_config
from hypnoflow.cli_base import science_of as _science
from hypnoflow.config import CohortConfig, Config, run_options
from hypnoflow.errors import CohortError, ConfigError, shown
from hypnoflow.terminal import one_message, start_logging


def main() -> None:
    """Run the command line; what goes wrong ends in one message and exit code 1, and 130 after Ctrl-C."""
    # Transparent huge pages for tensors: Linux only, a quarter less time in training, no change in results.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    with one_message():
        start_logging()
        app()


@app.command()
def simulate(
    cohort: str, out: Out, science: ScienceJson = None, config: ConfigFile = None, threads: Threads = 1
) -> None:
    """Write a simulated cohort in its own file formats, with the hidden truth beside it."""
    from hypnoflow.simulate.run import simulate_cohort

    options = _science(science, config)
    if cohort not in options.cohorts:
        raise ConfigError(f"science.cohorts does not name {cohort!r}")
    if not out.name or out.name == "..":
        raise ConfigError(f"--out names the cohort's new folder; found {shown(out)}")
    rows = simulate_cohort(cohort, out, options.cohorts[cohort], options.simulate, seed=options.seed, threads=threads)
    log.info("%s: %d simulated recordings in %s", cohort, len(rows), out)


@app.command()
def index(
    cohort: str,
    root: Annotated[Path, typer.Option(help="Folder of the cohort's native files.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    on_error: OnError = "skip",
) -> None:
    """Find a cohort's recordings and write its manifest; a cohort that cannot be used gives an empty one."""
    from hypnoflow.cohorts._index import index_cohort
    from hypnoflow.io.manifest import empty_manifest, write_manifest

    named(out, ".parquet")
    about: dict[str, Any] = {"cohort": cohort, "root": str(root), "problem": "", "problems": []}
    try:
        options = _science(science, config)
        section = options.cohorts.get(cohort, CohortConfig())
        manifest, problems = index_cohort(cohort, root, options.index.shard_size, section)
        about |= {"problems": problems, "simulated": bool(manifest["simulated"].any())}
    except CohortError as error:
        if on_error == "abort":
            raise
        log.warning("%s", error)
        manifest = empty_manifest()
        about |= {"problem": str(error), "simulated": False}
    for problem in about["problems"]:
        log.warning("%s/%s", cohort, problem)
    write_manifest(out, manifest, about)
    log.info("%s: %d recordings, %d persons", cohort, len(manifest), manifest["person"].nunique())


@app.command()
def harmonize(
    out: Out,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Recordings and folders of them, without a workflow.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest made by `index`, instead of paths.")] = None,
    shard: Annotated[str, typer.Option(help="Shard of the manifest.")] = "000",
    root: Annotated[Path | None, typer.Option(help="Folder of the cohort's native files.")] = None,
    cohort: CohortName = None,
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 1,
    on_error: OnError = "skip",
    max_skipped: Annotated[float, typer.Option(help="Largest share that may be skipped.")] = 1.0,
) -> None:
    """Harmonize recordings, or one shard of a cohort, into a Zarr store."""
    from hypnoflow.harmonize.files import given_rows, shard_rows
    from hypnoflow.harmonize.run import harmonize_shard

    options = _science(science, config)
    named(out, ".zarr", "a Zarr store")
    if bool(paths) == bool(manifest and root):
        raise ConfigError("harmonize takes either paths, or --manifest with --shard and --root")
    if manifest and root:
        rows, section, failed = *shard_rows(manifest, shard, root, options.cohorts), False
    else:
        rows, section, failed = given_rows(paths or [], cohort, options.cohorts)
    table = harmonize_shard(
        rows, section, out, options.harmonize, threads=threads, on_error=on_error, max_skipped=max_skipped
    )
    table = table[table["recording"].isin(rows["recording"])]  # not what was in the store before
    log.info("%s: %s", out, ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items()))
    if paths and (failed or (table["status"] != "ok").any()):
        raise SystemExit(1)


@app.command()
def split(
    manifests: list[Path],
    out: Out,
    seen: Annotated[
        list[Path] | None, typer.Option(help="A training's .seen.parquet: whom it has seen is never unseen.")
    ] = None,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Assign persons to train, valid, test and held-out."""
    import pandas as pd

    from hypnoflow.data.seen import as_trained
    from hypnoflow.data.splits import split_persons
    from hypnoflow.io.claim import claim
    from hypnoflow.io.files import replacing, write_table
    from hypnoflow.io.manifest import read_manifest
    from hypnoflow.io.provenance import write_facts

    options = _science(science, config)
    named(out, ".parquet")
    rows = pd.concat([read_manifest(path) for path in manifests], ignore_index=True)
    held_out = {name for name, cohort in options.cohorts.items() if cohort.held_out}
    table = split_persons(rows, options.split, held_out=held_out, seed=options.seed)
    if seen:
        table = as_trained(table, seen)
    persons = table.groupby("split")["person"].nunique()
    text = out.with_suffix(".csv")
    with claim(out.with_suffix(".json"), [out, text], [*manifests, *(seen or [])], remember=True) as mine:
        write_table(table, text)
        with replacing(out) as path:
            table.to_parquet(path, index=False)
        write_facts(mine.record, "split", {"persons": persons.to_dict()}, [out], [text])
    log.info("%s", ", ".join(f"{name} {n} persons" for name, n in persons.items()))


@app.command()
def train(
    split: SplitFile,
    harmonized: HarmonizedFolder,
    model: Annotated[str, typer.Option(help="Network to train.")],
    seed: Annotated[int, typer.Option(help="Number of the training run.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="KEY=VALUE", help="A run option: threads=2, devices=4 ...")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print sizes, steps and memory; train nothing.")] = False,
) -> None:
    """Train one network and keep the best by the validation persons; run again, an interrupted training goes on."""
    from hypnoflow.train.data import load_training_set
    from hypnoflow.train.dry_run import describe
    from hypnoflow.train.loop import train as run_training

    named(out, ".ckpt", "a checkpoint")
    options = _science(science, config)
    section = options.train.model_copy(update={"model": model})
    how = run_options(config, run or [])
    data = load_training_set(split, harmonized, section.label_s)
    if dry_run:
        typer.echo(describe(data, section, how))
    else:
        run_training(data, section, how, seed=options.seed, run_seed=seed, out=out)


@app.command()
def score(
    paths: Annotated[list[str], typer.Argument(help="Recordings, folders, quoted patterns; or one .zarr store.")],
    model: Annotated[
        list[str], typer.Option("--model", help="Checkpoint, or name of `weights list`; several average.")
    ],
    out: Out,
    channels: Annotated[str, typer.Option(help="auto, or labels: the file's, standard ones, A-B; commas.")] = "auto",
    resolution: Annotated[str, typer.Option(help="Lengths of a step: 30s,1s,1.875s,1/128s.")] = "30s,1s",
    formats: Annotated[str, typer.Option(help="all, or csv,parquet,edf+,pops,annot,yasa,bids,png.")] = "all",
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 2,
    device: Device = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Remove what an earlier run with other options or weights wrote there.")
    ] = False,
) -> None:
    """Score recordings into files that other programs open, or a harmonized store into a store of scores."""
    options = _science(science, config)
    if len(paths) == 1 and Path(paths[0]).suffix == ".zarr":
        from hypnoflow.score.run import score_shard

        if (channels, resolution, formats) != ("auto", "30s,1s", "all"):
            raise ConfigError("a store is scored whole; --channels, --resolution and --formats are for recordings")
        named(out, ".zarr", "the store of scores")
        score_shard(Path(paths[0]), model, out, options.score, threads=threads, device=device)
        return
    from hypnoflow.direct.options import parse_wishes
    from hypnoflow.direct.summary import score_and_report
    from hypnoflow.score.files import open_scorer

    wishes = parse_wishes(channels, resolution, formats, options, force=force)
    if not score_and_report(paths, open_scorer(model, options.score, threads=threads, device=device), out, wishes):
        raise SystemExit(1)


@app.command()
def ablate(
    store: Annotated[Path, typer.Argument(help="One harmonized .zarr store of a cohort.")],
    model: Annotated[list[Path], typer.Option("--model", help="Checkpoint; several are scored apart.")],
    split: SplitFile,
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Score a store's unseen recordings again from subsets of their channels, for `evaluate --subsets`."""
    from hypnoflow.evaluate.files import ablate_files

    named(out, ".parquet")
    ablate_files(store, model, split, out, _science(science, config), threads=threads, device=device)


@app.command()
def evaluate(
    split: SplitFile,
    harmonized: HarmonizedFolder,
    scores: ScoresFolder,
    index: IndexFolder,
    out: Out,
    subsets: Annotated[Path | None, typer.Option(help="Folder of tables made by `ablate`.")] = None,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Compare scores with labels and, for simulated nights, with the truth."""
    from hypnoflow.evaluate.files import evaluate_files

    named(out, ".parquet")
    evaluate_files(split, harmonized, scores, index, out, subsets, _science(science, config))


@app.command()
def features(
    split: SplitFile,
    harmonized: HarmonizedFolder,
    scores: ScoresFolder,
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    run: RunOptions = None,
) -> None:
    """Compute biomarkers of every recording at every resolution."""
    import pandas as pd

    from hypnoflow.data.splits import usable
    from hypnoflow.features import dictionary
    from hypnoflow.features.run import write_features
    from hypnoflow.io.claim import claim, others_list
    from hypnoflow.io.files import write_table
    from hypnoflow.io.provenance import write_facts
    from hypnoflow.parallel import dask_scheduler

    named(out, ".parquet")
    table, options = usable(pd.read_parquet(split), harmonized), _science(science, config).features
    written, text = [out, out.with_suffix(".blocks.parquet")], out.with_name("features.csv")
    with claim(out.with_suffix(".json"), written, [split], remember=True) as mine:
        mine.take([text], also=others_list(text))  # another model's features have the same dictionary
        write_table(dictionary(), text)
        with dask_scheduler(run_options(config, run or [])), mine.scratch(out) as folder:
            rows = write_features(table, scores, options, out, folder)
        write_facts(mine.record, "features", {"rows": rows}, written, [text])
    log.info("%d rows of %d features", rows, len(dictionary()))


@app.command()
def predict(
    features: Annotated[Path, typer.Option(help="Table made by `features`.")],
    index: IndexFolder,
    target: Annotated[str, typer.Option(help="age, sex, apnea_5, apnea_15, apnea_30 or log_ahi.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 1,
) -> None:
    """Predict one target at every resolution and compare with 30 s."""
    import pandas as pd

    from hypnoflow.io.claim import claim
    from hypnoflow.io.files import replacing
    from hypnoflow.io.manifest import read_manifest
    from hypnoflow.io.provenance import write_facts
    from hypnoflow.predict.discover import write_discovery
    from hypnoflow.predict.run import predict_forests, predict_target

    named(out, ".parquet")
    options = _science(science, config)
    how = {"seed": options.seed, "threads": threads}
    tables = [out, *(out.with_suffix(f".{name}.parquet") for name in ("forests", "discovery"))]
    text, kept = out.with_suffix(".discovery.csv"), out.with_suffix(".forests.kept.parquet")
    with claim(out.with_suffix(".json"), [*tables, text, kept], [features], remember=True) as mine:
        manifest = pd.concat([read_manifest(path) for path in sorted(index.glob("*.parquet"))], ignore_index=True)
        found = pd.read_parquet(features)
        simulated = bool(manifest.loc[manifest["cohort"].isin(found["cohort"]), "simulated"].any())
        done = predict_target(found, manifest, target, options.predict, **how, simulated=simulated)
        summary = done.summary
        blocks = pd.read_parquet(features.with_suffix(".blocks.parquet"))
        forests, summary["forests"] = predict_forests(done.people, blocks, options.predict, **how, kept=kept)
        # Always written: a rule whose outputs come and go with an option would not see the option change.
        with replacing(tables[1]) as path:
            forests.to_parquet(path, index=False)
        with replacing(out) as path:
            done.predictions.to_parquet(path, index=False)
        write_discovery(done.discovery, out.with_suffix(".discovery"))
        write_facts(mine.record, "predict", summary, tables, [text])
    log.info("%s: %s", target, summary.get("problem") or f"{summary['persons']} persons")


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of all results.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Write the HTML report and its figures as JSON."""
    from hypnoflow.report.collect import collect
    from hypnoflow.report.page import write_page

    named(out, ".html", "the page")
    write_page(out, collect(results, Config(science=_science(science, config))))
    log.info("%s", out)


if __name__ == "__main__":
    main()
