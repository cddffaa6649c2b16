"""What is generated from the schema of the configuration: ``config.yaml`` with comments, and a JSON schema."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hypnoflow.config.environment import conda_yaml
from hypnoflow.config.schema import Config
from hypnoflow.config.section import entry_of
from hypnoflow.errors import ConfigError, OutputError
from hypnoflow.facts.files import replaceable, replacing
from hypnoflow.facts.layout import stages_table

HEADER = """\
# yaml-language-server: $schema=workflow/schemas/config.schema.json
# hypnoflow's options, with unit and meaning. Generated from src/hypnoflow/config/schema.py by `hypnoflow config`, which
# never overwrites a file that was edited; edit the values freely, `make check` compares only the shipped file. As it
# stands it runs the demo.
"""
TABLE = re.compile(r"(<!-- stages -->\n).*?(<!-- end -->)", re.DOTALL)
STAMP = re.compile(r"generated as ([0-9a-f]{16})")  # a hash of all the rest: by it an unedited file is known


def to_yaml(config: Config) -> str:
    """Return the configuration as commented YAML; `load_config` reads it back equal."""
    return HEADER + "\n".join(_yaml_lines(config, 0)) + "\n"


def _yaml_lines(section: BaseModel, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        comment = _comment(field)
        if isinstance(value, BaseModel):
            yield f"{pad}{name}:  {comment}"
            yield from _yaml_lines(value, depth + 1)
        elif (entry := entry_of(field)) is not None:
            yield f"{pad}{name}:  {comment}"
            yield from _entry_lines(value, entry, depth + 1)
        else:
            yield f"{pad}{name}: {_scalar(value)}  {comment}"


def _entry_lines(entries: dict[str, Any], kind: type[BaseModel], depth: int) -> Iterator[str]:
    """Yield the named entries, each with what differs from the defaults; these stand once, as comments, above them."""
    pad = "  " * depth
    default = kind()
    yield f"{pad}# Each may set these options, here with their defaults:"
    yield from (f"{pad}#   {line}" for line in _yaml_lines(default, 0))
    for key, entry in entries.items():
        changed = {name: value for name, value in entry if value != getattr(default, name)}
        yield f"{pad}{key}:" + ("" if changed else " {}")
        for name, value in changed.items():
            yield f"{pad}  {name}: {_scalar(value)}  {_comment(kind.model_fields[name])}"


def _comment(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    return f"# {field.description}" + (f" [{unit}]" if unit not in ("", "1") else "")


def _scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # tuples as lists; JSON is YAML


def json_schema() -> str:
    """Return the JSON schema of the configuration."""
    return json.dumps(Config.model_json_schema(), indent=1) + "\n"


def stamped(text: str) -> str:
    """Return a generated file with a hash of itself in it: as a comment at the end of YAML, in JSON as `$comment`."""
    empty = "generated as " + 16 * "0"
    is_json = text.startswith("{")
    text = text.replace("{", f'{{\n "$comment": "{empty}",', 1) if is_json else f"{text}# {empty}\n"
    return text.replace(16 * "0", _hash(text))


def is_unedited(text: str) -> bool:
    """Return whether a file is as some version of hypnoflow generated it."""
    found = STAMP.search(text)
    return found is not None and found[1] == _hash(text.replace(found[1], 16 * "0"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_files(folder: Path, *, check: bool = False) -> None:
    """Write config.yaml and its JSON schema from the typed schema, and conda's file from the lock.

    Parameters
    ----------
    folder : Path
        Root of the repository.
    check : bool
        Write nothing, and raise if a file differs.

    Raises
    ------
    ConfigError
        With `check`, if a file is not what is generated.
    OutputError
        If a file was edited since it was written; then none is written.
    """
    lock, project = folder / "envs" / "requirements.txt", folder / "pyproject.toml"
    wanted = {
        folder / "config.yaml": stamped(to_yaml(Config())),
        folder / "workflow" / "schemas" / "config.schema.json": stamped(json_schema()),
        folder / "envs" / "hypnoflow.yaml": stamped(conda_yaml(lock.read_text("utf-8"), project.read_text("utf-8"))),
    }
    found = {path: path.read_text("utf-8", "replace") if path.exists() else None for path in wanted}
    page = folder / "docs" / "architecture.md"
    if page.exists():
        found[page] = page.read_text("utf-8", "replace")
        wanted[page] = TABLE.sub(lambda block: block[1] + stages_table() + block[2], str(found[page]))
    differ = [path for path, text in wanted.items() if found[path] != text]
    if check and differ:
        source = "the lock" if differ[0].parent.name == "envs" else "src/hypnoflow/config"
        raise ConfigError(f"{differ[0]} is not what {source} generates; run `hypnoflow config`")
    generated = [path for path in differ if path != page]  # of the page only the table is
    edited = [path for path in generated if path.is_symlink() or not is_unedited(found[path] or wanted[path])]
    if edited:
        do = "move it away, run again, and take over what you changed"
        raise OutputError(edited[0], "was edited since `hypnoflow config` wrote it", do)
    for path in differ:
        replaceable(path)
        with replacing(path) as partial:
            partial.write_text(wanted[path], encoding="utf-8")
