"""What can go wrong with a user's input, each as one message a data manager can act on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class HypnoflowError(Exception):
    """Base of every error whose text is meant for the user: the CLI prints it without a traceback."""


class ConfigError(HypnoflowError):
    """The configuration names something unknown or impossible."""


class CohortError(HypnoflowError):
    """A whole cohort cannot be used: its folder is empty, its tables are unreadable, too much was skipped."""


class CheckpointError(HypnoflowError):
    """A file given as a trained network is not one that this version can load."""


class TrainingInterrupted(HypnoflowError):
    """Training was asked to stop; what it had reached is on disk."""


class WorkflowError(HypnoflowError):
    """A run cannot start, or cannot clean up after an earlier one."""


class SchedulerError(HypnoflowError):
    """The workers that cohort-wide work was to run on cannot be had, or die of it."""


class RecordingError(HypnoflowError):
    """One recording cannot be used; the rest of the run goes on unless ``run.on_error`` is ``abort``.

    Parameters
    ----------
    what : str
        What was found, and where the trouble lies what is known.
    cohort, recording : str
        Names as in the manifest; empty while a bare file is read, filled in by the stage that knows them.
    path : Path, optional
        File at fault.
    hint : str
        What the user can do about it.
    """

    def __init__(self, what: str, *, cohort: str = "", recording: str = "", path: Path | None = None, hint: str = ""):
        self.what, self.cohort, self.recording, self.path, self.hint = what, cohort, recording, path, hint
        super().__init__(what)

    def located(self, cohort: str, recording: str) -> RecordingError:
        """Return the same error, with the cohort and recording that it belongs to."""
        return RecordingError(
            self.what,
            cohort=self.cohort or cohort,
            recording=self.recording or recording,
            path=self.path,
            hint=self.hint,
        )

    def __str__(self) -> str:
        where = "/".join(part for part in (self.cohort, self.recording) if part)
        lines = [f"{where}: {self.what}" if where else self.what]
        if self.path is not None:
            lines.append(f"file: {self.path}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n  ".join(lines)

    def __reduce__(
        self,
    ) -> tuple[object, ...]:  # exceptions with keyword arguments do not pickle by themselves
        return (_rebuild, (self.what, self.cohort, self.recording, self.path, self.hint))


def _rebuild(what: str, cohort: str, recording: str, path: Path | None, hint: str) -> RecordingError:
    return RecordingError(what, cohort=cohort, recording=recording, path=path, hint=hint)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or an empty string."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
