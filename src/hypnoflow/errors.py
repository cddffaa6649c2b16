"""What can go wrong with a user's input, each as one message a data manager can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

# What a terminal obeys, what reorders the text around it, and bytes of names that are no text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: object) -> str:
    """Return a text in which nothing acts on a terminal; lines and tabs stay, all else is written as its escape."""
    return _CONTROL.sub(lambda found: _escape(found[0]), str(text))


def shown(name: object) -> str:
    """Return a name, a path or another word from a file on one line, harmless to a terminal, and valid text."""
    return harmless(name).replace("\n", "\\n").replace("\t", "\\t")


def is_text(name: str) -> bool:
    """Return whether a name is valid text, which tables and archives can hold; that of a file may be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def harmless_cell(value: Any) -> Any:
    """Return a table's cell that no spreadsheet takes for a formula: an apostrophe before what begins like one."""
    if not isinstance(value, str):
        return value
    value = shown(value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python keeps it in names of files
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class HypnoflowError(Exception):
    """Base of every error whose text is meant for the user: the CLI prints it without a traceback."""


class OutputError(HypnoflowError):
    """Something stands where an output should go, or ought to be removed, and it is not known to be ours.

    Parameters
    ----------
    path : Path
        What stands there.
    what : str
        Why it is not touched.
    hint : str
        What the user can do.
    """

    def __init__(
        self,
        path: Path,
        what: str = "is there, and is not known to be made by hypnoflow",
        hint: str = "move it away, or name another --out",
    ):
        self.path, self.what, self.hint = path, what, hint
        super().__init__(f"{shown(path)} {what}; nothing of it was touched: {hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return OutputError, (self.path, self.what, self.hint)


class BusyError(HypnoflowError):
    """Another process is writing the same outputs."""


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
        lines = [f"{shown(where)}: {self.what}" if where else self.what]
        if self.path is not None:
            lines.append(f"file: {shown(self.path)}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return harmless("\n  ".join(lines))

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
