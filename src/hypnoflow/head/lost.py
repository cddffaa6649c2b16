"""Outputs whose metadata Snakemake has lost: their own JSON still says what they were made with.

Snakemake writes its metadata when the head sees a job end. Of a job that ended after its head it has none, nor of
results that were copied without ``.snakemake``; it then reruns nothing, whatever has changed in options or code.
"""

from __future__ import annotations

import glob
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypnoflow.facts.files import read_json, replaceable, write_json
from hypnoflow.head.stores import Damage, damaged

RECORD_LENGTH = 254  # characters of a name in .snakemake/metadata, one less than a file name may have


@dataclass(frozen=True, slots=True)
class Plan:
    """What the outputs of one rule ought to be made with.

    Attributes
    ----------
    pattern : str
        The path of the rule's JSON, with wildcards: "results/harmonized/{cohort}/{shard}.json".
    science : callable
        Takes the wildcards, gives the rule's science options as JSON.
    code : callable
        Takes the wildcards, gives the hash of the code that its job runs.
    planned : callable
        Takes the wildcards, says whether the config plans such an output; what it does not is left alone.
    recordings : callable, optional
        Takes the wildcards, gives the names of the recordings that the output ought to speak of; None if nobody knows.
    others : tuple of str
        The paths of the rule's other outputs, with the same wildcards.
    """

    pattern: str
    science: Callable[[Any], str]
    code: Callable[[Any], str]
    planned: Callable[[Any], bool] = lambda _wildcards: True
    recordings: Callable[[Any], set[str] | None] | None = None
    others: tuple[str, ...] = ()

    def outputs(self) -> Iterator[tuple[Path, SimpleNamespace]]:
        """Yield each planned JSON that is there, with its wildcards."""
        yield from self._there(self.pattern)

    def all_outputs(self) -> Iterator[tuple[Path, list[Path]]]:
        """Yield the planned JSON and other outputs of each job of which anything is there."""
        found = {}
        for pattern in (self.pattern, *self.others):
            for _, wildcards in self._there(pattern):
                found[tuple(vars(wildcards).items())] = wildcards
        for wildcards in found.values():
            names = vars(wildcards)
            yield Path(self.pattern.format(**names)), [Path(other.format(**names)) for other in self.others]

    def _there(self, pattern: str) -> Iterator[tuple[Path, SimpleNamespace]]:
        parts = re.split(r"{(\w+)}", pattern)  # text, name, text, name ... text
        names = parts[1::2]
        form = re.compile("([^/]+)".join(map(re.escape, parts[::2])))
        for path in sorted(glob.glob("*".join(map(glob.escape, parts[::2])))):  # noqa: PTH207  (may be absolute)
            found = form.fullmatch(path)
            wildcards = SimpleNamespace(**dict(zip(names, found.groups(), strict=True))) if found else None
            if wildcards is not None and not Path(path).name.startswith(".") and self.planned(wildcards):
                yield Path(path), wildcards


def outdated(plans: Mapping[str, Plan], snakemake: Path = Path(".snakemake")) -> list[Damage]:
    """Return the outputs without metadata that were made with other options or code, or that are damaged.

    Their stores and checkpoints are compared with the hashes in their JSON, once: what was found whole is noted.
    """
    found, unread = [], []
    checked = _Checked(snakemake / "hypnoflow.checked")
    for stage, plan in plans.items():
        for path, wildcards in plan.outputs():
            if _has_record(path, snakemake):
                continue
            damage = _other(path, plan, wildcards)
            if damage is not None:
                found.append(Damage(path, f"{stage}: {damage.what}"))
            elif path not in checked:
                unread.append(path)
    broken = damaged(unread, "hashes")
    checked.add(set(unread) - {damage.sibling for damage in broken})
    return found + broken


class _Checked:
    """The outputs that were read and found whole, each by the time and size of its JSON."""

    def __init__(self, path: Path):
        self._path = path
        try:
            known = read_json(path)
        except (OSError, ValueError):
            known = {}
        self._known = known if isinstance(known, dict) else {}

    def __contains__(self, path: Path) -> bool:
        return bool(self._known.get(str(path)) == self._stamp(path))

    def add(self, paths: Iterable[Path]) -> None:
        new = {str(path): self._stamp(path) for path in paths}
        if new:
            replaceable(self._path)  # what is in .snakemake is the workflow's own
            write_json(self._path, self._known | new)

    @staticmethod
    def _stamp(path: Path) -> list[int]:
        return [path.stat().st_mtime_ns, path.stat().st_size]


def _has_record(output: Path, snakemake: Path) -> bool:
    """Return whether Snakemake can read its record of an output; it takes a torn one for an empty one."""
    try:
        return bool(json.loads(metadata_path(output, snakemake).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def metadata_path(output: Path, snakemake: Path) -> Path:
    """Return where Snakemake keeps its record of an output, as snakemake.persistence.file names it."""
    name = urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[i : i + RECORD_LENGTH] for i in range(0, len(name), RECORD_LENGTH)]
    return snakemake.joinpath("metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])


def _other(path: Path, plan: Plan, wildcards: SimpleNamespace) -> Damage | None:
    """Return in what the output differs from the plan."""
    try:
        facts = read_json(path)
        what = _difference(facts, plan, wildcards)
    except (OSError, ValueError) as error:
        what = f"the JSON is not readable ({error})"
    except (LookupError, TypeError, AttributeError):
        what = "the JSON does not say what it was made with"
    return Damage(path, what) if what else None


def _difference(facts: Any, plan: Plan, wildcards: SimpleNamespace) -> str:
    """Return in what an output's JSON differs from the plan, empty if in nothing."""
    made = facts["provenance"]
    if made.get("code") != plan.code(wildcards):
        return f"made by other code ({made.get('code', 'of an older version')}) than there is now"
    try:
        same = _science(made["command"]) == json.loads(plan.science(wildcards))
    except (KeyError, ValueError):
        same = False
    if not same:
        return "made with other options than there are now"
    if plan.recordings is not None:
        there = {*facts["recordings"], *(row["recording"] for row in facts["skipped"])}
        if plan.recordings(wildcards) not in (there, None):
            return "made of other recordings than the manifest has now"
    return ""


def _science(command: list[str]) -> Any:
    """Return the science options that a command was given."""
    return json.loads(command[command.index("--science") + 1])
