"""The command line: a list of verbs that open the doors of the stages. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hypnoflow.config.cohorts import CohortConfig
from hypnoflow.config.models import EntryConfig
from hypnoflow.config.schema import Science, load_config, run_options, science_of
from hypnoflow.errors import ConfigError, shown
from hypnoflow.facts import terminal as t
from hypnoflow.look.verbs import networks, weights

app = typer.Typer(
    help="From raw polysomnography to sleep scored at any resolution.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(weights, name="weights")
app.add_typer(networks, name="models")


def main() -> None:
    """Run the command line; what goes wrong ends in one message and exit code 1, and 130 after Ctrl-C."""
    # Transparent huge pages for tensors: Linux only, a quarter less time in training, no change in results.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    with t.one_message():
        t.start_logging()
        app()


def _science(text: str | None, config: Path | None) -> Science:
    """Return the science options given as JSON, else those of a config.yaml, else the defaults."""
    if text is not None or config is None:
        return science_of(text)
    from hypnoflow.head.check import check_names

    return check_names(load_config(config)).science


@app.command()
def simulate(
    cohort: str, out: t.Out, science: t.ScienceJson = None, config: t.ConfigFile = None, threads: t.Threads = 1
) -> None:
    """Write a simulated cohort in its own file formats, with the hidden truth beside it."""
    from hypnoflow.simulate.job import simulate_cohort

    options = _science(science, config)
    if cohort not in options.cohorts:
        raise ConfigError(f"science.cohorts does not name {cohort!r}")
    if not out.name or out.name == "..":
        raise ConfigError(f"--out names the cohort's new folder; found {shown(out)}")
    simulate_cohort(cohort, out, options.cohorts[cohort], options.simulate, seed=options.seed, threads=threads)


@app.command()
def index(
    cohort: str,
    root: Annotated[Path, typer.Option(help="Folder of the cohort's native files.")],
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    on_error: t.OnError = "skip",
) -> None:
    """Find a cohort's recordings and write its manifest; a cohort that cannot be used gives an empty one."""
    from hypnoflow.index.job import index_files

    options = _science(science, config)
    section = options.cohorts.get(cohort, CohortConfig())
    t.named(out, ".parquet")
    index_files(cohort, root, out, section, shard_size=options.index.shard_size, on_error=on_error)


@app.command()
def harmonize(
    out: t.Out,
    paths: t.PlainFiles = None,
    manifest: Annotated[Path | None, typer.Option(help="Manifest made by `index`, instead of paths.")] = None,
    shard: Annotated[str, typer.Option(help="Shard of the manifest.")] = "000",
    root: Annotated[Path | None, typer.Option(help="Folder of the cohort's native files.")] = None,
    cohort: t.CohortName = None,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    threads: t.Threads = 1,
    on_error: t.OnError = "skip",
    max_skipped: Annotated[float, typer.Option(help="Largest share that may be skipped.")] = 1.0,
) -> None:
    """Harmonize recordings, or one shard of a cohort, into a Zarr store."""
    options = _science(science, config)
    how = {"threads": threads, "on_error": on_error, "max_skipped": max_skipped}
    t.named(out, ".zarr", "a Zarr store")
    if bool(paths) == bool(manifest and root):
        raise ConfigError("harmonize takes either paths, or --manifest with --shard and --root")
    if manifest and root:
        from hypnoflow.harmonize.job import harmonize_files

        harmonize_files(manifest, shard, root, out, options.cohorts, options.harmonize, **how)
    else:
        from hypnoflow.direct.harmonize import harmonize_given

        if not harmonize_given(paths or [], cohort, out, options.cohorts, options.harmonize, **how):
            raise SystemExit(1)


