"""What every section of the configuration is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Range = tuple[float, float]


class Section(BaseModel):
    """A block of options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def option(default: Any, text: str, unit: str = "", **limits: Any) -> Any:
    """Return a field with its one sentence and its unit; `limits` as for `pydantic.Field`."""
    return Field(default, description=text, json_schema_extra={"unit": unit}, **limits)


def rising(limits: Range) -> Range:
    """Return the limits of a range; raises ValueError unless they are positive and rise."""
    if not 0 <= limits[0] < limits[1]:
        raise ValueError(f"limits must be positive and rising, found {limits[0]:g} and {limits[1]:g}")
    return limits
