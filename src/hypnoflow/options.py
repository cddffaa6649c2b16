"""What every section of the configuration is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A block of options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def option(default: Any, text: str, unit: str = "", **limits: Any) -> Any:
    """Return a field with its one sentence and its unit; `limits` as for `pydantic.Field`."""
    return Field(default, description=text, json_schema_extra={"unit": unit}, **limits)