@app.command()
def split(
    manifests: list[Path],
    out: t.Out,
    seen: t.SeenFiles = None,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Assign persons to train, valid, test and held-out."""
    from hypnoflow.split.job import split_files

    options = _science(science, config)
    held_out = {name for name, cohort in options.cohorts.items() if cohort.held_out}
    split_files(manifests, seen or [], t.named(out, ".parquet"), options.split, held_out=held_out, seed=options.seed)


@app.command()
def train(
    split: t.SplitFile,
    harmonized: t.HarmonizedFolder,
    model: Annotated[str, typer.Option(help="Entry of science.models to train; or a network.")],
    seed: Annotated[int, typer.Option(help="Number of the training run.")],
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    run: t.RunOptions = None,
    fold: Annotated[int | None, typer.Option(help="The fold that is left out, where the split has folds.")] = None,
    base: Annotated[list[str] | None, typer.Option("--base", help="Checkpoint for each of the entry's bases.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print sizes, steps and memory; train nothing.")] = False,
) -> None:
    """Train one network and keep the best by the validation persons; run again, an interrupted training goes on."""
    from hypnoflow.train.entry import entry_of
    from hypnoflow.train.job import describe_training, train_files
    from hypnoflow.train.training import How

    t.named(out, ".ckpt", "a checkpoint")
    options = _science(science, config)
    entry = entry_of(model, {model: EntryConfig(), **options.models}, options.train)
    bases, how = base or entry.base, How(run_options(config, run or []), options.seed, seed, fold)
    if dry_run:
        typer.echo(describe_training(split, harmonized, entry, bases, how))
    else:
        train_files(split, harmonized, out, entry, bases, how)


@app.command()
def score(
    paths: Annotated[list[str], typer.Argument(help="Recordings, folders, quoted patterns; or one .zarr store.")],
    model: t.Networks,
    out: t.Out,
    channels: Annotated[str, typer.Option(help="auto, or labels: the file's, standard ones, A-B; commas.")] = "auto",
    resolution: Annotated[str | None, typer.Option(help="Lengths of a step: 30s,1s,1.875s,1/128s.")] = None,
    formats: Annotated[str, typer.Option(help="all, or csv,parquet,edf+,pops,annot,yasa,bids,png.")] = "all",
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    threads: t.Threads = 2,
    device: t.Device = "auto",
    force: t.Force = False,
    split: Annotated[Path | None, typer.Option(help="Table of splits, for networks of folds; with a store.")] = None,
) -> None:
    """Score recordings into files that other programs open, or a harmonized store into a store of scores."""
    options = _science(science, config)
    if len(paths) == 1 and Path(paths[0]).suffix == ".zarr":
        from hypnoflow.score.job import score_shard

        if (channels, resolution, formats) != ("auto", None, "all"):
            raise ConfigError("a store is scored whole; --channels, --resolution and --formats are for recordings")
        t.named(out, ".zarr", "the store of scores")
        score_shard(Path(paths[0]), model, out, options.score, split, threads=threads, device=device)
        return
    if split is not None:
        raise ConfigError("--split says which recordings of a store are in which fold; these are files, of no study")
    from hypnoflow.direct.options import parse_wishes
    from hypnoflow.direct.summary import score_and_report
    from hypnoflow.score.infer import open_scorer

    wishes = parse_wishes(channels, resolution, formats, options, force=force)
    if not score_and_report(paths, open_scorer(model, options.score, threads=threads, device=device), out, wishes):
        raise SystemExit(1)


@app.command()
def subsets(
    store: t.HarmonizedStore,
    model: Annotated[list[Path], typer.Option("--model", help="Checkpoint; several are scored apart.")],
    split: t.SplitFile,
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    threads: t.Threads = 1,
    device: t.Device = "auto",
) -> None:
    """Score a store's unseen recordings again from subsets of their channels, for `evaluate --subsets`."""
    from hypnoflow.subsets.job import subsets_files

    t.named(out, ".parquet")
    options = _science(science, config)
    run = run_options(None, [f"threads={threads}", f"device={device}"])
    subsets_files(store, model, split, out, options.evaluate.subsets, run, seed=options.seed)


@app.command()
def agreement(
    store: t.HarmonizedStore,
    scores: Annotated[Path, typer.Option(help="The store of scores of the same shard.")],
    split: t.SplitFile,
    index: Annotated[Path, typer.Option(help="The JSON that `index` wrote for this cohort.")],
    out: t.Out,
    task: Annotated[str, typer.Option(help="What the network was trained for.")] = "stage",
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Compare a shard's scores with labels, arousals and, of simulated nights, the truth: tables for `evaluate`."""
    from hypnoflow.agreement.job import Measured, agreement_files
    from hypnoflow.data.tasks import tasks

    t.named(out, ".parquet")
    options = _science(science, config)
    how = Measured(tasks.get(task), options.train.min_overlap_s, options.features)
    agreement_files(store, scores, split, index, out, how)


@app.command()
def evaluate(
    split: t.SplitFile,
    agreement: Annotated[Path, typer.Option(help="Folder of a training's tables made by `agreement`.")],
    out: t.Out,
    subsets: Annotated[Path | None, typer.Option(help="Folder of its tables made by `subsets`.")] = None,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Gather how well a training's scores agree: by recording and cohort, calibration, arousals; reads tables only."""
    from hypnoflow.evaluate.job import evaluate_files

    t.named(out, ".parquet")
    options = _science(science, config)
    evaluate_files(split, agreement, subsets, out, options.evaluate, seed=options.seed)


@app.command()
def compare(
    tables: t.Tables,
    out: t.Out,
    measure: t.Measure = "macro_f1",
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Compare networks on the same unseen persons: differences, intervals, p corrected for all pairs; CSV."""
    from hypnoflow.compare.job import compare_tables

    options = _science(science, config)
    compare_tables(tables, t.named(out, ".csv"), options.evaluate, seed=options.seed, measure=measure)


@app.command()
def features(
    split: t.SplitFile,
    harmonized: t.HarmonizedFolder,
    scores: t.ScoresFolder,
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    run: t.RunOptions = None,
) -> None:
    """Compute biomarkers of every recording at every resolution."""
    from hypnoflow.features.job import features_files

    options, how = _science(science, config).features, run_options(config, run or [])
    features_files(split, harmonized, scores, t.named(out, ".parquet"), options, how)


@app.command()
def predict(
    features: Annotated[Path, typer.Option(help="Table made by `features`.")],
    index: t.IndexFolder,
    target: Annotated[str, typer.Option(help="age, sex, apnea_5, apnea_15, apnea_30 or log_ahi.")],
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
    threads: t.Threads = 1,
) -> None:
    """Predict one target at every resolution and compare with 30 s."""
    from hypnoflow.predict.job import predict_files

    options = _science(science, config)
    predict_files(
        features, index, target, t.named(out, ".parquet"), options.predict, seed=options.seed, threads=threads
    )


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="Folder of all results.")],
    out: t.Out,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Write the HTML report and its figures as JSON."""
    from hypnoflow.report.job import report_files

    report_files(results, t.named(out, ".html", "the page"), _science(science, config))


@app.command()
def download(
    cohort: str,
    n: Annotated[int | None, typer.Option("--n", help="Only the first N recordings.", min=1)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; native/COHORT if not given.")] = None,
) -> None:
    """Fetch a cohort's native files from where they are published; run again to go on."""
    from hypnoflow.download.fetch import download_cohort

    download_cohort(cohort, out or Path("native") / cohort, n)


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Recordings, and folders of them.")],
    cohort: t.CohortName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per recording in a list.")] = False,
    science: t.ScienceJson = None,
    config: t.ConfigFile = None,
) -> None:
    """Say what each recording holds, what would be used of it, and why it would be skipped; nothing is written."""
    from hypnoflow.look.inspect import print_reports

    options = _science(science, config)
    if not print_reports(paths, cohort, options.cohorts, options.harmonize, as_json=as_json):
        raise SystemExit(1)


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(help="Folder of all results.")] = Path("results"),
    sizes: Annotated[bool, typer.Option("--sizes", help="Compare sizes of files only, as every run does.")] = False,
    set_aside: t.SetAside = False,
) -> None:
    """Read stores, tables and checkpoints and compare them with the hashes in their JSONs, after a copy say."""
    from hypnoflow.head.verify import verify_results

    if not verify_results(results, "sizes" if sizes else "hashes", typer.echo, set_aside=set_aside):
        raise SystemExit(1)


@app.command("clean")
def clean_results(
    results: Annotated[Path | None, typer.Argument(help="Folder of all results; run.results if not given.")] = None,
    config: t.ConfigFile = None,
) -> None:
    """Remove the results of the workflow: what its JSONs list, and nothing else; what stays is named."""
    from hypnoflow.head.clean import clean_folder

    clean_folder(results or Path(run_options(config or Path("config.yaml"), []).results))


@app.command()
def survey(
    paths: Annotated[list[Path], typer.Argument(help="results/harmonized, or folders of cohorts in it.")],
    out: t.Out,
    epochs: Annotated[int, typer.Option(help="Most epochs per stage and channel that powers are taken from.")] = 20,
    config: t.ConfigFile = None,
    run: t.RunOptions = None,
) -> None:
    """Write what each channel of each cohort looks like: hours, amplitudes, flags, powers by stage; CSV."""
    from hypnoflow.look.survey import survey_files

    if not survey_files(paths, t.named(out, ".csv"), epochs, run_options(config, run or [])):
        raise SystemExit(1)


@app.command("config")
def config_files(
    check: Annotated[bool, typer.Option("--check", help="Fail if the shipped files differ from the schema.")] = False,
    folder: Annotated[Path, typer.Option(help="Root of the repository.")] = Path(),
) -> None:
    """Write config.yaml and its JSON schema from the typed schema, and conda's file from the lock; or check them."""
    from hypnoflow.config.files import write_files

    write_files(folder, check=check)


if __name__ == "__main__":
    main()
