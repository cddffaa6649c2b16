"""What is generated from the schema of the configuration: ``config.yaml`` with comments, and a JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hypnoflow.config import CohortConfig, Config

HEADER = """\
# hypnoflow's options, with unit and meaning. Generated from src/hypnoflow/config.py by `hypnoflow config`;
# edit the values freely, `make check` compares only the shipped file. As it stands it runs the demo.
"""


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
        elif isinstance(value, dict) and field.annotation == dict[str, CohortConfig]:
            yield f"{pad}{name}:  {comment}"
            yield from _entry_lines(value, depth + 1)
        else:
            yield f"{pad}{name}: {_scalar(value)}  {comment}"


def _entry_lines(entries: dict[str, CohortConfig], depth: int) -> Iterator[str]:
    """Yield the named entries, each with what differs from the defaults; these stand once, as comments, above them."""
    pad = "  " * depth
    default = CohortConfig()
    yield f"{pad}# Each may set these options, here with their defaults:"
    yield from (f"{pad}#   {line}" for line in _yaml_lines(default, 0))
    for key, entry in entries.items():
        changed = {name: value for name, value in entry if value != getattr(default, name)}
        yield f"{pad}{key}:" + ("" if changed else " {}")
        for name, value in changed.items():
            yield f"{pad}  {name}: {_scalar(value)}  {_comment(CohortConfig.model_fields[name])}"


def _comment(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    return f"# {field.description}" + (f" [{unit}]" if unit not in ("", "1") else "")


def _scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # tuples as lists; JSON is YAML


def json_schema() -> str:
    """Return the JSON schema of the configuration."""
    return json.dumps(Config.model_json_schema(), indent=1) + "\n"
