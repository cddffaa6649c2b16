"""The command line: one thin verb per stage. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hypnoflow.config import CohortConfig, Config, Science, load_config, parse_config, parse_section, run_options
from hypnoflow.config_files import json_schema, to_yaml
from hypnoflow.errors import CohortError, ConfigError, HypnoflowError

log = logging.getLogger("hypnoflow")
app = typer.Typer(
    help="From raw polysomnography to sleep scored at any resolution.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScienceJson = Annotated[
    str | None, typer.Option("--science", help="Science options as JSON, as a workflow rule passes them.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A config.yaml; the defaults without one.")]
Threads = Annotated[int, typer.Option(help="Cores to use.", min=1)]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
OnError = Annotated[str, typer.Option(help="skip or abort: what a bad recording does.")]
CohortName = Annotated[
    str | None, typer.Option("--cohort", help="Read by the rules of this cohort; as any folder without it.")
]
HarmonizedFolder = Annotated[Path, typer.Option("--harmonized", help="Folder of the harmonized stores.")]
ScoresFolder = Annotated[Path, typer.Option("--scores", help="Folder of the stores of scores.")]
IndexFolder = Annotated[Path, typer.Option("--index", help="Folder of the manifests.")]
SplitFile = Annotated[Path, typer.Option("--split", help="Table made by `split`.")]


def main() -> None:
    """Run the command line; a user's mistake ends in one message and exit code 1."""
    # Transparent huge pages for tensors: Linux only, a quarter less time in training, no change in results.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    level = os.environ.get("HYPNOFLOW_LOG_LEVEL", "info").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        app()
    except HypnoflowError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        raise SystemExit(1) from None


def check_names(config: Config) -> Config:
    """Return `config` if every cohort and model that it names exists, and can be simulated where it has no root."""
    from hypnoflow.cohorts._configured import resolve
    from hypnoflow.models import models
    from hypnoflow.simulate.dialects import dialects

    for name, cohort in config.science.cohorts.items():
        resolve(name, cohort)
        if cohort.root is None:
            dialects.check(name)
    models.check(config.science.train.model)
    if not config.science.cohorts:
        raise ConfigError("science.cohorts is empty: name at least one cohort")
    return config


def checked_config(data: object, source: str) -> Config:
    """Check a whole configuration given as nested mappings, as the Snakefile does before it plans anything."""
    return check_names(parse_config(data, source))


def _science(text: str | None, config: Path | None) -> Science:
    if text is not None:
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"--science is not JSON: {error}") from error
        science: Science = parse_section(Science, data, "--science")
        return science
    return check_names(load_config(config)).science if config else Science()


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
def simulate(
    cohort: str, out: Out, science: ScienceJson = None, config: ConfigFile = None, threads: Threads = 1
) -> None:
    """Write a simulated cohort in its own file formats, with the hidden truth beside it."""
    from hypnoflow.io.files import provenance, write_json
    from hypnoflow.simulate.run import simulate_cohort

    options = _science(science, config)
    if cohort not in options.cohorts:
        raise ConfigError(f"science.cohorts does not name {cohort!r}")
    rows = simulate_cohort(cohort, out, options.cohorts[cohort], options.simulate, seed=options.seed, threads=threads)
    facts = {"cohort": cohort, "recordings": len(rows), "seed": options.seed, "provenance": provenance()}
    write_json(Path(f"{out}.json"), facts)
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
    if out.suffix != ".zarr":
        raise ConfigError(f"--out names a Zarr store, and must end in .zarr; found {out}")
    if bool(paths) == bool(manifest and root):
        raise ConfigError("harmonize takes either paths, or --manifest with --shard and --root")
    if manifest and root:
        rows, section, failed = *shard_rows(manifest, shard, root, options.cohorts), False
    else:
        rows, section, failed = given_rows(paths or [], cohort, options.cohorts)
    table = harmonize_shard(
        rows, section, out, options.harmonize, threads=threads, on_error=on_error, max_skipped=max_skipped
    )
    log.info("%s: %s", out, ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items()))
    if paths and (failed or (table["status"] != "ok").any()):
        raise SystemExit(1)


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

    options = _science(science, config)
    if not print_reports(paths, cohort, options.cohorts, options.harmonize, as_json=as_json):
        raise SystemExit(1)


