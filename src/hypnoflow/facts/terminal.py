"""Options that verbs share, and what the command line says: nothing in a name can turn a line into something else."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hypnoflow.errors import ConfigError, HypnoflowError, did_you_mean, harmless, shown

LEVEL_VARIABLE = "HYPNOFLOW_LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error")
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended, as shells have it
log = logging.getLogger("hypnoflow")

# Options that several verbs have.
ScienceJson = Annotated[
    str | None, typer.Option("--science", help="Science options as JSON, as a workflow rule passes them.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A config.yaml; the defaults without one.")]
Threads = Annotated[int, typer.Option(help="Cores to use.", min=1)]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
RunOptions = Annotated[
    list[str] | None,
    typer.Option("--run", metavar="KEY=VALUE", help="A run option: threads=2, dask=slurm ..."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
OnError = Annotated[str, typer.Option(help="skip or abort: what a bad recording does.")]
CohortName = Annotated[
    str | None, typer.Option("--cohort", help="Read by the rules of this cohort; as any folder without it.")
]
HarmonizedStore = Annotated[Path, typer.Argument(help="One harmonized .zarr store of a cohort.")]
HarmonizedFolder = Annotated[Path, typer.Option("--harmonized", help="Folder of the harmonized stores.")]
ScoresFolder = Annotated[Path, typer.Option("--scores", help="Folder of the stores of scores.")]
IndexFolder = Annotated[Path, typer.Option("--index", help="Folder of the manifests.")]
PlainFiles = Annotated[list[Path] | None, typer.Argument(help="Recordings and folders of them, without a workflow.")]
SeenFiles = Annotated[
    list[Path] | None, typer.Option(help="A training's .seen.parquet: whom it has seen is never unseen.")
]
Networks = Annotated[list[str], typer.Option("--model", help="Checkpoint, or name of `weights list`; several average.")]
Force = Annotated[
    bool, typer.Option("--force", help="Remove what an earlier run with other options or weights wrote there.")
]
Tables = Annotated[list[Path], typer.Argument(metavar="TABLE...", help="results/evaluate/MODEL.parquet, two or more.")]
Measure = Annotated[
    Literal["macro_f1", "kappa", "accuracy"], typer.Option(help="What is compared, recording by recording.")
]
SetAside = Annotated[bool, typer.Option("--set-aside", help="Let the next run make what is damaged again.")]
NetworkOptions = Annotated[
    list[str] | None,
    typer.Option("--option", "--options", metavar="KEY=VALUE", help="An option of the network: depth=12 ..."),
]
SplitFile = Annotated[Path, typer.Option("--split", help="Table made by `split`.")]


def named(out: Path, suffix: str, what: str = "a table") -> Path:
    """Return the path of an output; ConfigError unless it ends as such a file does."""
    if out.suffix != suffix or not out.stem:
        raise ConfigError(f"--out names {what}, and must end in {suffix}; found {shown(out)}")
    return out


class Lines(logging.Formatter):
    """Log lines in which names stay on one line, and nothing acts on the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_word, record.args))
        return harmless(super().format(record))


def _word(value: object) -> object:
    """Return what is put into a message: names on one line, errors in the lines that they are made of."""
    return shown(value) if isinstance(value, str | Path) else value


def start_logging() -> None:
    """Write the log to stderr, at the level that the environment asks for.

    Raises
    ------
    ConfigError
        If there is no such level.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # whatever a terminal's alphabet lacks is written as its escape
    level = os.environ.get(LEVEL_VARIABLE, "info").strip().lower()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=level.upper() if level in LEVELS else logging.INFO, handlers=[handler])
    if level not in LEVELS:
        raise ConfigError(
            f"{LEVEL_VARIABLE} is {shown(level)!r}{did_you_mean(level, LEVELS)}; known: {', '.join(LEVELS)}"
        )


@contextmanager
def one_message() -> Iterator[None]:
    """End the program with one message for whatever goes wrong: exit code 1, and 130 after Ctrl-C."""
    interrupted: list[bool] = []
    try:
        with _noted(interrupted):
            yield
    except HypnoflowError as error:
        _end(str(error))
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except SystemExit:
        if interrupted:
            raise SystemExit(INTERRUPTED) from None
        raise
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (else it fails again at exit)
        raise SystemExit(1) from None
    except OSError as error:
        log.debug("where it happened", exc_info=error)
        _end(f"{shown(error.filename or 'a file')}: {error.strerror or type(error).__name__}")
    except Exception as error:  # noqa: BLE001  (the last resort: what nobody foresaw)
        log.debug("where it happened", exc_info=error)
        _end(
            f"unforeseen {type(error).__name__}: {error}\n  this is a fault of hypnoflow's, or of a file that it "
            f"misunderstands: run again with {LEVEL_VARIABLE}=debug and report what it prints"
        )


def _end(message: str) -> None:
    typer.secho(f"error: {harmless(message)}", fg="red", err=True)
    raise SystemExit(1) from None


@contextmanager
def _noted(interrupted: list[bool]) -> Iterator[None]:
    """Note whether Ctrl-C was pressed, which the library of the command line would make an ordinary failure."""

    def note(number: int, frame: Any) -> None:
        interrupted.append(True)
        signal.default_int_handler(number, frame)

    before: Callable[[int, Any], Any] | int | None = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
