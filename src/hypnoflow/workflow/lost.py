"""Outputs whose metadata Snakemake has lost: their own JSON still says what they were made with.

Snakemake writes its metadata when the head sees a job end. Of a job that ended after its head it has none, nor of
results that were copied without ``.snakemake``; it then reruns nothing, whatever has changed in options or code.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypnoflow.workflow.stores import Damage, check

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
    code : str
        Hash of its modules.
    """

    pattern: str
    science: Callable[[Any], str]
    code: str

    def outputs(self) -> Iterator[tuple[Path, SimpleNamespace]]:
        """Yield each JSON that is there, with its wildcards."""
        names = re.findall(r"{(\w+)}", self.pattern)
        form = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.pattern)))
        for path in sorted(Path().glob(re.sub(r"{\w+}", "*", self.pattern))):
            found = form.fullmatch(path.as_posix())
            if found and not path.name.startswith("."):
                yield path, SimpleNamespace(**{name: found[name] for name in names})


def outdated(plans: Mapping[str, Plan], snakemake: Path = Path(".snakemake")) -> list[Damage]:
    """Return the outputs without metadata that were made with other options or code, or that are damaged.

    Their stores and checkpoints are compared with the hashes in their JSON.
    """
    found = []
    for stage, plan in plans.items():
        for path, wildcards in plan.outputs():
            if metadata_path(path, snakemake).is_file():
                continue
            damage = _other(path, plan, wildcards) or check(path, "hashes")
            if damage is not None:
                found.append(Damage(damage.sibling, f"{stage}: {damage.what}"))
    return found


def metadata_path(output: Path, snakemake: Path) -> Path:
    """Return where Snakemake keeps its record of an output, as snakemake.persistence.file names it."""
    name = urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[i : i + RECORD_LENGTH] for i in range(0, len(name), RECORD_LENGTH)]
    return snakemake.joinpath("metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])


def _other(path: Path, plan: Plan, wildcards: SimpleNamespace) -> Damage | None:
    """Return in what the output differs from the plan."""
    try:
        wanted = json.loads(plan.science(wildcards))
    except KeyError:  # of a cohort that the config does not name: not planned, so left alone
        return None
    try:
        made = json.loads(path.read_text()).get("provenance", {})
    except (OSError, ValueError) as error:
        return Damage(path, f"the JSON is not readable ({error})")
    if made.get("code") != plan.code:
        return Damage(path, f"made by other code ({made.get('code', 'of an older version')}) than there is now")
    try:
        same = _science(made["command"]) == wanted
    except (KeyError, ValueError):
        same = False
    return None if same else Damage(path, "made with other options than there are now")


def _science(command: list[str]) -> Any:
    """Return the science options that a command was given."""
    return json.loads(command[command.index("--science") + 1])