@app.command()
def split(manifests: list[Path], out: Out, science: ScienceJson = None, config: ConfigFile = None) -> None:
    """Assign persons to train, valid, test and held-out."""
    import pandas as pd

    from hypnoflow.data.splits import split_persons
    from hypnoflow.io.files import replacing
    from hypnoflow.io.manifest import read_manifest

    options = _science(science, config)
    rows = pd.concat([read_manifest(path) for path in manifests], ignore_index=True)
    held_out = {name for name, cohort in options.cohorts.items() if cohort.held_out}
    table = split_persons(rows, options.split, held_out=held_out, seed=options.seed)
    with replacing(out.with_suffix(".csv")) as path:
        table.to_csv(path, index=False)
    with replacing(out) as path:
        table.to_parquet(path, index=False)
    persons = table.groupby("split")["person"].nunique()
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
    paths: Annotated[list[Path], typer.Argument(help="Recordings (EDF, BDF …), or one harmonized .zarr store.")],
    model: Annotated[list[Path], typer.Option("--model", help="Checkpoint; several are averaged.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 2,
    device: Device = "auto",
) -> None:
    """Score recordings into CSV tables, or a harmonized store into a store of scores."""
    options = _science(science, config).score
    if len(paths) == 1 and paths[0].suffix == ".zarr":
        from hypnoflow.score.run import score_shard

        score_shard(paths[0], model, out, options, threads=threads, device=device)
        return
    from hypnoflow.score.files import score_files

    failed = score_files(paths, model, out, options, threads=threads, device=device)
    if failed:
        raise SystemExit(1)


@app.command()
def evaluate(
    split: SplitFile,
    harmonized: HarmonizedFolder,
    scores: ScoresFolder,
    index: IndexFolder,
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Compare scores with labels and, for simulated nights, with the truth."""
    import pandas as pd

    from hypnoflow.data.splits import usable
    from hypnoflow.evaluate.run import evaluate_model
    from hypnoflow.io.files import replacing, write_json

    table = usable(pd.read_parquet(split), harmonized)
    twins = [json.loads(path.read_text()) for path in sorted(index.glob("*.json"))]
    roots = {twin["cohort"]: Path(twin["root"]) for twin in twins if twin["simulated"]}
    at_30_s, fine, summary = evaluate_model(table, harmonized, scores, roots, _science(science, config).evaluate)
    for path, rows in ((out.with_suffix(".truth.parquet"), fine), (out, at_30_s)):
        with replacing(path) as partial:
            rows.to_parquet(partial, index=False)
    write_json(out.with_suffix(".json"), summary)
    unseen = summary["unseen"]
    if unseen and unseen["kappa"] is not None:
        log.info("unseen persons: macro-F1 %.3f, kappa %.3f", unseen["macro_f1"], unseen["kappa"])


@app.command()
def features(
    split: SplitFile,
    harmonized: HarmonizedFolder,
    scores: ScoresFolder,
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Compute biomarkers of every recording at every resolution."""
    import pandas as pd

    from hypnoflow.data.splits import usable
    from hypnoflow.features.run import dictionary, feature_table
    from hypnoflow.io.files import replacing

    table = feature_table(usable(pd.read_parquet(split), harmonized), scores, _science(science, config).features)
    with replacing(out.with_name("features.csv")) as path:
        dictionary().to_csv(path, index=False)
    with replacing(out) as path:
        table.to_parquet(path, index=False)
    log.info("%d rows of %d features", len(table), len(dictionary()))


@app.command()
def predict(
    features: Annotated[Path, typer.Option(help="Table made by `features`.")],
    index: IndexFolder,
    target: Annotated[str, typer.Option(help="age, sex or apnea.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
    threads: Threads = 1,
) -> None:
    """Predict one target at every resolution and compare with 30 s."""
    import pandas as pd

    from hypnoflow.io.files import replacing, write_json
    from hypnoflow.io.manifest import read_manifest
    from hypnoflow.predict.run import predict_target

    options = _science(science, config)
    manifest = pd.concat([read_manifest(path) for path in sorted(index.glob("*.parquet"))], ignore_index=True)
    table, summary = predict_target(
        pd.read_parquet(features), manifest, target, options.predict, seed=options.seed, threads=threads
    )
    with replacing(out) as path:
        table.to_parquet(path, index=False)
    write_json(out.with_suffix(".json"), summary)
    log.info("%s: %s", target, summary.get("problem") or f"{summary['persons']} persons")


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of all results.")],
    out: Out,
    science: ScienceJson = None,
    config: ConfigFile = None,
) -> None:
    """Write the HTML report and its figures as JSON."""
    from hypnoflow.io.files import replacing
    from hypnoflow.report.collect import collect
    from hypnoflow.report.page import render, summary_json

    data = collect(results, Config(science=_science(science, config)))
    with replacing(out.with_suffix(".json")) as path:
        path.write_text(summary_json(data))
    with replacing(out) as path:
        path.write_text(render(data))
    log.info("%s", out)


@app.command("config")
def config_files(
    check: Annotated[bool, typer.Option("--check", help="Fail if the shipped files differ from the schema.")] = False,
    folder: Annotated[Path, typer.Option(help="Root of the repository.")] = Path(),
) -> None:
    """Write config.yaml and its JSON schema from the typed schema, or check that they are up to date."""
    wanted = {
        folder / "config.yaml": to_yaml(Config()),
        folder / "workflow" / "schemas" / "config.schema.json": json_schema(),
    }
    for path, text in wanted.items():
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            raise ConfigError(f"{path} is not what src/hypnoflow/config.py generates; run `hypnoflow config`")


if __name__ == "__main__":
    main()
